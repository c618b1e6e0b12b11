//! Loops over sets that are made for them alone: `some fault in {m | ..}` in the body of a set runs the comprehension's body
//! in place, and goes on with each of its items at once. The set is never made.
//!
//! Items come in another order and equal ones more than once, which a set does not show. All of them are gone through either
//! way, so the same errors happen, though another one may be the first.

use super::ops::*;
use super::tidy::{inner_mut, reads};

/// Rewrites a block and those in it; `set`: the block's solutions are items of a set.
pub(super) fn fuse(block: &mut Block, set: bool) {
    for op in &mut block.ops {
        let inner_set = matches!(
            op,
            Op::Comprehension {
                collect: Collect::Set,
                ..
            }
        );
        if let Some(inner) = inner_mut(op) {
            fuse(inner, inner_set);
        }
    }
    if !set || !matches!(block.ops.last(), Some(Op::Item { .. })) {
        return;
    }
    let fits: Vec<usize> = (0..block.ops.len()).filter(|at| fits(&block.ops, *at)).collect();
    for at in fits.into_iter().rev() {
        splice(&mut block.ops, at);
    }
}

/// So many operations after a loop are looked through, so that long bodies do not take the square.
const REACH: usize = 64;

/// A comprehension, and the loop after it as its only reader.
fn fits(ops: &[Op], at: usize) -> bool {
    let [
        Op::Comprehension {
            collect: Collect::Set,
            block,
            to,
            ..
        },
        Op::Scan {
            from: Operand::Slot(from),
            key: None,
            ..
        },
        rest @ ..,
    ] = ops.get(at..).unwrap_or_default()
    else {
        return false;
    };
    let plain =
        matches!(block.ops.last(), Some(Op::Item { .. })) && !block.ops.iter().any(|op| matches!(op, Op::Print { .. }));
    let mut read = false;
    rest.iter().for_each(|op| reads(op, &mut |s| read |= s == *to));
    from == to && plain && !read && rest.len() <= REACH && rest.iter().all(cheap)
}

/// What may as well run twice for equal items.
fn cheap(op: &Op) -> bool {
    match op {
        Op::Format { .. }
        | Op::Doc { .. }
        | Op::Item { .. }
        | Op::Found { .. }
        | Op::Call {
            quick: Some(Shortcut::Quick(_)),
            ..
        } => true,
        op if op.plain() => true,
        Op::Not { block } => block.ops.iter().all(cheap),
        _ => false,
    }
}

fn splice(ops: &mut Vec<Op>, at: usize) {
    let rest = ops.split_off(at + 2);
    let (Some(Op::Scan { value, .. }), Some(Op::Comprehension { block, .. })) = (ops.pop(), ops.pop()) else {
        return;
    };
    for op in block.ops {
        ops.push(match op {
            // A path without keys: the item goes where the loop put it.
            Op::Item { of } => Op::Path {
                from: Source::At(of),
                keys: Box::default(),
                hints: Hints::of(&[]),
                to: value,
            },
            other => other,
        });
    }
    ops.extend(rest);
}
