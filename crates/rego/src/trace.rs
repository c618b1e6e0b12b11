//! What an evaluation tells of itself: lines reached, what denied and where it looked, where rules failed.
//!
//! Only programs compiled with [`CompileOptions::trace`](crate::CompileOptions) tell anything. Parts of the input are
//! known by where they are in memory: values are shared, never copied, so what a rule holds in a variable is still the
//! node of the input it came from.

use crate::ast::{Expr, ExprKind, Loc, Module, Term, TermValue};
use crate::value::Value;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be told, besides the lines that were reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceOptions<'a> {
    /// The document whose nodes are looked for as the places of answers.
    pub places: Option<&'a Nodes<'a>>,
    /// The document of which it is told what was read.
    pub watched: Option<&'a Nodes<'a>>,
    /// Keep the values of variables.
    pub values: bool,
    /// End the evaluation with an error after so many points; `None`: no such limit. Unlike a time limit it is reached at
    /// the same point every time.
    pub points: Option<u64>,
}

/// What was told.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Rows of expressions that were reached and of heads of rules that held, by file.
    pub rows: BTreeMap<Arc<str>, BTreeSet<u32>>,
    /// Each time a body of the entry's rules held.
    pub answers: Vec<Answer>,
    /// Every body of every rule, in the order of the program.
    pub bodies: Vec<BodyTrace>,
    /// Nodes of the watched document that were read with a value.
    pub read: BTreeSet<Node>,
    /// Nodes of the watched document that were handed to a built-in whole.
    pub handed: BTreeSet<Node>,
}

/// A body of the entry's rules that held.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body, an index of [`Trace::bodies`].
    pub body: usize,
    /// What it gave: the value, or the member of a set.
    pub value: Value,
    /// The node that was read last to decide, of [`TraceOptions::places`].
    pub node: Option<Node>,
    /// Variables as the user calls them, in the order in which they were bound. Empty unless values are kept.
    pub variables: Vec<(String, Value)>,
    /// Where the value was made, when that was not here. Only when values are kept.
    pub origin: Option<Origin>,
}

/// Where a rule or comprehension made a value that others handed on.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The body, an index of [`Trace::bodies`].
    pub body: usize,
    /// The last expression that does more than make the value; of a rule's own body, see [`BodyTrace::decides`].
    pub decides: Option<Loc>,
    /// Variables as the user calls them.
    pub variables: Vec<(String, Value)>,
}

/// A body of a rule, and how far it came.
#[derive(Clone, Debug)]
pub struct BodyTrace {
    /// Path of what it defines, as `data.a.b`.
    pub path: String,
    /// Whether it defines what was asked for.
    pub entry: bool,
    /// `default`.
    pub default: bool,
    /// The whole rule (or `else`).
    pub rule: Loc,
    /// Its head.
    pub head: Loc,
    /// The expression that decides when it holds: the last that does more than make the answer.
    pub decides: Option<Loc>,
    /// How often it began.
    pub entered: u64,
    /// How often it held.
    pub held: u64,
    /// The furthest expression that was reached: where it failed, if it never held. Only when values are kept.
    pub furthest: Option<Reached>,
    /// The furthest expression in a comprehension (or other closure) of that one.
    pub inner: Option<Reached>,
}

/// An expression that was reached, with what it saw.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Its text.
    pub loc: Loc,
    /// Variables bound before, as the user calls them.
    pub variables: Vec<(String, Value)>,
    /// References with their values; `None`: undefined.
    pub references: Vec<(String, Option<Value>)>,
    /// Bodies of the rules and functions it asks, indexes of [`Trace::bodies`].
    pub asks: Vec<usize>,
}

/// A node of a document, by number: parents before children, in order.
pub type Node = u32;

/// The nodes of a document by where they are in memory.
#[derive(Debug)]
pub struct Nodes<'v> {
    by_address: FxHashMap<usize, Node>,
    /// For each node its parent and the step to it.
    steps: Vec<(Node, Step<'v>)>,
    root: &'v Value,
}

#[derive(Clone, Copy, Debug)]
enum Step<'v> {
    Root,
    Key(&'v Value),
    Index(usize),
}

/// Where a value is, as long as it lives.
fn address(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

/// Short strings live in the value itself.
const INLINE: usize = 23;

/// Where the shared content of a value is; `None` for what is copied when it is cloned.
pub(crate) fn content(value: &Value) -> Option<usize> {
    match value {
        Value::Array(a) => Some(Arc::as_ptr(a) as usize),
        Value::Object(o) => Some(Arc::as_ptr(o) as usize),
        Value::Set(s) => Some(Arc::as_ptr(s) as usize),
        Value::String(s) if s.len() > INLINE => Some(s.as_ptr() as usize),
        _ => None,
    }
}

impl<'v> Nodes<'v> {
    /// Of a whole document. What is shared within it is known by its first place.
    pub fn of(root: &'v Value) -> Nodes<'v> {
        let mut nodes = Nodes {
            by_address: FxHashMap::default(),
            steps: Vec::new(),
            root,
        };
        let mut open = vec![(0, Step::Root, root)];
        while let Some((parent, step, value)) = open.pop() {
            let id = nodes.steps.len() as Node;
            nodes.steps.push((parent, step));
            nodes.by_address.entry(address(value)).or_insert(id);
            if let Some(content) = content(value) {
                match nodes.by_address.entry(content) {
                    std::collections::hash_map::Entry::Occupied(_) => continue,
                    std::collections::hash_map::Entry::Vacant(e) => e.insert(id),
                };
            }
            // Pushed in reverse, so that they are taken in order.
            match value {
                Value::Array(items) => {
                    open.extend(items.iter().enumerate().rev().map(|(i, v)| (id, Step::Index(i), v)));
                }
                Value::Object(object) => {
                    open.extend(object.entries().iter().rev().map(|(k, v)| (id, Step::Key(k), v)));
                }
                _ => {}
            }
        }
        nodes
    }

    /// The document.
    pub fn root(&self) -> &'v Value {
        self.root
    }

    /// The node that a value is, or shares its content with.
    pub fn find(&self, value: &Value) -> Option<Node> {
        self.by_address
            .get(&address(value))
            .or_else(|| self.by_address.get(&content(value)?))
            .copied()
    }

    /// Whether a node stands below another.
    pub fn is_below(&self, node: Node, other: Node) -> bool {
        let mut at = node;
        while at > other {
            match self.steps.get(at as usize) {
                Some((parent, _)) => at = *parent,
                None => return false,
            }
        }
        at == other && node != other
    }

    /// Keys and indexes (as decimal text) from the root to a node.
    pub fn path(&self, node: Node) -> Vec<String> {
        let mut out = Vec::new();
        let mut at = node;
        while let Some((parent, step)) = self.steps.get(at as usize) {
            match step {
                Step::Root => break,
                Step::Key(key) => out.push(key.as_str().map_or_else(|| crate::value_text::text(key), str::to_owned)),
                Step::Index(i) => out.push(i.to_string()),
            }
            at = *parent;
        }
        out.reverse();
        out
    }

    /// Every node's path.
    pub fn paths(&self) -> impl Iterator<Item = (Node, Vec<String>)> + use<'_, 'v> {
        (0..self.steps.len() as Node).map(|n| (n, self.path(n)))
    }
}

/// Rows of a module that can be reached: heads of rules and expressions, as `opa eval --coverage` counts them.
pub fn rows(module: &Module) -> BTreeSet<u32> {
    let mut out = BTreeSet::new();
    for rule in &module.rules {
        let mut next = Some(rule);
        while let Some(rule) = next {
            out.insert(rule.head.loc.row);
            let head = &rule.head;
            for t in head
                .args
                .iter()
                .flatten()
                .chain(&head.key)
                .chain(&head.value)
                .chain(&head.reference)
            {
                term_rows(t, &mut out);
            }
            body_rows(&rule.body, &mut out);
            next = rule.else_rule.as_deref();
        }
    }
    out.remove(&0);
    out
}

fn body_rows(body: &[Expr], out: &mut BTreeSet<u32>) {
    for e in body {
        match &e.kind {
            // What declares is reached as something else, if at all.
            ExprKind::Some(terms) => {
                terms.iter().for_each(|t| term_rows(t, out));
                continue;
            }
            ExprKind::Term(t) => term_rows(t, out),
            ExprKind::Call(terms) => terms.iter().for_each(|t| term_rows(t, out)),
            ExprKind::Every(every) => {
                term_rows(&every.domain, out);
                body_rows(&every.body, out);
            }
            ExprKind::Not(inner) => body_rows(inner, out),
        }
        out.insert(e.loc.row);
        e.with.iter().for_each(|w| term_rows(&w.value, out));
    }
}

fn term_rows(t: &Term, out: &mut BTreeSet<u32>) {
    match &t.value {
        TermValue::Ref(ts)
        | TermValue::Array(ts)
        | TermValue::Set(ts)
        | TermValue::Call(ts)
        | TermValue::Template(ts) => {
            ts.iter().for_each(|t| term_rows(t, out));
        }
        TermValue::Object(entries) => {
            for (k, v) in entries {
                term_rows(k, out);
                term_rows(v, out);
            }
        }
        TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
            term_rows(head, out);
            body_rows(body, out);
        }
        TermValue::ObjectCompr(k, v, body) => {
            term_rows(k, out);
            term_rows(v, out);
            body_rows(body, out);
        }
        _ => {}
    }
}
