//! Looks on while a constraint judges a review: which lines it reaches, what its criteria say, what parameters it reads.

use super::{ConstraintId, Coverage, Criterion, Exercised, Lines, Parameter};
use crate::evaluate::{self, EvaluateOptions};
use crate::explain::criteria;
use crate::inventory::Inventory;
use crate::manifest::Places;
use crate::matching::{self, Match, Verdict};
use crate::policy_set::{Policy, PolicySet};
use crate::review::Review;
use crate::traced::{self, Traced};
use regent_rego::Value;
use regent_rego::trace::{self, Node, Nodes, Trace, TraceOptions};
use std::collections::{BTreeMap, BTreeSet};

/// A constraint that is looked at, with what was seen so far.
pub(crate) struct Watched {
    id: ConstraintId,
    pub(crate) coverage: Coverage,
}

impl Watched {
    /// Every constraint of a set, of which all stand in one document.
    pub(crate) fn all(policies: &PolicySet, file: &str, places: &Places) -> Vec<Watched> {
        let one = |policy: &Policy| Watched::new(policy, file, places);
        policies.policies().iter().map(one).collect()
    }

    fn new(policy: &Policy, file: &str, places: &Places) -> Watched {
        let id = ConstraintId {
            file: file.to_owned(),
            kind: policy.constraint.kind.clone(),
            name: policy.constraint.name.clone(),
        };
        let mut coverage = Coverage::default();
        if let Some(traced) = &policy.traced {
            add_lines(&mut coverage, traced);
        }
        let root = &policy.constraint.parameters;
        let leaves = Nodes::of(root).paths().map(|(_, path)| path).collect::<Vec<_>>();
        let leaves = leaves
            .into_iter()
            .filter(|path| !path.is_empty() && is_leaf(at(root, path)));
        let parameters = leaves.map(|path| Parameter {
            line: line(places, "parameters", &path),
            path,
            used: false,
        });
        let criteria = policy.constraint.matching.iter().flat_map(Match::criteria);
        let criteria = criteria.map(|name| Criterion {
            name,
            line: line(places, "match", &[name.to_owned()]),
            fitted: false,
            refused: false,
        });
        let exercised = Exercised {
            criteria: criteria.collect(),
            parameters: parameters.collect(),
        };
        coverage.constraints.insert(id.clone(), exercised);
        Watched { id, coverage }
    }

    fn judge(&mut self, policy: &Policy, review: &Review, inventory: &Inventory, options: &EvaluateOptions<'_>) {
        let namespace = evaluate::namespace_of(review, inventory);
        let Some(exercised) = self.coverage.constraints.get_mut(&self.id) else {
            return;
        };
        if let Some(matching) = &policy.constraint.matching {
            for told in criteria::of(matching, review, namespace) {
                if let Some(criterion) = exercised.criteria.iter_mut().find(|c| c.name == told.name) {
                    criterion.fitted |= told.holds == Ok(true);
                    criterion.refused |= told.holds == Ok(false);
                }
            }
        }
        if matching::matches(policy.constraint.matching.as_ref(), review, namespace) != Verdict::Matches {
            return;
        }
        let nodes = Nodes::of(&policy.constraint.parameters);
        let watched = TraceOptions {
            watched: Some(&nodes),
            ..TraceOptions::default()
        };
        for rule in &policy.rules {
            if let Some((_, trace)) = traced::run(policy, rule, review, inventory, options, &watched) {
                use_parameters(exercised, &nodes, &trace);
                if let Some(traced) = &policy.traced {
                    reach(&mut self.coverage.files, traced, &trace);
                }
            }
        }
    }
}

/// Judges a review, and what it implies, once more for everything that is watched.
pub(crate) fn observe(
    policies: &PolicySet,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
    watched: &mut [Watched],
) {
    if watched.is_empty() {
        return;
    }
    let implied = match options.expand {
        true => evaluate::implied(policies, review, inventory, options).unwrap_or_default(),
        false => Vec::new(),
    };
    for (policy, watched) in policies.policies().iter().zip(watched) {
        watched.judge(policy, review, inventory, options);
        for one in &implied {
            if one.for_all || policy.constraint.workloads {
                watched.judge(policy, &one.review, inventory, options);
            }
        }
    }
}

/// Lines that can be reached, in the files of the user's.
fn add_lines(coverage: &mut Coverage, traced: &Traced) {
    for module in traced.modules() {
        for row in trace::rows(&module) {
            if let Some((file, line)) = traced.line(&module.file, row) {
                coverage.files.entry(file.to_owned()).or_default().can_reach(line);
            }
        }
    }
}

fn reach(files: &mut BTreeMap<String, Lines>, traced: &Traced, trace: &Trace) {
    for (module, rows) in &trace.rows {
        for row in rows {
            let place = traced.line(module, *row);
            if let Some((lines, line)) = place.and_then(|(file, line)| Some((files.get_mut(file)?, line))) {
                lines.reach(line);
            }
        }
    }
}

fn use_parameters(exercised: &mut Exercised, nodes: &Nodes<'_>, trace: &Trace) {
    let path = |node: &Node| nodes.path(*node);
    let read: BTreeSet<Vec<String>> = trace.read.iter().map(path).collect();
    let handed: Vec<Vec<String>> = trace.handed.iter().map(path).collect();
    for parameter in &mut exercised.parameters {
        parameter.used |= read.contains(&parameter.path) || handed.iter().any(|h| parameter.path.starts_with(h));
    }
}

/// Whether there is nothing more below.
fn is_leaf(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        other => other.is_some(),
    }
}

fn at<'v>(root: &'v Value, path: &[String]) -> Option<&'v Value> {
    let step = |value: &'v Value, key: &String| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        value => value.get(key),
    };
    path.iter().try_fold(root, step)
}

fn line(places: &Places, part: &str, path: &[String]) -> u32 {
    let path: Vec<&str> = ["spec", part]
        .into_iter()
        .chain(path.iter().map(String::as_str))
        .collect();
    places.find(&path).0
}
