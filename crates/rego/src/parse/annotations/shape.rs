//! What a METADATA block must look like. OPA reads it into a Go struct, and its errors are those of that reading; fields it
//! does not know are let through.

use crate::Value;
use crate::yaml::{Kind, Place};
use std::fmt::Write;

/// What a field must be, by the name Go's reader gives the type.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Bool,
    Object,
    Texts,
    Anys,
    Objects,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Text => "string",
            Type::Bool => "bool",
            Type::Object => "map[string]interface {}",
            Type::Texts => "[]string",
            Type::Anys => "[]interface {}",
            Type::Objects => "[]map[string]interface {}",
        }
    }

    fn item(self) -> Option<Type> {
        match self {
            Type::Texts => Some(Type::Text),
            Type::Objects => Some(Type::Object),
            Type::Text | Type::Bool | Type::Object | Type::Anys => None,
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            _ if matches!(value, Value::Null) => true,
            Type::Text => !matches!(value, Value::Array(_) | Value::Object(_)),
            Type::Bool => matches!(value, Value::Bool(_)),
            Type::Object => matches!(value, Value::Object(_)),
            Type::Texts | Type::Anys | Type::Objects => matches!(value, Value::Array(_)),
        }
    }
}

const FIELDS: &[(&str, Type)] = &[
    ("scope", Type::Text),
    ("title", Type::Text),
    ("entrypoint", Type::Bool),
    ("description", Type::Text),
    ("organizations", Type::Texts),
    ("related_resources", Type::Anys),
    ("authors", Type::Anys),
    ("schemas", Type::Objects),
    ("compile", Type::Object),
    ("custom", Type::Object),
    ("labels", Type::Object),
];

/// What is of the wrong type in a block, in the words of Go's reader, and the first line it names; nothing if all is well.
pub(super) fn types(value: &Value, place: &Place) -> Option<(u32, String)> {
    let mut faults = Vec::new();
    let entries = match (value, &place.kind) {
        (Value::Object(_), Kind::Mapping(entries)) => entries,
        // Nothing but `null` is a block without fields.
        (Value::Object(_), _) => return None,
        _ => return Some(told(&[mismatch(value, place, "ast.rawAnnotation")])),
    };
    for (i, entry) in entries.iter().enumerate() {
        let earlier = entries.iter().take(i);
        if let Some(first) = earlier.clone().find(|e| e.key == entry.key) {
            let (key, first) = (&entry.key, first.row);
            let twice = format!("mapping key {key:?} already defined at line {first}");
            return Some(told(&[(entry.row, twice)]));
        }
        let field = FIELDS.iter().find(|(name, _)| *name == entry.key);
        if let (Some((_, wanted)), Some(value)) = (field, value.get(&entry.key)) {
            check(value, &entry.value, *wanted, &mut faults);
        }
    }
    (!faults.is_empty()).then(|| told(&faults))
}

type Fault = (u32, String);

fn told(faults: &[Fault]) -> Fault {
    let texts: Vec<String> = faults
        .iter()
        .map(|(row, fault)| format!("  line {row}: {fault}"))
        .collect();
    let row = faults.first().map_or(1, |f| f.0);
    (row, format!("yaml: unmarshal errors:\n{}", texts.join("\n")))
}

fn check(value: &Value, place: &Place, wanted: Type, faults: &mut Vec<Fault>) {
    if !wanted.takes(value) {
        faults.push(mismatch(value, place, wanted.name()));
        return;
    }
    let (Some(item), Value::Array(items)) = (wanted.item(), value) else {
        return;
    };
    for (i, one) in items.iter().enumerate() {
        let at = match &place.kind {
            Kind::Sequence(places) => places.get(i).unwrap_or(place),
            _ => place,
        };
        check(one, at, item, faults);
    }
}

fn mismatch(value: &Value, place: &Place, wanted: &str) -> Fault {
    // Go's reader shows at most ten bytes of a scalar.
    let scalar = |tag: &str, text: &str| {
        let short = if text.len() > 10 {
            let end = (0..=7).rev().find(|&n| text.is_char_boundary(n)).unwrap_or(0);
            format!("{}...", text.get(..end).unwrap_or_default())
        } else {
            text.to_owned()
        };
        format!("{tag} `{short}`")
    };
    let what = match value {
        Value::Array(_) => "!!seq".to_owned(),
        Value::Object(_) | Value::Set(_) => "!!map".to_owned(),
        Value::String(s) => scalar("!!str", s),
        Value::Bool(b) => scalar("!!bool", if *b { "true" } else { "false" }),
        Value::Null => scalar("!!null", "null"),
        Value::Number(n) => {
            let text = n.to_string();
            let tag = if text.contains(['.', 'e', 'E']) {
                "!!float"
            } else {
                "!!int"
            };
            scalar(tag, &text)
        }
    };
    (place.row, format!("cannot unmarshal {what} into {wanted}"))
}

/// What is of the right type and yet says nothing OPA can use; nothing if all is well.
pub(super) fn definitions(value: &Value) -> Option<String> {
    let items = |field: &str| value.get(field).and_then(Value::as_array).unwrap_or_default();
    let related = items("related_resources").iter().find_map(|one| {
        let why = resource(one)?;
        Some(format!(
            "invalid related-resource definition {}: {why}",
            as_go_prints(one)
        ))
    });
    let schema = || items("schemas").iter().find_map(schema);
    let author = || {
        items("authors").iter().find_map(|one| {
            let why = author(one)?;
            Some(format!("invalid author definition {}: {why}", as_go_prints(one)))
        })
    };
    related.or_else(schema).or_else(author)
}

const NO_TYPE: &str = "invalid value type, must be string or map";

fn resource(one: &Value) -> Option<&'static str> {
    match one {
        Value::String(s) => s.is_empty().then_some("ref URL may not be empty string"),
        Value::Object(_) => {
            let given = one
                .get("ref")
                .and_then(Value::as_str)
                .is_some_and(|s| !s.trim().is_empty());
            (!given).then_some("'ref' value required in object")
        }
        _ => Some(NO_TYPE),
    }
}

fn author(one: &Value) -> Option<&'static str> {
    match one {
        Value::String(s) => s.trim().is_empty().then_some("author is an empty string"),
        Value::Object(_) => {
            let given = |field: &str| {
                one.get(field)
                    .and_then(Value::as_str)
                    .is_some_and(|s| !s.trim().is_empty())
            };
            (!given("name") && !given("email")).then_some("'name' and/or 'email' values required in object")
        }
        _ => Some(NO_TYPE),
    }
}

fn schema(pair: &Value) -> Option<String> {
    let begins = |text: &str, with: &[&str]| {
        let head = text.split(['.', '[']).next().unwrap_or_default();
        with.contains(&head)
    };
    pair.as_object()?.iter().find_map(|(path, value)| {
        let path = path.as_str()?;
        if !begins(path, &["input", "data"]) {
            return Some("invalid document reference".to_owned());
        }
        match value {
            Value::String(s) if begins(s, &["schema"]) => None,
            Value::String(_) => Some("invalid schema reference".to_owned()),
            Value::Object(_) => None,
            _ => Some(format!("invalid schema declaration for path {path:?}")),
        }
    })
}

/// A value as Go's `%s` prints it.
fn as_go_prints(value: &Value) -> String {
    let mut out = String::new();
    print(value, &mut out);
    out
}

fn print(value: &Value, out: &mut String) {
    let spaced = |out: &mut String, i: usize| {
        if i > 0 {
            out.push(' ');
        }
    };
    // Writing into a string does not fail.
    let _ = match value {
        Value::Null => write!(out, "%!s(<nil>)"),
        Value::Bool(b) => write!(out, "%!s(bool={b})"),
        Value::String(s) => write!(out, "{s}"),
        Value::Number(n) => {
            let text = n.to_string();
            let kind = if text.contains(['.', 'e', 'E']) {
                "float64"
            } else {
                "int"
            };
            write!(out, "%!s({kind}={text})")
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                spaced(out, i);
                print(item, out);
            }
            write!(out, "]")
        }
        Value::Object(o) => {
            out.push_str("map[");
            for (i, (key, item)) in o.iter().enumerate() {
                spaced(out, i);
                print(key, out);
                out.push(':');
                print(item, out);
            }
            write!(out, "]")
        }
        Value::Set(_) => Ok(()),
    };
}
