//! `regent serve`, deployed by `deploy/kustomize`, as the webhook of a real API server with its controllers. Not run where
//! `tests/cluster/assets` has built nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test ends by panicking, reads its cases, and says what it saw"
)]

#[path = "cluster/certificate.rs"]
mod certificate;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "../../../tests/cluster/harness.rs"]
mod harness;
#[path = "../../../tests/cluster/proxy.rs"]
mod proxy;
#[path = "cluster/scenario.rs"]
mod scenario;
#[path = "cluster/served.rs"]
mod served;
#[path = "../../webhook/tests/common/mod.rs"]
mod web;

use served::Served;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One cluster at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn repository() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    path.canonicalize().expect("the repository")
}

/// Every scenario, one after the other, on one cluster and one server. `REGENT_SCENARIO` names those to play.
#[test]
fn scenarios() {
    let _alone = alone();
    let Some(cluster) = harness::start_controlled("scenarios") else {
        return;
    };
    served::deploy(&cluster);
    let mut served = Served::new(&cluster, &cluster.url(), &["-p=POLICIES"]);
    let took = served.start();
    eprintln!("cluster: ready after {took:?}");
    served.register(&cluster);
    let folder = repository().join("tests/cluster/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("scenarios")
        .flatten()
        .map(|e| e.path())
        .collect();
    files.sort();
    let only = std::env::var("REGENT_SCENARIO").unwrap_or_default();
    let (mut played, mut wrong) = (0, Vec::new());
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        if !name.contains(&only) {
            continue;
        }
        let since = Instant::now();
        match scenario::play(&cluster, &mut served, &file) {
            Ok(steps) => eprintln!("cluster: {name}: {steps} steps as told, {:.1?}", since.elapsed()),
            Err(why) => {
                eprintln!("cluster: {name}: {why}");
                wrong.push(name);
            }
        }
        played += 1;
    }
    assert!(played > 0, "no scenario is named so: {only}");
    assert_eq!(wrong, Vec::<String>::new(), "of {played} scenarios");
}

#[test]
fn killed_at_any_moment() {
    let _alone = alone();
    if let Some(cluster) = harness::start("killed_at_any_moment") {
        faults::kills(&cluster);
    }
}

#[test]
fn the_api_server_goes_away() {
    let _alone = alone();
    if let Some(mut cluster) = harness::start("the_api_server_goes_away") {
        faults::away(&mut cluster);
    }
}

#[test]
fn the_script_makes_certificates() {
    let _alone = alone();
    if let Some(cluster) = harness::start("the_script_makes_certificates") {
        certificate::made_and_replaced(&cluster);
    }
}
