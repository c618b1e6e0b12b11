//! Rego as OPA runs it, with limits: parse, compile, evaluate, and what a program reads.
//!
//! ```text
//! source ─ parse ─▶ ast::Module ─ compile ─▶ lowered rules ─ plan ─▶ Program ─ eval ─▶ value | undefined | error
//! ```
//!
//! Pure: no files, network, environment, clock or threads; what is needed is handed in through [`Context`].

pub mod ast;
pub mod builtins;
pub mod compile;
pub mod error;
mod exec;
mod go_text;
mod gofmt;
pub mod json;
pub mod number;
pub mod opinion;
pub mod parse;
mod plan;
pub mod print;
mod program;
mod softfloat;
pub mod term_order;
pub mod trace;
mod typecheck;
pub mod types;
pub mod value;
pub mod value_text;
pub mod yaml;

pub use error::{Code, Error};
pub use number::Number;
pub use opinion::{Opinion, SecondEvaluator};
pub use program::{
    CompileOptions, Context, Entry, Limits, Outcome, Program, QuerySource, Reads, Rewrites, Subject, compile,
};
pub use value::{Object, Set, Value};

/// The README's example is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
