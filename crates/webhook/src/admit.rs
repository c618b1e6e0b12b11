//! `/v1/admit` and `/v1/admitlabel`: what Gatekeeper's webhook decides, in its order (`gatekeeper.md` §6.2, §6.3).

use crate::admission::{Clock, Exempt, Options, Status};
use crate::answer::{Answer, cap, without_folders};
use crate::outline::Outline;
use crate::request::Request;
use crate::source::Current;
use regent_core::evaluate::POINT_WEBHOOK;
use regent_core::exclusion::PROCESS_WEBHOOK;
use regent_core::{Action, Decision, EvaluateOptions, Head, Review, evaluate, vetting};
use regent_rego::Value;

/// What is told of a disagreement about a Secret.
const WITHHELD: &str = "the two evaluators disagree; what they say is withheld: the object is a Secret";
const IGNORE: &str = "admission.gatekeeper.sh/ignore";

/// What was decided.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) answer: Answer,
    /// `None`: not counted, as Gatekeeper does not count what its own resources lack.
    pub(crate) status: Option<Status>,
    pub(crate) decision: Option<Decision>,
}

impl Judged {
    fn of(answer: Answer, status: Option<Status>) -> Judged {
        Judged {
            answer,
            status,
            decision: None,
        }
    }

    pub(crate) fn error(code: u16, message: impl Into<String>) -> Judged {
        Judged::of(Answer::error(code, message), Some(Status::Error))
    }
}

/// Whether it is about a resource of Gatekeeper's, which is vetted before it is stored: that may take compiling.
pub(crate) fn is_own(request: &Request) -> bool {
    request
        .subject()
        .is_some_and(|object| vetting::is_own(Head::of(object)))
}

/// What is decided before policies are asked; else warnings for the answer.
pub(crate) fn before(request: &Request, current: &Current, options: &Options) -> Result<Vec<String>, Box<Judged>> {
    let group = request.text(&["kind", "group"]);
    let own = request.subject().filter(|object| vetting::is_own(Head::of(object)));
    let by_us = options
        .own_accounts
        .iter()
        .any(|a| a == request.text(&["userInfo", "username"]));
    // Not for workloads: whoever takes over the account must not get past the policies with them.
    if by_us && (own.is_some() || group == "apiextensions.k8s.io") {
        return Err(Box::new(Judged::of(
            Answer::allow("Gatekeeper does not self-manage"),
            None,
        )));
    }
    let mut warnings = Vec::new();
    let collection = request.text(&["operation"]) == "DELETE" && request.text(&["name"]).is_empty();
    if let Some(object) = own.filter(|_| !collection) {
        match current.policies.vet(object) {
            Ok(notes) => warnings = notes,
            Err(refusal) => {
                let answer = Answer::error(refusal.code, refusal.message);
                return Err(Box::new(Judged::of(answer, None)));
            }
        }
    }
    if request.subject().is_some_and(|o| is_excluded(current, Head::of(o))) {
        return Err(Box::new(Judged::of(excluded(current), Some(Status::Allow))));
    }
    Ok(warnings)
}

fn is_excluded(current: &Current, object: Head<'_>) -> bool {
    current.policies.exclusions().excludes(PROCESS_WEBHOOK, object)
}

fn excluded(current: &Current) -> Answer {
    Answer {
        revision: Some(current.policies.shared_revision()),
        ..Answer::allow("Namespace is set to be ignored by Gatekeeper config")
    }
}

/// The answer to a review that nobody asks for, as [`before`] and [`judge`] would give it. `None`: ask them.
pub(crate) fn unasked(outline: &Outline<'_>, current: &Current) -> Option<Answer> {
    let subject = outline.subject()?;
    // What the server's own account does with resources to vet or definitions has answers of its own.
    if vetting::is_own(subject) || outline.group == "apiextensions.k8s.io" {
        return None;
    }
    if is_excluded(current, subject) {
        return Some(excluded(current));
    }
    let asks = |object: Head<'_>| asks_for(current, object.group(), object.kind());
    (!outline.objects().any(asks)).then(|| Answer {
        revision: Some(current.policies.shared_revision()),
        ..Answer::allow("")
    })
}

/// Whether policies ask for a group and kind.
pub(crate) fn asks_for(current: &Current, group: &str, kind: &str) -> bool {
    regent_core::asks_for(&current.policies, group, kind, &asked())
}

/// What every way of answering asks the policies with.
fn asked<'a>() -> EvaluateOptions<'a> {
    EvaluateOptions {
        point: POINT_WEBHOOK,
        ..EvaluateOptions::default()
    }
}

/// The answer to a review that no constraint matches, which takes no evaluation; `None`: ask [`judge`].
pub(crate) fn untouched(review: &Review, current: &Current, warnings: &[String], options: &Options) -> Option<Judged> {
    let decision = regent_core::untouched(&current.policies, review, &current.inventory, &asked())?;
    Some(told(decision, warnings.to_vec(), options))
}

/// Asks the policies.
pub(crate) fn judge(
    request: &Request,
    review: &Review,
    current: &Current,
    warnings: Vec<String>,
    options: &Options,
    clock: Clock<'_>,
) -> Judged {
    let mut decision = evaluate(
        &current.policies,
        review,
        &current.inventory,
        &EvaluateOptions {
            clock: Some(clock.now),
            constraint_budget: u64::try_from(options.constraint_time.as_nanos()).unwrap_or(u64::MAX),
            memory: options.memory,
            total_budget: clock.budget,
            time_ns: clock.time_ns,
            seed: u64::try_from(clock.time_ns).unwrap_or_default(),
            measure: true,
            engine: options.engines.for_review(&request.uid),
            second: options.engines.second,
            ..asked()
        },
    );
    if request.is_secret() {
        // Both answers are shown whole, and what a policy says of a Secret may quote it.
        for failure in decision.failures.iter_mut().filter(|f| f.disagreement) {
            WITHHELD.clone_into(&mut failure.message);
        }
    }
    told(decision, warnings, options)
}

fn told(decision: Decision, warnings: Vec<String>, options: &Options) -> Judged {
    let (answer, status) = respond(&decision, warnings, options);
    Judged {
        answer,
        status: Some(status),
        decision: Some(decision),
    }
}

/// Gatekeeper's response to what was found (`gatekeeper.md` §5.4). Where Gatekeeper answers one failed constraint with its
/// error alone, what the others found is told as well, and a constraint that would not refuse does not refuse by failing.
fn respond(decision: &Decision, mut warnings: Vec<String>, options: &Options) -> (Answer, Status) {
    let mut denials = Vec::new();
    for violation in &decision.violations {
        for action in &violation.actions {
            let lines = match action {
                Action::Deny => &mut denials,
                Action::Warn => &mut warnings,
                Action::Dryrun => continue,
            };
            lines.push(format!("[{}] {}", violation.constraint_name, violation.message));
        }
    }
    let denied = !denials.is_empty();
    let mut failed = false;
    for failure in &decision.failures {
        let message = without_folders(&failure.message, &options.folders);
        let line = if failure.constraint_name.is_empty() {
            message
        } else {
            format!("[{}] {message}", failure.constraint_name)
        };
        if failure.actions.contains(&Action::Deny) {
            failed = true;
            denials.push(line);
        } else if failure.actions.contains(&Action::Warn) {
            warnings.push(line);
        }
    }
    let message = cap(denials, options.messages, options.message).join("\n");
    let warnings = cap(warnings, options.messages, options.message);
    let (mut answer, status) = if denied {
        (Answer::deny(message), Status::Deny)
    } else if failed {
        (Answer::error(500, message), Status::Error)
    } else {
        let mut answer = Answer::allow("");
        if !warnings.is_empty() {
            answer.code = 299;
        }
        (answer, Status::Allow)
    };
    answer.warnings = warnings;
    answer.revision = Some(decision.revision.clone());
    (answer, status)
}

/// Guards the label that has the API server leave a Namespace's objects alone.
pub(crate) fn label(request: &Request, exempt: &Exempt) -> Answer {
    if request.text(&["operation"]) == "DELETE" {
        return Answer::allow("Delete is always allowed");
    }
    if !request.is_namespace() {
        return Answer::allow("Not a namespace");
    }
    let Some(object) = request.subject().filter(|o| o.as_object().is_some()) else {
        return Answer::error(500, "the request has no Namespace object");
    };
    let name = object
        .path(&["metadata", "name"])
        .and_then(Value::as_str)
        .unwrap_or_default();
    if exempt.has(name) {
        return Answer::allow(format!("Namespace {name} is allowed to set {IGNORE}"));
    }
    if object.path(&["metadata", "labels", IGNORE]).is_some() {
        return Answer::deny(format!("Only exempt namespace can have the {IGNORE} label"));
    }
    Answer::allow("")
}
