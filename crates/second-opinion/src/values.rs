//! Values to and fro. What regorus cannot hold exactly is refused, so that it is never judged by another value.

use crate::not_asked::reason;
use regent_rego::{Number, Value};
use regorus::Value as Other;
use std::collections::{BTreeMap, BTreeSet};

/// Levels of nesting that are handed over: regorus recurses over values.
pub(crate) const DEPTH: usize = 128;

/// Ours as regorus' value.
///
/// # Errors
/// Why it cannot be handed over.
pub(crate) fn to_other(value: &Value) -> Result<Other, String> {
    deep(value, DEPTH)
}

fn deep(value: &Value, depth: usize) -> Result<Other, String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(reason("value-depth", &format!("a value of more than {DEPTH} levels")));
    };
    Ok(match value {
        Value::Null => Other::Null,
        Value::Bool(b) => Other::Bool(*b),
        Value::Number(n) => number(n)?,
        Value::String(s) => Other::String(s.as_str().into()),
        Value::Array(items) => Other::from(items.iter().map(|v| deep(v, depth)).collect::<Result<Vec<_>, _>>()?),
        Value::Set(items) => {
            let items: Result<BTreeSet<_>, _> = items.iter().map(|v| deep(v, depth)).collect();
            Other::from(items?)
        }
        Value::Object(object) => {
            let entries = object.iter().map(|(k, v)| Ok((deep(k, depth)?, deep(v, depth)?)));
            Other::from(entries.collect::<Result<BTreeMap<_, _>, String>>()?)
        }
    })
}

/// A number whose text regorus gives back as it is.
///
/// # Errors
/// Any other: regorus keeps decimals as doubles, and no texts.
pub(crate) fn number(number: &Number) -> Result<Other, String> {
    let text = match number {
        Number::Int(i) => return Ok(u64::try_from(*i).map_or_else(|_| Other::from(*i), Other::from)),
        Number::Text(decimal) => decimal.text(),
    };
    let held = Other::from_numeric_string(text).ok().filter(|held| match held {
        Other::Number(n) => n.format_decimal() == text,
        _ => false,
    });
    held.ok_or_else(|| reason("number-form", text))
}

/// regorus' value as ours; `None`: undefined. Every value counts against `room`, shared ones as often as they stand
/// there.
///
/// # Errors
/// Too many values or levels.
pub(crate) fn to_ours(value: &Other, room: &mut usize) -> Result<Option<Value>, String> {
    if *value == Other::Undefined {
        return Ok(None);
    }
    shallow(value, room, DEPTH * 4).map(Some)
}

fn shallow(value: &Other, room: &mut usize, depth: usize) -> Result<Value, String> {
    *room = room.checked_sub(1).ok_or("a value is too large")?;
    let depth = depth.checked_sub(1).ok_or("a value is too deep")?;
    Ok(match value {
        Other::Null => Value::Null,
        Other::Bool(b) => Value::Bool(*b),
        Other::Number(n) => {
            let text = n.format_decimal();
            Value::Number(Number::parse(&text).ok_or_else(|| format!("{text} is no number"))?)
        }
        Other::String(s) => Value::string(s),
        Other::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|v| shallow(v, room, depth)).collect();
            Value::array(items?)
        }
        Other::Set(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|v| shallow(v, room, depth)).collect();
            Value::set(items?)
        }
        Other::Object(object) => {
            let mut entries = Vec::with_capacity(object.len());
            for (k, v) in object.iter() {
                entries.push((shallow(k, room, depth)?, shallow(v, room, depth)?));
            }
            Value::object(entries)
        }
        Other::Undefined => return Err("a value holds undefined".to_owned()),
    })
}
