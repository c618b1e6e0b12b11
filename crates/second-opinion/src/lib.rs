//! A second opinion on verdicts: the same program, evaluated by regorus, which shares no evaluator code with ours.
//!
//! ```text
//! Program ─ not_asked ─▶ a reason, or ─ text ─▶ Rego that regorus reads rightly ─ engine ─▶ Opinion
//! ```
//!
//! Nothing outside this crate names regorus. What it is not asked about is in `not-asked.tsv`, which of its built-ins
//! are its own in `own-builtins.tsv`. Design: `docs/design/second-opinion.md`.

mod builtins;
mod depth;
mod engine;
mod not_asked;
mod objects;
mod session;
mod terms;
mod text;
mod thread;
mod values;

pub use engine::{given, opinion, refusal};
pub use not_asked::{LISTED, Listed, listed};
pub use thread::{STACK, Threads};
