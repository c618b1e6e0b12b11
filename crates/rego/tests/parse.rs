//! The parser: a table of cases made with OPA, and texts that must not bring it down.
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

use regent_rego::ast::RegoVersion;
use regent_rego::{parse, print};
use std::time::{Duration, Instant};

/// What the parser makes of a text: the module printed, or `row:col: message` of each error.
fn outcome(text: &str, version: RegoVersion) -> String {
    match parse::parse_module("", text, version) {
        Ok(module) => print::module(&module),
        Err(errors) => errors
            .iter()
            .map(|e| format!("{}:{}: {}", e.loc.row, e.loc.col, e.message))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

/// `tests/parse/cases.json`: `{"version": "v0"|"v1", "text": ..., "want": ...}`, `want` as OPA 1.17.1 gives it. A
/// longer table may be named by `REGENT_PARSE_CASES`.
#[test]
fn cases() {
    let table = match std::env::var("REGENT_PARSE_CASES") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("parse/cases.json").to_owned(),
    };
    let table: serde_json::Value = serde_json::from_str(&table).unwrap();
    let mut wrong = String::new();
    for case in table.as_array().unwrap() {
        let version = match case["version"].as_str().unwrap() {
            "v0" => RegoVersion::V0,
            _ => RegoVersion::V1,
        };
        let text = case["text"].as_str().unwrap();
        let got = outcome(text, version);
        let want = case["want"].as_str().unwrap();
        if got != want {
            wrong.push_str(&format!("--- {} {text}\nwant: {want}\ngot:  {got}\n", case["version"]));
        }
    }
    let count = wrong.matches("\ngot:  ").count();
    assert!(wrong.is_empty(), "{wrong}\n{count} wrong");
}

fn all_versions(text: &str) {
    for version in [RegoVersion::V0, RegoVersion::V1, RegoVersion::V0CompatV1] {
        let _ = parse::parse_module_annotated("f", text, version).map(|m| print::module(&m));
        let _ = parse::parse_query("f", text, version).map(|b| print::body(&b));
    }
}

/// Frames of a debug build are several times as large as those of a release build, which fit the usual 2 MB.
#[test]
fn deep_and_long_texts_end_in_an_error() {
    let run = std::thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(deep_and_long_texts);
    run.unwrap().join().unwrap();
}

fn deep_and_long_texts() {
    let n = 15_000;
    let texts = [
        format!("package a\np := {}1", "1 + ".repeat(n)),
        format!("package a\np := {}", "[".repeat(n)),
        format!("package a\np := {}1{}", "[".repeat(n), "]".repeat(n)),
        format!("package a\np := {}1{}", "{".repeat(n), "}".repeat(n)),
        format!("package a\np := {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("package a\np := {}", "{\"a\":".repeat(n)),
        format!("package a\np := {}", "[x | y := ".repeat(n)),
        format!("package a\np := {}b, c]", "[a | ".repeat(n)),
        format!("package a\np := {}b{}", "[a | ".repeat(200), ", c]".repeat(200)),
        format!("package a\np := {}b{}", "{a: b | ".repeat(200), ", c}".repeat(200)),
        format!("package a\np if {{ {} }}", "f(".repeat(n)),
        format!("package a\np if {{ a{} }}", "(1)".repeat(n)),
        format!("package a\np if {{ a{} }}", "[a".repeat(n)),
        format!("package a\np if {{ a{} }}", ".f(1)".repeat(n)),
        format!("package a\np if {{ {} }}", "every x in y { ".repeat(n)),
        format!("package a\np if {}", "x in ".repeat(n)),
        format!("package a\np := $\"{}", "{$\"".repeat(n)),
        format!("package a\np if {{ true }} {}", "else := 1 if { false } ".repeat(n)),
        format!("package a\np := 1 {}", "not ".repeat(n)),
        format!("package a\np := {}", "-".repeat(n)),
        format!("package a\np := {}x", "- ".repeat(n)),
        format!("package a\n{}", "# METADATA\n".repeat(n)),
    ];
    for text in &texts {
        let start = Instant::now();
        all_versions(text);
        let took = start.elapsed();
        assert!(
            took < Duration::from_secs(20),
            "{took:?} for {}",
            &text[..60.min(text.len())]
        );
    }
    let err = outcome(&texts[0], RegoVersion::V1);
    assert!(err.contains("max parsing recursion depth exceeded"), "{err}");
}

#[test]
fn cut_and_changed_texts_do_not_bring_it_down() {
    let seeds = [include_str!("parse/seed_v1.rego"), include_str!("parse/seed_v0.rego")];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    let bits = [
        "{", "}", "[", "]", "(", ")", ",", ":", ":=", "|", "\"", "`", "$\"", "\\", "\0", "\u{feff}", "é", "\r", "#",
        ".", "-", "if", "else", "some", "every", "in", "not", "with", "as", "_", "0", "1e", "\u{202e}",
    ];
    for seed in seeds {
        let chars: Vec<char> = seed.chars().collect();
        for cut in (0..chars.len()).step_by(7) {
            all_versions(&chars[..cut].iter().collect::<String>());
        }
        for _ in 0..400 {
            let mut text = chars.clone();
            for _ in 0..=next(4) {
                let at = next(text.len());
                let end = (at + next(4)).min(text.len());
                text.splice(at..end, bits[next(bits.len())].chars());
            }
            all_versions(&text.iter().collect::<String>());
        }
    }
}
