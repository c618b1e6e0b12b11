//! Short ways of built-ins that policies call most: an answer that is there already, without a host to ask. What a
//! short way cannot answer goes the long one, so that errors are made in one place only.

use crate::value::Value;

/// What a short way answers.
pub(crate) enum Short<'a> {
    /// This value.
    Is(&'a Value),
    /// This integer.
    Int(i64),
    /// The long way has to be gone.
    No,
}

/// A short way.
pub(crate) type Quick = for<'a> fn(&[&'a Value]) -> Short<'a>;

/// The short way of a built-in, if it has one.
pub(crate) fn quick(name: &str) -> Option<Quick> {
    Some(match name {
        "is_array" => |a| only(a, |v| matches!(v, Value::Array(_))),
        "is_boolean" => |a| only(a, |v| matches!(v, Value::Bool(_))),
        "is_null" => |a| only(a, |v| matches!(v, Value::Null)),
        "is_number" => |a| only(a, |v| matches!(v, Value::Number(_))),
        "is_object" => |a| only(a, |v| matches!(v, Value::Object(_))),
        "is_set" => |a| only(a, |v| matches!(v, Value::Set(_))),
        "is_string" => |a| only(a, |v| matches!(v, Value::String(_))),
        "contains" => |a| texts(a, |s, t| s.contains(t)),
        "startswith" => |a| texts(a, |s, t| s.starts_with(t)),
        "endswith" => |a| texts(a, |s, t| s.ends_with(t)),
        "count" => count,
        "object.get" => object_get,
        "internal.member_2" => member,
        "or" => or,
        "and" => and,
        "minus" => minus,
        "plus" => plus,
        "lower" => |a| unchanged(a, |b| !b.is_ascii_uppercase()),
        "upper" => |a| unchanged(a, |b| !b.is_ascii_lowercase()),
        "trim_prefix" => |a| uncut(a, |s, t| !s.starts_with(t)),
        "trim_suffix" => |a| uncut(a, |s, t| !s.ends_with(t)),
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

fn texts<'a>(args: &[&'a Value], test: fn(&str, &str) -> bool) -> Short<'a> {
    match args {
        [Value::String(s), Value::String(t)] => truth(test(s, t)),
        _ => Short::No,
    }
}

fn count<'a>(args: &[&'a Value]) -> Short<'a> {
    let n = match args {
        [Value::Array(a)] => a.len(),
        [Value::Object(o)] => o.len(),
        [Value::Set(s)] => s.len(),
        [Value::String(s)] if s.is_ascii() => s.len(),
        _ => return Short::No,
    };
    i64::try_from(n).map_or(Short::No, Short::Int)
}

fn object_get<'a>(args: &[&'a Value]) -> Short<'a> {
    let [object @ Value::Object(o), key, default] = args else {
        return Short::No;
    };
    let found = match key {
        Value::Array(path) => path.iter().try_fold(*object, |v, key| v.lookup(key)),
        key => o.get(key),
    };
    Short::Is(found.unwrap_or(default))
}

fn member<'a>(args: &[&'a Value]) -> Short<'a> {
    let [wanted, collection] = args else {
        return Short::No;
    };
    truth(match collection {
        Value::Array(a) => a.contains(wanted),
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
        [v @ Value::String(s)] if s.bytes().all(|b| b.is_ascii() && fits(b)) => Short::Is(v),
        _ => Short::No,
    }
}

fn uncut<'a>(args: &[&'a Value], fits: fn(&str, &str) -> bool) -> Short<'a> {
    match args {
        [v @ Value::String(s), Value::String(t)] if t.is_empty() || fits(s, t) => Short::Is(v),
        _ => Short::No,
    }
}
