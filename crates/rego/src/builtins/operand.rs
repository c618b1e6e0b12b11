//! Operands with OPA's words when they do not fit. Places count from 1.

use super::{Failure, Host};
use crate::number::Number;
use crate::value::{Object, Set, Value};
use smol_str::SmolStr;

/// `operand 1 must be number but got string`.
pub(crate) fn must_be(place: usize, want: &str, got: &Value) -> Failure {
    Failure::Type(format!("operand {place} must be {want} but got {}", type_text(got)))
}

/// `operand 1 must be one of {set, array} but got string`; with a single type the braces go.
pub(crate) fn must_be_one_of(place: usize, want: &[&str], got: &Value) -> Failure {
    match want {
        [one] => must_be(place, one, got),
        _ => must_be(place, &format!("one of {{{}}}", want.join(", ")), got),
    }
}

/// A built-in's own error.
pub(crate) fn error(text: impl Into<String>) -> Failure {
    Failure::Builtin(text.into())
}

/// The type's name in operand errors.
pub(crate) fn type_text(v: &Value) -> &'static str {
    v.type_name()
}

fn at<'a>(args: &[&'a Value], place: usize) -> Result<&'a Value, Failure> {
    let missing = || Failure::Type(format!("operand {place} is missing"));
    args.get(place.wrapping_sub(1)).copied().ok_or_else(missing)
}

/// The operand, whatever it is.
pub(crate) fn any<'a>(args: &[&'a Value], place: usize) -> Result<&'a Value, Failure> {
    at(args, place)
}

/// A string operand.
pub(crate) fn string<'a>(args: &[&'a Value], place: usize) -> Result<&'a SmolStr, Failure> {
    match at(args, place)? {
        Value::String(s) => Ok(s),
        other => Err(must_be(place, "string", other)),
    }
}

/// A number operand.
pub(crate) fn number<'a>(args: &[&'a Value], place: usize) -> Result<&'a Number, Failure> {
    match at(args, place)? {
        Value::Number(n) => Ok(n),
        other => Err(must_be(place, "number", other)),
    }
}

/// A number operand that is written as a 64-bit integer.
pub(crate) fn int(args: &[&Value], place: usize) -> Result<i64, Failure> {
    match at(args, place)? {
        Value::Number(n) => match n.as_i64() {
            Some(i) => Ok(i),
            None => Err(Failure::Type(format!(
                "operand {place} must be integer number but got floating-point number"
            ))),
        },
        other => Err(must_be(place, "number", other)),
    }
}

/// An array operand.
pub(crate) fn array<'a>(args: &[&'a Value], place: usize) -> Result<&'a [Value], Failure> {
    match at(args, place)? {
        Value::Array(a) => Ok(a),
        other => Err(must_be(place, "array", other)),
    }
}

/// An object operand.
pub(crate) fn object<'a>(args: &[&'a Value], place: usize) -> Result<&'a Object, Failure> {
    match at(args, place)? {
        Value::Object(o) => Ok(o),
        other => Err(must_be(place, "object", other)),
    }
}

/// A set operand.
pub(crate) fn set<'a>(args: &[&'a Value], place: usize) -> Result<&'a Set, Failure> {
    match at(args, place)? {
        Value::Set(s) => Ok(s),
        other => Err(must_be(place, "set", other)),
    }
}

/// OPA's error for an item of the wrong type in a collection.
pub(crate) fn element(place: usize, collection: &Value, got: &Value, want: &[&str]) -> Failure {
    let (of, got) = (type_text(collection), type_text(got));
    Failure::Type(match want {
        [one] => format!("operand {place} must be {of} of {one}s but got {of} containing {got}"),
        _ => {
            let want = want.join(", ");
            format!("operand {place} must be {of} of (any of) {{{want}}} but got {of} containing {got}")
        }
    })
}

/// The items of an array or a set.
pub(crate) fn items<'a>(args: &[&'a Value], place: usize) -> Result<&'a [Value], Failure> {
    match at(args, place)? {
        Value::Array(a) => Ok(a),
        Value::Set(s) => Ok(s.items()),
        other => Err(must_be_one_of(place, &["array", "set"], other)),
    }
}

/// The strings of an array or a set of strings.
pub(crate) fn strings<'a>(args: &[&'a Value], place: usize) -> Result<Vec<&'a str>, Failure> {
    let items = items(args, place)?;
    items
        .iter()
        .map(|v| match v {
            Value::String(s) => Ok(s.as_str()),
            other => Err(element(
                place,
                args.get(place - 1).copied().unwrap_or(&Value::Null),
                other,
                &["string"],
            )),
        })
        .collect()
}

/// A result larger than anything a policy needs: the evaluation ends.
pub(crate) fn too_large(what: &str) -> Failure {
    let message = format!("{what} is too large");
    Failure::Halt(crate::error::Error::new(
        crate::error::Code::Limit,
        &crate::ast::Loc::default(),
        message,
    ))
}

/// A string made of any bytes, as Go's strings are; see [`crate::go_text::from_bytes`].
pub(crate) fn text_of_bytes(bytes: Vec<u8>) -> Value {
    Value::String(SmolStr::from(crate::go_text::from_bytes(bytes)))
}

/// The bytes of a string operand, also where they are no text.
pub(crate) fn bytes<'a>(args: &[&'a Value], place: usize) -> Result<std::borrow::Cow<'a, [u8]>, Failure> {
    Ok(crate::go_text::to_bytes(string(args, place)?))
}

/// Accounts for a value written out `times` times, while walking it: a value of shared parts may be far longer written
/// than it is in memory.
pub(crate) fn charge_text(host: &mut dyn Host, value: &Value, times: usize) -> Result<(), Failure> {
    // Nearly all values are small.
    let mut room = CHUNK;
    if times == 1 && fits(value, &mut room) {
        return host.charge(CHUNK - room);
    }
    let mut pending = 0;
    charge_part(host, value, times, &mut pending)?;
    host.charge(pending)
}

/// What is gathered before the host is told.
const CHUNK: usize = 16 << 10;

/// Takes a value's text out of the room; false when there is not enough.
#[inline]
fn fits(value: &Value, room: &mut usize) -> bool {
    match scalar(value) {
        Some(size) => take(room, size),
        None => all_fit(value, room),
    }
}

/// What a value takes that holds no others.
#[inline]
fn scalar(value: &Value) -> Option<usize> {
    Some(match value {
        Value::Null | Value::Bool(_) => 8,
        Value::String(s) => s.len() + 8,
        Value::Number(Number::Int(_)) => 20,
        Value::Number(Number::Text(d)) => d.text().len() + 8,
        Value::Array(_) | Value::Object(_) | Value::Set(_) => return None,
    })
}

#[inline]
fn take(room: &mut usize, size: usize) -> bool {
    let left = room.checked_sub(size);
    *room = left.unwrap_or(0);
    left.is_some()
}

#[inline(never)]
fn all_fit(value: &Value, room: &mut usize) -> bool {
    // Gathered here and taken at the end: many are not even begun.
    let mut own = 8;
    let mut inner = |value: &Value, room: &mut usize| match scalar(value) {
        Some(size) => {
            own += size;
            true
        }
        None => all_fit(value, room),
    };
    let fit = match value {
        Value::Array(items) => items.len() <= CHUNK / 8 && items.iter().all(|v| inner(v, room)),
        Value::Set(items) => items.len() <= CHUNK / 8 && items.iter().all(|v| inner(v, room)),
        Value::Object(o) => o.len() <= CHUNK / 8 && o.iter().all(|(k, v)| inner(k, room) && inner(v, room)),
        _ => true,
    };
    fit && take(room, own)
}

fn charge_part(host: &mut dyn Host, value: &Value, times: usize, pending: &mut usize) -> Result<(), Failure> {
    let own = match value {
        Value::String(s) => s.len(),
        Value::Number(Number::Int(i)) => i.checked_ilog10().map_or(1, |d| d as usize + 1),
        Value::Number(n) => n.text().len(),
        _ => 0,
    };
    *pending = pending.saturating_add((own + 8).saturating_mul(times));
    if *pending >= CHUNK {
        host.charge(std::mem::take(pending))?;
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|v| charge_part(host, v, times, pending)),
        Value::Set(items) => items.iter().try_for_each(|v| charge_part(host, v, times, pending)),
        Value::Object(entries) => entries.iter().try_for_each(|(k, v)| {
            charge_part(host, k, times, pending)?;
            charge_part(host, v, times, pending)
        }),
        _ => Ok(()),
    }
}
