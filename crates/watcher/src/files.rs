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
    let metadata = fs::metadata(path).map_err(|e| failure(path, &e))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    walk(Path::new(path), extensions, &mut seen, &mut found)?;
    Ok(found)
}

fn walk(
    folder: &Path,
    extensions: &[&str],
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Vec<String>,
) -> Result<(), String> {
    let name = folder.to_string_lossy();
    // A link to a folder above would go round for ever.
    if !seen.insert(folder.canonicalize().map_err(|e| failure(&name, &e))?) {
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
        if path.is_dir() {
            if !hidden {
                walk(&path, extensions, seen, found)?;
            }
        } else if has_extension(&path, extensions) {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
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
