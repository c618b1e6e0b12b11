//! What Gatekeeper answers, Regent answers: the cases under `tests/gatekeeper/`, golden by Gatekeeper itself.

mod common;

use common::{Failures, repository, scratch, text};
use regent_core::manifest;
use regent_core::{Bundle, CompileOptions, EvaluateOptions, Inventory, PolicySet, Review, Source, evaluate};
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

fn bundle(objects: &[Value]) -> Bundle {
    let files: Vec<(String, String)> = objects
        .iter()
        .enumerate()
        .map(|(i, o)| (format!("{i:03}.json"), json::write(o)))
        .collect();
    Bundle::read(files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())))
}

/// A single review, through core.
fn by_core(family: &Value, case: &Value) -> Result<Vec<Finding>, String> {
    let (set, problems) = PolicySet::compile(
        &bundle(&objects(family, case.get("inputs"))),
        &CompileOptions::default(),
    );
    if let Some(problem) = problems.first() {
        return Err(problem.message.clone());
    }
    let (inventory, errors) = Inventory::build(&objects(family, case.get("inventory")));
    if let Some(error) = errors.first() {
        return Err(error.clone());
    }
    let namespace = case.get("namespace").cloned();
    let mut review = match (case.get("request"), case.get("object")) {
        (Some(request), _) => Review::of_request(request, namespace)?,
        (None, Some(object)) => Review::of_object(object.clone(), namespace),
        (None, None) => unreachable!("whole inputs go through the binary"),
    };
    review.source = match case.get("source").and_then(Value::as_str) {
        None | Some("Original") => Some(Source::Original),
        Some("Generated") => Some(Source::Generated),
        Some(_) => None,
    };
    let point = match field(case, "point") {
        "" => "validation.gatekeeper.sh",
        named => named,
    };
    let decision = evaluate(
        &set,
        &review,
        &inventory,
        &EvaluateOptions {
            point,
            ..EvaluateOptions::default()
        },
    );
    let mut findings: Vec<Finding> = decision
        .violations
        .iter()
        .map(|v| {
            (
                &v.enforcement_action,
                &v.message,
                &v.constraint_kind,
                &v.constraint_name,
            )
        })
        .chain(decision.failures.iter().map(|f| {
            (
                &f.enforcement_action,
                &f.message,
                &f.constraint_kind,
                &f.constraint_name,
            )
        }))
        .map(|(action, message, kind, name)| Finding {
            object: String::new(),
            action: action.clone(),
            message: message.clone(),
            kind: kind.clone(),
            name: name.clone(),
        })
        .collect();
    findings.sort();
    Ok(findings)
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
            message: field(r, "message").to_owned(),
            kind: field(r, "kind").to_owned(),
            name: field(r, "name").to_owned(),
        })
        .collect();
    findings.sort();
    Ok(findings)
}

/// The same answer: findings equal to the letter. Of two refusals, Gatekeeper's text must end with ours, since it goes
/// before the reason with the name of the step (`adding template "x": `).
fn same(ours: &Result<Vec<Finding>, String>, theirs: &Result<Vec<Finding>, String>) -> bool {
    match (ours, theirs) {
        (Ok(a), Ok(b)) => a == b,
        (Err(a), Err(b)) => !a.is_empty() && b.trim_end().ends_with(a.trim_end()),
        _ => false,
    }
}

#[test]
fn every_case_is_answered_as_gatekeeper_answers() {
    let root = repository().join("tests/gatekeeper");
    let listed = common::yaml(&root.join("differences.yaml"));
    let mut met: BTreeMap<String, bool> = BTreeMap::new();
    for entry in listed.get("differences").and_then(Value::as_array).unwrap_or_default() {
        assert!(
            !field(entry, "why").is_empty(),
            "{}: no reason given",
            field(entry, "case")
        );
        met.insert(field(entry, "case").to_owned(), false);
    }
    let mut failures = Failures::new("gatekeeper cases");
    for path in common::files(&root.join("cases"), "yaml") {
        let family = common::yaml(&path);
        let answers = text(&path.with_extension("golden.json"));
        let answers = json::read(answers.as_bytes(), json::ReadOptions::default()).expect("golden JSON");
        let stem = path.file_stem().expect("stem").to_string_lossy().into_owned();
        for case in family.get("cases").and_then(Value::as_array).unwrap_or_default() {
            let name = format!("{stem}/{}", field(case, "name"));
            let theirs = golden(
                answers
                    .get(field(case, "name"))
                    .unwrap_or_else(|| panic!("{name}: no golden answer")),
            );
            let ours = if case.get("request").is_none() && case.get("object").is_none() {
                by_binary(&family, case)
            } else {
                by_core(&family, case)
            };
            failures.counted();
            let equal = same(&ours, &theirs);
            match met.get_mut(&name) {
                Some(seen) => {
                    *seen = true;
                    if equal {
                        failures.add(&name, "is listed in differences.yaml, but does not differ");
                    }
                }
                None if !equal => failures.add(&name, &format!("ours:   {ours:?}\n    theirs: {theirs:?}")),
                None => {}
            }
        }
    }
    for (name, seen) in met {
        if !seen {
            failures.add(&name, "is listed in differences.yaml, but there is no such case");
        }
    }
    failures.finish(250);
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
    let listed = common::yaml(&root.join("differences.yaml"));
    let differing: Vec<&str> = listed
        .get("suites")
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .map(|e| field(e, "case"))
        .collect();
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
        if (run.code == 0) != (exit == 0) && !differing.contains(&title) {
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
            if differing.contains(&full.as_str()) {
                continue;
            }
            failures.counted();
            match ours.get(&name) {
                // A test that failed by its cases has no line of its own in our report.
                None if !name.contains("//") => {}
                None => failures.add(&full, "is missing in our report"),
                Some((s, m)) if *s != status => {
                    failures.add(&full, &format!("{s} ({m}) where gator has {status} ({message})"))
                }
                Some((_, m)) if status == "FAIL" && !name.contains("//") && message.is_empty() => {
                    let _ = m;
                }
                Some((_, m)) if status == "FAIL" && m.trim() != message.trim() => {
                    failures.add(&full, &format!("message\n    ours:   {m}\n    theirs: {message}"));
                }
                Some(_) => {}
            }
        }
    }
    failures.finish(60);
}

#[test]
fn the_reader_of_cases_sees_the_cases() {
    // A guard on the guard: a family that is not read would pass in silence.
    let family = common::yaml(&repository().join("tests/gatekeeper/cases/actions.yaml"));
    assert!(
        family
            .get("cases")
            .and_then(Value::as_array)
            .is_some_and(|c| c.len() > 40)
    );
    assert!(matches!(manifest::read("x.json", b"{").first(), Some(Err(_))));
}
