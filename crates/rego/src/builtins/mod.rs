//! OPA's built-in functions: one table, a file a family.

use crate::error::Error;
use crate::types::Type;
use crate::value::Value;

/// Which built-ins a program may call. Default: all that are implemented.
#[derive(Clone, Debug, Default)]
pub struct Capabilities {
    /// Names taken away (`http.send` and the like are never there).
    pub without: Vec<String>,
}

/// What went wrong in a built-in.
#[derive(Clone, Debug)]
pub enum Failure {
    /// An operand of the wrong type: `eval_type_error`; undefined unless strict.
    Type(String),
    /// Anything else of the function's own: `eval_builtin_error`; undefined unless strict.
    Builtin(String),
    /// Ends the evaluation whatever the mode: a limit, a cancel.
    Halt(Error),
}

/// What a built-in may ask of the evaluation that calls it.
pub trait Host {
    /// Accounts for bytes about to be made and looks at the clock now and then; call it before building anything
    /// whose size input can drive, and with small amounts inside long loops.
    ///
    /// # Errors
    /// `Failure::Halt` once a limit is hit.
    fn charge(&mut self, bytes: usize) -> Result<(), Failure>;
    /// `time.now_ns`, fixed within one evaluation.
    fn time_ns(&self) -> i64;
    /// Pseudo-random number, seeded by the caller.
    fn random(&mut self) -> u64;
    /// A note of `trace`.
    fn note(&mut self, text: &str);
    /// A compiled pattern is kept for the program's life (regex, glob), keyed by its text.
    fn cache(&self) -> &crate::builtins::Cache;
}

/// Compiled patterns, shared by all evaluations of a program, bounded.
#[derive(Debug, Default)]
pub struct Cache {}

/// The implementation: operands in, value out; `None` is undefined.
pub type Function = fn(&mut dyn Host, &[&Value]) -> Result<Option<Value>, Failure>;

/// One built-in.
#[derive(Clone, Copy)]
pub struct Builtin {
    /// OPA's name.
    pub name: &'static str,
    /// Its signature in our shorthand, read once by [`signature`]: `"(string, array[any]) string"`.
    pub signature: &'static str,
    /// Same operands, same answer.
    pub deterministic: bool,
    /// Yields several answers (`walk`): the function returns an array of them.
    pub relation: bool,
    /// OPA marks it deprecated (refused in strict mode and in v1).
    pub deprecated: bool,
    /// The infix operator it stands for, if any (`==`).
    pub infix: Option<&'static str>,
    /// The implementation.
    pub function: Function,
}

/// Every built-in that exists here, by name.
pub fn find(_name: &str) -> Option<&'static Builtin> {
    None
}

/// Names of OPA 1.17.1's built-ins that are refused at load, with the reason.
pub const REFUSED: &[(&str, &str)] = &[("http.send", "policies do not reach the network")];

/// The signature as a [`Type::Function`].
pub fn signature(_builtin: &Builtin) -> Type {
    Type::Any
}
