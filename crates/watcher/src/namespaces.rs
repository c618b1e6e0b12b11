//! Namespace objects, for matching.
//!
//! Until the first list has come, each is looked up. When the API server does not answer at all, what an earlier run knew
//! last serves, as it would have had that run gone on; never while the API server may still say something newer.

use crate::cluster::{self, Cluster};
use crate::follow::{Change, follow};
use crate::namespaces_kept::{self, Kept};
use futures_util::future::{Either, join3, select};
use kube::api::{Api, DynamicObject};
use regent_rego::Value;
use rustc_hash::FxHashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// How long after what is known was kept it is kept again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is noted that what is kept is still so.
const CONFIRM: Duration = Duration::from_secs(30);
/// The API server that was not heard of for this long confirms nothing.
const SILENT: Duration = Duration::from_secs(10);

/// What is known of the Namespaces of a cluster: a watched store, and a live look where it has no answer.
#[derive(Debug, Default)]
pub struct Namespaces {
    known: RwLock<Known>,
    cluster: Option<Cluster>,
    /// Where they are kept across restarts.
    cache_dir: Option<PathBuf>,
    /// Rings when what is known has changed.
    changed: Notify,
}

#[derive(Default)]
struct Known {
    by_name: FxHashMap<String, Value>,
    /// Whether the first whole list came.
    synced: bool,
    /// What an earlier run knew; until the first whole list.
    kept: Option<Kept>,
    /// Whether that had to serve, for want of an API server.
    kept_serves: bool,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known")
            .field("namespaces", &self.by_name.len())
            .finish()
    }
}

impl Namespaces {
    /// Namespaces that do not change: for tests, and where there is no cluster.
    pub fn fixed(objects: impl IntoIterator<Item = Value>) -> Arc<Namespaces> {
        let named = |v: Value| Some((v.path(&["metadata", "name"])?.as_str()?.to_owned(), v.clone()));
        let known = Known {
            by_name: objects.into_iter().filter_map(named).collect(),
            synced: true,
            ..Known::default()
        };
        Arc::new(Namespaces {
            known: RwLock::new(known),
            ..Namespaces::default()
        })
    }

    /// Those of a cluster; [`Namespaces::run`] fills them.
    pub(crate) fn watched(cluster: Cluster, cache_dir: Option<PathBuf>) -> Arc<Namespaces> {
        let known = Known {
            kept: cache_dir.as_deref().and_then(namespaces_kept::recall),
            ..Known::default()
        };
        Arc::new(Namespaces {
            known: RwLock::new(known),
            cluster: Some(cluster),
            cache_dir,
            changed: Notify::new(),
        })
    }

    /// The watched object; before the first whole list, and while the API server does not answer, the one that an earlier
    /// run kept.
    pub fn get(&self, name: &str) -> Option<Value> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.kept.is_none() || known.by_name.contains_key(name) {
            return known.by_name.get(name).cloned();
        }
        let away = self.cluster.as_ref().is_some_and(Cluster::is_away);
        known.kept.as_ref().filter(|_| away)?.by_name.get(name).cloned()
    }

    /// The watched object, else what the API server says now; `None` where there is no such Namespace (or no cluster
    /// to ask). The caller bounds the time it waits.
    ///
    /// # Errors
    /// It is not known here and the API server did not answer: whoever judges must not take that for "no labels".
    pub async fn find(&self, name: &str) -> Result<Option<Value>, String> {
        if let Some(found) = self.get(name) {
            return Ok(Some(found));
        }
        let Some(cluster) = &self.cluster else { return Ok(None) };
        let asked = cluster::namespace(cluster.client(), name);
        if !self.has_kept(name) {
            return asked.await.map_err(|e| e.message);
        }
        match select(pin!(asked), pin!(cluster.until_away())).await {
            Either::Left((Ok(found), _)) => return Ok(found),
            Either::Left((Err(e), _)) if e.refused => return Err(e.message),
            // One failure may be of the moment: the heartbeat says whether the API server is away.
            Either::Left((Err(_), _)) => cluster.until_away().await,
            Either::Right(_) => {}
        }
        match self.get(name) {
            Some(found) => Ok(Some(found)),
            // It has come back, and its list has taken the place of what was kept.
            None => cluster::namespace(cluster.client(), name).await.map_err(|e| e.message),
        }
    }

    /// Whether an earlier run knew a Namespace that no list has told of since.
    fn has_kept(&self, name: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.kept.as_ref().is_some_and(|k| k.by_name.contains_key(name))
    }

    /// How long ago the API server was last known to answer, in an earlier run if it did not in this one; `None`: there is
    /// no cluster, or it never did.
    pub fn staleness(&self) -> Option<Duration> {
        let silence = self.cluster.as_ref().and_then(Cluster::silence);
        silence.or_else(|| {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let since = SystemTime::now().duration_since(known.kept.as_ref()?.at);
            Some(since.unwrap_or_default())
        })
    }

    /// Whether those of an earlier run serve: no list has come in this one, and the API server does not answer.
    pub fn are_kept(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.kept.is_some() && known.kept_serves
    }

    /// Whether the first whole list has come, or there is none to be had and those of an earlier run serve; part of being
    /// ready in a cluster. Without a cluster: yes.
    pub fn is_synced(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        self.cluster.is_none() || known.synced || (known.kept.is_some() && known.kept_serves)
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match &known.kept {
            Some(kept) if known.kept_serves => kept.by_name.len(),
            _ => known.by_name.len(),
        }
    }

    /// Follows the cluster's, and keeps them.
    pub(crate) async fn run(self: Arc<Self>) {
        let Some(cluster) = self.cluster.clone() else { return };
        join3(self.follow(&cluster), self.keep(&cluster), self.fall_back(&cluster)).await;
    }

    /// Has those of an earlier run serve once the API server is away before it listed its own.
    async fn fall_back(&self, cluster: &Cluster) {
        cluster.until_away().await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.kept_serves = known.kept.is_some();
    }

    /// Keeps what is known whenever it changes.
    async fn keep(&self, cluster: &Cluster) {
        let Some(folder) = self.cache_dir.clone() else { return };
        loop {
            let is_new = tokio::time::timeout(CONFIRM, self.changed.notified()).await.is_ok();
            let by_name = {
                let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
                known.synced.then(|| known.by_name.clone())
            };
            let Some(by_name) = by_name else { continue };
            let heard = cluster.silence().is_some_and(|s| s < SILENT);
            let folder = folder.clone();
            let write = move || match (is_new, heard) {
                (true, _) => namespaces_kept::keep(&folder, by_name),
                (false, true) => namespaces_kept::confirm(&folder),
                (false, false) => Ok(()),
            };
            // A full disk must not stop serving; what is kept stays what it was, and tells its age.
            let _ = tokio::task::spawn_blocking(write).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow(&self, cluster: &Cluster) {
        let api: Api<DynamicObject> = Api::all_with(cluster.client().clone(), &cluster::namespace_kind());
        follow(api, None, cluster.pace(), cluster.again(), |change| {
            self.take(change, cluster);
            true
        })
        .await;
    }

    fn take(&self, change: Change, cluster: &Cluster) {
        let name = |o: &DynamicObject| o.metadata.name.clone().unwrap_or_default();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::All(objects) => {
                known.by_name = objects
                    .into_iter()
                    .filter_map(|o| Some((name(&o), cluster::value(o).ok()?)))
                    .collect();
                known.synced = true;
                known.kept = None;
            }
            Change::Put(object) => {
                let name = name(&object);
                match cluster::value(object) {
                    Ok(value) => known.by_name.insert(name, value),
                    // What cannot be read must be looked up, and fail there.
                    Err(_) => known.by_name.remove(&name),
                };
            }
            Change::Gone(object) => {
                known.by_name.remove(&name(&object));
            }
            Change::NoKind | Change::Unreachable(_) => return,
        }
        // Before anybody sees it: what is known is never without an age.
        cluster.heard();
        drop(known);
        self.changed.notify_one();
    }
}
