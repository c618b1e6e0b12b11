//! Finding and reading what the user names.
//!
//! [`find`] and [`read`] serve a command line, where `-f <(kubectl get ...)` is a pipe and waiting for it is right.
//! [`read_regular`] serves a watcher, which must never wait and never read without an end.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The name standard input goes by.
pub const STDIN: &str = "-";

/// Files of a path: itself, or everything below it with one of the extensions, sorted by name. Names keep the form in
/// which the path was given.
///
/// # Errors
/// The path is not there, or a directory cannot be read.
pub fn find(path: &str, extensions: &[&str]) -> Result<Vec<String>, String> {
    Search {
        extensions,
        most: usize::MAX,
        only_files: false,
        seen: BTreeSet::new(),
        found: Vec::new(),
    }
    .run(path)
}

/// As [`find`] for a watcher: `most` files and no more, and what is named like a file must not be a directory.
///
/// # Errors
/// As [`find`], and when that does not hold.
pub fn find_at_most(path: &str, extensions: &[&str], most: usize) -> Result<Vec<String>, String> {
    Search {
        extensions,
        most,
        only_files: true,
        seen: BTreeSet::new(),
        found: Vec::new(),
    }
    .run(path)
}

struct Search<'a> {
    extensions: &'a [&'a str],
    most: usize,
    /// Refuse directories that are named like files.
    only_files: bool,
    seen: BTreeSet<PathBuf>,
    found: Vec<String>,
}

impl Search<'_> {
    fn run(mut self, path: &str) -> Result<Vec<String>, String> {
        let metadata = fs::metadata(path).map_err(|e| failure(path, &e))?;
        if !metadata.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        self.walk(Path::new(path))?;
        Ok(self.found)
    }

    fn walk(&mut self, folder: &Path) -> Result<(), String> {
        let name = folder.to_string_lossy();
        // A link to a folder above would go round for ever.
        if !self.seen.insert(folder.canonicalize().map_err(|e| failure(&name, &e))?) {
            return Ok(());
        }
        let entries = fs::read_dir(folder).map_err(|e| failure(&name, &e))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|e| failure(&name, &e))?.path());
        }
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            let is_named = has_extension(&path, self.extensions);
            if path.is_dir() {
                if is_named && self.only_files && !hidden {
                    return Err(format!("{}: is a directory", path.display()));
                }
                if !hidden {
                    self.walk(&path)?;
                }
            } else if is_named {
                if self.found.len() >= self.most {
                    return Err(format!("{name}: there are more than {} files", self.most));
                }
                self.found.push(path.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .is_some_and(|e| extensions.iter().any(|x| e.eq_ignore_ascii_case(x)))
}

/// The bytes of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &str) -> Result<Vec<u8>, String> {
    if path == STDIN {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|e| format!("standard input: {e}"))?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|e| failure(path, &e))
}

/// The bytes of a regular file of at most `largest` bytes. Never waits: a pipe or a device is refused, not read.
///
/// # Errors
/// It cannot be read, is too large, or is something else than a file.
pub fn read_regular(path: &str, largest: u64) -> Result<Vec<u8>, String> {
    // What is no file now may be one no more when it is opened; without waiting for a writer, opening a pipe returns.
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(|e| failure(path, &e))?;
    let metadata = file.metadata().map_err(|e| failure(path, &e))?;
    if !metadata.is_file() {
        return Err(format!("{path}: is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(largest.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| failure(path, &e))?;
    if bytes.len() as u64 > largest {
        return Err(format!("{path}: is larger than {largest} bytes"));
    }
    Ok(bytes)
}

/// A failed look at the file system in the form other tools use.
pub fn failure(path: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("{path}: no such file or directory"),
        std::io::ErrorKind::PermissionDenied => format!("{path}: permission denied"),
        _ => format!("{path}: {error}"),
    }
}
