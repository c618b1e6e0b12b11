//! `verify` for people: failures with what was expected and what came, a line a suite, a summary.

use super::verify_json::totals;
use super::{count, coverage};
use crate::command::verify::Outcome;
use crate::terminal::{self, paint, printable, style, wrap};
use regent_core::suite::{CaseResult, Status, TestResult};
use std::fmt::Write;

pub(crate) fn render(outcome: &Outcome) -> String {
    let mut out = String::new();
    for suite in &outcome.suites {
        for test in &suite.tests {
            write_test(&mut out, test);
        }
        if !terminal::quiet() || suite.status == Status::Failed {
            let _ = writeln!(out, "{} {}", word(suite.status), printable(&suite.path));
        }
    }
    let totals = totals(outcome);
    let suites = count(outcome.suites.len(), "suite");
    let (tests, cases) = (count(totals.tests, "test"), count(totals.cases, "case"));
    let mut end = match totals.failed {
        0 => paint(style::GREEN, "none failed"),
        n => paint(style::RED, format!("{n} failed")),
    };
    if totals.skipped > 0 {
        let _ = write!(end, ", {} skipped", totals.skipped);
    }
    if !outcome.errors.is_empty() {
        let _ = write!(end, ", {}", paint(style::RED, count(outcome.errors.len(), "error")));
    }
    let _ = writeln!(out, "{suites}, {tests}, {cases}: {end}");
    out.extend(outcome.coverage.as_ref().map(coverage::text));
    out
}

fn word(status: Status) -> String {
    match status {
        Status::Passed => paint(style::GREEN, "ok  "),
        Status::Failed => paint(style::RED, "FAIL"),
        Status::Skipped => paint(style::YELLOW, "skip"),
    }
}

fn write_test(out: &mut String, test: &TestResult) {
    let told = |status: Status| status == Status::Failed || terminal::verbose();
    if !told(test.status) && !test.cases.iter().any(|c| told(c.status)) {
        return;
    }
    let _ = writeln!(out, "{} {}", word(test.status), printable(&test.name));
    indented(out, &test.message, 4);
    for case in test.cases.iter().filter(|c| told(c.status)) {
        write_case(out, case);
    }
}

fn write_case(out: &mut String, case: &CaseResult) {
    let millis = case.nanos as f64 / 1e6;
    let time = paint(style::DIM, format!("({millis:.1} ms)"));
    let _ = writeln!(out, "  {} {} {time}", word(case.status), printable(&case.name));
    indented(out, &case.message, 6);
    if case.status == Status::Failed {
        for violation in &case.violations {
            indented(out, &format!("violation: {violation}"), 6);
        }
    }
    for line in &case.prints {
        indented(out, line, 6);
    }
}

fn indented(out: &mut String, text: &str, indent: usize) {
    if text.is_empty() {
        return;
    }
    for line in wrap(text, terminal::width().saturating_sub(indent)) {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}
