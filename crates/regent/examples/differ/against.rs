//! Native against regorus on generated programs: no OPA is needed, and what differs is shrunk and shown.

use crate::program::{self, Pair};
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Limits, Opinion, QuerySource, Value, compile, json, opinion, parse};
use regent_second_opinion::{Threads, given};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

/// What came of a pair.
enum Outcome {
    /// Our compiler refuses it.
    Refused,
    /// Both say the same: `value`, `undefined` or `error`.
    Agreed(&'static str),
    /// By the entry of the list.
    NotAsked(String),
    Different(String),
}

fn judge(pair: &Pair, threads: &Threads) -> Outcome {
    let query = |body| QuerySource {
        body,
        package: Vec::new(),
        imports: Vec::new(),
    };
    let options = CompileOptions {
        keep_lowered: true,
        ..CompileOptions::default()
    };
    let compiled = parse::parse_module("t.rego", &pair.module(), RegoVersion::V1).and_then(|module| {
        let body = parse::parse_query("query", &pair.query(), RegoVersion::V1)?;
        compile(vec![module], vec![query(body)], &options)
    });
    let Ok((program, entries)) = compiled else {
        return Outcome::Refused;
    };
    let input = json::read(pair.input.as_bytes(), json::ReadOptions::default()).expect("generated JSON");
    let data = Value::object(Vec::new());
    let started = Instant::now();
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
    let native = program.eval(entries[0], &context);
    let native = native.as_ref().map(|o| o.value.as_ref());
    let other = threads.opinion(&program, entries[0], &context);
    if let Opinion::NotAsked(why) = &other {
        // `... (id: why)`
        let id = why.rfind(" (").map_or(why.as_str(), |at| &why[at + 2..]);
        let id = id.split(": ").next().unwrap_or_default();
        let what = if id == "unread" { why.as_str() } else { id };
        return Outcome::NotAsked(what.to_owned());
    }
    match opinion::disagreement(native, &other, true) {
        Some(difference) => Outcome::Different(format!("{difference}\n{}", given(&program).unwrap_or_default())),
        None => Outcome::Agreed(match native {
            Ok(Some(_)) => "value",
            Ok(None) => "undefined",
            Err(_) => "error",
        }),
    }
}

/// Judges the pairs of some seeds; ends the process with 1 when any differs.
pub(crate) fn run(seeds: Range<u64>, most: usize) {
    let threads = Threads::new();
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut different = Vec::new();
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let pair = program::pair(seed);
        let kind = match judge(&pair, &threads) {
            Outcome::Refused => "refused by the compiler".to_owned(),
            Outcome::Agreed(what) => format!("agreed: {what}"),
            Outcome::NotAsked(id) => format!("not asked: {id}"),
            Outcome::Different(mut text) => {
                different.push(seed);
                if different.len() <= most {
                    let small = shrink(pair, &threads, &mut text);
                    println!(
                        "---- seed {seed}\n{}\nquery: {}\ninput: {}\n{text}\n",
                        small.module(),
                        small.query(),
                        small.input
                    );
                }
                "different".to_owned()
            }
        };
        *tally.entry(kind).or_default() += 1;
    }
    println!(
        "{count} pairs against regorus: {tally:#?}; seeds that differ: {:?}",
        different.iter().take(60).collect::<Vec<_>>()
    );
    if !different.is_empty() {
        std::process::exit(1);
    }
}

/// The smallest pair found that still differs.
fn shrink(mut pair: Pair, threads: &Threads, text: &mut String) -> Pair {
    'again: for _ in 0..200 {
        for smaller in pair.smaller() {
            if let Outcome::Different(said) = judge(&smaller, threads) {
                *text = said;
                pair = smaller;
                continue 'again;
            }
        }
        break;
    }
    pair
}
