//! `json.patch`: JSON Patch (RFC 6902) over any value, sets included.
//!
//! Edits are kept beside the value they are of, as OPA keeps them, and for more than speed: where a path goes into an
//! item of an array that was not touched yet, OPA takes the item at that place *before* the patch. Removing `/0` and
//! then changing `/0/x` brings the removed item back. Policies that run under OPA see that, so they see it here.

use super::json_paths::parse_path;
use super::operand::{any, array, error, too_large};
use super::{Answer, Failure, Host, Table};
use crate::value::{Object, Value};
use crate::value_text::text;
use std::collections::BTreeMap;

pub(crate) const TABLE: Table = &[("json.patch", patch)];

/// As deep as JSON may be where it is read: what reads values trusts this.
const DEPTH: usize = 1_000;

/// A value and what was changed in it.
struct Node {
    /// Before the changes; `None` once it was removed (the root only).
    base: Option<Value>,
    /// Of an object or a set.
    keys: BTreeMap<Value, Child>,
    /// Of an array, once anything changed.
    slots: Option<Vec<Slot>>,
}

enum Child {
    Node(Node),
    Gone { composite: bool },
}

enum Slot {
    /// The item of the base at this place.
    Kept(usize),
    New(Box<Node>),
}

fn patch(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let operations = array(args, 2)?;
    let mut root = Node::new(any(args, 1)?.clone());
    for operation in operations {
        apply(host, &mut root, operation)?;
    }
    match root.render(host)? {
        Some(value) => Ok(Some(value)),
        // OPA crashes here.
        None => Err(error("the whole value was removed")),
    }
}

fn apply(host: &mut dyn Host, root: &mut Node, operation: &Value) -> Result<(), Failure> {
    let Value::Object(operation) = operation else {
        return Err(error(
            "must be an array of JSON-Patch objects, but at least one element is not an object",
        ));
    };
    let path = attribute(operation, "path")?;
    let name = match attribute(operation, "op")? {
        Value::String(s) => s,
        other => {
            let found = other.type_name();
            return Err(error(format!("attribute 'op' must be a string but found: {found}")));
        }
    };
    let path = parse_path(path)?;
    host.charge(path.len().saturating_mul(size_of::<Value>()))?;
    match name.as_str() {
        "add" => {
            let value = attribute(operation, "value")?;
            root.insert_at(host, &path, Some(value.clone()))
        }
        "remove" => root.delete_at(host, &path),
        "replace" => {
            root.delete_at(host, &path)?;
            let value = attribute(operation, "value")?;
            root.insert_at(host, &path, Some(value.clone()))
        }
        "move" => {
            let from = parse_path(attribute(operation, "from")?)?;
            let value = root.unfold(host, &from)?.render(host)?;
            root.delete_at(host, &from)?;
            root.insert_at(host, &path, value)
        }
        "copy" => {
            let from = parse_path(attribute(operation, "from")?)?;
            let value = root.unfold(host, &from)?.render(host)?;
            root.insert_at(host, &path, value)
        }
        "test" => {
            let found = root.unfold(host, &path)?.render(host)?;
            let value = attribute(operation, "value")?;
            if found.as_ref() == Some(value) {
                return Ok(());
            }
            let found = found.map_or_else(|| "<nil>".into(), |v| text(&v));
            let value = text(value);
            host.charge(found.len() + value.len())?;
            Err(error(format!(
                "value from EditTree != patch value.\n\nExpected: {value}\n\nFound: {found}"
            )))
        }
        other => Err(error(format!("unrecognized op: '{other}'"))),
    }
}

fn attribute<'a>(operation: &'a Object, name: &str) -> Result<&'a Value, Failure> {
    let missing = || error(format!("missing required attribute '{name}'"));
    operation.get_str(name).ok_or_else(missing)
}

fn composite(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_) | Value::Set(_))
}

/// What OPA's errors call the type of a value that holds no others.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "ast.Null",
        Value::Bool(_) => "ast.Boolean",
        Value::Number(_) => "ast.Number",
        Value::String(_) => "ast.String",
        Value::Array(_) => "*ast.Array",
        Value::Object(_) => "*ast.object",
        Value::Set(_) => "*ast.set",
    }
}

impl Node {
    fn new(value: Value) -> Node {
        Node {
            base: Some(value),
            keys: BTreeMap::new(),
            slots: None,
        }
    }

    fn insert_at(&mut self, host: &mut dyn Host, path: &[Value], value: Option<Value>) -> Result<(), Failure> {
        let value = value.ok_or_else(|| error("cannot insert nil value into EditTree"))?;
        measure(host, &value, path.len())?;
        let Some((last, before)) = path.split_last() else {
            *self = Node::new(value);
            return Ok(());
        };
        measure(host, last, path.len())?;
        self.unfold(host, before)?.insert(host, last, value).map(|_| ())
    }

    fn delete_at(&mut self, host: &mut dyn Host, path: &[Value]) -> Result<(), Failure> {
        let Some((last, before)) = path.split_last() else {
            if self.base.is_none() {
                return Err(error("deleted node encountered during delete operation"));
            }
            self.base = None;
            self.keys.clear();
            self.slots = None;
            return Ok(());
        };
        self.unfold(host, before)?.delete(host, last)
    }

    /// The node at the end of a path.
    fn unfold(&mut self, host: &mut dyn Host, path: &[Value]) -> Result<&mut Node, Failure> {
        let mut node = self;
        for key in path {
            node = node.step(host, key)?;
        }
        Ok(node)
    }

    fn step(&mut self, host: &mut dyn Host, key: &Value) -> Result<&mut Node, Failure> {
        let base = self.base.clone();
        let base = base.ok_or_else(|| error("nil value encountered where composite value was expected"))?;
        host.charge(size_of::<Node>())?;
        match &base {
            Value::Object(o) => {
                if !self.keys.contains_key(key) {
                    let Some(value) = o.get(key) else {
                        let (key, of) = (text(key), text(&base));
                        return Err(error(format!("path {key} does not exist in object term {of}")));
                    };
                    self.keys.insert(key.clone(), Child::Node(Node::new(value.clone())));
                }
                self.child(key)
            }
            Value::Set(_) => {
                self.collapse(host, key)?;
                if !self.keys.contains_key(key) {
                    let base = self.base.as_ref().unwrap_or(&base);
                    let found = matches!(base, Value::Set(s) if s.contains(key));
                    if !found {
                        // OPA does not quote a string here.
                        let key = key.as_str().map_or_else(|| text(key), str::to_string);
                        let of = text(base);
                        return Err(error(format!("path {key} does not exist in set term {of}")));
                    }
                    self.keys.insert(key.clone(), Child::Node(Node::new(key.clone())));
                }
                self.child(key)
            }
            Value::Array(items) => {
                let place = index(self.len(items), key)?;
                let slots = self.slots(host)?;
                let at = usize::try_from(place).unwrap_or(usize::MAX);
                if !matches!(slots.get(at), Some(Slot::New(_))) {
                    // In the base, not in what the slot keeps: see the top of the file.
                    let Some(value) = items.get(at) else {
                        let of = text(&base);
                        return Err(error(format!("path {place} does not exist in array term {of}")));
                    };
                    let Some(slot) = slots.get_mut(at) else {
                        return Err(error("index for array delete out of bounds"));
                    };
                    *slot = Slot::New(Box::new(Node::new(value.clone())));
                }
                match slots.get_mut(at) {
                    Some(Slot::New(node)) => Ok(node),
                    _ => Err(error("index for array delete out of bounds")),
                }
            }
            other => Err(error(format!(
                "expected composite type for path {}, found value: {} (type: {})",
                text(key),
                text(other),
                go_type(other)
            ))),
        }
    }

    /// A changed child.
    fn child(&mut self, key: &Value) -> Result<&mut Node, Failure> {
        match self.keys.get_mut(key) {
            Some(Child::Node(node)) => Ok(node),
            Some(Child::Gone { composite }) => {
                let kind = if *composite { "composite" } else { "scalar" };
                let key = text(key);
                Err(error(format!(
                    "cannot unfold the already deleted {kind} node for key {key}"
                )))
            }
            None => Err(error(format!("path {} does not exist", text(key)))),
        }
    }

    fn insert(&mut self, host: &mut dyn Host, key: &Value, value: Value) -> Result<(), Failure> {
        let Some(base) = &self.base else {
            return Err(error("deleted node encountered during insert operation"));
        };
        host.charge(size_of::<Node>())?;
        match base {
            Value::Object(_) => {
                self.keys.insert(key.clone(), Child::Node(Node::new(value)));
            }
            Value::Set(_) => {
                if *key != value {
                    let (key, value) = (text(key), text(&value));
                    return Err(error(format!(
                        "set key {key} does not equal value to be inserted {value}"
                    )));
                }
                self.collapse(host, key)?;
                self.keys.insert(key.clone(), Child::Node(Node::new(value)));
            }
            Value::Array(items) => {
                let length = self.len(items);
                let place = index(length, key)?;
                let at = usize::try_from(place).ok().filter(|at| *at <= length);
                let at = at.ok_or_else(|| error("index for array insertion out of bounds"))?;
                host.charge((length - at) / 8)?;
                self.slots(host)?.insert(at, Slot::New(Box::new(Node::new(value))));
            }
            other => return Err(not_composite(other)),
        }
        Ok(())
    }

    fn delete(&mut self, host: &mut dyn Host, key: &Value) -> Result<(), Failure> {
        let Some(base) = &self.base else {
            return Err(error("deleted node encountered during delete operation"));
        };
        match base {
            Value::Object(_) => self.delete_key(host, key),
            Value::Set(_) => {
                self.collapse(host, key)?;
                self.delete_key(host, key)
            }
            Value::Array(items) => {
                let length = self.len(items);
                let place = index(length, key)?;
                let at = usize::try_from(place).ok().filter(|at| *at < length);
                let at = at.ok_or_else(|| error("index for array delete out of bounds"))?;
                host.charge((length - at) / 8)?;
                self.slots(host)?.remove(at);
                Ok(())
            }
            other => Err(not_composite(other)),
        }
    }

    fn delete_key(&mut self, host: &mut dyn Host, key: &Value) -> Result<(), Failure> {
        host.charge(size_of::<Node>())?;
        let is_composite = match self.keys.get(key) {
            Some(Child::Gone { composite }) => {
                let kind = if *composite { "composite" } else { "scalar" };
                let key = text(key);
                return Err(error(format!(
                    "cannot delete the already deleted {kind} node for key {key}"
                )));
            }
            Some(Child::Node(node)) => node.base.as_ref().is_some_and(composite),
            None => {
                let found = match &self.base {
                    Some(Value::Object(o)) => o.get(key),
                    Some(Value::Set(s)) => s.find(key),
                    _ => None,
                };
                let absent = || error(format!("cannot delete child key {} that does not exist", text(key)));
                composite(found.ok_or_else(absent)?)
            }
        };
        let gone = Child::Gone {
            composite: is_composite,
        };
        self.keys.insert(key.clone(), gone);
        Ok(())
    }

    /// Items that hold others change as members of a set: the set is made anew before one is looked for.
    fn collapse(&mut self, host: &mut dyn Host, key: &Value) -> Result<(), Failure> {
        if composite(key) && !self.keys.is_empty() {
            self.base = self.render(host)?;
            self.keys.clear();
        }
        Ok(())
    }

    /// The length of an array as it is now.
    fn len(&self, items: &[Value]) -> usize {
        self.slots.as_ref().map_or(items.len(), Vec::len)
    }

    fn slots(&mut self, host: &mut dyn Host) -> Result<&mut Vec<Slot>, Failure> {
        let length = match &self.base {
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        };
        if self.slots.is_none() {
            host.charge(length.saturating_mul(size_of::<Slot>()))?;
        }
        Ok(self.slots.get_or_insert_with(|| (0..length).map(Slot::Kept).collect()))
    }

    /// The value with its changes.
    fn render(&self, host: &mut dyn Host) -> Result<Option<Value>, Failure> {
        let Some(base) = &self.base else { return Ok(None) };
        match base {
            Value::Object(o) if !self.keys.is_empty() => {
                host.charge((o.len() + self.keys.len()).saturating_mul(2 * size_of::<Value>()))?;
                let kept = o.iter().filter(|e| !self.keys.contains_key(&e.0));
                let mut out: Vec<(Value, Value)> = kept.cloned().collect();
                for (key, child) in &self.keys {
                    if let Child::Node(node) = child {
                        out.extend(node.render(host)?.map(|v| (key.clone(), v)));
                    }
                }
                Ok(Some(Value::object(out)))
            }
            Value::Set(s) if !self.keys.is_empty() => {
                host.charge((s.len() + self.keys.len()).saturating_mul(size_of::<Value>()))?;
                let kept = s.iter().filter(|v| !self.keys.contains_key(v));
                let mut out: Vec<Value> = kept.cloned().collect();
                for child in self.keys.values() {
                    if let Child::Node(node) = child {
                        out.extend(node.render(host)?);
                    }
                }
                Ok(Some(Value::set(out)))
            }
            Value::Array(items) => {
                let Some(slots) = &self.slots else {
                    return Ok(Some(base.clone()));
                };
                host.charge(slots.len().saturating_mul(size_of::<Value>()))?;
                let mut out = Vec::with_capacity(slots.len());
                for slot in slots {
                    match slot {
                        Slot::Kept(at) => out.extend(items.get(*at).cloned()),
                        Slot::New(node) => out.extend(node.render(host)?),
                    }
                }
                Ok(Some(Value::array(out)))
            }
            other => Ok(Some(other.clone())),
        }
    }
}

fn not_composite(value: &Value) -> Failure {
    let (value, kind) = (text(value), go_type(value));
    error(format!("expected composite type, found value: {value} (type: {kind})"))
}

/// The place in an array that a part of a path names; `-` is behind the last.
fn index(length: usize, key: &Value) -> Result<i64, Failure> {
    match key {
        Value::Number(n) => n.as_i64().ok_or_else(|| error("invalid number type for indexing")),
        Value::String(s) if s == "-" => Ok(i64::try_from(length).unwrap_or(i64::MAX)),
        Value::String(s) => {
            let place = s.parse().map_err(|_| error("invalid string for indexing"))?;
            if s != "0" && s.starts_with('0') {
                return Err(error("leading zeros are not allowed in JSON paths"));
            }
            Ok(place)
        }
        _ => Err(error("invalid type for indexing")),
    }
}

/// Charges for every value within, and bounds the depth: copies of a value into itself double both.
fn measure(host: &mut dyn Host, value: &Value, depth: usize) -> Result<(), Failure> {
    if depth >= DEPTH {
        return Err(too_large("the nesting of a patched value"));
    }
    match value {
        Value::Array(items) => {
            host.charge(items.len())?;
            items.iter().try_for_each(|v| measure(host, v, depth + 1))
        }
        Value::Set(items) => {
            host.charge(items.len())?;
            items.iter().try_for_each(|v| measure(host, v, depth + 1))
        }
        Value::Object(o) => {
            host.charge(o.len())?;
            o.iter()
                .try_for_each(|(k, v)| measure(host, k, depth + 1).and_then(|()| measure(host, v, depth + 1)))
        }
        _ => Ok(()),
    }
}
