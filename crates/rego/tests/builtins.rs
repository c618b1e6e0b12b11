//! Built-ins against what OPA answered: rows of `data/builtins/*.tsv`, made again by `golden/main.go`.
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

use regent_rego::builtins::{self, Cache, Failure, Host};
use regent_rego::error::{Code, Error};
use regent_rego::{Number, Value, json, value_text};
use sha2::Digest;
use std::collections::BTreeMap;

#[derive(Default)]
struct TestHost {
    cache: Cache,
    used: usize,
    limit: usize,
    lines: Vec<String>,
}

impl Host for TestHost {
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.used = self.used.saturating_add(bytes);
        if self.used > self.limit {
            return Err(Failure::Halt(Error::new(Code::Limit, &Default::default(), "memory")));
        }
        Ok(())
    }
    fn work(&mut self, _: usize) -> Result<(), Failure> {
        self.charge(0)
    }
    fn time_ns(&self) -> i64 {
        1_700_000_000_000_000_000
    }
    fn random(&mut self, _: &str) -> u64 {
        0
    }
    fn note(&mut self, _: &str) {}
    fn print(&mut self, text: &str) {
        self.lines.push(text.to_string());
    }
    fn cache(&self) -> &Cache {
        &self.cache
    }
}

fn host(limit: usize) -> TestHost {
    TestHost {
        limit,
        ..TestHost::default()
    }
}

fn call(host: &mut TestHost, name: &str, args: &[Value]) -> String {
    let Some(builtin) = builtins::find(name) else {
        return "no such built-in".into();
    };
    let args: Vec<&Value> = args.iter().collect();
    match (builtin.function)(host, &args) {
        Ok(Some(value)) => value_text::text(&value),
        Ok(None) => "undefined".into(),
        Err(Failure::Type(text)) => format!("eval_type_error: {text}"),
        Err(Failure::Builtin(text)) => format!("eval_builtin_error: {text}").replace('\n', "\\n"),
        Err(Failure::Halt(e)) if e.code == Code::Limit => format!("halt: {e}"),
        Err(Failure::Halt(e)) => e.to_string(),
    }
}

/// The answer of a row whose name may ask for a part of it: `name[0]` for its first item, `name#` for its hash.
fn short_call(name: &str, args: &[Value]) -> String {
    let mut host = host(64 << 20);
    if let Some(name) = name.strip_suffix("[0]") {
        let text = call(&mut host, name, args);
        return match text.starts_with('[') {
            true => operands(&text).first().map_or(text, value_text::text),
            false => text,
        };
    }
    let Some(name) = name.strip_suffix('#') else {
        return call(&mut host, name, args);
    };
    match call(&mut host, name, args) {
        error if error.starts_with("eval_") || error.starts_with("halt: ") => error,
        text => hex::encode(sha2::Sha256::digest(text)),
    }
}

/// Reads values as Rego writes them (JSON and sets).
struct Terms<'a> {
    text: &'a str,
}

impl Terms<'_> {
    fn space(&mut self) {
        self.text = self.text.trim_start();
    }

    fn eat(&mut self, what: &str) -> bool {
        self.space();
        let rest = self.text.strip_prefix(what);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn value(&mut self) -> Value {
        self.space();
        if self.eat("set()") {
            return Value::set(Vec::new());
        }
        if self.eat("[") {
            return Value::array(self.list("]"));
        }
        if self.eat("{") {
            if self.eat("}") {
                return Value::object(Vec::new());
            }
            let first = self.value();
            if !self.eat(":") {
                let _ = self.eat(",");
                let mut items = vec![first];
                items.extend(self.list("}"));
                return Value::set(items);
            }
            let mut entries = vec![(first, self.value())];
            while self.eat(",") {
                let key = self.value();
                assert!(self.eat(":"), "{}", self.text);
                entries.push((key, self.value()));
            }
            assert!(self.eat("}"), "{}", self.text);
            return Value::object(entries);
        }
        let end = match self.text.starts_with('"') {
            true => {
                let mut escaped = false;
                let close = self.text.char_indices().skip(1).find(|(_, c)| {
                    let end = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    end
                });
                close.map_or(self.text.len(), |(i, _)| i + 1)
            }
            false => self.text.find([',', ']', '}', ':', ' ']).unwrap_or(self.text.len()),
        };
        let (token, rest) = self.text.split_at(end);
        self.text = rest;
        json::read(token.as_bytes(), json::ReadOptions::default()).unwrap_or_else(|e| panic!("{token}: {e}"))
    }

    fn list(&mut self, close: &str) -> Vec<Value> {
        let mut out = Vec::new();
        while !self.eat(close) {
            out.push(self.value());
            let _ = self.eat(",");
        }
        out
    }
}

fn operands(text: &str) -> Vec<Value> {
    Terms { text }
        .value()
        .as_array()
        .expect("operands are an array")
        .to_vec()
}

fn data(path: &str) -> String {
    let path = format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Rows where the answer is not OPA's, and why.
fn known_differences() -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for line in data("builtins/differences.txt")
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
    {
        let fields: Vec<&str> = line.split('\t').collect();
        assert_eq!(fields.len(), 4, "name, operands, our answer, reason: {line}");
        out.insert(format!("{}\t{}", fields[0], fields[1]), fields[2].to_string());
    }
    out
}

/// All rows with their files.
fn all_rows() -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(format!("{}/tests/data/builtins", env!("CARGO_MANIFEST_DIR")))
        .expect("data")
        .map(|e| e.expect("entry").file_name().into_string().expect("name"))
        .filter(|n| n.ends_with(".tsv"))
        .collect();
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let text = data(&format!("builtins/{file}"));
        let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
        out.extend(lines.map(|l| (file.clone(), l.to_string())));
    }
    out
}

#[test]
fn as_opa_answers() {
    let known = known_differences();
    let mut met = 0;
    let mut wrong = Vec::new();
    let mut rows = 0;
    for (file, line) in all_rows() {
        let mut fields = line.splitn(3, '\t');
        let (Some(name), Some(args), Some(want)) = (fields.next(), fields.next(), fields.next()) else {
            panic!("{file}: {line}");
        };
        rows += 1;
        let got = short_call(name, &operands(args));
        let same_class = want
            .strip_suffix('*')
            .is_some_and(|class| class.ends_with(": ") && got.starts_with(class));
        if got == want || same_class {
            continue;
        }
        if known.get(&format!("{name}\t{args}")).is_some_and(|ours| *ours == got) {
            met += 1;
            continue;
        }
        wrong.push(format!("{file}: {name}\t{args}\n  want {want}\n  got  {got}"));
    }
    let shown: Vec<&String> = wrong.iter().take(400).collect();
    assert!(
        wrong.is_empty(),
        "{} of {rows} rows differ:\n{}",
        wrong.len(),
        shown.iter().map(|s| s.as_str()).collect::<Vec<_>>().join("\n")
    );
    assert_eq!(met, known.len(), "listed differences that are none any more");
    assert!(rows > 600);
}

/// A type of OPA's capabilities as its type errors write it.
fn type_text(of: &Value) -> String {
    let list = |key: &str| -> Vec<String> {
        let items = of.get(key).and_then(Value::as_array).unwrap_or_default();
        items.iter().map(type_text).collect()
    };
    let word = of.get("type").and_then(Value::as_str).unwrap_or_default();
    let plain = match word {
        "any" if of.get("of").is_some() => format!("any<{}>", list("of").join(", ")),
        "array" => {
            let known = list("static");
            let known = if known.is_empty() {
                String::new()
            } else {
                format!("<{}>", known.join(", "))
            };
            let rest = of.get("dynamic").map(|t| format!("[{}]", type_text(t)));
            format!("array{known}{}", rest.unwrap_or_default())
        }
        "set" => format!("set[{}]", type_text(of.get("of").expect("of"))),
        "object" => {
            let known = of.get("static").and_then(Value::as_array).unwrap_or_default();
            let known: Vec<String> = known
                .iter()
                .map(|f| {
                    format!(
                        "{}: {}",
                        f.get("key").unwrap().as_str().unwrap(),
                        type_text(f.get("value").unwrap())
                    )
                })
                .collect();
            let known = if known.is_empty() {
                String::new()
            } else {
                format!("<{}>", known.join(", "))
            };
            let rest = of.get("dynamic").map(|t| {
                format!(
                    "[{}: {}]",
                    type_text(t.get("key").expect("key")),
                    type_text(t.get("value").expect("value"))
                )
            });
            format!("object{known}{}", rest.unwrap_or_default())
        }
        other => other.to_string(),
    };
    match of.get("name").and_then(Value::as_str) {
        Some(name) => format!("{name}: {plain}"),
        None => plain,
    }
}

/// A declaration of OPA's capabilities as our table writes it.
fn signature_text(decl: &Value) -> String {
    let args = decl.get("args").and_then(Value::as_array).unwrap_or_default();
    let mut args: Vec<String> = args.iter().map(type_text).collect();
    args.extend(decl.get("variadic").map(|t| format!("{}...", type_text(t))));
    let result = decl.get("result").map(|t| format!(" {}", type_text(t)));
    format!("({}){}", args.join(", "), result.unwrap_or_default())
}

/// `data/capabilities.json`: the built-ins of `opa capabilities --current` (1.17.1), without descriptions.
#[test]
fn every_capability_of_opa_is_implemented_or_refused() {
    let all = json::read(data("capabilities.json").as_bytes(), json::ReadOptions::default()).expect("capabilities");
    let all = all.as_array().expect("a list").to_vec();
    assert!(all.len() > 200);
    let mut faults = Vec::new();
    for capability in &all {
        let word = |key: &str| capability.get(key).and_then(Value::as_str);
        let flag = |key: &str| capability.get(key).and_then(Value::as_bool).unwrap_or(false);
        let name = word("name").expect("name");
        let Some(ours) = builtins::find(name) else {
            if builtins::refused(name).is_none() {
                faults.push(format!("{name}: neither implemented nor refused"));
            }
            continue;
        };
        let wanted = signature_text(capability.get("decl").expect("decl"));
        let given = (
            ours.signature,
            ours.infix,
            ours.relation,
            ours.deprecated,
            ours.deterministic,
        );
        let wanted = (
            wanted.as_str(),
            word("infix"),
            flag("relation"),
            flag("deprecated"),
            !flag("nondeterministic"),
        );
        if given != wanted {
            faults.push(format!("{name}: {given:?}, OPA's {wanted:?}"));
        }
    }
    let known: Vec<&str> = all
        .iter()
        .filter_map(|c| c.get("name").and_then(Value::as_str))
        .collect();
    let unknown = builtins::all().keys().filter(|name| !known.contains(name));
    faults.extend(unknown.map(|name| format!("{name}: unknown to OPA")));
    for (name, reason) in builtins::REFUSED {
        if builtins::find(name).is_some() || reason.is_empty() {
            faults.push(format!("{name}: refused and implemented, or without a reason"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Built-ins without rows of their own, and where they are tried instead.
const WITHOUT_ROWS: &[(&str, &str)] = &[
    ("assign", "the compiler puts unification in its place"),
    ("eq", "unification, which is no function in OPA"),
    ("internal.print", "prints_the_cross_product"),
    ("internal.test_case", "marks a case for opa test, and is always true"),
    ("print", "the compiler puts internal.print in its place"),
    ("rego.metadata.chain", "the compiler puts the annotations in its place"),
    ("rego.metadata.rule", "the compiler puts the annotations in its place"),
    ("time.now_ns", "gives the host's time"),
    ("uuid.rfc4122", "random"),
];

#[test]
fn every_built_in_has_rows() {
    let mut rows: BTreeMap<&str, usize> = builtins::all().keys().map(|name| (*name, 0)).collect();
    for (file, line) in all_rows() {
        let name = line.split('\t').next().unwrap_or_default();
        let name = name.trim_end_matches("[0]").trim_end_matches('#');
        let count = rows
            .get_mut(name)
            .unwrap_or_else(|| panic!("{file}: no built-in {name}"));
        *count += 1;
    }
    let few: Vec<String> = rows
        .iter()
        .filter(|(name, count)| **count < 5 && WITHOUT_ROWS.iter().all(|w| w.0 != **name))
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    assert!(few.is_empty(), "built-ins with fewer than five rows: {few:?}");
}

/// Signatures that are random in OPA cannot be rows: what we sign with a private key must verify with its public one.
#[test]
fn what_is_signed_verifies() {
    let keys = json::read(data("signing-keys.json").as_bytes(), json::ReadOptions::default()).expect("keys");
    for entry in keys.as_array().expect("a list") {
        let alg = entry.get("alg").and_then(Value::as_str).expect("alg");
        let (private, public) = (
            entry.get("private").expect("private"),
            entry.get("public").expect("public"),
        );
        let header = Value::record([("alg", Value::string(alg)), ("typ", Value::string("JWT"))]);
        let payload = Value::record([("sub", Value::string("x"))]);
        let mut h = host(64 << 20);
        let sign = builtins::find("io.jwt.encode_sign").expect("encode_sign").function;
        let token = sign(&mut h, &[&header, &payload, private])
            .unwrap_or_else(|e| panic!("{alg}: {e:?}"))
            .expect("a token");
        let again = sign(&mut h, &[&header, &payload, private]).expect("a token");
        assert_eq!(
            Some(&token),
            again.as_ref(),
            "{alg}: the same input gives the same token"
        );
        let public = Value::string(json::write(public));
        let name = format!("io.jwt.verify_{}", alg.to_ascii_lowercase());
        assert_eq!(call(&mut h, &name, &[token.clone(), public.clone()]), "true", "{alg}");
        let constraints = Value::record([("cert", public), ("alg", Value::string(alg))]);
        let verified = call(&mut h, "io.jwt.decode_verify", &[token, constraints]);
        assert!(verified.starts_with("[true, "), "{alg}: {verified}");
    }
}

#[test]
fn growth_is_charged_before_it_happens() {
    let long = Value::string("a".repeat(1 << 20));
    let calls = [
        ("numbers.range", vec![Value::from(0), Value::from(i64::MAX)]),
        (
            "numbers.range_step",
            vec![Value::from(i64::MIN), Value::from(i64::MAX), Value::from(3)],
        ),
        ("replace", vec![long.clone(), Value::string(""), long.clone()]),
        ("replace", vec![long.clone(), Value::string("a"), long.clone()]),
        (
            "strings.replace_n",
            vec![Value::record([("a", long.clone())]), long.clone()],
        ),
        (
            "concat",
            vec![long.clone(), Value::array(vec![Value::string(""); 1000])],
        ),
        (
            "sprintf",
            vec![
                Value::string("%1000000d".repeat(100)),
                Value::array(vec![Value::from(1); 100]),
            ],
        ),
        (
            "sprintf",
            vec![
                Value::string("%.1000000f".repeat(100)),
                Value::array(vec![Value::Number(Number::parse("1.5").unwrap()); 100]),
            ],
        ),
        (
            "sprintf",
            vec![Value::string("%[1]s".repeat(1000)), Value::array(vec![long.clone()])],
        ),
        ("split", vec![long.clone(), Value::string("")]),
        ("bits.lsh", vec![Value::from(1), Value::from(1 << 40)]),
        (
            "product",
            vec![Value::array(vec![
                Value::Number(Number::parse("1e100000").unwrap());
                100_000
            ])],
        ),
        (
            "mul",
            vec![Value::Number(Number::parse("1e999999999").unwrap()), Value::from(2000)],
        ),
        (
            "round",
            vec![Value::Number(Number::parse("1e999999999999999999999").unwrap())],
        ),
        (
            "json.marshal_with_options",
            vec![
                Value::array(vec![Value::from(1); 1000]),
                Value::record([("indent", long.clone())]),
            ],
        ),
    ];
    for (name, args) in calls {
        let got = call(&mut host(8 << 20), name, &args);
        assert!(
            got.starts_with("halt: regent_limit_error"),
            "{name}: {}",
            got.chars().take(200).collect::<String>()
        );
    }
}

#[test]
fn vast_exponents_cost_nothing() {
    let numbers = [
        "1e1000001",
        "-1e1000001",
        "1e-1000001",
        "1.5",
        "0",
        "1e999999999999999999999999",
        "-0.0",
    ];
    let numbers: Vec<Number> = numbers.iter().map(|t| Number::parse(t).unwrap()).collect();
    let mut sorted = numbers.clone();
    sorted.sort();
    let text: Vec<String> = sorted.iter().map(Number::to_string).collect();
    assert_eq!(
        text.join(" "),
        "-1e1000001 0 -0.0 1e-1000001 1.5 1e1000001 1e999999999999999999999999"
    );
    for n in numbers {
        for f in ["abs", "ceil", "round", "floor"] {
            call(&mut host(1 << 20), f, &[Value::Number(n.clone())]);
        }
    }
}

#[test]
fn prints_the_cross_product() {
    let mut host = host(1 << 20);
    let args = operands(r#"[[{1, 2}, set(), {"a", "b"}]]"#);
    assert_eq!(call(&mut host, "internal.print", &args), "true");
    assert_eq!(
        host.lines,
        [
            "1 <undefined> a",
            "1 <undefined> b",
            "2 <undefined> a",
            "2 <undefined> b"
        ]
    );
}
