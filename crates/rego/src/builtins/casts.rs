//! `to_number`, the deprecated `cast_*`, `is_*` and `type_name`.

use super::operand::{any, error, must_be, must_be_one_of};
use super::{Answer, Host, Table};
use crate::number::{NotFloat, Number};
use crate::value::Value;

pub(crate) const TABLE: Table = &[
    ("to_number", to_number),
    ("cast_array", cast_array),
    ("cast_set", cast_set),
    ("cast_string", |_, a| cast(a, "string")),
    ("cast_boolean", |_, a| cast(a, "boolean")),
    ("cast_null", |_, a| cast(a, "null")),
    ("cast_object", |_, a| cast(a, "object")),
    ("is_number", |_, a| is(a, "number")),
    ("is_string", |_, a| is(a, "string")),
    ("is_boolean", |_, a| is(a, "boolean")),
    ("is_array", |_, a| is(a, "array")),
    ("is_set", |_, a| is(a, "set")),
    ("is_object", |_, a| is(a, "object")),
    ("is_null", |_, a| is(a, "null")),
    ("type_name", |_, a| Ok(Some(Value::string(any(a, 1)?.type_name())))),
];

fn is(args: &[&Value], name: &str) -> Answer {
    Ok(Some(Value::Bool(any(args, 1)?.type_name() == name)))
}

fn cast(args: &[&Value], name: &str) -> Answer {
    let v = any(args, 1)?;
    if v.type_name() == name {
        Ok(Some(v.clone()))
    } else {
        Err(must_be(1, name, v))
    }
}

fn to_number(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(match any(args, 1)? {
        Value::Null | Value::Bool(false) => Value::from(0),
        Value::Bool(true) => Value::from(1),
        v @ Value::Number(_) => v.clone(),
        v @ Value::String(s) => {
            let bare = s.trim_start_matches(['+', '-']).to_ascii_lowercase();
            if matches!(bare.as_str(), "inf" | "infinity" | "nan") {
                return Err(must_be(1, "valid number string", v));
            }
            let n = Number::parse_go_float(s).map_err(|fault| {
                let reason = match fault {
                    NotFloat::Range => "value out of range",
                    NotFloat::Syntax => "invalid syntax",
                };
                let mut text = String::from("strconv.ParseFloat: parsing ");
                crate::go_text::quote(&mut text, s);
                error(format!("{text}: {reason}"))
            })?;
            Value::Number(n)
        }
        other => return Err(must_be_one_of(1, &["null", "boolean", "number", "string"], other)),
    }))
}

fn cast_array(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(match any(args, 1)? {
        v @ Value::Array(_) => v.clone(),
        Value::Set(s) => Value::array(s.items().to_vec()),
        other => return Err(must_be_one_of(1, &["array", "set"], other)),
    }))
}

fn cast_set(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(match any(args, 1)? {
        v @ Value::Set(_) => v.clone(),
        Value::Array(a) => Value::set(a.to_vec()),
        other => return Err(must_be_one_of(1, &["array", "set"], other)),
    }))
}
