//! For people: by file, then object, messages wrapped, a summary at the end.

use super::count;
use crate::report::{Finding, Report};
use crate::terminal::{self, paint, printable, style, wrap};
use regent_core::Action;
use std::fmt::{Result, Write};

/// Columns in front of a message.
const INDENT: usize = 6;

pub(crate) fn render(report: &Report, out: &mut dyn Write) -> Result {
    let width = terminal::width();
    for file in report.findings.chunk_by(|a, b| a.at.file == b.at.file) {
        let Some(first) = file.first() else { continue };
        writeln!(out, "{}", paint(style::BOLD, printable(&first.at.file)))?;
        for object in file.chunk_by(|a, b| a.at == b.at && a.object == b.object) {
            let Some(first) = object.first() else { continue };
            let name = format!("{} {}", printable(&first.object.kind), printable(&first.object.path()));
            writeln!(out, "  {}", paint(style::BOLD, name))?;
            for finding in object {
                write_finding(out, finding, width)?;
            }
        }
        writeln!(out)?;
    }
    if !terminal::quiet() || !report.findings.is_empty() {
        writeln!(out, "{}", summary(report))?;
    }
    Ok(())
}

fn write_finding(out: &mut dyn Write, finding: &Finding, width: usize) -> Result {
    let c = &finding.constraint;
    let action = finding.action_name();
    let colour = match finding.action() {
        Some(Action::Deny) => style::RED,
        Some(Action::Warn) => style::YELLOW,
        Some(Action::Dryrun) | None => style::CYAN,
    };
    let place = format!("{}:{}:{}", printable(&finding.at.file), finding.line, finding.column);
    let constraint = format!("{}/{}", printable(&c.kind), printable(&c.name));
    writeln!(
        out,
        "    {place} {} {}",
        paint(colour, action),
        paint(style::DIM, constraint)
    )?;
    for line in wrap(&finding.message, width.saturating_sub(INDENT)) {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    if let Some(g) = &finding.generated {
        let origin = format!("in the {} {:?} it implies ({})", g.kind, g.name, g.template);
        writeln!(out, "{:INDENT$}{}", "", paint(style::DIM, printable(&origin)))?;
    }
    Ok(())
}

/// `10 objects: 2 denied, 1 warned; 3 violations`, and errors if there are any.
pub(super) fn summary(report: &Report) -> String {
    let s = &report.summary;
    let mut parts = Vec::new();
    if s.denied > 0 {
        parts.push(paint(style::RED, format!("{} denied", s.denied)));
    }
    if s.warned > 0 {
        parts.push(paint(style::YELLOW, format!("{} warned", s.warned)));
    }
    if parts.is_empty() && s.objects > 0 {
        parts.push(paint(style::GREEN, "none denied"));
    }
    let mut text = format!("{}: {}", count(s.objects, "object"), parts.join(", "));
    if parts.is_empty() {
        text = "nothing judged".to_owned();
    }
    if s.violations > 0 {
        let _ = write!(text, "; {}", count(s.violations, "violation"));
    }
    if s.errors > 0 {
        let _ = write!(text, "; {}", paint(style::RED, count(s.errors, "error")));
    }
    text
}
