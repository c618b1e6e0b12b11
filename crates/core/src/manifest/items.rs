//! Big `List`s as `kubectl get -o yaml` and `-o json` write them, cut into their items without parsing the whole: what a
//! hundred thousand objects say does not fit in memory at once. A list of another form, with anchors, or with anything
//! odd in it stays whole and is read the slow way.

use super::split::{Chunk, Form, balanced, line_at};

/// Smaller documents are parsed whole.
const BIG: usize = 1 << 20;

/// The items of a document that is a big `List`, in order; `None` for any other.
pub(super) fn cut<'b>(chunk: &Chunk<'b>) -> Option<Vec<Chunk<'b>>> {
    if chunk.bytes.len() < BIG {
        return None;
    }
    match chunk.form {
        Form::Json => cut_json(chunk),
        Form::Yaml => cut_yaml(chunk),
        Form::Item => None,
    }
}

/// Block style: `items:` at the margin, then lines that begin with a dash, each an item.
fn cut_yaml<'b>(chunk: &Chunk<'b>) -> Option<Vec<Chunk<'b>>> {
    let bytes = chunk.bytes;
    let mut items: Vec<Chunk<'b>> = Vec::new();
    let (mut at, mut row) = (0, chunk.row);
    // Where the item that is open begins: byte and row.
    let mut open: Option<(usize, u32)> = None;
    let mut dash: Option<usize> = None;
    let (mut in_items, mut seen_items, mut is_list) = (false, false, false);
    while at < bytes.len() {
        let line = line_at(bytes, at);
        let text = line.trim_ascii_end();
        let indent = text.iter().take_while(|&&b| b == b' ').count();
        let rest = text.get(indent..).unwrap_or_default();
        let is_dash = matches!(rest, [b'-'] | [b'-', b' ', ..]);
        let blank = rest.is_empty() || rest.starts_with(b"#");
        if in_items && is_dash && (dash.is_none() || dash == Some(indent)) {
            dash = Some(indent);
            close(&mut items, chunk, open.replace((at, row)), at);
        } else if !blank && indent == 0 && !rest.starts_with(b"---") {
            close(&mut items, chunk, open.take(), at);
            in_items = false;
            // A key at the margin; what `kind` is and where `items` is must be plain.
            match rest {
                b"items:" if seen_items => return None,
                b"items:" => (in_items, seen_items) = (true, true),
                b"kind: List" if is_list => return None,
                b"kind: List" => is_list = true,
                _ if rest.starts_with(b"apiVersion: ") => {}
                b"metadata:" | b"metadata: {}" => {}
                _ => return None,
            }
        } else if in_items && !blank && (open.is_none() || dash.is_some_and(|dash| indent <= dash)) {
            return None;
        }
        // Anchors may reach from item to item.
        if has_alias(rest) {
            return None;
        }
        at += line.len();
        row = row.saturating_add(1);
    }
    close(&mut items, chunk, open, at);
    (is_list && seen_items).then_some(items)
}

fn close<'b>(items: &mut Vec<Chunk<'b>>, chunk: &Chunk<'b>, open: Option<(usize, u32)>, end: usize) {
    if let Some((start, row)) = open
        && let Some(bytes) = chunk.bytes.get(start..end)
    {
        items.push(Chunk {
            bytes,
            row,
            column: 1,
            form: Form::Item,
        });
    }
}

/// Whether a line may use an anchor (`a: *b`, `- *b`).
fn has_alias(line: &[u8]) -> bool {
    line.windows(3).any(|w| matches!(w, [b':' | b'-', b' ', b'*' | b'&']))
}

/// `{"apiVersion": "v1", "items": [..], "kind": "List", "metadata": {..}}`, in any order.
fn cut_json<'b>(chunk: &Chunk<'b>) -> Option<Vec<Chunk<'b>>> {
    let mut cursor = Cursor {
        bytes: chunk.bytes,
        at: 0,
        row: chunk.row,
        line_start: 0,
        column: chunk.column,
    };
    cursor.take(b'{')?;
    let mut items = None;
    let mut is_list = false;
    loop {
        let key = cursor.string()?;
        cursor.take(b':')?;
        match key {
            b"items" if items.is_none() => items = Some(cursor.items()?),
            b"kind" if !is_list => {
                is_list = true;
                if cursor.string()? != b"List" {
                    return None;
                }
            }
            b"apiVersion" => {
                cursor.string()?;
            }
            b"metadata" => {
                cursor.block(b'{')?;
            }
            _ => return None,
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    let rest = chunk.bytes.get(cursor.at..).unwrap_or_default();
    (is_list && rest.iter().all(u8::is_ascii_whitespace)).then_some(items?)
}

struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
    row: u32,
    /// Where the row begins, for columns.
    line_start: usize,
    /// Column of the first byte, from 1; only for the first row.
    column: u32,
}

impl<'b> Cursor<'b> {
    fn go_to(&mut self, at: usize) {
        for (i, b) in self.bytes.iter().enumerate().take(at).skip(self.at) {
            if *b == b'\n' {
                self.row = self.row.saturating_add(1);
                self.line_start = i + 1;
                self.column = 1;
            }
        }
        self.at = at;
    }

    fn skip_blank(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.go_to(self.at + blank);
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_blank();
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let b = self.peek()?;
        self.go_to(self.at + 1);
        Some(b)
    }

    fn take(&mut self, want: u8) -> Option<()> {
        (self.next()? == want).then_some(())
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'b [u8]> {
        self.take(b'"')?;
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|b| matches!(b, b'"' | b'\\' | b'\n'))?;
        let text = rest.get(..end)?;
        self.go_to(self.at + end);
        self.take(b'"')?;
        Some(text)
    }

    /// Bracketed text.
    fn block(&mut self, open: u8) -> Option<&'b [u8]> {
        if self.peek()? != open {
            return None;
        }
        let rest = self.bytes.get(self.at..)?;
        let end = balanced(rest)?;
        self.go_to(self.at + end);
        rest.get(..end)
    }

    fn items(&mut self) -> Option<Vec<Chunk<'b>>> {
        self.take(b'[')?;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.next()?;
            return Some(items);
        }
        loop {
            self.skip_blank();
            let row = self.row;
            let before = u32::try_from(self.at - self.line_start).unwrap_or(u32::MAX);
            let column = before.saturating_add(self.column);
            let bytes = self.block(b'{')?;
            items.push(Chunk {
                bytes,
                row,
                column,
                form: Form::Json,
            });
            match self.next()? {
                b',' => {}
                b']' => return Some(items),
                _ => return None,
            }
        }
    }
}
