//! Template strings and `print`.

use super::rewrite::{append, dotted, hoist, true_expr};
use super::walk::{self, SAFETY, Vars, is_generated};
use super::{Compiler, Generator, safety};
use crate::ast::{Expr, ExprKind, Term, TermValue, template_capture};
use crate::error::{Code, Error};

impl Compiler<'_> {
    pub(super) fn rewrite_templates(&mut self) {
        let mut generator = std::mem::replace(&mut self.generator, Generator::new("", &[]));
        self.each_rule(|c, rule| {
            let mut has = false;
            walk::rule(rule, &mut |n| {
                has |= matches!(
                    n,
                    walk::Node::Term(Term {
                        value: TermValue::Template(_),
                        ..
                    })
                );
                has
            });
            if !has {
                return;
            }
            let mut t = Templates {
                c: &*c,
                generator: &mut generator,
                errors: Vec::new(),
            };
            let mut safe = walk::term_vars(rule.head.args.iter().flatten(), walk::NOTHING);
            safe.extend(safety::reserved());
            safe.extend(safety::outputs_of_body(t.c, &rule.body, &safe));
            t.exprs(&mut rule.body, &safe);
            let head = &mut rule.head;
            for term in head
                .args
                .iter_mut()
                .flatten()
                .chain(&mut head.key)
                .chain(&mut head.value)
            {
                t.term(term, &safe);
            }
            let errors = t.errors;
            c.add(errors);
        });
        self.generator = generator;
    }

    pub(super) fn templates_in_query(&self, generator: &mut Generator, body: &mut [Expr]) -> Vec<Error> {
        let mut t = Templates {
            c: self,
            generator,
            errors: Vec::new(),
        };
        let mut safe = safety::reserved();
        safe.extend(safety::outputs_of_body(self, body, &safe));
        t.exprs(body, &safe);
        t.errors
    }

    pub(super) fn rewrite_print(&mut self) {
        if !self.options.print {
            return self.each_rule(|_, rule| walk::rule_bodies_mut(rule, &mut erase_print));
        }
        let mut generator = std::mem::replace(&mut self.generator, Generator::new("", &[]));
        self.each_rule(|c, rule| {
            let mut safe = safety::reserved();
            safe.extend(walk::term_vars(rule.head.args.iter().flatten(), walk::NOTHING));
            let mut errors = Vec::new();
            let head = &mut rule.head;
            for term in head
                .args
                .iter_mut()
                .flatten()
                .chain(&mut head.key)
                .chain(&mut head.value)
            {
                c.print_in_term(&mut generator, term, &safe, &mut errors);
            }
            c.print_in_body(&mut generator, &mut rule.body, &safe, &mut errors);
            c.add(errors);
        });
        self.generator = generator;
    }

    pub(super) fn print_in_query(&self, generator: &mut Generator, body: &mut Vec<Expr>) -> Vec<Error> {
        let mut errors = Vec::new();
        if self.options.print {
            self.print_in_body(generator, body, &safety::reserved(), &mut errors);
        } else {
            walk::bodies_mut(body, &mut erase_print);
        }
        errors
    }

    /// Operands of `print` are looked at in closures of their own, so that an undefined one does not end the body.
    fn print_in_body(&self, generator: &mut Generator, body: &mut [Expr], globals: &Vars, errors: &mut Vec<Error>) {
        let mut safe = globals.clone();
        for e in body {
            if is_print(e) {
                let loc = e.loc.clone();
                let ExprKind::Call(terms) = &mut e.kind else { continue };
                let mut sets = Vec::new();
                for mut t in terms.drain(..).skip(1) {
                    let mut vars: Vec<_> = walk::term_vars([&t], SAFETY)
                        .into_iter()
                        .filter(|v| !safe.contains(v) && !is_generated(v))
                        .collect();
                    vars.sort();
                    for v in vars {
                        errors.push(Error::new(
                            Code::Compile,
                            &t.loc,
                            format!("var {} is undeclared", safety::shown(&v)),
                        ));
                    }
                    self.print_in_term(generator, &mut t, &safe, errors);
                    sets.push(guarded(generator, t));
                }
                *terms = vec![dotted("internal.print", &loc), Term::at(TermValue::Array(sets), &loc)];
                continue;
            }
            match &mut e.kind {
                ExprKind::Term(t) => self.print_in_term(generator, t, &safe, errors),
                ExprKind::Call(terms) | ExprKind::Some(terms) => {
                    for t in terms {
                        self.print_in_term(generator, t, &safe, errors);
                    }
                }
                ExprKind::Every(every) => {
                    self.print_in_term(generator, &mut every.domain, &safe, errors);
                    let mut inner = safe.clone();
                    inner.extend(walk::term_vars(every.key.iter().chain([&every.value]), walk::NOTHING));
                    self.print_in_body(generator, &mut every.body, &inner, errors);
                }
                ExprKind::Not(inner) => self.print_in_body(generator, inner, &safe, errors),
            }
            let more = safety::outputs_of_body(self, std::slice::from_ref(e), &safe);
            safe.extend(more);
            safe.extend(
                walk::expr_vars(e, walk::NOTHING)
                    .into_iter()
                    .filter(|v| is_generated(v)),
            );
        }
    }

    fn print_in_term(&self, generator: &mut Generator, t: &mut Term, safe: &Vars, errors: &mut Vec<Error>) {
        match &mut t.value {
            TermValue::Ref(parts) | TermValue::Array(parts) | TermValue::Set(parts) | TermValue::Call(parts) => {
                for t in parts {
                    self.print_in_term(generator, t, safe, errors);
                }
            }
            TermValue::Object(entries) => {
                for (k, v) in entries {
                    self.print_in_term(generator, k, safe, errors);
                    self.print_in_term(generator, v, safe, errors);
                }
            }
            TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                self.print_in_term(generator, head, safe, errors);
                self.print_in_body(generator, body, safe, errors);
            }
            TermValue::ObjectCompr(k, v, body) => {
                self.print_in_term(generator, k, safe, errors);
                self.print_in_term(generator, v, safe, errors);
                self.print_in_body(generator, body, safe, errors);
            }
            _ => {}
        }
    }
}

fn is_print(e: &Expr) -> bool {
    walk::call_of(e, "print").is_some()
}

fn erase_print(body: &mut Vec<Expr>) {
    if !body.iter().any(is_print) {
        return;
    }
    let place = body.first().map(|e| e.loc.clone()).unwrap_or_default();
    body.retain(|e| !is_print(e));
    if body.is_empty() {
        body.push(true_expr(&place));
    }
}

/// `{x | x = t}`: the value, if there is one.
fn guarded(generator: &mut Generator, t: Term) -> Term {
    let loc = t.loc.clone();
    let mut var = t;
    let mut capture = hoist(generator, &mut var);
    capture.generated = false;
    let mut body = Vec::new();
    append(&mut body, vec![capture]);
    Term::at(TermValue::SetCompr(Box::new(var), body), &loc)
}

struct Templates<'a, 'o> {
    c: &'a Compiler<'o>,
    generator: &'a mut Generator,
    errors: Vec<Error>,
}

impl Templates<'_, '_> {
    fn exprs(&mut self, body: &mut [Expr], safe: &Vars) {
        for e in body {
            match &mut e.kind {
                ExprKind::Term(t) => self.term(t, safe),
                ExprKind::Call(terms) | ExprKind::Some(terms) => {
                    for t in terms {
                        self.term(t, safe);
                    }
                }
                ExprKind::Every(every) => {
                    self.term(&mut every.domain, safe);
                    let mut inner = safe.clone();
                    inner.extend(walk::term_vars(every.key.iter().chain([&every.value]), walk::NOTHING));
                    let _ = self.closure(&mut every.body, inner);
                }
                ExprKind::Not(inner) => {
                    let _ = self.closure(inner, safe.clone());
                }
            }
            for w in &mut e.with {
                self.term(&mut w.value, safe);
            }
        }
    }

    fn closure(&mut self, body: &mut [Expr], mut safe: Vars) -> Vars {
        safe.extend(safety::outputs_of_body(self.c, body, &safe));
        self.exprs(body, &safe);
        safe
    }

    fn term(&mut self, t: &mut Term, safe: &Vars) {
        match &mut t.value {
            TermValue::Ref(parts) | TermValue::Array(parts) | TermValue::Set(parts) | TermValue::Call(parts) => {
                for t in parts {
                    self.term(t, safe);
                }
            }
            TermValue::Object(entries) => {
                for (k, v) in entries {
                    self.term(k, safe);
                    self.term(v, safe);
                }
            }
            TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                let safe = self.closure(body, safe.clone());
                self.term(head, &safe);
            }
            TermValue::ObjectCompr(k, v, body) => {
                let safe = self.closure(body, safe.clone());
                self.term(k, &safe);
                self.term(v, &safe);
            }
            TermValue::Template(_) => self.template(t, safe),
            _ => {}
        }
    }

    fn template(&mut self, t: &mut Term, safe: &Vars) {
        let loc = t.loc.clone();
        let TermValue::Template(parts) = &mut t.value else {
            return;
        };
        let mut terms = Vec::with_capacity(parts.len());
        for mut part in std::mem::take(parts) {
            match &part.value {
                TermValue::String(_) => {
                    terms.push(part);
                    continue;
                }
                TermValue::Call(call) => {
                    if let Some(b) = call.first().and_then(|op| self.c.builtin(op))
                        && b.relation
                    {
                        let message = format!(
                            "illegal call to relation built-in '{}' that may cause multiple outputs",
                            b.name
                        );
                        self.errors.push(Error::new(Code::Compile, &part.loc, message));
                        continue;
                    }
                }
                TermValue::Var(_) => {
                    let loc = part.loc.clone();
                    terms.push(Term::at(TermValue::Set(vec![part]), &loc));
                    continue;
                }
                TermValue::Ref(path) if self.c.tree.surely_defined(path) => {
                    let loc = part.loc.clone();
                    terms.push(Term::at(TermValue::Set(vec![part]), &loc));
                    continue;
                }
                _ => {}
            }
            let capture = template_capture(&part).is_some();
            let looked_at = match template_capture(&part) {
                None => vec![&part],
                Some((captured, with)) => with.iter().map(|w| &w.value).chain([captured]).collect(),
            };
            let mut vars: Vec<_> = walk::term_vars(looked_at, SAFETY)
                .into_iter()
                .filter(|v| !safe.contains(v))
                .collect();
            vars.sort();
            for v in vars {
                let v = self.c.rewritten.get(&v).cloned().unwrap_or(v);
                self.errors.push(Error::new(
                    Code::Compile,
                    &part.loc,
                    format!("var {} is undeclared", safety::shown(&v)),
                ));
            }
            self.term(&mut part, safe);
            terms.push(match capture {
                true => part,
                false => guarded(self.generator, part),
            });
        }
        if terms.is_empty() {
            terms.push(Term::at(TermValue::String("".into()), &loc));
        }
        t.value = TermValue::Call(vec![
            dotted("internal.template_string", &loc),
            Term::at(TermValue::Array(terms), &loc),
        ]);
    }
}
