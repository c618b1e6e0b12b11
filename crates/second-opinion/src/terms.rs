//! What is known of lowered terms without evaluating them.

use regent_rego::ast::{Expr, ExprKind, Term, TermValue};
use rustc_hash::FxHashSet;
use smol_str::SmolStr;

pub(crate) fn is_root(name: &str) -> bool {
    matches!(name, "data" | "input")
}

pub(crate) fn is_document(parts: &[Term]) -> bool {
    matches!(parts.first().map(|p| &p.value), Some(TermValue::Var(v)) if is_root(v))
}

pub(crate) fn is_generated(name: &str) -> bool {
    name.starts_with("__local")
}

/// What regorus takes for a name at any place.
pub(crate) fn is_name(text: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input", "not", "null",
        "package", "some", "true", "with",
    ];
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&text)
}

/// The path below `data` of a reference whose parts are all known.
pub(crate) fn path_of(term: &Term) -> Option<Vec<String>> {
    let TermValue::Ref(parts) = &term.value else {
        return None;
    };
    let (first, rest) = parts.split_first()?;
    if !matches!(&first.value, TermValue::Var(v) if v == "data") {
        return None;
    }
    let step = |part: &Term| match &part.value {
        TermValue::String(s) => Some(s.to_string()),
        _ => None,
    };
    rest.iter().map(step).collect()
}

/// The dotted name of a built-in's operator.
pub(crate) fn operator_name(operator: &Term) -> Option<String> {
    let TermValue::Ref(parts) = &operator.value else {
        return None;
    };
    if is_document(parts) {
        return None;
    }
    let step = |part: &Term| match &part.value {
        TermValue::Var(s) | TermValue::String(s) => Some(s.to_string()),
        _ => None,
    };
    Some(parts.iter().map(step).collect::<Option<Vec<_>>>()?.join("."))
}

/// Variables of a term outside of closures.
pub(crate) fn vars(term: &Term, out: &mut FxHashSet<SmolStr>) {
    match &term.value {
        TermValue::Var(v) if !is_root(v) => {
            out.insert(v.clone());
        }
        TermValue::Ref(items) | TermValue::Array(items) | TermValue::Set(items) | TermValue::Call(items) => {
            items.iter().for_each(|t| vars(t, out));
        }
        TermValue::Object(entries) => entries.iter().for_each(|(k, v)| {
            vars(k, out);
            vars(v, out);
        }),
        _ => {}
    }
}

/// Variables that have a value after an expression.
pub(crate) fn vars_of(expr: &Expr, out: &mut FxHashSet<SmolStr>) {
    match &expr.kind {
        _ if expr.negated => {}
        ExprKind::Term(term) => vars(term, out),
        ExprKind::Call(terms) => terms.iter().skip(1).for_each(|t| vars(t, out)),
        _ => {}
    }
}

/// Pairs that must be equal for two terms to be; `false`: they never are.
pub(crate) fn take_apart<'t>(a: &'t Term, b: &'t Term, out: &mut Vec<(&'t Term, &'t Term)>) -> bool {
    match (&a.value, &b.value) {
        (TermValue::Array(x), TermValue::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(a, b)| take_apart(a, b, out))
        }
        (TermValue::Object(x), TermValue::Object(y)) => {
            let (Some(mut x), Some(mut y)) = (by_key(x), by_key(y)) else {
                out.push((a, b));
                return true;
            };
            x.sort_by(|a, b| a.0.cmp(b.0));
            y.sort_by(|a, b| a.0.cmp(b.0));
            x.len() == y.len() && x.iter().zip(&y).all(|((k, a), (l, b))| k == l && take_apart(a, b, out))
        }
        (x, y) if form(x).zip(form(y)).is_some_and(|(x, y)| x != y) => false,
        _ => {
            out.push((a, b));
            true
        }
    }
}

/// Entries by their keys, where all are strings.
pub(crate) fn by_key(entries: &[(Term, Term)]) -> Option<Vec<(&SmolStr, &Term)>> {
    let mut out = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        match &key.value {
            TermValue::String(s) => out.push((s, value)),
            _ => return None,
        }
    }
    Some(out)
}

/// What kind of value a term is for certain.
pub(crate) fn form(term: &TermValue) -> Option<u8> {
    Some(match term {
        TermValue::Null => 0,
        TermValue::Bool(_) => 1,
        TermValue::Number(_) => 2,
        TermValue::String(_) => 3,
        TermValue::Array(_) | TermValue::ArrayCompr(..) => 4,
        TermValue::Object(_) | TermValue::ObjectCompr(..) => 5,
        TermValue::Set(_) | TermValue::SetCompr(..) => 6,
        _ => return None,
    })
}
