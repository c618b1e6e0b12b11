//! `crypto.x509.*` and `crypto.parse_private_keys`: certificates, requests and keys as Go's `crypto/x509` reads them.

pub(crate) mod algorithm;
pub(crate) mod certificate;
mod constraints;
pub(crate) mod der;
mod extensions;
mod hostname;
mod instant;
mod name;
pub(crate) mod pem;
mod policies;
mod private;
pub(crate) mod pss;
pub(crate) mod public;
mod request;
mod value;
mod verify;

use super::encoding::standard_base64;
use super::operand::{error, object, string};
use super::{Answer, Failure, Host, Table};
use crate::go_text::to_bytes;
use crate::value::Value;
use certificate::Certificate;
use private::Private;
use std::borrow::Cow;
use verify::Options;

pub(crate) const TABLE: Table = &[
    ("crypto.parse_private_keys", parse_private_keys),
    ("crypto.x509.parse_and_verify_certificates", parse_and_verify),
    (
        "crypto.x509.parse_and_verify_certificates_with_options",
        parse_and_verify_with_options,
    ),
    ("crypto.x509.parse_certificate_request", parse_request),
    ("crypto.x509.parse_certificates", parse_certificates),
    ("crypto.x509.parse_keypair", parse_keypair),
    ("crypto.x509.parse_rsa_private_key", parse_json_key),
];

const BEGIN: &[u8] = b"-----BEGIN";

/// Reading and writing again costs a multiple of the text; numbers of thousands of digits cost more than their bytes.
fn charge(host: &mut dyn Host, text: &[u8]) -> Result<(), Failure> {
    if text.len() > 1 << 20 {
        return Err(super::operand::too_large("the text of the certificates or keys"));
    }
    host.charge(text.len().saturating_mul(16).saturating_add(4096))
}

/// An error of the built-in, unless it is a limit's.
fn fault(text: String) -> Failure {
    match text.ends_with(der::TOO_LARGE) {
        true => super::operand::too_large("a number of the certificate or key"),
        false => error(text),
    }
}

/// The bytes of a text, or of the base64 it is.
fn pem_or_base64<'a>(text: &'a [u8], begin: &[u8]) -> Result<Cow<'a, [u8]>, Failure> {
    match text.starts_with(begin) {
        true => Ok(text.into()),
        false => standard_base64(text).map(Cow::Owned),
    }
}

/// The certificates of a text: PEM, base64 of PEM, or base64 of DER.
fn certificates(host: &mut dyn Host, text: &[u8]) -> Result<Vec<Certificate>, Failure> {
    charge(host, text)?;
    let text = pem_or_base64(text, BEGIN)?;
    let mut der = Vec::new();
    if text.starts_with(BEGIN) {
        let mut rest: &[u8] = &text;
        while let Some((block, after)) = pem::decode(rest) {
            if block.kind != "CERTIFICATE" {
                return Err(error(format!(
                    "PEM block type is '{}', expected CERTIFICATE",
                    block.kind
                )));
            }
            der.extend(block.bytes);
            rest = after;
        }
    } else {
        der.extend_from_slice(&text);
    }
    let mut out = Vec::new();
    let mut rest = der.as_slice();
    while !rest.is_empty() {
        // A point is found to be one of its curve by arithmetic: the clock is looked at between.
        host.charge(16 << 10)?;
        let c = certificate::read(rest).map_err(fault)?;
        rest = rest.get(c.raw.len()..).unwrap_or_default();
        if c.not_before.text().is_none() || c.not_after.text().is_none() {
            return Err(error("a time of a certificate cannot be written"));
        }
        out.push(c);
    }
    Ok(out)
}

fn parse_certificates(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let all = certificates(host, &to_bytes(string(args, 1)?))?;
    let values = all.iter().map(|c| value::certificate(c, true)).collect();
    Ok(Some(Value::array(values)))
}

/// The answer of a verification: whether there is a chain, and the chain, the leaf first.
fn verified(host: &mut dyn Host, all: &[Certificate], options: &Options, uri_texts: bool) -> Answer {
    let chain = verify::chain(host, all, options)?;
    let valid = Value::Bool(chain.is_some());
    let chain = chain.unwrap_or_default();
    let values = chain.into_iter().map(|c| value::certificate(c, uri_texts)).collect();
    Ok(Some(Value::array(vec![valid, Value::array(values)])))
}

/// The certificates of the first operand; none where they cannot be read.
fn readable(host: &mut dyn Host, args: &[&Value]) -> Result<Vec<Certificate>, Failure> {
    match certificates(host, &to_bytes(string(args, 1)?)) {
        Err(Failure::Builtin(_)) => Ok(Vec::new()),
        other => other,
    }
}

fn parse_and_verify(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let all = readable(host, args)?;
    let options = Options {
        now: host.time_ns().into(),
        ..Options::default()
    };
    verified(host, &all, &options, true)
}

fn parse_and_verify_with_options(host: &mut dyn Host, args: &[&Value]) -> Answer {
    string(args, 1)?;
    object(args, 2)?;
    let all = readable(host, args)?;
    if all.is_empty() {
        return verified(host, &all, &Options::default(), false);
    }
    let options = read_options(host, args)?;
    verified(host, &all, &options, false)
}

/// Names of extended key usages, in the order of their numbers.
const USAGES: [&str; 14] = [
    "KeyUsageAny",
    "KeyUsageServerAuth",
    "KeyUsageClientAuth",
    "KeyUsageCodeSigning",
    "KeyUsageEmailProtection",
    "KeyUsageIPSECEndSystem",
    "KeyUsageIPSECTunnel",
    "KeyUsageIPSECUser",
    "KeyUsageTimeStamping",
    "KeyUsageOCSPSigning",
    "KeyUsageMicrosoftServerGatedCrypto",
    "KeyUsageNetscapeServerGatedCrypto",
    "KeyUsageMicrosoftCommercialCodeSigning",
    "KeyUsageMicrosoftKernelCodeSigning",
];

fn read_options(host: &mut dyn Host, args: &[&Value]) -> Result<Options, Failure> {
    let mut out = Options {
        now: host.time_ns().into(),
        ..Options::default()
    };
    for (key, value) in object(args, 2)?.iter() {
        let Some(key) = key.as_str() else {
            continue;
        };
        match (key, value) {
            ("DNSName", Value::String(name)) => out.dns_name = name.trim_matches('"').to_string(),
            ("DNSName", _) => return Err(error("'DNSName' should be a string")),
            ("CurrentTime", Value::Number(n)) => match n.as_i64() {
                Some(nanos) => out.now = nanos.into(),
                None => return Err(error("'CurrentTime' should be a valid int64 number")),
            },
            ("CurrentTime", _) => return Err(error("'CurrentTime' should be a number")),
            // No chain of ours compares more than Go's limit allows, which no option raises.
            ("MaxConstraintComparisons", Value::Number(n)) if n.as_i64().is_some() => {}
            ("MaxConstraintComparisons", Value::Number(_)) => {
                return Err(error("'MaxConstraintComparisons' should be a valid number"));
            }
            ("MaxConstraintComparisons", _) => return Err(error("'MaxConstraintComparisons' should be a number")),
            ("KeyUsages", Value::Array(items)) => out.usages = usages(items)?,
            ("KeyUsages", Value::Set(items)) => out.usages = usages(items.items())?,
            ("KeyUsages", _) => return Err(error("'KeyUsages' should be an Array or Set")),
            _ => return Err(error("invalid key option")),
        }
    }
    Ok(out)
}

fn usages(items: &[Value]) -> Result<Vec<i64>, Failure> {
    let mut out = Vec::new();
    let mut invalid = Vec::new();
    for name in items.iter().filter_map(Value::as_str) {
        let name = name.trim_matches('"');
        match USAGES.iter().position(|u| *u == name) {
            Some(number) => out.extend(i64::try_from(number)),
            None => invalid.push(name),
        }
    }
    match invalid.is_empty() {
        true => Ok(out),
        false => Err(error(format!(
            "invalid entries for 'KeyUsages' found: [{}]",
            invalid.join(" ")
        ))),
    }
}

fn parse_request(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = to_bytes(string(args, 1)?);
    charge(host, &text)?;
    let text = pem_or_base64(&text, b"-----BEGIN CERTIFICATE REQUEST-----")?;
    let der = match pem::decode(&text) {
        Some((block, _)) if block.kind != "CERTIFICATE REQUEST" => {
            return Err(error("invalid PEM-encoded certificate signing request"));
        }
        Some((block, _)) => Cow::Owned(block.bytes),
        None => text,
    };
    request::read(&der).map(Some).map_err(fault)
}

/// The private keys of PEM, or of base64 of PEM; other blocks are passed over.
fn private_keys(host: &mut dyn Host, text: &[u8]) -> Result<Vec<Private>, Failure> {
    let text = match standard_base64(text) {
        Ok(bytes) => Cow::Owned(bytes),
        Err(_) => Cow::Borrowed(text),
    };
    let mut rest: &[u8] = &text;
    let mut out = Vec::new();
    while let Some((block, after)) = pem::decode(rest) {
        // The numbers of a key are found to belong together by arithmetic.
        host.charge(block.bytes.len().saturating_mul(32))?;
        let key = match block.kind.as_str() {
            "RSA PRIVATE KEY" => Some(private::pkcs1(&block.bytes)),
            "PRIVATE KEY" => Some(private::pkcs8(&block.bytes)),
            "EC PRIVATE KEY" => Some(private::sec1(&block.bytes, None)),
            _ => None,
        };
        out.extend(key.transpose().map_err(fault)?);
        rest = after;
    }
    Ok(out)
}

fn parse_private_keys(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = to_bytes(string(args, 1)?);
    if text.is_empty() {
        return Ok(Some(Value::Null));
    }
    charge(host, &text)?;
    let keys = private_keys(host, &text)?;
    Ok(Some(Value::array(keys.iter().map(Private::value).collect())))
}

fn parse_json_key(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = to_bytes(string(args, 1)?);
    if text.is_empty() {
        return Err(error("input PEM data was empty"));
    }
    charge(host, &text)?;
    let text = pem_or_base64(&text, BEGIN)?;
    match private_keys(host, &text)?.first() {
        Some(key) => key.json_key().map(Some).map_err(error),
        None => Ok(Some(Value::Null)),
    }
}

fn parse_keypair(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let certificates = to_bytes(string(args, 1)?);
    // OPA calls both operands the first.
    let key = to_bytes(string(args.get(1..).unwrap_or_default(), 1)?);
    charge(host, &certificates)?;
    charge(host, &key)?;
    let (certificates, leaf) = chain_of_pair(&certificates)?;
    let private = key_of_pair(&key)?;
    let matches = match &leaf.key {
        None | Some(public::Public::Dsa { .. }) => return Err(error("tls: unknown public key algorithm")),
        Some(public) => private.is_of(public),
    };
    match matches {
        None => return Err(error("tls: private key type does not match public key type")),
        Some(false) => return Err(error("tls: private key does not match public key")),
        Some(true) => {}
    }
    Ok(Some(Value::record([
        (
            "Certificate",
            Value::array(certificates.iter().map(|c| value::bytes(c)).collect()),
        ),
        ("PrivateKey", private.value()),
        ("SupportedSignatureAlgorithms", Value::Null),
        ("OCSPStaple", Value::Null),
        ("SignedCertificateTimestamps", Value::Null),
        ("Leaf", value::certificate(&leaf, false)),
    ])))
}

/// The certificates of a pair as DER, and the first of them.
fn chain_of_pair(text: &[u8]) -> Result<(Vec<Vec<u8>>, Certificate), Failure> {
    let text = pem_or_base64(text, b"-----BEGIN ")?;
    let mut out = Vec::new();
    let mut skipped = Vec::new();
    if text.starts_with(b"-----BEGIN ") {
        let mut rest: &[u8] = &text;
        while let Some((block, after)) = pem::decode(rest) {
            match block.kind == "CERTIFICATE" {
                true => out.push(block.bytes),
                false => skipped.push(block.kind),
            }
            rest = after;
        }
    } else {
        out.push(text.into_owned());
    }
    let Some(first) = out.first() else {
        return Err(error(match skipped.as_slice() {
            [] => "tls: failed to find any PEM data in certificate input".to_string(),
            [one] if one.ends_with("PRIVATE KEY") => "tls: failed to find certificate PEM data in certificate input, \
                 but did find a private key; PEM inputs may have been switched"
                .to_string(),
            _ => format!(
                "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the \
                 following types: [{}]",
                skipped.join(" ")
            ),
        }));
    };
    let leaf = certificate::read_one(first).map_err(fault)?;
    Ok((out, leaf))
}

/// The private key of a pair.
fn key_of_pair(text: &[u8]) -> Result<Private, Failure> {
    let text = pem_or_base64(text, b"-----BEGIN ")?;
    let mut skipped = Vec::new();
    let mut rest: &[u8] = &text;
    let bytes = if text.starts_with(BEGIN) {
        loop {
            let Some((block, after)) = pem::decode(rest) else {
                return Err(error(match skipped.as_slice() {
                    [] => "tls: failed to find any PEM data in key input".to_string(),
                    [one] if *one == "CERTIFICATE" => {
                        "tls: found a certificate rather than a key in the PEM for the private key".to_string()
                    }
                    _ => format!(
                        "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping \
                         PEM blocks of the following types: [{}]",
                        skipped.join(" ")
                    ),
                }));
            };
            if block.kind == "PRIVATE KEY" || block.kind.ends_with(" PRIVATE KEY") {
                break block.bytes;
            }
            skipped.push(block.kind);
            rest = after;
        }
    } else {
        text.into_owned()
    };
    match private::pkcs1(&bytes) {
        Ok(key) => return Ok(key),
        Err(text) if text.ends_with(der::TOO_LARGE) => return Err(fault(text)),
        Err(_) => {}
    }
    match private::pkcs8(&bytes) {
        Err(text) if text.ends_with(der::TOO_LARGE) => return Err(fault(text)),
        Ok(Private::X25519(_)) => return Err(error("tls: found unknown private key type in PKCS#8 wrapping")),
        Ok(key) => return Ok(key),
        Err(_) => {}
    }
    private::sec1(&bytes, None).map_err(|_| error("tls: failed to parse private key"))
}
