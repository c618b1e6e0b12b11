//! What a block is run for.

use super::{Exec, Flow, Res};
use crate::builtins::lists;
use crate::error::Code;
use crate::plan::Op;
use crate::value::{Object, Set, Value};
use std::sync::{Arc, LazyLock};

/// Takes the solutions of a block.
pub(super) enum Sink<'a> {
    /// One value; a different second one is a conflict.
    Value { found: Option<&'a Value>, function: bool },
    /// Items of an array, in order.
    Array(Vec<Value>),
    /// Items of a set.
    Set { items: Vec<Value>, unique: usize },
    /// Entries of an object.
    Object {
        entries: Vec<(Value, Value)>,
        unique: usize,
    },
    /// Entries at paths of keys.
    Nested(Nested),
    /// Whether there is a solution.
    Found(bool),
    /// All solutions.
    Rows(Vec<Vec<&'a Value>>),
}

/// A partial object of partial objects.
pub(super) enum Nested {
    /// Inner keys.
    Inner(std::collections::BTreeMap<Value, Nested>),
    /// A value.
    Leaf(Value),
    /// A set.
    Set(Vec<Value>),
}

/// Collections of nothing need not be made.
static EMPTY: LazyLock<(Value, Value, Value)> = LazyLock::new(|| {
    let none = Vec::new;
    (Value::array(none()), Value::set(none()), Value::object(Vec::new()))
});

/// Doubles are thrown out when a collection has grown by this factor since the last time.
const GROWTH: usize = 4;
/// Longer collections are worked on with an eye on the clock.
const LONG: usize = 1 << 10;
/// Smaller collections keep their doubles to the end.
const SMALL: usize = 256;

impl<'a> Sink<'a> {
    pub(super) fn value(function: bool) -> Sink<'a> {
        Sink::Value { found: None, function }
    }

    /// The value of one that is run for a value.
    #[inline]
    pub(super) fn single(&self) -> Option<&'a Value> {
        match self {
            Sink::Value { found, .. } => *found,
            _ => None,
        }
    }

    pub(super) fn found() -> Sink<'a> {
        Sink::Found(false)
    }

    pub(super) fn rows() -> Sink<'a> {
        Sink::Rows(Vec::new())
    }

    pub(super) fn set() -> Sink<'a> {
        Sink::Set {
            items: Vec::new(),
            unique: 0,
        }
    }

    pub(super) fn object() -> Sink<'a> {
        Sink::Object {
            entries: Vec::new(),
            unique: 0,
        }
    }

    pub(super) fn nested() -> Sink<'a> {
        Sink::Nested(Nested::Inner(std::collections::BTreeMap::new()))
    }

    pub(super) fn is_found(&self) -> bool {
        matches!(self, Sink::Found(true))
    }

    pub(super) fn into_rows(self) -> Vec<Vec<&'a Value>> {
        match self {
            Sink::Rows(rows) => rows,
            _ => Vec::new(),
        }
    }
}

impl<'a> Exec<'a> {
    /// The end of a block: a solution for its sink.
    #[inline(never)]
    pub(super) fn end(&mut self, op: &'a Op, sink: &mut Sink<'a>) -> Res<Flow> {
        match (op, sink) {
            (Op::Value { of, last }, Sink::Value { found, function }) => {
                let of = self.get(*of);
                match found {
                    None => *found = Some(of),
                    Some(before) if **before == *of => {}
                    Some(_) => {
                        let message = if *function {
                            "functions must not produce multiple outputs for same inputs"
                        } else {
                            "complete rules must not produce multiple outputs"
                        };
                        return Err(self.error(Code::Conflict, message));
                    }
                }
                if *last {
                    return Ok(Flow::Stop);
                }
            }
            (Op::Item { of }, Sink::Array(items)) => {
                self.account(size_of::<Value>())?;
                let item = self.get(*of).clone();
                self.push(items, item)?;
            }
            (Op::Item { of }, Sink::Set { items, unique }) => {
                let item = self.get(*of).clone();
                self.push(items, item)?;
                if items.len() >= SMALL && items.len() >= *unique * GROWTH {
                    self.distinct(items)?;
                    self.account((items.len() - (*unique).min(items.len())) * size_of::<Value>())?;
                    *unique = items.len();
                }
            }
            (Op::Entry { key, value }, Sink::Object { entries, unique }) => {
                let entry = (self.get(*key).clone(), self.get(*value).clone());
                self.push(entries, entry)?;
                if entries.len() >= SMALL && entries.len() >= *unique * GROWTH {
                    self.unique(entries)?;
                    self.account((entries.len() - (*unique).min(entries.len())) * 2 * size_of::<Value>())?;
                    *unique = entries.len();
                }
            }
            (Op::Nested { path, leaf, set }, Sink::Nested(root)) => {
                self.account((path.len() + 1) * 4 * size_of::<Value>())?;
                let keys: Vec<Value> = path.iter().map(|p| self.get(*p).clone()).collect();
                let leaf = self.get(*leaf).clone();
                if !insert(root, &keys, leaf, *set) {
                    return Err(self.error(Code::Conflict, "object keys must be unique"));
                }
            }
            (Op::Found { all }, Sink::Found(found)) => {
                *found = true;
                if !*all {
                    return Ok(Flow::Stop);
                }
            }
            (Op::Row { slots }, Sink::Rows(rows)) => {
                self.account((slots.len() + 3) * size_of::<usize>())?;
                let row = slots.iter().map(|s| self.get(*s)).collect();
                rows.push(row);
            }
            _ => return Err(self.error(Code::Internal, "a block ended in a way that it was not run for")),
        }
        Ok(Flow::Next)
    }

    #[inline]
    fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Res<()> {
        if list.len() == list.capacity() && list.len() >= LONG {
            lists::grow(self, list).map_err(|f| self.halted(f))?;
        }
        list.push(item);
        Ok(())
    }

    /// Sorts items and throws out doubles.
    fn distinct(&mut self, items: &mut Vec<Value>) -> Res<()> {
        if items.len() < LONG {
            if !items.is_sorted_by(|a, b| a < b) {
                items.sort();
                items.dedup();
            }
            return Ok(());
        }
        if !lists::each(self, items, |a, b| a < b).map_err(|f| self.halted(f))? {
            let list = std::mem::take(items);
            *items = lists::sorted(self, list, Ord::cmp).map_err(|f| self.halted(f))?;
            items.dedup();
        }
        Ok(())
    }

    /// Sorts entries and throws out doubles; equal keys with different values are a conflict.
    pub(super) fn unique(&mut self, entries: &mut Vec<(Value, Value)>) -> Res<()> {
        if lists::each(self, entries, |a, b| a.0 < b.0).map_err(|f| self.halted(f))? {
            return Ok(());
        }
        let list = std::mem::take(entries);
        *entries = lists::sorted(self, list, Ord::cmp).map_err(|f| self.halted(f))?;
        entries.dedup();
        if !lists::each(self, entries, |a, b| a.0 < b.0).map_err(|f| self.halted(f))? {
            return Err(self.error(Code::Conflict, "object keys must be unique"));
        }
        Ok(())
    }

    /// The value that a sink has gathered.
    pub(super) fn gathered(&mut self, sink: Sink<'a>) -> Res<Option<&'a Value>> {
        let value = match sink {
            Sink::Value { found, .. } => return Ok(found),
            Sink::Array(items) if items.is_empty() => return Ok(Some(&EMPTY.0)),
            Sink::Set { items, .. } if items.is_empty() => return Ok(Some(&EMPTY.1)),
            Sink::Object { entries, .. } if entries.is_empty() => return Ok(Some(&EMPTY.2)),
            Sink::Array(items) => Value::array(items),
            Sink::Set { mut items, unique } => {
                self.account(items.len().saturating_sub(unique) * size_of::<Value>())?;
                self.distinct(&mut items)?;
                Value::Set(Arc::new(Set::of_sorted(items)))
            }
            Sink::Object { mut entries, unique } => {
                self.account(entries.len().saturating_sub(unique) * 2 * size_of::<Value>())?;
                self.unique(&mut entries)?;
                Value::Object(Arc::new(Object::of_sorted(entries)))
            }
            Sink::Nested(root) => value_of(root),
            Sink::Found(found) => Value::Bool(found),
            Sink::Rows(_) => return Ok(None),
        };
        self.keep(value).map(Some)
    }
}

/// False on a conflict.
fn insert(at: &mut Nested, keys: &[Value], leaf: Value, set: bool) -> bool {
    let Some((key, rest)) = keys.split_first() else {
        return match at {
            Nested::Set(items) if set => {
                items.push(leaf);
                true
            }
            Nested::Leaf(before) if !set => *before == leaf,
            Nested::Inner(inner) if inner.is_empty() => {
                *at = if set {
                    Nested::Set(vec![leaf])
                } else {
                    Nested::Leaf(leaf)
                };
                true
            }
            _ => false,
        };
    };
    match at {
        Nested::Inner(inner) => {
            let child = inner
                .entry(key.clone())
                .or_insert_with(|| Nested::Inner(std::collections::BTreeMap::new()));
            insert(child, rest, leaf, set)
        }
        _ => false,
    }
}

fn value_of(nested: Nested) -> Value {
    match nested {
        Nested::Inner(inner) => Value::object(inner.into_iter().map(|(k, v)| (k, value_of(v))).collect()),
        Nested::Leaf(value) => value,
        Nested::Set(items) => Value::set(items),
    }
}
