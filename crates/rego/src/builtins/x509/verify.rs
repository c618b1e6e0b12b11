//! Whether a chain of certificates leads from a root to a leaf, as Go's `Certificate.Verify` finds it.

use super::certificate::Certificate;
use super::extensions::ALTERNATIVE_NAMES;
use super::{constraints, hostname, policies};
use crate::builtins::{Failure, Host};

/// How many signatures are looked at.
const SIGNATURES: usize = 100;
/// What a signature costs, in bytes of work: about as long as hashing these.
const SIGNATURE_COST: usize = 16 << 10;

/// What is asked of the chain.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) dns_name: String,
    /// Nanoseconds since 1970.
    pub(crate) now: i128,
    /// Numbers of `x509.ExtKeyUsage`; none is server authentication.
    pub(crate) usages: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Leaf,
    Intermediate,
    Root,
}

struct Search<'a, 'h> {
    host: &'h mut dyn Host,
    roots: Vec<&'a Certificate>,
    intermediates: Vec<&'a Certificate>,
    now: i128,
    signatures: usize,
    /// The first chain that holds in every way.
    found: Option<Vec<&'a Certificate>>,
    usages: Vec<i64>,
}

/// The first chain from the last certificate to the first, by way of those between; nothing where there is none.
///
/// # Errors
/// A limit.
pub(crate) fn chain<'a>(
    host: &mut dyn Host,
    all: &'a [Certificate],
    options: &Options,
) -> Result<Option<Vec<&'a Certificate>>, Failure> {
    let [root, between @ .., leaf] = all else {
        return Ok(None);
    };
    let mut search = Search {
        host,
        roots: vec![root],
        intermediates: Vec::new(),
        now: options.now,
        signatures: 0,
        found: None,
        usages: match options.usages.is_empty() {
            true => vec![1],
            false => options.usages.clone(),
        },
    };
    for certificate in between {
        if search.intermediates.iter().all(|c| c.raw != certificate.raw) {
            search.intermediates.push(certificate);
        }
    }
    if !search.valid(leaf, Place::Leaf, &[]) {
        return Ok(None);
    }
    if !options.dns_name.is_empty() && !hostname::is_for(leaf, &options.dns_name) {
        return Ok(None);
    }
    if root.raw == leaf.raw {
        search.candidate(vec![leaf])?;
    } else {
        search.extend(leaf, &[leaf])?;
    }
    Ok(search.found)
}

impl<'a> Search<'a, '_> {
    /// A chain that is whole: kept if it holds.
    fn candidate(&mut self, chain: Vec<&'a Certificate>) -> Result<(), Failure> {
        self.host.charge(comparisons(&chain) / 2)?;
        let fine = policies::hold(&chain)
            && (self.usages.contains(&0) || usages_hold(&chain, &self.usages))
            && constraints::hold(&chain);
        if fine && self.found.is_none() {
            self.found = Some(chain);
        }
        Ok(())
    }

    fn valid(&self, c: &Certificate, place: Place, chain: &[&Certificate]) -> bool {
        if !c.read.unhandled.is_empty() {
            return false;
        }
        if chain.last().is_some_and(|child| child.raw_issuer != c.raw_subject) {
            return false;
        }
        if self.now < c.not_before.nanos() || self.now > c.not_after.nanos() {
            return false;
        }
        if place == Place::Intermediate && !c.read.basic.is_some_and(|(is_ca, _)| is_ca) {
            return false;
        }
        let length = i64::try_from(chain.len()).unwrap_or(i64::MAX);
        c.read
            .basic
            .is_none_or(|(_, longest)| longest < 0 || length.saturating_sub(1) <= longest)
    }

    /// Looks for those who signed the last of a chain. False once too many signatures were looked at.
    fn extend(&mut self, child: &'a Certificate, chain: &[&'a Certificate]) -> Result<bool, Failure> {
        for place in [Place::Root, Place::Intermediate] {
            let pool = match place {
                Place::Root => &self.roots,
                _ => &self.intermediates,
            };
            for parent in parents(pool, child) {
                self.signatures += 1;
                if self.signatures > SIGNATURES {
                    return Ok(false);
                }
                self.host.charge(SIGNATURE_COST)?;
                if parent.key.is_none() || in_chain(parent, chain) {
                    continue;
                }
                if !signed_by(child, parent) || !self.valid(parent, place, chain) {
                    continue;
                }
                let longer: Vec<&Certificate> = chain.iter().copied().chain([parent]).collect();
                if place == Place::Root {
                    self.candidate(longer)?;
                } else if !self.extend(parent, &longer)? {
                    return Ok(false);
                }
                if self.found.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }
}

/// How many comparisons of policies and of names a chain may take.
fn comparisons(chain: &[&Certificate]) -> usize {
    let policies = |c: &Certificate| {
        let own = c.read.policies.as_ref().map_or(0, Vec::len);
        1 + own + c.read.mappings.len()
    };
    let names = |c: &Certificate| {
        let n = &c.read.names;
        n.dns.len() + n.emails.len() + n.ips.len() + n.uris.len()
    };
    let trees = |c: &Certificate| {
        let both = [&c.read.permitted, &c.read.excluded];
        let all = both
            .iter()
            .map(|t| t.dns.len() + t.emails.len() + t.ips.len() + t.uris.len());
        all.sum::<usize>()
    };
    let all_trees: usize = chain.iter().map(|c| trees(c)).sum();
    let all_names: usize = chain.iter().map(|c| names(c)).sum();
    let pairs = chain.windows(2).map(|pair| match pair {
        [a, b] => policies(a).saturating_mul(policies(b)),
        _ => 0,
    });
    pairs.fold(all_trees.saturating_mul(all_names), usize::saturating_add)
}

/// Those who may have signed a certificate, the likeliest first.
fn parents<'a>(pool: &[&'a Certificate], child: &Certificate) -> Vec<&'a Certificate> {
    let empty = |k: &Option<Vec<u8>>| k.as_ref().is_none_or(Vec::is_empty);
    let wanted = &child.read.authority_key;
    let rank = |c: &Certificate| {
        let own = &c.read.subject_key;
        match (empty(own), empty(wanted)) {
            (true, true) => 0,
            (false, false) if own == wanted => 0,
            (false, false) => 2,
            _ => 1,
        }
    };
    let mut out: Vec<&Certificate> = pool
        .iter()
        .copied()
        .filter(|c| c.raw_subject == child.raw_issuer)
        .collect();
    out.sort_by_key(|c| rank(c));
    out
}

/// Whether a chain has a certificate of the same subject, key and other names.
fn in_chain(candidate: &Certificate, chain: &[&Certificate]) -> bool {
    let names = |c: &Certificate| c.extension(ALTERNATIVE_NAMES).map(|e| e.value.clone());
    let own = names(candidate);
    for c in chain {
        if c.raw_subject != candidate.raw_subject || c.raw_key != candidate.raw_key {
            continue;
        }
        match (&own, names(c)) {
            (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => return false,
            (Some(a), Some(b)) if *a == b => return true,
            _ => {}
        }
    }
    false
}

fn signed_by(child: &Certificate, parent: &Certificate) -> bool {
    let may = match parent.read.basic {
        None => parent.version != 3,
        Some((is_ca, _)) => is_ca,
    };
    let usage = parent.read.key_usage;
    if !may || (usage != 0 && usage & 1 << 5 == 0) {
        return false;
    }
    parent
        .key
        .as_ref()
        .is_some_and(|key| key.verifies(child.signed.scheme, &child.raw_signed, &child.signature))
}

/// Whether one of the usages asked for is allowed by every certificate of the chain that speaks of usages.
fn usages_hold(chain: &[&Certificate], wanted: &[i64]) -> bool {
    let mut left: Vec<i64> = wanted.to_vec();
    for c in chain.iter().rev() {
        let known = &c.read.usages;
        if (known.is_empty() && c.read.unknown_usages.is_empty()) || known.contains(&0) {
            continue;
        }
        left.retain(|u| known.contains(u));
        if left.is_empty() {
            return false;
        }
    }
    true
}
