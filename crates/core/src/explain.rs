//! Why a constraint found something in a review, or why it did not: the match, criterion by criterion, the rule that
//! denied with what it saw, and where rules failed that did not.

pub(crate) mod criteria;

use crate::decision::Generated;
use crate::evaluate::{self, EvaluateOptions, ImpliedReview};
use crate::inventory::Inventory;
use crate::matching::{self, Verdict};
use crate::policy_set::{Policy, PolicySet};
use crate::review::Review;
use crate::secrets::Secrets;
use crate::traced;
use regent_rego::trace::{BodyTrace, Nodes, Reached, Trace, TraceOptions};
use regent_rego::{Value, value_text};

pub use criteria::Criterion;
pub use traced::Place;

/// Characters of a value that are shown.
const SHOWN: usize = 160;
/// Rules that ask rules that ask rules: followed so deep.
const DEPTH: usize = 4;

/// What one constraint had to do with a review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Kind of the constraint.
    pub constraint_kind: String,
    /// Name of the constraint.
    pub constraint_name: String,
    /// Set for an implied object.
    pub generated: Option<Generated>,
    /// Whether it applies.
    pub matched: bool,
    /// Why not, or which criterion could not be decided; empty when it simply applies.
    pub reason: String,
    /// Each criterion that its `match` has; empty when it has none.
    pub criteria: Vec<Criterion>,
    /// What denied.
    pub denied: Vec<Denied>,
    /// Where nothing was denied: each rule that would have, and where it failed.
    pub failed: Vec<Failed>,
}

/// A rule that denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The message.
    pub message: String,
    /// The policy's `details`.
    pub details: Value,
    /// The head of the rule (or what stands for it) that made the finding.
    pub rule: Place,
    /// The expression that decided.
    pub decided: Place,
    /// Variables as the policy calls them.
    pub variables: Vec<Seen>,
    /// The node of the object that was read last to decide (keys, and indexes as decimal text).
    pub node: Option<Vec<String>>,
}

/// A rule that gave nothing, and where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its head.
    pub rule: Place,
    /// How often it held; a rule that held may have given nothing all the same.
    pub held: u64,
    /// The first expression that failed, on the turn that came furthest; of a rule that held, the last one.
    pub expression: Option<Place>,
    /// The furthest expression in a closure (comprehension, `every`) of it.
    pub inner: Option<Place>,
    /// Variables it saw, as the policy calls them.
    pub variables: Vec<Seen>,
    /// References it followed.
    pub references: Vec<Seen>,
    /// The rules and functions it asked.
    pub asked: Vec<Failed>,
}

/// A name and its value, as Rego, shortened, and without what a Secret holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The variable or reference.
    pub name: String,
    /// `None`: undefined.
    pub value: Option<String>,
}

/// For every constraint that is wanted (by kind and name), whether it applies to a review (and to what that implies),
/// why not, and what its rules did. Sorted by object, kind and name.
pub fn explain(
    policies: &PolicySet,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
    wanted: &dyn Fn(&str, &str) -> bool,
) -> Vec<Explained> {
    let mut out = Vec::new();
    let mut one = |review: &Review, implied: Option<&ImpliedReview>| {
        let nodes = review.subject().map(Nodes::of);
        for policy in policies.policies() {
            if wanted(&policy.constraint.kind, &policy.constraint.name) {
                let explainer = Explainer {
                    review,
                    implied,
                    inventory,
                    options,
                    nodes: nodes.as_ref(),
                };
                out.push(explainer.policy(policy));
            }
        }
    };
    one(review, None);
    if options.expand
        && let Ok(list) = evaluate::implied(policies, review, inventory, options)
    {
        list.iter().for_each(|i| one(&i.review, Some(i)));
    }
    out
}

/// One review, or one that it implies.
struct Explainer<'a> {
    review: &'a Review,
    implied: Option<&'a ImpliedReview>,
    inventory: &'a Inventory,
    options: &'a EvaluateOptions<'a>,
    nodes: Option<&'a Nodes<'a>>,
}

impl Explainer<'_> {
    fn policy(&self, policy: &Policy) -> Explained {
        let constraint = &policy.constraint;
        let namespace = evaluate::namespace_of(self.review, self.inventory);
        let mut out = Explained {
            constraint_kind: constraint.kind.clone(),
            constraint_name: constraint.name.clone(),
            generated: self.implied.map(|i| i.generated.clone()),
            ..Explained::default()
        };
        if self.implied.is_some_and(|i| !i.for_all && !constraint.workloads) {
            out.reason = format!(
                "does not ask for implied Pods (annotation {})",
                crate::constraint::WORKLOADS
            );
            return out;
        }
        if !evaluate::handles(policy, self.review, self.options.point) {
            out.reason = format!("its template is not for operation {}", self.review.operation);
            return out;
        }
        if constraint.actions(self.options.point).is_none() {
            out.reason = format!("not enforced at {}", self.options.point);
            return out;
        }
        if let Some(matching) = &constraint.matching {
            out.criteria = criteria::of(matching, self.review, namespace);
        }
        match matching::matches(constraint.matching.as_ref(), self.review, namespace) {
            Verdict::Matches => {
                out.matched = true;
                self.rules(policy, &mut out);
            }
            Verdict::Differs(criterion) => out.reason = format!("spec.match.{criterion} does not match"),
            Verdict::Unknown(why) => {
                out.matched = true;
                out.reason = format!("unable to match constraints: {why}");
            }
        }
        out
    }

    fn rules(&self, policy: &Policy, out: &mut Explained) {
        let secrets = Secrets::of(self.review, &policy.constraint.parameters, self.inventory.data());
        let options = TraceOptions {
            places: self.nodes,
            values: true,
            ..TraceOptions::default()
        };
        for rule in &policy.rules {
            let Some((_, trace)) = traced::run(policy, rule, self.review, self.inventory, self.options, &options)
            else {
                continue;
            };
            let told = Told {
                policy,
                secrets: &secrets,
                trace: &trace,
            };
            let before = out.denied.len();
            for answer in &trace.answers {
                let findings = evaluate::findings_in(rule, &answer.value);
                for (message, details) in findings {
                    out.denied.extend(told.denied(answer, self.nodes, message, details));
                }
            }
            if out.denied.len() == before {
                let entry = trace.bodies.iter().filter(|b| b.entry && !b.default);
                out.failed.extend(entry.map(|body| told.failed(body, DEPTH)));
            }
        }
        out.denied.dedup();
    }
}

/// A trace with what is needed to show it.
struct Told<'a> {
    policy: &'a Policy,
    secrets: &'a Secrets,
    trace: &'a Trace,
}

impl Told<'_> {
    fn denied(
        &self,
        answer: &regent_rego::trace::Answer,
        nodes: Option<&Nodes<'_>>,
        message: String,
        details: Value,
    ) -> Option<Denied> {
        let (at, variables, decides) = match &answer.origin {
            Some(origin) => (origin.body, &origin.variables, origin.decides.as_ref()),
            None => (answer.body, &answer.variables, None),
        };
        let body = self.trace.bodies.get(at)?;
        let decided = decides.or(body.decides.as_ref()).unwrap_or(&body.head);
        Some(Denied {
            message,
            details,
            rule: self.place(&body.head),
            decided: self.place(decided),
            variables: variables
                .iter()
                .map(|(name, value)| self.seen(name, Some(value)))
                .collect(),
            node: answer.node.and_then(|n| nodes.map(|nodes| nodes.path(n))),
        })
    }

    fn failed(&self, body: &BodyTrace, depth: usize) -> Failed {
        let mut out = Failed {
            rule: self.place(&body.head),
            held: body.held,
            expression: None,
            inner: None,
            variables: Vec::new(),
            references: Vec::new(),
            asked: Vec::new(),
        };
        let reached = [body.furthest.as_ref(), body.inner.as_ref()];
        out.expression = body.furthest.as_ref().map(|r| self.place(&r.loc));
        out.inner = body.inner.as_ref().map(|r| self.place(&r.loc));
        for reached in reached.into_iter().flatten() {
            self.reached(reached, depth, &mut out);
        }
        out
    }

    fn reached(&self, reached: &Reached, depth: usize, out: &mut Failed) {
        let add = |list: &mut Vec<Seen>, seen: Seen| {
            if !list.iter().any(|s| s.name == seen.name) {
                list.push(seen);
            }
        };
        for (name, value) in &reached.variables {
            add(&mut out.variables, self.seen(name, Some(value)));
        }
        for (name, value) in &reached.references {
            add(&mut out.references, self.seen(name, value.as_ref()));
        }
        if depth == 0 {
            return;
        }
        let asked = reached.asks.iter().filter_map(|b| self.trace.bodies.get(*b));
        for body in asked.filter(|b| b.entered > 0 && !b.default) {
            let failed = self.failed(body, depth - 1);
            // A rule that is nothing but a value has nothing to tell.
            if (failed.expression.is_some() || failed.inner.is_some()) && !out.asked.contains(&failed) {
                out.asked.push(failed);
            }
        }
    }

    fn seen(&self, name: &str, value: Option<&Value>) -> Seen {
        Seen {
            name: name.to_owned(),
            value: value.map(|v| shortened(&value_text::text(&self.secrets.cover(v)))),
        }
    }

    fn place(&self, loc: &regent_rego::ast::Loc) -> Place {
        self.policy.traced.as_ref().map(|t| t.place(loc)).unwrap_or_default()
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((at, _)) => format!(
            "{}… ({} characters)",
            text.get(..at).unwrap_or_default(),
            text.chars().count()
        ),
    }
}
