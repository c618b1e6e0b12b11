//! Type inference over lowered rules, as far as OPA's compiler goes: what can never hold is refused when it is loaded
//! (`rego_type_error`). The last of the compiler's stages, since it leans on ordered bodies.
//!
//! Where OPA's inference and ours part, ours takes "anything": a program that OPA accepts is never refused here for its
//! types.

mod env;
mod ty;
mod unify;

use crate::ast::{Expr, ExprKind, Module, Rule, Term, TermValue};
use crate::builtins::declared::declared;
use crate::error::{Code, Error};
use crate::print;
use crate::value::Value;
use env::{BadRef, Env, Tree, constant};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use ty::{ANY, Function, Maybe, Ty};

/// How generated names are called in the source.
pub(crate) type Names = FxHashMap<SmolStr, SmolStr>;

/// Types of all rules of a program.
#[derive(Debug, Default)]
pub(crate) struct Types {
    tree: Tree,
}

/// Infers the types of all rules of lowered modules, in an order in which what a rule refers to comes first. The rules do
/// not recurse. Errors are sorted by place.
pub(crate) fn check(modules: &[Module], names: &Names) -> (Types, Vec<Error>) {
    let mut rules: Vec<(Vec<Value>, &Rule)> = Vec::new();
    for module in modules {
        let package: Vec<Value> = module.package.iter().skip(1).filter_map(constant).collect();
        for rule in &module.rules {
            let mut next = Some(rule);
            while let Some(rule) = next {
                let mut path = package.clone();
                path.extend(ground(&rule.head.reference));
                rules.push((path, rule));
                next = rule.else_rule.as_deref();
            }
        }
    }
    let mut types = Types::default();
    let mut errors = Vec::new();
    for i in order(&rules) {
        if let Some((path, rule)) = rules.get(i) {
            check_rule(&mut types.tree, path, rule, names, &mut errors);
        }
    }
    errors.sort_by(|a, b| (&a.loc.file, a.loc.row, a.loc.col).cmp(&(&b.loc.file, b.loc.row, b.loc.col)));
    (types, errors)
}

/// Checks a lowered query.
pub(crate) fn check_query(types: &Types, body: &[Expr], names: &Names) -> Vec<Error> {
    let mut env = Env::new(&types.tree);
    check_body(&mut env, body, names)
}

/// The constant steps of a rule's reference: the path at which its type is kept.
fn ground(reference: &[Term]) -> Vec<Value> {
    let mut path = Vec::new();
    for (i, part) in reference.iter().enumerate() {
        match (&part.value, i) {
            (TermValue::Var(name), 0) => path.push(Value::String(name.clone())),
            _ => match constant(part) {
                Some(key) => path.push(key),
                None => break,
            },
        }
    }
    path
}

fn is_ground(reference: &[Term]) -> bool {
    reference.iter().skip(1).all(|part| constant(part).is_some())
}

/// Indexes of rules so that those a rule refers to come before it.
fn order(rules: &[(Vec<Value>, &Rule)]) -> Vec<usize> {
    let mut by_path: std::collections::BTreeMap<&[Value], Vec<usize>> = std::collections::BTreeMap::new();
    for (i, (path, _)) in rules.iter().enumerate() {
        by_path.entry(path.as_slice()).or_default().push(i);
    }
    let mut done = vec![false; rules.len()];
    let mut out = Vec::with_capacity(rules.len());
    // An explicit stack: chains of rules may be long.
    for start in 0..rules.len() {
        let mut stack: Vec<(usize, Vec<usize>)> = Vec::new();
        let enter = |i: usize, done: &mut Vec<bool>, stack: &mut Vec<(usize, Vec<usize>)>| {
            if let Some(seen) = done.get_mut(i)
                && !*seen
            {
                *seen = true;
                let needs = rules.get(i).map(|(_, r)| needs(r, &by_path)).unwrap_or_default();
                stack.push((i, needs));
            }
        };
        enter(start, &mut done, &mut stack);
        while let Some((i, needed)) = stack.last_mut() {
            match needed.pop() {
                Some(next) => enter(next, &mut done, &mut stack),
                None => {
                    out.push(*i);
                    stack.pop();
                }
            }
        }
    }
    out
}

/// Rules that a rule may refer to.
fn needs(rule: &Rule, by_path: &std::collections::BTreeMap<&[Value], Vec<usize>>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut see = |parts: &[Term]| {
        let Some((head, tail)) = parts.split_first() else {
            return;
        };
        if !matches!(&head.value, TermValue::Var(name) if name == "data") {
            return;
        }
        let path: Vec<Value> = tail.iter().map_while(constant).collect();
        for n in 0..=path.len() {
            if let Some(rules) = path.get(..n).and_then(|p| by_path.get(p)) {
                found.extend(rules);
            }
        }
        for (other, rules) in by_path.range(path.as_slice()..) {
            if !other.starts_with(&path) {
                break;
            }
            found.extend(rules);
        }
    };
    let mut terms: Vec<&Term> = rule
        .head
        .args
        .iter()
        .flatten()
        .chain(&rule.head.key)
        .chain(&rule.head.value)
        .collect();
    terms.extend(rule.head.reference.iter().skip(1));
    let mut exprs: Vec<&Expr> = rule.body.iter().collect();
    loop {
        while let Some(term) = terms.pop() {
            match &term.value {
                TermValue::Ref(parts) => {
                    see(parts);
                    terms.extend(parts);
                }
                TermValue::Call(parts)
                | TermValue::Array(parts)
                | TermValue::Set(parts)
                | TermValue::Template(parts) => {
                    terms.extend(parts);
                }
                TermValue::Object(entries) => terms.extend(entries.iter().flat_map(|(k, v)| [k, v])),
                TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                    terms.push(head);
                    exprs.extend(body);
                }
                TermValue::ObjectCompr(key, value, body) => {
                    terms.extend([&**key, &**value]);
                    exprs.extend(body);
                }
                _ => {}
            }
        }
        let Some(expr) = exprs.pop() else { break };
        terms.extend(expr.with.iter().flat_map(|w| [&w.target, &w.value]));
        match &expr.kind {
            ExprKind::Term(t) => terms.push(t),
            ExprKind::Call(parts) | ExprKind::Some(parts) => terms.extend(parts),
            ExprKind::Every(every) => {
                terms.push(&every.domain);
                exprs.extend(&every.body);
            }
            ExprKind::Not(body) => exprs.extend(body),
        }
    }
    found
}

fn check_rule(tree: &mut Tree, path: &[Value], rule: &Rule, names: &Names, errors: &mut Vec<Error>) {
    let found = {
        let mut env = Env::new(tree);
        let bad = check_body(&mut env, &rule.body, names);
        if bad.is_empty() {
            Ok(type_of_rule(&mut env, rule))
        } else {
            Err(bad)
        }
    };
    match found {
        Ok(Some(of)) => tree.insert(path, of),
        Ok(None) => {}
        Err(bad) => {
            errors.extend(bad);
            // Rules that refer to this one are not to be blamed for it. OPA keeps "anything" at the whole reference: when
            // that has variables, all that is known of the ground part is that something lies below it.
            match is_ground(&rule.head.reference) {
                true => tree.put(path, ANY),
                false => tree.reserve(path),
            }
        }
    }
}

fn type_of_rule(env: &mut Env<'_>, rule: &Rule) -> Maybe {
    // `f()` of v0 is no function.
    if let Some(args) = rule.head.args.as_ref().filter(|a| !a.is_empty()) {
        // What a body says nothing about may be anything.
        for arg in args {
            open_vars(env, arg);
        }
        // Only now: a result made of such an argument is known to hold anything there.
        let value = rule.head.value.as_ref().and_then(|v| env.of(v));
        return Some(Ty::Function(Function {
            args: args.iter().map(|a| env.of(a)).collect(),
            result: Some(Box::new(value.unwrap_or(ANY))),
            variadic: None,
        }));
    }
    let mut of = match &rule.head.key {
        Some(key) => Ty::Set(env.of(key).map(Box::new)),
        None => rule.head.value.as_ref().and_then(|v| env.of(v))?,
    };
    // `p[x].q := v` is an object of objects below the ground part.
    let steps = ground(&rule.head.reference).len();
    for part in rule.head.reference.iter().skip(steps.max(1)).rev() {
        let key = env.of(part)?;
        of = Ty::map(Some(key), Some(of));
    }
    Some(of)
}

/// Variables of an argument that nothing is known of may be anything.
fn open_vars(env: &mut Env<'_>, arg: &Term) {
    match &arg.value {
        TermValue::Var(name) if env.var(name).is_none() => env.put(name, ANY),
        TermValue::Array(items) => items.iter().for_each(|t| open_vars(env, t)),
        TermValue::Object(entries) => entries.iter().for_each(|(_, t)| open_vars(env, t)),
        _ => {}
    }
}

/// Checks a body in the innermost scope.
fn check_body(env: &mut Env<'_>, body: &[Expr], names: &Names) -> Vec<Error> {
    let mut errors = Vec::new();
    for expr in body {
        let inner = closures(env, expr, names);
        let refs = check_refs(env, expr, names);
        if let Some((error, of_unknown)) = check_expr(env, expr) {
            // An error inside, or in a reference, explains a type that is not known better than this one does.
            if !(of_unknown && (!inner.is_empty() || !refs.is_empty())) {
                errors.push(error);
            }
        }
        errors.splice(errors.len()..errors.len(), inner);
        errors.extend(refs);
    }
    errors
}

/// Errors in the bodies of comprehensions of an expression.
fn closures(env: &mut Env<'_>, expr: &Expr, names: &Names) -> Vec<Error> {
    if env.depth >= env::MAX_DEPTH {
        return Vec::new();
    }
    let mut errors = Vec::new();
    each_term(expr, &mut |term| {
        if let TermValue::ArrayCompr(_, body) | TermValue::SetCompr(_, body) | TermValue::ObjectCompr(_, _, body) =
            &term.value
        {
            env.depth += 1;
            env.push();
            let bad = check_body(env, body, names);
            env.pop();
            env.depth -= 1;
            if !bad.is_empty() {
                errors = bad;
            }
            return false;
        }
        true
    });
    errors
}

/// Errors in references of an expression, those in comprehensions left out.
fn check_refs(env: &mut Env<'_>, expr: &Expr, names: &Names) -> Vec<Error> {
    let mut errors = Vec::new();
    each_term(expr, &mut |term| match &term.value {
        TermValue::Ref(parts) => {
            if let Err(bad) = env.check_ref(parts) {
                errors.push(ref_error(term, parts, bad, names));
                return false;
            }
            true
        }
        TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..) => false,
        _ => true,
    });
    errors
}

/// Calls `f` for operands (not the operator) and their parts while it says true; bodies of `every` and `not` included.
fn each_term(expr: &Expr, f: &mut dyn FnMut(&Term) -> bool) {
    match &expr.kind {
        ExprKind::Term(term) => each_part(term, f),
        ExprKind::Call(parts) => parts.iter().skip(1).for_each(|t| each_part(t, f)),
        ExprKind::Some(_) => {}
        ExprKind::Every(every) => {
            each_part(&every.domain, f);
            every.body.iter().for_each(|e| each_term(e, f));
        }
        ExprKind::Not(body) => body.iter().for_each(|e| each_term(e, f)),
    }
}

fn each_part(term: &Term, f: &mut dyn FnMut(&Term) -> bool) {
    if !f(term) {
        return;
    }
    match &term.value {
        TermValue::Ref(parts) | TermValue::Array(parts) | TermValue::Set(parts) | TermValue::Template(parts) => {
            parts.iter().for_each(|t| each_part(t, f));
        }
        TermValue::Call(parts) => parts.iter().skip(1).for_each(|t| each_part(t, f)),
        TermValue::Object(entries) => entries.iter().for_each(|(k, v)| {
            each_part(k, f);
            each_part(v, f);
        }),
        _ => {}
    }
}

/// The error of an expression, and whether it is of a type that is not known.
fn check_expr(env: &mut Env<'_>, expr: &Expr) -> Option<(Error, bool)> {
    if let Some(error) = check_with(env, expr) {
        return Some((error, false));
    }
    let ExprKind::Call(parts) = &expr.kind else { return None };
    let (operator, operands) = parts.split_first()?;
    let name = operator_name(operator);
    if let ("eq", [a, b]) = (name.as_str(), operands) {
        let (of_a, of_b) = (env.of(a), env.of(b));
        if unify::sides(env, a, of_a.clone(), b, of_b.clone()) {
            return None;
        }
        let message = format!(
            "match error\n\tleft  : {}\n\tright : {}",
            ty::text(of_a.as_ref()),
            ty::text(of_b.as_ref())
        );
        let unknown = ty::has_hole(of_a.as_ref()) || ty::has_hole(of_b.as_ref());
        return Some((Error::new(Code::Type, &expr.loc, message), unknown));
    }
    let builtin = declared(&name);
    let function = match builtin {
        Some(b) => Some(ty::declared(&b.declared)),
        None => env.of(operator),
    };
    let function = match function {
        Some(Ty::Function(function)) => function,
        // A function with an error of its own.
        Some(of) if of.is_any() => return None,
        _ => {
            let message = format!("undefined function {}", print::term(operator));
            return Some((Error::new(Code::Type, &expr.loc, message), false));
        }
    };
    let mut wanted = function.args.clone();
    wanted.extend(function.result.as_deref().cloned().map(Some));
    let before: Vec<Maybe> = operands.iter().map(|t| env.of(t)).collect();
    for (i, operand) in operands.iter().enumerate() {
        let want = match wanted.get(i) {
            Some(want) => want.clone(),
            None => function.variadic.as_deref().cloned(),
        };
        let want = want.unwrap_or(ANY);
        let known = before.get(i).cloned().flatten();
        let misfit = !ty::has_hole(known.as_ref()) && !ty::unifies(known.as_ref(), Some(&want));
        if misfit || !unify::with_type(env, operand, &want, false) {
            let have: Vec<Maybe> = if misfit {
                before
            } else {
                operands.iter().map(|t| env.of(t)).collect()
            };
            let unknown = have.iter().any(Option::is_none);
            let have: Vec<String> = have.iter().map(|t| ty::text(t.as_ref())).collect();
            let want = match builtin {
                Some(b) => want_text(&b.declared),
                None => format!(
                    "({})",
                    wanted
                        .iter()
                        .map(|t| ty::text(t.as_ref()))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            };
            let message = format!(
                "{name}: invalid argument(s)\n\thave: ({})\n\twant: {want}",
                have.join(", ")
            );
            return Some((Error::new(Code::Type, &expr.loc, message), unknown));
        }
    }
    None
}

/// A function replaced by one whose operands can never fit.
fn check_with(env: &mut Env<'_>, expr: &Expr) -> Option<Error> {
    for with in &expr.with {
        let (target, value) = (env.of_target(&with.target), env.of_target(&with.value));
        if let (Some(Ty::Function(_)), Some(Ty::Function(_))) = (&target, &value)
            && !ty::unifies(target.as_ref(), value.as_ref())
        {
            let message = format!("{}: arity mismatch", print::term(&with.target));
            return Some(Error::new(Code::Type, &with.target.loc, message));
        }
    }
    None
}

/// A built-in's operands and result as type errors list them.
fn want_text(declared: &crate::types::Type) -> String {
    match declared {
        crate::types::Type::Function(args, _, result) => {
            let all: Vec<String> = args.iter().chain(result.as_deref()).map(ToString::to_string).collect();
            format!("({})", all.join(", "))
        }
        other => other.to_string(),
    }
}

fn operator_name(operator: &Term) -> String {
    match &operator.value {
        TermValue::Ref(parts) => parts
            .iter()
            .map(|p| match &p.value {
                TermValue::Var(s) | TermValue::String(s) => s.as_str(),
                _ => "",
            })
            .collect::<Vec<_>>()
            .join("."),
        TermValue::Var(name) => name.to_string(),
        _ => String::new(),
    }
}

fn ref_error(term: &Term, parts: &[Term], bad: BadRef, names: &Names) -> Error {
    let written: Vec<Term> = parts.iter().map(|p| rename(p, names)).collect();
    let text = |n: usize| print::reference(written.get(..n).unwrap_or(&written));
    let whole = text(written.len());
    let loc = parts
        .first()
        .map_or(&term.loc, |p| if p.loc.row > 0 { &p.loc } else { &term.loc });
    let message = match bad {
        BadRef::Invalid {
            position,
            have,
            want,
            one_of,
        } => {
            let pad = " ".repeat(text(position).chars().count() + 1);
            let have = match have {
                Some(of) => format!("have (type): {}", ty::text(Some(&of))),
                None => format!("have: {}", written.get(position).map(print::term).unwrap_or_default()),
            };
            let want = if one_of.is_empty() {
                format!("want (type): {}", ty::text(want.as_ref()))
            } else {
                let all: Vec<String> = one_of.iter().map(crate::value_text::text).collect();
                format!("want (one of): [{}]", all.join(" "))
            };
            format!("undefined ref: {whole}\n\t{whole}\n\t{pad}^\n\t{pad}{have}\n\t{pad}{want}")
        }
        BadRef::Unsupported { position, have } => {
            let first = match &have {
                Ty::Function(_) => format!("function {whole} used as reference, not called"),
                _ => format!("undefined ref: {whole}"),
            };
            let mark = "^".repeat(text(position + 1).chars().count());
            format!("{first}\n\t{whole}\n\t{mark}\n\thave: {}", ty::text(Some(&have)))
        }
    };
    Error::new(Code::Type, loc, message)
}

fn rename(term: &Term, names: &Names) -> Term {
    let all = |items: &[Term]| items.iter().map(|item| rename(item, names)).collect();
    let value = match &term.value {
        TermValue::Var(name) => match names.get(name) {
            Some(written) => TermValue::Var(written.clone()),
            None => return term.clone(),
        },
        TermValue::Array(items) => TermValue::Array(all(items)),
        TermValue::Set(items) => TermValue::Set(all(items)),
        TermValue::Ref(parts) => TermValue::Ref(all(parts)),
        TermValue::Object(entries) => {
            let pair = |(k, v): &(Term, Term)| (rename(k, names), rename(v, names));
            TermValue::Object(entries.iter().map(pair).collect())
        }
        _ => return term.clone(),
    };
    Term::at(value, &term.loc)
}
