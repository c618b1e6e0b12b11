//! Hoisting: calls, refs and comprehensions move into expressions of their own before the one that needs them.

use super::walk::{self, is_scalar, requires_eval};
use super::{Compiler, Generator};
use crate::ast::{Expr, ExprKind, Loc, Rule, Term, TermValue, With};

/// The operator of a built-in with a name of one part.
pub(super) fn operator(name: &str, loc: &Loc) -> Term {
    Term::at(TermValue::Ref(vec![Term::at(TermValue::Var(name.into()), loc)]), loc)
}

/// The operator of a built-in with a dotted name.
pub(super) fn dotted(name: &str, loc: &Loc) -> Term {
    let parts = name
        .split('.')
        .enumerate()
        .map(|(i, part)| match i {
            0 => Term::at(TermValue::Var(part.into()), loc),
            _ => Term::at(TermValue::String(part.into()), loc),
        })
        .collect();
    Term::at(TermValue::Ref(parts), loc)
}

pub(super) fn expr(kind: ExprKind, loc: &Loc) -> Expr {
    Expr {
        kind,
        negated: false,
        with: Vec::new(),
        generated: false,
        braces: false,
        loc: loc.clone(),
    }
}

pub(super) fn true_expr(loc: &Loc) -> Expr {
    expr(ExprKind::Term(Term::at(TermValue::Bool(true), loc)), loc)
}

/// A body that is only `true`.
pub(super) fn is_true(body: &[Expr]) -> bool {
    matches!(
        body,
        [Expr {
            kind: ExprKind::Term(Term {
                value: TermValue::Bool(true),
                ..
            }),
            ..
        }]
    )
}

/// Appends; a body that is only `true` gives way.
pub(super) fn append(body: &mut Vec<Expr>, mut more: Vec<Expr>) {
    if more.is_empty() {
        return;
    }
    if is_true(body) {
        body.clear();
    }
    body.append(&mut more);
}

/// `generated = term`; the term is replaced by the variable.
pub(super) fn hoist(generator: &mut Generator, t: &mut Term) -> Expr {
    let var = Term::at(TermValue::Var(generator.generate()), &t.loc);
    let loc = t.loc.clone();
    let value = std::mem::replace(t, var.clone());
    Expr {
        generated: true,
        ..expr(ExprKind::Call(vec![operator("eq", &loc), var, value]), &loc)
    }
}

impl Compiler<'_> {
    /// Calls `f` on every rule, `else` rules included.
    pub(super) fn each_rule(&mut self, mut f: impl FnMut(&mut Self, &mut Rule)) {
        let mut modules = std::mem::take(&mut self.modules);
        for rule in modules.iter_mut().flat_map(|m| &mut m.rules) {
            walk::chain_mut(rule, &mut |r| f(self, r));
        }
        self.modules = modules;
    }

    /// Parts of a rule's reference that are neither variable nor scalar move into the body.
    pub(super) fn rewrite_head_refs(&mut self) {
        let mut modules = std::mem::take(&mut self.modules);
        for rule in modules.iter_mut().flat_map(|m| &mut m.rules) {
            for part in rule.head.reference.iter_mut().skip(1) {
                if !is_scalar(part) && !matches!(part.value, TermValue::Var(_)) {
                    let e = hoist(&mut self.generator, part);
                    append(&mut rule.body, vec![e]);
                }
            }
        }
        self.modules = modules;
    }

    pub(super) fn rewrite_expr_terms(&mut self) {
        self.each_rule(|c, rule| {
            let head = &mut rule.head;
            let generator = &mut c.generator;
            for t in head
                .args
                .iter_mut()
                .flatten()
                .chain(&mut head.key)
                .chain(&mut head.value)
            {
                let mut support = Vec::new();
                expand_term(generator, t, &mut support);
                append(&mut rule.body, support);
            }
            expand_body(generator, &mut rule.body);
        });
    }

    pub(super) fn rewrite_comprehension_terms(&mut self) {
        self.each_rule(|c, rule| {
            let head = &mut rule.head;
            for t in head
                .args
                .iter_mut()
                .flatten()
                .chain(&mut head.key)
                .chain(&mut head.value)
            {
                comprehension_heads(&mut c.generator, t);
            }
            comprehension_heads_in(&mut c.generator, &mut rule.body);
        });
    }

    pub(super) fn rewrite_heads(&mut self) {
        self.each_rule(|c, rule| {
            let head = &mut rule.head;
            for t in head
                .key
                .iter_mut()
                .chain(&mut head.value)
                .chain(head.args.iter_mut().flatten())
            {
                if requires_eval(t) {
                    let e = hoist(&mut c.generator, t);
                    append(&mut rule.body, vec![e]);
                }
            }
        });
    }

    pub(super) fn rewrite_equals(&mut self) {
        self.each_rule(|_, rule| {
            walk::rule_bodies_mut(rule, &mut |body| {
                for e in body {
                    if let ExprKind::Call(terms) = &mut e.kind
                        && terms.len() == 3
                        && walk::is_operator(terms, "equal")
                        && let Some(op) = terms.first_mut()
                    {
                        *op = operator("eq", &op.loc);
                    }
                }
            });
        });
    }

    pub(super) fn rewrite_dynamics(&mut self) {
        self.each_rule(|c, rule| dynamics(&mut c.generator, &mut rule.body));
    }
}

/// Hoists the calls of a body.
pub(super) fn expand_body(generator: &mut Generator, body: &mut Vec<Expr>) {
    let mut out = Vec::with_capacity(body.len());
    for e in std::mem::take(body) {
        expand_expr(generator, e, &mut out);
    }
    *body = out;
}

fn expand_expr(generator: &mut Generator, mut e: Expr, out: &mut Vec<Expr>) {
    for w in &mut e.with {
        expand_term(generator, &mut w.value, out);
    }
    let mut support = Vec::new();
    match &mut e.kind {
        ExprKind::Term(t) => expand_term(generator, t, &mut support),
        ExprKind::Call(terms) => {
            for t in terms.iter_mut().skip(1) {
                expand_term(generator, t, &mut support);
            }
        }
        ExprKind::Every(every) => {
            let mut eq = hoist(generator, &mut every.domain);
            eq.with = e.with.clone();
            expand_expr(generator, eq, out);
            expand_body(generator, &mut every.body);
        }
        ExprKind::Not(inner) => expand_body(generator, inner),
        ExprKind::Some(_) => {}
    }
    carry_with(&mut support, &e.with);
    out.append(&mut support);
    out.push(e);
}

fn carry_with(support: &mut [Expr], with: &[With]) {
    if !with.is_empty() {
        for s in support {
            s.with = with.to_vec();
        }
    }
}

fn expand_term(generator: &mut Generator, t: &mut Term, out: &mut Vec<Expr>) {
    match &mut t.value {
        TermValue::Call(terms) => {
            for operand in terms.iter_mut().skip(1) {
                expand_term(generator, operand, out);
            }
            let var = TermValue::Var(generator.generate());
            if let TermValue::Call(mut terms) = std::mem::replace(&mut t.value, var) {
                terms.push(t.clone());
                out.push(Expr {
                    generated: true,
                    ..expr(ExprKind::Call(terms), &t.loc)
                });
            }
        }
        TermValue::Ref(parts) => {
            for part in parts.iter_mut() {
                expand_term(generator, part, out);
            }
            if let Some(subject) = parts.first_mut()
                && matches!(
                    subject.value,
                    TermValue::Array(_)
                        | TermValue::Object(_)
                        | TermValue::Set(_)
                        | TermValue::ArrayCompr(..)
                        | TermValue::SetCompr(..)
                        | TermValue::ObjectCompr(..)
                )
            {
                out.push(hoist(generator, subject));
            }
        }
        TermValue::Array(items) | TermValue::Set(items) | TermValue::Template(items) => {
            for item in items {
                expand_term(generator, item, out);
            }
        }
        TermValue::Object(entries) => {
            for (k, v) in entries {
                expand_term(generator, k, out);
                expand_term(generator, v, out);
            }
        }
        TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
            let mut support = Vec::new();
            expand_term(generator, head, &mut support);
            append(body, support);
            expand_body(generator, body);
        }
        TermValue::ObjectCompr(k, v, body) => {
            let mut support = Vec::new();
            expand_term(generator, k, &mut support);
            expand_term(generator, v, &mut support);
            append(body, support);
            expand_body(generator, body);
        }
        _ => {}
    }
}

pub(super) fn comprehension_heads_in(generator: &mut Generator, body: &mut [Expr]) {
    for e in body {
        match &mut e.kind {
            ExprKind::Term(t) => comprehension_heads(generator, t),
            ExprKind::Call(terms) | ExprKind::Some(terms) => {
                terms.iter_mut().for_each(|t| comprehension_heads(generator, t));
            }
            ExprKind::Every(every) => {
                comprehension_heads(generator, &mut every.domain);
                comprehension_heads_in(generator, &mut every.body);
            }
            ExprKind::Not(inner) => comprehension_heads_in(generator, inner),
        }
        for w in &mut e.with {
            comprehension_heads(generator, &mut w.value);
        }
    }
}

/// The head of a comprehension that must be evaluated becomes a variable bound at the end of its body.
fn comprehension_heads(generator: &mut Generator, t: &mut Term) {
    match &mut t.value {
        TermValue::Ref(parts) | TermValue::Array(parts) | TermValue::Set(parts) | TermValue::Call(parts) => {
            parts.iter_mut().for_each(|t| comprehension_heads(generator, t));
        }
        TermValue::Object(entries) => {
            for (k, v) in entries {
                comprehension_heads(generator, k);
                comprehension_heads(generator, v);
            }
        }
        TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
            if requires_eval(head) {
                let e = hoist(generator, head);
                append(body, vec![e]);
            }
            comprehension_heads_in(generator, body);
        }
        TermValue::ObjectCompr(k, v, body) => {
            for t in [k, v] {
                if requires_eval(t) {
                    let e = hoist(generator, t);
                    append(body, vec![e]);
                }
            }
            comprehension_heads_in(generator, body);
        }
        _ => {}
    }
}

/// Hoists refs and comprehensions out of calls, literals and brackets.
pub(super) fn dynamics(generator: &mut Generator, body: &mut Vec<Expr>) {
    let mut out = Vec::with_capacity(body.len());
    for mut e in std::mem::take(body) {
        let mut support = Vec::new();
        match &mut e.kind {
            ExprKind::Call(terms) => {
                let equality = walk::is_operator(terms, "eq");
                if !equality || terms.len() == 3 {
                    for t in terms.iter_mut().skip(1) {
                        if equality {
                            dynamic_side(generator, t, &mut support);
                        } else {
                            dynamic(generator, t, &mut support);
                        }
                    }
                }
            }
            ExprKind::Every(every) => {
                dynamic(generator, &mut every.domain, &mut support);
                dynamics(generator, &mut every.body);
            }
            ExprKind::Not(inner) => dynamics(generator, inner),
            ExprKind::Term(t) => dynamic_side(generator, t, &mut support),
            ExprKind::Some(_) => {}
        }
        carry_with(&mut support, &e.with);
        out.append(&mut support);
        out.push(e);
    }
    *body = out;
}

/// A whole side of an equality, or a bare term: a ref or comprehension may stay.
fn dynamic_side(generator: &mut Generator, t: &mut Term, out: &mut Vec<Expr>) {
    match &mut t.value {
        TermValue::Ref(parts) => {
            for part in parts.iter_mut().skip(1) {
                dynamic(generator, part, out);
            }
        }
        TermValue::ArrayCompr(_, body) | TermValue::SetCompr(_, body) | TermValue::ObjectCompr(_, _, body) => {
            dynamics(generator, body);
        }
        _ => dynamic(generator, t, out),
    }
}

fn dynamic(generator: &mut Generator, t: &mut Term, out: &mut Vec<Expr>) {
    match &mut t.value {
        TermValue::Ref(parts) => {
            for part in parts.iter_mut().skip(1) {
                dynamic(generator, part, out);
            }
            out.push(hoist(generator, t));
        }
        TermValue::Array(items) | TermValue::Set(items) => {
            items.iter_mut().for_each(|t| dynamic(generator, t, out));
        }
        TermValue::Object(entries) => {
            for (k, v) in entries {
                dynamic(generator, k, out);
                dynamic(generator, v, out);
            }
        }
        TermValue::ArrayCompr(_, body) | TermValue::SetCompr(_, body) | TermValue::ObjectCompr(_, _, body) => {
            dynamics(generator, body);
            out.push(hoist(generator, t));
        }
        _ => {}
    }
}
