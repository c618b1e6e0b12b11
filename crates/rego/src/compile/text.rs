//! Texts of refs and terms for messages.

use crate::ast::{Import, Term, TermValue};

/// A ref as OPA writes it: dotted where a part is an identifier.
pub(super) fn reference(parts: &[Term]) -> String {
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        match &part.value {
            TermValue::String(s) if i > 0 && is_identifier(s) => {
                out.push('.');
                out.push_str(s);
            }
            _ if i == 0 => out.push_str(&term(part)),
            _ => {
                out.push('[');
                out.push_str(&term(part));
                out.push(']');
            }
        }
    }
    out
}

fn is_identifier(s: &str) -> bool {
    let mut chars = s.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A term as OPA writes it.
pub(super) fn term(t: &Term) -> String {
    match &t.value {
        TermValue::Null => "null".into(),
        TermValue::Bool(b) => b.to_string(),
        TermValue::Number(n) => n.to_string(),
        TermValue::String(s) => {
            let mut out = String::new();
            crate::go_text::quote(&mut out, s);
            out
        }
        TermValue::Var(v) if super::walk::is_wildcard(v) => "_".into(),
        TermValue::Var(v) => v.to_string(),
        TermValue::Ref(parts) => reference(parts),
        TermValue::Array(items) => format!("[{}]", list(items)),
        TermValue::Set(items) if items.is_empty() => "set()".into(),
        TermValue::Set(items) => format!("{{{}}}", list(items)),
        TermValue::Object(entries) => {
            let entries: Vec<String> = entries.iter().map(|(k, v)| format!("{}: {}", term(k), term(v))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        TermValue::Call(terms) => {
            let operator = terms.first().map(term).unwrap_or_default();
            format!("{operator}({})", list(terms.get(1..).unwrap_or_default()))
        }
        TermValue::Template(_) => "$\"..\"".into(),
        TermValue::ArrayCompr(head, _) => format!("[{} | ..]", term(head)),
        TermValue::SetCompr(head, _) => format!("{{{} | ..}}", term(head)),
        TermValue::ObjectCompr(k, v, _) => format!("{{{}: {} | ..}}", term(k), term(v)),
    }
}

fn list(terms: &[Term]) -> String {
    let texts: Vec<String> = terms.iter().map(term).collect();
    texts.join(", ")
}

/// `import data.x as y`.
pub(super) fn import(i: &Import) -> String {
    match &i.alias {
        Some(alias) => format!("import {} as {alias}", term(&i.path)),
        None => format!("import {}", term(&i.path)),
    }
}

/// OPA's name for the kind of a term.
pub(super) fn kind(t: &Term) -> &'static str {
    match &t.value {
        TermValue::Null => "null",
        TermValue::Bool(_) => "boolean",
        TermValue::Number(_) => "number",
        TermValue::String(_) => "string",
        TermValue::Var(_) => "var",
        TermValue::Ref(_) => "ref",
        TermValue::Array(_) => "array",
        TermValue::Object(_) => "object",
        TermValue::Set(_) => "set",
        TermValue::Call(_) => "call",
        TermValue::Template(_) => "templatestring",
        TermValue::ArrayCompr(..) => "arraycomprehension",
        TermValue::SetCompr(..) => "setcomprehension",
        TermValue::ObjectCompr(..) => "objectcomprehension",
    }
}
