//! The order of terms of the syntax tree, as OPA has it: sets and objects of a tree are kept in it.

use crate::ast::{Expr, ExprKind, Term, TermValue};
use std::cmp::Ordering;

fn rank(value: &TermValue) -> u8 {
    match value {
        TermValue::Null => 0,
        TermValue::Bool(_) => 1,
        TermValue::Number(_) => 2,
        TermValue::String(_) => 3,
        TermValue::Template(_) => 4,
        TermValue::Var(_) => 5,
        TermValue::Ref(_) => 6,
        TermValue::Array(_) => 7,
        TermValue::Object(_) => 8,
        TermValue::Set(_) => 9,
        TermValue::ArrayCompr(..) => 10,
        TermValue::ObjectCompr(..) => 11,
        TermValue::SetCompr(..) => 12,
        TermValue::Call(_) => 13,
    }
}

/// Compares two terms, places aside.
pub fn compare(a: &Term, b: &Term) -> Ordering {
    use TermValue::*;
    match (&a.value, &b.value) {
        (Bool(a), Bool(b)) => a.cmp(b),
        (Number(a), Number(b)) => a.cmp(b),
        (String(a), String(b)) | (Var(a), Var(b)) => a.cmp(b),
        (Template(a), Template(b))
        | (Ref(a), Ref(b))
        | (Array(a), Array(b))
        | (Set(a), Set(b))
        | (Call(a), Call(b)) => compare_all(a, b),
        (Object(a), Object(b)) => {
            let keys = a.iter().map(|(k, _)| k).zip(b.iter().map(|(k, _)| k));
            let values = a.iter().map(|(_, v)| v).zip(b.iter().map(|(_, v)| v));
            // Pair by pair, keys before values.
            for ((ka, kb), (va, vb)) in keys.zip(values) {
                let by = compare(ka, kb).then_with(|| compare(va, vb));
                if by != Ordering::Equal {
                    return by;
                }
            }
            a.len().cmp(&b.len())
        }
        (ArrayCompr(a, x), ArrayCompr(b, y)) | (SetCompr(a, x), SetCompr(b, y)) => {
            compare(a, b).then_with(|| compare_bodies(x, y))
        }
        (ObjectCompr(ka, va, x), ObjectCompr(kb, vb, y)) => compare(ka, kb)
            .then_with(|| compare(va, vb))
            .then_with(|| compare_bodies(x, y)),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn compare_all(a: &[Term], b: &[Term]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let by = compare(a, b);
        if by != Ordering::Equal {
            return by;
        }
    }
    a.len().cmp(&b.len())
}

/// Compares two bodies, expression by expression.
pub fn compare_bodies(a: &[Expr], b: &[Expr]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let by = compare_exprs(a, b);
        if by != Ordering::Equal {
            return by;
        }
    }
    a.len().cmp(&b.len())
}

fn compare_exprs(a: &Expr, b: &Expr) -> Ordering {
    let kind = |e: &Expr| match &e.kind {
        ExprKind::Term(_) => 0,
        ExprKind::Call(_) => 1,
        ExprKind::Some(_) => 2,
        ExprKind::Every(_) => 3,
        ExprKind::Not(_) => 4,
    };
    let by = kind(a).cmp(&kind(b)).then_with(|| a.negated.cmp(&b.negated));
    let by = by.then_with(|| match (&a.kind, &b.kind) {
        (ExprKind::Term(a), ExprKind::Term(b)) => compare(a, b),
        (ExprKind::Call(a), ExprKind::Call(b)) | (ExprKind::Some(a), ExprKind::Some(b)) => compare_all(a, b),
        (ExprKind::Every(a), ExprKind::Every(b)) => compare_all(a.key.as_slice(), b.key.as_slice())
            .then_with(|| compare(&a.value, &b.value))
            .then_with(|| compare(&a.domain, &b.domain))
            .then_with(|| compare_bodies(&a.body, &b.body)),
        (ExprKind::Not(a), ExprKind::Not(b)) => compare_bodies(a, b),
        _ => Ordering::Equal,
    });
    by.then_with(|| {
        for (a, b) in a.with.iter().zip(&b.with) {
            let by = compare(&a.target, &b.target).then_with(|| compare(&a.value, &b.value));
            if by != Ordering::Equal {
                return by;
            }
        }
        a.with.len().cmp(&b.with.len())
    })
}

/// Puts the elements of a set in order; of equal ones the first stays.
pub fn sort_items(items: &mut Vec<Term>) {
    items.sort_by(compare);
    items.dedup_by(|b, a| compare(a, b) == Ordering::Equal);
}

/// Puts the pairs of an object in order; of equal keys the last one's value stays.
pub fn sort_entries(pairs: &mut Vec<(Term, Term)>) {
    pairs.sort_by(|a, b| compare(&a.0, &b.0));
    pairs.dedup_by(|later, kept| {
        let same = compare(&later.0, &kept.0) == Ordering::Equal;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}
