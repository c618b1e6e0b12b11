//! Rewrites of finished plans: what all documents together must be known for.
//!
//! * [`Nature`]: which functions can be noticed when they run (conflicts, faults of built-ins, `print`).
//! * Sets that are made for one loop are not made ([`fuse`]).
//! * Hoisting: an operation that cannot be noticed and needs nothing of a loop runs before it.
//! * Which functions are worth remembering answers of.
//! * Joins ([`join`]) and the choice of definitions ([`Select`]), which profit from hoisting.

use super::QueryPlan;
use super::fuse::fuse;
use super::join;
use super::ops::*;
use super::select::Select;
use crate::program::Rewrites;
use crate::value::Value;

/// What running an operation can do besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nature {
    /// Nothing, whatever it is given.
    Total,
    /// A built-in in it may fail, which only strict mode tells from undefined.
    Quiet,
    /// Conflicts, output, or more than is known.
    Loud,
}

/// Everything that is rewritten.
pub(super) struct Plans<'p> {
    pub(super) docs: &'p mut Vec<Doc>,
    pub(super) views: &'p mut Vec<View>,
    pub(super) queries: &'p mut Vec<QueryPlan>,
    pub(super) consts: &'p [Value],
}

/// Rewrites everything; gives the joins that were found.
pub(super) fn tidy(plans: Plans<'_>, rewrites: Rewrites, trace: bool) -> Vec<join::Join> {
    let order = callees_first(plans.docs);
    let natures = natures(plans.docs, &order);
    let closed = closed(plans.docs, &order, &natures);
    let functions = join::Functions {
        natures: &natures,
        closed: &closed,
    };
    let mut joins = Vec::new();
    if !trace {
        if rewrites.fuse {
            for doc in plans.docs.iter_mut() {
                let set = doc.kind == Kind::Set;
                let defs = doc.defs.iter_mut().chain(&mut doc.default);
                defs.flat_map(|d| &mut d.chain).for_each(|b| fuse(b, set));
            }
            plans.queries.iter_mut().for_each(|q| fuse(&mut q.block, false));
        }
        let mut each = |block: &mut Block| {
            if rewrites.hoist {
                hoist(block, &natures);
            }
            if rewrites.joins {
                join::find(block, &functions, &mut joins);
            }
        };
        for doc in plans.docs.iter_mut() {
            let defs = doc.defs.iter_mut().chain(&mut doc.default);
            defs.flat_map(|d| &mut d.chain).for_each(&mut each);
        }
        for view in plans.views.iter_mut() {
            view.defs.iter_mut().flat_map(|d| &mut d.chain).for_each(&mut each);
        }
        plans.queries.iter_mut().for_each(|q| each(&mut q.block));
        if rewrites.select {
            for doc in plans.docs.iter_mut() {
                doc.select = Select::of(&doc.defs, doc.arguments, plans.consts);
            }
            for view in plans.views.iter_mut() {
                view.select = Select::of(&view.defs, view.arguments, plans.consts);
            }
        }
    }
    for doc in plans.docs.iter_mut() {
        let defs = doc.defs.iter_mut().chain(&mut doc.default);
        defs.flat_map(|d| &mut d.chain).for_each(cut);
    }
    let views = plans.views.iter_mut().flat_map(|v| &mut v.defs);
    views.flat_map(|d| &mut d.chain).for_each(cut);
    // What a tracer is told of a call must be of that call.
    if !trace {
        remember(plans.docs, plans.views, plans.queries, &order);
    }
    joins
}

/// Gives back the room that a block does not need.
fn cut(block: &mut Block) {
    block.ops.shrink_to_fit();
    block.ops.iter_mut().filter_map(inner_mut).for_each(cut);
}

/// Documents so that each stands after the functions it calls.
fn callees_first(docs: &[Doc]) -> Vec<usize> {
    let mut order = Vec::with_capacity(docs.len());
    let mut met = vec![false; docs.len()];
    for start in 0..docs.len() {
        let mut todo = vec![(start, false)];
        while let Some((at, left)) = todo.pop() {
            if left {
                order.push(at);
                continue;
            }
            let (Some(doc), Some(met)) = (docs.get(at), met.get_mut(at)) else {
                continue;
            };
            if std::mem::replace(met, true) {
                continue;
            }
            todo.push((at, true));
            calls(doc, &mut |callee| todo.push((callee as usize, false)));
        }
    }
    order
}

/// The nature of each function; documents that are no functions count as loud.
fn natures(docs: &[Doc], order: &[usize]) -> Vec<Nature> {
    let mut known = vec![Nature::Loud; docs.len()];
    for at in order {
        let nature = docs.get(*at).map_or(Nature::Loud, |d| nature_of(d, &known));
        if let Some(place) = known.get_mut(*at) {
            *place = nature;
        }
    }
    known
}

fn calls(doc: &Doc, f: &mut impl FnMut(DocId)) {
    for block in blocks(doc) {
        each_op(block, &mut |op| {
            if let Op::Call {
                callee: Callee::Function(id),
                ..
            } = op
            {
                f(*id);
            }
        });
    }
}

fn blocks(doc: &Doc) -> impl Iterator<Item = &Block> {
    doc.defs.iter().chain(&doc.default).flat_map(|d| &d.chain)
}

fn each_op<'b>(block: &'b Block, f: &mut impl FnMut(&'b Op)) {
    for op in &block.ops {
        f(op);
        if let Some(inner) = inner(op) {
            each_op(inner, f);
        }
    }
}

/// The block an operation holds.
pub(super) fn inner(op: &Op) -> Option<&Block> {
    match op {
        Op::Comprehension { block, .. } | Op::Not { block, .. } | Op::Every { block, .. } | Op::With { block, .. } => {
            Some(block)
        }
        _ => None,
    }
}

pub(super) fn inner_mut(op: &mut Op) -> Option<&mut Block> {
    match op {
        Op::Comprehension { block, .. } | Op::Not { block, .. } | Op::Every { block, .. } | Op::With { block, .. } => {
            Some(block)
        }
        _ => None,
    }
}

fn nature_of(doc: &Doc, known: &[Nature]) -> Nature {
    if doc.kind != Kind::Function {
        return Nature::Loud;
    }
    let lookup = |id: DocId| known.get(id as usize).copied().unwrap_or(Nature::Loud);
    let worst = blocks(doc).flat_map(|b| &b.ops).map(|op| nature(op, &lookup)).max();
    let ends = |last: bool| {
        let mut ends = blocks(doc).filter_map(|b| b.ops.last());
        ends.all(|op| matches!(op, Op::Value { last: l, .. } if *l || !last) || matches!(op, Op::Fail))
    };
    // Two values conflict only where there can be two: all one constant, or one body that gives at most one.
    let single = doc.defs.len() == 1 && doc.default.is_none() && {
        let mut ops = blocks(doc).flat_map(|b| &b.ops);
        !ops.any(|op| matches!(op, Op::Scan { .. } | Op::Dynamic { .. } | Op::With { .. }))
    };
    if ends(true) || (single && ends(false)) {
        worst.unwrap_or(Nature::Total)
    } else {
        Nature::Loud
    }
}

/// The nature of an operation, whatever comes after it.
pub(super) fn nature(op: &Op, functions: &impl Fn(DocId) -> Nature) -> Nature {
    match op {
        op if op.plain() => Nature::Total,
        Op::Scan { .. } | Op::Value { .. } | Op::Item { .. } | Op::Found { .. } => Nature::Total,
        Op::Format { .. } => Nature::Quiet,
        Op::Call { mockable: true, .. } => Nature::Loud,
        Op::Call {
            callee: Callee::Builtin(b),
            ..
        } => {
            if b.name.starts_with("is_") {
                Nature::Total
            } else if b.deterministic && !matches!(b.name, "trace" | "internal.print") {
                Nature::Quiet
            } else {
                Nature::Loud
            }
        }
        Op::Call {
            callee: Callee::Function(id),
            ..
        } => functions(*id),
        Op::Comprehension {
            collect: Collect::Object,
            ..
        } => Nature::Loud,
        Op::Comprehension { block, .. } | Op::Not { block, .. } | Op::Every { block, .. } => {
            let worst = block.ops.iter().map(|op| nature(op, functions)).max();
            worst.unwrap_or(Nature::Total)
        }
        _ => Nature::Loud,
    }
}

/// The slots an operation reads, those inside its block included.
pub(super) fn reads(op: &Op, f: &mut impl FnMut(Slot)) {
    let mut see = |o: &Operand| {
        if let Operand::Slot(s) = o {
            f(*s);
        }
    };
    match op {
        Op::Path { from, .. } => {
            if let Source::At(o) = from {
                see(o);
            }
        }
        Op::Step { from, key, .. } => {
            see(from);
            see(key);
        }
        Op::Scan { from, .. } => see(from),
        Op::Same { a, b } | Op::Compare { a, b, .. } | Op::CompareTo { a, b, .. } => {
            see(a);
            see(b);
        }
        Op::ArrayLen { of, .. } | Op::ObjectLen { of, .. } | Op::Truthy { of } => see(of),
        Op::MakeArray { items, .. } | Op::MakeSet { items, .. } => items.iter().for_each(see),
        Op::Format { format, .. } => format.items.iter().for_each(see),
        Op::MakeObject { entries, .. } => {
            for (k, v) in entries {
                see(k);
                see(v);
            }
        }
        Op::Call { args, .. } | Op::Part { args, .. } => args.iter().for_each(see),
        Op::Every { domain, .. } => see(domain),
        Op::Print { args, .. } => see(args),
        Op::With { targets, .. } => {
            for (_, by) in targets {
                if let Replacement::Value(o) = by {
                    see(o);
                }
            }
        }
        Op::Dynamic { steps, .. } => {
            for step in steps {
                if let Step::Key(o) = step {
                    see(o);
                }
            }
        }
        Op::Value { of, .. } | Op::Item { of } => see(of),
        Op::Entry { key, value } => {
            see(key);
            see(value);
        }
        Op::Nested { path, leaf, .. } => {
            path.iter().for_each(&mut see);
            see(leaf);
        }
        Op::Row { slots } => slots.iter().for_each(see),
        Op::Join { key, .. } => {
            if let Source::At(o) = key.from {
                see(&o);
            }
        }
        Op::Doc { .. }
        | Op::Package { .. }
        | Op::Comprehension { .. }
        | Op::Not { .. }
        | Op::Trace { .. }
        | Op::Fail
        | Op::Found { .. } => {}
    }
    if let Some(block) = inner(op) {
        block.ops.iter().for_each(|op| reads(op, f));
    }
}

/// The slots an operation writes for those after it.
pub(super) fn writes(op: &Op, f: &mut impl FnMut(Slot)) {
    match op {
        Op::Path { to, .. }
        | Op::Step { to, .. }
        | Op::CompareTo { to, .. }
        | Op::MakeArray { to, .. }
        | Op::MakeSet { to, .. }
        | Op::MakeObject { to, .. }
        | Op::Call { to, .. }
        | Op::Format { to, .. }
        | Op::Doc { to, .. }
        | Op::Part { to, .. }
        | Op::Package { to, .. }
        | Op::Comprehension { to, .. } => f(*to),
        Op::Scan { key, value, .. } => {
            key.iter().for_each(|k| f(*k));
            f(*value);
        }
        Op::Dynamic { steps, to, .. } => {
            for step in steps {
                if let Step::Each(slot) = step {
                    f(*slot);
                }
            }
            f(*to);
        }
        Op::With { outs, .. } => outs.iter().for_each(|s| f(*s)),
        _ => {}
    }
}

/// Moves operations that cannot be noticed out of loops that they need nothing of.
fn hoist(block: &mut Block, natures: &[Nature]) {
    let functions = |id: DocId| natures.get(id as usize).copied().unwrap_or(Nature::Loud);
    let mut done: Vec<Op> = Vec::with_capacity(block.ops.len());
    for mut op in std::mem::take(&mut block.ops) {
        if let Some(inner) = inner_mut(&mut op) {
            hoist(inner, natures);
        }
        let at = if movable(&op, &functions) {
            place(&done, &op, &functions)
        } else {
            done.len()
        };
        done.insert(at, op);
    }
    block.ops = done;
}

/// Short tests and look-ups; what makes or loops stays where it is needed.
fn movable(op: &Op, functions: &impl Fn(DocId) -> Nature) -> bool {
    match op {
        op if op.looks() => true,
        Op::Call { args, .. } => args.len() == 1 && nature(op, functions) == Nature::Total,
        Op::Not { block, .. } => {
            nature(op, functions) == Nature::Total && !block.ops.iter().any(|o| matches!(o, Op::Scan { .. }))
        }
        _ => false,
    }
}

/// So far an operation looks for a loop to leave, so that long bodies do not take the square.
pub(super) const REACH: usize = 128;

/// Before the outermost loop that an operation can leave.
fn place(done: &[Op], op: &Op, functions: &impl Fn(DocId) -> Nature) -> usize {
    let mut needed = Vec::new();
    reads(op, &mut |s| needed.push(s));
    let mut at = done.len();
    for (i, before) in done.iter().enumerate().rev().take(REACH) {
        let mut needs = false;
        writes(before, &mut |s| needs |= needed.contains(&s));
        if needs || nature(before, functions) != Nature::Total {
            break;
        }
        if matches!(before, Op::Scan { .. }) {
            at = i;
        }
    }
    at
}

/// Work that makes remembering a function's answer worth a look into the table.
const WORTH: usize = 48;
/// A loop is taken for so many rounds.
const ROUNDS: usize = 6;

/// Decides for which functions answers are remembered: for those that are much work, unless each is called from so few
/// places, none of them in a loop, that remembering could not help.
fn remember(docs: &mut [Doc], views: &[View], queries: &[QueryPlan], order: &[usize]) {
    let count = docs.len();
    let mut sites = vec![Sites::default(); count];
    for doc in docs.iter() {
        let once = doc.kind != Kind::Function;
        blocks(doc).for_each(|b| count_sites(b, false, once, &mut sites));
    }
    for block in views.iter().flat_map(|v| &v.defs).flat_map(|d| &d.chain) {
        count_sites(block, false, false, &mut sites);
    }
    queries
        .iter()
        .for_each(|q| count_sites(&q.block, false, true, &mut sites));
    let mut weights = vec![WORTH; count];
    for at in order {
        let Some(doc) = docs.get_mut(*at) else { continue };
        let known = |id: DocId| weights.get(id as usize).copied().unwrap_or(WORTH);
        let weight = blocks(doc).map(|b| weight(b, &known)).fold(0, usize::saturating_add);
        let seldom = sites.get(*at).is_some_and(Sites::seldom);
        doc.memo = doc.kind == Kind::Function && weight > WORTH && !seldom;
        // A remembered call is a look into the table.
        let counted = if doc.memo { WORTH } else { weight };
        if let Some(place) = weights.get_mut(*at) {
            *place = counted;
        }
    }
}

/// Where a function is called from.
#[derive(Clone, Copy, Default)]
struct Sites {
    /// In bodies that run once in an evaluation.
    once: usize,
    /// In bodies of functions.
    again: usize,
    /// In a loop.
    looped: bool,
}

impl Sites {
    fn seldom(&self) -> bool {
        !self.looped && matches!((self.once, self.again), (0..=3, 0) | (0, 1))
    }
}

fn count_sites(block: &Block, looped: bool, once: bool, sites: &mut [Sites]) {
    let mut looped = looped;
    for op in &block.ops {
        if let Op::Call {
            callee: Callee::Function(id),
            ..
        } = op
            && let Some(site) = sites.get_mut(*id as usize)
        {
            site.looped |= looped;
            *(if once { &mut site.once } else { &mut site.again }) += 1;
        }
        if let Some(inner) = inner(op) {
            let again = matches!(op, Op::Every { .. });
            count_sites(inner, looped || again, once, sites);
        }
        looped |= matches!(op, Op::Scan { .. } | Op::Dynamic { .. } | Op::With { .. });
    }
}

fn weight(block: &Block, functions: &impl Fn(DocId) -> usize) -> usize {
    let mut sum: usize = 0;
    let mut rounds: usize = 1;
    for op in &block.ops {
        let own = match op {
            Op::Call {
                callee: Callee::Function(id),
                ..
            } => functions(*id).saturating_add(4),
            Op::Call {
                quick: Some(Shortcut::Quick(_)),
                ..
            } => 2,
            Op::Format { .. } => 6,
            Op::Call { .. } => 12,
            Op::MakeArray { .. } | Op::MakeSet { .. } | Op::MakeObject { .. } | Op::Doc { .. } => 4,
            Op::Part { .. } | Op::Package { .. } | Op::Dynamic { .. } | Op::With { .. } => WORTH,
            Op::Comprehension { block, .. } => weight(block, functions).saturating_add(8),
            Op::Not { block, .. } => weight(block, functions).saturating_add(1),
            Op::Every { block, .. } => weight(block, functions).saturating_mul(ROUNDS),
            _ => 1,
        };
        sum = sum.saturating_add(own.saturating_mul(rounds));
        if matches!(op, Op::Scan { .. }) {
            rounds = rounds.saturating_mul(ROUNDS);
        }
    }
    sum
}

/// Which functions read nothing but their arguments and cannot be noticed but by strict mode.
fn closed(docs: &[Doc], order: &[usize], natures: &[Nature]) -> Vec<bool> {
    let mut closed = vec![false; docs.len()];
    for at in order {
        let quiet = natures.get(*at).is_some_and(|n| *n <= Nature::Quiet);
        let own = docs
            .get(*at)
            .is_some_and(|d| blocks(d).all(|b| !reads_more(b, &closed)));
        if let Some(place) = closed.get_mut(*at) {
            *place = quiet && own;
        }
    }
    closed
}

fn reads_more(block: &Block, closed: &[bool]) -> bool {
    block.ops.iter().any(|op| {
        let own = match op {
            Op::Path { from, .. } => !matches!(from, Source::At(_)),
            Op::Doc { .. } | Op::Part { .. } | Op::Dynamic { .. } | Op::Package { .. } | Op::With { .. } => true,
            Op::Call { mockable: true, .. } => true,
            Op::Call {
                callee: Callee::Function(id),
                ..
            } => closed.get(*id as usize) != Some(&true),
            Op::Call {
                callee: Callee::Builtin(b),
                ..
            } => !b.deterministic,
            _ => false,
        };
        own || inner(op).is_some_and(|b| reads_more(b, closed))
    })
}
