//! What a decision says when two evaluators are asked: a disagreement is a failure that shows both answers, never a
//! missing violation. The second evaluator is made up here, so that it says what each case wants.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking, and reads its cases"
)]

use regent_core::{Bundle, CompileOptions, Decision, Engine, EvaluateOptions, Inventory, PolicySet, Review, evaluate};
use regent_rego::{Context, Entry, Opinion, Program, Value, yaml};
use std::sync::atomic::{AtomicUsize, Ordering};

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}}";

/// A template and its constraint.
fn policy(kind: &str, rego: &str) -> String {
    format!(
        "---\napiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: {}}}\nspec:\n  crd: \
         {{spec: {{names: {{kind: {kind}}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      \
         package t\n      {rego}\n---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: \
         c}}\nspec: {{enforcementAction: ACTION}}\n",
        kind.to_lowercase()
    )
}

fn load(policies: &str) -> PolicySet {
    let options = CompileOptions {
        second_opinion: true,
        ..CompileOptions::default()
    };
    let (set, problems) = PolicySet::compile(&Bundle::read([("p.yaml", policies.as_bytes())]), &options);
    assert_eq!(problems, Vec::new());
    set
}

fn lines(decision: &Decision) -> Vec<String> {
    let violations = decision.violations.iter();
    let violations = violations.map(|v| format!("{} {}: {}", v.enforcement_action, v.constraint_kind, v.message));
    let failures = decision.failures.iter();
    let failures = failures.map(|f| format!("! {} {}: {}", f.enforcement_action, f.constraint_kind, f.message));
    let differ = decision.failures.iter().filter(|f| f.disagreement).count();
    let told = failures
        .clone()
        .filter(|l| l.contains("the two evaluators disagree"))
        .count();
    assert_eq!(differ, told, "a disagreement is marked as one");
    let unconfirmed = decision.unconfirmed.iter();
    let unconfirmed = unconfirmed.map(|u| format!("? {}: {}", u.constraint_kind, u.reason));
    violations.chain(failures).chain(unconfirmed).collect()
}

/// The value of `violation` with these messages.
fn messages(messages: &[&str]) -> Opinion {
    let members = messages.iter().map(|m| Value::record([("msg", Value::from(*m))]));
    Opinion::Value(Some(Value::set(members.collect::<Vec<_>>())))
}

#[test]
fn a_disagreement_is_a_failure_that_shows_both_answers() {
    const BOTH: &str = "the two evaluators disagree: native says";
    let denies = "violation[{\"msg\": \"no\"}] { true }";
    let passes = "violation[{\"msg\": \"no\"}] { false }";
    let clashes = "violation[{\"msg\": f(1)}] { true }\n      f(_) = 1 { true }\n      f(_) = 2 { true }";
    let conflict =
        "! deny One: template:4: eval_conflict_error: functions must not produce multiple outputs for same inputs";
    let cases: Vec<(&str, &str, Opinion, String)> = vec![
        (denies, "deny", messages(&["no"]), "deny One: no".to_owned()),
        (passes, "deny", messages(&[]), String::new()),
        // It sees more, less, something else, nothing at all: none of it passes in silence, whatever the action.
        (
            passes,
            "deny",
            messages(&["no"]),
            format!("! deny One: {BOTH} set(); the second opinion says {{{{\"msg\": \"no\"}}}}"),
        ),
        (
            denies,
            "deny",
            messages(&[]),
            format!("! deny One: {BOTH} {{{{\"msg\": \"no\"}}}}; the second opinion says set()"),
        ),
        (
            denies,
            "warn",
            messages(&["other"]),
            format!("! warn One: {BOTH} {{{{\"msg\": \"no\"}}}}; the second opinion says {{{{\"msg\": \"other\"}}}}"),
        ),
        (
            denies,
            "dryrun",
            Opinion::Value(None),
            format!("! dryrun One: {BOTH} {{{{\"msg\": \"no\"}}}}; the second opinion says undefined"),
        ),
        (
            passes,
            "deny",
            Opinion::Error("it broke".to_owned()),
            format!("! deny One: {BOTH} set(); the second opinion says it broke"),
        ),
        // Not asked: the verdict stands, and says that it is not confirmed.
        (
            denies,
            "deny",
            Opinion::NotAsked("known to be wrong".to_owned()),
            "deny One: no\n? One: known to be wrong".to_owned(),
        ),
        // Two errors agree, and are the native one.
        (
            clashes,
            "deny",
            Opinion::Error("it broke".to_owned()),
            conflict.to_owned(),
        ),
    ];
    let review = Review::of_object(yaml::read(POD).unwrap(), None);
    for (rego, action, opinion, wanted) in cases {
        let set = load(&policy("One", rego).replace("ACTION", action));
        let asked = AtomicUsize::new(0);
        let second = |_: &Program, _: Entry, _: &Context<'_>| {
            asked.fetch_add(1, Ordering::Relaxed);
            opinion.clone()
        };
        let decide = |engine| {
            let options = EvaluateOptions {
                engine,
                second: Some(&second),
                ..EvaluateOptions::default()
            };
            lines(&evaluate(&set, &review, &Inventory::default(), &options)).join("\n")
        };
        let both = decide(Engine::Both);
        assert_eq!(
            both.replace("template:", "t:"),
            wanted.replace("template:", "t:"),
            "{rego} {opinion:?}"
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1, "asked once: {rego}");
        let native = decide(Engine::Native);
        assert_eq!(
            asked.load(Ordering::Relaxed),
            1,
            "the native engine asks nobody: {rego}"
        );
        assert!(!native.contains("disagree"), "{native}");
    }
}

#[test]
fn a_disagreement_hides_no_other_constraint() {
    let policies = policy("One", "violation[{\"msg\": \"one\"}] { true }")
        + &policy("Two", "violation[{\"msg\": \"two\"}] { true }");
    let set = load(&policies.replace("ACTION", "deny"));
    let second = |_: &Program, _: Entry, _: &Context<'_>| messages(&["two"]);
    let options = EvaluateOptions {
        engine: Engine::Both,
        second: Some(&second),
        ..EvaluateOptions::default()
    };
    let review = Review::of_object(yaml::read(POD).unwrap(), None);
    let decision = evaluate(&set, &review, &Inventory::default(), &options);
    assert_eq!(
        lines(&decision),
        [
            "deny Two: two",
            "! deny One: the two evaluators disagree: native says {{\"msg\": \"one\"}}; the second opinion says \
             {{\"msg\": \"two\"}}"
        ]
    );
}

#[test]
fn without_a_second_evaluator_nothing_is_judged_in_its_name() {
    let set = load(&policy("One", "violation[{\"msg\": \"one\"}] { true }").replace("ACTION", "deny"));
    let review = Review::of_object(yaml::read(POD).unwrap(), None);
    for engine in [Engine::Both, Engine::Regorus] {
        let options = EvaluateOptions {
            engine,
            ..EvaluateOptions::default()
        };
        assert_eq!(
            lines(&evaluate(&set, &review, &Inventory::default(), &options)),
            ["! deny One: there is no second evaluator here; use the native engine"]
        );
    }
}
