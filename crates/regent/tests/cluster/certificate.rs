//! `deploy/certificate`, run by an operator: it makes a pair and tells the API server of its CA, and replaces both without
//! a gap.

use crate::harness::{TestCluster, assets};
use crate::served::{PATIENCE, Served, deploy};
use crate::web;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NAME: &str = "regent-webhook.regent-system.svc";

fn script(cluster: &TestCluster) {
    let path = std::env::var("PATH").unwrap_or_default();
    let run = Command::new(crate::repository().join("deploy/certificate"))
        .arg("30")
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("PATH", format!("{}:{path}", assets().expect("binaries").display()))
        .output()
        .expect("the script");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn decoded(cluster: &TestCluster, args: &[&str]) -> String {
    let run = cluster.kubectl(args);
    let text = STANDARD.decode(run.stdout).expect("base64");
    String::from_utf8(text).expect("PEM")
}

/// What the API server trusts for a webhook.
fn bundle(cluster: &TestCluster, webhook: usize) -> String {
    let path = format!("jsonpath={{.webhooks[{webhook}].clientConfig.caBundle}}");
    let of = "regent-validating-webhook-configuration";
    decoded(cluster, &["get", "validatingwebhookconfiguration", of, "-o", &path])
}

/// Has the server see what the Secret holds, as the kubelet does.
fn mount(cluster: &TestCluster, served: &Served) {
    for name in ["tls.crt", "tls.key"] {
        let path = format!("jsonpath={{.data.{}}}", name.replace('.', "\\."));
        let text = decoded(
            cluster,
            &[
                "get",
                "secret",
                "regent-webhook-tls",
                "-n",
                "regent-system",
                "-o",
                &path,
            ],
        );
        std::fs::write(served.folder.join("certs").join(name), text).expect("a file");
    }
}

/// Whether a client that trusts a bundle takes the server for the webhook's Service.
fn trusts(served: &Served, bundle: &str) -> bool {
    let config = Arc::new(web::client_config(web::roots(bundle)));
    let name = ServerName::try_from(NAME).expect("a name");
    let mut connection = ClientConnection::new(config, name).expect("a client");
    let mut socket = TcpStream::connect(("127.0.0.1", served.port)).expect("a connection");
    while connection.is_handshaking() {
        if connection.complete_io(&mut socket).is_err() {
            return false;
        }
    }
    true
}

pub(crate) fn made_and_replaced(cluster: &TestCluster) {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("cluster: not run: there is no openssl");
        return;
    }
    deploy(cluster);
    script(cluster);
    let first = bundle(cluster, 0);
    assert_eq!(first.matches("BEGIN CERTIFICATE").count(), 1);
    assert_eq!(bundle(cluster, 1), first);
    let mut served = Served::new(cluster, &cluster.url(), &[]);
    mount(cluster, &served);
    served.start();
    assert!(trusts(&served, &first));

    script(cluster);
    let both = bundle(cluster, 0);
    assert_eq!(both.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(bundle(cluster, 1), both);
    let second = both.replace(first.trim(), "");
    assert!(trusts(&served, &both), "the old pair serves still, and is trusted");
    assert!(!trusts(&served, &second));
    mount(cluster, &served);
    let since = Instant::now();
    while !trusts(&served, &second) {
        assert!(since.elapsed() < PATIENCE, "{}", served.log("messages.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(trusts(&served, &both) && !trusts(&served, &first));
    assert!(served.log("messages.log").contains("certificate replaced"));

    // An upgrade applies the same manifests again.
    deploy(cluster);
    assert_eq!(bundle(cluster, 0), both);
    eprintln!("cluster: a certificate made, replaced without a gap, and left as it is by another apply");
}
