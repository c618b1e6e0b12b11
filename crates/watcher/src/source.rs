//! What a source says: named files, and what could not be read.

use crate::{archive, files};
use regent_core::manifest::Problem;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What files of a directory or archive are looked at.
pub const POLICY_EXTENSIONS: &[&str] = &["yaml", "yml", "json", "rego"];

/// Everything a source says at one moment. Sources hand these to the loader whole; there is no such thing as a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    /// Bytes by file name. Names are shown to people and, for plain Rego, part of the revision.
    pub files: BTreeMap<Arc<str>, Arc<[u8]>>,
    /// What could not be read; a contribution with any is refused (see [`crate::Source`] for objects of a cluster).
    pub problems: Vec<Problem>,
    /// The source's own count of what it said, to find its answer in [`crate::SourceStatus::version`].
    pub version: u64,
}

impl Contribution {
    /// Adds a file.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.files.insert(name.into(), bytes.into());
    }

    /// Adds what could not be read.
    pub fn problem(&mut self, file: &str, message: impl Into<String>) {
        let message = message.into();
        let prefix = format!("{file}: ");
        self.problems.push(Problem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.strip_prefix(&prefix).map_or(message.clone(), str::to_owned),
        });
    }

    /// Adds a path as `-p` names it: a file, an archive, or every policy file below a directory.
    ///
    /// # Errors
    /// Something of it cannot be read; what could be is added.
    pub fn add_path(&mut self, path: &str, read: impl FnMut(&str) -> Result<Vec<u8>, String>) -> Result<(), String> {
        self.add_files(files::find(path, POLICY_EXTENSIONS)?, read)
    }

    /// Adds files that were found.
    pub(crate) fn add_files(
        &mut self,
        names: Vec<String>,
        mut read: impl FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        for name in names {
            let bytes = read(&name)?;
            if archive::is_archive(&name) {
                self.add_archive(&name, &bytes)?;
            } else {
                self.add(&name, &bytes);
            }
        }
        Ok(())
    }

    /// Adds the policy files of an archive, named `ARCHIVE/ENTRY`.
    ///
    /// # Errors
    /// It is no archive, or breaks a bound (see [`archive::read`]).
    pub fn add_archive(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        for (entry, bytes) in archive::read(bytes)? {
            let extension = entry.rsplit_once('.').map_or("", |p| p.1);
            let hidden = entry.rsplit('/').next().is_some_and(|n| n.starts_with('.'));
            if !hidden && POLICY_EXTENSIONS.contains(&extension) {
                self.add(&format!("{name}/{entry}"), &bytes);
            }
        }
        Ok(())
    }
}

/// Brings a place behind the end of its file (where a parser misses something) back to the end of the last line.
pub fn within(problem: &mut Problem, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    let last = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    if last > 0 && problem.line > last {
        let end = text.lines().last().map_or(0, |l| l.chars().count());
        problem.line = last;
        problem.column = u32::try_from(end + 1).unwrap_or(u32::MAX);
    }
}
