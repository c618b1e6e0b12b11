//! What Gatekeeper answers, the binary answers: the cases under `tests/gatekeeper/` that give whole inputs as `gator test`
//! takes them, and the suites. Messages of errors, single reviews and every text of a suite are compared in
//! `crates/core/tests/`, which judges the same files without the command line around them.
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

use common::{Failures, repository, scratch, text};
use regent_rego::{Value, json};
use std::collections::BTreeMap;

/// One finding, from either side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    object: String,
    action: String,
    message: String,
    kind: String,
    name: String,
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A list of objects, `{$ref: name}` replaced from `shared`.
fn objects(family: &Value, list: Option<&Value>) -> Vec<Value> {
    let items = list.and_then(Value::as_array).unwrap_or_default();
    items
        .iter()
        .map(|item| match item.get("$ref").and_then(Value::as_str) {
            Some(name) => family.path(&["shared", name]).expect("shared object").clone(),
            None => item.clone(),
        })
        .collect()
}

/// Whole inputs, through the binary, as `gator test` is used.
fn by_binary(family: &Value, case: &Value) -> Result<Vec<Finding>, String> {
    let folder = scratch("gatekeeper");
    let inputs: Vec<String> = objects(family, case.get("inputs")).iter().map(json::write).collect();
    std::fs::write(folder.join("inputs.yaml"), inputs.join("\n---\n")).expect("scratch file");
    let run = common::regent(&["check", "-f", "inputs.yaml", "-o", "json"], &folder);
    let Ok(report) = json::read(run.stdout.as_bytes(), json::ReadOptions::default()) else {
        return Err(format!("no JSON on stdout: {}{}", run.stdout, run.stderr));
    };
    if let Some(error) = report
        .get("errors")
        .and_then(Value::as_array)
        .and_then(<[Value]>::first)
    {
        return Err(field(error, "message").to_owned());
    }
    let results = report.get("results").and_then(Value::as_array).unwrap_or_default();
    let mut findings: Vec<Finding> = results
        .iter()
        .map(|r| {
            let object = r.get("object").cloned().unwrap_or(Value::Null);
            Finding {
                object: format!(
                    "{}/{}/{}",
                    field(&object, "kind"),
                    field(&object, "namespace"),
                    field(&object, "name")
                ),
                action: field(r, "enforcementAction").to_owned(),
                message: field(r, "message").to_owned(),
                kind: r
                    .path(&["constraint", "kind"])
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                name: r
                    .path(&["constraint", "name"])
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            }
        })
        .collect();
    findings.sort();
    Ok(findings)
}

/// Gatekeeper's answer; an error without the words that only say which step gave it.
fn golden(answer: &Value) -> Result<Vec<Finding>, String> {
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return Err(error.to_owned());
    }
    let results = answer.get("results").and_then(Value::as_array).unwrap_or_default();
    let mut findings: Vec<Finding> = results
        .iter()
        .map(|r| Finding {
            object: field(r, "object").to_owned(),
            action: field(r, "action").to_owned(),
            // Some carry the newline that ends Go's JSON.
            message: field(r, "message").trim_end().to_owned(),
            kind: field(r, "kind").to_owned(),
            name: field(r, "name").to_owned(),
        })
        .collect();
    findings.sort();
    Ok(findings)
}

#[test]
fn whole_inputs_are_judged_as_gator_test_judges_them() {
    let root = repository().join("tests/gatekeeper");
    let listed = common::yaml(&root.join("differences.yaml"));
    let mut failures = Failures::new("whole inputs");
    for path in common::files(&root.join("cases"), "yaml") {
        let family = common::yaml(&path);
        let answers = text(&path.with_extension("golden.json"));
        let answers = json::read(answers.as_bytes(), json::ReadOptions::default()).expect("golden JSON");
        let stem = path.file_stem().expect("stem").to_string_lossy().into_owned();
        for case in family.get("cases").and_then(Value::as_array).unwrap_or_default() {
            let name = format!("{stem}/{}", field(case, "name"));
            let single = case.get("request").is_some() || case.get("object").is_some();
            if single || listed.get(&name).is_some() {
                continue;
            }
            failures.counted();
            let theirs = golden(
                answers
                    .get(field(case, "name"))
                    .unwrap_or_else(|| panic!("{name}: no golden answer")),
            );
            let ours = by_binary(&family, case);
            let same = match (&ours, &theirs) {
                (Ok(a), Ok(b)) => a == b,
                // An error while judging ends the run here as there; gator also counts it as a finding.
                (Err(_), Err(_)) => true,
                (Err(error), Ok(b)) => b
                    .iter()
                    .any(|f| error.contains(&f.message) && f.message.contains("eval_")),
                (Ok(_), Err(_)) => false,
            };
            if !same {
                failures.add(&name, &format!("ours:   {ours:?}\n    theirs: {theirs:?}"));
            }
        }
    }
    failures.finish(150);
}

/// `status name` of each test (`name`) and case (`test//case`) in a `gator verify -v` output, with the message below it.
fn outcomes(output: &str) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    let (mut test, mut last) = (String::new(), String::new());
    for line in output.lines() {
        let trimmed = line.trim_start();
        let inner = line.starts_with("    ");
        let named = |rest: &str| rest.split('\t').next().unwrap_or_default().trim().to_owned();
        if let Some(rest) = trimmed.strip_prefix("=== RUN") {
            if !inner {
                test = named(rest);
            }
            continue;
        }
        let status = ["--- PASS:", "--- FAIL:", "=== SKIP"]
            .iter()
            .find_map(|s| trimmed.strip_prefix(s).map(|rest| (*s, rest)));
        match status {
            Some((status, rest)) => {
                let name = named(rest);
                last = if inner { format!("{test}//{name}") } else { name };
                found.insert(
                    last.clone(),
                    (status.trim_matches(['-', '=', ' ', ':']).to_owned(), String::new()),
                );
            }
            None if inner || line.starts_with("  ") => {
                if let Some((_, message)) = found.get_mut(&last) {
                    if !message.is_empty() {
                        message.push('\n');
                    }
                    message.push_str(trimmed);
                }
            }
            None => {}
        }
    }
    found
}

#[test]
fn every_suite_comes_out_as_with_gator_verify() {
    let root = repository().join("tests/gatekeeper");
    let mut failures = Failures::new("suite outcomes");
    let golden = text(&root.join("suites.golden.txt"));
    for block in golden.split("## ").filter(|b| !b.trim().is_empty()) {
        let (title, body) = block.split_once('\n').expect("title line");
        let exit: i32 = body
            .lines()
            .rev()
            .find_map(|l| l.strip_prefix("exit "))
            .and_then(|n| n.parse().ok())
            .expect("exit line");
        let (suite, filter) = title.split_once(" --run ").map_or((title, None), |(s, f)| (s, Some(f)));
        let path = format!("./{suite}/...");
        let mut args = vec!["verify", "-o", "json"];
        if let Some(filter) = filter {
            args.extend(["--run", filter]);
        }
        args.push(&path);
        let run = common::regent(&args, &root.join("suites"));
        failures.counted();
        // gator has one code for everything that is not well; ours tells failed (1) from could not run (2).
        if (run.code == 0) != (exit == 0) {
            failures.add(
                title,
                &format!("exit {} where gator has {exit}: {}{}", run.code, run.stdout, run.stderr),
            );
            continue;
        }
        let report = json::read(run.stdout.as_bytes(), json::ReadOptions::default()).unwrap_or(Value::Null);
        let mut ours: BTreeMap<String, (String, String)> = BTreeMap::new();
        for r in report.get("results").and_then(Value::as_array).unwrap_or_default() {
            let name = match field(r, "case") {
                "" => field(r, "test").to_owned(),
                case => format!("{}//{case}", field(r, "test")),
            };
            let status = match (
                r.get("ok").and_then(Value::as_bool),
                r.get("skipped").and_then(Value::as_bool),
            ) {
                (_, Some(true)) => "SKIP",
                (Some(true), _) => "PASS",
                _ => "FAIL",
            };
            ours.insert(name, (status.to_owned(), field(r, "message").to_owned()));
        }
        for (name, (status, message)) in outcomes(body) {
            let full = format!("{title}: {name}");
            failures.counted();
            match ours.get(&name) {
                // A test that failed by its cases has no line of its own in our report.
                None if !name.contains("//") => {}
                None => failures.add(&full, "is missing in our report"),
                Some((s, m)) if *s != status => {
                    failures.add(&full, &format!("{s} ({m}) where gator has {status} ({message})"))
                }
                Some(_) => {}
            }
        }
    }
    failures.finish(60);
}
