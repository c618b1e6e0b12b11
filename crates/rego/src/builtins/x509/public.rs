//! Public keys: read, shown, and asked whether a signature is theirs.

use super::algorithm::{Curve, Hash, Identifier, Scheme};
use super::der::{Der, NULL, SEQUENCE};
use super::value::{bytes, number, unsigned};
use crate::value::Value;
use num_bigint::BigUint;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The largest RSA modulus that is used, in bits: input must not choose how long a verification takes.
const RSA_BITS: u64 = 8192;
/// Go trusts no smaller ones.
const RSA_BITS_LEAST: u64 = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Public {
    Rsa { n: BigUint, e: i64 },
    Ecdsa { curve: Curve, point: Vec<u8> },
    Ed25519(Vec<u8>),
    Dsa { y: BigUint, p: BigUint, q: BigUint, g: BigUint },
}

const RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 1];
const DSA: &[u32] = &[1, 2, 840, 10_040, 4, 1];
const ECDSA: &[u32] = &[1, 2, 840, 10_045, 2, 1];

/// The number of a key's algorithm (`x509.PublicKeyAlgorithm`); 0 for unknown ones.
pub(crate) fn algorithm(oid: &[u32]) -> i64 {
    match oid {
        RSA => 1,
        DSA => 2,
        ECDSA => 3,
        super::algorithm::ED25519 => 4,
        _ => 0,
    }
}

/// An integer that must be positive; nothing where there is none.
fn positive(der: &mut Der<'_>) -> Option<Option<BigUint>> {
    let bytes = der.integer()?;
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let n = BigUint::from_bytes_be(bytes);
    Some((!negative && n != BigUint::ZERO).then_some(n))
}

/// Reads a key of a known algorithm.
///
/// # Errors
/// In Go's words.
pub(crate) fn read(id: &Identifier, data: &[u8]) -> Result<Public, String> {
    match algorithm(&id.oid) {
        1 => {
            if id.parameters != NULL {
                return Err("x509: RSA key missing NULL parameters".into());
            }
            let mut key = Der(data).read(SEQUENCE).ok_or("x509: invalid RSA public key")?;
            let n = positive(&mut key).ok_or("x509: invalid RSA modulus")?;
            let e = key.int().ok_or("x509: invalid RSA public exponent")?;
            let n = n.ok_or("x509: RSA modulus is not a positive number")?;
            match e > 0 {
                true => Ok(Public::Rsa { n, e }),
                false => Err("x509: RSA public exponent is not a positive number".into()),
            }
        }
        2 => dsa(&id.parameters, data),
        3 => {
            if !Der(&id.parameters).next_is(super::der::OBJECT) || Der(&id.parameters).oid().is_none() {
                return Err("x509: invalid ECDSA parameters".into());
            }
            let curve = Curve::of(&id.parameters).ok_or("x509: unsupported elliptic curve")?;
            let fault = match on_curve(curve, data) {
                true => {
                    return Ok(Public::Ecdsa {
                        curve,
                        point: data.to_vec(),
                    });
                }
                false if data.first() == Some(&4) => "invalid P-256 point".replace("P-256", curve.name()),
                false => "invalid uncompressed public key".to_string(),
            };
            Err(fault)
        }
        _ => {
            if !id.parameters.is_empty() {
                return Err("x509: Ed25519 key encoded with illegal parameters".into());
            }
            match data.len() {
                32 => Ok(Public::Ed25519(data.to_vec())),
                _ => Err("x509: wrong Ed25519 public key size".into()),
            }
        }
    }
}

fn dsa(parameters: &[u8], data: &[u8]) -> Result<Public, String> {
    let y = positive(&mut Der(data)).ok_or("x509: invalid DSA public key")?;
    let mut der = Der(parameters).read(SEQUENCE).ok_or("x509: invalid DSA parameters")?;
    let mut next = || positive(&mut der).ok_or("x509: invalid DSA parameters");
    let (p, q, g) = (next()?, next()?, next()?);
    match (y, p, q, g) {
        (Some(y), Some(p), Some(q), Some(g)) => Ok(Public::Dsa { y, p, q, g }),
        _ => Err("x509: zero or negative DSA parameter".into()),
    }
}

/// Whether an uncompressed point is one of the curve.
fn on_curve(curve: Curve, point: &[u8]) -> bool {
    if point.len() != 1 + 2 * curve.size() || point.first() != Some(&4) {
        return false;
    }
    match curve {
        Curve::P224 => p224::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P521 => p521::PublicKey::from_sec1_bytes(point).is_ok(),
    }
}

/// The coordinates of an uncompressed point.
pub(crate) fn coordinates(point: &[u8]) -> (BigUint, BigUint) {
    let both = point.get(1..).unwrap_or_default();
    let (x, y) = both.split_at_checked(both.len() / 2).unwrap_or_default();
    (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y))
}

impl Public {
    /// The fields of Go's structure.
    pub(crate) fn value(&self) -> Value {
        match self {
            Public::Rsa { n, e } => Value::record([("N", unsigned(n)), ("E", number(*e))]),
            Public::Ecdsa { point, .. } => {
                let (x, y) = coordinates(point);
                Value::record([
                    ("Curve", Value::object(Vec::new())),
                    ("X", unsigned(&x)),
                    ("Y", unsigned(&y)),
                ])
            }
            Public::Ed25519(key) => bytes(key),
            Public::Dsa { y, p, q, g } => Value::record([
                ("P", unsigned(p)),
                ("Q", unsigned(q)),
                ("G", unsigned(g)),
                ("Y", unsigned(y)),
            ]),
        }
    }

    /// Whether a signature of a text is this key's.
    pub(crate) fn verifies(&self, scheme: Scheme, text: &[u8], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Public::Rsa { n, e }, Scheme::Rsa(hash)) => {
                let Some(key) = rsa_key(n, *e) else {
                    return false;
                };
                let padding = match hash {
                    Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
                    Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
                    Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
                };
                key.verify(padding, &hashed(hash, text), signature).is_ok()
            }
            (Public::Rsa { n, e }, Scheme::RsaPss(hash)) => {
                let Some(key) = rsa_key(n, *e) else {
                    return false;
                };
                let padding = match hash {
                    Hash::Sha256 => Pss::new::<Sha256>(),
                    Hash::Sha384 => Pss::new::<Sha384>(),
                    Hash::Sha512 => Pss::new::<Sha512>(),
                };
                key.verify(padding, &hashed(hash, text), signature).is_ok()
            }
            (Public::Ecdsa { curve, point }, Scheme::Ecdsa(hash)) => {
                ecdsa_verifies(*curve, point, &hashed(hash, text), signature)
            }
            (Public::Ed25519(key), Scheme::Ed25519) => {
                let Some(key) = key.as_slice().try_into().ok().and_then(|k| {
                    ed25519_dalek::VerifyingKey::from_bytes(k).ok()
                }) else {
                    return false;
                };
                ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|s| ed25519_dalek::Verifier::verify(&key, text, &s).is_ok())
            }
            _ => false,
        }
    }
}

fn rsa_key(n: &BigUint, e: i64) -> Option<RsaPublicKey> {
    if !(RSA_BITS_LEAST..=RSA_BITS).contains(&n.bits()) || e > i64::from(i32::MAX) || e < 2 {
        return None;
    }
    let e = u64::try_from(e).ok()?;
    RsaPublicKey::new_with_max_size(
        rsa::BigUint::from_bytes_be(&n.to_bytes_be()),
        e.into(),
        usize::try_from(RSA_BITS).ok()?,
    )
    .ok()
}

fn hashed(hash: Hash, text: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(text).to_vec(),
        Hash::Sha384 => Sha384::digest(text).to_vec(),
        Hash::Sha512 => Sha512::digest(text).to_vec(),
    }
}

/// A hash brought to the size of a curve's numbers: its first bytes, or zeros before it.
pub(crate) fn fitted(hash: &[u8], size: usize) -> Vec<u8> {
    match hash.get(..size) {
        Some(first) => first.to_vec(),
        None => {
            let zeros = std::iter::repeat_n(0, size - hash.len());
            zeros.chain(hash.iter().copied()).collect()
        }
    }
}

fn ecdsa_verifies(curve: Curve, point: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    let hash = fitted(hash, curve.size());
    match curve {
        Curve::P224 => p224::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
            p224::ecdsa::Signature::from_der(signature).is_ok_and(|s| key.verify_prehash(&hash, &s).is_ok())
        }),
        Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
            p256::ecdsa::Signature::from_der(signature).is_ok_and(|s| key.verify_prehash(&hash, &s).is_ok())
        }),
        Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
            p384::ecdsa::Signature::from_der(signature).is_ok_and(|s| key.verify_prehash(&hash, &s).is_ok())
        }),
        Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
            p521::ecdsa::Signature::from_der(signature).is_ok_and(|s| key.verify_prehash(&hash, &s).is_ok())
        }),
    }
}
