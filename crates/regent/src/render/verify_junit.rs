//! JUnit XML of `verify`: a suite a file, a case a case.

use super::verify_json::{Line, lines};
use super::xml::escape;
use crate::command::verify::Outcome;
use regent_core::suite::Status;
use std::fmt::Write;

pub(crate) fn render(outcome: &Outcome) -> String {
    let lines = lines(outcome);
    let mut body = String::new();
    for suite in lines.chunk_by(|a, b| a.suite == b.suite) {
        let count = |status: Status| suite.iter().filter(|l| l.status == status).count();
        let seconds: f64 = suite.iter().map(seconds).sum();
        let name = suite.first().map_or(String::new(), |l| escape(l.suite));
        let _ = writeln!(
            body,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{seconds:.3}\">",
            suite.len(),
            count(Status::Failed),
            count(Status::Skipped)
        );
        for line in suite {
            write_case(&mut body, line);
        }
        body.push_str("  </testsuite>\n");
    }
    for error in &outcome.errors {
        let (file, message) = (escape(&error.file), escape(&error.message));
        let _ = writeln!(
            body,
            "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0\">\n    <testcase name=\"load\" classname=\"{file}\" time=\"0\">\n      <error type=\"error\" message=\"{message}\">{file}:{}:{}: {message}</error>\n    </testcase>\n  </testsuite>",
            error.line, error.column
        );
    }
    let failed = lines.iter().filter(|l| l.status == Status::Failed).count();
    let time: f64 = lines.iter().map(seconds).sum();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"regent verify\" tests=\"{}\" failures=\"{failed}\" errors=\"{}\" time=\"{time:.3}\">\n{body}</testsuites>\n",
        lines.len() + outcome.errors.len(),
        outcome.errors.len()
    )
}

fn seconds(line: &Line<'_>) -> f64 {
    line.nanos as f64 / 1e9
}

fn write_case(body: &mut String, line: &Line<'_>) {
    let name = if line.case.is_empty() { line.test } else { line.case };
    let _ = write!(
        body,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
        escape(name),
        escape(line.test),
        seconds(line)
    );
    let _ = match line.status {
        Status::Passed => writeln!(body, "/>"),
        Status::Skipped => writeln!(body, ">\n      <skipped/>\n    </testcase>"),
        Status::Failed => writeln!(
            body,
            ">\n      <failure type=\"assertion\" message=\"{}\">{}</failure>\n    </testcase>",
            escape(line.message),
            escape(&line.violations.join("\n"))
        ),
    };
}
