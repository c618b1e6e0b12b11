//! Strings; places and lengths count characters, as OPA's do.

use super::bits::integer;
use super::lists;
use super::operand::{any, element, error, int, must_be_one_of, number, string, strings, text_of_bytes};
use super::pieces::append;
use super::{Answer, Failure, Host, Table};
use crate::number::Number;
use crate::value::Value;
use num_bigint::BigInt;

/// Texts shorter than this are copied without looking at the clock.
const LONG: usize = 64 << 10;

pub(crate) const TABLE: Table = &[
    ("concat", concat),
    ("contains", |_, a| truth(string(a, 1)?.contains(string(a, 2)?.as_str()))),
    ("startswith", |_, a| {
        truth(string(a, 1)?.starts_with(string(a, 2)?.as_str()))
    }),
    ("endswith", |_, a| {
        truth(string(a, 1)?.ends_with(string(a, 2)?.as_str()))
    }),
    ("format_int", format_int),
    ("indexof", indexof),
    ("indexof_n", indexof_n),
    ("lower", |h, a| {
        mapped(h, a, str::to_ascii_lowercase, crate::go_text::to_lower)
    }),
    ("upper", |h, a| {
        mapped(h, a, str::to_ascii_uppercase, crate::go_text::to_upper)
    }),
    ("split", split),
    ("sprintf", sprintf),
    ("strings.any_prefix_match", any_prefix_match),
    ("strings.any_suffix_match", any_suffix_match),
    ("strings.count", count),
    ("strings.reverse", reverse),
    ("substring", substring),
    ("trim", |_, a| trimmed(a, |s, c| s.trim_matches(|x| c.contains(x)))),
    ("trim_left", |_, a| {
        trimmed(a, |s, c| s.trim_start_matches(|x| c.contains(x)))
    }),
    ("trim_right", |_, a| {
        trimmed(a, |s, c| s.trim_end_matches(|x| c.contains(x)))
    }),
    ("trim_prefix", |_, a| trimmed(a, |s, p| s.strip_prefix(p).unwrap_or(s))),
    ("trim_suffix", |_, a| trimmed(a, |s, p| s.strip_suffix(p).unwrap_or(s))),
    ("trim_space", |_, a| text(string(a, 1)?.trim())),
];

fn text(s: impl AsRef<str>) -> Answer {
    Ok(Some(Value::string(s)))
}

fn truth(b: bool) -> Answer {
    Ok(Some(Value::Bool(b)))
}

fn place(i: usize) -> Value {
    Value::from(i64::try_from(i).unwrap_or(i64::MAX))
}

fn trimmed(args: &[&Value], cut: for<'a> fn(&'a str, &str) -> &'a str) -> Answer {
    let (s, with) = (string(args, 1)?, string(args, 2)?);
    text(cut(s, with))
}

fn mapped(host: &mut dyn Host, args: &[&Value], ascii: fn(&str) -> String, map: fn(char) -> char) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len())?;
    if s.is_ascii() {
        return text(ascii(s));
    }
    text(s.chars().map(map).collect::<String>())
}

fn concat(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let separator = string(args, 1)?;
    let collection = any(args, 2)?;
    let items = match collection {
        Value::Array(a) => a.as_slice(),
        Value::Set(s) => s.items(),
        other => return Err(must_be_one_of(2, &["set", "array"], other)),
    };
    let mut size = separator.len().saturating_mul(items.len().saturating_sub(1));
    for v in items {
        let Value::String(s) = v else {
            return Err(element(2, collection, v, &["string"]));
        };
        size = size.saturating_add(s.len());
    }
    // What is long is copied once more when it becomes a value.
    host.charge(if size < LONG { size } else { size.saturating_mul(2) })?;
    let mut out = Vec::with_capacity(size);
    for (i, s) in items.iter().filter_map(Value::as_str).enumerate() {
        for part in [if i > 0 { separator.as_str() } else { "" }, s] {
            match part.len() {
                0..LONG => out.extend_from_slice(part.as_bytes()),
                _ => append(host, &mut out, part.as_bytes())?,
            }
        }
    }
    Ok(Some(text_of_bytes(out)))
}

fn format_int(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let n = number(args, 1)?;
    let base = number(args, 2)?;
    let radix = match base.text().as_ref() {
        "2" => 2,
        "8" => 8,
        "10" => 10,
        "16" => 16,
        _ => return Err(Failure::Type("operand 2 must be one of {2, 8, 10, 16}".into())),
    };
    if let (Some(i), 10) = (n.as_i64(), radix) {
        return text(i.to_string());
    }
    let i = match n {
        Number::Int(_) => integer(args, 1)?,
        // Cut towards zero, not refused.
        Number::Text(_) => {
            let f = super::arithmetic::soft(n)?;
            f.to_big().ok_or_else(|| super::operand::too_large("number"))?
        }
    };
    host.charge(usize::try_from(BigInt::bits(&i)).unwrap_or(usize::MAX))?;
    text(i.to_str_radix(radix))
}

fn needle<'a>(args: &[&'a Value]) -> Result<(&'a str, &'a str), Failure> {
    let (s, search) = (string(args, 1)?, string(args, 2)?);
    if search.is_empty() {
        return Err(error("empty search character"));
    }
    Ok((s, search))
}

fn indexof(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (s, search) = needle(args)?;
    Ok(Some(match s.find(search).and_then(|at| s.get(..at)) {
        Some(before) => place(before.chars().count()),
        None => Value::from(-1),
    }))
}

fn indexof_n(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (s, search) = needle(args)?;
    host.charge(search.len().saturating_mul(8))?;
    // Overlapping places, in time linear in both texts: how much of the search text fits at the end of each prefix.
    let search: Vec<char> = search.chars().collect();
    let mut borders = vec![0usize];
    let mut matched = 0;
    for c in search.iter().skip(1) {
        while matched > 0 && search.get(matched) != Some(c) {
            matched = borders.get(matched - 1).copied().unwrap_or(0);
        }
        matched += usize::from(search.get(matched) == Some(c));
        borders.push(matched);
    }
    let mut found = Vec::new();
    matched = 0;
    for (i, c) in s.chars().enumerate() {
        while matched > 0 && search.get(matched) != Some(&c) {
            matched = borders.get(matched - 1).copied().unwrap_or(0);
        }
        matched += usize::from(search.get(matched) == Some(&c));
        if matched == search.len() {
            host.charge(size_of::<Value>())?;
            found.push(place(i + 1 - matched));
            matched = borders.get(matched - 1).copied().unwrap_or(0);
        }
    }
    Ok(Some(Value::array(found)))
}

fn substring(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    let (offset, length) = (int(args, 2)?, int(args, 3)?);
    let offset = usize::try_from(offset).map_err(|_| error("negative offset"))?;
    let mut rest = s.char_indices().map(|c| c.0).chain([s.len()]).skip(offset);
    let Some(start) = rest.next() else { return text("") };
    let end = match usize::try_from(length) {
        Ok(0) => start,
        Ok(length) => rest.nth(length - 1).unwrap_or(s.len()),
        Err(_) => s.len(),
    };
    text(s.get(start..end).unwrap_or(""))
}

fn split(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (s, separator) = (string(args, 1)?, string(args, 2)?);
    let parts: Vec<Value> = if separator.is_empty() {
        host.charge(s.len().saturating_mul(size_of::<Value>()))?;
        s.chars().map(|c| Value::string(c.encode_utf8(&mut [0; 4]))).collect()
    } else if let ([byte @ ..=127], true) = (separator.as_bytes(), s.len() < LONG) {
        // The usual case: paths, images and the like at a slash or a colon.
        let count = s.bytes().filter(|b| b == byte).count() + 1;
        host.charge(s.len() + count * size_of::<Value>())?;
        let mut parts = Vec::with_capacity(count);
        parts.extend(s.split(char::from(*byte)).map(Value::string));
        parts
    } else {
        let mut parts = Vec::new();
        for part in s.split(separator.as_str()) {
            host.charge(part.len() + size_of::<Value>())?;
            parts.push(Value::string(part));
        }
        parts
    };
    Ok(Some(Value::array(parts)))
}

fn count(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (s, search) = (string(args, 1)?, string(args, 2)?);
    let n = if search.is_empty() {
        s.chars().count() + 1
    } else {
        s.matches(search.as_str()).count()
    };
    Ok(Some(place(n)))
}

fn reverse(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len())?;
    text(s.chars().rev().collect::<String>())
}

fn sprintf(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let format = string(args, 1)?;
    let values = match any(args, 2)? {
        Value::Array(a) => a.as_slice(),
        other => return Err(super::operand::must_be(2, "array", other)),
    };
    let composite = |v: &&Value| matches!(v, Value::Array(_) | Value::Object(_) | Value::Set(_));
    for value in values.iter().filter(composite) {
        super::operand::charge_text(host, value, 1)?;
    }
    Ok(Some(text_of_bytes(crate::gofmt::sprintf(host, format, values)?)))
}

/// One string, or the strings of a collection.
fn one_or_more<'a>(args: &[&'a Value], place: usize) -> Result<Vec<&'a str>, Failure> {
    match any(args, place)? {
        Value::String(s) => Ok(vec![s]),
        Value::Array(_) | Value::Set(_) => strings(args, place),
        other => Err(must_be_one_of(place, &["string", "set", "array"], other)),
    }
}

fn any_prefix_match(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (texts, prefixes) = (one_or_more(args, 1)?, one_or_more(args, 2)?);
    host.charge(texts.len().saturating_mul(16))?;
    let texts = lists::sorted(host, texts, Ord::cmp)?;
    truth(prefixes.iter().any(|p| starts_any(&texts, p)))
}

/// Whether one of the sorted texts starts with a prefix.
fn starts_any<T: AsRef<str>>(sorted: &[T], prefix: &str) -> bool {
    let at = sorted.partition_point(|t| t.as_ref() < prefix);
    sorted.get(at).is_some_and(|t| t.as_ref().starts_with(prefix))
}

fn any_suffix_match(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (texts, suffixes) = (one_or_more(args, 1)?, one_or_more(args, 2)?);
    let backwards = |s: &&str| s.chars().rev().collect::<String>();
    host.charge(texts.iter().chain(&suffixes).map(|s| s.len() + 24).sum())?;
    let texts = lists::sorted(host, texts.iter().map(backwards).collect(), Ord::cmp)?;
    truth(suffixes.iter().map(backwards).any(|s| starts_any(&texts, &s)))
}
