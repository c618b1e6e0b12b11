//! Name constraints: what the names of certificates may be, by those above them.

use super::certificate::Certificate;
use super::extensions::{ALTERNATIVE_NAMES, NAME_CONSTRAINTS, Subtrees};
use super::hostname::{domain_valid, mailbox, to_ip};
use std::net::IpAddr;

/// The names of one certificate, ready to be compared.
struct Names<'a> {
    ips: &'a [Vec<u8>],
    dns: &'a [String],
    uris: Vec<String>,
    emails: Vec<(Vec<u8>, String)>,
}

/// Whether every name of a chain, the leaf first, is one that those above it may sign for.
pub(crate) fn hold(chain: &[&Certificate]) -> bool {
    let constrained: Vec<usize> = chain
        .iter()
        .enumerate()
        .filter(|(_, c)| c.extension(NAME_CONSTRAINTS).is_some())
        .map(|(i, _)| i)
        .collect();
    chain.iter().enumerate().all(|(i, certificate)| {
        let mut above = constrained.iter().filter(|c| **c > i).peekable();
        if above.peek().is_none() || certificate.extension(ALTERNATIVE_NAMES).is_none() {
            return true;
        }
        let Some(names) = names(certificate) else {
            return false;
        };
        above.filter_map(|c| chain.get(*c)).all(|c| {
            let (permitted, excluded) = (&c.read.permitted, &c.read.excluded);
            fit(permitted, excluded, &names)
        })
    })
}

/// The names of a certificate; nothing where one cannot be compared.
fn names(c: &Certificate) -> Option<Names<'_>> {
    let known = &c.read.names;
    let uris = known.uris.iter().map(|u| uri_host(&u.host)).collect::<Option<_>>()?;
    let email = |e: &String| mailbox(e).map(|(local, domain)| (local, domain.to_lowercase()));
    Some(Names {
        ips: &known.ips,
        dns: &known.dns,
        uris,
        emails: known.emails.iter().map(email).collect::<Option<_>>()?,
    })
}

/// The name of a URI's host; addresses have none.
fn uri_host(host: &str) -> Option<String> {
    let lower = host.to_lowercase();
    if lower.is_empty() {
        return None;
    }
    let name = match lower.contains(':') && !lower.ends_with(']') {
        false => lower,
        true => {
            let (name, _) = host.rsplit_once(':')?;
            // Brackets, or more colons without them, are no host and port.
            match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
                Some(inner) => inner.to_string(),
                None if name.contains([':', '[', ']']) => return None,
                None => name.to_string(),
            }
        }
    };
    let address = name.parse::<IpAddr>().is_ok() || (name.starts_with('[') && name.ends_with(']'));
    (!address).then_some(name)
}

fn fit(permitted: &Subtrees, excluded: &Subtrees, names: &Names<'_>) -> bool {
    let ips = names
        .ips
        .iter()
        .all(|ip| (permitted.ips.is_empty() || in_ranges(&permitted.ips, ip)) && !in_ranges(&excluded.ips, ip));
    let dns = names
        .dns
        .iter()
        .all(|d| domain_valid(d, false) && domain_fits(&permitted.dns, &excluded.dns, d));
    let uris = names
        .uris
        .iter()
        .all(|d| domain_valid(d, false) && domain_fits(&permitted.uris, &excluded.uris, d));
    let emails = names.emails.iter().all(|(local, domain)| {
        domain_valid(domain, false)
            && (permitted.emails.is_empty() || email_in(&permitted.emails, local, domain, false))
            && !email_in(&excluded.emails, local, domain, true)
    });
    ips && dns && uris && emails
}

fn in_ranges(ranges: &[(Vec<u8>, Vec<u8>)], ip: &[u8]) -> bool {
    // An address of version 4 within version 6 is one of version 4 to Go's ranges.
    let canonical = |b: &[u8]| match to_ip(b) {
        Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
        _ => b.to_vec(),
    };
    ranges
        .iter()
        .filter(|(base, _)| base.len() == ip.len())
        .any(|(base, mask)| {
            let (base, ip) = (canonical(base), canonical(ip));
            let skipped = mask.len().saturating_sub(base.len());
            base.len() == ip.len()
                && base
                    .iter()
                    .zip(&ip)
                    .zip(mask.iter().skip(skipped))
                    .all(|((a, b), m)| a & m == b & m)
        })
}

fn domain_fits(permitted: &[String], excluded: &[String], domain: &str) -> bool {
    (permitted.is_empty() || permitted.iter().any(|c| under(c, domain)))
        && !excluded.iter().any(|c| under(c, domain) || wildcard_meets(c, domain))
}

/// Whether a domain is a constraint's or under it; one that begins with a point takes only what is under it.
fn under(constraint: &str, domain: &str) -> bool {
    if constraint.is_empty() {
        return true;
    }
    let (constraint, domain) = (constraint.as_bytes(), domain.as_bytes());
    let Some(start) = domain.len().checked_sub(constraint.len()) else {
        return false;
    };
    let tail = domain.get(start..).unwrap_or_default();
    let at_label = constraint.first() == Some(&b'.') || start == 0 || domain.get(start - 1) == Some(&b'.');
    tail.eq_ignore_ascii_case(constraint) && at_label
}

/// Whether a name with a wildcard stands for what a constraint excludes: both without their first label are the same.
fn wildcard_meets(constraint: &str, domain: &str) -> bool {
    let rest = |name: &str| name.find('.').and_then(|at| name.get(at..)).map(str::to_lowercase);
    match (domain.starts_with('*'), rest(constraint), rest(domain)) {
        (true, Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn email_in(constraints: &[String], local: &[u8], domain: &str, excluded: bool) -> bool {
    constraints.iter().any(|c| match c.contains('@') {
        true => mailbox(c).is_some_and(|(l, d)| l == local && d.to_lowercase() == domain),
        false => under(c, domain) || (excluded && wildcard_meets(c, domain)),
    })
}
