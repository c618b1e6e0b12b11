//! Where the documents of a file begin and end, found without parsing them.
//!
//! A line that begins with `---` or `...` ends a document wherever it stands: text of block scalars is indented, and
//! quoted text must not have such a line. What begins with a brace is cut into the JSON values it is made of.

/// A part of a file that is one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'b> {
    pub(super) bytes: &'b [u8],
    /// Row of its first byte, from 1.
    pub(super) row: u32,
    /// Column of its first byte, from 1.
    pub(super) column: u32,
    pub(super) form: Form,
}

impl Chunk<'_> {
    /// The place in the file of a place in the chunk.
    pub(super) fn in_file(&self, row: usize, column: usize) -> (u32, u32) {
        in_file((self.row, self.column), row, column)
    }
}

/// Row and column in a file of a place in a text that begins at `start`.
pub(super) fn in_file(start: (u32, u32), row: usize, column: usize) -> (u32, u32) {
    let row = u32::try_from(row).unwrap_or(u32::MAX).max(1);
    let column = u32::try_from(column).unwrap_or(u32::MAX).max(1);
    let before = if row == 1 { start.1.max(1) - 1 } else { 0 };
    (start.0.max(1).saturating_add(row - 1), column.saturating_add(before))
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

#[derive(Debug)]
pub(super) struct Splitter<'b> {
    rest: &'b [u8],
    row: u32,
    /// What is left of a document that is a stream of JSON values.
    stream: Option<Chunk<'b>>,
}

impl<'b> Splitter<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Splitter<'b> {
        Splitter {
            rest: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            row: 1,
            stream: None,
        }
    }

    /// Up to the next marker line; `---` belongs to what follows it.
    fn document(&mut self) -> Option<Chunk<'b>> {
        if self.rest.is_empty() {
            return None;
        }
        let (bytes, row) = (self.rest, self.row);
        let mut at = 0;
        let mut rows = 0;
        let mut content = false;
        loop {
            let line = line_at(bytes, at);
            if at > 0 && marker(line, b"---") && (content || rows > 0) {
                break;
            }
            let end = marker(line, b"...");
            at += line.len();
            rows += 1;
            content = true;
            if end || at >= bytes.len() {
                break;
            }
        }
        let (head, tail) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
        self.rest = tail;
        self.row = row.saturating_add(rows);
        Some(Chunk {
            bytes: head,
            row,
            column: 1,
            form: Form::Yaml,
        })
    }
}

impl<'b> Iterator for Splitter<'b> {
    type Item = Chunk<'b>;

    fn next(&mut self) -> Option<Chunk<'b>> {
        loop {
            if let Some(stream) = self.stream.take() {
                let (value, rest) = json_value(&stream);
                self.stream = rest;
                return Some(value);
            }
            let chunk = self.document()?;
            let Some(start) = content_start(chunk.bytes) else {
                continue;
            };
            match chunk.bytes.get(start) {
                Some(b'{' | b'[') => {
                    self.stream = Some(advance(&chunk, start));
                }
                _ => return Some(chunk),
            }
        }
    }
}

/// The line that begins at a byte, its end included.
pub(super) fn line_at(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.iter().position(|&b| b == b'\n') {
        Some(end) => rest.get(..=end).unwrap_or(rest),
        None => rest,
    }
}

fn marker(line: &[u8], what: &[u8]) -> bool {
    line.strip_prefix(what)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\t' | b'\r' | b'\n')))
}

/// The first byte that is neither space, comment, directive nor marker; `None` when there is none.
fn content_start(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        let line = line_at(bytes, at);
        let skip = if marker(line, b"---") || marker(line, b"...") {
            3
        } else {
            0
        };
        let inner = line.get(skip..).unwrap_or_default();
        let blank = inner.iter().take_while(|b| b.is_ascii_whitespace()).count();
        match inner.get(blank) {
            None | Some(b'#') => {}
            Some(b'%') if skip == 0 && blank == 0 => {}
            Some(_) => return Some(at + skip + blank),
        }
        at += line.len();
    }
    None
}

/// The chunk from a byte on.
fn advance<'b>(chunk: &Chunk<'b>, by: usize) -> Chunk<'b> {
    let (head, tail) = chunk.bytes.split_at_checked(by).unwrap_or((chunk.bytes, &[]));
    let (row, column) = position(head, head.len());
    let (row, column) = chunk.in_file(row, column);
    Chunk {
        bytes: tail,
        row,
        column,
        form: Form::Json,
    }
}

/// The first value of a JSON stream, and what follows when that begins another one. Text that is no such stream stays
/// whole, for the YAML reader to understand or refuse.
fn json_value<'b>(stream: &Chunk<'b>) -> (Chunk<'b>, Option<Chunk<'b>>) {
    let whole = (stream.clone(), None);
    let Some(end) = balanced(stream.bytes) else {
        return whole;
    };
    let rest = advance(stream, end);
    let blank = rest.bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    match rest.bytes.get(blank) {
        Some(b'{' | b'[') => {}
        _ => return whole,
    }
    let value = Chunk {
        bytes: stream.bytes.get(..end).unwrap_or(stream.bytes),
        ..stream.clone()
    };
    (value, Some(advance(&rest, blank)))
}

/// The end of the bracketed text that begins the bytes.
pub(super) fn balanced(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, b) in bytes.iter().enumerate() {
        if in_string {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Row and column, from 1, of a byte; the column counts characters as far as the bytes are text.
pub(super) fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let row = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let line = before.rsplit(|&b| b == b'\n').next().unwrap_or_default();
    (row, String::from_utf8_lossy(line).chars().count() + 1)
}
