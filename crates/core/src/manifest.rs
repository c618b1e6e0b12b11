//! YAML and JSON documents as Kubernetes reads them, with the place of every node.
//!
//! A file is cut into documents ([`Cutter`]) before any of it is parsed, so a bad document hides no other and only one is
//! in memory at a time. Places are made by reading a document again when someone asks: most documents have nothing to
//! report.

mod cut;
mod items;
mod list;
mod object;
mod places;

pub use cut::{Cutter, Piece};
pub use places::Places;

use cut::Form;
use regent_rego::{Value, json, yaml};
use std::collections::VecDeque;
use std::fmt;

/// Levels of nesting in a document before it is refused.
const DEPTH: u32 = 200;

/// A problem in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as given.
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
    /// What is wrong, for people.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}: {}", self.file, self.message),
            (line, 0) => write!(f, "{}:{line}: {}", self.file, self.message),
            (line, column) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its place in the file, from 0 (items of a `List` count on within their document by `item`).
    pub index: usize,
    /// Which item of a `List` kind it was.
    pub item: Option<usize>,
    /// What it says; always an object.
    pub value: Value,
    /// Where its nodes stand.
    pub places: Places,
}

impl Document {
    /// A string field at the top (`kind`, `apiVersion`); empty when it is not there.
    pub fn field(&self, name: &str) -> &str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The API group of `apiVersion`; empty for the core group.
    pub fn group(&self) -> &str {
        self.field("apiVersion").rsplit_once('/').map_or("", |p| p.0)
    }

    /// `metadata.name`; empty when it is not there.
    pub fn name(&self) -> &str {
        let name = self.value.path(&["metadata", "name"]).and_then(Value::as_str);
        name.unwrap_or_default()
    }

    /// What keeps it from being a Kubernetes object, with the path of the node to blame.
    pub fn not_an_object(&self) -> Option<(Vec<&'static str>, String)> {
        object::problem(&self.value)
    }

    /// Whether it is a recorded request, to be judged as one.
    pub fn is_admission_review(&self) -> bool {
        self.field("kind") == "AdmissionReview" && self.group() == "admission.k8s.io"
    }
}

/// Line and column, from 1, of a byte of a file.
pub fn position(bytes: &[u8], at: usize) -> (u32, u32) {
    let (row, column) = cut::position(bytes, at);
    cut::in_file((1, 1), row, column)
}

/// Reads every document of a file, `List` kinds unrolled; a bad document is a problem and hides no other.
pub fn read(file: &str, bytes: &[u8]) -> Vec<Result<Document, Problem>> {
    documents(file, bytes).collect()
}

/// As [`read`], with `yes`, `no`, `on`, `off`, `y` and `n` left strings: as `gator verify` reads Suites.
pub fn read_words(file: &str, bytes: &[u8]) -> Vec<Result<Document, Problem>> {
    let mut out = VecDeque::new();
    for piece in pieces(bytes) {
        piece.read_into(file, piece.of(bytes), true, &mut out);
    }
    out.into()
}

/// The documents of a file one by one; see [`read`].
pub fn documents<'b>(file: &str, bytes: &'b [u8]) -> Documents<'b> {
    Documents {
        file: file.to_owned(),
        bytes,
        pieces: pieces(bytes).into_iter(),
        ready: VecDeque::new(),
    }
}

/// See [`documents`].
#[derive(Debug)]
pub struct Documents<'b> {
    file: String,
    bytes: &'b [u8],
    pieces: std::vec::IntoIter<Piece>,
    /// Items of a `List` that wait for their turn.
    ready: VecDeque<Result<Document, Problem>>,
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let piece = self.pieces.next()?;
            piece.read_into(&self.file, piece.of(self.bytes), false, &mut self.ready);
        }
    }
}

/// Where the documents of a file stand. Of a file that is not in memory, [`Cutter`] tells the same.
pub fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let mut cutter = Cutter::default();
    cutter.push(bytes);
    cutter.finish()
}

impl Piece {
    /// Its text, of the bytes of the whole file; nothing when they are too few.
    pub fn of<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Parses its text, the bytes from its start to its end: nothing for an empty document, several for a `List`.
    pub fn read(&self, file: &str, text: &[u8]) -> Vec<Result<Document, Problem>> {
        let mut out = VecDeque::new();
        self.read_into(file, text, false, &mut out);
        out.into()
    }

    fn read_into(&self, file: &str, text: &[u8], words: bool, out: &mut VecDeque<Result<Document, Problem>>) {
        let index = self.index as usize;
        match parse(file, self, text, words) {
            Ok(None) => {}
            Ok(Some((value, places))) => match self.item {
                None => list::unroll(file, index, value, places, out),
                Some(item) => out.push_back(Ok(Document {
                    index,
                    item: Some(item as usize),
                    value,
                    places,
                })),
            },
            Err(problem) => out.push_back(Err(problem)),
        }
    }

    /// The place in the file of a place in the text.
    fn in_file(&self, row: usize, column: usize) -> (u32, u32) {
        cut::in_file(self.at, row, column)
    }
}

/// One document; `None` when there is nothing in it.
fn parse(file: &str, piece: &Piece, bytes: &[u8], words: bool) -> Result<Option<(Value, Places)>, Problem> {
    let start = piece.at;
    let problem = |row, column, message| {
        let (line, column) = piece.in_file(row, column);
        Problem {
            file: file.to_owned(),
            line,
            column,
            message,
        }
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let (row, column) = cut::position(bytes, e.valid_up_to());
            let message = match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the text is UTF-16; save it as UTF-8",
                _ => "the text is not UTF-8",
            };
            return Err(problem(row, column, message.to_owned()));
        }
    };
    let only_json = file.ends_with(".json");
    let mut value = read_value(text, piece.form, only_json, words).map_err(|e| problem(e.row, e.col, e.message))?;
    if piece.form == Form::Item {
        value = value
            .as_array()
            .and_then(<[Value]>::first)
            .cloned()
            .unwrap_or(Value::Null);
    }
    match value {
        Value::Null if piece.form != Form::Item => Ok(None),
        Value::Object(_) => {
            let mut places = Places::new(text, start);
            if piece.form == Form::Item {
                places = places.below(&["0"]);
            }
            Ok(Some((value, places)))
        }
        other => {
            let (line, column) = Places::new(text, start).find(&[]);
            let what = other.type_name();
            let message = format!("a document must be an object with apiVersion and kind, this is of type {what}");
            Err(Problem {
                file: file.to_owned(),
                line,
                column,
                message,
            })
        }
    }
}

/// JSON where it is JSON, else YAML, of which JSON's syntax is a part. What calls itself JSON must be JSON.
fn read_value(text: &str, form: Form, only_json: bool, words: bool) -> Result<Value, yaml::ReadError> {
    let options = yaml::ReadOptions {
        depth: DEPTH,
        only_true_false: words,
        ..yaml::ReadOptions::strict()
    };
    if form == Form::Json || only_json {
        let options = json::ReadOptions {
            depth: DEPTH as usize,
            refuse_duplicates: true,
            ..json::ReadOptions::default()
        };
        match json::read(text.as_bytes(), options) {
            Ok(value) => return Ok(value),
            Err(json::ReadError { message, row, col }) if only_json => {
                return Err(yaml::ReadError { message, row, col });
            }
            Err(_) => {}
        }
    }
    yaml::read_with(text, options)
}

#[cfg(test)]
mod tests;
