//! What a person at a workstation is told: where the CA lies, and how to try the server.

use crate::terminal;
use regent_webhook::Server;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// The certificate of a CA that was made, in a directory of its own; both go when it is dropped.
#[derive(Debug)]
pub(super) struct CaFile(PathBuf);

impl CaFile {
    pub(super) fn write(pem: &str) -> Result<CaFile, String> {
        let folder = std::env::temp_dir().join(format!("regent-serve-{}", std::process::id()));
        let path = folder.join("ca.crt");
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        // Of an earlier process with this number.
        let _ = fs::remove_dir_all(&folder);
        fs::DirBuilder::new().mode(0o755).create(&folder).map_err(failed)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path);
        file.and_then(|mut f| f.write_all(pem.as_bytes())).map_err(failed)?;
        Ok(CaFile(path))
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = self.0.parent().map(fs::remove_dir_all);
    }
}

const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1",
    "operation":"CREATE","kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"default","name":"a","object":
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"default"},"spec":{"containers":
    [{"name":"a","image":"a","securityContext":{"privileged":true}}]}}}}"#;

/// Says what is served where.
pub(super) fn welcome(server: &Server, ca: Option<&CaFile>) {
    if terminal::quiet() {
        return;
    }
    let listen = server.listen();
    terminal::notice(&format!("reviews: https://{listen}/v1/admit"));
    if let Some(admin) = server.admin() {
        terminal::notice(&format!(
            "health, metrics, policies: http://{admin}/readyz /metrics /v1/policies"
        ));
    }
    if let Some(CaFile(path)) = ca {
        terminal::notice(&format!("CA of the self-made certificate: {}", path.display()));
        terminal::notice(&format!(
            "try it:\n  curl --cacert {} https://localhost:{}/v1/admit -H 'Content-Type: application/json' -d '\n    {REVIEW}'",
            path.display(),
            listen.port()
        ));
    }
}
