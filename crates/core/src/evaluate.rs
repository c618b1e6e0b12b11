//! The one function that gives a verdict: expand, match, run.

use crate::decision::Decision;
use crate::inventory::Inventory;
use crate::policy_set::PolicySet;
use crate::review::Review;

/// Gatekeeper's name for the webhook.
pub const POINT_WEBHOOK: &str = "validation.gatekeeper.sh";
/// Gatekeeper's name for audit.
pub const POINT_AUDIT: &str = "audit.gatekeeper.sh";
/// Gatekeeper's name for the command line.
pub const POINT_GATOR: &str = "gator.gatekeeper.sh";

/// Which evaluator answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Our own.
    #[default]
    Native,
    /// The second opinion alone.
    Regorus,
    /// Both; a disagreement is a failure.
    Both,
}

/// How one review is evaluated.
#[derive(Clone, Copy)]
pub struct EvaluateOptions<'a> {
    /// Enforcement point.
    pub point: &'a str,
    /// Monotonic nanoseconds; `None`: no time limits.
    pub clock: Option<&'a (dyn Fn() -> u64 + Sync)>,
    /// Nanoseconds one constraint may take on one object.
    pub constraint_budget: u64,
    /// Nanoseconds the whole review may take.
    pub total_budget: u64,
    /// `time.now_ns()`, nanoseconds since 1970.
    pub time_ns: i64,
    /// Seed of what is random in policies.
    pub seed: u64,
    /// Judge the Pods that workloads imply by every constraint, not only by those that ask for it.
    pub workloads: bool,
    /// Honour ExpansionTemplates and built-in workload paths at all.
    pub expand: bool,
    /// Which evaluator answers.
    pub engine: Engine,
}

impl Default for EvaluateOptions<'_> {
    fn default() -> Self {
        EvaluateOptions {
            point: POINT_GATOR,
            clock: None,
            constraint_budget: 1_000_000_000,
            total_budget: u64::MAX,
            time_ns: 0,
            seed: 0,
            workloads: false,
            expand: true,
            engine: Engine::Native,
        }
    }
}

/// Judges a review by every constraint that matches it.
pub fn evaluate(
    policies: &PolicySet,
    _review: &Review,
    _inventory: &Inventory,
    _options: &EvaluateOptions<'_>,
) -> Decision {
    Decision {
        revision: policies.revision().into(),
        ..Decision::default()
    }
}

/// What one constraint had to do with a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Kind of the constraint.
    pub constraint_kind: String,
    /// Name of the constraint.
    pub constraint_name: String,
    /// Set for an implied object.
    pub generated: Option<crate::decision::Generated>,
    /// Whether it applies.
    pub matched: bool,
    /// Why not, or which criterion could not be decided; empty when it simply applies.
    pub reason: String,
}

/// For every constraint, whether it applies to a review and why not. Sorted by kind and name.
pub fn explain(
    _policies: &PolicySet,
    _review: &Review,
    _inventory: &Inventory,
    _options: &EvaluateOptions<'_>,
) -> Vec<Explained> {
    Vec::new()
}
