//! `replace` and `strings.replace_n`, as Go's strings.Replacer does it: at every byte the first pattern that fits, an
//! empty pattern too, but not twice at one place.

use super::operand::{object, string, text_of_bytes};
use super::pieces::Text;
use super::{Answer, Failure, Host, Table};
use crate::value::Value;

pub(crate) const TABLE: Table = &[("replace", replace), ("strings.replace_n", replace_n)];

fn replace(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (s, old, new) = (string(args, 1)?, string(args, 2)?, string(args, 3)?);
    if old.is_empty() {
        return run(host, s, &[(old, new)]);
    }
    let mut out = Text::default();
    let mut last = 0;
    for (at, found) in s.match_indices(old.as_str()) {
        out.push(host, s.get(last..at).unwrap_or("").as_bytes())?;
        out.push(host, new.as_bytes())?;
        last = at + found.len();
    }
    if last == 0 {
        return Ok(Some(Value::String(s.clone())));
    }
    out.push(host, s.get(last..).unwrap_or("").as_bytes())?;
    Ok(Some(text_of_bytes(out.whole(host)?)))
}

fn replace_n(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (patterns, s) = (object(args, 1)?, string(args, 2)?);
    let mut pairs = Vec::with_capacity(patterns.len());
    for (old, new) in patterns.iter() {
        let fault = |what: &str| Failure::Type(format!("operand 1 non-string {what} found in pattern object"));
        let old = old.as_str().ok_or_else(|| fault("key"))?;
        pairs.push((old, new.as_str().ok_or_else(|| fault("value"))?));
    }
    run(host, s, &pairs)
}

fn run(host: &mut dyn Host, s: &str, pairs: &[(&str, &str)]) -> Answer {
    // Patterns by first byte, in order; the empty one comes first in any order of keys.
    let empty = pairs.iter().find(|p| p.0.is_empty()).map(|p| p.1);
    let mut by_first: Vec<Vec<(&[u8], &str)>> = vec![Vec::new(); 256];
    for (old, new) in pairs {
        if let Some(slot) = old.bytes().next().and_then(|b| by_first.get_mut(usize::from(b))) {
            slot.push((old.as_bytes(), new));
        }
    }
    let bytes = crate::go_text::to_bytes(s);
    let mut out = Text::default();
    let (mut at, mut last) = (0, 0);
    let mut empty_before = false;
    while at <= bytes.len() {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let patterns = rest.first().and_then(|b| by_first.get(usize::from(*b)));
        let found = match empty {
            Some(new) if !empty_before => Some((0, new)),
            _ => patterns
                .and_then(|p| p.iter().find(|p| rest.starts_with(p.0)))
                .map(|p| (p.0.len(), p.1)),
        };
        // Many patterns with the same beginning make every byte dear.
        host.work(patterns.map_or(0, Vec::len) << 4)?;
        empty_before = matches!(found, Some((0, _)));
        let Some((length, new)) = found else {
            at += 1;
            continue;
        };
        out.push(host, bytes.get(last..at).unwrap_or(&[]))?;
        out.push(host, new.as_bytes())?;
        at += length;
        last = at;
    }
    out.push(host, bytes.get(last..).unwrap_or(&[]))?;
    Ok(Some(text_of_bytes(out.whole(host)?)))
}
