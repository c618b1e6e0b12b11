//! JUnit XML: a suite a file, a case an object; a denied object is a failure, a file that cannot be judged an error.

use super::xml::escape;
use crate::report::{Finding, Report};
use regent_core::Action;
use regent_core::manifest::Problem;
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Default)]
struct Suite<'r> {
    /// Name of each object, with its findings.
    cases: Vec<(String, Vec<&'r Finding>)>,
    errors: Vec<&'r Problem>,
}

pub(crate) fn render(report: &Report) -> String {
    let mut suites: BTreeMap<&str, Suite<'_>> = BTreeMap::new();
    for (at, name) in &report.objects {
        let first = report.findings.partition_point(|f| f.at < *at);
        let findings = report.findings.iter().skip(first).take_while(|f| f.at == *at).collect();
        let title = format!("{} {}", name.kind, name.path());
        suites.entry(&at.file).or_default().cases.push((title, findings));
    }
    for error in &report.errors {
        suites.entry(&error.file).or_default().errors.push(error);
    }
    let mut body = String::new();
    let (mut tests, mut failures) = (0, 0);
    for (file, suite) in &suites {
        let failed = suite.cases.iter().filter(|c| c.1.iter().any(|f| denies(f))).count();
        let count = suite.cases.len() + suite.errors.len();
        tests += count;
        failures += failed;
        let file = escape(file);
        let _ = writeln!(
            body,
            "  <testsuite name=\"{file}\" tests=\"{count}\" failures=\"{failed}\" errors=\"{}\" skipped=\"0\" time=\"0\">",
            suite.errors.len()
        );
        for (name, findings) in &suite.cases {
            write_case(&mut body, &file, name, findings);
        }
        for error in &suite.errors {
            let message = escape(&error.message);
            let _ = writeln!(
                body,
                "    <testcase name=\"line {}\" classname=\"{file}\" time=\"0\">\n      <error type=\"error\" message=\"{message}\">{file}:{}:{}: {message}</error>\n    </testcase>",
                error.line, error.line, error.column
            );
        }
        body.push_str("  </testsuite>\n");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"regent check\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{}\" time=\"0\">\n{body}</testsuites>\n",
        report.errors.len()
    )
}

fn denies(finding: &Finding) -> bool {
    finding.action() == Some(Action::Deny)
}

fn write_case(body: &mut String, file: &str, name: &str, findings: &[&Finding]) {
    let name = escape(name);
    if findings.is_empty() {
        let _ = writeln!(body, "    <testcase name=\"{name}\" classname=\"{file}\" time=\"0\"/>");
        return;
    }
    let _ = writeln!(body, "    <testcase name=\"{name}\" classname=\"{file}\" time=\"0\">");
    let line = |f: &Finding| {
        let v = &f.violation;
        escape(&format!(
            "{}:{}:{}: {}: [{}] {}",
            f.at.file,
            f.line,
            f.column,
            f.action_name(),
            v.constraint_name,
            v.message
        ))
    };
    let (denied, other): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|f| denies(f));
    // One failure a case: consumers differ in what they make of several.
    if let Some(first) = denied.first() {
        let lines: Vec<String> = denied.iter().map(|f| line(f)).collect();
        let _ = writeln!(
            body,
            "      <failure type=\"{}\" message=\"{}\">{}</failure>",
            escape(&first.violation.constraint_kind),
            escape(&first.violation.message),
            lines.join("\n")
        );
    }
    if !other.is_empty() {
        let lines: Vec<String> = other.iter().map(|f| line(f)).collect();
        let _ = writeln!(body, "      <system-out>{}</system-out>", lines.join("\n"));
    }
    body.push_str("    </testcase>\n");
}
