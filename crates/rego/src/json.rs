//! JSON text straight into values, and back.

use crate::value::Value;

/// How JSON is read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Levels of nesting before the text is refused.
    pub depth: usize,
    /// Refuse an object that has a key twice; otherwise the last one wins.
    pub refuse_duplicates: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            depth: 1_000,
            refuse_duplicates: false,
        }
    }
}

/// Why JSON text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What is wrong.
    pub message: String,
    /// Row, from 1.
    pub row: usize,
    /// Column, from 1.
    pub col: usize,
}

/// Reads exactly one JSON value.
pub fn read(_text: &[u8], _options: ReadOptions) -> Result<Value, ReadError> {
    Err(ReadError {
        message: String::new(),
        row: 1,
        col: 1,
    })
}

/// Compact JSON as OPA's `json.marshal` writes it (sets as arrays, keys of any type as their text).
pub fn write(_value: &Value) -> String {
    String::new()
}
