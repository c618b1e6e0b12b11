//! Runs loops by an index instead of over all elements (`plan/join.rs`).
//!
//! An index is of one collection, told by where it is. For collections of the base documents it belongs to the plan and
//! is made when a collection is met for the second time, so that a single evaluation does not pay for it; it holds the
//! collection, which can therefore not become another one at the same place. It is dropped when the base documents have
//! another collection there. For all others it is made within one evaluation, once a loop has run a few times.
//! Equality is that of values, and elements come in the order of the loop.

use super::sink::Sink;
use super::{Exec, Flow, Res, below};
use crate::plan::{Block, Join, JoinKey, JoinStep, Op, Operand, Source};
use crate::value::Value;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;
use std::sync::{Arc, PoisonError, RwLock};

/// Places of an element in the loops that lead to it.
type Row = SmallVec<[u32; 4]>;

/// Elements by the value they are looked for by.
pub(crate) type Index = FxHashMap<Value, SmallVec<[Row; 1]>>;

/// Collections with fewer elements are looped over.
const LEAST: usize = 8;
/// A loop over the same collection that is not kept runs so many times before it gets an index, which takes as long as
/// one and a half of them.
const RUNS: u32 = 1;

/// The index of a kept collection.
#[derive(Debug, Default)]
pub(crate) struct Kept(RwLock<(Option<Value>, Option<Arc<Index>>)>);

/// The index of a collection within one evaluation.
#[derive(Clone, Default)]
pub(super) struct Local {
    collection: usize,
    runs: u32,
    index: Option<Arc<Index>>,
}

impl<'a> Exec<'a> {
    /// Runs the loops after a join by its index; `None`: they have to be run as they stand.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "the operation's own parts, and where to go on")]
    pub(super) fn join(
        &mut self,
        id: u32,
        from: Operand,
        key: &'a JoinKey,
        after: usize,
        block: &'a Block,
        pc: usize,
        sink: &mut Sink<'a>,
    ) -> Res<Option<Flow>> {
        let plan = self.plan;
        let Some(join) = plan.joins.get(id as usize) else {
            return Ok(None);
        };
        let collection = self.get(from);
        let Some((place, len)) = place(collection) else {
            return Ok(None);
        };
        // Strict mode tells of failures that an index would pass over.
        if len < LEAST && !join.kept || self.context.strict_builtin_errors {
            return Ok(None);
        }
        let index = if join.kept && self.changed == 0 {
            self.kept_index(id, join, collection, place)?
        } else {
            self.local_index(id, join, collection, place)?
        };
        let Some(index) = index else { return Ok(None) };
        let start = match key.from {
            Source::At(operand) => Some(self.get(operand)),
            Source::Input => self.frame.input,
            Source::Data => Some(self.frame.data),
        };
        // Without a value to compare with, the comparison would never be reached.
        let Some(wanted) = start.and_then(|v| key.keys.iter().try_fold(v, |v, k| v.lookup(k))) else {
            return Ok(Some(Flow::Next));
        };
        let loops = block.ops.get(pc..after).unwrap_or_default();
        for row in index.get(wanted).into_iter().flatten() {
            self.step()?;
            if self.enter(loops, row)? && self.run(block, after, sink)? == Flow::Stop {
                return Ok(Some(Flow::Stop));
            }
        }
        Ok(Some(Flow::Next))
    }

    /// Binds what loops bind at the places of a row; false if a test between them fails.
    fn enter(&mut self, loops: &'a [Op], row: &Row) -> Res<bool> {
        let mut places = row.iter();
        for op in loops {
            let Op::Scan { from, key, value } = op else {
                if !self.test(op) {
                    return Ok(false);
                }
                continue;
            };
            let at = places.next().copied().unwrap_or_default() as usize;
            let (k, v) = match self.get(*from) {
                Value::Array(items) => (None, items.get(at)),
                Value::Object(o) => {
                    let entry = o.entries().get(at);
                    (entry.map(|e| &e.0), entry.map(|e| &e.1))
                }
                Value::Set(s) => (s.items().get(at), s.items().get(at)),
                _ => (None, None),
            };
            let Some(v) = v else { return Ok(false) };
            if let Some(slot) = key {
                let k = match k {
                    Some(k) => k,
                    None => self.index(at)?,
                };
                self.set(*slot, k);
            }
            self.set(*value, v);
        }
        Ok(true)
    }

    fn kept_index(&mut self, id: u32, join: &Join, collection: &'a Value, at: usize) -> Res<Option<Arc<Index>>> {
        let Some(Kept(kept)) = self.plan.kept.get(id as usize) else {
            return Ok(None);
        };
        let seen = {
            let now = kept.read().unwrap_or_else(PoisonError::into_inner);
            let same = now.0.as_ref().and_then(place).is_some_and(|p| p.0 == at);
            if same && now.1.is_some() {
                return Ok(now.1.clone());
            }
            same
        };
        // Made outside the lock: two may make the same, which is only work done twice.
        let index = if seen {
            Some(Arc::new(self.index_of(join, collection)?))
        } else {
            None
        };
        let mut now = kept.write().unwrap_or_else(PoisonError::into_inner);
        *now = (Some(collection.clone()), index.clone());
        Ok(index)
    }

    fn local_index(&mut self, id: u32, join: &Join, collection: &'a Value, at: usize) -> Res<Option<Arc<Index>>> {
        let count = self.plan.joins.len();
        let joins = &mut self.rare().joins;
        if joins.is_empty() {
            joins.resize(count, Local::default());
        }
        let Some(local) = joins.get_mut(id as usize) else {
            return Ok(None);
        };
        if local.collection != at {
            *local = Local {
                collection: at,
                runs: 0,
                index: None,
            };
        }
        local.runs += 1;
        if local.index.is_some() || local.runs <= RUNS {
            return Ok(local.index.clone());
        }
        let index = Arc::new(self.index_of(join, collection)?);
        if let Some(local) = self.rare().joins.get_mut(id as usize) {
            local.index = Some(index.clone());
        }
        Ok(Some(index))
    }

    fn index_of(&mut self, join: &Join, collection: &'a Value) -> Res<Index> {
        // Most elements have one value, of their own.
        let len = place(collection).map_or(0, |p| p.1);
        self.account(len * size_of::<(Value, SmallVec<[Row; 1]>)>())?;
        let mut index = Index::with_capacity_and_hasher(len, FxBuildHasher);
        self.gather(&join.steps, join.loops, collection, &mut Row::new(), &mut index)?;
        Ok(index)
    }

    fn gather(&mut self, steps: &[JoinStep], loops: usize, at: &'a Value, row: &mut Row, index: &mut Index) -> Res<()> {
        let Some((step, rest)) = steps.split_first() else {
            let rows = index.entry(at.clone()).or_default();
            if rows.last() != Some(row) {
                rows.push(row.clone());
                self.account(size_of::<Row>())?;
            }
            return Ok(());
        };
        match step {
            JoinStep::Keys(keys, hints) => match below(at, keys, hints) {
                Some(value) => self.gather(rest, loops, value, row, index),
                None => Ok(()),
            },
            JoinStep::Call(function) => match self.function(*function, &[at])? {
                Some(value) => self.gather(rest, loops, value, row, index),
                None => Ok(()),
            },
            JoinStep::Each => {
                let counted = row.len() < loops;
                let mut each = |exec: &mut Self, i: usize, value: &'a Value| {
                    exec.step()?;
                    if counted {
                        row.push(i as u32);
                    }
                    let result = exec.gather(rest, loops, value, row, index);
                    if counted {
                        row.pop();
                    }
                    result
                };
                match at {
                    Value::Array(items) => items.iter().enumerate().try_for_each(|(i, v)| each(self, i, v)),
                    Value::Object(o) => o
                        .entries()
                        .iter()
                        .enumerate()
                        .try_for_each(|(i, e)| each(self, i, &e.1)),
                    Value::Set(s) => s.items().iter().enumerate().try_for_each(|(i, v)| each(self, i, v)),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Where a collection is, and how many elements it has.
fn place(value: &Value) -> Option<(usize, usize)> {
    match value {
        Value::Array(a) => Some((Arc::as_ptr(a) as usize, a.len())),
        Value::Object(o) => Some((Arc::as_ptr(o) as usize, o.len())),
        Value::Set(s) => Some((Arc::as_ptr(s) as usize, s.len())),
        _ => None,
    }
}
