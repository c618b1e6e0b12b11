//! Bad input ends with exit code 2 and a message that says where: the cases under `tests/bad-input/`.
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
use std::path::Path;

const GOOD: &str = "good.yaml";

fn bytes(content: &Value) -> Vec<u8> {
    if let Some(text) = content.as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = content.get("hex").and_then(Value::as_str) {
        return (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
            .collect();
    }
    common::parts(content).into_bytes()
}

fn run_case(name: &str, case: &Value, failures: &mut Failures) {
    let folder = scratch("bad-input");
    let given = case.get("files").and_then(Value::as_object).expect("files");
    let mut first = None;
    for (file, content) in given.iter() {
        let file = file.as_str().expect("file name");
        std::fs::write(folder.join(file), bytes(content)).expect("scratch file");
        if file != GOOD && first.is_none() {
            first = Some(file);
        }
    }
    let named: Vec<&str> = case
        .get("args")
        .and_then(Value::as_array)
        .map(|a| a.iter().map(|v| v.as_str().expect("argument")).collect())
        .unwrap_or_else(|| vec!["check", "-f", first.expect("a file")]);
    judge(name, case, &named, &folder, failures);
    let _ = std::fs::remove_dir_all(folder);
}

fn judge(name: &str, case: &Value, args: &[&str], folder: &Path, failures: &mut Failures) {
    let run = regent(args, folder);
    failures.counted();
    let all = format!("{}{}", run.stdout, run.stderr);
    if run.code != 2 {
        failures.add(name, &format!("exit {}, want 2: {all}", run.code));
    }
    for shape in ["panicked at", "RUST_BACKTRACE", "stack overflow", "memory allocation"] {
        if all.contains(shape) {
            failures.add(name, &format!("has `{shape}`: {all}"));
        }
    }
    if let Some(at) = case.get("at").and_then(Value::as_str) {
        let wanted = at.strip_suffix(":None").unwrap_or(at);
        let found = all
            .match_indices(wanted)
            .any(|(i, _)| !all[i + wanted.len()..].starts_with(|c: char| c.is_ascii_digit()));
        if !found {
            failures.add(name, &format!("does not name `{wanted}`: {all}"));
        }
    }
    if let Some(says) = case.get("says").and_then(Value::as_str)
        && !all.contains(says)
    {
        failures.add(name, &format!("does not say `{says}`: {all}"));
    }
    // Bounds, with room for a slow machine and a build without optimisation: a hang or a blow-up is far beyond.
    if run.time.as_secs() >= common::seconds(2) {
        failures.add(name, &format!("took {:?}", run.time));
    }
    if run.peak_mib >= 512 {
        failures.add(name, &format!("{} MiB resident", run.peak_mib));
    }
    if let Some(denied) = case.get("denied").and_then(Value::as_i64) {
        let mut args = args.to_vec();
        args.extend(["-o", "json"]);
        let run = regent(&args, folder);
        let report = json::read(run.stdout.as_bytes(), json::ReadOptions::default()).unwrap_or(Value::Null);
        let found = report.path(&["summary", "denied"]).and_then(Value::as_i64);
        if found != Some(denied) {
            failures.add(
                name,
                &format!(
                    "{found:?} denied objects beside the bad document, want {denied}: {}",
                    run.stdout
                ),
            );
        }
    }
}

#[test]
fn bad_input_is_told_where_and_ends_nothing() {
    let mut failures = Failures::new("bad inputs");
    for path in files(&repository().join("tests/bad-input"), "yaml") {
        let stem = path.file_stem().expect("stem").to_string_lossy().into_owned();
        for case in yaml(&path).get("cases").and_then(Value::as_array).expect("cases") {
            let name = format!("{stem}/{}", case.get("name").and_then(Value::as_str).expect("name"));
            run_case(&name, case, &mut failures);
        }
    }
    failures.finish(120);
}
