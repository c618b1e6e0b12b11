//! The one function that gives a verdict: expand, match, run.

use crate::ask::{Engine, NoAnswer, ask};
use crate::decision::{Action, Decision, Failure, Generated, Spent, Unconfirmed, Violation};
use crate::expansion;
use crate::inventory::Inventory;
use crate::matching::{self, Verdict};
use crate::object::{self, Gvk, go_type, go_value};
use crate::policy_set::{Policy, PolicySet, Rule};
use crate::review::{Review, Source};
use regent_rego::{Context, Limits, Outcome, Program, SecondEvaluator, Value};

/// Gatekeeper's name for the webhook.
pub const POINT_WEBHOOK: &str = "validation.gatekeeper.sh";
/// Gatekeeper's name for audit.
pub const POINT_AUDIT: &str = "audit.gatekeeper.sh";
/// Gatekeeper's name for the command line.
pub const POINT_GATOR: &str = "gator.gatekeeper.sh";

/// How one review is evaluated.
#[derive(Clone, Copy)]
pub struct EvaluateOptions<'a> {
    /// Enforcement point.
    pub point: &'a str,
    /// Monotonic nanoseconds; `None`: no time limits.
    pub clock: Option<&'a (dyn Fn() -> u64 + Sync)>,
    /// Nanoseconds one constraint may take on one object.
    pub constraint_budget: u64,
    /// Nanoseconds the whole review may take.
    pub total_budget: u64,
    /// Bytes that the values may take which one constraint makes while it judges one object.
    pub memory: usize,
    /// `time.now_ns()`, nanoseconds since 1970.
    pub time_ns: i64,
    /// Seed of what is random in policies.
    pub seed: u64,
    /// Judge the Pods that workloads imply by every constraint, not only by those that ask for it.
    pub workloads: bool,
    /// Honour ExpansionTemplates and built-in workload paths at all.
    pub expand: bool,
    /// Which evaluator answers.
    pub engine: Engine,
    /// Tell how long each constraint took ([`Decision::spent`]); needs the clock.
    pub measure: bool,
    /// The other evaluator, for all but [`Engine::Native`]; the set must have been compiled with
    /// [`crate::CompileOptions::second_opinion`].
    pub second: Option<SecondEvaluator<'a>>,
}

impl Default for EvaluateOptions<'_> {
    fn default() -> Self {
        EvaluateOptions {
            point: POINT_GATOR,
            clock: None,
            constraint_budget: 1_000_000_000,
            total_budget: u64::MAX,
            memory: Limits::default().memory,
            time_ns: 0,
            seed: 0,
            workloads: false,
            expand: true,
            engine: Engine::Native,
            measure: false,
            second: None,
        }
    }
}

/// Judges a review by every constraint that matches it, and the objects it implies.
pub fn evaluate(
    policies: &PolicySet,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
) -> Decision {
    let mut run = Run {
        policies,
        inventory,
        options,
        deadline: options.clock.map(|now| now().saturating_add(options.total_budget)),
        decision: Decision {
            revision: policies.shared_revision(),
            ..Decision::default()
        },
    };
    run.judge(review, None, |_| true);
    if options.expand {
        match implied(policies, review, inventory, options) {
            Ok(list) => {
                for one in &list {
                    run.judge(&one.review, Some(one), |policy| {
                        one.for_all || policy.constraint.workloads
                    });
                }
            }
            Err(why) => run.fail_whole(format!("unable to expand object: {why}")),
        }
    }
    let mut decision = run.decision;
    sort(&mut decision);
    decision
}

/// Constraints that [`untouched`] looks at.
const GLANCE: usize = 1_000;

/// The decision on a review that no constraint matches and that implies nothing, which takes no evaluation. `None`: ask
/// [`evaluate`]; also when there is much to match, so that this takes little time whatever the set.
pub fn untouched(
    policies: &PolicySet,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
) -> Option<Decision> {
    let namespace = namespace_of(review, inventory);
    let differs = |policy: &Policy| {
        matches!(
            matching::matches(policy.constraint.matching.as_ref(), review, namespace),
            Verdict::Differs(_)
        )
    };
    let mut candidates = policies.candidates(review, namespace);
    if !candidates.by_ref().take(GLANCE).all(differs) || candidates.next().is_some() {
        return None;
    }
    let gvk = review.object.as_ref().map(Gvk::of).unwrap_or_default();
    (!implies(policies, gvk.group, gvk.kind, options)).then(|| Decision {
        revision: policies.shared_revision(),
        ..Decision::default()
    })
}

/// Whether an object of a group and kind can be matched by a constraint or imply something. If neither what a review is
/// about nor what it replaces is asked for, then [`evaluate`] with the same options finds nothing in it whatever else
/// they hold.
pub fn asks_for(policies: &PolicySet, group: &str, kind: &str, options: &EvaluateOptions<'_>) -> bool {
    // What cannot be told is for every constraint to refuse in its own words.
    kind.is_empty() || policies.can_match(group, kind) || implies(policies, group, kind, options)
}

fn implies(policies: &PolicySet, group: &str, kind: &str, options: &EvaluateOptions<'_>) -> bool {
    let workloads = options.workloads || policies.judges_workloads();
    options.expand
        && (!policies.expansions().is_empty() || workloads && expansion::workload_path_of(group, kind).is_some())
}

/// Total order: action, message, kind, name, and then whatever else two violations can differ in.
fn sort(decision: &mut Decision) {
    decision.violations.sort_by(|a, b| {
        (
            &a.enforcement_action,
            &a.message,
            &a.constraint_kind,
            &a.constraint_name,
            &a.generated,
            &a.details,
        )
            .cmp(&(
                &b.enforcement_action,
                &b.message,
                &b.constraint_kind,
                &b.constraint_name,
                &b.generated,
                &b.details,
            ))
    });
    decision.violations.dedup();
    decision.failures.sort_by(|a, b| {
        (&a.constraint_kind, &a.constraint_name, &a.message, &a.generated).cmp(&(
            &b.constraint_kind,
            &b.constraint_name,
            &b.message,
            &b.generated,
        ))
    });
    decision.failures.dedup();
    decision.unconfirmed.sort();
    decision.unconfirmed.dedup();
}

/// An implied object, as it is judged.
pub(crate) struct ImpliedReview {
    pub(crate) review: Review,
    pub(crate) generated: Generated,
    /// Put before messages.
    pub(crate) prefix: String,
    /// Takes the place of a constraint's own action; empty: it does not.
    action: String,
    /// Judged by every constraint, not only by those that ask for workloads.
    pub(crate) for_all: bool,
}

/// What a review implies: by ExpansionTemplates, and by the built-in paths where those made no Pod of it.
pub(crate) fn implied(
    policies: &PolicySet,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
) -> Result<Vec<ImpliedReview>, String> {
    let Some(object) = &review.object else {
        return Ok(Vec::new());
    };
    let namespace = namespace_of(review, inventory);
    let mut out = Vec::new();
    let mut has_pod = false;
    if !policies.expansions().is_empty() && Gvk::of(object) != Gvk::default() {
        for one in expansion::expand(policies.expansions(), object, review.namespace.as_ref())? {
            has_pod |= Gvk::of(&one.object).kind == "Pod";
            let mut made = Review::of_object_for(one.object, namespace.cloned(), &review.operation);
            made.source = Some(Source::Generated);
            out.push(ImpliedReview {
                review: made,
                prefix: format!("[Implied by {}] ", one.generated.template),
                generated: one.generated,
                action: one.enforcement_action,
                for_all: true,
            });
        }
    }
    let wanted = options.workloads || policies.judges_workloads();
    if wanted
        && !has_pod
        && let Some(one) = expansion::implied_pod(object, namespace)
    {
        // A changed template makes new Pods, whatever the request does to the workload.
        let operation = if review.operation == "UPDATE" {
            "CREATE"
        } else {
            review.operation.as_str()
        };
        let mut made = Review::of_object_for(one.object, namespace.cloned(), operation);
        let old = review.old_object.as_ref().filter(|_| review.operation == "UPDATE");
        if let Some(old) = old.and_then(|o| expansion::implied_pod(o, namespace)) {
            made.document = object::with(&made.document, &["oldObject"], Some(old.object.clone()));
            made.old_object = Some(old.object);
        }
        made.source = Some(Source::Generated);
        out.push(ImpliedReview {
            review: made,
            generated: one.generated,
            prefix: String::new(),
            action: String::new(),
            for_all: options.workloads,
        });
    }
    Ok(out)
}

/// The Namespace of a review: its own, or the inventory's by the request's namespace.
pub(crate) fn namespace_of<'a>(review: &'a Review, inventory: &'a Inventory) -> Option<&'a Value> {
    review.namespace.as_ref().or_else(|| match review.namespace_name() {
        "" => None,
        name => inventory.namespace(name),
    })
}

/// One call of [`evaluate`].
struct Run<'a> {
    policies: &'a PolicySet,
    inventory: &'a Inventory,
    options: &'a EvaluateOptions<'a>,
    /// End of the whole review by the clock, when there is one.
    deadline: Option<u64>,
    decision: Decision,
}

impl<'a> Run<'a> {
    fn judge(&mut self, review: &Review, implied: Option<&ImpliedReview>, wanted: impl Fn(&Policy) -> bool) {
        let namespace = namespace_of(review, self.inventory);
        for policy in self.policies.candidates(review, namespace) {
            if !wanted(policy) || !handles(policy, review, self.options.point) {
                continue;
            }
            let Some(actions) = policy.constraint.actions(self.options.point) else {
                continue;
            };
            match matching::matches(policy.constraint.matching.as_ref(), review, namespace) {
                Verdict::Differs(_) => {}
                Verdict::Matches => self.measured(policy, review, &actions, implied),
                Verdict::Unknown(why) => {
                    let message = format!("unable to match constraints: {why}");
                    self.add(policy, None, &actions, implied, message, Value::object(Vec::new()));
                }
            }
        }
    }

    fn measured(&mut self, policy: &Policy, review: &Review, actions: &[Action], implied: Option<&ImpliedReview>) {
        let clock = self.options.clock.filter(|_| self.options.measure);
        let begin = clock.map(|now| now());
        self.run(policy, review, actions, implied);
        if let (Some(now), Some(begin)) = (clock, begin) {
            self.decision.spent.push(Spent {
                constraint: policy.index,
                nanoseconds: now().saturating_sub(begin),
            });
        }
    }

    /// Runs a policy on a review that it matches.
    fn run(&mut self, policy: &Policy, review: &Review, actions: &[Action], implied: Option<&ImpliedReview>) {
        if let Some(why) = &policy.broken {
            if !mends(review) {
                self.fail(policy, None, actions, implied, why.clone().into());
            }
            return;
        }
        let Some(program) = &policy.program else { return };
        self.decision.evaluated += 1;
        let input = Value::record([
            ("parameters", policy.constraint.parameters.clone()),
            ("review", review.document.clone()),
        ]);
        for rule in &policy.rules {
            let context = Context {
                input: Some(&input),
                data: self.inventory.data(),
                limits: self.limits(),
                time_ns: self.options.time_ns,
                seed: self.options.seed,
                strict_builtin_errors: false,
            };
            match self.ask(policy, program, rule, implied, &context) {
                Err(why) => self.fail(policy, Some(rule), actions, implied, why),
                Ok(outcome) => {
                    self.decision.prints.extend(outcome.prints);
                    match findings(rule, outcome.value) {
                        Err(why) => self.fail(policy, Some(rule), actions, implied, why.into()),
                        Ok(found) => {
                            for (message, details) in found {
                                self.add(policy, Some(rule), actions, implied, message, details);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Asks the evaluators that are wanted.
    fn ask(
        &mut self,
        policy: &Policy,
        program: &Program,
        rule: &Rule,
        implied: Option<&ImpliedReview>,
        context: &Context<'_>,
    ) -> Result<Outcome, NoAnswer> {
        let asked = ask(
            program,
            rule.entry,
            context,
            self.options.engine,
            self.options.second,
            || self.limits(),
        )?;
        if let Some(reason) = asked.not_asked {
            self.decision.unconfirmed.push(Unconfirmed {
                constraint_kind: policy.constraint.kind.clone(),
                constraint_name: policy.constraint.name.clone(),
                reason,
                generated: implied.map(|i| i.generated.clone()),
            });
        }
        Ok(asked.outcome)
    }

    fn limits(&self) -> Limits<'a> {
        let deadline = match (self.options.clock, self.deadline) {
            (Some(now), Some(end)) => now().saturating_add(self.options.constraint_budget).min(end),
            _ => u64::MAX,
        };
        Limits {
            clock: self.options.clock,
            deadline,
            memory: self.options.memory,
            ..Limits::default()
        }
    }

    fn add(
        &mut self,
        policy: &Policy,
        rule: Option<&Rule>,
        actions: &[Action],
        implied: Option<&ImpliedReview>,
        message: String,
        details: Value,
    ) {
        let (enforcement_action, actions) = outcome(policy, rule, actions, implied);
        self.decision.violations.push(Violation {
            constraint_kind: policy.constraint.kind.clone(),
            constraint_name: policy.constraint.name.clone(),
            enforcement_action,
            actions,
            message: match implied {
                Some(implied) => format!("{}{message}", implied.prefix),
                None => message,
            },
            details,
            generated: implied.map(|i| i.generated.clone()),
        });
    }

    fn fail(
        &mut self,
        policy: &Policy,
        rule: Option<&Rule>,
        actions: &[Action],
        implied: Option<&ImpliedReview>,
        why: NoAnswer,
    ) {
        let (enforcement_action, actions) = outcome(policy, rule, actions, implied);
        self.decision.failures.push(Failure {
            constraint_kind: policy.constraint.kind.clone(),
            constraint_name: policy.constraint.name.clone(),
            enforcement_action,
            actions,
            message: match implied {
                Some(implied) => format!("{}{}", implied.prefix, why.message),
                None => why.message,
            },
            disagreement: why.disagreement,
            generated: implied.map(|i| i.generated.clone()),
        });
    }

    fn fail_whole(&mut self, message: String) {
        self.decision.failures.push(Failure {
            constraint_kind: String::new(),
            constraint_name: String::new(),
            enforcement_action: Action::Deny.as_str().to_owned(),
            actions: vec![Action::Deny],
            message,
            disagreement: false,
            generated: None,
        });
    }
}

/// Whether a review is of an object by which a broken policy could be mended: that must not wait for the policy.
fn mends(review: &Review) -> bool {
    review
        .subject()
        .is_some_and(|object| Gvk::of(object).group.ends_with(".gatekeeper.sh"))
}

/// Whether a template is for the operation; only the webhook asks.
pub(crate) fn handles(policy: &Policy, review: &Review, point: &str) -> bool {
    point != POINT_WEBHOOK || policy.template.as_ref().is_none_or(|t| t.handles(&review.operation))
}

/// What a finding leads to: the rule's own action, or the expansion's, or the constraint's.
fn outcome(
    policy: &Policy,
    rule: Option<&Rule>,
    actions: &[Action],
    implied: Option<&ImpliedReview>,
) -> (String, Vec<Action>) {
    let overridden = implied.map(|i| i.action.as_str()).filter(|a| !a.is_empty());
    if let Some(action) = overridden {
        return (action.to_owned(), Action::parse(action).into_iter().collect());
    }
    if let Some(action) = rule.and_then(|r| r.action) {
        return (action.as_str().to_owned(), vec![action]);
    }
    (policy.constraint.enforcement_action.clone(), actions.to_vec())
}

/// A finding: its message and details.
pub(crate) type Finding = (String, Value);

/// What the value of a policy's rule says.
fn findings(rule: &Rule, value: Option<Value>) -> Result<Vec<Finding>, String> {
    match rule.action {
        Some(_) => plain(value),
        None => violations(value),
    }
}

/// What a part of that value says: a member of a set, or what one body gave.
pub(crate) fn findings_in(rule: &Rule, value: &Value) -> Vec<Finding> {
    let whole = match value {
        Value::Set(_) => value.clone(),
        member if rule.action.is_none() => Value::set(vec![member.clone()]),
        other => other.clone(),
    };
    findings(rule, Some(whole)).unwrap_or_default()
}

/// What Gatekeeper reads from `violation`: of every member `msg` and `details`, those without `msg` are none, and what
/// is the same twice is once.
fn violations(value: Option<Value>) -> Result<Vec<Finding>, String> {
    let members: Vec<Value> = match value {
        Some(Value::Set(set)) => set.iter().cloned().collect(),
        // `violation[r]` over an object gives its keys.
        Some(Value::Object(object)) => object.iter().map(|(k, _)| k.clone()).collect(),
        _ => Vec::new(),
    };
    let mut out: Vec<Finding> = Vec::new();
    for member in &members {
        let Some(message) = member.get("msg") else { continue };
        let Some(message) = message.as_str() else {
            return Err(format!(
                "extracting message binding: .msg accessor error: {} is of the type {}, expected string",
                go_value(message),
                go_type(message, "json.Number")
            ));
        };
        let details = member
            .get("details")
            .cloned()
            .unwrap_or_else(|| Value::object(Vec::new()));
        let finding = (message.to_owned(), details);
        if !out.contains(&finding) {
            out.push(finding);
        }
    }
    Ok(out)
}

/// What plain rules may give: a set (or array) of texts and of objects with `msg`, one such text or object, or nothing.
fn plain(value: Option<Value>) -> Result<Vec<Finding>, String> {
    let members: Vec<Value> = match value {
        None | Some(Value::Null | Value::Bool(false)) => Vec::new(),
        Some(Value::Set(set)) => set.iter().cloned().collect(),
        Some(Value::Array(items)) => items.to_vec(),
        Some(Value::Object(object)) if object.get_str("msg").is_none() => {
            object.iter().map(|(k, _)| k.clone()).collect()
        }
        Some(other) => vec![other],
    };
    let mut out: Vec<Finding> = Vec::new();
    for member in &members {
        let message = member.as_str().or_else(|| member.get("msg").and_then(Value::as_str));
        let Some(message) = message else {
            return Err(format!(
                "a rule must give texts or objects with msg, not {}",
                go_value(member)
            ));
        };
        let details = member
            .get("details")
            .cloned()
            .unwrap_or_else(|| Value::object(Vec::new()));
        let finding = (message.to_owned(), details);
        if !out.contains(&finding) {
            out.push(finding);
        }
    }
    Ok(out)
}
