//! The shipped library and sets, judged by the binary: suites, Pod Security verdicts, workloads, the quick start.
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

use common::{Failures, Run, regent, repository, scratch, text, yaml_documents};
use regent_rego::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Kind and API version of what carries a pod template, and the text before and after the template in its JSON.
const WORKLOADS: [(&str, &str, &str, &str); 8] = [
    ("PodTemplate", "v1", r#""template":"#, ""),
    ("ReplicationController", "v1", r#""spec":{"template":"#, "}"),
    ("ReplicaSet", "apps/v1", r#""spec":{"template":"#, "}"),
    ("Deployment", "apps/v1", r#""spec":{"template":"#, "}"),
    ("StatefulSet", "apps/v1", r#""spec":{"template":"#, "}"),
    ("DaemonSet", "apps/v1", r#""spec":{"template":"#, "}"),
    ("Job", "batch/v1", r#""spec":{"template":"#, "}"),
    (
        "CronJob",
        "batch/v1",
        r#""spec":{"jobTemplate":{"spec":{"template":"#,
        "}}}",
    ),
];

/// Names of the constraints that must deny each Pod of the conformance set, by level.
fn expected(level: &str) -> BTreeMap<String, BTreeSet<String>> {
    let table = text(&repository().join("tests/library/conformance/expected.tsv"));
    let mut lines = table.lines();
    let column = lines
        .next()
        .and_then(|head| head.split('\t').position(|name| name == level))
        .expect("column of the level");
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let names = cells[column].split(' ').filter(|&name| name != "-");
            (cells[0].to_owned(), names.map(str::to_owned).collect())
        })
        .collect()
}

/// Names of the constraints that a run found, by kind and name of the object.
fn found(run: &Run) -> BTreeMap<(String, String), BTreeSet<String>> {
    let report = json::read(run.stdout.as_bytes(), json::ReadOptions::default())
        .unwrap_or_else(|e| panic!("{e:?}: {}\n{}", run.stdout, run.stderr));
    let mut out: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for result in report.get("results").and_then(Value::as_array).expect("results") {
        let field = |path: &[&str]| result.path(path).and_then(Value::as_str).expect("field").to_owned();
        out.entry((field(&["object", "kind"]), field(&["object", "name"])))
            .or_default()
            .insert(field(&["constraint", "name"]));
    }
    out
}

/// Compares what `check` finds in `file` with the table, for objects of these kinds.
fn compare(level: &str, file: &str, kinds: &[&str], failures: &mut Failures) {
    let set = format!("builtin:pod-security-{level}");
    let run = regent(&["check", "-f", file, "-p", &set, "-o", "json"], &repository());
    let got = found(&run);
    let none = BTreeSet::new();
    for (pod, want) in expected(level) {
        for kind in kinds {
            failures.counted();
            let names = got.get(&((*kind).to_owned(), pod.clone())).unwrap_or(&none);
            if *names != want {
                failures.add(
                    &format!("{kind} {pod} ({level})"),
                    &format!("want {want:?}, got {names:?}"),
                );
            }
        }
    }
}

#[test]
fn pods_are_judged_by_the_pod_security_standards() {
    let mut failures = Failures::new("Pods");
    for level in ["baseline", "restricted"] {
        compare(level, "tests/library/conformance/pods.yaml", &["Pod"], &mut failures);
    }
    failures.finish(900);
}

#[test]
fn workloads_are_judged_as_the_pods_they_imply() {
    let mut failures = Failures::new("workloads");
    let file = scratch("workloads").join("workloads.yaml");
    let mut out = String::new();
    for pod in yaml_documents(&repository().join("tests/library/conformance/pods.yaml")) {
        let name = pod.path(&["metadata", "name"]).and_then(Value::as_str).expect("name");
        let metadata = json::write(pod.get("metadata").expect("metadata"));
        let spec = json::write(pod.get("spec").expect("spec"));
        for (kind, version, before, after) in WORKLOADS {
            writeln!(
                out,
                r#"---
{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"{name}"}},{before}{{"metadata":{metadata},"spec":{spec}}}{after}}}"#
            )
            .expect("text");
        }
    }
    std::fs::write(&file, out).expect("workloads");
    let kinds = WORKLOADS.map(|workload| workload.0);
    for level in ["baseline", "restricted"] {
        compare(level, file.to_str().expect("path"), &kinds, &mut failures);
    }
    failures.finish(7000);
}

#[test]
fn suites_of_the_library_and_the_examples_hold() {
    for folder in ["library", "examples/gatekeeper/tests", "examples/rego/policies"] {
        let run = regent(&["verify", folder], &repository());
        assert_eq!(run.code, 0, "{folder}\n{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn the_quick_start_shows_its_two_faults() {
    let run = regent(&["check", "-f", "examples/quickstart", "-o", "json"], &repository());
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report = json::read(run.stdout.as_bytes(), json::ReadOptions::default()).expect("JSON");
    let results = report.get("results").and_then(Value::as_array).expect("results");
    let faults: Vec<String> = results
        .iter()
        .map(|r| {
            let file = r.get("file").and_then(Value::as_str).expect("file");
            let line = r.get("line").and_then(Value::as_i64).expect("line");
            let source = text(&repository().join(file));
            format!(
                "{file}:{}",
                source.lines().nth(line as usize - 1).expect("line of the file").trim()
            )
        })
        .collect();
    assert_eq!(
        faults,
        [
            "examples/quickstart/api.yaml:privileged: true",
            "examples/quickstart/backup.yaml:hostPath:"
        ]
    );
}
