//! What Gatekeeper said about loading and matching, held against ours without evaluating any Rego.

use crate::bundle::{Class, classify};
use crate::constraint::Constraint;
use crate::evaluate::POINT_WEBHOOK;
use crate::inventory::Inventory;
use crate::matching::{Verdict, matches};
use crate::object;
use crate::policy_set::CompileOptions;
use crate::review::{Review, Source};
use crate::template::{Outline, Template};
use regent_rego::{Value, json, yaml};

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).unwrap_or_default()
}

/// What loading came to.
fn load(inputs: &[Value]) -> Result<Vec<Constraint>, String> {
    let mut outlines: Vec<(String, Outline)> = Vec::new();
    for input in inputs.iter().filter(|i| classify(i) == Class::Template) {
        let template = Template::read(
            input,
            &"template.yaml".into(),
            &crate::manifest::Places::default(),
            &CompileOptions::default(),
        )
        .map_err(|e| e.message)?;
        let outline = template.outline;
        outlines.push((object::name(input).to_owned(), outline));
    }
    let find = |name: &str| outlines.iter().find(|(n, _)| n == name).map(|(_, o)| o);
    let constraints = inputs.iter().filter(|i| classify(i) == Class::Constraint);
    constraints
        .map(|c| Constraint::read(c, find, false).map_err(|e| e.message))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "tests read files")]
#[test]
fn loads_and_matches_as_gatekeeper_does() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/gatekeeper/cases");
    let mut wrong = Vec::new();
    let mut count = 0;
    for family in [
        "load",
        "match-object",
        "match-more",
        "match-old-object",
        "actions",
        "schema",
        "input",
    ] {
        let source = yaml::read(&std::fs::read_to_string(folder.join(format!("{family}.yaml"))).unwrap()).unwrap();
        let golden = std::fs::read(folder.join(format!("{family}.golden.json"))).unwrap();
        let golden = json::read(&golden, json::ReadOptions::default()).unwrap();
        let shared = source.get("shared").cloned().unwrap_or(Value::Null);
        for case in list(&source, "cases") {
            let name = object::text(case, &["name"]);
            let resolve = |o: &Value| {
                o.get("$ref")
                    .and_then(Value::as_str)
                    .map_or_else(|| o.clone(), |n| shared.get(n).unwrap().clone())
            };
            let inputs: Vec<Value> = list(case, "inputs").iter().map(resolve).collect();
            let theirs = golden.get(name).unwrap();
            let error = object::text(theirs, &["error"]);
            // What the Rego of a template is refused for is another test's.
            let rego = ["reviewing", "HandleReview"];
            if rego.iter().any(|r| error.contains(r)) {
                continue;
            }
            count += 1;
            match load(&inputs) {
                Err(ours) if error.contains(&ours) => {}
                // Refused by name, which is no difference in words.
                Err(ours) if ours.contains("regent_unsupported_error") => {}
                Err(ours) => wrong.push(format!("{family}/{name}\n  ours:   {ours}\n  theirs: {error}")),
                Ok(_) if !error.is_empty() => {
                    wrong.push(format!("{family}/{name}\n  ours:   loads\n  theirs: {error}"))
                }
                Ok(constraints) if family.starts_with("match") => {
                    let ours = hits(case, &constraints, &resolve);
                    let theirs: Vec<String> = list(theirs, "results")
                        .iter()
                        .map(|r| object::text(r, &["message"]).to_owned())
                        .collect();
                    if ours != theirs {
                        wrong.push(format!("{family}/{name}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
                    }
                }
                Ok(_) => {}
            }
        }
    }
    assert!(count > 300, "only {count} cases");
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn hits(case: &Value, constraints: &[Constraint], resolve: &dyn Fn(&Value) -> Value) -> Vec<String> {
    let object = case.get("object").map(resolve);
    let mut review = match (object, case.get("request")) {
        (Some(object), _) => Review::of_object(object, None),
        (None, Some(request)) => Review::of_request_as_sent(request, None).unwrap(),
        (None, None) => panic!("a whole gator test"),
    };
    review.namespace = case.get("namespace").cloned();
    review.source = match case.get("source").and_then(Value::as_str) {
        None | Some("Original") => Some(Source::Original),
        Some("Generated") => Some(Source::Generated),
        Some(_) => None,
    };
    let others: Vec<Value> = list(case, "inventory").iter().map(resolve).collect();
    let (inventory, _) = Inventory::build(&others);
    let namespace = review
        .namespace
        .clone()
        .or_else(|| inventory.namespace(review.namespace_name()).cloned());
    let point = case.get("point").and_then(Value::as_str).unwrap_or(POINT_WEBHOOK);
    let mut out = Vec::new();
    for constraint in constraints.iter().filter(|c| c.actions(point).is_some()) {
        match matches(constraint.matching.as_ref(), &review, namespace.as_ref()) {
            Verdict::Matches => out.push("hit".to_owned()),
            Verdict::Differs(_) => {}
            Verdict::Unknown(why) => out.push(format!("unable to match constraints: {why}")),
        }
    }
    out
}
