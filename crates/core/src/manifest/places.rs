//! Line and column of the nodes of a document.

use super::cut;
use regent_rego::yaml::{self, Place};
use std::sync::{Arc, OnceLock};

/// Line and column of each node of a document, found when asked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    source: Arc<Source>,
    /// Where in the text the document stands: an item of a `List` stands below it.
    base: Vec<String>,
}

#[derive(Debug, Default)]
struct Source {
    text: Box<str>,
    /// Row and column in the file of the text's first byte, from 1.
    start: (u32, u32),
    root: OnceLock<Place>,
}

impl Places {
    /// The places of a document's text, which begins at a row and column of its file.
    pub fn new(text: &str, start: (u32, u32)) -> Places {
        let source = Source {
            text: Box::from(text),
            start,
            root: OnceLock::new(),
        };
        Places {
            source: Arc::new(source),
            base: Vec::new(),
        }
    }

    /// The places of a part of the document.
    pub(super) fn below(&self, path: &[&str]) -> Places {
        let inner = path.iter().map(|&s| s.to_owned());
        Places {
            source: Arc::clone(&self.source),
            base: self.base.iter().cloned().chain(inner).collect(),
        }
    }

    fn full<'p>(&'p self, path: &[&'p str]) -> Vec<&'p str> {
        self.base
            .iter()
            .map(String::as_str)
            .chain(path.iter().copied())
            .collect()
    }

    fn root(&self) -> &Place {
        self.source.root.get_or_init(|| {
            // Places are asked of documents that could be read, duplicates and all.
            yaml::read_places(&self.source.text, yaml::ReadOptions::default()).unwrap_or_default()
        })
    }

    fn in_file(&self, (row, column): (u32, u32)) -> (u32, u32) {
        cut::in_file(self.source.start, row as usize, column as usize)
    }

    /// Line and column of the node at a path (keys, and indexes as decimal text), or of its nearest known ancestor.
    pub fn find(&self, path: &[&str]) -> (u32, u32) {
        self.in_file(self.root().find(&self.full(path)))
    }

    /// Where the text of a block scalar (`rego: |`) begins: the line of its first row, and the column at which each of
    /// its rows begins. `None` for any other node: the rows of its text are not lines of the file.
    pub fn text_start(&self, path: &[&str]) -> Option<(u32, u32)> {
        match self.root().get(&self.full(path))?.kind {
            yaml::Kind::Block { row, col } => Some(self.in_file((row, col))),
            _ => None,
        }
    }
}
