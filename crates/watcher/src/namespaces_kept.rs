//! The Namespaces of a cluster, kept across restarts: one file of the cache directory, written aside, synced and renamed.
//! When it was last right is told by its time of modification, so that nothing is written while nothing changes.

use crate::cache::{self, LARGEST};
use regent_rego::{Value, json};
use rustc_hash::FxHashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What begins the file.
const MAGIC: &[u8] = b"regent namespaces 1\n";
const FILE: &str = "namespaces.set";

/// Namespaces as an earlier run knew them.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) by_name: FxHashMap<String, Value>,
    /// When they were last known to be so.
    pub(crate) at: SystemTime,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// What is kept; what is broken is as good as absent.
pub(crate) fn recall(folder: &Path) -> Option<Kept> {
    let metadata = fs::metadata(path(folder)).ok()?;
    if metadata.len() > LARGEST {
        return None;
    }
    let bytes = fs::read(path(folder)).ok()?;
    let options = json::ReadOptions {
        depth: 1_000,
        ..json::ReadOptions::default()
    };
    let objects = json::read(cache::unsealed(&bytes)?.strip_prefix(MAGIC)?, options).ok()?;
    let named = |object: &Value| Some((object.path(&["metadata", "name"])?.as_str()?.to_owned(), object.clone()));
    Some(Kept {
        by_name: objects.as_array()?.iter().filter_map(named).collect(),
        at: metadata.modified().ok()?,
    })
}

/// Keeps these.
///
/// # Errors
/// The file cannot be written; the one that was there stays.
pub(crate) fn keep(folder: &Path, by_name: FxHashMap<String, Value>) -> io::Result<()> {
    let mut sorted: Vec<(String, Value)> = by_name.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let objects = Value::array(sorted.into_iter().map(|(_, object)| object).collect());
    let bytes = [MAGIC, json::write(&objects).as_bytes()].concat();
    cache::write_whole(&path(folder), &cache::sealed(bytes))
}

/// What is kept is still so.
///
/// # Errors
/// There is nothing, or its time cannot be written.
pub(crate) fn confirm(folder: &Path) -> io::Result<()> {
    File::options()
        .write(true)
        .open(path(folder))?
        .set_modified(SystemTime::now())
}
