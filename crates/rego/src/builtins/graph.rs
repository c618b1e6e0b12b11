//! `graph.*`: what can be reached.

use super::operand::{must_be, object};
use super::{Answer, Failure, Host, Table};
use crate::value::{Object, Value};
use std::collections::BTreeSet;

pub(crate) const TABLE: Table = &[
    ("graph.reachable", reachable),
    ("graph.reachable_paths", reachable_paths),
];

/// Longer paths than this are refused rather than followed.
const DEPTH: usize = 1000;

fn neighbours(edges: &Value) -> &[Value] {
    match edges {
        Value::Array(a) => a,
        Value::Set(s) => s.items(),
        _ => &[],
    }
}

fn initial<'a>(args: &[&'a Value]) -> Result<&'a [Value], Failure> {
    match args.get(1) {
        Some(v @ (Value::Array(_) | Value::Set(_))) => Ok(neighbours(v)),
        other => Err(must_be(2, "{array, set}", other.unwrap_or(&&Value::Null))),
    }
}

fn reachable(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let graph = object(args, 1)?;
    let mut todo: Vec<&Value> = initial(args)?.iter().collect();
    let mut reached: BTreeSet<&Value> = BTreeSet::new();
    while let Some(node) = todo.pop() {
        let Some(edges) = graph.get(node) else { continue };
        if !reached.insert(node) {
            continue;
        }
        let next = neighbours(edges);
        host.charge(64 + next.len() * 8)?;
        todo.extend(next.iter().filter(|n| !reached.contains(n)));
    }
    Ok(Some(Value::set(reached.into_iter().cloned().collect())))
}

/// A walk over all paths without a cycle; a path ends at a node without edges, before a node that is none of the
/// graph's, and before a node that is on the path.
struct Walk<'a, 'h> {
    graph: &'a Object,
    host: &'h mut dyn Host,
    path: Vec<&'a Value>,
    found: Vec<Value>,
}

impl<'a> Walk<'a, '_> {
    fn commit(&mut self) -> Result<(), Failure> {
        self.host.charge(self.path.len() * 32 + 64)?;
        self.found
            .push(Value::array(self.path.iter().map(|v| (*v).clone()).collect()));
        Ok(())
    }

    /// Every path from here on; own stack, for paths are as long as input makes them.
    fn from(&mut self, root: &'a Value, edges: &'a Value) -> Result<(), Failure> {
        if neighbours(edges).is_empty() {
            self.path.push(root);
            self.commit()?;
            self.path.pop();
            return Ok(());
        }
        let mut stack = vec![neighbours(edges).iter()];
        self.path.push(root);
        while let Some(level) = stack.last_mut() {
            let Some(node) = level.next() else {
                stack.pop();
                self.path.pop();
                continue;
            };
            self.host.charge(self.path.len() + 8)?;
            // OPA does not look for the cycle of a node with itself at the first step.
            if self.path.len() > 1 && self.path.contains(&node) {
                self.commit()?;
                continue;
            }
            let Some(edges) = self.graph.get(node) else {
                self.commit()?;
                continue;
            };
            if self.path.len() > DEPTH {
                return Err(super::operand::too_large("path in a graph"));
            }
            self.path.push(node);
            if neighbours(edges).is_empty() {
                self.commit()?;
                self.path.pop();
            } else {
                stack.push(neighbours(edges).iter());
            }
        }
        self.path.clear();
        Ok(())
    }
}

fn reachable_paths(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let graph = object(args, 1)?;
    let roots = initial(args)?;
    let mut walk = Walk {
        graph,
        host,
        path: Vec::new(),
        found: Vec::new(),
    };
    for root in roots {
        if let Some(edges) = graph.get(root) {
            walk.from(root, edges)?;
        }
    }
    Ok(Some(Value::set(walk.found)))
}
