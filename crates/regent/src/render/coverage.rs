//! Coverage: in OPA's JSON, as text, as LCOV.

use crate::arguments::{self, CoverageFormat};
use crate::doc::Doc;
use crate::terminal::{paint, printable, style};
use regent_core::coverage::{ConstraintId, Coverage, Exercised, Lines, Parameter, Share, ranges};
use std::collections::{BTreeMap, BTreeSet};
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
    Doc::Map(lines_fields(coverage))
}

/// The same, and the constraints.
pub(crate) fn json_of_suites(coverage: &Coverage) -> Doc {
    let mut fields = lines_fields(coverage);
    let share = coverage.constraints_share();
    let each = coverage
        .constraints
        .iter()
        .map(|(id, exercised)| constraint(id, exercised));
    fields.push(("constraints", each.collect()));
    fields.push(("constraints_exercised", Doc::from(share.covered)));
    fields.push(("constraints_not_exercised", Doc::from(share.not_covered)));
    Doc::Map(fields)
}

fn constraint(id: &ConstraintId, exercised: &Exercised) -> Doc {
    let criteria = exercised.criteria.iter().map(|c| {
        Doc::Map(vec![
            ("name", Doc::from(c.name)),
            ("line", Doc::from(c.line)),
            ("fitted", Doc::from(c.fitted)),
            ("refused", Doc::from(c.refused)),
        ])
    });
    let parameters = exercised.parameters.iter().map(|p| {
        Doc::Map(vec![
            ("name", Doc::from(dotted(p))),
            ("line", Doc::from(p.line)),
            ("used", Doc::from(p.used)),
        ])
    });
    Doc::Map(vec![
        ("kind", Doc::from(&id.kind)),
        ("name", Doc::from(&id.name)),
        ("file", Doc::from(&id.file)),
        ("match", criteria.collect()),
        ("parameters", parameters.collect()),
    ])
}

/// `a.b[0].c`.
fn dotted(parameter: &Parameter) -> String {
    let mut out = String::new();
    for step in &parameter.path {
        if step.bytes().all(|b| b.is_ascii_digit()) && !out.is_empty() {
            let _ = write!(out, "[{step}]");
        } else {
            let dot = if out.is_empty() { "" } else { "." };
            let _ = write!(out, "{dot}{step}");
        }
    }
    out
}

fn lines_fields(coverage: &Coverage) -> Vec<(&'static str, Doc)> {
    let share = coverage.share();
    let files = coverage.files.iter().map(|(name, lines)| (name.clone(), file(lines)));
    vec![
        ("files", Doc::Table(files.collect())),
        ("covered_lines", Doc::from(share.covered)),
        ("not_covered_lines", Doc::from(share.not_covered)),
        ("coverage", Doc::Float(share.percent())),
    ]
}

/// A line a file and a constraint: percent, name, what was not reached.
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
    for (id, exercised) in &coverage.constraints {
        write_constraint(&mut out, id, exercised);
    }
    let share = coverage.share();
    let all = share.covered + share.not_covered;
    let _ = writeln!(
        out,
        "{} of all lines ({} of {all})",
        percent(share.percent()),
        share.covered
    );
    let share = coverage.constraints_share();
    let all = share.covered + share.not_covered;
    if all > 0 {
        let _ = writeln!(
            out,
            "{} of all criteria and parameters ({} of {all})",
            percent(share.percent()),
            share.covered
        );
    }
    out
}

fn write_constraint(out: &mut String, id: &ConstraintId, exercised: &Exercised) {
    let share = exercised.share();
    if share == Share::default() {
        return;
    }
    let name = format!("{}: {}/{}", id.file, id.kind, id.name);
    let _ = write!(out, "{} {}", percent(share.percent()), printable(&name));
    let mut missing = Vec::new();
    for c in &exercised.criteria {
        match (c.fitted, c.refused) {
            (true, true) => {}
            (true, false) => missing.push(format!("match.{} refused nothing", c.name)),
            (false, true) => missing.push(format!("match.{} fitted nothing", c.name)),
            (false, false) => missing.push(format!("match.{} was not asked", c.name)),
        }
    }
    let unused = exercised.parameters.iter().filter(|p| !p.used);
    missing.extend(unused.map(|p| format!("parameters.{} not used", dotted(p))));
    if !missing.is_empty() {
        let text = format!(": {}", printable(&missing.join(", ")));
        let _ = write!(out, "{}", paint(style::DIM, text));
    }
    out.push('\n');
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
    let mut files: BTreeMap<&str, Vec<&Exercised>> = BTreeMap::new();
    for (id, exercised) in &coverage.constraints {
        files.entry(&id.file).or_default().push(exercised);
    }
    for (name, constraints) in files {
        lcov_of_constraints(&mut out, name, &constraints);
    }
    out
}

/// A file of constraints: lines of criteria and parameters, and both answers of a criterion as branches.
fn lcov_of_constraints(out: &mut String, name: &str, constraints: &[&Exercised]) {
    let mut lines: BTreeMap<u32, bool> = BTreeMap::new();
    let mut branches = Vec::new();
    for exercised in constraints {
        for c in exercised.criteria.iter().filter(|c| c.line > 0) {
            *lines.entry(c.line).or_default() |= c.fitted || c.refused;
            for taken in [c.fitted, c.refused] {
                branches.push((c.line, (c.fitted || c.refused).then_some(taken)));
            }
        }
        for p in exercised.parameters.iter().filter(|p| p.line > 0) {
            *lines.entry(p.line).or_default() |= p.used;
        }
    }
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "TN:\nSF:{name}");
    for (i, (line, taken)) in branches.iter().enumerate() {
        // `-`: the criterion was never asked.
        let taken = taken.map_or("-", |taken| if taken { "1" } else { "0" });
        let _ = writeln!(out, "BRDA:{line},{},{},{taken}", i / 2, i % 2);
    }
    if !branches.is_empty() {
        let hit = branches.iter().filter(|(_, taken)| *taken == Some(true)).count();
        let _ = writeln!(out, "BRF:{}\nBRH:{hit}", branches.len());
    }
    for (line, hit) in &lines {
        let _ = writeln!(out, "DA:{line},{}", u8::from(*hit));
    }
    let hit = lines.values().filter(|hit| **hit).count();
    let _ = writeln!(out, "LF:{}\nLH:{hit}\nend_of_record", lines.len());
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
        CoverageFormat::Json if coverage.constraints.is_empty() => json(coverage).json(),
        CoverageFormat::Json => json_of_suites(coverage).json(),
        CoverageFormat::Lcov => lcov(coverage),
    };
    std::fs::write(path, text).map_err(|e| format!("{path}: {e}"))
}
