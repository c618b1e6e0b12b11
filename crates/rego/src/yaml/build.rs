//! From parser events to a value.

use super::scalar::{self, Scalar};
use super::{ReadError, ReadOptions};
use crate::value::Value;
use base64::Engine as _;
use granit_parser::{Event, ScalarStyle, Span, Tag};
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;

/// Up to this many keys a scan finds a duplicate faster than a hash set.
const SCAN: usize = 16;

/// A node with what the bounds need to know of it.
#[derive(Clone)]
struct Node {
    value: Value,
    /// Nodes in it, aliases counted as what they stand for.
    size: usize,
    /// Levels below it.
    height: u32,
}

/// A collection that is not at its end.
enum Open {
    Sequence {
        items: Vec<Value>,
        anchor: usize,
        size: usize,
        height: u32,
    },
    Mapping(Mapping),
}

struct Mapping {
    entries: Vec<(Value, Value)>,
    /// Hashes of the keys, once there are many.
    seen: FxHashSet<Value>,
    key: Key,
    anchor: usize,
    size: usize,
    height: u32,
    /// How many of `entries` came from `<<`; these may be overridden.
    merged: FxHashSet<Value>,
}

/// What a mapping waits for.
enum Key {
    /// A key.
    Wanted,
    /// The value of a key.
    Have(Value),
    /// The value of `<<`.
    Merge,
}

pub(super) struct Builder {
    options: ReadOptions,
    open: Vec<Open>,
    anchors: FxHashMap<usize, Node>,
    alias_nodes: usize,
    root: Option<Value>,
}

impl Builder {
    pub(super) fn new(options: ReadOptions) -> Builder {
        Builder {
            options,
            open: Vec::new(),
            anchors: FxHashMap::default(),
            alias_nodes: 0,
            root: None,
        }
    }

    /// The document; null when there was none.
    pub(super) fn finish(self) -> Value {
        self.root.unwrap_or(Value::Null)
    }

    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), ReadError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, span),
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(error(span, "an anchor cannot hold an alias of itself"));
                };
                self.alias_nodes = self.alias_nodes.saturating_add(node.size);
                if self.alias_nodes > self.options.alias_nodes {
                    return Err(error(span, "document contains excessive aliasing"));
                }
                if self.key_wanted() {
                    return match &node.value {
                        Value::String(_) => self.key(node.value, span),
                        _ => Err(error(span, "a key must be a scalar")),
                    };
                }
                self.node(node, 0, span)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.enter(span)?;
                self.open.push(Open::Sequence {
                    items: Vec::new(),
                    anchor,
                    size: 1,
                    height: 0,
                });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.enter(span)?;
                self.open.push(Open::Mapping(Mapping {
                    entries: Vec::new(),
                    seen: FxHashSet::default(),
                    key: Key::Wanted,
                    anchor,
                    size: 1,
                    height: 0,
                    merged: FxHashSet::default(),
                }));
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Sequence {
                    items,
                    anchor,
                    size,
                    height,
                }) => {
                    let value = Value::array(items);
                    self.node(Node { value, size, height }, anchor, span)
                }
                Some(Open::Mapping(m)) => {
                    let node = Node {
                        value: Value::object(m.entries),
                        size: m.size,
                        height: m.height,
                    };
                    self.node(node, m.anchor, span)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// A collection begins: it cannot be a key, and there is an end to nesting.
    fn enter(&self, span: Span) -> Result<(), ReadError> {
        if self.key_wanted() {
            return Err(error(span, "a key must be a scalar"));
        }
        if self.open.len() >= self.options.depth as usize {
            return Err(self.too_deep(span));
        }
        Ok(())
    }

    fn too_deep(&self, span: Span) -> ReadError {
        error(span, format!("nested deeper than {} levels", self.options.depth))
    }

    fn key_wanted(&self) -> bool {
        matches!(self.open.last(), Some(Open::Mapping(m)) if matches!(m.key, Key::Wanted))
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        span: Span,
    ) -> Result<(), ReadError> {
        let as_key = self.key_wanted();
        let plain = matches!(style, ScalarStyle::Plain);
        let tag = tag.as_deref();
        if as_key && text == "<<" && (plain && tag.is_none() || tag.and_then(kind).as_deref() == Some("merge")) {
            if let Some(Open::Mapping(m)) = self.open.last_mut() {
                m.key = Key::Merge;
            }
            return Ok(());
        }
        if plain && tag.is_none() && self.options.refuse_duplicates && scalar::out_of_range(text) {
            return Err(error(span, format!("number {text} is out of range")));
        }
        let decoded;
        let (text, meaning) = match tag {
            None if plain && self.options.only_true_false && scalar::is_old_boolean(text) => (text, Scalar::Text),
            None if plain => (text, scalar::resolve(text)),
            None => (text, Scalar::Text),
            Some(tag) => match kind(tag).as_deref() {
                Some("binary") => {
                    decoded = binary(text, span)?;
                    (decoded.as_str(), Scalar::Text)
                }
                Some(wanted @ ("bool" | "int" | "float" | "null")) => (text, tagged(wanted, text, span)?),
                _ => (text, Scalar::Text),
            },
        };
        let value = if as_key { meaning.key(text) } else { meaning.value(text) };
        let value = value.map_err(|m| error(span, m))?;
        if as_key {
            if anchor > 0 {
                self.anchors.insert(anchor, leaf(value.clone()));
            }
            return self.key(value, span);
        }
        self.node(leaf(value), anchor, span)
    }

    /// A key of the mapping on top.
    fn key(&mut self, key: Value, span: Span) -> Result<(), ReadError> {
        let refuse = self.options.refuse_duplicates;
        let Some(Open::Mapping(m)) = self.open.last_mut() else {
            return Ok(());
        };
        if refuse {
            let duplicate = if m.entries.len() < SCAN {
                m.entries.iter().any(|e| e.0 == key)
            } else {
                if m.seen.is_empty() {
                    m.seen.extend(m.entries.iter().map(|e| e.0.clone()));
                }
                !m.seen.insert(key.clone())
            };
            // What `<<` brought is there to be overridden.
            if duplicate && !m.merged.remove(&key) {
                let name = key.as_str().unwrap_or_default();
                return Err(error(span, format!("key {name:?} already set in map")));
            }
        }
        m.key = Key::Have(key);
        Ok(())
    }

    /// A node is whole: name it, and put it where it belongs.
    fn node(&mut self, node: Node, anchor: usize, span: Span) -> Result<(), ReadError> {
        if self.open.len() as u64 + u64::from(node.height) > u64::from(self.options.depth) {
            return Err(self.too_deep(span));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node.value),
            Some(Open::Sequence {
                items, size, height, ..
            }) => {
                *size = size.saturating_add(node.size);
                *height = (*height).max(node.height + 1);
                items.push(node.value);
            }
            Some(Open::Mapping(m)) => {
                m.size = m.size.saturating_add(node.size).saturating_add(1);
                m.height = m.height.max(node.height + 1);
                match std::mem::replace(&mut m.key, Key::Wanted) {
                    Key::Wanted => {}
                    Key::Have(key) => m.entries.push((key, node.value)),
                    Key::Merge => m.merge(&node.value).map_err(|text| error(span, text))?,
                }
            }
        }
        Ok(())
    }
}

impl Mapping {
    /// `<<`: a mapping, or a sequence of mappings of which the first one wins.
    fn merge(&mut self, value: &Value) -> Result<(), &'static str> {
        const WRONG: &str = "map merge requires map or sequence of maps as the value";
        match value {
            Value::Object(o) => {
                for (key, value) in o.iter() {
                    if !self.seen.is_empty() {
                        self.seen.insert(key.clone());
                    }
                    self.merged.insert(key.clone());
                    self.entries.push((key.clone(), value.clone()));
                }
                Ok(())
            }
            Value::Array(items) => {
                for item in items.iter().rev() {
                    if !matches!(item, Value::Object(_)) {
                        return Err(WRONG);
                    }
                    self.merge(item)?;
                }
                Ok(())
            }
            _ => Err(WRONG),
        }
    }
}

/// The name of one of YAML's own types.
fn kind(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
}

fn leaf(value: Value) -> Node {
    Node {
        value,
        size: 1,
        height: 0,
    }
}

fn tagged(wanted: &str, text: &str, span: Span) -> Result<Scalar, ReadError> {
    let found = scalar::resolve(text);
    match (wanted, &found) {
        ("bool", Scalar::Bool(_))
        | ("int", Scalar::Int(_) | Scalar::Unsigned(_))
        | ("float", Scalar::Float(_))
        | ("null", Scalar::Null) => Ok(found),
        ("float", Scalar::Int(i)) => Ok(Scalar::Float(*i as f64)),
        _ => Err(error(span, format!("cannot decode `{text}` as a !!{wanted}"))),
    }
}

fn binary(text: &str, span: Span) -> Result<String, ReadError> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|_| error(span, "!!binary value contains invalid base64 data"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn error(span: Span, message: impl Into<String>) -> ReadError {
    ReadError {
        message: message.into(),
        row: span.start.line(),
        col: span.start.col() + 1,
    }
}
