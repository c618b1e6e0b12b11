//! An untyped Kubernetes object: what it is, what it is called, where it lives.

use regent_rego::Value;

/// Group, version and kind of an object. All empty when `apiVersion` cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Gvk<'a> {
    /// `""` for the core group.
    pub(crate) group: &'a str,
    /// `v1`.
    pub(crate) version: &'a str,
    /// `Pod`.
    pub(crate) kind: &'a str,
}

impl<'a> Gvk<'a> {
    /// Of an object, as Kubernetes reads it: more than one `/` makes all of it empty.
    pub(crate) fn of(object: &'a Value) -> Gvk<'a> {
        Gvk::new(text(object, &["apiVersion"]), text(object, &["kind"]))
    }

    /// Of `apiVersion` and `kind`.
    pub(crate) fn new(api_version: &'a str, kind: &'a str) -> Gvk<'a> {
        let (group, version) = match api_version.split_once('/') {
            None => ("", api_version),
            Some((_, rest)) if rest.contains('/') => return Gvk::default(),
            Some((group, version)) => (group, version),
        };
        Gvk { group, version, kind }
    }

    /// A core Namespace.
    pub(crate) fn is_namespace(&self) -> bool {
        self.kind == "Namespace" && self.group.is_empty()
    }

    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

impl std::fmt::Display for Gvk<'_> {
    /// As Kubernetes prints it: `/v1, Kind=Pod`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

/// The string at a path; `""` when there is none.
pub(crate) fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    object.path(path).and_then(Value::as_str).unwrap_or_default()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// `metadata.namespace`.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// `metadata.generateName`.
pub(crate) fn generate_name(object: &Value) -> &str {
    text(object, &["metadata", "generateName"])
}

/// `metadata.labels`; none at all when one of them is no string, as Kubernetes' own accessor has it.
pub(crate) fn labels(object: &Value) -> Option<&regent_rego::Object> {
    let labels = object.path(&["metadata", "labels"])?.as_object()?;
    labels.iter().all(|(_, v)| v.as_str().is_some()).then_some(labels)
}

/// `metadata.annotations[key]`.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    text(object, &["metadata", "annotations", key])
}

/// A copy with the value at a path replaced (`None`: taken away). Missing objects on the way are made; anything else
/// on the way is replaced by an object.
pub(crate) fn with(object: &Value, path: &[&str], value: Option<Value>) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return value.unwrap_or(Value::Null);
    };
    let mut entries = object.as_object().cloned().unwrap_or_default();
    let key = Value::string(first);
    if rest.is_empty() {
        match value {
            Some(value) => entries.insert(key, value),
            None => {
                entries.remove(&key);
            }
        }
    } else {
        let inner = match entries.get_str(first) {
            Some(inner) => with(inner, rest, value),
            None if value.is_none() => return object.clone(),
            None => with(&Value::object(Vec::new()), rest, value),
        };
        entries.insert(key, inner);
    }
    Value::Object(std::sync::Arc::new(entries))
}

/// Go's `%q` for what occurs in names and messages.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Go's `%v` of decoded JSON.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Set(items) => format!("[{}]", items.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Object(o) => {
            let entries: Vec<String> = o
                .iter()
                .map(|(k, v)| format!("{}:{}", go_value(k), go_value(v)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// Go's name of the type of a decoded JSON value, numbers as `number` names them.
pub(crate) fn go_type(value: &Value, number: &'static str) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => number,
        Value::String(_) => "string",
        Value::Array(_) | Value::Set(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Compiles a regular expression; an error is told in Go's words where they are known.
pub(crate) fn regex(pattern: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(pattern).map_err(|error| {
        // The last line has the reason, the others draw where it is.
        let error = error.to_string();
        let reason = error
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .trim_start_matches("error: ");
        let reason = match reason {
            "unclosed group" => format!("missing closing ): `{pattern}`"),
            "unopened group" => format!("unexpected ): `{pattern}`"),
            "unclosed character class" => {
                let class = pattern.rfind('[').and_then(|at| pattern.get(at..)).unwrap_or(pattern);
                format!("missing closing ]: `{class}`")
            }
            other => other.to_owned(),
        };
        format!("error parsing regexp: {reason}")
    })
}
