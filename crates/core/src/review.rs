//! One object to be judged, with operation, user, namespace and source.

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
    /// `input.review` as policies see it (`gatekeeper.md` §3.1), `namespaceObject` included.
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

impl Review {
    /// A bare object, as audit and gator review one: no operation, no user.
    pub fn of_object(object: Value, namespace: Option<Value>) -> Review {
        Review {
            document: Value::object(Vec::new()),
            object: Some(object),
            old_object: None,
            namespace,
            operation: String::new(),
            source: Some(Source::Original),
        }
    }

    /// The `request` of an AdmissionReview.
    ///
    /// # Errors
    /// What the request lacks, in Gatekeeper's words.
    pub fn of_request(_request: &Value, _namespace: Option<Value>) -> Result<Review, String> {
        Err(String::new())
    }

    /// A whole AdmissionReview document.
    ///
    /// # Errors
    /// What it lacks, in Gatekeeper's words.
    pub fn of_admission_review(
        _review: &Value,
        _namespace: Option<Value>,
        _strictness: Strictness,
    ) -> Result<Review, String> {
        Err(String::new())
    }

    /// The object that stands for the review: the object, else the old one.
    pub fn subject(&self) -> Option<&Value> {
        self.object.as_ref().or(self.old_object.as_ref())
    }
}
