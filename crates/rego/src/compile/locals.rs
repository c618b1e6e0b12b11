//! Local variables: `:=`, `some`, `every` and arguments get names of their own, and what is declared twice, used
//! before, or (strict) never used is told.

use super::walk::{self, NOTHING, Vars, is_generated, is_scalar, is_wildcard, root_document};
use super::{Compiler, Generator, safety, text};
use crate::ast::{Expr, ExprKind, Head, Loc, Rule, Term, TermValue, With};
use crate::error::{Code, Error};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occurrence {
    Arg,
    Seen,
    Assigned,
    Declared,
}

#[derive(Clone)]
struct Entry {
    name: SmolStr,
    occurrence: Occurrence,
    count: u32,
}

type Scope = FxHashMap<SmolStr, Entry>;

/// The rewriting of one rule, or one query.
pub(super) struct Locals<'a> {
    scopes: Vec<Scope>,
    generator: &'a mut Generator,
    rewritten: &'a mut FxHashMap<SmolStr, SmolStr>,
    errors: Vec<Error>,
    strict: bool,
}

impl Compiler<'_> {
    pub(super) fn rewrite_locals(&mut self) {
        let mut modules = std::mem::take(&mut self.modules);
        for module in &mut modules {
            for rule in &mut module.rules {
                self.locals_of_chain(rule);
            }
        }
        self.modules = modules;
    }

    fn locals_of_chain(&mut self, rule: &mut Rule) {
        let strict = self.options.strict;
        let mut unused: Vec<SmolStr> = Vec::new();
        if strict {
            unused = walk::term_vars(rule.head.args.iter().flatten(), NOTHING)
                .into_iter()
                .collect();
            unused.sort();
        }
        let mut l = Locals::new(&mut self.generator, &mut self.rewritten, strict);
        for arg in rule.head.args.iter_mut().flatten() {
            l.argument(arg);
        }
        let args = l.scopes.pop().unwrap_or_default();
        let mut errors = std::mem::take(&mut l.errors);
        let head_loc = rule.head.loc.clone();
        walk::chain_mut(rule, &mut |r| {
            let mut l = Locals::new(&mut self.generator, &mut self.rewritten, strict);
            l.scopes = vec![args.clone()];
            l.rule(r, &mut unused);
            unused.retain(|arg| l.find(arg).is_none_or(|e| e.count <= 1));
            errors.append(&mut l.errors);
        });
        for arg in unused.iter().filter(|a| !is_wildcard(a)) {
            errors.push(Error::new(
                Code::Compile,
                &head_loc,
                format!("unused argument {arg}. (hint: use _ (wildcard variable) instead)"),
            ));
        }
        self.add(errors);
    }
}

fn head_may_have_vars(head: &Head) -> bool {
    let rest = head.reference.get(1..).unwrap_or_default();
    head.args
        .iter()
        .flatten()
        .chain(&head.key)
        .chain(&head.value)
        .chain(rest)
        .any(|t| !is_scalar(t))
}

impl<'a> Locals<'a> {
    pub(super) fn new(
        generator: &'a mut Generator,
        rewritten: &'a mut FxHashMap<SmolStr, SmolStr>,
        strict: bool,
    ) -> Locals<'a> {
        Locals {
            scopes: vec![Scope::default()],
            generator,
            rewritten,
            errors: Vec::new(),
            strict,
        }
    }

    /// Rewrites a query's body.
    pub(super) fn query(mut self, body: &mut Vec<Expr>) -> Vec<Error> {
        self.body(&Vars::default(), body);
        self.errors
    }

    fn find(&self, v: &SmolStr) -> Option<&Entry> {
        self.scopes.iter().rev().find_map(|s| s.get(v))
    }

    fn seen(&mut self, v: &SmolStr) {
        if let Some(e) = self.scopes.iter_mut().rev().find_map(|s| s.get_mut(v)) {
            e.count += 1;
        }
    }

    fn insert(&mut self, v: &SmolStr, name: SmolStr, occurrence: Occurrence) {
        if *v != name {
            self.rewritten.insert(name.clone(), v.clone());
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(
                v.clone(),
                Entry {
                    name,
                    occurrence,
                    count: 1,
                },
            );
        }
    }

    fn error(&mut self, loc: &Loc, message: String) {
        self.errors.push(Error::new(Code::Compile, loc, message));
    }

    fn declare(&mut self, v: &SmolStr, occurrence: Occurrence) -> Result<SmolStr, String> {
        match self.scopes.last().and_then(|s| s.get(v)).map(|e| e.occurrence) {
            Some(Occurrence::Seen) => Err(format!("var {v} referenced above")),
            Some(Occurrence::Assigned) => Err(format!("var {v} assigned above")),
            Some(Occurrence::Declared) => Err(format!("var {v} declared above")),
            Some(Occurrence::Arg) => Err(format!("arg {v} redeclared")),
            None => {
                let name = self.generator.generate();
                self.insert(v, name.clone(), occurrence);
                Ok(name)
            }
        }
    }

    fn argument(&mut self, t: &mut Term) {
        match &mut t.value {
            TermValue::Var(v) => {
                let name = match self.find(v) {
                    Some(e) => {
                        let name = e.name.clone();
                        self.seen(&v.clone());
                        name
                    }
                    None => {
                        let name = self.generator.generate();
                        self.insert(&v.clone(), name.clone(), Occurrence::Arg);
                        name
                    }
                };
                t.value = TermValue::Var(name);
            }
            TermValue::Object(entries) => entries.iter_mut().for_each(|(_, v)| self.argument(v)),
            TermValue::Ref(parts) | TermValue::Array(parts) => parts.iter_mut().for_each(|t| self.argument(t)),
            TermValue::Call(_) => {
                let loc = t.loc.clone();
                self.error(&loc, "rule arguments cannot contain calls".into());
            }
            _ => {}
        }
    }

    fn rule(&mut self, rule: &mut Rule, unused_args: &mut Vec<SmolStr>) {
        let mut used = Vars::default();
        let may_have_vars = head_may_have_vars(&rule.head);
        if may_have_vars {
            // Comprehensions of the head first: their own declarations shadow those of the body.
            let scopes = std::mem::replace(&mut self.scopes, vec![Scope::default()]);
            let head = &mut rule.head;
            for t in head
                .args
                .iter_mut()
                .flatten()
                .chain(&mut head.key)
                .chain(&mut head.value)
            {
                self.nested_in_head(t);
            }
            self.scopes = scopes;
            let head = &rule.head;
            let rest = head.reference.get(1..).unwrap_or_default();
            used = walk::term_vars(rest.iter().chain(&head.key), NOTHING);
            let in_value = walk::term_vars(&head.value, NOTHING);
            unused_args.retain(|a| !in_value.contains(a));
            used.extend(in_value);
        }
        let before = std::mem::take(&mut self.errors);
        self.body(&used, &mut rule.body);
        let new = std::mem::replace(&mut self.errors, before);
        self.errors.extend(new);
        if !may_have_vars {
            return;
        }
        let Some(scope) = self.scopes.last() else { return };
        let head = &mut rule.head;
        for t in head
            .args
            .iter_mut()
            .flatten()
            .chain(head.reference.iter_mut().skip(1))
            .chain(&mut head.key)
            .chain(&mut head.value)
        {
            rename(t, scope);
        }
    }

    fn nested_in_head(&mut self, t: &mut Term) {
        match &mut t.value {
            TermValue::Object(entries) => {
                for (k, v) in entries {
                    self.nested_in_head(k);
                    self.nested_in_head(v);
                }
            }
            TermValue::Ref(parts) | TermValue::Array(parts) | TermValue::Set(parts) | TermValue::Call(parts) => {
                parts.iter_mut().for_each(|t| self.nested_in_head(t));
            }
            TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..) => {
                self.scopes = vec![Scope::default()];
                self.term(t);
            }
            TermValue::Template(parts) => {
                self.scopes = vec![Scope::default()];
                for part in parts {
                    self.scopes.push(Scope::default());
                    self.term(part);
                    self.scopes.pop();
                }
            }
            _ => {}
        }
    }

    fn body(&mut self, used: &Vars, body: &mut Vec<Expr>) {
        let place = body.first().map(|e| e.loc.clone()).unwrap_or_default();
        let mut declarations: Vec<(Loc, Vars)> = Vec::new();
        let mut out = Vec::with_capacity(body.len());
        for mut e in std::mem::take(body) {
            if matches!(e.kind, ExprKind::Some(_) | ExprKind::Every(_) | ExprKind::Not(_)) {
                let names = walk::declared(std::slice::from_ref(&e));
                if !names.is_empty() {
                    declarations.push((e.loc.clone(), names));
                }
            }
            if walk::call_of(&e, "assign").is_some() {
                self.assignment(&mut e);
                out.push(e);
                continue;
            }
            match &mut e.kind {
                ExprKind::Some(_) => {
                    if let Some(e) = self.some(e) {
                        out.push(e);
                    }
                    continue;
                }
                ExprKind::Every(_) => self.every(&mut e),
                // Only in braces may it declare something.
                ExprKind::Not(inner) if !e.braces => {
                    inner.iter_mut().for_each(|e| self.expr(e));
                    self.with(&mut e.with);
                }
                ExprKind::Not(inner) => {
                    self.scopes.push(Scope::default());
                    self.body(&Vars::default(), inner);
                    self.with(&mut e.with);
                    self.scopes.pop();
                }
                ExprKind::Term(_) | ExprKind::Call(_) => self.expr(&mut e),
            }
            out.push(e);
        }
        if out.is_empty() {
            out.push(super::rewrite::true_expr(&place));
        }
        *body = out;
        self.check_unused_assigned(used, body);
        self.check_unused_declared(used, body, &declarations, &place);
    }

    /// Names of variables used by the head, as they are called in the body.
    fn used_names(&self, used: &Vars) -> Vars {
        used.iter()
            .map(|v| self.find(v).map_or_else(|| v.clone(), |e| e.name.clone()))
            .collect()
    }

    fn candidates(&self, wanted: impl Fn(&SmolStr, &Entry) -> bool) -> Vec<(SmolStr, SmolStr)> {
        let mut out: Vec<(SmolStr, SmolStr)> = self
            .scopes
            .last()
            .into_iter()
            .flatten()
            .filter(|(v, e)| wanted(v, e))
            .map(|(v, e)| (e.name.clone(), v.clone()))
            .collect();
        out.sort();
        out
    }

    fn check_unused_assigned(&mut self, used: &Vars, body: &[Expr]) {
        if !self.strict || !self.errors.is_empty() {
            return;
        }
        let unused = self.candidates(|v, e| e.occurrence == Occurrence::Assigned && e.count <= 1 && !is_wildcard(v));
        if unused.is_empty() {
            return;
        }
        let used = self.used_names(used);
        for (name, v) in unused.into_iter().filter(|(name, _)| !used.contains(name)) {
            let at = body
                .iter()
                .find(|e| walk::expr_vars(e, NOTHING).contains(&name))
                .or(body.first());
            let loc = at.map(|e| e.loc.clone()).unwrap_or_default();
            self.error(&loc, format!("assigned var {v} unused"));
        }
    }

    fn check_unused_declared(&mut self, used: &Vars, body: &[Expr], declarations: &[(Loc, Vars)], place: &Loc) {
        if !self.errors.is_empty() {
            return;
        }
        let declared = self.candidates(|_, e| e.occurrence == Occurrence::Declared);
        if declared.is_empty() {
            return;
        }
        let mut names = walk::body_vars(body, NOTHING);
        names.extend(self.used_names(used));
        for (name, v) in declared {
            if names.contains(&name) || used.contains(&name) || is_generated(&v) {
                continue;
            }
            let loc = declarations
                .iter()
                .find(|(_, vs)| vs.contains(&v))
                .map_or(place, |(loc, _)| loc);
            self.error(loc, format!("declared var {v} unused"));
        }
    }

    fn every(&mut self, e: &mut Expr) {
        let loc = e.loc.clone();
        let ExprKind::Every(every) = &mut e.kind else { return };
        self.term(&mut every.domain);
        self.scopes.push(Scope::default());
        for t in every.key.iter_mut().chain([&mut every.value]) {
            if let TermValue::Var(v) = &t.value
                && !is_wildcard(v)
            {
                match self.declare(&v.clone(), Occurrence::Declared) {
                    Ok(name) => t.value = TermValue::Var(name),
                    Err(message) => {
                        self.error(&loc, message);
                        self.scopes.pop();
                        return;
                    }
                }
            }
        }
        if every.key.is_none() {
            every.key = Some(Term::new(TermValue::Var(self.generator.generate())));
        }
        self.body(&Vars::default(), &mut every.body);
        self.with(&mut e.with);
        self.scopes.pop();
    }

    fn some(&mut self, mut e: Expr) -> Option<Expr> {
        let ExprKind::Some(symbols) = std::mem::replace(&mut e.kind, ExprKind::Some(Vec::new())) else {
            return Some(e);
        };
        for symbol in symbols {
            match symbol.value {
                TermValue::Var(v) => {
                    if let Err(message) = self.declare(&v, Occurrence::Declared) {
                        self.error(&e.loc, message);
                        return None;
                    }
                }
                TermValue::Call(terms) => {
                    let mut terms = terms.into_iter().skip(1);
                    let (key, value, container) = match (terms.next(), terms.next(), terms.next()) {
                        (Some(k), Some(v), Some(c)) => (k, v, c),
                        (Some(v), Some(c), None) => (Term::at(TermValue::Var(self.generator.generate()), &v.loc), v, c),
                        _ => return None,
                    };
                    let known = walk::term_vars([&container], NOTHING);
                    let loc = container.loc.clone();
                    let parts = match container.value {
                        TermValue::Ref(mut parts) => {
                            parts.push(key);
                            parts
                        }
                        _ => vec![container, key],
                    };
                    let right = Term::at(TermValue::Ref(parts), &loc);
                    let mut outputs: Vec<SmolStr> = safety::eq_outputs(&value, &right, &known).into_iter().collect();
                    outputs.sort();
                    e.kind = ExprKind::Call(vec![super::rewrite::operator("eq", &e.loc), value, right]);
                    for v in outputs {
                        if let Err(message) = self.declare(&v, Occurrence::Declared) {
                            self.error(&e.loc, message);
                            return None;
                        }
                    }
                    self.expr(&mut e);
                    return Some(e);
                }
                _ => {}
            }
        }
        None
    }

    fn expr(&mut self, e: &mut Expr) {
        match &mut e.kind {
            ExprKind::Term(t) => self.term(t),
            ExprKind::Call(terms) => terms.iter_mut().for_each(|t| self.term(t)),
            _ => {}
        }
        self.with(&mut e.with);
    }

    fn with(&mut self, with: &mut [With]) {
        for w in with {
            // A local called `input` must not take the place of the document that is replaced.
            let keep = match &w.target.value {
                TermValue::Ref(parts) => parts
                    .first()
                    .filter(|t| matches!(&t.value, TermValue::Var(v) if v == "input")),
                _ => None,
            }
            .cloned();
            self.term(&mut w.target);
            if let Some(input) = keep {
                match &mut w.target.value {
                    TermValue::Ref(parts) => {
                        if let Some(first) = parts.first_mut() {
                            *first = input;
                        }
                    }
                    other => *other = TermValue::Ref(vec![input]),
                }
            }
            self.term(&mut w.value);
        }
    }

    fn assignment(&mut self, e: &mut Expr) {
        if e.negated {
            let loc = e.loc.clone();
            return self.error(&loc, "cannot assign vars inside negated expression".into());
        }
        let before = self.errors.len();
        let ExprKind::Call(terms) = &mut e.kind else { return };
        let [operator, left, right] = terms.as_mut_slice() else {
            return;
        };
        self.term(right);
        for w in &mut e.with {
            self.term(&mut w.value);
        }
        self.assigned(left);
        if self.errors.len() == before {
            *operator = super::rewrite::operator("eq", &operator.loc);
        }
    }

    fn assigned(&mut self, t: &mut Term) {
        let root = root_document(t).cloned();
        match &mut t.value {
            TermValue::Array(items) => return items.iter_mut().for_each(|t| self.assigned(t)),
            TermValue::Object(entries) => return entries.iter_mut().for_each(|(_, v)| self.assigned(v)),
            _ => {}
        }
        let v = match (&t.value, root) {
            (TermValue::Var(v), _) => v.clone(),
            (_, Some(v)) => v,
            _ => return self.error(&t.loc.clone(), format!("cannot assign to {}", text::kind(t))),
        };
        match self.declare(&v, Occurrence::Assigned) {
            Ok(name) => t.value = TermValue::Var(name),
            Err(message) => self.error(&t.loc.clone(), message),
        }
    }

    fn term(&mut self, t: &mut Term) {
        if let Some(root) = root_document(t).cloned() {
            if let Some(e) = self.find(&root).filter(|e| e.occurrence != Occurrence::Seen) {
                t.value = TermValue::Var(e.name.clone());
            }
            return;
        }
        match &mut t.value {
            TermValue::Var(v) => {
                let v = v.clone();
                match self.find(&v).map(|e| e.name.clone()) {
                    Some(name) => {
                        t.value = TermValue::Var(name);
                        self.seen(&v);
                    }
                    None => self.insert(&v, v.clone(), Occurrence::Seen),
                }
            }
            TermValue::Call(terms) => {
                let shadowed = terms.first().filter(|op| {
                    walk::term_vars([*op], NOTHING)
                        .iter()
                        .any(|v| self.find(v).is_some_and(|e| e.name != *v))
                });
                if let Some(op) = shadowed {
                    let message = format!("called function {} shadowed", text::term(op));
                    self.errors.push(Error::new(Code::Compile, &t.loc, message));
                }
                terms.iter_mut().for_each(|t| self.term(t));
            }
            TermValue::Ref(parts) | TermValue::Array(parts) | TermValue::Set(parts) | TermValue::Template(parts) => {
                parts.iter_mut().for_each(|t| self.term(t));
            }
            TermValue::Object(entries) => {
                for (k, v) in entries {
                    self.term(k);
                    self.term(v);
                }
            }
            TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                let used = walk::term_vars([&**head], NOTHING);
                self.scopes.push(Scope::default());
                self.body(&used, body);
                self.term(head);
                self.scopes.pop();
            }
            TermValue::ObjectCompr(k, v, body) => {
                let used = walk::term_vars([&**k, &**v], NOTHING);
                self.scopes.push(Scope::default());
                self.body(&used, body);
                self.term(k);
                self.term(v);
                self.scopes.pop();
            }
            _ => {}
        }
    }
}

/// Gives variables the names their scope gave them.
fn rename(t: &mut Term, scope: &Scope) {
    match &mut t.value {
        TermValue::Var(v) => {
            if let Some(e) = scope.get(v) {
                *v = e.name.clone();
            }
        }
        TermValue::Ref(parts)
        | TermValue::Array(parts)
        | TermValue::Set(parts)
        | TermValue::Call(parts)
        | TermValue::Template(parts) => parts.iter_mut().for_each(|t| rename(t, scope)),
        TermValue::Object(entries) => {
            for (k, v) in entries {
                rename(k, scope);
                rename(v, scope);
            }
        }
        TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
            rename(head, scope);
            rename_body(body, scope);
        }
        TermValue::ObjectCompr(k, v, body) => {
            rename(k, scope);
            rename(v, scope);
            rename_body(body, scope);
        }
        _ => {}
    }
}

fn rename_body(body: &mut [Expr], scope: &Scope) {
    for e in body {
        match &mut e.kind {
            ExprKind::Term(t) => rename(t, scope),
            ExprKind::Call(terms) | ExprKind::Some(terms) => terms.iter_mut().for_each(|t| rename(t, scope)),
            ExprKind::Every(every) => {
                for t in every.key.iter_mut().chain([&mut every.value, &mut every.domain]) {
                    rename(t, scope);
                }
                rename_body(&mut every.body, scope);
            }
            ExprKind::Not(inner) => rename_body(inner, scope),
        }
        for w in &mut e.with {
            rename(&mut w.target, scope);
            rename(&mut w.value, scope);
        }
    }
}
