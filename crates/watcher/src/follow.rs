//! One kind of object, followed: whole lists, then changes, through every fault of the API server.

use crate::pace::{Pace, WATCH_ENDS};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// [`WATCH_ENDS`] for the API server; a connection that is dead without a word is noticed soon after.
const WATCH_SECONDS: u32 = WATCH_ENDS.as_secs() as u32;
/// After the first failure in a row, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(300);
/// See [`FIRST_WAIT`]. What is to converge within ten seconds after a fault cannot wait longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What happened to the objects of a kind.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// These are all there are.
    All(Vec<DynamicObject>),
    /// This one is new or changed.
    Put(DynamicObject),
    /// This one is gone.
    Gone(DynamicObject),
    /// The kind itself is not there.
    NoKind,
    /// The API server cannot be asked; why.
    Unreachable(String),
}

/// Follows a kind for ever. `sink` says whether to go on. A change of `again` has everything listed anew: the mark of a
/// fault that has ended, in which a watch may have died without a word.
pub(crate) async fn follow(
    api: Api<DynamicObject>,
    labels: Option<&str>,
    pace: Pace,
    mut again: watch::Receiver<u64>,
    mut sink: impl FnMut(Change) -> bool,
) {
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    if let Some(labels) = labels {
        config = config.labels(labels);
    }
    let mut wait = FIRST_WAIT;
    loop {
        again.mark_unchanged();
        let mut events = pin!(watcher::watcher(api.clone(), config.clone()));
        let mut listed = Vec::new();
        loop {
            let event = {
                let restart = pin!(again.changed());
                match select(events.next(), restart).await {
                    Either::Left((Some(event), _)) => event,
                    // Whoever marks the end of faults has ended: so do we.
                    Either::Right((Err(_), _)) => return,
                    Either::Left((None, _)) | Either::Right((Ok(()), _)) => break,
                }
            };
            let change = match event {
                Ok(Event::Init) => {
                    listed.clear();
                    continue;
                }
                Ok(Event::InitApply(object)) => {
                    listed.push(object);
                    continue;
                }
                Ok(Event::InitDone) => Change::All(std::mem::take(&mut listed)),
                Ok(Event::Apply(object)) => Change::Put(object),
                Ok(Event::Delete(object)) => Change::Gone(object),
                Err(error) => {
                    let change = failure(&error, &pace);
                    if !sink(change) {
                        return;
                    }
                    tokio::time::sleep(jittered(wait)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    continue;
                }
            };
            wait = FIRST_WAIT;
            if !sink(change) {
                return;
            }
        }
    }
}

fn failure(error: &watcher::Error, pace: &Pace) -> Change {
    if let watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status)) = error
        && status.code == 404
    {
        return Change::NoKind;
    }
    pace.failed(Instant::now());
    Change::Unreachable(error.to_string())
}

/// Between half and all of it, so that many do not come back at once.
fn jittered(wait: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0u8) % 512;
    wait / 2 + wait * u32::try_from(random).unwrap_or_default() / 1_024
}
