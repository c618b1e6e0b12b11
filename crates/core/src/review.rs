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
    /// The Namespace the object lives in, when known.
    pub namespace: Option<Value>,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`, or empty.
    pub operation: String,
    /// Written or generated; `None` when the caller cannot say.
    pub source: Option<Source>,
}
