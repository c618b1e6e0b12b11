//! What OPA's rule index tests before it runs a body.
//!
//! A body whose index does not fit is never entered, so an error that one of its first expressions would raise (a
//! conflict, a built-in's error in strict mode) does not happen. Where something that may raise stands before such a
//! test, the test is made first here as well. It only repeats what the body asks anyway.

use super::tree::Tree;
use super::{ops::NodeId, tree::scalar, visit};
use crate::ast::{Expr, ExprKind, Rule, Term, TermValue};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// A test: the reference (or argument) is defined, and equals a scalar where one is given.
pub(super) struct Guard<'a> {
    pub(super) subject: &'a Term,
    pub(super) equals: Option<&'a Term>,
}

/// The tests of a body that come after something that may raise.
pub(super) fn guards<'a>(rule: &'a Rule, args: Option<&'a Vec<Term>>, tree: &Tree<'_>) -> Vec<Guard<'a>> {
    let mut found = Vec::new();
    let mut raised = false;
    // Locals that stand for an indexed reference.
    let mut locals: FxHashMap<&SmolStr, &Term> = FxHashMap::default();
    for e in &rule.body {
        if !e.negated && e.with.is_empty() {
            match &e.kind {
                ExprKind::Term(t) if raised && indexed(t, tree) => found.push(Guard {
                    subject: t,
                    equals: None,
                }),
                ExprKind::Call(terms) => {
                    if let [op, a, b] = terms.as_slice()
                        && matches!(super::body::operator(super::body::parts(op)).as_str(), "eq" | "equal")
                        && !pair(a, b, args, tree, raised, &mut locals, &mut found)
                    {
                        pair(b, a, args, tree, raised, &mut locals, &mut found);
                    }
                }
                _ => {}
            }
        }
        raised = raised || may_raise(e, tree);
    }
    found
}

/// `subject = value`; false when it is nothing that OPA indexes.
fn pair<'a>(
    subject: &'a Term,
    value: &'a Term,
    args: Option<&'a Vec<Term>>,
    tree: &Tree<'_>,
    raised: bool,
    locals: &mut FxHashMap<&'a SmolStr, &'a Term>,
    found: &mut Vec<Guard<'a>>,
) -> bool {
    let constant = scalar(value).is_some();
    let flat = |t: &Term| scalar(t).is_some() || matches!(t.value, TermValue::Var(_));
    let fits = flat(value) || matches!(&value.value, TermValue::Array(items) if items.iter().all(flat));
    let equals = constant.then_some(value);
    if !fits {
        return false;
    }
    if let TermValue::Var(name) = &subject.value {
        let argument = args
            .into_iter()
            .flatten()
            .find(|a| matches!(&a.value, TermValue::Var(v) if v == name));
        let Some(stands_for) = argument.or_else(|| locals.get(name).copied()) else {
            return false;
        };
        if raised && constant {
            found.push(Guard {
                subject: stands_for,
                equals,
            });
        }
        return true;
    }
    if !indexed(subject, tree) {
        return false;
    }
    if let TermValue::Var(name) = &value.value {
        locals.insert(name, subject);
    }
    if raised {
        found.push(Guard { subject, equals });
    }
    true
}

/// A ground reference into input or base documents.
fn indexed(t: &Term, tree: &Tree<'_>) -> bool {
    let TermValue::Ref(parts) = &t.value else { return false };
    let Some((head, rest)) = parts.split_first() else {
        return false;
    };
    let ground = rest.iter().all(|p| scalar(p).is_some());
    match &head.value {
        TermValue::Var(name) if name == "input" => ground,
        TermValue::Var(name) if name == "data" => ground && !reaches_rules(rest, tree),
        _ => false,
    }
}

/// A path that leads to a rule, or to where some lie below.
fn reaches_rules(path: &[Term], tree: &Tree<'_>) -> bool {
    let mut at: NodeId = 0;
    for part in path {
        let Some(node) = tree.get(at) else { return true };
        if node.doc.is_some() {
            return true;
        }
        match scalar(part).and_then(|key| node.child(&key)) {
            Some(child) => at = child,
            None => return scalar(part).is_none(),
        }
    }
    true
}

/// Whether running an expression may end the evaluation with an error.
fn may_raise(e: &Expr, tree: &Tree<'_>) -> bool {
    let mut found = false;
    visit::body(std::slice::from_ref(e), &mut |item| {
        let visit::Item::Term(t) = item else { return };
        found |= match &t.value {
            TermValue::Ref(parts) => match parts.split_first() {
                Some((head, rest)) => match &head.value {
                    TermValue::Var(name) if name == "data" => reaches_rules(rest, tree),
                    TermValue::Var(_) if rest.is_empty() => !matches!(
                        super::body::operator(parts).as_str(),
                        "input" | "eq" | "equal" | "neq" | "lt" | "lte" | "gt" | "gte"
                    ),
                    _ => crate::builtins::find(&super::body::operator(parts)).is_some(),
                },
                None => false,
            },
            TermValue::ObjectCompr(..) => true,
            _ => false,
        };
    });
    found
}
