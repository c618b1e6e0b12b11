//! Which definitions of a document can have a value at all: those whose first tests compare something known at the
//! call with a constant are found by that constant. Left out is only what would have left its block at that test, so
//! neither values nor errors change.

use super::ops::{Block, Def, Op, Operand, Source};
use crate::value::Value;
use rustc_hash::FxHashMap;

/// Where a test looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// An argument of the call.
    Argument(u32),
    /// `input` as it is now.
    Input,
}

/// What a test compares with a constant: a path below something known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) root: Root,
    pub(crate) keys: Box<[Value]>,
}

/// Definitions chosen by the value at one place.
#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) place: Place,
    /// For each constant the definitions to run, in order; those without a test there included.
    pub(crate) by: FxHashMap<Value, Box<[u32]>>,
    /// The definitions without a test there.
    pub(crate) others: Box<[u32]>,
}

/// So many places are compared at most, so that thousands of definitions do not take the square.
const PLACES: usize = 32;
/// A table has at most so many entries for definitions that stand in each of its lists.
const ENTRIES: usize = 1 << 14;

impl Select {
    /// Of definitions whose first slots are the arguments; `None` where there is nothing to choose by.
    pub(super) fn of(defs: &[Def], arguments: u32, consts: &[Value]) -> Option<Select> {
        if defs.len() < 2 {
            return None;
        }
        let tests: Vec<Vec<(Place, Value)>> = defs.iter().map(|d| tests(d, arguments, consts)).collect();
        // The place that most definitions test; of equals the first met.
        let mut counts: Vec<(&Place, usize)> = Vec::new();
        for (place, _) in tests.iter().flatten() {
            let full = counts.len() >= PLACES;
            match counts.iter_mut().find(|c| c.0 == place) {
                Some(c) => c.1 += 1,
                None if full => {}
                None => counts.push((place, 1)),
            }
        }
        let (place, count) = counts.into_iter().rev().max_by_key(|c| c.1)?;
        if count < 2 {
            return None;
        }
        let mut tested: FxHashMap<&Value, Vec<u32>> = FxHashMap::default();
        let mut others: Vec<u32> = Vec::new();
        for (i, test) in tests.iter().enumerate() {
            match test.iter().find(|t| t.0 == *place) {
                Some((_, value)) => tested.entry(value).or_default().push(i as u32),
                None => others.push(i as u32),
            }
        }
        if others.len().saturating_mul(tested.len()) > ENTRIES {
            return None;
        }
        let by = tested.into_iter().map(|(value, mut numbers)| {
            numbers.extend(&others);
            numbers.sort_unstable();
            (value.clone(), numbers.into())
        });
        Some(Select {
            by: by.collect(),
            place: place.clone(),
            others: others.into(),
        })
    }
}

/// The comparisons with constants that stand before anything that could be noticed if it were not run.
fn tests(def: &Def, arguments: u32, consts: &[Value]) -> Vec<(Place, Value)> {
    let mut out: Vec<(Place, Value)> = Vec::new();
    // With an `else` a body that fails is not the end.
    let [Block { ops }] = def.chain.as_slice() else {
        return out;
    };
    let mut known: FxHashMap<u32, Place> = FxHashMap::default();
    let place = |known: &FxHashMap<u32, Place>, slot: u32| match known.get(&slot) {
        Some(place) => Some(place.clone()),
        None if slot < arguments => Some(Place {
            root: Root::Argument(slot),
            keys: Box::default(),
        }),
        None => None,
    };
    for op in ops {
        match op {
            Op::Path { from, keys, to, .. } => {
                let start = match from {
                    Source::At(Operand::Slot(s)) => place(&known, *s),
                    Source::Input => Some(Place {
                        root: Root::Input,
                        keys: Box::default(),
                    }),
                    _ => None,
                };
                if let Some(start) = start {
                    let keys = start.keys.iter().chain(keys).cloned().collect();
                    let root = start.root;
                    known.insert(*to, Place { root, keys });
                }
            }
            Op::Same {
                a: Operand::Slot(s),
                b: Operand::Const(c),
            }
            | Op::Same {
                a: Operand::Const(c),
                b: Operand::Slot(s),
            } => {
                if let (Some(place), Some(value)) = (place(&known, *s), consts.get(*c as usize)) {
                    out.push((place, value.clone()));
                }
            }
            Op::CompareTo { .. } => {}
            op if op.looks() => {}
            _ => break,
        }
    }
    out
}
