//! A review that is answered at a glance is answered as one that is read whole: every request of `responses.yaml` by
//! every set of policies there, and by sets that ask for some kinds only.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

mod common;

use common::{Setup, cases, text};
use regent_rego::{Object, Value, json};
use regent_webhook::admission::{self, Clock, Outcome, Path, Step};
use regent_webhook::{Current, KnownNamespace, Options};

/// Constraints that spell out what they ask for.
const CHOOSY: [&str; 5] = [
    "kinds: [{apiGroups: [''], kinds: [ConfigMap]}]",
    "kinds: [{apiGroups: [''], kinds: [Namespace]}], labelSelector: {matchLabels: {a: b}}",
    "kinds: [{apiGroups: [apps], kinds: ['*']}]",
    "kinds: [{apiGroups: ['*'], kinds: [Pod]}], namespaces: [other]",
    "namespaces: [other]",
];

fn set(criteria: &str) -> String {
    format!(
        "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: k8sa}}\nspec:\n  crd: {{spec: \
         {{names: {{kind: K8sA}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package \
         k8sa\n      violation[{{\"msg\": \"no\"}}] {{ true }}\n---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: \
         K8sA\nmetadata: {{name: first}}\nspec: {{match: {{{criteria}}}}}\n"
    )
}

fn ask(body: &[u8], current: &Current, options: &Options, glance: bool) -> Option<Outcome> {
    let nobody = |_: &str| KnownNamespace::Nobody;
    match admission::begin(Path::Admit, body, Some(current.clone()), nobody, options, glance) {
        Step::Done(outcome) => Some(outcome),
        Step::Judge(ready) => (!glance).then(|| {
            let clock = Clock {
                now: &|| 0,
                budget: u64::MAX,
                time_ns: 0,
            };
            admission::judge(&ready, options, clock)
        }),
        Step::Later if glance => None,
        Step::Later | Step::Namespace(_) => panic!("nothing is left for later"),
    }
}

/// A request as it is, and with a kind that is not its object's, as one that deletes, and as one that replaces.
fn variants(request: &Object) -> Vec<Object> {
    let mut request = request.clone();
    request.insert("uid".into(), "u-1".into());
    let object = request.get_str("object").cloned().unwrap_or(Value::Null);
    let other = Value::record([("group", "".into()), ("version", "v1".into()), ("kind", "Other".into())]);
    let named = Value::record([("apiVersion", "v1".into()), ("kind", "Other".into())]);
    let mut out = vec![request.clone()];
    for changes in [
        vec![("kind", other.clone())],
        vec![("operation", "DELETE".into()), ("oldObject", object.clone())],
        vec![("kind", other), ("oldObject", object), ("object", named)],
    ] {
        let mut changed = request.clone();
        for (key, value) in changes {
            changed.insert(key.into(), value);
        }
        out.push(changed);
    }
    out
}

#[test]
fn a_glance_answers_as_a_look() {
    let cases = cases("responses.yaml");
    let options = Options::default();
    let mut sets: Vec<String> = cases.iter().map(|c| text(c, &["policies"]).to_owned()).collect();
    sets.extend(CHOOSY.iter().map(|c| set(c)));
    let mut at_a_glance = 0;
    for policies in sets {
        let current = Setup::of(&policies).source.current().unwrap();
        for case in &cases {
            for request in variants(case.get("request").and_then(Value::as_object).unwrap()) {
                let review = Value::record([
                    ("apiVersion", "admission.k8s.io/v1".into()),
                    ("kind", "AdmissionReview".into()),
                    ("request", Value::Object(request.into())),
                ]);
                let body = json::write(&review).into_bytes();
                let Some(glance) = ask(&body, &current, &options, true) else {
                    continue;
                };
                let look = ask(&body, &current, &options, false).unwrap();
                let told = |o: &Outcome| {
                    (
                        o.http,
                        String::from_utf8_lossy(&o.body).into_owned(),
                        o.status,
                        o.dry_run,
                    )
                };
                assert_eq!(told(&glance), told(&look), "{}\n{policies}", text(case, &["name"]));
                at_a_glance += 1;
            }
        }
    }
    assert!(at_a_glance > 4_000, "only {at_a_glance} were answered at a glance");
}
