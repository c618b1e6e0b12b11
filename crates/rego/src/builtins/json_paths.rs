//! `json.filter` and `json.remove`: values by paths.

use super::operand::{any, must_be_one_of, object};
use super::{Answer, Failure, Host, Table};
use crate::value::{Object, Set, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const TABLE: Table = &[("json.filter", filter), ("json.remove", remove)];

/// What the paths name: all that is below, or some keys.
enum Named {
    All,
    Keys(BTreeMap<Value, Named>),
}

impl Named {
    fn at(&self, key: &Value) -> Option<&Named> {
        match self {
            Named::All => None,
            Named::Keys(keys) => keys.get(key),
        }
    }
}

fn paths(args: &[&Value]) -> Result<Named, Failure> {
    let items = match any(args, 2)? {
        Value::Array(a) => a.as_slice(),
        Value::Set(s) => s.items(),
        other => return Err(must_be_one_of(2, &["set", "array"], other)),
    };
    let paths = items.iter().map(parse_path).collect::<Result<Vec<_>, _>>()?;
    let mut root = BTreeMap::new();
    for path in paths {
        add(&mut root, &path);
    }
    Ok(Named::Keys(root))
}

fn add(mut node: &mut BTreeMap<Value, Named>, path: &[Value]) {
    let Some((last, before)) = path.split_last() else {
        return;
    };
    for key in before {
        match node.entry(key.clone()).or_insert_with(|| Named::Keys(BTreeMap::new())) {
            Named::All => return,
            Named::Keys(inner) => node = inner,
        }
    }
    node.insert(last.clone(), Named::All);
}

/// A path as text (`a/b`, `~1` for a slash, `~0` for a tilde) or as an array of keys.
pub(super) fn parse_path(path: &Value) -> Result<Vec<Value>, Failure> {
    match path {
        Value::String(s) if s.is_empty() => Ok(Vec::new()),
        Value::String(s) => {
            let parts = s.trim_start_matches('/').split('/');
            Ok(parts
                .map(|p| Value::string(p.replace("~1", "/").replace("~0", "~")))
                .collect())
        }
        Value::Array(keys) => Ok(keys.to_vec()),
        other => Err(Failure::Type(format!(
            "operand 2 must be one of {{set, array}} containing string paths or array of path segments but got {}",
            other.type_name()
        ))),
    }
}

fn filter(host: &mut dyn Host, args: &[&Value]) -> Answer {
    object(args, 1)?;
    let named = paths(args)?;
    filtered(host, any(args, 1)?, &named).map(Some)
}

fn filtered(host: &mut dyn Host, value: &Value, named: &Named) -> Result<Value, Failure> {
    let Named::Keys(keys) = named else {
        return Ok(value.clone());
    };
    host.charge(size_of::<Value>())?;
    Ok(match value {
        Value::Array(items) => {
            let mut out = Vec::new();
            for (i, v) in items.iter().enumerate() {
                // Places are named as text.
                if let Some(inner) = keys.get(&Value::string(i.to_string())) {
                    out.push(filtered(host, v, inner)?);
                }
            }
            Value::array(out)
        }
        Value::Set(set) => {
            let mut out = Vec::new();
            for v in set.iter() {
                if let Some(inner) = keys.get(v) {
                    out.push(filtered(host, v, inner)?);
                }
            }
            Value::Set(Arc::new(Set::from_items(out)))
        }
        Value::Object(o) => {
            let mut out = Vec::new();
            for (k, v) in o.iter() {
                if let Some(inner) = keys.get(k) {
                    out.push((k.clone(), filtered(host, v, inner)?));
                }
            }
            Value::Object(Arc::new(Object::from_entries(out)))
        }
        other => other.clone(),
    })
}

fn remove(host: &mut dyn Host, args: &[&Value]) -> Answer {
    object(args, 1)?;
    let named = paths(args)?;
    removed(host, any(args, 1)?, Some(&named))
}

fn removed(host: &mut dyn Host, value: &Value, named: Option<&Named>) -> Answer {
    let Some(named) = named else {
        return Ok(Some(value.clone()));
    };
    if matches!(named, Named::All) {
        return Ok(None);
    }
    host.charge(size_of::<Value>())?;
    Ok(Some(match value {
        Value::Array(items) => {
            let mut out = Vec::new();
            for (i, v) in items.iter().enumerate() {
                out.extend(removed(host, v, named.at(&Value::string(i.to_string())))?);
            }
            Value::array(out)
        }
        Value::Set(set) => {
            let mut out = Vec::new();
            for v in set.iter() {
                out.extend(removed(host, v, named.at(v))?);
            }
            Value::Set(Arc::new(Set::from_items(out)))
        }
        Value::Object(o) => {
            let mut out = Vec::new();
            for (k, v) in o.iter() {
                if let Some(v) = removed(host, v, named.at(k))? {
                    out.push((k.clone(), v));
                }
            }
            Value::Object(Arc::new(Object::from_entries(out)))
        }
        other => other.clone(),
    }))
}
