//! Functions put in place of their calls: those of one short body that has at most one value are planned where they are
//! called, with the operands as their arguments; `not f(x)` on a test of few short bodies becomes a `not` of each.
//!
//! Answers and errors stay: such a body cannot conflict, and runs where the call would have run. What is lost is the
//! memory of answers, which short bodies are not worth (`plan/tidy`).

use super::body::{Scope, constant, operator, parts};
use super::ops::*;
use super::{guard, visit};
use crate::ast::{Expr, ExprKind, Rule, Term, TermValue};
use crate::value::Value;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// Functions in functions that are put in place.
const DEPTH: usize = 4;
/// Terms of a body that is short.
const TERMS: usize = 160;
/// Operations of a body that is short, those in its closures included.
const OPS: usize = 48;
/// Bodies of a test under `not`.
const BODIES: usize = 3;

impl<'t> Scope<'_, 't> {
    /// The value of a call, the function's body put in its place; `None`: it has to be called.
    pub(super) fn inline(&mut self, doc: DocId, args: &[Operand]) -> Option<Operand> {
        let rule = *self.short(doc, 1)?.first()?;
        let next = self.next_slot();
        let planned = self.planned(rule, args);
        let fits = |ops: &[Op]| count(ops) <= OPS && !ops.iter().any(iterates);
        let Some((value, ops)) = planned.filter(|(_, ops)| fits(ops)) else {
            self.never(doc, next);
            return None;
        };
        if self.looped && ops.iter().any(makes) {
            self.free_slots(next);
            return None;
        }
        self.ops.extend(ops);
        Some(value)
    }

    /// Plans `not f(x)` as a `not` of each body; false: it has to be called.
    pub(super) fn inline_not(&mut self, e: &Expr) -> bool {
        let ExprKind::Call(terms) = &e.kind else { return false };
        let Some((op, args)) = terms.split_first() else {
            return false;
        };
        let parts = parts(op);
        let Some(Callee::Function(doc)) = self.p.callee(parts) else {
            return false;
        };
        if self.p.is_mocked(&operator(parts)) || args.len() != self.p.arity(doc) {
            return false;
        }
        // Operands stand before a call; what is none yet would be undefined inside the `not` only.
        let operands: Option<Vec<Operand>> = args.iter().map(|a| self.operand(a)).collect();
        let (Some(operands), Some(rules)) = (operands, self.short(doc, BODIES)) else {
            return false;
        };
        let next = self.next_slot();
        let mut nots = Vec::new();
        for rule in rules {
            let holds = match &rule.head.value {
                Some(t) => constant(t).is_some_and(|v| v == Value::Bool(true)),
                None => true,
            };
            let planned = if holds { self.planned(rule, &operands) } else { None };
            match planned {
                Some((_, mut ops)) if count(&ops) <= OPS && !ops.iter().any(makes) => {
                    ops.push(Op::Found { all: false });
                    nots.push(Op::Not {
                        block: Box::new(Block { ops }),
                    });
                }
                planned => {
                    if planned.is_some_and(|(_, ops)| count(&ops) > OPS) {
                        self.never(doc, next);
                    }
                    self.free_slots(next);
                    return false;
                }
            }
        }
        self.ops.extend(nots);
        true
    }

    /// A function is too long once what it calls is put in place, too. It is not tried again: each of its calls in each
    /// that was tried would plan all of it anew, which multiplies with every level.
    fn never(&mut self, doc: DocId, next: Slot) {
        self.p.short_functions.insert(doc, false);
        self.free_slots(next);
    }

    /// A term that is an operand already.
    fn operand(&mut self, t: &Term) -> Option<Operand> {
        match &t.value {
            TermValue::Var(name) => self.bound(name),
            _ => constant(t).map(|v| self.p.constant(v)),
        }
    }

    /// The bodies of a function, if they are few, short and plain.
    fn short(&mut self, doc: DocId, most: usize) -> Option<Vec<&'t Rule>> {
        if self.p.traced() || !self.p.rewrites.inline || self.inlined >= DEPTH {
            return None;
        }
        let tree = self.p.tree;
        let group = tree.groups.get(doc as usize)?;
        if group.kind != Kind::Function || group.rules.len() > most {
            return None;
        }
        let short = match self.p.short_functions.get(&doc) {
            Some(known) => *known,
            None => {
                let short = group.rules.iter().all(|m| {
                    let args = m.rule.head.args.as_ref();
                    is_short(m.rule) && guard::guards(m.rule, args, tree).is_empty()
                });
                self.p.short_functions.insert(doc, short);
                short
            }
        };
        short.then(|| group.rules.iter().map(|m| m.rule).collect())
    }

    /// A body with its arguments: its value and its operations; nothing is left behind if there is none.
    fn planned(&mut self, rule: &'t Rule, args: &[Operand]) -> Option<(Operand, Vec<Op>)> {
        let terms = rule.head.args.as_ref().filter(|t| t.len() == args.len())?;
        let next = self.next_slot();
        let errors = self.p.errors.len();
        let looped = self.looped;
        self.inlined += 1;
        let outer = self.change_rule(uses(rule));
        for (operand, term) in args.iter().zip(terms) {
            self.unify_value(*operand, term);
        }
        self.body(&rule.body);
        let value = self.head_value(rule);
        let ops = self.change_back(outer);
        self.inlined -= 1;
        self.looped = looped;
        if self.p.errors.len() > errors {
            // It is told where the function itself is planned.
            self.p.errors.truncate(errors);
            self.free_slots(next);
            return None;
        }
        Some((value, ops))
    }
}

/// How often a rule names each variable.
pub(super) fn uses(rule: &Rule) -> FxHashMap<SmolStr, u32> {
    let mut uses = FxHashMap::default();
    visit::rule(rule, &mut |item| {
        if let visit::Item::Term(Term {
            value: TermValue::Var(name),
            ..
        }) = item
        {
            *uses.entry(name.clone()).or_insert(0) += 1;
        }
    });
    uses
}

fn is_short(rule: &Rule) -> bool {
    if rule.default || rule.else_rule.is_some() || rule.head.args.is_none() {
        return false;
    }
    let mut terms = 0;
    let mut plain = true;
    visit::rule(rule, &mut |item| match item {
        visit::Item::Term(_) => terms += 1,
        visit::Item::With(_) => plain = false,
    });
    plain && terms <= TERMS
}

/// Goes on more than once.
fn iterates(op: &Op) -> bool {
    matches!(
        op,
        Op::Scan { .. } | Op::Dynamic { .. } | Op::With { .. } | Op::Join { .. }
    )
}

/// Makes a collection by a loop: in a loop that is worth remembering, or an index.
fn makes(op: &Op) -> bool {
    matches!(op, Op::Comprehension { .. } | Op::Every { .. })
        || super::tidy::inner(op).is_some_and(|b| b.ops.iter().any(makes))
}

fn count(ops: &[Op]) -> usize {
    ops.iter()
        .map(|op| 1 + super::tidy::inner(op).map_or(0, |b| count(&b.ops)))
        .fold(0, usize::saturating_add)
}
