//! Values as OPA has them: ordered, cheap to clone, shared between threads.
//!
//! Short strings live inline, containers behind an `Arc`. Objects and sets are sorted slices, so iteration, printing
//! and comparing need no further work.

use crate::number::Number;
use smol_str::SmolStr;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// A Rego value.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number with its text.
    Number(Number),
    /// A string.
    String(SmolStr),
    /// An array.
    Array(Arc<Vec<Value>>),
    /// An object; keys may be any value.
    Object(Arc<Object>),
    /// A set.
    Set(Arc<Set>),
}

/// Entries sorted by key, keys unique.
#[derive(Clone, Debug, Default)]
pub struct Object {
    entries: Vec<(Value, Value)>,
    /// The [`mark`] of every string key: policies mostly look for fields that are not there, and this says so at once.
    marks: u64,
}

/// Whether two strings are the same: most are short, and two overlapping words tell faster than a call.
#[inline]
pub(crate) fn same_text(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => a.first_chunk::<8>() == b.first_chunk::<8>() && a.last_chunk::<8>() == b.last_chunk::<8>(),
        4..8 => a.first_chunk::<4>() == b.first_chunk::<4>() && a.last_chunk::<4>() == b.last_chunk::<4>(),
        2..4 => a.first_chunk::<2>() == b.first_chunk::<2>() && a.last_chunk::<2>() == b.last_chunk::<2>(),
        1 => a.first() == b.first(),
        // Long ones are often shared.
        _ => std::ptr::eq(a, b) || a == b,
    }
}

/// Whether a key comes before another: those that follow each other mostly differ in their first bytes.
#[inline]
fn comes_before(a: &str, b: &str) -> bool {
    let near = a.bytes().zip(b.bytes()).take(4).find(|(a, b)| a != b);
    near.map_or_else(|| a < b, |(a, b)| a < b)
}

/// One of 64 bits for a string key, by what is cheap to know of it.
#[inline]
fn mark(key: &str) -> u64 {
    1 << bit(key)
}

/// Which bit is a key's.
#[inline]
fn bit(key: &str) -> u8 {
    let last = key.as_bytes().last().copied().unwrap_or_default();
    ((key.len() as u8).wrapping_mul(11) ^ last) & 63
}

/// The marks of all string keys.
fn marks(entries: &[(Value, Value)]) -> u64 {
    let of = |e: &(Value, Value)| e.0.as_str().map_or(0, mark);
    entries.iter().fold(0, |marks, e| marks | of(e))
}

/// Items sorted, unique.
#[derive(Clone, Debug, Default)]
pub struct Set {
    items: Vec<Value>,
}

/// Where a key was found in the last objects: most objects that one operation meets are alike. A guess, never more.
#[derive(Debug)]
pub(crate) struct Hint {
    near: AtomicU32,
    /// Which of an object's marks the key has, if it is a string.
    bit: u8,
    /// The key's text, where it is one: shorter to read than that of a value.
    name: Option<Box<str>>,
}

impl Hint {
    pub(crate) fn of(key: &Value) -> Hint {
        Hint {
            near: AtomicU32::new(0),
            bit: key.as_str().map_or(0, bit),
            name: key.as_str().map(Box::from),
        }
    }

    /// The bits of the place; those above count changes.
    const PLACE: u32 = 0xffff;
    /// After so many changes the place stays: threads shall not fight for it.
    const CHANGES: u32 = 64;

    fn note(&self, before: u32, at: usize) {
        let changes = before >> 16;
        if let (Ok(at), true) = (u16::try_from(at), changes < Self::CHANGES) {
            self.near.store((changes + 1) << 16 | u32::from(at), Relaxed);
        }
    }
}

/// Up to this many entries a scan over string keys beats a binary search.
const SCAN: usize = 12;

impl Object {
    /// From entries in any order; of equal keys the last one wins (as JSON readers do).
    pub fn from_entries(mut entries: Vec<(Value, Value)>) -> Object {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let mut out: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
            for e in entries {
                match out.last_mut() {
                    Some(last) if last.0 == e.0 => *last = e,
                    _ => out.push(e),
                }
            }
            entries = out;
        }
        Object::of_sorted(entries)
    }

    /// From entries whose keys stand in order, each once.
    pub(crate) fn of_sorted(entries: Vec<(Value, Value)>) -> Object {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys in order");
        let marks = marks(&entries);
        Object { entries, marks }
    }

    /// [`Object::from_entries`] where all keys are strings, which are then compared as such.
    pub(crate) fn from_named(entries: Vec<(Value, Value)>) -> Object {
        Object::of_named(entries).unwrap_or_else(|(entries, _)| Object::from_entries(entries))
    }

    /// [`Object::from_named`] where each key may be there once.
    ///
    /// # Errors
    /// A key that is there twice.
    pub(crate) fn of_distinct(entries: Vec<(Value, Value)>) -> Result<Object, Value> {
        Object::of_named(entries).map_err(|(_, twice)| twice)
    }

    /// Gives back what has a key twice, equal keys in the order they came, and the first such key.
    fn of_named(mut entries: Vec<(Value, Value)>) -> Result<Object, (Vec<(Value, Value)>, Value)> {
        fn name(e: &(Value, Value)) -> &str {
            e.0.as_str().unwrap_or("")
        }
        let mut marks = 0;
        let mut sorted = true;
        let mut before = None;
        for entry in &entries {
            let name = name(entry);
            marks |= mark(name);
            sorted &= before.is_none_or(|before| comes_before(before, name));
            before = Some(name);
        }
        if !sorted {
            entries.sort_by(|a, b| name(a).cmp(name(b)));
            let twice = entries
                .iter()
                .zip(entries.iter().skip(1))
                .find(|(a, b)| name(a) == name(b));
            if let Some(twice) = twice.map(|t| t.0.0.clone()) {
                return Err((entries, twice));
            }
        }
        Ok(Object { entries, marks })
    }

    /// The marks of keys that are all strings and stand in order, each once.
    pub(crate) fn shape(keys: &[&Value]) -> Option<u64> {
        let named = keys.iter().all(|k| matches!(k, Value::String(_)));
        (named && keys.is_sorted_by(|a, b| a < b))
            .then(|| keys.iter().filter_map(|k| k.as_str()).fold(0, |m, k| m | mark(k)))
    }

    /// From entries with the keys that [`Object::shape`] was given.
    pub(crate) fn of_shape(entries: Vec<(Value, Value)>, marks: u64) -> Object {
        debug_assert!(
            entries.is_sorted_by(|a, b| a.0 < b.0),
            "the keys are those of the shape"
        );
        Object { entries, marks }
    }

    /// The value at a key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        if let Value::String(s) = key {
            return self.get_str(s);
        }
        let at = self.entries.binary_search_by(|e| e.0.cmp(key)).ok()?;
        self.entries.get(at).map(|e| &e.1)
    }

    /// The value at a string key.
    pub fn get_str(&self, key: &str) -> Option<&Value> {
        self.entries.get(self.position(key)?).map(|e| &e.1)
    }

    /// Where a string key stands.
    #[inline]
    fn position(&self, key: &str) -> Option<usize> {
        if self.marks & mark(key) == 0 {
            return None;
        }
        self.search(key)
    }

    fn search(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= SCAN {
            return self.entries.iter().position(|e| e.0.is_text(key));
        }
        self.entries
            .binary_search_by(|e| match &e.0 {
                Value::String(s) => s.as_str().cmp(key),
                other => other.rank().cmp(&Value::STRING_RANK),
            })
            .ok()
    }

    /// [`Object::get`] that looks first where the key was found before.
    #[inline(always)]
    pub(crate) fn get_near(&self, key: &Value, hint: &Hint) -> Option<&Value> {
        let Some(name) = &hint.name else {
            return self.get(key);
        };
        if self.marks & (1 << (hint.bit & 63)) == 0 {
            return None;
        }
        let before = hint.near.load(Relaxed);
        let near = (before & Hint::PLACE) as usize;
        if let Some((key, value)) = self.entries.get(near)
            && key.is_text(name)
        {
            return Some(value);
        }
        self.get_nearby(name, hint, before, near)
    }

    /// Objects that are alike but for a field or two have the others a place or two away.
    #[inline(never)]
    fn get_nearby(&self, name: &str, hint: &Hint, before: u32, near: usize) -> Option<&Value> {
        for at in [near + 1, near.wrapping_sub(1), near + 2, near.wrapping_sub(2)] {
            if let Some((key, value)) = self.entries.get(at)
                && key.is_text(name)
            {
                return Some(value);
            }
        }
        let at = self.search(name)?;
        hint.note(before, at);
        self.entries.get(at).map(|e| &e.1)
    }

    /// Sets the value at a key.
    pub fn insert(&mut self, key: Value, value: Value) {
        match self.entries.binary_search_by(|e| e.0.cmp(&key)) {
            Ok(at) => {
                if let Some(e) = self.entries.get_mut(at) {
                    e.1 = value;
                }
            }
            Err(at) => {
                self.marks |= key.as_str().map_or(0, mark);
                self.entries.insert(at, (key, value));
            }
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &Value) -> Option<Value> {
        let at = self.entries.binary_search_by(|e| e.0.cmp(key)).ok()?;
        Some(self.entries.remove(at).1)
    }

    /// A mutable look at the value of a key.
    pub fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        let at = self.entries.binary_search_by(|e| e.0.cmp(key)).ok()?;
        self.entries.get_mut(at).map(|e| &mut e.1)
    }

    /// Entries in key order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Value, Value)> {
        self.entries.iter()
    }

    /// Entries as a sorted slice.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Set {
    /// From items in any order; of equal items the first one stays.
    pub fn from_items(mut items: Vec<Value>) -> Set {
        if !items.is_sorted_by(|a, b| a < b) {
            // Equal items end beside each other, so they are compared on the way.
            let mut twice = false;
            items.sort_by(|a, b| {
                let order = a.cmp(b);
                twice |= order == Ordering::Equal;
                order
            });
            if twice {
                items.dedup();
            }
        }
        Set { items }
    }

    /// From items that stand in order, each once.
    pub(crate) fn of_sorted(items: Vec<Value>) -> Set {
        debug_assert!(items.is_sorted_by(|a, b| a < b), "items in order");
        Set { items }
    }

    /// Whether a value is in it.
    pub fn contains(&self, value: &Value) -> bool {
        self.find(value).is_some()
    }

    /// The item equal to a value, as it was written when put in.
    pub fn find(&self, value: &Value) -> Option<&Value> {
        let at = self.items.binary_search(value).ok()?;
        self.items.get(at)
    }

    /// Puts a value in; false when it was there.
    pub fn insert(&mut self, value: Value) -> bool {
        match self.items.binary_search(&value) {
            Ok(_) => false,
            Err(at) => {
                self.items.insert(at, value);
                true
            }
        }
    }

    /// Items in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Value> {
        self.items.iter()
    }

    /// Items as a sorted slice.
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// No item.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl Value {
    const STRING_RANK: u8 = 4;

    /// Whether it is this string.
    #[inline]
    fn is_text(&self, text: &str) -> bool {
        matches!(self, Value::String(s) if same_text(s, text))
    }

    /// A string value.
    pub fn string(s: impl AsRef<str>) -> Value {
        Value::String(SmolStr::new(s.as_ref()))
    }

    /// An array value.
    pub fn array(items: Vec<Value>) -> Value {
        Value::Array(Arc::new(items))
    }

    /// A set value.
    pub fn set(items: Vec<Value>) -> Value {
        Value::Set(Arc::new(Set::from_items(items)))
    }

    /// An object value; of equal keys the last one wins.
    pub fn object(entries: Vec<(Value, Value)>) -> Value {
        Value::Object(Arc::new(Object::from_entries(entries)))
    }

    /// An object with string keys.
    pub fn record<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Value::object(entries.into_iter().map(|(k, v)| (Value::string(k), v)).collect())
    }

    /// The field of an object by name; `None` for anything else.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(o) => o.get_str(key),
            _ => None,
        }
    }

    /// Field after field.
    pub fn path<'a>(&'a self, keys: &[&str]) -> Option<&'a Value> {
        keys.iter().try_fold(self, |v, k| v.get(k))
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Number(n) => n.as_i64(),
            _ => None,
        }
    }

    /// The items, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(o) => Some(o),
            _ => None,
        }
    }

    /// What Rego's reference step does: object by key, array by integer, set by member.
    pub fn lookup(&self, key: &Value) -> Option<&Value> {
        match self {
            Value::Object(o) => o.get(key),
            Value::Array(a) => a.get(usize::try_from(key.as_i64()?).ok()?),
            Value::Set(s) => s.find(key),
            _ => None,
        }
    }

    /// OPA's name of the type, as `type_name` gives it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Set(_) => "set",
        }
    }

    /// Place of the type in OPA's order: null < false < true < number < string < array < object < set.
    pub fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(false) => 1,
            Value::Bool(true) => 2,
            Value::Number(_) => 3,
            Value::String(_) => Self::STRING_RANK,
            Value::Array(_) => 5,
            Value::Object(_) => 6,
            Value::Set(_) => 7,
        }
    }
}

/// Entry by entry, then by length. Objects that are compared mostly have the same keys, so these are looked at first.
fn compare_entries(a: &[(Value, Value)], b: &[(Value, Value)]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let order = match (&a.0, &b.0) {
            (Value::String(x), Value::String(y)) if same_text(x, y) => a.1.cmp(&b.1),
            _ => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::String(a), Value::String(b)) => same_text(a, b),
            (Value::Array(a), Value::Array(b)) => Arc::ptr_eq(a, b) || a == b,
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b) || a.entries == b.entries,
            (Value::Set(a), Value::Set(b)) => Arc::ptr_eq(a, b) || a.items == b.items,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    /// OPA's order (`evaluator.md` §4): arrays and sets item by item then by length; objects by sorted key, then that
    /// key's value, interleaved, then by length.
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.as_str().cmp(b.as_str()),
            (Value::Array(a), Value::Array(b)) => {
                if Arc::ptr_eq(a, b) {
                    return Ordering::Equal;
                }
                a.as_slice().cmp(b.as_slice())
            }
            (Value::Object(a), Value::Object(b)) => {
                if Arc::ptr_eq(a, b) {
                    return Ordering::Equal;
                }
                compare_entries(&a.entries, &b.entries)
            }
            (Value::Set(a), Value::Set(b)) => {
                if Arc::ptr_eq(a, b) {
                    return Ordering::Equal;
                }
                a.items.cmp(&b.items)
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl std::hash::Hash for Value {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u8(self.rank());
        match self {
            Value::Null | Value::Bool(_) => {}
            Value::Number(n) => n.hash(state),
            Value::String(s) => s.hash(state),
            Value::Array(a) => a.hash(state),
            Value::Object(o) => o.entries.hash(state),
            Value::Set(s) => s.items.hash(state),
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Value {
        Value::Number(Number::from(i))
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        Value::string(s)
    }
}
