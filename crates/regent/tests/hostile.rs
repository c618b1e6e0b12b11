//! Hostile policies are refused, stopped, or answered: the programs under `tests/hostile/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

mod common;

use common::{Failures, files, regent, repository, scratch, yaml};
use regent_rego::{Value, json};
use std::sync::Mutex;

/// Milliseconds a program may run; the real figure of the promise is 1000 (set `REGENT_HOSTILE_MS`).
fn limit() -> u64 {
    std::env::var("REGENT_HOSTILE_MS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(300)
}

fn input(case: &Value) -> String {
    if let Some(text) = case.get("input_json").and_then(Value::as_str) {
        return text.to_owned();
    }
    match case.get("input") {
        Some(given) => match given.get("big").and_then(Value::as_i64) {
            Some(n) => {
                let items: Vec<String> = (1..=n).map(|i| format!("{{\"v\":{i},\"w\":-{i}}}")).collect();
                format!("{{\"xs\":[{}]}}", items.join(","))
            }
            None => json::write(given),
        },
        None => "{}".to_owned(),
    }
}

/// Why a case is not as it must be.
fn judge(case: &Value) -> Option<String> {
    let folder = scratch("hostile");
    let module = case.get("module").expect("module");
    let source = module.as_str().map_or_else(|| common::parts(module), str::to_owned);
    std::fs::write(folder.join("t.rego"), source).expect("module");
    std::fs::write(folder.join("input.json"), input(case)).expect("input");
    let anything = case.get("anything").and_then(Value::as_bool) == Some(true);
    let timeout = format!("{}ms", limit());
    let mut args = vec![
        "eval",
        "data.t.violation",
        "-d",
        "t.rego",
        "-i",
        "input.json",
        "--timeout",
        &timeout,
        "--format",
        "values",
    ];
    // Another engine than the native one (`REGENT_HOSTILE_ENGINE=both`) must survive, too; it answers less.
    let engine = std::env::var("REGENT_HOSTILE_ENGINE").unwrap_or_else(|_| "native".to_owned());
    args.extend(["--engine", &engine]);
    // Both grammars are there: what declares no version is v0, as in a template.
    if module.as_str().is_some_and(|m| !m.contains("import rego.v1")) {
        args.push("--v0-compatible");
    }
    let run = regent(&args, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    let short: String = format!("{}{}", run.stdout, run.stderr).chars().take(300).collect();
    if run.code < 0 || short.contains("panicked") || short.contains("overflow its stack") {
        return Some(format!("ended abnormally ({}): {short}", run.code));
    }
    let allowed = limit()
        + if std::env::var_os("REGENT_STRICT").is_some() {
            200
        } else {
            1_700
        };
    // Each engine has the limit of its own.
    let allowed = if engine == "both" { 2 * allowed } else { allowed };
    if run.time.as_millis() > u128::from(allowed) {
        return Some(format!("took {:?} under a limit of {} ms: {short}", run.time, limit()));
    }
    if run.peak_mib >= 512 {
        return Some(format!("{} MiB resident: {short}", run.peak_mib));
    }
    let refused_or_stopped = run.code == 2;
    let answered = run.code == 0 && short.contains("\"msg\"");
    (!refused_or_stopped && !answered && !anything)
        .then(|| format!("no violation and no error (exit {}): {short}", run.code))
}

#[test]
fn hostile_policies_are_refused_or_stopped() {
    let cases: Vec<(String, Value)> = files(&repository().join("tests/hostile"), "yaml")
        .iter()
        .flat_map(|path| {
            let stem = path.file_stem().expect("stem").to_string_lossy().into_owned();
            let family = yaml(path);
            let cases = family.get("cases").and_then(Value::as_array).expect("cases").to_vec();
            cases.into_iter().map(move |c| {
                (
                    format!("{stem}/{}", c.get("name").and_then(Value::as_str).expect("name")),
                    c,
                )
            })
        })
        .collect();
    let next = Mutex::new(cases.iter());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((name, case)) = next.lock().expect("queue").next() else {
                        break;
                    };
                    if let Some(why) = judge(case) {
                        found.lock().expect("list").push((name.clone(), why));
                    }
                }
            });
        }
    });
    let mut failures = Failures::new("hostile programs");
    cases.iter().for_each(|_| failures.counted());
    let mut found = found.into_inner().expect("list");
    found.sort();
    found.iter().for_each(|(name, why)| failures.add(name, why));
    failures.finish(300);
}
