//! References in full: imports and the package's own rules; and what may not be shadowed.

use super::walk::{self, Node, Vars, declared, is_root, root_document};
use super::{Compiler, text};
use crate::ast::{Expr, ExprKind, Import, Module, Rule, Term, TermValue};
use crate::error::{Code, Error};
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// Names that stand for refs in a module.
pub(super) type Globals = FxHashMap<SmolStr, Global>;

/// What a name stands for.
pub(super) struct Global {
    path: Vec<Term>,
    used: bool,
}

/// The name an import gives to its path.
pub(super) fn import_name(import: &Import) -> Option<SmolStr> {
    if let Some(alias) = &import.alias {
        return Some(alias.clone());
    }
    let TermValue::Ref(parts) = &import.path.value else {
        return match &import.path.value {
            TermValue::Var(v) => Some(v.clone()),
            _ => None,
        };
    };
    match &parts.last()?.value {
        TermValue::Var(s) | TermValue::String(s) => Some(s.clone()),
        _ => None,
    }
}

fn import_path(import: &Import) -> Vec<Term> {
    match &import.path.value {
        TermValue::Ref(parts) => parts.clone(),
        _ => vec![import.path.clone()],
    }
}

/// `future.keywords..`, `rego.v1`: no names for rules.
fn is_directive(import: &Import) -> bool {
    let path = import_path(import);
    matches!(path.first().map(|t| &t.value), Some(TermValue::Var(v)) if v == "future" || v == "rego")
}

/// The names of all rules by package.
pub(super) type Exports = FxHashMap<String, Vec<SmolStr>>;

pub(super) fn exports(modules: &[Module]) -> Exports {
    let mut out: Exports = FxHashMap::default();
    for m in modules {
        let names = out.entry(text::reference(&m.package)).or_default();
        for r in &m.rules {
            if let Some(TermValue::Var(name)) = r.head.reference.first().map(|t| &t.value) {
                names.push(name.clone());
            }
        }
    }
    out
}

pub(super) fn globals(package: &[Term], exports: &Exports, imports: &[Import]) -> Globals {
    let mut out = Globals::default();
    for name in exports.get(&text::reference(package)).into_iter().flatten() {
        out.entry(name.clone()).or_insert_with(|| {
            let mut path = package.to_vec();
            path.push(Term::new(TermValue::String(name.clone())));
            Global { path, used: false }
        });
    }
    for import in imports.iter().filter(|i| !is_directive(i)) {
        if let Some(name) = import_name(import) {
            let path = import_path(import);
            out.insert(name, Global { path, used: false });
        }
    }
    out
}

impl Compiler<'_> {
    pub(super) fn resolve_all(&mut self) {
        let exports = exports(&self.modules);
        let mut modules = std::mem::take(&mut self.modules);
        for module in &mut modules {
            let mut globals = globals(&module.package, &exports, &module.imports);
            for rule in &mut module.rules {
                walk::chain_mut(rule, &mut |r| self.resolve_rule(&mut globals, r));
            }
            if !self.options.strict {
                continue;
            }
            for import in module.imports.iter().filter(|i| !is_directive(i)) {
                let unused = import_name(import)
                    .and_then(|n| globals.get(&n))
                    .is_some_and(|g| !g.used);
                if unused {
                    self.error(Code::Compile, &import.loc, format!("{} unused", text::import(import)));
                }
            }
        }
        self.modules = modules;
    }

    fn resolve_rule(&mut self, globals: &mut Globals, rule: &mut Rule) {
        let mut args = Vars::default();
        let mut shadowed = None;
        walk::all(rule.head.args.as_deref().unwrap_or_default(), &mut |n| {
            let Node::Term(t) = n else { return true };
            match &t.value {
                TermValue::Var(v) => {
                    args.insert(v.clone());
                }
                TermValue::Set(_)
                | TermValue::ArrayCompr(..)
                | TermValue::SetCompr(..)
                | TermValue::ObjectCompr(..)
                | TermValue::Call(_) => return true,
                TermValue::Ref(_) => {
                    if let (Some(root), None) = (root_document(t), &shadowed) {
                        shadowed = Some(root.clone());
                    }
                }
                _ => {}
            }
            false
        });
        if let Some(root) = shadowed {
            self.error(
                Code::Compile,
                &rule.loc,
                format!("args must not shadow {root} (use a different variable name)"),
            );
            return;
        }
        let mut r = Resolver {
            globals,
            ignore: vec![args, declared(&rule.body)],
        };
        for t in rule
            .head
            .reference
            .iter_mut()
            .skip(1)
            .chain(&mut rule.head.key)
            .chain(&mut rule.head.value)
        {
            r.term(t);
        }
        r.body(&mut rule.body);
    }

    /// Rules, arguments and variables named like a root document.
    pub(super) fn check_overrides(&mut self) {
        let modules = std::mem::take(&mut self.modules);
        for module in modules.iter().filter(|m| self.options.strict || is_v1(m)) {
            let errors = overrides(module);
            self.add(errors);
        }
        self.modules = modules;
    }

    /// Two imports of one name.
    pub(super) fn check_imports(&mut self) {
        let modules = std::mem::take(&mut self.modules);
        for module in modules.iter().filter(|m| self.options.strict || is_v1(m)) {
            let mut seen: FxHashMap<SmolStr, &Import> = FxHashMap::default();
            for import in &module.imports {
                let Some(name) = import_name(import) else { continue };
                match seen.get(&name) {
                    Some(first) => {
                        let message = format!("import must not shadow {}", text::import(first));
                        self.error(Code::Compile, &import.loc, message);
                    }
                    None => {
                        seen.insert(name, import);
                    }
                }
            }
        }
        self.modules = modules;
    }
}

/// Whether the rules of v1 hold for a module.
pub(super) fn is_v1(module: &Module) -> bool {
    module.version == crate::ast::RegoVersion::V1
}

fn overrides(module: &Module) -> Vec<Error> {
    let mut errors = Vec::new();
    for rule in &module.rules {
        if let Some(TermValue::Var(name)) = rule.head.reference.first().map(|t| &t.value)
            && is_root(name)
        {
            errors.push(Error::new(
                Code::Compile,
                &rule.loc,
                format!("rules must not shadow {name} (use a different rule name)"),
            ));
        }
        for arg in rule.head.args.iter().flatten() {
            if let Some(name) = root_document(arg) {
                errors.push(Error::new(
                    Code::Compile,
                    &arg.loc,
                    format!("args must not shadow {name} (use a different variable name)"),
                ));
            }
        }
    }
    for rule in &module.rules {
        for r in walk::chain(rule) {
            walk::rule(r, &mut |n| {
                override_in(n, &mut errors);
                false
            });
        }
    }
    errors
}

/// An assignment to `input` or `data`.
pub(super) fn override_in(n: Node<'_>, errors: &mut Vec<Error>) {
    let Node::Expr(e) = n else { return };
    let Some([left, ..]) = walk::call_of(e, "assign") else {
        return;
    };
    let name = match &left.value {
        TermValue::Var(v) if is_root(v) => Some(v),
        _ => root_document(left),
    };
    if let Some(name) = name {
        errors.push(Error::new(
            Code::Compile,
            &e.loc,
            format!("variables must not shadow {name} (use a different variable name)"),
        ));
    }
}

/// Puts refs in full.
pub(super) struct Resolver<'g> {
    pub(super) globals: &'g mut Globals,
    pub(super) ignore: Vec<Vars>,
}

impl Resolver<'_> {
    /// The path a name stands for, placed where the name stands.
    fn global(&mut self, v: &SmolStr, at: &Term) -> Option<Vec<Term>> {
        if self.ignore.iter().any(|vs| vs.contains(v)) {
            return None;
        }
        let g = self.globals.get_mut(v)?;
        g.used = true;
        Some(g.path.iter().map(|t| Term::at(t.value.clone(), &at.loc)).collect())
    }

    pub(super) fn body(&mut self, body: &mut [Expr]) {
        for e in body {
            self.expr(e);
        }
    }

    fn expr(&mut self, e: &mut Expr) {
        match &mut e.kind {
            ExprKind::Term(t) => self.term(t),
            ExprKind::Call(terms) => self.terms(terms),
            ExprKind::Some(symbols) => {
                if let [
                    Term {
                        value: TermValue::Call(terms),
                        ..
                    },
                ] = symbols.as_mut_slice()
                {
                    self.terms(terms);
                }
            }
            ExprKind::Every(every) => {
                let locals = walk::term_vars(every.key.iter().chain([&every.value]), walk::NOTHING);
                self.ignore.push(locals);
                self.term(&mut every.domain);
                self.body(&mut every.body);
                self.ignore.pop();
            }
            ExprKind::Not(inner) => self.body(inner),
        }
        for w in &mut e.with {
            self.term(&mut w.target);
            self.term(&mut w.value);
        }
    }

    fn terms(&mut self, terms: &mut [Term]) {
        for t in terms {
            self.term(t);
        }
    }

    pub(super) fn term(&mut self, t: &mut Term) {
        if let TermValue::Var(v) = &t.value {
            let v = v.clone();
            if let Some(path) = self.global(&v, t) {
                t.value = TermValue::Ref(path);
            }
            return;
        }
        match &mut t.value {
            TermValue::Ref(parts) => {
                let mut full: Vec<Term> = Vec::with_capacity(parts.len() + 3);
                for (i, mut part) in std::mem::take(parts).into_iter().enumerate() {
                    match &part.value {
                        TermValue::Var(v) if i == 0 => {
                            let v = v.clone();
                            match self.global(&v, &part) {
                                Some(path) => full = path,
                                None => full.push(part),
                            }
                        }
                        _ => {
                            self.term(&mut part);
                            full.push(part);
                        }
                    }
                }
                *parts = full;
            }
            TermValue::Array(items) | TermValue::Set(items) | TermValue::Call(items) | TermValue::Template(items) => {
                self.terms(items);
            }
            TermValue::Object(entries) => {
                for (k, v) in entries {
                    self.term(k);
                    self.term(v);
                }
            }
            TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                self.ignore.push(declared(body));
                self.term(head);
                self.body(body);
                self.ignore.pop();
            }
            TermValue::ObjectCompr(k, v, body) => {
                self.ignore.push(declared(body));
                self.term(k);
                self.term(v);
                self.body(body);
                self.ignore.pop();
            }
            _ => {}
        }
    }
}
