//! Hashes and keyed hashes: `crypto.md5`, `crypto.sha256`, `crypto.hmac.*`.

use super::operand::string;
use super::{Answer, Host, Table};
use crate::go_text::to_bytes;
use crate::value::Value;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};

pub(crate) const TABLE: Table = &[
    ("crypto.hmac.equal", equal),
    ("crypto.hmac.md5", |h, a| keyed::<Hmac<md5::Md5>>(h, a)),
    ("crypto.hmac.sha1", |h, a| keyed::<Hmac<sha1::Sha1>>(h, a)),
    ("crypto.hmac.sha256", |h, a| keyed::<Hmac<sha2::Sha256>>(h, a)),
    ("crypto.hmac.sha512", |h, a| keyed::<Hmac<sha2::Sha512>>(h, a)),
    ("crypto.md5", |h, a| plain::<md5::Md5>(h, a)),
    ("crypto.sha1", |h, a| plain::<sha1::Sha1>(h, a)),
    ("crypto.sha256", |h, a| plain::<sha2::Sha256>(h, a)),
];

fn plain<D: sha2::Digest>(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = to_bytes(string(args, 1)?);
    host.charge(text.len() / 16)?;
    Ok(Some(Value::string(hex::encode(D::digest(&*text)))))
}

fn keyed<M: Mac + KeyInit>(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (text, key) = (to_bytes(string(args, 1)?), to_bytes(string(args, 2)?));
    host.charge((text.len() + key.len()) / 16)?;
    // A key of any length will do; the error cannot happen.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(&key) else {
        return Ok(None);
    };
    mac.update(&text);
    Ok(Some(Value::string(hex::encode(mac.finalize().into_bytes()))))
}

/// In time that does not depend on where the two differ.
fn equal(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (string(args, 1)?, string(args, 2)?);
    let differs = a.bytes().zip(b.bytes()).fold(0u8, |d, (a, b)| d | (a ^ b));
    Ok(Some(Value::Bool(a.len() == b.len() && differs == 0)))
}
