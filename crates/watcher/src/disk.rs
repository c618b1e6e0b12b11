//! A path on disk: told of changes by the kernel, looked at from time to time in case that fails, read whole when it
//! holds still.

use crate::files;
use crate::loader::Message;
use crate::source::Contribution;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A file larger than this is refused.
const LARGEST: u64 = 64 << 20;
/// A source larger than this, all files together, is refused.
const LARGEST_ALL: u64 = 256 << 20;
/// A source of more files is refused.
const MOST: usize = 20_000;
/// So often a source is read again that changed while it was read, before that is said.
const TRIES: u32 = 20;
/// Bytes are compared, not only sizes and times, at least this often.
const WHOLE: Duration = Duration::from_secs(60);

/// A thread that watches a path. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Watch {
    wake: Sender<Wake>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    Changed,
    Stop,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.wake.send(Wake::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts watching; everything the path says is sent at once and after every change.
pub(crate) fn watch(
    path: String,
    index: usize,
    poll: Duration,
    debounce: Duration,
    messages: Sender<Message>,
) -> Result<Watch, String> {
    let (wake, woken) = mpsc::channel();
    let events = wake.clone();
    let thread = std::thread::Builder::new()
        .name("policy-disk".to_owned())
        .spawn(move || {
            let mut disk = Disk {
                path,
                events,
                notices: None,
                root: None,
                seen: None,
                said: None,
                read_at: Instant::now(),
            };
            disk.notice();
            disk.look(true, index, &messages);
            loop {
                let mut changed = match woken.recv_timeout(poll) {
                    Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Wake::Changed) => true,
                    Err(RecvTimeoutError::Timeout) => false,
                };
                // Whoever writes gets time to finish, but not for ever.
                let since = Instant::now();
                while changed && since.elapsed() < debounce * 10 {
                    match woken.recv_timeout(debounce) {
                        Ok(Wake::Changed) => {}
                        Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) => break,
                    }
                }
                changed |= disk.notice();
                disk.look(changed, index, &messages);
            }
        })
        .map_err(|e| format!("no thread for watching policies: {e}"))?;
    Ok(Watch {
        wake,
        thread: Some(thread),
    })
}

/// What tells one state of a source from another without reading it: each file's identity, size and times.
type Signature = BTreeMap<String, (u64, u64, u64, i64, i64, i64, i64)>;

struct Disk {
    path: String,
    events: Sender<Wake>,
    notices: Option<notify::RecommendedWatcher>,
    /// Identity of what the notices are about.
    root: Option<(u64, u64)>,
    seen: Option<Signature>,
    said: Option<Contribution>,
    read_at: Instant,
}

impl Disk {
    /// Has the kernel tell of changes; again, when the path has become another directory. Whether that happened.
    fn notice(&mut self) -> bool {
        let root = fs::metadata(&self.path).ok().map(|m| (m.dev(), m.ino()));
        if root == self.root && (self.notices.is_some() || root.is_none()) {
            return false;
        }
        let events = self.events.clone();
        // Whatever the notice says, the answer is to look; the receiver outlives the sender. But for reading, which is told
        // as well: looking is reading, and would have us look again for ever.
        let tell = move |event: notify::Result<Event>| {
            let written = AccessKind::Close(AccessMode::Write);
            let read = |e: &Event| matches!(e.kind, EventKind::Access(kind) if kind != written);
            if !event.as_ref().is_ok_and(read) {
                let _ = events.send(Wake::Changed);
            }
        };
        self.root = root;
        self.notices = root.and_then(|_| {
            let mut watcher = notify::recommended_watcher(tell).ok()?;
            let path = Path::new(&self.path);
            // A file that is renamed over is another file: its directory is what to watch.
            let (path, mode) = if path.is_dir() {
                (path, RecursiveMode::Recursive)
            } else {
                (
                    path.parent()
                        .filter(|p| !p.as_os_str().is_empty())
                        .unwrap_or(Path::new(".")),
                    RecursiveMode::NonRecursive,
                )
            };
            watcher.watch(path, mode).ok()?;
            Some(watcher)
        });
        true
    }

    /// Reads the source if it may have changed, and tells if it has.
    fn look(&mut self, changed: bool, index: usize, messages: &Sender<Message>) {
        let due = self.read_at.elapsed() >= WHOLE;
        let signature = signature(&self.path).ok();
        if !changed && !due && signature.is_some() && signature == self.seen {
            return;
        }
        let mut now = self.read();
        self.read_at = Instant::now();
        now.version = 0;
        if self.said.as_ref() == Some(&now) {
            return;
        }
        self.said = Some(now.clone());
        // The loader ends only after us.
        let _ = messages.send(Message::Update(index, now));
    }

    /// The whole source at one moment: read again if it changed meanwhile.
    fn read(&mut self) -> Contribution {
        let mut before = signature(&self.path);
        for attempt in 0..TRIES {
            let mut found = Contribution::default();
            let names = match &before {
                Ok(signature) => signature.keys().cloned().collect(),
                Err(message) => {
                    self.tell(&mut found, message);
                    self.seen = None;
                    return found;
                }
            };
            let mut left = LARGEST_ALL;
            let result = found.add_files(names, |name| {
                let bytes = files::read_regular(name, LARGEST.min(left))?;
                left = left.saturating_sub(bytes.len() as u64);
                Ok(bytes)
            });
            if let Err(message) = result {
                self.tell(&mut found, &message);
            }
            let after = signature(&self.path);
            if after.is_ok() && after == before {
                self.seen = after.ok();
                return found;
            }
            before = after;
            // Give whoever writes a moment, longer each time.
            std::thread::sleep(Duration::from_millis(u64::from(attempt) * 5));
        }
        let mut found = Contribution::default();
        found.problem(&self.path, "it changes faster than it can be read");
        self.seen = None;
        found
    }
}

impl Disk {
    /// A problem, at the file that its text begins with if that is one of ours.
    fn tell(&self, found: &mut Contribution, message: &str) {
        match message.split_once(": ") {
            Some((file, what)) if file.starts_with(&self.path) => found.problem(file, what),
            _ => found.problem(&self.path, message),
        }
    }
}

fn signature(path: &str) -> Result<Signature, String> {
    let mut out = Signature::new();
    for name in files::find_at_most(path, crate::POLICY_EXTENSIONS, MOST)? {
        let m = fs::metadata(&name).map_err(|e| files::failure(&name, &e))?;
        let what = (
            m.dev(),
            m.ino(),
            m.size(),
            m.mtime(),
            m.mtime_nsec(),
            m.ctime(),
            m.ctime_nsec(),
        );
        out.insert(name, what);
    }
    Ok(out)
}
