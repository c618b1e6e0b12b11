//! `regent verify`: Suites and Rego unit tests.

use super::{CLEAN, DENIED, FAILED};
use crate::arguments::{Verify, VerifyFormat};
use crate::diagnostic::{self, Sources};
use crate::{judge, manifests, render, second, terminal};
use regent_core::coverage::Coverage;
use regent_core::manifest::{self, Problem};
use regent_core::suite::{Filter, RunOptions, Status, Suite, SuiteResult, run_rego_tests};
use regent_watcher::files;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Everything that came of a `verify`.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) suites: Vec<SuiteResult>,
    pub(crate) errors: Vec<Problem>,
    /// What was exercised, when it is to be shown.
    pub(crate) coverage: Option<Coverage>,
}

/// What is run on its own: a suite, or the Rego tests below a path.
enum Work {
    Suite(Suite),
    Rego { path: String, files: Vec<(String, String)> },
}

pub(crate) fn run(args: &Verify) -> u8 {
    let filter = match Filter::parse(&args.run) {
        Ok(filter) => filter,
        Err(message) => {
            terminal::error(&format!("--run {:?}: {message}", args.run));
            return FAILED;
        }
    };
    let mut outcome = Outcome::default();
    let mut sources = Sources::default();
    let work = gather(&args.paths, &mut sources, &mut outcome.errors);
    if work.is_empty() && outcome.errors.is_empty() {
        outcome.errors.push(problem(
            &args.paths.join(" "),
            "there is no Suite (test.gatekeeper.sh) and no *_test.rego in it".to_owned(),
        ));
    }
    run_all(args, &filter, &work, &mut outcome);
    outcome.suites.sort_by(|a, b| a.path.cmp(&b.path));
    if args.coverage.wanted() {
        let mut coverage = Coverage::default();
        for suite in &mut outcome.suites {
            coverage.merge(std::mem::take(&mut suite.coverage));
        }
        if let Err(message) = render::coverage::save(&coverage, &args.coverage) {
            outcome.errors.push(problem("", message));
        }
        outcome.coverage = args.coverage.coverage.then_some(coverage);
    }
    let cases = outcome.suites.iter().flat_map(|s| &s.tests).flat_map(|t| &t.cases);
    second::tell_unconfirmed(cases.flat_map(|c| &c.unconfirmed));
    for error in &outcome.errors {
        diagnostic::show(error, &sources);
    }
    if let (VerifyFormat::Junit, Some(coverage)) = (args.output, &outcome.coverage) {
        terminal::notice(render::coverage::text(coverage).trim_end());
    }
    terminal::print(&match args.output {
        VerifyFormat::Text => render::verify_text::render(&outcome),
        VerifyFormat::Json => render::verify_json::render(&outcome).json(),
        VerifyFormat::Junit => render::verify_junit::render(&outcome),
    });
    if !outcome.errors.is_empty() {
        FAILED
    } else if outcome.suites.iter().any(|s| s.status == Status::Failed) {
        DENIED
    } else {
        CLEAN
    }
}

fn problem(file: &str, message: String) -> Problem {
    let message = message
        .strip_prefix(&format!("{file}: "))
        .map_or(message.clone(), str::to_owned);
    Problem {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message,
    }
}

/// Suites and Rego tests below the paths; each file once.
fn gather(paths: &[String], sources: &mut Sources, errors: &mut Vec<Problem>) -> Vec<Work> {
    let mut work = Vec::new();
    let mut seen = BTreeMap::new();
    for path in paths {
        // `./...` is everything below, as in gator; a directory stands for that too.
        let root = match path.strip_suffix("/...") {
            Some("") => "/",
            Some(root) => root,
            None if path == "..." => ".",
            None => path,
        };
        let found = match files::find(root, &["yaml", "yml", "json", "rego"]) {
            Ok(found) => found,
            Err(message) => {
                errors.push(problem(root, message));
                continue;
            }
        };
        let mut rego = Vec::new();
        for name in found {
            if seen.insert(name.clone(), ()).is_some() {
                continue;
            }
            match files::read(&name) {
                Err(message) => errors.push(problem(&name, message)),
                Ok(bytes) if name.ends_with(".rego") => match String::from_utf8(bytes) {
                    Ok(text) => rego.push((name, text)),
                    Err(_) => errors.push(problem(&name, "the text is not UTF-8".to_owned())),
                },
                Ok(bytes) => {
                    let named = name == *path;
                    if named || manifests::has(&bytes, b"test.gatekeeper.sh") {
                        sources.add(&name, &bytes);
                        add_suites(&name, &bytes, named, &mut work, errors);
                    }
                }
            }
        }
        if rego.iter().any(|(name, _)| name.ends_with("_test.rego")) {
            for (name, text) in &rego {
                sources.add(name, text.as_bytes());
            }
            work.push(Work::Rego {
                path: root.to_owned(),
                files: rego,
            });
        }
    }
    work
}

/// The Suites of a file; of a file named by the user, what is wrong with its other documents too.
fn add_suites(name: &str, bytes: &[u8], named: bool, work: &mut Vec<Work>, errors: &mut Vec<Problem>) {
    for read in manifest::read_words(name, bytes) {
        match read {
            Err(problem) => {
                if named || manifests::has(bytes, b"Suite") {
                    errors.push(problem);
                }
            }
            Ok(document) => match Suite::parse(name, &document.value) {
                None => {}
                Some(Ok(suite)) => work.push(Work::Suite(suite)),
                Some(Err(message)) => {
                    let (line, column) = document.places.find(&[]);
                    errors.push(Problem {
                        line,
                        column,
                        ..problem(name, message)
                    });
                }
            },
        }
    }
}

/// Runs everything, on all cores.
fn run_all(args: &Verify, filter: &Filter, work: &[Work], outcome: &mut Outcome) {
    let start = Instant::now();
    let clock = move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let options = RunOptions {
        engine: args.engine.engine(),
        second: second::evaluator(args.engine),
        clock: Some(&clock),
        constraint_budget: u64::try_from(args.timeout.as_nanos()).unwrap_or(u64::MAX),
        memory: args.memory.max_memory,
        time_ns: judge::now(),
        coverage: args.coverage.wanted(),
    };
    let next = AtomicUsize::new(0);
    let gathered = Mutex::new((Vec::new(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..judge::threads(None).min(work.len().max(1)) {
            let worker = || {
                while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = catch_unwind(AssertUnwindSafe(|| run_one(item, filter, &options)));
                    let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
                    match ran {
                        Ok(result) => gathered.0.push(result),
                        Err(panic) => {
                            let message = format!("internal error: {}", terminal::panic_text(&*panic));
                            gathered.1.push(problem(item.path(), message));
                        }
                    }
                }
            };
            let _ = std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn_scoped(scope, worker);
        }
    });
    let (suites, errors) = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    if suites.len() + errors.len() < work.len() {
        outcome.errors.push(problem("", "cannot start a thread".to_owned()));
    }
    outcome.suites.extend(suites);
    outcome.errors.extend(errors);
}

impl Work {
    fn path(&self) -> &str {
        match self {
            Work::Suite(suite) => &suite.path,
            Work::Rego { path, .. } => path,
        }
    }
}

fn run_one(work: &Work, filter: &Filter, options: &RunOptions<'_>) -> SuiteResult {
    match work {
        Work::Suite(suite) => suite.run(&|path| read_relative(path), filter, options),
        Work::Rego { path, files } => run_rego_tests(path, files, filter, options),
    }
}

/// A file that a suite names, in Go's words when it is not there.
fn read_relative(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            std::io::ErrorKind::IsADirectory => return format!("read {}: is a directory", clean(path)),
            _ => e.to_string(),
        };
        format!("open {}: {why}", clean(path))
    })
}

/// A path without `.` and with `..` taken back.
fn clean(path: &str) -> String {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out.to_string_lossy().into_owned()
}
