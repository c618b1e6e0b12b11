//! From bytes to decision: what is judged, by what, and what came of it. Pure: no files, network, clock or async.
//!
//! ```text
//! bundle ─▶ templates, constraints ─ compile ─▶ PolicySet (immutable, revision = digest)
//! manifest | request ─▶ Review ─▶ expansion ─▶ match ─▶ evaluate (+ Inventory) ─▶ Decision
//! ```
//!
//! The face, in the order things flow:
//!
//! - [`manifest::read`]: bytes to [`manifest::Document`]s.
//! - [`Bundle`]: named bytes (or documents) sorted into templates, constraints and the rest, with a digest.
//! - [`PolicySet::compile`]: a bundle checked and planned; every problem is gathered, none hides another.
//! - [`Review`]: one object or AdmissionRequest to be judged.
//! - [`Inventory`]: what policies see as `data.inventory`, and the Namespaces that matching asks for.
//! - [`evaluate()`]: the one function that gives a verdict; [`explain()`] says which constraints matched and why.
//! - [`Decision`]: violations in total order, and what could not be judged.
//! - [`suite`]: Suites of `gator verify` and Rego unit tests, as data and as a runner.

mod head;
mod index;
mod object;
mod plain;
mod secrets;
mod traced;

pub mod manifest;

pub mod bundle;
pub mod constraint;
pub mod schema;
pub mod template;

pub mod inventory;
pub mod review;

pub mod exclusion;
pub mod expansion;
pub mod matching;
pub mod policy_set;

mod ask;
pub mod coverage;
pub mod decision;
pub mod evaluate;
pub mod explain;
pub mod places;

pub mod suite;
pub mod vetting;

pub use ask::Engine;
pub use bundle::Bundle;
pub use decision::{Action, Decision, Failure, Generated, Spent, Unconfirmed, Violation};
pub use evaluate::{EvaluateOptions, asks_for, evaluate, untouched};
pub use explain::explain;
pub use head::Head;
pub use inventory::Inventory;
pub use policy_set::{CompileOptions, PolicySet};
pub use review::{Review, Source};

#[cfg(test)]
mod golden_loading;
