//! Where violations are said to stand: `tests/places/`.
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

use common::{Failures, regent, repository};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Sorted paths in a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).expect("folder");
    let mut paths: Vec<PathBuf> = read.map(|e| e.expect("entry").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("name").to_string_lossy().into_owned()
}

/// File, place and message of each result of `check -o json`.
fn results(args: &[&str], folder: &Path) -> Vec<(String, String, String)> {
    let run = regent(&[&["check", "-o", "json"], args].concat(), folder);
    let report = regent_rego::json::read(run.stdout.as_bytes(), regent_rego::json::ReadOptions::default());
    let report = report.unwrap_or_else(|e| panic!("{args:?}: {e:?}\n{}{}", run.stdout, run.stderr));
    assert_eq!(
        report.path(&["errors"]).and_then(|e| e.as_array()).map(<[_]>::len),
        Some(0),
        "{}",
        run.stdout
    );
    let results = report.get("results").and_then(|r| r.as_array()).expect("results");
    let text = |r: &regent_rego::Value, key: &str| r.get(key).and_then(|v| v.as_str()).expect("text").to_owned();
    let number = |r: &regent_rego::Value, key: &str| r.get(key).and_then(|v| v.as_i64()).expect("number");
    let place = |r: &regent_rego::Value| format!("{}:{}", number(r, "line"), number(r, "column"));
    results
        .iter()
        .map(|r| (text(r, "file"), place(r), text(r, "message")))
        .collect()
}

fn compare(file: &Path, got: &str, failures: &mut Failures) {
    if std::env::var_os("REGENT_BLESS").is_some() {
        std::fs::write(file, got).expect("bless");
    }
    failures.counted();
    let want = std::fs::read_to_string(file).unwrap_or_default();
    if want != got {
        let differs = want.lines().zip(got.lines()).find(|(w, g)| w != g);
        let what = format!(
            "{} lines wanted, {} came; {differs:?}",
            want.lines().count(),
            got.lines().count()
        );
        failures.add(&file.display().to_string(), &what);
    }
}

#[test]
fn violations_stand_where_they_are_said_to() {
    let root = repository().join("crates/regent/tests/places");
    let mut failures = Failures::new("cases");
    for folder in entries(&root).iter().filter(|f| f.is_dir()) {
        let policy = if folder.join("policy.rego").is_file() {
            "policy.rego"
        } else {
            "policy.yaml"
        };
        let mut got = String::new();
        for (_, place, message) in results(&["-f", "object.yaml", "-p", policy], folder) {
            let _ = writeln!(got, "{place} {message}");
        }
        assert!(!got.is_empty(), "{}: nothing is denied", folder.display());
        compare(&folder.join("places"), &got, &mut failures);
    }
    failures.finish(10);
}

#[test]
fn every_policy_of_the_library_points_at_the_node() {
    let library = repository().join("library");
    let mut got = String::new();
    for group in entries(&library).iter().filter(|g| g.is_dir()) {
        for policy in entries(group).iter().filter(|p| p.is_dir()) {
            let samples = entries(&policy.join("samples"));
            let denied: Vec<String> = samples
                .iter()
                .map(|p| name(p))
                .filter(|n| n.starts_with("denied-"))
                .collect();
            for constraint in samples.iter().map(|p| name(p)).filter(|n| n.starts_with("constraint")) {
                let mut args = vec!["-p", "../template.yaml", "-p", constraint.as_str()];
                denied.iter().for_each(|d| args.extend(["-f", d.as_str()]));
                let mut places: Vec<(String, String)> = Vec::new();
                for (file, place, _) in results(&args, &policy.join("samples")) {
                    match places.last_mut() {
                        Some((last, all)) if *last == file => all.push_str(&format!(" {place}")),
                        _ => places.push((file, place)),
                    }
                }
                let _ = writeln!(got, "# {}/{} {constraint}", name(group), name(policy));
                for (file, places) in places {
                    let _ = writeln!(got, "{file} {places}");
                }
            }
        }
    }
    let mut failures = Failures::new("files");
    compare(
        &repository().join("crates/regent/tests/places/library.txt"),
        &got,
        &mut failures,
    );
    failures.finish(1);
}
