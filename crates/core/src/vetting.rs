//! What the webhook says of Gatekeeper's own resources before they are stored (`gatekeeper.md` §6.4).

use crate::constraint::Constraint;
use crate::exclusion::CONFIG_NAME;
use crate::expansion::Expansion;
use crate::head::Head;
use crate::manifest::Places;
use crate::object::{self, Gvk};
use crate::policy_set::{CompileOptions, PolicySet};
use crate::template::{Outline, Template};
use regent_rego::Value;

const LONGEST_NAME: usize = 63;
const TEMPLATES: &str = "templates.gatekeeper.sh";
const CONSTRAINTS: &str = "constraints.gatekeeper.sh";
const EXPANSIONS: &str = "expansion.gatekeeper.sh";
const CONFIGS: &str = "config.gatekeeper.sh";
const STATUSES: &str = "status.gatekeeper.sh";
const OTHERS: [&str; 2] = ["mutations.gatekeeper.sh", "externaldata.gatekeeper.sh"];

/// Why a resource may not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 422 for what its author can mend, 500 for the rest: Gatekeeper's codes.
    pub code: u16,
    /// Gatekeeper's text.
    pub message: String,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Refusal {
        Refusal {
            code: 422,
            message: message.into(),
        }
    }

    fn other(message: impl Into<String>) -> Refusal {
        Refusal {
            code: 500,
            message: message.into(),
        }
    }
}

/// Whether an object is of a group whose resources are vetted.
pub fn is_own(object: Head<'_>) -> bool {
    let group = object.gvk.group;
    [TEMPLATES, CONSTRAINTS, EXPANSIONS, CONFIGS, STATUSES].contains(&group) || OTHERS.contains(&group)
}

impl PolicySet {
    /// Checks a resource of Gatekeeper's groups as its webhook does; gives what its author should know although it is
    /// no reason to refuse: that the Rego of a template does not compile (Gatekeeper tells that in the status alone).
    ///
    /// # Errors
    /// The first thing that Gatekeeper's webhook would complain of.
    pub fn vet(&self, object: &Value) -> Result<Vec<String>, Refusal> {
        let gvk = Gvk::of(object);
        let name = object::name(object);
        if gvk.group != STATUSES && name.len() > LONGEST_NAME {
            return Err(Refusal::other(format!(
                "resource cannot have metadata.name larger than 63 char; length: {}",
                name.len()
            )));
        }
        match (gvk.group, gvk.kind) {
            (TEMPLATES, _) => vet_template(object),
            (CONSTRAINTS, _) => self.vet_constraint(object),
            (EXPANSIONS, "ExpansionTemplate") => {
                Expansion::read(object).map_err(Refusal::invalid)?;
                Ok(Vec::new())
            }
            (CONFIGS, "Config") if name != CONFIG_NAME => {
                Err(Refusal::invalid("config resource must have name 'config'"))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn vet_constraint(&self, object: &Value) -> Result<Vec<String>, Refusal> {
        let find = |name: &str| self.outline(name);
        Constraint::read(object, find, false).map_err(|e| Refusal::invalid(e.message))?;
        match Constraint::read(object, find, true) {
            Ok(_) => Ok(Vec::new()),
            Err(e) => Err(Refusal::other(e.message)),
        }
    }
}

fn vet_template(object: &Value) -> Result<Vec<String>, Refusal> {
    let (_, target) = Outline::read(object).map_err(|e| Refusal::invalid(e.message))?;
    let operations = target.get("operations").and_then(Value::as_array).unwrap_or_default();
    if operations.len() > 1 && operations.iter().any(|o| o.as_str() == Some("*")) {
        return Err(Refusal::other("if '*' is present, must not specify other operations"));
    }
    Ok(
        match Template::read(
            object,
            &"request".into(),
            &Places::default(),
            &CompileOptions::default(),
        ) {
            Ok(_) => Vec::new(),
            Err(e) => vec![format!("the template will not be enforced: {}", e.message)],
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use crate::manifest;

    const TEMPLATE: &str = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: k8sx}\nspec:\n  \
                            crd: {spec: {names: {kind: K8sX}, validation: {openAPIV3Schema: {type: object, properties: {n: {type: integer}}}}}}\n  \
                            targets: [{target: admission.k8s.gatekeeper.sh, rego: 'package k8sx\n\n\n    violation[{\"msg\": \"x\"}] { true }'}]\n";

    #[test]
    fn own_resources_are_vetted_in_gatekeepers_words() {
        let (set, problems) = PolicySet::compile(
            &Bundle::read([("template.yaml", TEMPLATE.as_bytes())]),
            &CompileOptions::default(),
        );
        assert_eq!(problems, []);
        let constraint = |rest: &str| {
            format!(
                "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sX\nmetadata: {{name: a}}\nspec: {{{rest}}}\n"
            )
        };
        let long = "a".repeat(64);
        type Said = Result<Vec<&'static str>, (u16, &'static str)>;
        let rows: Vec<(String, Said)> = vec![
            (TEMPLATE.to_owned(), Ok(vec![])),
            (
                TEMPLATE.replace("{ true }", "{ nothing }"),
                Ok(vec!["the template will not be enforced: "]),
            ),
            (TEMPLATE.replace("name: k8sx", "name: other"), Err((422, "invalid ConstraintTemplate: the ConstraintTemplate's name"))),
            (
                TEMPLATE.replace("targets: [{", "targets: [{operations: ['*', CREATE], "),
                Err((500, "if '*' is present, must not specify other operations")),
            ),
            (constraint("parameters: {n: 1}"), Ok(vec![])),
            (constraint("parameters: {n: a}"), Err((422, "schema validation failed: "))),
            (constraint("enforcementAction: block"), Err((500, "unrecognized enforcementAction: \"block\""))),
            (
                constraint("").replace("K8sX", "K8sY"),
                Err((422, "missing ConstraintTemplate: template \"k8sy\" not found")),
            ),
            (
                constraint("").replace("name: a", &format!("name: {long}")),
                Err((500, "resource cannot have metadata.name larger than 63 char; length: 64")),
            ),
            (
                "{apiVersion: config.gatekeeper.sh/v1alpha1, kind: Config, metadata: {name: other}}".to_owned(),
                Err((422, "config resource must have name 'config'")),
            ),
            (
                "{apiVersion: expansion.gatekeeper.sh/v1alpha1, kind: ExpansionTemplate, metadata: {name: e}, spec: {}}".to_owned(),
                Err((422, "ExpansionTemplate e has empty source field")),
            ),
            (
                format!("{{apiVersion: status.gatekeeper.sh/v1beta1, kind: ConstraintPodStatus, metadata: {{name: {long}}}}}"),
                Ok(vec![]),
            ),
        ];
        for (text, wanted) in rows {
            let object = manifest::read("o.yaml", text.as_bytes()).remove(0).unwrap().value;
            assert!(is_own(Head::of(&object)), "{text}");
            match (set.vet(&object), wanted) {
                (Ok(notes), Ok(wanted)) => {
                    assert_eq!(notes.len(), wanted.len(), "{text}: {notes:?}");
                    assert!(
                        notes.iter().zip(wanted).all(|(n, w)| n.starts_with(w)),
                        "{text}: {notes:?}"
                    );
                }
                (Err(refusal), Err((code, message))) => {
                    assert_eq!(refusal.code, code, "{text}: {refusal:?}");
                    assert!(refusal.message.starts_with(message), "{text}: {refusal:?}");
                }
                (found, wanted) => panic!("{text}: {found:?}, wanted {wanted:?}"),
            }
        }
    }
}
