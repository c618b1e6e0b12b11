//! How numbers and texts look: multiples, bounds as OPA shows them, dates and times.

use crate::number::Number;
use num_bigint::BigInt;

/// Digits and the power of ten they are multiplied with.
fn scaled(n: &Number) -> Option<(BigInt, i64)> {
    let text = n.text();
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent = exponent.parse::<i64>().ok()?;
    let shift = i64::try_from(fraction.len()).ok()?;
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, exponent.checked_sub(shift)?))
}

/// Further apart than this, numbers are not brought to the same power.
const POWERS: i64 = 10_000;

/// Whether one number divides the other.
pub(super) fn is_multiple(n: &Number, of: &Number) -> bool {
    let (Some((a, x)), Some((b, y))) = (scaled(n), scaled(of)) else {
        return false;
    };
    let zero = BigInt::from(0);
    if a == zero || b == zero {
        return a == zero;
    }
    let low = x.min(y);
    let lift = |digits: BigInt, power: i64| match power.checked_sub(low) {
        Some(p) if p <= POWERS => u32::try_from(p).ok().map(|p| digits * BigInt::from(10).pow(p)),
        _ => None,
    };
    match (lift(a, x), lift(b, y)) {
        (Some(a), Some(b)) => a % b == zero,
        _ => false,
    }
}

pub(super) fn is_integer(n: &Number) -> bool {
    n.integer_value().is_some() || is_multiple(n, &Number::from(1))
}

/// A bound as Go writes big floats: no more digits than needed, with an exponent from a million on.
pub(super) fn shown(n: &Number) -> String {
    // Integers have more digits than a double keeps.
    let text = match n.integer_value() {
        Some(i) => format!("{i:e}"),
        None => format!("{:e}", n.as_f64()),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{}", n.as_f64())
}

pub(super) fn is_ipv6(s: &str) -> bool {
    s.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Two digits within bounds.
fn two(s: &str, low: u32, high: u32) -> bool {
    let digits = s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
    digits && s.parse::<u32>().is_ok_and(|n| (low..=high).contains(&n))
}

pub(super) fn is_date(s: &str) -> bool {
    let parts: Vec<&str> = s.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) || !two(month, 1, 12) {
        return false;
    }
    let year: u32 = year.parse().unwrap_or(0);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match *month {
        "02" if leap => 29,
        "02" => 28,
        "04" | "06" | "09" | "11" => 30,
        _ => 31,
    };
    two(day, 1, last)
}

/// A time of day, and what is left behind it.
fn clock(s: &str) -> Option<&str> {
    let (time, rest) = s.split_at_checked(8)?;
    let parts: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return None;
    };
    if !(two(hour, 0, 23) && two(minute, 0, 59) && two(second, 0, 59)) {
        return None;
    }
    match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (after.len() < fraction.len()).then_some(after)
        }
        None => Some(rest),
    }
}

fn is_zone(s: &str) -> bool {
    let offset = s.strip_prefix(['+', '-']).and_then(|o| o.split_once(':'));
    s == "Z" || offset.is_some_and(|(h, m)| two(h, 0, 24) && two(m, 0, 60))
}

pub(super) fn zoned(s: &str) -> bool {
    clock(s).is_some_and(is_zone)
}

pub(super) fn is_time(s: &str) -> bool {
    clock(s).is_some_and(|rest| rest.is_empty() || is_zone(rest))
}
