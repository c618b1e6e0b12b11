//! The document tree: which rules make the document at which path.

use super::ops::{DocId, Kind, Node, NodeId};
use crate::ast::{Rule, Term, TermValue};
use crate::compile::Compiled;
use crate::value::Value;

/// The tree and the rules of each document.
pub(super) struct Tree<'m> {
    pub(crate) nodes: Vec<Node>,
    pub(crate) groups: Vec<Group<'m>>,
}

/// The rules that make one document.
pub(super) struct Group<'m> {
    pub(crate) kind: Kind,
    pub(crate) path: Vec<Value>,
    pub(crate) rules: Vec<Member<'m>>,
}

/// A rule and where the rest of its reference begins, below the document.
pub(super) struct Member<'m> {
    pub(crate) rule: &'m Rule,
    /// How many parts of `head.reference` lie at or above the document; fewer than one for documents made of the
    /// rules of several paths, where `above` holds what is missing.
    pub(crate) suffix: Vec<&'m Term>,
    /// Constant keys between the document and the suffix.
    pub(crate) below: Vec<Value>,
}

/// The value of a scalar term.
pub(super) fn scalar(t: &Term) -> Option<Value> {
    Some(match &t.value {
        TermValue::Null => Value::Null,
        TermValue::Bool(b) => Value::Bool(*b),
        TermValue::Number(n) => Value::Number(n.clone()),
        TermValue::String(s) => Value::String(s.clone()),
        _ => return None,
    })
}

impl<'m> Tree<'m> {
    /// The node at a path, made if needed.
    fn node(&mut self, path: &[Value]) -> NodeId {
        let mut at: NodeId = 0;
        for (i, key) in path.iter().enumerate() {
            let Some(node) = self.nodes.get(at as usize) else {
                return 0;
            };
            at = match node.child(key) {
                Some(id) => id,
                None => {
                    let id = self.nodes.len() as NodeId;
                    self.nodes.push(Node {
                        path: path.iter().take(i + 1).cloned().collect(),
                        ..Node::default()
                    });
                    if let Some(node) = self.nodes.get_mut(at as usize) {
                        node.children.push((key.clone(), id));
                        node.children.sort_by(|a, b| a.0.cmp(&b.0));
                    }
                    id
                }
            };
        }
        at
    }

    /// A node by number.
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    /// The function or document at exactly a path.
    pub(crate) fn doc_at(&self, path: &[Value]) -> Option<DocId> {
        let mut at: NodeId = 0;
        for key in path {
            at = self.get(at)?.child(key)?;
        }
        self.get(at)?.doc
    }
}

/// Groups the rules of all modules.
pub(super) fn build(compiled: &Compiled) -> Tree<'_> {
    let mut tree = Tree {
        nodes: vec![Node::default()],
        groups: Vec::new(),
    };
    let mut members: Vec<(NodeId, Member<'_>)> = Vec::new();
    for module in &compiled.modules {
        let package: Vec<Value> = module.package.iter().skip(1).filter_map(scalar).collect();
        tree.node(&package);
        for rule in &module.rules {
            let mut path = package.clone();
            let mut suffix = Vec::new();
            for (i, part) in rule.head.reference.iter().enumerate() {
                match &part.value {
                    TermValue::Var(name) if i == 0 => path.push(Value::String(name.clone())),
                    _ if suffix.is_empty() => match scalar(part) {
                        Some(v) => path.push(v),
                        None => suffix.push(part),
                    },
                    _ => suffix.push(part),
                }
            }
            let node = tree.node(&path);
            members.push((
                node,
                Member {
                    rule,
                    suffix,
                    below: Vec::new(),
                },
            ));
        }
    }
    // A document with keys that are only known when running takes in the rules of the paths below it.
    let mut order: Vec<NodeId> = Vec::new();
    for (node, _) in &members {
        if !order.contains(node) {
            order.push(*node);
        }
    }
    let open: Vec<NodeId> = members
        .iter()
        .filter(|(_, m)| !m.suffix.is_empty())
        .map(|(n, _)| *n)
        .collect();
    let mut swallowed: Vec<(NodeId, NodeId)> = Vec::new();
    for id in &order {
        let Some(path) = tree.get(*id).map(|n| n.path.clone()) else {
            continue;
        };
        let owner = open
            .iter()
            .filter(|o| **o != *id)
            .filter_map(|o| tree.get(*o).map(|n| (*o, n.path.len(), path.starts_with(&n.path))))
            .filter(|(_, _, below)| *below)
            .min_by_key(|(_, len, _)| *len);
        if let Some((owner, ..)) = owner {
            swallowed.push((*id, owner));
        }
    }
    for id in order.iter().filter(|id| !swallowed.iter().any(|s| s.0 == **id)) {
        let Some(path) = tree.get(*id).map(|n| n.path.clone()) else {
            continue;
        };
        let mut rules = Vec::new();
        let mut rest = Vec::new();
        for (node, member) in members.drain(..) {
            let below = swallowed.iter().any(|s| s.0 == node && s.1 == *id);
            if node == *id {
                rules.push(member);
            } else if below {
                let keys = tree
                    .get(node)
                    .map(|n| n.path.iter().skip(path.len()).cloned().collect())
                    .unwrap_or_default();
                rules.push(Member { below: keys, ..member });
            } else {
                rest.push((node, member));
            }
        }
        members = rest;
        let kind = kind(&rules);
        let doc = tree.groups.len() as DocId;
        tree.groups.push(Group { kind, path, rules });
        if let Some(node) = tree.nodes.get_mut(*id as usize) {
            node.doc = Some(doc);
        }
    }
    tree
}

/// What the rules of one document make.
fn kind(rules: &[Member<'_>]) -> Kind {
    // `f() = 1` of v0 is an ordinary rule.
    let function = |m: &Member<'_>| m.rule.head.args.as_ref().is_some_and(|a| !a.is_empty());
    if rules.iter().any(function) {
        return Kind::Function;
    }
    let deep = |m: &Member<'_>| m.suffix.len() + m.below.len();
    if rules.iter().all(|m| deep(m) == 0) {
        return if rules.iter().any(|m| m.rule.head.key.is_some()) {
            Kind::Set
        } else {
            Kind::Complete
        };
    }
    if rules.iter().all(|m| deep(m) == 1 && m.rule.head.key.is_none()) {
        return Kind::Object;
    }
    Kind::Nested
}
