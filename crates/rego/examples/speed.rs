//! How long one evaluation takes: `cargo run --release -p regent-rego --example speed -- INPUT.json POLICY.rego..`.
//!
//! Each policy is compiled by itself and asked for `violation` of its package; compare with
//! `opa bench -i INPUT.json -d POLICY.rego data.PACKAGE.violation`.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program of its own"
)]

use regent_rego::ast::{RegoVersion, TermValue};
use regent_rego::{CompileOptions, Context, Limits, Value, compile, json, parse};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let input = std::fs::read(args.next().ok_or("the first argument is the input")?)?;
    let input = json::read(&input, json::ReadOptions::default()).map_err(|e| e.message)?;
    let data = Value::object(Vec::new());
    for file in args {
        let text = std::fs::read_to_string(&file)?;
        let module =
            parse::parse_module(&file, &text, RegoVersion::V0CompatV1).map_err(|e| format!("{file}: {e:?}"))?;
        let mut path: Vec<String> = module
            .package
            .iter()
            .skip(1)
            .filter_map(|t| match &t.value {
                TermValue::String(s) => Some(s.to_string()),
                _ => None,
            })
            .collect();
        path.push("violation".to_owned());
        let options = CompileOptions::default();
        let (program, _) = compile(vec![module], Vec::new(), &options).map_err(|e| format!("{file}: {e:?}"))?;
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let entry = program.document(&keys);
        let context = Context {
            input: Some(&input),
            data: &data,
            limits: Limits::default(),
            time_ns: 0,
            seed: 0,
            strict_builtin_errors: false,
        };
        let outcome = program.eval(entry, &context)?;
        let found = match &outcome.value {
            Some(Value::Set(s)) => s.len(),
            _ => 0,
        };
        let (mut rounds, mut best) = (0, u128::MAX);
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 300 {
            let one = Instant::now();
            for _ in 0..64 {
                program.eval(entry, &context)?;
            }
            best = best.min(one.elapsed().as_nanos() / 64);
            rounds += 64;
        }
        println!("{best:>9} ns  {found:>3} found  {rounds:>8} times  {file}");
    }
    Ok(())
}
