//! `io.jwt.*`: tokens decoded, verified and signed.

mod keys;
mod signature;

use super::operand::{error, object, string};
use super::{Answer, Failure, Host, Table};
use crate::go_text::to_bytes;
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keys::Key;
use signature::Asked;

pub(crate) const TABLE: Table = &[
    ("io.jwt.decode", decode),
    ("io.jwt.decode_verify", decode_verify),
    ("io.jwt.encode_sign", encode_sign),
    ("io.jwt.encode_sign_raw", encode_sign_raw),
    ("io.jwt.verify_eddsa", |h, a| verify(h, a, "EdDSA")),
    ("io.jwt.verify_es256", |h, a| verify(h, a, "ES256")),
    ("io.jwt.verify_es384", |h, a| verify(h, a, "ES384")),
    ("io.jwt.verify_es512", |h, a| verify(h, a, "ES512")),
    ("io.jwt.verify_hs256", |h, a| verify_shared(h, a, "HS256")),
    ("io.jwt.verify_hs384", |h, a| verify_shared(h, a, "HS384")),
    ("io.jwt.verify_hs512", |h, a| verify_shared(h, a, "HS512")),
    ("io.jwt.verify_ps256", |h, a| verify(h, a, "PS256")),
    ("io.jwt.verify_ps384", |h, a| verify(h, a, "PS384")),
    ("io.jwt.verify_ps512", |h, a| verify(h, a, "PS512")),
    ("io.jwt.verify_rs256", |h, a| verify(h, a, "RS256")),
    ("io.jwt.verify_rs384", |h, a| verify(h, a, "RS384")),
    ("io.jwt.verify_rs512", |h, a| verify(h, a, "RS512")),
];

/// The algorithms a key of a set may name; others are passed over.
const ALGORITHMS: &[&str] = &[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA",
];

/// A built-in of one operand, by name: its answer or its error's text.
fn call(host: &mut dyn Host, name: &str, operand: &Value) -> Result<Result<Value, String>, Failure> {
    let Some(builtin) = super::find(name) else {
        return Ok(Err(format!("no built-in {name}")));
    };
    match (builtin.function)(host, &[operand]) {
        Ok(value) => Ok(value.ok_or_else(|| "undefined".to_string())),
        Err(Failure::Type(text) | Failure::Builtin(text)) => Ok(Err(text)),
        Err(halt) => Err(halt),
    }
}

fn json(host: &mut dyn Host, text: &str) -> Result<Value, String> {
    call(host, "json.unmarshal", &Value::string(text)).unwrap_or_else(|_| Err("the key is too large".into()))
}

fn url_bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// A token's three parts, as they are.
struct Token {
    header: String,
    payload: String,
    signature: String,
}

impl Token {
    fn read(text: &str) -> Result<Token, Failure> {
        if !text.contains('.') {
            return Err(error("encoded JWT had no period separators"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(error(format!(
                "encoded JWT must have 3 sections, found {}",
                parts.len()
            )));
        };
        Ok(Token {
            header: (*header).into(),
            payload: (*payload).into(),
            signature: (*signature).into(),
        })
    }

    /// What the signature is of.
    fn signed(&self) -> Vec<u8> {
        to_bytes(&format!("{}.{}", self.header, self.payload)).into_owned()
    }

    fn decoded_header(&self, host: &mut dyn Host) -> Result<Value, Failure> {
        let text = part(host, "JWT header had invalid encoding: ", &self.header)?;
        let header = record(host, &text)?.map_err(|e| error(format!("bad JWT header: {e}")))?;
        if header.get("enc").is_some() {
            return Err(error("JWT is a JWE object, which is not supported"));
        }
        Ok(header)
    }

    fn decoded_payload(&self, host: &mut dyn Host) -> Result<Value, Failure> {
        part(host, "JWT payload had invalid encoding: ", &self.payload)
    }

    fn decoded_signature(&self, host: &mut dyn Host, prefix: &str) -> Result<Vec<u8>, Failure> {
        let text = part(host, prefix, &self.signature)?;
        Ok(to_bytes(text.as_str().unwrap_or_default()).into_owned())
    }
}

/// A part decoded; a prefix goes before its error.
fn part(host: &mut dyn Host, prefix: &str, text: &str) -> Result<Value, Failure> {
    call(host, "base64url.decode", &Value::string(text))?.map_err(|e| error(format!("{prefix}{e}")))
}

/// The object a text holds as JSON.
fn record(host: &mut dyn Host, text: &Value) -> Result<Result<Value, String>, Failure> {
    Ok(match call(host, "json.unmarshal", text)? {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("decoded JSON type was not an Object".into()),
        Err(e) => Err(format!("invalid JSON: {e}")),
    })
}

fn decode(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let mut text = string(args, 1)?.to_string();
    // A token within a token is shorter: this ends.
    loop {
        host.charge(text.len().saturating_mul(4))?;
        let token = Token::read(&text)?;
        let header = token.decoded_header(host)?;
        let payload = token.decoded_payload(host)?;
        if header.get("cty").and_then(Value::as_str) == Some("JWT") {
            text = payload
                .as_str()
                .unwrap_or_default()
                .trim_matches(['"', '\''])
                .to_string();
            continue;
        }
        let payload = record(host, &payload)?.map_err(error)?;
        let signature = token.decoded_signature(host, "JWT signature had invalid encoding: ")?;
        let signature = Value::string(hex::encode(signature));
        return Ok(Some(Value::array(vec![header, payload, signature])));
    }
}

fn verify_shared(host: &mut dyn Host, args: &[&Value], alg: &str) -> Answer {
    let (text, secret) = (string(args, 1)?, string(args, 2)?);
    host.charge(text.len().saturating_mul(2))?;
    let token = Token::read(text)?;
    let signature = token.decoded_signature(host, "")?;
    let valid = signature::shared(alg, &to_bytes(secret), &token.signed(), &signature);
    Ok(Some(Value::Bool(valid)))
}

fn verify(host: &mut dyn Host, args: &[&Value], alg: &str) -> Answer {
    let text = string(args, 1)?;
    host.charge(text.len().saturating_mul(2))?;
    let token = Token::read(text)?;
    let keys = keys::public(host, string(args, 2)?).map_err(error)?;
    let signature = token.decoded_signature(host, "")?;
    let header = Header::read(&token.decoded_header(host)?)?;
    let signed = token.signed();
    // The function says which algorithm; the header only chooses among keys.
    let valid = any_verifies(host, &keys, &header, |key| {
        // OPA takes only keys for what they are here, tokens' constraints take private ones for their public part.
        !key.private && signature::verifies(Asked::Function, alg, &key.public, &signed, &signature)
    })?;
    Ok(Some(Value::Bool(valid)))
}

/// The key that the header names, or any key that is for its algorithm.
fn any_verifies(
    host: &mut dyn Host,
    keys: &[Key],
    header: &Header,
    verifies: impl Fn(&Key) -> bool,
) -> Result<bool, Failure> {
    if let Some(key) = keys.iter().find(|k| !header.kid.is_empty() && k.kid == header.kid) {
        return Ok(verifies(key));
    }
    for key in keys.iter().filter(|k| k.alg.is_empty() || k.alg == header.alg) {
        // So that the clock is looked at: a verification takes its time.
        host.charge(64)?;
        if verifies(key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The fields of a header that count.
#[derive(Default)]
struct Header {
    alg: String,
    kid: String,
    cty: String,
    /// Names a field as critical that nobody knows here.
    unknown: bool,
}

impl Header {
    fn read(value: &Value) -> Result<Header, Failure> {
        let word = |name: &str| match value.get(name) {
            None => Ok(String::new()),
            Some(Value::String(s)) => Ok(s.to_string()),
            Some(_) => Err(error(format!("{name}: must be a string"))),
        };
        let mut header = Header {
            alg: word("alg")?,
            ..Header::default()
        };
        let critical = match value.get("crit") {
            None => None,
            Some(Value::Array(items)) => {
                let names: Vec<&str> = items.iter().map_while(Value::as_str).collect();
                if names.is_empty() {
                    return Err(error("crit: must be a nonempty list"));
                }
                Some(names)
            }
            Some(_) => return Err(error("crit: must be a list")),
        };
        header.cty = word("cty")?;
        header.kid = word("kid")?;
        word("typ")?;
        header.unknown = critical.is_some_and(|names| {
            let known = ["alg", "kid", "typ", "cty", "crit"];
            names.iter().any(|n| !known.contains(n) && value.get(n).is_some())
        });
        Ok(header)
    }
}

/// What the second operand of `io.jwt.decode_verify` asks for.
struct Constraints {
    keys: Option<Vec<Key>>,
    secret: String,
    alg: String,
    iss: String,
    aud: String,
    /// Nanoseconds since 1970.
    time: f64,
}

impl Constraints {
    fn read(host: &mut dyn Host, args: &[&Value]) -> Result<Constraints, Failure> {
        #[allow(clippy::cast_precision_loss)]
        let time = host.time_ns() as f64;
        let mut out = Constraints {
            keys: None,
            secret: String::new(),
            alg: String::new(),
            iss: String::new(),
            aud: String::new(),
            time,
        };
        for (key, value) in object(args, 2)?.iter() {
            let name = key.as_str().unwrap_or_default();
            let word = || {
                let word = value.as_str().map(str::to_string);
                word.ok_or_else(|| error(format!("{name} constraint: must be a string")))
            };
            match name {
                "cert" => out.keys = Some(keys::public(host, &word()?).map_err(error)?),
                "secret" => out.secret = word()?,
                "alg" => out.alg = word()?,
                "iss" => out.iss = word()?,
                "aud" => out.aud = word()?,
                "time" => match value {
                    Value::Number(n) if n.is_negative() => {
                        return Err(error("token time constraint: must not be negative"));
                    }
                    Value::Number(n) => out.time = n.as_f64(),
                    _ => return Err(error("token time constraint: must be a number")),
                },
                _ => return Err(error(format!("unknown token validation constraint: {name}"))),
            }
        }
        match (out.keys.is_some(), out.secret.is_empty()) {
            (true, false) => Err(error("duplicate key constraints")),
            (false, true) => Err(error("no key constraint")),
            _ => Ok(out),
        }
    }

    fn verify(&self, host: &mut dyn Host, header: &Header, text: &[u8], signature: &[u8]) -> Result<bool, Failure> {
        let Some(keys) = &self.keys else {
            let secret = to_bytes(&self.secret);
            return Ok(signature::shared(&header.alg, &secret, text, signature));
        };
        any_verifies(host, keys, header, |key| {
            signature::verifies(Asked::Header, &header.alg, &key.public, text, signature)
        })
    }

    /// Whether the claims of a payload hold.
    fn hold(&self, payload: &Value) -> Result<bool, Failure> {
        if !self.iss.is_empty() && payload.get("iss").and_then(Value::as_str) != Some(&self.iss) {
            return Ok(false);
        }
        let is_aud = |v: &Value| v.as_str() == Some(self.aud.as_str());
        let audience = match payload.get("aud") {
            None => self.aud.is_empty(),
            Some(Value::Array(items)) => items.iter().any(is_aud),
            Some(one) => is_aud(one),
        };
        if !audience {
            return Ok(false);
        }
        let now = self.time / 1_000_000_000.0;
        let time = |name: &str| match payload.get(name) {
            None => Ok(None),
            Some(Value::Number(n)) => Ok(Some(n.as_f64())),
            Some(_) => Err(error(format!("{name} value must be a number"))),
        };
        if time("exp")?.is_some_and(|exp| now >= exp) {
            return Ok(false);
        }
        Ok(time("nbf")?.is_none_or(|nbf| now >= nbf))
    }
}

fn decode_verify(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let nothing = || Value::object(Vec::new());
    let unverified = Ok(Some(Value::array(vec![Value::Bool(false), nothing(), nothing()])));
    let constraints = Constraints::read(host, args)?;
    let mut text = string(args, 1)?.to_string();
    loop {
        host.charge(text.len().saturating_mul(4))?;
        let token = Token::read(&text)?;
        let decoded = token.decoded_header(host)?;
        let header = Header::read(&decoded)?;
        let wanted = constraints.alg.is_empty() || constraints.alg == header.alg;
        if header.alg.is_empty() || header.unknown || !wanted {
            return unverified;
        }
        let signature = token.decoded_signature(host, "")?;
        if !constraints.verify(host, &header, &token.signed(), &signature)? {
            return unverified;
        }
        let payload = token.decoded_payload(host)?;
        if header.cty.eq_ignore_ascii_case("JWT") {
            text = payload.as_str().unwrap_or_default().to_string();
            continue;
        }
        let payload = record(host, &payload)?.map_err(error)?;
        return match constraints.hold(&payload)? {
            true => Ok(Some(Value::array(vec![Value::Bool(true), decoded, payload]))),
            false => unverified,
        };
    }
}

fn encode_sign(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let mut texts = Vec::new();
    for place in 1..=3 {
        let json = call(host, "json.marshal", super::operand::any(args, place)?)?.map_err(error)?;
        texts.push(json.as_str().unwrap_or_default().to_string());
    }
    match texts.as_slice() {
        [header, payload, key] => encode(host, header, payload, key),
        _ => Ok(None),
    }
}

fn encode_sign_raw(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let key = string(args, 3)?;
    encode(host, string(args, 1)?, string(args, 2)?, key)
}

fn encode(host: &mut dyn Host, header: &str, payload: &str, key: &str) -> Answer {
    host.charge((header.len() + payload.len()).saturating_mul(4))?;
    let keys = keys::json_keys(host, key).map_err(error)?;
    let Some(key) = keys.first() else {
        return Err(error("no keys found in JWK set"));
    };
    let missing = |why: &str| error(format!("missing or invalid 'alg' header: {why}"));
    if header.is_empty() {
        return Err(missing(
            "cannot parse JSON: cannot parse empty string; unparsed tail: \"\"",
        ));
    }
    // OPA's reader takes anything made of a number's characters for a number.
    if header.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return Err(missing("jwsbb: header \"alg\" not found"));
    }
    let read = json(host, header).map_err(|e| missing(&format!("cannot parse JSON: {e}")))?;
    let alg = match read.get("alg") {
        Some(Value::String(alg)) => alg.as_str(),
        None => return Err(missing("jwsbb: header \"alg\" not found")),
        Some(other) => {
            let kind = match other {
                Value::Bool(b) => {
                    if *b {
                        "true"
                    } else {
                        "false"
                    }
                }
                other => other.type_name(),
            };
            return Err(missing(&format!("value doesn't contain string; it contains {kind}")));
        }
    };
    if !ALGORITHMS.contains(&alg) {
        return Err(error(format!("unknown JWS algorithm: {alg}")));
    }
    let is_token = read.get("typ").and_then(Value::as_str).is_none_or(|t| t == "JWT");
    if is_token && json(host, payload).is_err() {
        return Err(error("type is JWT but payload is not JSON"));
    }
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{}.{}", encode(&to_bytes(header)), encode(&to_bytes(payload)));
    let seed = host.random("io.jwt.encode_sign");
    let signature = signature::sign(seed, alg, key, text.as_bytes()).map_err(error)?;
    Ok(Some(Value::string(format!("{text}.{}", encode(&signature)))))
}
