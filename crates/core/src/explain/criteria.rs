//! The criteria of `spec.match`: what each wants, what the object has, and whether that fits.

use crate::matching::{self, Glob, Match, Operator, Selector, namespace_name};
use crate::object::{self, Gvk};
use crate::review::{Review, Source};
use regent_rego::{Object, Value};

/// One criterion of a `match` and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Its name (`kinds`, `labelSelector`, ...).
    pub name: &'static str,
    /// Asked of the object before the change, not of the object.
    pub old: bool,
    /// What the constraint wants.
    pub wanted: String,
    /// What the object has.
    pub had: String,
    /// Whether it fits; `Err`: why that cannot be told.
    pub holds: Result<bool, String>,
}

/// Each criterion that a constraint has, for the object and, on an update, for the old object.
pub(crate) fn of(matching: &Match, review: &Review, namespace: Option<&Value>) -> Vec<Criterion> {
    let mut out = Vec::new();
    let old = review
        .old_object
        .as_ref()
        .filter(|_| review.operation == "UPDATE" || review.object.is_none());
    for (object, is_old) in review.object.iter().map(|o| (o, false)).chain(old.map(|o| (o, true))) {
        let gvk = Gvk::of(object);
        for (name, holds) in matching::each(matching, review, object, namespace) {
            let Some((wanted, had)) = sides(name, matching, review, object, &gvk, namespace) else {
                continue;
            };
            out.push(Criterion {
                name,
                old: is_old,
                wanted,
                had,
                holds,
            });
        }
    }
    out
}

/// What is wanted and what is had; `None` where the constraint leaves it open.
fn sides(
    name: &str,
    matching: &Match,
    review: &Review,
    object: &Value,
    gvk: &Gvk<'_>,
    namespace: Option<&Value>,
) -> Option<(String, String)> {
    let lives_in = || namespace_name(object, gvk, namespace).unwrap_or("none").to_owned();
    if !matching.asks(name) {
        return None;
    }
    Some(match name {
        "kinds" => (kinds(matching), with_group(gvk.group, gvk.kind)),
        "scope" => {
            let namespaced = !gvk.is_namespace() && (namespace.is_some() || !object::namespace(object).is_empty());
            let had = if namespaced { "Namespaced" } else { "Cluster" };
            (matching.scope.clone(), had.to_owned())
        }
        "namespaces" => (globs(&matching.namespaces), lives_in()),
        "excludedNamespaces" => (format!("none of {}", globs(&matching.excluded_namespaces)), lives_in()),
        "labelSelector" => (
            selector(matching.label_selector.as_ref()?),
            labels(object::labels(object)),
        ),
        "namespaceSelector" => {
            let of = if gvk.is_namespace() { Some(object) } else { namespace };
            let had = match of {
                Some(namespace) => labels(object::labels(namespace)),
                None => "no Namespace".to_owned(),
            };
            (selector(matching.namespace_selector.as_ref()?), had)
        }
        "name" => {
            let generate = object::generate_name(object);
            let had = match object::name(object) {
                "" if !generate.is_empty() => format!("{generate}… (generateName)"),
                name => name.to_owned(),
            };
            (matching.name.as_ref()?.0.clone(), had)
        }
        "source" => {
            let had = match review.source {
                Some(Source::Original) => "Original",
                Some(Source::Generated) => "Generated",
                None => "not known",
            };
            (matching.source.clone(), had.to_owned())
        }
        _ => return None,
    })
}

fn with_group(group: &str, kind: &str) -> String {
    match group {
        "" => kind.to_owned(),
        group => format!("{group}/{kind}"),
    }
}

fn kinds(matching: &Match) -> String {
    let mut out = Vec::new();
    for entry in &matching.kinds {
        let any = ["*".to_owned()];
        let groups = if entry.any_group() { &any[..] } else { &entry.groups };
        let kinds = if entry.any_kind() { &any[..] } else { &entry.kinds };
        for group in groups {
            out.extend(kinds.iter().map(|kind| match (group.as_str(), kind.as_str()) {
                ("*", "*") => "any".to_owned(),
                ("*", kind) => format!("{kind} of any group"),
                (group, kind) => with_group(group, kind),
            }));
        }
    }
    out.join(", ")
}

fn globs(globs: &[Glob]) -> String {
    globs.iter().map(|g| g.0.as_str()).collect::<Vec<_>>().join(", ")
}

fn selector(selector: &Selector) -> String {
    if selector.0.is_empty() {
        return "any".to_owned();
    }
    let lines = selector.0.iter().map(|line| match &line.operator {
        Operator::In(values) => match values.as_slice() {
            [one] => format!("{}={one}", line.key),
            values => format!("{} in ({})", line.key, values.join(", ")),
        },
        Operator::NotIn(values) => format!("{} not in ({})", line.key, values.join(", ")),
        Operator::Exists => line.key.clone(),
        Operator::DoesNotExist => format!("no {}", line.key),
    });
    lines.collect::<Vec<_>>().join(", ")
}

fn labels(labels: Option<&Object>) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all: Vec<String> = labels
        .into_iter()
        .flat_map(Object::iter)
        .map(|(k, v)| format!("{}={}", text(k), text(v)))
        .collect();
    match all.is_empty() {
        true => "no labels".to_owned(),
        false => all.join(", "),
    }
}
