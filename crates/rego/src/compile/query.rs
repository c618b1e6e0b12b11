//! Queries go through the same stages; `opa eval`'s view of them (bindings, values of expressions) is kept.

use super::rewrite::{self, dynamics, expand_body, operator};
use super::walk::{self, NOTHING, Node, SAFETY, is_generated, is_wildcard};
use super::{Compiler, Generator, Query, limited, locals, resolve, safety};
use crate::ast::{Expr, ExprKind, Term, TermValue};
use crate::error::{Code, Error};
use crate::program::QuerySource;
use crate::typecheck;
use smol_str::format_smolstr;

/// Variables that hold the value of an expression.
const CAPTURE: &str = "$term";

impl Compiler<'_> {
    /// Compiles a query.
    pub(super) fn query(&mut self, source: QuerySource) -> Result<Query, Vec<Error>> {
        let mut body = source.body.clone();
        let Some(first) = body.first() else {
            return Err(vec![Error::new(
                Code::Compile,
                &crate::ast::Loc::default(),
                "empty query cannot be compiled",
            )]);
        };
        let place = first.loc.clone();
        let mut generator = Generator::new("__localq", &[]);
        generator.taken = walk::body_vars(&body, NOTHING);
        let mut errors = Vec::new();
        let strict = self.options.strict;
        if strict {
            walk::body(&body, &mut |n| {
                resolve::override_in(n, &mut errors);
                false
            });
        }
        stop(&mut errors)?;

        let mut globals = resolve::Globals::default();
        if !source.package.is_empty() || !source.imports.is_empty() {
            globals = resolve::globals(&source.package, &self.exports, &source.imports);
        }
        let declared = walk::declared(&body);
        let mut resolver = resolve::Resolver {
            globals: &mut globals,
            ignore: vec![declared],
        };
        resolver.body(&mut body);
        self.capture(&mut body);

        let mut rewritten = std::mem::take(&mut self.rewritten);
        errors = locals::Locals::new(&mut generator, &mut rewritten, strict).query(&mut body);
        self.rewritten = rewritten;
        stop(&mut errors)?;
        errors = self.templates_in_query(&mut generator, &mut body);
        stop(&mut errors)?;
        walk::body(&body, &mut |n| {
            self.void_call(n, &mut errors);
            false
        });
        stop(&mut errors)?;
        errors = self.print_in_query(&mut generator, &mut body);
        stop(&mut errors)?;
        expand_body(&mut generator, &mut body);
        rewrite::comprehension_heads_in(&mut generator, &mut body);
        walk::bodies_mut(&mut body, &mut |b| errors.extend(self.with_in_body(&mut generator, b)));
        stop(&mut errors)?;
        walk::body(&body, &mut |n| self.undefined_function(n, &mut errors));
        stop(&mut errors)?;
        errors = safety::check_body(self, safety::reserved(), &mut body);
        stop(&mut errors)?;
        dynamics(&mut generator, &mut body);
        errors = typecheck::check_query(&self.types, &body, &self.rewritten);
        stop(&mut errors)?;
        walk::body(&body, &mut |n| {
            if strict {
                self.deprecated_call(n, &mut errors);
            }
            self.unsupported_call(n, &mut errors);
            false
        });
        stop(&mut errors)?;

        let mut vars: Vec<(String, String)> = walk::body_vars(&body, SAFETY)
            .into_iter()
            .map(|v| (self.rewritten.get(&v).unwrap_or(&v).to_string(), v.to_string()))
            .filter(|(v, _)| !is_generated(v) && !is_wildcard(v) && !walk::is_root(v))
            .collect();
        vars.sort();
        vars.dedup();
        let values = body
            .iter()
            .filter(|e| !e.generated)
            .map(|e| value_of(e, &place))
            .collect();
        Ok(Query {
            body,
            source: source.body,
            vars,
            values,
        })
    }

    /// Gives expressions that have a value a variable for it.
    fn capture(&self, body: &mut Vec<Expr>) {
        let check = body.len() > 1 || self.iterates(body);
        let mut checks = Vec::new();
        let mut next = 0;
        for e in body.iter_mut() {
            if e.negated || walk::call_of(e, "assign").is_some() || walk::call_of(e, "eq").is_some() {
                continue;
            }
            let var = Term::at(TermValue::Var(format_smolstr!("{CAPTURE}{}", next + 1)), &e.loc);
            let captured = match &mut e.kind {
                ExprKind::Term(t) => {
                    let value = std::mem::replace(t, var.clone());
                    e.kind = ExprKind::Call(vec![operator("eq", &e.loc), value, var.clone()]);
                    true
                }
                ExprKind::Call(terms) => {
                    let has_value = terms.first().is_some_and(|op| self.has_value(op, terms.len() - 1));
                    if has_value {
                        terms.push(var.clone());
                    }
                    has_value
                }
                _ => false,
            };
            if captured {
                next += 1;
                if check {
                    checks.push(Expr {
                        generated: true,
                        ..rewrite::expr(ExprKind::Term(var), &e.loc)
                    });
                }
            }
        }
        body.append(&mut checks);
    }

    fn has_value(&self, operator: &Term, given: usize) -> bool {
        if let Some(b) = self.builtin(operator) {
            return !b.is_void() && b.arity() == given;
        }
        let TermValue::Ref(parts) = &operator.value else {
            return false;
        };
        self.tree
            .exact(parts)
            .next()
            .is_some_and(|r| r.args == given && given > 0)
    }

    fn iterates(&self, body: &[Expr]) -> bool {
        let mut found = false;
        walk::body(body, &mut |n| {
            let Node::Term(t) = n else { return found };
            match &t.value {
                TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..) => return true,
                TermValue::Ref(parts) => {
                    found |= self.builtin(t).is_some_and(|b| b.relation)
                        || parts.iter().skip(1).any(|p| matches!(p.value, TermValue::Var(_)));
                }
                _ => {}
            }
            found
        });
        found
    }
}

fn stop(errors: &mut Vec<Error>) -> Result<(), Vec<Error>> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(limited(std::mem::take(errors)))
}

fn value_of(e: &Expr, place: &crate::ast::Loc) -> Term {
    if let ExprKind::Call(terms) = &e.kind
        && let Some(last) = terms.last()
        && matches!(&last.value, TermValue::Var(v) if v.starts_with(CAPTURE))
    {
        return last.clone();
    }
    Term::at(TermValue::Bool(true), place)
}
