//! Errors with OPA's codes, and where they are.

use crate::ast::Loc;
use std::fmt;

/// OPA's error codes (`rego_parse_error`, ...), and those for our own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// `rego_parse_error`.
    Parse,
    /// `rego_compile_error`.
    Compile,
    /// `rego_type_error`.
    Type,
    /// `rego_unsafe_var_error`.
    UnsafeVar,
    /// `rego_recursion_error`.
    Recursion,
    /// `eval_conflict_error`.
    Conflict,
    /// `eval_type_error`.
    EvalType,
    /// `eval_builtin_error`.
    Builtin,
    /// `eval_with_merge_error`.
    WithMerge,
    /// `eval_cancel_error`: a time limit, or the caller's wish.
    Cancel,
    /// `eval_internal_error`.
    Internal,
    /// `regent_limit_error`: memory, output or depth.
    Limit,
    /// `regent_unsupported_error`: refused at load, by name.
    Unsupported,
}

impl Code {
    /// The code as OPA writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Parse => "rego_parse_error",
            Code::Compile => "rego_compile_error",
            Code::Type => "rego_type_error",
            Code::UnsafeVar => "rego_unsafe_var_error",
            Code::Recursion => "rego_recursion_error",
            Code::Conflict => "eval_conflict_error",
            Code::EvalType => "eval_type_error",
            Code::Builtin => "eval_builtin_error",
            Code::WithMerge => "eval_with_merge_error",
            Code::Cancel => "eval_cancel_error",
            Code::Internal => "eval_internal_error",
            Code::Limit => "regent_limit_error",
            Code::Unsupported => "regent_unsupported_error",
        }
    }
}

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The class.
    pub code: Code,
    /// OPA's words where a user would search for them; no code and no place in it.
    pub message: String,
    /// The place; row 0 when there is none.
    pub loc: Loc,
}

impl Error {
    /// An error at a place.
    pub fn new(code: Code, loc: &Loc, message: impl Into<String>) -> Error {
        Error {
            code,
            message: message.into(),
            loc: loc.clone(),
        }
    }
}

impl fmt::Display for Error {
    /// As OPA prints one: `file:row: code: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.loc.row > 0 {
            match &self.loc.file {
                Some(file) if !file.is_empty() => write!(f, "{}:{}: ", file, self.loc.row)?,
                _ => write!(f, "{}:{}: ", self.loc.row, self.loc.col)?,
            }
        }
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
