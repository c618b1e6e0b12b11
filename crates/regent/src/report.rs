//! What came of judging, in the one order it is told in.

use crate::doc::Doc;
use regent_core::manifest::Problem;
use regent_core::{Action, Violation};
use regent_rego::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// What is judged, as it is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectName {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ObjectName {
    pub(crate) fn of(object: &Value) -> ObjectName {
        let text = |path: &[&str]| object.path(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut name = text(&["metadata", "name"]);
        if name.is_empty() {
            name = text(&["metadata", "generateName"]);
        }
        ObjectName {
            api_version: text(&["apiVersion"]),
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name,
        }
    }

    /// `namespace/name`, or the name alone.
    pub(crate) fn path(&self) -> String {
        match self.namespace.as_str() {
            "" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }

    pub(crate) fn doc(&self) -> Doc {
        Doc::Map(vec![
            ("apiVersion", Doc::from(&self.api_version)),
            ("kind", Doc::from(&self.kind)),
            ("namespace", Doc::from(&self.namespace)),
            ("name", Doc::from(&self.name)),
        ])
    }
}

/// A place among the documents: file, document, item of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) file: Arc<str>,
    pub(crate) document: usize,
    pub(crate) item: usize,
}

/// A violation of an object.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) at: At,
    pub(crate) object: Arc<ObjectName>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) violation: Violation,
}

impl Finding {
    /// Deny before warn before dryrun; nothing when no action counts at this point.
    pub(crate) fn action(&self) -> Option<Action> {
        self.violation.actions.iter().min().copied()
    }

    /// The action's name; as written where none counts at this point.
    pub(crate) fn action_name(&self) -> &str {
        match self.action() {
            Some(action) => action.as_str(),
            None => &self.violation.enforcement_action,
        }
    }

    fn order(&self, other: &Finding) -> Ordering {
        let (a, b) = (&self.violation, &other.violation);
        self.at
            .cmp(&other.at)
            .then_with(|| self.object.cmp(&other.object))
            .then_with(|| a.constraint_kind.cmp(&b.constraint_kind))
            .then_with(|| a.constraint_name.cmp(&b.constraint_name))
            .then_with(|| a.message.cmp(&b.message))
            .then_with(|| (self.line, self.column).cmp(&(other.line, other.column)))
            .then_with(|| a.generated.cmp(&b.generated))
            .then_with(|| a.details.cmp(&b.details))
    }
}

/// Counts of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Objects judged.
    pub(crate) objects: usize,
    pub(crate) violations: usize,
    /// Objects with a violation that denies.
    pub(crate) denied: usize,
    /// Objects with one that warns, and none that denies.
    pub(crate) warned: usize,
    pub(crate) errors: usize,
}

/// Everything that came of a `check`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) revision: String,
    pub(crate) findings: Vec<Finding>,
    pub(crate) errors: Vec<Problem>,
    pub(crate) summary: Summary,
    /// Judged objects by file; JUnit tells those that are well too.
    pub(crate) objects: Vec<(At, Arc<ObjectName>)>,
}

impl Report {
    /// Brings everything into its order and counts it.
    pub(crate) fn finish(&mut self, objects: usize) {
        self.findings.sort_by(Finding::order);
        self.errors
            .sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
        self.objects.sort();
        let mut summary = Summary {
            objects,
            violations: self.findings.len(),
            errors: self.errors.len(),
            ..Summary::default()
        };
        for object in self.findings.chunk_by(|a, b| a.at == b.at) {
            match object.iter().filter_map(Finding::action).min() {
                Some(Action::Deny) => summary.denied += 1,
                Some(Action::Warn) => summary.warned += 1,
                Some(Action::Dryrun) | None => {}
            }
        }
        self.summary = summary;
    }

    /// The mildest action among the findings that is at least as severe as `limit`.
    pub(crate) fn fails(&self, limit: Action) -> bool {
        self.findings.iter().filter_map(Finding::action).any(|a| a <= limit)
    }
}
