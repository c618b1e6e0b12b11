//! Numbers as OPA has them: the text is the number (`evaluator.md` §4).

use std::cmp::Ordering;
use std::sync::Arc;

/// A number: a machine integer, or anything else with the text it was written in.
#[derive(Clone, Debug)]
pub enum Number {
    /// Fits 64 bits and is written as a plain integer.
    Int(i64),
    /// Everything else.
    Text(Arc<Decimal>),
}

/// A number that is not a plain 64-bit integer.
#[derive(Clone, Debug)]
pub struct Decimal {
    /// As written, or as OPA would print it.
    pub text: Box<str>,
}

impl Number {
    /// Reads JSON's number grammar; `None` if it is none.
    pub fn parse(text: &str) -> Option<Number> {
        if let Ok(i) = text.parse::<i64>() {
            return Some(Number::Int(i));
        }
        text.parse::<f64>().ok()?;
        Some(Number::Text(Arc::new(Decimal { text: text.into() })))
    }

    /// The integer, if the text is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(i) => Some(*i),
            Number::Text(_) => None,
        }
    }

    /// Nearest double.
    pub fn as_f64(&self) -> f64 {
        match self {
            Number::Int(i) => *i as f64,
            Number::Text(d) => d.text.parse().unwrap_or(f64::NAN),
        }
    }
}

impl From<i64> for Number {
    fn from(i: i64) -> Number {
        Number::Int(i)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Int(i) => write!(f, "{i}"),
            Number::Text(d) => f.write_str(&d.text),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Number {}
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(b),
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }
}
impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_f64().to_bits().hash(state);
    }
}
