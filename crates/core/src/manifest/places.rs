//! Line and column of the nodes of a document.

use super::cut;
use regent_rego::yaml::{self, Kind, Place};
use std::fmt::Write as _;
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
            Kind::Block { row, col } => Some(self.in_file((row, col))),
            _ => None,
        }
    }

    /// The path of the node at a place that [`Places::find`] gave, as people write it (`spec.targets[0].rego`): for documents
    /// whose text nobody has seen. Empty for the document itself; `None` when nothing stands there.
    pub fn path_at(&self, place: (u32, u32)) -> Option<String> {
        let mut path = Vec::new();
        let root = self.root();
        // A mapping in block form stands where its first key does: the innermost is meant.
        let is_there = self.walk(root, place, &mut path) || self.in_file((root.row, root.col)) == place;
        is_there.then(|| dotted(&path))
    }

    /// Whether a node below one is at a place; its path is then added.
    fn walk<'p>(&'p self, node: &'p Place, place: (u32, u32), path: &mut Vec<Step<'p>>) -> bool {
        let found = |step, at, below, path: &mut Vec<Step<'p>>| {
            path.push(step);
            let is_there = self.walk(below, place, path) || self.in_file(at) == place;
            if !is_there {
                path.pop();
            }
            is_there
        };
        match &node.kind {
            Kind::Sequence(items) => {
                let mut items = items.iter().enumerate();
                items.any(|(i, item)| found(Step::Index(i), (item.row, item.col), item, path))
            }
            Kind::Mapping(entries) => {
                let mut entries = entries.iter();
                entries.any(|e| found(Step::Key(&e.key), (e.row, e.col), &e.value, path))
            }
            Kind::Scalar | Kind::Block { .. } => false,
        }
    }
}

/// A step of a path.
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

fn dotted(path: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in path {
        let dot = if out.is_empty() { "" } else { "." };
        let plain = |key: &str| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_$".contains(&b));
        let _ = match step {
            Step::Index(index) => write!(out, "[{index}]"),
            Step::Key(key) if plain(key) => write!(out, "{dot}{key}"),
            Step::Key(key) => write!(out, "[{key:?}]"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_by_their_places() {
        let text = "{\n  \"spec\": {\n    \"targets\": [\n      {\n        \"rego\": \"package a\"\n      },\n      {\n                            \"a/b\": [\n          1,\n          2\n        ]\n      }\n    ]\n  }\n}\n";
        for text in [
            text,
            "spec:\n  targets:\n  - rego: package a\n  - a/b:\n    - 1\n    - 2\n",
        ] {
            let places = Places::new(text, (1, 1));
            for (path, wanted) in [
                (&["spec"] as &[&str], "spec"),
                (&["spec", "targets"], "spec.targets"),
                (&["spec", "targets", "0", "rego"], "spec.targets[0].rego"),
                (&["spec", "targets", "1", "a/b"], "spec.targets[1][\"a/b\"]"),
                (&["spec", "targets", "1", "a/b", "1"], "spec.targets[1][\"a/b\"][1]"),
            ] {
                assert_eq!(places.path_at(places.find(path)).as_deref(), Some(wanted), "{text}");
            }
            assert_eq!(places.path_at((100, 1)), None);
        }
        assert_eq!(Places::new(text, (1, 1)).path_at((1, 1)).as_deref(), Some(""));
    }
}
