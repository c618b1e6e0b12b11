//! Random programs against OPA: the same answer, or a difference shrunk and shown.
//!
//! ```text
//! cargo run --release -p regent --example differ -- --judge PATH [--seeds FROM..TO] [--known FILE] [--limit N] [--show-refused] [--check]
//! ```
//! or `-- --against regorus [--seeds FROM..TO] [--limit N]`: native against the second opinion (`against.rs`).
//! `--judge` is the program of `tests/opa/judge`. Exits with 1 when something differs that no entry of
//! `tests/opa/differences.txt` (`--known FILE`) explains.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its purpose")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test tool"
)]

mod against;
mod program;
mod random;

use program::Pair;
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Limits, QuerySource, Value, compile, json, parse, value_text};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What a side says, in a form that compares.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Value(Vec<String>),
    Undefined,
    /// The codes, sorted, without doubles; for evaluation only the first.
    Error(String),
}

struct Judge {
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Judge {
    fn start(path: &str) -> Judge {
        let mut child = Command::new(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        let to = child.stdin.take().expect("stdin");
        let from = BufReader::new(child.stdout.take().expect("stdout"));
        Judge {
            _child: child,
            to,
            from,
        }
    }

    fn ask(&mut self, pair: &Pair) -> (Answer, String) {
        let request = Value::record([
            ("id", Value::string("x")),
            ("modules", Value::record([("t.rego", Value::string(pair.module()))])),
            ("query", Value::string(pair.query())),
            (
                "input",
                json::read(pair.input.as_bytes(), json::ReadOptions::default()).expect("generated JSON"),
            ),
        ]);
        writeln!(self.to, "{}", json::write(&request)).expect("the judge listens");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the judge answers");
        let answer =
            json::read(line.as_bytes(), json::ReadOptions::default()).unwrap_or_else(|e| panic!("{line}: {e:?}"));
        if let Some(errors) = answer.get("errors").and_then(Value::as_array) {
            let first = errors
                .first()
                .and_then(|e| e.get("code"))
                .and_then(Value::as_str)
                .unwrap_or_default();
            return (Answer::Error(first.to_owned()), line);
        }
        if answer.get("undefined").is_some() {
            return (Answer::Undefined, line);
        }
        let text = answer.get("text").and_then(Value::as_array).unwrap_or_default();
        (
            Answer::Value(text.iter().map(|t| t.as_str().unwrap_or_default().to_owned()).collect()),
            line,
        )
    }
}

fn ours(pair: &Pair) -> (Answer, String) {
    let run = || -> Result<Answer, Vec<regent_rego::Error>> {
        let module = parse::parse_module("t.rego", &pair.module(), RegoVersion::V1)?;
        let body = parse::parse_query("query", &pair.query(), RegoVersion::V1)?;
        let query = QuerySource {
            body,
            package: Vec::new(),
            imports: Vec::new(),
        };
        let (program, entries) = compile(vec![module], vec![query], &CompileOptions::default())?;
        let input = json::read(pair.input.as_bytes(), json::ReadOptions::default()).expect("generated JSON");
        let data = Value::object(Vec::new());
        let started = std::time::Instant::now();
        let clock = move || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let context = Context {
            input: Some(&input),
            data: &data,
            limits: Limits {
                clock: Some(&clock),
                deadline: 5_000_000_000,
                ..Limits::default()
            },
            time_ns: 1_700_000_000_000_000_000,
            seed: 1,
            strict_builtin_errors: false,
        };
        let outcome = program.eval(entries[0], &context).map_err(|e| vec![e])?;
        Ok(match outcome.value {
            None => Answer::Undefined,
            Some(results) => {
                let mut texts: Vec<String> = results
                    .as_array()
                    .unwrap_or_default()
                    .iter()
                    .map(|one| {
                        format!(
                            "x = {}",
                            one.path(&["bindings", "x"]).map(value_text::text).unwrap_or_default()
                        )
                    })
                    .collect();
                texts.sort();
                Answer::Value(texts)
            }
        })
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(answer)) => {
            let text = format!("{answer:?}");
            (answer, text)
        }
        Ok(Err(errors)) => {
            let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            (
                Answer::Error(errors.first().map(|e| e.code.as_str().to_owned()).unwrap_or_default()),
                text,
            )
        }
        Err(_) => (Answer::Error("panic".to_owned()), "panic".to_owned()),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| {
        args.iter()
            .position(|a| a == name)
            .and_then(|i| args.get(i + 1))
            .cloned()
    };
    let judge_path = flag("--judge").unwrap_or_else(|| "opa-judge".to_owned());
    let seeds = flag("--seeds").unwrap_or_else(|| "0..2000".to_owned());
    let (from, to) = seeds.split_once("..").expect("FROM..TO");
    let (from, to): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
    let most: usize = flag("--limit").and_then(|n| n.parse().ok()).unwrap_or(10);
    let known: Vec<String> = flag("--known")
        .map(|f| std::fs::read_to_string(f).expect("known differences"))
        .unwrap_or_default()
        .lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        .map(str::to_owned)
        .collect();
    if args.iter().any(|a| a == "--against") {
        return against::run(from..to, most);
    }
    let check_only = args.iter().any(|a| a == "--check");
    let show_refused = args.iter().any(|a| a == "--show-refused");
    let mut judge = Judge::start(&judge_path);
    let (mut different, mut explained) = (Vec::new(), 0usize);
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    for seed in from..to {
        let pair = program::pair(seed);
        let (theirs, line) = judge.ask(&pair);
        let (mut mine, _) = ours(&pair);
        if check_only {
            // Only whether it loads, and with which code it is refused.
            let refused = |a: &Answer| matches!(a, Answer::Error(code) if code.starts_with("rego_"));
            if !refused(&theirs) && !refused(&mine) {
                mine = theirs.clone();
            }
        }
        let kind = match &theirs {
            Answer::Value(_) => "value".to_owned(),
            Answer::Undefined => "undefined".to_owned(),
            Answer::Error(code) => code.clone(),
        };
        *tally.entry(kind).or_default() += 1;
        if show_refused && matches!(&theirs, Answer::Error(code) if code.starts_with("rego_")) {
            println!("{}\n{}", line.trim(), pair.module());
        }
        if mine == theirs {
            continue;
        }
        if known
            .iter()
            .any(|k| pair.module().contains(k.as_str()) || line.contains(k.as_str()))
        {
            explained += 1;
            continue;
        }
        different.push(seed);
        if different.len() <= most {
            let small = shrink(pair, &mut judge, check_only);
            let (theirs, line) = judge.ask(&small);
            let (_, text) = ours(&small);
            println!(
                "---- seed {seed}\n{}\nquery: {}\ninput: {}\nopa:  {theirs:?} {}\nours: {text}\n",
                small.module(),
                small.query(),
                small.input,
                line.trim()
            );
        }
    }
    println!(
        "{} pairs, {} different, {explained} explained; opa said: {tally:?}; seeds that differ: {:?}",
        to - from,
        different.len(),
        different.iter().take(60).collect::<Vec<_>>()
    );
    if !different.is_empty() {
        std::process::exit(1);
    }
}

/// The smallest pair found that still differs in the same way (ours wrong in the same direction).
fn shrink(mut pair: Pair, judge: &mut Judge, check_only: bool) -> Pair {
    'again: for _ in 0..200 {
        for smaller in pair.smaller() {
            let (theirs, _) = judge.ask(&smaller);
            // A program that no longer compiles with OPA shows nothing unless the first one did not either.
            if !check_only && matches!(&theirs, Answer::Error(code) if code.starts_with("rego_")) {
                continue;
            }
            if check_only && !matches!(&theirs, Answer::Error(_)) && !matches!(ours(&smaller).0, Answer::Error(_)) {
                continue;
            }
            if ours(&smaller).0 != theirs {
                pair = smaller;
                continue 'again;
            }
        }
        break;
    }
    pair
}
