//! Unification of terms with types: infers variables, and says when it cannot be.

use super::env::{Env, constant, ground};
use super::ty::{self, ANY, Maybe, Ty};
use crate::ast::{Term, TermValue};

/// A term against a type. With `union`, a variable's type widens; otherwise a known one must fit.
pub(super) fn with_type(env: &mut Env<'_>, term: &Term, of: &Ty, union: bool) -> bool {
    match (&term.value, of) {
        (TermValue::Array(items), Ty::Array(of)) => {
            if items.len() != of.items.len() && of.rest.is_none() {
                return false;
            }
            items.iter().enumerate().all(|(i, item)| {
                let wanted = of.items.get(i).map_or(of.rest.as_deref(), Option::as_ref).cloned();
                with_type(env, item, &wanted.unwrap_or(ANY), union)
            })
        }
        (TermValue::Object(entries), Ty::Object(of)) => {
            if entries.len() != of.fields.len() && of.rest.is_none() {
                return false;
            }
            entries.iter().all(|(k, v)| match ground(k) {
                Some(key) => match ty::select(&Ty::Object(of.clone()), &key) {
                    Some(wanted) => with_type(env, v, &wanted, union),
                    None => false,
                },
                None => {
                    with_type(env, v, &ANY, union);
                    true
                }
            })
        }
        (TermValue::Set(items), Ty::Set(of)) => {
            let wanted = of.as_deref().cloned().unwrap_or(ANY);
            items.iter().all(|item| with_type(env, item, &wanted, union))
        }
        (TermValue::Array(_) | TermValue::Object(_) | TermValue::Set(_), Ty::Any(of)) => {
            if of.is_empty() {
                each_part(term, &mut |part| {
                    with_type(env, part, &ANY, true);
                });
                return true;
            }
            // Every one of them is tried: each may teach a variable something.
            let mut fits = false;
            for one in of {
                fits |= with_type(env, term, one, true);
            }
            fits
        }
        (TermValue::Array(_) | TermValue::Object(_) | TermValue::Set(_), _) => false,
        (TermValue::Var(name), _) if name != "input" && name != "data" => {
            let known = env.var(name).cloned();
            if union {
                if let Some(wider) = ty::or(known, Some(of.clone())) {
                    env.put(name, wider);
                }
                return true;
            }
            match known {
                Some(known) => ty::unifies(Some(&known), Some(of)),
                None => {
                    env.put(name, of.clone());
                    true
                }
            }
        }
        _ => {
            let known = env.of(term);
            ty::unifies(known.as_ref(), Some(of))
        }
    }
}

fn each_part(term: &Term, f: &mut dyn FnMut(&Term)) {
    match &term.value {
        TermValue::Array(items) | TermValue::Set(items) => items.iter().for_each(f),
        TermValue::Object(entries) => entries.iter().for_each(|(k, v)| {
            f(k);
            f(v);
        }),
        _ => {}
    }
}

/// The two sides of `=`.
pub(super) fn sides(env: &mut Env<'_>, a: &Term, of_a: Maybe, b: &Term, of_b: Maybe) -> bool {
    match (ty::has_hole(of_a.as_ref()), ty::has_hole(of_b.as_ref())) {
        (true, false) => return with_type(env, a, &of_b.unwrap_or(ANY), false),
        (false, true) => return with_type(env, b, &of_a.unwrap_or(ANY), false),
        (false, false) => return ty::unifies(of_a.as_ref(), of_b.as_ref()),
        (true, true) => {}
    }
    match (&a.value, &b.value) {
        (TermValue::Array(x), TermValue::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(p, q)| pair(env, p, q))
        }
        (TermValue::Object(x), TermValue::Object(y)) => {
            x.len() == y.len()
                && x.iter().all(|(k, p)| {
                    let other = y.iter().find(|(other, _)| match (constant(k), constant(other)) {
                        (Some(a), Some(b)) => a == b,
                        _ => false,
                    });
                    // Keys that are not constants are compared when the program runs.
                    other.is_none_or(|(_, q)| pair(env, p, q))
                })
        }
        (TermValue::Array(_) | TermValue::Object(_), TermValue::Var(_)) => composite(env, a, b),
        (TermValue::Var(_), TermValue::Array(_) | TermValue::Object(_)) => composite(env, b, a),
        (TermValue::Var(_), TermValue::Var(_)) => {
            with_type(env, a, &ANY, false) && {
                let known = env.of(a).unwrap_or(ANY);
                with_type(env, b, &known, false)
            }
        }
        (TermValue::Var(name), _) if of_a.is_none() && of_b.is_some() => {
            env.put(name, of_b.unwrap_or(ANY));
            true
        }
        (_, TermValue::Var(name)) if of_b.is_none() && of_a.is_some() => {
            env.put(name, of_a.unwrap_or(ANY));
            true
        }
        _ => false,
    }
}

fn pair(env: &mut Env<'_>, p: &Term, q: &Term) -> bool {
    let (of_p, of_q) = (env.of(p), env.of(q));
    sides(env, p, of_p, q, of_q)
}

fn composite(env: &mut Env<'_>, literal: &Term, var: &Term) -> bool {
    with_type(env, literal, &ANY, false) && {
        let known = env.of(literal).unwrap_or(ANY);
        with_type(env, var, &known, false)
    }
}
