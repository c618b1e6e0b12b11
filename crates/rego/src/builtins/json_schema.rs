//! `json.match_schema` and `json.verify_schema`: JSON Schema, drafts 4 to 7 taken together as OPA takes them.
//!
//! A schema is checked as a whole first; then it is read again as it stands while matching. References stay within the
//! schema: nothing is fetched.

mod forms;

use self::forms::{is_date, is_integer, is_ipv6, is_multiple, is_time, shown, zoned};
use super::operand::{any, error, too_large};
use super::{Answer, Failure, Host, Table};
use crate::json;
use crate::number::Number;
use crate::value::{Object, Value};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const TABLE: Table = &[
    ("json.match_schema", match_schema),
    ("json.verify_schema", verify_schema),
];

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "null", "object", "string"];
/// Schemas within schemas; references that lead to themselves end here too.
const DEPTH: usize = 200;

fn verify_schema(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let verdict = load(host, any(args, 1)?).and_then(|schema| check(host, &schema));
    let answer = match verdict {
        Ok(()) => vec![Value::Bool(true), Value::Null],
        Err(Failure::Builtin(text)) => vec![Value::Bool(false), Value::string(format!("jsonschema: {text}"))],
        Err(other) => return Err(other),
    };
    Ok(Some(Value::array(answer)))
}

fn match_schema(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let document = load(host, any(args, 1)?)?;
    let schema = load(host, any(args, 2)?)?;
    check(host, &schema)?;
    let mut matching = Matching { host, root: &schema };
    let mut found = Found::default();
    matching.value(&schema, &document, "(Root)", &mut found, 0)?;
    let valid = Value::Bool(found.errors.is_empty());
    Ok(Some(Value::array(vec![valid, Value::array(found.errors)])))
}

/// JSON, from text or from a value.
fn load(host: &mut dyn Host, value: &Value) -> Result<Value, Failure> {
    let read = |text: &str| json::read(text.as_bytes(), json::ReadOptions::default());
    match value {
        Value::String(text) => {
            host.charge(text.len().saturating_mul(8))?;
            read(text).map_err(|_| error("invalid JSON string"))
        }
        Value::Object(_) | Value::Array(_) => {
            // Through text: sets become arrays, keys strings.
            let text = json::write(value);
            host.charge(text.len().saturating_mul(8))?;
            read(&text).map_err(|e| error(e.message))
        }
        _ => Err(error("wrong type, expected string or object")),
    }
}

/// The whole of a schema.
fn check(host: &mut dyn Host, root: &Value) -> Result<(), Failure> {
    if !is_schema(root) {
        return Err(error("schema is invalid"));
    }
    let mut checking = Checking {
        host,
        root,
        seen: BTreeSet::new(),
    };
    checking.schema(root, 0)
}

struct Checking<'a> {
    host: &'a mut dyn Host,
    root: &'a Value,
    /// References that were followed.
    seen: BTreeSet<String>,
}

fn invalid(expected: &str, given: &str) -> Failure {
    error(format!("Invalid type. Expected: {expected}, given: {given}"))
}

fn text_of<'a>(schema: &'a Object, key: &str) -> Result<Option<&'a str>, Failure> {
    match schema.get_str(key) {
        None => Ok(None),
        Some(Value::String(s)) => Ok(Some(s)),
        Some(_) => Err(invalid("string", key)),
    }
}

fn list_of<'a>(schema: &'a Object, key: &str) -> Result<&'a [Value], Failure> {
    match schema.get_str(key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(error(format!("{key} must be of an array"))),
    }
}

fn is_schema(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Object(_))
}

impl Checking<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Result<(), Failure> {
        self.host.charge(64)?;
        if depth >= DEPTH {
            return Err(too_large("the nesting of a JSON schema"));
        }
        let o = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Object(o) => o,
            _ => return Err(error("Expected: Valid Schema, given: Invalid JSON")),
        };
        match o.get_str("definitions") {
            None => {}
            Some(Value::Object(all)) => {
                for (_, one) in all.iter() {
                    match is_schema(one) {
                        true => self.schema(one, depth + 1)?,
                        false => return Err(invalid("Array Of Schemas", "definitions")),
                    }
                }
            }
            Some(_) => return Err(invalid("Array Of Schemas", "definitions")),
        }
        for key in ["title", "description"] {
            text_of(o, key)?;
        }
        if let Some(reference) = text_of(o, "$ref")? {
            if !self.seen.insert(reference.to_string()) {
                return Ok(());
            }
            let target = resolve(self.root, reference)?;
            if !is_schema(target) {
                return Err(error("Valid Schema must be of type object"));
            }
            return self.schema(target, depth + 1);
        }
        types(o)?;
        self.children(o, depth)?;
        numbers(o)?;
        self.strings(o)?;
        sizes(o)?;
        self.combined(o, depth)
    }

    /// Schemas of properties and items.
    fn children(&mut self, o: &Object, depth: usize) -> Result<(), Failure> {
        match o.get_str("properties") {
            None => {}
            Some(Value::Object(all)) => {
                for (_, one) in all.iter() {
                    self.schema(one, depth + 1)?;
                }
            }
            Some(_) => return Err(error("Properties must be of type object")),
        }
        match o.get_str("additionalProperties") {
            None => {}
            Some(one) if is_schema(one) => self.schema(one, depth + 1)?,
            Some(_) => return Err(invalid("boolean/Valid Schema", "additionalProperties")),
        }
        match o.get_str("patternProperties") {
            None => {}
            Some(Value::Object(all)) => {
                for (pattern, one) in all.iter() {
                    if !self.is_pattern(pattern)? {
                        let pattern = pattern.as_str().unwrap_or_default();
                        return Err(error(format!("Invalid regex pattern '{pattern}'")));
                    }
                    self.schema(one, depth + 1)?;
                }
            }
            Some(_) => return Err(invalid("Valid Schema", "patternProperties")),
        }
        match o.get_str("propertyNames") {
            None => {}
            Some(one) if is_schema(one) => self.schema(one, depth + 1)?,
            Some(_) => return Err(invalid("Valid Schema", "patternProperties")),
        }
        let dependency = || error("Dependency must be of type Schema Or Array Of Strings");
        match o.get_str("dependencies") {
            None => {}
            Some(Value::Object(all)) => {
                for (_, one) in all.iter() {
                    match one {
                        Value::Array(names) if names.iter().all(|n| n.as_str().is_some()) => {}
                        one if is_schema(one) => self.schema(one, depth + 1)?,
                        _ => return Err(dependency()),
                    }
                }
            }
            Some(_) => return Err(error("dependencies must be of type object")),
        }
        match o.get_str("items") {
            None => {}
            Some(Value::Array(all)) => {
                for one in all.iter() {
                    match is_schema(one) {
                        true => self.schema(one, depth + 1)?,
                        false => return Err(invalid("Valid Schema/Array Of Schemas", "items")),
                    }
                }
            }
            Some(one) if is_schema(one) => self.schema(one, depth + 1)?,
            Some(_) => return Err(invalid("Valid Schema/Array Of Schemas", "items")),
        }
        match o.get_str("additionalItems") {
            None => Ok(()),
            Some(one) if is_schema(one) => self.schema(one, depth + 1),
            Some(_) => Err(invalid("boolean/Valid Schema", "additionalItems")),
        }
    }

    fn is_pattern(&mut self, pattern: &Value) -> Result<bool, Failure> {
        Ok(ask(self.host, "regex.is_valid", &[pattern])? == Some(Value::Bool(true)))
    }

    fn strings(&mut self, o: &Object) -> Result<(), Failure> {
        limits(o, "minLength", "maxLength")?;
        text_of(o, "pattern")?;
        if let Some(pattern) = o.get_str("pattern")
            && !self.is_pattern(pattern)?
        {
            return Err(error("pattern must be a valid regex"));
        }
        text_of(o, "format").map(|_| ())
    }

    /// `oneOf` and the like.
    fn combined(&mut self, o: &Object, depth: usize) -> Result<(), Failure> {
        if let Some(one) = o.get_str("contains") {
            self.schema(one, depth + 1)?;
        }
        let mut seen = BTreeSet::new();
        for one in list_of(o, "enum")? {
            if !seen.insert(one) {
                return Err(error("enum items must be unique"));
            }
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            for one in list_of(o, key)? {
                self.schema(one, depth + 1)?;
            }
        }
        for key in ["not", "if", "then", "else"] {
            match o.get_str(key) {
                None => {}
                Some(one) if is_schema(one) => self.schema(one, depth + 1)?,
                Some(_) => return Err(error(format!("{key} must be of an object"))),
            }
        }
        Ok(())
    }
}

fn types(o: &Object) -> Result<(), Failure> {
    let Some(given) = o.get_str("type") else { return Ok(()) };
    let names = match given {
        Value::String(_) => std::slice::from_ref(given),
        Value::Array(names) => names.as_slice(),
        _ => return Err(invalid("type", "string/Array Of Strings")),
    };
    let mut seen = BTreeSet::new();
    for name in names {
        let Some(name) = name.as_str() else {
            return Err(invalid("type", "string/Array Of Strings"));
        };
        if !TYPES.contains(&name) {
            let all = TYPES.join(" ");
            return Err(error(format!(
                "has a primitive type that is NOT VALID -- given: /{name}/ Expected valid values are:[{all}]"
            )));
        }
        if !seen.insert(name) {
            return Err(error(format!("{name} type is duplicated")));
        }
    }
    Ok(())
}

fn numbers(o: &Object) -> Result<(), Failure> {
    match o.get_str("multipleOf") {
        None => {}
        Some(Value::Number(n)) if *n > Number::from(0) => {}
        Some(Value::Number(_)) => return Err(error("multipleOf must be strictly greater than 0")),
        Some(_) => return Err(invalid("Number", "multipleOf")),
    }
    for (key, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        let bound = o.get_str(key);
        if bound.is_some_and(|v| !matches!(v, Value::Number(_))) {
            return Err(error(format!("{key} must be of a Number")));
        }
        match o.get_str(exclusive) {
            None | Some(Value::Number(_)) => {}
            Some(Value::Bool(_)) if bound.is_some() => {}
            Some(Value::Bool(_)) => return Err(error(format!("{exclusive} cannot be used without {key}"))),
            Some(_) => return Err(invalid("boolean/number", exclusive)),
        }
    }
    Ok(())
}

/// A pair of sizes, the first not above the second.
fn limits(o: &Object, low: &str, high: &str) -> Result<(), Failure> {
    let mut both = Vec::new();
    for key in [low, high] {
        match o.get_str(key) {
            None => {}
            Some(v) => match v.as_i64() {
                None => return Err(error(format!("{key} must be of an integer"))),
                Some(i) if i < 0 => return Err(error(format!("{key} must be greater than or equal to 0"))),
                Some(i) => both.push(i),
            },
        }
    }
    match both.as_slice() {
        // OPA does not compare the sizes of arrays.
        [a, b] if a > b && low != "minItems" => Err(error(format!("{low} cannot be greater than {high}"))),
        _ => Ok(()),
    }
}

fn sizes(o: &Object) -> Result<(), Failure> {
    limits(o, "minProperties", "maxProperties")?;
    let mut seen = BTreeSet::new();
    for name in list_of(o, "required")? {
        let name = name.as_str().ok_or_else(|| invalid("string", "required"))?;
        if !seen.insert(name) {
            return Err(error("required items must be unique"));
        }
    }
    limits(o, "minItems", "maxItems")?;
    match o.get_str("uniqueItems") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(_) => Err(error("uniqueItems must be of a boolean")),
    }
}

/// What a reference within the schema names: `#/definitions/x`.
fn resolve<'a>(root: &'a Value, reference: &str) -> Result<&'a Value, Failure> {
    let Some(pointer) = reference.strip_prefix('#') else {
        return Err(error(format!(
            "reference {reference:?} leads out of the schema, which is not followed"
        )));
    };
    let mut at = root;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match at {
            Value::Object(o) => o.get_str(&part),
            Value::Array(items) => part.parse::<usize>().ok().and_then(|i| items.get(i)),
            _ => None,
        };
        at = next.ok_or_else(|| error(format!("Object has no key '{part}'")))?;
    }
    Ok(at)
}

/// Asks another built-in.
fn ask(host: &mut dyn Host, name: &str, args: &[&Value]) -> Answer {
    match super::find(name) {
        Some(builtin) => (builtin.function)(host, args),
        None => Ok(None),
    }
}

/// What did not match, and how well the rest did (the best of several is shown).
#[derive(Default)]
struct Found {
    errors: Vec<Value>,
    score: i64,
}

impl Found {
    fn fault(&mut self, at: &str, kind: &str, text: impl AsRef<str>) {
        let (field, text) = (at.strip_prefix("(Root).").unwrap_or(at), text.as_ref());
        self.errors.push(Value::record([
            ("desc", Value::string(text)),
            ("error", Value::string(format!("{field}: {text}"))),
            ("field", Value::string(field)),
            ("type", Value::string(kind)),
        ]));
        self.score -= 2;
    }

    fn merge(&mut self, other: Found) {
        self.errors.extend(other.errors);
        self.score += other.score;
    }
}

struct Matching<'a> {
    host: &'a mut dyn Host,
    root: &'a Value,
}

/// The name of a value's type in the words of JSON Schema.
fn type_of(v: &Value) -> &'static str {
    match v {
        Value::Number(n) if is_integer(n) => "integer",
        other => other.type_name(),
    }
}

/// Integers as such, however they were written.
fn plain(v: &Value) -> Value {
    match v {
        Value::Number(n) => n.integer_value().map_or_else(|| v.clone(), Value::from),
        Value::Array(items) => Value::array(items.iter().map(plain).collect()),
        Value::Object(o) => Value::object(o.iter().map(|(k, v)| (k.clone(), plain(v))).collect()),
        other => other.clone(),
    }
}

fn named<'a>(o: &'a Object, key: &str) -> &'a [Value] {
    o.get_str(key).and_then(Value::as_array).unwrap_or_default()
}

fn size(o: &Object, key: &str) -> Option<i64> {
    o.get_str(key).and_then(Value::as_i64)
}

impl Matching<'_> {
    fn apart(&mut self, schema: &Value, v: &Value, at: &str, depth: usize) -> Result<Found, Failure> {
        let mut found = Found::default();
        self.value(schema, v, at, &mut found, depth + 1)?;
        Ok(found)
    }

    fn value(&mut self, schema: &Value, v: &Value, at: &str, out: &mut Found, depth: usize) -> Result<(), Failure> {
        self.host.charge(64 + at.len())?;
        if depth >= DEPTH {
            return Err(too_large("the nesting of a JSON schema"));
        }
        let o = match schema {
            Value::Bool(false) => {
                out.fault(at, "false", "False always fails validation");
                return Ok(());
            }
            Value::Object(o) => o,
            _ => return Ok(()),
        };
        if let Some(reference) = o.get_str("$ref").and_then(Value::as_str) {
            let target = resolve(self.root, reference)?.clone();
            return self.value(&target, v, at, out, depth + 1);
        }
        let given = type_of(v);
        let wanted: Vec<&str> = match o.get_str("type") {
            Some(Value::String(s)) => vec![s],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let fits = wanted.contains(&given) || given == "integer" && wanted.contains(&"number");
        if !wanted.is_empty() && !fits {
            let expected = match wanted.as_slice() {
                [one] => (*one).to_string(),
                all => format!("[{}]", all.join(",")),
            };
            let text = format!("Invalid type. Expected: {expected}, given: {given}");
            out.fault(at, "invalid_type", text);
            return Ok(());
        }
        self.combined(o, v, at, out, depth)?;
        match v {
            Value::Array(items) => {
                self.array(o, items, at, out, depth)?;
                self.common(o, v, at, out)?;
            }
            Value::Object(members) => {
                self.object(o, members, at, out, depth)?;
                self.common(o, v, at, out)?;
                if let Some(properties) = o.get_str("properties").and_then(Value::as_object) {
                    for (key, one) in properties.iter() {
                        if let (Some(inner), Some(name)) = (members.get(key), key.as_str()) {
                            self.value(one, inner, &format!("{at}.{name}"), out, depth + 1)?;
                        }
                    }
                }
            }
            Value::Number(n) => {
                number(o, n, at, out);
                self.common(o, v, at, out)?;
            }
            Value::String(s) => {
                self.common(o, v, at, out)?;
                self.string(o, s, v, at, out)?;
            }
            _ => self.common(o, v, at, out)?,
        }
        out.score += 1;
        Ok(())
    }

    fn combined(&mut self, o: &Object, v: &Value, at: &str, out: &mut Found, depth: usize) -> Result<(), Failure> {
        for (key, kind, text) in [
            ("anyOf", "number_any_of", "Must validate at least one schema (anyOf)"),
            (
                "oneOf",
                "number_one_of",
                "Must validate one and only one schema (oneOf)",
            ),
        ] {
            let mut met = 0;
            let mut best: Option<Found> = None;
            let all = named(o, key);
            for one in all {
                if key == "anyOf" && met > 0 {
                    break;
                }
                let found = self.apart(one, v, at, depth)?;
                if found.errors.is_empty() {
                    met += 1;
                } else if met == 0 && best.as_ref().is_none_or(|b| found.score > b.score) {
                    best = Some(found);
                }
            }
            if !all.is_empty() && met != 1 {
                out.fault(at, kind, text);
                if let (0, Some(best)) = (met, best) {
                    out.merge(best);
                }
            }
        }
        let mut missed = false;
        for one in named(o, "allOf") {
            let found = self.apart(one, v, at, depth)?;
            missed |= !found.errors.is_empty();
            out.merge(found);
        }
        if missed {
            out.fault(at, "number_all_of", "Must validate all the schemas (allOf)");
        }
        if let Some(not) = o.get_str("not")
            && self.apart(not, v, at, depth)?.errors.is_empty()
        {
            out.fault(at, "number_not", "Must not validate the schema (not)");
        }
        if let (Some(all), Value::Object(members)) = (o.get_str("dependencies").and_then(Value::as_object), v) {
            for (_, dependency) in all.iter().filter(|d| members.get(&d.0).is_some()) {
                match dependency {
                    Value::Array(names) => {
                        for name in names.iter().filter(|n| members.get(n).is_none()) {
                            let text = format!("Has a dependency on {}", name.as_str().unwrap_or_default());
                            out.fault(at, "missing_dependency", text);
                        }
                    }
                    one => self.value(one, v, at, out, depth + 1)?,
                }
            }
        }
        if let Some(condition) = o.get_str("if") {
            let (key, kind, text) = match self.apart(condition, v, at, depth)?.errors.is_empty() {
                true => ("then", "condition_then", "Must validate \"then\" as \"if\" was valid"),
                false => (
                    "else",
                    "condition_else",
                    "Must validate \"else\" as \"if\" was not valid",
                ),
            };
            if let Some(one) = o.get_str(key) {
                let found = self.apart(one, v, at, depth)?;
                if !found.errors.is_empty() {
                    out.fault(at, kind, text);
                    out.merge(found);
                }
            }
        }
        out.score += 1;
        Ok(())
    }

    fn common(&mut self, o: &Object, v: &Value, at: &str, out: &mut Found) -> Result<(), Failure> {
        let field = at.strip_prefix("(Root).").unwrap_or(at).to_string();
        if let Some(constant) = o.get_str("const").filter(|c| *c != v) {
            let text = format!("{field} does not match: {}", json::write(&plain(constant)));
            out.fault(at, "const", text);
        }
        let all = named(o, "enum");
        if !all.is_empty() && !all.contains(v) {
            let all: Vec<String> = all.iter().map(|v| json::write(&plain(v))).collect();
            let all = all.join(", ");
            self.host.charge(all.len())?;
            out.fault(at, "enum", format!("{field} must be one of the following: {all}"));
        }
        if let (Some(format), Value::String(s)) = (o.get_str("format").and_then(Value::as_str), v)
            && !self.has_format(format, s, v)?
        {
            out.fault(at, "format", format!("Does not match format '{format}'"));
        }
        out.score += 1;
        Ok(())
    }

    fn has_format(&mut self, format: &str, s: &str, v: &Value) -> Result<bool, Failure> {
        let pattern = match format {
            "regex" => return Ok(ask(self.host, "regex.is_valid", &[v])? == Some(Value::Bool(true))),
            "ipv4" => return Ok(s.parse::<std::net::Ipv4Addr>().is_ok() || s.contains('.') && is_ipv6(s)),
            "ipv6" => return Ok(is_ipv6(s)),
            "date" => return Ok(is_date(s)),
            "time" => return Ok(is_time(s)),
            "date-time" => {
                let whole = s.split_once('T').is_some_and(|(d, t)| is_date(d) && zoned(t));
                return Ok(whole || is_date(s) || is_time(s));
            }
            "uri" | "iri" => {
                let parsed = ask(self.host, "uri.parse", &[v]).ok().flatten();
                let scheme = parsed.as_ref().and_then(|p| p.get("scheme")).and_then(Value::as_str);
                return Ok(scheme.is_some_and(|s| !s.is_empty()) && !s.contains('\\'));
            }
            "email" | "idn-email" => r"^[^@\s<>(),:;]+@[^@\s<>(),:;]+$|<[^@\s<>]+@[^@\s<>]+>$",
            "hostname" if s.len() >= 256 => return Ok(false),
            "hostname" => {
                "^([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9])(\\.([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]))*$"
            }
            "uuid" => "^(?i)[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}$",
            "json-pointer" => "^(/([^~/]|~0|~1)*)*$",
            "relative-json-pointer" => "^(0|[1-9][0-9]*)(#|(/([^~/]|~0|~1)*)*)$",
            _ => return Ok(true),
        };
        self.fits_pattern(&Value::string(pattern), v)
    }

    fn fits_pattern(&mut self, pattern: &Value, v: &Value) -> Result<bool, Failure> {
        Ok(ask(self.host, "regex.match", &[pattern, v])? == Some(Value::Bool(true)))
    }

    fn array(&mut self, o: &Object, items: &[Value], at: &str, out: &mut Found, depth: usize) -> Result<(), Failure> {
        let mut further: &[Value] = &[];
        match o.get_str("items") {
            Some(Value::Array(schemas)) if !schemas.is_empty() => {
                for (i, (one, v)) in schemas.iter().zip(items).enumerate() {
                    let found = self.apart(one, v, &format!("{at}.{i}"), depth)?;
                    out.merge(found);
                }
                further = items.get(schemas.len()..).unwrap_or_default();
            }
            Some(one) if is_schema(one) => {
                for (i, v) in items.iter().enumerate() {
                    let found = self.apart(one, v, &format!("{at}.{i}"), depth)?;
                    out.merge(found);
                }
            }
            _ => {}
        }
        match o.get_str("additionalItems") {
            Some(Value::Bool(false)) if !further.is_empty() => {
                out.fault(at, "array_no_additional_items", "No additional items allowed on array")
            }
            Some(one @ Value::Object(_)) => {
                for (i, v) in further.iter().enumerate() {
                    let i = items.len() - further.len() + i;
                    let found = self.apart(one, v, &format!("{at}.{i}"), depth)?;
                    out.merge(found);
                }
            }
            _ => {}
        }
        let n = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(min) = size(o, "minItems").filter(|min| n < *min) {
            out.fault(at, "array_min_items", format!("Array must have at least {min} items"));
        }
        if let Some(max) = size(o, "maxItems").filter(|max| n > *max) {
            out.fault(at, "array_max_items", format!("Array must have at most {max} items"));
        }
        if o.get_str("uniqueItems") == Some(&Value::Bool(true)) {
            let mut places = BTreeMap::new();
            for (j, v) in items.iter().enumerate() {
                if let Some(i) = places.insert(v, j) {
                    out.fault(at, "unique", format!("array items[{i},{j}] must be unique"));
                }
            }
        }
        if let Some(one) = o.get_str("contains") {
            let mut met = false;
            let mut best: Option<Found> = None;
            for (i, v) in items.iter().enumerate() {
                let found = self.apart(one, v, &format!("{at}.{i}"), depth)?;
                if found.errors.is_empty() {
                    met = true;
                    break;
                }
                if best.as_ref().is_none_or(|b| found.score > b.score) {
                    best = Some(found);
                }
            }
            if !met {
                out.fault(at, "contains", "At least one of the items must match");
                best.into_iter().for_each(|b| out.merge(b));
            }
        }
        out.score += 1;
        Ok(())
    }

    fn object(&mut self, o: &Object, members: &Object, at: &str, out: &mut Found, depth: usize) -> Result<(), Failure> {
        let n = i64::try_from(members.len()).unwrap_or(i64::MAX);
        if let Some(min) = size(o, "minProperties").filter(|min| n < *min) {
            let text = format!("Must have at least {min} properties");
            out.fault(at, "array_min_properties", text);
        }
        if let Some(max) = size(o, "maxProperties").filter(|max| n > *max) {
            let text = format!("Must have at most {max} properties");
            out.fault(at, "array_max_properties", text);
        }
        for name in named(o, "required") {
            match members.get(name) {
                Some(_) => out.score += 1,
                None => out.fault(
                    at,
                    "required",
                    format!("{} is required", name.as_str().unwrap_or_default()),
                ),
            }
        }
        let properties = o.get_str("properties").and_then(Value::as_object);
        let patterns = o.get_str("patternProperties").and_then(Value::as_object);
        for (key, v) in members.iter() {
            let name = key.as_str().unwrap_or_default();
            let mut known = properties.is_some_and(|p| p.get(key).is_some());
            let mut matched = false;
            for (pattern, one) in patterns.into_iter().flat_map(Object::iter) {
                if self.fits_pattern(pattern, key)? {
                    matched = true;
                    let found = self.apart(one, v, &format!("{at}.{name}"), depth)?;
                    out.merge(found);
                }
            }
            out.score += i64::from(matched);
            known |= matched;
            match o.get_str("additionalProperties") {
                Some(Value::Bool(false)) if !known => {
                    let text = format!("Additional property {name} is not allowed");
                    out.fault(at, "additional_property_not_allowed", text);
                }
                Some(one @ Value::Object(_)) if !known => {
                    let found = self.apart(one, v, &format!("{at}.{name}"), depth)?;
                    out.merge(found);
                }
                _ => {}
            }
        }
        if let Some(one) = o.get_str("propertyNames") {
            for (key, _) in members.iter() {
                let found = self.apart(one, key, at, depth)?;
                if !found.errors.is_empty() {
                    let name = key.as_str().unwrap_or_default();
                    let text = format!("Property name of \"{name}\" does not match");
                    out.fault(at, "invalid_property_name", text);
                    out.merge(found);
                }
            }
        }
        out.score += 1;
        Ok(())
    }

    fn string(&mut self, o: &Object, s: &str, v: &Value, at: &str, out: &mut Found) -> Result<(), Failure> {
        let n = i64::try_from(s.chars().count()).unwrap_or(i64::MAX);
        if let Some(min) = size(o, "minLength").filter(|min| n < *min) {
            let text = format!("String length must be greater than or equal to {min}");
            out.fault(at, "string_gte", text);
        }
        if let Some(max) = size(o, "maxLength").filter(|max| n > *max) {
            let text = format!("String length must be less than or equal to {max}");
            out.fault(at, "string_lte", text);
        }
        if let Some(pattern) = o.get_str("pattern")
            && !self.fits_pattern(pattern, v)?
        {
            let pattern = pattern.as_str().unwrap_or_default();
            out.fault(at, "pattern", format!("Does not match pattern '{pattern}'"));
        }
        out.score += 1;
        Ok(())
    }
}

fn number(o: &Object, n: &Number, at: &str, out: &mut Found) {
    let bound = |key: &str| match o.get_str(key) {
        Some(Value::Number(b)) => Some(b),
        _ => None,
    };
    if let Some(m) = bound("multipleOf").filter(|m| !is_multiple(n, m)) {
        out.fault(at, "multiple_of", format!("Must be a multiple of {}", shown(m)));
    }
    // A flag beside the bound (draft 4), or a bound of its own.
    let strict = |flag: &str| o.get_str(flag) == Some(&Value::Bool(true));
    let parted = |key: &str, flag: &str| match strict(flag) {
        true => (None, bound(key)),
        false => (bound(key), bound(flag)),
    };
    let (max, below) = parted("maximum", "exclusiveMaximum");
    let (min, above) = parted("minimum", "exclusiveMinimum");
    if let Some(b) = max.filter(|b| n > *b) {
        out.fault(at, "number_lte", format!("Must be less than or equal to {}", shown(b)));
    }
    if let Some(b) = below.filter(|b| n >= *b) {
        out.fault(at, "number_lt", format!("Must be less than {}", shown(b)));
    }
    if let Some(b) = min.filter(|b| n < *b) {
        let text = format!("Must be greater than or equal to {}", shown(b));
        out.fault(at, "number_gte", text);
    }
    if let Some(b) = above.filter(|b| n <= *b) {
        out.fault(at, "number_gt", format!("Must be greater than {}", shown(b)));
    }
    out.score += 1;
}
