//! JUnit XML: a suite a file, a case an object; a denied object is a failure, a file that cannot be judged an error.

use super::xml::escape;
use crate::report::{At, Finding, ObjectName, Report};
use regent_core::Action;
use regent_core::manifest::Problem;
use std::collections::BTreeSet;
use std::fmt::{Result, Write};
use std::sync::Arc;

/// What came of one file.
struct Suite<'r> {
    file: &'r str,
    objects: &'r [(At, Arc<ObjectName>)],
    findings: &'r [Finding],
    errors: &'r [Problem],
}

impl<'r> Suite<'r> {
    fn of(report: &'r Report, file: &'r str) -> Suite<'r> {
        Suite {
            file,
            objects: part(&report.objects, |o| (*o.0.file).cmp(file)),
            findings: part(&report.findings, |f| (*f.at.file).cmp(file)),
            errors: part(&report.errors, |e| e.file.as_str().cmp(file)),
        }
    }

    /// Objects, those denied, errors.
    fn counts(&self) -> (usize, usize, usize) {
        let by_object = self.findings.chunk_by(|a, b| a.at == b.at);
        let denied = by_object.filter(|findings| findings.iter().any(denies)).count();
        (self.objects.len() + self.errors.len(), denied, self.errors.len())
    }

    fn write(&self, out: &mut dyn Write) -> Result {
        let file = escape(self.file);
        let (tests, failures, errors) = self.counts();
        writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"0\">"
        )?;
        for (at, name) in self.objects {
            let title = format!("{} {}", name.kind, name.path());
            write_case(out, &file, &title, part(self.findings, |f| f.at.cmp(at)))?;
        }
        for error in self.errors {
            let message = escape(&error.message);
            writeln!(
                out,
                "    <testcase name=\"line {}\" classname=\"{file}\" time=\"0\">\n      <error type=\"error\" message=\"{message}\">{file}:{}:{}: {message}</error>\n    </testcase>",
                error.line, error.line, error.column
            )?;
        }
        out.write_str("  </testsuite>\n")
    }
}

/// The part of a sorted list that is equal.
fn part<T>(all: &[T], compare: impl Fn(&T) -> std::cmp::Ordering) -> &[T] {
    let from = all.partition_point(|t| compare(t).is_lt());
    let rest = all.get(from..).unwrap_or_default();
    let length = rest.partition_point(|t| compare(t).is_eq());
    rest.get(..length).unwrap_or_default()
}

pub(crate) fn render(report: &Report, out: &mut dyn Write) -> Result {
    let objects = report.objects.iter().map(|o| &*o.0.file);
    let files: BTreeSet<&str> = objects.chain(report.errors.iter().map(|e| e.file.as_str())).collect();
    let (mut tests, mut failures) = (0, 0);
    for file in &files {
        let counts = Suite::of(report, file).counts();
        tests += counts.0;
        failures += counts.1;
    }
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"regent check\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{}\" time=\"0\">",
        report.errors.len()
    )?;
    for file in &files {
        Suite::of(report, file).write(out)?;
    }
    out.write_str("</testsuites>\n")
}

fn denies(finding: &Finding) -> bool {
    finding.action() == Some(Action::Deny)
}

fn write_case(out: &mut dyn Write, file: &str, name: &str, findings: &[Finding]) -> Result {
    let name = escape(name);
    if findings.is_empty() {
        return writeln!(out, "    <testcase name=\"{name}\" classname=\"{file}\" time=\"0\"/>");
    }
    writeln!(out, "    <testcase name=\"{name}\" classname=\"{file}\" time=\"0\">")?;
    let line = |f: &Finding| {
        escape(&format!(
            "{}:{}:{}: {}: [{}] {}",
            f.at.file,
            f.line,
            f.column,
            f.action_name(),
            f.constraint.name,
            f.message
        ))
    };
    let (denied, other): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|f| denies(f));
    // One failure a case: consumers differ in what they make of several.
    if let Some(first) = denied.first() {
        let lines: Vec<String> = denied.iter().map(|f| line(f)).collect();
        writeln!(
            out,
            "      <failure type=\"{}\" message=\"{}\">{}</failure>",
            escape(&first.constraint.kind),
            escape(&first.message),
            lines.join("\n")
        )?;
    }
    if !other.is_empty() {
        let lines: Vec<String> = other.iter().map(|f| line(f)).collect();
        writeln!(out, "      <system-out>{}</system-out>", lines.join("\n"))?;
    }
    out.write_str("    </testcase>\n")
}
