//! Where `serve` gets its policies and Namespaces: the watcher, on files and, when there is one, on a cluster.

use super::cluster;
use crate::arguments::{EngineName, Serve};
use crate::builtin;
use crate::render::count;
use crate::{second, terminal};
use regent_core::manifest::Problem;
use regent_core::{CompileOptions, Inventory};
use regent_rego::Value;
use regent_watcher::files::{self, STDIN};
use regent_watcher::{Contribution, DiskSource, Namespaces, Options, SourceState, Store, Watcher};
use regent_webhook::metrics::{Text, label};
use regent_webhook::source::{LookUp, describe};
use regent_webhook::{Current, KnownNamespace, Source};
use std::cmp::Reverse;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// How often it is looked whether Namespaces of an earlier run serve.
const LOOK: Duration = Duration::from_secs(1);
/// What is served when nothing is asked for and there is no cluster, as with `check`.
const DEFAULT: &str = "builtin:pod-security-baseline";

/// What the watcher knows, as the server asks for it.
pub(super) struct Watched {
    watcher: Watcher,
    inventory: Arc<Inventory>,
    in_cluster: bool,
}

/// Starts watching what the flags name.
///
/// # Errors
/// A source is not there, or the cluster cannot be spoken to.
pub(super) async fn open(args: &Serve) -> Result<Arc<Watched>, String> {
    let cluster = cluster::options(args).await?;
    let in_cluster = cluster.is_some();
    let mut sources = Vec::new();
    let default = [DEFAULT.to_owned()];
    let named: &[String] = if args.policy.is_empty() && !in_cluster {
        &default
    } else {
        &args.policy
    };
    for source in named {
        sources.push(read(source, in_cluster)?);
    }
    let watcher = regent_watcher::start(Options {
        sources,
        cluster,
        cache_dir: args.cache_dir.clone(),
        allow_empty: args.allow_empty,
        pin: args.pin.clone(),
        compile: CompileOptions {
            second_opinion: args.engine != EngineName::Native,
            ..CompileOptions::default()
        },
        ..Options::default()
    })?;
    Ok(Arc::new(Watched {
        watcher,
        inventory: Arc::default(),
        in_cluster,
    }))
}

fn read(source: &str, in_cluster: bool) -> Result<regent_watcher::Source, String> {
    let mut contribution = Contribution::default();
    if let Some(set) = source.strip_prefix("builtin:") {
        for (name, text) in builtin::load(set)? {
            contribution.add(&name, text.as_bytes());
        }
    } else if source == STDIN {
        contribution.add(source, &files::read(source)?);
    } else {
        // In a cluster a volume may come late; at a workstation it is a slip of the pen.
        if !in_cluster {
            files::find(source, &[])?;
        }
        return Ok(regent_watcher::Source::Disk(DiskSource {
            path: source.to_owned(),
        }));
    }
    Ok(regent_watcher::Source::Fixed {
        name: source.to_owned(),
        contribution,
    })
}

/// Folders that policies are read from, an inner one before its outer.
pub(super) fn folders(args: &Serve) -> Vec<String> {
    let mut out = Vec::new();
    for path in args.policy.iter().filter(|p| !p.starts_with("builtin:")) {
        out.push(format!("{}/", path.trim_end_matches('/')));
        // What is not there yet may come as a file.
        if !Path::new(path).is_dir()
            && let Some((folder, _)) = path.rsplit_once('/')
        {
            out.push(format!("{folder}/"));
        }
    }
    out.sort_by_key(|folder| Reverse(folder.len()));
    out
}

impl Watched {
    fn store(&self) -> &Arc<Store> {
        self.watcher.store()
    }

    fn namespaces(&self) -> &Arc<Namespaces> {
        self.watcher.namespaces()
    }
}

impl Source for Watched {
    fn current(&self) -> Option<Current> {
        let loaded = self.store().current()?;
        Some(Current {
            policies: loaded.policies.clone(),
            inventory: self.inventory.clone(),
        })
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut changes = self.store().subscribe();
        Box::pin(async move {
            // The watcher's end is no change.
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn namespace(&self, name: &str) -> KnownNamespace {
        match self.namespaces().get(name) {
            Some(namespace) => KnownNamespace::Found(namespace),
            None if self.in_cluster => KnownNamespace::Ask,
            None => KnownNamespace::Nobody,
        }
    }

    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a> {
        Box::pin(async move {
            let found = self.namespaces().find(name).await?;
            found.ok_or_else(|| format!("namespaces {name:?} not found"))
        })
    }

    fn unready(&self) -> Vec<String> {
        if self.in_cluster && !self.namespaces().is_synced() {
            return vec!["the Namespaces of the cluster are not listed yet".to_owned()];
        }
        Vec::new()
    }

    fn degraded(&self) -> Vec<String> {
        let status = self.store().status();
        let states = status.sources.iter().filter(|s| s.state != SourceState::Serving);
        let states = states.map(|s| format!("{}: {}", s.name, s.state.as_str()));
        let namespaces = self.namespaces().are_kept().then(|| {
            let since = self.namespaces().staleness().unwrap_or_default().as_secs();
            format!(
                "namespaces: cached: the API server does not answer; they are as an earlier run knew them {since} s ago"
            )
        });
        let problems = status.problems.iter().map(Problem::to_string);
        states.chain(namespaces).chain(problems).collect()
    }

    fn report(&self) -> Value {
        let status = self.store().status();
        let loaded = self.store().current();
        let problems = |list: &[Problem]| {
            let problem = |p: &Problem| {
                Value::record([
                    ("file", Value::from(p.file.as_str())),
                    ("line", Value::from(i64::from(p.line))),
                    ("column", Value::from(i64::from(p.column))),
                    ("message", Value::from(p.message.as_str())),
                ])
            };
            Value::array(list.iter().map(problem).collect())
        };
        let sources = status.sources.iter().map(|s| {
            Value::record([
                ("name", Value::from(s.name.as_str())),
                ("state", Value::from(s.state.as_str())),
                ("problems", problems(&s.problems)),
            ])
        });
        let revisions = self.store().revisions();
        let revisions = revisions.iter().map(|r| {
            Value::record([
                ("revision", Value::from(&*r.revision)),
                ("state", Value::from(r.state.as_str())),
                ("seconds", Value::from(seconds(r.at))),
                ("problems", problems(&r.problems)),
            ])
        });
        let mut report = match &loaded {
            Some(loaded) => describe(&loaded.policies),
            None => Value::record([("revision", Value::from(""))]),
        };
        if let Value::Object(entries) = &mut report {
            let entries = Arc::make_mut(entries);
            let pinned = status.pinned.as_deref().map_or(Value::Null, Value::from);
            entries.insert("pinned".into(), pinned);
            entries.insert("sources".into(), Value::array(sources.collect()));
            entries.insert("revisions".into(), Value::array(revisions.collect()));
            entries.insert("problems".into(), problems(&status.problems));
            if let Some(loaded) = &loaded {
                entries.insert("loadedAt".into(), Value::from(seconds(loaded.loaded_at)));
                entries.insert("fromCache".into(), Value::Bool(loaded.from_cache));
            }
        }
        report
    }

    fn metrics(&self, out: &mut Text) {
        let status = self.store().status();
        out.single(
            "regent_policy_loads_total",
            "counter",
            "Policy sets that came into force.",
            status.loads,
        );
        out.single(
            "regent_policy_refusals_total",
            "counter",
            "Policy sets that did not load.",
            status.refusals,
        );
        let problems = status.problems.len();
        out.single(
            "regent_policy_problems",
            "gauge",
            "Problems of what the sources say now.",
            problems,
        );
        out.head("regent_policy_source_state", "gauge", "How each source is doing.");
        for source in &status.sources {
            let labels = format!(
                "{},{}",
                label("source", &source.name),
                label("state", source.state.as_str())
            );
            out.line("regent_policy_source_state", &labels, 1);
        }
        if let Some(loaded) = self.store().current() {
            let at = seconds(loaded.loaded_at);
            out.single(
                "regent_policy_loaded_timestamp_seconds",
                "gauge",
                "When the set came into force.",
                at,
            );
            let took = loaded.took.as_secs_f64();
            out.single(
                "regent_policy_load_seconds",
                "gauge",
                "How long reading and compiling it took.",
                took,
            );
            let cached = u8::from(loaded.from_cache);
            out.single(
                "regent_policy_from_cache",
                "gauge",
                "1 when some of it is of an earlier run.",
                cached,
            );
        }
        if self.in_cluster {
            out.single(
                "regent_namespaces",
                "gauge",
                "Namespaces known.",
                self.namespaces().count(),
            );
            let kept = u8::from(self.namespaces().are_kept());
            out.single(
                "regent_namespaces_from_cache",
                "gauge",
                "1 when the Namespaces are those of an earlier run.",
                kept,
            );
            if let Some(stale) = self.namespaces().staleness() {
                let help = "Time since the API server was last heard of.";
                out.single(
                    "regent_namespaces_staleness_seconds",
                    "gauge",
                    help,
                    stale.as_secs_f64(),
                );
            }
        }
    }
}

fn seconds(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Says what came into force and what did not load, for ever.
pub(super) async fn tell(source: Arc<Watched>, engine: EngineName) {
    let mut changes = source.store().subscribe();
    let mut revision = String::new();
    let mut problems = Vec::new();
    let mut kept = false;
    loop {
        if source.namespaces().are_kept() != kept {
            kept = !kept;
            terminal::notice(if kept {
                "the API server does not answer; Namespaces are as an earlier run knew them"
            } else {
                "the Namespaces of the cluster are listed"
            });
        }
        let status = source.store().status();
        if status.problems != problems {
            problems.clone_from(&status.problems);
            for problem in &problems {
                terminal::error(&terminal::printable(&problem.to_string()));
            }
            if !problems.is_empty() {
                terminal::notice(if status.revision.is_empty() {
                    "no policies are served; waiting for some that load"
                } else {
                    "what was served last is served on where it can be"
                });
            }
        }
        if let Some(loaded) = source.store().current().filter(|l| *l.revision != *revision) {
            revision = loaded.revision.to_string();
            let constraints = count(loaded.policies.constraints().len(), "constraint");
            let cached = if loaded.from_cache { " (of an earlier run)" } else { "" };
            terminal::notice(&format!("in force: {constraints}, revision {revision}{cached}"));
            second::tell(&loaded.policies, engine);
        }
        // Of Namespaces nobody tells, and only a cluster has them.
        let look = if source.in_cluster { LOOK } else { Duration::MAX };
        if let Ok(Err(_)) = timeout(look, changes.changed()).await {
            return;
        }
    }
}
