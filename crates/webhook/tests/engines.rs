//! Two evaluators behind one answer: what a client sees when they do not agree. The second one is made up here, so that
//! it says what each case wants; the real one is asked by `crates/regent/tests/serve.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking, and reads its cases"
)]

mod common;

use common::{POLICY, Running, Setup, review, text};
use regent_core::Engine;
use regent_rego::{Context, Entry, Opinion, Program, SecondEvaluator, Value};
use regent_webhook::{Engines, Options};

fn says(messages: &[&str]) -> Opinion {
    let members = messages.iter().map(|m| Value::record([("msg", Value::from(*m))]));
    Opinion::Value(Some(Value::set(members.collect::<Vec<_>>())))
}

fn finds(_: &Program, _: Entry, _: &Context<'_>) -> Opinion {
    says(&["found"])
}

fn finds_nothing(_: &Program, _: Entry, _: &Context<'_>) -> Opinion {
    says(&[])
}

fn breaks(_: &Program, _: Entry, _: &Context<'_>) -> Opinion {
    Opinion::Error("it broke".to_owned())
}

fn is_not_asked(_: &Program, _: Entry, _: &Context<'_>) -> Opinion {
    Opinion::NotAsked("known to be wrong".to_owned())
}

fn panics(_: &Program, _: Entry, _: &Context<'_>) -> Opinion {
    panic!("a second evaluator that panics")
}

/// Label of the object (`deny` violates), the second evaluator, code, message, and what is counted: disagreements,
/// verdicts without a second opinion, failures of the constraint.
type Case = (&'static str, SecondEvaluator<'static>, i64, &'static str, [u64; 3]);

const CASES: &[Case] = &[
    ("deny", &finds, 403, "[no-deny] found", [0, 0, 0]),
    ("other", &finds_nothing, 200, "", [0, 0, 0]),
    (
        "other",
        &finds,
        500,
        "[no-deny] the two evaluators disagree: native says set(); the second opinion says {{\"msg\": \"found\"}}",
        [1, 0, 1],
    ),
    (
        "deny",
        &finds_nothing,
        500,
        "[no-deny] the two evaluators disagree: native says {{\"msg\": \"found\"}}; the second opinion says set()",
        [1, 0, 1],
    ),
    (
        "other",
        &breaks,
        500,
        "[no-deny] the two evaluators disagree: native says set(); the second opinion says it broke",
        [1, 0, 1],
    ),
    ("deny", &is_not_asked, 403, "[no-deny] found", [0, 1, 0]),
    ("other", &is_not_asked, 200, "", [0, 1, 0]),
    (
        "other",
        &panics,
        500,
        "judging failed; this is a fault of Regent, please report it with the review",
        [0, 0, 0],
    ),
];

fn judged_by(engine: Engine, second: Option<SecondEvaluator<'static>>) -> Running {
    let engines = Engines {
        engine,
        second,
        ..Engines::default()
    };
    Setup {
        options: Options {
            engines,
            ..Options::default()
        },
        ..Setup::of(POLICY)
    }
    .start()
}

#[test]
fn a_disagreement_refuses_and_shows_both_answers() {
    for (label, second, code, message, counted) in CASES {
        let running = judged_by(Engine::Both, Some(*second));
        let answer = running.ask("/v1/admit", review("u-1", label).as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let response = answer.review();
        let status = response.get("status").unwrap();
        assert_eq!(text(&response, &["uid"]), "u-1");
        assert_eq!(response.get("allowed"), Some(&Value::Bool(*code == 200)), "{message}");
        assert_eq!(status.get("code").and_then(Value::as_i64), Some(*code), "{message}");
        assert_eq!(text(status, &["message"]), *message);
        let metrics = running.admin("/metrics").text();
        let names = [
            "regent_disagreements_total",
            "regent_unconfirmed_verdicts_total",
            "regent_constraint_failures_total{kind=\"K8sDeny\",name=\"no-deny\"}",
        ];
        for (name, wanted) in names.iter().zip(counted) {
            let line = format!("{name} {wanted}");
            assert!(metrics.lines().any(|l| l == line), "{message}: no {line}");
        }
    }
}

/// What is shown of a disagreement about a Secret does not show the Secret.
#[test]
fn a_disagreement_about_a_secret_shows_nothing_of_it() {
    let running = judged_by(Engine::Both, Some(&finds_nothing));
    let review = review("u-1", "deny")
        .replace("ConfigMap", "Secret")
        .replace("found", "canary");
    let answer = running.ask("/v1/admit", review.as_bytes());
    assert_eq!(
        text(&answer.review(), &["status", "message"]),
        "[no-deny] the two evaluators disagree; what they say is withheld: the object is a Secret"
    );
    assert!(!answer.text().contains("canary"), "{}", answer.text());
}

/// Where no second evaluator is, nothing is judged in its name.
#[test]
fn without_a_second_evaluator_nothing_passes() {
    for engine in [Engine::Both, Engine::Regorus] {
        let running = judged_by(engine, None);
        let response = running.ask("/v1/admit", review("u-1", "other").as_bytes()).review();
        assert_eq!(response.get("allowed"), Some(&Value::Bool(false)));
        assert_eq!(
            text(&response, &["status", "message"]),
            "[no-deny] there is no second evaluator here; use the native engine"
        );
    }
}
