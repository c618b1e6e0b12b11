//! Which node of an object a violation is about: the one that the denying rule read last.
//!
//! The verdict is reached without a trace. Only for what was found wrong, and only where the policy does not name the node
//! itself, the constraint is evaluated once more with one.

use crate::decision::{Decision, Violation};
use crate::evaluate::{self, EvaluateOptions, ImpliedReview};
use crate::inventory::Inventory;
use crate::policy_set::PolicySet;
use crate::review::Review;
use crate::traced;
use regent_rego::trace::{Nodes, TraceOptions};
use std::collections::BTreeMap;

/// Points of one traced evaluation: some 100 ms. By count, not by time, so that places do not depend on the machine.
const POINTS: u64 = 1_000_000;

/// For each violation of a decision that is wanted, the path (keys, and indexes as decimal text) of the node read last
/// by the rule that found it, in the object that was judged: for a violation of an implied object, in that one. `None`
/// where no node of it is known to have been read.
///
/// Costs an evaluation of each constraint that has a wanted violation, bounded by the constraint's budget and a number of
/// steps; what does not end within them has no place.
pub fn places(
    policies: &PolicySet,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
    decision: &Decision,
    wanted: &dyn Fn(&Violation) -> bool,
) -> Vec<Option<Vec<String>>> {
    let mut out = vec![None; decision.violations.len()];
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (i, violation) in decision.violations.iter().enumerate().filter(|(_, v)| wanted(v)) {
        let key = (
            &violation.generated,
            &violation.constraint_kind,
            &violation.constraint_name,
        );
        groups.entry(key).or_default().push(i);
    }
    let implied: Vec<ImpliedReview> = match groups.keys().any(|k| k.0.is_some()) {
        true => evaluate::implied(policies, review, inventory, options).unwrap_or_default(),
        false => Vec::new(),
    };
    let mut known: Option<(Option<usize>, Nodes<'_>)> = None;
    for ((generated, kind, name), found) in groups {
        let Some(policy) = policies.policy(kind, name) else {
            continue;
        };
        let one = generated
            .as_ref()
            .map(|g| implied.iter().position(|i| i.generated == *g));
        let (judged, prefix, at) = match one {
            None => (review, "", None),
            Some(None) => continue,
            Some(Some(at)) => match implied.get(at) {
                Some(one) => (&one.review, one.prefix.as_str(), Some(at)),
                None => continue,
            },
        };
        let Some(object) = judged.subject() else { continue };
        // Groups are sorted by object, so its nodes serve all its constraints.
        let nodes = match known.take() {
            Some((of, nodes)) if of == at => nodes,
            _ => Nodes::of(object),
        };
        let trace = TraceOptions {
            places: Some(&nodes),
            points: Some(POINTS),
            ..TraceOptions::default()
        };
        for rule in &policy.rules {
            let Some((_, trace)) = traced::run(policy, rule, judged, inventory, options, &trace) else {
                continue;
            };
            for answer in &trace.answers {
                let Some(node) = answer.node else { continue };
                for (message, details) in evaluate::findings_in(rule, &answer.value) {
                    let about = |v: &Violation| {
                        v.message.strip_prefix(prefix) == Some(message.as_str()) && v.details == details
                    };
                    for i in &found {
                        if let (Some(place @ None), Some(violation)) = (out.get_mut(*i), decision.violations.get(*i))
                            && about(violation)
                        {
                            *place = Some(nodes.path(node));
                        }
                    }
                }
            }
        }
        known = Some((at, nodes));
    }
    // That the object itself was read says nothing.
    out.into_iter()
        .map(|p| p.filter(|p: &Vec<String>| !p.is_empty()))
        .collect()
}
