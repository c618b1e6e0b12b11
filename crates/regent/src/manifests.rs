//! What is judged: files named with `-f`, held as bytes and parsed a document at a time.

use crate::diagnostic;
use regent_core::bundle::{Class, classify};
use regent_core::manifest::{Document, Problem, RawDocument, raw_documents};
use regent_watcher::files;
use std::sync::Arc;

const EXTENSIONS: &[&str] = &["yaml", "yml", "json"];

/// A file of manifests.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: Arc<str>,
    pub(crate) bytes: Vec<u8>,
}

/// Files of manifests, and those that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) files: Vec<File>,
    pub(crate) problems: Vec<Problem>,
}

impl Manifests {
    /// Reads what the paths name, each file once.
    pub(crate) fn read(paths: &[String]) -> Manifests {
        let mut out = Manifests::default();
        for path in paths {
            let names = match path.as_str() {
                files::STDIN => Ok(vec![files::STDIN.to_owned()]),
                path => files::find(path, EXTENSIONS),
            };
            let names = match names {
                Ok(names) => names,
                Err(message) => {
                    out.problem(path, &message);
                    continue;
                }
            };
            if names.is_empty() {
                out.problem(path, "there are no .yaml, .yml or .json files in it");
            }
            for name in names {
                if out.files.iter().any(|f| *f.name == *name) {
                    continue;
                }
                match files::read(&name) {
                    Ok(bytes) => out.files.push(File {
                        name: Arc::from(name),
                        bytes,
                    }),
                    Err(message) => out.problem(&name, &message),
                }
            }
        }
        out.files.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    fn problem(&mut self, file: &str, message: &str) {
        let message = message.strip_prefix(&format!("{file}: ")).unwrap_or(message);
        self.problems.push(Problem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.to_owned(),
        });
    }

    /// Every document, cut and not parsed.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (&Arc<str>, RawDocument<'_>)> {
        self.files
            .iter()
            .flat_map(|file| raw_documents(&file.bytes).map(move |raw| (&file.name, raw)))
    }

    /// Documents whose text has one of the words; what cannot be read is told when it is judged.
    fn having<'m>(&'m self, words: &'m [&'m [u8]]) -> impl Iterator<Item = (&'m Arc<str>, Document)> {
        self.raw()
            .filter(|(_, raw)| words.iter().any(|w| has(raw.bytes(), w)))
            .flat_map(|(name, raw)| raw.read(name).into_iter().flatten().map(move |d| (name, d)))
    }

    /// Policies that stand among the manifests.
    pub(crate) fn policies(&self) -> Vec<(Arc<str>, Document)> {
        self.having(&[b"gatekeeper.sh"])
            .filter(|(_, d)| !matches!(classify(&d.value), Class::Other | Class::Suite))
            .map(|(name, d)| (Arc::clone(name), d))
            .collect()
    }

    /// Objects for the inventory: all of them, or only the Namespaces that matching asks for.
    pub(crate) fn inventory(&self, all: bool) -> Vec<Document> {
        let words: &[&[u8]] = if all { &[b""] } else { &[b"Namespace"] };
        self.having(words)
            .filter(|(_, d)| d.not_an_object().is_none() && !d.is_admission_review())
            .filter(|(_, d)| all || (d.field("kind") == "Namespace" && d.field("apiVersion") == "v1"))
            .map(|(_, d)| d)
            .collect()
    }

    /// Everything that keeps files and documents from being judged.
    pub(crate) fn unreadable(&self) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        for (name, raw) in self.raw() {
            for read in raw.read(name) {
                match read {
                    Ok(document) => problems.extend(no_object(name, &document)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        problems
    }

    /// Tells a problem with its line.
    pub(crate) fn show(&self, problem: &Problem) {
        let file = self.files.iter().find(|f| *f.name == *problem.file);
        diagnostic::show_with(problem, file.and_then(|f| diagnostic::line_of(&f.bytes, problem.line)));
    }
}

/// What keeps a document from being an object.
pub(crate) fn no_object(file: &str, document: &Document) -> Option<Problem> {
    let (path, message) = document.not_an_object()?;
    let (line, column) = document.places.find(&path);
    Some(Problem {
        file: file.to_owned(),
        line,
        column,
        message,
    })
}

/// Whether a word stands somewhere in the bytes.
pub(crate) fn has(bytes: &[u8], word: &[u8]) -> bool {
    let Some((first, rest)) = word.split_first() else {
        return true;
    };
    let mut at = bytes;
    while let Some(i) = at.iter().position(|b| b == first) {
        let after = at.get(i + 1..).unwrap_or_default();
        if after.starts_with(rest) {
            return true;
        }
        at = after;
    }
    false
}
