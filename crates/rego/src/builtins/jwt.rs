//! `io.jwt.decode` and what tokens signed with a secret need: `io.jwt.verify_hs256` and its siblings,
//! `io.jwt.decode_verify`.
//!
//! Certificates and public keys are not supported: a token that needs them ends the evaluation, for leaving the answer
//! undefined could let through what the policy means to stop.

use super::operand::{any, error, object, string};
use super::{Answer, Failure, Host, Table};
use crate::error::{Code, Error};
use crate::go_text::to_bytes;
use crate::number::Number;
use crate::value::{Object, Value};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use smol_str::SmolStr;

pub(crate) const TABLE: Table = &[
    ("io.jwt.decode", decode),
    ("io.jwt.decode_verify", decode_verify),
    ("io.jwt.verify_hs256", |h, a| verify(h, a, "HS256")),
    ("io.jwt.verify_hs384", |h, a| verify(h, a, "HS384")),
    ("io.jwt.verify_hs512", |h, a| verify(h, a, "HS512")),
];

/// The three parts of a token, as they are written.
struct Token {
    header: SmolStr,
    payload: SmolStr,
    signature: SmolStr,
}

fn token(host: &mut dyn Host, text: &str) -> Result<Token, Failure> {
    host.charge(text.len())?;
    if !text.contains('.') {
        return Err(error("encoded JWT had no period separators"));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        let n = parts.len();
        return Err(error(format!("encoded JWT must have 3 sections, found {n}")));
    };
    Ok(Token {
        header: (*header).into(),
        payload: (*payload).into(),
        signature: (*signature).into(),
    })
}

/// Asks another built-in about a text.
fn ask(host: &mut dyn Host, name: &str, text: &Value) -> Result<Value, Failure> {
    let builtin = super::find(name).ok_or_else(|| error(format!("{name} is missing")))?;
    (builtin.function)(host, &[text])?.ok_or_else(|| error(format!("{name} gave nothing")))
}

fn within(failure: Failure, what: &str) -> Failure {
    match failure {
        Failure::Builtin(text) => Failure::Builtin(format!("{what}: {text}")),
        other => other,
    }
}

fn part(host: &mut dyn Host, text: &SmolStr) -> Result<Value, Failure> {
    ask(host, "base64url.decode", &Value::String(text.clone()))
}

fn json_object(host: &mut dyn Host, text: &Value) -> Result<Value, Failure> {
    let value = ask(host, "json.unmarshal", text).map_err(|f| within(f, "invalid JSON"))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(error("decoded JSON type was not an Object")),
    }
}

fn header(host: &mut dyn Host, token: &Token) -> Result<Value, Failure> {
    let text = part(host, &token.header).map_err(|f| within(f, "JWT header had invalid encoding"))?;
    let header = json_object(host, &text).map_err(|f| within(f, "bad JWT header"))?;
    match header.get("enc") {
        Some(_) => Err(error("JWT is a JWE object, which is not supported")),
        None => Ok(header),
    }
}

fn payload(host: &mut dyn Host, token: &Token) -> Result<Value, Failure> {
    part(host, &token.payload).map_err(|f| within(f, "JWT payload had invalid encoding"))
}

fn decode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let mut text = string(args, 1)?.clone();
    loop {
        let token = token(host, &text)?;
        let header = header(host, &token)?;
        let inner = payload(host, &token)?;
        if header.get("cty").and_then(Value::as_str) == Some("JWT") {
            // A token within a token, maybe quoted.
            text = inner.as_str().unwrap_or_default().trim_matches(['"', '\'']).into();
            continue;
        }
        let claims = json_object(host, &inner)?;
        let signature = part(host, &token.signature).map_err(|f| within(f, "JWT signature had invalid encoding"))?;
        let signature = hex::encode(to_bytes(signature.as_str().unwrap_or_default()));
        return Ok(Some(Value::array(vec![header, claims, Value::string(signature)])));
    }
}

fn code<M: Mac + KeyInit>(key: &[u8], token: &Token) -> Vec<u8> {
    // A key of any length will do; no code equals none.
    let Ok(mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    let mac = mac.chain_update(token.header.as_bytes());
    let mac = mac.chain_update(b".").chain_update(token.payload.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Whether the signature is the secret's; `None`: not an algorithm of secrets.
fn signed(host: &mut dyn Host, token: &Token, secret: &str, algorithm: &str) -> Result<Option<bool>, Failure> {
    let key = to_bytes(secret);
    host.charge((token.header.len() + token.payload.len() + key.len()) / 16)?;
    let code = match algorithm {
        "HS256" => code::<Hmac<sha2::Sha256>>(&key, token),
        "HS384" => code::<Hmac<sha2::Sha384>>(&key, token),
        "HS512" => code::<Hmac<sha2::Sha512>>(&key, token),
        _ => return Ok(None),
    };
    let given = part(host, &token.signature)?;
    let given = to_bytes(given.as_str().unwrap_or_default());
    // In time that does not depend on where the two differ.
    let differs = code.iter().zip(given.iter()).fold(0u8, |d, (a, b)| d | (a ^ b));
    Ok(Some(!code.is_empty() && code.len() == given.len() && differs == 0))
}

fn verify(host: &mut dyn Host, args: &[&Value], algorithm: &str) -> Answer {
    let (text, secret) = (string(args, 1)?, string(args, 2)?);
    let token = token(host, text)?;
    let valid = signed(host, &token, secret, algorithm)?;
    Ok(Some(Value::Bool(valid == Some(true))))
}

/// What `io.jwt.decode_verify` is to hold a token to.
#[derive(Default)]
struct Constraints<'a> {
    secret: &'a str,
    algorithm: &'a str,
    issuer: &'a str,
    audience: &'a str,
    /// In nanoseconds.
    time: Option<f64>,
}

fn constraints(o: &Object) -> Result<Constraints<'_>, Failure> {
    let mut out = Constraints::default();
    for (key, value) in o.iter() {
        let name = key.as_str().unwrap_or_default();
        let place = match name {
            "secret" => &mut out.secret,
            "alg" => &mut out.algorithm,
            "iss" => &mut out.issuer,
            "aud" => &mut out.audience,
            "time" => {
                let Value::Number(n) = value else {
                    return Err(error("token time constraint: must be a number"));
                };
                if n.is_negative() {
                    return Err(error("token time constraint: must not be negative"));
                }
                out.time = Some(n.as_f64());
                continue;
            }
            "cert" => {
                return Err(Failure::Halt(Error::new(
                    Code::Unsupported,
                    &crate::ast::Loc::default(),
                    "io.jwt.decode_verify: tokens signed with keys of certificates are not supported; \
                     use a constraint `secret`",
                )));
            }
            _ => return Err(error(format!("unknown token validation constraint: {name}"))),
        };
        let text = value.as_str();
        *place = text.ok_or_else(|| error(format!("{name} constraint: must be a string")))?;
    }
    match out.secret {
        "" => Err(error("no key constraint")),
        _ => Ok(out),
    }
}

/// The algorithm and the kind of content; `None`: nothing to trust.
fn checked(header: &Value) -> Result<Option<(String, String)>, Failure> {
    let text = |name: &str| match header.get(name) {
        None => Ok(""),
        Some(Value::String(s)) => Ok(s.as_str()),
        Some(_) => Err(error(format!("{name}: must be a string"))),
    };
    let (algorithm, content) = (text("alg")?, text("cty")?);
    text("kid")?;
    text("typ")?;
    let names = match header.get("crit") {
        None => &[],
        Some(Value::Array(names)) if names.iter().any(|n| n.as_str().is_some()) => names.as_slice(),
        Some(Value::Array(_)) => return Err(error("crit: must be a nonempty list")),
        Some(_) => return Err(error("crit: must be a list")),
    };
    let known = ["alg", "kid", "typ", "cty", "crit"];
    let unknown = |n: &str| !known.contains(&n) && header.get(n).is_some();
    let bound = names.iter().filter_map(Value::as_str).any(unknown);
    Ok((!algorithm.is_empty() && !bound).then(|| (algorithm.to_string(), content.to_string())))
}

fn decode_verify(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let wanted = constraints(object(args, 2)?)?;
    let nothing = || {
        let empty = Value::object(Vec::new());
        Ok(Some(Value::array(vec![Value::Bool(false), empty.clone(), empty])))
    };
    let mut text = match any(args, 1)? {
        Value::String(s) => s.clone(),
        _ => string(args, 1)?.clone(),
    };
    let (header, claims) = loop {
        let token = token(host, &text)?;
        let header = header(host, &token)?;
        let Some((algorithm, content)) = checked(&header)? else {
            return nothing();
        };
        if !wanted.algorithm.is_empty() && wanted.algorithm != algorithm {
            return nothing();
        }
        part(host, &token.signature)?;
        if signed(host, &token, wanted.secret, &algorithm)? != Some(true) {
            return nothing();
        }
        let inner = payload(host, &token)?;
        if !content.eq_ignore_ascii_case("JWT") {
            break (header, json_object(host, &inner)?);
        }
        text = inner.as_str().unwrap_or_default().into();
    };
    if !wanted.issuer.is_empty() && claims.get("iss").and_then(Value::as_str) != Some(wanted.issuer) {
        return nothing();
    }
    let for_us = match claims.get("aud") {
        None => wanted.audience.is_empty(),
        Some(Value::String(s)) => s == wanted.audience,
        Some(Value::Array(all)) => all.iter().any(|a| a.as_str() == Some(wanted.audience)),
        Some(_) => false,
    };
    if !for_us {
        return nothing();
    }
    let seconds = wanted.time.unwrap_or(host.time_ns() as f64) / 1e9;
    let now = Number::parse(&format!("{seconds}")).unwrap_or_else(|| Number::from(i64::MAX));
    match claims.get("exp") {
        None => {}
        Some(Value::Number(end)) if now < *end => {}
        Some(Value::Number(_)) => return nothing(),
        Some(_) => return Err(error("exp value must be a number")),
    }
    match claims.get("nbf") {
        None => {}
        Some(Value::Number(start)) if now >= *start => {}
        Some(Value::Number(_)) => return nothing(),
        Some(_) => return Err(error("nbf value must be a number")),
    }
    Ok(Some(Value::array(vec![Value::Bool(true), header, claims])))
}
