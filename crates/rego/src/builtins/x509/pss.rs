//! RSA-PSS signatures (RFC 8017, 9.1.2), with a salt of any length where that is asked for.

use super::algorithm::Hash;
use super::public::{hashed, rsa_key};
use num_bigint::BigUint;
use rsa::hazmat::rsa_encrypt;
use rsa::traits::PublicKeyParts;

/// The mask of a seed (MGF1).
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 64);
    let mut counter = 0u32;
    while out.len() < length {
        let block = [seed, &counter.to_be_bytes()].concat();
        out.extend(hashed(hash, &block));
        counter = counter.wrapping_add(1);
    }
    out.truncate(length);
    out
}

/// Whether a signature of a hashed text is a key's; `salt` is the salt's length if that matters.
pub(crate) fn verifies(n: &BigUint, e: i64, hash: Hash, text: &[u8], signature: &[u8], salt: Option<usize>) -> bool {
    let Some(key) = rsa_key(n, e) else {
        return false;
    };
    let number = rsa::BigUint::from_bytes_be(signature);
    if signature.len() != key.size() || number >= *key.n() {
        return false;
    }
    let Ok(message) = rsa_encrypt(&key, &number) else {
        return false;
    };
    let bits = key.n().bits().saturating_sub(1);
    let length = bits.div_ceil(8);
    let bytes = message.to_bytes_be();
    let Some(zeros) = length.checked_sub(bytes.len()) else {
        return false;
    };
    let encoded: Vec<u8> = std::iter::repeat_n(0, zeros).chain(bytes).collect();
    holds(&encoded, bits, hash, text, salt).unwrap_or(false)
}

/// Whether an encoded message is that of a hashed text.
fn holds(encoded: &[u8], bits: usize, hash: Hash, text: &[u8], salt: Option<usize>) -> Option<bool> {
    let body = encoded.strip_suffix(&[0xbc])?;
    let (masked, digest) = body.split_at_checked(body.len().checked_sub(text.len())?)?;
    let unused = u32::try_from(encoded.len() * 8 - bits).ok()?;
    let keep = 0xffu8.checked_shr(unused)?;
    if masked.first()? & !keep != 0 {
        return Some(false);
    }
    let mut data: Vec<u8> = mask(hash, digest, masked.len())
        .iter()
        .zip(masked)
        .map(|(a, b)| a ^ b)
        .collect();
    *data.first_mut()? &= keep;
    let zeros = data.iter().take_while(|b| **b == 0).count();
    let found = data.get(zeros..)?.strip_prefix(&[1])?;
    if salt.is_some_and(|wanted| wanted != found.len()) {
        return Some(false);
    }
    let again = hashed(hash, &[&[0; 8], text, found].concat());
    Some(again == digest)
}
