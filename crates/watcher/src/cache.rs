//! The last good sets, kept across restarts.
//!
//! `revisions/HEX.set` holds the files of one revision, with a digest over all of it; `state.json` names the one in
//! force, the pinned one and the order of the others. Each is written to a temporary file, synced and renamed, so a
//! process that is killed at any moment leaves the old or the new one, never half of one. A set that fails its digest is
//! as good as absent.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Files of a source by name.
pub(crate) type Bytes = BTreeMap<Arc<str>, Arc<[u8]>>;

/// What begins a set's file.
const MAGIC: &[u8] = b"regent set 1\n";
/// Bytes of the digest that ends it.
const DIGEST: usize = 32;
/// A set's file larger than this is not read.
pub(crate) const LARGEST: u64 = 1 << 30;

/// A set with the files of each source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) revision: String,
    pub(crate) sources: BTreeMap<String, Bytes>,
}

/// What is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    pub(crate) serving: Option<Saved>,
    pub(crate) pinned: Option<String>,
    /// Revisions to keep, newest first.
    pub(crate) kept: Vec<(String, SystemTime)>,
}

/// What was kept.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    pub(crate) serving: Option<Saved>,
    pub(crate) pinned: Option<String>,
    pub(crate) kept: Vec<(String, SystemTime)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    serving: Option<String>,
    pinned: Option<String>,
    kept: Vec<KeptState>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptState {
    revision: String,
    /// Seconds since 1970.
    at: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    revision: String,
    sources: BTreeMap<String, Vec<Part>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Part {
    name: String,
    bytes: usize,
}

/// What waits to be written; the newest takes the place of older ones, so that many changes cost one write.
#[derive(Debug, Default)]
struct Desk {
    waiting: Option<Memory>,
    closed: bool,
}

/// The cache directory, with a thread that writes to it.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    desk: Arc<(Mutex<Desk>, Condvar)>,
    writer: Option<JoinHandle<()>>,
}

impl Cache {
    /// Opens a directory, making it if it is not there.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub(crate) fn open(folder: &Path) -> Result<Cache, String> {
        let broken = |e: io::Error| format!("cache directory {}: {e}", folder.display());
        fs::create_dir_all(folder.join("revisions")).map_err(broken)?;
        for place in [folder.to_owned(), folder.join("revisions")] {
            for entry in fs::read_dir(place).map_err(broken)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with(".new-") {
                    // Of a process that was killed; if it cannot be removed it is no worse than it was.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        let desk: Arc<(Mutex<Desk>, Condvar)> = Arc::default();
        let (there, for_writer) = (folder.to_owned(), desk.clone());
        let writer = std::thread::Builder::new()
            .name("policy-cache".to_owned())
            .spawn(move || write_all(&there, &for_writer))
            .map_err(broken)?;
        Ok(Cache {
            folder: folder.to_owned(),
            desk,
            writer: Some(writer),
        })
    }

    /// What an earlier run kept. What is broken is left out.
    pub(crate) fn recall(&self) -> Recall {
        let state = fs::read(self.folder.join("state.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok())
            .unwrap_or_else(|| self.guess());
        let there = |revision: &str| file_of(&self.folder, revision).is_some_and(|f| f.is_file());
        let kept = state.kept.into_iter().filter(|k| there(&k.revision));
        Recall {
            serving: state.serving.and_then(|revision| self.load(&revision).ok()),
            pinned: state.pinned.filter(|p| there(p)),
            kept: kept
                .map(|k| (k.revision, UNIX_EPOCH + Duration::from_secs(k.at)))
                .collect(),
        }
    }

    /// The state by what sets are there, when the file that says it is lost.
    fn guess(&self) -> State {
        let mut found: Vec<(SystemTime, KeptState)> = fs::read_dir(self.folder.join("revisions"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let at = entry.metadata().ok()?.modified().ok()?;
                let revision = format!("sha256:{}", name.strip_suffix(".set")?);
                self.load(&revision).ok()?;
                Some((
                    at,
                    KeptState {
                        revision,
                        at: seconds(at),
                    },
                ))
            })
            .collect();
        // By more than seconds: sets may change faster.
        found.sort_by(|(a, x), (b, y)| (b, &y.revision).cmp(&(a, &x.revision)));
        let found: Vec<KeptState> = found.into_iter().map(|(_, kept)| kept).collect();
        State {
            serving: found.first().map(|k| k.revision.clone()),
            pinned: None,
            kept: found,
        }
    }

    /// A kept set.
    ///
    /// # Errors
    /// It is not there, or fails its digest.
    pub(crate) fn load(&self, revision: &str) -> Result<Saved, String> {
        let path = file_of(&self.folder, revision).ok_or("that is no revision")?;
        let size = fs::metadata(&path).map_err(|e| e.to_string())?.len();
        if size > LARGEST {
            return Err("its file in the cache is too large".to_owned());
        }
        let saved = parse(&fs::read(&path).map_err(|e| e.to_string())?)?;
        if saved.revision != revision {
            return Err("its file in the cache holds another revision".to_owned());
        }
        Ok(saved)
    }

    /// Has it written soon, in the background.
    pub(crate) fn save(&self, memory: Memory) {
        let (desk, bell) = &*self.desk;
        desk.lock().unwrap_or_else(PoisonError::into_inner).waiting = Some(memory);
        bell.notify_one();
    }
}

impl Drop for Cache {
    /// What waits is written before it ends.
    fn drop(&mut self) {
        let (desk, bell) = &*self.desk;
        desk.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        bell.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to wait for.
            let _ = writer.join();
        }
    }
}

fn write_all(folder: &Path, desk: &(Mutex<Desk>, Condvar)) {
    loop {
        let memory = {
            let mut on = desk.0.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(memory) = on.waiting.take() {
                    break memory;
                }
                if on.closed {
                    return;
                }
                on = desk.1.wait(on).unwrap_or_else(PoisonError::into_inner);
            }
        };
        // A full disk must not stop serving; the next change tries again, and a restart finds the last one written.
        let _ = write_memory(folder, &memory);
    }
}

/// Writes a set and the state, and removes sets that are no longer kept. The set goes first, so that the state never
/// names what is not there.
pub(crate) fn write_memory(folder: &Path, memory: &Memory) -> io::Result<()> {
    if let Some(saved) = &memory.serving
        && let Some(path) = file_of(folder, &saved.revision)
        && !path.exists()
        // What is known by name alone is not to be written as a set of nothing.
        && !saved.sources.is_empty()
    {
        write_whole(&path, &render(saved)?)?;
    }
    let there = |revision: &str| file_of(folder, revision).is_some_and(|f| f.is_file());
    let state = State {
        serving: memory.serving.as_ref().map(|s| s.revision.clone()),
        pinned: memory.pinned.clone(),
        kept: memory
            .kept
            .iter()
            .filter(|(revision, _)| there(revision))
            .map(|(revision, at)| KeptState {
                revision: revision.clone(),
                at: seconds(*at),
            })
            .collect(),
    };
    write_whole(&folder.join("state.json"), &serde_json::to_vec_pretty(&state)?)?;
    let wanted: BTreeSet<PathBuf> = memory
        .kept
        .iter()
        .map(|(revision, _)| revision.as_str())
        .chain(memory.pinned.as_deref())
        .chain(memory.serving.as_ref().map(|s| s.revision.as_str()))
        .filter_map(|revision| file_of(folder, revision))
        .collect();
    for entry in fs::read_dir(folder.join("revisions"))?.flatten() {
        if !wanted.contains(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The file of a revision; `None` for what is no digest, so that nothing else is ever opened.
fn file_of(folder: &Path, revision: &str) -> Option<PathBuf> {
    let hex = revision.strip_prefix("sha256:")?;
    let is_digest = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest.then(|| folder.join("revisions").join(format!("{hex}.set")))
}

pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let new = folder.join(format!(".new-{}-{}", std::process::id(), name.to_string_lossy()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

fn render(saved: &Saved) -> io::Result<Vec<u8>> {
    let part = |(name, bytes): (&Arc<str>, &Arc<[u8]>)| Part {
        name: name.to_string(),
        bytes: bytes.len(),
    };
    let head = Head {
        revision: saved.revision.clone(),
        sources: saved
            .sources
            .iter()
            .map(|(source, files)| (source.clone(), files.iter().map(part).collect()))
            .collect(),
    };
    let mut out = MAGIC.to_vec();
    out.extend(serde_json::to_vec(&head)?);
    out.push(b'\n');
    for bytes in saved.sources.values().flat_map(BTreeMap::values) {
        out.extend_from_slice(bytes);
    }
    Ok(sealed(out))
}

/// With a digest at the end.
pub(crate) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

/// What stands before the digest at the end; `None`: that is not the digest of it.
pub(crate) fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.len().checked_sub(DIGEST)?;
    let (body, digest) = bytes.split_at_checked(at)?;
    (Sha256::digest(body).as_slice() == digest).then_some(body)
}

fn parse(bytes: &[u8]) -> Result<Saved, String> {
    let broken = || "its file in the cache is broken".to_owned();
    let body = unsealed(bytes).ok_or_else(broken)?;
    let rest = body.strip_prefix(MAGIC).ok_or_else(broken)?;
    let end = rest.iter().position(|&b| b == b'\n').ok_or_else(broken)?;
    let (head, mut rest) = rest.split_at_checked(end).ok_or_else(broken)?;
    let head: Head = serde_json::from_slice(head).map_err(|_| broken())?;
    rest = rest.get(1..).ok_or_else(broken)?;
    let mut sources = BTreeMap::new();
    for (source, parts) in head.sources {
        let mut files = Bytes::new();
        for part in parts {
            let (content, after) = rest.split_at_checked(part.bytes).ok_or_else(broken)?;
            files.insert(part.name.into(), content.into());
            rest = after;
        }
        sources.insert(source, files);
    }
    Ok(Saved {
        revision: head.revision,
        sources,
    })
}
