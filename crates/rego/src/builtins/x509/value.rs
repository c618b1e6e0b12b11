//! Certificates as values: the fields of Go's structures as its JSON writer writes them.

use super::certificate::{Certificate, Extension};
use super::der::{Oid, any_oid_text};
use super::extensions::{Names, Subtrees};
use super::hostname::to_ip;
use super::name::Name;
use crate::number::Number;
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;

/// Bytes: base64.
pub(crate) fn bytes(b: &[u8]) -> Value {
    Value::string(STANDARD.encode(b))
}

/// A small number.
pub(crate) fn number(n: i64) -> Value {
    Value::from(n)
}

/// A number of any size.
pub(crate) fn unsigned(n: &BigUint) -> Value {
    Number::parse(&n.to_string()).map_or(Value::Null, Value::Number)
}

/// A list; an empty one is null, as Go's that nobody made.
pub(crate) fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    match items.is_empty() {
        true => Value::Null,
        false => Value::array(items.iter().map(one).collect()),
    }
}

fn text(s: &str) -> Value {
    Value::string(clean(s))
}

/// Bytes that are no text become what Go's JSON writer puts for them.
fn clean(s: &str) -> String {
    let one = |c| crate::go_text::no_text(c).map_or(c, |_| '\u{fffd}');
    s.chars().map(one).collect()
}

fn oid(id: &Oid) -> Value {
    Value::array(id.iter().map(|n| Value::from(i64::from(*n))).collect())
}

/// A name with its well-known parts.
pub(crate) fn name(n: &Name) -> Value {
    let all = |number: u32| {
        let found: Vec<&String> = n
            .iter()
            .filter(|a| a.known() == Some(number))
            .map(|a| &a.value)
            .collect();
        list(&found, |s| text(s))
    };
    let last = |number: u32| {
        let found = n.iter().rev().find(|a| a.known() == Some(number));
        Value::string(found.map_or("", |a| &a.value))
    };
    let attribute = |a: &super::name::Attribute| Value::record([("Type", oid(&a.kind)), ("Value", text(&a.value))]);
    Value::record([
        ("Country", all(6)),
        ("Organization", all(10)),
        ("OrganizationalUnit", all(11)),
        ("Locality", all(7)),
        ("Province", all(8)),
        ("StreetAddress", all(9)),
        ("PostalCode", all(17)),
        ("SerialNumber", last(5)),
        ("CommonName", last(3)),
        ("Names", list(n, attribute)),
        ("ExtraNames", Value::Null),
    ])
}

/// An extension as it is written.
pub(crate) fn extension(e: &Extension) -> Value {
    Value::record([
        ("Id", oid(&e.id)),
        ("Critical", Value::Bool(e.critical)),
        ("Value", bytes(&e.value)),
    ])
}

fn ip(b: &[u8]) -> Value {
    Value::string(to_ip(b).map(|ip| ip.to_string()).unwrap_or_default())
}

fn optional(b: &Option<Vec<u8>>) -> Value {
    b.as_ref().map_or(Value::Null, |b| bytes(b))
}

/// The alternative names' fields.
pub(crate) fn names(out: &mut Vec<(&'static str, Value)>, n: &Names) {
    out.push(("DNSNames", list(&n.dns, |s| text(s))));
    out.push(("EmailAddresses", list(&n.emails, |s| text(s))));
    out.push(("IPAddresses", list(&n.ips, |b| ip(b))));
    out.push(("URIs", list(&n.uris, |u| u.value())));
}

fn subtrees(out: &mut Vec<(&'static str, Value)>, keys: [&'static str; 4], s: &Subtrees) {
    let [dns, ips, emails, uris] = keys;
    let range = |(address, mask): &(Vec<u8>, Vec<u8>)| Value::record([("IP", ip(address)), ("Mask", bytes(mask))]);
    out.push((dns, list(&s.dns, |s| text(s))));
    out.push((ips, list(&s.ips, range)));
    out.push((emails, list(&s.emails, |s| text(s))));
    out.push((uris, list(&s.uris, |s| text(s))));
}

/// A number and whether it is there and zero.
fn counted(out: &mut Vec<(&'static str, Value)>, key: &'static str, zero: &'static str, count: Option<i64>) {
    out.push((key, number(count.unwrap_or(0))));
    out.push((zero, Value::Bool(count == Some(0))));
}

/// A certificate; with its URIs as texts, too, where OPA adds them.
pub(crate) fn certificate(c: &Certificate, uri_texts: bool) -> Value {
    let e = &c.read;
    let (is_ca, path) = e.basic.unwrap_or((false, 0));
    let time = |t: &super::instant::Instant| t.text().map_or(Value::Null, Value::string);
    let mut out = vec![
        ("Raw", bytes(&c.raw)),
        ("RawTBSCertificate", bytes(&c.raw_signed)),
        ("RawSubjectPublicKeyInfo", bytes(&c.raw_key)),
        ("RawSubject", bytes(&c.raw_subject)),
        ("RawIssuer", bytes(&c.raw_issuer)),
        ("Signature", bytes(&c.signature)),
        ("SignatureAlgorithm", number(c.signed.number)),
        ("PublicKeyAlgorithm", number(c.key_algorithm)),
        ("PublicKey", c.key.as_ref().map_or(Value::Null, |k| k.value())),
        ("Version", number(c.version)),
        ("SerialNumber", unsigned(&c.serial)),
        ("Issuer", name(&c.issuer)),
        ("Subject", name(&c.subject)),
        ("NotBefore", time(&c.not_before)),
        ("NotAfter", time(&c.not_after)),
        ("KeyUsage", number(e.key_usage)),
        ("Extensions", list(&c.extensions, extension)),
        ("ExtraExtensions", Value::Null),
        ("UnhandledCriticalExtensions", list(&e.unhandled, oid)),
        ("ExtKeyUsage", list(&e.usages, |n| number(*n))),
        ("UnknownExtKeyUsage", list(&e.unknown_usages, oid)),
        ("BasicConstraintsValid", Value::Bool(e.basic.is_some())),
        ("IsCA", Value::Bool(is_ca)),
        ("MaxPathLen", number(path)),
        ("MaxPathLenZero", Value::Bool(e.basic.is_some() && path == 0)),
        ("SubjectKeyId", optional(&e.subject_key)),
        ("AuthorityKeyId", optional(&e.authority_key)),
        ("OCSPServer", list(&e.ocsp, |s| text(s))),
        ("IssuingCertificateURL", list(&e.issuers, |s| text(s))),
        ("PermittedDNSDomainsCritical", Value::Bool(e.constraints_critical)),
        ("CRLDistributionPoints", list(&e.distribution_points, |s| text(s))),
    ];
    names(&mut out, &e.names);
    subtrees(
        &mut out,
        [
            "PermittedDNSDomains",
            "PermittedIPRanges",
            "PermittedEmailAddresses",
            "PermittedURIDomains",
        ],
        &e.permitted,
    );
    subtrees(
        &mut out,
        [
            "ExcludedDNSDomains",
            "ExcludedIPRanges",
            "ExcludedEmailAddresses",
            "ExcludedURIDomains",
        ],
        &e.excluded,
    );
    policies(&mut out, c);
    if uri_texts {
        let texts = list(&e.names.uris, |u| Value::string(u.text()));
        out.push(("URIStrings", texts));
    }
    record(out)
}

/// An object of fields.
pub(crate) fn record(fields: Vec<(&'static str, Value)>) -> Value {
    Value::object(fields.into_iter().map(|(k, v)| (Value::string(k), v)).collect())
}

fn policies(out: &mut Vec<(&'static str, Value)>, c: &Certificate) {
    let e = &c.read;
    let policy = |id: &Vec<u8>| Value::string(any_oid_text(id).unwrap_or_default());
    let plain = |id: &Vec<u8>| {
        let text = any_oid_text(id)?;
        // Numbers beyond 31 bits do not fit the older field.
        let numbers = text.split('.').map(|n| n.parse::<i32>().ok().map(i64::from));
        let numbers: Option<Vec<i64>> = numbers.collect();
        Some(Value::array(numbers?.into_iter().map(Value::from).collect()))
    };
    let identifiers = e
        .policies
        .as_ref()
        .map_or(Value::Null, |p| Value::array(p.iter().filter_map(plain).collect()));
    out.push(("PolicyIdentifiers", identifiers));
    out.push(("Policies", list(e.policies.as_deref().unwrap_or_default(), policy)));
    let mapping = |(issuer, subject): &(Vec<u8>, Vec<u8>)| {
        Value::record([
            ("IssuerDomainPolicy", policy(issuer)),
            ("SubjectDomainPolicy", policy(subject)),
        ])
    };
    out.push(("PolicyMappings", list(&e.mappings, mapping)));
    counted(out, "InhibitAnyPolicy", "InhibitAnyPolicyZero", e.any_policy);
    counted(
        out,
        "InhibitPolicyMapping",
        "InhibitPolicyMappingZero",
        e.policy_mapping,
    );
    counted(
        out,
        "RequireExplicitPolicy",
        "RequireExplicitPolicyZero",
        e.explicit_policy,
    );
}
