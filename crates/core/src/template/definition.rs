//! The custom resource definition of the constraints of a template, as Gatekeeper generates it (`gatekeeper.md` §1.4).

use super::{LoadError, Outline, legacy_by_default, parameter_schema};
use crate::object;
use regent_rego::{Object, Value};

const GROUP: &str = "constraints.gatekeeper.sh";

/// The CustomResourceDefinition that lets the API server take constraints of a template, and refuse bad parameters.
/// Its owner is the template, when that has a `metadata.uid`.
///
/// # Errors
/// What stands before the Rego of the template is not valid; a template whose Rego is broken has a definition.
pub fn definition(template: &Value) -> Result<Value, LoadError> {
    let (outline, _) = Outline::read(template)?;
    let kind = outline.kind;
    let plural = kind.to_lowercase();
    let mut spec = vec![
        ("match", matching()),
        ("enforcementAction", action()),
        ("scopedEnforcementActions", scoped()),
    ];
    if let Some(parameters) = parameter_schema(template, legacy_by_default(template)?)? {
        spec.push(("parameters", parameters));
    }
    let schema = object_of([
        ("metadata", object_of([("name", name())])),
        ("spec", typed(spec)),
        (
            "status",
            Value::record([("x-kubernetes-preserve-unknown-fields", Value::Bool(true))]),
        ),
    ]);
    let version = |name: &str, storage: bool| {
        Value::record([
            ("name", name.into()),
            ("served", Value::Bool(true)),
            ("storage", Value::Bool(storage)),
            ("schema", Value::record([("openAPIV3Schema", schema.clone())])),
            ("subresources", Value::record([("status", Value::object(Vec::new()))])),
            ("additionalPrinterColumns", columns()),
        ])
    };
    let mut names = vec![
        ("kind", Value::string(&kind)),
        ("listKind", Value::string(format!("{kind}List"))),
        ("plural", Value::string(&plural)),
        ("singular", Value::string(&plural)),
        (
            "categories",
            Value::array(vec!["constraint".into(), "constraints".into()]),
        ),
    ];
    if let Some(short) = template.path(&["spec", "crd", "spec", "names", "shortNames"]) {
        names.push(("shortNames", short.clone()));
    }
    Ok(Value::record([
        ("apiVersion", "apiextensions.k8s.io/v1".into()),
        ("kind", "CustomResourceDefinition".into()),
        ("metadata", metadata(template, &plural)),
        (
            "spec",
            Value::record([
                ("group", GROUP.into()),
                ("scope", "Cluster".into()),
                ("names", keyed(names)),
                (
                    "versions",
                    Value::array(vec![version("v1beta1", true), version("v1alpha1", false)]),
                ),
            ]),
        ),
    ]))
}

/// Name, the template's labels with Gatekeeper's own, and the owner.
fn metadata(template: &Value, plural: &str) -> Value {
    let labels = template.path(&["metadata", "labels"]).and_then(Value::as_object);
    let mut labels: Object = labels.cloned().unwrap_or_default();
    labels.insert("gatekeeper.sh/constraint".into(), "yes".into());
    let mut out = vec![
        ("name", Value::string(format!("{plural}.{GROUP}"))),
        ("labels", Value::object(labels.entries().to_vec())),
    ];
    if let Some(uid @ Value::String(_)) = template.path(&["metadata", "uid"]) {
        let owner = Value::record([
            ("apiVersion", Value::string(object::text(template, &["apiVersion"]))),
            ("kind", "ConstraintTemplate".into()),
            ("name", Value::string(object::name(template))),
            ("uid", uid.clone()),
            ("controller", Value::Bool(true)),
            ("blockOwnerDeletion", Value::Bool(true)),
        ]);
        out.push(("ownerReferences", Value::array(vec![owner])));
    }
    keyed(out)
}

fn columns() -> Value {
    let column = |name: &str, kind: &str, path: &str, description: &str| {
        Value::record([
            ("name", name.into()),
            ("type", kind.into()),
            ("jsonPath", path.into()),
            ("description", description.into()),
        ])
    };
    Value::array(vec![
        column(
            "enforcement-action",
            "string",
            ".spec.enforcementAction",
            "what a violation leads to",
        ),
        column(
            "total-violations",
            "integer",
            ".status.totalViolations",
            "violations that the last audit found",
        ),
    ])
}

fn keyed(entries: Vec<(&str, Value)>) -> Value {
    Value::object(entries.into_iter().map(|(k, v)| (Value::string(k), v)).collect())
}

fn typed(properties: Vec<(&str, Value)>) -> Value {
    Value::record([("type", "object".into()), ("properties", keyed(properties))])
}

/// The schema of `metadata.name`.
pub(super) fn name() -> Value {
    Value::record([("type", "string".into()), ("maxLength", Value::from(63))])
}

/// The schema of `spec.enforcementAction`.
pub(super) fn action() -> Value {
    Value::record([("type", "string".into()), ("default", "deny".into())])
}

fn array_of(items: Value) -> Value {
    Value::record([("type", "array".into()), ("items", items)])
}

fn object_of<const N: usize>(properties: [(&str, Value); N]) -> Value {
    Value::record([("type", "object".into()), ("properties", Value::record(properties))])
}

/// The schema of `spec.scopedEnforcementActions`.
pub(super) fn scoped() -> Value {
    let string = Value::record([("type", "string".into())]);
    let points = array_of(object_of([("name", string.clone())]));
    array_of(object_of([("action", string), ("enforcementPoints", points)]))
}

/// The schema of `spec.match`.
pub(super) fn matching() -> Value {
    let string = Value::record([("type", "string".into())]);
    let glob = Value::record([("type", "string".into()), ("pattern", r"^\*?[-:a-z0-9]*\*?$".into())]);
    let expression = Value::record([
        ("type", "object".into()),
        ("required", Value::array(vec!["key".into(), "operator".into()])),
        (
            "properties",
            Value::record([
                ("key", string.clone()),
                ("operator", string.clone()),
                ("values", array_of(string.clone())),
            ]),
        ),
    ]);
    let labels = Value::record([("type", "object".into()), ("additionalProperties", string.clone())]);
    let selector = object_of([("matchExpressions", array_of(expression)), ("matchLabels", labels)]);
    let sources = Value::array(vec!["All".into(), "Generated".into(), "Original".into()]);
    object_of([
        (
            "kinds",
            array_of(object_of([
                ("apiGroups", array_of(string.clone())),
                ("kinds", array_of(string.clone())),
            ])),
        ),
        ("scope", string),
        ("namespaces", array_of(glob.clone())),
        ("excludedNamespaces", array_of(glob.clone())),
        ("labelSelector", selector.clone()),
        ("namespaceSelector", selector),
        ("name", glob),
        ("source", Value::record([("type", "string".into()), ("enum", sources)])),
    ])
}
