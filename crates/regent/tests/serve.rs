//! The binary as a server: its verdicts beside those of `check` and of the library, its start, its end, its certificates.
//! Run by `tests/webhook/full`; without REGENT_FULL long runs are short.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests fail"
)]

#[path = "../../webhook/tests/common/mod.rs"]
mod web;

use regent_core::evaluate::POINT_WEBHOOK;
use regent_core::{Bundle, CompileOptions, EvaluateOptions, Inventory, PolicySet, Review, evaluate, manifest};
use regent_rego::{Value, json};
use rustls::{ClientConnection, StreamOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use web::{PATIENCE, Response, client_config, full, open, read_all, roots};

/// A folder that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("regent-serve-test-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A CA, and pairs that it vouches for.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut ca = rcgen::CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = ca.self_signed(&key).unwrap().pem();
        Authority {
            issuer: rcgen::Issuer::new(ca, key),
            pem,
        }
    }

    /// Certificate and key.
    fn pair(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (leaf.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A running `regent serve`; killed when dropped.
struct Served {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
    ca: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_regent"))
        .arg("serve")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts it on ports of its own and waits until it is ready.
fn serve(args: &[&str]) -> Served {
    let mut child = spawn(&[&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], args].concat());
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let (mut listen, mut admin, mut ca, mut all) = (None, None, String::new(), Vec::new());
    loop {
        let line = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("not in force: {all:?}"));
        let address = |rest: &str| rest.split('/').next().unwrap().parse().ok();
        if let Some(rest) = line.strip_prefix("reviews: https://") {
            listen = address(rest);
        } else if let Some(rest) = line.strip_prefix("health, metrics, policies: http://") {
            admin = address(rest);
        } else if let Some(path) = line.strip_prefix("CA of the self-made certificate: ") {
            ca = std::fs::read_to_string(path).unwrap();
        } else if line.starts_with("in force: ") {
            break;
        }
        all.push(line);
    }
    let (listen, admin) = (listen.unwrap(), admin.unwrap());
    let begin = Instant::now();
    while TcpStream::connect(listen).is_err() {
        assert!(begin.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    Served {
        child,
        listen,
        admin,
        ca,
    }
}

fn metrics(served: &Served) -> String {
    let mut admin = TcpStream::connect(served.admin).unwrap();
    write!(admin, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    Response::parse(&read_all(&mut admin)).unwrap().text()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(to: SocketAddr, ca: &str) -> std::io::Result<Stream> {
    let mut config = client_config(roots(ca));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    open(to, config)
}

/// One review on an open connection; `None` when the connection ended instead.
fn ask(stream: &mut Stream, body: &[u8]) -> Option<Response> {
    let length = body.len();
    let head = format!(
        "POST /v1/admit?timeout=10s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    stream.flush().ok()?;
    let mut got = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        if let Some(response) = Response::parse(&got) {
            let length = response.head.to_ascii_lowercase();
            let length = length
                .lines()
                .find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if response.body.len() >= length.unwrap_or_default() {
                return Some(response);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The restricted set as files in a folder.
fn restricted(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut add = |name: String, path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(folder.0.join(&name), &bytes).unwrap();
        files.push((name, bytes));
    };
    for entry in std::fs::read_dir(repository().join("library/pod-security")).unwrap() {
        let path = entry.unwrap().path();
        let template = path.join("template.yaml");
        if template.exists() {
            add(
                format!("template-{}.yaml", path.file_name().unwrap().to_string_lossy()),
                &template,
            );
        }
    }
    for set in ["pod-security-baseline", "pod-security-restricted"] {
        let Ok(entries) = std::fs::read_dir(repository().join("policies").join(set)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "yaml") && set == "pod-security-restricted" {
                add(format!("{set}-{}", path.file_name().unwrap().to_string_lossy()), &path);
            }
        }
    }
    files
}

/// Objects that differ in what the Pod Security Standards look at.
fn objects(count: u64) -> String {
    let mut out = String::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for i in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bit = |n: u32| state >> n & 1 == 1;
        let or = |n, text: &'static str| if bit(n) { text } else { "" };
        let spec = format!(
            "{{hostNetwork: {}, hostPID: {}, securityContext: {{{}{}}}, containers: [{{name: main, image: a, securityContext: \
             {{privileged: {}, {}{}{}}}}}, {{name: side, image: b, ports: [{{containerPort: 80, hostPort: {}}}]}}], \
             volumes: [{{name: v, {}}}]}}",
            bit(0),
            bit(1),
            or(2, "runAsNonRoot: true, "),
            or(3, "seccompProfile: {type: RuntimeDefault}"),
            bit(4),
            or(5, "allowPrivilegeEscalation: false, "),
            or(6, "capabilities: {drop: [ALL]}, "),
            or(7, "runAsUser: 0"),
            if bit(8) { 8080 } else { 0 },
            if bit(9) {
                "hostPath: {path: /etc}"
            } else {
                "emptyDir: {}"
            },
        );
        let namespace = state % 7;
        out.push_str("---\n");
        out.push_str(&match i % 5 {
            0 | 1 => format!("{{apiVersion: v1, kind: Pod, metadata: {{name: o-{i}, namespace: n-{namespace}}}, spec: {spec}}}\n"),
            2 => format!(
                "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: o-{i}, namespace: n-{namespace}}}, spec: {{replicas: 1, \
                 selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {spec}}}}}}}\n"
            ),
            3 => format!(
                "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: o-{i}, namespace: n-{namespace}}}, spec: {{schedule: '* * * * *', \
                 jobTemplate: {{spec: {{template: {{spec: {spec}}}}}}}}}}}\n"
            ),
            _ => format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: o-{i}, namespace: n-{namespace}}}, data: {{a: '{state}'}}}}\n"),
        });
    }
    out
}

/// The AdmissionReview that an API server sends when an object is made.
fn created(object: &Value) -> String {
    let text = |path: &[&str]| object.path(path).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text(&["apiVersion"])
        .split_once('/')
        .unwrap_or(("", text(&["apiVersion"])));
    let request = Value::record([
        ("uid", text(&["metadata", "name"]).into()),
        (
            "kind",
            Value::record([
                ("group", group.into()),
                ("version", version.into()),
                ("kind", text(&["kind"]).into()),
            ]),
        ),
        ("name", text(&["metadata", "name"]).into()),
        ("namespace", text(&["metadata", "namespace"]).into()),
        ("operation", "CREATE".into()),
        ("object", object.clone()),
    ]);
    json::write(&Value::record([
        ("apiVersion", "admission.k8s.io/v1".into()),
        ("kind", "AdmissionReview".into()),
        ("request", request),
    ]))
}

/// 2,000 objects through the library, the webhook and `check`: the same violations, text included.
#[test]
fn one_verdict() {
    const COUNT: u64 = 2_000;
    let folder = Folder::new("verdict");
    let policies = Folder::new("verdict-policies");
    let files = restricted(&policies);
    let (set, problems) = PolicySet::compile(
        &Bundle::read(files.iter().map(|(n, b)| (n.as_str(), b.as_slice()))),
        &CompileOptions::default(),
    );
    assert_eq!(problems, []);
    let text = objects(COUNT);
    let path = folder.write("objects.yaml", &text);
    let source = policies.0.to_string_lossy().into_owned();

    let checked = Command::new(env!("CARGO_BIN_EXE_regent"))
        .args(["check", "-f", path.to_str().unwrap(), "-p", &source, "-o", "json"])
        .output()
        .unwrap();
    let report = json::read(&checked.stdout, json::ReadOptions::default()).unwrap();
    let mut by_check: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in report.get("results").and_then(Value::as_array).unwrap() {
        let of = |path: &[&str]| result.path(path).and_then(Value::as_str).unwrap_or_default();
        let line = format!("[{}] {}", of(&["constraint", "name"]), of(&["message"]));
        by_check
            .entry(of(&["object", "name"]).to_owned())
            .or_default()
            .push(line);
    }

    let served = serve(&["-p", &source]);
    let mut stream = connect(served.listen, &served.ca).unwrap();
    let (mut violations, mut denied) = (0, 0);
    for document in manifest::read("objects.yaml", text.as_bytes()) {
        let object = document.unwrap().value;
        let name = object
            .path(&["metadata", "name"])
            .and_then(Value::as_str)
            .unwrap()
            .to_owned();
        let review = created(&object);
        let value = json::read(review.as_bytes(), json::ReadOptions::default()).unwrap();
        let decision = evaluate(
            &set,
            &Review::of_request(value.get("request").unwrap(), None).unwrap(),
            &Inventory::default(),
            &EvaluateOptions {
                point: POINT_WEBHOOK,
                ..EvaluateOptions::default()
            },
        );
        assert_eq!(decision.failures, [], "{name}");
        let lines = decision
            .violations
            .iter()
            .map(|v| format!("[{}] {}", v.constraint_name, v.message));
        let mut by_core: Vec<String> = lines.collect();
        by_core.sort();
        let response = ask(&mut stream, review.as_bytes()).expect("an answer").review();
        let message = web::text(&response, &["status", "message"]);
        let mut by_webhook: Vec<String> = message.lines().map(str::to_owned).collect();
        by_webhook.sort();
        let mut by_check = by_check.remove(&name).unwrap_or_default();
        by_check.sort();
        assert_eq!(by_webhook, by_core, "{name}: webhook and library");
        assert_eq!(by_check, by_core, "{name}: check and library");
        assert_eq!(
            response.get("allowed"),
            Some(&Value::Bool(by_core.is_empty())),
            "{name}"
        );
        assert_eq!(
            web::text(&response, &["auditAnnotations", "regent.dev/revision"]),
            set.revision()
        );
        violations += by_core.len();
        denied += usize::from(!by_core.is_empty());
    }
    assert_eq!(by_check.len(), 0, "objects that check alone judged");
    println!("{COUNT} objects, {denied} denied, {violations} violations: the same three times");
    assert!(denied > 1_000 && violations > 3_000);
}

/// With `--engine both` and `--engine regorus` the answers are those of the native engine, to the byte.
#[test]
fn engines_answer_the_same() {
    let policies = Folder::new("engines");
    restricted(&policies);
    let source = policies.0.to_string_lossy().into_owned();
    let servers =
        ["native", "regorus", "both"].map(|engine| serve(&["-p", &source, "--engine", engine, "--timeout", "10s"]));
    let mut streams: Vec<_> = servers
        .iter()
        .map(|s| connect(s.listen, &s.ca).expect("a connection"))
        .collect();
    let (mut denied, mut allowed) = (0, 0);
    for document in manifest::read("objects.yaml", objects(100).as_bytes()) {
        let review = created(&document.unwrap().value);
        let mut answers = streams
            .iter_mut()
            .map(|s| ask(s, review.as_bytes()).expect("an answer").text());
        let native = answers.next().unwrap();
        assert!(!native.contains("\"code\":500"), "{native}");
        for other in answers {
            assert_eq!(other, native);
        }
        denied += usize::from(native.contains("\"code\":403"));
        allowed += usize::from(native.contains("\"allowed\":true"));
    }
    println!("three engines: {denied} denied, {allowed} allowed, the same to the byte");
    assert!(denied > 50 && allowed > 10, "{denied} {allowed}");
    let metrics = metrics(&servers[2]);
    for line in ["regent_disagreements_total 0", "regent_unconfirmed_verdicts_total 0"] {
        assert!(metrics.lines().any(|l| l == line), "no {line}");
    }
}

/// What a client is told of a policy that fails names its file as the operator's source has it, and nothing of the
/// server's disk.
#[test]
fn answers_name_no_folders() {
    const FAILS: &str = "package fails\n\nimport rego.v1\n\nx := 1\n\nx := 2 if input.review.name\n\ndeny contains \"never\" if x == 3\n";
    let folder = Folder::new("folders");
    std::fs::create_dir_all(folder.0.join("policies/inner")).unwrap();
    folder.write("policies/inner/fails.rego", FAILS);
    let inner = folder.0.join("policies/inner/fails.rego");
    let outer = folder.0.join("policies");
    for (source, name) in [(&outer, "inner/fails.rego"), (&inner, "fails.rego")] {
        for engine in ["native", "both"] {
            let served = serve(&["-p", source.to_str().unwrap(), "--engine", engine]);
            let mut stream = connect(served.listen, &served.ca).unwrap();
            let answer = ask(&mut stream, web::review("u", "deny").as_bytes()).expect("an answer");
            let response = answer.review();
            let message = web::text(&response, &["status", "message"]);
            let wanted =
                format!("[fails] {name}:7: eval_conflict_error: complete rules must not produce multiple outputs");
            assert_eq!(message, wanted);
        }
    }
}

/// From the first moment of a start: refused, or judged rightly.
#[test]
fn cold_starts() {
    let count = if full() { 200 } else { 10 };
    let folder = Folder::new("cold");
    let policies = folder.write("policies.yaml", web::POLICY);
    let authority = Authority::new();
    let (certificate, key) = authority.pair();
    folder.write("tls.crt", &certificate);
    folder.write("tls.key", &key);
    let (mut refused, mut slowest) = (0u64, Duration::ZERO);
    for _ in 0..count {
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let begin = Instant::now();
        let child = spawn(&[
            "-p",
            policies.to_str().unwrap(),
            "--cert-dir",
            folder.0.to_str().unwrap(),
            "--listen",
            &listen.to_string(),
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        let served = Served {
            child,
            listen,
            admin: listen,
            ca: authority.pem.clone(),
        };
        let mut judged = 0;
        while judged < 5 {
            assert!(begin.elapsed() < PATIENCE, "never ready");
            let body = web::review("u", if judged % 2 == 0 { "deny" } else { "other" });
            let Ok(mut stream) = connect(served.listen, &served.ca) else {
                refused += 1;
                continue;
            };
            let response = ask(&mut stream, body.as_bytes())
                .expect("an answer on a connection that was accepted")
                .review();
            assert_eq!(
                response.get("allowed"),
                Some(&Value::Bool(judged % 2 == 1)),
                "{}",
                json::write(&response)
            );
            if judged == 0 {
                slowest = slowest.max(begin.elapsed());
            }
            judged += 1;
        }
    }
    println!("{count} starts: {refused} connections refused, first verdict after {slowest:?} at most, none wrong");
}

/// SIGTERM under load: not ready at once, everything that was sent is answered, exit code 0.
#[test]
fn the_end_loses_nothing() {
    let rounds = if full() { 10 } else { 1 };
    for _ in 0..rounds {
        let folder = Folder::new("end");
        let policies = folder.write("policies.yaml", web::POLICY);
        let mut served = serve(&["-p", policies.to_str().unwrap(), "--shutdown-delay", "1s"]);
        let (answered, lost, gone) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for client in 0..8 {
                let (answered, lost, gone, served) = (&answered, &lost, &gone, &served);
                let (listen, ca) = (served.listen, served.ca.clone());
                scope.spawn(move || {
                    let mut stream = None;
                    // 25 a second each; every other client keeps its connection.
                    while !gone.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(40));
                        if client % 2 == 0 {
                            stream = None;
                        }
                        if stream.is_none() {
                            stream = connect(listen, &ca).ok();
                        }
                        let Some(open) = &mut stream else {
                            // Refused: nothing was sent.
                            gone.store(true, Ordering::Relaxed);
                            continue;
                        };
                        match ask(open, web::review("u", "deny").as_bytes()) {
                            None => {
                                lost.fetch_add(1, Ordering::Relaxed);
                                stream = None;
                            }
                            Some(response) => {
                                assert!(response.text().contains("\"code\":403"), "{}", response.text());
                                answered.fetch_add(1, Ordering::Relaxed);
                                if response.head.to_ascii_lowercase().contains("connection: close") {
                                    stream = None;
                                }
                            }
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_secs(1));
            signal(&served.child, "TERM");
            std::thread::sleep(Duration::from_millis(300));
            let mut admin = TcpStream::connect(served.admin).unwrap();
            write!(admin, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let ready = Response::parse(&read_all(&mut admin)).unwrap();
            assert_eq!((ready.status, ready.text().as_str()), (503, "the server is stopping\n"));
        });
        let status = served.child.wait().unwrap();
        println!(
            "{} answered, {} lost, {status}",
            answered.load(Ordering::Relaxed),
            lost.load(Ordering::Relaxed)
        );
        assert_eq!(lost.load(Ordering::Relaxed), 0);
        assert!(answered.load(Ordering::Relaxed) > 100);
        assert!(status.success());
    }
}

/// Clients that ask once and stay: whoever comes next is answered, and memory stays.
#[test]
fn idle_connections() {
    // Both ends are files; this process holds one of them.
    let count = if full() { 10_000 } else { 200 };
    let folder = Folder::new("idle");
    let policies = folder.write("policies.yaml", web::POLICY);
    let served = serve(&[
        "-p",
        policies.to_str().unwrap(),
        "--max-connections",
        "10100",
        "--idle-time",
        "10m",
    ]);
    let config = Arc::new({
        let mut config = client_config(roots(&served.ca));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    });
    let open_one = || {
        let mut stream = open(served.listen, (*config).clone()).expect("a connection");
        let response = ask(&mut stream, web::review("u", "deny").as_bytes()).expect("an answer");
        assert!(response.text().contains("\"code\":403"), "{}", response.text());
        stream
    };
    let mut idle: Vec<Stream> = (0..count).map(|_| open_one()).collect();
    drop(open_one());
    // Those that came first are still there.
    for stream in idle.iter_mut().step_by(count / 20) {
        assert!(ask(stream, web::review("u", "other").as_bytes()).is_some());
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.child.id())).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{count} idle connections, {} MiB at most", peak >> 10);
    assert!(peak >> 10 < 512, "{} MiB", peak >> 10);
}

/// A server that has nothing to do reads nothing: that it read its policies is no change of them.
#[test]
fn idle_servers_do_not_read() {
    let folder = Folder::new("idle-disk");
    let filling = format!("# {}\n", "a".repeat(300 << 10));
    folder.write("policies.yaml", &format!("{}\n{filling}", web::POLICY));
    let served = serve(&["-p", folder.0.to_str().unwrap()]);
    let read = || {
        let io = std::fs::read_to_string(format!("/proc/{}/io", served.child.id())).unwrap();
        io.lines()
            .find_map(|l| l.strip_prefix("rchar: "))
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    // What making the file told may still be on its way.
    std::thread::sleep(Duration::from_secs(1));
    let before = read();
    std::thread::sleep(Duration::from_secs(3));
    let bytes = read() - before;
    assert!(bytes < 2 * filling.len(), "{bytes} bytes read");
}

/// The pair is replaced every second, as kubelet does it and half written: every handshake succeeds.
#[test]
fn certificates_change_under_load() {
    let seconds = if full() { 60 } else { 5 };
    let folder = Folder::new("certificates");
    let policies = folder.write("policies.yaml", web::POLICY);
    let authority = Authority::new();
    let swap = |n: u32| {
        let (certificate, key) = authority.pair();
        let data = folder.0.join(format!("..{n}"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("tls.crt"), certificate).unwrap();
        // Every third one has the key of another pair: it must not be taken.
        let key = if n % 3 == 2 { authority.pair().1 } else { key };
        std::fs::write(data.join("tls.key"), key).unwrap();
        let next = folder.0.join("..next");
        let _ = std::fs::remove_file(&next);
        std::os::unix::fs::symlink(format!("..{n}"), &next).unwrap();
        std::fs::rename(&next, folder.0.join("..data")).unwrap();
    };
    swap(0);
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), folder.0.join(name)).unwrap();
    }
    let served = serve(&[
        "-p",
        policies.to_str().unwrap(),
        "--cert-dir",
        folder.0.to_str().unwrap(),
    ]);
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (done, listen, ca) = (done.clone(), served.listen, authority.pem.clone());
            std::thread::spawn(move || {
                let (mut handshakes, mut seen) = (0u32, std::collections::BTreeSet::new());
                while !done.load(Ordering::Relaxed) {
                    let mut stream = connect(listen, &ca).expect("a handshake");
                    seen.insert(stream.conn.peer_certificates().unwrap()[0].to_vec());
                    let response = ask(&mut stream, web::review("u", "deny").as_bytes()).expect("an answer");
                    assert!(response.text().contains("\"code\":403"));
                    handshakes += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                (handshakes, seen.len())
            })
        })
        .collect();
    for n in 1..=seconds {
        std::thread::sleep(Duration::from_secs(1));
        swap(n);
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        let (handshakes, certificates) = client.join().unwrap();
        println!("{handshakes} handshakes, {certificates} certificates, none failed");
        assert!(certificates >= 2, "{certificates}");
    }
    let metrics = metrics(&served);
    let refused = metrics
        .lines()
        .find_map(|l| l.strip_prefix("regent_certificate_reload_failures_total "));
    assert!(
        refused.unwrap().parse::<u32>().unwrap() > 0,
        "the pair that does not match was noticed"
    );
}

/// `docs/metrics.md` names every metric that there is, and no other.
#[test]
fn the_page_of_metrics_is_whole() {
    let page = std::fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let of_text = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours = |w: &&str| w.starts_with("regent_") || w.starts_with("gatekeeper_");
        words.filter(ours).map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let folder = Folder::new("metrics");
    let policies = folder.write("policies.yaml", web::POLICY);
    let served = serve(&["-p", policies.to_str().unwrap()]);
    let text = metrics(&served);
    let typed = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next());
    let told: BTreeSet<String> = typed.map(str::to_owned).collect();
    let named = of_text(&page);
    let unnamed: Vec<&String> = told.difference(&named).collect();
    assert_eq!(unnamed, Vec::<&String>::new(), "metrics that the page does not name");
    // These are told in a cluster only.
    let absent: Vec<&String> = named
        .difference(&told)
        .filter(|m| {
            !matches!(
                m.strip_prefix("regent_namespaces"),
                Some("" | "_staleness_seconds" | "_from_cache")
            )
        })
        .collect();
    assert_eq!(absent, Vec::<&String>::new(), "metrics that there are not");
}

/// The file of `--config`, and what is refused in it.
#[test]
fn a_config_file_has_the_names_of_the_flags() {
    let folder = Folder::new("config");
    let policies = folder.write("policies.yaml", web::POLICY);
    let text = format!(
        "policy: [{}]\nlisten: 127.0.0.1:0\nadmin-listen: 127.0.0.1:0\nmax-body: 1Ki\nlog-denies: true\n",
        policies.display()
    );
    let config = folder.write("config.yaml", &text);
    let served = serve(&["--config", config.to_str().unwrap()]);
    let mut stream = connect(served.listen, &served.ca).unwrap();
    let large = web::review("u", "deny").replace("\"b\"", &format!("\"{}\"", "b".repeat(2000)));
    let answer = ask(&mut stream, large.as_bytes()).unwrap();
    assert!(
        answer.text().contains("the review is larger than 1024 bytes"),
        "{}",
        answer.text()
    );
    for (text, says) in [
        ("no-such-flag: 1", "there is no flag --no-such-flag"),
        ("max-depth: 5", "--max-depth 5: expected 16 to 1000"),
        ("header-time: 2m", "--header-time 120s: expected 100ms to 60s"),
        ("max-connections: -1", "-1"),
        ("[]", "expected names of flags with values"),
        ("", "there is nothing in it"),
        ("listen: {a: b}", "expected a text or a number"),
    ] {
        let config = folder.write("bad.yaml", text);
        let output = Command::new(env!("CARGO_BIN_EXE_regent"))
            .args(["serve", "--config", config.to_str().unwrap()])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}: {error}");
        assert!(error.contains(says), "{text}: {error}");
    }
}
