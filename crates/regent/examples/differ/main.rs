//! Random programs against OPA: the same answer, or a difference shrunk and shown, ready to be kept as a golden case.
//!
//! ```text
//! cargo run --release -p regent --example differ -- --judge PATH [--seeds FROM..TO] [--known FILE] [--limit N]
//!     [--words] [--refused] [--show SEED] [--json FILE] [--rows FILE]
//! ```
//! or `-- --against regorus [--seeds FROM..TO] [--limit N]`: native against the second opinion (`against.rs`), by programs
//! without what that is not asked about.
//!
//! `--judge` is the program of `tests/opa/judge`; `--known` explains differences (`tests/opa/differences.txt`); `--limit`
//! is how many differences are shrunk; `--words` compares the words of refusals, too; `--refused` lists what OPA refuses; `--show` prints one case; `--json`
//! gets the shrunk cases as rows for `crates/rego/tests/semantics/found.jsonl`; `--rows` shows what both say of such rows. Exits with 1 when a difference is not
//! explained.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test tool: its output is its purpose, its indexes come from its own bounds"
)]

mod against;
mod answer;
mod case;
mod generate;
mod judge;
mod native;
mod random;
mod shrink;

use answer::{Answer, Known};
use case::Case;
use judge::Judge;
use regent_rego::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;

/// Cases sent before answers are read; their text must fit into a pipe with room to spare for the answers.
const AHEAD: u64 = 8;

/// How often OPA is asked again about a case that differs: some of its answers come once in four runs or less, and a
/// dozen questions took such a one for a difference.
const AGAIN: usize = 200;

struct Options {
    judge: String,
    from: u64,
    to: u64,
    known: Vec<Known>,
    limit: usize,
    words: bool,
    refused: bool,
    json: Option<String>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1).cloned()
    };
    if let Some(seed) = flag("--show").and_then(|s| s.parse().ok()) {
        let against = args.iter().any(|a| a == "--against");
        let case = if against {
            generate::plain_case(seed)
        } else {
            generate::case(seed)
        };
        print!("{}", case.show());
        return ExitCode::SUCCESS;
    }
    if let Some(path) = flag("--rows") {
        return rows(&path, &flag("--judge").unwrap_or_default());
    }
    let seeds = flag("--seeds").unwrap_or_else(|| "0..2000".to_owned());
    let range = seeds
        .split_once("..")
        .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let Some((from, to)) = range else {
        eprintln!("--seeds wants FROM..TO, not {seeds}");
        return ExitCode::from(2);
    };
    if args.iter().any(|a| a == "--against") {
        let same = against::run(from..to, flag("--limit").and_then(|n| n.parse().ok()).unwrap_or(10));
        return ExitCode::from(u8::from(!same));
    }
    let known = match flag("--known").map(std::fs::read_to_string).transpose() {
        Ok(text) => Known::read(&text.unwrap_or_default()),
        Err(e) => {
            eprintln!("--known: {e}");
            return ExitCode::from(2);
        }
    };
    let options = Options {
        judge: flag("--judge").unwrap_or_else(|| "opa-judge".to_owned()),
        from,
        to,
        known,
        limit: flag("--limit").and_then(|n| n.parse().ok()).unwrap_or(10),
        words: args.iter().any(|a| a == "--words"),
        refused: args.iter().any(|a| a == "--refused"),
        json: flag("--json"),
    };
    // A panic of ours is an answer that differs; what it prints would bury the report.
    std::panic::set_hook(Box::new(|_| {}));
    match compare(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            eprintln!("{}: {e}", options.judge);
            ExitCode::from(2)
        }
    }
}

/// Shows what both sides say of cases kept as rows.
fn rows(path: &str, judge: &str) -> ExitCode {
    let run = || -> io::Result<()> {
        let mut judge = Judge::start(judge)?;
        for case in std::fs::read_to_string(path)?.lines().filter_map(Case::from_row) {
            let (theirs, line) = judge.ask(&case)?;
            let mine = native::answer(&case);
            let word = if mine.agrees(&theirs, true) {
                "same"
            } else {
                "DIFFERENT"
            };
            println!("{}opa:  {line}\nours: {mine:?}\n{word}\n", case.show());
        }
        Ok(())
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{path}: {e}");
            ExitCode::from(2)
        }
    }
}

/// Compares the seeds; false when something differs that nothing explains.
fn compare(options: &Options) -> io::Result<bool> {
    let mut judge = Judge::start(&options.judge)?;
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut explained: BTreeMap<String, usize> = BTreeMap::new();
    let mut different: Vec<(u64, Case)> = Vec::new();
    let mut at = options.from;
    while at < options.to {
        let batch: Vec<(u64, Case)> = (at..options.to.min(at + AHEAD))
            .map(|s| (s, generate::case(s)))
            .collect();
        at += AHEAD;
        for (_, case) in &batch {
            judge.send(case)?;
        }
        let mine: Vec<Answer> = batch.iter().map(|(_, case)| native::answer(case)).collect();
        for ((seed, case), mine) in batch.into_iter().zip(mine) {
            let (theirs, line) = judge.receive()?;
            *tally.entry(theirs.kind()).or_default() += 1;
            if options.refused && matches!(theirs, Answer::Refused(_)) {
                println!("{seed} {line}");
            }
            if mine.agrees(&theirs, options.words) {
                continue;
            }
            if mine.is_faulty_yaml() && theirs.is_parse_error() {
                *explained
                    .entry("at which line of METADATA its YAML is faulty".to_owned())
                    .or_default() += 1;
                continue;
            }
            let texts = [case.text(), line, format!("{mine:?}"), format!("seed {seed};")];
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if theirs.kind() == "panic" {
                *explained.entry("OPA ends by a panic".to_owned()).or_default() += 1;
                continue;
            }
            if let (Answer::Failed(mine), Answer::Failed(theirs)) = (&mine, &theirs)
                && mine.starts_with("eval_")
                && theirs.starts_with("eval_")
            {
                *explained.entry("which of two errors is told".to_owned()).or_default() += 1;
                continue;
            }
            match options.known.iter().find_map(|k| k.explains(&texts)) {
                Some(reason) => *explained.entry(reason.to_owned()).or_default() += 1,
                None => different.push((seed, case)),
            }
        }
    }
    // OPA goes through maps in random order: what it also answers is no difference.
    let mut still = Vec::new();
    for (seed, case) in different {
        let mine = native::answer(&case);
        if agrees_at_last(&mut judge, &case, &mine, options.words)? {
            *explained
                .entry("OPA's answer varies from run to run".to_owned())
                .or_default() += 1;
        } else if agrees_at_last(&mut Judge::start(&options.judge)?, &case, &mine, options.words)? {
            // Programs share OPA's types of built-ins, and some change them for those that come after.
            *explained
                .entry("OPA says otherwise only after other programs, a fresh one does not".to_owned())
                .or_default() += 1;
        } else {
            still.push((seed, case));
        }
    }
    let different = still;
    let mut judge = Judge::start(&options.judge)?;
    let mut rows = String::new();
    for (seed, case) in different.iter().take(options.limit) {
        show(*seed, case, &mut judge, options, &mut rows)?;
    }
    if let Some(path) = &options.json {
        std::fs::write(path, rows)?;
    }
    let count = options.to.saturating_sub(options.from);
    let known: usize = explained.values().sum();
    println!(
        "{count} pairs (seeds {}..{}): {} different, {known} explained",
        options.from,
        options.to,
        different.len()
    );
    for (reason, n) in &explained {
        println!("  explained {n}: {reason}");
    }
    println!("  opa said: {tally:?}");
    if !different.is_empty() {
        let seeds: Vec<u64> = different.iter().map(|d| d.0).take(60).collect();
        println!("  seeds that differ: {seeds:?}");
    }
    Ok(different.is_empty())
}

/// Whether OPA gives an answer, too, when it is asked again and again.
fn agrees_at_last(judge: &mut Judge, case: &Case, mine: &Answer, words: bool) -> io::Result<bool> {
    for _ in 0..AGAIN {
        if judge.ask(case)?.0.agrees(mine, words) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Shrinks a difference and shows it.
fn show(seed: u64, case: &Case, judge: &mut Judge, options: &Options, rows: &mut String) -> io::Result<()> {
    let mut trouble = None;
    let (theirs, _) = judge.ask(case)?;
    let kinds = (native::answer(case).kind(), theirs.kind());
    let small = shrink::shrink(case, &mut |candidate| {
        let mine = native::answer(candidate);
        if mine.kind() != kinds.0 {
            return false;
        }
        match judge.ask(candidate) {
            Ok((theirs, _)) => {
                theirs.kind() == kinds.1
                    && !mine.agrees(&theirs, options.words)
                    && judge
                        .ask(candidate)
                        .is_ok_and(|again| !mine.agrees(&again.0, options.words))
            }
            Err(e) => {
                trouble = Some(e);
                false
            }
        }
    });
    if let Some(e) = trouble {
        return Err(e);
    }
    let (_, line) = judge.ask(&small)?;
    println!(
        "---- seed {seed}\n{}opa:  {line}\nours: {:?}\n",
        small.show(),
        native::answer(&small)
    );
    let mut row = small.request(&format!("found/{seed}"));
    if let Some(answer) = case::read(&line).as_ref().and_then(Value::as_object) {
        let kept = answer.iter().filter(|(k, _)| k.as_str() != Some("id"));
        row.push((
            "answer",
            Value::object(kept.map(|(k, v)| (k.clone(), v.clone())).collect()),
        ));
    }
    rows.push_str(&json::write(&case::record(row)));
    rows.push('\n');
    Ok(())
}
