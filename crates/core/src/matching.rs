//! Does a constraint apply to a review: a pure function a criterion, in Gatekeeper's order, the first that says no
//! ends it.

use crate::object::{self, Gvk};
use crate::review::{Review, Source};
use regent_rego::{Object, Value};

/// A pattern with `*` at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(pub String);

impl Glob {
    /// Whether it has no `*`, so that one text alone matches.
    pub fn is_exact(&self) -> bool {
        !self.0.starts_with('*') && !self.0.ends_with('*')
    }

    /// `*x*` contains, `*x` ends with, `x*` begins with, `x` is.
    pub fn matches(&self, text: &str) -> bool {
        let pattern = self.0.as_str();
        match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(rest), Some(_)) => text.contains(rest.strip_suffix('*').unwrap_or(rest)),
            (Some(rest), None) => text.ends_with(rest),
            (None, Some(rest)) => text.starts_with(rest),
            (None, None) => pattern == text,
        }
    }

    /// Against `metadata.generateName`: only forms that leave the end open can match, as the rest of the name is not
    /// known.
    pub fn matches_generate_name(&self, text: &str) -> bool {
        self.0.ends_with('*') && self.matches(text)
    }
}

/// One entry of `match.kinds`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Groups; empty or `*`: any.
    pub groups: Vec<String>,
    /// Kinds; empty or `*`: any.
    pub kinds: Vec<String>,
}

impl Kinds {
    /// Any group.
    pub fn any_group(&self) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|g| g == "*")
    }

    /// Any kind.
    pub fn any_kind(&self) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|k| k == "*")
    }
}

/// One line of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
}

/// How a label is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Is there, with one of these values.
    In(Vec<String>),
    /// Is not there, or has none of these values.
    NotIn(Vec<String>),
    /// Is there.
    Exists,
    /// Is not there.
    DoesNotExist,
}

/// A label selector: all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Requirement>);

impl Selector {
    /// Reads `{matchLabels, matchExpressions}` that was validated.
    pub fn read(value: &Value) -> Selector {
        let mut out = Vec::new();
        for (key, label) in value
            .get("matchLabels")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Object::iter)
        {
            out.push(Requirement {
                key: key.as_str().unwrap_or_default().to_owned(),
                operator: Operator::In(vec![label.as_str().unwrap_or_default().to_owned()]),
            });
        }
        for line in value
            .get("matchExpressions")
            .and_then(Value::as_array)
            .unwrap_or_default()
        {
            let values = strings(line.get("values"));
            out.push(Requirement {
                key: object::text(line, &["key"]).to_owned(),
                operator: match object::text(line, &["operator"]) {
                    "In" => Operator::In(values),
                    "NotIn" => Operator::NotIn(values),
                    "Exists" => Operator::Exists,
                    _ => Operator::DoesNotExist,
                },
            });
        }
        Selector(out)
    }

    /// Whether labels satisfy it.
    pub fn matches(&self, labels: Option<&Object>) -> bool {
        self.0.iter().all(|line| {
            let value = labels.and_then(|l| l.get_str(&line.key)).and_then(Value::as_str);
            match (&line.operator, value) {
                (Operator::In(values), Some(value)) => values.iter().any(|v| v == value),
                (Operator::NotIn(values), Some(value)) => !values.iter().any(|v| v == value),
                (Operator::Exists, found) => found.is_some(),
                (Operator::DoesNotExist, found) => found.is_none(),
                (Operator::In(_), None) => false,
                (Operator::NotIn(_), None) => true,
            }
        })
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .map(|v| v.as_str().unwrap_or_default().to_owned())
        .collect()
}

fn globs(value: Option<&Value>) -> Vec<Glob> {
    strings(value).into_iter().map(Glob).collect()
}

/// `spec.match`, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// `kinds`.
    pub kinds: Vec<Kinds>,
    /// `scope`, as written.
    pub scope: String,
    /// `namespaces`.
    pub namespaces: Vec<Glob>,
    /// `excludedNamespaces`.
    pub excluded_namespaces: Vec<Glob>,
    /// `labelSelector`.
    pub label_selector: Option<Selector>,
    /// `namespaceSelector`.
    pub namespace_selector: Option<Selector>,
    /// `name`.
    pub name: Option<Glob>,
    /// `source`, as written.
    pub source: String,
}

impl Match {
    /// Reads a `match` that was validated.
    pub fn read(value: &Value) -> Match {
        let selector = |key| match value.get(key) {
            Some(v @ Value::Object(_)) => Some(Selector::read(v)),
            _ => None,
        };
        let name = object::text(value, &["name"]);
        Match {
            kinds: value
                .get("kinds")
                .and_then(Value::as_array)
                .unwrap_or_default()
                .iter()
                .map(|k| Kinds {
                    groups: strings(k.get("apiGroups")),
                    kinds: strings(k.get("kinds")),
                })
                .collect(),
            scope: object::text(value, &["scope"]).to_owned(),
            namespaces: globs(value.get("namespaces")),
            excluded_namespaces: globs(value.get("excludedNamespaces")),
            label_selector: selector("labelSelector"),
            namespace_selector: selector("namespaceSelector"),
            name: (!name.is_empty()).then(|| Glob(name.to_owned())),
            source: object::text(value, &["source"]).to_owned(),
        }
    }
}

impl Match {
    /// Whether a criterion of this name says anything: what is left out or open fits everything.
    pub fn asks(&self, criterion: &str) -> bool {
        match criterion {
            "kinds" => !self.kinds.is_empty(),
            "scope" => !self.scope.is_empty() && self.scope != "*",
            "namespaces" => !self.namespaces.is_empty(),
            "excludedNamespaces" => !self.excluded_namespaces.is_empty(),
            "labelSelector" => self.label_selector.is_some(),
            "namespaceSelector" => self.namespace_selector.is_some(),
            "name" => self.name.is_some(),
            "source" => !self.source.is_empty() && self.source != "All",
            _ => false,
        }
    }

    /// The criteria that say anything, in the order in which they are asked.
    pub fn criteria(&self) -> impl Iterator<Item = &'static str> + use<'_> {
        CRITERIA
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| self.asks(name))
    }
}

/// What matching came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The constraint applies.
    Matches,
    /// It does not, because of this criterion of `spec.match`.
    Differs(&'static str),
    /// It cannot be told; the text is Gatekeeper's, without `unable to match constraints: `.
    Unknown(String),
}

/// One object with its surroundings, as every criterion sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    object: &'a Value,
    gvk: Gvk<'a>,
    namespace: Option<&'a Value>,
    source: Option<Source>,
}

/// A criterion: it holds, it does not, or it cannot be told.
type Criterion = fn(&Match, &Subject<'_>) -> Result<bool, String>;

const CRITERIA: [(&str, Criterion); 8] = [
    ("kinds", kinds),
    ("scope", scope),
    ("namespaces", namespaces),
    ("excludedNamespaces", excluded_namespaces),
    ("labelSelector", label_selector),
    ("namespaceSelector", namespace_selector),
    ("name", name),
    ("source", source),
];

/// Matches a review: on its object, then on its old one; either is enough, and an error ends it.
///
/// `namespace` is the review's own, or the one the caller looked up.
pub fn matches(criteria: Option<&Match>, review: &Review, namespace: Option<&Value>) -> Verdict {
    let Some(criteria) = criteria else {
        return Verdict::Matches;
    };
    for (what, object) in [("object", &review.object), ("oldObject", &review.old_object)] {
        if let Some(object) = object
            && object::text(object, &["kind"]).is_empty()
        {
            let raw = regent_rego::json::write(object);
            return Verdict::Unknown(format!(
                "invalid request object: failed to unmarshal gkReview {what} {raw}"
            ));
        }
    }
    let mut first = None;
    for object in [&review.object, &review.old_object].into_iter().flatten() {
        let subject = Subject {
            object,
            gvk: Gvk::of(object),
            namespace,
            source: review.source,
        };
        match matches_one(criteria, &subject) {
            Verdict::Matches => return Verdict::Matches,
            Verdict::Unknown(why) => {
                return Verdict::Unknown(format!(
                    "error matching the requested object: {} :failed to run Match criteria: {why}",
                    object::name(object)
                ));
            }
            differs => first = first.or(Some(differs)),
        }
    }
    first.unwrap_or_else(|| {
        Verdict::Unknown("invalid request object: neither object nor old object are defined".to_owned())
    })
}

/// Every criterion of a `match` on an object: its name, and whether it holds.
pub(crate) fn each(
    criteria: &Match,
    review: &Review,
    object: &Value,
    namespace: Option<&Value>,
) -> Vec<(&'static str, Result<bool, String>)> {
    let subject = Subject {
        object,
        gvk: Gvk::of(object),
        namespace,
        source: review.source,
    };
    let told = |(name, criterion): (&'static str, Criterion)| (name, criterion(criteria, &subject));
    CRITERIA.into_iter().map(told).collect()
}

fn matches_one(criteria: &Match, subject: &Subject<'_>) -> Verdict {
    for (what, criterion) in CRITERIA {
        match criterion(criteria, subject) {
            Ok(true) => {}
            Ok(false) => return Verdict::Differs(what),
            Err(why) => return Verdict::Unknown(why),
        }
    }
    Verdict::Matches
}

fn kinds(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    Ok(criteria.kinds.is_empty()
        || criteria.kinds.iter().any(|entry| {
            (entry.any_kind() || entry.kinds.iter().any(|k| k == subject.gvk.kind))
                && (entry.any_group() || entry.groups.iter().any(|g| g == subject.gvk.group))
        }))
}

fn scope(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    let has_namespace = subject.namespace.is_some() || !object::namespace(subject.object).is_empty();
    let is_namespace = subject.gvk.is_namespace();
    Ok(match criteria.scope.as_str() {
        "Cluster" => is_namespace || !has_namespace,
        "Namespaced" => !is_namespace && has_namespace,
        // Typos among them, as Gatekeeper's schema lets them pass.
        _ => true,
    })
}

/// The namespace the globs look at; `None`: cluster-scoped, always in scope.
pub(crate) fn namespace_name<'a>(object: &'a Value, gvk: &Gvk<'_>, namespace: Option<&'a Value>) -> Option<&'a str> {
    if gvk.is_namespace() {
        return Some(object::name(object));
    }
    if let Some(namespace) = namespace {
        return Some(object::name(namespace));
    }
    Some(object::namespace(object)).filter(|n| !n.is_empty())
}

fn namespaces(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    if criteria.namespaces.is_empty() {
        return Ok(true);
    }
    Ok(namespace_name(subject.object, &subject.gvk, subject.namespace)
        .is_none_or(|name| criteria.namespaces.iter().any(|g| g.matches(name))))
}

fn excluded_namespaces(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    if criteria.excluded_namespaces.is_empty() {
        return Ok(true);
    }
    Ok(namespace_name(subject.object, &subject.gvk, subject.namespace)
        .is_none_or(|name| !criteria.excluded_namespaces.iter().any(|g| g.matches(name))))
}

fn label_selector(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    Ok(criteria
        .label_selector
        .as_ref()
        .is_none_or(|s| s.matches(object::labels(subject.object))))
}

fn namespace_selector(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    let Some(selector) = &criteria.namespace_selector else {
        return Ok(true);
    };
    if subject.gvk.is_namespace() {
        return Ok(selector.matches(object::labels(subject.object)));
    }
    match subject.namespace {
        Some(namespace) => Ok(selector.matches(object::labels(namespace))),
        None if object::namespace(subject.object).is_empty() => Ok(true),
        None => Err("namespace selector for namespace-scoped object but missing Namespace".to_owned()),
    }
}

fn name(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    Ok(criteria.name.as_ref().is_none_or(|glob| {
        glob.matches(object::name(subject.object)) || glob.matches_generate_name(object::generate_name(subject.object))
    }))
}

fn source(criteria: &Match, subject: &Subject<'_>) -> Result<bool, String> {
    match (criteria.source.as_str(), subject.source) {
        ("" | "All", _) => Ok(true),
        ("Original" | "Generated", None) => Err(format!(
            "source field not specified for resource {}",
            object::name(subject.object)
        )),
        ("Original", Some(source)) => Ok(source == Source::Original),
        ("Generated", Some(source)) => Ok(source == Source::Generated),
        (other, _) => Err(format!("invalid source field {}", object::quote(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, matches, generate_name) in [
            ("web", "web", true, false),
            ("web", "web-1", false, false),
            ("web*", "web-1", true, true),
            ("*web", "my-web", true, false),
            ("*web*", "a-web-b", true, true),
            ("*", "", true, true),
            ("**", "", true, true),
            ("w*b", "web", false, false),
            ("", "", true, false),
        ] {
            let glob = Glob(pattern.to_owned());
            assert_eq!(glob.matches(text), matches, "{pattern} {text}");
            assert_eq!(
                glob.matches_generate_name(text),
                generate_name,
                "{pattern} {text} generated"
            );
        }
    }
}
