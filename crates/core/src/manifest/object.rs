//! What every Kubernetes object has.

use regent_rego::Value;

/// What is missing or of the wrong type, with the path of the node to blame.
pub(super) fn problem(object: &Value) -> Option<(Vec<&'static str>, String)> {
    for field in ["kind", "apiVersion"] {
        match object.get(field) {
            None => return Some((Vec::new(), format!("the object has no {field}"))),
            Some(Value::String(s)) if s.is_empty() => return Some((vec![field], format!("{field} is empty"))),
            Some(Value::String(_)) => {}
            Some(other) => return Some((vec![field], wrong(field, "a string", other))),
        }
    }
    let metadata = object.get("metadata")?;
    if !matches!(metadata, Value::Object(_) | Value::Null) {
        return Some((vec!["metadata"], wrong("metadata", "an object", metadata)));
    }
    for field in ["name", "generateName", "namespace"] {
        match metadata.get(field) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => return Some((vec!["metadata", field], wrong(field, "a string", other))),
        }
    }
    for field in ["labels", "annotations"] {
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                if let Some((key, value)) = entries.iter().find(|e| !matches!(e.1, Value::String(_) | Value::Null)) {
                    let what = format!("{field} {:?}", key.as_str().unwrap_or_default());
                    return Some((vec!["metadata", field], wrong(&what, "a string", value)));
                }
            }
            Some(other) => return Some((vec!["metadata", field], wrong(field, "an object", other))),
        }
    }
    None
}

fn wrong(what: &str, want: &str, found: &Value) -> String {
    format!("{what} must be {want}, this is of type {}", found.type_name())
}
