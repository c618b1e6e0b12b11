//! One object to be judged, with operation, user, namespace and source.
//!
//! Numbers keep the text they were written with. Gatekeeper re-reads objects as floating point, so that a message of
//! its own shows `1e+06` where ours shows `1000000`; verdicts are the same.

use crate::object::{self, Gvk};
use regent_rego::Value;

/// Where an object comes from (`spec.match.source`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// As a user wrote it.
    Original,
    /// Made by expansion.
    Generated,
}

/// What a policy sees and what matching looks at.
#[derive(Clone, Debug)]
pub struct Review {
    /// `input.review` as policies see it: every key an AdmissionRequest always has, and `namespaceObject`.
    pub document: Value,
    /// The object judged; on DELETE the old one.
    pub object: Option<Value>,
    /// The object before an UPDATE or DELETE.
    pub old_object: Option<Value>,
    /// The Namespace the object lives in, when the caller knows it; else it is looked up in the inventory.
    pub namespace: Option<Value>,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`, or empty.
    pub operation: String,
    /// Written or generated; `None` when the caller cannot say.
    pub source: Option<Source>,
}

/// How an AdmissionReview is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// As the webhook reads it: fields it does not know are ignored.
    Lenient,
    /// As `gator verify` reads it: unknown fields, and objects without a kind, are errors.
    Strict,
}

const GVK_FIELDS: [&str; 3] = ["group", "version", "kind"];
const GVR_FIELDS: [&str; 3] = ["group", "version", "resource"];
const USER_FIELDS: [&str; 4] = ["username", "uid", "groups", "extra"];

/// The fields of an AdmissionRequest; further ones are unknown.
const REQUEST_FIELDS: [&str; 15] = [
    "uid",
    "kind",
    "resource",
    "subResource",
    "requestKind",
    "requestResource",
    "requestSubResource",
    "name",
    "namespace",
    "operation",
    "userInfo",
    "object",
    "oldObject",
    "dryRun",
    "options",
];

impl Review {
    /// A bare object, as audit and gator review one: no operation, no user.
    pub fn of_object(object: Value, namespace: Option<Value>) -> Review {
        Review::of_object_for(object, namespace, "")
    }

    /// A bare object with an operation, as expansion reviews what it made; DELETE judges the object that goes away.
    pub(crate) fn of_object_for(object: Value, namespace: Option<Value>, operation: &str) -> Review {
        let gvk = Gvk::of(&object);
        let kind = Value::record([
            ("group", gvk.group.into()),
            ("version", gvk.version.into()),
            ("kind", gvk.kind.into()),
        ]);
        let old = if operation == "DELETE" {
            object.clone()
        } else {
            Value::Null
        };
        let mut entries = vec![
            (Value::string("kind"), kind),
            (Value::string("namespaceObject"), namespace_object(namespace.as_ref())),
            (Value::string("object"), object.clone()),
            (Value::string("oldObject"), old.clone()),
            (Value::string("operation"), operation.into()),
            (Value::string("options"), Value::Null),
            (Value::string("resource"), names(None, &GVR_FIELDS)),
            (Value::string("uid"), "".into()),
            (Value::string("userInfo"), Value::object(Vec::new())),
        ];
        for (key, value) in [
            ("name", object::name(&object)),
            ("namespace", object::namespace(&object)),
        ] {
            if !value.is_empty() {
                entries.push((Value::string(key), value.into()));
            }
        }
        Review {
            document: Value::object(entries),
            old_object: present(&old),
            object: Some(object),
            namespace,
            operation: operation.to_owned(),
            source: Some(Source::Original),
        }
    }

    /// The `request` of an AdmissionReview, as the webhook reviews one: a Namespace object has no namespace.
    ///
    /// # Errors
    /// What the request lacks, in Gatekeeper's words.
    pub fn of_request(request: &Value, namespace: Option<Value>) -> Result<Review, String> {
        let kind = request.get("kind");
        let is_namespace =
            kind.is_some_and(|k| object::text(k, &["kind"]) == "Namespace" && object::text(k, &["group"]).is_empty());
        if is_namespace && !object::text(request, &["namespace"]).is_empty() {
            return Review::of_request_as_sent(&object::with(request, &["namespace"], None), None);
        }
        Review::of_request_as_sent(request, namespace)
    }

    /// The `request` of an AdmissionReview with nothing changed, as Gatekeeper's engine and `gator verify` take it.
    ///
    /// # Errors
    /// What the request lacks, in Gatekeeper's words.
    pub fn of_request_as_sent(request: &Value, namespace: Option<Value>) -> Result<Review, String> {
        if request.as_object().is_none() {
            return Err(format!(
                "an AdmissionRequest must be an object, not {}",
                request.type_name()
            ));
        }
        let operation = object::text(request, &["operation"]);
        let old_object = request.get("oldObject").and_then(present);
        let mut object = request.get("object").and_then(present);
        if operation == "DELETE" {
            if old_object.is_none() {
                return Err(
                    "target.HandleReview failed for target \"admission.k8s.gatekeeper.sh\": \
                            oldObject cannot be nil for DELETE operations"
                        .to_owned(),
                );
            }
            object.clone_from(&old_object);
        }
        let mut entries = vec![
            (Value::string("kind"), names(request.get("kind"), &GVK_FIELDS)),
            (Value::string("namespaceObject"), namespace_object(namespace.as_ref())),
            (Value::string("object"), object.clone().unwrap_or(Value::Null)),
            (Value::string("oldObject"), old_object.clone().unwrap_or(Value::Null)),
            (Value::string("operation"), operation.into()),
            (
                Value::string("options"),
                request.get("options").cloned().unwrap_or(Value::Null),
            ),
            (Value::string("resource"), names(request.get("resource"), &GVR_FIELDS)),
            (Value::string("uid"), object::text(request, &["uid"]).into()),
            (Value::string("userInfo"), user(request.get("userInfo"))),
        ];
        for key in ["subResource", "requestSubResource", "name", "namespace"] {
            let value = object::text(request, &[key]);
            if !value.is_empty() {
                entries.push((Value::string(key), value.into()));
            }
        }
        for (key, fields) in [("requestKind", &GVK_FIELDS), ("requestResource", &GVR_FIELDS)] {
            if let Some(value @ Value::Object(_)) = request.get(key) {
                entries.push((Value::string(key), names(Some(value), fields)));
            }
        }
        if let Some(dry_run @ Value::Bool(_)) = request.get("dryRun") {
            entries.push((Value::string("dryRun"), dry_run.clone()));
        }
        Ok(Review {
            document: Value::object(entries),
            object,
            old_object,
            namespace,
            operation: operation.to_owned(),
            source: Some(Source::Original),
        })
    }

    /// A whole AdmissionReview document.
    ///
    /// # Errors
    /// What it lacks, in Gatekeeper's words.
    pub fn of_admission_review(
        review: &Value,
        namespace: Option<Value>,
        strictness: Strictness,
    ) -> Result<Review, String> {
        let request = review.get("request").filter(|r| !matches!(r, Value::Null));
        if strictness == Strictness::Strict {
            let unknown = unknown_fields(review);
            if !unknown.is_empty() {
                return Err(format!(
                    "not a valid AdmissionReview object: unable to convert to an AdmissionReview object, error: strict \
                     decoding error: {}",
                    unknown
                        .iter()
                        .map(|f| format!("unknown field {}", object::quote(f)))
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
            }
        }
        let Some(request) = request else {
            return Err(
                "missing an AdmissionRequest object: request did not actually pass in an AdmissionRequest".to_owned(),
            );
        };
        let objects = [
            request.get("object").and_then(present),
            request.get("oldObject").and_then(present),
        ];
        if objects.iter().all(Option::is_none) {
            return Err(
                "no object or oldObject found to review: AdmissionRequest does not contain an \"object\" or \
                        \"oldObject\" to review"
                    .to_owned(),
            );
        }
        if strictness == Strictness::Lenient {
            return Review::of_request(request, namespace);
        }
        for object in objects.iter().flatten() {
            if object::text(object, &["kind"]).is_empty() {
                return Err(format!(
                    "object or oldObject cannot be unmarshalled: Object 'Kind' is missing in '{}'",
                    regent_rego::json::write(object)
                ));
            }
        }
        Review::of_request_as_sent(request, namespace)
    }

    /// The object that stands for the review: the object, else the old one.
    pub fn subject(&self) -> Option<&Value> {
        self.object.as_ref().or(self.old_object.as_ref())
    }

    /// The namespace a lookup of the Namespace goes by: the request's.
    pub(crate) fn namespace_name(&self) -> &str {
        object::text(&self.document, &["namespace"])
    }
}

/// Null is absent, as Kubernetes reads raw fields.
fn present(value: &Value) -> Option<Value> {
    (!matches!(value, Value::Null)).then(|| value.clone())
}

/// `{}` where there is none: that is what Gatekeeper's null becomes on its way into Rego.
fn namespace_object(namespace: Option<&Value>) -> Value {
    match namespace {
        Some(value) => value.clone(),
        None => Value::object(Vec::new()),
    }
}

/// An object of strings with just these fields, `""` for those that are missing.
fn names(value: Option<&Value>, fields: &[&str]) -> Value {
    let entry = |field: &&str| {
        let text = value.map_or("", |v| object::text(v, &[field]));
        (Value::string(field), text.into())
    };
    Value::object(fields.iter().map(entry).collect())
}

fn user(value: Option<&Value>) -> Value {
    let mut entries = Vec::new();
    for field in USER_FIELDS {
        let Some(value) = value.and_then(|v| v.get(field)) else {
            continue;
        };
        let empty = match value {
            Value::Null => true,
            Value::String(s) => s.is_empty(),
            Value::Array(a) => a.is_empty(),
            Value::Object(o) => o.is_empty(),
            _ => false,
        };
        if !empty {
            entries.push((Value::string(field), value.clone()));
        }
    }
    Value::object(entries)
}

/// Paths of fields that an AdmissionReview does not have.
fn unknown_fields(review: &Value) -> Vec<String> {
    fn check(out: &mut Vec<String>, at: &str, value: Option<&Value>, known: &[&str]) {
        for (key, _) in value.and_then(Value::as_object).into_iter().flat_map(|o| o.iter()) {
            let key = key.as_str().unwrap_or_default();
            if !known.contains(&key) {
                out.push(if at.is_empty() {
                    key.to_owned()
                } else {
                    format!("{at}.{key}")
                });
            }
        }
    }
    let mut out = Vec::new();
    check(
        &mut out,
        "",
        Some(review),
        &["apiVersion", "kind", "request", "response"],
    );
    let request = review.get("request");
    check(&mut out, "request", request, &REQUEST_FIELDS);
    for (key, fields) in [
        ("kind", &GVK_FIELDS[..]),
        ("requestKind", &GVK_FIELDS[..]),
        ("resource", &GVR_FIELDS[..]),
        ("requestResource", &GVR_FIELDS[..]),
        ("userInfo", &USER_FIELDS[..]),
    ] {
        check(
            &mut out,
            &format!("request.{key}"),
            request.and_then(|r| r.get(key)),
            fields,
        );
    }
    out
}
