//! JSON, YAML, base64, hex and URL queries as strings.

use super::operand::{any, bytes, charge_text, error, must_be, object, string, text_of_bytes};
use super::{Answer, Failure, Host, Table};
use crate::json;
use crate::value::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) const TABLE: Table = &[
    ("json.marshal", json_marshal),
    ("json.marshal_with_options", json_marshal_with_options),
    ("json.unmarshal", json_unmarshal),
    ("json.is_valid", json_is_valid),
    ("yaml.marshal", yaml_marshal),
    ("yaml.unmarshal", yaml_unmarshal),
    ("yaml.is_valid", yaml_is_valid),
    ("base64.encode", |h, a| base64_encode(h, a, STANDARD, true)),
    ("base64.decode", base64_decode),
    ("base64.is_valid", base64_is_valid),
    ("base64url.encode", |h, a| base64_encode(h, a, URL, true)),
    ("base64url.encode_no_pad", |h, a| base64_encode(h, a, URL, false)),
    ("base64url.decode", base64url_decode),
    ("hex.encode", hex_encode),
    ("hex.decode", hex_decode),
    ("urlquery.encode", urlquery_encode),
    ("urlquery.decode", urlquery_decode),
    ("urlquery.encode_object", urlquery_encode_object),
    ("urlquery.decode_object", urlquery_decode_object),
];

fn text(s: impl AsRef<str>) -> Answer {
    Ok(Some(Value::string(s)))
}

fn truth(b: bool) -> Answer {
    Ok(Some(Value::Bool(b)))
}

fn json_marshal(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let v = any(args, 1)?;
    charge_text(host, v, 1)?;
    text(json::write(v))
}

fn json_marshal_with_options(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let v = any(args, 1)?;
    let (mut prefix, mut indent, mut pretty) = ("", "\t", None);
    let mut implied = false;
    for (i, (key, value)) in object(args, 2)?.iter().enumerate() {
        let fault = |text: String| Failure::Type(format!("operand 2 {text}"));
        // OPA counts operands from 0 here.
        let got = |v: &Value| format!("operand {i} must be string but got {}", v.type_name());
        let Some(name) = key.as_str() else {
            let key_text = crate::value_text::text(key);
            return Err(fault(format!(
                "failed to stringify key {key_text} at index {i}: {}",
                got(key)
            )));
        };
        let key = crate::value_text::text(key);
        let as_text = || {
            let b = value.as_str();
            b.ok_or_else(|| fault(format!("key {key} failed cast to string: {}", got(value))))
        };
        match name {
            "prefix" => (prefix, implied) = (as_text()?, true),
            "indent" => (indent, implied) = (as_text()?, true),
            "pretty" => {
                let b = value.as_bool();
                pretty = Some(b.ok_or_else(|| fault(format!("key {key} failed cast to bool")))?);
            }
            _ => return Err(fault(format!("object contained unknown key {key}"))),
        }
    }
    charge_text(host, v, 1)?;
    if !pretty.unwrap_or(implied) {
        return text(json::write(v));
    }
    host.charge(layout(v, prefix.len(), indent.len(), 0))?;
    text(format!("{prefix}{}", json::write_indented(v, prefix, indent)))
}

/// Bytes that prefixes and indents add.
fn layout(v: &Value, prefix: usize, indent: usize, depth: usize) -> usize {
    let line = |depth: usize| {
        2usize
            .saturating_add(prefix)
            .saturating_add(indent.saturating_mul(depth))
    };
    let inner = |items: &mut dyn Iterator<Item = &Value>| {
        items.fold(line(depth), |n, v| {
            n.saturating_add(line(depth + 1))
                .saturating_add(layout(v, prefix, indent, depth + 1))
        })
    };
    match v {
        Value::Array(a) => inner(&mut a.iter()),
        Value::Set(s) => inner(&mut s.iter()),
        Value::Object(o) => inner(&mut o.iter().map(|e| &e.1)),
        _ => 0,
    }
}

fn json_unmarshal(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    // A byte of text can become a value.
    host.charge(s.len().saturating_mul(8))?;
    let fault = |text: &str, e: json::ReadError| match e.message.starts_with("unexpected end") {
        // Go's reader of streams has its own words for what is missing.
        true if text.trim_matches([' ', '\t', '\r', '\n']).is_empty() => error("EOF"),
        true => error("unexpected EOF"),
        false => error(e.message),
    };
    let options = json::ReadOptions::default();
    let (value, rest) = json::read_first(s, options).map_err(|e| fault(s, e))?;
    // OPA asks for one token more, and takes a null for none.
    let token = match rest.chars().next() {
        None => return Ok(Some(value)),
        Some(c @ ('{' | '[')) => c.to_string(),
        Some(_) => match json::read_first(rest, options).map_err(|e| fault(rest, e))?.0 {
            Value::Null => return Ok(Some(value)),
            Value::Bool(b) => format!("%!s(bool={b})"),
            Value::String(s) => s.to_string(),
            other => crate::value_text::text(&other),
        },
    };
    Err(error(format!(
        "error: invalid character '{token}' after top-level value"
    )))
}

fn json_is_valid(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let Value::String(s) = any(args, 1)? else {
        return truth(false);
    };
    host.charge(s.len().saturating_mul(8))?;
    truth(json::read(s.as_bytes(), json::ReadOptions::default()).is_ok())
}

fn yaml_marshal(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let v = any(args, 1)?;
    charge_text(host, v, 1)?;
    host.charge(layout(v, 0, 2, 0))?;
    text(crate::yaml::write(v))
}

fn yaml_unmarshal(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len().saturating_mul(16))?;
    let v = crate::yaml::read(s).map_err(|e| {
        let message = match e.message.as_str() {
            "unclosed bracket '['" => "did not find expected ',' or ']'",
            "unclosed bracket '{'" => "did not find expected ',' or '}'",
            other => other,
        };
        error(format!("yaml: line {}: {message}", e.row))
    })?;
    // Aliases can make more of the text than it is long.
    charge_text(host, &v, 1)?;
    Ok(Some(v))
}

fn yaml_is_valid(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let Value::String(s) = any(args, 1)? else {
        return truth(false);
    };
    host.charge(s.len().saturating_mul(16))?;
    truth(crate::yaml::read(s).is_ok())
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64_encode(host: &mut dyn Host, args: &[&Value], alphabet: &[u8; 64], pad: bool) -> Answer {
    let s = bytes(args, 1)?;
    host.charge(s.len().saturating_mul(4) / 3 + 4)?;
    let mut out = String::with_capacity(s.len() * 4 / 3 + 4);
    for chunk in s.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for i in 0..4 {
            if i <= chunk.len() {
                let digit = (bits >> (18 - 6 * i)) & 63;
                out.push(alphabet.get(digit as usize).map_or('=', |b| char::from(*b)));
            } else if pad {
                out.push('=');
            }
        }
    }
    text(out)
}

/// Go's decoding: line breaks anywhere are skipped, padding is required, bits left over may be anything. The fault is
/// the byte it stands at.
fn base64_bytes(s: &[u8], alphabet: &[u8; 64]) -> Result<Vec<u8>, usize> {
    let mut digits: [Option<u32>; 256] = [None; 256];
    for (i, b) in (0u32..).zip(alphabet) {
        if let Some(slot) = digits.get_mut(usize::from(*b)) {
            *slot = Some(i);
        }
    }
    let mut bytes = s
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, b)| !matches!(b, b'\r' | b'\n'));
    let mut out = Vec::with_capacity(s.len() / 4 * 3 + 3);
    loop {
        let (mut bits, mut count) = (0u32, 0);
        while count < 4 {
            match bytes.next() {
                None if count == 0 => return Ok(out),
                // Go names the beginning of the group that is cut short.
                None => return Err(s.len() - count),
                Some((at, b'=')) => {
                    if count < 2 {
                        return Err(at);
                    }
                    if count == 2 {
                        match bytes.next() {
                            Some((_, b'=')) => {}
                            Some((at, _)) => return Err(at - 1),
                            None => return Err(s.len()),
                        }
                    }
                    if let Some((at, _)) = bytes.next() {
                        return Err(at);
                    }
                    let keep = count - 1;
                    bits <<= 6 * (4 - count);
                    out.extend(bits.to_be_bytes().iter().skip(1).take(keep));
                    return Ok(out);
                }
                Some((at, b)) => {
                    let digit = digits.get(usize::from(b)).copied().flatten().ok_or(at)?;
                    bits = (bits << 6) | digit;
                    count += 1;
                }
            }
        }
        out.extend(bits.to_be_bytes().iter().skip(1));
    }
}

/// The bytes of standard base64, as Go reads it: line ends are passed over.
pub(super) fn standard_base64(text: &[u8]) -> Result<Vec<u8>, Failure> {
    base64_bytes(text, STANDARD).map_err(illegal_base64)
}

fn illegal_base64(at: usize) -> Failure {
    error(format!("illegal base64 data at input byte {at}"))
}

fn base64_decode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len())?;
    Ok(Some(text_of_bytes(
        base64_bytes(s.as_bytes(), STANDARD).map_err(illegal_base64)?,
    )))
}

fn base64_is_valid(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let Value::String(s) = any(args, 1)? else {
        return truth(false);
    };
    host.charge(s.len())?;
    truth(base64_bytes(s.as_bytes(), STANDARD).is_ok())
}

fn base64url_decode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len())?;
    let mut padded = s.to_string();
    if !s.ends_with('=') {
        match s.len() % 4 {
            0 => {}
            2 => padded.push_str("=="),
            3 => padded.push('='),
            _ => return Err(error(format!("illegal base64url string: {s}"))),
        }
    }
    Ok(Some(text_of_bytes(
        base64_bytes(padded.as_bytes(), URL).map_err(illegal_base64)?,
    )))
}

fn hex_encode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = bytes(args, 1)?;
    host.charge(s.len().saturating_mul(2))?;
    text(hex::encode(s))
}

fn hex_decode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len())?;
    let mut out = Vec::with_capacity(s.len() / 2);
    let invalid = |b: u8| {
        let mut quoted = String::new();
        // Go shows the byte as a character.
        crate::go_text::quote_with(&mut quoted, char::from(b).encode_utf8(&mut [0; 4]), '\'', false);
        error(format!("encoding/hex: invalid byte: U+{:04X} {quoted}", u32::from(b)))
    };
    for pair in s.as_bytes().chunks(2) {
        let mut byte = 0u32;
        for b in pair {
            byte = byte * 16 + char::from(*b).to_digit(16).ok_or_else(|| invalid(*b))?;
        }
        if pair.len() < 2 {
            return Err(error("encoding/hex: odd length hex string"));
        }
        out.extend(u8::try_from(byte));
    }
    Ok(Some(text_of_bytes(out)))
}

pub(super) fn query_escape(out: &mut String, s: &str) {
    for b in crate::go_text::to_bytes(s).iter().copied() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b' ' => out.push('+'),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
}

/// Go's `url.QueryUnescape`; the fault is the piece that is no escape.
fn query_unescape(s: &str) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(s.len());
    let bytes = s.as_bytes();
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        at += 1;
        match b {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = bytes.get(at..at + 2).unwrap_or(bytes.get(at..).unwrap_or(&[]));
                let byte = digits
                    .iter()
                    .try_fold(0u32, |n, b| Some(n * 16 + char::from(*b).to_digit(16)?));
                match byte.and_then(|b| u8::try_from(b).ok()) {
                    Some(b) if digits.len() == 2 => out.push(b),
                    _ => {
                        let piece = bytes.get(at - 1..at + digits.len()).unwrap_or(&[]).to_vec();
                        let mut message = String::from("invalid URL escape ");
                        crate::go_text::quote(&mut message, &crate::go_text::from_bytes(piece));
                        return Err(error(message));
                    }
                }
                at += 2;
            }
            b => out.push(*b),
        }
    }
    Ok(out)
}

fn urlquery_encode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len().saturating_mul(3))?;
    let mut out = String::new();
    query_escape(&mut out, s);
    text(out)
}

fn urlquery_decode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len())?;
    Ok(Some(text_of_bytes(query_unescape(s)?)))
}

fn urlquery_encode_object(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let v = any(args, 1)?;
    let Value::Object(o) = v else {
        return Err(must_be(1, "object", v));
    };
    charge_text(host, v, 3)?;
    let fault = || Failure::Type("operand 1 values must be string, array[string], or set[string]".into());
    let mut pairs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (key, value) in o.iter() {
        let values = match value {
            Value::String(s) => vec![s.as_str()],
            Value::Array(a) => a
                .iter()
                .map(|v| v.as_str().ok_or_else(fault))
                .collect::<Result<_, _>>()?,
            Value::Set(s) => s
                .iter()
                .map(|v| v.as_str().ok_or_else(fault))
                .collect::<Result<_, _>>()?,
            _ => return Err(fault()),
        };
        pairs.insert(json::key_text(key), values);
    }
    let mut out = String::new();
    for (key, values) in pairs {
        for value in values {
            if !out.is_empty() {
                out.push('&');
            }
            query_escape(&mut out, &key);
            out.push('=');
            query_escape(&mut out, value);
        }
    }
    text(out)
}

fn urlquery_decode_object(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len().saturating_mul(8))?;
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut fault = None;
    for pair in s.split('&') {
        if pair.contains(';') {
            fault.get_or_insert_with(|| error("invalid semicolon separator in query"));
            continue;
        }
        if pair.is_empty() {
            continue;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (query_unescape(key), query_unescape(value)) {
            (Ok(key), Ok(value)) => {
                let key = text_of_bytes(key).as_str().unwrap_or("").to_string();
                found.entry(key).or_default().push(text_of_bytes(value));
            }
            (Err(e), _) | (_, Err(e)) => {
                fault.get_or_insert(e);
            }
        }
    }
    // Go reads on after a fault and reports the first.
    match fault {
        Some(fault) => Err(fault),
        None => Ok(Some(Value::object(
            found
                .into_iter()
                .map(|(k, v)| (Value::string(k), Value::array(v)))
                .collect(),
        ))),
    }
}
