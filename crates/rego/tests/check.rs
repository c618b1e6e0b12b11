//! Programs judged by `opa check` and by `opa check --strict`: codes, rows and words of what is refused, and what is just
//! accepted.
//!
//! `tests/check/judge.py` writes what OPA says into the case files; see there for their form.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Error, compile, parse};
use std::fmt::Write;

fn said(title: &str, source: &str, strict: bool) -> Vec<String> {
    let flag = |name: &str| title.split_whitespace().skip(1).any(|w| w == name);
    let version = if flag("v0") {
        RegoVersion::V0CompatV1
    } else {
        RegoVersion::V1
    };
    let mut modules = Vec::new();
    let mut errors: Vec<Error> = Vec::new();
    for (text, name) in source.trim_end_matches('\n').split("\n---\n").zip('a'..) {
        let text = text.trim_matches('\n');
        let text = if text.starts_with("package ") {
            format!("{text}\n")
        } else {
            format!("package a\n{text}\n")
        };
        match parse::parse_module_annotated(&format!("{name}.rego"), &text, version) {
            Ok(m) => modules.push(m),
            Err(e) => errors.extend(e),
        }
    }
    if errors.is_empty() {
        let options = CompileOptions {
            strict,
            print: true,
            ..CompileOptions::default()
        };
        errors = compile::compile(modules, Vec::new(), &options)
            .err()
            .unwrap_or_default();
    }
    // OPA's answers in JSON leave out what follows the first line of some messages.
    let mut out: Vec<String> = errors
        .iter()
        .map(|e| {
            format!(
                "{} {} {}",
                e.code.as_str(),
                e.loc.row,
                e.message.lines().next().unwrap_or_default()
            )
        })
        .collect();
    out.sort();
    out
}

#[test]
fn programs_are_judged_as_opa_judges_them() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check");
    let (mut count, mut judged, mut wrong, mut report) = (0, 0, 0, String::new());
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "txt")) {
        let text = std::fs::read_to_string(file).unwrap();
        for case in text.split("=== ").skip(1) {
            let (title, rest) = case.split_once('\n').unwrap();
            let (source, want) = rest.split_once(">>>\n").unwrap();
            let (plainly, strictly) = want.split_once(">>> strict\n").unwrap_or((want, want));
            let only_strict = title.split_whitespace().skip(1).any(|w| w == "strict");
            count += 1;
            for (strict, want) in [(false, plainly), (true, strictly)] {
                if only_strict && !strict {
                    continue;
                }
                judged += 1;
                let want: Vec<&str> = want.lines().filter(|l| !l.is_empty()).collect();
                let got = said(title, source, strict);
                // Listed as differing: it must, or the mark has to go.
                let differs = title.split_whitespace().skip(1).any(|w| w == "differs");
                if agree(&got, &want) == differs {
                    wrong += 1;
                    let mode = if strict { " (strict)" } else { "" };
                    writeln!(report, "{title}{mode}:\n  want {want:?}\n  got  {got:?}").unwrap();
                }
            }
        }
    }
    println!("{count} programs, {judged} answers judged, {wrong} differ");
    assert!(wrong == 0, "{wrong} of {judged} answers differ\n{report}");
    assert!(count >= 300, "only {count} programs");
}

/// The same codes, rows and words. Row 0: OPA names no place, we may.
fn agree(got: &[String], want: &[&str]) -> bool {
    let part = |s: &str| s.splitn(3, ' ').map(str::to_string).collect::<Vec<_>>();
    got.len() == want.len()
        && got.iter().zip(want).all(|(g, w)| {
            let (g, w) = (part(g), part(w));
            g.first() == w.first()
                && g.get(2) == w.get(2)
                && (g.get(1) == w.get(1) || w.get(1).is_some_and(|r| r == "0"))
        })
}
