//! Workflow commands: annotations on the lines of a pull request.

use crate::report::Report;
use regent_core::Action;
use std::fmt::{Result, Write};

pub(crate) fn render(report: &Report, out: &mut dyn Write) -> Result {
    for f in &report.findings {
        let command = match f.action() {
            Some(Action::Deny) => "error",
            Some(Action::Warn) => "warning",
            Some(Action::Dryrun) | None => "notice",
        };
        let title = format!("{} {}: {}", f.object.kind, f.object.path(), f.constraint.name);
        write_line(out, command, &f.at.file, (f.line, f.column), &title, &f.message)?;
    }
    for p in &report.errors {
        write_line(out, "error", &p.file, (p.line, p.column), "regent", &p.message)?;
    }
    Ok(())
}

fn write_line(
    out: &mut dyn Write,
    command: &str,
    file: &str,
    (line, column): (u32, u32),
    title: &str,
    message: &str,
) -> Result {
    // In the order in which GitHub's own toolkit writes them.
    let mut properties = vec![format!("title={}", property(title))];
    if !file.is_empty() {
        properties.push(format!("file={}", property(file)));
    }
    if line > 0 {
        properties.push(format!("line={line}"));
        if column > 0 {
            properties.push(format!("col={column}"));
        }
    }
    writeln!(out, "::{command} {}::{}", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
