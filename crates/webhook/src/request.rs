//! An AdmissionReview as it comes in: which version, which uid, which request.

use crate::glimpse::{self, glimpse};
use regent_rego::{Value, json};

const LONGEST_UID: usize = 256;

/// The version of an AdmissionReview; an answer is of the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `admission.k8s.io/v1`
    #[default]
    V1,
    /// `admission.k8s.io/v1beta1`
    V1Beta1,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Version> {
        match text {
            "admission.k8s.io/v1" => Some(Version::V1),
            "admission.k8s.io/v1beta1" => Some(Version::V1Beta1),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Version::V1 => "admission.k8s.io/v1",
            Version::V1Beta1 => "admission.k8s.io/v1beta1",
        }
    }
}

/// A review that was read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) uid: String,
    pub(crate) version: Version,
    /// `request`.
    pub(crate) value: Value,
}

/// Why it was not. With a uid, the answer is a review that refuses; without one there is nobody to answer to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) uid: Option<String>,
    pub(crate) version: Version,
    pub(crate) code: u16,
    pub(crate) message: String,
}

impl Unread {
    /// Of a review whose beginning is there.
    pub(crate) fn of(beginning: &[u8], code: u16, message: impl Into<String>) -> Unread {
        let glimpse::Glimpse { uid, version } = glimpse(beginning);
        Unread {
            uid,
            version,
            code,
            message: message.into(),
        }
    }

    fn nobody(message: impl Into<String>) -> Unread {
        Unread {
            uid: None,
            version: Version::V1,
            code: 400,
            message: message.into(),
        }
    }
}

/// Reads a body.
pub(crate) fn read(body: &[u8], options: json::ReadOptions) -> Result<Request, Unread> {
    let review = json::read(body, options)
        .map_err(|e| Unread::of(body, 400, format!("the review is not readable JSON: {e}")))?;
    of_review(&review)
}

fn of_review(review: &Value) -> Result<Request, Unread> {
    let text = |key| review.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != "AdmissionReview" {
        return Err(Unread::nobody(format!(
            "expected kind AdmissionReview, not {:?}",
            clip(text("kind"))
        )));
    }
    let Some(version) = Version::parse(text("apiVersion")) else {
        return Err(Unread::nobody(format!(
            "expected apiVersion admission.k8s.io/v1 or admission.k8s.io/v1beta1, not {:?}",
            clip(text("apiVersion"))
        )));
    };
    let Some(value @ Value::Object(_)) = review.get("request") else {
        return Err(Unread::nobody("the AdmissionReview has no request"));
    };
    match value.get("uid").and_then(Value::as_str) {
        None | Some("") => Err(Unread::nobody("the request of the AdmissionReview has no uid")),
        Some(uid) if uid.len() > LONGEST_UID => Err(Unread::nobody(format!(
            "the uid of the request is longer than {LONGEST_UID} bytes"
        ))),
        Some(uid) => Ok(Request {
            uid: uid.to_owned(),
            version,
            value: value.clone(),
        }),
    }
}

/// Reads of a body what an answer takes when no policy asks for its group and kind (`asked_for`); of objects only what
/// matching looks at. The rest is checked but made into nothing. `None`: it has to be read whole.
pub(crate) fn outline(
    body: &[u8],
    options: json::ReadOptions,
    asked_for: impl Fn(&str, &str) -> bool,
) -> Option<Request> {
    let mut walk = json::Walk::new(body, options)?;
    let mut review = Vec::new();
    walk.members(|walk, key| {
        let value = match key {
            "apiVersion" | "kind" => walk.value()?,
            "request" if walk.is_object() => outline_of_request(walk, &asked_for)?,
            _ => return walk.pass(),
        };
        review.push((Value::string(key), value));
        Some(())
    })?;
    walk.end()?;
    of_review(&Value::object(review)).ok()
}

fn outline_of_request(walk: &mut json::Walk<'_>, asked_for: &impl Fn(&str, &str) -> bool) -> Option<Value> {
    let mut told = false;
    let request = chosen(walk, &mut |walk, key| match key {
        "kind" => {
            let kind = walk.value()?;
            let text = |key| kind.get(key).and_then(Value::as_str).unwrap_or_default();
            if asked_for(text("group"), text("kind")) {
                return None;
            }
            told = true;
            Some(Some(kind))
        }
        "uid" | "name" | "namespace" | "operation" | "dryRun" => Some(Some(walk.value()?)),
        "userInfo" => only(walk, &["username"]),
        // An API server tells the kind first. Who does not is read whole.
        "object" | "oldObject" if told => Some(Some(outline_of_object(walk)?)),
        "object" | "oldObject" => None,
        _ => walk.pass().map(|()| None),
    })?;
    told.then_some(request)
}

fn outline_of_object(walk: &mut json::Walk<'_>) -> Option<Value> {
    if !walk.is_object() {
        return walk.value();
    }
    chosen(walk, &mut |walk, key| match key {
        "apiVersion" | "kind" => Some(Some(walk.value()?)),
        "metadata" => only(walk, &["name", "generateName", "namespace", "labels"]),
        _ => walk.pass().map(|()| None),
    })
}

/// Of an object some members; anything else as it is.
fn only(walk: &mut json::Walk<'_>, keys: &[&str]) -> Option<Option<Value>> {
    if !walk.is_object() {
        return Some(Some(walk.value()?));
    }
    let some = chosen(walk, &mut |walk, key| {
        if keys.contains(&key) {
            Some(Some(walk.value()?))
        } else {
            walk.pass().map(|()| None)
        }
    })?;
    Some(Some(some))
}

/// An object of those members that a choice makes a value of.
fn chosen(
    walk: &mut json::Walk<'_>,
    choice: &mut dyn FnMut(&mut json::Walk<'_>, &str) -> Option<Option<Value>>,
) -> Option<Value> {
    let mut entries = Vec::with_capacity(8);
    walk.members(|walk, key| {
        if let Some(value) = choice(walk, key)? {
            entries.push((Value::string(key), value));
        }
        Some(())
    })?;
    Some(Value::object(entries))
}

/// The beginning of what a client wrote, for a message.
fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Request {
    /// A string of the request; empty when it is not there.
    pub(crate) fn text(&self, path: &[&str]) -> &str {
        self.value.path(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether nothing is to be stored.
    pub(crate) fn dry_run(&self) -> bool {
        self.value.get("dryRun").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether it is about a core Namespace.
    pub(crate) fn is_namespace(&self) -> bool {
        self.text(&["kind", "kind"]) == "Namespace" && self.text(&["kind", "group"]).is_empty()
    }

    /// Whether it is about a core Secret, whose content is nobody else's business.
    pub(crate) fn is_secret(&self) -> bool {
        self.text(&["kind", "kind"]) == "Secret" && self.text(&["kind", "group"]).is_empty()
    }

    /// The object, or on DELETE the one that goes.
    pub(crate) fn subject(&self) -> Option<&Value> {
        let key = if self.text(&["operation"]) == "DELETE" {
            "oldObject"
        } else {
            "object"
        };
        self.value.get(key).filter(|v| !matches!(v, Value::Null))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

    use super::*;

    fn review(request: &str) -> String {
        format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"u",{request}}}}}"#)
    }

    fn outlined(body: &str) -> Option<Request> {
        let options = json::ReadOptions {
            refuse_duplicates: true,
            ..json::ReadOptions::default()
        };
        outline(body.as_bytes(), options, |group, kind| {
            group == "apps" && kind == "Deployment"
        })
    }

    #[test]
    fn an_outline_has_what_matching_looks_at() {
        let body = review(
            r#""kind":{"group":"","version":"v1","kind":"ConfigMap"},"name":"a","namespace":"n","operation":"UPDATE",
            "userInfo":{"username":"x","groups":["g"]},"options":{"a":1},"dryRun":true,
            "object":{"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v"},
              "metadata":{"name":"a","namespace":"n","labels":{"l":"1"},"managedFields":[{"a":1}],"annotations":{}}},
            "oldObject":null"#,
        );
        let wanted = r#"{"dryRun":true,"kind":{"group":"","kind":"ConfigMap","version":"v1"},"name":"a","namespace":"n","object":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"labels":{"l":"1"},"name":"a","namespace":"n"}},"oldObject":null,"operation":"UPDATE","uid":"u","userInfo":{"username":"x"}}"#;
        let request = outlined(&body).unwrap();
        assert_eq!(json::write(&request.value), wanted);
        assert_eq!(request.uid, "u");
    }

    #[test]
    fn what_cannot_be_outlined_is_read_whole() {
        let kind = r#""kind":{"group":"","version":"v1","kind":"ConfigMap"}"#;
        for (request, fits) in [
            (format!(r#"{kind},"object":{{}}"#), true),
            (format!(r#"{kind},"object":{{"metadata":7}}"#), true),
            // A policy asks for it.
            (
                r#""kind":{"group":"apps","kind":"Deployment"},"object":{}"#.to_owned(),
                false,
            ),
            // The kind comes late, or not at all.
            (format!(r#""object":{{}},{kind}"#), false),
            (r#""object":{}"#.to_owned(), false),
            // Keys that are there twice, wherever they are, and keys with escapes.
            (format!(r#"{kind},{kind}"#), false),
            (format!(r#"{kind},"object":{{"data":{{"a":1,"a":2}}}}"#), false),
            (format!(r#"{kind},"object":{{"metadata":{{}},"metadata":{{}}}}"#), false),
            (format!(r#"{kind},"object":{{"d\u0061ta":{{}}}}"#), false),
            // No JSON.
            (format!(r#"{kind},"object":{{"data":{{"a":01}}}}"#), false),
            (format!(r#"{kind},"object":{{"data":"\x"}}"#), false),
        ] {
            assert_eq!(outlined(&review(&request)).is_some(), fits, "{request}");
        }
        assert!(outlined(&format!("{} x", review(kind))).is_none(), "text behind it");
    }
}
