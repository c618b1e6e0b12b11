//! Points of a program compiled for tracing: what the tracer is told, and when.
//!
//! A point is an operation like any other, so a program without them pays nothing. Points of one body are numbered in the
//! order in which they run ([`Point::at`]): when one is reached again, on the next turn of an iteration, all that was
//! noted at it and after it belongs to an earlier turn and is dropped.

use super::body::Scope;
use super::ops::{Callee, DocId, Op, Operand, Slot, Source};
use super::visit;
use crate::ast::{Expr, ExprKind, Loc, Rule, Term, TermValue};
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

/// What is noted, and where in its body.
#[derive(Debug)]
pub(crate) struct Point {
    /// The body, by number.
    pub(crate) body: u32,
    /// The order within the body.
    pub(crate) at: u32,
    /// Belongs to an expression that only makes its body's answer, such as a message.
    pub(crate) tells: bool,
    /// The same of the expression of the rule's own body that it is in; within a closure the two may differ.
    pub(crate) top_tells: bool,
    pub(crate) what: What,
}

/// Variables by the user's names, with where they are.
pub(crate) type Names = Box<[(SmolStr, Operand)]>;

#[derive(Debug)]
pub(crate) enum What {
    /// The body begins.
    Enter,
    /// An expression begins. `step`: the written expression of the body it is part of, when it is its first part.
    Expr { loc: Loc, step: Option<(u32, Names)> },
    /// Constant keys are about to be followed.
    Keys {
        from: Source,
        keys: Box<[Value]>,
        text: Box<str>,
    },
    /// A key is about to be followed.
    Key {
        from: Operand,
        key: Operand,
        text: Box<str>,
    },
    /// An element of what is iterated.
    Element { value: Slot },
    /// Operands are about to be handed to a built-in; `get`: it is `object.get`.
    Operands { args: Box<[Operand]>, get: bool },
    /// A rule or function was asked.
    Asked(Asked),
    /// A block that iterated, at these points, is done: what it read of single elements counts no more.
    Fold { scans: Box<[u32]> },
    /// An item of a collection is complete.
    Made {
        of: Operand,
        decides: Option<Loc>,
        vars: Names,
    },
    /// The body holds, with this value.
    Exit { of: Operand, vars: Names },
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Doc(DocId),
    View(u32),
}

/// A body that is told of: one of a rule, an `else`, or a view.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) doc: DocId,
    /// The whole rule, and its head.
    pub(crate) rule: Loc,
    pub(crate) head: Loc,
    /// Its written expressions in the order in which they run.
    pub(crate) steps: Vec<StepInfo>,
    pub(crate) default: bool,
}

/// A written expression of a body.
#[derive(Debug)]
pub(crate) struct StepInfo {
    pub(crate) loc: Loc,
    pub(crate) tells: bool,
    /// Stands in a closure (comprehension, `every`, ..) of the step before that does not.
    pub(crate) nested: bool,
    /// Rules and functions it asks.
    pub(crate) asks: Vec<Asked>,
}

/// Everything that a traced plan has besides an ordinary one.
#[derive(Debug, Default)]
pub(crate) struct TracePlan {
    pub(crate) points: Vec<Point>,
    pub(crate) bodies: Vec<Body>,
    /// Bodies of each document, and of each view.
    pub(crate) docs: Vec<std::ops::Range<u32>>,
    pub(crate) views: FxHashMap<u32, std::ops::Range<u32>>,
}

/// The state of planning a traced body.
#[derive(Debug, Default)]
pub(super) struct Marking {
    pub(super) body: u32,
    next: u32,
    /// See [`Point`].
    tells: bool,
    top_tells: bool,
    /// The written expression being planned.
    step: Option<u32>,
    /// Depth of bodies within the body.
    nested: u32,
    /// The last expression of the block planned last that does more than make its answer.
    decides: Option<Loc>,
    /// The points of iterations in the block being planned.
    scans: Vec<u32>,
    /// What was asked in the block being planned.
    asked: Vec<Asked>,
    /// How slots came about, as the user would write it.
    texts: FxHashMap<Slot, String>,
}

/// What is remembered of the surroundings while a block within a body is planned.
pub(super) struct Outer {
    scans: Vec<u32>,
    asked: Vec<Asked>,
}

impl Scope<'_, '_> {
    fn point(&mut self, what: What) -> Option<u32> {
        let marking = self.marking.as_mut()?;
        let at = marking.next;
        marking.next += 1;
        let point = Point {
            body: marking.body,
            at,
            tells: marking.tells,
            top_tells: marking.top_tells,
            what,
        };
        let id = self.p.trace_plan.points.len() as u32;
        self.p.trace_plan.points.push(point);
        self.ops.push(Op::Trace { point: id });
        Some(at)
    }

    /// The body of a rule (or of one of its `else`) begins.
    pub(super) fn enter(&mut self, doc: DocId, rule: &Rule) {
        if !self.p.trace {
            return;
        }
        let body = self.p.trace_plan.bodies.len() as u32;
        self.p.trace_plan.bodies.push(Body {
            doc,
            rule: rule.loc.clone(),
            head: rule.head.loc.clone(),
            steps: Vec::new(),
            default: rule.default,
        });
        self.marking = Some(Marking {
            body,
            ..Marking::default()
        });
        self.point(What::Enter);
    }

    /// The body of a query: only its calls matter.
    pub(super) fn enter_query(&mut self) {
        if self.p.trace {
            let body = self.p.trace_plan.bodies.len() as u32;
            self.p.trace_plan.bodies.push(Body {
                doc: DocId::MAX,
                ..Body::default()
            });
            self.marking = Some(Marking {
                body,
                ..Marking::default()
            });
        }
    }

    /// The body holds.
    pub(super) fn exit(&mut self, of: Operand) {
        if let Some(marking) = &mut self.marking {
            marking.tells = true;
            marking.top_tells = true;
            let vars = self.visible(None);
            self.point(What::Exit { of, vars });
        }
    }

    /// Variables of the user's that are bound here; only those given, if some are.
    fn visible(&self, only: Option<&FxHashSet<SmolStr>>) -> Names {
        let mut out: Vec<(SmolStr, Operand)> = self
            .env
            .iter()
            .filter(|(name, _)| only.is_none_or(|o| o.contains(*name)))
            .filter_map(|(name, operand)| Some((self.p.display(name)?, *operand)))
            .collect();
        // In the order in which they were bound, constants last.
        out.sort_by(|a, b| {
            let order = |o: &Operand| match o {
                Operand::Slot(s) => (0, *s),
                Operand::Const(c) => (1, *c),
            };
            (order(&a.1), &a.0).cmp(&(order(&b.1), &b.0))
        });
        out.dedup_by(|a, b| a.0 == b.0);
        out.into()
    }

    /// Plans a body's expressions in order, each marked as part of the written one it came from.
    pub(super) fn marked_body(&mut self, body: &[Expr]) {
        let owners = owners(body);
        let flags = self.telling(body, &owners);
        let outermost = self.marking.as_ref().is_some_and(|m| m.nested == 0);
        let before = self.marking.as_ref().map(|m| (m.tells, m.top_tells, m.step));
        let mut steps: FxHashMap<Option<usize>, u32> = FxHashMap::default();
        for (i, e) in body.iter().enumerate() {
            let owner = owners.get(i).copied().flatten();
            let tells = flags.get(i).copied().unwrap_or_default();
            let mut first = None;
            if let Some(marking) = &mut self.marking {
                marking.tells = tells;
                marking.top_tells = if outermost { tells } else { before.is_some_and(|b| b.1) };
                if outermost || owner.is_some() {
                    marking.step = steps.get(&owner).copied();
                }
                if (outermost || owner.is_some())
                    && !steps.contains_key(&owner)
                    && let Some(info) = self.p.trace_plan.bodies.get_mut(marking.body as usize)
                {
                    let step = info.steps.len() as u32;
                    let written = owner.and_then(|o| body.get(o));
                    info.steps.push(StepInfo {
                        loc: written.map_or(&info.head, |e| &e.loc).clone(),
                        tells,
                        nested: !outermost,
                        asks: Vec::new(),
                    });
                    steps.insert(owner, step);
                    marking.step = Some(step);
                    first = Some((step, owner));
                }
            }
            let step = first.map(|(step, owner)| {
                let mut names = FxHashSet::default();
                for (e, _) in body.iter().zip(&owners).filter(|(_, o)| **o == owner) {
                    variables(std::slice::from_ref(e), &mut names);
                }
                (step, self.visible(Some(&names)))
            });
            if e.loc.row > 0 || step.is_some() {
                let loc = e.loc.clone();
                self.point(What::Expr { loc, step });
            }
            self.expr(e);
        }
        if let (Some(marking), Some((tells, top_tells, step))) = (&mut self.marking, before) {
            // What follows a rule's body makes its answer.
            marking.tells = outermost || tells;
            marking.top_tells = outermost || top_tells;
            marking.step = step;
            let mut deciding = body
                .iter()
                .zip(&owners)
                .zip(&flags)
                .filter(|((e, owner), tells)| !**tells && owner.is_some() && !e.generated);
            marking.decides = deciding.next_back().map(|((e, _), _)| e.loc.clone());
        }
    }

    /// For each expression, whether the written one it belongs to only makes the answer: it binds variables that are
    /// used nowhere but there, and asks no rule.
    fn telling(&self, body: &[Expr], owners: &[Option<usize>]) -> Vec<bool> {
        let mut groups: Vec<Option<usize>> = Vec::new();
        for owner in owners {
            if !groups.contains(owner) {
                groups.push(*owner);
            }
        }
        let members = |group: Option<usize>| {
            body.iter()
                .zip(owners)
                .filter(move |(_, o)| **o == group)
                .map(|(e, _)| e)
        };
        let mut known: FxHashSet<SmolStr> = self.env.keys().cloned().collect();
        let mut binds: Vec<Option<FxHashSet<SmolStr>>> = Vec::new();
        for group in &groups {
            let mut names = FxHashSet::default();
            let mut plain = true;
            for e in members(*group) {
                variables(std::slice::from_ref(e), &mut names);
                plain &= self.only_makes(e, group.and_then(|g| body.get(g)));
            }
            let binding = group.is_none()
                || group
                    .and_then(|g| body.get(g))
                    .is_some_and(|e| bound(e).any(|name| !known.contains(name)));
            let new: FxHashSet<SmolStr> = names.iter().filter(|n| !known.contains(*n)).cloned().collect();
            known.extend(names);
            binds.push((plain && binding).then_some(new));
        }
        let mut needed: FxHashSet<SmolStr> = FxHashSet::default();
        let mut tells: FxHashMap<Option<usize>, bool> = FxHashMap::default();
        for (group, new) in groups.iter().zip(&binds).rev() {
            let makes = new.as_ref().is_some_and(|new| new.is_disjoint(&needed));
            if !makes {
                for e in members(*group) {
                    variables(std::slice::from_ref(e), &mut needed);
                }
            }
            tells.insert(*group, makes);
        }
        owners
            .iter()
            .map(|o| tells.get(o).copied().unwrap_or_default())
            .collect()
    }

    /// Calls and follows references, compares nothing. A rule may be asked on the way, not for the very value that is
    /// bound: that decides.
    fn only_makes(&self, e: &Expr, owner: Option<&Expr>) -> bool {
        if e.negated || !e.with.is_empty() {
            return false;
        }
        let ExprKind::Call(terms) = &e.kind else {
            return false;
        };
        let Some((op, args)) = terms.split_first() else {
            return false;
        };
        let TermValue::Ref(parts) = &op.value else {
            return false;
        };
        let equation = super::body::operator(parts) == "eq";
        let arity = match self.p.callee(parts) {
            Some(Callee::Builtin(b)) => b.arity(),
            Some(Callee::Function(doc)) => Some(self.p.arity(doc)),
            None => None,
        };
        if !equation && arity != args.len().checked_sub(1) {
            return false;
        }
        let from_data = |t: &Term| match &t.value {
            TermValue::Ref(parts) => {
                matches!(parts.first(), Some(Term { value: TermValue::Var(v), .. }) if v == "data")
            }
            _ => false,
        };
        let asks = matches!(self.p.callee(parts), Some(Callee::Function(_))) || args.iter().any(from_data);
        // What the owner binds, as the compiler has it.
        let direct = owner.is_some_and(|o| std::ptr::eq(o, e) || bound(e).any(|v| bound(o).any(|w| v == w)));
        !(asks && direct)
    }

    /// An operand as the user would write it.
    fn text(&self, operand: Operand) -> String {
        let named = self
            .env
            .iter()
            .filter(|(_, o)| **o == operand)
            .filter_map(|(name, _)| self.p.display(name))
            .min();
        if let Some(name) = named {
            return name.to_string();
        }
        match operand {
            Operand::Slot(slot) => {
                let text = self.marking.as_ref().and_then(|m| m.texts.get(&slot));
                text.cloned().unwrap_or_default()
            }
            Operand::Const(at) => self.p.constant_at(at).map(crate::value_text::text).unwrap_or_default(),
        }
    }

    /// Constant keys are followed into a slot.
    pub(super) fn looks(&mut self, from: Source, keys: &[Value], to: Slot) {
        if self.marking.is_none() || matches!(from, Source::Data) {
            return;
        }
        let mut text = match from {
            Source::At(operand) => self.text(operand),
            _ => "input".to_owned(),
        };
        if !text.is_empty() {
            for key in keys {
                text.push_str(&match key.as_str() {
                    Some(word) if is_word(word) => format!(".{word}"),
                    _ => format!("[{}]", crate::value_text::text(key)),
                });
            }
        }
        if let Some(marking) = &mut self.marking {
            marking.texts.insert(to, text.clone());
        }
        self.point(What::Keys {
            from,
            keys: keys.into(),
            text: text.into(),
        });
    }

    /// One key is followed into a slot.
    pub(super) fn looks_at(&mut self, from: Operand, key: Operand, to: Slot) {
        if self.marking.is_none() {
            return;
        }
        let (base, step) = (self.text(from), self.text(key));
        let text = match (base.is_empty(), step.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!("{base}[_]"),
            (false, false) => format!("{base}[{step}]"),
        };
        if let Some(marking) = &mut self.marking {
            marking.texts.insert(to, text.clone());
        }
        self.point(What::Key {
            from,
            key,
            text: text.into(),
        });
    }

    /// What is iterated, before it is.
    pub(super) fn iterates(&mut self, from: Operand) {
        let at = self.point(What::Keys {
            from: Source::At(from),
            keys: Box::default(),
            text: Box::default(),
        });
        if let (Some(marking), Some(at)) = (&mut self.marking, at) {
            marking.scans.push(at);
        }
    }

    /// An element of it.
    pub(super) fn element(&mut self, from: Operand, value: Slot) {
        if self.marking.is_some() {
            let base = self.text(from);
            if let (Some(marking), false) = (&mut self.marking, base.is_empty()) {
                marking.texts.insert(value, format!("{base}[_]"));
            }
            self.point(What::Element { value });
        }
    }

    /// Operands go to a built-in.
    pub(super) fn hands_over(&mut self, name: &str, args: &[Operand]) {
        if self.marking.is_some() {
            self.point(What::Operands {
                args: args.into(),
                get: name == "object.get",
            });
        }
    }

    /// A rule or function is about to be asked; [`Scope::asked`] follows.
    pub(super) fn asks(&mut self, what: Asked) {
        if let Some(marking) = &mut self.marking {
            marking.asked.push(what);
            if let Some(step) = marking.step
                && let Some(body) = self.p.trace_plan.bodies.get_mut(marking.body as usize)
                && let Some(step) = body.steps.get_mut(step as usize)
                && !step.asks.contains(&what)
            {
                step.asks.push(what);
            }
        }
    }

    /// It has answered.
    pub(super) fn asked(&mut self, what: Asked) {
        self.point(What::Asked(what));
    }

    /// An item of a comprehension is complete.
    pub(super) fn made(&mut self, of: Operand) {
        if let Some(marking) = &self.marking {
            let decides = marking.decides.clone();
            let vars = self.visible(None);
            self.point(What::Made { of, decides, vars });
        }
    }

    /// A block within the body begins.
    pub(super) fn block_begins(&mut self) -> Option<Outer> {
        self.marking.as_mut().map(|m| {
            m.nested += 1;
            Outer {
                scans: std::mem::take(&mut m.scans),
                asked: std::mem::take(&mut m.asked),
            }
        })
    }

    /// It is done. `undefined`: what comes after is reached when the block has no answer, so what it asked has not been
    /// told of.
    pub(super) fn block_ends(&mut self, outer: Option<Outer>, undefined: bool) {
        let Some(outer) = outer else { return };
        let Some(marking) = &mut self.marking else { return };
        let scans = std::mem::replace(&mut marking.scans, outer.scans);
        let asked = std::mem::replace(&mut marking.asked, outer.asked);
        marking.nested = marking.nested.saturating_sub(1);
        if !scans.is_empty() {
            self.point(What::Fold { scans: scans.into() });
        }
        if undefined {
            for what in &asked {
                self.point(What::Asked(*what));
            }
        }
        if let Some(marking) = &mut self.marking {
            marking.asked.extend(asked);
        }
    }
}

/// For each expression the written one that it is part of; `None`: part of the head.
fn owners(body: &[Expr]) -> Vec<Option<usize>> {
    let within = |inner: &Loc, outer: &Loc| {
        inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end && inner.row > 0
    };
    body.iter()
        .enumerate()
        .map(|(i, e)| {
            if !e.generated {
                return Some(i);
            }
            body.iter().position(|o| !o.generated && within(&e.loc, &o.loc))
        })
        .collect()
}

fn variables(body: &[Expr], into: &mut FxHashSet<SmolStr>) {
    visit::body(body, &mut |item| {
        if let visit::Item::Term(Term {
            value: TermValue::Var(name),
            ..
        }) = item
        {
            into.insert(name.clone());
        }
    });
}

/// The variables that an expression can bind, if it is `x := ..`, or a call with its result in `x`.
fn bound(e: &Expr) -> impl Iterator<Item = &SmolStr> {
    let terms = match &e.kind {
        ExprKind::Call(terms) => terms.as_slice(),
        _ => &[],
    };
    let equation = terms.len() == 3
        && matches!(terms.first().map(|op| &op.value), Some(TermValue::Ref(parts)) if super::body::operator(parts) == "eq");
    let sides = if equation {
        terms.get(1..)
    } else {
        terms.len().checked_sub(1).and_then(|last| terms.get(last..))
    };
    sides.unwrap_or_default().iter().filter_map(|t| match &t.value {
        TermValue::Var(name) => Some(name),
        _ => None,
    })
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
