//! The command line: each folder below `tests/cli/` is a case.
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
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Words of a command line; single and double quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote, mut inside) = (Vec::new(), String::new(), None, false);
    for c in line.trim().chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\'' | '"', None) => (quote, inside) = (Some(c), true),
            (' ', None) => {
                if inside || !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            (c, _) => word.push(c),
        }
    }
    if inside || !word.is_empty() {
        out.push(word);
    }
    out
}

/// Exit code, standard output and standard error of a case.
fn run(folder: &Path) -> (i32, String, String) {
    let stdin = std::fs::read(folder.join("stdin")).unwrap_or_default();
    let mut child = Command::new(env!("CARGO_BIN_EXE_regent"))
        .args(words(&text(&folder.join("cmd"))))
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("regent starts");
    let _ = child.stdin.take().expect("stdin").write_all(&stdin);
    let output = child.wait_with_output().expect("output");
    (
        output.status.code().unwrap_or(-1),
        stable(&String::from_utf8_lossy(&output.stdout)),
        stable(&String::from_utf8_lossy(&output.stderr)),
    )
}

/// Text without what changes with the policies or the clock.
fn stable(text: &str) -> String {
    let digest = regex::Regex::new("sha256:[0-9a-f]{64}").expect("regex");
    let time = regex::Regex::new(r#"time="[0-9.]+"|\([0-9.]+ ms\)"#).expect("regex");
    let text = digest.replace_all(text, "sha256:…");
    time.replace_all(&text, |found: &regex::Captures<'_>| {
        if found[0].starts_with('(') {
            "(… ms)"
        } else {
            r#"time="…""#
        }
        .to_owned()
    })
    .into_owned()
}

fn cases() -> Vec<PathBuf> {
    let root = repository().join("crates/regent/tests/cli");
    let entries = std::fs::read_dir(&root)
        .expect("cases")
        .map(|e| e.expect("entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|p| p.join("cmd").is_file()).collect();
    folders.sort();
    folders
}

#[test]
fn every_case_comes_out_as_written() {
    let bless = std::env::var_os("REGENT_BLESS").is_some();
    let mut failures = Failures::new("command lines");
    for folder in cases() {
        let name = folder.file_name().expect("name").to_string_lossy().into_owned();
        let (exit, stdout, stderr) = run(&folder);
        failures.counted();
        for (file, got) in [("stdout", stdout), ("stderr", stderr), ("exit", format!("{exit}\n"))] {
            let path = folder.join(file);
            let empty = if file == "exit" { "0\n" } else { "" };
            if bless {
                let _ = std::fs::remove_file(&path);
                if got != empty {
                    std::fs::write(&path, &got).expect("bless");
                }
                continue;
            }
            let want = std::fs::read_to_string(&path).unwrap_or_else(|_| empty.to_owned());
            if got != want {
                failures.add(&name, &format!("{file}\n--- want\n{want}--- got\n{got}"));
            }
        }
    }
    failures.finish(50);
}

/// Runs the binary in a folder; standard output, which must come with the exit code.
fn regent(folder: &Path, args: &[&str], exit: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_regent"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("regent runs");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(exit), "{args:?}\n{out}{err}");
    out.into_owned()
}

#[test]
fn archives_are_the_same_bytes_and_judge_the_same() {
    let shared = repository().join("crates/regent/tests/cli/shared");
    let text = |name: &str| text(&shared.join(name));
    let mut archives = Vec::new();
    for name in ["here", "there"] {
        let folder = scratch(name);
        std::fs::create_dir_all(folder.join("p/deep")).expect("folder");
        std::fs::write(folder.join("p/deep/policies.yaml"), text("policies.yaml")).expect("file");
        std::fs::write(folder.join("objects.yaml"), text("objects.yaml")).expect("file");
        let source = if name == "here" { "p" } else { "./p/" };
        let build = [
            "bundle",
            "build",
            "-p",
            source,
            "-p",
            "builtin:pod-security-baseline",
            "-o",
            "all.tar.gz",
        ];
        let told = regent(&folder, &build, 0);
        let bytes = std::fs::read(folder.join("all.tar.gz")).expect("archive");
        assert!(told.contains(&regent_core::bundle::digest(&bytes)), "{told}");
        let inspected = regent(&folder, &["bundle", "inspect", "all.tar.gz", "-o", "json"], 0);
        for part in [
            "\"file\": \"all.tar.gz/deep/policies.yaml\"",
            "RegentPrivileged",
            &regent_core::bundle::digest(&bytes),
        ] {
            assert!(inspected.contains(part), "no {part}: {inspected}");
        }
        archives.push(bytes);
        let by = |policy: &[&str]| {
            let args = ["check", "-f", "objects.yaml", "-o", "json"];
            regent(&folder, &[&args[..], policy].concat(), 1)
        };
        assert_eq!(
            by(&["-p", "all.tar.gz"]),
            by(&["-p", "p", "-p", "builtin:pod-security-baseline"])
        );
        let broken = folder.join("broken.rego");
        std::fs::write(&broken, "package a\ndeny contains x if y").expect("file");
        regent(
            &folder,
            &["bundle", "build", "-p", "broken.rego", "-o", "broken.tar.gz"],
            2,
        );
        assert!(!folder.join("broken.tar.gz").exists());
    }
    assert_eq!(archives.first(), archives.last());
}

#[test]
fn the_report_does_not_depend_on_threads() {
    let folder = scratch("threads");
    let mut objects = String::new();
    for i in 0..300 {
        let labels = if i % 3 == 0 { "{}" } else { "{team: red}" };
        let _ = write!(
            objects,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{i}, namespace: n{}, labels: {labels}}}\nspec:\n  containers:\n  - {{name: a, image: x, securityContext: {{privileged: {}}}}}\n  - {{name: b, image: x, securityContext: {{privileged: true}}}}\n",
            i % 7,
            i % 2 == 0
        );
        if i % 50 == 0 {
            objects.push_str("---\na: [\n");
        }
    }
    std::fs::write(folder.join("objects.yaml"), objects).expect("scratch file");
    let policies = repository().join("crates/regent/tests/cli/shared/policies.yaml");
    let policies = policies.to_string_lossy();
    let mut first: Option<(i32, String)> = None;
    for i in 0..20 {
        let threads = [1, 2, 3, 4, 8, 16][i % 6].to_string();
        let args = [
            "check",
            "-f",
            "objects.yaml",
            "-p",
            &policies,
            "-o",
            "json",
            "--threads",
            &threads,
        ];
        let run = common::regent(&args, &folder);
        let came = (run.code, run.stdout);
        match &first {
            None => first = Some(came),
            Some(before) => assert!(*before == came, "{threads} threads give another report"),
        }
    }
    let (code, report) = first.expect("a run");
    assert_eq!(code, 2, "{report}");
    assert!(report.contains("\"errors\": 6"), "{report}");
}
