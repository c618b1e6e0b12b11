//! Takes down what a traced program tells.
//!
//! Rules do not recurse, so at any time a body runs at most once, and what is noted of it can be kept by its number.

use super::{Exec, Res};
use crate::ast::Loc;
use crate::error::Code;
use crate::plan::{Asked, Operand, Plan, Point, Source, What};
use crate::trace::{Answer, BodyTrace, Node, Nodes, Origin, Reached, Trace, TraceOptions, content};
use crate::value::Value;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// References that are shown of one expression.
const REFERENCES: usize = 24;

/// What is taken down during one evaluation.
pub(crate) struct Tracer<'a> {
    options: TraceOptions<'a>,
    /// Bodies of the rules that were asked for.
    entry: std::ops::Range<u32>,
    reached: Vec<bool>,
    bodies: Vec<State>,
    /// How values came about that rules made, by where a value's content is.
    made: FxHashMap<usize, Made>,
    origins: Vec<Origin>,
    /// Counts beginnings and ends of bodies.
    serial: u64,
    answers: Vec<Answer>,
    read: BTreeSet<Node>,
    handed: BTreeSet<Node>,
}

/// What is noted of a body.
#[derive(Default)]
struct State {
    /// What this turn has read of the document, in order.
    reads: Vec<Read>,
    /// When it began last.
    began: u64,
    /// When it held since, and what it had read last.
    ended: Option<(u64, Option<Node>)>,
    entered: u64,
    held: u64,
    furthest: Option<(u32, Snapshot)>,
    /// The furthest in a closure of that one.
    inner: Option<(u32, Snapshot)>,
    /// Whether what is read now belongs to the furthest expression.
    recording: bool,
}

#[derive(Clone, Copy)]
struct Read {
    at: u32,
    tells: bool,
    top_tells: bool,
    node: Node,
}

#[derive(Clone, Copy)]
struct Made {
    /// The node that was read last before.
    node: Option<Node>,
    /// Index of the origin, when values are kept.
    origin: Option<usize>,
}

#[derive(Default)]
struct Snapshot {
    variables: Vec<(String, Value)>,
    references: Vec<(String, Option<Value>)>,
}

impl State {
    /// The node read last to decide, else to tell. One that only holds what was read before says less than that.
    /// `closure`: to decide on an item of the closure that is running, not on the body.
    fn last(&self, nodes: Option<&Nodes<'_>>, closure: bool) -> Option<Node> {
        let rank = |r: &Read| match (r.top_tells, r.tells) {
            (_, tells) if closure => u8::from(tells),
            (false, _) => 0,
            (true, tells) => 1 + u8::from(tells),
        };
        let least = self.reads.iter().map(rank).min()?;
        let mut reads = self.reads.iter().rev().filter(|r| rank(r) == least).map(|r| r.node);
        let last = reads.next()?;
        let nodes = nodes?;
        Some(reads.fold(last, |last, earlier| match nodes.is_below(earlier, last) {
            true => earlier,
            false => last,
        }))
    }
}

impl<'a> Tracer<'a> {
    pub(crate) fn new(plan: &'a Plan, options: &TraceOptions<'a>, entry: Option<&[Value]>) -> Tracer<'a> {
        let doc = entry.and_then(|path| plan.docs.iter().position(|d| d.path == path));
        Tracer {
            options: *options,
            entry: doc.and_then(|d| plan.trace.docs.get(d).cloned()).unwrap_or_default(),
            reached: vec![false; plan.trace.points.len()],
            bodies: plan.trace.bodies.iter().map(|_| State::default()).collect(),
            made: FxHashMap::default(),
            origins: Vec::new(),
            serial: 0,
            answers: Vec::new(),
            read: BTreeSet::new(),
            handed: BTreeSet::new(),
        }
    }

    fn node(&self, value: &Value) -> Option<Node> {
        let node = self.options.places.and_then(|nodes| nodes.find(value));
        node.or_else(|| self.made.get(&content(value)?)?.node)
    }

    fn note(&mut self, point: &Point, node: Option<Node>) {
        if let (Some(node), Some(state)) = (node, self.bodies.get_mut(point.body as usize)) {
            state.reads.push(Read {
                at: point.at,
                tells: point.tells,
                top_tells: point.top_tells,
                node,
            });
        }
    }

    fn watch(&mut self, value: &Value, whole: bool) {
        if let Some(node) = self.options.watched.and_then(|nodes| nodes.find(value)) {
            let set = if whole { &mut self.handed } else { &mut self.read };
            set.insert(node);
        }
    }

    /// A reference was followed as far as there was something.
    fn followed(&mut self, point: &Point, deepest: &Value, found: Option<&Value>, text: &str) {
        let node = self.node(deepest);
        self.note(point, node);
        if let Some(found) = found {
            self.watch(found, false);
        }
        if let Some(state) = self.bodies.get_mut(point.body as usize)
            && state.recording
            && !text.is_empty()
            && let Some((_, snapshot)) = state.inner.as_mut().or(state.furthest.as_mut())
            && snapshot.references.len() < REFERENCES
            && !snapshot.references.iter().any(|r| r.0 == text)
        {
            snapshot.references.push((text.to_owned(), found.cloned()));
        }
    }

    /// What bodies that were just asked had read last: of those that held the last, else the last that was tried.
    fn answer_of(&self, bodies: std::ops::Range<u32>) -> Option<Node> {
        let states = self.bodies.get(bodies.start as usize..bodies.end as usize)?;
        let began = states.first()?.began;
        let held = states
            .iter()
            .filter_map(|s| s.ended)
            .filter(|e| e.0 >= began)
            .max_by_key(|e| e.0);
        match held {
            Some((_, node)) => node,
            None => states
                .iter()
                .filter(|s| s.began >= began)
                .max_by_key(|s| s.began)?
                .last(self.options.places, false),
        }
    }

    /// Everything that was told.
    pub(crate) fn finish(self, plan: &Plan) -> Trace {
        let mut trace = Trace {
            answers: self.answers,
            read: self.read,
            handed: self.handed,
            ..Trace::default()
        };
        let points = plan
            .trace
            .points
            .iter()
            .zip(&self.reached)
            .filter(|(_, reached)| **reached);
        for (point, _) in points {
            let loc = match &point.what {
                What::Expr { loc, .. } => loc,
                What::Exit { .. } => match plan.trace.bodies.get(point.body as usize) {
                    Some(body) => &body.head,
                    None => continue,
                },
                _ => continue,
            };
            if let (Some(file), true) = (&loc.file, loc.row > 0) {
                trace.rows.entry(file.clone()).or_default().insert(loc.row);
            }
        }
        for (id, (body, state)) in plan.trace.bodies.iter().zip(self.bodies).enumerate() {
            let reached = |(step, snapshot): (u32, Snapshot)| {
                let step = body.steps.get(step as usize)?;
                let asks = step.asks.iter().flat_map(|a| plan.trace.asked(*a));
                Some(Reached {
                    loc: step.loc.clone(),
                    variables: snapshot.variables,
                    references: snapshot.references,
                    asks: asks.map(|b| b as usize).collect(),
                })
            };
            let mut outermost = body.steps.iter().filter(|s| !s.nested);
            let decides = outermost.clone().rev().find(|s| !s.tells);
            trace.bodies.push(BodyTrace {
                path: plan
                    .docs
                    .get(body.doc as usize)
                    .map(|d| path_text(&d.path))
                    .unwrap_or_default(),
                entry: self.entry.contains(&(id as u32)),
                default: body.default,
                rule: body.rule.clone(),
                head: body.head.clone(),
                decides: decides.or_else(|| outermost.next_back()).map(|s| s.loc.clone()),
                entered: state.entered,
                held: state.held,
                furthest: state.furthest.and_then(reached),
                inner: state.inner.and_then(reached),
            });
        }
        trace
    }
}

fn path_text(path: &[Value]) -> String {
    let steps = path
        .iter()
        .map(|k| k.as_str().map_or_else(|| crate::value_text::text(k), str::to_owned));
    ["data".to_owned()]
        .into_iter()
        .chain(steps)
        .collect::<Vec<_>>()
        .join(".")
}

impl crate::plan::TracePlan {
    fn asked(&self, what: Asked) -> std::ops::Range<u32> {
        match what {
            Asked::Doc(doc) => self.docs.get(doc as usize).cloned(),
            Asked::View(view) => self.views.get(&view).cloned(),
        }
        .unwrap_or_default()
    }
}

impl<'a> Exec<'a> {
    /// A value that may not be bound.
    fn peek(&self, operand: Operand) -> Option<&'a Value> {
        match operand {
            Operand::Slot(s) => self.slots.get(self.base + s as usize).copied().flatten(),
            Operand::Const(c) => self.plan.consts.get(c as usize),
        }
    }

    fn values(&self, names: &[(SmolStr, Operand)]) -> Vec<(String, Value)> {
        let value = |(name, operand): &(SmolStr, Operand)| Some((name.to_string(), self.peek(*operand)?.clone()));
        names.iter().filter_map(value).collect()
    }

    /// A point was reached.
    #[cold]
    #[inline(never)]
    pub(super) fn trace(&mut self, id: u32) -> Res<()> {
        let Some(mut tracer) = self.tracer.take() else {
            return Ok(());
        };
        let plan = self.plan;
        let result = match plan.trace.points.get(id as usize) {
            Some(point) => self.told(&mut tracer, id, point),
            None => Ok(()),
        };
        self.tracer = Some(tracer);
        result
    }

    fn told(&mut self, tracer: &mut Tracer<'a>, id: u32, point: &'a Point) -> Res<()> {
        if let Some(reached) = tracer.reached.get_mut(id as usize) {
            *reached = true;
        }
        if let Some(left) = &mut tracer.options.points {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Err(self.error(Code::Limit, "the evaluation is too long to be traced")),
            }
        }
        if let Some(state) = tracer.bodies.get_mut(point.body as usize) {
            while state.reads.last().is_some_and(|r| r.at >= point.at) {
                state.reads.pop();
            }
        }
        match &point.what {
            What::Enter => {
                tracer.serial += 1;
                if let Some(state) = tracer.bodies.get_mut(point.body as usize) {
                    state.began = tracer.serial;
                    state.ended = None;
                    state.entered += 1;
                    state.recording = false;
                }
            }
            What::Expr { step, .. } => {
                if let (Some((step, names)), true) = (step, tracer.options.values) {
                    self.step_begins(tracer, point.body, *step, names)?;
                }
            }
            What::Keys { from, keys, text } => {
                let start = match from {
                    Source::At(operand) => self.peek(*operand),
                    Source::Input => self.frame.input,
                    Source::Data => None,
                };
                if let Some(mut deepest) = start {
                    let mut found = start;
                    for key in keys {
                        found = deepest.lookup(key);
                        match found {
                            Some(value) => deepest = value,
                            None => break,
                        }
                    }
                    tracer.followed(point, deepest, found, text);
                }
            }
            What::Key { from, key, text } => {
                if let (Some(from), Some(key)) = (self.peek(*from), self.peek(*key)) {
                    let found = from.lookup(key);
                    tracer.followed(point, found.unwrap_or(from), found, text);
                }
            }
            What::Element { value } => {
                if let Some(value) = self.peek(Operand::Slot(*value)) {
                    tracer.followed(point, value, Some(value), "");
                }
            }
            What::Operands { args, get } => self.handed(tracer, point, args, *get),
            What::Asked(what) => {
                let node = tracer.answer_of(plan_bodies(self.plan, *what));
                tracer.note(point, node);
            }
            What::Fold { scans } => {
                if let Some(state) = tracer.bodies.get_mut(point.body as usize)
                    && let Some(first) = state.reads.iter().position(|r| scans.contains(&r.at))
                {
                    state.reads.truncate(first + 1);
                }
            }
            What::Made { of, decides, vars } => {
                let node = tracer.bodies.get(point.body as usize);
                let node = node.and_then(|s| s.last(tracer.options.places, true));
                self.made_of(tracer, point, *of, node, decides.as_ref(), vars)?;
            }
            What::Exit { of, vars } => self.body_holds(tracer, point, *of, vars)?,
        }
        Ok(())
    }

    /// Operands of a built-in. `object.get` follows a reference, too.
    fn handed(&mut self, tracer: &mut Tracer<'a>, point: &Point, args: &[Operand], get: bool) {
        if let (true, [of, key, ..]) = (get, args)
            && let (Some(of), Some(key)) = (self.peek(*of), self.peek(*key))
        {
            let keys = match key {
                Value::Array(keys) => keys.as_slice(),
                key => std::slice::from_ref(key),
            };
            let mut deepest = of;
            let mut found = Some(of);
            for key in keys {
                found = deepest.lookup(key);
                match found {
                    Some(value) => deepest = value,
                    None => break,
                }
            }
            tracer.followed(point, deepest, found, "");
            return;
        }
        if tracer.options.watched.is_some() {
            for value in args.iter().filter_map(|a| self.peek(*a)) {
                tracer.watch(value, true);
            }
        }
    }

    fn step_begins(&mut self, tracer: &mut Tracer<'a>, body: u32, step: u32, names: &[(SmolStr, Operand)]) -> Res<()> {
        let Some(state) = tracer.bodies.get_mut(body as usize) else {
            return Ok(());
        };
        let info = self
            .plan
            .trace
            .bodies
            .get(body as usize)
            .and_then(|b| b.steps.get(step as usize));
        let nested = info.is_some_and(|s| s.nested);
        let place = if nested { &mut state.inner } else { &mut state.furthest };
        state.recording = place.as_ref().is_none_or(|(furthest, _)| *furthest < step);
        if !state.recording {
            return Ok(());
        }
        let variables = self.values(names);
        self.account(variables.len() * 64)?;
        let snapshot = Snapshot {
            variables,
            references: Vec::new(),
        };
        *place = Some((step, snapshot));
        if !nested {
            state.inner = None;
        }
        // What is asked from here on is asked for this expression; rules that are remembered are not asked again.
        let again = |asked: &&Asked| match asked {
            Asked::Doc(doc) => self.is_function(*doc),
            Asked::View(_) => true,
        };
        for asked in info.into_iter().flat_map(|s| &s.asks).filter(again) {
            for other in plan_bodies(self.plan, *asked) {
                if let Some(state) = tracer.bodies.get_mut(other as usize).filter(|_| other != body) {
                    state.furthest = None;
                    state.inner = None;
                    state.entered = 0;
                    state.held = 0;
                }
            }
        }
        Ok(())
    }

    fn made_of(
        &mut self,
        tracer: &mut Tracer<'a>,
        point: &Point,
        of: Operand,
        node: Option<Node>,
        decides: Option<&Loc>,
        vars: &[(SmolStr, Operand)],
    ) -> Res<()> {
        let Some(content) = self.peek(of).and_then(content) else {
            return Ok(());
        };
        if tracer.made.contains_key(&content) {
            return Ok(());
        }
        let mut origin = None;
        if tracer.options.values {
            let variables = self.values(vars);
            self.account(variables.len() * 64)?;
            origin = Some(tracer.origins.len());
            tracer.origins.push(Origin {
                body: point.body as usize,
                decides: decides.cloned(),
                variables,
            });
        }
        self.account(size_of::<Made>() + 16)?;
        tracer.made.insert(content, Made { node, origin });
        Ok(())
    }

    fn body_holds(
        &mut self,
        tracer: &mut Tracer<'a>,
        point: &Point,
        of: Operand,
        vars: &[(SmolStr, Operand)],
    ) -> Res<()> {
        tracer.serial += 1;
        let serial = tracer.serial;
        let mut node = None;
        if let Some(state) = tracer.bodies.get_mut(point.body as usize) {
            node = state.last(tracer.options.places, false);
            state.ended = Some((serial, node));
            state.held += 1;
            state.recording = false;
        }
        let value = self.peek(of);
        let made = value.and_then(content).and_then(|c| tracer.made.get(&c).copied());
        // What another body made is that one's; its node is nearer than what was read of it here.
        let origin = made.and_then(|m| m.origin).and_then(|o| tracer.origins.get(o).cloned());
        node = made.and_then(|m| m.node).or(node);
        self.made_of(tracer, point, of, node, None, vars)?;
        if tracer.entry.contains(&point.body)
            && let Some(value) = value
        {
            let variables = if tracer.options.values {
                self.values(vars)
            } else {
                Vec::new()
            };
            self.account(size_of::<Answer>() + variables.len() * 64)?;
            tracer.answers.push(Answer {
                body: point.body as usize,
                value: value.clone(),
                node,
                origin,
                variables,
            });
        }
        Ok(())
    }
}

fn plan_bodies(plan: &Plan, what: Asked) -> std::ops::Range<u32> {
    plan.trace.asked(what)
}
