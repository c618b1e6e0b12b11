//! What `explain` tells, as text and JSON.

use crate::command::explain::{Told, of};
use crate::doc::Doc;
use crate::terminal::{self, paint, printable, style, wrap};
use regent_core::PolicySet;
use regent_core::explain::{Criterion, Denied, Explained, Failed, Place, Seen};
use std::fmt::Write;

/// An object and each of its constraints.
pub(crate) fn text(told: &Told, set: &PolicySet) -> String {
    let mut out = String::new();
    let title = format!("{} {}", printable(&told.name.kind), printable(&told.name.path()));
    let place = paint(style::DIM, format!("({}:{})", told.file, told.line));
    let _ = writeln!(out, "{} {place}", paint(style::BOLD, title));
    let constraints = set.constraints();
    for c in &told.constraints {
        let found: Vec<_> = of(told, c).collect();
        let (mark, word) = match (c.matched, found.is_empty()) {
            (false, _) => (paint(style::DIM, "-"), "does not apply"),
            (true, true) => (paint(style::GREEN, "✓"), "holds"),
            (true, false) => (paint(style::RED, "✗"), "violated"),
        };
        let mut line = format!("  {mark} {}/{}: {word}", c.constraint_kind, c.constraint_name);
        if let Some(g) = &c.generated {
            let _ = write!(line, ", in the {} {:?} it implies ({})", g.kind, g.name, g.template);
        }
        let loaded = constraints
            .iter()
            .find(|i| i.kind == c.constraint_kind && i.name == c.constraint_name);
        if let Some(info) = loaded {
            let _ = write!(line, " {}", paint(style::DIM, format!("({}:{})", info.file, info.line)));
        }
        let _ = writeln!(out, "{line}");
        paragraph(&mut out, 6, &c.reason);
        criteria(&mut out, &c.criteria);
        for (violation, (row, column), denied) in found {
            let _ = writeln!(
                out,
                "      {}:{row}:{column}: {}",
                told.file, violation.enforcement_action
            );
            paragraph(&mut out, 6, &violation.message);
            if let Some(denied) = denied {
                by(&mut out, denied);
            }
        }
        for rule in &c.failed {
            failed(&mut out, 6, rule);
        }
    }
    for u in &told.decision.unconfirmed {
        let of = format!("{}/{}", u.constraint_kind, u.constraint_name);
        let _ = writeln!(out, "  no second opinion on {of}: {}", printable(&u.reason));
    }
    for failure in &told.decision.failures {
        let of = format!("{}/{}", failure.constraint_kind, failure.constraint_name);
        let _ = writeln!(
            out,
            "  {} {of}: {}",
            paint(style::RED, "error"),
            printable(&failure.message)
        );
    }
    out
}

fn paragraph(out: &mut String, indent: usize, text: &str) {
    if text.is_empty() {
        return;
    }
    for line in wrap(text, terminal::width().saturating_sub(indent)) {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
}

fn criteria(out: &mut String, criteria: &[Criterion]) {
    for c in criteria {
        let mark = match &c.holds {
            Ok(true) => paint(style::GREEN, "✓"),
            Ok(false) => paint(style::RED, "✗"),
            Err(_) => paint(style::YELLOW, "?"),
        };
        let of = if c.old { " (old object)" } else { "" };
        let why = match &c.holds {
            Err(why) => format!(": {why}"),
            Ok(_) => String::new(),
        };
        let line = format!("{}{of}: wants {}, has {}{why}", c.name, c.wanted, c.had);
        let _ = writeln!(out, "      {mark} {}", printable(&line));
    }
}

/// Which rule denied, at which line, with what.
fn by(out: &mut String, denied: &Denied) {
    at(out, 8, "decided at", &denied.decided);
    if denied.rule != denied.decided {
        at(out, 8, "in", &denied.rule);
    }
    if let Some(node) = denied.node.as_ref().filter(|n| !n.is_empty()) {
        let _ = writeln!(out, "        read last: {}", printable(&node.join(".")));
    }
    seen(out, 10, &denied.variables);
}

fn failed(out: &mut String, indent: usize, rule: &Failed) {
    at(out, indent, "rule", &rule.rule);
    let inner = indent + 2;
    // That a head was made is told by the rule itself.
    let expression = rule.expression.as_ref().filter(|e| **e != rule.rule);
    match (expression, rule.held) {
        (None, 0) if rule.expression.is_none() && rule.inner.is_none() => {
            let _ = writeln!(out, "{:inner$}was not tried", "");
        }
        (Some(place), 0) => at(out, inner, "failed at", place),
        (Some(place), _) => at(out, inner, "held, up to", place),
        (None, _) => {}
    }
    if let Some(place) = &rule.inner {
        at(out, inner, "came as far as", place);
    }
    seen(out, inner + 2, &rule.variables);
    seen(out, inner + 2, &rule.references);
    for asked in &rule.asked {
        failed(out, inner, asked);
    }
}

fn at(out: &mut String, indent: usize, what: &str, place: &Place) {
    let where_ = match place.line {
        0 => String::new(),
        line => format!(" {}:{line}", place.file),
    };
    let text: String = printable(&place.text);
    let room = terminal::width().saturating_sub(indent + 4).max(40);
    let shown: String = match text.char_indices().nth(room) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    };
    let _ = writeln!(out, "{:indent$}{what}{}", "", paint(style::DIM, where_));
    let deeper = indent + 2;
    let _ = writeln!(out, "{:deeper$}{}", "", paint(style::CYAN, shown));
}

fn seen(out: &mut String, indent: usize, all: &[Seen]) {
    for one in all {
        let value = one.value.as_deref().unwrap_or("undefined");
        let _ = writeln!(out, "{:indent$}{} = {}", "", printable(&one.name), printable(value));
    }
}

/// The same for programs.
pub(crate) fn doc(told: &Told) -> Doc {
    let errors = told.decision.failures.iter().map(|f| {
        Doc::Map(vec![
            ("kind", Doc::from(&f.constraint_kind)),
            ("name", Doc::from(&f.constraint_name)),
            ("message", Doc::from(&f.message)),
        ])
    });
    let unconfirmed = told.decision.unconfirmed.iter().map(|u| {
        Doc::Map(vec![
            ("kind", Doc::from(&u.constraint_kind)),
            ("name", Doc::from(&u.constraint_name)),
            ("reason", Doc::from(&u.reason)),
        ])
    });
    let constraints = told.constraints.iter().map(|c| constraint(told, c));
    let mut fields = vec![
        ("file", Doc::from(&told.file)),
        ("line", Doc::from(told.line)),
        ("object", told.name.doc()),
        ("constraints", constraints.collect()),
        ("errors", errors.collect()),
    ];
    if !told.decision.unconfirmed.is_empty() {
        fields.push(("unconfirmed", unconfirmed.collect()));
    }
    Doc::Map(fields)
}

fn constraint(told: &Told, c: &Explained) -> Doc {
    let violations = of(told, c).map(|(v, (line, column), denied)| {
        let mut fields = vec![
            ("line", Doc::from(line)),
            ("column", Doc::from(column)),
            ("enforcementAction", Doc::from(&v.enforcement_action)),
            ("message", Doc::from(&v.message)),
            ("details", Doc::Value(v.details.clone())),
        ];
        if let Some(denied) = denied {
            fields.push(("rule", place(&denied.rule)));
            fields.push(("decided", place(&denied.decided)));
            fields.push(("variables", values(&denied.variables)));
            if let Some(node) = &denied.node {
                fields.push(("path", node.iter().map(Doc::from).collect()));
            }
        }
        Doc::Map(fields)
    });
    let mut fields = vec![
        ("kind", Doc::from(&c.constraint_kind)),
        ("name", Doc::from(&c.constraint_name)),
        ("matched", Doc::from(c.matched)),
        ("reason", Doc::from(&c.reason)),
        ("criteria", c.criteria.iter().map(criterion).collect()),
        ("violations", violations.collect()),
        ("failed", c.failed.iter().map(failed_doc).collect()),
    ];
    if let Some(g) = &c.generated {
        let generated = vec![
            ("kind", Doc::from(&g.kind)),
            ("name", Doc::from(&g.name)),
            ("template", Doc::from(&g.template)),
        ];
        fields.push(("generated", Doc::Map(generated)));
    }
    Doc::Map(fields)
}

fn criterion(c: &Criterion) -> Doc {
    let mut fields = vec![
        ("name", Doc::from(c.name)),
        ("of", Doc::from(if c.old { "oldObject" } else { "object" })),
        ("wanted", Doc::from(&c.wanted)),
        ("had", Doc::from(&c.had)),
    ];
    match &c.holds {
        Ok(holds) => fields.push(("holds", Doc::from(*holds))),
        Err(why) => fields.push(("error", Doc::from(why))),
    }
    Doc::Map(fields)
}

fn place(place: &Place) -> Doc {
    Doc::Map(vec![
        ("file", Doc::from(&place.file)),
        ("line", Doc::from(place.line)),
        ("text", Doc::from(&place.text)),
    ])
}

/// Undefined ones have no value.
fn values(all: &[Seen]) -> Doc {
    let one = |s: &Seen| {
        let mut fields = vec![("name", Doc::from(&s.name))];
        fields.extend(s.value.as_ref().map(|v| ("value", Doc::from(v))));
        Doc::Map(fields)
    };
    all.iter().map(one).collect()
}

fn failed_doc(rule: &Failed) -> Doc {
    let mut fields = vec![
        ("rule", place(&rule.rule)),
        ("held", Doc::from(usize::try_from(rule.held).unwrap_or(usize::MAX))),
    ];
    fields.extend(rule.expression.as_ref().map(|p| ("expression", place(p))));
    fields.extend(rule.inner.as_ref().map(|p| ("inner", place(p))));
    fields.push(("variables", values(&rule.variables)));
    fields.push(("references", values(&rule.references)));
    fields.push(("asked", rule.asked.iter().map(failed_doc).collect()));
    Doc::Map(fields)
}
