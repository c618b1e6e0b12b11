//! `units.parse` and `units.parse_bytes`: quantities with SI and binary suffixes, computed exactly in decimals.

use super::operand::{error, string};
use super::{Answer, Host, Table};
use crate::number::Number;
use crate::value::Value;
use num_bigint::BigUint;

pub(crate) const TABLE: Table = &[("units.parse", parse), ("units.parse_bytes", parse_bytes)];

/// Where the number ends; `None` when its exponent has too many digits.
fn number_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        match b {
            b'0'..=b'9' | b'.' | b'+' | b'-' => {}
            b'e' | b'E' => {
                let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
                if !sign && !digit(at + 1) {
                    break;
                }
                at += usize::from(sign);
                if (1..=7).all(|i| digit(at + i)) {
                    return None;
                }
            }
            _ => break,
        }
        at += 1;
    }
    Some(at)
}

/// Sign, digits and exponent of a decimal.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((
        negative,
        digits,
        exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?,
    ))
}

fn parse(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let fault = |what: &str| error(format!("units.parse: {what}"));
    let text = string(args, 1)?.replace('"', "");
    if text.contains(' ') {
        return Err(fault("spaces not allowed in resource strings"));
    }
    let end = number_end(&text).ok_or_else(|| fault("exponent too large"))?;
    let (number, unit) = text.split_at_checked(end).unwrap_or((&text, ""));
    if number.is_empty() {
        return Err(fault("no amount provided"));
    }
    let lower = unit.to_ascii_lowercase();
    let power = |n: u32| 1u64.checked_shl(10 * n).unwrap_or(0);
    let (factor, zeros): (u64, i64) = match (unit, lower.as_str()) {
        ("", _) => (1, 0),
        // Go's 0.001 as a double is this many times 2^-60, and 2^-60 is 5^60 times 10^-60.
        ("m", _) => (0, 0),
        (_, "k") => (1, 3),
        ("M", _) => (1, 6),
        (_, "g") => (1, 9),
        (_, "t") => (1, 12),
        (_, "p") => (1, 15),
        (_, "e") => (1, 18),
        (_, "ki") => (power(1), 0),
        (_, "mi") => (power(2), 0),
        (_, "gi") => (power(3), 0),
        (_, "ti") => (power(4), 0),
        (_, "pi") => (power(5), 0),
        (_, "ei") => (power(6), 0),
        _ => {
            let mut chars = unit.chars();
            let first = chars.next().map(String::from).unwrap_or_default();
            let shown = format!("{first}{}", chars.as_str().to_lowercase());
            return Err(fault(&format!("unit {shown} not recognized")));
        }
    };
    let bad = || fault("could not parse amount to a number");
    let (negative, digits, mut exponent) = decimal(number).ok_or_else(bad)?;
    host.charge(digits.len().saturating_mul(digits.len() / 64 + 1))?;
    let mut amount = BigUint::parse_bytes(digits.as_bytes(), 10).ok_or_else(bad)?;
    if factor == 0 {
        amount = amount * BigUint::from(1_152_921_504_606_847u64) * BigUint::from(5u8).pow(60);
        exponent -= 60;
    } else {
        amount *= factor;
    }
    exponent += zeros;
    let mut text = amount.to_string();
    if text == "0" {
        return Ok(Number::parse("0").map(Value::Number));
    }
    while exponent < 0 && text.ends_with('0') {
        text.pop();
        exponent += 1;
    }
    let sign = if negative { "-" } else { "" };
    if let Ok(zeros) = usize::try_from(exponent) {
        host.charge(text.len() + zeros)?;
        text.push_str(&"0".repeat(zeros));
        return Ok(Number::parse(&format!("{sign}{text}")).map(Value::Number));
    }
    // Ten decimals, halves away from zero.
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    let cut = places.saturating_sub(10);
    let mut scaled = if cut > text.len() {
        BigUint::from(0u8)
    } else {
        let kept = text.len() - cut;
        let up = text.as_bytes().get(kept).is_some_and(|b| *b >= b'5');
        let head = text.get(..kept).unwrap_or("");
        BigUint::parse_bytes(head.as_bytes(), 10).unwrap_or_default() + u8::from(up)
    };
    if places < 10 {
        scaled *= BigUint::from(10u8).pow(u32::try_from(10 - places).unwrap_or(0));
    }
    let digits = format!("{scaled:0>11}", scaled = scaled.to_string());
    let (whole, fraction) = digits.split_at_checked(digits.len() - 10).unwrap_or((&digits, ""));
    Ok(Number::parse(&format!("{sign}{whole}.{fraction}")).map(Value::Number))
}

/// Bytes, cut to whole ones.
fn parse_bytes(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let fault = |what: &str| error(format!("units.parse_bytes: {what}"));
    let text = string(args, 1)?.to_lowercase().replace('"', "");
    if text.contains(' ') {
        return Err(fault("spaces not allowed in resource strings"));
    }
    let end = number_end(&text).ok_or_else(|| fault("exponent too large"))?;
    let (number, unit) = text.split_at_checked(end).unwrap_or((&text, ""));
    if number.is_empty() {
        return Err(fault("no byte amount provided"));
    }
    let binary = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('i'));
    let name = binary.unwrap_or_else(|| unit.strip_suffix('b').unwrap_or(unit));
    let power = ["", "k", "m", "g", "t", "p", "e"].iter().position(|n| *n == name);
    let power = power.filter(|p| *p > 0 || unit.is_empty());
    let power = power.and_then(|p| u32::try_from(p).ok());
    let power = power.ok_or_else(|| fault(&format!("byte unit {unit} not recognized")))?;
    let factor = BigUint::from(if binary.is_some() { 1024u32 } else { 1000 }).pow(power);
    let bad = || fault("could not parse byte amount to a number");
    let (negative, digits, exponent) = decimal(number).ok_or_else(bad)?;
    let zeros = usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX);
    host.charge(digits.len().saturating_mul(digits.len() / 64 + 1).saturating_add(zeros))?;
    let amount = BigUint::parse_bytes(digits.as_bytes(), 10).ok_or_else(bad)? * factor;
    let mut text = amount.to_string();
    if exponent < 0 {
        text.truncate(text.len().saturating_sub(zeros));
    } else if text != "0" {
        text.push_str(&"0".repeat(zeros));
    }
    if text.is_empty() {
        text.push('0');
    }
    let sign = if negative && text != "0" { "-" } else { "" };
    Ok(Number::parse(&format!("{sign}{text}")).map(Value::Number))
}
