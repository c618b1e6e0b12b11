//! `graph.reachable` and `graph.reachable_paths` over objects from node to neighbours.

use super::operand::{any, must_be, object};
use super::{Answer, Failure, Host, Table};
use crate::value::{Object, Value};
use rustc_hash::FxHashSet;

pub(crate) const TABLE: Table = &[
    ("graph.reachable", reachable),
    ("graph.reachable_paths", reachable_paths),
];

/// The neighbours that an array or a set names; nothing else has any.
fn neighbours(edges: &Value) -> &[Value] {
    match edges {
        Value::Array(a) => a,
        Value::Set(s) => s.items(),
        _ => &[],
    }
}

fn operands<'a>(args: &[&'a Value]) -> Result<(&'a Object, &'a [Value]), Failure> {
    let graph = object(args, 1)?;
    match any(args, 2)? {
        first @ (Value::Array(_) | Value::Set(_)) => Ok((graph, neighbours(first))),
        other => Err(must_be(2, "{array, set}", other)),
    }
}

fn reachable(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (graph, first) = operands(args)?;
    let mut open: Vec<&Value> = first.iter().collect();
    let mut reached: FxHashSet<&Value> = FxHashSet::default();
    while let Some(node) = open.pop() {
        let Some(edges) = graph.get(node) else { continue };
        if !reached.insert(node) {
            continue;
        }
        let next = neighbours(edges);
        host.charge(next.len().saturating_add(4).saturating_mul(size_of::<Value>()))?;
        open.extend(next);
    }
    Ok(Some(Value::set(reached.into_iter().cloned().collect())))
}

fn reachable_paths(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (graph, first) = operands(args)?;
    let mut found = Vec::new();
    // Paths to go on with, and the node that comes next; a stack of its own, not of calls.
    let mut open: Vec<(Vec<&Value>, &Value)> = Vec::new();
    for root in first {
        let Some(edges) = graph.get(root) else { continue };
        let next = neighbours(edges);
        if next.is_empty() {
            found.push(Value::array(vec![root.clone()]));
        }
        open.extend(next.iter().map(|n| (vec![root], n)));
        while let Some((mut path, node)) = open.pop() {
            // The number of paths grows without bound in the number of edges.
            host.charge((path.len() + 4).saturating_mul(size_of::<Value>()))?;
            let done = |path: &[&Value]| Value::array(path.iter().map(|v| (*v).clone()).collect());
            let Some(edges) = graph.get(node) else {
                found.push(done(&path));
                continue;
            };
            path.push(node);
            let next = neighbours(edges);
            if next.is_empty() {
                found.push(done(&path));
            }
            for neighbour in next {
                if path.contains(&neighbour) {
                    found.push(done(&path));
                } else {
                    host.charge((path.len() + 4).saturating_mul(size_of::<&Value>()))?;
                    open.push((path.clone(), neighbour));
                }
            }
        }
    }
    Ok(Some(Value::set(found)))
}
