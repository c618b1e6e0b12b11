//! Namespace objects, for matching.

use crate::cluster::{self, Cluster};
use crate::follow::{Change, follow};
use kube::api::{Api, DynamicObject};
use regent_rego::Value;
use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// What is known of the Namespaces of a cluster: a watched store, and a live look where it has no answer.
#[derive(Debug, Default)]
pub struct Namespaces {
    known: RwLock<Known>,
    cluster: Option<Cluster>,
}

#[derive(Default)]
struct Known {
    by_name: FxHashMap<String, Value>,
    /// Whether the first whole list came.
    synced: bool,
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
        };
        Arc::new(Namespaces {
            known: RwLock::new(known),
            cluster: None,
        })
    }

    /// Those of a cluster; [`Namespaces::run`] fills them.
    pub(crate) fn watched(cluster: Cluster) -> Arc<Namespaces> {
        Arc::new(Namespaces {
            known: RwLock::default(),
            cluster: Some(cluster),
        })
    }

    /// The watched object.
    pub fn get(&self, name: &str) -> Option<Value> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.by_name.get(name).cloned()
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
        match &self.cluster {
            None => Ok(None),
            Some(cluster) => cluster::namespace(cluster.client(), name).await,
        }
    }

    /// How long ago the API server was last known to answer; `None`: there is no cluster, or it never did.
    pub fn staleness(&self) -> Option<Duration> {
        self.cluster.as_ref().and_then(Cluster::silence)
    }

    /// Whether the first whole list has come; part of being ready in a cluster. Without a cluster: yes.
    pub fn is_synced(&self) -> bool {
        self.cluster.is_none() || self.known.read().unwrap_or_else(PoisonError::into_inner).synced
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_name.len()
    }

    /// Follows the cluster's.
    pub(crate) async fn run(self: Arc<Self>) {
        let Some(cluster) = self.cluster.clone() else { return };
        let api: Api<DynamicObject> = Api::all_with(cluster.client().clone(), &cluster::namespace_kind());
        follow(api, None, cluster.pace(), cluster.again(), |change| {
            self.take(change, &cluster);
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
        cluster.heard();
    }
}
