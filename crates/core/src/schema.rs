//! Structural schemas, as custom resources have them: read, checked, and held against values.
//!
//! The words of errors are those of the Kubernetes API server, in its order where that is defined (sorted where the API
//! server's own order is random). Of `format`, addresses, dates, UUIDs and `int32` are held against values.

mod format;
mod validate;

use crate::object::{go_value, quote, regex};
use regent_rego::{Object, Value};
use regex::Regex;
use std::collections::BTreeMap;

/// Types a schema may name.
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// A schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    kind: String,
    format: String,
    nullable: bool,
    preserve_unknown: bool,
    int_or_string: bool,
    embedded_resource: bool,
    /// Each in a box: a node of the map has room for eleven, and most schemas have few.
    properties: BTreeMap<String, Box<Schema>>,
    additional: Option<Additional>,
    items: Option<Box<Schema>>,
    default: Option<Value>,
    required: Vec<String>,
    choices: Vec<Value>,
    pattern: Option<(String, Option<Regex>)>,
    minimum: Option<(Value, bool)>,
    maximum: Option<(Value, bool)>,
    multiple_of: Option<Value>,
    min_length: Option<i64>,
    max_length: Option<i64>,
    min_items: Option<i64>,
    max_items: Option<i64>,
    min_properties: Option<i64>,
    max_properties: Option<i64>,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
}

/// `additionalProperties`.
#[derive(Clone, Debug)]
enum Additional {
    /// `true`: anything.
    Any,
    /// `false`: none at all.
    None,
    /// A schema for all of them.
    Schema(Box<Schema>),
}

/// What is wrong with a schema or a value: a path, and Kubernetes' words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// `spec.parameters.x[0]`.
    pub path: String,
    /// `Required value: must be specified`.
    pub detail: String,
}

impl FieldError {
    pub(crate) fn new(path: impl Into<String>, detail: impl Into<String>) -> FieldError {
        FieldError {
            path: path.into(),
            detail: detail.into(),
        }
    }

    pub(crate) fn invalid(path: impl Into<String>, value: &Value, detail: &str) -> FieldError {
        let shown = match value {
            Value::String(s) => quote(s),
            other => go_value(other),
        };
        FieldError::new(path, format!("Invalid value: {shown}: {detail}"))
    }
}

/// Errors as Kubernetes joins them: one alone, several in brackets, none twice.
pub fn aggregate(errors: &[FieldError]) -> String {
    let mut seen: Vec<String> = Vec::new();
    for error in errors {
        let text = format!("{}: {}", error.path, error.detail);
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    match seen.as_slice() {
        [one] => one.clone(),
        more => format!("[{}]", more.join(", ")),
    }
}

/// Where a schema stands, which decides the words for a missing type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Item,
    Field,
    /// Inside `anyOf` and its like, where only validations may stand.
    Nested,
}

impl Schema {
    /// Reads a JSON schema that stands at `path` below the root, and checks that it is structural.
    ///
    /// # Errors
    /// Everything that makes it no structural schema.
    pub fn read(value: &Value, path: &str) -> Result<Schema, Vec<FieldError>> {
        let mut schema = Schema::parse(value);
        let mut errors = Vec::new();
        check_general(value, path, &mut errors);
        let mut structural = Vec::new();
        // A reference could be anything, so nothing more can be said of what has one.
        if !errors.iter().any(|e: &FieldError| e.path.ends_with(".$ref")) {
            check_structural(value, path, Level::Field, &mut structural);
        }
        structural.sort_by(|a, b| (&a.path, &a.detail).cmp(&(&b.path, &b.detail)));
        errors.extend(structural);
        if errors.is_empty() {
            schema.check_defaults(path, &mut errors);
        }
        if errors.is_empty() { Ok(schema) } else { Err(errors) }
    }

    /// Reads what can be read; checks come separately.
    fn parse(value: &Value) -> Schema {
        let flag = |key| value.get(key).and_then(Value::as_bool).unwrap_or_default();
        let int = |key| value.get(key).and_then(Value::as_i64);
        let bound = |key, exclusive| {
            value
                .get(key)
                .filter(|v| is_number(v))
                .map(|v| (v.clone(), flag(exclusive)))
        };
        Schema {
            kind: text(value, "type").to_owned(),
            format: text(value, "format").to_owned(),
            nullable: flag("nullable"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            embedded_resource: flag("x-kubernetes-embedded-resource"),
            properties: entries(value.get("properties"))
                .map(|(k, v)| (k.to_owned(), Box::new(Schema::parse(v))))
                .collect(),
            additional: match value.get("additionalProperties") {
                Some(Value::Bool(true)) => Some(Additional::Any),
                Some(Value::Bool(false)) => Some(Additional::None),
                Some(v @ Value::Object(_)) => Some(Additional::Schema(Box::new(Schema::parse(v)))),
                _ => None,
            },
            items: value
                .get("items")
                .filter(|v| v.as_object().is_some())
                .map(|v| Box::new(Schema::parse(v))),
            default: value.get("default").cloned(),
            required: list(value, "required")
                .iter()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect(),
            choices: list(value, "enum").to_vec(),
            pattern: value
                .get("pattern")
                .and_then(Value::as_str)
                .filter(|p| !p.is_empty())
                .map(|p| (p.to_owned(), Regex::new(p).ok())),
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            multiple_of: value.get("multipleOf").filter(|v| is_number(v)).cloned(),
            min_length: int("minLength"),
            max_length: int("maxLength"),
            min_items: int("minItems"),
            max_items: int("maxItems"),
            min_properties: int("minProperties"),
            max_properties: int("maxProperties"),
            all_of: list(value, "allOf").iter().map(Schema::parse).collect(),
            any_of: list(value, "anyOf").iter().map(Schema::parse).collect(),
            one_of: list(value, "oneOf").iter().map(Schema::parse).collect(),
            not: value
                .get("not")
                .filter(|v| v.as_object().is_some())
                .map(|v| Box::new(Schema::parse(v))),
        }
    }

    /// An object with these properties, for schemas that are written here.
    pub(crate) fn object(properties: impl IntoIterator<Item = (&'static str, Schema)>) -> Schema {
        Schema {
            kind: "object".to_owned(),
            properties: properties
                .into_iter()
                .map(|(k, v)| (k.to_owned(), Box::new(v)))
                .collect(),
            ..Schema::default()
        }
    }

    /// A schema that a literal of ours describes.
    pub(crate) fn literal(value: &Value) -> Schema {
        Schema::parse(value)
    }

    /// Adds a property.
    pub(crate) fn with_property(mut self, name: &str, schema: Schema) -> Schema {
        self.properties.insert(name.to_owned(), Box::new(schema));
        self
    }

    /// Takes any value, keeps what it does not know.
    pub(crate) fn anything() -> Schema {
        Schema {
            preserve_unknown: true,
            ..Schema::default()
        }
    }

    /// Defaults must be values of their own schema, without unknown fields.
    fn check_defaults(&mut self, path: &str, errors: &mut Vec<FieldError>) {
        if let Some(default) = &self.default {
            let at = format!("{path}.default");
            let mut found = Vec::new();
            self.validate_at(default, "", &mut found);
            errors.extend(found.into_iter().map(|e| FieldError::new(at.clone(), e.detail)));
            if self.prune_paths(default).is_empty() {
                // Nested defaults complete the default itself.
                self.default = Some(self.without_default().defaulted(default));
            } else {
                let shown = regent_rego::json::write(default);
                errors.push(FieldError::new(
                    at,
                    format!("Invalid value: {shown}: must not have unknown fields"),
                ));
            }
        }
        for (name, schema) in &mut self.properties {
            schema.check_defaults(&format!("{path}.properties[{name}]"), errors);
        }
        if let Some(items) = &mut self.items {
            items.check_defaults(&format!("{path}.items"), errors);
        }
        if let Some(Additional::Schema(schema)) = &mut self.additional {
            schema.check_defaults(&format!("{path}.additionalProperties"), errors);
        }
    }

    fn without_default(&self) -> Schema {
        Schema {
            default: None,
            ..self.clone()
        }
    }
}

/// The legacy form of v1beta1 templates: unknown fields are kept at every level that could be an object.
///
/// # Errors
/// A list of several item schemas cannot be loosened.
pub fn loosen(value: &Value) -> Result<Value, String> {
    let Value::Object(object) = value else {
        return Ok(value.clone());
    };
    let mut out: Object = (**object).clone();
    match text(value, "type") {
        "" | "object" => out.insert(Value::string("x-kubernetes-preserve-unknown-fields"), Value::Bool(true)),
        "array" if matches!(value.get("items"), None | Some(Value::Null)) => {
            let anything = Value::record([("x-kubernetes-preserve-unknown-fields", Value::Bool(true))]);
            out.insert(Value::string("items"), anything);
        }
        _ => {}
    }
    let properties = entries(value.get("properties"))
        .map(|(k, v)| Ok((Value::string(k), loosen(v)?)))
        .collect::<Result<Vec<_>, String>>()?;
    if !properties.is_empty() {
        out.insert(Value::string("properties"), Value::object(properties));
    }
    for key in ["items", "additionalProperties"] {
        match value.get(key) {
            Some(inner @ Value::Object(_)) => out.insert(Value::string(key), loosen(inner)?),
            Some(Value::Array(_)) => {
                return Err("non-nil JSONSchemas encountered, multiple schemas are not supported".to_owned());
            }
            _ => {}
        }
    }
    Ok(Value::Object(std::sync::Arc::new(out)))
}

/// Where a schema is not of the types a schema has, in the words of Go's JSON reader.
pub fn badly_typed(value: &Value, at: &str) -> Option<String> {
    let wrong = |value: &Value, field: &str, wanted: &str| {
        let found = match value {
            Value::Bool(_) => "bool",
            other => other.type_name(),
        };
        Some(format!(
            "json: cannot unmarshal {found} into Go struct field JSONSchemaProps.{at}.{field} of type {wanted}"
        ))
    };
    for (field, wanted) in [("type", "string"), ("format", "string"), ("pattern", "string")] {
        if let Some(bad) = value
            .get(field)
            .filter(|v| !matches!(v, Value::String(_) | Value::Null))
        {
            return wrong(bad, field, wanted);
        }
    }
    for (field, wanted) in [
        ("required", "[]string"),
        ("enum", "[]v1.JSON"),
        ("allOf", "[]v1.JSONSchemaProps"),
    ] {
        if let Some(bad) = value.get(field).filter(|v| !matches!(v, Value::Array(_) | Value::Null)) {
            return wrong(bad, field, wanted);
        }
    }
    if let Some(bad) = value
        .get("properties")
        .filter(|v| !matches!(v, Value::Object(_) | Value::Null))
    {
        return wrong(bad, "properties", "map[string]v1.JSONSchemaProps");
    }
    children(value, at)
        .into_iter()
        .find_map(|(_, inner)| badly_typed(inner, at))
}

/// The checks that hold for every schema of a CRD, structural or not.
fn check_general(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(value, "type");
    if !kind.is_empty() && !TYPES.contains(&kind) {
        let known: Vec<String> = TYPES.iter().map(|t| quote(t)).collect();
        errors.push(FieldError::new(
            format!("{path}.type"),
            format!(
                "Unsupported value: {}: supported values: {}",
                quote(kind),
                known.join(", ")
            ),
        ));
    }
    if let Some(pattern) = value.get("pattern").and_then(Value::as_str)
        && let Err(reason) = regex(pattern)
    {
        let what = format!("must be a valid regular expression, but isn't: {reason}");
        errors.push(FieldError::invalid(
            format!("{path}.pattern"),
            &Value::string(pattern),
            &what,
        ));
    }
    if value.get("uniqueItems").and_then(Value::as_bool) == Some(true) {
        errors.push(FieldError::new(
            format!("{path}.uniqueItems"),
            "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ));
    }
    if value.get("$ref").and_then(Value::as_str).is_some_and(|r| !r.is_empty()) {
        errors.push(FieldError::new(
            format!("{path}.$ref"),
            "Forbidden: $ref is not supported",
        ));
    }
    if value
        .get("x-kubernetes-preserve-unknown-fields")
        .and_then(Value::as_bool)
        == Some(false)
    {
        errors.push(FieldError::invalid(
            format!("{path}.x-kubernetes-preserve-unknown-fields"),
            &Value::Bool(false),
            "must be true or undefined",
        ));
    }
    if let Some(additional) = value.get("additionalProperties")
        && entries(value.get("properties")).next().is_some()
        && additional.as_bool() != Some(true)
    {
        errors.push(FieldError::new(
            format!("{path}.additionalProperties"),
            "Forbidden: additionalProperties and properties are mutual exclusive",
        ));
    }
    if value.get("items").is_some_and(|i| i.as_array().is_some()) {
        errors.push(FieldError::new(
            format!("{path}.items"),
            "Forbidden: items must be a schema object and not an array",
        ));
    }
    for (at, inner) in children(value, path) {
        check_general(inner, &at, errors);
    }
}

/// Every schema that stands directly in another, with its path.
fn children<'a>(value: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let mut out = Vec::new();
    for (key, inner) in entries(value.get("properties")) {
        out.push((format!("{path}.properties[{key}]"), inner));
    }
    for key in ["items", "additionalProperties", "not"] {
        if let Some(inner @ Value::Object(_)) = value.get(key) {
            out.push((format!("{path}.{key}"), inner));
        }
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        for (i, inner) in list(value, key).iter().enumerate() {
            out.push((format!("{path}.{key}[{i}]"), inner));
        }
    }
    out
}

/// What must hold so that every field has one place that says what it is.
fn check_structural(value: &Value, path: &str, level: Level, errors: &mut Vec<FieldError>) {
    let kind = text(value, "type");
    let flag = |key| value.get(key).and_then(Value::as_bool).unwrap_or_default();
    let preserve = flag("x-kubernetes-preserve-unknown-fields");
    let int_or_string = flag("x-kubernetes-int-or-string");
    if level == Level::Nested {
        check_nested(value, path, errors);
        return;
    }
    if kind == "array" && !matches!(value.get("items"), Some(Value::Object(_) | Value::Array(_))) {
        errors.push(FieldError::new(
            format!("{path}.items"),
            "Required value: must be specified",
        ));
    }
    if flag("x-kubernetes-embedded-resource") && kind != "object" {
        let what = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            FieldError::new(format!("{path}.type"), format!("Required value: {what}"))
        } else {
            FieldError::invalid(format!("{path}.type"), &Value::string(kind), what)
        });
    } else if kind.is_empty() && !int_or_string && !preserve {
        let what = match level {
            Level::Item => "must not be empty for specified array items",
            _ => "must not be empty for specified object fields",
        };
        errors.push(FieldError::new(
            format!("{path}.type"),
            format!("Required value: {what}"),
        ));
    }
    for (key, inner) in entries(value.get("properties")) {
        check_structural(inner, &format!("{path}.properties[{key}]"), Level::Field, errors);
    }
    if let Some(items @ Value::Object(_)) = value.get("items") {
        check_structural(items, &format!("{path}.items"), Level::Item, errors);
    }
    if let Some(additional @ Value::Object(_)) = value.get("additionalProperties") {
        check_structural(
            additional,
            &format!("{path}.additionalProperties"),
            Level::Field,
            errors,
        );
    }
    let skip_any_of = int_or_string && is_int_or_string(list(value, "anyOf"));
    for key in ["allOf", "anyOf", "oneOf"] {
        for (i, inner) in list(value, key).iter().enumerate() {
            let spared = key == "allOf" && i == 0 && int_or_string && is_int_or_string(list(inner, "anyOf"));
            if (key == "anyOf" && skip_any_of) || spared {
                continue;
            }
            check_structural(inner, &format!("{path}.{key}[{i}]"), Level::Nested, errors);
        }
    }
    if let Some(not @ Value::Object(_)) = value.get("not") {
        check_structural(not, &format!("{path}.not"), Level::Nested, errors);
    }
}

/// Inside `anyOf` and its like nothing may say what a field is.
fn check_nested(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let set = |key: &str| match value.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(s)) => !s.is_empty(),
        Some(Value::Array(a)) => !a.is_empty(),
        Some(_) => true,
    };
    for (key, what) in [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
        ("x-kubernetes-embedded-resource", "must be false to be structural"),
        ("x-kubernetes-int-or-string", "must be false to be structural"),
        ("x-kubernetes-list-map-keys", "must be empty to be structural"),
        ("x-kubernetes-list-type", "must be undefined to be structural"),
        ("x-kubernetes-map-type", "must be undefined to be structural"),
        ("x-kubernetes-validations", "must be empty to be structural"),
    ] {
        if set(key) {
            errors.push(FieldError::new(format!("{path}.{key}"), format!("Forbidden: {what}")));
        }
    }
    for (at, inner) in children(value, path) {
        check_nested(inner, &at, errors);
    }
}

/// `[{type: integer}, {type: string}]`.
fn is_int_or_string(any_of: &[Value]) -> bool {
    matches!(any_of, [a, b] if text(a, "type") == "integer" && text(b, "type") == "string")
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).unwrap_or_default()
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Object::iter)
        .filter_map(|(k, v)| Some((k.as_str()?, v)))
}
