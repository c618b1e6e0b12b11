//! The document tree: which rules make the document at which path.

use super::ops::{DocId, Kind, Node, NodeId};
use crate::ast::{Rule, Term, TermValue};
use crate::compile::Compiled;
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};

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
                        let place = node.children.partition_point(|c| c.0 < *key);
                        node.children.insert(place, (key.clone(), id));
                    }
                    id
                }
            };
        }
        at
    }

    /// The document that a node's rules are part of: the highest open one on the way there, or itself.
    fn owner(&self, node: NodeId, open: &FxHashSet<NodeId>) -> NodeId {
        let mut at: NodeId = 0;
        for key in self.get(node).map_or(&[][..], |n| &n.path) {
            match self.get(at).and_then(|n| n.child(key)) {
                Some(id) if open.contains(&id) => return id,
                Some(id) => at = id,
                None => break,
            }
        }
        node
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
    let open: FxHashSet<NodeId> = members
        .iter()
        .filter(|(_, m)| !m.suffix.is_empty())
        .map(|(n, _)| *n)
        .collect();
    let mut at: FxHashMap<NodeId, usize> = FxHashMap::default();
    let mut documents: Vec<(NodeId, Vec<Member<'_>>)> = Vec::new();
    for (node, mut member) in members {
        let owner = tree.owner(node, &open);
        if owner != node {
            let depth = tree.get(owner).map_or(0, |n| n.path.len());
            let path = tree.get(node).map_or(&[][..], |n| &n.path);
            member.below = path.iter().skip(depth).cloned().collect();
        }
        let place = *at.entry(owner).or_insert_with(|| {
            documents.push((owner, Vec::new()));
            documents.len() - 1
        });
        if let Some((_, rules)) = documents.get_mut(place) {
            rules.push(member);
        }
    }
    for (id, rules) in documents {
        let kind = kind(&rules);
        let doc = tree.groups.len() as DocId;
        let Some(node) = tree.nodes.get_mut(id as usize) else {
            continue;
        };
        node.doc = Some(doc);
        let path = node.path.clone();
        tree.groups.push(Group { kind, path, rules });
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
