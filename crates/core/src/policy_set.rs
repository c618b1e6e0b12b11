//! Everything compiled from one bundle; immutable, shared behind an `Arc`, replaced whole.

use crate::bundle::Bundle;
use crate::manifest::Problem;
use std::sync::Arc;

/// How policies are compiled.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// Built-ins taken away, by OPA's name.
    pub without_builtins: Vec<String>,
    /// Whether `data.inventory` may be referred to.
    pub referential: bool,
    /// Keep `print` calls (see [`crate::Decision::prints`]).
    pub print: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            without_builtins: Vec::new(),
            referential: true,
            print: false,
        }
    }
}

/// What a loaded constraint is, for listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintInfo {
    /// Kind (plain Rego: `Rego`).
    pub kind: String,
    /// Name (plain Rego: the package).
    pub name: String,
    /// `spec.enforcementAction` as written, `deny` when absent.
    pub enforcement_action: String,
    /// Where it stands.
    pub file: String,
    /// Its line.
    pub line: u32,
}

/// A compiled set. `Send` and `Sync`.
#[derive(Debug, Default)]
pub struct PolicySet {
    revision: Arc<str>,
}

impl PolicySet {
    /// Checks and plans a bundle. Every problem is gathered; the set holds what is good, and a caller that must not
    /// run on a part refuses a set that came with problems. Problems are sorted by file and line.
    pub fn compile(bundle: &Bundle, _options: &CompileOptions) -> (PolicySet, Vec<Problem>) {
        (
            PolicySet {
                revision: bundle.revision().into(),
            },
            bundle.problems.clone(),
        )
    }

    /// The digest of the bundle.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Loaded constraints and plain Rego policies, sorted by kind and name.
    pub fn constraints(&self) -> Vec<ConstraintInfo> {
        Vec::new()
    }

    /// Kinds of the loaded templates, sorted.
    pub fn templates(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether any loaded policy reads `data.inventory`; when none does, the caller need not gather one.
    pub fn reads_inventory(&self) -> bool {
        true
    }
}
