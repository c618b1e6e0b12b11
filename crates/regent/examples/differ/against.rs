//! Native against regorus on generated programs: no OPA is needed, and what differs is shrunk and shown.

use crate::case::{Case, read};
use crate::{generate, shrink};
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Limits, Opinion, QuerySource, Value, compile, opinion, parse};
use regent_second_opinion::{Threads, given};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

/// What came of a case.
enum Outcome {
    /// Our compiler refuses it.
    Refused,
    /// Both say the same: `value`, `undefined` or `error`.
    Agreed(&'static str),
    /// By the entry of the list.
    NotAsked(String),
    Different(String),
}

fn judge(case: &Case, threads: &Threads) -> Outcome {
    let version = if case.v0 { RegoVersion::V0 } else { RegoVersion::V1 };
    let options = CompileOptions {
        strict: case.strict,
        keep_lowered: true,
        ..CompileOptions::default()
    };
    let compiled = || {
        let modules = case.modules.iter();
        let modules = modules.map(|(file, text)| parse::parse_module_annotated(file, text, version));
        let query = QuerySource {
            body: parse::parse_query("query", &case.query, version)?,
            package: Vec::new(),
            imports: Vec::new(),
        };
        compile(modules.collect::<Result<_, _>>()?, vec![query], &options)
    };
    let Ok((program, entries)) = compiled() else {
        return Outcome::Refused;
    };
    let Some(&entry) = entries.first() else {
        return Outcome::Refused;
    };
    let input = case.input.as_deref().and_then(read);
    let data = read(&case.data).unwrap_or_else(|| Value::object(Vec::new()));
    let started = Instant::now();
    let clock = move || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let context = Context {
        input: input.as_ref(),
        data: &data,
        limits: Limits {
            clock: Some(&clock),
            deadline: 5_000_000_000,
            ..Limits::default()
        },
        time_ns: 1_700_000_000_000_000_000,
        seed: 1,
        strict_builtin_errors: case.strict_errors,
    };
    let native = program.eval(entry, &context);
    let native = native.as_ref().map(|o| o.value.as_ref());
    let other = threads.opinion(&program, entry, &context);
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

/// Judges the cases of some seeds; false when any differs.
pub(crate) fn run(seeds: Range<u64>, most: usize) -> bool {
    let threads = Threads::new();
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut different = Vec::new();
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let case = generate::plain_case(seed);
        let kind = match judge(&case, &threads) {
            Outcome::Refused => "refused by the compiler".to_owned(),
            Outcome::Agreed(what) => format!("agreed: {what}"),
            Outcome::NotAsked(id) => format!("not asked: {id}"),
            Outcome::Different(mut text) => {
                different.push(seed);
                if different.len() <= most {
                    let small = shrink::shrink(&case, &mut |c| match judge(c, &threads) {
                        Outcome::Different(said) => {
                            text = said;
                            true
                        }
                        _ => false,
                    });
                    println!("---- seed {seed}\n{}{text}\n", small.show());
                }
                "different".to_owned()
            }
        };
        *tally.entry(kind).or_default() += 1;
    }
    let compared: usize = tally
        .iter()
        .filter(|(k, _)| k.starts_with("agreed") || *k == "different")
        .map(|(_, n)| n)
        .sum();
    println!(
        "{count} cases against regorus, {compared} compared: {tally:#?}; seeds that differ: {:?}",
        different.iter().take(60).collect::<Vec<_>>()
    );
    different.is_empty()
}
