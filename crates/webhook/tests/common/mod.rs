//! A server in this process, and clients that speak to it.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails as tests fail"
)]

use regent_core::{Bundle, CompileOptions, PolicySet};
use regent_rego::{Value, json, yaml};
use regent_webhook::tls::{Certificate, MinVersion, SelfMade, Settings, Tls, self_made};
use regent_webhook::{Config, Fixed, Limits, Options, Server, Source};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// Clients wait no longer for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub ca: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Result<(), String>>>,
}

pub struct Setup {
    pub source: Arc<dyn Source>,
    pub limits: Limits,
    pub options: Options,
    pub tls: Option<Settings>,
    pub shutdown_delay: Duration,
    pub drain_time: Duration,
}

impl Setup {
    pub fn of(policies: &str) -> Setup {
        Setup {
            source: Arc::new(Fixed::new(policy_set(policies))),
            limits: Limits::default(),
            options: Options::default(),
            tls: None,
            shutdown_delay: Duration::ZERO,
            drain_time: Duration::from_secs(5),
        }
    }

    /// A server that listens for reviews.
    pub fn start(self) -> Running {
        let running = self.launch();
        running.wait_until_listening();
        running
    }

    /// A server that may have no policies yet.
    pub fn launch(self) -> Running {
        let SelfMade { key, ca } = self_made(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let tls = self.tls.unwrap_or(Settings {
            certificate: Certificate::Made(key),
            client: None,
            min_version: MinVersion::Tls12,
        });
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            admin: "127.0.0.1:0".parse().unwrap(),
            tls: Arc::new(Tls::open(tls).unwrap()),
            source: self.source,
            limits: self.limits,
            options: self.options,
            log: None,
            shutdown_delay: self.shutdown_delay,
            drain_time: self.drain_time,
            notice: |_| {},
        };
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::bind(config).unwrap();
                tell.send((server.listen(), server.admin().unwrap())).unwrap();
                server.run(async { drop(stopped.await) }).await
            })
        });
        let (listen, admin) = told.recv().unwrap();
        Running {
            listen,
            admin,
            ca,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Running {
    fn wait_until_listening(&self) {
        for _ in 0..500 {
            if TcpStream::connect(self.listen).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not listen");
    }

    pub fn stop(mut self) -> Result<(), String> {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }

    pub fn roots(&self) -> RootCertStore {
        roots(&self.ca)
    }

    /// A TLS connection that speaks the given protocol.
    pub fn connect(&self, alpn: &[&[u8]]) -> StreamOwned<ClientConnection, TcpStream> {
        let mut config = client_config(self.roots());
        config.alpn_protocols = alpn.iter().map(|a| a.to_vec()).collect();
        open(self.listen, config).unwrap()
    }

    /// Sends bytes on a connection of its own and reads to its end.
    pub fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect(&[b"http/1.1"]);
        // A server that has seen enough may close while we write.
        let _ = stream.write_all(bytes);
        let _ = stream.flush();
        read_all(&mut stream)
    }

    /// A review answered over HTTP/1.1.
    pub fn ask(&self, path: &str, body: &[u8]) -> Response {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        Response::parse(&self.exchange(&[head.as_bytes(), body].concat())).expect("a response")
    }

    /// What the admin listener says.
    pub fn admin(&self, path: &str) -> Response {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        Response::parse(&read_all(&mut stream)).expect("a response")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn roots(ca: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    roots
}

pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Connects and ends the handshake.
pub fn open(to: SocketAddr, config: ClientConfig) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut socket = TcpStream::connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// Everything until the other side ends or breaks off.
pub fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return out,
            Ok(n) => out.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("no end after {PATIENCE:?}; got {:?}", String::from_utf8_lossy(&out));
            }
            Err(_) => return out,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The first response of some bytes.
    pub fn parse(bytes: &[u8]) -> Option<Response> {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Response {
            status,
            head,
            body: bytes[end + 4..].to_vec(),
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `response` of the AdmissionReview it carries.
    pub fn review(&self) -> Value {
        let review = json::read(&self.body, json::ReadOptions::default()).expect("JSON");
        review.get("response").expect("a response").clone()
    }
}

pub fn policy_set(text: &str) -> PolicySet {
    let (set, problems) = PolicySet::compile(&Bundle::read([("p.yaml", text.as_bytes())]), &CompileOptions::default());
    assert_eq!(problems, []);
    set
}

/// A template that denies what the label `deny` says, and a constraint of it.
pub const POLICY: &str = r#"
apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: k8sdeny}
spec:
  crd: {spec: {names: {kind: K8sDeny}}}
  targets:
  - target: admission.k8s.gatekeeper.sh
    rego: |
      package k8sdeny
      violation[{"msg": msg}] { msg := input.review.object.metadata.labels.deny }
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sDeny
metadata: {name: no-deny}
spec: {}
"#;

/// A review of a ConfigMap with a label.
pub fn review(uid: &str, label: &str) -> String {
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"{uid}","kind":{{"group":"","version":"v1","kind":"ConfigMap"}},"resource":{{"group":"","version":"v1","resource":"configmaps"}},"name":"a","namespace":"shop","operation":"CREATE","userInfo":{{"username":"u"}},"object":{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","namespace":"shop","labels":{{"{label}":"found"}}}},"data":{{"a":"b"}}}},"oldObject":null,"dryRun":false,"options":null}}}}"#
    )
}

/// Both verdicts are as they should be: the server is alive, and nothing that was sent before changed it.
pub fn is_sound(running: &Running) {
    let response = running.ask("/v1/admit", review("sound-1", "deny").as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
    let review_1 = response.review();
    assert_eq!(review_1.get("allowed"), Some(&Value::Bool(false)));
    assert_eq!(text(&review_1, &["status", "message"]), "[no-deny] found");
    assert_eq!(text(&review_1, &["uid"]), "sound-1");
    let review_2 = running.ask("/v1/admit", review("sound-2", "other").as_bytes()).review();
    assert_eq!(review_2.get("allowed"), Some(&Value::Bool(true)));
    assert_eq!(text(&review_2, &["uid"]), "sound-2");
}

pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.path(path).and_then(Value::as_str).unwrap_or_default()
}

/// The most memory this process ever had, MiB.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .unwrap_or_default()
        / 1024
}

/// Whether the whole of a long test is to run (`tests/webhook/full`), not its short form.
pub fn full() -> bool {
    std::env::var_os("REGENT_FULL").is_some()
}

/// The cases of a YAML file beside the tests.
pub fn cases(file: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let cases = yaml::read(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    cases.as_array().expect("a list of cases").to_vec()
}
