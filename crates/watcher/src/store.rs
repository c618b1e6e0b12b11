//! What is served, and what is known about it.

use arc_swap::{ArcSwap, ArcSwapOption};
use regent_core::PolicySet;
use regent_core::manifest::Problem;
use regent_rego::Value;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

use crate::loader::Message;

/// A policy set in force. Never changed; replaced whole.
#[derive(Debug)]
pub struct Loaded {
    /// What judges.
    pub policies: Arc<PolicySet>,
    /// `sha256:…`, the digest of what the policies say; the same as the set's own.
    pub revision: Arc<str>,
    /// The `Config` documents of the set: excluded namespaces and the like.
    pub configs: Vec<Value>,
    /// Names of the sources that it was made of, sorted.
    pub sources: Vec<String>,
    /// What is amiss with the set in force: objects of the cluster that do not load, each served as its last good
    /// revision or answered as errors. Empty for a set without faults.
    pub problems: Vec<Problem>,
    /// When it came into force.
    pub loaded_at: SystemTime,
    /// How long reading and compiling took.
    pub took: Duration,
    /// Whether any of it is of the cache of an earlier run, because its source could not give it.
    pub from_cache: bool,
}

/// What became of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionState {
    /// In force.
    Serving,
    /// Was in force, or could be: it loads, and can be pinned.
    Ready,
    /// Loads, but another one is pinned.
    Held,
    /// Did not load.
    Refused,
}

impl RevisionState {
    /// The word for it in JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            RevisionState::Serving => "serving",
            RevisionState::Ready => "ready",
            RevisionState::Held => "held",
            RevisionState::Refused => "refused",
        }
    }
}

/// One entry of the list of revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its digest.
    pub revision: Arc<str>,
    /// What became of it.
    pub state: RevisionState,
    /// When it was last loaded or refused.
    pub at: SystemTime,
    /// What was wrong with it.
    pub problems: Vec<Problem>,
}

/// How a source is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Nothing was heard of it yet, and nothing of it is served.
    Waiting,
    /// What it says is served.
    Serving,
    /// What it says does not load; what it said last that did is served.
    LastGood,
    /// Nothing it said in this run loads or it was not heard of; what it said in an earlier run is served.
    Cached,
    /// Something of it does not load and there is nothing to fall back on: a set is not whole without it, or, for
    /// objects of a cluster, the reviews it would judge are answered as errors.
    Broken,
}

impl SourceState {
    /// The word for it in JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceState::Waiting => "waiting",
            SourceState::Serving => "serving",
            SourceState::LastGood => "last-good",
            SourceState::Cached => "cached",
            SourceState::Broken => "broken",
        }
    }
}

/// A source by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name: a path, `configmaps`, `custom-resources`, `builtin:…`.
    pub name: String,
    /// How it is doing.
    pub state: SourceState,
    /// The version of what it says that this is about (see [`crate::Contribution::version`]).
    pub version: u64,
    /// What is wrong with what it says now.
    pub problems: Vec<Problem>,
    /// Its files that nothing serves for, not even an earlier revision: what they would judge is answered as errors.
    pub broken: Vec<String>,
}

/// Everything there is to say, as one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The revision in force; empty when there is none.
    pub revision: Arc<str>,
    /// The revision that was pinned, while it is.
    pub pinned: Option<Arc<str>>,
    /// Each source, sorted by name.
    pub sources: Vec<SourceStatus>,
    /// What is wrong anywhere, sorted by file and line.
    pub problems: Vec<Problem>,
    /// How many sets came into force and how many were refused since the start.
    pub loads: u64,
    /// See `loads`.
    pub refusals: u64,
}

impl Status {
    /// Whether something is served that is not what the sources say now.
    pub fn is_degraded(&self) -> bool {
        !self.problems.is_empty() || self.sources.iter().any(|s| s.state != SourceState::Serving)
    }
}

/// Why a revision was not pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinError {
    /// None of the kept revisions begins so, or more than one.
    Unknown(String),
    /// It does not load any more (another version of Regent kept it).
    Broken(String),
    /// The loader has ended.
    Stopped,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinError::Unknown(revision) => write!(
                f,
                "there is no kept revision {revision:?}; give one of the last ten that loaded, or its beginning"
            ),
            PinError::Broken(why) => write!(f, "the revision does not load any more: {why}"),
            PinError::Stopped => write!(f, "the server is stopping"),
        }
    }
}

impl std::error::Error for PinError {}

/// Holds what is served. Reading it costs no lock.
#[derive(Debug)]
pub struct Store {
    current: ArcSwapOption<Loaded>,
    status: ArcSwap<Status>,
    revisions: ArcSwap<Vec<Revision>>,
    changed: watch::Sender<u64>,
    loader: Mutex<Option<mpsc::Sender<Message>>>,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            current: ArcSwapOption::empty(),
            status: ArcSwap::default(),
            revisions: ArcSwap::default(),
            changed: watch::Sender::new(0),
            loader: Mutex::new(None),
        }
    }
}

impl Store {
    /// A store that always serves one set: for tests, and for servers whose policies do not change.
    pub fn fixed(policies: PolicySet) -> Arc<Store> {
        let store = Store::default();
        let revision: Arc<str> = policies.revision().into();
        store.publish(
            Some(Loaded {
                revision: revision.clone(),
                policies: Arc::new(policies),
                configs: Vec::new(),
                sources: Vec::new(),
                problems: Vec::new(),
                loaded_at: SystemTime::now(),
                took: Duration::ZERO,
                from_cache: false,
            }),
            Status {
                revision,
                loads: 1,
                ..Status::default()
            },
            Vec::new(),
        );
        Arc::new(store)
    }

    /// The set in force; `None` until the first whole set is loaded. Take it once a review.
    pub fn current(&self) -> Option<Arc<Loaded>> {
        self.current.load_full()
    }

    /// What is loaded, from where, and what is wrong.
    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// What is wrong anywhere, sorted by file and line.
    pub fn problems(&self) -> Vec<Problem> {
        self.status.load().problems.clone()
    }

    /// The last ten revisions that load, newest first, and the last one refused if it came after them.
    pub fn revisions(&self) -> Arc<Vec<Revision>> {
        self.revisions.load_full()
    }

    /// Puts a kept revision in force, by its digest or an unambiguous beginning of it (with or without `sha256:`), and
    /// holds it there whatever the sources say, until [`Store::unpin`]. Waits for the loader: not for async threads.
    ///
    /// # Errors
    /// There is no such revision.
    pub fn pin(&self, revision: &str) -> Result<(), PinError> {
        let (answer, wait) = mpsc::channel();
        self.tell(Message::Pin(Some(revision.to_owned()), answer))?;
        wait.recv().map_err(|_| PinError::Stopped)?
    }

    /// Follows the sources again.
    ///
    /// # Errors
    /// The loader has ended.
    pub fn unpin(&self) -> Result<(), PinError> {
        let (answer, wait) = mpsc::channel();
        self.tell(Message::Pin(None, answer))?;
        wait.recv().map_err(|_| PinError::Stopped)?
    }

    /// Wakes when the set in force, the status or the revisions change. The number counts changes.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self, message: Message) -> Result<(), PinError> {
        let loader = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        let loader = loader.as_ref().ok_or(PinError::Stopped)?;
        loader.send(message).map_err(|_| PinError::Stopped)
    }

    pub(crate) fn connect(&self, loader: mpsc::Sender<Message>) {
        *self.loader.lock().unwrap_or_else(PoisonError::into_inner) = Some(loader);
    }

    /// Shows a new state; `None` leaves the set in force as it is.
    pub(crate) fn publish(&self, loaded: Option<Loaded>, status: Status, revisions: Vec<Revision>) {
        // Status first: whoever sees a set in force can read about it.
        let same = **self.status.load() == status && **self.revisions.load() == revisions;
        if same && loaded.is_none() {
            return;
        }
        self.revisions.store(Arc::new(revisions));
        self.status.store(Arc::new(status));
        if let Some(loaded) = loaded {
            self.current.store(Some(Arc::new(loaded)));
        }
        self.changed.send_modify(|n| *n += 1);
    }
}
