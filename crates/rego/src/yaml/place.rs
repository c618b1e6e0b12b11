//! Where the nodes of a document stand.

use granit_parser::{Event, ScalarStyle, Span};

/// A node's place, and the places of what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Row, from 1.
    pub row: u32,
    /// Column in characters, from 1.
    pub col: u32,
    /// What the node is.
    pub kind: Kind,
}

/// What a node is, as far as places need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A scalar whose text stands in one line, or an alias.
    #[default]
    Scalar,
    /// A `|` or `>` scalar: its first line is row `row`, each line begins at column `col` (both from 1).
    Block {
        /// Row of the first line of text.
        row: u32,
        /// Column at which each line's text begins.
        col: u32,
    },
    /// A sequence.
    Sequence(Vec<Place>),
    /// A mapping, in the order written.
    Mapping(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The key as written, quotes taken off.
    pub key: String,
    /// Row of the key, from 1.
    pub row: u32,
    /// Column of the key, from 1.
    pub col: u32,
    /// The value.
    pub value: Place,
}

impl Place {
    /// The place of the node at a path (keys, and indexes as decimal text), or of its nearest known ancestor. A
    /// mapping's entry is found at its key.
    pub fn find(&self, path: &[&str]) -> (u32, u32) {
        let mut at = (self.row, self.col);
        let mut node = self;
        for step in path {
            match &node.kind {
                Kind::Sequence(items) => match step.parse::<usize>().ok().and_then(|i| items.get(i)) {
                    Some(item) => (at, node) = ((item.row, item.col), item),
                    None => return at,
                },
                Kind::Mapping(entries) => match entries.iter().rev().find(|e| e.key == *step) {
                    Some(e) => (at, node) = ((e.row, e.col), &e.value),
                    None => return at,
                },
                Kind::Scalar | Kind::Block { .. } => return at,
            }
        }
        at
    }

    /// The node at a path, if it is there.
    pub fn get(&self, path: &[&str]) -> Option<&Place> {
        path.iter().try_fold(self, |node, step| match &node.kind {
            Kind::Sequence(items) => items.get(step.parse::<usize>().ok()?),
            Kind::Mapping(entries) => entries.iter().rev().find(|e| e.key == *step).map(|e| &e.value),
            Kind::Scalar | Kind::Block { .. } => None,
        })
    }
}

pub(super) struct Builder<'t> {
    lines: Vec<&'t str>,
    open: Vec<(Place, Option<Entry>)>,
    root: Place,
}

impl<'t> Builder<'t> {
    pub(super) fn new(text: &'t str) -> Builder<'t> {
        Builder {
            lines: text.lines().collect(),
            open: Vec::new(),
            root: Place {
                row: 1,
                col: 1,
                kind: Kind::Scalar,
            },
        }
    }

    pub(super) fn finish(self) -> Place {
        self.root
    }

    pub(super) fn event(&mut self, event: Event<'_>, span: Span) {
        let at = |kind| Place {
            row: u32::try_from(span.start.line()).unwrap_or(u32::MAX),
            col: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
            kind,
        };
        match event {
            Event::Scalar(text, style, ..) => {
                if let Some((mapping, key @ None)) = self.open.last_mut()
                    && matches!(mapping.kind, Kind::Mapping(_))
                {
                    let place = at(Kind::Scalar);
                    *key = Some(Entry {
                        key: text.into_owned(),
                        row: place.row,
                        col: place.col,
                        value: Place::default(),
                    });
                    return;
                }
                let kind = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => self.block(&text, span),
                    _ => Kind::Scalar,
                };
                self.put(at(kind));
            }
            Event::Alias(_) => self.put(at(Kind::Scalar)),
            Event::SequenceStart(..) => self.open.push((at(Kind::Sequence(Vec::new())), None)),
            Event::MappingStart(..) => self.open.push((at(Kind::Mapping(Vec::new())), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((place, _)) = self.open.pop() {
                    self.put(place);
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, place: Place) {
        match self.open.last_mut() {
            None => self.root = place,
            Some((Place { kind, .. }, pending)) => match kind {
                Kind::Sequence(items) => items.push(place),
                Kind::Mapping(entries) => match pending.take() {
                    Some(entry) => entries.push(Entry { value: place, ..entry }),
                    // An alias as key: its name is not known here.
                    None => {
                        *pending = Some(Entry {
                            row: place.row,
                            col: place.col,
                            ..Entry::default()
                        });
                    }
                },
                Kind::Scalar | Kind::Block { .. } => {}
            },
        }
    }

    /// The event stands at the first line that is not blank; the text begins as many lines above as it has line breaks
    /// in front. Lines are indented by what that line has more in the file than in the value.
    fn block(&self, text: &str, span: Span) -> Kind {
        let at = span.start.line();
        let blank_lines = text.bytes().take_while(|&b| b == b'\n').count();
        let indent = |l: &str| l.len() - l.trim_start_matches(' ').len();
        let in_file = self.lines.get(at.saturating_sub(1)).map_or(0, |l| indent(l));
        let in_value = text
            .get(blank_lines..)
            .map_or(0, |t| indent(t.lines().next().unwrap_or_default()));
        Kind::Block {
            row: u32::try_from(at.saturating_sub(blank_lines)).unwrap_or(u32::MAX),
            col: u32::try_from(in_file.saturating_sub(in_value) + 1).unwrap_or(u32::MAX),
        }
    }
}
