//! Certificates, read as Go's `x509.ParseCertificates` reads them.

use super::algorithm::{self, Signed};
use super::der::{Der, INTEGER_BYTES, Oid, SEQUENCE, TOO_LARGE, field, fields, oid_text};
use super::extensions::{self, Extensions};
use super::instant::{self, Instant};
use super::name::{self, Name};
use super::public::{self, Public};
use num_bigint::BigUint;
use rustc_hash::FxHashSet;

/// An extension as it is written.
pub(crate) struct Extension {
    pub(crate) id: Oid,
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

pub(crate) struct Certificate {
    pub(crate) raw: Vec<u8>,
    pub(crate) raw_signed: Vec<u8>,
    pub(crate) raw_key: Vec<u8>,
    pub(crate) raw_subject: Vec<u8>,
    pub(crate) raw_issuer: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) signed: Signed,
    pub(crate) key_algorithm: i64,
    pub(crate) key: Option<Public>,
    pub(crate) version: i64,
    pub(crate) serial: BigUint,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) not_before: Instant,
    pub(crate) not_after: Instant,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) read: Extensions,
}

impl Certificate {
    /// An extension, if it is there.
    pub(crate) fn extension(&self, id: &[u32]) -> Option<&Extension> {
        self.extensions.iter().find(|e| e.id == id)
    }
}

/// The one certificate that DER holds.
///
/// # Errors
/// In Go's words.
pub(crate) fn read_one(der: &[u8]) -> Result<Certificate, String> {
    let out = read(der)?;
    match out.raw.len() == der.len() {
        true => Ok(out),
        false => Err("x509: trailing data".into()),
    }
}

/// A key's identifier and its bytes.
///
/// # Errors
/// In Go's words.
pub(crate) fn read_key(raw: &[u8]) -> Result<(i64, Option<Public>), String> {
    let malformed = |what: &str| format!("x509: malformed {what}");
    let mut info = Der(raw).read(SEQUENCE).ok_or_else(|| malformed("spki"))?;
    let id = info
        .read(SEQUENCE)
        .ok_or_else(|| malformed("public key algorithm identifier"))?;
    let id = algorithm::identifier(id)?;
    let number = public::algorithm(&id.oid);
    let bits = info.right_bits().ok_or_else(|| malformed("subjectPublicKey"))?;
    let key = match number {
        0 => None,
        _ => Some(public::read(&id, &bits)?),
    };
    Ok((number, key))
}

/// Reads one extension.
///
/// # Errors
/// In Go's words.
pub(crate) fn read_extension(mut der: Der<'_>) -> Result<Extension, String> {
    let malformed = |what: &str| format!("x509: malformed extension {what} field");
    let id = der.oid().ok_or_else(|| malformed("OID"))?;
    let critical = match der.next_is(super::der::BOOLEAN) {
        true => der.boolean().ok_or_else(|| malformed("critical"))?,
        false => false,
    };
    let value = der.read(super::der::OCTETS).ok_or_else(|| malformed("value"))?;
    Ok(Extension {
        id,
        critical,
        value: value.0.to_vec(),
    })
}

/// The first certificate.
///
/// # Errors
/// In Go's words.
pub(crate) fn read(der: &[u8]) -> Result<Certificate, String> {
    let malformed = |what: &str| format!("x509: malformed {what}");
    let raw = Der(der).whole(SEQUENCE).ok_or_else(|| malformed("certificate"))?;
    let mut outer = Der(raw).read(SEQUENCE).ok_or_else(|| malformed("certificate"))?;
    let raw_signed = outer.whole(SEQUENCE).ok_or_else(|| malformed("tbs certificate"))?;
    let mut tbs = Der(raw_signed)
        .read(SEQUENCE)
        .ok_or_else(|| malformed("tbs certificate"))?;
    let version = match tbs.optional(fields(0)).ok_or_else(|| malformed("version"))? {
        None => 0,
        Some(mut version) => {
            let number = version.int().filter(|n| *n >= 0 && version.is_empty());
            number.ok_or_else(|| malformed("version"))?
        }
    };
    // Counted from one.
    let version = version.saturating_add(1);
    if version > 3 {
        return Err("x509: invalid version".into());
    }
    let serial = tbs.integer().ok_or_else(|| malformed("serial number"))?;
    if serial.first().is_some_and(|b| b & 0x80 != 0) {
        return Err("x509: negative serial number".into());
    }
    if serial.len() > INTEGER_BYTES {
        return Err(TOO_LARGE.into());
    }
    let inner = tbs
        .read(SEQUENCE)
        .ok_or_else(|| malformed("signature algorithm identifier"))?;
    let again = outer.read(SEQUENCE).ok_or_else(|| malformed("algorithm identifier"))?;
    if inner.0 != again.0 {
        return Err("x509: inner and outer signature algorithm identifiers don't match".into());
    }
    let signed = algorithm::signature(&algorithm::identifier(inner)?);
    let raw_issuer = tbs.whole(SEQUENCE).ok_or_else(|| malformed("issuer"))?;
    let issuer = name::read(raw_issuer)?;
    let mut validity = tbs.read(SEQUENCE).ok_or_else(|| malformed("validity"))?;
    let not_before = instant::read(&mut validity)?;
    let not_after = instant::read(&mut validity)?;
    let raw_subject = tbs.whole(SEQUENCE).ok_or_else(|| malformed("issuer"))?;
    let subject = name::read(raw_subject)?;
    let raw_key = tbs.whole(SEQUENCE).ok_or_else(|| malformed("spki"))?;
    let (key_algorithm, key) = read_key(raw_key)?;
    let mut extensions = Vec::new();
    if version > 1 {
        tbs.optional(field(1)).ok_or_else(|| malformed("issuerUniqueID"))?;
        tbs.optional(field(2)).ok_or_else(|| malformed("subjectUniqueID"))?;
    }
    if version == 3
        && let Some(mut all) = tbs.optional(fields(3)).ok_or_else(|| malformed("extensions"))?
    {
        let mut all = all.read(SEQUENCE).ok_or_else(|| malformed("extensions"))?;
        let mut seen = FxHashSet::default();
        while !all.is_empty() {
            let one = all.read(SEQUENCE).ok_or_else(|| malformed("extension"))?;
            let extension = read_extension(one)?;
            if !seen.insert(extension.id.clone()) {
                let id = oid_text(&extension.id);
                return Err(format!(
                    "x509: certificate contains duplicate extension with OID \"{id}\""
                ));
            }
            extensions.push(extension);
        }
    }
    let read = extensions::read(&extensions)?;
    let signature = outer.right_bits().ok_or_else(|| malformed("signature"))?;
    Ok(Certificate {
        raw: raw.to_vec(),
        raw_signed: raw_signed.to_vec(),
        raw_key: raw_key.to_vec(),
        raw_subject: raw_subject.to_vec(),
        raw_issuer: raw_issuer.to_vec(),
        signature,
        signed,
        key_algorithm,
        key,
        version,
        serial: BigUint::from_bytes_be(serial),
        issuer,
        subject,
        not_before,
        not_after,
        extensions,
        read,
    })
}
