//! What is refused whatever the values: conflicts, unknown functions, wrong arity, recursion, void and deprecated
//! built-ins, and what Regent does not run.

use super::walk::{self, Node};
use super::{Arity, Compiler, builtin_name, resolve, text};
use crate::ast::{Expr, ExprKind, Loc, Module, Term, TermValue};
use crate::builtins;
use crate::error::{Code, Error};
use rustc_hash::FxHashMap;

impl Compiler<'_> {
    fn each_module(&mut self, mut f: impl FnMut(&mut Self, &Module) -> Vec<Error>) {
        let modules = std::mem::take(&mut self.modules);
        for m in &modules {
            let errors = f(self, m);
            self.add(errors);
        }
        self.modules = modules;
    }

    pub(super) fn check_void_calls(&mut self) {
        self.each_module(|c, m| {
            let mut errors = Vec::new();
            for rule in m.rules.iter().flat_map(walk::chain) {
                walk::rule(rule, &mut |n| {
                    c.void_call(n, &mut errors);
                    false
                });
            }
            errors
        });
    }

    pub(super) fn void_call(&self, n: Node<'_>, errors: &mut Vec<Error>) {
        if let Node::Term(t) = n
            && let TermValue::Call(terms) = &t.value
            && terms
                .first()
                .and_then(|op| self.builtin(op))
                .is_some_and(|b| b.is_void())
        {
            errors.push(Error::new(
                Code::Type,
                &t.loc,
                format!("{} used as value", text::term(t)),
            ));
        }
    }

    pub(super) fn check_functions(&mut self) {
        self.each_module(|c, m| {
            let mut errors = Vec::new();
            for rule in m.rules.iter().flat_map(walk::chain) {
                walk::rule(rule, &mut |n| c.undefined_function(n, &mut errors));
            }
            errors
        });
    }

    /// Calls of what does not exist, or with the wrong number of arguments; `true` for those.
    pub(super) fn undefined_function(&self, n: Node<'_>, errors: &mut Vec<Error>) -> bool {
        let Node::Expr(e) = n else { return false };
        let ExprKind::Call(terms) = &e.kind else { return false };
        let Some((operator, operands)) = terms.split_first() else {
            return false;
        };
        let Some(arity) = self.arity(operator) else {
            errors.push(Error::new(
                Code::Type,
                &e.loc,
                format!("undefined function {}", self.written(operator)),
            ));
            return true;
        };
        let is_eq = walk::is_operator(terms, "eq");
        let given = operands.len();
        let (wrong, count) = if e.generated {
            (!is_eq && given != arity + 1, given.saturating_sub(1))
        } else {
            (given != arity && given != arity + 1, given)
        };
        if wrong {
            let message = self.arity_message(operator, operands, arity, count);
            errors.push(Error::new(Code::Type, &e.loc, message));
        }
        wrong
    }

    fn arity_message(&self, operator: &Term, operands: &[Term], arity: usize, given: usize) -> String {
        let name = self.written(operator);
        if let Some(b) = self.builtin(operator)
            && let crate::types::Type::Function(args, ..) = &b.declared
        {
            let have: Vec<String> = operands.iter().map(|t| literal_type(t).to_string()).collect();
            let want: Vec<String> = args.iter().map(|t| t.to_string()).collect();
            return format!(
                "{name}: arity mismatch\n\thave: ({})\n\twant: ({})",
                have.join(", "),
                want.join(", ")
            );
        }
        let s = if given == 1 { "" } else { "s" };
        format!("function {name} has arity {arity}, got {given} argument{s}")
    }

    /// A ref with variables as they were written.
    pub(super) fn written(&self, t: &Term) -> String {
        match &t.value {
            TermValue::Ref(parts) => self.written_ref(parts),
            _ => text::term(t),
        }
    }

    fn written_ref(&self, parts: &[Term]) -> String {
        let mut parts = parts.to_vec();
        for part in &mut parts {
            if let TermValue::Var(v) = &part.value
                && let Some(name) = self.rewritten.get(v)
            {
                part.value = TermValue::Var(name.clone());
            }
        }
        text::reference(&parts)
    }

    pub(super) fn check_conflicts(&mut self) {
        let mut errors = Vec::new();
        let mut todo = vec![0];
        while let Some(at) = todo.pop() {
            let go_deeper = self.conflict_at(at, &mut errors);
            if go_deeper && let Some(node) = self.tree.node(at) {
                todo.extend(node.children.values().rev());
            }
        }
        self.package_conflicts(&mut errors);
        self.add(errors);
    }

    fn conflict_at(&self, at: usize, errors: &mut Vec<Error>) -> bool {
        let Some(node) = self.tree.node(at) else { return false };
        let rules: Vec<_> = self.tree.rules_at(at).collect();
        let (Some(first), Some(last)) = (rules.first(), rules.last()) else {
            return true;
        };
        let name = self.written_ref(&last.path);
        let ground = |r: &super::tree::RuleInfo| r.ground == r.path.len();
        let complete = rules.iter().filter(|r| !r.multi && ground(r)).count();
        let partial = rules.len() - complete;
        let mut conflicts = Vec::new();
        if !node.children.is_empty() {
            let any_ground = rules.iter().any(|r| ground(r));
            let any_open = rules.iter().any(|r| !ground(r));
            if any_ground {
                self.below(at, &mut conflicts, &|_| true);
            } else if any_open {
                self.below(at, &mut conflicts, &|r| r.args > 0);
            }
        }
        if !conflicts.is_empty() {
            let message = format!("rule {name} conflicts with [{}]", conflicts.join(" "));
            errors.push(Error::new(Code::Type, &first.loc, message));
            return true;
        }
        let mixed_kinds = rules.iter().any(|r| r.multi != first.multi);
        let mixed_arities = rules.iter().any(|r| r.args != first.args);
        if mixed_kinds || mixed_arities || (complete >= 1 && partial >= 1) {
            let message = format!("conflicting rules {name} found");
            errors.push(Error::new(Code::Type, &first.loc, message));
            return true;
        }
        let defaults: Vec<_> = rules.iter().filter(|r| r.default).collect();
        if let [first, _, ..] = defaults.as_slice() {
            let places: Vec<String> = defaults.iter().map(|r| place(&r.loc)).collect();
            let message = format!("multiple default rules {name} found at {}", places.join(", "));
            let loc = self
                .modules
                .get(first.module)
                .map(|m| m.package_loc.clone())
                .unwrap_or_default();
            errors.push(Error::new(Code::Type, &loc, message));
        }
        true
    }

    fn below(&self, at: usize, out: &mut Vec<String>, wanted: &dyn Fn(&super::tree::RuleInfo) -> bool) {
        let mut todo: Vec<usize> = self
            .tree
            .node(at)
            .map(|n| n.children.values().copied().collect())
            .unwrap_or_default();
        let mut found = Vec::new();
        while let Some(at) = todo.pop() {
            found.extend(
                self.tree
                    .rules_at(at)
                    .filter(|r| wanted(r))
                    .map(|r| text::reference(&r.path)),
            );
            todo.extend(self.tree.node(at).iter().flat_map(|n| n.children.values().copied()));
        }
        found.sort();
        found.dedup();
        out.extend(found);
    }

    /// A rule where a package is.
    fn package_conflicts(&self, errors: &mut Vec<Error>) {
        for rule in &self.tree.rules {
            if rule.ground < rule.path.len() {
                continue;
            }
            let Some(at) = self.tree.find(&rule.path) else { continue };
            if !self.tree.node(at).is_some_and(|n| n.package) {
                continue;
            }
            let Some(module) = self.modules.get(rule.module) else {
                continue;
            };
            for other in self
                .modules
                .iter()
                .filter(|m| text::reference(&m.package) == text::reference(&rule.path))
            {
                let name = rule.path.get(module.package.len()..).unwrap_or_default();
                let mut name = name.to_vec();
                if let Some(first) = name.first_mut()
                    && let TermValue::String(s) = &first.value
                {
                    first.value = TermValue::Var(s.clone());
                }
                let package = other.package.get(1..).unwrap_or_default();
                let mut package = package.to_vec();
                if let Some(first) = package.first_mut()
                    && let TermValue::String(s) = &first.value
                {
                    first.value = TermValue::Var(s.clone());
                }
                let message = format!(
                    "package {} conflicts with rule {} defined at {}",
                    text::reference(&package),
                    text::reference(&name),
                    place(&rule.loc)
                );
                errors.push(Error::new(Code::Type, &module.package_loc, message));
            }
        }
    }

    /// Definitions that reach themselves.
    pub(super) fn check_recursion(&mut self) {
        let graph = self.graph();
        let cyclic = cyclic(&graph);
        let mut errors = Vec::new();
        let mut todo = vec![0];
        while let Some(at) = todo.pop() {
            let Some(node) = self.tree.node(at) else { continue };
            todo.extend(node.children.values().rev());
            for rule in self.tree.rules_at(at) {
                let definition = self.modules.get(rule.module).and_then(|m| m.rules.get(rule.rule));
                for (i, r) in definition.into_iter().flat_map(walk::chain).enumerate() {
                    let start = rule.first + i;
                    if !cyclic.get(start).copied().unwrap_or(false) {
                        continue;
                    }
                    let names: Vec<String> = cycle(&graph, start)
                        .into_iter()
                        .map(|d| self.definition_name(&graph, d))
                        .collect();
                    let message = format!(
                        "rule {} is recursive: {}",
                        text::reference(&rule.path),
                        names.join(" -> ")
                    );
                    errors.push(Error::new(Code::Recursion, &r.loc, message));
                }
            }
        }
        self.add(errors);
    }

    fn definition_name(&self, graph: &Graph, definition: usize) -> String {
        let rule = graph.rule_of.get(definition).and_then(|r| self.tree.rules.get(*r));
        rule.map(|r| text::reference(&r.path)).unwrap_or_default()
    }

    /// Which definitions read which.
    pub(super) fn graph(&self) -> Graph {
        let mut graph = Graph {
            edges: vec![Vec::new(); self.tree.definitions],
            rule_of: vec![0; self.tree.definitions],
        };
        let mut known: FxHashMap<String, Vec<usize>> = FxHashMap::default();
        for (index, info) in self.tree.rules.iter().enumerate() {
            let Some(rule) = self.modules.get(info.module).and_then(|m| m.rules.get(info.rule)) else {
                continue;
            };
            for (i, r) in walk::chain(rule).enumerate() {
                let at = info.first + i;
                if let Some(slot) = graph.rule_of.get_mut(at) {
                    *slot = index;
                }
                let mut targets = Vec::new();
                walk::rule(r, &mut |n| {
                    if let Node::Term(Term {
                        value: TermValue::Ref(parts),
                        ..
                    }) = n
                        && matches!(parts.first().map(|t| &t.value), Some(TermValue::Var(v)) if v == "data")
                    {
                        let reached = known.entry(shape(parts)).or_insert_with(|| {
                            let mut out = Vec::new();
                            self.tree.reachable(parts, &mut out);
                            out
                        });
                        targets.extend(reached.iter().copied());
                    }
                    false
                });
                targets.sort_unstable();
                targets.dedup();
                let definitions = targets
                    .into_iter()
                    .filter_map(|t| self.tree.rules.get(t))
                    .flat_map(|r| r.first..r.first + r.chain);
                if let Some(edges) = graph.edges.get_mut(at) {
                    edges.extend(definitions);
                }
            }
        }
        graph
    }

    pub(super) fn check_deprecated(&mut self) {
        let strict = self.options.strict;
        self.each_module(|c, m| {
            let mut errors = Vec::new();
            if strict || resolve::is_v1(m) {
                for rule in m.rules.iter().flat_map(walk::chain) {
                    walk::rule(rule, &mut |n| {
                        c.deprecated_call(n, &mut errors);
                        // OPA does not look into these.
                        matches!(
                            n,
                            Node::Expr(Expr {
                                kind: ExprKind::Not(..) | ExprKind::Every(_),
                                ..
                            })
                        )
                    });
                }
            }
            errors
        });
    }

    pub(super) fn deprecated_call(&self, n: Node<'_>, errors: &mut Vec<Error>) {
        if let Node::Expr(e) = n
            && let ExprKind::Call(terms) = &e.kind
            && let Some(b) = terms.first().and_then(|op| self.builtin(op))
            && b.deprecated
        {
            let message = format!("deprecated built-in function calls in expression: {}", b.name);
            errors.push(Error::new(Code::Type, &e.loc, message));
        }
    }

    /// Built-ins that OPA has and Regent has not.
    pub(super) fn check_supported(&mut self) {
        self.each_module(|c, m| {
            let mut errors = Vec::new();
            for rule in m.rules.iter().flat_map(walk::chain) {
                walk::rule(rule, &mut |n| {
                    c.unsupported_call(n, &mut errors);
                    false
                });
            }
            errors
        });
    }

    pub(super) fn unsupported_call(&self, n: Node<'_>, errors: &mut Vec<Error>) {
        let mut refuse = |operator: &Term, loc: &Loc| {
            if let Some(name) = builtin_name(operator)
                && self.builtin(operator).is_some()
                && builtins::find(&name).is_none()
                && !is_of_the_language(&name)
            {
                let reason = builtins::refused(&name).unwrap_or("it is not implemented here yet");
                let message = format!("built-in {name} is not supported: {reason}");
                errors.push(Error::new(Code::Unsupported, loc, message));
            }
        };
        match n {
            Node::Expr(Expr {
                kind: ExprKind::Call(terms),
                loc,
                ..
            }) => {
                if let Some(operator) = terms.first() {
                    refuse(operator, loc);
                }
            }
            Node::With(w) => {
                refuse(&w.target, &w.target.loc);
                if matches!(w.value.value, TermValue::Ref(_)) {
                    refuse(&w.value, &w.value.loc);
                }
            }
            _ => {}
        }
    }
}

/// Calls the evaluator knows without the table.
fn is_of_the_language(name: &str) -> bool {
    matches!(
        name,
        "eq" | "assign" | "internal.print" | "print" | "rego.metadata.chain" | "rego.metadata.rule"
    )
}

/// The type of an operand as far as its own text tells.
fn literal_type(t: &Term) -> crate::types::Type {
    use crate::types::Type;
    match &t.value {
        TermValue::Null => Type::Null,
        TermValue::Bool(_) => Type::Boolean,
        TermValue::Number(_) => Type::Number,
        TermValue::String(_) => Type::String,
        TermValue::Array(items) => Type::Array(items.iter().map(literal_type).collect(), None),
        _ => Type::Any,
    }
}

fn place(loc: &Loc) -> String {
    match &loc.file {
        Some(file) if !file.is_empty() => format!("{file}:{}", loc.row),
        _ => format!("{}:{}", loc.row, loc.col),
    }
}

/// A ref with its dynamic parts left out: refs of one shape reach the same rules.
fn shape(parts: &[Term]) -> String {
    let mut out = String::new();
    for part in parts.iter().skip(1) {
        out.push('\u{0}');
        match &part.value {
            TermValue::String(s) => out.push_str(s),
            _ => match super::tree::key(part) {
                Some(k) => {
                    out.push('\u{1}');
                    crate::value_text::write(&mut out, &k);
                }
                None => out.push('\u{2}'),
            },
        }
    }
    out
}

/// Definitions as numbers, edges to what they read.
pub(super) struct Graph {
    pub(super) edges: Vec<Vec<usize>>,
    /// The rule of the tree a definition belongs to.
    pub(super) rule_of: Vec<usize>,
}

impl Graph {
    fn edges_of(&self, at: usize) -> &[usize] {
        self.edges.get(at).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Which definitions lie on a cycle: repeatedly dropping those that read nothing left, then those nothing left reads,
/// leaves a superset; a search from each of the rest decides.
fn cyclic(graph: &Graph) -> Vec<bool> {
    let n = graph.edges.len();
    let mut left: Vec<usize> = graph.edges.iter().map(Vec::len).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (from, to) in graph.edges.iter().enumerate() {
        for t in to {
            if let Some(r) = readers.get_mut(*t) {
                r.push(from);
            }
        }
    }
    let mut out = vec![true; n];
    let mut todo: Vec<usize> = (0..n).filter(|i| left.get(*i) == Some(&0)).collect();
    while let Some(at) = todo.pop() {
        if let Some(o) = out.get_mut(at) {
            *o = false;
        }
        for r in readers.get(at).into_iter().flatten() {
            if let Some(l) = left.get_mut(*r) {
                *l = l.saturating_sub(1);
                if *l == 0 {
                    todo.push(*r);
                }
            }
        }
    }
    let candidates: Vec<usize> = (0..n).filter(|i| out.get(*i) == Some(&true)).collect();
    // Beyond the number of errors told, more searches tell nothing.
    let mut found = 0;
    for at in candidates {
        let on_cycle = found <= super::MAX_ERRORS && !cycle(graph, at).is_empty();
        found += usize::from(on_cycle);
        if let Some(o) = out.get_mut(at) {
            *o = on_cycle;
        }
    }
    out
}

/// A path from a definition back to itself, both ends included; empty when there is none.
fn cycle(graph: &Graph, start: usize) -> Vec<usize> {
    let mut seen = vec![false; graph.edges.len()];
    let mut path: Vec<(usize, usize)> = vec![(start, 0)];
    while let Some((at, next)) = path.pop() {
        let Some(to) = graph.edges_of(at).get(next).copied() else {
            continue;
        };
        path.push((at, next + 1));
        if to == start {
            return path.iter().map(|p| p.0).chain([start]).collect();
        }
        if let Some(s) = seen.get_mut(to)
            && !*s
        {
            *s = true;
            path.push((to, 0));
        }
    }
    Vec::new()
}
