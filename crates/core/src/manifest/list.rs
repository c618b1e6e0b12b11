//! `List` kinds: their items stand for themselves.

use super::{Document, Places, Problem};
use regent_rego::Value;
use std::collections::VecDeque;
use std::sync::Arc;

/// Puts a document's objects in the queue: its items when it is a `List`, else itself.
pub(super) fn unroll(
    file: &str,
    index: usize,
    value: Value,
    places: Places,
    out: &mut VecDeque<Result<Document, Problem>>,
) {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let items = match (kind.strip_suffix("List"), value.get("items")) {
        (Some(item_kind), Some(Value::Array(items))) => Some((item_kind, Arc::clone(items))),
        (Some(""), None | Some(Value::Null)) => Some(("", Arc::default())),
        (Some(""), Some(other)) => {
            let (line, column) = places.find(&["items"]);
            out.push_back(Err(Problem {
                file: file.to_owned(),
                line,
                column,
                message: format!(
                    "items of a List must be an array, this is of type {}",
                    other.type_name()
                ),
            }));
            return;
        }
        _ => None,
    };
    let Some((item_kind, items)) = items else {
        out.push_back(Ok(Document {
            index,
            item: None,
            value,
            places,
        }));
        return;
    };
    let version = value.get("apiVersion").filter(|_| !item_kind.is_empty());
    for (i, item) in items.iter().enumerate() {
        let places = places.below(&["items", &i.to_string()]);
        out.push_back(match item {
            Value::Object(_) => Ok(Document {
                index,
                item: Some(i),
                value: named(item, item_kind, version),
                places,
            }),
            other => {
                let (line, column) = places.find(&[]);
                Err(Problem {
                    file: file.to_owned(),
                    line,
                    column,
                    message: format!(
                        "an item of a {kind} must be an object, this is of type {}",
                        other.type_name()
                    ),
                })
            }
        });
    }
}

/// The items of a typed list (`PodList`) may leave out what its own kind says.
fn named(item: &Value, kind: &str, version: Option<&Value>) -> Value {
    let Value::Object(object) = item else {
        return item.clone();
    };
    if kind.is_empty() || (object.get_str("kind").is_some() && object.get_str("apiVersion").is_some()) {
        return item.clone();
    }
    let mut object = (**object).clone();
    if object.get_str("kind").is_none() {
        object.insert(Value::string("kind"), Value::string(kind));
    }
    if let (None, Some(version)) = (object.get_str("apiVersion"), version) {
        object.insert(Value::string("apiVersion"), version.clone());
    }
    Value::Object(Arc::new(object))
}
