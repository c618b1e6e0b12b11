//! Killed servers, and an API server that goes away in every way.

use crate::harness::TestCluster;
use crate::proxy::{Mode, Proxy};
use crate::served::{Served, deploy};
use crate::web;
use regent_rego::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How soon a change is in force after a fault.
const CONVERGES: Duration = Duration::from_secs(10);
/// Requests a second from us while something is wrong, over the whole of it: in its first moment all watches come back at
/// once, before any has failed.
const PACE: f64 = 5.0;
const NAMESPACE: &str = "steady";
/// What is asked about.
const NAME: &str = "asked";

/// A ConfigMap of two files that say the same number about objects named [`NAME`].
fn numbered(n: u64) -> String {
    let file = |package: &str| {
        format!(
            "  {package}.rego: |\n    package {package}\n\n    import rego.v1\n\n    deny contains \"{n}\" if \
             input.review.name == \"{NAME}\"\n"
        )
    };
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: numbered, namespace: regent-system, labels: {{regent.dev/policy: \
         \"true\"}}}}\ndata:\n{}{}",
        file("a"),
        file("z")
    )
}

/// A template, of a kind for each number.
fn template(n: u64) -> String {
    format!(
        "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: kind{n}}}\nspec:\n  crd: {{spec: \
         {{names: {{kind: Kind{n}}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package \
         kind{n}\n      violation[{{\"msg\": \"no\"}}] {{ input.review.kind.kind == \"Never\" }}\n"
    )
}

/// Asks the server itself about an object in a namespace, or in none: what it says, or `None` when nobody answers.
fn asked(port: u16, ca: &str, namespace: &str) -> Option<Result<Vec<String>, String>> {
    let of = |api_version: &str, kind: &str| format!("\"apiVersion\":\"{api_version}\",\"kind\":\"{kind}\"");
    let metadata = format!("{{\"name\":\"{NAME}\",\"namespace\":\"{namespace}\"}}");
    let body = format!(
        "{{{},\"request\":{{\"uid\":\"1\",\"operation\":\"CREATE\",\"kind\":{{\"group\":\"\",\"version\":\"v1\",\
         \"kind\":\"Thing\"}},\"namespace\":\"{namespace}\",\"name\":\"{NAME}\",\"object\":{{{},\"metadata\":{metadata}}}}}}}",
        of("admission.k8s.io/v1", "AdmissionReview"),
        of("v1", "Thing"),
    );
    let mut config = web::client_config(web::roots(ca));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut stream = web::open(([127, 0, 0, 1], port).into(), config).ok()?;
    let head = format!(
        "POST /v1/admit?timeout=3s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: \
         close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).ok()?;
    let response = web::Response::parse(&web::read_all(&mut stream))?.review();
    let message = web::text(&response, &["status", "message"]);
    let code = response.path(&["status", "code"]).and_then(Value::as_i64);
    let lines = message.lines().map(str::to_owned).collect();
    Some(if code == Some(403) {
        Ok(lines)
    } else {
        Err(format!("{code:?} {message}"))
    })
}

/// The number that both files say; fails when they differ or something else is said.
fn number(said: &[String]) -> u64 {
    let of = |line: &String, prefix: &str| line.strip_prefix(prefix).and_then(|n| n.parse::<u64>().ok());
    let numbers = match said {
        [a, z] => of(a, "[a] ").zip(of(z, "[z] ")),
        _ => None,
    };
    let (a, z) = numbers.unwrap_or_else(|| panic!("not two numbers: {said:?}"));
    assert_eq!(a, z, "half of one set and half of another");
    a
}

/// Waits until a number is in force.
fn in_force(served: &Served, wanted: u64, within: Duration, what: &str) -> Duration {
    let since = Instant::now();
    loop {
        let said = asked(served.port, &served.ca, "");
        if let Some(Ok(said)) = &said
            && number(said) == wanted
        {
            return since.elapsed();
        }
        assert!(
            since.elapsed() < within,
            "{what}: {wanted} not in force within {within:?}: {said:?}\n{}",
            served.log("messages.log")
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn prepare(cluster: &TestCluster, api: &str) -> Served {
    deploy(cluster);
    // The server is asked directly: what is written is not to depend on whether it lives.
    let run = cluster.kubectl(&["delete", "validatingwebhookconfiguration", "--all"]);
    assert!(run.status.success());
    cluster
        .apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}"
        ))
        .expect("a Namespace");
    cluster.apply(&numbered(0)).expect("a ConfigMap");
    Served::new(cluster, api, &[])
}

/// Killed at random moments while policies change, the server leaves nothing half done: each start serves a whole set of
/// those that were written, of the cluster none older than was served before, and while that is away one that was kept.
pub(crate) fn kills(cluster: &TestCluster) {
    let rounds: u64 = if web::full() { 200 } else { 20 };
    let proxy = Proxy::start(cluster.api_port);
    let mut served = prepare(cluster, &proxy.url());
    let written = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let mut kinds = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut kinds = 0;
            let mut n = 1;
            while !stop.load(Ordering::SeqCst) {
                cluster.apply(&numbered(n)).expect("a change");
                written.store(n, Ordering::SeqCst);
                if n.is_multiple_of(20) {
                    cluster.apply(&template(kinds)).expect("a template");
                    kinds += 1;
                }
                n += 1;
            }
            kinds
        });
        let ends = Ends(&stop);
        let (mut least, mut seen, mut kept, mut unready) = (0, BTreeSet::new(), 0, 0);
        for round in 0..rounds {
            // Now and then the cluster is away at the start, and what is kept must serve.
            let away = round % 20 == 19;
            if away {
                served.start();
                served.wait_kept();
                served.kill();
                proxy.set(Mode::Refuse);
            }
            served.spawn();
            let moment = Duration::from_millis(round.wrapping_mul(7_919_773) % 900);
            if away {
                served.wait_ready();
                let (_, ready) = served.admin("/readyz").expect("readiness");
                assert!(ready.contains("degraded: namespaces: cached"), "round {round}: {ready}");
                let said = "the API server does not answer; Namespaces are as an earlier run knew them";
                while !served.log("messages.log").contains(said) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            } else {
                std::thread::sleep(moment);
            }
            // With nobody to ask, the Namespace is what was kept of it.
            match asked(served.port, &served.ca, if away { NAMESPACE } else { "" }) {
                None => unready += 1,
                Some(Ok(said)) => {
                    let n = number(&said);
                    // A set is kept after it came into force, so one that is killed in between may keep the one before.
                    assert!(away || n >= least, "round {round}: {n} after {least}");
                    assert!(
                        n <= written.load(Ordering::SeqCst) + 1,
                        "round {round}: {n} was never written"
                    );
                    least = n.max(least);
                    seen.insert(n);
                    kept += u64::from(away);
                }
                Some(Err(why)) => panic!("round {round}: {why}"),
            }
            served.kill();
            proxy.set(Mode::Pass);
        }
        drop(ends);
        kinds = writer.join().expect("the writer");
        eprintln!(
            "cluster: {rounds} kills: {} sets seen, each whole; {kept} starts from what was kept, {unready} killed before they \
             served",
            seen.len()
        );
        assert_eq!(kept, rounds / 20);
        assert!(seen.len() > 3 && unready < rounds, "{seen:?}");
    });
    let last = written.load(Ordering::SeqCst);
    served.start();
    in_force(&served, last, CONVERGES, "after all kills");
    let since = Instant::now();
    loop {
        let made = (0..kinds).filter(|n| {
            let template = [
                &format!("kind{n}"),
                "-o",
                "jsonpath={.status.created} {.status.byPod[*].errors}",
            ];
            let run = cluster.kubectl(&["get", "constrainttemplate", template[0], template[1], template[2]]);
            let crd = cluster.kubectl(&["get", "crd", &format!("kind{n}.constraints.gatekeeper.sh")]);
            String::from_utf8_lossy(&run.stdout).trim() == "true" && crd.status.success()
        });
        let made = made.count() as u64;
        if made == kinds {
            break;
        }
        assert!(since.elapsed() < CONVERGES * 3, "{made} of {kinds} templates are whole");
    }
    let left: Vec<String> = ["", "revisions"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(served.folder.join("cache").join(folder)).expect("the cache"))
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".new-"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    eprintln!("cluster: {kinds} templates are whole, nothing is left over");
}

/// Has a thread end, whatever becomes of the test.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks all the time; what was said last must go on being said.
struct Steady<'s> {
    served: &'s Served,
    /// Numbers that may be said now.
    fine: Mutex<BTreeSet<u64>>,
    asked: AtomicU64,
    stop: AtomicBool,
}

impl Steady<'_> {
    fn run(&self) -> Result<(), String> {
        while !self.stop.load(Ordering::SeqCst) {
            // What was right when it was asked is right.
            let before = self.fine.lock().expect("lock").clone();
            match asked(self.served.port, &self.served.ca, NAMESPACE) {
                None => return Err("nobody answered".to_owned()),
                Some(Err(why)) => return Err(why),
                Some(Ok(said)) => {
                    let n = number(&said);
                    if !before.contains(&n) && !self.fine.lock().expect("lock").contains(&n) {
                        return Err(format!("{n} was said"));
                    }
                }
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Requests of the server that the API server saw, by its audit log.
fn requests(cluster: &TestCluster) -> usize {
    let log = std::fs::read_to_string(cluster.audit_log()).unwrap_or_default();
    let ours = log
        .lines()
        .filter(|l| l.contains("system:serviceaccount:regent-system:regent\""));
    let ids: BTreeSet<String> = ours
        .filter_map(|line| {
            let entry = json::read(line.as_bytes(), json::ReadOptions::default()).ok()?;
            Some(entry.get("auditID")?.as_str()?.to_owned())
        })
        .collect();
    ids.len()
}

/// The API server and etcd killed, stopped, restarted and compacted; connections to them refused, cut, stalled, delayed and
/// half open: answers go on from the last state, changes are in force within ten seconds after, and we ask little.
pub(crate) fn away(cluster: &mut TestCluster) {
    let proxy = Arc::new(Proxy::start(cluster.api_port));
    let mut served = prepare(cluster, &proxy.url());
    served.start();
    in_force(&served, 0, CONVERGES, "the first");
    let steady = Steady {
        served: &served,
        fine: Mutex::new(BTreeSet::from([0])),
        asked: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let seconds = |n| std::thread::sleep(Duration::from_secs(n));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| steady.run());
        let ends = Ends(&steady.stop);
        let mut n = 0;
        let mut fault = |cluster: &mut TestCluster, what: &str, does: &mut dyn FnMut(&mut TestCluster)| {
            let (connections, seen, answers) = (
                proxy.connections(),
                requests(cluster),
                steady.asked.load(Ordering::SeqCst),
            );
            let since = Instant::now();
            does(cluster);
            let during = (proxy.connections() - connections) as f64 / since.elapsed().as_secs_f64();
            cluster.wait_ready();
            assert!(!asking.is_finished(), "{what}: answers ended");
            // The API server may have taken it or not when it fails; it is ready, so it soon does.
            n += 1;
            steady.fine.lock().expect("lock").insert(n);
            let patience = Instant::now();
            while let Err(why) = cluster.apply(&numbered(n)) {
                assert!(patience.elapsed() < CONVERGES, "{what}: {why}");
            }
            let converged = in_force(&served, n, CONVERGES, what);
            steady.fine.lock().expect("lock").remove(&(n - 1));
            let took_all = since.elapsed().as_secs_f64();
            let connections = (proxy.connections() - connections) as f64 / took_all;
            // Beside what is asked for in trouble, a watch of everything and a status or two come after it.
            let requests = (requests(cluster) - seen) as f64 / took_all;
            let answers = steady.asked.load(Ordering::SeqCst) - answers;
            eprintln!(
                "cluster: {what}: {answers} answers went on, in force {converged:.1?} after; {during:.1} connections a second \
                 in trouble, {connections:.1} and {requests:.1} requests a second in all"
            );
            assert!(answers > 0, "{what}: no answers");
            assert!(
                during <= PACE && connections <= PACE && requests <= PACE,
                "{what}: too much is asked"
            );
        };
        fault(cluster, "no fault", &mut |_| seconds(2));
        for mode in [Mode::Refuse, Mode::Stall, Mode::Cut, Mode::HalfOpen, Mode::Delay] {
            fault(cluster, &format!("connections: {mode:?}"), &mut |_| {
                proxy.set(mode);
                seconds(12);
                // What is slow is not away: a change comes through.
                if mode != Mode::Delay {
                    proxy.set(Mode::Pass);
                }
            });
            proxy.set(Mode::Pass);
        }
        fault(cluster, "the API server is killed and restarted", &mut |cluster| {
            cluster.kill("kube-apiserver");
            seconds(8);
            cluster.start_api();
        });
        fault(cluster, "the API server is stopped", &mut |cluster| {
            cluster.signal("kube-apiserver", "STOP");
            seconds(10);
            cluster.signal("kube-apiserver", "CONT");
        });
        fault(cluster, "etcd is killed and restarted", &mut |cluster| {
            cluster.kill("etcd");
            seconds(8);
            cluster.start_etcd();
        });
        fault(cluster, "etcd is stopped", &mut |cluster| {
            cluster.signal("etcd", "STOP");
            seconds(6);
            cluster.signal("etcd", "CONT");
        });
        fault(
            cluster,
            "the API server is killed, and etcd compacted",
            &mut |cluster| {
                cluster.kill("kube-apiserver");
                cluster.compact();
                seconds(3);
                cluster.start_api();
            },
        );
        fault(cluster, "both are killed", &mut |cluster| {
            cluster.kill("kube-apiserver");
            cluster.kill("etcd");
            seconds(8);
            cluster.start_etcd();
            cluster.start_api();
        });
        drop(ends);
        assert_eq!(asking.join().expect("the one who asks"), Ok(()));
    });
    eprintln!("cluster: {} answers, none wrong", steady.asked.load(Ordering::SeqCst));
}
