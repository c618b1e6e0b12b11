//! `uuid.*`.

use super::operand::{any, string};
use super::{Answer, Host, Table};
use crate::value::Value;
use crate::value_text;

pub(crate) const TABLE: Table = &[("uuid.parse", parse), ("uuid.rfc4122", rfc4122)];

/// Seconds between the UUID's epoch (15 October 1582) and 1970.
const EPOCH: i64 = 12_219_292_800;

fn rfc4122(host: &mut dyn Host, args: &[&Value]) -> Answer {
    // One key, one number of the host: two halves of a UUID are two keys.
    let key = value_text::text(any(args, 1)?);
    let high = host.random(&format!("uuid {key}")).to_be_bytes();
    let low = host.random(&format!("uuid low {key}")).to_be_bytes();
    let high = u64::from_be_bytes(high) & !0xf000 | 0x4000;
    let low = u64::from_be_bytes(low) & !(0xc0 << 56) | (0x80 << 56);
    Ok(Some(Value::string(format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    ))))
}

/// The forms Go's library takes: plain, `urn:uuid:` before it, in braces (any two characters), without dashes.
fn read(text: &str) -> Option<u128> {
    let text = match text.len() {
        36 | 32 => text,
        45 if text.get(..9)?.eq_ignore_ascii_case("urn:uuid:") => text.get(9..)?,
        38 => text.get(1..37)?,
        _ => return None,
    };
    let digits: String = if text.len() == 32 {
        text.to_string()
    } else {
        let parts: Vec<&str> = text.split('-').collect();
        if parts.iter().map(|p| p.len()).ne([8, 4, 4, 4, 12]) {
            return None;
        }
        parts.concat()
    };
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok()
}

fn parse(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let Some(id) = read(string(args, 1)?) else {
        return Ok(None);
    };
    let bytes = id.to_be_bytes();
    let part = |shift: u32, bits: u32| i64::try_from(id >> shift & ((1 << bits) - 1)).unwrap_or(0);
    let version = part(76, 4);
    let variant = match part(60, 4) {
        0..=7 => "Reserved",
        8..=11 => "RFC4122",
        12 | 13 => "Microsoft",
        _ => "Future",
    };
    let mut fields = vec![
        (Value::string("version"), Value::from(version)),
        (Value::string("variant"), Value::string(variant)),
    ];
    if version == 1 || version == 2 {
        // Version 2 keeps an id where the low part of the time would be; OPA reads it as time all the same.
        let ticks = part(96, 32) | part(80, 16) << 32 | part(64, 12) << 48;
        let seconds = ticks / 10_000_000 - EPOCH;
        let nanos = seconds
            .wrapping_mul(1_000_000_000)
            .wrapping_add(ticks % 10_000_000 * 100);
        let node: Vec<String> = bytes.iter().skip(10).map(|b| format!("{b:02x}")).collect();
        let mac = match bytes.get(10).map_or(0, |b| b & 3) {
            3 => "local:multicast",
            1 => "global:multicast",
            2 => "local:unicast",
            _ => "global:unicast",
        };
        fields.extend([
            (Value::string("time"), Value::from(nanos)),
            (Value::string("nodeid"), Value::string(node.join("-"))),
            (Value::string("macvariables"), Value::string(mac)),
            (Value::string("clocksequence"), Value::from(part(48, 14))),
        ]);
        if version == 2 {
            let domain = part(48, 8);
            let name = match domain {
                0 => "Person".to_string(),
                1 => "Group".to_string(),
                2 => "Org".to_string(),
                n => format!("Domain{n}"),
            };
            fields.push((Value::string("id"), Value::from(part(96, 32))));
            fields.push((Value::string("domain"), Value::string(name)));
        }
    }
    Ok(Some(Value::object(fields)))
}
