//! How long one evaluation takes, for `benches/speed`, which runs OPA on the same cases.
//!
//!     cargo run --release -p regent-rego --example speed -- cases            one JSON line a case, for OPA
//!     cargo run --release -p regent-rego --example speed -- run [MS [NAME]]  name, nanoseconds, answer
//!     cargo run --release -p regent-rego --example speed -- once NAME [N]    runs one case N times, for a profiler
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program of its own"
)]

mod cases;

use cases::Case;
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Entry, Limits, Program, Value, compile, json, parse};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize()?;
    match args.as_slice() {
        ["cases"] => {
            for case in cases::all(&root)? {
                println!("{}", case.line());
            }
        }
        ["run", rest @ ..] => {
            let budget = Duration::from_millis(rest.first().unwrap_or(&"60").parse()?);
            let name = rest.get(1).copied().unwrap_or_default();
            for case in cases::all(&root)? {
                if case.name.contains(name) {
                    measure(&case, budget)?;
                }
            }
        }
        ["once", name, rest @ ..] => {
            let times: u32 = rest.first().unwrap_or(&"1").parse()?;
            for case in cases::all(&root)? {
                if case.name == *name {
                    let (program, entry) = load(&case)?;
                    let context = context(&case);
                    for _ in 0..times {
                        black_box(program.eval(entry, &context)?);
                    }
                }
            }
        }
        _ => return Err("see the head of this example for how to call it".into()),
    }
    Ok(())
}

fn load(case: &Case) -> Result<(Program, Entry), Box<dyn Error>> {
    let version = if case.v0 {
        RegoVersion::V0CompatV1
    } else {
        RegoVersion::V1
    };
    let module = parse::parse_module(&case.name, &case.source, version).map_err(|e| format!("{}: {e:?}", case.name))?;
    let options = CompileOptions::default();
    let (program, _) = compile(vec![module], Vec::new(), &options).map_err(|e| format!("{}: {e:?}", case.name))?;
    let path: Vec<&str> = case.query.split('.').skip(1).collect();
    let entry = program.document(&path);
    Ok((program, entry))
}

fn context(case: &Case) -> Context<'_> {
    Context {
        input: Some(&case.input),
        data: &case.data,
        limits: Limits::default(),
        time_ns: 0,
        seed: 0,
        strict_builtin_errors: false,
    }
}

/// Prints the fastest of many rounds.
fn measure(case: &Case, budget: Duration) -> Result<(), Box<dyn Error>> {
    let (program, entry) = load(case)?;
    let context = context(case);
    let outcome = program.eval(entry, &context)?;
    let answer = outcome.value.map_or("undefined".to_owned(), |v: Value| json::write(&v));
    let mut best = u128::MAX;
    let begin = Instant::now();
    while begin.elapsed() < budget {
        let round = Instant::now();
        let mut n: u32 = 0;
        while n < 64 && round.elapsed() < budget / 8 {
            black_box(program.eval(entry, &context)?);
            n += 1;
        }
        best = best.min(round.elapsed().as_nanos() / u128::from(n.max(1)));
    }
    println!("{}\t{best}\t{answer}", case.name);
    Ok(())
}
