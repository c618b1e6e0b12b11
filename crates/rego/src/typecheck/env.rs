//! What is known of variables and rules while inferring.

use super::ty::{self, ANY, Array, Maybe, Object, Ty};
use crate::ast::{Expr, Term, TermValue};
use crate::builtins::declared::declared;
use crate::value::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Types of rules by path below `data`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    children: BTreeMap<Value, Tree>,
    value: Maybe,
}

impl Tree {
    /// Adds a definition's type; several definitions are merged.
    ///
    /// What is taken as anything since a definition has an error stays so. (OPA goes through definitions in random order,
    /// and calls a function undefined when one without an error comes after one with.)
    pub(super) fn insert(&mut self, path: &[Value], of: Ty) {
        let of = ty::bounded(of);
        let Some((key, rest)) = path.split_first() else {
            if self.value.as_ref().is_some_and(Ty::is_any) {
                return;
            }
            self.value = ty::merge(self.value.take(), Some(of));
            return;
        };
        self.children.entry(key.clone()).or_default().insert(rest, of);
    }

    /// Sets a type, whatever was there.
    pub(super) fn put(&mut self, path: &[Value], of: Ty) {
        match path.split_first() {
            None => self.value = Some(ty::bounded(of)),
            Some((key, rest)) => self.children.entry(key.clone()).or_default().put(rest, of),
        }
    }

    /// Something, of which nothing is known, lies below a path.
    pub(super) fn reserve(&mut self, path: &[Value]) {
        if let Some((key, rest)) = path.split_first() {
            self.children.entry(key.clone()).or_default().reserve(rest);
        }
    }

    fn is_leaf(&self) -> bool {
        self.value.is_some()
    }

    /// A rule's type with that of the rules below it: keys and values of a partial object that are rules of their own.
    fn with_children(&self, of: &Ty) -> Ty {
        let Ty::Object(object) = of else { return of.clone() };
        let mut object = object.clone();
        for (key, child) in &self.children {
            child.leafs(&mut vec![Some(ty::of_value(key))], &mut |path, of| {
                take_in(&mut object, path, of)
            });
        }
        Ty::Object(object)
    }

    /// The types of the topmost rules here and below, with the types of the keys that lead to them.
    fn leafs(&self, path: &mut Vec<Maybe>, f: &mut impl FnMut(&[Maybe], &Ty)) {
        if let Some(of) = &self.value {
            return f(path, &self.with_children(of));
        }
        for (key, child) in &self.children {
            path.push(Some(ty::of_value(key)));
            child.leafs(path, f);
            path.pop();
        }
    }

    /// The type of everything here: the rule, or an object of what lies below and may be base data as well.
    fn extent(&self) -> Maybe {
        if let Some(of) = &self.value {
            return Some(self.with_children(of));
        }
        // OPA leaves out other keys.
        let known = |k: &Value| matches!(k, Value::String(_) | Value::Number(_) | Value::Bool(_));
        let children = self.children.iter().filter(|(k, _)| known(k));
        let fields = children.map(|(k, c)| (k.clone(), c.extent())).collect();
        Some(Ty::Object(Object {
            rest: Some(Box::new((Some(Ty::String), Some(ANY)))),
            fields,
        }))
    }
}

/// Adds what lies at a path to the open part of an object.
fn take_in(object: &mut Object, path: &[Maybe], of: &Ty) {
    let Some((key, below)) = path.split_first() else { return };
    let value = if below.is_empty() {
        of.clone()
    } else {
        let mut inner = Object {
            rest: None,
            fields: Vec::new(),
        };
        take_in(&mut inner, below, of);
        Ty::Object(inner)
    };
    let rest = match object.rest.take() {
        Some(rest) => (ty::or(rest.0, key.clone()), ty::or(rest.1, Some(value))),
        None => (key.clone(), Some(value)),
    };
    object.rest = Some(Box::new(rest));
}

/// Variables in nested scopes over the rules' types.
pub(super) struct Env<'a> {
    scopes: Vec<Vec<(SmolStr, Ty)>>,
    pub(super) rules: &'a Tree,
    /// Nesting of closures; inference of a closure repeats at each level, so it stops somewhere.
    pub(super) depth: usize,
}

/// Deeper closures are taken as anything.
pub(super) const MAX_DEPTH: usize = 5;

/// A reason why a reference cannot be.
pub(super) enum BadRef {
    /// The part at `position` cannot be what it is.
    Invalid {
        position: usize,
        have: Maybe,
        want: Maybe,
        one_of: Vec<Value>,
    },
    /// What comes before `position + 1` has no parts.
    Unsupported { position: usize, have: Ty },
}

impl<'a> Env<'a> {
    pub(super) fn new(rules: &'a Tree) -> Env<'a> {
        Env {
            scopes: vec![Vec::new()],
            rules,
            depth: 0,
        }
    }

    pub(super) fn push(&mut self) {
        self.scopes.push(Vec::new());
    }

    pub(super) fn pop(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn var(&self, name: &str) -> Option<&Ty> {
        self.scopes
            .iter()
            .rev()
            .flat_map(|s| s.iter().rev())
            .find(|(n, _)| n == name)
            .map(|(_, t)| t)
    }

    pub(super) fn put(&mut self, name: &SmolStr, of: Ty) {
        let of = ty::bounded(of);
        if let Some(scope) = self.scopes.last_mut() {
            match scope.iter_mut().find(|(n, _)| n == name) {
                Some(entry) => entry.1 = of,
                None => scope.push((name.clone(), of)),
            }
        }
    }

    /// The type of a term, with holes where it is not known.
    pub(super) fn of(&mut self, term: &Term) -> Maybe {
        Some(match &term.value {
            TermValue::Null => Ty::Null,
            TermValue::Bool(_) => Ty::Boolean,
            TermValue::Number(_) => Ty::Number,
            TermValue::String(_) | TermValue::Template(_) => Ty::String,
            TermValue::Var(name) => return self.root(name).or_else(|| self.var(name).cloned()),
            TermValue::Array(items) => Ty::Array(Array {
                rest: items.is_empty().then(|| Box::new(ANY)),
                items: items.iter().map(|t| self.of(t)).collect(),
            }),
            TermValue::Object(entries) => {
                let mut fields: Vec<(Value, Maybe)> = Vec::new();
                let mut rest = None;
                for (k, v) in entries {
                    match constant(k) {
                        Some(key) => fields.push((key, self.of(v))),
                        None => rest = Some(Box::new((self.of(k), self.of(v)))),
                    }
                }
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields.dedup_by(|a, b| a.0 == b.0);
                if fields.is_empty() && rest.is_none() {
                    rest = Some(Box::new((Some(ANY), Some(ANY))));
                }
                Ty::Object(Object { rest, fields })
            }
            TermValue::Set(items) => {
                let mut of = None;
                for item in items {
                    let one = self.of(item);
                    of = ty::or(of, one);
                }
                Ty::Set(Some(Box::new(of.unwrap_or(ANY))))
            }
            TermValue::Ref(parts) => return self.of_ref(parts),
            TermValue::Call(_) => return None,
            TermValue::ArrayCompr(head, body) => {
                let of = self.closure(body, |env| env.of(head))?;
                Ty::Array(Array {
                    rest: of.map(Box::new),
                    items: Vec::new(),
                })
            }
            TermValue::SetCompr(head, body) => Ty::Set(self.closure(body, |env| env.of(head))?.map(Box::new)),
            TermValue::ObjectCompr(key, value, body) => {
                let (k, v) = self.closure(body, |env| (env.of(key), env.of(value)))?;
                Ty::map(k, v)
            }
        })
    }

    fn closure<T>(&mut self, body: &[Expr], of: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        self.push();
        let good = super::check_body(self, body, &super::Names::default()).is_empty();
        let found = good.then(|| of(self));
        self.pop();
        self.depth -= 1;
        found
    }

    fn root(&self, name: &str) -> Maybe {
        match name {
            "input" => Some(ANY),
            "data" => self.rules.extent(),
            _ => None,
        }
    }

    fn of_ref(&mut self, parts: &[Term]) -> Maybe {
        let (head, tail) = parts.split_first()?;
        match &head.value {
            TermValue::Var(name) if name == "input" => Some(ANY),
            TermValue::Var(name) if name == "data" => {
                let mut node = self.rules;
                for (i, part) in tail.iter().enumerate() {
                    if node.is_leaf() {
                        if let Some(child) = constant(part).and_then(|k| node.children.get(&k)) {
                            node = child;
                            continue;
                        }
                        return select_all(node.extent(), tail.get(i..)?);
                    }
                    let Some(key) = constant(part) else {
                        return select_all(node.extent(), tail.get(i..)?);
                    };
                    match node.children.get(&key) {
                        Some(child) => node = child,
                        None => return Some(ANY),
                    }
                }
                node.extent()
            }
            TermValue::Var(name) => {
                let of = self.var(name).cloned();
                select_all(of, tail)
            }
            _ => None,
        }
    }

    /// What `with` names: a built-in, or any term.
    pub(super) fn of_target(&mut self, term: &Term) -> Maybe {
        match declared(&super::operator_name(term)) {
            Some(builtin) => Some(ty::declared(&builtin.declared)),
            None => self.of(term),
        }
    }

    /// Checks a reference, and learns the types of variables in its brackets.
    pub(super) fn check_ref(&mut self, parts: &[Term]) -> Result<(), BadRef> {
        let Some((head, tail)) = parts.split_first() else {
            return Ok(());
        };
        match &head.value {
            // Before the first rule nothing is known of it, not even that its keys are strings.
            TermValue::Var(name) if name == "data" && self.rules.children.is_empty() => self.check_steps(ANY, parts, 1),
            TermValue::Var(name) if name == "data" => {
                let mut node = self.rules;
                // While no rule has a type, nothing is known of `data` either.
                if node.value.is_none() && node.children.is_empty() {
                    return self.check_steps(ANY, parts, 1);
                }
                for (i, part) in tail.iter().enumerate() {
                    if node.is_leaf() && !constant(part).is_some_and(|k| node.children.contains_key(&k)) {
                        let of = node.extent().unwrap_or(ANY);
                        return self.check_steps(of, parts, i + 1);
                    }
                    match &part.value {
                        TermValue::Var(name) => {
                            let of = node.extent().as_ref().and_then(ty::keys).unwrap_or(ANY);
                            match self.var(name) {
                                Some(have) if !ty::unifies(Some(&of), Some(have)) => {
                                    return Err(BadRef::Invalid {
                                        position: i + 1,
                                        have: Some(have.clone()),
                                        want: Some(of),
                                        one_of: node.children.keys().cloned().collect(),
                                    });
                                }
                                Some(_) => {}
                                None => self.put(name, of),
                            }
                            // Any child may be meant; what comes after is not checked further.
                            return self.learn(parts, i + 2);
                        }
                        TermValue::String(_) => {}
                        _ if i < 2 => {
                            return Err(BadRef::Invalid {
                                position: i + 1,
                                have: self.of(part),
                                want: Some(Ty::String),
                                one_of: node.children.keys().cloned().collect(),
                            });
                        }
                        _ => {}
                    }
                    match constant(part).and_then(|k| node.children.get(&k)) {
                        Some(child) => node = child,
                        None => return self.learn(parts, i + 2),
                    }
                }
                match &node.value {
                    Some(have @ Ty::Function(_)) => Err(BadRef::Unsupported {
                        position: parts.len() - 1,
                        have: have.clone(),
                    }),
                    _ => Ok(()),
                }
            }
            TermValue::Var(name) if name == "input" => self.check_steps(ANY, parts, 1),
            TermValue::Var(name) => {
                let known = self.var(name).cloned();
                if known.is_none() {
                    // An argument that the body says nothing else about.
                    self.put(name, ANY);
                }
                self.check_steps(known.unwrap_or(ANY), parts, 1)
            }
            // `1[x]`, of `some x in 1`.
            _ => self.check_steps(ANY, parts, 1),
        }
    }

    /// Variables in the brackets from a place on may be anything.
    fn learn(&mut self, parts: &[Term], from: usize) -> Result<(), BadRef> {
        match parts.get(from..) {
            Some(rest) if !rest.is_empty() => self.check_steps(ANY, parts, from),
            _ => Ok(()),
        }
    }

    fn check_steps(&mut self, mut of: Ty, parts: &[Term], from: usize) -> Result<(), BadRef> {
        for (i, part) in parts.iter().enumerate().skip(from) {
            let Some(keys) = ty::keys(&of) else {
                return Err(BadRef::Unsupported {
                    position: i - 1,
                    have: of,
                });
            };
            let next = match &part.value {
                TermValue::Var(name) => {
                    match self.var(name) {
                        Some(have) if !ty::unifies(Some(have), Some(&keys)) => {
                            return Err(BadRef::Invalid {
                                position: i,
                                have: Some(have.clone()),
                                want: Some(keys),
                                one_of: one_of(&of),
                            });
                        }
                        Some(_) => {}
                        None => self.put(name, keys),
                    }
                    ty::values(&of)
                }
                TermValue::Array(_) | TermValue::Object(_) | TermValue::Set(_) => {
                    if !super::unify::with_type(self, part, &keys, false) {
                        return Err(BadRef::Invalid {
                            position: i,
                            have: self.of(part),
                            want: Some(keys),
                            one_of: Vec::new(),
                        });
                    }
                    ty::values(&of)
                }
                _ => match constant(part) {
                    Some(key) => match ty::select(&of, &key) {
                        Some(next) => Some(next),
                        None => {
                            return Err(BadRef::Invalid {
                                position: i,
                                have: None,
                                want: Some(keys),
                                one_of: one_of(&of),
                            });
                        }
                    },
                    None => ty::values(&of),
                },
            };
            // What is not known may be anything.
            of = next.unwrap_or(ANY);
        }
        Ok(())
    }
}

fn one_of(of: &Ty) -> Vec<Value> {
    let mut all = match of {
        Ty::Object(o) => o.fields.iter().map(|(k, _)| k.clone()).collect(),
        Ty::Any(of) => of.iter().flat_map(one_of).collect(),
        _ => Vec::new(),
    };
    all.sort();
    all.dedup();
    all
}

fn select_all(of: Maybe, tail: &[Term]) -> Maybe {
    let mut of = of?;
    for part in tail {
        of = match constant(part) {
            Some(key) => ty::select(&of, &key)?,
            None => ty::values(&of)?,
        };
    }
    Some(of)
}

/// The value of a term without variables, references and calls.
pub(super) fn ground(term: &Term) -> Option<Value> {
    let all = |items: &[Term]| items.iter().map(ground).collect::<Option<Vec<Value>>>();
    match &term.value {
        TermValue::Array(items) => Some(Value::array(all(items)?)),
        TermValue::Set(items) => Some(Value::set(all(items)?)),
        TermValue::Object(entries) => {
            let pair = |(k, v): &(Term, Term)| Some((ground(k)?, ground(v)?));
            Some(Value::object(entries.iter().map(pair).collect::<Option<Vec<_>>>()?))
        }
        _ => constant(term),
    }
}

/// The value of a scalar term; composite keys are left to iteration.
pub(super) fn constant(term: &Term) -> Option<Value> {
    match &term.value {
        TermValue::Null => Some(Value::Null),
        TermValue::Bool(b) => Some(Value::Bool(*b)),
        TermValue::Number(n) => Some(Value::Number(n.clone())),
        TermValue::String(s) => Some(Value::String(s.clone())),
        _ => None,
    }
}
