//! Workflow commands: annotations on the lines of a pull request.

use crate::report::Report;
use regent_core::Action;
use std::fmt::Write;

pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    for f in &report.findings {
        let command = match f.action() {
            Some(Action::Deny) => "error",
            Some(Action::Warn) => "warning",
            Some(Action::Dryrun) | None => "notice",
        };
        let v = &f.violation;
        let title = format!("{} {}: {}", f.object.kind, f.object.path(), v.constraint_name);
        write_line(&mut out, command, &f.at.file, (f.line, f.column), &title, &v.message);
    }
    for p in &report.errors {
        write_line(&mut out, "error", &p.file, (p.line, p.column), "regent", &p.message);
    }
    out
}

fn write_line(out: &mut String, command: &str, file: &str, (line, column): (u32, u32), title: &str, message: &str) {
    let mut properties = Vec::new();
    if !file.is_empty() {
        properties.push(format!("file={}", property(file)));
    }
    if line > 0 {
        properties.push(format!("line={line}"));
        if column > 0 {
            properties.push(format!("col={column}"));
        }
    }
    properties.push(format!("title={}", property(title)));
    let _ = writeln!(out, "::{command} {}::{}", properties.join(","), data(message));
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
