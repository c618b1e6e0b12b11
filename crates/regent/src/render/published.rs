//! Validation by what is published of the formats (`tests/published/`): JSON Schema by our own `json.match_schema`, XML by
//! the few words of XML Schema that the published one uses; any other word fails the test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

use super::tests::Xml;
use regent_rego::ast::RegoVersion;
use regent_rego::parse;
use regent_rego::{CompileOptions, Context, Limits, Value, compile, json, yaml};

pub(super) fn text(name: &str) -> String {
    let path = format!("{}/../../tests/published/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What a JSON schema has against a document.
pub(super) fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let policy = "package p\nanswer := json.match_schema(input.document, input.schema)";
    let module = parse::parse_module("p.rego", policy, RegoVersion::V1).unwrap();
    let (program, _) = compile(vec![module], Vec::new(), &CompileOptions::default()).unwrap();
    let input = Value::record([("document", document.clone()), ("schema", schema.clone())]);
    let context = Context {
        input: Some(&input),
        data: &Value::object(Vec::new()),
        limits: Limits::default(),
        time_ns: 0,
        seed: 0,
        strict_builtin_errors: true,
    };
    let answer = program.eval(program.document(&["p", "answer"]), &context).unwrap();
    match answer.value.as_ref().and_then(Value::as_array) {
        Some([Value::Bool(valid), faults]) => {
            let faults = faults.as_array().unwrap();
            assert_eq!(*valid, faults.is_empty());
            faults.iter().map(json::write).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// What a CRD has against an object; a field it does not know is a fault, for the API server would drop it.
pub(super) fn crd_faults(name: &str, object: &Value) -> Vec<String> {
    let crd = yaml::read(&text(name)).unwrap();
    let versions = crd.path(&["spec", "versions"]).and_then(Value::as_array).unwrap();
    let version = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap()
        .rsplit('/')
        .next();
    let version = versions
        .iter()
        .find(|v| v.get("name").and_then(Value::as_str) == version)
        .unwrap();
    let schema = version.path(&["schema", "openAPIV3Schema"]).unwrap();
    let mut out = faults(schema, object);
    unknown(schema, object, "$", &mut out);
    out
}

fn unknown(schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    for (i, item) in value.as_array().unwrap_or_default().iter().enumerate() {
        unknown(schema.get("items").unwrap(), item, &format!("{at}[{i}]"), out);
    }
    // Of `metadata` a CRD says no more than that it is an object.
    let Some(object) = value.as_object().filter(|_| at != "$.metadata") else {
        return;
    };
    for (key, inner) in object.iter() {
        let key = key.as_str().unwrap();
        let at = format!("{at}.{key}");
        match schema
            .path(&["properties", key])
            .or_else(|| schema.get("additionalProperties"))
        {
            Some(schema) => unknown(schema, inner, &at, out),
            None => out.push(format!("{at}: is unknown")),
        }
    }
}

/// An XML schema.
pub(super) struct Xsd(Value);

impl Xsd {
    pub(super) fn read(name: &str) -> Xsd {
        let comments = regex::Regex::new("(?s)<!--.*?-->").unwrap();
        let text = comments.replace_all(&text(name), "").replacen(" ?>", "?>", 1);
        let text = match text.split_once("?>") {
            Some((head, body)) => format!("{head}?>\n{}", body.trim_start()),
            None => text,
        };
        Xsd(Xml::document(&text))
    }

    /// A declaration at the top: `element`, `simpleType` or `complexType`.
    fn top(&self, what: &str, name: &str) -> &Value {
        let named = |d: &&Value| tag(d) == what && attribute(d, "name") == Some(name);
        children(&self.0)
            .iter()
            .find(named)
            .unwrap_or_else(|| panic!("no {what} {name}"))
    }

    /// What it has against an element.
    pub(super) fn faults(&self, element: &Value) -> Vec<String> {
        let mut out = Vec::new();
        self.element(self.top("xs:element", tag(element)), element, tag(element), &mut out);
        out
    }

    fn element(&self, declared: &Value, element: &Value, at: &str, out: &mut Vec<String>) {
        let declared = match attribute(declared, "ref") {
            Some(name) => self.top("xs:element", name),
            None => declared,
        };
        match (attribute(declared, "type"), children(declared)) {
            (Some("xs:string"), []) => {
                if !children(element).is_empty() || !attributes(element).is_empty() {
                    out.push(format!("{at}: is more than text"));
                }
            }
            (Some(name), []) => self.complex(self.top("xs:complexType", name), element, at, out),
            (None, [complex]) if tag(complex) == "xs:complexType" => self.complex(complex, element, at, out),
            other => panic!("{at}: {other:?}"),
        }
    }

    fn complex(&self, complex: &Value, element: &Value, at: &str, out: &mut Vec<String>) {
        let is_mixed = attribute(complex, "mixed") == Some("true");
        if !is_mixed && element.get("text").and_then(Value::as_str) != Some("") {
            out.push(format!("{at}: has text"));
        }
        let (declared, content): (Vec<&Value>, Vec<&Value>) =
            children(complex).iter().partition(|c| tag(c) == "xs:attribute");
        for (name, value) in attributes(element) {
            let of = declared.iter().find(|d| attribute(d, "name") == Some(&name));
            match of.map(|d| attribute(d, "type")) {
                None => out.push(format!("{at}: attribute {name} is unknown")),
                Some(Some("xs:string") | None) => {}
                Some(Some(simple)) => {
                    let restriction = children(self.top("xs:simpleType", simple));
                    let pattern = restriction.iter().flat_map(children).next().unwrap();
                    assert_eq!(tag(pattern), "xs:pattern");
                    let pattern = format!("^(?:{})$", attribute(pattern, "value").unwrap());
                    if !regex::Regex::new(&pattern).unwrap().is_match(&value) {
                        out.push(format!("{at}: attribute {name} is {value:?}, want {pattern}"));
                    }
                }
            }
        }
        for needed in declared.iter().filter(|d| attribute(d, "use") == Some("required")) {
            let name = attribute(needed, "name").unwrap();
            if attribute(element, name).is_none() {
                out.push(format!("{at}: attribute {name} is missing"));
            }
        }
        // The order of the children is a language over their names.
        let mut order = String::from("^");
        let mut known = Vec::new();
        content.iter().for_each(|c| group(c, &mut order, &mut known));
        order.push('$');
        let names: String = children(element).iter().map(|c| format!("{};", tag(c))).collect();
        if !regex::Regex::new(&order).unwrap().is_match(&names) {
            return out.push(format!("{at}: children {names:?}, want {order}"));
        }
        for (i, child) in children(element).iter().enumerate() {
            let name = tag(child);
            let of = known
                .iter()
                .find(|d| attribute(d, "ref").or(attribute(d, "name")) == Some(name));
            self.element(of.unwrap(), child, &format!("{at}/{name}[{i}]"), out);
        }
    }
}

/// The content of an element as a regular expression over `name;`.
fn group<'s>(part: &'s Value, order: &mut String, known: &mut Vec<&'s Value>) {
    order.push_str("(?:");
    match tag(part) {
        "xs:element" => {
            known.push(part);
            let name = attribute(part, "ref").or(attribute(part, "name")).unwrap();
            order.push_str(&regex::escape(&format!("{name};")));
        }
        "xs:sequence" => children(part).iter().for_each(|c| group(c, order, known)),
        "xs:choice" => {
            for (i, c) in children(part).iter().enumerate() {
                order.push_str(if i > 0 { "|" } else { "" });
                group(c, order, known);
            }
        }
        other => panic!("{other}"),
    }
    let most = match attribute(part, "maxOccurs") {
        Some("unbounded") => "",
        most => most.unwrap_or("1"),
    };
    let least = attribute(part, "minOccurs").unwrap_or("1");
    order.push_str(&format!("){{{least},{most}}}"));
}

fn tag(element: &Value) -> &str {
    element.get("name").and_then(Value::as_str).unwrap()
}

fn children(element: &Value) -> &[Value] {
    element.get("children").and_then(Value::as_array).unwrap()
}

fn attributes(element: &Value) -> Vec<(String, String)> {
    let all = element.get("attributes").and_then(Value::as_object).unwrap();
    all.iter()
        .map(|(k, v)| (k.as_str().unwrap().to_owned(), v.as_str().unwrap().to_owned()))
        .collect()
}

fn attribute<'e>(element: &'e Value, name: &str) -> Option<&'e str> {
    element.path(&["attributes", name]).and_then(Value::as_str)
}
