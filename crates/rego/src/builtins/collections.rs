//! Arrays, sets and objects.

use super::operand::{any, array, element, int, must_be, must_be_one_of, object, set};
use super::{Answer, Failure, Host, Table, lists};
use crate::value::{Object, Set, Value};
use std::sync::Arc;

pub(crate) const TABLE: Table = &[
    ("array.concat", array_concat),
    ("array.flatten", array_flatten),
    ("array.reverse", array_reverse),
    ("array.slice", array_slice),
    ("and", and),
    ("or", or),
    ("set_diff", |h, a| set_minus(h, set(a, 1)?, set(a, 2)?)),
    ("intersection", intersection),
    ("union", union),
    ("object.filter", object_filter),
    ("object.get", object_get),
    ("object.keys", object_keys),
    ("object.remove", object_remove),
    ("object.subset", object_subset),
    ("object.union", object_union),
    ("object.union_n", object_union_n),
];

/// Room for so many values.
fn room(host: &mut dyn Host, count: usize) -> Result<(), Failure> {
    host.charge(count.saturating_mul(size_of::<Value>()))
}

fn array_concat(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (array(args, 1)?, array(args, 2)?);
    if a.is_empty() {
        return Ok(Some(any(args, 2)?.clone()));
    }
    if b.is_empty() {
        return Ok(Some(any(args, 1)?.clone()));
    }
    room(host, a.len() + b.len())?;
    Ok(Some(Value::array([a, b].concat())))
}

fn array_flatten(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let a = array(args, 1)?;
    let size = a.iter().map(|v| v.as_array().map_or(1, <[Value]>::len)).sum();
    room(host, size)?;
    let mut out = Vec::with_capacity(size);
    for v in a {
        match v {
            Value::Array(inner) => out.extend(inner.iter().cloned()),
            other => out.push(other.clone()),
        }
    }
    Ok(Some(Value::array(out)))
}

fn array_reverse(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let a = array(args, 1)?;
    room(host, a.len())?;
    Ok(Some(Value::array(a.iter().rev().cloned().collect())))
}

fn array_slice(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let a = array(args, 1)?;
    let clamp = |i: i64, most: usize| usize::try_from(i.max(0)).unwrap_or(usize::MAX).min(most);
    let (start, stop) = (int(args, 2)?, int(args, 3)?);
    let stop = clamp(stop, a.len());
    let start = clamp(start, stop);
    if start == 0 && stop == a.len() {
        return Ok(Some(any(args, 1)?.clone()));
    }
    room(host, stop - start)?;
    Ok(Some(Value::array(a.get(start..stop).unwrap_or(&[]).to_vec())))
}

fn sorted_set(items: Vec<Value>) -> Value {
    Value::Set(Arc::new(Set::from_items(items)))
}

/// Set difference, `a - b`.
pub(super) fn set_minus(host: &mut dyn Host, a: &Set, b: &Set) -> Answer {
    room(host, a.len())?;
    Ok(Some(sorted_set(a.iter().filter(|v| !b.contains(v)).cloned().collect())))
}

fn and(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (set(args, 1)?, set(args, 2)?);
    room(host, a.len().min(b.len()))?;
    // The items come from the shorter one, the first of two of the same length.
    let (short, long) = if b.len() < a.len() { (b, a) } else { (a, b) };
    Ok(Some(sorted_set(
        short.iter().filter(|v| long.contains(v)).cloned().collect(),
    )))
}

fn or(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (set(args, 1)?, set(args, 2)?);
    if a.is_empty() {
        return Ok(Some(any(args, 2)?.clone()));
    }
    if b.is_empty() {
        return Ok(Some(any(args, 1)?.clone()));
    }
    room(host, a.len() + b.len())?;
    Ok(Some(sorted_set(a.iter().chain(b.iter()).cloned().collect())))
}

fn member_sets<'a>(args: &[&'a Value]) -> Result<Vec<&'a Set>, Failure> {
    let members = set(args, 1)?.iter();
    members
        .map(|v| match v {
            Value::Set(s) => Ok(s.as_ref()),
            other => Err(must_be(1, "set", other)),
        })
        .collect()
}

fn intersection(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let sets = member_sets(args)?;
    let Some((first, rest)) = sets.split_first() else {
        return Ok(Some(Value::set(Vec::new())));
    };
    room(host, first.len())?;
    let items = first.iter().filter(|v| rest.iter().all(|s| s.contains(v)));
    Ok(Some(sorted_set(items.cloned().collect())))
}

fn union(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let sets = member_sets(args)?;
    room(host, sets.iter().map(|s| s.len()).sum())?;
    Ok(Some(sorted_set(sets.iter().flat_map(|s| s.iter()).cloned().collect())))
}

/// Whether a value is among the keys named by an array, a set, or the keys of an object.
fn named<'a>(args: &[&'a Value]) -> Result<impl Fn(&Value) -> bool + use<'a>, Failure> {
    let keys = match any(args, 2)? {
        Value::Array(a) => Set::from_items(a.to_vec()),
        Value::Set(s) => s.as_ref().clone(),
        Value::Object(o) => Set::from_items(o.iter().map(|e| e.0.clone()).collect()),
        other => return Err(must_be_one_of(2, &["object", "set", "array"], other)),
    };
    Ok(move |key: &Value| keys.contains(key))
}

fn keep(host: &mut dyn Host, args: &[&Value], keep_named: bool) -> Answer {
    let o = object(args, 1)?;
    let named = named(args)?;
    room(host, o.len() * 2)?;
    let entries = o.iter().filter(|e| named(&e.0) == keep_named);
    Ok(Some(Value::object(entries.cloned().collect())))
}

fn object_filter(host: &mut dyn Host, args: &[&Value]) -> Answer {
    keep(host, args, true)
}

fn object_remove(host: &mut dyn Host, args: &[&Value]) -> Answer {
    keep(host, args, false)
}

fn object_get(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let o = object(args, 1)?;
    let found = match any(args, 2)? {
        Value::Array(path) => path.iter().try_fold(any(args, 1)?, |v, key| v.lookup(key)),
        key => o.get(key),
    };
    Ok(Some(found.unwrap_or(any(args, 3)?).clone()))
}

fn object_keys(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let o = object(args, 1)?;
    room(host, o.len())?;
    Ok(Some(sorted_set(o.iter().map(|e| e.0.clone()).collect())))
}

fn object_union(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (object(args, 1)?, object(args, 2)?);
    if a.is_empty() {
        return Ok(Some(any(args, 2)?.clone()));
    }
    if b.is_empty() || a.entries() == b.entries() {
        return Ok(Some(any(args, 1)?.clone()));
    }
    Ok(Some(Value::Object(Arc::new(merge(host, &[a, b])?))))
}

fn object_union_n(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let items = array(args, 1)?;
    let objects = items.iter().map(|v| match v {
        Value::Object(o) => Ok(o.as_ref()),
        other => Err(element(1, any(args, 1)?, other, &["object"])),
    });
    let objects = objects.collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Value::Object(Arc::new(merge(host, &objects)?))))
}

/// Later objects win; where a key's values are objects from some point to the end, these are merged in turn.
fn merge(host: &mut dyn Host, objects: &[&Object]) -> Result<Object, Failure> {
    let total: usize = objects.iter().map(|o| o.len()).sum();
    room(host, total * 2)?;
    let all: Vec<&(Value, Value)> = objects.iter().flat_map(|o| o.iter()).collect();
    let all = lists::sorted(host, all, |a, b| a.0.cmp(&b.0))?;
    let mut out = Vec::with_capacity(all.len());
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let Some((first, last)) = group.first().zip(group.last()) else {
            continue;
        };
        let mut nested: Vec<&Object> = group.iter().rev().map_while(|e| e.1.as_object()).collect();
        nested.reverse();
        let value = if nested.len() < 2 {
            last.1.clone()
        } else {
            Value::Object(Arc::new(merge(host, &nested)?))
        };
        out.push((first.0.clone(), value));
    }
    Ok(Object::from_entries(out))
}

fn object_subset(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (sup, sub) = (any(args, 1)?, any(args, 2)?);
    let holds = match (sup, sub) {
        (Value::Array(sup), Value::Set(sub)) => {
            // OPA counts what it meets and never looks at an empty array.
            let mut unmatched = i64::try_from(sub.len()).unwrap_or(i64::MAX);
            sup.iter().any(|v| {
                unmatched -= i64::from(sub.contains(v));
                unmatched == 0
            })
        }
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) | (Value::Set(_), Value::Set(_)) => {
            within(host, sup, sub)?
        }
        _ => {
            let text = "both arguments object.subset must be of the same type or array and set";
            return Err(Failure::Type(text.into()));
        }
    };
    Ok(Some(Value::Bool(holds)))
}

fn within(host: &mut dyn Host, sup: &Value, sub: &Value) -> Result<bool, Failure> {
    Ok(match (sup, sub) {
        (Value::Object(sup), Value::Object(sub)) => {
            for (key, b) in sub.iter() {
                let Some(a) = sup.get(key) else { return Ok(false) };
                if a != b && !within(host, a, b)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Set(sup), Value::Set(sub)) => sub.iter().all(|v| sup.contains(v)),
        (Value::Array(sup), Value::Array(sub)) => contains_run(host, sup, sub)?,
        _ => false,
    })
}

/// Whether `sub` stands in `sup` without gaps.
fn contains_run(host: &mut dyn Host, sup: &[Value], sub: &[Value]) -> Result<bool, Failure> {
    if sub.is_empty() {
        return Ok(true);
    }
    for window in sup.windows(sub.len()) {
        // Comparing all places with all is quadratic: let the clock be seen.
        host.charge(0)?;
        if window == sub {
            return Ok(true);
        }
    }
    Ok(false)
}
