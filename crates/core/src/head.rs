//! What names an object: enough to say that no policy asks for it, without the rest of it.

use crate::object::{self, Gvk};
use regent_rego::Value;

/// An object's kind, name and Namespace; what it lacks is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    pub(crate) gvk: Gvk<'a>,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
}

impl<'a> Head<'a> {
    /// Of `apiVersion`, `kind`, `metadata.name` and `metadata.namespace`.
    pub fn new(api_version: &'a str, kind: &'a str, name: &'a str, namespace: &'a str) -> Head<'a> {
        Head {
            gvk: Gvk::new(api_version, kind),
            name,
            namespace,
        }
    }

    /// Of a whole object.
    pub fn of(object: &'a Value) -> Head<'a> {
        Head {
            gvk: Gvk::of(object),
            name: object::name(object),
            namespace: object::namespace(object),
        }
    }

    /// The group; empty for the core group, and where `apiVersion` cannot be read.
    pub fn group(&self) -> &'a str {
        self.gvk.group
    }

    /// The kind; empty also where `apiVersion` cannot be read.
    pub fn kind(&self) -> &'a str {
        self.gvk.kind
    }
}
