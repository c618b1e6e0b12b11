//! Programs on what OPA's own suite does not look at, with OPA's answers: `tests/semantics/*.jsonl`, made by
//! `tests/opa/semantics.py`. A family a file: conditions under `not`, undefined against false in every position, chained
//! bodies, `sprintf`, newlines, `walk`, numbers and their text, RE2, globs, evaluation (conflicts, `with`, keys known
//! before a partial rule runs, heads that are references).
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

use regent_rego::ast::RegoVersion;
use regent_rego::trace::{Nodes, TraceOptions};
use regent_rego::{
    CompileOptions, Context, Error, Limits, QuerySource, Rewrites, Value, compile, json, parse, value_text,
};
use std::path::Path;

/// Points of a traced evaluation: long ones are stopped, as looking on takes its time.
const POINTS: u64 = 20_000;

/// What a side says: the bindings of each result as text, or the code and row of the first error.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Results(Vec<String>),
    Error(String, i64),
}

fn ours(case: &Value, rewrites: Rewrites, traced: bool) -> Answer {
    match run(case, rewrites, traced) {
        Ok(results) => Answer::Results(results),
        Err(errors) => {
            let first = errors.first();
            Answer::Error(
                first.map_or("none".into(), |e| e.code.as_str().to_owned()),
                first.map_or(0, |e| i64::from(e.loc.row)),
            )
        }
    }
}

fn run(case: &Value, rewrites: Rewrites, traced: bool) -> Result<Vec<String>, Vec<Error>> {
    let version = if case.get("v0").and_then(Value::as_bool) == Some(true) {
        RegoVersion::V0
    } else {
        RegoVersion::V1
    };
    let mut modules = Vec::new();
    for (file, text) in case.get("modules").and_then(Value::as_object).expect("modules").iter() {
        modules.push(parse::parse_module_annotated(
            file.as_str().expect("file"),
            text.as_str().expect("text"),
            version,
        )?);
    }
    let body = parse::parse_query(
        "query",
        case.get("query").and_then(Value::as_str).expect("query"),
        version,
    )?;
    let query = QuerySource {
        body,
        package: Vec::new(),
        imports: Vec::new(),
    };
    let flag = |name| case.get(name).and_then(Value::as_bool) == Some(true);
    let options = CompileOptions {
        strict: flag("strict"),
        rewrites,
        trace: traced,
        ..CompileOptions::default()
    };
    let (program, entries) = compile(modules, vec![query], &options)?;
    let none = Value::object(Vec::new());
    let data = case.get("data").unwrap_or(&none);
    let context = Context {
        input: case.get("input"),
        data,
        limits: Limits::default(),
        time_ns: 1_700_000_000_000_000_000,
        seed: 1,
        strict_builtin_errors: flag("strict_builtin_errors"),
    };
    let nodes = case.get("input").filter(|_| traced).map(Nodes::of);
    let told = TraceOptions {
        places: nodes.as_ref(),
        watched: nodes.as_ref(),
        values: true,
        points: Some(POINTS),
    };
    let outcome = match traced {
        false => program.eval(entries[0], &context),
        true => program.eval_traced(entries[0], &context, &told).0,
    };
    let outcome = outcome.map_err(|e| vec![e])?;
    let mut texts: Vec<String> = outcome
        .value
        .as_ref()
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .map(bindings)
        .collect();
    texts.sort();
    Ok(texts)
}

/// `a = 1; b = 2`.
fn bindings(result: &Value) -> String {
    let bound = result.get("bindings").and_then(Value::as_object).expect("bindings");
    let mut parts: Vec<String> = bound
        .iter()
        .map(|(name, value)| format!("{} = {}", name.as_str().expect("a name"), value_text::text(value)))
        .collect();
    parts.sort();
    parts.join("; ")
}

fn theirs(answer: &Value) -> Answer {
    if let Some(first) = answer
        .get("errors")
        .and_then(Value::as_array)
        .and_then(<[Value]>::first)
    {
        let code = first.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
        return Answer::Error(code, first.get("row").and_then(Value::as_i64).unwrap_or(0));
    }
    let texts = answer.get("text").and_then(Value::as_array).unwrap_or_default();
    Answer::Results(texts.iter().map(|t| t.as_str().expect("text").to_owned()).collect())
}

/// Each rewrite alone.
const ALONE: [Rewrites; 7] = [
    Rewrites {
        select: true,
        ..Rewrites::NONE
    },
    Rewrites {
        quick: true,
        ..Rewrites::NONE
    },
    Rewrites {
        constants: true,
        ..Rewrites::NONE
    },
    Rewrites {
        joins: true,
        ..Rewrites::NONE
    },
    Rewrites {
        hoist: true,
        ..Rewrites::NONE
    },
    Rewrites {
        inline: true,
        ..Rewrites::NONE
    },
    Rewrites {
        fuse: true,
        ..Rewrites::NONE
    },
];

#[test]
fn programs_mean_what_they_mean_to_opa() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/semantics");
    // Where OPA is plainly wrong; docs/rego.md has the reasons. `family/case` or `family/` for a whole family.
    let differing = std::fs::read_to_string(folder.join("differences.txt")).expect("differences.txt");
    let differing: Vec<&str> = differing
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    let (mut count, mut failed) = (0, Vec::new());
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("folder")
        .map(|e| e.expect("entry").path())
        .collect();
    paths.sort();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "jsonl")) {
        for line in std::fs::read_to_string(path).expect("cases").lines() {
            let case = json::read(line.as_bytes(), json::ReadOptions::default()).expect("a case a line");
            let id = case.get("id").and_then(Value::as_str).expect("id");
            count += 1;
            let (mine, wanted) = (
                ours(&case, Rewrites::ALL, false),
                theirs(case.get("answer").expect("answer")),
            );
            // None of the rewrites for speed changes an answer: without them, and one alone in turn.
            let alone = ALONE.get(count % ALONE.len()).copied().unwrap_or(Rewrites::NONE);
            for rewrites in [Rewrites::NONE, alone] {
                let plain = ours(&case, rewrites, false);
                if plain != mine {
                    failed.push(format!(
                        "{id}: with {rewrites:?}\n    then: {plain:?}\n    else: {mine:?}"
                    ));
                }
            }
            // Nor does looking on.
            let traced = ours(&case, Rewrites::ALL, true);
            let stopped = matches!(&traced, Answer::Error(code, _) if code == "regent_limit_error");
            if traced != mine && !stopped {
                failed.push(format!("{id}: traced\n    then: {traced:?}\n    else: {mine:?}"));
            }
            match (mine == wanted, differing.contains(&id)) {
                (true, true) => failed.push(format!("{id}: is listed in differences.txt, but does not differ")),
                (false, false) => {
                    let module = case
                        .path(&["modules", "t.rego"])
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    let input = case.get("input").map(json::write).unwrap_or_default();
                    let last = module.lines().last().unwrap_or_default();
                    failed.push(format!(
                        "{id}: {last} with {input}\n    ours: {mine:?}\n    opa:  {wanted:?}"
                    ));
                }
                _ => {}
            }
        }
    }
    println!("semantics: {count} judged, {} failed", failed.len());
    assert!(
        failed.is_empty(),
        "{} of {count} programs:\n  {}",
        failed.len(),
        failed.join("\n  ")
    );
    assert!(count >= 3_000, "only {count} programs");
}
