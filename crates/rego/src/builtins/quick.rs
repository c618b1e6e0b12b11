//! Short ways of built-ins that policies call most: an answer that is there already, without a host to ask. What a
//! short way cannot answer goes the long one, so that errors are made in one place only.

use crate::value::Value;
use std::fmt::Write;

/// What a short way answers.
pub(crate) enum Short<'a> {
    /// This value.
    Is(&'a Value),
    /// This integer.
    Int(i64),
    /// This value, of bounded size.
    Made(Value),
    /// The text that was written.
    Text,
    /// The long way has to be gone.
    No,
}

/// A short way: operands, and an empty text to write to.
pub(crate) type Quick = for<'a> fn(&[&'a Value], &mut String) -> Short<'a>;

/// Longer texts go the long way, where work and size are charged before anything is done.
const LONG: usize = 4 << 10;
/// Larger collections that would be looked through go the long way, too.
const MANY: usize = 1 << 10;
/// Room for a text at first.
const ROOM: usize = 256;

/// The short way of a built-in, if it has one.
pub(crate) fn quick(name: &str) -> Option<Quick> {
    Some(match name {
        "is_array" => |a, _| only(a, |v| matches!(v, Value::Array(_))),
        "is_boolean" => |a, _| only(a, |v| matches!(v, Value::Bool(_))),
        "is_null" => |a, _| only(a, |v| matches!(v, Value::Null)),
        "is_number" => |a, _| only(a, |v| matches!(v, Value::Number(_))),
        "is_object" => |a, _| only(a, |v| matches!(v, Value::Object(_))),
        "is_set" => |a, _| only(a, |v| matches!(v, Value::Set(_))),
        "is_string" => |a, _| only(a, |v| matches!(v, Value::String(_))),
        "contains" => |a, _| texts(a, |s, t| s.contains(t)),
        "startswith" => |a, _| texts(a, |s, t| s.starts_with(t)),
        "endswith" => |a, _| texts(a, |s, t| s.ends_with(t)),
        "count" => |a, _| count(a),
        "object.get" => |a, _| object_get(a),
        "internal.member_2" => |a, _| member(a),
        "or" => |a, _| or(a),
        "and" => |a, _| and(a),
        "minus" => |a, _| minus(a),
        "plus" => |a, _| plus(a),
        "concat" => concat,
        "sprintf" => sprintf,
        "units.parse" => |a, _| units_parse(a),
        "lower" => |a, _| unchanged(a, |b| !b.is_ascii_uppercase()),
        "upper" => |a, _| unchanged(a, |b| !b.is_ascii_lowercase()),
        "trim_prefix" => |a, _| uncut(a, |s, t| !s.starts_with(t)),
        "trim_suffix" => |a, _| uncut(a, |s, t| !s.ends_with(t)),
        _ => return None,
    })
}

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

fn truth<'a>(b: bool) -> Short<'a> {
    Short::Is(if b { &TRUE } else { &FALSE })
}

fn only<'a>(args: &[&'a Value], test: fn(&Value) -> bool) -> Short<'a> {
    match args {
        [v] => truth(test(v)),
        _ => Short::No,
    }
}

/// Whether comparing with a value costs next to nothing.
fn is_small(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(crate::Number::Int(_)) => true,
        Value::String(s) => s.len() <= LONG,
        _ => false,
    }
}

fn texts<'a>(args: &[&'a Value], test: fn(&str, &str) -> bool) -> Short<'a> {
    match args {
        [Value::String(s), Value::String(t)] if s.len() <= LONG && t.len() <= LONG => truth(test(s, t)),
        _ => Short::No,
    }
}

fn count<'a>(args: &[&'a Value]) -> Short<'a> {
    let n = match args {
        [Value::Array(a)] => a.len(),
        [Value::Object(o)] => o.len(),
        [Value::Set(s)] => s.len(),
        [Value::String(s)] if s.len() <= LONG && s.is_ascii() => s.len(),
        _ => return Short::No,
    };
    i64::try_from(n).map_or(Short::No, Short::Int)
}

fn object_get<'a>(args: &[&'a Value]) -> Short<'a> {
    let [object @ Value::Object(o), key, default] = args else {
        return Short::No;
    };
    let found = match key {
        Value::Array(path) if path.len() <= MANY && path.iter().all(is_small) => {
            path.iter().try_fold(*object, |v, key| v.lookup(key))
        }
        key if is_small(key) => o.get(key),
        _ => return Short::No,
    };
    Short::Is(found.unwrap_or(default))
}

fn member<'a>(args: &[&'a Value]) -> Short<'a> {
    let [wanted, collection] = args else {
        return Short::No;
    };
    if !is_small(wanted) {
        return Short::No;
    }
    truth(match collection {
        Value::Array(a) if a.len() <= MANY => a.contains(wanted),
        Value::Set(s) => s.contains(wanted),
        _ => return Short::No,
    })
}

fn or<'a>(args: &[&'a Value]) -> Short<'a> {
    match args {
        [Value::Set(a), b @ Value::Set(_)] if a.is_empty() => Short::Is(b),
        [a @ Value::Set(_), Value::Set(b)] if b.is_empty() => Short::Is(a),
        _ => Short::No,
    }
}

fn and<'a>(args: &[&'a Value]) -> Short<'a> {
    match args {
        [a @ Value::Set(x), Value::Set(_)] if x.is_empty() => Short::Is(a),
        [Value::Set(_), b @ Value::Set(y)] if y.is_empty() => Short::Is(b),
        _ => Short::No,
    }
}

fn minus<'a>(args: &[&'a Value]) -> Short<'a> {
    match args {
        [a @ Value::Set(x), Value::Set(y)] if x.is_empty() || y.is_empty() => Short::Is(a),
        [Value::Number(a), Value::Number(b)] => integers(a, b, i64::checked_sub),
        _ => Short::No,
    }
}

fn plus<'a>(args: &[&'a Value]) -> Short<'a> {
    match args {
        [Value::Number(a), Value::Number(b)] => integers(a, b, i64::checked_add),
        _ => Short::No,
    }
}

/// Sums of machine integers are exact as long as they are ones.
fn integers<'a>(a: &crate::Number, b: &crate::Number, with: fn(i64, i64) -> Option<i64>) -> Short<'a> {
    match (a, b) {
        (crate::Number::Int(a), crate::Number::Int(b)) => with(*a, *b).map_or(Short::No, Short::Int),
        _ => Short::No,
    }
}

fn unchanged<'a>(args: &[&'a Value], fits: fn(u8) -> bool) -> Short<'a> {
    match args {
        [v @ Value::String(s)] if s.len() <= LONG && s.bytes().all(|b| b.is_ascii() && fits(b)) => Short::Is(v),
        _ => Short::No,
    }
}

fn uncut<'a>(args: &[&'a Value], fits: fn(&str, &str) -> bool) -> Short<'a> {
    match args {
        [v @ Value::String(s), Value::String(t)] if t.len() <= LONG && (t.is_empty() || fits(s, t)) => Short::Is(v),
        _ => Short::No,
    }
}

fn concat<'a>(args: &[&'a Value], out: &mut String) -> Short<'a> {
    let [Value::String(separator), collection] = args else {
        return Short::No;
    };
    let items = match collection {
        Value::Array(a) => a.as_slice(),
        Value::Set(s) => s.items(),
        _ => return Short::No,
    };
    if items.len() > MANY {
        return Short::No;
    }
    out.reserve(ROOM);
    for (i, item) in items.iter().enumerate() {
        let Value::String(s) = item else {
            return Short::No;
        };
        if out.len() + separator.len() + s.len() > LONG {
            return Short::No;
        }
        if i > 0 {
            out.push_str(separator);
        }
        out.push_str(s);
    }
    Short::Text
}

/// Formats of plain verbs only, with an operand for each.
fn sprintf<'a>(args: &[&'a Value], out: &mut String) -> Short<'a> {
    let [Value::String(format), Value::Array(values)] = args else {
        return Short::No;
    };
    if format.len() > LONG {
        return Short::No;
    }
    out.reserve(ROOM);
    let mut values = values.iter();
    let mut rest = format.as_str();
    while let Some((text, verb)) = rest.split_once('%') {
        let Some(value) = values.next() else {
            return Short::No;
        };
        let mut chars = verb.chars();
        let verb = chars.next();
        rest = chars.as_str();
        if out.len() + text.len() > LONG {
            return Short::No;
        }
        out.push_str(text);
        match (verb, value) {
            (Some('s' | 'v'), Value::String(s)) if s.len() <= LONG => out.push_str(s),
            (Some('q'), Value::String(s)) if s.len() <= LONG => crate::go_text::quote(out, s),
            (Some('d' | 'v'), Value::Number(crate::Number::Int(i))) => {
                // Writing to a text cannot fail.
                let _ = write!(out, "{i}");
            }
            _ => return Short::No,
        }
    }
    if values.next().is_some() || rest.len() > LONG {
        return Short::No;
    }
    out.push_str(rest);
    Short::Text
}

/// Plain amounts with the usual units.
fn units_parse<'a>(args: &[&'a Value]) -> Short<'a> {
    let [Value::String(text)] = args else {
        return Short::No;
    };
    if text.len() > LONG {
        return Short::No;
    }
    let (whole, rest) = leading_digits(text);
    let (fraction, unit) = match rest.strip_prefix('.') {
        Some(rest) => leading_digits(rest),
        None => ("0", rest),
    };
    let fits = |digits: &str, most: usize| (1..=most).contains(&digits.len());
    if !fits(whole, 12) || !fits(fraction, 6) {
        return Short::No;
    }
    let fraction = if rest.starts_with('.') { fraction } else { "" };
    let number = |digits: &str| digits.bytes().fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
    let mut places = fraction.len();
    let factor = match unit {
        "" => 1,
        "m" if places == 0 && number(whole) < 1_000_000 => {
            places = 3;
            1
        }
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return Short::No,
    };
    // At most 18 digits, in as many decimals as there are places.
    let scale = 10u64.pow(places as u32);
    let digits = if fraction.is_empty() {
        number(whole)
    } else {
        number(whole) * scale + number(fraction)
    };
    let Some(amount) = digits.checked_mul(factor) else {
        return Short::No;
    };
    match i64::try_from(amount / scale) {
        Ok(n) if fraction.is_empty() && places == 0 => Short::Int(n),
        Ok(n) if amount % scale == 0 && unit != "m" => Short::Int(n),
        Ok(_) if amount > 0 => Short::Made(Value::Number(decimals(amount, places))),
        _ => Short::No,
    }
}

fn leading_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// An amount with so many of its digits behind the point, as all that is no integer: in ten decimals.
fn decimals(amount: u64, places: usize) -> crate::Number {
    const DECIMALS: usize = 10;
    let mut text = [b'0'; 32];
    let point = text.len() - DECIMALS - 1;
    let mut left = amount;
    let behind = (point + 1..=point + places).rev();
    let before = (0..point).rev();
    let mut start = point - 1;
    for at in behind.chain(before) {
        if left == 0 && at < point {
            break;
        }
        if let Some(digit) = text.get_mut(at) {
            *digit = b'0' + (left % 10) as u8;
        }
        left /= 10;
        start = start.min(at);
    }
    if let Some(dot) = text.get_mut(point) {
        *dot = b'.';
    }
    let digits = amount.checked_ilog10().map(|n| i64::from(n) + 1);
    let place = digits.and_then(|n| Some(n - i64::try_from(places).ok()?));
    let text = text.get(start..).and_then(|t| std::str::from_utf8(t).ok());
    crate::Number::from_decimal(text.unwrap_or("0.0"), place)
}
