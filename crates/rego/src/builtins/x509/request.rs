//! Requests for certificates.

use super::algorithm;
use super::certificate::{Extension, read_extension, read_key};
use super::der::{Der, Oid, SEQUENCE, SET, fields};
use super::extensions::{ALTERNATIVE_NAMES, Names, alternative_names};
use super::instant;
use super::name;
use super::value::{bytes, extension, list, name as name_value, names, number, record};
use crate::value::Value;
use rustc_hash::FxHashSet;

/// The attribute that asks for extensions.
const EXTENSION_REQUEST: &[u32] = &[1, 2, 840, 113_549, 1, 9, 14];

/// What Go says of what is not shaped as wanted, shortened.
const STRUCTURE: &str = "asn1: structure error: tags don't match";

/// A request's fields as Go's JSON writer writes them.
///
/// # Errors
/// In Go's words, where they are short.
pub(crate) fn read(der: &[u8]) -> Result<Value, String> {
    if der.is_empty() {
        return Err("asn1: syntax error: sequence truncated".into());
    }
    let mut rest = Der(der);
    let raw = rest.whole(SEQUENCE).ok_or(STRUCTURE)?;
    let mut outer = Der(raw).read(SEQUENCE).ok_or(STRUCTURE)?;
    let raw_signed = outer.whole(SEQUENCE).ok_or(STRUCTURE)?;
    let mut signed = Der(raw_signed).read(SEQUENCE).ok_or(STRUCTURE)?;
    let version = signed.int().ok_or(STRUCTURE)?;
    let raw_subject = signed.any().ok_or(STRUCTURE)?.whole;
    let raw_key = signed.whole(SEQUENCE).ok_or(STRUCTURE)?;
    let mut attributes = signed.read(fields(0)).ok_or(STRUCTURE)?;
    let id = algorithm::identifier(outer.read(SEQUENCE).ok_or(STRUCTURE)?).map_err(|_| STRUCTURE)?;
    let signature = outer.right_bits().ok_or(STRUCTURE)?;
    if !rest.is_empty() {
        return Err("asn1: syntax error: trailing data".into());
    }
    let (key_algorithm, key) = read_key(raw_key)?;
    let subject = name::read(raw_subject)?;
    let mut shown = Vec::new();
    let mut extensions = Vec::new();
    let mut seen = FxHashSet::default();
    while !attributes.is_empty() {
        let one = attributes.any().ok_or(STRUCTURE)?.whole;
        shown.extend(attribute(one));
        for e in requested(one)? {
            if !seen.insert(e.id.clone()) {
                return Err("x509: certificate request contains duplicate requested extensions".into());
            }
            extensions.push(e);
        }
    }
    let mut alternative = Names::default();
    for e in extensions.iter().filter(|e| e.id == ALTERNATIVE_NAMES) {
        alternative = alternative_names(&e.value)?;
    }
    let mut out = vec![
        ("Raw", bytes(raw)),
        ("RawTBSCertificateRequest", bytes(raw_signed)),
        ("RawSubjectPublicKeyInfo", bytes(raw_key)),
        ("RawSubject", bytes(raw_subject)),
        ("Version", number(version)),
        ("Signature", bytes(&signature)),
        ("SignatureAlgorithm", number(algorithm::signature(&id).number)),
        ("PublicKeyAlgorithm", number(key_algorithm)),
        ("PublicKey", key.as_ref().map_or(Value::Null, |k| k.value())),
        ("Subject", name_value(&subject)),
        ("Attributes", list(&shown, Value::clone)),
        ("Extensions", list(&extensions, extension)),
        ("ExtraExtensions", Value::Null),
    ];
    names(&mut out, &alternative);
    Ok(record(out))
}

/// An attribute whose values are lists of pairs; others are not shown.
fn attribute(der: &[u8]) -> Option<Value> {
    let mut parts = Der(der).read(SEQUENCE)?;
    let kind = parts.oid()?;
    let mut set = parts.read(SET)?;
    let mut values = Vec::new();
    while !set.is_empty() {
        let mut pairs = set.read(SEQUENCE)?;
        let mut inner = Vec::new();
        while !pairs.is_empty() {
            let mut pair = pairs.read(SEQUENCE)?;
            inner.push(Value::record([("Type", oid(&pair.oid()?)), ("Value", any(&mut pair)?)]));
        }
        values.push(Value::array(inner));
    }
    Some(Value::record([("Type", oid(&kind)), ("Value", Value::array(values))]))
}

fn oid(id: &Oid) -> Value {
    Value::array(id.iter().map(|n| Value::from(i64::from(*n))).collect())
}

/// What Go makes of a value of any type.
fn any(der: &mut Der<'_>) -> Option<Value> {
    let mut rest = *der;
    let element = der.any()?;
    let text = || String::from_utf8(element.content.to_vec()).ok();
    Some(match element.tag {
        1 => Value::Bool(rest.boolean()?),
        2 => Value::from(rest.int()?),
        3 => {
            let (bits, padding) = rest.bits()?;
            let length = i64::try_from(bits.len() * 8).ok()? - i64::from(padding);
            Value::record([("Bytes", bytes(bits)), ("BitLength", number(length))])
        }
        4 => bytes(element.content),
        6 => oid(&rest.oid()?),
        12 | 18 | 19 | 20 | 22 => Value::string(text()?),
        23 | 24 => Value::string(instant::read(&mut rest).ok()?.text()?),
        _ => Value::Null,
    })
}

/// The extensions an attribute asks for; none where it is another.
fn requested(der: &[u8]) -> Result<Vec<Extension>, String> {
    let parts = || {
        let mut rest = Der(der);
        let mut parts = rest.read(SEQUENCE)?;
        let id = parts.oid()?;
        let first = parts.read(SET)?.any()?;
        Some((id, first.whole))
    };
    let Some((id, first)) = parts() else {
        return Ok(Vec::new());
    };
    if id != EXTENSION_REQUEST {
        return Ok(Vec::new());
    }
    let mut all = Der(first).read(SEQUENCE).ok_or(STRUCTURE)?;
    let mut out = Vec::new();
    while !all.is_empty() {
        out.push(read_extension(all.read(SEQUENCE).ok_or(STRUCTURE)?)?);
    }
    Ok(out)
}
