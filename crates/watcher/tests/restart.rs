//! What outlives the process.
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

mod common;

use common::{denies, files, says, scratch, wait_for};
use regent_watcher::{ClusterOptions, Contribution, Options, Source, SourceState, Watcher, cluster, start};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Where a child process is to write; set, this program is that child.
const CHILD: &str = "REGENT_TEST_CACHE";
const ROUND: &str = "REGENT_TEST_ROUND";
const KILLS: u64 = 200;

fn watcher(cache: &Path, first: Contribution) -> Watcher {
    start(options(cache, first)).expect("a watcher")
}

fn options(cache: &Path, first: Contribution) -> Options {
    Options {
        sources: vec![Source::Fixed {
            name: "test".to_owned(),
            contribution: first,
        }],
        cache_dir: Some(cache.to_owned()),
        debounce: Duration::ZERO,
        patience: Duration::ZERO,
        ..Options::default()
    }
}

/// A watcher that serves the set that says 1, and its revision.
fn serves_one(cache: &Path) -> (Watcher, Arc<str>) {
    let one = watcher(cache, numbered(1));
    wait_for(one.store(), "a set serves", |s| s.current().is_some());
    let revision = revision(&one);
    // The next set takes its place on the way to the disk if that has not written it yet.
    wait_for(one.store(), "it is kept", |_| {
        fs::read_to_string(cache.join("state.json")).is_ok_and(|state| state.contains(&*revision))
    });
    (one, revision)
}

/// Has it serve the set that says 2; its revision.
fn goes_on(one: &Watcher) -> Arc<str> {
    one.say("test", numbered(2));
    wait_for(one.store(), "the next serves", |s| {
        s.current().is_some_and(|l| says(&l)[0] == "2")
    });
    revision(one)
}

fn revision(watcher: &Watcher) -> Arc<str> {
    watcher.store().current().unwrap().revision.clone()
}

/// A watcher whose sources have not all spoken: an API server that never answers keeps it waiting. In a runtime.
fn unspoken(cache: &Path) -> Watcher {
    let url = "http://127.0.0.1:1".parse().expect("a URL");
    start(Options {
        cluster: Some(ClusterOptions {
            cluster: cluster::client(kube::Config::new(url)).expect("a client"),
            config_maps: false,
            config_map_namespaces: Vec::new(),
            custom_resources: true,
            create_definitions: false,
            write_status: false,
            own_namespace: "regent-system".to_owned(),
            identity: "test".to_owned(),
        }),
        patience: Duration::from_secs(3_600),
        ..options(cache, broken())
    })
    .expect("a watcher")
}

fn broken() -> Contribution {
    files(&[("a.rego", "package a\n\nnot Rego")])
}

/// Large enough that writing it takes a while, and the same number at both ends.
fn numbered(n: u64) -> Contribution {
    let text = denies("a", &n.to_string());
    let other = denies("b", &n.to_string());
    let filler = format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"Filler\", \"metadata\": {{\"name\": \"f\"}}, \"data\": \"{}\"}}",
        "x".repeat(100 << 10)
    );
    files(&[("a.rego", &text), ("m.json", &filler), ("z.rego", &other)])
}

/// Killed at two hundred moments while it writes, a process leaves a whole set each time.
#[test]
fn kill_at_any_moment() {
    if let Some(cache) = std::env::var_os(CHILD) {
        // Of the round, so that no two rounds say the same.
        let round: u64 = std::env::var(ROUND).expect("a round").parse().expect("a number");
        let watcher = watcher(Path::new(&cache), numbered(round * 1_000));
        for n in round * 1_000 + 1.. {
            watcher.say("test", numbered(n));
            wait_for(watcher.store(), "the next set", |s| {
                s.current().is_some_and(|l| says(&l)[0] == n.to_string())
            });
        }
    }
    let cache = scratch("kill");
    let mut seen = BTreeSet::new();
    for n in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "kill_at_any_moment", "--nocapture"])
            .env(CHILD, &cache)
            .env(ROUND, n.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        // Once it has written something of its own, at any moment of what it writes next.
        let state = cache.join("state.json");
        let before = fs::read(&state).ok();
        while fs::read(&state).ok() == before {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(n.wrapping_mul(7_919_773) % 40_000));
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        let watcher = watcher(&cache, broken());
        let store = watcher.store();
        wait_for(store, "what was kept serves", |s| s.current().is_some());
        let loaded = store.current().unwrap();
        let said = says(&loaded);
        assert_eq!(said.len(), 2, "round {n}");
        assert_eq!(said[0], said[1], "round {n}: half of one set and half of another");
        assert!(loaded.from_cache);
        seen.insert(said[0].clone());
        drop(watcher);
        let left: Vec<String> = fs::read_dir(&cache)
            .unwrap()
            .chain(fs::read_dir(cache.join("revisions")).unwrap())
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".new-"))
            .collect();
        assert_eq!(left, Vec::<String>::new(), "round {n} left files behind");
    }
    assert!(seen.len() > 100, "the child hardly got anywhere: {seen:?}");
    println!("{KILLS} kills, {} different sets found again, each whole", seen.len());
    let _ = fs::remove_dir_all(cache);
}

/// What is done between the start and the first word of the sources is not the end of what was kept.
#[test]
fn nothing_done_before_the_sources_speak_forgets_what_was_kept() {
    type Does = fn(&Watcher, &str);
    let cases: [(&str, Does); 5] = [
        ("nothing", |_, _| {}),
        ("a pin let go", |w, _| w.store().unpin().expect("no pin")),
        ("a pin, let go", |w, revision| {
            w.store().pin(revision).expect("a pin");
            w.store().unpin().expect("no pin");
        }),
        ("another pin, let go", |w, _| {
            let first = w.store().revisions().last().expect("the first").revision.clone();
            w.store().pin(&first).expect("a pin");
            w.store().unpin().expect("no pin");
        }),
        ("a pin of nothing", |w, _| {
            w.store().pin("sha256:0123").expect_err("no such revision");
        }),
    ];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _in = runtime.enter();
    for (what, does) in cases {
        let cache = scratch("before");
        let (one, _) = serves_one(&cache);
        let revision = goes_on(&one);
        drop(one);

        let two = unspoken(&cache);
        wait_for(two.store(), "it remembers", |s| s.revisions().len() == 2);
        does(&two, &revision);
        drop(two);

        let three = watcher(&cache, broken());
        wait_for(three.store(), what, |s| s.current().is_some_and(|l| says(&l)[0] == "2"));
        assert_eq!(three.store().status().pinned, None, "{what}");
        drop(three);
        let _ = fs::remove_dir_all(cache);
    }
}

/// What became of the cache between two runs, and what serves then: the last set, or nothing; never another.
#[test]
fn what_is_broken_in_the_cache_is_as_good_as_absent() {
    type Becomes = fn(&Path, &Path);
    let cases: [(&str, Becomes, bool); 8] = [
        ("as it was", |_, _| {}, true),
        (
            "the state is lost",
            |cache, _| fs::remove_file(cache.join("state.json")).unwrap(),
            true,
        ),
        (
            "the state is no JSON",
            |cache, _| fs::write(cache.join("state.json"), "{").unwrap(),
            true,
        ),
        (
            "the state is a folder",
            |cache, _| {
                fs::remove_file(cache.join("state.json")).unwrap();
                fs::create_dir(cache.join("state.json")).unwrap();
            },
            true,
        ),
        (
            "other files beside",
            |cache, _| {
                fs::write(cache.join("revisions/notes.txt"), "").unwrap();
                fs::write(cache.join("revisions/0123.set"), "regent set 1\n").unwrap();
                fs::write(cache.join(".new-1-state.json"), "{").unwrap();
                fs::remove_file(cache.join("state.json")).unwrap();
            },
            true,
        ),
        ("the set is lost", |_, set| fs::remove_file(set).unwrap(), false),
        (
            "the set is cut",
            |_, set| {
                let bytes = fs::read(set).unwrap();
                fs::write(set, &bytes[..bytes.len() / 2]).unwrap();
            },
            false,
        ),
        (
            "the set is another's",
            |cache, set| {
                let mut all = fs::read_dir(cache.join("revisions"))
                    .unwrap()
                    .map(|e| e.unwrap().path());
                fs::copy(all.find(|p| p != set).unwrap(), set).unwrap();
            },
            false,
        ),
    ];
    for (what, becomes, serves) in cases {
        let cache = scratch("broken");
        let (one, _) = serves_one(&cache);
        let revision = goes_on(&one);
        drop(one);
        let name = revision.strip_prefix("sha256:").unwrap();
        becomes(&cache, &cache.join("revisions").join(format!("{name}.set")));
        let two = watcher(&cache, broken());
        let store = two.store();
        wait_for(store, what, |s| {
            s.status().problems.iter().any(|p| p.file == "a.rego") && s.current().is_some() == serves
        });
        if serves {
            assert_eq!(says(&store.current().unwrap())[0], "2", "{what}");
            assert_eq!(store.current().unwrap().revision, revision, "{what}");
        } else {
            store.pin(&revision).expect_err(what);
        }
        drop(two);
        let _ = fs::remove_dir_all(cache);
    }
}

/// A set that is known by name alone, as its file is gone, is not kept as a set of nothing, which would let everything
/// pass when it is pinned.
#[test]
fn a_set_that_is_lost_is_not_kept_empty() {
    let cache = scratch("lost");
    let (one, revision) = serves_one(&cache);
    drop(one);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _in = runtime.enter();
    let two = unspoken(&cache);
    wait_for(two.store(), "it remembers", |s| s.revisions().len() == 1);
    for entry in fs::read_dir(cache.join("revisions")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    two.store().unpin().expect("no pin");
    drop(two);
    let three = watcher(&cache, broken());
    wait_for(three.store(), "the set is refused", |s| s.status().refusals > 0);
    three.store().pin(&revision).expect_err("there is nothing to pin");
    assert!(three.store().current().is_none());
    drop(three);
    let _ = fs::remove_dir_all(cache);
}

/// Sources that are broken at the start are served from the cache, and that is said; a pin outlives a restart as well.
#[test]
fn the_last_good_set_is_kept() {
    let cache = scratch("restart");
    let (one, revision) = serves_one(&cache);
    goes_on(&one);
    drop(one);

    let two = watcher(&cache, broken());
    // It may serve before it has heard of the fault.
    wait_for(two.store(), "the kept set serves, and the fault is told", |s| {
        let fault = s.problems().iter().any(|p| p.file == "a.rego" && p.line == 3);
        fault && s.current().is_some_and(|l| says(&l)[0] == "2")
    });
    assert!(two.store().current().unwrap().from_cache);
    let status = two.store().status();
    assert_eq!(status.sources[0].state, SourceState::Cached);
    assert!(status.is_degraded());
    two.say("test", numbered(3));
    wait_for(two.store(), "a repaired source serves", |s| {
        s.current().is_some_and(|l| says(&l)[0] == "3")
    });
    assert!(!two.store().current().unwrap().from_cache);
    two.store().pin(&revision).expect("a revision of the run before");
    assert_eq!(says(&two.store().current().unwrap())[0], "1");
    drop(two);

    let three = watcher(&cache, numbered(3));
    wait_for(three.store(), "the source is heard", |s| {
        s.status().sources.iter().any(|s| s.state == SourceState::Serving)
    });
    assert_eq!(says(&three.store().current().unwrap())[0], "1");
    assert_eq!(three.store().status().pinned, Some(revision));
    drop(three);

    // What does not have its digest is as good as absent.
    for entry in fs::read_dir(cache.join("revisions")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let four = watcher(&cache, broken());
    wait_for(four.store(), "the set is refused", |s| s.status().refusals > 0);
    assert!(four.store().current().is_none());
    drop(four);
    let _ = fs::remove_dir_all(cache);
}
