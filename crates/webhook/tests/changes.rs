//! Policies that are swapped while reviews run, and a server that ends before a review does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests fail"
)]

mod common;

use common::{POLICY, Response, Setup, full, policy_set, read_all, review, text};
use regent_core::PolicySet;
use regent_rego::Value;
use regent_webhook::source::{Fixed, describe};
use regent_webhook::{Current, Limits, Source};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A source whose set is swapped by hand.
struct Swapped {
    current: RwLock<Current>,
    changed: Notify,
}

impl Swapped {
    fn swap(&self, policies: PolicySet) {
        self.current.write().unwrap().policies = Arc::new(policies);
        self.changed.notify_waiters();
    }
}

impl Source for Swapped {
    fn current(&self) -> Option<Current> {
        Some(self.current.read().unwrap().clone())
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.changed.notified())
    }

    fn report(&self) -> Value {
        describe(&self.current.read().unwrap().policies)
    }
}

/// A source whose first set comes late, and which does not tell.
#[derive(Default)]
struct Late(RwLock<Option<Current>>);

impl Source for Late {
    fn current(&self) -> Option<Current> {
        self.0.read().unwrap().clone()
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn report(&self) -> Value {
        Value::Null
    }
}

/// A set of two templates whose messages tell its number.
fn numbered(number: usize) -> PolicySet {
    let mut out = String::new();
    for kind in ["First", "Second"] {
        out += &format!(
            "---\napiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: {}}}\nspec:\n  crd: {{spec: {{names: \
             {{kind: {kind}}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package a\n      \
             violation[{{\"msg\": \"number {number}\"}}] {{ input.review.object.metadata.labels.deny }}\n---\napiVersion: \
             constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: {}}}\n",
            kind.to_lowercase(),
            kind.to_lowercase()
        );
    }
    policy_set(&out)
}

/// One review on an open connection.
fn ask(stream: &mut (impl Read + Write), body: &[u8]) -> Option<Response> {
    let head = format!(
        "POST /v1/admit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    stream.flush().ok()?;
    let (mut got, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        if let Some(response) = Response::parse(&got) {
            let length = response.head.to_ascii_lowercase();
            let length = length
                .lines()
                .find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if response.body.len() >= length.unwrap_or(usize::MAX) {
                return Some(response);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
        }
    }
}

/// No review fails, and none is answered by two sets: its lines are of the revision that it names.
#[test]
fn swaps_under_load() {
    let count = if full() { 10_000 } else { 300 };
    let first = numbered(0);
    let numbers = Mutex::new(HashMap::from([(first.revision().to_owned(), 0)]));
    let source = Arc::new(Swapped {
        current: RwLock::new(Current {
            policies: Arc::new(first),
            inventory: Arc::default(),
        }),
        changed: Notify::new(),
    });
    let running = Setup {
        source: source.clone(),
        ..Setup::of(POLICY)
    }
    .start();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = running.connect(&[b"http/1.1"]);
                    let mut seen = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let answer = ask(&mut stream, review("u", "deny").as_bytes()).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        let answer = answer.review();
                        assert_eq!(answer.path(&["status", "code"]).and_then(Value::as_i64), Some(403));
                        seen.push((
                            text(&answer, &["auditAnnotations", "regent.dev/revision"]).to_owned(),
                            text(&answer, &["status", "message"]).to_owned(),
                        ));
                    }
                    seen
                })
            })
            .collect();
        for number in 1..=count {
            let next = numbered(number);
            numbers.lock().unwrap().insert(next.revision().to_owned(), number);
            source.swap(next);
        }
        done.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|c| c.join().unwrap()).collect::<Vec<_>>()
    });
    let numbers = numbers.into_inner().unwrap();
    let mut revisions = std::collections::HashSet::new();
    for (revision, message) in &seen {
        let number = numbers.get(revision).expect("a revision that was in force");
        assert_eq!(*message, format!("[first] number {number}\n[second] number {number}"));
        revisions.insert(revision);
    }
    println!(
        "{count} swaps, {} reviews answered by {} revisions, 0 failed, 0 by two revisions",
        seen.len(),
        revisions.len()
    );
    assert!(revisions.len() > count / 20, "{} revisions seen", revisions.len());
}

/// A review that the end of the server cuts off gets no answer, or one that says so: none that looks like a policy's.
#[test]
fn the_end_is_no_denial() {
    let endless = POLICY.replace(
        "msg := input.review.object.metadata.labels.deny",
        "msg := input.review.object.metadata.labels.deny; n := numbers.range(1, 20000); count({[a, b] | a = n[_]; b = n[_]}) > 0",
    );
    let running = Setup {
        limits: Limits {
            constraint_time: Duration::from_secs(30),
            threads: 1,
            ..Limits::default()
        },
        drain_time: Duration::from_millis(500),
        ..Setup::of(&endless)
    }
    .start();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ends: Vec<_> = (0..4)
            .map(|_| {
                let mut stream = running.connect(&[b"http/1.1"]);
                let body = review("u", "deny");
                write!(
                    stream,
                    "POST /v1/admit?timeout=20s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
                stream.flush().unwrap();
                scope.spawn(move || read_all(&mut stream))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        running.stop().unwrap();
        ends.into_iter().map(|e| e.join().unwrap()).collect()
    });
    for got in answers {
        let Some(response) = Response::parse(&got) else {
            assert!(got.is_empty(), "half an answer: {}", String::from_utf8_lossy(&got));
            continue;
        };
        let answer = response.review();
        let code = answer.path(&["status", "code"]).and_then(Value::as_i64);
        assert!(matches!(code, Some(503 | 504)), "{}", response.text());
        assert!(!response.text().contains("[no-deny]"), "{}", response.text());
    }
}

/// Whoever is told that it is ready can send a review at once.
#[test]
fn ready_is_said_when_reviews_are_listened_for() {
    for _ in 0..10 {
        let source = Arc::new(Late::default());
        let running = Setup {
            source: source.clone(),
            ..Setup::of("")
        }
        .launch();
        assert_eq!(running.admin("/readyz").status, 503);
        assert!(TcpStream::connect(running.listen).is_err());
        *source.0.write().unwrap() = Fixed::new(policy_set(POLICY)).current();
        let since = Instant::now();
        while running.admin("/readyz").status != 200 {
            assert!(since.elapsed() < Duration::from_secs(20), "never ready");
        }
        TcpStream::connect(running.listen).expect("reviews are listened for");
    }
}
