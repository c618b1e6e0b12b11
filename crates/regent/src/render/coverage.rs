//! Coverage: in OPA's JSON, as text, as LCOV.

use crate::arguments::{self, CoverageFormat};
use crate::doc::Doc;
use crate::terminal::{paint, printable, style};
use regent_core::coverage::{Coverage, Lines, ranges};
use std::collections::BTreeSet;
use std::fmt::Write;

fn range_docs(lines: &BTreeSet<u32>) -> Doc {
    let row = |row: u32| Doc::Map(vec![("row", Doc::from(row))]);
    let range = |(start, end)| Doc::Map(vec![("start", row(start)), ("end", row(end))]);
    ranges(lines).into_iter().map(range).collect()
}

fn file(lines: &Lines) -> Doc {
    let share = lines.share();
    let mut fields = Vec::new();
    // As OPA, what is empty or zero is left out.
    if share.covered > 0 {
        fields.push(("covered", range_docs(&lines.covered)));
    }
    if share.not_covered > 0 {
        fields.push(("not_covered", range_docs(&lines.not_covered)));
    }
    if share.covered > 0 {
        fields.push(("covered_lines", Doc::from(share.covered)));
    }
    if share.not_covered > 0 {
        fields.push(("not_covered_lines", Doc::from(share.not_covered)));
    }
    if share.covered > 0 {
        fields.push(("coverage", Doc::Float(share.percent())));
    }
    Doc::Map(fields)
}

/// In the shape of `opa eval --coverage`.
pub(crate) fn json(coverage: &Coverage) -> Doc {
    let share = coverage.share();
    let files = coverage.files.iter().map(|(name, lines)| (name.clone(), file(lines)));
    Doc::Map(vec![
        ("files", Doc::Table(files.collect())),
        ("covered_lines", Doc::from(share.covered)),
        ("not_covered_lines", Doc::from(share.not_covered)),
        ("coverage", Doc::Float(share.percent())),
    ])
}

/// A line a file: percent, name, the lines that were not reached.
pub(crate) fn text(coverage: &Coverage) -> String {
    let mut out = String::new();
    for (name, lines) in &coverage.files {
        let share = lines.share();
        if share.covered + share.not_covered == 0 {
            continue;
        }
        let _ = write!(out, "{} {}", percent(share.percent()), printable(name));
        if share.not_covered > 0 {
            let missing: Vec<String> = ranges(&lines.not_covered)
                .into_iter()
                .map(|(start, end)| match end - start {
                    0 => start.to_string(),
                    _ => format!("{start}-{end}"),
                })
                .collect();
            let _ = write!(
                out,
                "{}",
                paint(style::DIM, format!(": not reached {}", missing.join(", ")))
            );
        }
        out.push('\n');
    }
    let share = coverage.share();
    let all = share.covered + share.not_covered;
    let _ = writeln!(
        out,
        "{} of all lines ({} of {all})",
        percent(share.percent()),
        share.covered
    );
    out
}

fn percent(percent: f64) -> String {
    let text = format!("{percent:5.1}%");
    match percent {
        p if p >= 100.0 => paint(style::GREEN, text),
        p if p < 50.0 => paint(style::RED, text),
        _ => paint(style::YELLOW, text),
    }
}

/// LCOV's trace file: what editors and coverage services read.
pub(crate) fn lcov(coverage: &Coverage) -> String {
    let mut out = String::new();
    for (name, lines) in &coverage.files {
        let share = lines.share();
        let _ = writeln!(out, "TN:\nSF:{name}");
        for line in lines.covered.union(&lines.not_covered) {
            let _ = writeln!(out, "DA:{line},{}", u8::from(lines.covered.contains(line)));
        }
        let _ = writeln!(
            out,
            "LF:{}\nLH:{}\nend_of_record",
            share.covered + share.not_covered,
            share.covered
        );
    }
    out
}

/// Writes the file of `--coverage-output`, if there is one to write.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn save(coverage: &Coverage, wanted: &arguments::Coverage) -> Result<(), String> {
    let Some(path) = &wanted.coverage_output else {
        return Ok(());
    };
    let by_name = || match std::path::Path::new(path).extension().and_then(|e| e.to_str()) {
        Some("info" | "lcov") => CoverageFormat::Lcov,
        Some("json") => CoverageFormat::Json,
        _ => CoverageFormat::Text,
    };
    let text = match wanted.coverage_format.unwrap_or_else(by_name) {
        CoverageFormat::Text => anstream::adapter::strip_str(&text(coverage)).to_string(),
        CoverageFormat::Json => json(coverage).json(),
        CoverageFormat::Lcov => lcov(coverage),
    };
    std::fs::write(path, text).map_err(|e| format!("{path}: {e}"))
}
