//! Signatures of tokens, by the names RFC 7518 gives the algorithms.

use super::keys::{self, Public};
use crate::value::Value;
use ed25519_dalek::Signer;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The part of an algorithm's name that says which hash.
fn hash(alg: &str, text: &[u8]) -> Vec<u8> {
    match alg.get(2..) {
        Some("256") => Sha256::digest(text).to_vec(),
        Some("384") => Sha384::digest(text).to_vec(),
        _ => Sha512::digest(text).to_vec(),
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

/// Whether a signature verifies.
pub(crate) fn verifies(alg: &str, key: &Public, text: &[u8], signature: &[u8]) -> bool {
    let hashed = || hash(alg, text);
    match (alg, key) {
        ("RS256", Public::Rsa(key)) => key.verify(Pkcs1v15Sign::new::<Sha256>(), &hashed(), signature).is_ok(),
        ("RS384", Public::Rsa(key)) => key.verify(Pkcs1v15Sign::new::<Sha384>(), &hashed(), signature).is_ok(),
        ("RS512", Public::Rsa(key)) => key.verify(Pkcs1v15Sign::new::<Sha512>(), &hashed(), signature).is_ok(),
        ("PS256", Public::Rsa(key)) => key.verify(Pss::new::<Sha256>(), &hashed(), signature).is_ok(),
        ("PS384", Public::Rsa(key)) => key.verify(Pss::new::<Sha384>(), &hashed(), signature).is_ok(),
        ("PS512", Public::Rsa(key)) => key.verify(Pss::new::<Sha512>(), &hashed(), signature).is_ok(),
        ("ES256" | "ES384" | "ES512", Public::P256(key)) => {
            p256::ecdsa::Signature::from_slice(signature).is_ok_and(|s| key.verify_prehash(&hashed(), &s).is_ok())
        }
        ("ES256" | "ES384" | "ES512", Public::P384(key)) => {
            p384::ecdsa::Signature::from_slice(signature).is_ok_and(|s| key.verify_prehash(&hashed(), &s).is_ok())
        }
        ("ES256" | "ES384" | "ES512", Public::P521(key)) => {
            p521::ecdsa::Signature::from_slice(signature).is_ok_and(|s| key.verify_prehash(&hashed(), &s).is_ok())
        }
        ("EdDSA", Public::Ed25519(key)) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|s| ed25519_dalek::Verifier::verify(key, text, &s).is_ok()),
        (_, Public::Secret(secret)) => shared(alg, secret, text, signature),
        _ => false,
    }
}

/// The signature of a text with a JSON key.
pub(crate) fn sign(alg: &str, key: &Value, text: &[u8]) -> Result<Vec<u8>, String> {
    let field = |name: &str| keys::field(key, name);
    let invalid = || format!("the key does not sign with {alg}");
    let hashed = hash(alg, text);
    match alg {
        "HS256" | "HS384" | "HS512" => keyed(alg, &field("k")?, text).ok_or_else(invalid),
        "RS256" | "RS384" | "RS512" => {
            let scheme = match alg {
                "RS256" => Pkcs1v15Sign::new::<Sha256>(),
                "RS384" => Pkcs1v15Sign::new::<Sha384>(),
                _ => Pkcs1v15Sign::new::<Sha512>(),
            };
            keys::rsa_private(key)?.sign(scheme, &hashed).map_err(|e| e.to_string())
        }
        "ES256" => {
            let key = p256::ecdsa::SigningKey::from_slice(&field("d")?).map_err(|_| invalid())?;
            let signature: p256::ecdsa::Signature = key.sign_prehash(&hashed).map_err(|_| invalid())?;
            Ok(signature.to_bytes().to_vec())
        }
        "ES384" => {
            let key = p384::ecdsa::SigningKey::from_slice(&field("d")?).map_err(|_| invalid())?;
            let signature: p384::ecdsa::Signature = key.sign_prehash(&hashed).map_err(|_| invalid())?;
            Ok(signature.to_bytes().to_vec())
        }
        "EdDSA" => {
            let bytes = field("d")?.try_into().map_err(|_| invalid())?;
            Ok(ed25519_dalek::SigningKey::from_bytes(&bytes)
                .sign(text)
                .to_bytes()
                .to_vec())
        }
        _ => Err(format!("signing with {alg} is not supported")),
    }
}
