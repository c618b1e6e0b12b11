//! Keys: from PEM (a certificate, a public key) or JSON (a key, a set of keys).

use super::{json, url_bytes};
use crate::builtins::Host;
use crate::builtins::x509::algorithm::Curve;
use crate::builtins::x509::certificate::{read_key, read_one};
use crate::builtins::x509::pem;
use crate::builtins::x509::public;
use crate::value::Value;
use rsa::{BigUint, RsaPrivateKey};

/// What verifies.
pub(crate) enum Public {
    Key(public::Public),
    Secret(Vec<u8>),
    /// A key of a kind that verifies nothing here.
    Other,
}

/// A key with what its set says of it.
pub(crate) struct Key {
    pub(crate) alg: String,
    pub(crate) kid: String,
    pub(crate) public: Public,
    /// It was given with its secret part.
    pub(crate) private: bool,
}

/// The keys of a certificate, a public key, a JSON key or a set of them.
pub(crate) fn public(host: &mut dyn Host, text: &str) -> Result<Vec<Key>, String> {
    if let Some((block, rest)) = pem::decode(text.as_bytes()) {
        if !rest.is_empty() {
            return Err("extra data after a PEM certificate block".into());
        }
        let key = match block.kind.as_str() {
            "CERTIFICATE" => {
                read_one(&block.bytes)
                    .map_err(|e| format!("failed to parse a PEM certificate: {e}"))?
                    .key
            }
            "PUBLIC KEY" => {
                read_key(&block.bytes)
                    .map_err(|e| format!("failed to parse a PEM public key: {e}"))?
                    .1
            }
            _ => return Err("failed to extract a Key from the PEM certificate".into()),
        };
        let (alg, kid) = Default::default();
        return Ok(vec![Key {
            alg,
            kid,
            public: key.map_or(Public::Other, Public::Key),
            private: false,
        }]);
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
                private: key.get("d").is_some(),
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
        ("RSA", _) => public::rsa(&field(key, "n")?, &field(key, "e")?)
            .map(Public::Key)
            .ok_or_else(invalid),
        ("EC", crv) => {
            let Some(curve) = curve(crv) else {
                return Ok(Public::Other);
            };
            let width = curve.size();
            let mut point = vec![4];
            for name in ["x", "y"] {
                let bytes = field(key, name)?;
                point.extend(std::iter::repeat_n(0, width - bytes.len().min(width)));
                point.extend(bytes);
            }
            public::point(curve, &point).map(Public::Key).ok_or_else(invalid)
        }
        ("OKP", "Ed25519") => {
            let x = field(key, "x")?;
            match x.len() {
                32 => Ok(Public::Key(public::Public::Ed25519(x))),
                _ => Err(invalid()),
            }
        }
        ("oct", _) => Ok(Public::Secret(field(key, "k")?)),
        ("OKP", _) => Ok(Public::Other),
        (kind, _) => Err(format!("invalid key type from JSON ({kind})")),
    }
}

/// A curve by its name in JSON keys.
pub(crate) fn curve(name: &str) -> Option<Curve> {
    [Curve::P256, Curve::P384, Curve::P521]
        .into_iter()
        .find(|c| c.name() == name)
}

/// The RSA key of a JSON key, to sign with.
pub(crate) fn rsa_private(key: &Value) -> Result<RsaPrivateKey, String> {
    let number = |name: &str| field(key, name).map(|b| BigUint::from_bytes_be(&b));
    let (n, e, d) = (number("n")?, number("e")?, number("d")?);
    if n.bits() > public::RSA_BITS_MOST {
        return Err("the RSA key is too large".into());
    }
    let primes = vec![number("p")?, number("q")?];
    RsaPrivateKey::from_components(n, e, d, primes).map_err(|e| e.to_string())
}
