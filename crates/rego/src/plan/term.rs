//! Plans terms: values, references, unification.

use super::body::{Pattern, Scope, constant};
use super::ops::*;
use super::points::Asked;
use super::tree::scalar;
use crate::ast::{Loc, Term, TermValue};
use crate::error::{Code, Error};
use crate::value::{Object, Value};
use std::collections::VecDeque;

/// One side of an equation.
#[derive(Clone, Copy)]
enum Side<'a> {
    Term(&'a Term),
    Value(Operand),
}

impl<'t> Scope<'_, 't> {
    /// The operand of a term all of whose variables are bound, or that only has unbound ones in brackets of
    /// references, which are then bound by iterating.
    pub(crate) fn eval(&mut self, t: &Term) -> Operand {
        if let Some(v) = constant(t) {
            return self.p.constant(v);
        }
        match &t.value {
            TermValue::Var(name) => match self.env.get(name) {
                Some(operand) => *operand,
                None if name == "input" || name == "data" => self.reference(std::slice::from_ref(t)),
                None => self.fault(&t.loc, format!("var {name} is unsafe")),
            },
            TermValue::Ref(parts) => self.reference(parts),
            TermValue::Array(items) => {
                let items = items.iter().map(|i| self.eval(i)).collect();
                let to = self.slot();
                self.ops.push(Op::MakeArray { items, to });
                Operand::Slot(to)
            }
            TermValue::Set(items) => {
                let items = items.iter().map(|i| self.eval(i)).collect();
                let to = self.slot();
                self.ops.push(Op::MakeSet { items, to });
                Operand::Slot(to)
            }
            TermValue::Object(entries) => {
                // Constant keys in order spare the sorting.
                let mut keyed: Vec<(Option<Value>, &(Term, Term))> =
                    entries.iter().map(|e| (constant(&e.0), e)).collect();
                if keyed.iter().all(|e| e.0.is_some()) {
                    keyed.sort_by(|a, b| a.0.cmp(&b.0));
                }
                let keys: Option<Vec<&Value>> = keyed.iter().map(|e| e.0.as_ref()).collect();
                let shape = keys.and_then(|keys| Object::shape(&keys));
                let entries = keyed.iter().map(|(_, (k, v))| (self.eval(k), self.eval(v))).collect();
                let to = self.slot();
                self.ops.push(Op::MakeObject { entries, shape, to });
                Operand::Slot(to)
            }
            TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..) => self.comprehension(t),
            TermValue::Call(parts) => self.call(parts, &t.loc, false),
            _ => self.fault(&t.loc, "term was not lowered".to_string()),
        }
    }

    /// A reference.
    fn reference(&mut self, parts: &[Term]) -> Operand {
        let Some((head, rest)) = parts.split_first() else {
            return self.p.constant(Value::Null);
        };
        match &head.value {
            TermValue::Var(name) if name == "input" => self.steps(Source::Input, rest),
            TermValue::Var(name) if name == "data" => self.data(rest, &head.loc),
            _ => {
                let from = self.eval(head);
                self.steps(Source::At(from), rest)
            }
        }
    }

    /// Steps below a value.
    fn steps(&mut self, from: Source, rest: &[Term]) -> Operand {
        let mut from = from;
        let mut keys: Vec<Value> = Vec::new();
        let base = matches!(from, Source::Data);
        for part in rest {
            // A path from a value knows no keys by their text; one from `data` does.
            let by_text = base && !matches!(from, Source::Data);
            if let Some(key) = constant(part).filter(|key| !(by_text && may_be_number(key))) {
                keys.push(key);
                continue;
            }
            let at = self.settle(from, &mut keys);
            from = Source::At(self.step(at, part, base));
        }
        self.settle(from, &mut keys)
    }

    fn path(&mut self, from: Source, keys: Box<[Value]>, to: Slot) {
        let hints = Hints::of(&keys);
        self.ops.push(Op::Path { from, keys, hints, to });
    }

    fn settle(&mut self, from: Source, keys: &mut Vec<Value>) -> Operand {
        if let (Source::At(operand), true) = (from, keys.is_empty()) {
            return operand;
        }
        let to = self.slot();
        self.looks(from, keys, to);
        self.path(from, std::mem::take(keys).into(), to);
        Operand::Slot(to)
    }

    /// One step by a key that is not constant: a look-up, or an iteration that binds.
    fn step(&mut self, from: Operand, part: &Term, base: bool) -> Operand {
        if self.known(part) {
            let key = self.eval(part);
            let to = self.slot();
            self.looks_at(from, key, to);
            self.ops.push(Op::Step { from, key, to, base });
            return Operand::Slot(to);
        }
        let value = self.slot();
        let unused = matches!(&part.value, TermValue::Var(name) if self.unused(name));
        let key = if unused { None } else { Some(self.slot()) };
        self.iterates(from);
        self.looped = true;
        self.ops.push(Op::Scan { from, key, value });
        self.element(from, value);
        match key {
            Some(slot) => self.unify_value(Operand::Slot(slot), part),
            None => {
                if let TermValue::Var(name) = &part.value {
                    // Never looked at; bound so that it counts as bound.
                    self.env.insert(name.clone(), Operand::Slot(value));
                }
            }
        }
        Operand::Slot(value)
    }

    /// A reference below `data`.
    fn data(&mut self, rest: &[Term], at: &Loc) -> Operand {
        let mut node: NodeId = 0;
        let mut next = 0;
        let tree = self.p.tree;
        loop {
            let Some(here) = tree.get(node) else {
                return self.p.constant(Value::Null);
            };
            if let Some(doc) = here.doc {
                let tail = rest.get(next..).unwrap_or_default();
                return self.document(doc, tail, at);
            }
            let Some(part) = rest.get(next) else {
                let to = self.slot();
                self.ops.push(Op::Package { node, to });
                return Operand::Slot(to);
            };
            match scalar(part) {
                Some(key) => match here.child(&key) {
                    Some(child) => {
                        node = child;
                        next += 1;
                    }
                    None => return self.steps(Source::Data, rest),
                },
                None => {
                    let tail = rest.get(next..).unwrap_or_default();
                    return self.dynamic(node, tail);
                }
            }
        }
    }

    /// A reference to a document made by rules.
    fn document(&mut self, doc: DocId, rest: &[Term], at: &Loc) -> Operand {
        let group = self.p.tree.groups.get(doc as usize);
        let kind = group.map_or(Kind::Complete, |g| g.kind);
        if let (Kind::Function, Some(group)) = (kind, group) {
            let name: Vec<String> = group
                .path
                .iter()
                .filter_map(|k| k.as_str().map(str::to_owned))
                .collect();
            let message = format!("function data.{} used as reference, not called", name.join("."));
            self.p.errors.push(Error::new(Code::Type, at, message));
            return Operand::Const(0);
        }
        let partial = matches!(kind, Kind::Set | Kind::Object | Kind::Nested);
        if partial
            && let Some(first) = rest.first()
            && !matches!(&first.value, TermValue::Var(_) if !self.known(first))
        {
            let mut args = Vec::new();
            let pattern = self.pattern(first, &mut args);
            if pattern != Pattern::Any {
                let view = self.p.view_for(doc, pattern);
                let to = self.slot();
                self.asks(Asked::View(view));
                self.ops.push(Op::Part {
                    view,
                    args: args.into(),
                    to,
                });
                self.asked(Asked::View(view));
                return self.steps(Source::At(Operand::Slot(to)), rest);
            }
        }
        if let Some(value) = self.p.constant_document(doc) {
            return self.steps(Source::At(value), rest);
        }
        let to = self.slot();
        self.asks(Asked::Doc(doc));
        self.ops.push(Op::Doc { doc, to });
        self.asked(Asked::Doc(doc));
        self.steps(Source::At(Operand::Slot(to)), rest)
    }

    /// What is known of a key here.
    fn pattern(&mut self, t: &Term, args: &mut Vec<Operand>) -> Pattern {
        if self.known(t) {
            args.push(self.eval(t));
            return Pattern::Bound;
        }
        let before = args.len();
        let pattern = match &t.value {
            TermValue::Array(items) => Pattern::Array(items.iter().map(|i| self.pattern(i, args)).collect()),
            TermValue::Object(entries) if entries.iter().all(|e| scalar(&e.0).is_some()) => Pattern::Object(
                entries
                    .iter()
                    .map(|(k, v)| (scalar(k).unwrap_or(Value::Null), self.pattern(v, args)))
                    .collect(),
            ),
            _ => Pattern::Any,
        };
        if args.len() == before { Pattern::Any } else { pattern }
    }

    /// A reference whose next keys are only known when running.
    fn dynamic(&mut self, node: NodeId, rest: &[Term]) -> Operand {
        let mut steps = Vec::new();
        let mut checks: Vec<(Slot, &Term)> = Vec::new();
        for part in rest {
            if self.known(part) {
                steps.push(Step::Key(self.eval(part)));
                continue;
            }
            let slot = self.slot();
            steps.push(Step::Each(slot));
            match &part.value {
                TermValue::Var(name) => {
                    self.env.insert(name.clone(), Operand::Slot(slot));
                }
                _ => checks.push((slot, part)),
            }
        }
        let to = self.slot();
        self.looped = true;
        self.ops.push(Op::Dynamic {
            node,
            steps: steps.into(),
            to,
        });
        for (slot, part) in checks {
            self.unify_value(Operand::Slot(slot), part);
        }
        Operand::Slot(to)
    }

    /// All variables are bound, none is bound by evaluating it.
    pub(crate) fn known(&self, t: &Term) -> bool {
        self.ready(t, false)
    }

    /// Can be evaluated: unbound variables stand at most in brackets of references.
    fn evaluable(&self, t: &Term) -> bool {
        self.ready(t, true)
    }

    fn ready(&self, t: &Term, brackets: bool) -> bool {
        match &t.value {
            TermValue::Var(name) => self.env.contains_key(name) || name == "input" || name == "data",
            TermValue::Ref(parts) => {
                let Some((head, rest)) = parts.split_first() else {
                    return true;
                };
                self.ready(head, brackets) && (brackets || rest.iter().all(|p| self.ready(p, brackets)))
            }
            TermValue::Array(items) | TermValue::Set(items) | TermValue::Call(items) => {
                items.iter().all(|i| self.ready_item(i, brackets))
            }
            TermValue::Object(entries) => entries
                .iter()
                .all(|(k, v)| self.ready(k, brackets) && self.ready(v, brackets)),
            _ => true,
        }
    }

    fn ready_item(&self, t: &Term, brackets: bool) -> bool {
        // The operator of a call is a reference by name.
        match &t.value {
            TermValue::Ref(parts) if matches!(parts.first(), Some(Term { value: TermValue::Var(v), .. }) if !self.env.contains_key(v) && v != "input" && v != "data") => {
                parts.iter().skip(1).all(|p| scalar(p).is_some())
                    && crate::builtins::find(&super::body::operator(parts)).is_some()
            }
            _ => self.ready(t, brackets),
        }
    }

    /// Whether a value can be matched against a term now, binding its variables.
    pub(crate) fn matchable(&self, t: &Term) -> bool {
        match &t.value {
            TermValue::Var(_) => true,
            TermValue::Array(items) => items.iter().all(|i| self.matchable(i)),
            TermValue::Object(entries) => entries.iter().all(|(k, v)| self.known(k) && self.matchable(v)),
            _ => self.known(t),
        }
    }

    /// `a = b`.
    pub(crate) fn unify(&mut self, a: &Term, b: &Term) {
        self.solve(Side::Term(a), Side::Term(b), a);
    }

    /// A value against a pattern.
    pub(crate) fn unify_value(&mut self, value: Operand, t: &Term) {
        self.solve(Side::Value(value), Side::Term(t), t);
    }

    fn solve(&mut self, a: Side<'_>, b: Side<'_>, whole: &Term) {
        let mut queue = VecDeque::from([(a, b)]);
        let mut idle = 0;
        while let Some((a, b)) = queue.pop_front() {
            if self.pair(a, b, &mut queue) {
                idle = 0;
            } else {
                queue.push_back((a, b));
                idle += 1;
                if idle > queue.len() {
                    self.fault(&whole.loc, "expression has unsafe variables".to_string());
                    return;
                }
            }
        }
    }

    /// One equation: false if it must wait for others.
    fn pair<'a>(&mut self, a: Side<'a>, b: Side<'a>, queue: &mut VecDeque<(Side<'a>, Side<'a>)>) -> bool {
        match (a, b) {
            (Side::Value(a), Side::Value(b)) => {
                self.same(a, b);
                true
            }
            (Side::Value(v), Side::Term(t)) | (Side::Term(t), Side::Value(v)) => self.matching(v, t, queue),
            (Side::Term(a), Side::Term(b)) => {
                match (&a.value, &b.value) {
                    (TermValue::Array(x), TermValue::Array(y)) => {
                        if x.len() != y.len() {
                            self.ops.push(Op::Fail);
                            self.bind_rest(a);
                            self.bind_rest(b);
                            return true;
                        }
                        for (i, (x, y)) in x.iter().zip(y).enumerate() {
                            queue.insert(i, (Side::Term(x), Side::Term(y)));
                        }
                        return true;
                    }
                    (TermValue::Object(x), TermValue::Object(y))
                        if x.iter().chain(y).all(|e| scalar(&e.0).is_some()) =>
                    {
                        let mut fits = x.len() == y.len();
                        let mut pairs = Vec::new();
                        for (k, v) in x {
                            let key = scalar(k);
                            match y.iter().find(|e| scalar(&e.0) == key) {
                                Some((_, w)) => pairs.push((Side::Term(v), Side::Term(w))),
                                None => fits = false,
                            }
                        }
                        if !fits {
                            self.ops.push(Op::Fail);
                            self.bind_rest(a);
                            self.bind_rest(b);
                            return true;
                        }
                        for (i, pair) in pairs.into_iter().enumerate() {
                            queue.insert(i, pair);
                        }
                        return true;
                    }
                    _ => {}
                }
                let plain = |s: &Self, t: &Term| matches!(&t.value, TermValue::Var(n) if !s.env.contains_key(n));
                if plain(self, a) && self.evaluable(b) {
                    let v = self.eval(b);
                    return self.matching(v, a, queue);
                }
                if self.evaluable(a) {
                    let v = self.eval(a);
                    queue.push_front((Side::Value(v), Side::Term(b)));
                    return true;
                }
                if self.evaluable(b) {
                    let v = self.eval(b);
                    queue.push_front((Side::Value(v), Side::Term(a)));
                    return true;
                }
                false
            }
        }
    }

    fn same(&mut self, a: Operand, b: Operand) {
        if a != b {
            self.ops.push(Op::Same { a, b });
        }
    }

    /// A value against a term: binds, looks into composites, or compares.
    fn matching<'a>(&mut self, v: Operand, t: &'a Term, queue: &mut VecDeque<(Side<'a>, Side<'a>)>) -> bool {
        if let Some(c) = constant(t) {
            let c = self.p.constant(c);
            self.same(v, c);
            return true;
        }
        match &t.value {
            TermValue::Var(name) => {
                match self.env.get(name).copied() {
                    Some(bound) => self.same(v, bound),
                    None => {
                        self.env.insert(name.clone(), v);
                    }
                }
                true
            }
            TermValue::Array(items) => {
                self.ops.push(Op::ArrayLen {
                    of: v,
                    len: items.len(),
                });
                for (i, item) in items.iter().enumerate() {
                    if matches!(&item.value, TermValue::Var(n) if !self.env.contains_key(n) && self.unused(n)) {
                        continue;
                    }
                    let to = self.slot();
                    self.looks(Source::At(v), &[Value::from(i as i64)], to);
                    self.path(Source::At(v), Box::new([Value::from(i as i64)]), to);
                    queue.insert(i.min(queue.len()), (Side::Value(Operand::Slot(to)), Side::Term(item)));
                }
                true
            }
            TermValue::Object(entries) if entries.iter().all(|e| constant(&e.0).is_some()) => {
                let mut keys: Vec<Value> = entries.iter().filter_map(|e| constant(&e.0)).collect();
                keys.sort();
                keys.dedup();
                if keys.len() != entries.len() {
                    let made = self.evaluable(t);
                    if made {
                        let w = self.eval(t);
                        self.same(v, w);
                    }
                    return made;
                }
                self.ops.push(Op::ObjectLen {
                    of: v,
                    len: entries.len(),
                });
                for (i, (k, item)) in entries.iter().enumerate() {
                    let Some(key) = constant(k) else { continue };
                    let to = self.slot();
                    self.looks(Source::At(v), std::slice::from_ref(&key), to);
                    self.path(Source::At(v), Box::new([key]), to);
                    queue.insert(i.min(queue.len()), (Side::Value(Operand::Slot(to)), Side::Term(item)));
                }
                true
            }
            TermValue::Object(entries) if !self.evaluable(t) => {
                // Keys held by variables: their values must be known first.
                if !entries.iter().all(|e| self.known(&e.0)) {
                    return false;
                }
                self.ops.push(Op::ObjectLen {
                    of: v,
                    len: entries.len(),
                });
                for (i, (k, item)) in entries.iter().enumerate() {
                    let key = self.eval(k);
                    let to = self.slot();
                    self.looks_at(v, key, to);
                    self.ops.push(Op::Step {
                        from: v,
                        key,
                        to,
                        base: false,
                    });
                    queue.insert(i.min(queue.len()), (Side::Value(Operand::Slot(to)), Side::Term(item)));
                }
                true
            }
            _ => {
                if !self.evaluable(t) {
                    return false;
                }
                let w = self.eval(t);
                self.same(v, w);
                true
            }
        }
    }

    /// Variables after what can never hold: bound to anything, never read.
    fn bind_rest(&mut self, t: &Term) {
        let null = self.p.constant(Value::Null);
        let mut names = Vec::new();
        super::visit::term(t, &mut |item| {
            if let super::visit::Item::Term(Term {
                value: TermValue::Var(name),
                ..
            }) = item
            {
                names.push(name.clone());
            }
        });
        for name in names {
            self.env.entry(name).or_insert(null);
        }
    }
}

/// Whether a key is a number, or text that a number may be written as.
fn may_be_number(key: &Value) -> bool {
    match key {
        Value::Number(_) => true,
        Value::String(s) => s.bytes().last().is_some_and(|b| b.is_ascii_digit()),
        _ => false,
    }
}
