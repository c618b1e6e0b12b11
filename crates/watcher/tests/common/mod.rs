//! What the tests of the watcher share.
#![allow(dead_code, reason = "each test uses its part")]

use regent_core::{EvaluateOptions, Inventory, Review, evaluate};
use regent_rego::{Value, yaml};
use regent_watcher::{Contribution, Loaded, Store};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A new empty folder.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("regent-watcher-{name}-{}-{n}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("scratch folder");
    folder
}

/// Plain Rego that denies everything with a text.
pub(crate) fn denies(package: &str, text: &str) -> String {
    format!("package {package}\n\nimport rego.v1\n\ndeny contains {text:?}\n")
}

/// A `.tar.gz` of texts by name.
pub(crate) fn archive(named: &[(&str, &str)]) -> Vec<u8> {
    let mut out = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::default(),
    ));
    for (name, text) in named {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, text.as_bytes()).expect("an entry");
    }
    let gzip = out.into_inner().expect("an archive");
    gzip.finish().expect("an archive")
}

/// A contribution of texts by name.
pub(crate) fn files(named: &[(&str, &str)]) -> Contribution {
    let mut out = Contribution::default();
    for (name, text) in named {
        out.add(name, text.as_bytes());
    }
    out
}

/// A Pod.
pub(crate) fn pod() -> Value {
    yaml::read("{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {containers: []}}")
        .expect("a Pod")
}

/// What a set says to a Pod: messages, and failures with `!` before them, sorted.
pub(crate) fn says(loaded: &Loaded) -> Vec<String> {
    says_to(loaded, pod())
}

/// What a set says to an object.
pub(crate) fn says_to(loaded: &Loaded, object: Value) -> Vec<String> {
    let review = Review::of_object(object, None);
    let decision = evaluate(
        &loaded.policies,
        &review,
        &Inventory::default(),
        &EvaluateOptions::default(),
    );
    let violations = decision.violations.iter().map(|v| v.message.clone());
    let failures = decision.failures.iter().map(|f| format!("!{}", f.message));
    let mut out: Vec<String> = violations.chain(failures).collect();
    out.sort();
    out
}

/// Waits until something holds of a store; the last state when it does not within ten seconds.
pub(crate) fn wait_for(store: &Store, what: &str, holds: impl FnMut(&Store) -> bool) {
    wait_within(store, Duration::from_secs(10), what, holds);
}

/// As [`wait_for`] with a time.
pub(crate) fn wait_within(store: &Store, time: Duration, what: &str, mut holds: impl FnMut(&Store) -> bool) {
    let since = Instant::now();
    while !holds(store) {
        if since.elapsed() > time {
            let said = store.current().map(|l| says(&l));
            panic!(
                "not within {time:?}: {what}\nserves: {said:?}\nstatus: {:#?}",
                store.status()
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
