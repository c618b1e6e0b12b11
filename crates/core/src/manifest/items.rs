//! Big `List`s as `kubectl get -o yaml` and `-o json` write them, cut into their items without parsing the whole: what a
//! hundred thousand objects say does not fit in memory at once. A list of another form, with anchors, or with anything
//! odd in it stays whole and is read the slow way.

use super::cut::Start;
use memchr::memchr2_iter;

/// Where an item stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Row and column, from 1.
    pub(super) at: (u32, u32),
}

pub(super) type Items = Vec<Item>;

/// Block style: `items:` at the margin, then lines that begin with a dash, each an item.
#[derive(Debug, Default)]
pub(super) struct YamlList {
    /// Something showed that it is no such list.
    odd: bool,
    is_list: bool,
    seen_items: bool,
    in_items: bool,
    /// Column of the dashes.
    dash: Option<usize>,
    /// The item that is open.
    open: Option<Start>,
    items: Items,
    /// The two bytes before the next one of this line.
    tail: [u8; 2],
}

impl YamlList {
    pub(super) fn is_possible(&self) -> bool {
        !self.odd
    }

    /// Looks for anchors in a part of a line (`a: *b`, `- &b`): they may reach from item to item.
    pub(super) fn look(&mut self, part: &[u8]) {
        let before = |i: usize, back: usize| match i.checked_sub(back) {
            Some(i) => part.get(i).copied(),
            None => self.tail.get(2 + i - back).copied(),
        };
        let is_anchor = |i| before(i, 1) == Some(b' ') && matches!(before(i, 2), Some(b':' | b'-'));
        self.odd |= memchr2_iter(b'*', b'&', part).any(is_anchor);
        for &b in part.iter().skip(part.len().saturating_sub(2)) {
            self.tail = [self.tail[1], b];
        }
    }

    /// Takes a line, of which `text` is the beginning.
    pub(super) fn line(&mut self, line: Start, length: usize, text: &[u8]) {
        self.tail = [0; 2];
        if self.odd {
            return;
        }
        let indent = text.iter().take_while(|&&b| b == b' ').count();
        let rest = text.get(indent..).unwrap_or_default();
        let is_whole = length == text.len();
        let rest = if is_whole { rest.trim_ascii_end() } else { rest };
        let is_blank = is_whole && rest.is_empty() || rest.starts_with(b"#");
        let is_dash = matches!(rest, [b'-'] | [b'-', b' ', ..]);
        if self.in_items && is_dash && self.dash.is_none_or(|dash| dash == indent) {
            self.dash = Some(indent);
            self.close(line.byte);
            self.open = Some(line);
        } else if indent == 0 && !is_blank {
            self.close(line.byte);
            self.in_items = false;
            // A key at the margin; what `kind` is and where `items` is must be plain.
            match rest {
                b"items:" if !self.seen_items => (self.in_items, self.seen_items) = (true, true),
                b"kind: List" if !self.is_list => self.is_list = true,
                b"metadata:" | b"metadata: {}" => {}
                _ => self.odd = !rest.starts_with(b"apiVersion: "),
            }
        } else if self.in_items && !is_blank && (self.open.is_none() || self.dash.is_some_and(|dash| indent <= dash)) {
            self.odd = true;
        }
    }

    fn close(&mut self, end: usize) {
        if let Some(open) = self.open.take() {
            self.items.push(Item {
                start: open.byte,
                end,
                at: (open.row, 1),
            });
        }
    }

    /// The items of a document that has ended.
    pub(super) fn items(mut self, end: usize) -> Option<Items> {
        self.close(end);
        (!self.odd && self.is_list && self.seen_items).then_some(self.items)
    }
}

/// `{"apiVersion": "v1", "items": [..], "kind": "List", "metadata": {..}}`, in any order.
#[derive(Debug, Default)]
pub(super) struct JsonList {
    want: Want,
    key: Key,
    /// What the string that is open says, as far as that matters.
    text: Vec<u8>,
    is_list: bool,
    seen_items: bool,
    open: Option<(usize, (u32, u32))>,
    items: Items,
}

/// What may come next for it to be such a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Want {
    #[default]
    Object,
    Key,
    Colon,
    Value,
    /// A comma, or the end.
    Next,
    /// The first item, or the end of the items.
    Items,
    Item,
    NextItem,
    Done,
    /// It is no such list.
    Odd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    ApiVersion,
    Kind,
    Items,
    Metadata,
}

impl JsonList {
    /// Whether what stands at this depth matters; the rest is inside `metadata` or an item.
    fn cares(&self, depth: usize) -> bool {
        self.want != Want::Odd && (depth <= 1 || depth == 2 && self.key == Key::Items)
    }

    /// A part of a string.
    pub(super) fn text(&mut self, part: &[u8], depth: usize) {
        /// More than the longest word that matters.
        const ENOUGH: usize = 16;
        if self.cares(depth) {
            let room = ENOUGH.saturating_sub(self.text.len());
            self.text.extend(part.iter().take(room));
        }
    }

    /// The end of a string.
    pub(super) fn string(&mut self, depth: usize) {
        if !self.cares(depth) {
            return;
        }
        let text = std::mem::take(&mut self.text);
        self.want = match (self.want, depth) {
            (Want::Key, 1) => {
                self.key = match text.as_slice() {
                    b"apiVersion" => Key::ApiVersion,
                    b"kind" => Key::Kind,
                    b"items" => Key::Items,
                    b"metadata" => Key::Metadata,
                    _ => return self.want = Want::Odd,
                };
                Want::Colon
            }
            (Want::Value, 1) if self.key == Key::ApiVersion => Want::Next,
            (Want::Value, 1) if self.key == Key::Kind && text == b"List" && !self.is_list => {
                self.is_list = true;
                Want::Next
            }
            _ => Want::Odd,
        };
    }

    /// Something in a string that is no plain text.
    pub(super) fn odd(&mut self, depth: usize) {
        if self.cares(depth) {
            self.want = Want::Odd;
        }
    }

    /// A bracket that opens, with the depth within it.
    pub(super) fn open(&mut self, bracket: u8, depth: usize, byte: usize, at: (u32, u32)) {
        if !self.cares(depth - 1) {
            return;
        }
        self.want = match (self.want, bracket) {
            (Want::Object, b'{') => Want::Key,
            (Want::Value, b'{') if self.key == Key::Metadata => Want::Next,
            (Want::Value, b'[') if self.key == Key::Items && !self.seen_items => {
                self.seen_items = true;
                Want::Items
            }
            (Want::Items | Want::Item, b'{') => {
                self.open = Some((byte, at));
                Want::NextItem
            }
            _ => Want::Odd,
        };
    }

    /// A bracket that closes, with the depth outside it and the byte after it.
    pub(super) fn close(&mut self, bracket: u8, depth: usize, end: usize) {
        if !self.cares(depth) {
            return;
        }
        self.want = match (self.want, bracket, depth) {
            (Want::NextItem, b'}', 2) if self.open.is_some() => {
                let item = self.open.take().map(|(start, at)| Item { start, end, at });
                self.items.extend(item);
                Want::NextItem
            }
            (Want::Items | Want::NextItem, b']', 1) => Want::Next,
            (Want::Next, b'}', 1) if self.key == Key::Metadata => Want::Next,
            (Want::Next, b'}', 0) => Want::Done,
            _ => Want::Odd,
        };
    }

    /// Any other byte that is no space.
    pub(super) fn other(&mut self, byte: u8, depth: usize) {
        if !self.cares(depth) {
            return;
        }
        self.want = match (self.want, byte) {
            (Want::Colon, b':') => Want::Value,
            (Want::Next, b',') => Want::Key,
            (Want::NextItem, b',') => Want::Item,
            _ => Want::Odd,
        };
    }

    /// The items of a value that has ended.
    pub(super) fn items(self) -> Option<Items> {
        (self.want == Want::Done && self.is_list && self.seen_items).then_some(self.items)
    }
}
