//! A client for the cluster that never asks more often than it should.

use kube::api::{Api, ApiResource, DynamicObject};
use kube::client::ClientBuilder;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use regent_rego::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::pace::{Pace, PaceLayer};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How often the API server is asked whether it is there, and how long it may take to say so.
const BEAT: Duration = Duration::from_secs(4);
/// See [`BEAT`].
const BEAT_ANSWER: Duration = Duration::from_secs(3);

/// A client with the pace it keeps. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// For the heartbeat, which must not stand in line behind what it is to set free.
    bare: kube::Client,
    pace: Pace,
    /// When the API server was last heard of.
    heard: Arc<Mutex<Option<Instant>>>,
    /// Counts faults that have ended.
    again: Arc<watch::Sender<u64>>,
    /// Whether the API server did not answer when it was last asked whether it is there.
    away: Arc<watch::Sender<bool>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    /// The client; whatever is asked through it keeps the pace.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// How long ago the API server was last known to answer; `None`: never.
    pub fn silence(&self) -> Option<Duration> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map(|at| at.elapsed())
    }

    pub(crate) fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// Changes when a fault has ended, in which watches may have died without a word.
    pub(crate) fn again(&self) -> watch::Receiver<u64> {
        self.again.subscribe()
    }

    /// Whether the API server did not answer when it was last asked; not before it was asked first.
    pub(crate) fn is_away(&self) -> bool {
        *self.away.borrow()
    }

    /// Ends when [`Cluster::is_away`].
    pub(crate) async fn until_away(&self) {
        // Who sends is here as long as we are.
        let _ = self.away.subscribe().wait_for(|away| *away).await;
    }

    /// Asks the API server every few seconds whether it is there, for ever.
    pub(crate) async fn beat(self) {
        let mut well = true;
        loop {
            let asked = tokio::time::timeout(BEAT_ANSWER, self.bare.apiserver_version()).await;
            if matches!(asked, Ok(Ok(_))) {
                self.heard();
                self.pace.answered(Instant::now());
                if !well {
                    self.again.send_modify(|n| *n += 1);
                }
                well = true;
            } else {
                self.pace.failed(Instant::now());
                well = false;
            }
            self.away.send_replace(!well);
            tokio::time::sleep(BEAT).await;
        }
    }
}

/// A client by a kubeconfig file, else by `$KUBECONFIG` or the user's own, else by the service account of the Pod it
/// runs in. When the API server is in trouble it asks at most four times a second, whoever uses it.
///
/// # Errors
/// There is no usable configuration.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Cluster, String> {
    let config = match kubeconfig {
        Some(path) => {
            let read = Kubeconfig::read_from(path).map_err(|e| format!("{}: {e}", path.display()))?;
            Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                .await
                .map_err(|e| format!("{}: {e}", path.display()))?
        }
        None => Config::infer().await.map_err(|e| format!("no cluster: {e}"))?,
    };
    client(config)
}

/// The same with a configuration at hand.
///
/// # Errors
/// Its certificates cannot be used.
pub fn client(mut config: Config) -> Result<Cluster, String> {
    config.connect_timeout = Some(CONNECT);
    // Retrying is done where it is known what for, and counted.
    config.default_retry = false;
    let pace = Pace::default();
    let layer = PaceLayer::new(pace.clone());
    let build = |config| ClientBuilder::try_from(config).map_err(|e| format!("the cluster's configuration: {e}"));
    let bare = build(config.clone())?.build();
    let builder = build(config)?;
    Ok(Cluster {
        client: builder.with_layer(&layer).build(),
        bare,
        pace,
        heard: Arc::default(),
        again: Arc::new(watch::Sender::new(0)),
        away: Arc::new(watch::Sender::new(false)),
    })
}

/// An object as the evaluator has it, without the bookkeeping of field managers.
pub(crate) fn value(mut object: DynamicObject) -> Result<Value, String> {
    object.metadata.managed_fields = None;
    let text = serde_json::to_vec(&object).map_err(|e| e.to_string())?;
    json::read(
        &text,
        json::ReadOptions {
            depth: 1_000,
            ..json::ReadOptions::default()
        },
    )
    .map_err(|e| e.message)
}

/// The kind of Namespaces, for reading them as they are.
pub(crate) fn namespace_kind() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Namespace"), "namespaces")
}

/// Why the API server did not give what was asked of it.
#[derive(Debug)]
pub(crate) struct NotGiven {
    pub(crate) message: String,
    /// It was the API server that said no; else nothing was heard of it.
    pub(crate) refused: bool,
}

/// One Namespace, asked for now.
pub(crate) async fn namespace(client: &kube::Client, name: &str) -> Result<Option<Value>, NotGiven> {
    let failed = |why: &dyn std::fmt::Display, refused| NotGiven {
        message: format!("namespace {name:?} cannot be looked up: {why}"),
        refused,
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &namespace_kind());
    match api.get_opt(name).await {
        Ok(None) => Ok(None),
        Ok(Some(object)) => value(object).map(Some).map_err(|why| failed(&why, true)),
        // What is told to a client names no file of ours, as that of a token.
        Err(kube::Error::Auth(_)) => Err(failed(&"the credentials for the API server cannot be read", false)),
        Err(error) => Err(failed(&error, matches!(error, kube::Error::Api(_)))),
    }
}
