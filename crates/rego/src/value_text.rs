//! Rego text of values, as OPA writes terms: `print`, `sprintf("%v")`, messages and object keys use it.

use crate::value::Value;

/// The text of a value.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

/// Appends the text of a value. Depth of values is bounded where they are made.
pub fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) => out.push_str(&n.to_string()),
        Value::String(s) => crate::go_text::quote(out, s),
        Value::Array(items) => {
            out.push('[');
            list(out, items);
            out.push(']');
        }
        Value::Object(o) => {
            out.push('{');
            for (i, (k, v)) in o.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write(out, k);
                out.push_str(": ");
                write(out, v);
            }
            out.push('}');
        }
        Value::Set(s) if s.is_empty() => out.push_str("set()"),
        Value::Set(s) => {
            out.push('{');
            list(out, s.items());
            out.push('}');
        }
    }
}

fn list(out: &mut String, items: &[Value]) {
    for (i, v) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(out, v);
    }
}
