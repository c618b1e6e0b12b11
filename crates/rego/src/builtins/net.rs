//! `net.cidr_*`: networks of IP addresses, as text.

use super::operand::{error, string, too_large};
use super::{Answer, Failure, Host, Table, lists};
use crate::value::Value;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) const TABLE: Table = &[
    ("net.cidr_contains", contains),
    ("net.cidr_contains_matches", contains_matches),
    ("net.cidr_expand", expand),
    ("net.cidr_intersects", intersects),
    ("net.cidr_is_valid", is_valid),
    ("net.cidr_merge", merge),
    ("net.cidr_overlap", contains),
];

/// An address; an IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is one of IPv4, as in Go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    v6: bool,
    bits: u128,
}

/// A network: its first and last address.
#[derive(Clone, Copy)]
struct Net {
    v6: bool,
    first: u128,
    last: u128,
}

fn address(text: &str) -> Option<Address> {
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Some(Address {
            v6: false,
            bits: u32::from(ip).into(),
        });
    }
    let ip = text.parse::<Ipv6Addr>().ok()?;
    Some(match ip.to_ipv4_mapped() {
        Some(ip) => Address {
            v6: false,
            bits: u32::from(ip).into(),
        },
        None => Address {
            v6: true,
            bits: ip.into(),
        },
    })
}

fn width(v6: bool) -> u32 {
    if v6 { 128 } else { 32 }
}

fn low_bits(count: u32) -> u128 {
    u128::MAX.checked_shr(128 - count).unwrap_or(0)
}

fn net(text: &str) -> Result<Net, Failure> {
    let bad = || error(format!("invalid CIDR address: {text}"));
    let (ip, prefix) = text.split_once('/').ok_or_else(bad)?;
    // Go decides the width by how the address is written.
    let written_v6 = ip.contains(':');
    let ip = address(ip).ok_or_else(bad)?;
    if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let prefix: u32 = prefix.parse().map_err(|_| bad())?;
    if prefix > width(written_v6) {
        return Err(bad());
    }
    // A mapped address under an IPv6 prefix: whole IPv6 space above 96 bits is that of IPv4.
    let mapped = written_v6 && !ip.v6;
    let (v6, bits, prefix) = match (mapped, prefix.checked_sub(96)) {
        (true, Some(rest)) => (false, ip.bits, rest),
        (true, None) => (true, 0xffff_0000_0000 | ip.bits, prefix),
        _ => (ip.v6, ip.bits, prefix),
    };
    let host = low_bits(width(v6) - prefix);
    Ok(Net {
        v6,
        first: bits & !host,
        last: bits | host,
    })
}

fn has(net: &Net, ip: Address) -> bool {
    net.v6 == ip.v6 && net.first <= ip.bits && ip.bits <= net.last
}

fn text_of(v6: bool, bits: u128) -> String {
    match u32::try_from(bits) {
        Ok(bits) if !v6 => Ipv4Addr::from(bits).to_string(),
        _ => Ipv6Addr::from(bits).to_string(),
    }
}

fn first(net: &Net) -> Address {
    Address {
        v6: net.v6,
        bits: net.first,
    }
}

fn last(net: &Net) -> Address {
    Address {
        v6: net.v6,
        bits: net.last,
    }
}

fn one_contains(a: &str, b: &str) -> Result<bool, Failure> {
    let outer = net(a)?;
    if let Some(ip) = address(b) {
        return Ok(has(&outer, ip));
    }
    let inner = net(b).map_err(|_| {
        error(format!(
            "not a valid textual representation of an IP address or CIDR: {b}"
        ))
    })?;
    Ok(has(&outer, first(&inner)) && has(&outer, last(&inner)))
}

/// OPA counts every operand here as the first one.
fn both<'a>(args: &[&'a Value]) -> Result<(&'a str, &'a str), Failure> {
    let a = string(args, 1)?;
    let b = string(args.get(1..).unwrap_or(&[]), 1)?;
    Ok((a, b))
}

fn contains(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let a = string(args, 1)?;
    net(a)?;
    let (a, b) = both(args)?;
    Ok(Some(Value::Bool(one_contains(a, b)?)))
}

fn intersects(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let a = net(string(args, 1)?)?;
    let b = net(both(args)?.1)?;
    Ok(Some(Value::Bool(has(&a, first(&b)) || has(&b, first(&a)))))
}

fn is_valid(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(Value::Bool(string(args, 1).is_ok_and(|s| net(s).is_ok()))))
}

fn expand(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let net = net(string(args, 1)?)?;
    let count = net.last - net.first;
    let Some(count) = usize::try_from(count).ok().filter(|c| *c < 1 << 24) else {
        return Err(too_large("network"));
    };
    host.charge((count + 1).saturating_mul(48))?;
    let all = (net.first..=net.last).map(|bits| Value::string(text_of(net.v6, bits)));
    Ok(Some(Value::set(all.collect())))
}

/// What is matched, and what it is called in the answer.
fn candidates(place: usize, operand: &Value) -> Result<Vec<(Value, Value)>, Failure> {
    let term = |v: &Value| match v {
        Value::String(_) => Ok(v.clone()),
        Value::Array(a) if !a.is_empty() => Ok(a.first().cloned().unwrap_or(Value::Null)),
        _ => Err(error(format!(
            "operand {place}: element must be string or non-empty array"
        ))),
    };
    match operand {
        Value::String(_) => Ok(vec![(operand.clone(), operand.clone())]),
        Value::Array(a) => {
            let places = (0i64..).map(Value::from);
            a.iter().zip(places).map(|(v, i)| Ok((term(v)?, i))).collect()
        }
        Value::Set(s) => s.iter().map(|v| Ok((term(v)?, v.clone()))).collect(),
        Value::Object(o) => o.iter().map(|(k, v)| Ok((term(v)?, k.clone()))).collect(),
        _ => Ok(Vec::new()),
    }
}

fn contains_matches(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (Some(a), Some(b)) = (args.first(), args.get(1)) else {
        return Ok(None);
    };
    let outer = candidates(1, a)?;
    if outer.is_empty() {
        return Ok(Some(Value::set(Vec::new())));
    }
    let inner = candidates(2, b)?;
    let mut out = Vec::new();
    for (cidr, name) in &outer {
        host.charge(inner.len())?;
        for (other, other_name) in &inner {
            if contains(host, &[cidr, other])? == Some(Value::Bool(true)) {
                host.charge(64)?;
                out.push(Value::array(vec![name.clone(), other_name.clone()]));
            }
        }
    }
    Ok(Some(Value::set(out)))
}

/// Prefix of an address without one: that of its historical class.
fn class_prefix(bits: u128) -> Option<u32> {
    match bits >> 24 {
        0..=127 => Some(8),
        128..=191 => Some(16),
        192..=223 => Some(24),
        _ => None,
    }
}

fn merge(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let items = match args.first() {
        Some(Value::Array(a)) => a.as_slice(),
        Some(Value::Set(s)) => s.items(),
        _ => return Err(error("operand must be an array")),
    };
    host.charge(items.len().saturating_mul(64))?;
    let mut nets = Vec::with_capacity(items.len());
    for item in items {
        host.work(0)?;
        let text = item.as_str().ok_or_else(|| error("element must be string"))?;
        let Some(ip) = address(text) else {
            nets.push(net(text)?);
            continue;
        };
        if ip.v6 {
            return Err(error("IPv6 invalid: needs prefix length"));
        }
        let prefix = class_prefix(ip.bits).unwrap_or(32);
        let host_bits = low_bits(32 - prefix);
        nets.push(Net {
            v6: false,
            first: ip.bits & !host_bits,
            last: ip.bits | host_bits,
        });
    }
    let nets = lists::sorted(host, nets, |a, b| (a.v6, a.first, a.last).cmp(&(b.v6, b.first, b.last)))?;
    let mut ranges: Vec<(bool, u128, u128)> = Vec::new();
    for n in &nets {
        match ranges.last_mut() {
            Some(r) if r.0 == n.v6 && n.first <= r.2.saturating_add(1) => r.2 = r.2.max(n.last),
            _ => ranges.push((n.v6, n.first, n.last)),
        }
    }
    let mut out = Vec::new();
    for (v6, mut from, to) in ranges {
        loop {
            host.work(0)?;
            // The largest block that begins here and ends in the range.
            let mut bits = from.trailing_zeros().min(width(v6));
            while bits > 0 && from | low_bits(bits) > to {
                bits -= 1;
            }
            let end = from | low_bits(bits);
            out.push(Value::string(format!("{}/{}", text_of(v6, from), width(v6) - bits)));
            if end >= to {
                break;
            }
            from = end + 1;
        }
    }
    Ok(Some(Value::set(out)))
}
