//! `regent explain`: for each object, which constraints apply and why not, and what they found.

use super::{CLEAN, DENIED, FAILED, check};
use crate::arguments::{Explain, ExplainFormat};
use crate::doc::Doc;
use crate::judge::{self, Context, Prepared};
use crate::manifests::Manifests;
use crate::render::explain as render;
use crate::report::ObjectName;
use crate::terminal;
use regent_core::explain::{Denied, Explained};
use regent_core::manifest::Document;
use regent_core::{Action, Decision, PolicySet, Violation, evaluate, explain};

/// An object with all that is said of it.
pub(crate) struct Told {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) name: ObjectName,
    pub(crate) constraints: Vec<Explained>,
    pub(crate) decision: Decision,
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
    let names = Names::of(&args.names, &set);
    let mut failed = !manifests.problems.is_empty() || !problems.is_empty();
    let mut told = Vec::new();
    for (file, read) in manifests.documents() {
        let prepared = read.and_then(|d| judge::prepare(&context, file, &d).map(|p| (d, p)));
        match prepared {
            Ok((document, prepared)) => {
                if names.object(&prepared.name) {
                    told.push(tell(&context, &names, file, &document, prepared));
                }
            }
            Err(problem) => {
                failed = true;
                manifests.show(&[problem]);
            }
        }
    }
    if told.is_empty() && !failed {
        let what = match names.objects.as_slice() {
            [] => "object".to_owned(),
            names => names.join(" "),
        };
        terminal::error(&format!("there is no {what:?} among the manifests"));
        return FAILED;
    }
    let text = match args.output {
        ExplainFormat::Text => told.iter().map(|t| render::text(t, &set)).collect(),
        ExplainFormat::Json => told.iter().map(render::doc).collect::<Doc>().json(),
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

/// What the user named: objects and constraints, told apart by what is loaded.
struct Names<'a> {
    objects: Vec<&'a str>,
    constraints: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(names: &'a [String], set: &PolicySet) -> Names<'a> {
        let constraints = set.constraints();
        let is_constraint = |name: &&str| constraints.iter().any(|c| is_called(name, &c.kind, &c.name));
        let (constraints, objects) = names.iter().map(String::as_str).partition(is_constraint);
        Names { objects, constraints }
    }

    /// `NAME`, `KIND/NAME` or `KIND/NAMESPACE/NAME`; kinds in any case.
    fn object(&self, name: &ObjectName) -> bool {
        let called = |selector: &&str| match selector.split('/').collect::<Vec<_>>().as_slice() {
            [kind, namespace, n] => {
                kind.eq_ignore_ascii_case(&name.kind) && *namespace == name.namespace && *n == name.name
            }
            _ => is_called(selector, &name.kind, &name.name),
        };
        self.objects.is_empty() || self.objects.iter().any(called)
    }

    fn constraint(&self, kind: &str, name: &str) -> bool {
        self.constraints.is_empty() || self.constraints.iter().any(|s| is_called(s, kind, name))
    }
}

/// `NAME` or `KIND/NAME`.
fn is_called(selector: &str, kind: &str, name: &str) -> bool {
    match selector.split_once('/') {
        None => selector == name,
        Some((k, n)) => k.eq_ignore_ascii_case(kind) && n == name,
    }
}

fn tell(context: &Context<'_>, names: &Names<'_>, file: &str, document: &Document, prepared: Prepared) -> Told {
    let wanted = |kind: &str, name: &str| names.constraint(kind, name);
    let (constraints, mut decision) = context.with_options(|options| {
        (
            explain(context.set, &prepared.review, context.inventory, options, &wanted),
            evaluate(context.set, &prepared.review, context.inventory, options),
        )
    });
    decision
        .violations
        .retain(|v| wanted(&v.constraint_kind, &v.constraint_name));
    decision
        .failures
        .retain(|f| f.constraint_kind.is_empty() || wanted(&f.constraint_kind, &f.constraint_name));
    let nodes = judge::nodes(context, &prepared.review, &decision);
    let subject = prepared.review.subject();
    let place = |(v, node)| judge::place(&document.places, prepared.prefix, subject, v, node);
    Told {
        file: file.to_owned(),
        line: document.places.find(prepared.prefix).0,
        places: decision.violations.iter().zip(nodes).map(place).collect(),
        name: prepared.name,
        constraints,
        decision,
    }
}

/// Findings of a constraint on the same implied object.
pub(crate) fn of<'t>(
    told: &'t Told,
    c: &'t Explained,
) -> impl Iterator<Item = (&'t Violation, (u32, u32), Option<&'t Denied>)> {
    let all = told.decision.violations.iter().zip(told.places.iter().copied());
    all.filter(|(v, _)| {
        v.constraint_kind == c.constraint_kind && v.constraint_name == c.constraint_name && v.generated == c.generated
    })
    .map(|(v, place)| {
        // Messages of implied objects have a prefix.
        let by = |d: &&Denied| v.message.ends_with(&d.message) && v.details == d.details;
        (v, place, c.denied.iter().find(by))
    })
}
