//! A template with parameters, match and enforcement action. Checks stand in Gatekeeper's order and speak its words.

use crate::decision::Action;
use crate::matching::Match;
use crate::object::{self, Gvk, go_type, go_value, quote};
use crate::schema::{FieldError, aggregate};
use crate::template::{DNS1123, LoadError, Outline, is_dns1123};
use regent_rego::{Object, Value};

const INVALID: &str = "invalid Constraint";
const GROUP: &str = "constraints.gatekeeper.sh";
/// The annotation that has a constraint judge the Pods that workloads imply.
pub const WORKLOADS: &str = "regent.dev/workloads";

/// A loaded constraint.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// The template's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `spec.enforcementAction`; `deny` when absent.
    pub enforcement_action: String,
    /// `spec.scopedEnforcementActions`.
    pub scoped: Vec<Scoped>,
    /// `spec.match`; `None` matches everything.
    pub matching: Option<Match>,
    /// `spec.parameters` with defaults, `{}` when absent.
    pub parameters: Value,
    /// Judge the Pods that workloads imply ([`WORKLOADS`]).
    pub workloads: bool,
}

/// One entry of `spec.scopedEnforcementActions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoped {
    /// The action.
    pub action: String,
    /// Enforcement points; `*` is all of them.
    pub points: Vec<String>,
}

impl Constraint {
    /// Checks a constraint document; `template` finds what a template of that name asks for.
    ///
    /// # Errors
    /// The first thing that Gatekeeper would complain of.
    pub fn read<'t>(
        document: &Value,
        template: impl FnOnce(&str) -> Option<&'t Outline>,
        validate_actions: bool,
    ) -> Result<Constraint, LoadError> {
        let name = object::name(document);
        let gvk = Gvk::of(document);
        if name.is_empty() {
            return Err(LoadError::new(
                format!("{INVALID}: missing metadata.name"),
                &["metadata"],
            ));
        }
        if gvk.kind.is_empty() {
            return Err(LoadError::new(format!("{INVALID}: missing kind"), &[]));
        }
        if gvk.group != GROUP {
            let message = format!(
                "{INVALID}: wrong API Group for Constraint {}, got {} but need {}",
                quote(name),
                quote(gvk.group),
                quote(GROUP)
            );
            return Err(LoadError::new(message, &["apiVersion"]));
        }
        let lower = gvk.kind.to_lowercase();
        let Some(template) = template(&lower) else {
            let message = format!("missing ConstraintTemplate: template {} not found", quote(&lower));
            return Err(LoadError::new(message, &["kind"]));
        };
        check_selectors(document)?;
        if !is_dns1123(name) || name.len() > 253 {
            return Err(LoadError::new(
                format!("{INVALID}: invalid name: {}", quote(DNS1123)),
                &["metadata", "name"],
            ));
        }
        if gvk.kind != template.kind {
            let (name, kind, wanted) = (quote(name), quote(gvk.kind), quote(&template.kind));
            // Gatekeeper's own text has name and kind in each other's place.
            let message = format!("{INVALID}: wrong kind {name} for constraint {kind}; want {wanted}");
            return Err(LoadError::new(message, &["kind"]));
        }
        if !matches!(gvk.version, "v1beta1" | "v1alpha1") {
            let message = format!(
                "{INVALID}: unsupported version {} for Constraint {}; supported versions: map[v1alpha1:true \
                 v1beta1:true]",
                quote(gvk.version),
                quote(name)
            );
            return Err(LoadError::new(message, &["apiVersion"]));
        }
        let mut errors = template.schema.validate(document);
        // Gatekeeper's come in any order; ours in one.
        errors.sort_by_cached_key(|e| format!("{}: {}", e.path, e.detail));
        if let Some(first) = errors.first() {
            return Err(LoadError {
                path: segments(&first.path),
                schema: true,
                ..LoadError::new(format!("schema validation failed: {}", aggregate(&errors)), &[])
            });
        }
        let unknown = template.schema.unknown_fields(document);
        if let Some(first) = unknown.first() {
            return Err(LoadError {
                path: segments(first),
                ..LoadError::new(format!("{INVALID}: unknown fields: [{}]", unknown.join(" ")), &[])
            });
        }
        let full = template.schema.defaulted(document);
        let scoped = full.path(&["spec", "scopedEnforcementActions"]);
        let constraint = Constraint {
            kind: gvk.kind.to_owned(),
            name: name.to_owned(),
            enforcement_action: full
                .path(&["spec", "enforcementAction"])
                .and_then(Value::as_str)
                .unwrap_or("deny")
                .to_owned(),
            scoped: read_scoped(scoped),
            matching: full
                .path(&["spec", "match"])
                .filter(|m| m.as_object().is_some())
                .map(Match::read),
            parameters: full
                .path(&["spec", "parameters"])
                .filter(|p| !matches!(p, Value::Null))
                .cloned()
                .unwrap_or_else(|| Value::object(Vec::new())),
            workloads: object::annotation(document, WORKLOADS) == "true",
        };
        if constraint.enforcement_action == "scoped" && scoped.and_then(Value::as_array).is_none() {
            return Err(LoadError::new(
                "missing required field: spec.scopedEnforcementActions must be defined",
                &["spec", "enforcementAction"],
            ));
        }
        if validate_actions && let Some(message) = constraint.action_fault() {
            return Err(LoadError::new(message, &["spec", "enforcementAction"]));
        }
        Ok(constraint)
    }

    /// What can be read of a constraint that does not load: what it matches and what it leads to.
    pub(crate) fn of_broken(document: &Value) -> Constraint {
        let spec = |field: &str| document.path(&["spec", field]);
        let action = spec("enforcementAction").and_then(Value::as_str).unwrap_or("deny");
        let mut constraint = Constraint {
            kind: Gvk::of(document).kind.to_owned(),
            name: object::name(document).to_owned(),
            enforcement_action: action.to_owned(),
            scoped: read_scoped(spec("scopedEnforcementActions")),
            matching: spec("match").filter(|m| m.as_object().is_some()).map(Match::read),
            parameters: Value::object(Vec::new()),
            workloads: object::annotation(document, WORKLOADS) == "true",
        };
        // Nobody would carry out what it says; that it fails must still be seen.
        if constraint.action_fault().is_some() {
            constraint.enforcement_action = "deny".to_owned();
        }
        constraint
    }

    /// What a violation means at an enforcement point, sorted; `None`: the constraint is not enforced there.
    pub fn actions(&self, point: &str) -> Option<Vec<Action>> {
        if self.enforcement_action != "scoped" {
            return Some(Action::parse(&self.enforcement_action).into_iter().collect());
        }
        let mut here = self
            .scoped
            .iter()
            .filter(|entry| entry.points.iter().any(|p| p == "*" || p == point))
            .map(|entry| Action::parse(&entry.action))
            .peekable();
        here.peek()?;
        let mut actions: Vec<Action> = here.flatten().collect();
        actions.sort_unstable();
        actions.dedup();
        Some(actions)
    }

    /// What Gatekeeper's webhook says to a constraint whose action nobody would carry out.
    fn action_fault(&self) -> Option<String> {
        const UNKNOWN: &str = "unrecognized enforcementAction";
        match self.enforcement_action.as_str() {
            "deny" | "warn" | "dryrun" => return None,
            "scoped" => {}
            other => {
                let list = "[deny dryrun warn scoped]";
                return Some(format!(
                    "{UNKNOWN}: {} is not within the supported list {list}",
                    quote(other)
                ));
            }
        }
        const POINTS: [&str; 5] = [
            "validation.gatekeeper.sh",
            "audit.gatekeeper.sh",
            "gator.gatekeeper.sh",
            "vap.k8s.io",
            "*",
        ];
        let mut points: Vec<&str> = Vec::new();
        let mut actions: Vec<&str> = Vec::new();
        for entry in &self.scoped {
            if Action::parse(&entry.action).is_none() {
                actions.push(&entry.action);
            }
            if entry.points.is_empty() {
                points.push("");
            }
            points.extend(entry.points.iter().map(String::as_str).filter(|p| !POINTS.contains(p)));
        }
        let mut faults = Vec::new();
        if !points.is_empty() {
            faults.push(format!(
                "unrecognized enforcement points: constraint will not be enforced for enforcement points [{}], \
                 supported enforcement points are [validation.gatekeeper.sh audit.gatekeeper.sh gator.gatekeeper.sh \
                 vap.k8s.io]",
                points.join(" ")
            ));
        }
        if !actions.is_empty() {
            let list = actions.join(" ");
            faults.push(format!(
                "{UNKNOWN}: [{list}] is not within the supported list [deny dryrun warn]"
            ));
        }
        (!faults.is_empty()).then(|| faults.join("\n"))
    }
}

fn read_scoped(value: Option<&Value>) -> Vec<Scoped> {
    let entries = value.and_then(Value::as_array).unwrap_or_default().iter();
    entries
        .map(|entry| Scoped {
            action: object::text(entry, &["action"]).to_owned(),
            points: entry
                .get("enforcementPoints")
                .and_then(Value::as_array)
                .unwrap_or_default()
                .iter()
                .map(|p| object::text(p, &["name"]).to_owned())
                .collect(),
        })
        .collect()
}

/// `[].spec.a[0].b` as keys and indexes.
fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix("[].").unwrap_or(path);
    let mut out = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        out.extend(pieces.next().filter(|p| !p.is_empty()).map(str::to_owned));
        out.extend(pieces.map(|p| p.trim_end_matches(']').to_owned()));
    }
    out
}

fn check_selectors(document: &Value) -> Result<(), LoadError> {
    for key in ["labelSelector", "namespaceSelector"] {
        let fail = |text: String| Err(LoadError::new(format!("{INVALID}: {text}"), &["spec", "match", key]));
        let selector = match nested_map(document, &["spec", "match", key]) {
            Ok(None) => continue,
            Ok(Some(selector)) => selector,
            Err(text) => return fail(text),
        };
        if let Some(text) = badly_typed(selector) {
            return fail(format!(
                "Could not convert JSON to LabelSelector: json: cannot unmarshal {text}"
            ));
        }
        let errors = check_selector(selector);
        if !errors.is_empty() {
            return fail(aggregate(&errors));
        }
    }
    Ok(())
}

/// A map at a path; an error in Kubernetes' words when something on the way is none.
fn nested_map<'a>(document: &'a Value, path: &[&str]) -> Result<Option<&'a Value>, String> {
    let shown = |upto: usize, value: &Value| {
        let fields: Vec<&str> = path.iter().take(upto).copied().collect();
        format!(
            ".{} accessor error: {} is of the type {}, expected map[string]interface{{}}",
            fields.join("."),
            go_value(value),
            go_type(value, "int64")
        )
    };
    let mut at = document;
    for (i, key) in path.iter().enumerate() {
        match at {
            Value::Null => return Ok(None),
            Value::Object(_) => {}
            other => return Err(shown(i + 1, other)),
        }
        match at.get(key) {
            None => return Ok(None),
            Some(inner) => at = inner,
        }
    }
    match at {
        Value::Object(_) => Ok(Some(at)),
        other => Err(shown(path.len(), other)),
    }
}

/// Where a selector is not of the types a selector has.
fn badly_typed(selector: &Value) -> Option<String> {
    let wrong = |value: &Value, field: &str, wanted: &str| {
        let found = match value {
            Value::Bool(_) => "bool",
            other => other.type_name(),
        };
        Some(format!("{found} into Go struct field {field} of type {wanted}"))
    };
    let is_text = |v: &Value| matches!(v, Value::String(_) | Value::Null);
    match selector.get("matchLabels") {
        None | Some(Value::Null) => {}
        Some(Value::Object(labels)) => {
            if let Some((_, bad)) = labels.iter().find(|(_, v)| !is_text(v)) {
                return wrong(bad, "LabelSelector.matchLabels", "string");
            }
        }
        Some(other) => return wrong(other, "LabelSelector.matchLabels", "map[string]string"),
    }
    let lines = match selector.get("matchExpressions") {
        None | Some(Value::Null) => return None,
        Some(Value::Array(lines)) => lines,
        Some(other) => return wrong(other, "LabelSelector.matchExpressions", "[]v1.LabelSelectorRequirement"),
    };
    for line in lines.iter() {
        if line.as_object().is_none() {
            return wrong(line, "LabelSelector.matchExpressions", "v1.LabelSelectorRequirement");
        }
        for (key, wanted) in [("key", "string"), ("operator", "v1.LabelSelectorOperator")] {
            if let Some(bad) = line.get(key).filter(|v| !is_text(v)) {
                return wrong(bad, &format!("LabelSelector.matchExpressions.{key}"), wanted);
            }
        }
        match line.get("values") {
            None | Some(Value::Null) => {}
            Some(Value::Array(values)) => {
                if let Some(bad) = values.iter().find(|v| !is_text(v)) {
                    return wrong(bad, "LabelSelector.matchExpressions.values", "string");
                }
            }
            Some(other) => return wrong(other, "LabelSelector.matchExpressions.values", "[]string"),
        }
    }
    None
}

fn check_selector(selector: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    // The path is Gatekeeper's for both selectors.
    let at = "spec.labelSelector";
    for (key, value) in selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Object::iter)
    {
        let key = key.as_str().unwrap_or_default();
        check_label_name(key, &format!("{at}.matchLabels"), &mut errors);
        check_label_value(
            value.as_str().unwrap_or_default(),
            &format!("{at}.matchLabels"),
            &mut errors,
        );
    }
    let lines = selector
        .get("matchExpressions")
        .and_then(Value::as_array)
        .unwrap_or_default();
    for (i, line) in lines.iter().enumerate() {
        let at = format!("{at}.matchExpressions[{i}]");
        let values = line.get("values").and_then(Value::as_array).unwrap_or_default();
        match object::text(line, &["operator"]) {
            "In" | "NotIn" => {
                if values.is_empty() {
                    errors.push(FieldError::new(
                        format!("{at}.values"),
                        "Required value: must be specified when `operator` is 'In' or 'NotIn'",
                    ));
                }
            }
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    errors.push(FieldError::new(
                        format!("{at}.values"),
                        "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                    ));
                }
            }
            other => {
                let value = Value::string(other);
                errors.push(FieldError::invalid(
                    format!("{at}.operator"),
                    &value,
                    "not a valid selector operator",
                ));
            }
        }
        check_label_name(object::text(line, &["key"]), &format!("{at}.key"), &mut errors);
        for (j, value) in values.iter().enumerate() {
            check_label_value(
                value.as_str().unwrap_or_default(),
                &format!("{at}.values[{j}]"),
                &mut errors,
            );
        }
    }
    errors
}

const NAME_PART: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                         alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                         validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn is_name_part(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

fn check_label_name(name: &str, path: &str, errors: &mut Vec<FieldError>) {
    let value = Value::string(name);
    let mut fail = |what: String| errors.push(FieldError::invalid(path, &value, &what));
    let part = match name.split_once('/') {
        None => name,
        Some((_, rest)) if rest.contains('/') => {
            fail(format!(
                "a qualified name {NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            ));
            return;
        }
        Some((prefix, part)) => {
            if prefix.is_empty() {
                fail("prefix part must be non-empty".to_owned());
            } else if !is_dns1123(prefix) {
                fail(format!("prefix part {DNS1123}"));
            }
            part
        }
    };
    if part.is_empty() {
        fail("name part must be non-empty".to_owned());
    } else if part.len() > 63 {
        fail("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name_part(part) {
        fail(format!("name part {NAME_PART}"));
    }
}

fn check_label_value(value: &str, path: &str, errors: &mut Vec<FieldError>) {
    let shown = Value::string(value);
    if value.len() > 63 {
        errors.push(FieldError::invalid(path, &shown, "must be no more than 63 bytes"));
    }
    if !value.is_empty() && !is_name_part(value) {
        errors.push(FieldError::invalid(
            path,
            &shown,
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ));
    }
}
