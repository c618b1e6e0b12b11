//! Public keys: read, shown, and asked whether a signature is theirs.

use super::algorithm::{Curve, Hash, Identifier, Scheme};
use super::der::{Der, INTEGER_BYTES, NULL, SEQUENCE, TOO_LARGE};
use super::pss;
use super::value::{bytes, number, unsigned};
use crate::value::Value;
use num_bigint::BigUint;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The largest RSA modulus that is used, in bits: input must not choose how long a verification takes.
pub(crate) const RSA_BITS_MOST: usize = 8192;
/// Go trusts no smaller ones.
pub(crate) const RSA_BITS_LEAST: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Public {
    Rsa {
        n: BigUint,
        e: i64,
    },
    Ecdsa {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    Dsa {
        y: BigUint,
        p: BigUint,
        q: BigUint,
        g: BigUint,
    },
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

/// An integer that must be positive; nothing where it is not.
fn positive(der: &mut Der<'_>, fault: &str) -> Result<Option<BigUint>, String> {
    let bytes = der.integer().ok_or(fault)?;
    if bytes.len() > INTEGER_BYTES {
        return Err(TOO_LARGE.into());
    }
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let n = BigUint::from_bytes_be(bytes);
    Ok((!negative && n != BigUint::ZERO).then_some(n))
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
            let n = positive(&mut key, "x509: invalid RSA modulus")?;
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
    let y = positive(&mut Der(data), "x509: invalid DSA public key")?;
    let mut der = Der(parameters).read(SEQUENCE).ok_or("x509: invalid DSA parameters")?;
    let mut next = || positive(&mut der, "x509: invalid DSA parameters");
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
            (Public::Rsa { n, e }, Scheme::Rsa(hash)) => rsa_verifies(n, *e, hash, &hashed(hash, text), signature),
            (Public::Rsa { n, e }, Scheme::RsaPss(hash)) => {
                let salt = hashed(hash, b"").len();
                pss::verifies(n, *e, hash, &hashed(hash, text), signature, Some(salt))
            }
            (Public::Ecdsa { curve, point }, Scheme::Ecdsa(hash)) => {
                ecdsa_verifies(*curve, point, &hashed(hash, text), Form::Der, signature)
            }
            (Public::Ed25519(key), Scheme::Ed25519) => ed25519_verifies(key, text, signature),
            _ => false,
        }
    }
}

/// An RSA key of two numbers; nothing where they make none.
pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Option<Public> {
    let n = BigUint::from_bytes_be(n);
    let e = i64::try_from(BigUint::from_bytes_be(e)).ok()?;
    (n != BigUint::ZERO && e > 0).then_some(Public::Rsa { n, e })
}

/// An ECDSA key of an uncompressed point; nothing where it is none of the curve.
pub(crate) fn point(curve: Curve, point: &[u8]) -> Option<Public> {
    on_curve(curve, point).then(|| Public::Ecdsa {
        curve,
        point: point.to_vec(),
    })
}

/// The key as its crate has it, if it is one that Go uses.
pub(super) fn rsa_key(n: &BigUint, e: i64) -> Option<RsaPublicKey> {
    let bits = usize::try_from(n.bits()).ok()?;
    if !(RSA_BITS_LEAST..=RSA_BITS_MOST).contains(&bits) || e > i64::from(i32::MAX) || e < 2 {
        return None;
    }
    let e = u64::try_from(e).ok()?;
    RsaPublicKey::new_with_max_size(rsa::BigUint::from_bytes_be(&n.to_bytes_be()), e.into(), RSA_BITS_MOST).ok()
}

/// Whether a signature by PKCS #1 v1.5 is a key's.
pub(crate) fn rsa_verifies(n: &BigUint, e: i64, hash: Hash, hashed: &[u8], signature: &[u8]) -> bool {
    let padding = match hash {
        Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    };
    rsa_key(n, e).is_some_and(|key| key.verify(padding, hashed, signature).is_ok())
}

/// Whether a signature by Ed25519 is a key's.
pub(crate) fn ed25519_verifies(key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let key = <&[u8; 32]>::try_from(key)
        .ok()
        .and_then(|k| ed25519_dalek::VerifyingKey::from_bytes(k).ok());
    let signature = ed25519_dalek::Signature::from_slice(signature).ok();
    match (key, signature) {
        (Some(key), Some(signature)) => ed25519_dalek::Verifier::verify(&key, text, &signature).is_ok(),
        _ => false,
    }
}

/// The hash of a text.
pub(crate) fn hashed(hash: Hash, text: &[u8]) -> Vec<u8> {
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

/// How the two numbers of an ECDSA signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Der,
    /// One after the other, each of the curve's size.
    Fixed,
    /// One after the other, half of the bytes each.
    Halves,
}

/// Whether a signature by ECDSA is a key's.
pub(crate) fn ecdsa_verifies(curve: Curve, point: &[u8], hash: &[u8], form: Form, signature: &[u8]) -> bool {
    let size = curve.size();
    let hash = fitted(hash, size);
    let fixed = match form {
        Form::Der => None,
        Form::Fixed => Some(signature.to_vec()),
        Form::Halves => {
            let (r, s) = signature.split_at_checked(signature.len() / 2).unwrap_or_default();
            let mut both = Vec::new();
            for number in [r, s] {
                let zeros = number.iter().take_while(|b| **b == 0).count();
                let number = number.get(zeros..).unwrap_or_default();
                if number.len() > size {
                    return false;
                }
                both.extend(fitted(number, size));
            }
            Some(both)
        }
    };
    macro_rules! verifies {
        ($krate:ident) => {{
            let key = $krate::ecdsa::VerifyingKey::from_sec1_bytes(point).ok();
            let signature = match &fixed {
                Some(bytes) => $krate::ecdsa::Signature::from_slice(bytes).ok(),
                None => $krate::ecdsa::Signature::from_der(signature).ok(),
            };
            match (key, signature) {
                (Some(key), Some(signature)) => key.verify_prehash(&hash, &signature).is_ok(),
                _ => false,
            }
        }};
    }
    match curve {
        Curve::P224 => verifies!(p224),
        Curve::P256 => verifies!(p256),
        Curve::P384 => verifies!(p384),
        Curve::P521 => verifies!(p521),
    }
}
