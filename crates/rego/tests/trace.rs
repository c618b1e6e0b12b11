//! What a traced evaluation tells: the rows it reached, judged by `opa eval --coverage`, and what it read. The cases are
//! `tests/trace/cases.jsonl`, OPA's answers `tests/trace/golden.jsonl`, made by `tests/trace/regenerate`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

use regent_rego::ast::RegoVersion;
use regent_rego::trace::{self, Nodes, Trace, TraceOptions};
use regent_rego::{CompileOptions, Context, Limits, Outcome, QuerySource, Value, compile, json, parse};
use std::collections::BTreeSet;
use std::path::Path;

fn rows(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trace").join(name);
    let text = std::fs::read_to_string(path).expect("cases");
    let read = |line: &str| json::read(line.as_bytes(), json::ReadOptions::default()).expect("a case a line");
    text.lines().map(read).collect()
}

fn word<'v>(row: &'v Value, key: &str) -> &'v str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Reachable rows of the case's module, the outcome and the trace.
fn run(case: &Value, watched: Option<&Nodes<'_>>) -> (BTreeSet<u32>, Outcome, Trace) {
    let module = parse::parse_module("t.rego", word(case, "module"), RegoVersion::V1).expect("it parses");
    let reachable = trace::rows(&module);
    let query = QuerySource {
        body: parse::parse_query("", word(case, "query"), RegoVersion::V1).expect("a query"),
        package: Vec::new(),
        imports: Vec::new(),
    };
    let options = CompileOptions {
        trace: true,
        print: true,
        ..CompileOptions::default()
    };
    let (program, entries) = compile(vec![module], vec![query], &options).expect("it compiles");
    let data = Value::object(Vec::new());
    let context = Context {
        input: watched.map(Nodes::root).or(case.get("input")),
        data: &data,
        limits: Limits::default(),
        time_ns: 0,
        seed: 0,
        strict_builtin_errors: false,
    };
    let told = TraceOptions {
        places: watched,
        watched,
        values: true,
        points: None,
    };
    let (outcome, trace) = program.eval_traced(entries[0], &context, &told);
    (reachable, outcome.expect("it ends well"), trace)
}

fn list<T>(items: impl Iterator<Item = T>, text: impl Fn(T) -> String) -> String {
    items.map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn rows_that_are_reached_are_those_of_opa() {
    let (cases, golden) = (rows("cases.jsonl"), rows("golden.jsonl"));
    assert_eq!(cases.len(), golden.len(), "tests/trace/regenerate has not been run");
    let mut failed = Vec::new();
    for (case, golden) in cases.iter().zip(&golden) {
        let name = word(case, "name");
        assert_eq!(name, word(golden, "name"), "tests/trace/regenerate has not been run");
        let (reachable, _, trace) = run(case, None);
        let reached = trace.rows.get("t.rego").cloned().unwrap_or_default();
        let number = |row: &u32| row.to_string();
        let ours = (
            list(reached.iter(), number),
            list(reachable.difference(&reached), number),
        );
        let theirs = (
            word(golden, "covered").to_owned(),
            word(golden, "not_covered").to_owned(),
        );
        // Where OPA's rule index leaves a body early, we say that what was asked was reached.
        if (ours != theirs) != case.get("differs").is_some() {
            failed.push(format!("{name}\n    ours: {ours:?}\n    opa:  {theirs:?}"));
        }
    }
    println!("coverage: {} judged, {} failed", cases.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// `reads`, where a case has them: paths of the input that were read with a value, those handed to a built-in with `*`;
/// and of each answer the node that was read last.
#[test]
fn what_is_read_is_told() {
    let (mut judged, mut failed) = (0, Vec::new());
    for case in rows("cases.jsonl") {
        let Some(wanted) = case.get("reads").and_then(Value::as_str) else {
            continue;
        };
        judged += 1;
        let input = case.get("input").expect("an input");
        let nodes = Nodes::of(input);
        let (_, _, trace) = run(&case, Some(&nodes));
        let read = trace.read.iter().map(|n| nodes.path(*n).join("."));
        let handed = trace.handed.iter().map(|n| format!("{}*", nodes.path(*n).join(".")));
        let ours = list(read.chain(handed).filter(|p| !p.is_empty()), |p| p);
        if ours != wanted {
            failed.push(format!("{}\n    ours: {ours}\n    want: {wanted}", word(&case, "name")));
        }
    }
    assert!(judged >= 10, "only {judged} cases say what is read");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
