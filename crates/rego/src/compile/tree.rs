//! All rules by path: who defines what, which rules a ref can mean, and the arity of functions.

use super::walk::{self, is_scalar};
use crate::ast::{Loc, Module, Term, TermValue};
use crate::value::Value;
use std::collections::BTreeMap;

/// What the stages ask about a rule (its `else` chain included).
#[derive(Debug)]
pub(super) struct RuleInfo {
    /// Module and rule by place.
    pub(super) module: usize,
    pub(super) rule: usize,
    /// Package and reference.
    pub(super) path: Vec<Term>,
    /// How many parts stand before the first variable.
    pub(super) ground: usize,
    /// Number of arguments; 0 for what is no function.
    pub(super) args: usize,
    /// A partial set.
    pub(super) multi: bool,
    pub(super) default: bool,
    pub(super) loc: Loc,
    /// Number of the first definition of the chain among all definitions.
    pub(super) first: usize,
    /// Definitions in the chain.
    pub(super) chain: usize,
    /// One value whatever the input.
    pub(super) constant: bool,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) children: BTreeMap<Value, usize>,
    pub(super) rules: Vec<usize>,
    /// A package without rules, or with, ends here.
    pub(super) package: bool,
}

/// The tree; node 0 is the root, its only child `data`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) rules: Vec<RuleInfo>,
    /// Definitions in all chains.
    pub(super) definitions: usize,
}

/// A part of a ref as a key; `None` for what is not known before evaluation.
pub(super) fn key(t: &Term) -> Option<Value> {
    Some(match &t.value {
        TermValue::Null => Value::Null,
        TermValue::Bool(b) => Value::Bool(*b),
        TermValue::Number(n) => Value::Number(n.clone()),
        TermValue::String(s) => Value::String(s.clone()),
        _ => return None,
    })
}

fn root_key(t: &Term) -> Option<Value> {
    match &t.value {
        TermValue::Var(v) if v == "data" => Some(Value::string("data")),
        _ => None,
    }
}

impl Tree {
    pub(super) fn new(modules: &[Module]) -> Tree {
        let mut tree = Tree::default();
        tree.nodes.push(Node::default());
        for (m, module) in modules.iter().enumerate() {
            let at = tree.make(&module.package);
            if let Some(node) = tree.nodes.get_mut(at) {
                node.package = true;
            }
            for (r, rule) in module.rules.iter().enumerate() {
                let path: Vec<Term> = module
                    .package
                    .iter()
                    .cloned()
                    .chain(rule.head.reference.iter().enumerate().map(|(i, t)| match &t.value {
                        TermValue::Var(v) if i == 0 => Term::at(TermValue::String(v.clone()), &t.loc),
                        _ => t.clone(),
                    }))
                    .collect();
                let ground = path.iter().skip(1).take_while(|t| is_scalar(t)).count() + 1;
                let at = tree.make(path.get(..ground).unwrap_or_default());
                let chain = walk::chain(rule).count();
                let index = tree.rules.len();
                tree.rules.push(RuleInfo {
                    module: m,
                    rule: r,
                    path,
                    ground,
                    args: rule.head.args.as_ref().map_or(0, Vec::len),
                    multi: rule.head.value.is_none(),
                    default: rule.default,
                    loc: rule.loc.clone(),
                    first: tree.definitions,
                    chain,
                    constant: is_constant(rule),
                });
                tree.definitions += chain;
                if let Some(node) = tree.nodes.get_mut(at) {
                    node.rules.push(index);
                }
            }
        }
        tree
    }

    fn make(&mut self, path: &[Term]) -> usize {
        let mut at = 0;
        for (i, part) in path.iter().enumerate() {
            let Some(key) = (if i == 0 { root_key(part) } else { key(part) }) else {
                return at;
            };
            let new = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return at };
            at = *node.children.entry(key).or_insert(new);
            if at == new {
                self.nodes.push(Node::default());
            }
        }
        at
    }

    pub(super) fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    pub(super) fn child(&self, at: usize, part: &Term) -> Option<usize> {
        let key = if at == 0 { root_key(part)? } else { key(part)? };
        self.node(at)?.children.get(&key).copied()
    }

    /// The node of exactly that path.
    pub(super) fn find(&self, path: &[Term]) -> Option<usize> {
        let mut at = 0;
        for part in path {
            at = self.child(at, part)?;
        }
        Some(at)
    }

    /// Rules of a node.
    pub(super) fn rules_at(&self, at: usize) -> impl Iterator<Item = &RuleInfo> + Clone {
        self.node(at)
            .map(|n| n.rules.as_slice())
            .unwrap_or_default()
            .iter()
            .filter_map(|r| self.rules.get(*r))
    }

    /// Rules of exactly that path.
    pub(super) fn exact(&self, path: &[Term]) -> impl Iterator<Item = &RuleInfo> + Clone {
        self.find(path).into_iter().flat_map(|at| self.rules_at(at))
    }

    /// Every rule a ref can reach, by index.
    pub(super) fn reachable(&self, path: &[Term], out: &mut Vec<usize>) {
        let mut level = vec![0];
        for (i, part) in path.iter().enumerate() {
            let mut next = Vec::new();
            let dynamic = i > 0 && key(part).is_none() && !is_constant_literal(part);
            for at in level {
                if dynamic {
                    next.extend(self.node(at).iter().flat_map(|n| n.children.values().copied()));
                } else {
                    next.extend(self.child(at, part));
                }
            }
            for at in &next {
                out.extend(self.node(*at).iter().flat_map(|n| &n.rules));
            }
            level = next;
        }
        while let Some(at) = level.pop() {
            if let Some(n) = self.node(at) {
                out.extend(&n.rules);
                level.extend(n.children.values());
            }
        }
        out.sort_unstable();
        out.dedup();
    }

    /// A rule that surely has a value (or is a partial set), so that a template need not guard against undefined.
    pub(super) fn surely_defined(&self, path: &[Term]) -> bool {
        let Some(at) = self.find(path) else { return false };
        let mut rules = self.rules_at(at);
        let Some(first) = rules.next() else { return false };
        if first.args > 0 {
            return false;
        }
        if first.default || first.multi {
            return true;
        }
        match rules.clone().next() {
            None => first.constant,
            Some(_) => rules.any(|r| r.default),
        }
    }
}

fn is_constant_literal(t: &Term) -> bool {
    match &t.value {
        TermValue::Array(items) | TermValue::Set(items) => items.iter().all(|t| is_scalar(t) || is_constant_literal(t)),
        TermValue::Object(entries) => entries
            .iter()
            .all(|(k, v)| [k, v].iter().all(|t| is_scalar(t) || is_constant_literal(t))),
        _ => false,
    }
}

fn is_constant(rule: &crate::ast::Rule) -> bool {
    let Some(value) = &rule.head.value else { return false };
    super::rewrite::is_true(&rule.body)
        && (is_scalar(value) || matches!(value.value, TermValue::Var(_)) || is_constant_literal(value))
}
