//! What came of judging, in the one order it is told in.

use crate::doc::Doc;
use regent_core::manifest::Problem;
use regent_core::{Action, Generated, Violation};
use regent_rego::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;
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

/// What said so: a constraint, or plain Rego.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Constraint {
    pub(crate) kind: String,
    pub(crate) name: String,
    /// As written (`scoped` included).
    pub(crate) enforcement_action: String,
    /// What it means here, sorted.
    pub(crate) actions: Vec<Action>,
}

/// A violation of an object. There can be millions: what many have in common they share.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) at: At,
    pub(crate) object: Arc<ObjectName>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) constraint: Arc<Constraint>,
    pub(crate) message: Box<str>,
    pub(crate) details: Value,
    pub(crate) generated: Option<Box<Generated>>,
}

/// What findings have in common, each once.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    constraints: BTreeSet<Arc<Constraint>>,
    details: BTreeSet<Value>,
}

impl Shared {
    fn constraint(&mut self, constraint: Constraint) -> Arc<Constraint> {
        if let Some(known) = self.constraints.get(&constraint) {
            return Arc::clone(known);
        }
        let new = Arc::new(constraint);
        self.constraints.insert(Arc::clone(&new));
        new
    }

    fn details(&mut self, details: Value) -> Value {
        /// Details that differ more than this are not worth looking for.
        const MANY: usize = 4096;
        if let Some(known) = self.details.get(&details) {
            return known.clone();
        }
        if self.details.len() < MANY {
            self.details.insert(details.clone());
        }
        details
    }
}

impl Finding {
    pub(crate) fn new(
        at: At,
        object: Arc<ObjectName>,
        (line, column): (u32, u32),
        violation: Violation,
        shared: &mut Shared,
    ) -> Finding {
        let constraint = shared.constraint(Constraint {
            kind: violation.constraint_kind,
            name: violation.constraint_name,
            enforcement_action: violation.enforcement_action,
            actions: violation.actions,
        });
        Finding {
            at,
            object,
            line,
            column,
            constraint,
            message: violation.message.into_boxed_str(),
            details: shared.details(violation.details),
            generated: violation.generated.map(Box::new),
        }
    }

    /// Deny before warn before dryrun; nothing when no action counts at this point.
    pub(crate) fn action(&self) -> Option<Action> {
        self.constraint.actions.iter().min().copied()
    }

    /// The action's name; as written where none counts at this point.
    pub(crate) fn action_name(&self) -> &str {
        match self.action() {
            Some(action) => action.as_str(),
            None => &self.constraint.enforcement_action,
        }
    }

    fn order(&self, other: &Finding) -> Ordering {
        self.at
            .cmp(&other.at)
            .then_with(|| self.object.cmp(&other.object))
            .then_with(|| self.constraint.kind.cmp(&other.constraint.kind))
            .then_with(|| self.constraint.name.cmp(&other.constraint.name))
            .then_with(|| self.message.cmp(&other.message))
            .then_with(|| (self.line, self.column).cmp(&(other.line, other.column)))
            .then_with(|| self.generated.cmp(&other.generated))
            .then_with(|| self.details.cmp(&other.details))
            .then_with(|| self.constraint.cmp(&other.constraint))
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
        self.findings.sort_unstable_by(Finding::order);
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
