//! A real API server for tests: etcd and kube-apiserver as processes on free loopback ports, gone when dropped.
//!
//! Include it with `#[path = "../../../tests/cluster/harness.rs"] mod harness;`. The binaries come from
//! `tests/cluster/assets`; where they are absent a test says "not run" with the reason, and never that it passed.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A user of `system:masters`.
pub(crate) const ADMIN: &str = "admin-token";
/// A user `alice` of group `developers`, who may do what RBAC gives her.
pub(crate) const ALICE: &str = "alice-token";
/// Regent's own service account (`regent` in `regent-system`), who may do what RBAC gives it.
pub(crate) const REGENT: &str = "regent-token";

/// A running API server with its etcd.
pub(crate) struct TestCluster {
    pub(crate) folder: PathBuf,
    assets: PathBuf,
    etcd_port: u16,
    peer_port: u16,
    pub(crate) api_port: u16,
    etcd: Option<Child>,
    api: Option<Child>,
    manager: Option<Child>,
    /// Whether the controllers run, and with them ServiceAccounts exist.
    controlled: bool,
}

/// What is written to the API server's audit log: requests about objects of the namespace `audited`, and our own.
const AUDIT: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, namespaces: [audited]}
- {level: Metadata, users: ["system:serviceaccount:regent-system:regent"]}
- {level: None}
"#;

/// Where the binaries are.
///
/// # Errors
/// They are not there; why a test is not run.
pub(crate) fn assets() -> Result<PathBuf, String> {
    let folder = match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/cluster"),
    };
    for name in ["etcd", "kube-apiserver", "kubectl", "service-account.key"] {
        if !folder.join(name).is_file() {
            return Err(format!(
                "there is no {name} in {}; run tests/cluster/assets",
                folder.display()
            ));
        }
    }
    folder.canonicalize().map_err(|e| e.to_string())
}

/// Starts one, or says why not and gives nothing.
pub(crate) fn start(test: &str) -> Option<TestCluster> {
    start_with(test, false)
}

/// Starts one with its controllers, or says why not and gives nothing.
pub(crate) fn start_controlled(test: &str) -> Option<TestCluster> {
    start_with(test, true)
}

fn start_with(test: &str, controlled: bool) -> Option<TestCluster> {
    let there = assets().and_then(|folder| {
        if controlled && !folder.join("kube-controller-manager").is_file() {
            return Err(format!("there is no kube-controller-manager in {}", folder.display()));
        }
        Ok(folder)
    });
    match there {
        Ok(assets) => Some(TestCluster::start(assets, controlled)),
        Err(why) => {
            eprintln!("{test}: not run: {why}");
            None
        }
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl TestCluster {
    fn start(assets: PathBuf, controlled: bool) -> TestCluster {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "regent-cluster-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("scratch folder");
        let tokens = format!(
            "{ADMIN},admin,1,\"system:masters\"\n{ALICE},alice,2,\"developers\"\n{REGENT},system:serviceaccount:regent-system:regent,3,\"system:serviceaccounts,system:authenticated\"\n"
        );
        fs::write(folder.join("tokens.csv"), tokens).expect("token file");
        let mut cluster = TestCluster {
            folder,
            assets,
            etcd_port: free_port(),
            peer_port: free_port(),
            api_port: free_port(),
            etcd: None,
            api: None,
            manager: None,
            controlled,
        };
        fs::write(cluster.folder.join("audit.yaml"), AUDIT).expect("audit policy");
        cluster.start_etcd();
        cluster.start_api();
        let config = cluster.write_kubeconfig("kubeconfig", &cluster.url(), ADMIN);
        assert!(config.is_file());
        cluster.wait_ready();
        if controlled {
            cluster.start_manager();
        }
        cluster
    }

    /// The API server's address.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port)
    }

    /// The administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A kubeconfig for a server and a user's token.
    pub(crate) fn write_kubeconfig(&self, name: &str, server: &str, token: &str) -> PathBuf {
        let path = self.folder.join(name);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- name: test\n  cluster: {{server: {server}, \
             insecure-skip-tls-verify: true}}\nusers:\n- name: test\n  user: {{token: {token}}}\ncontexts:\n- name: \
             test\n  context: {{cluster: test, user: test}}\n"
        );
        fs::write(&path, text).expect("kubeconfig");
        path
    }

    fn spawn(&self, name: &str, args: &[String]) -> Child {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(format!("{name}.log")))
            .expect("log file");
        Command::new(self.assets.join(name))
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn start_etcd(&mut self) {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let args = [
            format!("--data-dir={}", self.folder.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=error".to_owned(),
        ];
        self.etcd = Some(self.spawn("etcd", &args));
    }

    pub(crate) fn start_api(&mut self) {
        let key = self.assets.join("service-account.key").display().to_string();
        let mut args = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            format!("--cert-dir={}", self.folder.join("certificates").display()),
            format!("--secure-port={}", self.api_port),
            "--bind-address=127.0.0.1".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            format!("--token-auth-file={}", self.folder.join("tokens.csv").display()),
            "--authorization-mode=RBAC".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--audit-policy-file={}", self.folder.join("audit.yaml").display()),
            format!("--audit-log-path={}", self.audit_log().display()),
        ];
        // Without the controllers no ServiceAccount exists, and no Pod could be made.
        if !self.controlled {
            args.push("--disable-admission-plugins=ServiceAccount".to_owned());
        }
        self.api = Some(self.spawn("kube-apiserver", &args));
    }

    /// What the API server recorded, by `AUDIT`.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// Starts the controllers: Pods of workloads, ServiceAccounts, the end of namespaces.
    fn start_manager(&mut self) {
        let key = self.assets.join("service-account.key").display().to_string();
        let args = [
            format!("--kubeconfig={}", self.kubeconfig().display()),
            format!("--service-account-private-key-file={key}"),
            "--use-service-account-credentials=false".to_owned(),
            format!("--secure-port={}", free_port()),
            "--leader-elect=false".to_owned(),
        ];
        self.manager = Some(self.spawn("kube-controller-manager", &args));
    }

    /// Waits until the API server answers well.
    pub(crate) fn wait_ready(&self) {
        let since = Instant::now();
        loop {
            let run = self.kubectl(&["get", "--raw", "/readyz"]);
            if run.status.success() {
                return;
            }
            if since.elapsed() > Duration::from_secs(120) {
                let log = fs::read_to_string(self.folder.join("kube-apiserver.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(20).collect();
                panic!("the API server did not get ready: {}", tail.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Runs kubectl as the administrator.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Output {
        self.kubectl_with(&self.kubeconfig(), args, None)
    }

    /// Runs kubectl with a kubeconfig and something on standard input.
    pub(crate) fn kubectl_with(&self, kubeconfig: &Path, args: &[&str], input: Option<&str>) -> Output {
        let mut command = Command::new(self.assets.join("kubectl"));
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(args)
            .env("HOME", &self.folder)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl");
        if let Some(input) = input {
            use std::io::Write;
            let mut stdin = child.stdin.take().expect("its standard input");
            stdin.write_all(input.as_bytes()).expect("writing to kubectl");
        }
        child.wait_with_output().expect("kubectl")
    }

    /// Applies manifests as the administrator; what kubectl said, or its error.
    pub(crate) fn apply(&self, manifests: &str) -> Result<String, String> {
        let run = self.kubectl_with(&self.kubeconfig(), &["apply", "-f", "-"], Some(manifests));
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        if run.status.success() {
            Ok(text(&run.stdout))
        } else {
            Err(text(&run.stderr))
        }
    }

    /// Sends a signal to a process: `etcd` or `kube-apiserver`.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let child = if name == "etcd" { &self.etcd } else { &self.api };
        let pid = child.as_ref().expect("it runs").id().to_string();
        let done = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status()
            .expect("kill");
        assert!(done.success(), "{name} took no signal {signal}");
    }

    /// Kills a process at once and waits for its end.
    pub(crate) fn kill(&mut self, name: &str) {
        let child = if name == "etcd" { &mut self.etcd } else { &mut self.api };
        if let Some(mut child) = child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        for child in [&mut self.manager, &mut self.api, &mut self.etcd] {
            if let Some(mut child) = child.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if std::env::var_os("REGENT_KEEP_CLUSTER").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl TestCluster {
    /// Compacts etcd at its present revision, so that what is older cannot be watched from any more.
    pub(crate) fn compact(&self) {
        let range = self.etcd_post("/v3/kv/range", r#"{"key":"AA=="}"#);
        let revision = range
            .split_once("\"revision\":\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .unwrap_or_else(|| panic!("no revision in etcd's answer: {range}"))
            .0;
        let done = self.etcd_post(
            "/v3/kv/compaction",
            &format!("{{\"revision\":\"{revision}\",\"physical\":true}}"),
        );
        assert!(done.contains("header"), "etcd did not compact: {done}");
    }

    fn etcd_post(&self, path: &str, body: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.etcd_port)).expect("etcd");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
             close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).expect("a request to etcd");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("etcd's answer");
        answer
    }
}
