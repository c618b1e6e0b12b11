//! One thread that turns what sources say into the set in force: gathers, compiles, publishes.

use crate::attempt::{Attempt, Findings, Grain, Input, Made};
use crate::cache::{self, Cache};
use crate::options::Options;
use crate::set::{self, Files};
use crate::source::Contribution;
use crate::store::{Loaded, PinError, Revision, RevisionState, SourceState, SourceStatus, Status, Store};
use regent_core::PolicySet;
use regent_core::manifest::Problem;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

/// Deep values and rule chains need deep stacks.
const STACK: usize = 256 << 20;
/// Revisions kept to go back to.
const KEPT: usize = 10;
/// However long changes go on, they are taken in after this many debounces.
const LONGEST: u32 = 5;

/// What the loader is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// What a source says now.
    Update(usize, Contribution),
    /// Why a source has nothing to say.
    Silent(usize, String),
    /// Pin a revision, or follow the sources again.
    Pin(Option<String>, Sender<Result<(), PinError>>),
    /// End.
    Stop,
}

/// A revision to go back to.
#[derive(Clone, Debug)]
struct Kept {
    revision: Arc<str>,
    at: SystemTime,
    problems: Vec<Problem>,
    /// What each source had in it; `None`: in the cache only.
    files: Option<BTreeMap<String, Files>>,
}

struct Loader {
    store: Arc<Store>,
    options: Options,
    inputs: Vec<Input>,
    kept: VecDeque<Kept>,
    refused: Option<Revision>,
    /// The revision in force.
    serving: Arc<str>,
    pinned: Option<Arc<str>>,
    /// A revision to pin as soon as it is there.
    wanted_pin: Option<String>,
    /// The newest revision that loads, served or held.
    newest: Arc<str>,
    status: Status,
    cache: Option<Cache>,
    started: Instant,
}

/// Starts the thread. `inputs` are numbered as [`Message::Update`] names them.
///
/// # Errors
/// The thread cannot be made, or the cache directory cannot be used.
pub(crate) fn spawn(
    store: Arc<Store>,
    options: Options,
    inputs: Vec<Input>,
    messages: Receiver<Message>,
) -> Result<std::thread::JoinHandle<()>, String> {
    let cache = options.cache_dir.as_deref().map(Cache::open).transpose()?;
    let mut loader = Loader {
        store,
        options,
        inputs,
        kept: VecDeque::new(),
        refused: None,
        serving: Arc::default(),
        pinned: None,
        wanted_pin: None,
        newest: Arc::default(),
        status: Status::default(),
        cache,
        started: Instant::now(),
    };
    std::thread::Builder::new()
        .name("policy-loader".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            loader.remember();
            loader.run(&messages);
        })
        .map_err(|e| format!("no thread for loading policies: {e}"))
}

impl Loader {
    /// Takes up what an earlier run kept.
    fn remember(&mut self) {
        let memory = self.cache.as_ref().map(Cache::recall).unwrap_or_default();
        for (revision, at) in memory.kept {
            self.kept.push_back(Kept {
                revision: revision.into(),
                at,
                problems: Vec::new(),
                files: None,
            });
        }
        if let Some(saved) = memory.serving {
            // Whatever is saved before the sources have spoken (a pin let go) must not forget it.
            self.newest = Arc::from(saved.revision.as_str());
            let mut sources = saved.sources;
            for input in &mut self.inputs {
                if let Some(files) = sources.remove(&input.name) {
                    let mut good = set::read_all(&files, None);
                    good.values_mut().for_each(|file| file.cached = true);
                    input.good = Some(good);
                    input.good_is_cached = true;
                }
            }
        }
        // What the caller wants comes first; what it cannot have now it may have when the sources have spoken.
        self.wanted_pin = self.options.pin.clone().or(memory.pinned);
        self.pin_as_wanted();
    }

    /// Pins what is to be pinned from the start, as soon as it is there.
    fn pin_as_wanted(&mut self) {
        if let Some(wanted) = self.wanted_pin.clone()
            && self.pin(Some(&wanted)).is_ok()
        {
            self.wanted_pin = None;
        }
    }

    fn run(&mut self, messages: &Receiver<Message>) {
        let mut dirty = true;
        loop {
            let first = if dirty {
                match messages.recv_timeout(self.until_patience_ends()) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                match messages.recv() {
                    Ok(message) => Some(message),
                    Err(_) => return,
                }
            };
            if let Some(message) = first {
                let since = Instant::now();
                if !self.take(message) {
                    return;
                }
                let longest = self.options.debounce.saturating_mul(LONGEST);
                while since.elapsed() < longest && !self.all_are_new() {
                    match messages.recv_timeout(self.options.debounce) {
                        Ok(message) => {
                            if !self.take(message) {
                                return;
                            }
                        }
                        Err(_) => break,
                    }
                }
            }
            self.load();
            // A source that has not been heard of is waited for only so long.
            dirty = self.store.current().is_none() && self.started.elapsed() < self.options.patience;
        }
    }

    fn until_patience_ends(&self) -> Duration {
        self.options.patience.saturating_sub(self.started.elapsed())
    }

    /// Whether every source has spoken and nothing is served: no reason to wait for more.
    fn all_are_new(&self) -> bool {
        self.serving.is_empty() && self.inputs.iter().all(|i| i.latest.is_some())
    }

    /// Takes a message in; false: end.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Stop => return false,
            Message::Update(index, contribution) => {
                let Some(input) = self.inputs.get_mut(index) else {
                    return true;
                };
                input.latest = Some(set::read_all(&contribution.files, input.latest.as_ref()));
                input.version = contribution.version;
                input.unread = contribution.problems;
            }
            Message::Silent(index, why) => {
                if let Some(input) = self.inputs.get_mut(index) {
                    input.silent = Some(why);
                }
            }
            Message::Pin(revision, answer) => {
                let done = self.pin(revision.as_deref());
                // Whoever asked may have gone.
                let _ = answer.send(done);
            }
        }
        true
    }

    /// Builds the set that the sources make now, and puts it in force if it loads.
    fn load(&mut self) {
        let since = Instant::now();
        let patient = self.store.current().is_none() && self.started.elapsed() < self.options.patience;
        if patient && self.inputs.iter().any(|i| i.latest.is_none()) {
            self.tell(None, &Findings::default());
            return;
        }
        let attempt = Attempt::of(&self.in_force(), &self.inputs, &self.options);
        let findings = attempt.findings;
        match attempt.made {
            None => {
                self.status.refusals += 1;
                self.refused = Some(Revision {
                    revision: attempt.revision.into(),
                    state: RevisionState::Refused,
                    at: SystemTime::now(),
                    problems: findings.problems(),
                });
                self.tell(None, &findings);
            }
            Some(made) => {
                self.refused = None;
                self.adopt(made, &findings, since.elapsed());
            }
        }
    }

    fn in_force(&self) -> Arc<PolicySet> {
        self.store.current().map(|l| l.policies.clone()).unwrap_or_default()
    }

    /// A set that loads: in force at once, or held while another is pinned.
    fn adopt(&mut self, made: Made, findings: &Findings, took: Duration) {
        let Made { set, read, parts, left } = made;
        let revision: Arc<str> = set.revision().into();
        let from_cache = self
            .inputs
            .iter()
            .enumerate()
            .any(|(i, input)| input.good_is_cached && (input.latest.is_none() || findings.fallen.contains(&i)));
        for (index, input) in self.inputs.iter_mut().enumerate() {
            let Some(files) = parts.get(&index) else { continue };
            if input.latest.is_none() || (input.grain == Grain::Whole && findings.fallen.contains(&index)) {
                continue;
            }
            let mut good = files.clone();
            good.retain(|name, _| !left.iter().any(|(i, p)| *i == index && *p.file == **name));
            // Of objects, those that fall back on the cache are of it still.
            input.good_is_cached = good.values().any(|file| file.cached);
            input.good = Some(good);
        }
        let problems = findings.problems();
        let named: BTreeMap<String, Files> = parts
            .into_iter()
            .filter_map(|(i, files)| Some((self.inputs.get(i)?.name.clone(), files)))
            .collect();
        let changed = revision != self.serving;
        self.newest = revision.clone();
        if self.kept.front().is_none_or(|k| k.revision != revision) || changed {
            self.kept.retain(|k| k.revision != revision);
            self.kept.push_front(Kept {
                revision: revision.clone(),
                at: SystemTime::now(),
                problems: problems.clone(),
                files: Some(named.clone()),
            });
            while self.kept.len() > KEPT {
                // What is pinned stays, however old.
                let last = self
                    .kept
                    .iter()
                    .rposition(|k| self.pinned.as_ref() != Some(&k.revision));
                self.kept.remove(last.unwrap_or(KEPT));
            }
        } else if let Some(first) = self.kept.front_mut() {
            first.problems.clone_from(&problems);
        }
        let in_force = self.store.current();
        let same = in_force
            .as_ref()
            .is_some_and(|l| l.revision == revision && l.problems == problems && l.from_cache == from_cache);
        if self.pinned.is_none() && !same {
            self.serving = revision.clone();
            self.status.loads += 1;
            let loaded = Loaded {
                revision,
                configs: set::configs(&read),
                policies: Arc::new(set),
                sources: named.keys().cloned().collect(),
                problems,
                loaded_at: SystemTime::now(),
                took,
                from_cache,
            };
            self.tell(Some(loaded), findings);
        } else {
            self.tell(None, findings);
        }
        self.save();
        self.pin_as_wanted();
    }

    /// Serves a kept revision and holds it, or follows the sources again.
    fn pin(&mut self, wanted: Option<&str>) -> Result<(), PinError> {
        let Some(wanted) = wanted else {
            self.pinned = None;
            self.wanted_pin = None;
            self.save();
            return Ok(());
        };
        let found: Vec<&Kept> = self
            .kept
            .iter()
            .filter(|k| {
                !wanted.is_empty()
                    && (k.revision.starts_with(wanted)
                        || k.revision
                            .strip_prefix("sha256:")
                            .is_some_and(|hex| hex.starts_with(wanted)))
            })
            .collect();
        let [kept] = found.as_slice() else {
            return Err(PinError::Unknown(wanted.to_owned()));
        };
        let revision = kept.revision.clone();
        if revision != self.serving {
            let since = Instant::now();
            let sources = match (&kept.files, &self.cache) {
                (Some(files), _) => files.clone(),
                (None, Some(cache)) => {
                    let saved = cache.load(&revision).map_err(PinError::Broken)?;
                    let read = |files: &cache::Bytes| set::read_all(files, None);
                    saved
                        .sources
                        .iter()
                        .map(|(n, files)| (n.clone(), read(files)))
                        .collect()
                }
                (None, None) => return Err(PinError::Unknown(wanted.to_owned())),
            };
            let read = set::merge(sources.values());
            let (set, mut problems) = set::compile(&self.in_force(), &read, &self.options.compile);
            if let Some(why) = self.unfit(&sources, &problems) {
                return Err(PinError::Broken(why));
            }
            for problem in &mut problems {
                if let Some(files) = self.object_of(&sources, problem) {
                    set::tell_field(problem, files);
                }
            }
            let loaded = Loaded {
                revision: revision.clone(),
                configs: set::configs(&read),
                policies: Arc::new(set),
                sources: sources.keys().cloned().collect(),
                problems,
                loaded_at: SystemTime::now(),
                took: since.elapsed(),
                from_cache: false,
            };
            self.serving = revision.clone();
            self.status.loads += 1;
            self.pinned = Some(revision);
            let status = self.status.clone();
            self.show(Some(loaded), status);
        }
        self.pinned = Some(self.serving.clone());
        self.save();
        Ok(())
    }

    /// What keeps a kept set from being served: any fault but one of an object of the cluster, which fails alone.
    fn unfit(&self, sources: &BTreeMap<String, Files>, problems: &[Problem]) -> Option<String> {
        let first = problems.iter().find(|p| self.object_of(sources, p).is_none())?;
        Some(first.to_string())
    }

    /// The source that a problem is of, if it is one of objects of the cluster.
    fn object_of<'f>(&self, sources: &'f BTreeMap<String, Files>, problem: &Problem) -> Option<&'f Files> {
        let has = |(_, files): &(&String, &Files)| files.contains_key(problem.file.as_str());
        let (name, files) = sources.iter().rfind(has)?;
        let objects = |i: &Input| i.name == *name && i.grain == Grain::Objects;
        self.inputs.iter().any(objects).then_some(files)
    }

    fn save(&mut self) {
        let Some(cache) = &mut self.cache else { return };
        cache.save(cache::Memory {
            serving: self
                .kept
                .iter()
                .find(|k| k.revision == self.newest)
                .map(|k| cache::Saved {
                    revision: k.revision.to_string(),
                    sources: k
                        .files
                        .iter()
                        .flatten()
                        .map(|(n, f)| (n.clone(), set::bytes(f)))
                        .collect(),
                }),
            pinned: self.pinned.as_ref().map(ToString::to_string),
            kept: self.kept.iter().map(|k| (k.revision.to_string(), k.at)).collect(),
        });
    }

    /// Shows what was found, and a set when there is a new one.
    fn tell(&mut self, loaded: Option<Loaded>, findings: &Findings) {
        let mut status = Status {
            sources: Vec::new(),
            problems: findings.problems(),
            ..self.status.clone()
        };
        if let Some(wanted) = &self.wanted_pin {
            status.problems.push(Problem {
                file: "pin".to_owned(),
                line: 0,
                column: 0,
                message: PinError::Unknown(wanted.clone()).to_string(),
            });
        }
        for (index, input) in self.inputs.iter().enumerate() {
            let of_this = |(i, _): &&(usize, Problem)| *i == index;
            let problems: Vec<Problem> = findings
                .complaints
                .iter()
                .filter(of_this)
                .map(|(_, p)| p.clone())
                .collect();
            let broken = findings.broken.iter().filter(|(i, _)| *i == index);
            let broken: Vec<String> = broken.map(|(_, file)| file.clone()).collect();
            let falls = findings.fallen.contains(&index);
            let state = match (&input.latest, &input.good) {
                (None, None) => SourceState::Waiting,
                (None, Some(_)) => SourceState::Cached,
                (Some(_), Some(_)) if falls && broken.is_empty() && input.good_is_cached => SourceState::Cached,
                (Some(_), Some(_)) if falls && broken.is_empty() => SourceState::LastGood,
                (Some(_), _) if problems.is_empty() => SourceState::Serving,
                (Some(_), _) => SourceState::Broken,
            };
            status.sources.push(SourceStatus {
                name: input.name.clone(),
                state,
                version: input.version,
                problems,
                broken,
            });
        }
        status.sources.sort_by(|a, b| a.name.cmp(&b.name));
        self.show(loaded, status);
    }

    fn show(&mut self, loaded: Option<Loaded>, mut status: Status) {
        status.revision = self.serving.clone();
        status.pinned = self.pinned.clone();
        self.status = status.clone();
        let mut revisions: Vec<Revision> = self.refused.iter().cloned().collect();
        for kept in &self.kept {
            let state = if kept.revision == self.serving {
                RevisionState::Serving
            } else if self.pinned.is_some() && kept.revision == self.newest {
                RevisionState::Held
            } else {
                RevisionState::Ready
            };
            revisions.push(Revision {
                revision: kept.revision.clone(),
                state,
                at: kept.at,
                problems: kept.problems.clone(),
            });
        }
        self.store.publish(loaded, status, revisions);
    }
}
