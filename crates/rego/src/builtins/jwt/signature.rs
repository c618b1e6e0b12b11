//! Signatures of tokens, by the names RFC 7518 gives the algorithms.

use super::keys::{self, Public};
use crate::builtins::x509::algorithm::{Curve, Hash};
use crate::builtins::x509::pss;
use crate::builtins::x509::public::{
    Form, Public as Key, ecdsa_verifies, ed25519_verifies, fitted, hashed, rsa_verifies,
};
use crate::value::Value;
use ed25519_dalek::Signer;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::hazmat::{PrehashSigner, RandomizedPrehashSigner};
use rsa::rand_core::{self, CryptoRng, RngCore};
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The part of an algorithm's name that says which hash.
fn kind(alg: &str) -> Hash {
    match alg.get(2..) {
        Some("256") => Hash::Sha256,
        Some("384") => Hash::Sha384,
        _ => Hash::Sha512,
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac)
}

/// The keyed hash of an algorithm `HS..`.
fn keyed(alg: &str, key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    Some(match alg {
        "HS256" => mac::<Hmac<Sha256>>(key, text)?.finalize().into_bytes().to_vec(),
        "HS384" => mac::<Hmac<Sha384>>(key, text)?.finalize().into_bytes().to_vec(),
        "HS512" => mac::<Hmac<Sha512>>(key, text)?.finalize().into_bytes().to_vec(),
        _ => return None,
    })
}

/// Whether a signature is the one of a text with a shared secret; in time that does not depend on where they differ.
pub(crate) fn shared(alg: &str, secret: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let Some(want) = keyed(alg, secret, text) else {
        return false;
    };
    let differs = want.iter().zip(signature).fold(0u8, |d, (a, b)| d | (a ^ b));
    want.len() == signature.len() && differs == 0
}

/// What wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A function for one algorithm, which takes some signatures that are written otherwise.
    Function,
    /// A token's header.
    Header,
}

/// Whether a signature verifies.
pub(crate) fn verifies(asked: Asked, alg: &str, key: &Public, text: &[u8], signature: &[u8]) -> bool {
    let of = kind(alg);
    let hashed = || hashed(of, text);
    match (alg.get(..2), key) {
        (Some("RS"), Public::Key(Key::Rsa { n, e })) => rsa_verifies(n, *e, of, &hashed(), signature),
        (Some("PS"), Public::Key(Key::Rsa { n, e })) => {
            let hashed = hashed();
            let salt = (asked == Asked::Header).then_some(hashed.len());
            pss::verifies(n, *e, of, &hashed, signature, salt)
        }
        (Some("ES"), Public::Key(Key::Ecdsa { curve, point })) => {
            let form = match asked {
                Asked::Function => Form::Halves,
                Asked::Header => Form::Fixed,
            };
            ecdsa_verifies(*curve, point, &hashed(), form, signature)
        }
        (Some("Ed"), Public::Key(Key::Ed25519(key))) => ed25519_verifies(key, text, signature),
        (Some("HS"), Public::Secret(secret)) => shared(alg, secret, text, signature),
        _ => false,
    }
}

/// Bytes that follow from a key: the same input gives the same signature.
struct Seeded {
    key: Vec<u8>,
    counter: u64,
}

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.counter = self.counter.wrapping_add(1);
            let block = [self.key.as_slice(), &self.counter.to_be_bytes()].concat();
            let length = chunk.len();
            chunk.copy_from_slice(Sha256::digest(block).get(..length).unwrap_or_default());
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

/// The signature of a text with a JSON key.
pub(crate) fn sign(seed: u64, alg: &str, key: &Value, text: &[u8]) -> Result<Vec<u8>, String> {
    let field = |name: &str| keys::field(key, name);
    let invalid = || format!("the key does not sign with {alg}");
    let word = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let of = kind(alg);
    let hashed = hashed(of, text);
    match (alg.get(..2), word("kty")) {
        (Some("HS"), "oct") => keyed(alg, &field("k")?, text).ok_or_else(invalid),
        (Some("RS"), "RSA") => {
            let scheme = match of {
                Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
                Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
                Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
            };
            keys::rsa_private(key)?.sign(scheme, &hashed).map_err(|e| e.to_string())
        }
        (Some("PS"), "RSA") => {
            let scheme = match of {
                Hash::Sha256 => Pss::new::<Sha256>(),
                Hash::Sha384 => Pss::new::<Sha384>(),
                Hash::Sha512 => Pss::new::<Sha512>(),
            };
            let mut salt = Seeded {
                key: seed.to_be_bytes().to_vec(),
                counter: 0,
            };
            keys::rsa_private(key)?
                .sign_with_rng(&mut salt, scheme, &hashed)
                .map_err(|e| e.to_string())
        }
        (Some("ES"), "EC") => {
            let curve = keys::curve(word("crv")).ok_or_else(invalid)?;
            let secret = field("d")?;
            let hashed = fitted(&hashed, curve.size());
            macro_rules! sign {
                ($krate:ident) => {{
                    let key = $krate::ecdsa::SigningKey::from_slice(&secret).map_err(|_| invalid())?;
                    let signature: $krate::ecdsa::Signature = key.sign_prehash(&hashed).map_err(|_| invalid())?;
                    Ok(signature.to_bytes().to_vec())
                }};
            }
            match curve {
                Curve::P224 => Err(invalid()),
                Curve::P256 => sign!(p256),
                Curve::P384 => sign!(p384),
                Curve::P521 => {
                    let key = p521::ecdsa::SigningKey::from_slice(&secret).map_err(|_| invalid())?;
                    // What is random in it follows from the secret and the text, as in RFC 6979: nobody can know it.
                    let mut nonce = Seeded {
                        key: Sha512::digest([secret.as_slice(), &hashed].concat()).to_vec(),
                        counter: 0,
                    };
                    let signature: p521::ecdsa::Signature =
                        key.sign_prehash_with_rng(&mut nonce, &hashed).map_err(|_| invalid())?;
                    Ok(signature.to_bytes().to_vec())
                }
            }
        }
        (Some("Ed"), "OKP") => {
            let bytes = field("d")?.try_into().map_err(|_| invalid())?;
            Ok(ed25519_dalek::SigningKey::from_bytes(&bytes)
                .sign(text)
                .to_bytes()
                .to_vec())
        }
        _ => Err(invalid()),
    }
}
