//! Policies of a chain, by RFC 5280 with the graph of RFC 9618, as Go checks them.

use super::certificate::Certificate;
use rustc_hash::FxHashSet;

/// `2.5.29.32.0`, any policy.
const ANY: &[u8] = &[0x55, 0x1d, 0x20, 0];

struct Node<'a> {
    policy: &'a [u8],
    expected: Vec<&'a [u8]>,
    /// Places in the stratum above.
    parents: Vec<usize>,
    gone: bool,
}

/// The graph: a stratum for each certificate below the root.
struct Graph<'a> {
    strata: Vec<Vec<Node<'a>>>,
}

fn node<'a>(policy: &'a [u8], parents: Vec<usize>) -> Node<'a> {
    Node {
        policy,
        expected: vec![policy],
        parents,
        gone: false,
    }
}

impl<'a> Graph<'a> {
    fn alive(stratum: &[Node<'a>], policy: &[u8]) -> Option<usize> {
        stratum.iter().position(|n| !n.gone && n.policy == policy)
    }

    fn leaf(&mut self, policy: &[u8]) -> Option<&mut Node<'a>> {
        self.strata
            .last_mut()?
            .iter_mut()
            .find(|n| !n.gone && n.policy == policy)
    }

    /// Adds a certificate's policies below those that expect them.
    fn descend(&mut self, policies: &'a [Vec<u8>], any_allowed: bool) {
        let mut next: Vec<Node<'a>> = Vec::new();
        let Some(above) = self.strata.last() else {
            return;
        };
        for policy in policies.iter().map(Vec::as_slice).filter(|p| *p != ANY) {
            let mut parents: Vec<usize> = above
                .iter()
                .enumerate()
                .filter(|(_, n)| !n.gone && n.expected.contains(&policy))
                .map(|(i, _)| i)
                .collect();
            if parents.is_empty() {
                parents.extend(Self::alive(above, ANY));
            }
            if !parents.is_empty() {
                next.push(node(policy, parents));
            }
        }
        if any_allowed && policies.iter().any(|p| p == ANY) {
            let mut missing: Vec<Node<'a>> = Vec::new();
            for (i, parent) in above.iter().enumerate().filter(|(_, n)| !n.gone) {
                for expected in &parent.expected {
                    if next.iter().any(|n| n.policy == *expected) {
                        continue;
                    }
                    match missing.iter_mut().find(|n| n.policy == *expected) {
                        Some(n) => n.parents.push(i),
                        None => missing.push(node(expected, vec![i])),
                    }
                }
            }
            next.extend(missing);
        }
        self.strata.push(next);
    }

    /// Takes away what leads nowhere, above the lowest stratum.
    fn prune(&mut self) {
        let mut below: FxHashSet<usize> = FxHashSet::default();
        for (from_end, stratum) in self.strata.iter_mut().rev().enumerate() {
            if from_end > 0 {
                for (i, n) in stratum.iter_mut().enumerate() {
                    n.gone |= !below.contains(&i);
                }
            }
            below = stratum
                .iter()
                .filter(|n| !n.gone)
                .flat_map(|n| n.parents.iter().copied())
                .collect();
        }
    }

    /// Policies that hold: those under any policy, and any policy at the end.
    fn valid(&self) -> usize {
        let mut count = 0;
        for (depth, stratum) in self.strata.iter().enumerate().skip(1) {
            let Some(above) = self.strata.get(depth - 1) else {
                continue;
            };
            for n in stratum.iter().filter(|n| !n.gone && n.policy != ANY) {
                if let [parent] = n.parents.as_slice() {
                    count += usize::from(above.get(*parent).is_some_and(|p| p.policy == ANY));
                }
            }
        }
        let end = self.strata.last().map_or(&[][..], Vec::as_slice);
        count + usize::from(Self::alive(end, ANY).is_some())
    }
}

fn lower(counter: &mut usize, limit: Option<i64>) {
    if let Some(limit) = limit.and_then(|l| usize::try_from(l).ok()) {
        *counter = (*counter).min(limit);
    }
}

/// Whether the policies of a chain, the leaf first, hold.
pub(crate) fn hold(chain: &[&Certificate]) -> bool {
    let n = chain.len().saturating_sub(1);
    if n == 0 {
        return true;
    }
    let root = node(ANY, Vec::new());
    let mut graph = Some(Graph {
        strata: vec![vec![root]],
    });
    let (mut any, mut explicit, mut mapping) = (n + 1, n + 1, n + 1);
    for (i, c) in chain.iter().enumerate().take(n).rev() {
        let own = c.raw_issuer == c.raw_subject;
        let policies = c.read.policies.as_deref().unwrap_or_default();
        if policies.is_empty() {
            graph = None;
        }
        if explicit == 0 && graph.is_none() {
            return false;
        }
        if let Some(graph) = &mut graph {
            graph.descend(policies, any > 0 || (i > 0 && own));
            graph.prune();
            if i > 0 && !map(graph, c, mapping > 0) {
                return false;
            }
        }
        if i > 0 {
            if !own {
                explicit = explicit.saturating_sub(1);
                mapping = mapping.saturating_sub(1);
                any = any.saturating_sub(1);
            }
            lower(&mut explicit, c.read.explicit_policy);
            lower(&mut mapping, c.read.policy_mapping);
            lower(&mut any, c.read.any_policy);
        }
    }
    explicit = explicit.saturating_sub(1);
    if chain.first().is_some_and(|c| c.read.explicit_policy == Some(0)) {
        explicit = 0;
    }
    explicit > 0 || graph.is_some_and(|g| g.valid() > 0)
}

/// Applies a certificate's mappings; false where one names any policy.
fn map<'a>(graph: &mut Graph<'a>, c: &'a Certificate, allowed: bool) -> bool {
    let mut mapped: Vec<(&'a [u8], Vec<&'a [u8]>)> = Vec::new();
    for (issuer, subject) in &c.read.mappings {
        if !allowed {
            if let Some(leaf) = graph.leaf(issuer) {
                leaf.gone = true;
            }
            continue;
        }
        if issuer == ANY || subject == ANY {
            return false;
        }
        match mapped.iter_mut().find(|m| m.0 == issuer.as_slice()) {
            Some(m) => m.1.push(subject),
            None => mapped.push((issuer, vec![subject])),
        }
    }
    if c.read.mappings.is_empty() {
        return true;
    }
    graph.prune();
    for (issuer, subjects) in mapped {
        if let Some(leaf) = graph.leaf(issuer) {
            leaf.expected = subjects;
            continue;
        }
        let Some(lowest) = graph.strata.last_mut() else {
            continue;
        };
        // Go makes any policy's leaf the parent; it counts as one of its policies.
        if let Some(parent) = Graph::alive(lowest, ANY) {
            let mut added = node(issuer, lowest.get(parent).map_or(Vec::new(), |p| p.parents.clone()));
            added.expected = subjects;
            lowest.push(added);
        }
    }
    true
}
