//! How long regorus takes for one evaluation, for `benches/speed`: reads cases (JSON lines) from standard input, prints for
//! each its name, the nanoseconds of one evaluation and the answer, separated by tabs.
//!
//! What is measured is only evaluation: policies are added and prepared once, input and data are values of regorus already.
//! It has two faces for that, an engine that is asked again and a compiled policy; the faster one counts, and of several
//! rounds the fastest. A policy that it does not take prints no line.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an example is a program of its own"
)]

use anyhow::{Context, Result};
use regorus::{CompiledPolicy, Engine, Value};
use std::hint::black_box;
use std::io::BufRead;
use std::time::{Duration, Instant};

/// As the program `regent` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let budget = std::env::args().nth(1).map_or(Ok(60), |ms| ms.parse())?;
    for line in std::io::stdin().lock().lines() {
        let case = Value::from_json_str(&line?)?;
        let name = case["name"].as_string()?.clone();
        if let Err(e) = measure(&case, Duration::from_millis(budget)) {
            eprintln!("{name}: {e:#}");
        }
    }
    Ok(())
}

fn measure(case: &Value, budget: Duration) -> Result<()> {
    let text = |key: &str| case[key].as_string().map(|s| s.to_string());
    let (name, query, input) = (text("name")?, text("query")?, &case["input"]);
    let mut engine = Engine::new();
    engine.set_rego_v0(text("version")? == "v0");
    engine.set_strict_builtin_errors(false);
    engine.add_policy(format!("{name}.rego"), text("source")?)?;
    engine.add_data(case["data"].clone())?;
    let compiled: CompiledPolicy = engine.compile_with_entrypoint(&query.as_str().into())?;
    let answer = compiled.eval_with_input(input.clone())?;
    let once = fastest(budget, || compiled.eval_with_input(input.clone()))?;
    let again = fastest(budget, || {
        engine.set_input(input.clone());
        engine.eval_rule(query.clone())
    })?;
    // It writes over several lines; within texts these are escaped.
    let answer = answer.to_json_str().context("answer")?.replace('\n', "");
    println!("{name}\t{}\t{answer}", once.min(again));
    Ok(())
}

/// Nanoseconds of one run in the fastest of many rounds.
fn fastest(budget: Duration, mut run: impl FnMut() -> Result<Value>) -> Result<u128> {
    let first = Instant::now();
    black_box(run()?);
    // Within a round nobody asks for the time, as in the other programs.
    let n = (budget.as_nanos() / 8 / first.elapsed().as_nanos().max(1)).clamp(1, 64);
    let mut best = u128::MAX;
    let begin = Instant::now();
    while begin.elapsed() < budget {
        let round = Instant::now();
        for _ in 0..n {
            black_box(run()?);
        }
        best = best.min(round.elapsed().as_nanos() / n);
    }
    Ok(best)
}
