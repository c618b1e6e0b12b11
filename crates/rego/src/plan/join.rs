//! Loops that look for what has a given value in a field: `other := xs[_]; other.spec.host == host`. Before such a loop
//! stands a [`Op::Join`], which may run it only for the elements that an index gives, in the same order. The whole body
//! is still run for each, so an index only leaves out what would have failed at the comparison; before that nothing may
//! be noticed. How indexes are kept: `exec/join.rs`.

use super::ops::*;
use super::tidy::{Nature, REACH, nature, writes};
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// A way from a collection to values that are compared.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) steps: Vec<Step>,
    /// How many of its loops are run by the index: the first ones.
    pub(crate) loops: usize,
    /// The collection is part of the base documents: the index outlives an evaluation.
    pub(crate) kept: bool,
}

/// A step from a collection to a value that is compared.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Every element.
    Each,
    /// Constant keys.
    Keys(Box<[Value]>, Arc<Hints>),
    /// What a function of nothing else makes of it.
    Call(DocId),
}

/// The value that is looked for: a path below something known before the loop.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) from: Source,
    pub(crate) keys: Box<[Value]>,
}

/// What is known of functions.
pub(super) struct Functions<'p> {
    pub(super) natures: &'p [Nature],
    /// Which functions read nothing but their arguments.
    pub(super) closed: &'p [bool],
}

impl Functions<'_> {
    fn nature(&self, id: DocId) -> Nature {
        self.natures.get(id as usize).copied().unwrap_or(Nature::Loud)
    }
}

/// Finds the joins of a block and of the blocks in it.
pub(super) fn find(block: &mut Block, functions: &Functions<'_>, joins: &mut Vec<Join>) {
    for op in &mut block.ops {
        if let Some(inner) = super::tidy::inner_mut(op) {
            find(inner, functions, joins);
        }
    }
    let mut at = 0;
    while at < block.ops.len() {
        if let Some(found) = found(&block.ops, at, functions) {
            let after = found.last + 2;
            let op = Op::Join {
                join: joins.len() as u32,
                from: found.from,
                key: found.key,
                after: after as u32,
            };
            joins.push(found.join);
            block.ops.insert(at, op);
            at = after;
        } else {
            at += 1;
        }
    }
}

struct Found {
    join: Join,
    from: Operand,
    key: Key,
    /// The last operation that the index runs.
    last: usize,
}

/// How a value is reached.
#[derive(Clone)]
struct Way {
    steps: Vec<Step>,
    /// Places of its loops.
    loops: Vec<usize>,
}

impl Way {
    fn then(&self, step: Step) -> Way {
        let mut way = self.clone();
        way.steps.push(step);
        way
    }
}

/// A join that begins with the loop at a place.
fn found(ops: &[Op], start: usize, functions: &Functions<'_>) -> Option<Found> {
    let Some(Op::Scan { from, value, key }) = ops.get(start) else {
        return None;
    };
    let kept = kept(ops.get(start.saturating_sub(REACH)..start)?, *from);
    let mut ways: FxHashMap<Slot, Way> = FxHashMap::default();
    let mut written: FxHashSet<Slot> = FxHashSet::default();
    let mut outside: FxHashMap<Slot, (Source, Box<[Value]>)> = FxHashMap::default();
    written.insert(*value);
    written.extend(key);
    ways.insert(
        *value,
        Way {
            steps: vec![Step::Each],
            loops: vec![start],
        },
    );
    for (place, op) in ops.iter().enumerate().skip(start + 1).take(REACH) {
        match op {
            Op::Path { from, keys, to, .. } => match from {
                Source::At(Operand::Slot(s)) if ways.contains_key(s) => {
                    let way = ways.get(s)?.then(Step::Keys(keys.clone(), Arc::new(Hints::of(keys))));
                    ways.insert(*to, way);
                }
                Source::At(Operand::Slot(s)) if written.contains(s) => {}
                from => {
                    outside.insert(*to, (*from, keys.clone()));
                }
            },
            Op::Scan {
                from: Operand::Slot(s),
                value,
                ..
            } => {
                if let Some(way) = ways.get(s) {
                    let mut way = way.then(Step::Each);
                    way.loops.push(place);
                    ways.insert(*value, way);
                }
            }
            Op::Call {
                callee: Callee::Function(id),
                args,
                to,
                mockable: false,
                ..
            } if kept && functions.closed.get(*id as usize) == Some(&true) => {
                if let [Operand::Slot(s)] = &**args
                    && let Some(way) = ways.get(s)
                {
                    let way = way.then(Step::Call(*id));
                    ways.insert(*to, way);
                }
            }
            Op::Same { a, b } => {
                for (inner, other) in [(a, b), (b, a)] {
                    let Operand::Slot(s) = inner else { continue };
                    let Some(way) = ways.get(s) else { continue };
                    let key = match other {
                        // Looked for again and again only where the collection stays.
                        Operand::Const(_) if kept => Key {
                            from: Source::At(*other),
                            keys: Box::default(),
                        },
                        Operand::Slot(o) if !written.contains(o) => Key {
                            from: Source::At(*other),
                            keys: Box::default(),
                        },
                        Operand::Slot(o) => match outside.get(o) {
                            Some((from, keys)) => Key {
                                from: *from,
                                keys: keys.clone(),
                            },
                            None => continue,
                        },
                        Operand::Const(_) => continue,
                    };
                    let (loops, last) = run_by_index(ops, &way.loops);
                    return Some(Found {
                        join: Join {
                            steps: way.steps.clone(),
                            loops,
                            kept,
                        },
                        from: *from,
                        key,
                        last,
                    });
                }
            }
            _ => {}
        }
        if nature(op, &|id| functions.nature(id)) > Nature::Quiet || ends(op) {
            return None;
        }
        writes(op, &mut |s| {
            written.insert(s);
        });
    }
    None
}

fn ends(op: &Op) -> bool {
    matches!(op, Op::Value { .. } | Op::Item { .. } | Op::Found { .. })
}

/// How many of the loops the index can run, and where the last one stands: between them only what is tested at once.
fn run_by_index(ops: &[Op], loops: &[usize]) -> (usize, usize) {
    let first = loops.first().copied().unwrap_or_default();
    let mut last = first;
    let mut count = 1;
    for next in loops.iter().skip(1) {
        let between = ops.get(last + 1..*next).unwrap_or_default();
        if !between.iter().all(Op::looks) {
            break;
        }
        last = *next;
        count += 1;
    }
    (count, last)
}

/// Whether an operand is part of the base documents.
fn kept(before: &[Op], from: Operand) -> bool {
    let Operand::Slot(slot) = from else { return false };
    before
        .iter()
        .any(|op| matches!(op, Op::Path { from: Source::Data, to, .. } if *to == slot))
}
