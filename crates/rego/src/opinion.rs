//! What another evaluator says of a program, and whether it agrees with ours.
//!
//! The other evaluator is not known here: it is handed in as a function, and finds in the program what it needs
//! ([`Program::lowered`], [`Program::companion`]).

use crate::error::Error;
use crate::program::{Context, Entry, Program};
use crate::value::Value;
use crate::value_text;

/// What the other evaluator says of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum Opinion {
    /// The value; `None`: undefined.
    Value(Option<Value>),
    /// The evaluation ends with an error.
    Error(String),
    /// It is not asked, with the reason: it is known to be wrong here, or could not finish.
    NotAsked(String),
}

/// The other evaluator. It may be asked for any entry of a program that was compiled with
/// [`CompileOptions::keep_lowered`](crate::CompileOptions::keep_lowered).
pub type SecondEvaluator<'a> = &'a (dyn Fn(&Program, Entry, &Context<'_>) -> Opinion + Sync);

/// Characters of an answer that are shown.
const SHOWN: usize = 400;

/// Both answers, when they differ. Two errors agree; who is not asked does not differ. `query`: the value is the list of
/// a query's results, whose order says nothing.
pub fn disagreement(native: Result<Option<&Value>, &Error>, other: &Opinion, query: bool) -> Option<String> {
    let same = match (native, other) {
        (_, Opinion::NotAsked(_)) | (Err(_), Opinion::Error(_)) => true,
        (Ok(a), Opinion::Value(b)) => match (a, b) {
            (Some(Value::Array(a)), Some(Value::Array(b))) if query => {
                let (mut a, mut b) = (a.to_vec(), b.to_vec());
                a.sort();
                b.sort();
                a == b
            }
            (a, b) => a == b.as_ref(),
        },
        _ => false,
    };
    if same {
        return None;
    }
    let native = match native {
        Ok(value) => shown(value),
        Err(error) => error.to_string(),
    };
    let other = match other {
        Opinion::Value(value) => shown(value.as_ref()),
        Opinion::Error(text) | Opinion::NotAsked(text) => text.clone(),
    };
    Some(format!(
        "the two evaluators disagree: native says {native}; the second opinion says {other}"
    ))
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "undefined".to_owned();
    };
    let text = value_text::text(value);
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
