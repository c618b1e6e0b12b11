//! Writes to the cluster, in the background: the newest wish for an object takes the place of older ones, and what
//! fails is tried again, slowly.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The field manager we go by.
const MANAGER: &str = "regent";
/// After a failure, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// See [`FIRST_WAIT`].
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What to do to an object.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// Merge this into it. With a `metadata.resourceVersion` in it, only into that version.
    Merge(Json),
    /// Merge this into its status.
    MergeStatus(Json),
    /// Make it so, whoever owned its fields.
    Apply(Json),
}

/// Where an object is.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) api: Api<DynamicObject>,
    pub(crate) name: String,
    /// Tells targets apart.
    pub(crate) key: String,
}

/// Takes wishes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(Arc<Desk>);

#[derive(Debug, Default)]
struct Desk {
    wanted: Mutex<BTreeMap<String, (Target, Write)>>,
    bell: Notify,
}

impl Writer {
    /// Wishes something written.
    pub(crate) fn want(&self, target: Target, write: Write) {
        let mut wanted = self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.insert(target.key.clone(), (target, write));
        self.0.bell.notify_one();
    }

    fn next(&self) -> Option<(Target, Write)> {
        let mut wanted = self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.pop_first().map(|(_, wish)| wish)
    }

    /// Puts a wish back, unless there is a newer one.
    fn again(&self, target: Target, write: Write) {
        let mut wanted = self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.entry(target.key.clone()).or_insert((target, write));
    }

    /// Writes, for ever.
    pub(crate) async fn run(self) {
        let mut wait = FIRST_WAIT;
        loop {
            let Some((target, write)) = self.next() else {
                self.0.bell.notified().await;
                continue;
            };
            match put(&target, &write).await {
                Ok(()) => wait = FIRST_WAIT,
                // It is gone, or has changed: who watches it will see and wish anew. What is not allowed or not valid
                // does not become so by asking again.
                Err(kube::Error::Api(status)) if matches!(status.code, 400 | 401 | 403 | 404 | 409 | 422) => {}
                Err(_) => {
                    self.again(target, write);
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }
}

async fn put(target: &Target, write: &Write) -> Result<(), kube::Error> {
    let Target { api, name, .. } = target;
    let merging = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match write {
        Write::Merge(body) => api.patch(name, &merging, &Patch::Merge(body)).await,
        Write::MergeStatus(body) => api.patch_status(name, &merging, &Patch::Merge(body)).await,
        Write::Apply(body) => {
            api.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(body))
                .await
        }
    }
    .map(|_| ())
}
