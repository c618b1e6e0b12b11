//! What is ours beside Gatekeeper's: plain Rego, implied Pods, failures that stay with their constraint, limits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

use regent_core::evaluate::POINT_WEBHOOK;
use regent_core::{Bundle, CompileOptions, Decision, EvaluateOptions, Inventory, PolicySet, Review, evaluate, explain};
use regent_rego::yaml;
use std::sync::atomic::{AtomicU64, Ordering};

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {hostPID: true}}";
const DEPLOYMENT: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: \
                          {template: {metadata: {labels: {a: b}}, spec: {hostPID: true}}}}";

/// A template named after a kind, with its Rego on one line.
fn template(kind: &str, rego: &str) -> String {
    format!(
        "---\napiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: {}}}\nspec:\n  crd: \
         {{spec: {{names: {{kind: {kind}}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      \
         package t\n      {rego}\n",
        kind.to_lowercase()
    )
}

fn constraint(kind: &str, rest: &str) -> String {
    format!("---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: c{rest}\n")
}

fn load(files: &[(&str, &str)]) -> (PolicySet, Vec<String>) {
    let bundle = Bundle::read(files.iter().map(|(name, text)| (*name, text.as_bytes())));
    let (policies, problems) = PolicySet::compile(&bundle, &CompileOptions::default());
    (policies, problems.iter().map(ToString::to_string).collect())
}

/// `action kind/name: message [generated]`, failures with `!`.
fn lines(decision: &Decision) -> Vec<String> {
    let generated = |g: &Option<regent_core::Generated>| g.as_ref().map_or(String::new(), |g| format!(" [{}]", g.name));
    let violations = decision.violations.iter().map(|v| {
        let (kind, name) = (&v.constraint_kind, &v.constraint_name);
        format!(
            "{} {kind}/{name}: {}{}",
            v.enforcement_action,
            v.message,
            generated(&v.generated)
        )
    });
    let failures = decision.failures.iter().map(|f| {
        let (kind, name) = (&f.constraint_kind, &f.constraint_name);
        format!(
            "! {} {kind}/{name}: {}{}",
            f.enforcement_action,
            f.message,
            generated(&f.generated)
        )
    });
    violations.chain(failures).collect()
}

#[test]
fn plain_rego_judges() {
    let meta = "# METADATA\n# scope: package\n# custom:\n#   enforcementAction: dryrun\n#   parameters: {word: hi}\n#   \
                match: {kinds: [{apiGroups: [\"\"], kinds: [Pod]}]}\npackage a\n";
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "package a\ndeny contains \"no\" if input.review.object.spec.hostPID",
            POD,
            &["deny Rego/a: no"],
        ),
        (
            "package a\ndeny[\"no\"] { input.review.object.spec.hostPID }",
            POD,
            &["deny Rego/a: no"],
        ),
        (
            "package a.b\nwarn contains {\"msg\": \"w\"} if true",
            POD,
            &["warn Rego/a.b: w"],
        ),
        (
            "package a\nviolation contains {\"msg\": \"v\", \"details\": {\"x\": 1}} if true",
            POD,
            &["deny Rego/a: v"],
        ),
        ("package a\ndeny := \"one\" if true", POD, &["deny Rego/a: one"]),
        (
            "package a\ndeny contains 1 if true",
            POD,
            &["! deny Rego/a: a rule must give texts or objects with msg, not 1"],
        ),
        ("package a\nallow := true", POD, &[]),
        (
            &format!("{meta}deny contains input.parameters.word if true"),
            POD,
            &["dryrun Rego/a: hi"],
        ),
        (&format!("{meta}deny contains \"x\" if true"), DEPLOYMENT, &[]),
    ];
    for (rego, object, wanted) in cases {
        let (policies, problems) = load(&[("a.rego", rego)]);
        assert_eq!(problems, Vec::<String>::new(), "{rego}");
        let review = Review::of_object(yaml::read(object).unwrap(), None);
        let decision = evaluate(&policies, &review, &Inventory::default(), &EvaluateOptions::default());
        assert_eq!(lines(&decision), *wanted, "{rego}");
    }
    for (rego, wanted) in [
        (
            "package a\ndeny contains x if true",
            "a.rego:2:15: rego_unsafe_var_error: var x is unsafe",
        ),
        ("package a\ndeny contains \"x\" if http.send({})", "a.rego:2:"),
        (
            "# METADATA\n# scope: package\n# custom: {enforcementAction: nope}\npackage a\ndeny contains \"x\" if true",
            "a.rego:1:1: METADATA enforcementAction must be deny, warn or dryrun",
        ),
    ] {
        let (_, problems) = load(&[("a.rego", rego)]);
        assert!(problems.iter().any(|p| p.contains(wanted)), "{rego}: {problems:?}");
    }
}

#[test]
fn workloads_are_judged_as_their_pods_when_asked() {
    let host = template(
        "Host",
        "violation[{\"msg\": \"host\"}] { input.review.object.spec.hostPID }",
    );
    let quiet = format!("{host}{}", constraint("Host", "}"));
    let asked = format!(
        "{host}{}",
        constraint("Host", ", annotations: {regent.dev/workloads: \"true\"}}")
    );
    let expansion = "---\napiVersion: expansion.gatekeeper.sh/v1alpha1\nkind: ExpansionTemplate\nmetadata: {name: e}\nspec: \
                     {templateSource: spec.template, enforcementAction: warn, applyTo: [{groups: [apps], versions: [v1], \
                     kinds: [Deployment]}], generatedGVK: {group: '', version: v1, kind: Pod}}\n";
    let expanded = format!("{asked}{expansion}");
    let cases: &[(&str, bool, &[&str])] = &[
        (&quiet, false, &[]),
        (&quiet, true, &["deny Host/c: host [web-pod]"]),
        (&asked, false, &["deny Host/c: host [web-pod]"]),
        // The template of the user's own takes the place of the built-in path.
        (&expanded, true, &["warn Host/c: [Implied by e] host [web-pod]"]),
    ];
    for (policies, workloads, wanted) in cases {
        let (policies, problems) = load(&[("p.yaml", policies)]);
        assert_eq!(problems, Vec::<String>::new());
        let review = Review::of_object(yaml::read(DEPLOYMENT).unwrap(), None);
        let options = EvaluateOptions {
            workloads: *workloads,
            ..EvaluateOptions::default()
        };
        assert_eq!(
            lines(&evaluate(&policies, &review, &Inventory::default(), &options)),
            *wanted
        );
    }
}

#[test]
fn a_failure_hides_no_other_constraint_and_is_no_silence() {
    let policies = [
        template(
            "Bad",
            "violation[{\"msg\": m}] { m := {x | x := input.review.object.spec.hostPID} }",
        ),
        constraint("Bad", "}"),
        template("Good", "violation[{\"msg\": \"good\"}] { true }"),
        constraint("Good", "}"),
        template(
            "Slow",
            "violation[{\"msg\": \"slow\"}] { n := numbers.range(1, 3000); count([1 | n[_] > n[_] + 5000]) < 0 }",
        ),
        constraint("Slow", "}"),
    ]
    .concat();
    let (policies, problems) = load(&[("p.yaml", &policies)]);
    assert_eq!(problems, Vec::<String>::new());
    // A clock that moves a millisecond each time it is read.
    let ticks = AtomicU64::new(0);
    let clock = || ticks.fetch_add(1_000_000, Ordering::Relaxed);
    let options = EvaluateOptions {
        clock: Some(&clock),
        constraint_budget: 50_000_000,
        ..EvaluateOptions::default()
    };
    let review = Review::of_object(yaml::read(POD).unwrap(), None);
    let decision = evaluate(&policies, &review, &Inventory::default(), &options);
    let [good, bad, slow] = &lines(&decision)[..] else {
        unreachable!("{:?}", lines(&decision));
    };
    assert_eq!(good, "deny Good/c: good");
    assert!(
        bad.starts_with("! deny Bad/c: extracting message binding: .msg accessor error"),
        "{bad}"
    );
    assert!(
        slow.starts_with("! deny Slow/c: ") && slow.contains("eval_cancel_error"),
        "{slow}"
    );
}

#[test]
fn templates_for_operations_and_explanations() {
    let all = template("Op", "violation[{\"msg\": \"op\"}] { true }");
    let all = all.replace("    rego: |", "    operations: [DELETE]\n    rego: |");
    let policies = format!("{all}{}", constraint("Op", "}\nspec: {match: {namespaces: [other]}}"));
    let (policies, problems) = load(&[("p.yaml", &policies)]);
    assert_eq!(problems, Vec::<String>::new());
    let review = Review::of_object(yaml::read(POD).unwrap(), None);
    let told = |point| {
        let options = EvaluateOptions {
            point,
            ..EvaluateOptions::default()
        };
        explain(&policies, &review, &Inventory::default(), &options, &|_, _| true)[0]
            .reason
            .clone()
    };
    assert_eq!(told(POINT_WEBHOOK), "its template is not for operation ");
    assert_eq!(told("gator.gatekeeper.sh"), "spec.match.namespaces does not match");
}

#[test]
fn the_inventory_is_known_to_be_read() {
    let reads = |rego: &str| load(&[("p.yaml", &template("Inv", rego))]).0.reads_inventory();
    assert!(reads(
        "violation[{\"msg\": \"x\"}] { data.inventory.cluster.v1.Namespace[_] }"
    ));
    assert!(reads(
        "violation[{\"msg\": \"x\"}] { f(1) }\n      f(_) { data.inventory.cluster }"
    ));
    assert!(!reads("violation[{\"msg\": \"x\"}] { input.review.name }"));
    // A rule's own name begins with `data` once it is resolved.
    assert!(!reads(
        "violation[{\"msg\": m}] { m := {x | x := f(input.review.name)}[_]; y }\n      f(x) = x\n      y { input.review.kind }"
    ));
    let plain = |rego: &str| load(&[("a.rego", rego)]).0.reads_inventory();
    assert!(plain("package a\ndeny contains \"x\" if data.inventory.cluster"));
    assert!(!plain("package a\ndeny contains \"x\" if input.review.name"));
    assert!(!plain(
        "package a\ndeny contains \"x\" if f(input.review.name)\nf(x) := x"
    ));
}

#[test]
fn revisions_follow_content() {
    let (a, b) = (
        template("A", "violation[{\"msg\": \"a\"}] { true }"),
        template("B", "violation[{\"msg\": \"b\"}] { true }"),
    );
    let revision = |files: &[(&str, &str)]| Bundle::read(files.iter().map(|(n, t)| (*n, t.as_bytes()))).revision();
    let whole = revision(&[("x.yaml", &format!("{a}{b}"))]);
    assert_eq!(whole, revision(&[("b.yaml", &b), ("a.yaml", &a)]));
    assert_ne!(whole, revision(&[("a.yaml", &a)]));
    assert!(whole.starts_with("sha256:"));
    let doubled = format!("{a}{}", a.replace("\"msg\": \"a\"", "\"msg\": \"other\""));
    let (_, problems) = load(&[("x.yaml", &doubled)]);
    assert!(
        problems[0].contains("is defined twice with different content; first at x.yaml:"),
        "{problems:?}"
    );
}

#[test]
fn what_does_not_load_fails_the_reviews_it_matches() {
    let good = template("Good", "violation[{\"msg\": \"good\"}] { true }") + &constraint("Good", "}");
    let broken = template("Broken", "violation[{\"msg\": msg}] { msg := nothing(1) }")
        + &constraint(
            "Broken",
            "}\nspec: {match: {kinds: [{apiGroups: [\"\"], kinds: [Pod]}]}, enforcementAction: warn}",
        );
    let wrong = constraint(
        "Good",
        "2}\nspec: {parameters: {unknown: 1}, match: {namespaces: [shop]}}",
    );
    let (policies, problems) = load(&[("good.yaml", &good), ("broken.yaml", &broken), ("wrong.yaml", &wrong)]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    let says = |object: &str| {
        let review = Review::of_object(yaml::read(object).unwrap(), None);
        lines(&evaluate(
            &policies,
            &review,
            &Inventory::default(),
            &EvaluateOptions::default(),
        ))
    };
    let unknown = "! deny Good/c2: Good \"c2\" does not load: invalid Constraint: unknown fields: [spec.parameters]";
    let no_template = "! warn Broken/c: the template of Broken \"c\" does not load";
    assert_eq!(says(POD), ["deny Good/c: good", no_template, unknown]);
    // What either could be mended by is not held up.
    let template = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: broken}}";
    assert_eq!(says(template), ["deny Good/c: good"]);
}

#[test]
fn unchanged_templates_are_taken_from_the_set_before() {
    let of = |message: &str| {
        let text =
            template("One", &format!("violation[{{\"msg\": {message:?}}}] {{ true }}")) + &constraint("One", "}");
        Bundle::read([("one.yaml", text.as_bytes())])
    };
    let says = |policies: &PolicySet| {
        let review = Review::of_object(yaml::read(POD).unwrap(), None);
        lines(&evaluate(
            policies,
            &review,
            &Inventory::default(),
            &EvaluateOptions::default(),
        ))
    };
    let options = CompileOptions::default();
    let (first, _) = PolicySet::compile(&of("first"), &options);
    for (text, wanted) in [("first", "deny One/c: first"), ("second", "deny One/c: second")] {
        let (after, problems) = PolicySet::compile_after(&first, &of(text), &options);
        assert_eq!(problems, []);
        assert_eq!(says(&after), [wanted]);
        assert_eq!(after.revision(), PolicySet::compile(&of(text), &options).0.revision());
    }
}
