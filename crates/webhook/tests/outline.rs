//! A review that is answered at a glance is answered as one that is read whole: every request of `responses.yaml` by
//! every set of policies there, and by sets that ask for some kinds only; and each again with faults in it.
//! `tests/webhook/full` tries a hundred times as many of these.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test ends by panicking, is told by the environment to run long, and says what it saw"
)]

mod common;

use common::{Setup, cases, text};
use regent_rego::{Object, Value, json};
use regent_webhook::admission::{self, Clock, Outcome, Path, Step};
use regent_webhook::{Current, KnownNamespace, Options};
use std::collections::BTreeSet;

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

fn nobody(_: &str) -> KnownNamespace {
    KnownNamespace::Nobody
}

fn read(body: &[u8], current: &Current, options: &Options, hurry: bool) -> Option<Outcome> {
    match admission::begin(Path::Admit, body, Some(current.clone()), nobody, options, hurry) {
        Step::Done(outcome) => Some(outcome),
        Step::Judge(ready) => (!hurry).then(|| {
            let clock = Clock {
                now: &|| 0,
                budget: u64::MAX,
                time_ns: 0,
            };
            admission::judge(&ready, options, clock)
        }),
        Step::Later if hurry => None,
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

/// Whether a body is answered at a glance. If so, and if it is answered in a hurry, then as one that is read in peace.
fn is_glanced_at(body: &[u8], current: &Current, options: &Options, what: &str) -> bool {
    let glance = admission::glance(body, current, nobody, options);
    let hurry = read(body, current, options, true);
    let is_glanced_at = glance.is_some();
    if !is_glanced_at && hurry.is_none() {
        return false;
    }
    let look = read(body, current, options, false).unwrap();
    let told = |o: &Outcome| {
        (
            o.http,
            String::from_utf8_lossy(&o.body).into_owned(),
            o.status,
            o.dry_run,
        )
    };
    for quick in glance.iter().chain(&hurry) {
        assert_eq!(told(quick), told(&look), "{what}\n{}", String::from_utf8_lossy(body));
    }
    is_glanced_at
}

fn bodies(case: &Value) -> impl Iterator<Item = Vec<u8>> {
    let requests = variants(case.get("request").and_then(Value::as_object).unwrap());
    requests.into_iter().map(|request| {
        let review = Value::record([
            ("apiVersion", "admission.k8s.io/v1".into()),
            ("kind", "AdmissionReview".into()),
            ("request", Value::Object(request.into())),
        ]);
        json::write(&review).into_bytes()
    })
}

fn sets(cases: &[Value]) -> impl Iterator<Item = (String, Current)> {
    let given = cases.iter().map(|c| text(c, &["policies"]).to_owned());
    let all = given.chain(CHOOSY.iter().map(|c| set(c))).collect::<BTreeSet<String>>();
    all.into_iter().map(|policies| {
        let current = Setup::of(&policies).source.current().unwrap();
        (policies, current)
    })
}

#[test]
fn a_glance_answers_as_a_look() {
    let cases = cases("responses.yaml");
    let options = Options::default();
    let mut at_a_glance = 0;
    for (policies, current) in sets(&cases) {
        for case in &cases {
            let what = format!("{}\n{policies}", text(case, &["name"]));
            let glanced = bodies(case).filter(|body| is_glanced_at(body, &current, &options, &what));
            at_a_glance += glanced.count();
        }
    }
    assert!(at_a_glance > 800, "only {at_a_glance} were answered at a glance");
}

/// Words that reviews are made of, and what may take their place.
const WORDS: [&str; 24] = [
    "object",
    "oldObject",
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "namespace",
    "labels",
    "uid",
    "group",
    "operation",
    "dryRun",
    "request",
    "DELETE",
    "CREATE",
    "Pod",
    "Namespace",
    "ConfigMap",
    "apps/v1",
    "v1",
    "null",
    "true",
    "7",
    "{}",
];

const BYTES: &[u8] = b"{}[]\",:0tfn\\ u\x00\xff";

/// A body with a fault, or with a word in another's place.
fn spoiled(body: &[u8], next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut out = body.to_vec();
    for _ in 0..=next(3) {
        let at = next(out.len());
        let end = (at + 1 + next(30)).min(out.len());
        match next(6) {
            0 => out[at] = BYTES[next(BYTES.len())],
            1 => drop(out.drain(at..end)),
            2 => {
                let piece = out[at..end].to_vec();
                out.splice(end..end, piece);
            }
            _ => {
                let (from, to) = (WORDS[next(WORDS.len())], WORDS[next(WORDS.len())]);
                let places = out.windows(from.len()).enumerate();
                let places: Vec<usize> = places.filter(|(_, w)| *w == from.as_bytes()).map(|(i, _)| i).collect();
                if !places.is_empty() {
                    let at = places[next(places.len())];
                    out.splice(at..at + from.len(), to.bytes());
                }
            }
        }
        if out.is_empty() {
            return out;
        }
    }
    out
}

#[test]
fn a_glance_at_what_is_spoiled_answers_as_a_look() {
    let rounds = if std::env::var_os("REGENT_FULL").is_some() {
        100
    } else {
        1
    };
    let cases = cases("responses.yaml");
    let options = Options::default();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let (mut all, mut at_a_glance) = (0, 0);
    for (policies, current) in sets(&cases) {
        for body in cases.iter().flat_map(bodies) {
            for _ in 0..rounds {
                let body = spoiled(&body, &mut next);
                all += 1;
                at_a_glance += usize::from(is_glanced_at(&body, &current, &options, &policies));
            }
        }
    }
    println!("{all} spoiled reviews, {at_a_glance} answered at a glance, as at a look");
    assert!(
        at_a_glance > all / 100,
        "only {at_a_glance} of {all} were answered at a glance"
    );
}
