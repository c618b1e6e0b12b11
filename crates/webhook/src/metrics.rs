//! What is counted, and the text Prometheus reads. Gatekeeper's names where the thing measured is the same
//! (`gatekeeper.md` §6.8), `regent_*` for the rest. Label values are constants or names of loaded constraints, so the
//! number of series is bounded.

use crate::admission::Status;
use regent_core::{PolicySet, Spent};
use std::collections::{BTreeMap, HashMap};
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bounds of Gatekeeper's histograms of requests, milliseconds.
const BOUNDS: [u32; 38] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000,
    1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500, 5_000, 7_500, 10_000,
];

/// Limits whose being hit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A body too large.
    Body,
    /// Large bodies took all the memory for them.
    Bodies,
    /// A body too slow.
    BodyTime,
    /// Too many reviews at once.
    Concurrency,
    /// A review not judged in its time.
    Deadline,
    /// A connection closed to make room.
    Connections,
    /// A handshake too slow.
    HandshakeTime,
    /// Headers too slow, or nothing asked.
    HeaderTime,
    /// An answer not taken.
    WriteTime,
    /// Idle too long.
    IdleTime,
}

const LIMITS: [(Limit, &str); 10] = [
    (Limit::Body, "body"),
    (Limit::Bodies, "bodies"),
    (Limit::BodyTime, "body_time"),
    (Limit::Concurrency, "concurrency"),
    (Limit::Deadline, "deadline"),
    (Limit::Connections, "connections"),
    (Limit::HandshakeTime, "handshake_time"),
    (Limit::HeaderTime, "header_time"),
    (Limit::WriteTime, "write_time"),
    (Limit::IdleTime, "idle_time"),
];

/// A histogram of durations.
#[derive(Debug)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            nanoseconds: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    fn add(&self, took: Duration) {
        let at = BOUNDS.partition_point(|&b| Duration::from_millis(u64::from(b)) < took);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn write(&self, out: &mut Text, name: &str, label: &str) {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|b| format!("{}", f64::from(*b) / 1e3));
        for (bucket, bound) in self.buckets.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            count += bucket.load(Ordering::Relaxed);
            out.line(&format!("{name}_bucket"), &format!("{label},le=\"{bound}\""), count);
        }
        let seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        out.line(&format!("{name}_sum"), label, seconds);
        out.line(&format!("{name}_count"), label, count);
    }
}

/// Evaluations of one constraint.
#[derive(Clone, Copy, Debug, Default)]
struct PerConstraint {
    evaluations: u64,
    failures: u64,
    nanoseconds: u64,
}

/// What one judging thread counted for one policy set; nobody waits for another to count.
#[derive(Debug, Default)]
struct Shard {
    revision: String,
    by_index: Vec<PerConstraint>,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    /// By status and `dryRun`.
    reviews: [[AtomicU64; 2]; 3],
    durations: [Histogram; 3],
    mutations: AtomicU64,
    mutation_durations: Histogram,
    limits: [AtomicU64; LIMITS.len()],
    shards: Vec<Mutex<Shard>>,
    /// Counts of sets that are no longer in force, by kind and name.
    earlier: Mutex<HashMap<(String, String), PerConstraint>>,
    /// Responses of HTTP by code.
    responses: Box<[AtomicU64]>,
    /// Connections accepted.
    pub connections_total: AtomicU64,
    /// Connections now.
    pub connections: AtomicU64,
    /// Handshakes that failed.
    pub handshake_failures: AtomicU64,
    /// Certificates loaded while running.
    pub certificate_reloads: AtomicU64,
    /// Certificates refused while running; the old one is kept.
    pub certificate_failures: AtomicU64,
    /// Seconds since 1970 at which the certificate ends.
    pub certificate_not_after: AtomicU64,
    /// Lines of the log that were dropped.
    pub lines_dropped: AtomicU64,
    /// Namespaces asked for.
    pub lookups: AtomicU64,
    /// Namespaces asked for in vain.
    pub lookup_failures: AtomicU64,
    /// Panics while judging.
    pub panics: AtomicU64,
    /// Verdicts on which two evaluators do not agree.
    disagreements: AtomicU64,
    /// Verdicts without a second opinion, though one was wanted.
    unconfirmed: AtomicU64,
}

impl Metrics {
    /// For so many judging threads.
    pub fn new(threads: usize) -> Metrics {
        Metrics {
            reviews: Default::default(),
            durations: Default::default(),
            mutations: AtomicU64::new(0),
            mutation_durations: Histogram::default(),
            limits: Default::default(),
            shards: (0..threads).map(|_| Mutex::default()).collect(),
            earlier: Mutex::default(),
            responses: (0..600).map(|_| AtomicU64::new(0)).collect(),
            connections_total: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            handshake_failures: AtomicU64::new(0),
            certificate_reloads: AtomicU64::new(0),
            certificate_failures: AtomicU64::new(0),
            certificate_not_after: AtomicU64::new(0),
            lines_dropped: AtomicU64::new(0),
            lookups: AtomicU64::new(0),
            lookup_failures: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            disagreements: AtomicU64::new(0),
            unconfirmed: AtomicU64::new(0),
        }
    }

    /// A review was answered.
    pub fn review(&self, status: Status, dry_run: bool, took: Duration) {
        let at = status as usize;
        if let Some(count) = self.reviews.get(at).and_then(|r| r.get(usize::from(dry_run))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(histogram) = self.durations.get(at) {
            histogram.add(took);
        }
    }

    /// A mutation was answered.
    pub fn mutation(&self, took: Duration) {
        self.mutations.fetch_add(1, Ordering::Relaxed);
        self.mutation_durations.add(took);
    }

    /// What came of asking a second evaluator about a review.
    pub fn second(&self, disagreements: usize, unconfirmed: usize) {
        for (count, more) in [(&self.disagreements, disagreements), (&self.unconfirmed, unconfirmed)] {
            if more > 0 {
                count.fetch_add(u64::try_from(more).unwrap_or_default(), Ordering::Relaxed);
            }
        }
    }

    /// A limit was hit.
    pub fn hit(&self, limit: Limit) {
        let at = LIMITS.iter().position(|(l, _)| *l == limit);
        if let Some(count) = at.and_then(|i| self.limits.get(i)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A response of HTTP went out.
    pub fn response(&self, code: u16) {
        if let Some(count) = self.responses.get(usize::from(code)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How long constraints took, told by a judging thread.
    pub fn evaluated(&self, worker: usize, policies: &PolicySet, spent: &[Spent], failed: &[(String, String)]) {
        let Some(shard) = self.shards.get(worker) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.revision != policies.revision() {
            shard.revision = policies.revision().to_owned();
            shard.by_index.clear();
        }
        for one in spent {
            let at = one.constraint as usize;
            if at >= shard.by_index.len() {
                shard.by_index.resize(at + 1, PerConstraint::default());
            }
            if let Some(count) = shard.by_index.get_mut(at) {
                count.evaluations += 1;
                count.nanoseconds += one.nanoseconds;
            }
        }
        if !failed.is_empty() {
            drop(shard);
            let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
            for name in failed {
                earlier.entry(name.clone()).or_default().failures += 1;
            }
        }
    }

    /// Everything, as text.
    pub fn write(&self, policies: Option<&PolicySet>, out: &mut Text) {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let name = "gatekeeper_validation_request_count_total";
        out.head(name, "counter", "Reviews answered.");
        for (status, counts) in ["allow", "deny", "error"].iter().zip(&self.reviews) {
            for (dry_run, count) in ["false", "true"].iter().zip(counts) {
                let labels = format!("admission_dryrun=\"{dry_run}\",admission_status=\"{status}\"");
                out.line(name, &labels, load(count));
            }
        }
        let name = "gatekeeper_validation_request_duration_seconds";
        out.head(name, "histogram", "Time from the request's headers to its answer.");
        for (status, histogram) in ["allow", "deny", "error"].iter().zip(&self.durations) {
            histogram.write(out, name, &format!("admission_status=\"{status}\""));
        }
        let name = "gatekeeper_mutation_request_count_total";
        out.head(name, "counter", "Mutations answered.");
        out.line(name, "mutation_status=\"skip\"", load(&self.mutations));
        let name = "gatekeeper_mutation_request_duration_seconds";
        out.head(name, "histogram", "Time from the request's headers to its answer.");
        self.mutation_durations.write(out, name, "mutation_status=\"skip\"");
        if let Some(policies) = policies {
            self.write_policies(policies, out);
        }
        out.head(
            "regent_limits_hit_total",
            "counter",
            "Requests and connections that met a limit.",
        );
        for ((_, limit), count) in LIMITS.iter().zip(&self.limits) {
            out.line("regent_limits_hit_total", &format!("limit=\"{limit}\""), load(count));
        }
        out.head("regent_http_responses_total", "counter", "Responses of HTTP by code.");
        for (code, count) in self
            .responses
            .iter()
            .map(load)
            .enumerate()
            .filter(|(_, count)| *count > 0)
        {
            out.line("regent_http_responses_total", &format!("code=\"{code}\""), count);
        }
        for (name, kind, help, value) in [
            ("regent_connections", "gauge", "Connections open.", &self.connections),
            (
                "regent_connections_total",
                "counter",
                "Connections accepted.",
                &self.connections_total,
            ),
            (
                "regent_handshake_failures_total",
                "counter",
                "TLS handshakes that failed.",
                &self.handshake_failures,
            ),
            (
                "regent_certificate_reloads_total",
                "counter",
                "Certificates taken over.",
                &self.certificate_reloads,
            ),
            (
                "regent_certificate_reload_failures_total",
                "counter",
                "Times the files of the certificate could not be used; the old one is kept.",
                &self.certificate_failures,
            ),
            (
                "regent_certificate_not_after_seconds",
                "gauge",
                "When the certificate ends, seconds since 1970.",
                &self.certificate_not_after,
            ),
            (
                "regent_log_lines_dropped_total",
                "counter",
                "Log lines nobody read in time.",
                &self.lines_dropped,
            ),
            (
                "regent_namespace_lookups_total",
                "counter",
                "Namespaces asked of the API server.",
                &self.lookups,
            ),
            (
                "regent_namespace_lookup_failures_total",
                "counter",
                "Namespaces the API server did not give.",
                &self.lookup_failures,
            ),
            (
                "regent_panics_total",
                "counter",
                "Faults of Regent while judging; please report.",
                &self.panics,
            ),
            (
                "regent_disagreements_total",
                "counter",
                "Verdicts on which the two evaluators do not agree; please report.",
                &self.disagreements,
            ),
            (
                "regent_unconfirmed_verdicts_total",
                "counter",
                "Verdicts without the second opinion that was wanted.",
                &self.unconfirmed,
            ),
        ] {
            out.head(name, kind, help);
            out.line(name, "", load(value));
        }
    }

    fn write_policies(&self, policies: &PolicySet, out: &mut Text) {
        let constraints = policies.constraints();
        let mut by_action: BTreeMap<&str, usize> = ["deny", "dryrun", "scoped", "warn"]
            .into_iter()
            .map(|a| (a, 0))
            .collect();
        for constraint in &constraints {
            *by_action.entry(constraint.enforcement_action.as_str()).or_default() += 1;
        }
        out.head("gatekeeper_constraints", "gauge", "Constraints in force.");
        for (action, count) in by_action {
            let action = if matches!(action, "deny" | "dryrun" | "scoped" | "warn") {
                action
            } else {
                "unrecognized"
            };
            out.line(
                "gatekeeper_constraints",
                &format!("enforcement_action=\"{action}\",status=\"active\""),
                count,
            );
        }
        out.head("gatekeeper_constraint_templates", "gauge", "Templates in force.");
        out.line(
            "gatekeeper_constraint_templates",
            "status=\"active\"",
            policies.templates().len(),
        );
        out.head("regent_policy_revision_info", "gauge", "The policy set in force.");
        out.line(
            "regent_policy_revision_info",
            &label("revision", policies.revision()),
            1,
        );
        let mut sums = vec![PerConstraint::default(); constraints.len()];
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if shard.revision == policies.revision() {
                for (sum, one) in sums.iter_mut().zip(&shard.by_index) {
                    sum.evaluations += one.evaluations;
                    sum.nanoseconds += one.nanoseconds;
                }
            }
        }
        {
            let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
            let known = |kind: &str, name: &str| constraints.iter().any(|c| c.kind == kind && c.name == name);
            earlier.retain(|(kind, name), _| known(kind, name));
            for (sum, c) in sums.iter_mut().zip(&constraints) {
                if let Some(one) = earlier.get(&(c.kind.clone(), c.name.clone())) {
                    sum.failures += one.failures;
                }
            }
        }
        type Figure = fn(&PerConstraint) -> f64;
        let figures: [(&str, &str, Figure); 3] = [
            (
                "regent_constraint_evaluations_total",
                "Evaluations of a constraint of this revision.",
                |c| c.evaluations as f64,
            ),
            ("regent_constraint_evaluation_seconds_total", "Time they took.", |c| {
                c.nanoseconds as f64 / 1e9
            }),
            (
                "regent_constraint_failures_total",
                "Times a constraint could not be judged.",
                |c| c.failures as f64,
            ),
        ];
        for (name, help, figure) in figures {
            out.head(name, "counter", help);
            for (constraint, sum) in constraints.iter().zip(&sums) {
                let labels = format!(
                    "{},{}",
                    label("kind", &constraint.kind),
                    label("name", &constraint.name)
                );
                out.line(name, &labels, figure(sum));
            }
        }
    }
}

/// `name="value"` with the value escaped.
pub fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// Prometheus' text format.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Begins a metric.
    pub fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample; `labels` as [`label`] writes them, joined by commas.
    pub fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{labels}}} {value}")
        };
    }

    /// A metric without labels.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }
}
