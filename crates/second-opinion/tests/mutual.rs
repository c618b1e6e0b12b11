//! Native against regorus on programs whose answers are OPA's: the cases of `crates/rego/tests/semantics`, and every row
//! of `crates/rego/tests/data/builtins` for the built-ins that regorus answers by itself.
//!
//! A disagreement is a fault of one of the two, so the test names it. What regorus is not asked about is counted by the
//! entries of the list.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a test ends by panicking, and says what it saw"
)]

use regent_rego::ast::RegoVersion;
use regent_rego::{
    CompileOptions, Context, Entry, Error, Limits, Opinion, Program, QuerySource, Value, compile, json, opinion, parse,
};
use regent_second_opinion::Threads;
use std::collections::BTreeMap;
use std::path::Path;

/// What came of a run.
#[derive(Default)]
struct Tally {
    agreed: usize,
    /// By the entry of the list.
    not_asked: BTreeMap<String, usize>,
    different: Vec<String>,
}

impl Tally {
    fn judge(&mut self, id: &str, program: &Program, entry: Entry, context: &Context<'_>, threads: &Threads) {
        let native = program.eval(entry, context);
        let native = native.as_ref().map(|o| o.value.as_ref());
        let other = threads.opinion(program, entry, context);
        if let Opinion::NotAsked(why) = &other {
            if why.contains("unread") {
                println!("{id} {}", regent_second_opinion::given(program).unwrap_or_default());
            }
            let id = why
                .rsplit('(')
                .find_map(|part| part.split_once(": "))
                .map_or("?", |p| p.0);
            let id = format!(
                "{id}{}",
                if id == "unread" {
                    format!(" {why}")
                } else {
                    String::new()
                }
            );
            *self.not_asked.entry(id).or_default() += 1;
        } else if let Some(difference) = opinion::disagreement(native, &other, true) {
            self.different.push(format!("{id}: {difference}"));
        } else {
            self.agreed += 1;
        }
    }

    fn check(&self, what: &str, at_least: usize) {
        println!(
            "{what}: {} agreed, not asked: {:?}, {} different",
            self.agreed,
            self.not_asked,
            self.different.len()
        );
        assert!(self.different.is_empty(), "{}", self.different.join("\n\n"));
        assert!(self.agreed >= at_least, "only {} agreed", self.agreed);
    }
}

fn program(modules: &[(&str, &str)], query: &str, version: RegoVersion) -> Result<(Program, Entry), Vec<Error>> {
    let parsed: Result<Vec<_>, _> = modules
        .iter()
        .map(|(name, text)| parse::parse_module(name, text, version))
        .collect();
    let query = QuerySource {
        body: parse::parse_query("query", query, version)?,
        package: Vec::new(),
        imports: Vec::new(),
    };
    let options = CompileOptions {
        keep_lowered: true,
        ..CompileOptions::default()
    };
    let (program, entries) = compile(parsed?, vec![query], &options)?;
    Ok((program, entries[0]))
}

/// Nanoseconds for one program.
const TIME: u64 = 1_000_000_000;

fn clock() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    u64::try_from(start.elapsed().as_nanos()).expect("a short test")
}

fn context<'a>(input: Option<&'a Value>, data: &'a Value) -> Context<'a> {
    Context {
        input,
        data,
        limits: Limits {
            clock: Some(&clock),
            deadline: clock() + TIME,
            ..Limits::default()
        },
        time_ns: 1_700_000_000_000_000_000,
        seed: 1,
        strict_builtin_errors: false,
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rego/tests").join(name)
}

fn lines(folder: &Path, extension: &str) -> Vec<(String, String)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("folder")
        .map(|e| e.expect("entry").path())
        .collect();
    paths.sort();
    let mut out = Vec::new();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == extension)) {
        let name = path.file_stem().and_then(|s| s.to_str()).expect("name").to_owned();
        for line in std::fs::read_to_string(path).expect("text").lines() {
            out.push((name.clone(), line.to_owned()));
        }
    }
    out
}

#[test]
fn programs_mean_the_same_to_both() {
    let threads = Threads::new();
    let mut tally = Tally::default();
    let none = Value::object(Vec::new());
    for (_, line) in lines(&folder("semantics"), "jsonl") {
        let case = json::read(line.as_bytes(), json::ReadOptions::default()).expect("a case a line");
        let text = |v: &Value| v.as_str().expect("text").to_owned();
        let version = if case.get("v0").and_then(Value::as_bool) == Some(true) {
            RegoVersion::V0
        } else {
            RegoVersion::V1
        };
        let modules: Vec<(String, String)> = case
            .get("modules")
            .and_then(Value::as_object)
            .expect("modules")
            .iter()
            .map(|(k, v)| (text(k), text(v)))
            .collect();
        let modules: Vec<(&str, &str)> = modules.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let Ok((program, entry)) = program(&modules, &text(case.get("query").expect("query")), version) else {
            continue;
        };
        let data = case.get("data").unwrap_or(&none);
        let id = text(case.get("id").expect("id"));
        tally.judge(&id, &program, entry, &context(case.get("input"), data), &threads);
    }
    tally.check("semantics", 2_000);
}

#[test]
fn own_built_ins_of_regorus_answer_as_opas() {
    let own: Vec<&str> = include_str!("../src/own-builtins.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split('\t').next())
        .collect();
    let threads = Threads::new();
    let mut tally = Tally::default();
    let none = Value::object(Vec::new());
    for (_, line) in lines(&folder("data/builtins"), "tsv") {
        let mut fields = line.split('\t');
        let (Some(name), Some(args)) = (fields.next(), fields.next()) else {
            continue;
        };
        if !own.contains(&name) {
            continue;
        }
        // In an array, so that the types of operands are seen by nobody.
        let module = format!("package t\n\nargs := {args}\n");
        let count = regent_rego::builtins::find(name)
            .and_then(|b| b.arity())
            .expect("arity");
        let operands: Vec<String> = (0..count).map(|i| format!("data.t.args[input.at{i}]")).collect();
        let query = format!("x = {name}({})", operands.join(", "));
        let Ok((program, entry)) = program(&[("t.rego", &module)], &query, RegoVersion::V1) else {
            continue;
        };
        let input = Value::object(
            (0..count)
                .map(|i| (Value::string(format!("at{i}")), Value::from(i as i64)))
                .collect(),
        );
        tally.judge(&line, &program, entry, &context(Some(&input), &none), &threads);
    }
    tally.check("own built-ins", 500);
}
