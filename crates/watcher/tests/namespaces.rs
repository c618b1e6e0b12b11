//! Namespaces across restarts, with an API server of a few lines that says what each case wants.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test ends by panicking, and plays an API server"
)]

mod common;

use common::{denies, files, scratch};
use regent_rego::Value;
use regent_watcher::{ClusterOptions, Options, Source, Watcher, cluster, start};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

const SOON: Duration = Duration::from_secs(20);

/// What the API server does about Namespaces. About its version it always tells.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    /// Lists `shop`, of this team, and gives it.
    Gives(&'static str),
    /// Gives it, and no list: the moment before the first list.
    GivesUnlisted(&'static str),
    /// Says that we may not ask.
    Forbids,
    /// There is no such Namespace, and no list yet.
    HasNone,
    /// Hangs up on whoever calls, as one that is away; its port stays ours, so that nobody else answers there.
    HangsUp,
}

/// An API server; it goes away when dropped.
struct Api {
    port: u16,
    stop: Arc<AtomicBool>,
    does: Arc<Mutex<Does>>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes whoever accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn shop(team: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"shop","resourceVersion":"7","labels":{{"team":"{team}"}},"annotations":{{"note":"kept"}}}}}}"#
    )
}

impl Api {
    fn start(does: Does) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let does = Arc::new(Mutex::new(does));
        let (ends, now) = (stop.clone(), does.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (ends, does) = (ends.clone(), *now.lock().unwrap());
                if does != Does::HangsUp {
                    std::thread::spawn(move || answer(stream, does, &ends));
                }
            }
        });
        Api { port, stop, does }
    }
}

fn answer(mut stream: TcpStream, does: Does, ends: &AtomicBool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok);
    let path = lines.next().unwrap_or_default();
    let path = path.split(' ').nth(1).unwrap_or_default().to_owned();
    for _ in lines.take_while(|l| !l.is_empty()) {}
    let failure = |code: u16, reason: &str| {
        let status = format!(
            r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","reason":"{reason}","code":{code}}}"#
        );
        (code, Some(status))
    };
    let is_list = path.split('?').next() == Some("/api/v1/namespaces");
    let (code, body) = match does {
        _ if path == "/version" => (
            200,
            Some(
                r#"{"major":"1","minor":"33","gitVersion":"v1.33.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#
                    .to_owned(),
            ),
        ),
        Does::Gives(_) if path.contains("watch=true") => (200, None),
        Does::Gives(team) if is_list => (
            200,
            Some(format!(
                r#"{{"kind":"NamespaceList","apiVersion":"v1","metadata":{{"resourceVersion":"7"}},"items":[{}]}}"#,
                shop(team)
            )),
        ),
        _ if is_list => failure(503, "ServiceUnavailable"),
        Does::Gives(team) | Does::GivesUnlisted(team) if path == "/api/v1/namespaces/shop" => (200, Some(shop(team))),
        Does::Forbids => failure(403, "Forbidden"),
        _ => failure(404, "NotFound"),
    };
    let head = format!("HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nConnection: close\r\n");
    let _ = match body {
        Some(body) => write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()),
        // A watch in which nothing happens.
        None => {
            let _ = write!(stream, "{head}\r\n");
            while !ends.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        }
    };
}

fn watcher(cache: &Path, port: u16) -> Watcher {
    let url = format!("http://127.0.0.1:{port}").parse().expect("a URL");
    start(Options {
        sources: vec![Source::Fixed {
            name: "test".to_owned(),
            contribution: files(&[("a.rego", &denies("a", "no"))]),
        }],
        cluster: Some(ClusterOptions {
            cluster: cluster::client(kube::Config::new(url)).expect("a client"),
            config_maps: false,
            config_map_namespaces: Vec::new(),
            custom_resources: false,
            create_definitions: false,
            write_status: false,
            own_namespace: "regent-system".to_owned(),
            identity: "test".to_owned(),
        }),
        cache_dir: Some(cache.to_owned()),
        ..Options::default()
    })
    .expect("a watcher")
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < SOON, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn file(cache: &Path) -> PathBuf {
    cache.join("namespaces.set")
}

/// A cache that an earlier run left, in which `shop` is of the team `old`.
fn left_behind(cache: &Path) {
    let api = Api::start(Does::Gives("old"));
    let watcher = watcher(cache, api.port);
    wait("the Namespaces are kept", || file(cache).is_file());
    assert!(watcher.namespaces().is_synced() && !watcher.namespaces().are_kept());
    assert_eq!(team(watcher.namespaces().get("shop")), Ok(Some("old".to_owned())));
}

fn team(found: Option<Value>) -> Result<Option<String>, String> {
    Ok(found.map(|n| {
        n.path(&["metadata", "labels", "team"])
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    }))
}

/// What is told of `shop`, or of another, at a start with what an earlier run left.
#[test]
fn what_an_earlier_run_knew_serves_only_where_nothing_newer_can_be_had() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _in = runtime.enter();
    let old = |_: &Path| {};
    let broken = |file: &Path| {
        let mut bytes = fs::read(file).unwrap();
        bytes[40] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let absent = |file: &Path| fs::remove_file(file).unwrap();
    let told = |team: &str| Ok(Some(team.to_owned()));
    let cannot = Err("cannot be looked up");
    // What the API server does, what becomes of what was kept, which Namespace; what is told, and
    // whether that serves as kept.
    type Case = (
        Does,
        fn(&Path),
        &'static str,
        Result<Option<String>, &'static str>,
        bool,
    );
    let cases: Vec<Case> = vec![
        (Does::HangsUp, old, "shop", told("old"), true),
        (Does::HangsUp, old, "other", cannot.clone(), true),
        (Does::HangsUp, broken, "shop", cannot.clone(), false),
        (Does::HangsUp, absent, "shop", cannot.clone(), false),
        (Does::Gives("new"), old, "shop", told("new"), false),
        (Does::GivesUnlisted("new"), old, "shop", told("new"), false),
        (Does::HasNone, old, "shop", Ok(None), false),
        (Does::Forbids, old, "shop", cannot, false),
    ];
    for (does, becomes, name, wanted, kept) in cases {
        let what = format!("{does:?} {name} {wanted:?}");
        let cache = scratch("namespaces");
        left_behind(&cache);
        becomes(&file(&cache));
        let api = Api::start(does);
        let watcher = watcher(&cache, api.port);
        let namespaces = watcher.namespaces();
        let found = runtime.block_on(async { tokio::time::timeout(SOON, namespaces.find(name)).await.expect(&what) });
        match (&found, &wanted) {
            (Err(why), Err(wanted)) => assert!(why.contains(wanted), "{what}: {why}"),
            _ => assert_eq!(found.and_then(team), wanted.map_err(str::to_owned), "{what}"),
        }
        if kept || matches!(does, Does::Gives(_)) {
            // One Namespace may have been told of before the list came.
            wait("it is ready by the list or by what is kept", || namespaces.is_synced());
            assert_eq!(namespaces.count(), 1, "{what}");
        } else {
            assert!(!namespaces.is_synced(), "{what}");
        }
        assert_eq!(namespaces.are_kept(), kept, "{what}");
        drop(watcher);
        let _ = fs::remove_dir_all(cache);
    }
}

/// What is kept tells its age, and goes with the first list.
#[test]
fn the_first_list_takes_the_place_of_what_was_kept() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _in = runtime.enter();
    let cache = scratch("namespaces");
    left_behind(&cache);
    let hour = Duration::from_secs(3_600);
    let aged = fs::File::options().write(true).open(file(&cache)).unwrap();
    aged.set_modified(SystemTime::now() - hour).unwrap();
    let api = Api::start(Does::HangsUp);
    let watcher = watcher(&cache, api.port);
    let namespaces = watcher.namespaces();
    wait("what is kept serves", || namespaces.are_kept());
    let age = namespaces.staleness().expect("an age");
    assert!(age >= hour && age < hour * 2, "{age:?}");
    let shop = namespaces.get("shop").expect("the Namespace");
    assert_eq!(
        shop.path(&["metadata", "annotations", "note"]).and_then(Value::as_str),
        Some("kept"),
        "policies may read all of it"
    );
    // It comes back.
    *api.does.lock().unwrap() = Does::Gives("new");
    wait("its list serves", || !namespaces.are_kept());
    assert_eq!(team(namespaces.get("shop")), Ok(Some("new".to_owned())));
    assert!(namespaces.is_synced());
    assert!(namespaces.staleness().expect("an age") < hour);
    drop(watcher);
    let _ = fs::remove_dir_all(cache);
}
