//! Where the documents of a file begin and end, found without parsing them, from bytes that come in parts: what is
//! remembered of a file is where its documents stand, so a file need not be in memory.
//!
//! A line that begins with `---` or `...` ends a document wherever it stands: text of block scalars is indented, and
//! quoted text must not have such a line. What begins with a brace is cut into the JSON values it is made of. Big `List`s
//! are cut into their items ([`super::items`]).

use super::items::{Items, JsonList, YamlList};
use memchr::{memchr, memchr3};

/// Smaller documents are not cut into items.
const BIG: usize = 1 << 20;
/// Bytes of a line that are looked at to tell what it is.
const PREFIX: usize = 128;

/// Where a document, or an item of a big `List`, stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
    /// Row and column of its first byte, from 1.
    pub(super) at: (u32, u32),
    pub(super) form: Form,
    /// Which document of the file it is, from 0.
    pub(super) index: u32,
    /// Which item of a big `List` it is.
    pub(super) item: Option<u32>,
}

/// What a document looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Begins with a brace: JSON, or YAML in flow style.
    Json,
    /// Anything else.
    Yaml,
    /// An item of a block sequence, with its dash.
    Item,
}

/// Cuts a file into documents: hand it the file's bytes in order, in parts of any size.
#[derive(Debug, Default)]
pub struct Cutter {
    pieces: Vec<Piece>,
    documents: u32,
    /// Bytes understood.
    at: usize,
    /// Bytes that wait for more: too few to tell what they are.
    carry: Vec<u8>,
    begun: bool,
    document: Start,
    /// The line that is open; without one, the next byte begins a line.
    in_line: bool,
    line: Start,
    /// What the line began with, as far as that matters.
    text: Vec<u8>,
    /// The line ends the document.
    is_end: bool,
    state: State,
}

/// A byte and its row, from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) byte: usize,
    pub(super) row: u32,
}

impl Default for Start {
    fn default() -> Self {
        Start { byte: 0, row: 1 }
    }
}

/// What of a document was seen.
#[derive(Debug, Default)]
enum State {
    /// Space, comments, directives and markers.
    #[default]
    Blank,
    /// The same; the rest of the line is a comment or directive.
    Comment,
    Yaml(YamlList),
    Json(Json),
}

impl Cutter {
    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.take(bytes, false);
    }

    /// The pieces of the file, which has ended.
    pub fn finish(mut self) -> Vec<Piece> {
        self.take(&[], true);
        self.end_line();
        self.end_document();
        self.pieces
    }

    fn take(&mut self, bytes: &[u8], last: bool) {
        if self.carry.is_empty() {
            return self.scan(bytes, last);
        }
        let mut joined = std::mem::take(&mut self.carry);
        joined.extend_from_slice(bytes);
        self.scan(&joined, last);
    }

    fn scan(&mut self, mut bytes: &[u8], last: bool) {
        if !self.begun {
            const MARK: &[u8] = b"\xef\xbb\xbf";
            if !last && bytes.len() < MARK.len() {
                self.carry = bytes.to_vec();
                return;
            }
            self.begun = true;
            if let Some(rest) = bytes.strip_prefix(MARK) {
                bytes = rest;
                self.at = MARK.len();
                self.document.byte = self.at;
                self.line.byte = self.at;
            }
        }
        while !bytes.is_empty() {
            if !self.in_line {
                // A marker and what follows it are four bytes.
                if !last && bytes.len() < 4 && memchr(b'\n', bytes).is_none() {
                    self.carry = bytes.to_vec();
                    return;
                }
                self.begin_line(bytes);
            }
            let end = memchr(b'\n', bytes).map_or(bytes.len(), |i| i + 1);
            let (part, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
            self.part(part);
            self.at += part.len();
            bytes = rest;
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn begin_line(&mut self, bytes: &[u8]) {
        let starts = marker(bytes, b"---");
        if starts && self.line.byte > self.document.byte {
            self.end_document();
        }
        self.is_end = marker(bytes, b"...");
        self.in_line = true;
        self.text.clear();
    }

    /// A part of a line.
    fn part(&mut self, part: &[u8]) {
        let mut content = part;
        if matches!(self.state, State::Blank) {
            content = self.blank(part);
        }
        match &mut self.state {
            State::Yaml(list) if list.is_possible() => list.look(content),
            State::Json(_) => self.json(content, self.at + part.len() - content.len()),
            _ => {}
        }
        if matches!(&self.state, State::Blank) || matches!(&self.state, State::Yaml(list) if list.is_possible()) {
            let room = PREFIX.saturating_sub(self.text.len());
            self.text.extend(part.iter().take(room));
        }
    }

    /// Skips what is no content; what is left begins with content.
    fn blank<'b>(&mut self, part: &'b [u8]) -> &'b [u8] {
        let before = self.at - self.line.byte;
        let mut skip = 0;
        if before == 0 && (self.is_end || marker(part, b"---")) {
            skip = 3;
        }
        let inner = part.get(skip..).unwrap_or_default();
        skip += inner.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let content = part.get(skip..).unwrap_or_default();
        let column = u32::try_from(before + skip).unwrap_or(u32::MAX).saturating_add(1);
        self.state = match content.first() {
            None => State::Blank,
            Some(b'#') => State::Comment,
            Some(b'%') if column == 1 => State::Comment,
            Some(b'{' | b'[') => State::Json(Json::new(self.at + skip, (self.line.row, column))),
            Some(_) => State::Yaml(YamlList::default()),
        };
        content
    }

    /// A part of a line in JSON, which begins at `at`.
    fn json(&mut self, mut bytes: &[u8], mut at: usize) {
        let row = self.line.row;
        while let State::Json(json) = &mut self.state {
            let Some(taken) = json.take(bytes, at, row) else { return };
            // Another value begins.
            let next = Json::new(at + taken, (row, json.column));
            let json = std::mem::replace(json, next);
            let end = json.end.unwrap_or(at);
            self.end_json(json, end);
            at += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn end_line(&mut self) {
        if !self.in_line {
            return;
        }
        match &mut self.state {
            State::Comment => self.state = State::Blank,
            State::Yaml(list) => list.line(self.line, self.at - self.line.byte, &self.text),
            State::Blank | State::Json(_) => {}
        }
        self.in_line = false;
        self.line = Start {
            byte: self.at,
            row: self.line.row.saturating_add(1),
        };
        if self.is_end {
            self.end_document();
        }
    }

    /// The document ends before the line that is next.
    fn end_document(&mut self) {
        let end = self.line.byte;
        let start = std::mem::replace(&mut self.document, self.line);
        match std::mem::take(&mut self.state) {
            State::Blank | State::Comment => {}
            State::Yaml(list) => {
                let piece = self.piece(start.byte, end, (start.row, 1), Form::Yaml);
                self.add(piece, list.items(end), Form::Item);
            }
            State::Json(json) => self.end_json(json, end),
        }
    }

    fn end_json(&mut self, json: Json, end: usize) {
        let piece = self.piece(json.start, end, json.at, Form::Json);
        let items = json.end.and_then(|_| json.list.items());
        self.add(piece, items.filter(|_| !json.followed), Form::Json);
    }

    fn piece(&self, start: usize, end: usize, at: (u32, u32), form: Form) -> Piece {
        Piece {
            start,
            end,
            at,
            form,
            index: self.documents,
            item: None,
        }
    }

    /// Adds a document: its items, if it is a big list.
    fn add(&mut self, piece: Piece, items: Option<Items>, form: Form) {
        match items.filter(|_| piece.end - piece.start >= BIG) {
            None => self.pieces.push(piece),
            Some(items) => self.pieces.extend((0..).zip(items).map(|(i, item)| Piece {
                start: item.start,
                end: item.end,
                at: item.at,
                form,
                item: Some(i),
                ..piece
            })),
        }
        self.documents = self.documents.saturating_add(1);
    }
}

/// A JSON value in a stream of them.
#[derive(Debug)]
struct Json {
    start: usize,
    at: (u32, u32),
    /// Column of the next byte, from 1.
    column: u32,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The byte after it.
    end: Option<usize>,
    /// What followed it is no value: text for the YAML reader to understand or refuse.
    followed: bool,
    list: JsonList,
}

impl Json {
    fn new(start: usize, at: (u32, u32)) -> Json {
        Json {
            start,
            at,
            column: at.1,
            depth: 0,
            in_string: false,
            escaped: false,
            end: None,
            followed: false,
            list: JsonList::default(),
        }
    }

    /// Takes bytes that begin at `at` in a row; gives how many, when another value begins after them.
    fn take(&mut self, bytes: &[u8], at: usize, row: u32) -> Option<usize> {
        if self.followed {
            return None;
        }
        let mut i = 0;
        while let Some(&b) = bytes.get(i) {
            if self.in_string && !self.escaped {
                // Up to what may end it.
                let rest = bytes.get(i..).unwrap_or_default();
                let run = memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len());
                if run > 0 {
                    let text = rest.get(..run).unwrap_or_default();
                    self.list.text(text, self.depth);
                    self.advance(text);
                    i += run;
                    continue;
                }
            }
            if self.end.is_some() {
                match b {
                    b'{' | b'[' => return Some(i),
                    b if b.is_ascii_whitespace() => {}
                    _ => {
                        self.followed = true;
                        return None;
                    }
                }
            } else {
                self.byte(b, at + i, row);
            }
            self.advance(&[b]);
            i += 1;
        }
        None
    }

    fn advance(&mut self, text: &[u8]) {
        // A byte that goes on with a character is no column.
        let characters = text.iter().filter(|&&b| b & 0xc0 != 0x80).count();
        self.column = match text {
            b"\n" => 1,
            _ => self
                .column
                .saturating_add(u32::try_from(characters).unwrap_or(u32::MAX)),
        };
    }

    fn byte(&mut self, b: u8, at: usize, row: u32) {
        if self.in_string {
            match b {
                _ if self.escaped => self.escaped = false,
                b'\\' => {
                    self.escaped = true;
                    self.list.odd(self.depth);
                }
                b'"' => {
                    self.in_string = false;
                    self.list.string(self.depth);
                }
                _ => self.list.odd(self.depth),
            }
            return;
        }
        match b {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                self.depth += 1;
                self.list.open(b, self.depth, at, (row, self.column));
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.list.close(b, self.depth, at + 1);
                if self.depth == 0 {
                    self.end = Some(at + 1);
                }
            }
            b if b.is_ascii_whitespace() => {}
            b => self.list.other(b, self.depth),
        }
    }
}

fn marker(line: &[u8], what: &[u8]) -> bool {
    line.strip_prefix(what)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\t' | b'\r' | b'\n')))
}

/// Row and column, from 1, of a byte; the column counts characters as far as the bytes are text.
pub(super) fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let row = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let line = before.rsplit(|&b| b == b'\n').next().unwrap_or_default();
    (row, String::from_utf8_lossy(line).chars().count() + 1)
}

/// Row and column in a file of a place in a text that begins at `start`.
pub(super) fn in_file(start: (u32, u32), row: usize, column: usize) -> (u32, u32) {
    let row = u32::try_from(row).unwrap_or(u32::MAX).max(1);
    let column = u32::try_from(column).unwrap_or(u32::MAX).max(1);
    let before = if row == 1 { start.1.max(1) - 1 } else { 0 };
    (start.0.max(1).saturating_add(row - 1), column.saturating_add(before))
}
