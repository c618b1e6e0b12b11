//! Values held against a schema: types and bounds, unknown fields, defaults.

use super::{Additional, FieldError, Schema, format};
use crate::object::{go_value, quote};
use regent_rego::{Object, Value};
use std::sync::Arc;

/// Beyond this a double no longer tells integers apart, and Kubernetes no longer calls it one.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_991.0;

impl Schema {
    /// Everything in which a value differs from the schema. Paths begin with `[]`, as Kubernetes prints them here.
    pub fn validate(&self, value: &Value) -> Vec<FieldError> {
        let mut errors = Vec::new();
        self.validate_at(value, "", &mut errors);
        errors
    }

    pub(super) fn validate_at(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let fail = |errors: &mut Vec<FieldError>, value: &Value, what: &str| {
            errors.push(FieldError::invalid(
                field(path),
                value,
                &format!("{path} in body {what}"),
            ));
        };
        if !self.right_type(value) {
            let wanted = if self.int_or_string {
                "integer,string"
            } else {
                &self.kind
            };
            let found = type_name(value);
            let what = format!("must be of type {wanted}: {}", quote(found));
            fail(errors, &Value::string(found), &what);
            if matches!(value, Value::Null) {
                return;
            }
        }
        self.validate_combined(value, path, errors);
        match value {
            Value::String(s) => self.validate_string(s, value, path, errors),
            Value::Number(_) => self.validate_number(value, path, errors),
            Value::Array(items) => self.validate_items(items, path, errors),
            _ => {}
        }
        if !self.choices.is_empty() && !self.choices.contains(value) {
            let shown = match value {
                Value::String(s) => quote(s),
                Value::Null => "null".to_owned(),
                other => go_value(other),
            };
            let known: Vec<String> = self
                .choices
                .iter()
                .map(|c| c.as_str().map_or_else(|| quote(&go_value(c)), quote))
                .collect();
            errors.push(FieldError::new(
                field(path),
                format!("Unsupported value: {shown}: supported values: {}", known.join(", ")),
            ));
        }
        if let Value::Object(object) = value {
            self.validate_object(object, path, errors);
        }
    }

    fn right_type(&self, value: &Value) -> bool {
        if self.int_or_string {
            return match value {
                Value::Null => self.nullable,
                Value::String(_) => true,
                other => is_integer(other),
            };
        }
        match (self.kind.as_str(), value) {
            ("", _) => true,
            (_, Value::Null) => self.nullable,
            ("array", Value::Array(_))
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("object", Value::Object(_))
            | ("string", Value::String(_)) => true,
            ("integer", value) => is_integer(value),
            _ => false,
        }
    }

    fn validate_combined(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let faults = |schema: &Schema| {
            let mut found = Vec::new();
            schema.validate_at(value, path, &mut found);
            found
        };
        let at = quote(path);
        let fail = |what: &str| FieldError::invalid("[]", &Value::string(""), &format!("{at} {what}"));
        if !self.any_of.is_empty() {
            let all: Vec<_> = self.any_of.iter().map(faults).collect();
            if !all.iter().any(Vec::is_empty) {
                errors.push(fail("must validate at least one schema (anyOf)"));
                errors.extend(all.into_iter().next().unwrap_or_default());
            }
        }
        if !self.one_of.is_empty() {
            let all: Vec<_> = self.one_of.iter().map(faults).collect();
            match all.iter().filter(|found| found.is_empty()).count() {
                1 => {}
                0 => {
                    errors.push(fail("must validate one and only one schema (oneOf). Found none valid"));
                    errors.extend(all.into_iter().next().unwrap_or_default());
                }
                n => {
                    let what = format!("must validate one and only one schema (oneOf). Found {n} valid alternatives");
                    errors.push(fail(&what));
                }
            }
        }
        if !self.all_of.is_empty() {
            let all: Vec<_> = self.all_of.iter().map(faults).collect();
            let valid = all.iter().filter(|found| found.is_empty()).count();
            let complete = valid == all.len();
            errors.extend(all.into_iter().flatten());
            if !complete {
                let rest = if valid == 0 { ". None validated" } else { "" };
                errors.push(fail(&format!("must validate all the schemas (allOf){rest}")));
            }
        }
        if self.not.as_deref().is_some_and(|schema| faults(schema).is_empty()) {
            errors.push(fail("must not validate the schema (not)"));
        }
    }

    fn validate_string(&self, s: &str, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        if !format::holds(&self.format, s) {
            let what = format!("{path} in body must be of type {}: {}", self.format, quote(s));
            errors.push(FieldError::invalid(field(path), value, &what));
        }
        let length = i64::try_from(s.chars().count()).unwrap_or(i64::MAX);
        if let Some(most) = self.max_length
            && length > most
        {
            errors.push(FieldError::new(
                field(path),
                format!("Too long: may not be more than {most} bytes"),
            ));
        }
        if let Some(least) = self.min_length
            && length < least
        {
            let what = format!("{path} in body should be at least {least} chars long");
            errors.push(FieldError::invalid(field(path), value, &what));
        }
        if let Some((pattern, Some(regex))) = &self.pattern
            && !regex.is_match(s)
        {
            let what = format!("{path} in body should match '{pattern}'");
            errors.push(FieldError::invalid(field(path), value, &what));
        }
    }

    fn validate_number(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        if self.format == "int32" && value.as_i64().is_none_or(|i| i32::try_from(i).is_err()) {
            let what = format!("Checked value must be of type integer with format int32 in {path}");
            errors.push(FieldError::invalid("[]", &Value::string(""), &what));
            return;
        }
        let bounded = self.minimum.is_some() || self.maximum.is_some() || self.multiple_of.is_some();
        if bounded && self.kind == "integer" && !is_integer(value) {
            // Kubernetes says it a second time here, with a path of its own.
            let what = format!("Checked value must be of type integer (default format) in {path}");
            errors.push(FieldError::invalid("[]", &Value::string(""), &what));
            return;
        }
        let fail = |errors: &mut Vec<FieldError>, what: String| {
            errors.push(FieldError::invalid(
                field(path),
                value,
                &format!("{path} in body {what}"),
            ));
        };
        if let Some(factor) = &self.multiple_of
            && !is_multiple(value, factor)
        {
            fail(errors, format!("should be a multiple of {}", go_value(factor)));
        }
        if let Some((most, exclusive)) = &self.maximum
            && (value > most || (*exclusive && value == most))
        {
            let or_equal = if *exclusive { "" } else { " or equal to" };
            fail(errors, format!("should be less than{or_equal} {}", go_value(most)));
        }
        if let Some((least, exclusive)) = &self.minimum
            && (value < least || (*exclusive && value == least))
        {
            let or_equal = if *exclusive { "" } else { " or equal to" };
            fail(errors, format!("should be greater than{or_equal} {}", go_value(least)));
        }
    }

    fn validate_items(&self, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
        if let Some(schema) = &self.items {
            for (i, item) in items.iter().enumerate() {
                schema.validate_at(item, &format!("{path}[{i}]"), errors);
            }
        }
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(least) = self.min_items
            && count < least
        {
            let what = format!("{path} in body should have at least {least} items");
            errors.push(FieldError::invalid(field(path), &Value::from(count), &what));
        }
        if let Some(most) = self.max_items
            && count > most
        {
            errors.push(too_many(path, count, most));
        }
    }

    fn validate_object(&self, object: &Object, path: &str, errors: &mut Vec<FieldError>) {
        let count = i64::try_from(object.len()).unwrap_or(i64::MAX);
        if let Some(least) = self.min_properties
            && count < least
        {
            let what = format!("{path} in body should have at least {least} properties");
            errors.push(FieldError::invalid(field(path), &Value::from(count), &what));
        }
        if let Some(most) = self.max_properties
            && count > most
        {
            errors.push(too_many(path, count, most));
        }
        for (key, inner) in object.iter() {
            let Some(key) = key.as_str() else { continue };
            let at = join(path, key);
            if let Some(schema) = self.properties.get(key) {
                schema.validate_at(inner, &at, errors);
                continue;
            }
            match &self.additional {
                Some(Additional::Schema(schema)) => schema.validate_at(inner, &at, errors),
                Some(Additional::None) => {
                    let what = format!("{at} in body is a forbidden property");
                    errors.push(FieldError::invalid(field(path), &Value::string(key), &what));
                }
                Some(Additional::Any) | None => {}
            }
        }
        for key in &self.required {
            if object.get_str(key).is_none() {
                errors.push(FieldError::new(field(&join(path, key)), "Required value"));
            }
        }
    }

    /// Paths of fields that the schema does not know, sorted.
    pub fn unknown_fields(&self, value: &Value) -> Vec<String> {
        let root = Schema {
            embedded_resource: true,
            ..self.clone()
        };
        root.prune_paths(value)
    }

    pub(super) fn prune_paths(&self, value: &Value) -> Vec<String> {
        let mut out = Vec::new();
        prune(Some(self), value, "", &mut out);
        out.sort();
        out
    }

    /// The value with what it leaves out filled in from the schema's defaults.
    pub fn defaulted(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let mut out = (**object).clone();
                for (key, schema) in &self.properties {
                    let Some(default) = &schema.default else { continue };
                    let missing = match out.get_str(key) {
                        None => true,
                        Some(Value::Null) => !schema.nullable,
                        Some(_) => false,
                    };
                    if missing {
                        out.insert(Value::string(key), default.clone());
                    }
                }
                let entries = out.iter().map(|(key, inner)| {
                    let name = key.as_str().unwrap_or_default();
                    let filled = match (self.properties.get(name), &self.additional) {
                        (Some(schema), _) => schema.defaulted(inner),
                        (None, Some(Additional::Schema(schema))) => schema.filled(inner),
                        _ => inner.clone(),
                    };
                    (key.clone(), filled)
                });
                Value::object(entries.collect())
            }
            Value::Array(items) => match &self.items {
                Some(schema) => Value::Array(Arc::new(items.iter().map(|i| schema.filled(i)).collect())),
                None => value.clone(),
            },
            other => other.clone(),
        }
    }

    /// An item or additional property: a null that may not be one becomes the default.
    fn filled(&self, value: &Value) -> Value {
        match (&self.default, value) {
            (Some(default), Value::Null) if !self.nullable => default.clone(),
            _ => self.defaulted(value),
        }
    }
}

fn prune(schema: Option<&Schema>, value: &Value, path: &str, out: &mut Vec<String>) {
    let preserve = schema.is_some_and(|s| s.preserve_unknown);
    match value {
        Value::Object(object) => {
            for (key, inner) in object.iter() {
                let Some(key) = key.as_str() else { continue };
                let meta = matches!(key, "apiVersion" | "kind" | "metadata");
                let Some(schema) = schema else {
                    out.push(join(path, key));
                    continue;
                };
                if schema.embedded_resource && meta {
                    continue;
                }
                if let Some(property) = schema.properties.get(key) {
                    prune(Some(property), inner, &join(path, key), out);
                } else {
                    match &schema.additional {
                        Some(Additional::Schema(s)) => prune(Some(s), inner, &join(path, key), out),
                        Some(Additional::Any | Additional::None) => prune(None, inner, &join(path, key), out),
                        None if preserve => {}
                        None => out.push(join(path, key)),
                    }
                }
            }
        }
        Value::Array(items) => {
            let schema = schema.and_then(|s| s.items.as_deref());
            if schema.is_none() && preserve {
                return;
            }
            for (i, item) in items.iter().enumerate() {
                prune(schema, item, &format!("{path}[{i}]"), out);
            }
        }
        _ => {}
    }
}

fn too_many(path: &str, count: i64, most: i64) -> FieldError {
    let items = if most == 1 { "item" } else { "items" };
    FieldError::new(
        field(path),
        format!("Too many: {count}: must have at most {most} {items}"),
    )
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The field path of an error: Kubernetes begins it with an empty name, and a default has no path of its own.
fn field(path: &str) -> String {
    if path.is_empty() {
        "[]".to_owned()
    } else {
        format!("[].{path}")
    }
}

fn is_integer(value: &Value) -> bool {
    let Value::Number(number) = value else { return false };
    let double = number.as_f64();
    double.fract() == 0.0 && double.abs() <= LARGEST_INTEGER
}

fn is_multiple(value: &Value, factor: &Value) -> bool {
    if let (Some(value), Some(factor)) = (value.as_i64(), factor.as_i64()) {
        return value.checked_rem(factor) == Some(0);
    }
    let (Value::Number(value), Value::Number(factor)) = (value, factor) else {
        return true;
    };
    (value.as_f64() / factor.as_f64()).fract() == 0.0
}

/// JSON's names, as Kubernetes' validator infers them: every number is a `number` here.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Set(_) => "array",
        Value::Object(_) => "object",
    }
}
