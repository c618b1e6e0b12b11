//! `regent explain`: for each object, which constraints apply and why not, and what they found.

use super::{CLEAN, DENIED, FAILED, check};
use crate::arguments::{Explain, ExplainFormat};
use crate::doc::Doc;
use crate::judge::{self, Context, Prepared};
use crate::manifests::Manifests;
use crate::report::ObjectName;
use crate::terminal::{self, paint, printable, style, wrap};
use regent_core::evaluate::Explained;
use regent_core::manifest::Document;
use regent_core::{Action, Decision, PolicySet, evaluate, explain};
use std::fmt::Write;

/// An object with all that is said of it.
struct Told {
    file: String,
    line: u32,
    name: ObjectName,
    constraints: Vec<Explained>,
    decision: Decision,
    places: Vec<(u32, u32)>,
}

pub(crate) fn run(args: &Explain) -> u8 {
    let manifests = Manifests::read(&args.judging.filename);
    manifests.show(&manifests.problems);
    let Ok(set) = check::policies(&args.judging, &manifests) else {
        return FAILED;
    };
    let (inventory, problems) = check::inventory(&args.judging, &set, &manifests);
    let context = Context::new(&set, &inventory, &args.judging);
    let mut failed = !manifests.problems.is_empty() || !problems.is_empty();
    let mut told = Vec::new();
    for (file, read) in manifests.documents() {
        let prepared = read.and_then(|d| judge::prepare(&context, file, &d).map(|p| (d, p)));
        match prepared {
            Ok((document, prepared)) => {
                if wanted(args.object.as_deref(), &prepared.name) {
                    told.push(tell(&context, file, &document, prepared));
                }
            }
            Err(problem) => {
                failed = true;
                manifests.show(&[problem]);
            }
        }
    }
    if told.is_empty() && !failed {
        let what = args.object.as_deref().unwrap_or("object");
        terminal::error(&format!("there is no {what:?} among the manifests"));
        return FAILED;
    }
    let text = match args.output {
        ExplainFormat::Text => told.iter().map(|t| text(t, &set)).collect(),
        ExplainFormat::Json => told.iter().map(doc).collect::<Doc>().json(),
    };
    terminal::print(&text);
    let denied = |d: &Decision| d.violations.iter().any(|v| v.actions.contains(&Action::Deny));
    if failed || told.iter().any(|t| !t.decision.failures.is_empty()) {
        FAILED
    } else if told.iter().any(|t| denied(&t.decision)) {
        DENIED
    } else {
        CLEAN
    }
}

/// `NAME`, `KIND/NAME` or `KIND/NAMESPACE/NAME`; kinds in any case.
fn wanted(selector: Option<&str>, name: &ObjectName) -> bool {
    let Some(selector) = selector else { return true };
    let parts: Vec<&str> = selector.split('/').collect();
    match parts.as_slice() {
        [n] => *n == name.name,
        [kind, n] => kind.eq_ignore_ascii_case(&name.kind) && *n == name.name,
        [kind, namespace, n] => {
            kind.eq_ignore_ascii_case(&name.kind) && *namespace == name.namespace && *n == name.name
        }
        _ => false,
    }
}

fn tell(context: &Context<'_>, file: &str, document: &Document, prepared: Prepared) -> Told {
    let (constraints, decision) = context.with_options(|options| {
        (
            explain(context.set, &prepared.review, context.inventory, options),
            evaluate(context.set, &prepared.review, context.inventory, options),
        )
    });
    let subject = prepared.review.subject();
    let place = |v| judge::place(&document.places, prepared.prefix, subject, v);
    Told {
        file: file.to_owned(),
        line: document.places.find(prepared.prefix).0,
        places: decision.violations.iter().map(place).collect(),
        name: prepared.name,
        constraints,
        decision,
    }
}

/// Findings of a constraint on the same implied object.
fn of<'t>(told: &'t Told, c: &'t Explained) -> impl Iterator<Item = (&'t regent_core::Violation, (u32, u32))> {
    let all = told.decision.violations.iter().zip(told.places.iter().copied());
    all.filter(|(v, _)| {
        v.constraint_kind == c.constraint_kind && v.constraint_name == c.constraint_name && v.generated == c.generated
    })
}

fn text(told: &Told, set: &PolicySet) -> String {
    let mut out = String::new();
    let title = format!("{} {}", printable(&told.name.kind), printable(&told.name.path()));
    let place = paint(style::DIM, format!("({}:{})", told.file, told.line));
    let _ = writeln!(out, "{} {place}", paint(style::BOLD, title));
    let constraints = set.constraints();
    let width = terminal::width().saturating_sub(6);
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
        if let Some(info) = constraints
            .iter()
            .find(|i| i.kind == c.constraint_kind && i.name == c.constraint_name)
        {
            let _ = write!(line, " {}", paint(style::DIM, format!("({}:{})", info.file, info.line)));
        }
        let _ = writeln!(out, "{line}");
        if !c.reason.is_empty() {
            for line in wrap(&c.reason, width) {
                let _ = writeln!(out, "      {line}");
            }
        }
        for (violation, (row, column)) in found {
            let at = format!("{}:{row}:{column}: {}", told.file, violation.enforcement_action);
            let _ = writeln!(out, "      {at}");
            for line in wrap(&violation.message, width) {
                let _ = writeln!(out, "      {line}");
            }
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

fn doc(told: &Told) -> Doc {
    let constraints = told.constraints.iter().map(|c| {
        let violations = of(told, c).map(|(v, (line, column))| {
            Doc::Map(vec![
                ("line", Doc::from(line)),
                ("column", Doc::from(column)),
                ("enforcementAction", Doc::from(&v.enforcement_action)),
                ("message", Doc::from(&v.message)),
                ("details", Doc::Value(v.details.clone())),
            ])
        });
        let mut fields = vec![
            ("kind", Doc::from(&c.constraint_kind)),
            ("name", Doc::from(&c.constraint_name)),
            ("matched", Doc::from(c.matched)),
            ("reason", Doc::from(&c.reason)),
            ("violations", violations.collect()),
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
    });
    let unconfirmed = told.decision.unconfirmed.iter().map(|u| {
        Doc::Map(vec![
            ("kind", Doc::from(&u.constraint_kind)),
            ("name", Doc::from(&u.constraint_name)),
            ("reason", Doc::from(&u.reason)),
        ])
    });
    let errors = told.decision.failures.iter().map(|f| {
        Doc::Map(vec![
            ("kind", Doc::from(&f.constraint_kind)),
            ("name", Doc::from(&f.constraint_name)),
            ("message", Doc::from(&f.message)),
        ])
    });
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
