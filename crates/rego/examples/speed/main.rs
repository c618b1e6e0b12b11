//! How long one evaluation takes, for `benches/speed`, which runs OPA on the same cases.
//!
//!     cargo run --release -p regent-rego --example speed -- cases            one JSON line a case, for OPA
//!     cargo run --release -p regent-rego --example speed -- run [MS [NAME]]  name, nanoseconds, answer
//!     cargo run --release -p regent-rego --example speed -- mean [MS [NAME]] the same by the mean, not the fastest
//!     cargo run --release -p regent-rego --example speed -- once NAME [N]    runs cases N times, for a profiler
//!     cargo run --release -p regent-rego --example speed -- json             reading JSON, beside serde_json
//!     cargo run --release -p regent-rego --example speed -- join [N]         unique Ingress hosts among N objects
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
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

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize()?;
    match args.as_slice() {
        ["cases"] => {
            for case in cases::named(&root, "")? {
                println!("{}", case.line());
            }
        }
        [how @ ("run" | "mean"), rest @ ..] => {
            let budget = Duration::from_millis(rest.first().unwrap_or(&"60").parse()?);
            let name = rest.get(1).copied().unwrap_or_default();
            for case in cases::named(&root, name)? {
                measure(&case, budget, *how == "mean")?;
            }
        }
        ["once", name, rest @ ..] => {
            let times: u32 = rest.first().unwrap_or(&"1").parse()?;
            for case in cases::named(&root, name)? {
                let (program, entry) = load(&case)?;
                let context = context(&case);
                for _ in 0..times {
                    black_box(program.eval(entry, &context)?);
                }
            }
        }
        ["json"] => read_json(&root)?,
        ["join", rest @ ..] => join(&root, rest.first().unwrap_or(&"100000").parse()?)?,
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

/// Prints the fastest of many rounds, or the mean of them all.
fn measure(case: &Case, budget: Duration, mean: bool) -> Result<(), Box<dyn Error>> {
    let (program, entry) = load(case)?;
    let context = context(case);
    let first = Instant::now();
    let outcome = program.eval(entry, &context)?;
    // Within a round nobody asks for the time, which takes a fifth of a short evaluation.
    let n = (budget.as_nanos() / 8 / first.elapsed().as_nanos().max(1)).clamp(1, 64);
    let answer = outcome.value.map_or("undefined".to_owned(), |v: Value| json::write(&v));
    let (mut best, mut rounds) = (u128::MAX, 0);
    let begin = Instant::now();
    while begin.elapsed() < budget {
        let round = Instant::now();
        for _ in 0..n {
            black_box(program.eval(entry, &context)?);
        }
        best = best.min(round.elapsed().as_nanos() / n);
        rounds += 1;
    }
    let time = if mean {
        begin.elapsed().as_nanos() / (n * rounds).max(1)
    } else {
        best
    };
    println!("{}\t{time}\t{answer}", case.name);
    Ok(())
}

/// Nanoseconds of the fastest of many rounds.
fn fastest(mut run: impl FnMut()) -> u128 {
    let mut best = u128::MAX;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        let round = Instant::now();
        run();
        best = best.min(round.elapsed().as_nanos());
    }
    best
}

/// JSON into our values, and into serde_json's tree; both drop what they read.
fn read_json(root: &Path) -> Result<(), Box<dyn Error>> {
    let pod = std::fs::read(root.join("benches/inputs/realistic-pod.json"))?;
    let pod = json::write(&json::read(&pod, json::ReadOptions::default()).map_err(|e| e.message)?);
    let large = json::write(&cases::inventory("ingresses-10000")?);
    for (name, text) in [("realistic Pod", pod), ("10,000 Ingresses", large)] {
        let ours = fastest(|| drop(black_box(json::read(text.as_bytes(), json::ReadOptions::default()))));
        let theirs = fastest(|| drop(black_box(serde_json::from_slice::<serde_json::Value>(text.as_bytes()))));
        let ratio = theirs as f64 / ours as f64;
        println!(
            "{name}, {} bytes: ours {ours} ns, serde_json {theirs} ns, {ratio:.2} times",
            text.len()
        );
    }
    Ok(())
}

/// The shipped template of unique hosts: the first reviews of a snapshot, and those after.
fn join(root: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    let mut found = cases::named(root, "ingresses/unique-host")?.into_iter();
    let mut case = found.next().ok_or("no template")?;
    let input = std::fs::read(root.join("benches/inputs/ingress.json"))?;
    let review = json::read(&input, json::ReadOptions::default()).map_err(|e| e.message)?;
    let review = review.get("review").cloned().unwrap_or(Value::Null);
    let parameters = case.input.get("parameters").cloned().unwrap_or(Value::Null);
    case.input = Value::record([("parameters", parameters), ("review", review)]);
    case.data = Value::record([("inventory", cases::inventory(&format!("ingresses-{count}"))?)]);
    let (program, entry) = load(&case)?;
    let context = context(&case);
    let mut times = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let outcome = program.eval(entry, &context)?;
        times.push(begin.elapsed().as_nanos());
        if !matches!(&outcome.value, Some(Value::Set(s)) if s.len() == 1) {
            return Err(format!("not the one violation there is: {:?}", outcome.value).into());
        }
    }
    let later = fastest(|| drop(black_box(program.eval(entry, &context))));
    println!(
        "{count} Ingresses: first review {} ns, second (makes the index) {} ns, later ones {later} ns",
        times[0], times[1]
    );
    Ok(())
}
