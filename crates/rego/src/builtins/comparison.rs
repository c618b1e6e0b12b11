//! `==`, `!=`, `<` and so on, in OPA's order of values.

use super::operand::any;
use super::{Answer, Table};
use crate::value::Value;
use std::cmp::Ordering;

pub(crate) const TABLE: Table = &[
    ("eq", |_, a| same(a, true)),
    ("equal", |_, a| same(a, true)),
    ("neq", |_, a| same(a, false)),
    ("lt", |_, a| compare(a, Ordering::is_lt)),
    ("lte", |_, a| compare(a, Ordering::is_le)),
    ("gt", |_, a| compare(a, Ordering::is_gt)),
    ("gte", |_, a| compare(a, Ordering::is_ge)),
];

fn same(args: &[&Value], want: bool) -> Answer {
    Ok(Some(Value::Bool((any(args, 1)? == any(args, 2)?) == want)))
}

fn compare(args: &[&Value], holds: fn(Ordering) -> bool) -> Answer {
    Ok(Some(Value::Bool(holds(any(args, 1)?.cmp(any(args, 2)?)))))
}
