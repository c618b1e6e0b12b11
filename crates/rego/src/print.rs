//! Rego text of terms, expressions and rules, as OPA's `String()` methods write them (error messages use it).

use crate::ast::{Expr, ExprKind, Head, Import, Module, RegoVersion, Rule, Term, TermValue, With};
use crate::term_order::compare;

/// A term: `data.foo[x].bar["a-b"]`, `plus(1, x)`, `{1, 2}`.
pub fn term(term: &Term) -> String {
    let mut out = String::new();
    put_term(&mut out, term);
    out
}

/// A reference given by its parts.
pub fn reference(parts: &[Term]) -> String {
    let mut out = String::new();
    put_ref(&mut out, parts);
    out
}

/// A call: operator and arguments.
pub fn call(terms: &[Term]) -> String {
    let mut out = String::new();
    put_call(&mut out, terms);
    out
}

/// One expression with its modifiers.
pub fn expr(expr: &Expr) -> String {
    let mut out = String::new();
    put_expr(&mut out, expr);
    out
}

/// A body: expressions with `; ` between them.
pub fn body(body: &[Expr]) -> String {
    let mut out = String::new();
    put_body(&mut out, body);
    out
}

/// The left side of a rule.
pub fn head(head: &Head, version: RegoVersion) -> String {
    let mut out = String::new();
    put_head(&mut out, head, version);
    out
}

/// A whole rule, on one line.
pub fn rule(rule: &Rule, version: RegoVersion) -> String {
    let mut out = String::new();
    put_rule(&mut out, rule, version);
    out
}

/// `import path as alias`.
pub fn import(import: &Import) -> String {
    let mut out = String::from("import ");
    put_term(&mut out, &import.path);
    if let Some(alias) = &import.alias {
        out.push_str(" as ");
        out.push_str(alias);
    }
    out
}

/// `with target as value`.
pub fn with(with: &With) -> String {
    let mut out = String::new();
    put_with(&mut out, with);
    out
}

/// A whole module, one rule a line.
pub fn module(module: &Module) -> String {
    let mut out = String::from("package ");
    match module.package.split_first() {
        Some((_, path)) => put_ref(&mut out, path),
        None => out.push_str("<illegal path>"),
    }
    out.push('\n');
    if !module.imports.is_empty() {
        for i in &module.imports {
            out.push('\n');
            out.push_str(&import(i));
        }
        out.push('\n');
    }
    for r in &module.rules {
        out.push('\n');
        put_rule(&mut out, r, module.version);
    }
    out
}

/// Go's `strconv.Quote`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    put_quoted(&mut out, text);
    out
}

fn put_quoted(out: &mut String, text: &str) {
    crate::go_text::quote(out, text);
}

fn put_list(out: &mut String, items: &[Term]) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        put_term(out, item);
    }
}

fn put_term(out: &mut String, term: &Term) {
    match &term.value {
        TermValue::Null => out.push_str("null"),
        TermValue::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        TermValue::Number(n) => out.push_str(&n.text()),
        TermValue::String(s) => put_quoted(out, s),
        TermValue::Var(v) if v.starts_with('$') => out.push('_'),
        TermValue::Var(v) => out.push_str(v),
        TermValue::Ref(parts) => put_ref(out, parts),
        TermValue::Array(items) => {
            out.push('[');
            put_list(out, items);
            out.push(']');
        }
        TermValue::Object(pairs) => {
            let mut pairs: Vec<&(Term, Term)> = pairs.iter().collect();
            pairs.sort_by(|a, b| compare(&a.0, &b.0));
            out.push('{');
            for (i, (k, v)) in pairs.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                put_term(out, k);
                out.push_str(": ");
                put_term(out, v);
            }
            out.push('}');
        }
        TermValue::Set(items) if items.is_empty() => out.push_str("set()"),
        TermValue::Set(items) => {
            let mut items: Vec<&Term> = items.iter().collect();
            items.sort_by(|a, b| compare(a, b));
            out.push('{');
            for (i, item) in items.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                put_term(out, item);
            }
            out.push('}');
        }
        TermValue::ArrayCompr(t, body) => put_compr(out, '[', &[t], body, ']'),
        TermValue::SetCompr(t, body) => put_compr(out, '{', &[t], body, '}'),
        TermValue::ObjectCompr(k, v, body) => put_compr(out, '{', &[k, v], body, '}'),
        TermValue::Call(terms) => put_call(out, terms),
        TermValue::Template(parts) => put_template(out, parts),
    }
}

fn put_compr(out: &mut String, open: char, terms: &[&Term], body: &[Expr], close: char) {
    out.push(open);
    for (i, t) in terms.iter().enumerate() {
        if i > 0 {
            out.push_str(": ");
        }
        put_compr_term(out, t);
    }
    out.push_str(" | ");
    put_body(out, body);
    out.push(close);
}

/// Infix in the head of a comprehension, where a `|` would be taken for the bar.
fn put_compr_term(out: &mut String, term: &Term) {
    if let TermValue::Call(terms) = &term.value
        && let [op, a, b] = terms.as_slice()
        && let Some(sign) = infix_sign(op)
    {
        out.push('(');
        put_compr_term(out, a);
        out.push(' ');
        out.push_str(sign);
        out.push(' ');
        put_compr_term(out, b);
        out.push(')');
        return;
    }
    put_term(out, term);
}

fn var_ref(op: &Term) -> Option<&str> {
    match &op.value {
        TermValue::Ref(parts) => match parts.as_slice() {
            [
                Term {
                    value: TermValue::Var(v),
                    ..
                },
            ] => Some(v),
            _ => None,
        },
        _ => None,
    }
}

/// The sign of an operator by the name of its built-in; `in` has none here.
fn infix_sign(op: &Term) -> Option<&'static str> {
    Some(match var_ref(op)? {
        "eq" => "=",
        "assign" => ":=",
        "equal" => "==",
        "neq" => "!=",
        "lt" => "<",
        "lte" => "<=",
        "gt" => ">",
        "gte" => ">=",
        "plus" => "+",
        "minus" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        "and" => "&",
        "or" => "|",
        _ => return None,
    })
}

fn put_template(out: &mut String, parts: &[Term]) {
    out.push_str("$\"");
    for part in parts {
        match &part.value {
            TermValue::String(s) => {
                let text = quote(s);
                let inner = text.get(1..text.len() - 1).unwrap_or("");
                out.push_str(&inner.replace('{', "\\{"));
            }
            TermValue::Null | TermValue::Bool(_) | TermValue::Number(_) => put_term(out, part),
            _ => {
                out.push('{');
                match crate::ast::template_capture(part) {
                    None => put_term(out, part),
                    Some((captured, with)) => {
                        put_term(out, captured);
                        for w in with {
                            out.push(' ');
                            put_with(out, w);
                        }
                    }
                }
                out.push('}');
            }
        }
    }
    out.push('"');
}

fn put_call(out: &mut String, terms: &[Term]) {
    let Some((op, args)) = terms.split_first() else { return };
    put_term(out, op);
    out.push('(');
    put_list(out, args);
    out.push(')');
}

fn is_plain_name(s: &str) -> bool {
    let mut chars = s.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !matches!(
            s,
            "not"
                | "package"
                | "import"
                | "as"
                | "default"
                | "else"
                | "with"
                | "null"
                | "true"
                | "false"
                | "some"
                | "if"
                | "contains"
                | "in"
                | "every"
        )
}

fn put_ref(out: &mut String, parts: &[Term]) {
    let Some((first, rest)) = parts.split_first() else {
        return;
    };
    match &first.value {
        // The head of a reference stands as a name even when it is kept as a string.
        TermValue::String(s) => out.push_str(s),
        _ => put_term(out, first),
    }
    for part in rest {
        match &part.value {
            TermValue::String(s) if is_plain_name(s) => {
                out.push('.');
                out.push_str(s);
            }
            TermValue::String(s) if s.chars().any(|c| c == '\\' || c.is_control()) => {
                out.push('[');
                put_quoted(out, s);
                out.push(']');
            }
            TermValue::String(s) => {
                out.push_str("[\"");
                out.push_str(s);
                out.push_str("\"]");
            }
            _ => {
                out.push('[');
                put_term(out, part);
                out.push(']');
            }
        }
    }
}

fn put_body(out: &mut String, body: &[Expr]) {
    for (i, e) in body.iter().enumerate() {
        if i > 0 {
            out.push_str("; ");
        }
        put_expr(out, e);
    }
}

fn put_expr(out: &mut String, e: &Expr) {
    if e.negated {
        out.push_str("not ");
    }
    match &e.kind {
        ExprKind::Term(t) => put_term(out, t),
        ExprKind::Call(terms) => match terms.as_slice() {
            [op, a, b] if var_ref(op) == Some("eq") => {
                put_term(out, a);
                out.push_str(" = ");
                put_term(out, b);
            }
            _ => put_call(out, terms),
        },
        ExprKind::Some(symbols) => put_some(out, symbols),
        ExprKind::Every(every) => {
            out.push_str("every ");
            if let Some(key) = &every.key {
                put_term(out, key);
                out.push_str(", ");
            }
            put_term(out, &every.value);
            out.push_str(" in ");
            put_term(out, &every.domain);
            out.push_str(" { ");
            put_body(out, &every.body);
            out.push_str(" }");
        }
        ExprKind::Not(body) => match body.as_slice() {
            [one] if !e.braces => {
                out.push_str("not ");
                put_expr(out, one);
            }
            many => {
                out.push_str("not {");
                put_body(out, many);
                out.push('}');
            }
        },
    }
    for w in &e.with {
        out.push(' ');
        put_with(out, w);
    }
}

fn put_some(out: &mut String, symbols: &[Term]) {
    out.push_str("some ");
    match symbols {
        [
            Term {
                value: TermValue::Call(call),
                ..
            },
        ] => match call.as_slice() {
            [_, x, xs] => {
                put_term(out, x);
                out.push_str(" in ");
                put_term(out, xs);
            }
            [_, k, v, xs] => {
                put_term(out, k);
                out.push_str(", ");
                put_term(out, v);
                out.push_str(" in ");
                put_term(out, xs);
            }
            _ => put_call(out, call),
        },
        names => put_list(out, names),
    }
}

fn put_with(out: &mut String, w: &With) {
    out.push_str("with ");
    put_term(out, &w.target);
    out.push_str(" as ");
    put_term(out, &w.value);
}

fn put_head(out: &mut String, head: &Head, version: RegoVersion) {
    put_ref(out, &head.reference);
    match (&head.args, &head.key) {
        (Some(args), _) if !args.is_empty() => {
            out.push('(');
            put_list(out, args);
            out.push(')');
        }
        (_, Some(key)) if head.value.is_none() => {
            if version == RegoVersion::V0 && head.reference.len() == 1 {
                out.push('[');
                put_term(out, key);
                out.push(']');
            } else {
                out.push_str(" contains ");
                put_term(out, key);
            }
        }
        _ => {}
    }
    if let Some(value) = &head.value {
        out.push_str(if head.assign { " := " } else { " = " });
        put_term(out, value);
    }
}

fn put_braced(out: &mut String, body: &[Expr], version: RegoVersion) {
    out.push_str(if version == RegoVersion::V0 { " { " } else { " if { " });
    put_body(out, body);
    out.push_str(" }");
}

fn put_rule(out: &mut String, rule: &Rule, version: RegoVersion) {
    if rule.default {
        out.push_str("default ");
    }
    put_head(out, &rule.head, version);
    if !rule.default {
        put_braced(out, &rule.body, version);
    }
    let mut next = &rule.else_rule;
    while let Some(branch) = next {
        // OPA writes the blank twice when there is no value.
        out.push_str(" else ");
        if let Some(value) = &branch.head.value {
            out.push_str("= ");
            put_term(out, value);
        }
        put_braced(out, &branch.body, version);
        next = &branch.else_rule;
    }
}
