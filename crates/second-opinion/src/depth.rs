//! How deep an evaluation of a program can recurse in regorus, bounded before it is asked.
//!
//! regorus recurses for every rule that another needs, and within a body for what iterates. So a program's weight is the
//! longest chain of rules, each with the number of its expressions.

use crate::not_asked::reason;
use regent_rego::ast::{Expr, ExprKind, Rule, Term, TermValue, With};
use regent_rego::compile::{Compiled, rule_path};
use std::collections::BTreeMap;

/// The weight that is let through: estimated, not measured, to need well less stack than [`crate::STACK`].
pub(crate) const WEIGHT: usize = 3_000;

/// Rules of one path.
#[derive(Default)]
struct Group {
    /// Expressions of its largest rule.
    own: usize,
    /// Paths it refers to, as far as they are known.
    reads: Vec<Vec<String>>,
}

/// Refuses what could overflow the stack.
///
/// # Errors
/// The reason.
pub(crate) fn check(compiled: &Compiled) -> Result<(), String> {
    let mut groups: BTreeMap<Vec<String>, Group> = BTreeMap::new();
    for module in &compiled.modules {
        for rule in &module.rules {
            let group = groups.entry(rule_path(module, rule)).or_default();
            let mut own = 0;
            let mut next = Some(rule);
            while let Some(rule) = next {
                own += 1 + head(rule, &mut group.reads) + body(&rule.body, &mut group.reads);
                next = rule.else_rule.as_deref();
            }
            group.own = group.own.max(own);
        }
    }
    for (i, query) in compiled.queries.iter().enumerate() {
        let group = groups
            .entry(vec![crate::text::QUERIES.to_owned(), i.to_string()])
            .or_default();
        group.own = 1 + body(&query.body, &mut group.reads);
    }
    let heaviest = heaviest(&groups);
    if heaviest > WEIGHT {
        return Err(reason(
            "depth",
            &format!("rules of {heaviest} expressions in one another, more than {WEIGHT}"),
        ));
    }
    Ok(())
}

/// The weight of the heaviest chain. What goes in a circle weighs more than any limit.
fn heaviest(groups: &BTreeMap<Vec<String>, Group>) -> usize {
    let names: Vec<&Vec<String>> = groups.keys().collect();
    let at = |path: &[String]| names.binary_search_by(|n| n.as_slice().cmp(path));
    let needs: Vec<Vec<usize>> = groups
        .values()
        .map(|group| {
            let mut out = Vec::new();
            for path in &group.reads {
                // Rules above or at the path, then all below it.
                for length in 1..=path.len() {
                    out.extend(path.get(..length).and_then(|p| at(p).ok()));
                }
                let first = names.partition_point(|n| n.as_slice() < path.as_slice());
                let below = names
                    .iter()
                    .enumerate()
                    .skip(first)
                    .take_while(|(_, n)| n.starts_with(path));
                out.extend(below.map(|(i, _)| i));
            }
            out.sort_unstable();
            out.dedup();
            out
        })
        .collect();
    let own: Vec<usize> = groups.values().map(|g| g.own).collect();
    // `None`: not seen; `Some(None)`: open; `Some(Some(weight))`: done.
    let mut state: Vec<Option<Option<usize>>> = vec![None; own.len()];
    let mut worst = 0;
    for start in 0..own.len() {
        let mut open = vec![(start, 0usize, 0usize)];
        while let Some((node, next, below)) = open.pop() {
            if next == 0 {
                match state.get(node).copied().flatten() {
                    Some(Some(weight)) => {
                        give(&mut open, weight);
                        continue;
                    }
                    Some(None) => return usize::MAX,
                    None => set(&mut state, node, None),
                }
            }
            match needs.get(node).and_then(|n| n.get(next)) {
                Some(child) => {
                    open.push((node, next + 1, below));
                    open.push((*child, 0, 0));
                }
                None => {
                    let weight = below.saturating_add(own.get(node).copied().unwrap_or_default());
                    set(&mut state, node, Some(weight));
                    worst = worst.max(weight);
                    give(&mut open, weight);
                }
            }
        }
    }
    worst
}

fn set(state: &mut [Option<Option<usize>>], node: usize, to: Option<usize>) {
    if let Some(place) = state.get_mut(node) {
        *place = Some(to);
    }
}

fn give(open: &mut [(usize, usize, usize)], weight: usize) {
    if let Some(parent) = open.last_mut() {
        parent.2 = parent.2.max(weight);
    }
}

fn head(rule: &Rule, reads: &mut Vec<Vec<String>>) -> usize {
    let head = &rule.head;
    let terms = head.reference.iter().skip(1).chain(head.args.iter().flatten());
    terms.chain(&head.key).chain(&head.value).map(|t| term(t, reads)).sum()
}

fn body(exprs: &[Expr], reads: &mut Vec<Vec<String>>) -> usize {
    exprs.iter().map(|e| expr(e, reads)).sum()
}

fn expr(e: &Expr, reads: &mut Vec<Vec<String>>) -> usize {
    let inner = match &e.kind {
        ExprKind::Term(t) => term(t, reads),
        ExprKind::Call(terms) | ExprKind::Some(terms) => terms.iter().map(|t| term(t, reads)).sum(),
        ExprKind::Every(every) => term(&every.domain, reads) + body(&every.body, reads),
        ExprKind::Not(inner) => body(inner, reads),
    };
    let with = |w: &With, reads: &mut Vec<Vec<String>>| term(&w.value, reads);
    1 + inner + e.with.iter().map(|w| with(w, reads)).sum::<usize>()
}

fn term(t: &Term, reads: &mut Vec<Vec<String>>) -> usize {
    match &t.value {
        TermValue::Ref(parts) => {
            if matches!(parts.first().map(|p| &p.value), Some(TermValue::Var(v)) if v == "data") {
                let known = parts.iter().skip(1).map_while(|p| match &p.value {
                    TermValue::String(s) => Some(s.to_string()),
                    _ => None,
                });
                reads.push(known.collect());
            }
            parts.iter().skip(1).map(|p| term(p, reads)).sum()
        }
        TermValue::Array(items) | TermValue::Set(items) | TermValue::Call(items) | TermValue::Template(items) => {
            items.iter().map(|t| term(t, reads)).sum()
        }
        TermValue::Object(entries) => entries.iter().map(|(k, v)| term(k, reads) + term(v, reads)).sum(),
        TermValue::ArrayCompr(t, b) | TermValue::SetCompr(t, b) => term(t, reads) + body(b, reads),
        TermValue::ObjectCompr(k, v, b) => term(k, reads) + term(v, reads) + body(b, reads),
        _ => 0,
    }
}
