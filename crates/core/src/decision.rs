//! What came of judging one review.

use regent_rego::Value;

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

/// One finding.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The ExpansionTemplate's name, or the built-in path (`spec.template`).
    pub template: String,
}

/// A constraint that could not be judged.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Kind of the constraint; empty when the failure is not of one.
    pub constraint_kind: String,
    /// Name of the constraint.
    pub constraint_name: String,
    /// What went wrong, with OPA's code.
    pub message: String,
}

/// Everything that came of one review. Violations are in total order: action, message, kind, name.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// What was found.
    pub violations: Vec<Violation>,
    /// What could not be judged; never empty-handed "no violation".
    pub failures: Vec<Failure>,
}
