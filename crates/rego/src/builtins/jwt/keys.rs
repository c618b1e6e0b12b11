//! Keys: from PEM (a certificate, a public key) or JSON (a key, a set of keys).

use super::{json, url_bytes};
use crate::builtins::Host;
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};

/// The largest RSA modulus that is used, in bits: input must not choose how long a verification takes.
const RSA_BITS: usize = 8192;

/// What verifies.
pub(crate) enum Public {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
    Secret(Vec<u8>),
    /// A key of a kind that verifies nothing here.
    Other,
}

/// A key with what its set says of it.
pub(crate) struct Key {
    pub(crate) alg: String,
    pub(crate) kid: String,
    pub(crate) public: Public,
}

/// The keys of a certificate, a public key, a JSON key or a set of them.
pub(crate) fn public(host: &mut dyn Host, text: &str) -> Result<Vec<Key>, String> {
    if let Some((kind, der, rest)) = pem(text) {
        if !rest.is_empty() {
            return Err("extra data after a PEM certificate block".into());
        }
        let info = match kind {
            "CERTIFICATE" => {
                certificate_key(&der).ok_or("failed to parse a PEM certificate: x509: malformed certificate")?
            }
            "PUBLIC KEY" => der.as_slice(),
            _ => return Err("failed to extract a Key from the PEM certificate".into()),
        };
        let public = spki(info).ok_or("failed to parse a PEM public key: x509: malformed public key")?;
        let (alg, kid) = Default::default();
        return Ok(vec![Key { alg, kid, public }]);
    }
    let mut out = Vec::new();
    for key in json_keys(host, text).map_err(|e| format!("failed to parse a JWK key (set): {e}"))? {
        let word = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let public = json_key(&key).map_err(|e| format!("failed to parse a JWK key (set): {e}"))?;
        let alg = word("alg");
        if alg.is_empty() || super::ALGORITHMS.contains(&alg.as_str()) {
            out.push(Key {
                alg,
                kid: word("kid"),
                public,
            });
        }
    }
    Ok(out)
}

/// The JSON keys of a text: one, or those of a set.
pub(crate) fn json_keys(host: &mut dyn Host, text: &str) -> Result<Vec<Value>, String> {
    let value = json(host, text)?;
    match value.get("keys").and_then(Value::as_array) {
        Some(keys) => Ok(keys.to_vec()),
        None if value.get("kty").is_some() => Ok(vec![value]),
        None => Err("no key type (kty)".into()),
    }
}

/// The bytes of a field of a JSON key.
pub(crate) fn field(key: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = key
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("no field {name}"))?;
    url_bytes(text).ok_or_else(|| format!("field {name} is not base64url"))
}

fn json_key(key: &Value) -> Result<Public, String> {
    let word = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let invalid = || "the key is not valid".to_string();
    match (word("kty"), word("crv")) {
        ("RSA", _) => rsa_key(&field(key, "n")?, &field(key, "e")?).ok_or_else(invalid),
        ("EC", crv) => {
            let mut point = vec![4];
            let width = match crv {
                "P-256" => 32,
                "P-384" => 48,
                "P-521" => 66,
                _ => return Ok(Public::Other),
            };
            for name in ["x", "y"] {
                let bytes = field(key, name)?;
                point.extend(std::iter::repeat_n(0, width - bytes.len().min(width)));
                point.extend(bytes);
            }
            point_key(crv, &point).ok_or_else(invalid)
        }
        ("OKP", "Ed25519") => ed25519(&field(key, "x")?).ok_or_else(invalid),
        ("oct", _) => Ok(Public::Secret(field(key, "k")?)),
        ("OKP", _) => Ok(Public::Other),
        (kind, _) => Err(format!("invalid key type from JSON ({kind})")),
    }
}

fn rsa_key(n: &[u8], e: &[u8]) -> Option<Public> {
    let (n, e) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
    RsaPublicKey::new_with_max_size(n, e, RSA_BITS).ok().map(Public::Rsa)
}

fn point_key(curve: &str, point: &[u8]) -> Option<Public> {
    match curve {
        "P-256" => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Public::P256),
        "P-384" => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Public::P384),
        "P-521" => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Public::P521),
        _ => None,
    }
}

fn ed25519(bytes: &[u8]) -> Option<Public> {
    let bytes = bytes.try_into().ok()?;
    ed25519_dalek::VerifyingKey::from_bytes(&bytes)
        .ok()
        .map(Public::Ed25519)
}

/// The RSA key of a JSON key, to sign with.
pub(crate) fn rsa_private(key: &Value) -> Result<RsaPrivateKey, String> {
    let number = |name: &str| field(key, name).map(|b| BigUint::from_bytes_be(&b));
    let (n, e, d) = (number("n")?, number("e")?, number("d")?);
    if n.bits() > RSA_BITS {
        return Err("the RSA key is too large".into());
    }
    let primes = vec![number("p")?, number("q")?];
    RsaPrivateKey::from_components(n, e, d, primes).map_err(|e| e.to_string())
}

/// The first PEM block: its kind, its bytes and what follows.
fn pem(text: &str) -> Option<(&str, Vec<u8>, &str)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let (body, rest) = rest.split_once(&format!("-----END {kind}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let rest = rest.trim_start_matches([' ', '\t', '\r']);
    Some((
        kind,
        STANDARD.decode(body).ok()?,
        rest.strip_prefix('\n').unwrap_or(rest),
    ))
}

const SEQUENCE: u8 = 0x30;

/// The next element of DER: its tag, its content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The content of the next element if it has a tag, and what follows.
fn tagged(der: &[u8], want: u8) -> Option<(&[u8], &[u8])> {
    element(der).filter(|e| e.0 == want).map(|e| (e.1, e.2))
}

/// The public key's info within a certificate.
fn certificate_key(der: &[u8]) -> Option<&[u8]> {
    let (whole, after) = tagged(der, SEQUENCE)?;
    let (mut fields, _) = tagged(whole, SEQUENCE)?;
    if !after.is_empty() {
        return None;
    }
    if let Some((_, rest)) = tagged(fields, 0xa0) {
        fields = rest;
    }
    // Serial number, algorithm, issuer, validity, subject.
    for tag in [2, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        fields = tagged(fields, tag)?.1;
    }
    let (_, rest) = tagged(fields, SEQUENCE)?;
    fields.get(..fields.len() - rest.len())
}

/// The key of a public key's info.
fn spki(der: &[u8]) -> Option<Public> {
    let (info, _) = tagged(der, SEQUENCE)?;
    let (algorithm, rest) = tagged(info, SEQUENCE)?;
    let (bits, _) = tagged(rest, 3)?;
    let bits = bits.strip_prefix(&[0])?;
    let (id, parameters) = tagged(algorithm, 6)?;
    match id {
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" => {
            let (key, _) = tagged(bits, SEQUENCE)?;
            let (n, rest) = tagged(key, 2)?;
            rsa_key(n, tagged(rest, 2)?.0)
        }
        b"\x2a\x86\x48\xce\x3d\x02\x01" => match tagged(parameters, 6)?.0 {
            b"\x2a\x86\x48\xce\x3d\x03\x01\x07" => point_key("P-256", bits),
            b"\x2b\x81\x04\x00\x22" => point_key("P-384", bits),
            b"\x2b\x81\x04\x00\x23" => point_key("P-521", bits),
            _ => Some(Public::Other),
        },
        b"\x2b\x65\x70" => ed25519(bits),
        _ => Some(Public::Other),
    }
}
