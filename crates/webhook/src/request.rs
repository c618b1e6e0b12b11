//! An AdmissionReview as it comes in: which version, which uid, which request.

use crate::glimpse::{self, glimpse};
use regent_rego::{Value, json};

pub(crate) const LONGEST_UID: usize = 256;

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
