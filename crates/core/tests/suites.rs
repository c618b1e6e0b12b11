//! Every suite of `tests/gatekeeper/suites` run here and held against what `gator verify -v` printed
//! (`suites.golden.txt`), test by test and case by case, with the reasons of failures.
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

use regent_core::Engine;
use regent_core::manifest;
use regent_core::suite::{Filter, RunOptions, Status, Suite, SuiteResult};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/gatekeeper")
}

/// As gator prints it, without times.
fn print(result: &SuiteResult) -> String {
    let mut out = String::new();
    for test in &result.tests {
        if test.status == Status::Skipped {
            let _ = writeln!(out, "=== SKIP  {}", test.name);
            continue;
        }
        let _ = writeln!(out, "=== RUN   {}", test.name);
        for case in &test.cases {
            if case.status == Status::Skipped {
                let _ = writeln!(out, "    === SKIP  {}", case.name);
                continue;
            }
            let _ = writeln!(out, "    === RUN   {}", case.name);
            let _ = writeln!(out, "    --- {}: {}\t(T)", word(case.status), case.name);
            if !case.message.is_empty() {
                let _ = writeln!(out, "        {}", case.message);
            }
        }
        let _ = writeln!(out, "--- {}: {}\t(T)", word(test.status), test.name);
        if !test.message.is_empty() {
            let _ = writeln!(out, "  {}", test.message);
        }
    }
    out
}

fn word(status: Status) -> &'static str {
    if status == Status::Failed { "FAIL" } else { "PASS" }
}

/// The lines of a section that speak of tests, with the few words changed that are ours on purpose.
fn golden(section: &str) -> String {
    let mut out = String::new();
    for line in section.lines().filter(|l| l.starts_with([' ', '=', '-'])) {
        let line = line.replace("admission.k8s.gatekeeper.sh: target", "target");
        let line = line.replace("got error %!w(<nil>)", "got no error");
        // A name that YAML 1.1 takes for a boolean.
        let line = if line.ends_with("RUN   y") {
            format!("{line}es")
        } else {
            line
        };
        let _ = writeln!(out, "{}", line.replace("PASS: y\t", "PASS: yes\t"));
    }
    out
}

#[expect(clippy::disallowed_methods, reason = "tests read files")]
fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

#[expect(clippy::disallowed_methods, reason = "tests read files")]
#[test]
fn suites_come_out_as_with_gator() {
    let expected = std::fs::read_to_string(folder().join("suites.golden.txt")).unwrap();
    let files =
        |path: &str| read(&folder().join(path)).ok_or_else(|| format!("open {path}: no such file or directory"));
    let options = RunOptions {
        engine: Engine::Native,
        second: None,
        clock: None,
        constraint_budget: u64::MAX,
        memory: usize::MAX,
        time_ns: 0,
        coverage: false,
    };
    let mut wrong = Vec::new();
    for section in expected.split("## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        let (name, run) = title.split_once(" --run ").unwrap_or((title, ""));
        // gator gives up when any file of the folder is no YAML; here the case that names it fails.
        if name == "broken-object" {
            continue;
        }
        let filter = match Filter::parse(run) {
            Ok(filter) => filter,
            Err(e) => {
                assert!(body.contains(&e), "{title}: {e}");
                continue;
            }
        };
        let mut ours = String::new();
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder().join("suites").join(name))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        paths.sort();
        for path in paths {
            let file = format!("suites/{name}/{}", path.file_name().unwrap().to_string_lossy());
            for document in manifest::read(&file, &read(&path).unwrap()).into_iter().flatten() {
                if let Some(suite) = Suite::parse(&file, &document.value) {
                    ours.push_str(&print(&suite.unwrap().run(&files, &filter, &options)));
                }
            }
        }
        let theirs = golden(body);
        if ours != theirs {
            wrong.push(format!("## {title}\nours:\n{ours}\ntheirs:\n{theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
