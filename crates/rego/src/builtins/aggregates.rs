//! `count`, `sum`, `product`, `max`, `min`, `sort`, `all`, `any`, and `in`.

use super::arithmetic::{from_soft, soft};
use super::operand::{any, element, items, must_be_one_of, too_large};
use super::{Answer, Failure, Host, Table, lists};
use crate::softfloat::Soft;
use crate::value::Value;

pub(crate) const TABLE: Table = &[
    ("count", count),
    ("sum", sum),
    ("product", product),
    ("max", max),
    ("min", min),
    ("sort", sort),
    ("all", all),
    ("any", any_true),
    ("internal.member_2", member),
    ("internal.member_3", member_at),
];

fn count(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = match any(args, 1)? {
        Value::Array(a) => a.len(),
        Value::Object(o) => o.len(),
        Value::Set(s) => s.len(),
        Value::String(s) => s.chars().count(),
        other => return Err(must_be_one_of(1, &["array", "object", "set", "string"], other)),
    };
    Ok(Some(Value::from(i64::try_from(n).unwrap_or(i64::MAX))))
}

/// Items in the order OPA names the two types here.
fn list<'a>(args: &[&'a Value]) -> Result<&'a [Value], Failure> {
    items(args, 1).or_else(|_| Err(must_be_one_of(1, &["set", "array"], any(args, 1)?)))
}

fn sum(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let list = list(args)?;
    // As OPA: machine integers wrap around.
    let whole = list
        .iter()
        .try_fold(0i64, |sum, v| v.as_i64().map(|i| sum.wrapping_add(i)));
    if let Some(sum) = whole {
        return Ok(Some(Value::from(sum)));
    }
    fold(host, args, list, Soft::from_i64(0), Soft::add)
}

fn product(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let list = list(args)?;
    fold(host, args, list, Soft::from_i64(1), Soft::mul)
}

fn fold(
    host: &mut dyn Host,
    args: &[&Value],
    list: &[Value],
    start: Soft,
    step: fn(Soft, Soft) -> Option<Soft>,
) -> Answer {
    let mut out = start;
    for v in list {
        let Value::Number(n) = v else {
            return Err(element(1, any(args, 1)?, v, &["number"]));
        };
        // Long numbers take long: the clock is looked at now and then.
        host.charge(16)?;
        out = step(out, soft(n)?).ok_or_else(|| too_large("number"))?;
    }
    Ok(Some(Value::Number(from_soft(host, Some(out))?)))
}

fn max(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let mut best: Option<&Value> = None;
    for v in list(args)? {
        // Long numbers take long to compare: the clock is looked at now and then.
        host.charge(0)?;
        // Of equal ones the last, as OPA.
        if best.is_none_or(|b| v >= b) {
            best = Some(v);
        }
    }
    Ok(best.cloned())
}

fn min(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let list = list(args)?;
    // OPA's minimum of a set takes null for "none yet".
    let list = match (any(args, 1)?, list) {
        (Value::Set(_), [Value::Null, rest @ ..]) if !rest.is_empty() => rest,
        (_, list) => list,
    };
    let mut best: Option<&Value> = None;
    for v in list {
        host.charge(0)?;
        if best.is_none_or(|b| v <= b) {
            best = Some(v);
        }
    }
    Ok(best.cloned())
}

fn sort(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let items = list(args)?;
    host.charge(size_of_val(items))?;
    Ok(Some(Value::array(lists::sorted(host, items.to_vec(), Ord::cmp)?)))
}

fn all(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(Value::Bool(
        items(args, 1)?.iter().all(|v| *v == Value::Bool(true)),
    )))
}

fn any_true(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(Value::Bool(items(args, 1)?.contains(&Value::Bool(true)))))
}

fn member(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let wanted = any(args, 1)?;
    Ok(Some(Value::Bool(match any(args, 2)? {
        Value::Array(a) => a.contains(wanted),
        Value::Set(s) => s.contains(wanted),
        Value::Object(o) => o.iter().any(|e| e.1 == *wanted),
        _ => false,
    })))
}

fn member_at(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (key, value) = (any(args, 1)?, any(args, 2)?);
    let found = match any(args, 3)? {
        // A set has no keys to ask for.
        Value::Set(_) => None,
        other => other.lookup(key),
    };
    Ok(Some(Value::Bool(found == Some(value))))
}
