//! Judging on all cores: each thread takes some documents, reads, parses and judges them, then takes the next. What comes
//! out is put in order afterwards, so it does not depend on who was first.

use crate::arguments::Judging;
use crate::manifests::{self, Batch, Manifests, Reader};
use crate::progress::Progress;
use crate::report::{At, Finding, ObjectName, Report, Shared};
use crate::{second, terminal};
use regent_core::manifest::{Document, Places, Problem};
use regent_core::places::places;
use regent_core::review::Strictness;
use regent_core::{Decision, EvaluateOptions, Inventory, PolicySet, Review, Violation, evaluate};
use regent_rego::{SecondEvaluator, Value};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Deep values and rule chains need deep stacks.
const STACK: usize = 64 << 20;

/// What judging needs besides the objects.
pub(crate) struct Context<'a> {
    pub(crate) set: &'a PolicySet,
    pub(crate) inventory: &'a Inventory,
    pub(crate) judging: &'a Judging,
    /// Keep the names of all objects, not only of those with findings.
    pub(crate) keep_objects: bool,
    /// The clock's zero.
    pub(crate) start: Instant,
    pub(crate) time_ns: i64,
    /// The second evaluator, when it is wanted.
    pub(crate) second: Option<SecondEvaluator<'static>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(set: &'a PolicySet, inventory: &'a Inventory, judging: &'a Judging) -> Context<'a> {
        Context {
            set,
            inventory,
            judging,
            keep_objects: false,
            start: Instant::now(),
            time_ns: now(),
            second: second::evaluator(judging.engine),
        }
    }

    /// Calls `f` with the options of one evaluation.
    pub(crate) fn with_options<T>(&self, f: impl FnOnce(&EvaluateOptions<'_>) -> T) -> T {
        let start = self.start;
        let clock = move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        f(&EvaluateOptions {
            point: &self.judging.enforcement_point,
            clock: Some(&clock),
            constraint_budget: u64::try_from(self.judging.timeout.as_nanos()).unwrap_or(u64::MAX),
            memory: self.judging.memory.max_memory,
            time_ns: self.time_ns,
            workloads: self.judging.workloads,
            engine: self.judging.engine.engine(),
            second: self.second,
            ..EvaluateOptions::default()
        })
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// What came of some documents.
#[derive(Debug, Default)]
struct Outcome {
    objects: usize,
    names: Vec<(At, Arc<ObjectName>)>,
    findings: Vec<Finding>,
    errors: Vec<Problem>,
    prints: Vec<(At, String)>,
    unconfirmed: Vec<String>,
}

impl Outcome {
    fn take_in(&mut self, other: Outcome) {
        self.objects += other.objects;
        self.names.extend(other.names);
        self.findings.extend(other.findings);
        self.errors.extend(other.errors);
        self.prints.extend(other.prints);
        self.unconfirmed.extend(other.unconfirmed);
    }
}

/// Judges every document.
pub(crate) fn judge(context: &Context<'_>, manifests: &Manifests) -> Report {
    let batches = manifests.batches();
    let threads = threads(context.judging.threads).min(batches.len().max(1));
    let progress = Progress::new(manifests.size() as u64, "judging");
    let next = AtomicUsize::new(0);
    let gathered = Mutex::new(Outcome::default());
    let started = std::thread::scope(|scope| {
        let worker = || {
            let mut mine = Outcome::default();
            let mut shared = Shared::default();
            let mut reader = Reader::new(manifests);
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                judge_batch(context, &mut reader, batch, &progress, &mut shared, &mut mine);
            }
            gathered.lock().unwrap_or_else(PoisonError::into_inner).take_in(mine);
        };
        let start = |_: &usize| {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, worker).is_ok()
        };
        (0..threads).filter(start).count()
    });
    progress.done();
    let mut outcome = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    if started == 0 {
        outcome
            .errors
            .push(problem("", (0, 0), "cannot start a thread".to_owned()));
    }
    outcome.prints.sort();
    for (_, line) in &outcome.prints {
        terminal::notice(&terminal::printable(line));
    }
    second::tell_unconfirmed(&outcome.unconfirmed);
    outcome.errors.extend(manifests.problems.iter().cloned());
    let mut report = Report {
        revision: context.set.revision().to_owned(),
        findings: outcome.findings,
        errors: outcome.errors,
        objects: outcome.names,
        ..Report::default()
    };
    report.finish(outcome.objects);
    report
}

fn judge_batch(
    context: &Context<'_>,
    reader: &mut Reader<'_>,
    batch: &Batch,
    progress: &Progress,
    shared: &mut Shared,
    out: &mut Outcome,
) {
    let read = reader.each(batch, |file, piece, text| {
        for read in piece.read(file, text) {
            match read {
                Ok(document) => judge_document(context, file, document, shared, out),
                Err(problem) => out.errors.push(problem),
            }
        }
        progress.add(text.len());
    });
    if let Err(problem) = read {
        out.errors.push(problem);
    }
}

pub(crate) fn threads(wanted: Option<u16>) -> usize {
    match wanted {
        Some(n) => usize::from(n.max(1)),
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    }
}

fn judge_document(context: &Context<'_>, file: &Arc<str>, document: Document, shared: &mut Shared, out: &mut Outcome) {
    let at = At {
        file: Arc::clone(file),
        document: document.index,
        item: document.item.unwrap_or_default(),
    };
    let prepared = match prepare(context, file, &document) {
        Ok(prepared) => prepared,
        Err(problem) => return out.errors.push(problem),
    };
    let name = Arc::new(prepared.name);
    out.objects += 1;
    if context.keep_objects {
        out.names.push((at.clone(), Arc::clone(&name)));
    }
    let judged = catch_unwind(AssertUnwindSafe(|| {
        context.with_options(|options| evaluate(context.set, &prepared.review, context.inventory, options))
    }));
    let decision: Decision = match judged {
        Ok(decision) => decision,
        Err(panic) => {
            let place = document.places.find(prepared.prefix);
            let message = format!("internal error: {}", terminal::panic_text(&*panic));
            return out.errors.push(problem(file, place, message));
        }
    };
    let nodes = nodes(context, &prepared.review, &decision);
    for failure in decision.failures {
        let of = match (failure.constraint_kind.as_str(), failure.constraint_name.as_str()) {
            ("", _) => String::new(),
            (kind, name) => format!("{kind}/{name}: "),
        };
        let message = format!("{of}{}", failure.message);
        out.errors
            .push(problem(file, document.places.find(prepared.prefix), message));
    }
    let reason = |u: regent_core::Unconfirmed| format!("{}/{}: {}", u.constraint_kind, u.constraint_name, u.reason);
    out.unconfirmed.extend(decision.unconfirmed.into_iter().map(reason));
    out.prints
        .extend(decision.prints.into_iter().map(|line| (at.clone(), line)));
    for (violation, node) in decision.violations.into_iter().zip(nodes) {
        let subject = prepared.review.subject();
        let place = place(&document.places, prepared.prefix, subject, &violation, node);
        let finding = Finding::new(at.clone(), Arc::clone(&name), place, violation, shared);
        out.findings.push(finding);
    }
}

/// A document as it is judged.
pub(crate) struct Prepared {
    pub(crate) review: Review,
    pub(crate) name: ObjectName,
    /// Where the object stands in the document.
    pub(crate) prefix: &'static [&'static str],
}

/// Makes a review of a document: of a recorded request as it is, of an object as `gator test` does.
///
/// # Errors
/// It is no object, or the request lacks something.
pub(crate) fn prepare(context: &Context<'_>, file: &str, document: &Document) -> Result<Prepared, Problem> {
    if let Some(problem) = manifests::no_object(file, document) {
        return Err(problem);
    }
    if document.is_admission_review() {
        let review = Review::of_admission_review(&document.value, None, Strictness::Lenient)
            .map_err(|message| problem(file, document.places.find(&["request"]), message))?;
        let name = review.subject().map(ObjectName::of).unwrap_or_default();
        let prefix: &[&str] = match review.object {
            Some(_) if review.operation != "DELETE" => &["request", "object"],
            _ => &["request", "oldObject"],
        };
        return Ok(Prepared { review, name, prefix });
    }
    let mut object = document.value.clone();
    if let Some(namespace) = &context.judging.namespace {
        object = in_namespace(object, namespace);
    }
    let name = ObjectName::of(&object);
    let namespace = namespace_of(&name, context.inventory);
    Ok(Prepared {
        review: Review::of_object(object, namespace),
        name,
        prefix: &[],
    })
}

/// The Namespace that `gator test` hands along: an empty one for what lives in none, one of its own making for
/// `default`, else the one among the inputs.
fn namespace_of(name: &ObjectName, inventory: &Inventory) -> Option<Value> {
    match name.namespace.as_str() {
        "" => Some(Value::object(Vec::new())),
        "default" => Some(Value::record([
            ("apiVersion", Value::from("v1")),
            ("kind", Value::from("Namespace")),
            ("metadata", Value::record([("name", Value::from("default"))])),
        ])),
        named => inventory.namespace(named).cloned(),
    }
}

/// Kinds of Kubernetes that live in no namespace.
const CLUSTER_KINDS: &[&str] = &[
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ComponentStatus",
    "ConstraintTemplate",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

/// The object in a namespace, if it names none and its kind has one.
fn in_namespace(object: Value, namespace: &str) -> Value {
    let text = |path: &[&str]| object.path(path).and_then(Value::as_str).unwrap_or_default();
    let policy = text(&["apiVersion"]).contains(".gatekeeper.sh/");
    if policy || !text(&["metadata", "namespace"]).is_empty() || CLUSTER_KINDS.contains(&text(&["kind"])) {
        return object;
    }
    let Value::Object(fields) = &object else {
        return object;
    };
    let mut metadata = match fields.get_str("metadata") {
        Some(Value::Object(m)) => (**m).clone(),
        _ => regent_rego::Object::default(),
    };
    metadata.insert(Value::string("namespace"), Value::string(namespace));
    let mut fields = (**fields).clone();
    fields.insert(Value::string("metadata"), Value::Object(Arc::new(metadata)));
    Value::Object(Arc::new(fields))
}

/// The nodes that denying rules read last, for violations whose policy does not name one itself.
pub(crate) fn nodes(context: &Context<'_>, review: &Review, decision: &Decision) -> Vec<Option<Vec<String>>> {
    let wanted = |v: &Violation| named(&v.details).is_none();
    context.with_options(|options| places(context.set, review, context.inventory, options, decision, &wanted))
}

/// Where a violation stands: the node that the policy names (`details.path`), else the one that the denying rule read
/// last, else the container its message names, else the object. Of a generated object, the part of its maker.
pub(crate) fn place(
    places: &Places,
    prefix: &[&str],
    subject: Option<&Value>,
    violation: &Violation,
    read: Option<Vec<String>>,
) -> (u32, u32) {
    let mut path: Vec<String> = prefix.iter().map(|&s| s.to_owned()).collect();
    let mut node = subject;
    if let Some(generated) = &violation.generated {
        node = subject.and_then(|s| generated.path.iter().try_fold(s, |node, key| step(node, key)));
        path.extend(generated.path.iter().cloned());
    }
    let inner = named(&violation.details).or_else(|| {
        let container = container(node?, &violation.message);
        match (read, container) {
            // The list that the container stands in says less.
            (Some(read), Some(container)) if container.starts_with(&read) => Some(container),
            (read, container) => read.or(container),
        }
    });
    path.extend(inner.unwrap_or_default());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    places.find(&path)
}

fn step<'v>(node: &'v Value, key: &str) -> Option<&'v Value> {
    match node {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    }
}

/// `details.path`, when it is a list of keys and indexes.
fn named(details: &Value) -> Option<Vec<String>> {
    let steps = details.get("path")?.as_array()?;
    steps
        .iter()
        .map(|step| match step {
            Value::String(s) => Some(s.to_string()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        })
        .collect()
}

/// The path of the one container whose name stands in quotes or angle brackets in the message.
fn container(node: &Value, message: &str) -> Option<Vec<String>> {
    const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];
    const POD_SPECS: [&[&str]; 3] = [
        &["spec"],
        &["spec", "template", "spec"],
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ];
    let mut found = None;
    for pod_spec in POD_SPECS {
        for list in LISTS {
            let containers = node.path(pod_spec).and_then(|s| s.get(list)).and_then(Value::as_array);
            for (i, container) in containers.unwrap_or_default().iter().enumerate() {
                let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
                let quotes = [('"', '"'), ('\'', '\''), ('<', '>'), ('`', '`')];
                let quoted = |(open, close)| message.contains(&format!("{open}{name}{close}"));
                if name.is_empty() || !quotes.into_iter().any(quoted) {
                    continue;
                }
                if found.is_some() {
                    return None;
                }
                let keys = pod_spec.iter().map(|&s| s.to_owned());
                found = Some(keys.chain([list.to_owned(), i.to_string()]).collect());
            }
        }
    }
    found
}

fn problem(file: &str, (line, column): (u32, u32), message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line,
        column,
        message,
    }
}
