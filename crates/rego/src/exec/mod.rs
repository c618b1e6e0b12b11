//! Runs a plan.
//!
//! A block's operations run in order; one that has no value leaves the block, one that iterates runs the rest of the
//! block for each element. What a block is run for is its [`Sink`]. All values are references: into the input, the data,
//! the plan's constants, or an arena that lives as long as the evaluation, so nothing is counted or copied on the way.
//!
//! Depth: one nested run is one step of [`Limits::depth`](crate::Limits); rules do not recurse, so depth follows the
//! program, never the input. Callers give a stack of 16 KiB a step.

mod call;
mod document;
mod format;
mod frame;
mod host;
mod join;
mod sink;
mod trace;
mod with;

use crate::ast::Loc;
use crate::error::{Code, Error};
use crate::plan::{Block, Compare, Hints, Op, Operand, Plan, Slot, Source};
use crate::program::{Context, Target};
use crate::value::{Object, Value};
use frame::Frame;
use sink::Sink;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub(crate) use join::Kept;
pub(crate) use trace::Tracer;

/// The result of a step; errors are rare and large.
pub(crate) type Res<T> = Result<T, Box<Error>>;

/// What a search does after a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Looks for more.
    Next,
    /// Stops: nothing more can matter.
    Stop,
}

/// Steps between two looks at the clock.
const CLOCK_STEPS: u32 = 512;

static NULL: Value = Value::Null;

/// Where made values live, and slots beyond the first; takes room when the first is made.
#[derive(Default)]
pub(crate) struct Arena<'a> {
    values: OnceCell<typed_arena::Arena<Value>>,
    slots: OnceCell<typed_arena::Arena<Option<&'a Value>>>,
}

/// Values for which the arena makes room at first.
const ROOM: usize = 32;

/// The first slots, on the caller's stack.
pub(crate) type Slots<'a, const N: usize> = [Option<&'a Value>; N];

/// So many slots are enough for most programs: they are cleared for every evaluation.
pub(crate) const NARROW: usize = 64;
/// So many are there for a program that needed more before: making room later takes longer than clearing these.
pub(crate) const WIDE: usize = 256;

impl Arena<'_> {
    #[inline]
    fn alloc(&self, value: Value) -> &Value {
        self.values
            .get_or_init(|| typed_arena::Arena::with_capacity(ROOM))
            .alloc(value)
    }
}

/// One evaluation.
pub(crate) struct Exec<'a> {
    plan: &'a Plan,
    arena: &'a Arena<'a>,
    context: &'a Context<'a>,
    /// Slots of all active bodies, one after the other.
    slots: &'a mut [Option<&'a Value>],
    /// Where the slots of the running body begin.
    base: usize,
    /// Where they end.
    top: usize,
    /// Documents as they are now.
    frame: Frame<'a>,
    /// How many replacements are active.
    changed: u32,
    depth: u32,
    steps: u32,
    /// A slot was read before it was bound: a fault of the planner, told at the end.
    unbound: bool,
    /// The place of the running call, for `print` and errors.
    place: u32,
    /// Bytes made so far, roughly.
    made: usize,
    /// Where built-ins write text before it is a value.
    text: String,
    /// What most evaluations have none of.
    rare: Option<Box<Rare>>,
    /// Who is told of points; only programs compiled for tracing have any.
    pub(crate) tracer: Option<Box<Tracer<'a>>>,
}

/// What most evaluations have none of.
#[derive(Default)]
struct Rare {
    /// Indexes of this evaluation, by join.
    joins: Vec<join::Local>,
    /// The first error of a built-in, in strict mode.
    failure: Option<Error>,
    /// Lines printed.
    prints: Vec<String>,
}

/// What constant keys lead to.
#[inline(always)]
fn below<'v>(at: &'v Value, keys: &[Value], hints: &Hints) -> Option<&'v Value> {
    let mut at = at;
    for (key, hint) in keys.iter().zip(&hints.0) {
        at = match at {
            Value::Object(o) => o.get_near(key, hint)?,
            other => other.lookup(key)?,
        };
    }
    Some(at)
}

impl<'a> Exec<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        arena: &'a Arena<'a>,
        slots: &'a mut [Option<&'a Value>],
        context: &'a Context<'a>,
    ) -> Exec<'a> {
        Exec {
            plan,
            arena,
            context,
            slots,
            base: 0,
            top: 0,
            frame: Frame::new(context.input, context.data),
            changed: 0,
            depth: 0,
            // The first step looks at the clock: a deadline may have passed already.
            steps: CLOCK_STEPS - 1,
            unbound: false,
            place: u32::MAX,
            made: 0,
            text: String::new(),
            rare: None,
            tracer: None,
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Makes room for the slots up to [`Exec::top`].
    #[cold]
    fn grow(&mut self) {
        self.plan.wide.store(true, Relaxed);
        let len = self.top.max(2 * self.slots.len());
        let room = self.arena.slots.get_or_init(|| typed_arena::Arena::with_capacity(len));
        let before = self.slots.iter().copied();
        self.slots = room.alloc_extend(before.chain(std::iter::repeat(None)).take(len));
    }

    /// Lines that were printed.
    pub(crate) fn prints(&mut self) -> Vec<String> {
        self.rare
            .as_mut()
            .map(|r| std::mem::take(&mut r.prints))
            .unwrap_or_default()
    }

    /// The first built-in error of strict mode, or a fault that must not pass for an answer.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        if self.unbound {
            return Some(Error::new(
                Code::Internal,
                &Loc::default(),
                "a variable was read before it was bound",
            ));
        }
        self.rare.as_mut()?.failure.take()
    }

    /// The value of an entry.
    pub(crate) fn target(&mut self, target: &Target) -> Res<Option<&'a Value>> {
        match target {
            Target::Query(id) => Ok(self.query(*id)?.map(|value| self.arena.alloc(value))),
            Target::Node(id) => self.node(*id),
            Target::Path(path) => self.document(path),
        }
    }

    /// The rows of a query as `{"expressions": [..], "bindings": {..}}`; `None` when there are none.
    fn query(&mut self, id: u32) -> Res<Option<Value>> {
        let plan = self.plan;
        let Some(query) = plan.queries.get(id as usize) else {
            return Ok(None);
        };
        self.top = query.slots as usize;
        if self.top > self.slots.len() {
            self.grow();
        }
        let mut sink = Sink::rows();
        self.run(&query.block, 0, &mut sink)?;
        let results: Vec<Value> = sink
            .into_rows()
            .into_iter()
            .map(|row| {
                let mut cells = row.into_iter().cloned();
                let bindings = query.names.iter().cloned().zip(cells.by_ref()).collect();
                Value::record([
                    ("bindings", Value::object(bindings)),
                    ("expressions", Value::array(cells.collect())),
                ])
            })
            .collect();
        Ok((!results.is_empty()).then(|| Value::array(results)))
    }

    fn get(&mut self, operand: Operand) -> &'a Value {
        let found = match operand {
            Operand::Slot(s) => self.slots.get(self.base + s as usize).copied().flatten(),
            Operand::Const(c) => self.plan.consts.get(c as usize),
        };
        found.unwrap_or_else(|| {
            self.unbound = true;
            &NULL
        })
    }

    fn set(&mut self, slot: Slot, value: &'a Value) {
        if let Some(place) = self.slots.get_mut(self.base + slot as usize) {
            *place = Some(value);
        }
    }

    /// Puts a made value where it lives as long as the evaluation.
    fn keep(&mut self, value: Value) -> Res<&'a Value> {
        self.account(size_of::<Value>())?;
        Ok(self.arena.alloc(value))
    }

    fn make(&mut self, value: Value, to: Slot) -> Res<()> {
        let value = self.keep(value)?;
        self.set(to, value);
        Ok(())
    }

    fn loc(&self, loc: u32) -> Loc {
        self.plan.locs.get(loc as usize).cloned().unwrap_or_default()
    }

    fn error(&self, code: Code, message: impl Into<String>) -> Box<Error> {
        Box::new(Error::new(code, &self.loc(self.place), message))
    }

    /// Counts bytes that are made.
    fn account(&mut self, bytes: usize) -> Res<()> {
        self.made = self.made.saturating_add(bytes);
        if self.made > self.context.limits.memory {
            let message = format!(
                "evaluation made more than {} MiB of values; let the policy build less, or raise the limit (--max-memory)",
                self.context.limits.memory >> 20
            );
            return Err(self.error(Code::Limit, message));
        }
        Ok(())
    }

    /// Counts a step of work; looks at the clock now and then.
    fn step(&mut self) -> Res<()> {
        self.steps = self.steps.saturating_add(1);
        if self.steps >= CLOCK_STEPS {
            self.steps = 0;
            return self.look_at_clock();
        }
        Ok(())
    }

    /// Counts bytes gone through as steps: a kibibyte is one.
    fn tick(&mut self, bytes: usize) -> Res<()> {
        self.steps = self
            .steps
            .saturating_add(u32::try_from(bytes >> 10).unwrap_or(u32::MAX / 2));
        self.step()
    }

    fn look_at_clock(&mut self) -> Res<()> {
        match self.context.limits.clock {
            Some(now) if now() > self.context.limits.deadline => {
                Err(self.error(Code::Cancel, "evaluation took longer than its time limit"))
            }
            _ => Ok(()),
        }
    }

    /// Runs the operations of a block from one on.
    fn run(&mut self, block: &'a Block, from: usize, sink: &mut Sink<'a>) -> Res<Flow> {
        if self.depth >= self.context.limits.depth {
            let message = format!(
                "evaluation is nested deeper than {} steps; let rules call each other in shorter chains",
                self.context.limits.depth
            );
            return Err(self.error(Code::Limit, message));
        }
        self.depth += 1;
        let flow = self.ops(block, from, sink);
        self.depth -= 1;
        flow
    }

    fn ops(&mut self, block: &'a Block, from: usize, sink: &mut Sink<'a>) -> Res<Flow> {
        let mut pc = from;
        while let Some(op) = block.ops.get(pc) {
            pc += 1;
            let holds = match op {
                Op::Path { .. }
                | Op::Step { .. }
                | Op::Same { .. }
                | Op::ArrayLen { .. }
                | Op::ObjectLen { .. }
                | Op::Truthy { .. }
                | Op::Fail
                | Op::Compare { .. } => self.test(op),
                Op::CompareTo { how, a, b, to } => {
                    let answer = compare(*how, self.get(*a), self.get(*b));
                    self.set(*to, if answer { &TRUE } else { &FALSE });
                    true
                }
                Op::Trace { point } => {
                    self.trace(*point)?;
                    true
                }
                Op::MakeArray { items, to } => self.make_array(items, *to)?,
                Op::MakeSet { items, to } => self.make_set(items, *to)?,
                Op::MakeObject { entries, shape, to } => self.make_object(entries, *shape, *to)?,
                Op::Call {
                    callee,
                    args,
                    to,
                    mockable,
                    loc,
                    quick,
                } => match quick {
                    Some(quick) if self.short(quick, args, *to)? => true,
                    _ => self.call(*callee, args, *to, *mockable, *loc)?,
                },
                Op::Format { format, to, loc } => self.format(format, *to, *loc)?,
                Op::Doc { doc, to } => {
                    let value = self.doc(*doc)?;
                    self.set_if(*to, value)
                }
                Op::Part { view, args, to } => {
                    let value = self.part(*view, args)?;
                    self.set_if(*to, value)
                }
                Op::Package { node, to } => {
                    let value = self.package(*node)?;
                    self.set_if(*to, value)
                }
                Op::Comprehension {
                    collect,
                    block,
                    to,
                    loc,
                } => self.comprehension(*collect, block, *to, *loc)?,
                Op::Not { block } => !self.any(block)?,
                Op::Every {
                    domain,
                    key,
                    value,
                    block,
                } => self.every(*domain, *key, *value, block)?,
                Op::Print { args, loc } => {
                    self.print_line(*args, *loc)?;
                    true
                }
                Op::Join { join, from, key, after } => {
                    let done = self.join(*join, *from, key, *after as usize, block, pc, sink)?;
                    if let Some(flow) = done {
                        return Ok(flow);
                    }
                    true
                }
                Op::Scan { from, key, value } => return self.scan(*from, *key, *value, block, pc, sink),
                Op::Dynamic { node, steps, to } => return self.dynamic(*node, steps, *to, block, pc, sink),
                Op::With {
                    targets,
                    block: inner,
                    outs,
                    loc,
                } => return self.with(targets, inner, outs, *loc, block, pc, sink),
                Op::Value { .. }
                | Op::Item { .. }
                | Op::Entry { .. }
                | Op::Nested { .. }
                | Op::Found { .. }
                | Op::Row { .. } => {
                    return self.end(op, sink);
                }
            };
            if !holds {
                return Ok(Flow::Next);
            }
        }
        Ok(Flow::Next)
    }

    /// An operation that only looks: what it finds is bound, false if it leaves the block.
    #[inline(always)]
    fn test(&mut self, op: &'a Op) -> bool {
        match op {
            Op::Path { from, keys, hints, to } => self.path(*from, keys, hints, *to),
            Op::Step { from, key, to, base } => {
                let (from, key) = (self.get(*from), self.get(*key));
                let found = if *base {
                    document::base_step(from, key)
                } else {
                    from.lookup(key)
                };
                self.set_if(*to, found)
            }
            Op::Same { a, b } => self.get(*a) == self.get(*b),
            Op::ArrayLen { of, len } => matches!(self.get(*of), Value::Array(a) if a.len() == *len),
            Op::ObjectLen { of, len } => matches!(self.get(*of), Value::Object(o) if o.len() == *len),
            Op::Truthy { of } => !matches!(self.get(*of), Value::Bool(false)),
            Op::Compare { how, a, b } => compare(*how, self.get(*a), self.get(*b)),
            _ => false,
        }
    }

    fn set_if(&mut self, to: Slot, value: Option<&'a Value>) -> bool {
        match value {
            Some(value) => {
                self.set(to, value);
                true
            }
            None => false,
        }
    }

    fn path(&mut self, from: Source, keys: &[Value], hints: &Hints, to: Slot) -> bool {
        let start = match from {
            Source::At(operand) => Some(self.get(operand)),
            Source::Input => self.frame.input,
            Source::Data => {
                let data = self.frame.data;
                let found = keys.iter().try_fold(data, |v, k| document::base_step(v, k));
                return self.set_if(to, found);
            }
        };
        match start.and_then(|at| below(at, keys, hints)) {
            Some(found) => {
                self.set(to, found);
                true
            }
            None => false,
        }
    }

    #[inline(never)]
    fn scan(
        &mut self,
        from: Operand,
        key: Option<Slot>,
        value: Slot,
        block: &'a Block,
        pc: usize,
        sink: &mut Sink<'a>,
    ) -> Res<Flow> {
        match self.get(from) {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.step()?;
                    if let Some(key) = key {
                        let index = self.index(i)?;
                        self.set(key, index);
                    }
                    self.set(value, item);
                    if self.run(block, pc, sink)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Object(object) => {
                for (k, v) in object.entries() {
                    self.step()?;
                    if let Some(key) = key {
                        self.set(key, k);
                    }
                    self.set(value, v);
                    if self.run(block, pc, sink)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Set(set) => {
                for item in set.items() {
                    self.step()?;
                    if let Some(key) = key {
                        self.set(key, item);
                    }
                    self.set(value, item);
                    if self.run(block, pc, sink)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            _ => {}
        }
        Ok(Flow::Next)
    }

    /// An array's index as a value.
    fn index(&mut self, i: usize) -> Res<&'a Value> {
        self.integer(i64::try_from(i).unwrap_or(i64::MAX))
    }

    /// An integer as a value.
    fn integer(&mut self, i: i64) -> Res<&'a Value> {
        match usize::try_from(i).ok().and_then(|i| SMALL.get(i)) {
            Some(small) => Ok(small),
            None => self.keep(Value::from(i)),
        }
    }

    #[inline(never)]
    fn make_array(&mut self, items: &[Operand], to: Slot) -> Res<bool> {
        self.account(items.len() * size_of::<Value>())?;
        let items = items.iter().map(|i| self.get(*i).clone()).collect();
        self.make(Value::array(items), to)?;
        Ok(true)
    }

    #[inline(never)]
    fn make_set(&mut self, items: &[Operand], to: Slot) -> Res<bool> {
        self.account(items.len() * size_of::<Value>())?;
        let items = items.iter().map(|i| self.get(*i).clone()).collect();
        self.make(Value::set(items), to)?;
        Ok(true)
    }

    #[inline(never)]
    fn make_object(&mut self, entries: &[(Operand, Operand)], shape: Option<u64>, to: Slot) -> Res<bool> {
        self.account(entries.len() * 2 * size_of::<Value>())?;
        let entries = entries
            .iter()
            .map(|(k, v)| (self.get(*k).clone(), self.get(*v).clone()))
            .collect();
        let object = match shape {
            Some(marks) => Object::of_shape(entries, marks),
            None => Object::from_entries(entries),
        };
        self.make(Value::Object(Arc::new(object)), to)?;
        Ok(true)
    }

    /// Whether a block has a solution.
    #[inline(never)]
    fn any(&mut self, block: &'a Block) -> Res<bool> {
        // Most blocks are look-ups and tests, which need no sink.
        for (pc, op) in block.ops.iter().enumerate() {
            let holds = match op {
                Op::Path { .. }
                | Op::Step { .. }
                | Op::Same { .. }
                | Op::ArrayLen { .. }
                | Op::ObjectLen { .. }
                | Op::Truthy { .. }
                | Op::Fail
                | Op::Compare { .. } => self.test(op),
                Op::Found { .. } => return Ok(true),
                Op::Call {
                    args,
                    to,
                    quick: Some(quick),
                    ..
                } if self.short(quick, args, *to)? => true,
                _ => {
                    let mut sink = Sink::found();
                    self.run(block, pc, &mut sink)?;
                    return Ok(sink.is_found());
                }
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(false)
    }

    #[inline(never)]
    fn every(&mut self, domain: Operand, key: Option<Slot>, value: Slot, block: &'a Block) -> Res<bool> {
        let domain = self.get(domain);
        match domain {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let index = match key {
                        Some(_) => self.index(i)?,
                        None => item,
                    };
                    if !self.holds_for(key, index, value, item, block)? {
                        return Ok(false);
                    }
                }
            }
            Value::Object(object) => {
                for (k, v) in object.entries() {
                    if !self.holds_for(key, k, value, v, block)? {
                        return Ok(false);
                    }
                }
            }
            Value::Set(set) => {
                for item in set.items() {
                    if !self.holds_for(key, item, value, item, block)? {
                        return Ok(false);
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn holds_for(&mut self, key: Option<Slot>, k: &'a Value, value: Slot, v: &'a Value, block: &'a Block) -> Res<bool> {
        self.step()?;
        if let Some(key) = key {
            self.set(key, k);
        }
        self.set(value, v);
        self.any(block)
    }
}

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

/// Small integers, indexes above all, need not be made.
static SMALL: [Value; 32] = {
    use crate::number::Number;
    macro_rules! small {
        ($($i:literal)*) => { [$(Value::Number(Number::Int($i))),*] };
    }
    small!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
};

fn compare(how: Compare, a: &Value, b: &Value) -> bool {
    match how {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a.cmp(b) == Ordering::Less,
        Compare::Le => a.cmp(b) != Ordering::Greater,
        Compare::Gt => a.cmp(b) == Ordering::Greater,
        Compare::Ge => a.cmp(b) != Ordering::Less,
    }
}
