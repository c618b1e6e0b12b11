//! Documents we write: fields in the order given, as JSON.

use regent_rego::{Number, Object, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// A document.
#[derive(Clone, Debug)]
pub(crate) enum Doc {
    /// Something that came as a value.
    Value(Value),
    Text(String),
    Number(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Doc>),
    Map(Vec<(&'static str, Doc)>),
    /// A map whose keys are not known before.
    Table(Vec<(String, Doc)>),
}

impl From<&str> for Doc {
    fn from(text: &str) -> Doc {
        Doc::Text(text.to_owned())
    }
}

impl From<String> for Doc {
    fn from(text: String) -> Doc {
        Doc::Text(text)
    }
}

impl From<&String> for Doc {
    fn from(text: &String) -> Doc {
        Doc::Text(text.clone())
    }
}

impl From<bool> for Doc {
    fn from(b: bool) -> Doc {
        Doc::Bool(b)
    }
}

impl From<usize> for Doc {
    fn from(n: usize) -> Doc {
        Doc::Number(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Doc {
    fn from(n: u32) -> Doc {
        Doc::Number(i64::from(n))
    }
}

impl FromIterator<Doc> for Doc {
    fn from_iter<I: IntoIterator<Item = Doc>>(items: I) -> Doc {
        Doc::List(items.into_iter().collect())
    }
}

impl Doc {
    /// JSON with two spaces an indent, and a newline at the end.
    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    /// The document as a value.
    pub(crate) fn value(&self) -> Value {
        match self {
            Doc::Value(v) => v.clone(),
            Doc::Text(s) => Value::string(s),
            Doc::Number(n) => Value::from(*n),
            Doc::Float(f) => Number::parse(&f.to_string()).map_or(Value::Null, Value::Number),
            Doc::Bool(b) => Value::Bool(*b),
            Doc::List(items) => Value::array(items.iter().map(Doc::value).collect()),
            Doc::Map(entries) => Value::object(entries.iter().map(|(k, v)| (Value::string(k), v.value())).collect()),
            Doc::Table(entries) => Value::object(entries.iter().map(|(k, v)| (Value::string(k), v.value())).collect()),
        }
    }

    /// Writes JSON whose first line has its indent already.
    pub(crate) fn write(&self, out: &mut String, indent: usize) {
        match self {
            Doc::Value(v) => write_value(v, out, indent),
            Doc::Text(s) => write_string(s, out),
            Doc::Number(n) => {
                let _ = write!(out, "{n}");
            }
            Doc::Float(f) => {
                let _ = write!(out, "{f}");
            }
            Doc::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Doc::List(items) => write_list(items, out, indent, |item, out, indent| item.write(out, indent)),
            Doc::Map(entries) => write_map(
                entries,
                out,
                indent,
                |e, out| write_string(e.0, out),
                |e, out, indent| e.1.write(out, indent),
            ),
            Doc::Table(entries) => write_map(
                entries,
                out,
                indent,
                |e, out| write_string(&e.0, out),
                |e, out, indent| e.1.write(out, indent),
            ),
        }
    }
}

/// A value as indented JSON, as OPA prints results.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out, 0);
    out
}

/// A value as JSON in one line.
pub(crate) fn compact(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Array(a) => write_compact(a.iter(), &mut out),
        Value::Set(s) => write_compact(s.iter(), &mut out),
        Value::Object(o) => {
            out.push('{');
            for (i, e) in in_order(o).iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_key(&e.0, &mut out);
                out.push(':');
                out.push_str(&compact(&e.1));
            }
            out.push('}');
        }
        scalar => write_value(scalar, &mut out, 0),
    }
    out
}

fn write_compact<'v>(items: impl Iterator<Item = &'v Value>, out: &mut String) {
    out.push('[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push_str(&compact(item));
    }
    out.push(']');
}

fn write_value(value: &Value, out: &mut String, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => {
            let _ = write!(out, "{n}");
        }
        Value::String(s) => write_string(s, out),
        Value::Array(a) => write_list(a, out, indent, write_value),
        Value::Set(s) => {
            let items: Vec<&Value> = s.iter().collect();
            write_list(&items, out, indent, |v, out, indent| write_value(v, out, indent));
        }
        Value::Object(o) => write_map(
            &in_order(o),
            out,
            indent,
            |e, out| write_key(&e.0, out),
            |e, out, indent| write_value(&e.1, out, indent),
        ),
    }
}

/// Entries in the order of their keys as JSON has them, as OPA prints them.
fn in_order(object: &Object) -> Cow<'_, [(Value, Value)]> {
    if object.entries().iter().all(|e| e.0.as_str().is_some()) {
        return Cow::Borrowed(object.entries());
    }
    let mut entries = object.entries().to_vec();
    entries.sort_by_cached_key(|e| key_text(&e.0));
    Cow::Owned(entries)
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| compact(key), str::to_owned)
}

/// JSON has strings for keys; of another key its JSON text is one.
fn write_key(key: &Value, out: &mut String) {
    write_string(&key_text(key), out);
}

fn write_list<T>(items: &[T], out: &mut String, indent: usize, write: impl Fn(&T, &mut String, usize)) {
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        next(out, i, indent + 2);
        write(item, out, indent + 2);
    }
    last(out, indent);
    out.push(']');
}

fn write_map<T>(
    entries: &[T],
    out: &mut String,
    indent: usize,
    key: impl Fn(&T, &mut String),
    value: impl Fn(&T, &mut String, usize),
) {
    if entries.is_empty() {
        out.push_str("{}");
        return;
    }
    out.push('{');
    for (i, entry) in entries.iter().enumerate() {
        next(out, i, indent + 2);
        key(entry, out);
        out.push_str(": ");
        value(entry, out, indent + 2);
    }
    last(out, indent);
    out.push('}');
}

fn next(out: &mut String, i: usize, indent: usize) {
    if i > 0 {
        out.push(',');
    }
    last(out, indent);
}

fn last(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || matches!(c, '\u{2028}' | '\u{2029}' | '\u{7f}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
