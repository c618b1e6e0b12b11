//! What `regent serve` understands.

use super::{EngineName, bytes, duration};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// Policies: directory, file, archive (.tar.gz) or builtin:SET[@VERSION]
    #[arg(short, long = "policy", value_name = "SOURCE")]
    pub(crate) policy: Vec<String>,
    /// Settings as YAML, with the names of these flags; a flag that is given wins
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Directory in which the last ten policy sets are kept across restarts
    #[arg(long, value_name = "DIR", help_heading = POLICIES)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Serve a set without policies, and believe a source that has become empty
    #[arg(long, help_heading = POLICIES)]
    pub(crate) allow_empty: bool,
    /// Kept revision (or its beginning) to serve, whatever the sources say
    #[arg(long, value_name = "REVISION", requires = "cache_dir", help_heading = POLICIES)]
    pub(crate) pin: Option<String>,

    /// Cluster whose custom resources, ConfigMaps and Namespaces are watched; inside a Pod its own cluster is
    #[arg(long, value_name = "FILE", help_heading = CLUSTER)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Namespace whose ConfigMaps may carry policies; the server's own by default
    #[arg(long, value_name = "NAME", help_heading = CLUSTER)]
    pub(crate) config_map_namespace: Vec<String>,
    /// Write nothing to the cluster: no statuses, no annotations, no definitions of constraints
    #[arg(long, help_heading = CLUSTER)]
    pub(crate) read_only: bool,
    /// Namespace the server runs in
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE", hide_env_values = true, help_heading = CLUSTER)]
    pub(crate) own_namespace: Option<String>,
    /// Name of this server in statuses
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide_env_values = true, help_heading = CLUSTER)]
    pub(crate) identity: Option<String>,

    /// Where reviews come in (TLS)
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443", help_heading = LISTENING)]
    pub(crate) listen: SocketAddr,
    /// Where health, metrics and policies are told (plain HTTP; 127.0.0.1:9090, in a cluster 0.0.0.0:9090)
    #[arg(long, value_name = "ADDRESS", help_heading = LISTENING)]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Directory with tls.crt and tls.key, read again when they change; without it a CA and a certificate are made
    #[arg(long, value_name = "DIR", help_heading = LISTENING)]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Names and addresses of the certificate that is made
    #[arg(long, value_name = "NAME", help_heading = LISTENING, conflicts_with = "cert_dir")]
    pub(crate) cert_name: Vec<String>,
    /// CA (PEM) that clients must have a certificate of
    #[arg(long, value_name = "FILE", help_heading = LISTENING)]
    pub(crate) client_ca: Option<PathBuf>,
    /// Name that a client's certificate must be for (kube-apiserver, in Gatekeeper)
    #[arg(long, value_name = "NAME", help_heading = LISTENING, requires = "client_ca")]
    pub(crate) client_name: Vec<String>,
    /// Lowest version of TLS
    #[arg(long, value_enum, default_value_t = TlsVersion::V12, value_name = "VERSION", help_heading = LISTENING)]
    pub(crate) tls_min_version: TlsVersion,

    /// Write a line of JSON to standard output for each violation
    #[arg(long, help_heading = ANSWERS)]
    pub(crate) log_denies: bool,
    /// Evaluator; `both` makes a disagreement an error, which refuses the review
    #[arg(long, value_enum, default_value_t = EngineName::Native, help_heading = ANSWERS)]
    pub(crate) engine: EngineName,
    /// With `--engine both`: of a hundred reviews, how many are judged by both (1 to 100)
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100), help_heading = ANSWERS)]
    pub(crate) engine_share: u8,
    /// Time limit for each constraint and object (1ms to 30s)
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration, help_heading = ANSWERS)]
    pub(crate) timeout: Duration,
    /// Time limit of a review whose request names none (100ms to 30s)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, help_heading = ANSWERS)]
    pub(crate) default_deadline: Duration,
    /// Namespace that may carry the label admission.gatekeeper.sh/ignore
    #[arg(long, value_name = "NAME", help_heading = ANSWERS)]
    pub(crate) exempt_namespace: Vec<String>,
    /// Beginning of names of such Namespaces
    #[arg(long, value_name = "PREFIX", help_heading = ANSWERS)]
    pub(crate) exempt_namespace_prefix: Vec<String>,
    /// End of names of such Namespaces
    #[arg(long, value_name = "SUFFIX", help_heading = ANSWERS)]
    pub(crate) exempt_namespace_suffix: Vec<String>,

    /// Threads that judge (1 to 1024); all cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = LIMITS)]
    pub(crate) threads: Option<u16>,
    /// Bytes of a review (1Ki to 256Mi)
    #[arg(long, value_name = "BYTES", default_value = "32Mi", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) max_body: usize,
    /// Bytes of all large reviews at once (max-body to 4Gi)
    #[arg(long, value_name = "BYTES", default_value = "96Mi", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) max_bodies: usize,
    /// Values in a review (1000 to 100000000)
    #[arg(long, value_name = "N", default_value_t = 1_000_000, help_heading = LIMITS)]
    pub(crate) max_values: usize,
    /// Levels of nesting in a review (16 to 1000)
    #[arg(long, value_name = "N", default_value_t = 1_000, help_heading = LIMITS)]
    pub(crate) max_depth: usize,
    /// Memory that the values may take which one evaluation makes (1Mi to 64Gi)
    #[arg(long, value_name = "BYTES", default_value = "192Mi", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) max_memory: usize,
    /// Connections at once (1 to 100000)
    #[arg(long, value_name = "N", default_value_t = 4_096, help_heading = LIMITS)]
    pub(crate) max_connections: usize,
    /// Reviews at once (1 to 100000)
    #[arg(long, value_name = "N", default_value_t = 1_024, help_heading = LIMITS)]
    pub(crate) max_concurrency: usize,
    /// Streams at once on one HTTP/2 connection (1 to 10000)
    #[arg(long, value_name = "N", default_value_t = 250, help_heading = LIMITS)]
    pub(crate) max_streams: u32,
    /// Bytes of a request's headers (8Ki to 1Mi)
    #[arg(long, value_name = "BYTES", default_value = "64Ki", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) max_headers: usize,
    /// Bytes of one message in an answer (64 to 1Mi)
    #[arg(long, value_name = "BYTES", default_value = "8Ki", value_parser = bytes, help_heading = LIMITS)]
    pub(crate) max_message: usize,
    /// Messages in an answer (1 to 10000)
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = LIMITS)]
    pub(crate) max_messages: usize,
    /// Time for a TLS handshake (100ms to 1m)
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, help_heading = LIMITS)]
    pub(crate) handshake_time: Duration,
    /// Time for a request's headers (100ms to 1m)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, help_heading = LIMITS)]
    pub(crate) header_time: Duration,
    /// Time for a request's body (100ms to 1m)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, help_heading = LIMITS)]
    pub(crate) body_time: Duration,
    /// Time in which a client must take a part of an answer (100ms to 1m)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, help_heading = LIMITS)]
    pub(crate) write_time: Duration,
    /// Time after which an idle connection is closed (1s to 1h)
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration, help_heading = LIMITS)]
    pub(crate) idle_time: Duration,
    /// From "not ready" to the end of accepting after SIGTERM (0s to 5m; 0s on a workstation, 10s in a cluster)
    #[arg(long, value_name = "DURATION", value_parser = delay, help_heading = LIMITS)]
    pub(crate) shutdown_delay: Option<Duration>,
    /// Longest wait for what is in flight after that (100ms to 5m)
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = up_to_five_minutes, help_heading = LIMITS)]
    pub(crate) drain_time: Duration,
}

const POLICIES: &str = "Policies";
const CLUSTER: &str = "Cluster";
const LISTENING: &str = "Listening";
const ANSWERS: &str = "Answers";
const LIMITS: &str = "Limits";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsVersion {
    #[value(name = "1.2")]
    V12,
    #[value(name = "1.3")]
    V13,
}

fn up_to_five_minutes(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_millis(100), Duration::from_secs(300));
    let value = duration(text)?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err("expected 100ms to 5m".to_owned())
    }
}

/// A duration that may be nothing.
fn delay(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        other => {
            let value = duration(other)?;
            if value <= Duration::from_secs(300) {
                Ok(value)
            } else {
                Err("expected 0s to 5m".to_owned())
            }
        }
    }
}
