//! Walks over the syntax tree: nodes in OPA's order, and the collecting of variables with its many exceptions.

use crate::ast::{Expr, ExprKind, Head, Rule, Term, TermValue, With};
use rustc_hash::FxHashSet;
use smol_str::SmolStr;

/// A set of variables.
pub(super) type Vars = FxHashSet<SmolStr>;

/// What a walk meets.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    Expr(&'a Expr),
    Term(&'a Term),
    With(&'a With),
}

/// Calls `f` on everything below, outer before inner; `true` keeps it from what is inside.
pub(super) fn body<'a>(body: &'a [Expr], f: &mut dyn FnMut(Node<'a>) -> bool) {
    for e in body {
        expr(e, f);
    }
}

pub(super) fn expr<'a>(e: &'a Expr, f: &mut dyn FnMut(Node<'a>) -> bool) {
    if f(Node::Expr(e)) {
        return;
    }
    match &e.kind {
        ExprKind::Term(t) => term(t, f),
        ExprKind::Call(terms) | ExprKind::Some(terms) => all(terms, f),
        ExprKind::Every(every) => {
            if let Some(key) = &every.key {
                term(key, f);
            }
            term(&every.value, f);
            term(&every.domain, f);
            body(&every.body, f);
        }
        ExprKind::Not(inner) => body(inner, f),
    }
    for w in &e.with {
        if !f(Node::With(w)) {
            term(&w.target, f);
            term(&w.value, f);
        }
    }
}

pub(super) fn all<'a>(terms: &'a [Term], f: &mut dyn FnMut(Node<'a>) -> bool) {
    for t in terms {
        term(t, f);
    }
}

pub(super) fn term<'a>(t: &'a Term, f: &mut dyn FnMut(Node<'a>) -> bool) {
    if f(Node::Term(t)) {
        return;
    }
    match &t.value {
        TermValue::Ref(parts)
        | TermValue::Array(parts)
        | TermValue::Set(parts)
        | TermValue::Call(parts)
        | TermValue::Template(parts) => all(parts, f),
        TermValue::Object(entries) => {
            for (k, v) in entries {
                term(k, f);
                term(v, f);
            }
        }
        TermValue::ArrayCompr(head, inner) | TermValue::SetCompr(head, inner) => {
            term(head, f);
            body(inner, f);
        }
        TermValue::ObjectCompr(k, v, inner) => {
            term(k, f);
            term(v, f);
            body(inner, f);
        }
        _ => {}
    }
}

/// The head as OPA walks it: arguments, key, value, not its reference.
pub(super) fn head<'a>(h: &'a Head, f: &mut dyn FnMut(Node<'a>) -> bool) {
    for t in h.args.iter().flatten().chain(&h.key).chain(&h.value) {
        term(t, f);
    }
}

/// Head and body, without the `else` chain.
pub(super) fn rule<'a>(r: &'a Rule, f: &mut dyn FnMut(Node<'a>) -> bool) {
    head(&r.head, f);
    body(&r.body, f);
}

/// Calls `f` on a rule and its `else` chain.
pub(super) fn chain_mut(rule: &mut Rule, f: &mut dyn FnMut(&mut Rule)) {
    let mut next = Some(rule);
    while let Some(r) = next {
        f(r);
        next = r.else_rule.as_deref_mut();
    }
}

/// A rule and its `else` chain.
pub(super) fn chain(rule: &Rule) -> impl Iterator<Item = &Rule> {
    std::iter::successors(Some(rule), |r| r.else_rule.as_deref())
}

/// Calls `f` on every body below an expression's terms, inner bodies after `f` had the outer.
pub(super) fn bodies_mut(body: &mut Vec<Expr>, f: &mut dyn FnMut(&mut Vec<Expr>)) {
    f(body);
    for e in body {
        expr_bodies_mut(e, f);
    }
}

pub(super) fn expr_bodies_mut(e: &mut Expr, f: &mut dyn FnMut(&mut Vec<Expr>)) {
    match &mut e.kind {
        ExprKind::Term(t) => term_bodies_mut(t, f),
        ExprKind::Call(terms) | ExprKind::Some(terms) => terms.iter_mut().for_each(|t| term_bodies_mut(t, f)),
        ExprKind::Every(every) => {
            term_bodies_mut(&mut every.domain, f);
            bodies_mut(&mut every.body, f);
        }
        ExprKind::Not(inner) => bodies_mut(inner, f),
    }
    for w in &mut e.with {
        term_bodies_mut(&mut w.value, f);
    }
}

pub(super) fn term_bodies_mut(t: &mut Term, f: &mut dyn FnMut(&mut Vec<Expr>)) {
    match &mut t.value {
        TermValue::Ref(parts)
        | TermValue::Array(parts)
        | TermValue::Set(parts)
        | TermValue::Call(parts)
        | TermValue::Template(parts) => parts.iter_mut().for_each(|t| term_bodies_mut(t, f)),
        TermValue::Object(entries) => {
            for (k, v) in entries {
                term_bodies_mut(k, f);
                term_bodies_mut(v, f);
            }
        }
        TermValue::ArrayCompr(head, inner) | TermValue::SetCompr(head, inner) => {
            term_bodies_mut(head, f);
            bodies_mut(inner, f);
        }
        TermValue::ObjectCompr(k, v, inner) => {
            term_bodies_mut(k, f);
            term_bodies_mut(v, f);
            bodies_mut(inner, f);
        }
        _ => {}
    }
}

/// All bodies of a rule: its own, and those inside its head.
pub(super) fn rule_bodies_mut(r: &mut Rule, f: &mut dyn FnMut(&mut Vec<Expr>)) {
    for t in r
        .head
        .args
        .iter_mut()
        .flatten()
        .chain(&mut r.head.key)
        .chain(&mut r.head.value)
    {
        term_bodies_mut(t, f);
    }
    bodies_mut(&mut r.body, f);
}

/// What the collecting of variables passes over.
#[derive(Clone, Copy, Default)]
pub(super) struct Skip {
    pub(super) ref_head: bool,
    pub(super) call_head: bool,
    pub(super) object_keys: bool,
    pub(super) closures: bool,
    pub(super) sets: bool,
}

/// Every variable.
pub(super) const NOTHING: Skip = Skip {
    ref_head: false,
    call_head: false,
    object_keys: false,
    closures: false,
    sets: false,
};
/// What the safety check looks at.
pub(super) const SAFETY: Skip = Skip {
    call_head: true,
    closures: true,
    ..NOTHING
};
/// What a pattern can bind.
pub(super) const BINDS: Skip = Skip {
    ref_head: true,
    object_keys: true,
    closures: true,
    sets: true,
    ..NOTHING
};
/// What unification can make safe.
pub(super) const UNIFIES: Skip = Skip {
    ref_head: true,
    object_keys: true,
    closures: true,
    ..NOTHING
};

/// Collects the variables of terms and expressions.
pub(super) struct Collect<'f, 'a> {
    pub(super) skip: Skip,
    pub(super) found: &'f mut dyn FnMut(&'a SmolStr, &'a Term),
}

impl<'a> Collect<'_, 'a> {
    pub(super) fn body(&mut self, body: &'a [Expr]) {
        for e in body {
            self.expr(e);
        }
    }

    pub(super) fn expr(&mut self, e: &'a Expr) {
        match &e.kind {
            ExprKind::Term(t) => self.term(t),
            ExprKind::Call(terms) => {
                if self.skip.call_head {
                    self.call(terms);
                } else {
                    self.terms(terms);
                }
            }
            ExprKind::Some(terms) => self.terms(terms),
            ExprKind::Every(every) => {
                if self.skip.closures {
                    // Its `with` is not looked at either.
                    return self.term(&every.domain);
                }
                if let Some(key) = &every.key {
                    self.term(key);
                }
                self.term(&every.value);
                self.term(&every.domain);
                self.body(&every.body);
            }
            ExprKind::Not(inner) => {
                if !self.skip.closures {
                    self.body(inner);
                }
            }
        }
        for w in &e.with {
            self.with(w);
        }
    }

    pub(super) fn with(&mut self, w: &'a With) {
        if !self.skip.call_head {
            self.term(&w.target);
            return self.term(&w.value);
        }
        if let TermValue::Ref(parts) = &w.target.value {
            self.terms(parts.get(1..).unwrap_or_default());
        }
        match &w.value.value {
            TermValue::Ref(parts) => self.terms(parts.get(1..).unwrap_or_default()),
            _ => self.term(&w.value),
        }
    }

    fn call(&mut self, terms: &'a [Term]) {
        let Some((operator, operands)) = terms.split_first() else {
            return;
        };
        if let TermValue::Ref(parts) = &operator.value {
            self.terms(parts.get(1..).unwrap_or_default());
        }
        self.terms(operands);
    }

    pub(super) fn terms(&mut self, terms: &'a [Term]) {
        for t in terms {
            self.term(t);
        }
    }

    pub(super) fn term(&mut self, t: &'a Term) {
        match &t.value {
            TermValue::Var(v) => (self.found)(v, t),
            TermValue::Ref(parts) => {
                let from = usize::from(self.skip.ref_head);
                self.terms(parts.get(from..).unwrap_or_default());
            }
            TermValue::Array(items) => self.terms(items),
            TermValue::Set(items) if !self.skip.sets => {
                self.terms(items);
            }
            TermValue::Object(entries) => {
                for (k, v) in entries {
                    if !self.skip.object_keys {
                        self.term(k);
                    }
                    self.term(v);
                }
            }
            TermValue::Call(terms) => {
                if self.skip.call_head {
                    self.call(terms);
                } else {
                    self.terms(terms);
                }
            }
            TermValue::Template(parts) if !self.skip.closures => {
                self.terms(parts);
            }
            TermValue::ArrayCompr(head, inner) | TermValue::SetCompr(head, inner) if !self.skip.closures => {
                self.term(head);
                self.body(inner);
            }
            TermValue::ObjectCompr(k, v, inner) if !self.skip.closures => {
                self.term(k);
                self.term(v);
                self.body(inner);
            }
            _ => {}
        }
    }
}

/// Variables of terms.
pub(super) fn term_vars<'a>(terms: impl IntoIterator<Item = &'a Term>, skip: Skip) -> Vars {
    let mut out = Vars::default();
    let mut found = |v: &SmolStr, _: &Term| {
        out.insert(v.clone());
    };
    let mut c = Collect {
        skip,
        found: &mut found,
    };
    for t in terms {
        c.term(t);
    }
    out
}

/// Variables of expressions.
pub(super) fn body_vars(body: &[Expr], skip: Skip) -> Vars {
    let mut out = Vars::default();
    let mut found = |v: &SmolStr, _: &Term| {
        out.insert(v.clone());
    };
    Collect {
        skip,
        found: &mut found,
    }
    .body(body);
    out
}

/// Variables of one expression.
pub(super) fn expr_vars(e: &Expr, skip: Skip) -> Vars {
    body_vars(std::slice::from_ref(e), skip)
}

/// Variables that a body declares by `:=` or `some`, not inside its comprehensions.
pub(super) fn declared(b: &[Expr]) -> Vars {
    let mut out = Vars::default();
    body(b, &mut |n| match n {
        Node::Expr(e) => {
            match &e.kind {
                ExprKind::Call(terms) if is_operator(terms, "assign") => {
                    if let [_, left, _] = terms.as_slice() {
                        out.extend(term_vars([left], NOTHING));
                    }
                }
                ExprKind::Some(symbols) => {
                    for s in symbols {
                        match &s.value {
                            TermValue::Var(v) => {
                                out.insert(v.clone());
                            }
                            TermValue::Call(terms) => {
                                let (_, bound) = terms.split_last().map_or((None, &[][..]), |(l, r)| (Some(l), r));
                                out.extend(term_vars(bound.iter().skip(1), NOTHING));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
            false
        }
        Node::Term(t) => matches!(
            t.value,
            TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..)
        ),
        Node::With(_) => false,
    });
    out
}

/// A call of the built-in of that one-part name.
pub(super) fn is_operator(terms: &[Term], name: &str) -> bool {
    let Some(TermValue::Ref(parts)) = terms.first().map(|t| &t.value) else {
        return false;
    };
    matches!(parts.as_slice(), [Term { value: TermValue::Var(v), .. }] if v == name)
}

/// The operands of an expression that is a call of the built-in of that one-part name.
pub(super) fn call_of<'a>(e: &'a Expr, name: &str) -> Option<&'a [Term]> {
    match &e.kind {
        ExprKind::Call(terms) if is_operator(terms, name) => terms.get(1..),
        _ => None,
    }
}

/// Scalars.
pub(super) fn is_scalar(t: &Term) -> bool {
    matches!(
        t.value,
        TermValue::Null | TermValue::Bool(_) | TermValue::Number(_) | TermValue::String(_)
    )
}

/// `input` or `data`, whether the parser gave a variable or a ref.
pub(super) fn root_document(t: &Term) -> Option<&SmolStr> {
    let v = match &t.value {
        TermValue::Ref(parts) => match parts.as_slice() {
            [
                Term {
                    value: TermValue::Var(v),
                    ..
                },
            ] => v,
            _ => return None,
        },
        _ => return None,
    };
    is_root(v).then_some(v)
}

/// The names of the root documents.
pub(super) fn is_root(v: &str) -> bool {
    v == "input" || v == "data"
}

/// Whether a term holds what must be evaluated first: a ref or comprehension anywhere.
pub(super) fn requires_eval(t: &Term) -> bool {
    let mut found = false;
    term(t, &mut |n| {
        if let Node::Term(t) = n {
            found |= matches!(
                t.value,
                TermValue::Ref(_) | TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..)
            );
        }
        found
    });
    found
}

/// Wildcards are `$N`.
pub(super) fn is_wildcard(v: &str) -> bool {
    v.starts_with('$')
}

/// Made by the compiler.
pub(super) fn is_generated(v: &str) -> bool {
    v.starts_with("__local")
}
