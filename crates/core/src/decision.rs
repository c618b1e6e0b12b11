//! What came of judging one review.

use regent_rego::Value;
use std::sync::Arc;

/// What a violation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Refuse.
    Deny,
    /// Let pass, with a warning.
    Warn,
    /// Let pass, recorded.
    Dryrun,
}

impl Action {
    /// The action as constraints write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Deny => "deny",
            Action::Warn => "warn",
            Action::Dryrun => "dryrun",
        }
    }

    /// The action of that name.
    pub fn parse(name: &str) -> Option<Action> {
        match name {
            "deny" => Some(Action::Deny),
            "warn" => Some(Action::Warn),
            "dryrun" => Some(Action::Dryrun),
            _ => None,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Kind of the constraint (for plain Rego: `Rego`).
    pub constraint_kind: String,
    /// Name of the constraint (for plain Rego: its package).
    pub constraint_name: String,
    /// `spec.enforcementAction` as written (`scoped` included).
    pub enforcement_action: String,
    /// What it means at the enforcement point of this evaluation, sorted, without duplicates.
    pub actions: Vec<Action>,
    /// The text.
    pub message: String,
    /// The policy's `details`, `{}` when it gave none.
    pub details: Value,
    /// Set when the violation is of an object that expansion made.
    pub generated: Option<Generated>,
}

/// The object that expansion made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generated {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The ExpansionTemplate's name, or the built-in path (`spec.template`).
    pub template: String,
    /// Where the generated object's parts stand in the object it came from: the path that goes before a path into it.
    pub path: Vec<String>,
}

/// A constraint that could not be judged: an answer is missing, so whoever enforces must not read it as "no violation".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind of the constraint; empty when the failure is not of one.
    pub constraint_kind: String,
    /// Name of the constraint.
    pub constraint_name: String,
    /// `spec.enforcementAction` of the constraint as written.
    pub enforcement_action: String,
    /// What it means at the enforcement point; `deny` when the failure is of no constraint.
    pub actions: Vec<Action>,
    /// What went wrong, with OPA's code.
    pub message: String,
    /// Two evaluators were asked, and do not agree.
    pub disagreement: bool,
    /// Set when what was judged is an object that expansion made.
    pub generated: Option<Generated>,
}

/// How long one constraint took on one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Its place in [`crate::PolicySet::constraints`].
    pub constraint: u32,
    /// By the clock that was handed in.
    pub nanoseconds: u64,
}

/// A constraint whose verdict the second evaluator was not asked about, though both were wanted. The verdict stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unconfirmed {
    /// Kind of the constraint.
    pub constraint_kind: String,
    /// Name of the constraint.
    pub constraint_name: String,
    /// Why it was not asked.
    pub reason: String,
    /// Set when what was judged is an object that expansion made.
    pub generated: Option<Generated>,
}

/// Everything that came of one review. Violations are in total order: action, message, kind, name.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The policy set that gave it.
    pub revision: Arc<str>,
    /// What was found.
    pub violations: Vec<Violation>,
    /// What could not be judged; never empty-handed "no violation".
    pub failures: Vec<Failure>,
    /// How many constraints matched and were evaluated, implied objects included.
    pub evaluated: usize,
    /// How long each evaluation took, in the order they ran; empty unless it was asked for.
    pub spent: Vec<Spent>,
    /// Verdicts without a second opinion, when one was wanted.
    pub unconfirmed: Vec<Unconfirmed>,
    /// Lines that policies printed, when the set keeps `print` calls.
    pub prints: Vec<String>,
}
