//! What Go reads of a certificate's extensions.

use super::certificate::Extension;
use super::der::{Der, INTEGER, OBJECT, OCTETS, Oid, SEQUENCE, any_oid_text, field, fields};
use super::hostname::{domain_valid, mailbox};
use crate::builtins::uri::{self, Url};
use rustc_hash::FxHashSet;
use std::net::IpAddr;

/// The identifier of alternative names.
pub(crate) const ALTERNATIVE_NAMES: &[u32] = &[2, 5, 29, 17];
/// The identifier of name constraints.
pub(crate) const NAME_CONSTRAINTS: &[u32] = &[2, 5, 29, 30];

/// Other names of a subject.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) dns: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) ips: Vec<Vec<u8>>,
    pub(crate) uris: Vec<Url>,
}

/// Names a certificate may sign for, or may not.
#[derive(Default)]
pub(crate) struct Subtrees {
    pub(crate) dns: Vec<String>,
    /// Address and mask.
    pub(crate) ips: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) emails: Vec<String>,
    pub(crate) uris: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) unhandled: Vec<Oid>,
    pub(crate) key_usage: i64,
    /// Present; may sign certificates; how many may follow (-1: no matter).
    pub(crate) basic: Option<(bool, i64)>,
    pub(crate) names: Names,
    pub(crate) constraints_critical: bool,
    pub(crate) permitted: Subtrees,
    pub(crate) excluded: Subtrees,
    pub(crate) distribution_points: Vec<String>,
    pub(crate) authority_key: Option<Vec<u8>>,
    pub(crate) subject_key: Option<Vec<u8>>,
    pub(crate) explicit_policy: Option<i64>,
    pub(crate) policy_mapping: Option<i64>,
    pub(crate) any_policy: Option<i64>,
    pub(crate) usages: Vec<i64>,
    pub(crate) unknown_usages: Vec<Oid>,
    /// Identifiers as bytes, if there is such an extension.
    pub(crate) policies: Option<Vec<Vec<u8>>>,
    pub(crate) mappings: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) ocsp: Vec<String>,
    pub(crate) issuers: Vec<String>,
}

/// Numbers of `x509.ExtKeyUsage`.
const USAGES: &[(&[u32], i64)] = &[
    (&[2, 5, 29, 37, 0], 0),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 1], 1),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 2], 2),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 3], 3),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 4], 4),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 5], 5),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 6], 6),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 7], 7),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 8], 8),
    (&[1, 3, 6, 1, 5, 5, 7, 3, 9], 9),
    (&[1, 3, 6, 1, 4, 1, 311, 10, 3, 3], 10),
    (&[2, 16, 840, 1, 113_730, 4, 1], 11),
    (&[1, 3, 6, 1, 4, 1, 311, 2, 1, 22], 12),
    (&[1, 3, 6, 1, 4, 1, 311, 61, 1, 1], 13),
];

/// Reads all extensions.
///
/// # Errors
/// In Go's words.
pub(crate) fn read(extensions: &[Extension]) -> Result<Extensions, String> {
    let mut out = Extensions::default();
    for extension in extensions {
        let handled = match extension.id.as_slice() {
            [2, 5, 29, number] => known(&mut out, *number, extension)?,
            [1, 3, 6, 1, 5, 5, 7, 1, 1] => {
                access(&mut out, extension)?;
                true
            }
            _ => false,
        };
        if extension.critical && !handled {
            out.unhandled.push(extension.id.clone());
        }
    }
    Ok(out)
}

fn invalid(what: &str) -> String {
    format!("x509: invalid {what}")
}

/// Text of bytes that need not be text.
fn loose(bytes: &[u8]) -> String {
    crate::go_text::from_bytes(bytes.to_vec())
}

fn ascii(bytes: &[u8]) -> Option<String> {
    bytes.is_ascii().then(|| loose(bytes))
}

/// One of the well-known extensions; false where it is not handled.
fn known(out: &mut Extensions, number: u32, e: &Extension) -> Result<bool, String> {
    let mut der = Der(&e.value);
    match number {
        14 => {
            if e.critical {
                return Err("x509: subject key identifier incorrectly marked critical".into());
            }
            let key = der.read(OCTETS).ok_or_else(|| invalid("subject key identifier"))?;
            out.subject_key = Some(key.0.to_vec());
        }
        15 => {
            let (bytes, padding) = der.bits().ok_or_else(|| invalid("key usage"))?;
            let count = bytes.len() * 8 - usize::from(padding);
            let bit = |i: usize| i < count && bytes.get(i / 8).is_some_and(|b| b & (0x80 >> (i % 8)) != 0);
            out.key_usage = (0..9).filter(|i| bit(*i)).map(|i| 1 << i).sum();
        }
        17 => {
            out.names = alternative_names(&e.value)?;
            let n = &out.names;
            return Ok(!(n.dns.is_empty() && n.emails.is_empty() && n.ips.is_empty() && n.uris.is_empty()));
        }
        19 => out.basic = Some(basic(der).ok_or_else(|| invalid("basic constraints"))?),
        30 => return name_constraints(out, e),
        31 => distribution_points(out, der)?,
        32 => out.policies = Some(policies(der).ok_or_else(|| invalid("certificate policies"))?),
        33 => out.mappings = mappings(der).ok_or_else(|| invalid("policy mappings extension"))?,
        35 => {
            if e.critical {
                return Err("x509: authority key identifier incorrectly marked critical".into());
            }
            let fault = || invalid("authority key identifier");
            let mut parts = der.read(SEQUENCE).ok_or_else(fault)?;
            let key = parts.optional(field(0)).ok_or_else(fault)?;
            out.authority_key = key.map(|k| k.0.to_vec());
        }
        36 => {
            let fault = || invalid("policy constraints extension");
            let mut parts = der.read(SEQUENCE).ok_or_else(fault)?;
            if parts.next_is(field(0)) {
                out.explicit_policy = Some(parts.int_tagged(field(0)).ok_or_else(fault)?);
            }
            if parts.next_is(field(1)) {
                out.policy_mapping = Some(parts.int_tagged(field(1)).ok_or_else(fault)?);
            }
        }
        37 => usages(out, der).ok_or_else(|| invalid("extended key usages"))?,
        54 => {
            let count = der.int().ok_or_else(|| invalid("inhibit any policy extension"))?;
            out.any_policy = Some(count);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn basic(mut der: Der<'_>) -> Option<(bool, i64)> {
    let mut parts = der.read(SEQUENCE)?;
    let is_ca = match parts.next_is(super::der::BOOLEAN) {
        true => parts.boolean()?,
        false => false,
    };
    let length = match parts.next_is(INTEGER) {
        true => parts.int().filter(|n| *n >= 0)?,
        false => -1,
    };
    Some((is_ca, length))
}

/// Reads alternative names.
///
/// # Errors
/// In Go's words.
pub(crate) fn alternative_names(der: &[u8]) -> Result<Names, String> {
    let mut all = Der(der)
        .read(SEQUENCE)
        .ok_or_else(|| invalid("subject alternative names"))?;
    let mut out = Names::default();
    while !all.is_empty() {
        let name = all.any().ok_or_else(|| invalid("subject alternative name"))?;
        let text = |kind: &str| ascii(name.content).ok_or_else(|| format!("x509: SAN {kind} is malformed"));
        match name.tag {
            0x81 => out.emails.push(text("rfc822Name")?),
            0x82 => out.dns.push(text("dNSName")?),
            0x86 => {
                let text = text("uniformResourceIdentifier")?;
                let fault = |why: &str| {
                    let mut shown = String::new();
                    crate::go_text::quote(&mut shown, &text);
                    format!("x509: cannot parse URI {shown}: {why}")
                };
                let url = uri::read(&text).map_err(|e| fault(&e))?;
                if !url.host.is_empty() && !domain_valid(&url.host, false) {
                    return Err(fault("invalid domain"));
                }
                out.uris.push(url);
            }
            0x87 => match name.content.len() {
                4 | 16 => out.ips.push(name.content.to_vec()),
                length => return Err(format!("x509: cannot parse IP address of length {length}")),
            },
            _ => {}
        }
    }
    Ok(out)
}

fn name_constraints(out: &mut Extensions, e: &Extension) -> Result<bool, String> {
    let fault = || invalid("NameConstraints extension");
    let mut outer = Der(&e.value);
    let mut top = outer.read(SEQUENCE).ok_or_else(fault)?;
    let permitted = top.optional(fields(0)).ok_or_else(fault)?;
    let excluded = top.optional(fields(1)).ok_or_else(fault)?;
    if !outer.is_empty() || !top.is_empty() {
        return Err(fault());
    }
    let (permitted, excluded) = (permitted.unwrap_or_default(), excluded.unwrap_or_default());
    if permitted.is_empty() && excluded.is_empty() {
        return Err("x509: empty name constraints extension".into());
    }
    let mut handled = true;
    out.permitted = subtrees(permitted, &mut handled)?;
    out.excluded = subtrees(excluded, &mut handled)?;
    out.constraints_critical = e.critical;
    Ok(handled)
}

fn valid_mask(mask: &[u8]) -> bool {
    let ones: u32 = mask.iter().map(|b| b.leading_ones()).sum();
    let set: u32 = mask.iter().map(|b| b.count_ones()).sum();
    let whole = usize::try_from(ones / 8).unwrap_or(0);
    ones == set && mask.iter().take(whole).all(|b| *b == 0xff)
}

fn subtrees(mut der: Der<'_>, handled: &mut bool) -> Result<Subtrees, String> {
    let fault = || invalid("NameConstraints extension");
    let mut out = Subtrees::default();
    while !der.is_empty() {
        let mut tree = der.read(SEQUENCE).ok_or_else(fault)?;
        let base = tree.any().ok_or_else(fault)?;
        let text = || {
            let what = "x509: invalid constraint value: x509: ";
            ascii(base.content)
                .ok_or_else(|| format!("{what}{:?} cannot be encoded as an IA5String", loose(base.content)))
        };
        match base.tag {
            0x82 => {
                let domain = text()?;
                if !domain_valid(&domain, true) {
                    return Err(format!("x509: failed to parse dnsName constraint {domain:?}"));
                }
                out.dns.push(domain);
            }
            0x87 => {
                let halves = match base.content.len() {
                    8 | 32 => base.content.split_at_checked(base.content.len() / 2),
                    _ => None,
                };
                let Some((ip, mask)) = halves else {
                    let length = base.content.len();
                    return Err(format!("x509: IP constraint contained value of length {length}"));
                };
                if !valid_mask(mask) {
                    let mask = hex::encode(mask);
                    return Err(format!("x509: IP constraint contained invalid mask {mask}"));
                }
                out.ips.push((ip.to_vec(), mask.to_vec()));
            }
            0x81 => {
                let constraint = text()?;
                let fine = match constraint.contains('@') {
                    true => mailbox(&constraint).is_some(),
                    false => domain_valid(&constraint, true),
                };
                if !fine {
                    return Err(format!("x509: failed to parse rfc822Name constraint {constraint:?}"));
                }
                out.emails.push(constraint);
            }
            0x86 => {
                let domain = text()?;
                let start = format!("x509: failed to parse URI constraint {domain:?}");
                if domain.parse::<IpAddr>().is_ok() {
                    return Err(format!("{start}: cannot be IP address"));
                }
                if !domain_valid(&domain, true) {
                    return Err(start);
                }
                out.uris.push(domain);
            }
            _ => *handled = false,
        }
    }
    Ok(out)
}

fn distribution_points(out: &mut Extensions, mut der: Der<'_>) -> Result<(), String> {
    let fault = || invalid("CRL distribution point");
    let mut all = der.read(SEQUENCE).ok_or_else(|| invalid("CRL distribution points"))?;
    while !all.is_empty() {
        let mut point = all.read(SEQUENCE).ok_or_else(fault)?;
        let Some(mut name) = point.optional(fields(0)).ok_or_else(fault)? else {
            continue;
        };
        let mut full = name.read(fields(0)).ok_or_else(fault)?;
        while full.next_is(field(6)) {
            let uri = full.read(field(6)).ok_or_else(fault)?;
            out.distribution_points.push(loose(uri.0));
        }
    }
    Ok(())
}

fn policies(mut der: Der<'_>) -> Option<Vec<Vec<u8>>> {
    let mut all = der.read(SEQUENCE)?;
    let mut seen = FxHashSet::default();
    let mut out = Vec::new();
    while !all.is_empty() {
        let id = all.read(SEQUENCE)?.read(OBJECT)?.0;
        any_oid_text(id)?;
        if !seen.insert(id) {
            return None;
        }
        out.push(id.to_vec());
    }
    Some(out)
}

fn mappings(mut der: Der<'_>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut all = der.read(SEQUENCE)?;
    let mut out = Vec::new();
    while !all.is_empty() {
        let mut pair = all.read(SEQUENCE)?;
        out.push((pair.read(OBJECT)?.0.to_vec(), pair.read(OBJECT)?.0.to_vec()));
    }
    Some(out)
}

fn usages(out: &mut Extensions, mut der: Der<'_>) -> Option<()> {
    let mut all = der.read(SEQUENCE)?;
    while !all.is_empty() {
        let id = all.oid()?;
        match USAGES.iter().find(|u| u.0 == id) {
            Some((_, number)) => out.usages.push(*number),
            None => out.unknown_usages.push(id),
        }
    }
    Some(())
}

/// Where to ask about the certificate, and where its issuer's is.
fn access(out: &mut Extensions, e: &Extension) -> Result<(), String> {
    if e.critical {
        return Err("x509: authority info access incorrectly marked critical".into());
    }
    let fault = || invalid("authority info access");
    let mut all = Der(&e.value).read(SEQUENCE).ok_or_else(fault)?;
    while !all.is_empty() {
        let mut one = all.read(SEQUENCE).ok_or_else(fault)?;
        let method = one.oid().ok_or_else(fault)?;
        if !one.next_is(field(6)) {
            continue;
        }
        let uri = loose(one.read(field(6)).ok_or_else(fault)?.0);
        match method.as_slice() {
            [1, 3, 6, 1, 5, 5, 7, 48, 1] => out.ocsp.push(uri),
            [1, 3, 6, 1, 5, 5, 7, 48, 2] => out.issuers.push(uri),
            _ => {}
        }
    }
    Ok(())
}
