//! Every format against what is published of it (`tests/published/`), our own against `crates/regent/tests/schemas/`, with
//! names and messages that need care.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::while_immutable_condition,
    reason = "a small reader of markup that ends by panicking or by its own breaks"
)]

use super::published::{self, Xsd};
use super::*;
use crate::command::verify::Outcome;
use crate::report::{At, Finding, ObjectName, Report, Shared};
use regent_core::coverage::Coverage;
use regent_core::manifest::Problem;
use regent_core::suite::{CaseResult, Status, SuiteResult, TestResult};
use regent_core::{Action, Generated, Violation};
use regent_rego::{Value, yaml};
use std::sync::Arc;

const NASTY: &str = "a <b> & \"c\" 'd'\n100% of: x, y\r\n\t\u{1}\u{7f} é 😀 ]]> \u{2028} ::error::";

fn finding(file: &str, document: usize, name: &str, actions: &[Action], message: &str) -> Finding {
    let namespaced = document.is_multiple_of(2);
    let at = At {
        file: Arc::from(file),
        document,
        item: 0,
    };
    let object = ObjectName {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: if namespaced { "shop".into() } else { String::new() },
        name: name.into(),
    };
    let violation = Violation {
        constraint_kind: "K8sThing".into(),
        constraint_name: "no-thing".into(),
        enforcement_action: actions.first().map_or("shadow", |a| a.as_str()).into(),
        actions: actions.to_vec(),
        message: message.into(),
        details: Value::record([("path", Value::array(vec![Value::from("spec"), Value::from(0)]))]),
        generated: (document == 0).then(|| Generated {
            kind: "Pod".into(),
            name: "web-pod".into(),
            template: "spec.template".into(),
            path: Vec::new(),
        }),
    };
    Finding::new(at, Arc::new(object), (12, 9), violation, &mut Shared::default())
}

/// What is written.
fn text(write: impl FnOnce(&mut dyn std::fmt::Write) -> std::fmt::Result) -> String {
    let mut out = String::new();
    write(&mut out).unwrap();
    out
}

fn report() -> Report {
    let findings = vec![
        finding("dir/a b:c.yaml", 2, "web", &[Action::Warn], "second"),
        finding("dir/a b:c.yaml", 0, "web", &[Action::Deny], NASTY),
        finding("dir/a b:c.yaml", 1, NASTY, &[Action::Dryrun], "x"),
        finding("/abs/ü.yaml", 0, "web", &[], "no action here"),
        finding("/abs/ü.yaml", 0, "web", &[Action::Deny, Action::Warn], "two actions"),
    ];
    let problem = |file: &str, line, column| Problem {
        file: file.into(),
        line,
        column,
        message: NASTY.into(),
    };
    let mut report = Report {
        revision: format!("sha256:{}", "0".repeat(64)),
        objects: findings.iter().map(|f| (f.at.clone(), Arc::clone(&f.object))).collect(),
        findings,
        errors: vec![problem("bad.yaml", 3, 1), problem("gone.yaml", 0, 0), problem("", 0, 0)],
        ..Report::default()
    };
    report.objects.dedup();
    report.finish(9);
    report
}

fn outcome() -> Outcome {
    let case = |name: &str, status, message: &str| CaseResult {
        name: name.into(),
        status,
        message: message.into(),
        violations: vec![NASTY.into(), "v".into()],
        unconfirmed: Vec::new(),
        prints: Vec::new(),
        nanos: 1_234_567,
    };
    let test = |name: &str, status, message: &str, cases| TestResult {
        name: name.into(),
        status,
        message: message.into(),
        cases,
    };
    let cases = vec![
        case("holds", Status::Passed, ""),
        case(NASTY, Status::Failed, NASTY),
        case("left out", Status::Skipped, ""),
    ];
    Outcome {
        suites: vec![SuiteResult {
            path: "a/suite.yaml".into(),
            status: Status::Failed,
            tests: vec![
                test("t", Status::Failed, "", cases),
                test("invalid", Status::Passed, "", Vec::new()),
                test("broken", Status::Failed, NASTY, Vec::new()),
            ],
            coverage: Coverage::default(),
        }],
        errors: report().errors,
        coverage: None,
    }
}

fn schema(name: &str) -> Value {
    let path = format!("{}/tests/schemas/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    yaml::read(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn parse(text: &str) -> Value {
    regent_rego::json::read(text.as_bytes(), regent_rego::json::ReadOptions::default()).unwrap()
}

/// What is wrong with a value by the few words of JSON Schema that the files use.
fn check(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let kind = value.type_name();
    if let Some(want) = schema.get("type").and_then(Value::as_str) {
        let fits = kind == want || (want == "integer" && value.as_i64().is_some());
        if !fits {
            return wrong.push(format!("{at}: is of type {kind}, want {want}"));
        }
    }
    if let Some(want) = schema.get("const")
        && want != value
    {
        wrong.push(format!("{at}: {value:?} is not {want:?}"));
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array)
        && !list.contains(value)
    {
        wrong.push(format!("{at}: {value:?} is none of {list:?}"));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !regex::Regex::new(pattern).unwrap().is_match(value.as_str().unwrap())
    {
        wrong.push(format!("{at}: {value:?} does not match {pattern}"));
    }
    if let Some(least) = schema.get("minimum").and_then(Value::as_i64)
        && value.as_i64().unwrap() < least
    {
        wrong.push(format!("{at}: {value:?} is less than {least}"));
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (i, item) in list.iter().enumerate() {
            check(items, item, &format!("{at}[{i}]"), wrong);
            if schema.get("unique").is_some() && list[..i].contains(item) {
                wrong.push(format!("{at}[{i}]: is there twice"));
            }
        }
    }
    let Some(object) = value.as_object() else { return };
    for name in schema.get("required").and_then(Value::as_array).unwrap_or_default() {
        if object.get(name).is_none() {
            wrong.push(format!("{at}: {name:?} is missing"));
        }
    }
    for (key, inner) in object.iter() {
        let at = format!("{at}.{}", key.as_str().unwrap());
        match schema.path(&["properties", key.as_str().unwrap()]) {
            Some(property) => check(property, inner, &at, wrong),
            None if schema.get("closed").is_some() => wrong.push(format!("{at}: is unknown")),
            None => {}
        }
        if let Some(values) = schema.get("values") {
            check(values, inner, &at, wrong);
        }
    }
}

fn conforms(name: &str, value: &Value) {
    let mut wrong = Vec::new();
    check(&schema(name), value, "$", &mut wrong);
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// A strict reader of the XML we write: elements as `{name, attributes, children, text}`.
pub(super) struct Xml<'t>(&'t str);

impl Xml<'_> {
    pub(super) fn document(text: &str) -> Value {
        for c in text.chars() {
            assert!(c == '\n' || c >= ' ', "{c:?} is no character of XML");
        }
        let body = text
            .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
            .unwrap();
        let mut reader = Xml(body);
        let root = reader.element();
        assert_eq!(reader.0.trim(), "");
        root
    }

    fn until(&mut self, end: &str) -> String {
        let (head, tail) = self.0.split_once(end).unwrap();
        self.0 = tail;
        head.to_owned()
    }

    fn element(&mut self) -> Value {
        assert_eq!(self.until("<"), "");
        let tag = self.until(">");
        let (tag, empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag.as_str(), false),
        };
        let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !rest.is_empty() {
            let (key, tail) = rest.split_once("=\"").unwrap();
            let (value, tail) = tail.split_once('"').unwrap();
            assert!(!attributes.iter().any(|(k, _)| *k == Value::from(key)), "{key} twice");
            attributes.push((Value::from(key), Value::from(plain(value).as_str())));
            rest = tail.trim_start();
        }
        let (mut children, mut text) = (Vec::new(), String::new());
        while !empty {
            text.push_str(&self.0[..self.0.find('<').unwrap()]);
            self.0 = &self.0[self.0.find('<').unwrap()..];
            if let Some(rest) = self.0.strip_prefix("</") {
                self.0 = rest;
                assert_eq!(self.until(">"), name);
                break;
            }
            children.push(self.element());
        }
        let text = if children.is_empty() {
            plain(&text)
        } else {
            plain(text.trim())
        };
        Value::record([
            ("name", Value::from(name)),
            ("attributes", Value::object(attributes)),
            ("children", Value::array(children)),
            ("text", Value::from(text.trim())),
        ])
    }
}

/// Text with its entities resolved; none may be unknown, and nothing unescaped.
fn plain(text: &str) -> String {
    assert!(!text.contains(['<', '"']), "{text}");
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('&') {
        let (entity, tail) = tail.split_once(';').unwrap();
        out.push_str(head);
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            code => char::from_u32(code.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
        });
        rest = tail;
    }
    out + rest
}

#[test]
fn json_is_the_stable_shape() {
    conforms("check", &parse(&text(|out| json::render(&report()).json(out))));
    conforms("verify", &parse(&verify_json::render(&outcome()).json()));
}

#[test]
fn yaml_says_what_json_says() {
    let yaml = text(|out| json::render(&report()).yaml(out));
    let json = text(|out| json::render(&report()).json(out));
    assert_eq!(yaml::read(&yaml).unwrap(), parse(&json));
}

#[test]
fn sarif_is_what_code_scanning_takes() {
    let value = parse(&text(|out| sarif::render(&report()).json(out)));
    let schema = parse(&published::text("sarif-schema-2.1.0.json"));
    assert_eq!(published::faults(&schema, &value), Vec::<String>::new());
    // The schema does refuse.
    let wrong = parse(r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "nmae": 1}}}]}"#);
    assert_eq!(published::faults(&schema, &wrong).len(), 1);
    let run = &value.get("runs").and_then(Value::as_array).unwrap()[0];
    let rules = run
        .path(&["tool", "driver", "rules"])
        .and_then(Value::as_array)
        .unwrap();
    for result in run.get("results").and_then(Value::as_array).unwrap() {
        let rule = &rules[usize::try_from(result.get("ruleIndex").unwrap().as_i64().unwrap()).unwrap()];
        assert_eq!(rule.get("id"), result.get("ruleId"));
    }
}

#[test]
fn policy_reports_fit_their_crd() {
    let value = yaml::read(&text(|out| policyreport::render(&report()).yaml(out))).unwrap();
    for item in value.get("items").and_then(Value::as_array).unwrap() {
        let cluster = item.get("kind").and_then(Value::as_str) == Some("ClusterPolicyReport");
        let crd = if cluster {
            "clusterpolicyreports"
        } else {
            "policyreports"
        };
        let faults = published::crd_faults(&format!("wgpolicyk8s.io_{crd}.yaml"), item);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(item.path(&["metadata", "namespace"]).is_none(), cluster);
    }
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let xsd = Xsd::read("junit-10.xsd");
    let wrong = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testcase a=\"1\"/></testsuites>";
    assert_eq!(xsd.faults(&Xml::document(wrong)).len(), 1);
    for text in [
        text(|out| junit::render(&report(), out)),
        verify_junit::render(&outcome()),
    ] {
        let root = Xml::document(&text);
        assert_eq!(xsd.faults(&root), Vec::<String>::new());
        let mut totals = [0, 0, 0];
        for suite in root.get("children").and_then(Value::as_array).unwrap() {
            let cases = suite.get("children").and_then(Value::as_array).unwrap();
            let with = |name: &str| {
                let has = |c: &&Value| {
                    let inner = c.get("children").and_then(Value::as_array).unwrap();
                    inner.iter().any(|e| e.get("name") == Some(&Value::from(name)))
                };
                cases.iter().filter(has).count()
            };
            let counts = [cases.len(), with("failure"), with("error")];
            for (i, attribute) in ["tests", "failures", "errors"].iter().enumerate() {
                let told = suite.path(&["attributes", attribute]).and_then(Value::as_str).unwrap();
                assert_eq!(told, counts[i].to_string(), "{attribute}");
                totals[i] += counts[i];
            }
        }
        for (i, attribute) in ["tests", "failures", "errors"].iter().enumerate() {
            let told = root.path(&["attributes", attribute]).and_then(Value::as_str).unwrap();
            assert_eq!(told, totals[i].to_string(), "{attribute}");
        }
    }
}

#[test]
fn github_lines_are_workflow_commands() {
    let text = text(|out| github::render(&report(), out));
    let line = regex::Regex::new(
        r"^::(error|warning|notice) title=[^,:\r\n]+(,file=[^,:\r\n]+)?(,line=[1-9][0-9]*)?(,col=[1-9][0-9]*)?::([^%\r\n]|%25|%0A|%0D)+$",
    )
    .unwrap();
    assert_eq!(text.lines().count(), 8);
    for given in text.lines() {
        assert!(line.is_match(given), "{given}");
    }
}

#[test]
fn people_see_no_control_characters() {
    let out = anstream::adapter::strip_str(&text(|out| super::text::render(&report(), out))).to_string();
    let table = anstream::adapter::strip_str(&text(|out| table::render(&report(), out))).to_string();
    let verify = anstream::adapter::strip_str(&verify_text::render(&outcome())).to_string();
    for text in [out, table, verify] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}
