//! What a server asks of the watcher.

use crate::cluster::Cluster;
use crate::source::Contribution;
use regent_core::CompileOptions;
use std::path::PathBuf;
use std::time::Duration;

/// A path that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSource {
    /// A directory, a file or an archive, as `-p` names it.
    pub path: String,
}

/// Where policies come from, apart from the cluster.
#[derive(Clone, Debug)]
pub enum Source {
    /// A path that is watched. What of it does not load is refused whole: what it said last serves.
    Disk(DiskSource),
    /// What does not change: shipped sets, standard input.
    Fixed {
        /// The name it goes by, such as `builtin:pod-security-baseline`.
        name: String,
        /// What it says.
        contribution: Contribution,
    },
}

/// What is watched in a cluster, and what is written to it.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Made by [`crate::cluster::connect`].
    pub cluster: Cluster,
    /// Watch ConfigMaps that carry policies.
    pub config_maps: bool,
    /// Namespaces whose ConfigMaps are looked at; empty: all.
    pub config_map_namespaces: Vec<String>,
    /// Watch ConstraintTemplates, constraints, Config and ExpansionTemplates.
    pub custom_resources: bool,
    /// Create the custom resource definitions of constraints from their templates.
    pub create_definitions: bool,
    /// Write statuses and annotations.
    pub write_status: bool,
    /// The namespace Regent runs in: where `Config` is looked for, beside `gatekeeper-system`.
    pub own_namespace: String,
    /// The name of this process in `status.byPod`: the Pod's.
    pub identity: String,
}

/// How a watcher is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sources other than the cluster. A document that two sources define differently is the later source's fault.
    pub sources: Vec<Source>,
    /// The cluster, when there is one.
    pub cluster: Option<ClusterOptions>,
    /// Where the last good sets are kept across restarts; `None`: nowhere.
    pub cache_dir: Option<PathBuf>,
    /// Take a set without policies for a set, and a source that has become empty at its word.
    pub allow_empty: bool,
    /// How policies are compiled.
    pub compile: CompileOptions,
    /// How often disks are looked at, for when their notices are lost. 200 ms to 1 h.
    pub poll: Duration,
    /// How long after a change more changes are waited for. Up to 10 s.
    pub debounce: Duration,
    /// How long a source may be silent at the start before what the cache has of it serves.
    pub patience: Duration,
    /// A kept revision to serve from the start, whatever the sources say.
    pub pin: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            sources: Vec::new(),
            cluster: None,
            cache_dir: None,
            allow_empty: false,
            compile: CompileOptions::default(),
            poll: Duration::from_secs(3),
            debounce: Duration::from_millis(50),
            patience: Duration::from_secs(5),
            pin: None,
        }
    }
}
