//! Documents as an expression sees them: changed by `with`, remembered while nothing changes.

use crate::plan::{Callee, DocId};
use crate::value::Value;
use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// So many documents are remembered without an allocation.
const FEW: usize = 8;
/// When there are more, room is made for so many at once.
const MANY: usize = 64;

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

/// Calls that were answered, by callee and arguments. Arguments are told apart by value if scalar, else by where they
/// are: containers live as long as the evaluation.
#[derive(Default)]
pub(super) struct Calls<'a> {
    table: HashTable<Call<'a>>,
    arguments: Vec<&'a Value>,
}

struct Call<'a> {
    hash: u64,
    callee: u32,
    /// Where its arguments begin.
    start: u32,
    answer: Option<&'a Value>,
}

/// A call's place in the table, known before it is answered.
#[derive(Clone, Copy)]
pub(super) struct CallKey {
    hash: u64,
    callee: u32,
}

impl CallKey {
    pub(super) fn of(callee: u32, arguments: &[&Value]) -> CallKey {
        let mut hasher = FxHasher::default();
        hasher.write_u32(callee);
        for value in arguments {
            match container(value) {
                Some(at) => hasher.write_usize(at),
                None => value.hash(&mut hasher),
            }
        }
        let hash = hasher.finish();
        CallKey { hash, callee }
    }
}

impl<'a> Calls<'a> {
    /// The answer, if the call was made before.
    pub(super) fn get(&self, key: CallKey, arguments: &[&Value]) -> Option<Option<&'a Value>> {
        let same = |call: &Call<'a>| {
            call.hash == key.hash && call.callee == key.callee && {
                let before = self.arguments.iter().skip(call.start as usize);
                arguments
                    .iter()
                    .zip(before)
                    .all(|(a, b)| match (container(a), container(b)) {
                        (None, None) => **a == **b,
                        (a, b) => a == b,
                    })
            }
        };
        self.table.find(key.hash, same).map(|call| call.answer)
    }

    /// Remembers an answer.
    pub(super) fn insert(&mut self, key: CallKey, arguments: &[&'a Value], answer: Option<&'a Value>) {
        let start = self.arguments.len() as u32;
        self.arguments.extend_from_slice(arguments);
        let call = Call {
            hash: key.hash,
            callee: key.callee,
            start,
            answer,
        };
        self.table.insert_unique(key.hash, call, |call| call.hash);
    }
}

/// Where a container is.
fn container(value: &Value) -> Option<usize> {
    match value {
        Value::Array(a) => Some(Arc::as_ptr(a) as usize),
        Value::Object(o) => Some(Arc::as_ptr(o) as usize),
        Value::Set(s) => Some(Arc::as_ptr(s) as usize),
        _ => None,
    }
}

/// One state of the documents.
pub(super) struct Frame<'a> {
    pub(super) input: Option<&'a Value>,
    /// Base documents, replacements put in.
    pub(super) data: &'a Value,
    /// What `with` has changed.
    pub(super) changes: Option<Box<Changes<'a>>>,
    /// The first documents.
    few: [Memo<'a>; FEW],
    /// Those after them.
    more: Vec<Memo<'a>>,
    answers: Option<Box<Answers<'a>>>,
}

/// What is replaced.
#[derive(Clone, Default)]
pub(super) struct Changes<'a> {
    /// Paths below `data` that are replaced, virtual documents included; the last one counts.
    pub(super) replaced: Vec<(&'a [Value], &'a Value)>,
    pub(super) mocks: Vec<(Callee, Mock<'a>)>,
}

/// What calls and parts of documents gave.
#[derive(Default)]
pub(super) struct Answers<'a> {
    pub(super) functions: Calls<'a>,
    pub(super) parts: Calls<'a>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(input: Option<&'a Value>, data: &'a Value) -> Frame<'a> {
        Frame {
            input,
            data,
            changes: None,
            few: [Memo::Unknown; FEW],
            more: Vec::new(),
            answers: None,
        }
    }

    /// The same documents, nothing remembered.
    pub(super) fn fresh(&self) -> Frame<'a> {
        Frame {
            changes: self.changes.clone(),
            ..Frame::new(self.input, self.data)
        }
    }

    #[inline]
    pub(super) fn memo(&self, doc: DocId) -> Memo<'a> {
        let at = doc as usize;
        let place = match at.checked_sub(FEW) {
            None => self.few.get(at),
            Some(at) => self.more.get(at),
        };
        place.copied().unwrap_or(Memo::Unknown)
    }

    /// `count`: how many documents there are.
    #[inline]
    pub(super) fn remember(&mut self, doc: DocId, memo: Memo<'a>, count: usize) {
        let at = doc as usize;
        let place = match at.checked_sub(FEW) {
            None => self.few.get_mut(at),
            Some(at) => {
                if self.more.len() <= at {
                    self.more
                        .resize((at + 1).max(count.min(MANY).saturating_sub(FEW)), Memo::Unknown);
                }
                self.more.get_mut(at)
            }
        };
        if let Some(place) = place {
            *place = memo;
        }
    }

    /// What replaces a document, when a replacement covers its path: the value there, or nothing.
    #[inline]
    pub(super) fn replacement(&self, path: &[Value]) -> Option<Option<&'a Value>> {
        self.changes.as_ref()?.replaced.iter().rev().find_map(|(at, value)| {
            let rest = path.strip_prefix(*at)?;
            Some(rest.iter().try_fold(*value, |v, k| v.lookup(k)))
        })
    }

    /// What calls gave so far, made when first asked for.
    pub(super) fn answers(&mut self) -> &mut Answers<'a> {
        self.answers.get_or_insert_default()
    }

    /// What is to be changed, made when first asked for.
    pub(super) fn changes(&mut self) -> &mut Changes<'a> {
        self.changes.get_or_insert_default()
    }

    pub(super) fn mock(&self, callee: Callee) -> Option<Mock<'a>> {
        self.changes
            .as_ref()?
            .mocks
            .iter()
            .rev()
            .find(|(c, _)| same(*c, callee))
            .map(|(_, m)| *m)
    }
}

fn same(a: Callee, b: Callee) -> bool {
    match (a, b) {
        (Callee::Builtin(a), Callee::Builtin(b)) => a.name == b.name,
        (Callee::Function(a), Callee::Function(b)) => a == b,
        _ => false,
    }
}
