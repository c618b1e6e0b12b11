//! What a scalar means: YAML 1.1 as go-yaml v2 resolves it, then as `encoding/json` would print it.

use crate::number::Number;
use crate::value::Value;

/// What a scalar turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text,
}

impl Scalar {
    /// The value, `text` being what was written; infinities and NaN have none.
    pub(super) fn value(&self, text: &str) -> Result<Value, &'static str> {
        Ok(match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(*b),
            Scalar::Int(i) => Value::from(*i),
            Scalar::Unsigned(u) => number(&u.to_string())?,
            Scalar::Float(f) if f.is_finite() => number(&json_float(*f))?,
            Scalar::Float(_) => return Err("infinity and not-a-number have no JSON form"),
            Scalar::Text => Value::string(text),
        })
    }

    /// The key a mapping gets in JSON.
    pub(super) fn key(&self, text: &str) -> Result<Value, &'static str> {
        Ok(match self {
            Scalar::Text => Value::string(text),
            Scalar::Bool(true) => Value::string("true"),
            Scalar::Bool(false) => Value::string("false"),
            Scalar::Int(i) => Value::string(i.to_string()),
            Scalar::Float(f) => Value::string(key_float(*f)),
            Scalar::Null => return Err("null cannot be a key"),
            Scalar::Unsigned(_) => return Err("an integer beyond 64 signed bits cannot be a key"),
        })
    }
}

fn number(text: &str) -> Result<Value, &'static str> {
    Number::parse(text).map(Value::Number).ok_or("not a number")
}

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    let Some(first) = text.bytes().next() else {
        return Scalar::Null;
    };
    match first {
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        b'.' => match text {
            ".inf" | ".Inf" | ".INF" => Scalar::Float(f64::INFINITY),
            ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
            _ => text
                .parse::<f64>()
                .ok()
                .filter(|f| f.is_finite())
                .map_or(Scalar::Text, Scalar::Float),
        },
        b'+' | b'-' | b'0'..=b'9' => numeric(text),
        _ => Scalar::Text,
    }
}

fn word(text: &str) -> Scalar {
    match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        _ => Scalar::Text,
    }
}

fn numeric(text: &str) -> Scalar {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let without;
    let plain = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    let (negative, digits) = match plain.as_bytes().first() {
        Some(b'-') => (true, plain.get(1..).unwrap_or_default()),
        Some(b'+') => (false, plain.get(1..).unwrap_or_default()),
        _ => (false, plain),
    };
    if let Some(magnitude) = magnitude(digits) {
        if negative {
            if let Some(i) = 0i64.checked_sub_unsigned(magnitude) {
                return Scalar::Int(i);
            }
        } else if let Ok(i) = i64::try_from(magnitude) {
            return Scalar::Int(i);
        } else if digits.len() == plain.len() {
            return Scalar::Unsigned(magnitude);
        }
    }
    if float_form(digits)
        && let Ok(f) = plain.parse::<f64>()
        && f.is_finite()
    {
        return Scalar::Float(f);
    }
    Scalar::Text
}

/// A boolean to YAML 1.1, text to YAML 1.2.
pub(super) fn is_old_boolean(text: &str) -> bool {
    matches!(word(text), Scalar::Bool(_)) && !matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

/// A number that no double can hold: go-yaml makes a string of it, which a strict reader must not.
pub(super) fn out_of_range(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && float_form(text.strip_prefix(['+', '-']).unwrap_or(text))
        && text.parse::<f64>().is_ok_and(f64::is_infinite)
}

/// Digits with an optional base prefix (`0x`, `0o`, `0b`, or a leading zero for octal).
fn magnitude(digits: &str) -> Option<u64> {
    let (radix, rest) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // from_str_radix takes a sign of its own.
    if rest.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(rest, radix).ok()
}

/// `.digits`, `digits`, `digits.` or `digits.digits`, then an optional exponent.
fn float_form(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['+', '-']).unwrap_or(e))),
        None => (text, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|e| !e.is_empty() && all_digits(e))
}

/// A double as Go's `encoding/json` prints it.
pub(super) fn json_float(f: f64) -> String {
    let size = f.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{f:e}");
        return match text.split_once('e') {
            Some((m, e)) if !e.starts_with('-') => format!("{m}e+{e}"),
            _ => text,
        };
    }
    format!("{f}")
}

/// A double key, in single precision as Go's `%g` prints it.
fn key_float(f: f64) -> String {
    if f.is_nan() {
        return ".nan".into();
    }
    let single = f as f32;
    if single.is_infinite() {
        return if single > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    go_g(&format!("{single:e}"), &format!("{single}"))
}

/// Go's `%g` with the shortest digits, from the scientific and the plain form.
pub(super) fn go_g(scientific: &str, plain: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return plain.to_owned();
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // With the shortest digits the exponent shows below -4 and from 6 on.
    if (-4..6).contains(&exponent) {
        return plain.to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
