//! `regent serve` as `deploy/kustomize` starts it: with the arguments of its Deployment and the rights of its
//! ServiceAccount, on a loopback port that the webhook configuration is pointed to.

use crate::harness::{TestCluster, free_port};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use regent_rego::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The server, killed when dropped.
pub(crate) struct Served {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    admin: u16,
    args: Vec<String>,
    /// The CA of its certificate (PEM).
    pub(crate) ca: String,
    child: Option<Child>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Applies `deploy/kustomize` as a user does.
pub(crate) fn deploy(cluster: &TestCluster) {
    let folder = crate::repository().join("deploy/kustomize");
    // Definitions come into being a moment after they are applied, but nothing here is of their kinds.
    let run = cluster.kubectl(&["apply", "-k", &folder.to_string_lossy()]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

impl Served {
    /// Makes certificate and directories, with the arguments of the Deployment in the cluster and `more`. The server
    /// speaks to the API server at `api` with a token of its ServiceAccount.
    pub(crate) fn new(cluster: &TestCluster, api: &str, more: &[&str]) -> Served {
        let folder = cluster.folder.join("served");
        for name in ["certs", "cache", "policies"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let ca = authority.self_signed(&key).expect("a CA").pem();
        let issuer = rcgen::Issuer::new(authority, key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let leaf =
            rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
        fs::write(folder.join("certs/tls.crt"), leaf.pem()).expect("a file");
        fs::write(folder.join("certs/tls.key"), key.serialize_pem()).expect("a file");

        let token = cluster.kubectl(&["create", "token", "regent", "-n", "regent-system", "--duration=24h"]);
        let token = String::from_utf8(token.stdout).expect("a token");
        let kubeconfig = cluster.write_kubeconfig("regent-kubeconfig", api, token.trim());
        let (port, admin) = (free_port(), free_port());
        let deployment = cluster.kubectl(&["get", "deployment", "regent", "-n", "regent-system", "-o", "json"]);
        let deployment = json::read(&deployment.stdout, json::ReadOptions::default()).expect("the Deployment");
        let containers = deployment.path(&["spec", "template", "spec", "containers"]);
        let container = containers
            .and_then(Value::as_array)
            .and_then(|c| c.first())
            .expect("a container");
        let given = container.get("args").and_then(Value::as_array).expect("arguments");
        let given = given.iter().map(|a| a.as_str().expect("a text"));
        let here = |name: &str| folder.join(name).display().to_string();
        let mut args: Vec<String> = given
            .map(|a| {
                a.replace("=/certs", &format!("={}", here("certs")))
                    .replace("=/cache", &format!("={}", here("cache")))
            })
            .collect();
        assert_eq!(args.first().map(String::as_str), Some("serve"));
        args.extend([
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--listen=127.0.0.1:{port}"),
            format!("--admin-listen=127.0.0.1:{admin}"),
        ]);
        args.extend(more.iter().map(|a| a.replace("POLICIES", &here("policies"))));
        Served {
            folder,
            port,
            admin,
            args,
            ca,
            child: None,
        }
    }

    /// Points the webhook configuration of the cluster to this server.
    pub(crate) fn register(&self, cluster: &TestCluster) {
        let bundle = STANDARD.encode(&self.ca);
        let operations: Vec<String> = ["admit", "admitlabel"]
            .iter()
            .enumerate()
            .map(|(i, path)| {
                format!(
                    "{{\"op\": \"replace\", \"path\": \"/webhooks/{i}/clientConfig\", \"value\": {{\"url\": \
                     \"https://127.0.0.1:{}/v1/{path}\", \"caBundle\": \"{bundle}\"}}}}",
                    self.port
                )
            })
            .collect();
        let patch = format!("[{}]", operations.join(","));
        let run = cluster.kubectl(&[
            "patch",
            "validatingwebhookconfiguration",
            "regent-validating-webhook-configuration",
            "--type=json",
            "-p",
            &patch,
        ]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }

    /// Starts it, and does not wait.
    pub(crate) fn spawn(&mut self) {
        let log = |name: &str| -> Stdio {
            let path = self.folder.join(name);
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("a log")
                .into()
        };
        let child = Command::new(env!("CARGO_BIN_EXE_regent"))
            .args(&self.args)
            .env("POD_NAME", "regent-0")
            .env("POD_NAMESPACE", "regent-system")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log("denies.log"))
            .stderr(log("messages.log"))
            .spawn()
            .expect("regent");
        self.child = Some(child);
    }

    /// Starts it and waits until it says that it is ready; how long that took.
    pub(crate) fn start(&mut self) -> Duration {
        let since = Instant::now();
        self.spawn();
        self.wait_ready();
        since.elapsed()
    }

    pub(crate) fn wait_ready(&self) {
        let since = Instant::now();
        while self.admin("/readyz").is_none_or(|(code, _)| code != 200) {
            assert!(
                since.elapsed() < PATIENCE,
                "not ready: {:?}\n{}",
                self.admin("/readyz"),
                self.log("messages.log")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has kept a set and the Namespaces for the next start.
    pub(crate) fn wait_kept(&self) {
        let since = Instant::now();
        let is_kept = |name: &str| self.folder.join("cache").join(name).is_file();
        while !(is_kept("state.json") && is_kept("namespaces.set")) {
            assert!(since.elapsed() < PATIENCE, "nothing is kept");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Forgets what it kept across restarts.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.folder.join("cache")).expect("the cache removed");
        fs::create_dir_all(self.folder.join("cache")).expect("a folder");
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Code and body of a page of the admin listener; `None`: nobody answers.
    pub(crate) fn admin(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some((code, body.to_owned()))
    }

    /// What it wrote: `denies.log` (standard output) or `messages.log` (standard error).
    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// Puts files into its directory of policies as the kubelet does for a mounted ConfigMap: a new directory, and one
    /// rename of the link `..data` to it.
    pub(crate) fn swap(&self, files: &[(&str, &str)]) {
        let folder = self.folder.join("policies");
        let new = format!("..{}", fs::read_dir(&folder).expect("a folder").count());
        fs::create_dir_all(folder.join(&new)).expect("a folder");
        for (name, text) in files {
            fs::write(folder.join(&new).join(name), text).expect("a file");
        }
        let _ = fs::remove_file(folder.join("..data_tmp"));
        std::os::unix::fs::symlink(&new, folder.join("..data_tmp")).expect("a link");
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("a rename");
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with("..") && !files.iter().any(|(n, _)| *n == name) {
                fs::remove_file(entry.path()).expect("a link removed");
            }
        }
        for (name, _) in files {
            let link = folder.join(name);
            if fs::symlink_metadata(&link).is_err() {
                std::os::unix::fs::symlink(format!("..data/{name}"), link).expect("a link");
            }
        }
    }
}
