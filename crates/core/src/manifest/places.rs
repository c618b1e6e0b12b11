//! Line and column of the nodes of a document.

use super::split;
use regent_rego::yaml::{self, Place};
use std::sync::{Arc, OnceLock};

/// Line and column of each node of a document, found when asked for.
#[derive(Clone, Debug, Default)]
pub struct Places {
    source: Arc<Source>,
    /// The item of a `List` that this document is.
    item: Option<usize>,
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
            item: None,
        }
    }

    /// The places of an item of a `List`.
    pub(super) fn of_item(&self, item: usize) -> Places {
        Places {
            source: Arc::clone(&self.source),
            item: Some(item),
        }
    }

    fn root(&self) -> &Place {
        self.source.root.get_or_init(|| {
            // Places are asked of documents that could be read, duplicates and all.
            yaml::read_places(&self.source.text, yaml::ReadOptions::default()).unwrap_or_default()
        })
    }

    fn in_file(&self, (row, column): (u32, u32)) -> (u32, u32) {
        split::in_file(self.source.start, row as usize, column as usize)
    }

    /// Line and column of the node at a path (keys, and indexes as decimal text), or of its nearest known ancestor.
    pub fn find(&self, path: &[&str]) -> (u32, u32) {
        let index = self.item.map(|i| i.to_string());
        let full: Vec<&str> = match &index {
            Some(index) => ["items", index].into_iter().chain(path.iter().copied()).collect(),
            None => path.to_vec(),
        };
        self.in_file(self.root().find(&full))
    }

    /// Where the text of a block scalar (`rego: |`) begins: the line of its first row, and the column at which each of
    /// its rows begins. For any other scalar, its own place.
    pub fn text_start(&self, path: &[&str]) -> (u32, u32) {
        let index = self.item.map(|i| i.to_string());
        let full: Vec<&str> = match &index {
            Some(index) => ["items", index].into_iter().chain(path.iter().copied()).collect(),
            None => path.to_vec(),
        };
        match self.root().get(&full) {
            Some(Place {
                kind: yaml::Kind::Block { row, col },
                ..
            }) => self.in_file((*row, *col)),
            Some(place) => self.in_file((place.row, place.col)),
            None => self.find(path),
        }
    }
}
