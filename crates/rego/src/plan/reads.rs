//! What a program can read, over-approximated: paths below `input` and base `data`, cut at the first step that is not a
//! constant string. Follows references to rules, whatever part of them is meant.

use super::ReadTable;
use super::body::operator;
use super::tree::{Tree, scalar};
use super::visit::{self, Item};
use crate::ast::{Term, TermValue};
use crate::builtins;
use crate::compile::Compiled;
use crate::program::Reads;
use crate::value::Value;

/// What a body reads itself, and which documents it refers to.
#[derive(Debug, Default)]
pub(crate) struct Own {
    reads: Reads,
    docs: Vec<usize>,
}

/// Reads of all documents and queries.
pub(super) fn table(compiled: &Compiled, tree: &Tree<'_>) -> ReadTable {
    let index = Index::new(tree);
    let docs: Vec<Own> = tree
        .groups
        .iter()
        .map(|group| {
            let mut seeing = Seeing::new(&index);
            for member in &group.rules {
                visit::rule(member.rule, &mut |item| seeing.item(item));
            }
            seeing.own
        })
        .collect();
    let queries: Vec<Own> = compiled
        .queries
        .iter()
        .map(|query| {
            let mut seeing = Seeing::new(&index);
            visit::body(&query.body, &mut |item| seeing.item(item));
            seeing.own
        })
        .collect();
    ReadTable {
        queries: queries
            .iter()
            .map(|q| whole(&docs, q.docs.clone(), q.reads.clone()))
            .collect(),
        docs,
    }
}

/// A start with everything that is reached from it.
pub(crate) fn whole(docs: &[Own], mut todo: Vec<usize>, mut reads: Reads) -> Reads {
    let mut seen = vec![false; docs.len()];
    while let Some(at) = todo.pop() {
        let (Some(doc), Some(done)) = (docs.get(at), seen.get_mut(at)) else {
            continue;
        };
        if std::mem::replace(done, true) {
            continue;
        }
        reads.input.extend(doc.reads.input.iter().cloned());
        reads.data.extend(doc.reads.data.iter().cloned());
        reads.nondeterministic |= doc.reads.nondeterministic;
        todo.extend(&doc.docs);
    }
    for paths in [&mut reads.input, &mut reads.data] {
        paths.sort();
        paths.dedup();
    }
    reads
}

/// Documents by path, so that thousands of rules are not compared with each other.
struct Index<'t> {
    paths: Vec<(&'t [Value], usize)>,
}

impl<'t> Index<'t> {
    fn new(tree: &'t Tree<'_>) -> Index<'t> {
        let all = tree.groups.iter().enumerate();
        let mut paths: Vec<(&[Value], usize)> = all.map(|(i, g)| (g.path.as_slice(), i)).collect();
        paths.sort();
        Index { paths }
    }

    fn at(&self, path: &[Value]) -> Option<usize> {
        let i = self.paths.binary_search_by(|p| p.0.cmp(path)).ok()?;
        self.paths.get(i).map(|p| p.1)
    }

    /// The document at a path and those below it.
    fn below(&self, path: &[Value]) -> impl Iterator<Item = usize> {
        let start = self.paths.partition_point(|p| p.0 < path);
        let from = self.paths.get(start..).unwrap_or_default();
        from.iter().take_while(move |p| p.0.starts_with(path)).map(|p| p.1)
    }
}

/// A walk that gathers what is read.
struct Seeing<'a, 't> {
    own: Own,
    index: &'t Index<'t>,
    /// The head of the reference that was met last: it is met next, and no reading of its own.
    head: Option<&'a Term>,
}

impl<'a, 't> Seeing<'a, 't> {
    fn new(index: &'t Index<'t>) -> Seeing<'a, 't> {
        Seeing {
            own: Own::default(),
            index,
            head: None,
        }
    }

    fn item(&mut self, item: Item<'a>) {
        if let Item::Term(term) = item {
            if self.head.take().is_some_and(|head| std::ptr::eq(head, term)) {
                return;
            }
            if let TermValue::Ref(parts) = &term.value {
                self.head = parts.first();
            }
        }
        self.own.see(item, self.index);
    }
}

impl Own {
    fn see(&mut self, item: Item<'_>, index: &Index<'_>) {
        let term = match item {
            Item::Term(term) => term,
            Item::With(with) => &with.target,
        };
        let parts = match &term.value {
            TermValue::Ref(parts) => parts.as_slice(),
            TermValue::Var(name) if name == "input" || name == "data" => std::slice::from_ref(term),
            _ => return,
        };
        let Some((head, rest)) = parts.split_first() else {
            return;
        };
        match &head.value {
            TermValue::Var(name) if name == "input" => self.reads.input.push(known(rest)),
            TermValue::Var(name) if name == "data" => self.data(rest, index),
            TermValue::Var(_) => {
                let builtin = builtins::find(&operator(parts));
                self.reads.nondeterministic |= builtin.is_some_and(|b| !b.deterministic);
            }
            _ => {}
        }
    }

    fn data(&mut self, rest: &[Term], index: &Index<'_>) {
        let path: Vec<Value> = rest.iter().map_while(scalar).collect();
        let mut hidden = false;
        for len in 0..path.len() {
            if let Some(i) = path.get(..len).and_then(|p| index.at(p)) {
                hidden = true;
                self.docs.push(i);
            }
        }
        hidden |= index.at(&path).is_some();
        self.docs.extend(index.below(&path));
        // Below a rule there is no base document to see.
        if !hidden {
            self.reads.data.push(known(rest));
        }
    }
}

fn known(rest: &[Term]) -> Vec<String> {
    rest.iter()
        .map_while(|t| match &t.value {
            TermValue::String(s) => Some(s.to_string()),
            _ => None,
        })
        .collect()
}
