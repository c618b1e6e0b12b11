//! `rego.metadata.chain()` and `rego.metadata.rule()`: known when compiled, so they become constants.

use super::rewrite::{append, hoist};
use super::tree;
use super::walk::{self, Node};
use super::{Compiler, text};
use crate::ast::{Annotations, Expr, ExprKind, Module, Rule, Term, TermValue};
use crate::error::{Code, Error};
use crate::value::Value;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;
use std::collections::hash_map::Entry;

const CHAIN: &str = "rego.metadata.chain";
const RULE: &str = "rego.metadata.rule";

fn called(e: &Expr) -> Option<&'static str> {
    let ExprKind::Call(terms) = &e.kind else { return None };
    let name = super::builtin_name(terms.first()?)?;
    [CHAIN, RULE].into_iter().find(|known| *known == name)
}

impl Compiler<'_> {
    /// Two blocks for one package, document, or package and those below it.
    pub(super) fn check_annotations(&mut self) {
        let mut first: FxHashMap<(&str, String), &Annotations> = FxHashMap::default();
        let mut errors = Vec::new();
        for a in self
            .modules
            .iter()
            .filter(|m| m.strict_annotations)
            .flat_map(|m| &m.annotations)
        {
            // OPA keeps those of documents and of packages with all below in one tree.
            let kind = match a.scope.as_str() {
                "package" => "package",
                "document" | "subpackages" => "path",
                _ => continue,
            };
            match first.entry((kind, text::reference(&a.path))) {
                Entry::Vacant(place) => {
                    place.insert(a);
                }
                Entry::Occupied(before) => {
                    let loc = &before.get().loc;
                    let file = loc.file.as_deref().unwrap_or_default();
                    let message = format!("{} annotation redeclared: {file}:{}", a.scope, loc.row);
                    errors.push(Error::new(Code::Type, &a.loc, message));
                }
            }
        }
        self.add(errors);
    }

    pub(super) fn rewrite_metadata(&mut self) {
        let mut modules = std::mem::take(&mut self.modules);
        // Annotations of all modules, taken only where something asks for them.
        let mut all: Option<Vec<(usize, Annotations)>> = None;
        for m in 0..modules.len() {
            let Some(mut rules) = modules.get_mut(m).map(|module| std::mem::take(&mut module.rules)) else {
                continue;
            };
            for rule in &mut rules {
                let mut is_else = false;
                walk::chain_mut(rule, &mut |r| {
                    let (mut chain, mut own) = (false, false);
                    walk::rule(r, &mut |n| {
                        if let Node::Expr(e) = n {
                            let name = called(e);
                            chain |= name == Some(CHAIN);
                            own |= name == Some(RULE);
                        }
                        false
                    });
                    if chain || own {
                        let known = all.get_or_insert_with(|| gather(&modules));
                        if let Some(module) = modules.get(m) {
                            self.insert_metadata(known, m, module, r, is_else, chain, own);
                        }
                    }
                    is_else = true;
                });
            }
            if let Some(module) = modules.get_mut(m) {
                module.rules = rules;
            }
        }
        self.modules = modules;
    }

    #[allow(clippy::too_many_arguments)]
    fn insert_metadata(
        &mut self,
        all: &[(usize, Annotations)],
        index: usize,
        module: &Module,
        rule: &mut Rule,
        is_else: bool,
        chain: bool,
        own: bool,
    ) {
        let path = ground_path(module, rule);
        let mut annotated: Vec<&Annotations> = all
            .iter()
            .filter(|(m, a)| *m == index && !is_else && a.scope == "rule" && a.target_row == rule.loc.row)
            .map(|(_, a)| a)
            .filter(|a| text::reference(&a.path) == text::reference(&path))
            .collect();
        annotated.sort_by_key(|a| std::cmp::Reverse(a.loc.row));
        let mut body = Vec::new();
        let mut vars: [Option<SmolStr>; 2] = [None, None];
        let wanted = [
            chain.then(|| chain_of(all, &annotated, module, &path)),
            own.then(|| {
                annotated
                    .first()
                    .map_or_else(|| Value::object(Vec::new()), |a| shown(a))
            }),
        ];
        for (value, var) in wanted.into_iter().zip(&mut vars) {
            let Some(value) = value else { continue };
            let mut t = Term::at(term_value(&value), &rule.loc);
            append(&mut body, vec![hoist(&mut self.generator, &mut t)]);
            if let TermValue::Var(v) = t.value {
                *var = Some(v);
            }
        }
        let [chain_var, rule_var] = vars;
        walk::rule_bodies_mut(rule, &mut |b| {
            for e in b {
                let var = match called(e) {
                    Some(CHAIN) => chain_var.clone(),
                    Some(_) => rule_var.clone(),
                    None => None,
                };
                let Some(var) = var else { continue };
                let constant = Term::at(TermValue::Var(var), &e.loc);
                let ExprKind::Call(terms) = &mut e.kind else { continue };
                e.kind = match terms.pop() {
                    Some(output) if !terms.is_empty() => {
                        ExprKind::Call(vec![super::rewrite::operator("eq", &e.loc), output, constant])
                    }
                    _ => ExprKind::Term(constant),
                };
                e.generated = true;
                // OPA puts a new expression in its place, without the `not` and the `with` that stood there.
                e.negated = false;
                e.with.clear();
            }
        });
        append(&mut body, std::mem::take(&mut rule.body));
        rule.body = body;
    }
}

fn gather(modules: &[Module]) -> Vec<(usize, Annotations)> {
    let all = modules.iter().enumerate();
    all.flat_map(|(i, m)| m.annotations.iter().map(move |a| (i, a.clone())))
        .collect()
}

fn ground_path(module: &Module, rule: &Rule) -> Vec<Term> {
    let mut path = module.package.clone();
    for (i, part) in rule.head.reference.iter().enumerate() {
        match &part.value {
            TermValue::Var(v) if i == 0 => path.push(Term::at(TermValue::String(v.clone()), &part.loc)),
            _ if walk::is_scalar(part) => path.push(part.clone()),
            _ => break,
        }
    }
    path
}

/// From the rule outwards: its own blocks, the document's, the package's, those of packages above.
fn chain_of(all: &[(usize, Annotations)], own: &[&Annotations], module: &Module, path: &[Term]) -> Value {
    let mut links = Vec::new();
    if own.is_empty() {
        links.push(Value::record([("path", path_value(path))]));
    }
    let document = text::reference(path);
    let package = text::reference(&module.package);
    let of = |scope: &'static str| all.iter().map(|(_, a)| a).filter(move |a| a.scope == scope);
    let documents = of("document").filter(|a| text::reference(&a.path) == document).take(1);
    let packages = of("package").filter(|a| text::reference(&a.path) == package).take(1);
    let mut above: Vec<&Annotations> = of("subpackages")
        .filter(|a| {
            let prefix = module.package.get(..a.path.len()).unwrap_or_default();
            !prefix.is_empty() && text::reference(prefix) == text::reference(&a.path)
        })
        .collect();
    above.sort_by_key(|a| std::cmp::Reverse(a.path.len()));
    for a in own.iter().copied().chain(documents).chain(packages).chain(above) {
        links.push(Value::record([
            ("annotations", shown(a)),
            ("path", path_value(&a.path)),
        ]));
    }
    Value::array(links)
}

/// A path without its `data`.
fn path_value(path: &[Term]) -> Value {
    let part = |key: Value| match key {
        Value::String(_) => key,
        // As text, whatever it is.
        other => Value::string(crate::value_text::text(&other)),
    };
    Value::array(path.iter().skip(1).filter_map(tree::key).map(part).collect())
}

/// How an item of a list is shown.
type Form = fn(&Value) -> Value;

/// A block as OPA shows it: known fields in their full form, empty ones left out.
fn shown(a: &Annotations) -> Value {
    let mut out = vec![(Value::string("scope"), Value::string(&a.scope))];
    let mut put = |name: &str, value: Value| out.push((Value::string(name), value));
    for name in ["title", "description"] {
        if let Some(s) = a.value.get(name).and_then(Value::as_str).filter(|s| !s.is_empty()) {
            put(name, Value::string(s));
        }
    }
    if a.value.get("entrypoint").and_then(Value::as_bool) == Some(true) {
        put("entrypoint", Value::Bool(true));
    }
    let lists: [(&str, Form); 4] = [
        ("organizations", Value::clone),
        ("related_resources", resource),
        ("authors", author),
        ("schemas", schema),
    ];
    for (name, form) in lists {
        if let Some(items) = a.value.get(name).and_then(Value::as_array).filter(|i| !i.is_empty()) {
            put(name, Value::array(items.iter().map(form).collect()));
        }
    }
    for name in ["custom", "labels"] {
        if let Some(v) = a
            .value
            .get(name)
            .filter(|v| v.as_object().is_some_and(|o| !o.is_empty()))
        {
            put(name, v.clone());
        }
    }
    Value::object(out)
}

fn resource(v: &Value) -> Value {
    match v.as_str() {
        Some(url) => Value::record([("ref", Value::string(url))]),
        None => fields(v, &["ref", "description"]),
    }
}

fn author(v: &Value) -> Value {
    let Some(text) = v.as_str() else {
        return fields(v, &["name", "email"]);
    };
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let email = words.last().and_then(|w| w.strip_prefix('<')?.strip_suffix('>'));
    if email.is_some() {
        words.pop();
    }
    let mut out = Vec::new();
    if !words.is_empty() {
        out.push((Value::string("name"), Value::string(words.join(" "))));
    }
    if let Some(email) = email.filter(|e| !e.is_empty()) {
        out.push((Value::string("email"), Value::string(email)));
    }
    Value::object(out)
}

fn fields(v: &Value, names: &[&str]) -> Value {
    let found = names.iter().filter_map(|n| {
        let value = v.get(n).filter(|v| v.as_str() != Some(""))?;
        Some((Value::string(n), value.clone()))
    });
    Value::object(found.collect())
}

/// `{path: schema}` with both as lists of steps, or a definition in place.
fn schema(v: &Value) -> Value {
    let steps = |s: &str| Value::array(s.split('.').map(Value::string).collect());
    let entry = v.as_object().and_then(|o| o.iter().next());
    let Some((path, of)) = entry else { return v.clone() };
    let path = steps(path.as_str().unwrap_or_default());
    match of.as_str() {
        Some(name) => Value::record([("path", path), ("schema", steps(name))]),
        None => Value::record([("definition", of.clone()), ("path", path)]),
    }
}

fn term_value(v: &Value) -> TermValue {
    let term = |v: &Value| Term::new(term_value(v));
    match v {
        Value::Null => TermValue::Null,
        Value::Bool(b) => TermValue::Bool(*b),
        Value::Number(n) => TermValue::Number(n.clone()),
        Value::String(s) => TermValue::String(s.clone()),
        Value::Array(items) => TermValue::Array(items.iter().map(term).collect()),
        Value::Set(items) => TermValue::Set(items.iter().map(term).collect()),
        Value::Object(entries) => TermValue::Object(entries.iter().map(|(k, v)| (term(k), term(v))).collect()),
    }
}
