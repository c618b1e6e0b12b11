//! Host names, domains and mailboxes as Go's `x509` takes them.

use super::certificate::Certificate;
use std::net::IpAddr;

/// Whether a text may be a domain's name; in constraints it may begin with a point.
pub(crate) fn domain_valid(name: &str, constraint: bool) -> bool {
    if name.is_empty() {
        return true;
    }
    let name = match constraint {
        true => name.strip_prefix('.').unwrap_or(name),
        false => name,
    };
    name.split('.')
        .all(|label| !label.is_empty() && label.bytes().all(|b| (33..=126).contains(&b)))
}

/// A mailbox: what stands before the `@`, unquoted, and the domain.
pub(crate) fn mailbox(text: &str) -> Option<(Vec<u8>, &str)> {
    let bytes = text.as_bytes();
    let mut local = Vec::new();
    let mut at = 0;
    if bytes.first() == Some(&b'"') {
        at = 1;
        loop {
            let b = *bytes.get(at)?;
            at += 1;
            match b {
                b'"' => break,
                b'\\' => {
                    let escaped = *bytes.get(at)?;
                    if !matches!(escaped, 1..=9 | 11 | 12 | 14..=127) {
                        return None;
                    }
                    local.push(escaped);
                    at += 1;
                }
                1..=8 | 11 | 12 | 14..=33 | 35..=91 | 93..=127 => local.push(b),
                _ => return None,
            }
        }
    } else {
        while let Some(b) = bytes.get(at) {
            if *b == b'\\' {
                at += 1;
                local.push(*bytes.get(at)?);
            } else if b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(b) {
                local.push(*b);
            } else {
                break;
            }
            at += 1;
        }
        let dots = local.windows(2).any(|w| w == b"..");
        if local.is_empty() || local.first() == Some(&b'.') || local.last() == Some(&b'.') || dots {
            return None;
        }
    }
    let domain = text.get(at..)?.strip_prefix('@')?;
    let fine = domain.is_empty()
        || domain
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|b| (33..=126).contains(&b)));
    fine.then_some((local, domain))
}

fn valid_host(host: &str, pattern: bool) -> bool {
    let host = match pattern {
        true => host,
        false => host.strip_suffix('.').unwrap_or(host),
    };
    if host.is_empty() || host == "*" {
        return false;
    }
    host.split('.').enumerate().all(|(i, part)| {
        let wild = pattern && i == 0 && part == "*";
        let plain = |(j, b): (usize, u8)| b.is_ascii_alphanumeric() || b == b'_' || (b == b'-' && j != 0);
        wild || (!part.is_empty() && part.bytes().enumerate().all(plain))
    })
}

fn parts(host: &str) -> Vec<String> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.split('.').map(str::to_string).collect()
}

fn matches(pattern: &str, host: &[String]) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let labels: Vec<&str> = pattern.split('.').collect();
    !pattern.is_empty()
        && labels.len() == host.len()
        && labels
            .iter()
            .zip(host)
            .enumerate()
            .all(|(i, (label, part))| (i == 0 && *label == "*") || label == part)
}

/// Whether a certificate is one for a host.
pub(crate) fn is_for(certificate: &Certificate, host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let address = bare.filter(|b| !b.is_empty()).unwrap_or(host);
    if let Ok(ip) = address.parse::<IpAddr>() {
        return certificate
            .read
            .names
            .ips
            .iter()
            .any(|c| to_ip(c) == Some(ip.to_canonical()));
    }
    let name = host.to_ascii_lowercase();
    let (valid, labels) = (valid_host(&name, false), parts(&name));
    let empty = |h: &str| h.is_empty() || h == ".";
    certificate
        .read
        .names
        .dns
        .iter()
        .any(|known| match valid && valid_host(known, true) {
            true => matches(known, &labels),
            false => !empty(known) && !empty(&name) && known.eq_ignore_ascii_case(&name),
        })
}

/// An address of 4 or 16 bytes; those of version 4 within version 6 are of version 4.
pub(crate) fn to_ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|b| IpAddr::from(b).to_canonical()),
        _ => None,
    }
}
