//! `regent eval` against `opa eval`: each row of `tests/eval/cases.jsonl` has OPA's answer in `golden.jsonl`.
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

use common::{Failures, repository, text};
use regent_rego::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// Rows of a file of JSON, one a line.
fn rows(path: &Path) -> Vec<Value> {
    let read = |line: &str| json::read(line.as_bytes(), json::ReadOptions::default()).expect("a row");
    text(path).lines().map(read).collect()
}

fn word<'v>(row: &'v Value, key: &str) -> Option<&'v str> {
    row.get(key).and_then(Value::as_str)
}

/// Exit code, standard output and standard error as one text.
fn said(exit: i64, stdout: &str, stderr: &str) -> String {
    format!("exit {exit}\n{stdout}--- stderr\n{stderr}")
}

fn run(case: &Value, files: &Path) -> String {
    let stdin = match word(case, "stdin") {
        Some(name) => Stdio::from(std::fs::File::open(files.join(name)).expect("what is fed")),
        None => Stdio::null(),
    };
    let args = case.get("args").and_then(Value::as_array).expect("args");
    let output = Command::new(env!("CARGO_BIN_EXE_regent"))
        .arg("eval")
        .args(args.iter().map(|a| a.as_str().expect("an argument")))
        .current_dir(files)
        .env("NO_COLOR", "1")
        .stdin(stdin)
        .output()
        .expect("regent runs");
    said(
        output.status.code().map_or(-1, i64::from),
        &String::from_utf8_lossy(&output.stdout),
        &String::from_utf8_lossy(&output.stderr),
    )
}

/// A row that has `differs` says why; its answer must differ indeed, or the entry is to be taken out.
#[test]
fn eval_says_what_opa_eval_says() {
    let folder = repository().join("crates/regent/tests/eval");
    let cases = rows(&folder.join("cases.jsonl"));
    let golden = rows(&folder.join("golden.jsonl"));
    assert_eq!(cases.len(), golden.len(), "tests/eval/regenerate has not been run");
    let mut failures = Failures::new("queries");
    for (case, golden) in cases.iter().zip(&golden) {
        let name = word(case, "name").expect("a name");
        assert_eq!(
            word(golden, "name"),
            Some(name),
            "tests/eval/regenerate has not been run"
        );
        failures.counted();
        let theirs = said(
            golden.get("exit").and_then(Value::as_i64).expect("exit"),
            word(golden, "stdout").expect("stdout"),
            word(golden, "stderr").expect("stderr"),
        );
        let ours = run(case, &folder.join("files"));
        match (word(case, "differs"), ours == theirs) {
            (None, true) | (Some(_), false) => {}
            (None, false) => failures.add(name, &format!("\n--- opa\n{theirs}\n--- regent\n{ours}")),
            (Some(_), true) => failures.add(name, "is said to differ and does not"),
        }
    }
    failures.finish(150);
}
