//! `with`: what may be replaced by what, and values that must be evaluated before.

use super::rewrite::hoist;
use super::walk::{self, requires_eval};
use super::{Compiler, Generator, builtin_name};
use crate::ast::{Expr, Loc, Term, TermValue, With};
use crate::error::{Code, Error};

impl Compiler<'_> {
    pub(super) fn rewrite_with(&mut self) {
        let mut generator = std::mem::replace(&mut self.generator, Generator::new("", &[]));
        self.each_rule(|c, rule| {
            let mut errors = Vec::new();
            walk::rule_bodies_mut(rule, &mut |body| errors.extend(c.with_in_body(&mut generator, body)));
            c.add(errors);
        });
        self.generator = generator;
    }

    /// The first error of a body ends it.
    pub(super) fn with_in_body(&self, generator: &mut Generator, body: &mut Vec<Expr>) -> Option<Error> {
        if body.iter().all(|e| e.with.is_empty()) {
            return None;
        }
        let mut out = Vec::with_capacity(body.len());
        let mut error = None;
        // Hoisted expressions carry the `with` of the one they come from: its value is evaluated once.
        let mut known: Vec<(Loc, Term)> = Vec::new();
        for mut e in std::mem::take(body) {
            for w in &mut e.with {
                if error.is_some() {
                    break;
                }
                let loc = w.value.loc.clone();
                match self.must_hoist(w) {
                    Ok(true) => match known.iter().find(|k| k.0 == loc && loc.row > 0) {
                        Some((_, var)) => w.value = var.clone(),
                        None => {
                            out.push(hoist(generator, &mut w.value));
                            known.push((loc, w.value.clone()));
                        }
                    },
                    Ok(false) => {}
                    Err(e) => error = Some(e),
                }
            }
            out.push(e);
        }
        *body = out;
        error
    }

    fn is_function_at(&self, at: Option<usize>) -> bool {
        at.is_some_and(|at| self.tree.rules_at(at).any(|r| r.args > 0))
    }

    /// Whether the value must be evaluated before; an error where the target cannot be replaced.
    fn must_hoist(&self, w: &mut With) -> Result<bool, Error> {
        // A built-in as value is a ref, however it was parsed.
        if matches!(w.value.value, TermValue::Var(_)) && self.builtin(&w.value).is_some() {
            w.value.value = TermValue::Ref(vec![w.value.clone()]);
        }
        let target = &mut w.target;
        let root = match &target.value {
            TermValue::Ref(parts) => match parts.first().map(|t| &t.value) {
                Some(TermValue::Var(v)) if walk::is_root(v) => Some(v.clone()),
                _ => None,
            },
            _ => None,
        };
        match (root.as_deref(), &target.value) {
            (Some("data"), TermValue::Ref(parts)) => {
                let mut at = Some(0);
                for (i, part) in parts.iter().enumerate() {
                    let Some(child) = at.and_then(|at| self.tree.child(at, part)) else {
                        at = None;
                        break;
                    };
                    at = Some(child);
                    if i + 1 < parts.len() && self.tree.rules_at(child).next().is_some() {
                        return Err(Error::new(
                            Code::Compile,
                            &target.loc,
                            "with keyword cannot partially replace virtual document(s)",
                        ));
                    }
                }
                if self.is_function_at(at) && self.is_function_value(&w.value) {
                    return Ok(false);
                }
                if let TermValue::Ref(parts) = &w.value.value
                    && self.is_function_at(self.tree.find(parts))
                {
                    return Ok(false);
                }
            }
            (Some(_), _) => {}
            _ if self.builtin(target).is_some() => {
                if matches!(target.value, TermValue::Var(_)) {
                    target.value = TermValue::Ref(vec![target.clone()]);
                }
                self.check_builtin_target(target)?;
                if self.is_function_value(&w.value) {
                    return Ok(false);
                }
            }
            _ => {
                return Err(Error::new(
                    Code::Type,
                    &target.loc,
                    "with keyword target must reference existing input, data, or a function",
                ));
            }
        }
        Ok(requires_eval(&w.value))
    }

    /// A rule or built-in that can take the place of a function.
    fn is_function_value(&self, value: &Term) -> bool {
        match &value.value {
            TermValue::Ref(parts) => self.tree.find(parts).is_some() || self.builtin(value).is_some(),
            _ => false,
        }
    }

    fn check_builtin_target(&self, target: &Term) -> Result<(), Error> {
        let (Some(b), Some(name)) = (self.builtin(target), builtin_name(target)) else {
            return Ok(());
        };
        let wrong = match b.name {
            "eq" | "rego.metadata.chain" | "rego.metadata.rule" => format!("replacement of {name:?} invalid"),
            _ if name.starts_with("internal.") => format!("replacement of internal function {name:?} invalid"),
            _ if b.relation => "target must not be a relation".into(),
            _ if b.is_void() => "target must not be a void function".into(),
            _ => return Ok(()),
        };
        Err(Error::new(
            Code::Compile,
            &target.loc,
            format!("with keyword replacing built-in function: {wrong}"),
        ))
    }
}
