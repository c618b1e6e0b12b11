//! `semver.*`.

use super::operand::{error, string};
use super::{Answer, Host, Table};
use crate::value::Value;
use std::cmp::Ordering;

pub(crate) const TABLE: Table = &[("semver.compare", compare), ("semver.is_valid", is_valid)];

struct Version<'a> {
    numbers: [i64; 3],
    pre: &'a str,
}

/// Dot-separated identifiers, none of them empty.
fn identifiers(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn parse(text: &str) -> Option<Version<'_>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, meta) = text.split_once('+').unwrap_or((text, ""));
    let (text, pre) = text.split_once('-').unwrap_or((text, ""));
    if !(meta.is_empty() || identifiers(meta)) || !(pre.is_empty() || identifiers(pre)) {
        return None;
    }
    let mut parts = text.split('.').map(|p| p.parse::<i64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(Version { numbers, pre })
}

/// Numbers before names, numbers by value, fewer identifiers first.
fn by_release(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let number = |s: &str| {
        let all = s.bytes().all(|b| b.is_ascii_digit());
        // Beyond 64 bits Go gives the largest number.
        all.then(|| s.parse::<i64>().unwrap_or(i64::MAX))
    };
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => (a, b),
        };
        let order = match (number(a), number(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (string(args, 1)?, string(args, 2)?);
    let bad = |place: usize, text: &str| {
        let mut quoted = String::new();
        crate::go_text::quote(&mut quoted, text);
        error(format!("operand {place}: string {quoted} is not a valid SemVer"))
    };
    let left = parse(a).ok_or_else(|| bad(1, a))?;
    let right = parse(b).ok_or_else(|| bad(2, b))?;
    let order = left.numbers.cmp(&right.numbers);
    let order = order.then_with(|| by_release(left.pre, right.pre));
    Ok(Some(Value::from(order as i64)))
}

fn is_valid(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(Value::Bool(string(args, 1).is_ok_and(|s| parse(s).is_some()))))
}
