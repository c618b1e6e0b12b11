//! What grows with the number of policies, for `benches/scale`:
//!
//!     cargo run --release -p regent-core --example scale -- templates 500   seconds and MiB to load so many templates
//!     cargo run --release -p regent-core --example scale -- constraints     a review beside constraints that do not match
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "an example is a program of its own"
)]

use regent_core::{Bundle, CompileOptions, EvaluateOptions, Inventory, PolicySet, Review, evaluate};
use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Res<T> = Result<T, Box<dyn Error>>;

fn main() -> Res<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["templates", count] => templates(&root, count.parse()?),
        ["constraints"] => constraints(&root),
        _ => Err("see the head of this example for how to call it".into()),
    }
}

/// The shipped templates again and again under other names, as so many different ones.
fn templates(root: &Path, count: usize) -> Res<()> {
    let shipped = shipped(root)?;
    let before = resident()?;
    let begin = Instant::now();
    let mut bundle = Bundle::default();
    for (i, text) in shipped.iter().cycle().take(count).enumerate() {
        let text = renamed(text, i);
        bundle.add_file(&format!("template-{i}.yaml"), text.as_bytes());
    }
    let read = begin.elapsed();
    let (set, problems) = PolicySet::compile(&bundle, &CompileOptions::default());
    let all = begin.elapsed();
    if let Some(problem) = problems.first() {
        return Err(format!("{}: {}", problem.file, problem.message).into());
    }
    drop(bundle);
    println!(
        "{} templates: {:.3} s ({:.3} s of it reading YAML), {:.1} MiB resident for them",
        set.templates().len(),
        all.as_secs_f64(),
        read.as_secs_f64(),
        (resident()? - before) / f64::from(1 << 20)
    );
    Ok(())
}

fn renamed(text: &str, i: usize) -> String {
    let kind = text
        .split("kind: Regent")
        .nth(1)
        .and_then(|t| t.lines().next())
        .unwrap_or_default();
    let (kind, name) = (
        format!("Regent{}", kind.trim()),
        format!("regent{}", kind.trim().to_lowercase()),
    );
    text.replace(&format!("kind: {kind}\n"), &format!("kind: {kind}{i}\n"))
        .replace(&format!("name: {name}\n"), &format!("name: {name}{i}\n"))
}

/// A Deployment judged by ten constraints that match, alone and beside others that do not.
fn constraints(root: &Path) -> Res<()> {
    let deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: shop, labels: {app: shop}}, \
                      spec: {replicas: 3, template: {spec: {containers: [{name: shop, image: 'shop:1.2.3'}]}}}}";
    let document = regent_core::manifest::read("deployment.yaml", deployment.as_bytes());
    let object = document
        .into_iter()
        .next()
        .ok_or("no document")?
        .map_err(|p| p.message)?
        .value;
    let matching = constraints_of("match", 10, "apps", "Deployment", "");
    let kinds = |count| constraints_of("kind", count, "batch", "CronJob", "");
    let names = |count| constraints_of("space", count, "apps", "Deployment", "    namespaces: [elsewhere]\n");
    let labels = |count| {
        let more = "    labelSelector:\n      matchLabels:\n        app: elsewhere\n";
        constraints_of("label", count, "apps", "Deployment", more)
    };
    let template = std::fs::read_to_string(root.join("library/general/required-labels/template.yaml"))?;
    let cases = [
        ("10 that match", matching.clone()),
        ("and 1,000 of other kinds", format!("{matching}{}", kinds(1_000))),
        ("and 1,000 of other namespaces", format!("{matching}{}", names(1_000))),
        ("and 1,000 of other labels", format!("{matching}{}", labels(1_000))),
        (
            "and 9,990 of all three",
            format!("{matching}{}{}{}", kinds(3_330), names(3_330), labels(3_330)),
        ),
    ];
    let mut sets = Vec::new();
    for (name, constraints) in &cases {
        let mut bundle = Bundle::default();
        bundle.add_file("template.yaml", template.as_bytes());
        bundle.add_file("constraints.yaml", constraints.as_bytes());
        let (set, problems) = PolicySet::compile(&bundle, &CompileOptions::default());
        if let Some(problem) = problems.first() {
            return Err(format!("{}:{}: {}", problem.file, problem.line, problem.message).into());
        }
        sets.push((name, set, f64::MAX));
    }
    let (inventory, options) = (Inventory::default(), EvaluateOptions::default());
    for _ in 0..50 {
        for (_, set, best) in &mut sets {
            let begin = Instant::now();
            for _ in 0..100 {
                let review = Review::of_object(object.clone(), None);
                black_box(evaluate(set, &review, &inventory, &options));
            }
            *best = best.min(begin.elapsed().as_secs_f64() * 1e7);
        }
    }
    let first = sets.first().map_or(1.0, |s| s.2);
    for (name, _, ns) in &sets {
        println!("{ns:>8.0} ns {:>6.3} times  {name}", ns / first);
    }
    Ok(())
}

fn constraints_of(name: &str, count: usize, group: &str, kind: &str, more: &str) -> String {
    let mut out = String::new();
    for i in 0..count {
        // Writing to a text cannot fail.
        let _ = write!(
            out,
            "---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: RegentRequiredLabels\nmetadata:\n  name: {name}-{i}\n\
             spec:\n  match:\n    kinds:\n      - apiGroups: [{group}]\n        kinds: [{kind}]\n{more}  parameters:\n    \
             labels:\n      - key: app\n"
        );
    }
    out
}

fn shipped(root: &Path) -> Res<Vec<String>> {
    let mut out = Vec::new();
    for group in sorted(&root.join("library"))? {
        for folder in sorted(&group).unwrap_or_default() {
            if let Ok(text) = std::fs::read_to_string(folder.join("template.yaml")) {
                out.push(text);
            }
        }
    }
    Ok(out)
}

fn sorted(folder: &Path) -> Res<Vec<PathBuf>> {
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<Res<_>>()?;
    out.sort();
    Ok(out)
}

/// Bytes of memory that are resident (Linux).
fn resident() -> Res<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split(' ').nth(1).ok_or("statm")?.parse()?;
    Ok(pages * 4096.0)
}
