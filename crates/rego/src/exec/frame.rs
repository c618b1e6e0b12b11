//! Documents as an expression sees them: changed by `with`, remembered while nothing changes.

use crate::plan::{Callee, DocId};
use crate::value::Value;
use rustc_hash::FxHashMap;

/// What is remembered of a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memo<'a> {
    Unknown,
    /// Being evaluated: asking for it again is recursion that only shows while running.
    Busy,
    Known(Option<&'a Value>),
}

/// What replaces a function.
#[derive(Clone, Copy)]
pub(super) enum Mock<'a> {
    Value(&'a Value),
    Call(Callee),
}

/// An argument as a key: scalars by value, containers by where they are (they live as long as the evaluation).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Argument {
    Scalar(Value),
    At(usize),
}

/// Calls that were answered, by callee and arguments.
pub(super) type Calls<'a, Id> = FxHashMap<(Id, Vec<Argument>), Option<&'a Value>>;

/// One state of the documents.
pub(super) struct Frame<'a> {
    pub(super) input: Option<&'a Value>,
    /// Base documents, replacements put in.
    pub(super) data: &'a Value,
    /// Paths below `data` that are replaced, virtual documents included; the last one counts.
    pub(super) replaced: Vec<(&'a [Value], &'a Value)>,
    pub(super) mocks: Vec<(Callee, Mock<'a>)>,
    docs: Vec<Memo<'a>>,
    pub(super) functions: Calls<'a, DocId>,
    pub(super) parts: Calls<'a, u32>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(input: Option<&'a Value>, data: &'a Value) -> Frame<'a> {
        Frame {
            input,
            data,
            replaced: Vec::new(),
            mocks: Vec::new(),
            docs: Vec::new(),
            functions: FxHashMap::default(),
            parts: FxHashMap::default(),
        }
    }

    /// The same documents, nothing remembered.
    pub(super) fn fresh(&self) -> Frame<'a> {
        Frame {
            replaced: self.replaced.clone(),
            mocks: self.mocks.clone(),
            ..Frame::new(self.input, self.data)
        }
    }

    pub(super) fn memo(&self, doc: DocId) -> Memo<'a> {
        self.docs.get(doc as usize).copied().unwrap_or(Memo::Unknown)
    }

    pub(super) fn remember(&mut self, doc: DocId, memo: Memo<'a>) {
        let at = doc as usize;
        if self.docs.len() <= at {
            self.docs.resize(at + 1, Memo::Unknown);
        }
        if let Some(place) = self.docs.get_mut(at) {
            *place = memo;
        }
    }

    /// What replaces a document, when a replacement covers its path: the value there, or nothing.
    pub(super) fn replacement(&self, path: &[Value]) -> Option<Option<&'a Value>> {
        self.replaced.iter().rev().find_map(|(at, value)| {
            let rest = path.strip_prefix(*at)?;
            Some(rest.iter().try_fold(*value, |v, k| v.lookup(k)))
        })
    }

    pub(super) fn mock(&self, callee: Callee) -> Option<Mock<'a>> {
        self.mocks.iter().rev().find(|(c, _)| same(*c, callee)).map(|(_, m)| *m)
    }
}

fn same(a: Callee, b: Callee) -> bool {
    match (a, b) {
        (Callee::Builtin(a), Callee::Builtin(b)) => a.name == b.name,
        (Callee::Function(a), Callee::Function(b)) => a == b,
        _ => false,
    }
}

/// A value as a key of calls.
pub(super) fn argument(value: &Value) -> Argument {
    match value {
        Value::Array(a) => Argument::At(std::sync::Arc::as_ptr(a) as usize),
        Value::Object(o) => Argument::At(std::sync::Arc::as_ptr(o) as usize),
        Value::Set(s) => Argument::At(std::sync::Arc::as_ptr(s) as usize),
        scalar => Argument::Scalar(scalar.clone()),
    }
}
