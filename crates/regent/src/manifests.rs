//! What is judged: files named with `-f`. Of each it is known where its documents stand; their text is read when it is
//! needed, a few documents at a time, so that a file need not fit in memory.

use crate::diagnostic;
use memchr::memmem;
use regent_core::bundle::{Class, classify};
use regent_core::manifest::{Cutter, Document, Piece, Problem};
use regent_watcher::files;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

const EXTENSIONS: &[&str] = &["yaml", "yml", "json"];
/// Bytes read at once.
const BLOCK: usize = 256 << 10;
/// Bytes of documents handed over at once.
const BATCH: usize = 64 << 10;

/// A file of manifests.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: Arc<str>,
    pieces: Vec<Piece>,
    size: usize,
    /// The bytes of what cannot be read twice: standard input, a pipe.
    held: Option<Vec<u8>>,
}

/// Files of manifests, and those that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) files: Vec<File>,
    pub(crate) problems: Vec<Problem>,
    survey: OnceLock<Survey>,
}

/// What must be known before anything is judged.
#[derive(Debug, Default)]
struct Survey {
    policies: Vec<(Arc<str>, Document)>,
    namespaces: Vec<Document>,
}

/// Documents of one file that follow each other.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    file: usize,
    pieces: Range<usize>,
}

impl Manifests {
    /// Finds what the paths name, each file once, and where its documents stand.
    pub(crate) fn read(paths: &[String]) -> Manifests {
        let mut out = Manifests::default();
        let mut seen = BTreeSet::new();
        for path in paths {
            let names = match path.as_str() {
                files::STDIN => Ok(vec![files::STDIN.to_owned()]),
                path => files::find(path, EXTENSIONS),
            };
            let names = match names {
                Ok(names) => names,
                Err(message) => {
                    out.problems.push(file_problem(path, &message));
                    continue;
                }
            };
            if names.is_empty() {
                let problem = file_problem(path, "there are no .yaml, .yml or .json files in it");
                out.problems.push(problem);
            }
            for name in names {
                if !seen.contains(&name) {
                    match File::open(&name) {
                        Ok(file) => out.files.push(file),
                        Err(message) => out.problems.push(file_problem(&name, &message)),
                    }
                    seen.insert(name);
                }
            }
        }
        out.files.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> usize {
        self.files.iter().map(|f| f.size).sum()
    }

    /// Every document, in parts to be read one by one.
    pub(crate) fn batches(&self) -> Vec<Batch> {
        let mut out = Vec::new();
        for (file, f) in self.files.iter().enumerate() {
            let mut from = 0;
            while let Some(first) = f.pieces.get(from) {
                let rest = f.pieces.get(from..).unwrap_or_default();
                let fit = rest.iter().take_while(|p| p.end - first.start <= BATCH).count();
                let to = from + fit.max(1);
                out.push(Batch { file, pieces: from..to });
                from = to;
            }
        }
        out
    }

    /// Every document with the name of its file, parsed one after the other.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (&Arc<str>, Result<Document, Problem>)> {
        self.having(None)
    }

    /// Documents whose text has one of the words, all of them without words.
    fn having<'m>(
        &'m self,
        words: Option<[memmem::Finder<'m>; 2]>,
    ) -> impl Iterator<Item = (&'m Arc<str>, Result<Document, Problem>)> {
        let mut reader = Reader::new(self);
        let is_wanted = move |text: &[u8]| match &words {
            Some(words) => words.iter().any(|w| w.find(text).is_some()),
            None => true,
        };
        self.batches().into_iter().flat_map(move |batch| {
            let mut out = Vec::new();
            let read = reader.each(&batch, |name, piece, text| {
                if is_wanted(text) {
                    out.extend(piece.read(name, text).into_iter().map(|d| (name, d)));
                }
            });
            if let (Err(problem), Some(file)) = (read, self.files.get(batch.file)) {
                out.push((&file.name, Err(problem)));
            }
            out
        })
    }

    fn survey(&self) -> &Survey {
        self.survey.get_or_init(|| {
            let words = ["gatekeeper.sh", "Namespace"].map(memmem::Finder::new);
            let mut out = Survey::default();
            // What cannot be read is told when it is judged.
            for (name, document) in self.having(Some(words)) {
                let Ok(document) = document else { continue };
                if !matches!(classify(&document.value), Class::Other | Class::Suite) {
                    out.policies.push((Arc::clone(name), document.clone()));
                }
                if is_object(&document) && document.field("kind") == "Namespace" && document.field("apiVersion") == "v1"
                {
                    out.namespaces.push(document);
                }
            }
            out
        })
    }

    /// Policies that stand among the manifests.
    pub(crate) fn policies(&self) -> &[(Arc<str>, Document)] {
        &self.survey().policies
    }

    /// Objects for the inventory: all of them, or only the Namespaces that matching asks for.
    pub(crate) fn inventory(&self, all: bool) -> Vec<Document> {
        if !all {
            return self.survey().namespaces.clone();
        }
        let read = self.documents().filter_map(|(_, d)| d.ok());
        read.filter(is_object).collect()
    }

    /// Everything that keeps files and documents from being judged.
    pub(crate) fn unreadable(&self) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        for (name, read) in self.documents() {
            match read {
                Ok(document) => problems.extend(no_object(name, &document)),
                Err(problem) => problems.push(problem),
            }
        }
        problems
    }

    /// Tells problems with their lines; quickest when they come in the order of their places.
    pub(crate) fn show(&self, problems: &[Problem]) {
        let mut lines: Option<Lines<'_>> = None;
        for problem in problems {
            let line = self.line(&mut lines, problem);
            diagnostic::show_with(problem, line);
        }
    }

    fn line<'m>(&'m self, lines: &mut Option<Lines<'m>>, problem: &Problem) -> Option<String> {
        if problem.line == 0 {
            return None;
        }
        if !lines.as_ref().is_some_and(|l| l.can_give(&problem.file, problem.line)) {
            *lines = self
                .files
                .iter()
                .find(|f| *f.name == *problem.file)
                .and_then(Lines::new);
        }
        lines.as_mut()?.get(problem.line, problem.column)
    }
}

impl File {
    fn open(name: &str) -> Result<File, String> {
        let regular = name != files::STDIN && fs::metadata(name).is_ok_and(|m| m.is_file());
        let mut cutter = Cutter::default();
        let mut size = 0;
        let held = if regular {
            let failed = |e| files::failure(name, &e);
            let mut file = fs::File::open(name).map_err(failed)?;
            let mut block = vec![0; BLOCK];
            loop {
                let n = match file.read(&mut block) {
                    Ok(0) => break,
                    Ok(n) => n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(failed(e)),
                };
                cutter.push(block.get(..n).unwrap_or_default());
                size += n;
            }
            None
        } else {
            let bytes = files::read(name)?;
            cutter.push(&bytes);
            size = bytes.len();
            Some(bytes)
        };
        Ok(File {
            name: Arc::from(name),
            pieces: cutter.finish(),
            size,
            held,
        })
    }

    /// The bytes of a file that is held.
    pub(crate) fn held(&self) -> Option<&[u8]> {
        self.held.as_deref()
    }
}

/// Reads documents; keeps a file open from one batch to the next.
#[derive(Debug)]
pub(crate) struct Reader<'m> {
    manifests: &'m Manifests,
    open: Option<(usize, fs::File)>,
    buffer: Vec<u8>,
}

impl<'m> Reader<'m> {
    pub(crate) fn new(manifests: &'m Manifests) -> Reader<'m> {
        Reader {
            manifests,
            open: None,
            buffer: Vec::new(),
        }
    }

    /// Calls `f` with the name of the file, the place and the text of each document.
    ///
    /// # Errors
    /// The file can no longer be read as it was.
    pub(crate) fn each(
        &mut self,
        batch: &Batch,
        mut f: impl FnMut(&'m Arc<str>, &Piece, &[u8]),
    ) -> Result<(), Problem> {
        let Some(file) = self.manifests.files.get(batch.file) else {
            return Ok(());
        };
        let pieces = file.pieces.get(batch.pieces.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return Ok(());
        };
        let (bytes, base) = match &file.held {
            Some(held) => (held.as_slice(), 0),
            None => {
                let read = self.fill(batch.file, &file.name, first.start..last.end);
                read.map_err(|e| {
                    let changed = e.kind() == std::io::ErrorKind::UnexpectedEof;
                    let why = if changed {
                        "it became shorter while it was read".to_owned()
                    } else {
                        e.to_string()
                    };
                    file_problem(&file.name, &why)
                })?;
                (self.buffer.as_slice(), first.start)
            }
        };
        for piece in pieces {
            let text = bytes.get(piece.start - base..piece.end - base).unwrap_or_default();
            f(&file.name, piece, text);
        }
        Ok(())
    }

    /// Reads a part of a file into the buffer.
    fn fill(&mut self, file: usize, name: &str, range: Range<usize>) -> std::io::Result<()> {
        let mut open = match self.open.take() {
            Some((at, open)) if at == file => open,
            _ => fs::File::open(name)?,
        };
        open.seek(SeekFrom::Start(range.start as u64))?;
        // One big document must not hold its memory for all that follow.
        if self.buffer.capacity() > BLOCK.max(range.len()) {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.buffer.resize(range.len(), 0);
        open.read_exact(&mut self.buffer)?;
        self.open = Some((file, open));
        Ok(())
    }
}

/// The lines of a file, given in ascending order.
struct Lines<'m> {
    file: &'m File,
    reader: Box<dyn BufRead + 'm>,
    /// The line that comes next, from 1.
    next: u32,
    /// The line given last.
    last: Option<String>,
}

impl<'m> Lines<'m> {
    fn new(file: &'m File) -> Option<Lines<'m>> {
        let reader: Box<dyn BufRead + 'm> = match &file.held {
            Some(held) => Box::new(Cursor::new(held)),
            None => Box::new(BufReader::new(fs::File::open(&*file.name).ok()?)),
        };
        Some(Lines {
            file,
            reader,
            next: 1,
            last: None,
        })
    }

    fn can_give(&self, file: &str, line: u32) -> bool {
        *self.file.name == *file && (line >= self.next || line + 1 == self.next && self.last.is_some())
    }

    /// A line, as far as what stands around the column needs it.
    fn get(&mut self, line: u32, column: u32) -> Option<String> {
        if line < self.next {
            return self.last.clone();
        }
        while self.next < line {
            if self.reader.skip_until(b'\n').ok()? == 0 {
                return None;
            }
            self.next += 1;
        }
        // A character has at most four bytes.
        let enough = (u64::from(column) + 200) * 4;
        let mut text = Vec::new();
        let mut part = self.reader.by_ref().take(enough);
        part.read_until(b'\n', &mut text).ok()?;
        if text.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n').ok()?;
        }
        self.next += 1;
        let text = String::from_utf8_lossy(&text).trim_end_matches(['\n', '\r']).to_owned();
        self.last = Some(text.clone());
        Some(text)
    }
}

fn file_problem(file: &str, message: &str) -> Problem {
    let message = message.strip_prefix(&format!("{file}: ")).unwrap_or(message);
    Problem {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message: message.to_owned(),
    }
}

fn is_object(document: &Document) -> bool {
    document.not_an_object().is_none() && !document.is_admission_review()
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
    memmem::find(bytes, word).is_some()
}
