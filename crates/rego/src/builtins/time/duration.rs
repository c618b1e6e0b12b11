//! Durations: Go's, and OPA's days, weeks and years.

use super::read::quote;
use crate::go_text;

const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const LIMIT: u64 = 1 << 63;

/// Nanoseconds of a duration.
pub(crate) fn read(text: &str) -> Result<i64, String> {
    let mut quoted = String::new();
    go_text::quote(&mut quoted, text);
    let invalid = || format!("time: invalid duration {quoted}");
    if text.is_empty() {
        return Err(invalid());
    }
    if !text.contains(['d', 'w', 'y']) {
        return go(text);
    }
    let hours = in_hours(text).ok_or_else(invalid)?;
    go(&hours).map_err(|error| match error.rsplit_once(' ') {
        Some((start, _)) => format!("{start} {quoted}"),
        None => error,
    })
}

fn number_length(s: &str) -> usize {
    s.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count()
}

/// Days, weeks and years as hours; the rest as it is.
fn in_hours(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    if let Some(after) = text.strip_prefix(['-', '+']) {
        out.extend(text.chars().next());
        rest = after;
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (digits, after) = rest.split_at_checked(number_length(rest)).filter(|p| !p.0.is_empty())?;
        let long = ["ms", "us", "\u{b5}s", "ns"].into_iter().find(|u| after.starts_with(u));
        let unit = match long {
            Some(unit) => unit,
            None => after.get(..1).filter(|u| u.bytes().all(|b| b.is_ascii_lowercase()))?,
        };
        rest = after.strip_prefix(unit)?;
        let hours = match unit {
            "d" => 24.0,
            "w" => 168.0,
            "y" => 8760.0,
            _ => {
                out.extend([digits, unit]);
                continue;
            }
        };
        let number: f64 = digits.parse().ok().filter(|n: &f64| n.is_finite())?;
        out.push_str(&format!("{}h", number * hours));
    }
    Some(out)
}

/// Go's `ParseDuration`.
fn go(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text.as_bytes()));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (mut value, after) = whole(rest).ok_or_else(invalid)?;
        let had_whole = after.len() != rest.len();
        rest = after;
        let (mut part, mut scale, mut had_part) = (0u64, 1f64, false);
        if let Some(after) = rest.strip_prefix('.') {
            let (f, s, left) = fraction(after);
            (part, scale, had_part) = (f, s, left.len() != after.len());
            rest = left;
        }
        if !had_whole && !had_part {
            return Err(invalid());
        }
        let length = rest.bytes().take_while(|b| *b != b'.' && !b.is_ascii_digit()).count();
        let (unit, after) = rest.split_at_checked(length).ok_or_else(invalid)?;
        rest = after;
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text.as_bytes())));
        }
        let Some((_, nanos)) = UNITS.iter().find(|u| u.0 == unit) else {
            let (unit, text) = (quote(unit.as_bytes()), quote(text.as_bytes()));
            return Err(format!("time: unknown unit {unit} in duration {text}"));
        };
        if value > LIMIT / nanos {
            return Err(invalid());
        }
        value = value.saturating_mul(*nanos);
        if part > 0 {
            // Through floats as Go does: the same roundings.
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss
            )]
            let more = (part as f64 * (*nanos as f64 / scale)) as u64;
            value = value.saturating_add(more);
            if value > LIMIT {
                return Err(invalid());
            }
        }
        total = total.saturating_add(value);
        if total > LIMIT {
            return Err(invalid());
        }
    }
    let total = if negative {
        -i128::from(total)
    } else {
        i128::from(total)
    };
    i64::try_from(total).map_err(|_| invalid())
}

fn whole(s: &str) -> Option<(u64, &str)> {
    let length = s.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = s.split_at_checked(length)?;
    if digits.is_empty() {
        return Some((0, rest)).filter(|r| r.1.starts_with('.'));
    }
    digits.parse().ok().filter(|n| *n <= LIMIT).map(|n| (n, rest))
}

/// The digits after the point as a number, what to divide it by, and the rest; digits beyond what fits do not count.
fn fraction(s: &str) -> (u64, f64, &str) {
    let length = s.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = s.split_at_checked(length).unwrap_or((s, ""));
    let (mut number, mut scale) = (0u64, 1f64);
    for b in digits.bytes() {
        if number > (LIMIT - 1) / 10 {
            break;
        }
        let next = number * 10 + u64::from(b - b'0');
        if next > LIMIT {
            break;
        }
        number = next;
        scale *= 10.0;
    }
    (number, scale, rest)
}
