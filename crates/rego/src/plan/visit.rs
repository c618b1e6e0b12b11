//! Walks lowered rules.

use crate::ast::{Expr, ExprKind, Rule, Term, TermValue, With};

/// What is met on a walk.
pub(super) enum Item<'a> {
    Term(&'a Term),
    With(&'a With),
}

/// Everything in a rule and its `else` chain.
pub(super) fn rule<'a>(r: &'a Rule, f: &mut impl FnMut(Item<'a>)) {
    let head = &r.head;
    // The first part of a head's reference is the rule's name, no variable.
    for t in head.reference.iter().skip(1) {
        term(t, f);
    }
    for t in head.args.iter().flatten().chain(&head.key).chain(&head.value) {
        term(t, f);
    }
    body(&r.body, f);
    if let Some(e) = &r.else_rule {
        rule(e, f);
    }
}

/// Everything in a body.
pub(super) fn body<'a>(exprs: &'a [Expr], f: &mut impl FnMut(Item<'a>)) {
    for e in exprs {
        for w in &e.with {
            f(Item::With(w));
            term(&w.value, f);
        }
        match &e.kind {
            ExprKind::Term(t) => term(t, f),
            ExprKind::Call(terms) | ExprKind::Some(terms) => terms.iter().for_each(|t| term(t, f)),
            ExprKind::Every(every) => {
                for t in every.key.iter().chain([&every.value, &every.domain]) {
                    term(t, f);
                }
                body(&every.body, f);
            }
            ExprKind::Not(inner) => body(inner, f),
        }
    }
}

/// A term and everything in it.
pub(super) fn term<'a>(t: &'a Term, f: &mut impl FnMut(Item<'a>)) {
    f(Item::Term(t));
    match &t.value {
        TermValue::Ref(ts)
        | TermValue::Array(ts)
        | TermValue::Set(ts)
        | TermValue::Call(ts)
        | TermValue::Template(ts) => {
            ts.iter().for_each(|t| term(t, f));
        }
        TermValue::Object(entries) => {
            for (k, v) in entries {
                term(k, f);
                term(v, f);
            }
        }
        TermValue::ArrayCompr(head, b) | TermValue::SetCompr(head, b) => {
            term(head, f);
            body(b, f);
        }
        TermValue::ObjectCompr(k, v, b) => {
            term(k, f);
            term(v, f);
            body(b, f);
        }
        _ => {}
    }
}
