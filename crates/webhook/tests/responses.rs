//! Answers against `gatekeeper.md` §5.4 and §6, word for word: `responses.yaml`, a case an entry.

mod common;

use common::{Setup, cases, text};
use regent_rego::{Value, json};
use regent_webhook::Options;
use regent_webhook::admission::Exempt;

/// Keys of `response` that a case need not repeat.
fn without_annotations(response: &Value) -> Value {
    let entries = response.as_object().map(|o| o.entries()).unwrap_or_default().iter();
    Value::object(
        entries
            .filter(|(k, _)| k.as_str() != Some("auditAnnotations"))
            .cloned()
            .collect(),
    )
}

#[test]
fn answers_are_gatekeepers() {
    let mut wrong = Vec::new();
    let cases = cases("responses.yaml");
    for case in &cases {
        let name = text(case, &["name"]);
        let policies = text(case, &["policies"]);
        let setup = Setup {
            options: Options {
                own_accounts: vec!["system:serviceaccount:regent:regent".to_owned()],
                exempt: Exempt {
                    names: vec!["kube-system".to_owned()],
                    prefixes: vec!["infra-".to_owned()],
                    suffixes: vec!["-infra".to_owned()],
                },
                ..Options::default()
            },
            ..Setup::of(policies)
        };
        let revision = setup.source.current().unwrap().policies.revision().to_owned();
        let running = setup.start();
        let path = case.get("path").and_then(Value::as_str).unwrap_or("/v1/admit");
        let version = case
            .get("version")
            .and_then(Value::as_str)
            .unwrap_or("admission.k8s.io/v1");
        let mut request = case.get("request").and_then(Value::as_object).unwrap().clone();
        request.insert("uid".into(), "u-1".into());
        let review = Value::record([
            ("apiVersion", version.into()),
            ("kind", "AdmissionReview".into()),
            ("request", Value::Object(request.into())),
        ]);
        let answer = running.ask(path, json::write(&review).as_bytes());
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let answer = json::read(&answer.body, json::ReadOptions::default()).unwrap();
        let response = answer.get("response").unwrap();
        let mut wanted = case
            .get("response")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        wanted.insert("uid".into(), "u-1".into());
        let wanted = Value::Object(wanted.into());
        let found = without_annotations(response);
        if found != wanted {
            wrong.push(format!(
                "{name}:\n  got    {}\n  wanted {}",
                json::write(&found),
                json::write(&wanted)
            ));
        }
        assert_eq!(text(&answer, &["apiVersion"]), version, "{name}");
        assert_eq!(text(&answer, &["kind"]), "AdmissionReview", "{name}");
        if case.get("judged").and_then(Value::as_bool).unwrap_or(true) {
            for key in ["regent.dev/revision", "revision"] {
                assert_eq!(text(response, &["auditAnnotations", key]), revision, "{name}");
            }
        } else {
            assert!(response.get("auditAnnotations").is_none(), "{name}");
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
