//! SARIF 2.1.0, for code scanning: a rule a constraint, a result a violation, a notification an error.

use crate::doc::Doc;
use crate::report::{Finding, Report};
use crate::stream::Part;
use regent_core::Action;
use std::collections::BTreeMap;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(crate) fn render(report: &Report) -> Part<'_> {
    // Kind and name of a constraint; its rule's place is its place in this order.
    let mut rules: BTreeMap<(&str, &str), usize> = report.findings.iter().map(|f| (key(f), 0)).collect();
    for (i, place) in rules.values_mut().enumerate() {
        *place = i;
    }
    let rule_docs = rules.keys().map(|(kind, name)| {
        Doc::Map(vec![
            ("id", Doc::from(format!("{kind}/{name}"))),
            ("name", Doc::from(*kind)),
            ("shortDescription", text(&format!("{kind} {name}"))),
        ])
    });
    let driver = Doc::Map(vec![
        ("name", Doc::from("regent")),
        ("semanticVersion", Doc::from(env!("CARGO_PKG_VERSION"))),
        ("rules", rule_docs.collect()),
    ]);
    let notifications = report.errors.iter().map(|p| {
        let mut fields = vec![("level", Doc::from("error")), ("message", text(&p.message))];
        if !p.file.is_empty() {
            fields.push(("locations", Doc::List(vec![location(&p.file, p.line, p.column, None)])));
        }
        Doc::Map(fields)
    });
    let invocation = Doc::Map(vec![
        ("executionSuccessful", Doc::from(report.errors.is_empty())),
        ("toolExecutionNotifications", notifications.collect()),
    ]);
    let results = report
        .findings
        .iter()
        .map(move |f| result(f, rules.get(&key(f)).copied().unwrap_or_default()));
    let properties = Doc::Map(vec![("revision", Doc::from(&report.revision))]);
    let run = Part::Map(vec![
        ("tool", Part::from(Doc::Map(vec![("driver", driver)]))),
        ("invocations", Part::from(Doc::List(vec![invocation]))),
        ("results", Part::list(results)),
        ("properties", Part::from(properties)),
    ]);
    Part::Map(vec![
        ("$schema", Part::from(SCHEMA)),
        ("version", Part::from("2.1.0")),
        ("runs", Part::list(std::iter::once(run))),
    ])
}

fn key(finding: &Finding) -> (&str, &str) {
    (&finding.constraint.kind, &finding.constraint.name)
}

fn text(text: &str) -> Doc {
    Doc::Map(vec![("text", Doc::from(text))])
}

fn result(finding: &Finding, rule: usize) -> Doc {
    let (kind, name) = key(finding);
    let level = match finding.action() {
        Some(Action::Deny) => "error",
        Some(Action::Warn) => "warning",
        Some(Action::Dryrun) | None => "note",
    };
    let object = &finding.object;
    let logical = format!("{}/{}/{}", object.api_version, object.kind, object.path());
    Doc::Map(vec![
        ("ruleId", Doc::from(format!("{kind}/{name}"))),
        ("ruleIndex", Doc::from(rule)),
        ("level", Doc::from(level)),
        ("message", text(&finding.message)),
        (
            "locations",
            Doc::List(vec![location(
                &finding.at.file,
                finding.line,
                finding.column,
                Some(&logical),
            )]),
        ),
    ])
}

/// A place; without lines when they are unknown.
fn location(file: &str, line: u32, column: u32, logical: Option<&str>) -> Doc {
    let mut physical = vec![("artifactLocation", Doc::Map(vec![("uri", Doc::from(uri(file)))]))];
    if line > 0 {
        let mut region = vec![("startLine", Doc::from(line))];
        if column > 0 {
            region.push(("startColumn", Doc::from(column)));
        }
        physical.push(("region", Doc::Map(region)));
    }
    let mut fields = vec![("physicalLocation", Doc::Map(physical))];
    if let Some(name) = logical {
        let logical = Doc::Map(vec![
            ("fullyQualifiedName", Doc::from(name)),
            ("kind", Doc::from("resource")),
        ]);
        fields.push(("logicalLocations", Doc::List(vec![logical])));
    }
    Doc::Map(fields)
}

/// A path as a relative URI reference (or a `file:` URI when it is absolute).
fn uri(path: &str) -> String {
    let mut out = String::new();
    let path = path.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for b in path.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'~' => out.push(char::from(b)),
            _ => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}
