//! Reading and writing YAML compared with what OPA 1.17.1 answered: `tests/yaml/read.json` holds what
//! `json.marshal(yaml.unmarshal(text))` gave, `write.json` what `yaml.marshal` gave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

use regent_rego::{Value, yaml};

fn cases(text: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(text).unwrap()
}

/// Compact JSON with sorted keys.
fn json(value: &Value) -> String {
    let join = |items: Vec<String>| items.join(",");
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => serde_json::to_string(s.as_str()).unwrap(),
        Value::Array(a) => format!("[{}]", join(a.iter().map(json).collect())),
        Value::Set(s) => format!("[{}]", join(s.iter().map(json).collect())),
        Value::Object(o) => {
            let entry = |(k, v): &(Value, Value)| format!("{}:{}", json(k), json(v));
            format!("{{{}}}", join(o.iter().map(entry).collect()))
        }
    }
}

#[test]
fn reads_as_opa_does() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("yaml/read.json")) {
        let text = case["text"].as_str().unwrap();
        let got = yaml::read(text).map(|v| json(&v));
        let fine = match (&got, case.get("json"), case.get("differs")) {
            (_, _, Some(differs)) => match &got {
                Ok(json) => differs.as_str() == Some(json),
                Err(_) => differs.is_null(),
            },
            (Ok(json), Some(want), _) => same(json, want.as_str().unwrap()),
            (Err(_), None, _) => true,
            _ => false,
        };
        if !fine {
            wrong.push(format!(
                "{text:?}\n  got {got:?}\n  want {:?} {:?}",
                case.get("json"),
                case.get("error")
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Equal up to how JSON escapes are written.
fn same(a: &str, b: &str) -> bool {
    a == b
        || serde_json::from_str::<serde_json::Value>(a).unwrap()
            == serde_json::from_str::<serde_json::Value>(b).unwrap()
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(_) => unreachable!("numbers are read from the text"),
        serde_json::Value::String(s) => Value::string(s),
        serde_json::Value::Array(a) => Value::array(a.iter().map(value).collect()),
        serde_json::Value::Object(o) => Value::object(o.iter().map(|(k, v)| (Value::string(k), value(v))).collect()),
    }
}

#[test]
fn writes_as_opa_does() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("yaml/write.json")) {
        // `number` holds the text of a number, which the JSON reader of this test would change.
        let given = match case.get("number").and_then(|n| n.as_str()) {
            Some(text) => Value::Number(regent_rego::Number::parse(text).unwrap()),
            None => value(&case["value"]),
        };
        let got = yaml::write(&given);
        let want = case["yaml"].as_str().unwrap();
        if got != want {
            wrong.push(format!("{given:?}\n  got {got:?}\n want {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
