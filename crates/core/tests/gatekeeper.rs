//! Every case of `tests/gatekeeper/cases` judged here and held against what Gatekeeper said (`*.golden.json`). The
//! differences that are meant stand in `tests/gatekeeper/differences.yaml`, each with its reason.
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

use regent_core::bundle::{Class, Item, classify};
use regent_core::evaluate::POINT_WEBHOOK;
use regent_core::manifest::{Document, Places};
use regent_core::{Bundle, CompileOptions, Decision, EvaluateOptions, Inventory, PolicySet, Review, Source, evaluate};
use regent_rego::{Value, json, yaml};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a case came to, in the form of the golden files.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    error: String,
    /// Object, action, message, kind, name, scoped actions, details: sorted.
    results: Vec<[String; 7]>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/gatekeeper")
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.path(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).unwrap_or_default()
}

fn golden(value: &Value) -> Answer {
    let result = |r: &Value| {
        let scoped: Vec<&str> = list(r, "scoped").iter().filter_map(Value::as_str).collect();
        [
            text(r, &["object"]).to_owned(),
            text(r, &["action"]).to_owned(),
            // Some carry the newline that ends Go's JSON.
            text(r, &["message"]).trim_end().to_owned(),
            text(r, &["kind"]).to_owned(),
            text(r, &["name"]).to_owned(),
            scoped.join(","),
            r.get("details").map(json::write).unwrap_or_default(),
        ]
    };
    let mut results: Vec<_> = list(value, "results").iter().map(result).collect();
    results.sort();
    Answer {
        error: text(value, &["error"]).to_owned(),
        results,
    }
}

/// An error alone.
fn error(message: impl Into<String>) -> Answer {
    Answer {
        error: message.into(),
        results: Vec::new(),
    }
}

fn add(answer: &mut Answer, object: &str, decision: &Decision) {
    for v in &decision.violations {
        let scoped: Vec<&str> = v.actions.iter().map(|a| a.as_str()).collect();
        let mut scoped = if v.enforcement_action == "scoped" {
            scoped
        } else {
            Vec::new()
        };
        scoped.sort_unstable();
        let details = match v.details.as_object() {
            Some(o) if o.is_empty() => String::new(),
            _ => json::write(&v.details),
        };
        answer.results.push([
            object.to_owned(),
            v.enforcement_action.clone(),
            v.message.clone(),
            v.constraint_kind.clone(),
            v.constraint_name.clone(),
            scoped.join(","),
            details,
        ]);
    }
    // Gatekeeper reports what failed as a violation with the error's text, and an answer it cannot read as an error of
    // the whole.
    for f in &decision.failures {
        if f.constraint_kind.is_empty() || f.message.starts_with("extracting message") {
            answer.error = f.message.clone();
            continue;
        }
        answer.results.push([
            object.to_owned(),
            f.enforcement_action.clone(),
            f.message.clone(),
            f.constraint_kind.clone(),
            f.constraint_name.clone(),
            String::new(),
            String::new(),
        ]);
    }
}

fn judge(shared: &Value, case: &Value) -> Answer {
    let resolve = |o: &Value| match o.get("$ref").and_then(Value::as_str) {
        Some(name) => shared.get(name).cloned().unwrap_or(Value::Null),
        None => o.clone(),
    };
    let inputs: Vec<Value> = list(case, "inputs").iter().map(resolve).collect();
    let inventory: Vec<Value> = list(case, "inventory").iter().map(resolve).collect();
    let object = case.get("object").map(resolve);
    let request = case.get("request");
    let mut bundle = Bundle::default();
    for (index, value) in inputs.iter().enumerate() {
        let policy = !matches!(classify(value), Class::Other | Class::Suite);
        if policy && (object.is_none() && request.is_none() || classify(value) != Class::Expansion) {
            let document = Document {
                index,
                item: None,
                value: value.clone(),
                places: Places::default(),
            };
            let Item { file, document } = Item {
                file: "inputs".into(),
                document,
            };
            bundle.add_document(&file, document);
        }
    }
    let options = CompileOptions {
        validate_actions: false,
        ..CompileOptions::default()
    };
    let (policies, problems) = PolicySet::compile(&bundle, &options);
    if let Some(problem) = problems.first() {
        return error(problem.message.clone());
    }
    let mut answer = error("");
    if object.is_none() && request.is_none() {
        let (inventory, problems) = Inventory::build(&inputs);
        if let Some(problem) = problems.first() {
            return error(problem.clone());
        }
        for object in &inputs {
            let mut review = Review::of_object(object.clone(), None);
            review.namespace = gator_namespace(&inputs, object);
            let decision = evaluate(&policies, &review, &inventory, &EvaluateOptions::default());
            let name = format!(
                "{}/{}/{}",
                text(object, &["kind"]),
                text(object, &["metadata", "namespace"]),
                text(object, &["metadata", "name"])
            );
            add(&mut answer, &name, &decision);
        }
    } else {
        let (inventory, problems) = Inventory::build(&inventory);
        if let Some(problem) = problems.first() {
            return error(problem.clone());
        }
        let review = match (&object, request) {
            (Some(object), _) => Ok(Review::of_object(object.clone(), None)),
            (None, Some(request)) => Review::of_request_as_sent(request, None),
            (None, None) => Err(String::new()),
        };
        let mut review = match review {
            Ok(review) => review,
            Err(e) => return error(e),
        };
        review.namespace = case.get("namespace").cloned();
        review.source = match case.get("source").and_then(Value::as_str) {
            None | Some("Original") => Some(Source::Original),
            Some("Generated") => Some(Source::Generated),
            Some(_) => None,
        };
        let point = text(case, &["point"]);
        let options = EvaluateOptions {
            point: if point.is_empty() { POINT_WEBHOOK } else { point },
            ..EvaluateOptions::default()
        };
        add(&mut answer, "", &evaluate(&policies, &review, &inventory, &options));
    }
    if !answer.error.is_empty() {
        answer.results.clear();
    }
    answer.results.sort();
    answer
}

/// What `gator test` attaches: an empty Namespace to what has none, the one that was handed in, or `default`.
fn gator_namespace(inputs: &[Value], object: &Value) -> Option<Value> {
    let name = text(object, &["metadata", "namespace"]);
    if name.is_empty() {
        return Some(Value::object(Vec::new()));
    }
    let found = inputs.iter().find(|o| {
        text(o, &["kind"]) == "Namespace" && text(o, &["apiVersion"]) == "v1" && text(o, &["metadata", "name"]) == name
    });
    let default = Value::record([("metadata", Value::record([("name", "default".into())]))]);
    found.cloned().or_else(|| (name == "default").then_some(default))
}

/// Whether two answers say the same.
fn same(ours: &Answer, theirs: &Answer) -> bool {
    // What a caller puts around an error is the caller's.
    let error = ours.error.trim_start_matches("unable to expand object: ").trim_end();
    let told = theirs.error.trim_end();
    let inside = !error.is_empty() && !told.is_empty() && (error.contains(told) || told.contains(error));
    (error == told || inside) && ours.results == theirs.results
}

#[expect(clippy::disallowed_methods, reason = "tests read files")]
#[test]
fn answers_as_gatekeeper_does() {
    let differences = std::fs::read_to_string(folder().join("differences.yaml")).unwrap_or_default();
    let differences = yaml::read(&differences).unwrap();
    let mut cases: BTreeMap<String, (Answer, Answer)> = BTreeMap::new();
    for entry in std::fs::read_dir(folder().join("cases")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let family = path.file_stem().unwrap().to_string_lossy().into_owned();
        let source = yaml::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let expected = std::fs::read(path.with_extension("golden.json")).unwrap();
        let expected = json::read(&expected, json::ReadOptions::default()).unwrap();
        let nothing = Value::object(Vec::new());
        for case in list(&source, "cases") {
            let name = text(case, &["name"]);
            let ours = judge(source.get("shared").unwrap_or(&nothing), case);
            let theirs = golden(
                expected
                    .get(name)
                    .unwrap_or_else(|| panic!("{family}: no golden for {name}")),
            );
            cases.insert(format!("{family}/{name}"), (ours, theirs));
        }
    }
    let mut wrong = Vec::new();
    for (name, (ours, theirs)) in &cases {
        let meant = differences.get(name).is_some();
        match (same(ours, theirs), meant) {
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("{name}: listed as a difference, but there is none")),
            (false, false) => wrong.push(format!("{name}\n  ours:   {ours:?}\n  theirs: {theirs:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
