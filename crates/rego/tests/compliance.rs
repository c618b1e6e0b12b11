//! OPA's compliance cases, judged one by one: equal, refused by name, different, or crashed.
//!
//! `tests/opa/export` writes the cases; their path is `REGENT_OPA_CASES` or `target/opa-cases.jsonl`. Without the file
//! nothing runs, and the reason is printed. Arguments after `--`: words that the case's `version/folder/note` must
//! contain; `-v` shows what was wanted and given; `--parse` judges only the parser; `--strict` fails on any difference, or
//! when more than 2 % are refused. With `REGENT_NO_REWRITES` set nothing is rewritten for speed.
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

use regent_rego::ast::{Module, RegoVersion, TermValue};
use regent_rego::{
    Code, CompileOptions, Context, Error, Limits, QuerySource, Rewrites, Value, compile, json, parse, print,
};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

enum Verdict {
    Equal,
    Refused(String),
    Different(String),
    Crashed(String),
}

/// Functions that are no built-ins of OPA but that its own tests make.
const OWN_FUNCTIONS: &[(&str, &str)] = &[("test.sleep", "a function that OPA's test program adds for itself")];

struct Case {
    version: RegoVersion,
    name: String,
    folder: String,
    value: Value,
}

fn main() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/opa-cases.jsonl");
    let path = std::env::var("REGENT_OPA_CASES").unwrap_or_else(|_| default.to_owned());
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("compliance: not run: no cases at {path}; write them with tests/opa/export");
        return;
    };
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let words: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let cases: Vec<Case> = text
        .lines()
        .map(case)
        .filter(|c| words.iter().all(|w| c.name.contains(w.as_str())))
        .collect();
    let only_parse = flag("--parse");
    let verbose = flag("-v");
    std::panic::set_hook(Box::new(|_| {}));
    // A deep policy in a debug build wants more than the usual stack.
    let run = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut refused: BTreeMap<String, usize> = BTreeMap::new();
        let (mut equal, mut different, mut crashed) = (0, 0, 0);
        for case in &cases {
            let verdict = catch_unwind(AssertUnwindSafe(|| judge(case, only_parse)))
                .unwrap_or_else(|panic| Verdict::Crashed(panic_text(&panic)));
            let (sign, why) = match verdict {
                Verdict::Equal => {
                    equal += 1;
                    continue;
                }
                Verdict::Refused(why) => {
                    *refused.entry(why).or_default() += 1;
                    continue;
                }
                Verdict::Different(why) => {
                    different += 1;
                    ("", why)
                }
                Verdict::Crashed(why) => {
                    crashed += 1;
                    ("CRASHED ", why)
                }
            };
            let why = match verbose {
                true => why,
                false => why.lines().next().unwrap_or("").chars().take(160).collect(),
            };
            let line = format!("  {sign}{}: {why}", case.name);
            groups.entry(case.folder.clone()).or_default().push(line);
        }
        for (folder, lines) in &groups {
            println!("{folder}: {}", lines.len());
            lines.iter().for_each(|l| println!("{l}"));
        }
        for (why, count) in &refused {
            println!("refused {count}: {why}");
        }
        let refused: usize = refused.values().sum();
        println!(
            "compliance: {} cases: {equal} equal, {refused} refused, {different} different, {crashed} crashed",
            cases.len()
        );
        // Every refusal is by name and in docs/rego.md; there may be few.
        let many = refused * 50 > cases.len();
        different + crashed + usize::from(many)
    });
    let bad = run.unwrap().join().unwrap();
    if flag("--strict") && bad > 0 {
        std::process::exit(1);
    }
}

fn panic_text(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
        .to_owned()
}

fn case(line: &str) -> Case {
    let value = json::read(line.as_bytes(), json::ReadOptions::default()).unwrap();
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    Case {
        version: match text("version").as_str() {
            "v0" => RegoVersion::V0,
            _ => RegoVersion::V1,
        },
        name: format!("{}/{}/{}", text("version"), text("folder"), text("note")),
        folder: text("folder"),
        value,
    }
}

impl Case {
    fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }

    fn flag(&self, name: &str) -> bool {
        self.value.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn list(&self, name: &str) -> Vec<&str> {
        let items = self.value.get(name).and_then(Value::as_array).unwrap_or_default();
        items.iter().filter_map(Value::as_str).collect()
    }
}

/// Errors as lines.
fn lines(errors: &[Error]) -> String {
    let lines: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.loc.row, e.message)).collect();
    lines.join("\n")
}

fn judge(case: &Case, only_parse: bool) -> Verdict {
    if case.value.get("env").is_some() {
        return Verdict::Refused("the environment is not given to policies".into());
    }
    let mut modules = Vec::new();
    for (i, (text, want)) in case.list("modules").into_iter().zip(case.list("printed")).enumerate() {
        let parsed = parse::parse_module(&format!("test-{i}.rego"), text, case.version);
        let got = match &parsed {
            Ok(module) => print::module(module),
            Err(errors) => lines(errors),
        };
        // OPA writes v0 modules that import rego.v1 as v0.
        if got.replace(" if {", " {") != want.replace(" if {", " {") {
            return Verdict::Different(format!("parser\nwant {want}\ngot  {got}"));
        }
        modules.extend(parsed);
    }
    if only_parse {
        return Verdict::Equal;
    }
    let query = case.text("query").unwrap_or("");
    let body = match parse::parse_query("query", query, RegoVersion::V1) {
        Ok(body) => body,
        Err(errors) => return Verdict::Different(format!("query: {}", lines(&errors))),
    };
    evaluate(case, modules, body)
}

fn evaluate(case: &Case, modules: Vec<Module>, body: Vec<regent_rego::ast::Expr>) -> Verdict {
    let source = QuerySource {
        body,
        package: Vec::new(),
        imports: Vec::new(),
    };
    let plain = std::env::var_os("REGENT_NO_REWRITES").is_some();
    let options = CompileOptions {
        rewrites: if plain { Rewrites::NONE } else { Rewrites::ALL },
        ..CompileOptions::default()
    };
    let (program, entries) = match compile(modules, vec![source], &options) {
        Ok(done) => done,
        Err(errors) => return compile_error(&errors),
    };
    let empty = Value::object(Vec::new());
    let data = match case.value.get("data") {
        Some(data @ Value::Object(_)) => data,
        _ => &empty,
    };
    let term = match case.text("input_term") {
        Some(text) => match parse::parse_term("input", text, RegoVersion::V1)
            .ok()
            .and_then(|t| constant(&t))
        {
            Some(value) => Some(value),
            None => return Verdict::Different("input_term cannot be read".into()),
        },
        None => None,
    };
    let start = Instant::now();
    let clock = move || start.elapsed().as_nanos() as u64;
    let context = Context {
        input: term.as_ref().or_else(|| case.value.get("input")),
        data,
        limits: Limits {
            clock: Some(&clock),
            deadline: 5_000_000_000,
            ..Limits::default()
        },
        // The suite's certificates hold from the end of 2023 to 2031.
        time_ns: 1_750_000_000_000_000_000,
        seed: 1,
        strict_builtin_errors: case.flag("strict_error"),
    };
    let result = program.eval(entries[0], &context);
    let want_code = case.text("want_error_code");
    let want_error = case.text("want_error");
    match result {
        Err(e) if e.code == Code::Unsupported => Verdict::Refused(e.message.clone()),
        Err(e) if want_code.is_none() && want_error.is_none() => Verdict::Different(format!("unexpected error: {e}")),
        Err(e) => {
            if want_code.is_some_and(|c| c != e.code.as_str()) {
                return Verdict::Different(format!("error code: want {want_code:?}\ngot  {e}"));
            }
            match want_error {
                Some(want) if !e.to_string().contains(want) => {
                    Verdict::Different(format!("error text: want {want}\ngot  {e}"))
                }
                _ => Verdict::Equal,
            }
        }
        Ok(_) if want_code.is_some() || want_error.is_some() => Verdict::Different(format!(
            "no error: want {}",
            want_error.or(want_code).unwrap_or_default()
        )),
        Ok(outcome) => compare(case, outcome.value),
    }
}

fn compile_error(errors: &[Error]) -> Verdict {
    for e in errors {
        if e.code == Code::Unsupported {
            return Verdict::Refused(e.message.clone());
        }
        if let Some(name) = e.message.strip_prefix("undefined function ")
            && let Some((_, why)) = OWN_FUNCTIONS.iter().find(|f| f.0 == name)
        {
            return Verdict::Refused(format!("{name}: {why}"));
        }
    }
    Verdict::Different(format!("compile: {}", lines(errors)))
}

/// The results as OPA's suite compares them: a set of bindings, sets as arrays.
fn compare(case: &Case, got: Option<Value>) -> Verdict {
    let Some(want) = case.value.get("want_result").and_then(Value::as_array) else {
        return Verdict::Different("the case wants nothing".into());
    };
    let sort = case.flag("sort_bindings");
    let mut results = Vec::new();
    for row in got.as_ref().and_then(Value::as_array).unwrap_or_default() {
        let Some(bindings) = row.get("bindings").and_then(Value::as_object) else {
            return Verdict::Different("a result without bindings".into());
        };
        let mut entries = Vec::new();
        for (name, value) in bindings.iter() {
            let text = name.as_str().unwrap_or("");
            if text.starts_with("__local") || text.starts_with('$') {
                continue;
            }
            let mut value = json::read(json::write(value).as_bytes(), json::ReadOptions::default()).unwrap();
            if sort && let Some(items) = value.as_array() {
                let mut items = items.to_vec();
                items.sort();
                value = Value::array(items);
            }
            entries.push((name.clone(), value));
        }
        results.push(Value::object(entries));
    }
    let (want, got) = (Value::set(want.to_vec()), Value::set(results));
    match want == got {
        true => Verdict::Equal,
        false => Verdict::Different(format!("\nwant {}\ngot  {}", json::write(&want), json::write(&got))),
    }
}

/// A term without variables as a value.
fn constant(term: &regent_rego::ast::Term) -> Option<Value> {
    let all = |items: &[regent_rego::ast::Term]| items.iter().map(constant).collect::<Option<Vec<_>>>();
    Some(match &term.value {
        TermValue::Null => Value::Null,
        TermValue::Bool(b) => Value::Bool(*b),
        TermValue::Number(n) => Value::Number(n.clone()),
        TermValue::String(s) => Value::string(s),
        TermValue::Array(items) => Value::array(all(items)?),
        TermValue::Set(items) => Value::set(all(items)?),
        TermValue::Object(pairs) => {
            let pairs = pairs.iter().map(|(k, v)| Some((constant(k)?, constant(v)?)));
            Value::object(pairs.collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    })
}
