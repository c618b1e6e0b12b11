//! Safety: every variable is bound before it is needed. Orders bodies so, or tells which variables are not.

use super::walk::{self, BINDS, Collect, NOTHING, Node, SAFETY, UNIFIES, Vars, is_generated};
use super::{Arity, Compiler};
use crate::ast::{Expr, ExprKind, Loc, Rule, Term, TermValue};
use crate::error::{Code, Error};
use crate::print;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// Expressions with the variables that nothing binds.
type Unsafe = Vec<(Loc, Vars)>;

pub(super) fn reserved() -> Vars {
    ["input", "data"].into_iter().map(SmolStr::new_static).collect()
}

impl Compiler<'_> {
    pub(super) fn check_heads(&mut self) {
        self.each_rule(|c, rule| {
            let errors = unsafe_in_head(rule, &c.rewritten);
            c.add(errors);
        });
    }

    pub(super) fn check_bodies(&mut self) {
        self.each_rule(|c, rule| {
            let mut safe = reserved();
            safe.extend(walk::term_vars(rule.head.args.iter().flatten(), NOTHING));
            let errors = check_body(&*c, safe, &mut rule.body);
            c.add(errors);
        });
    }
}

/// Orders a body, or says what is unsafe in it.
pub(super) fn check_body(c: &Compiler<'_>, safe: Vars, body: &mut Vec<Expr>) -> Vec<Error> {
    let found = reorder(c, safe, body);
    errors(found, &c.rewritten)
}

fn unsafe_in_head(rule: &Rule, rewritten: &FxHashMap<SmolStr, SmolStr>) -> Vec<Error> {
    let head = &rule.head;
    let rest = head.reference.get(1..).unwrap_or_default();
    if head.key.iter().chain(&head.value).chain(rest).all(walk::is_scalar) {
        return Vec::new();
    }
    let mut known = walk::body_vars(&rule.body, SAFETY);
    known.extend(walk::term_vars(head.args.iter().flatten(), NOTHING));
    let mut out: Vec<(Loc, SmolStr)> = Vec::new();
    let mut found = |v: &SmolStr, t: &Term| {
        if !known.contains(v) && !out.iter().any(|(_, seen)| seen == v) {
            out.push((t.loc.clone(), v.clone()));
        }
    };
    let mut c = Collect {
        skip: NOTHING,
        found: &mut found,
    };
    for t in rest.iter().chain(&head.key).chain(&head.value) {
        c.term(t);
    }
    out.into_iter()
        .map(|(loc, v)| (loc, rewritten.get(&v).cloned().unwrap_or(v)))
        .filter(|(_, v)| !is_generated(v))
        .map(|(loc, v)| Error::new(Code::UnsafeVar, &loc, format!("var {} is unsafe", shown(&v))))
        .collect()
}

/// Wildcards are shown as written.
pub(super) fn shown(v: &str) -> &str {
    if walk::is_wildcard(v) { "_" } else { v }
}

fn place(loc: &Loc) -> (u32, u32) {
    (loc.row, loc.col)
}

fn errors(mut found: Unsafe, rewritten: &FxHashMap<SmolStr, SmolStr>) -> Vec<Error> {
    found.sort_by_key(|(loc, _)| place(loc));
    let mut first: Vec<(Loc, SmolStr)> = Vec::new();
    let mut seen = Vars::default();
    for (loc, vars) in &found {
        let mut vars: Vec<&SmolStr> = vars.iter().collect();
        vars.sort();
        for v in vars {
            if seen.insert(v.clone()) {
                first.push((loc.clone(), v.clone()));
            }
        }
    }
    let mut out = Vec::new();
    for (loc, v) in first {
        let v = rewritten.get(&v).cloned().unwrap_or(v);
        if is_generated(&v) {
            continue;
        }
        let hint = match v.as_str() {
            "in" | "every" | "contains" | "if" | "not" => {
                format!(" (hint: `import future.keywords.{v}` to import a future keyword)")
            }
            _ => String::new(),
        };
        out.push(Error::new(
            Code::UnsafeVar,
            &loc,
            format!("var {} is unsafe{hint}", shown(&v)),
        ));
    }
    if !out.is_empty() {
        return out;
    }
    // Only generated ones: say which expressions need them.
    let mut seen = Vars::default();
    for (loc, vars) in found {
        let before = seen.len();
        seen.extend(vars.into_iter().filter(|v| is_generated(v)));
        if seen.len() > before {
            out.push(Error::new(Code::UnsafeVar, &loc, "expression is unsafe"));
        }
    }
    out
}

/// Orders a body so that everything is bound before it is needed; the body stays as it is where that fails.
fn reorder(c: &dyn Arity, globals: Vars, body: &mut Vec<Expr>) -> Unsafe {
    let vars_of: Vec<Vars> = body.iter().map(|e| safety_vars(c, e)).collect();
    let body_vars: Vars = vars_of.iter().flatten().cloned().collect();
    let mut safe: Vars = body_vars.iter().filter(|v| globals.contains(*v)).cloned().collect();
    let mut missing: Vec<Vars> = vars_of
        .iter()
        .map(|vs| vs.iter().filter(|v| !safe.contains(*v)).cloned().collect())
        .collect();
    // What closures of each expression share with the body.
    let shared: Vec<Vars> = body
        .iter()
        .map(|e| {
            let mut vs = closure_vars(e);
            vs.retain(|v| body_vars.contains(v) && !globals.contains(v));
            vs
        })
        .collect();
    let mut order: Vec<usize> = Vec::with_capacity(body.len());
    let mut placed = vec![false; body.len()];
    loop {
        let before = order.len();
        for (i, e) in body.iter().enumerate() {
            let (Some(done), Some(missing), Some(shared)) = (placed.get_mut(i), missing.get_mut(i), shared.get(i))
            else {
                continue;
            };
            // OPA takes an expression for placed when an equal one stands where it stood, so that of `x; x; x = input` the
            // second is never placed, and refused if it needed something.
            if *done {
                continue;
            }
            let twin = order
                .get(i)
                .filter(|_| !missing.is_empty())
                .and_then(|at| body.get(*at));
            if twin.is_some_and(|other| print::expr(other) == print::expr(e)) {
                continue;
            }
            let outputs = outputs_of_expr(c, e, &safe);
            // A closure waits while what it shares with the body is exactly what its own expression would bind. OPA
            // forgets here what else was missing, and so lets unbound operands through; they stay missing here.
            if !shared.is_empty() {
                if *shared == outputs {
                    continue;
                }
                missing.extend(shared.iter().cloned());
            }
            missing.retain(|v| !outputs.contains(v) && !safe.contains(v));
            if missing.is_empty() {
                *done = true;
                order.push(i);
                safe.extend(outputs);
            }
        }
        if order.len() == before {
            break;
        }
    }
    let mut bad: Unsafe = body
        .iter()
        .zip(missing)
        .filter(|(_, vs)| !vs.is_empty())
        .map(|(e, vs)| (e.loc.clone(), vs))
        .collect();
    // Closures come next, with what stands before their expression as globals, also when the body itself is unsafe.
    let mut globals = globals;
    let mut previous: Option<usize> = None;
    for i in &order {
        if let Some(vs) = previous.and_then(|p| vars_of.get(p)) {
            globals.extend(vs.iter().cloned());
        }
        previous = Some(*i);
        if let Some(e) = body.get_mut(*i) {
            let loc = e.loc.clone();
            close_expr(c, &mut globals, e, &loc, &mut bad);
        }
    }
    if bad.is_empty() {
        let mut items: Vec<Option<Expr>> = std::mem::take(body).into_iter().map(Some).collect();
        *body = order
            .iter()
            .filter_map(|i| items.get_mut(*i).and_then(Option::take))
            .collect();
    }
    bad
}

/// The variables of an expression as the check sees them; `not { .. }` has none, `not` without braces those that its
/// body does not bind for itself.
fn safety_vars(c: &dyn Arity, e: &Expr) -> Vars {
    let mut vars = walk::expr_vars(e, SAFETY);
    walk::expr(e, &mut |n| {
        match n {
            Node::Expr(Expr {
                kind: ExprKind::Not(inner),
                braces,
                ..
            }) => {
                if !braces {
                    vars.extend(needed_by(c, inner));
                }
                return true;
            }
            Node::Expr(Expr {
                kind: ExprKind::Every(_),
                ..
            }) => return true,
            Node::Term(t) => return is_comprehension(t),
            _ => {}
        }
        false
    });
    vars
}

/// What the body of a `not` without braces needs from outside: variables that nothing in it binds, and those that stand
/// in one expression only (hoisting made several of one).
fn needed_by(c: &dyn Arity, body: &[Expr]) -> Vars {
    let vars_of: Vec<Vars> = body.iter().map(|e| walk::expr_vars(e, SAFETY)).collect();
    let mut bound = Vars::default();
    for e in body {
        let ExprKind::Call(terms) = &e.kind else { continue };
        if let (true, [_, a, b]) = (walk::is_operator(terms, "eq"), terms.as_slice()) {
            bound.extend(eq_outputs(a, b, &Vars::default()));
        } else if let Some(arity) = terms.first().and_then(|op| c.arity(op)) {
            bound.extend(walk::term_vars(terms.get(arity + 1..).unwrap_or_default(), BINDS));
        }
    }
    let mut needed = Vars::default();
    for v in vars_of.iter().flatten() {
        if body.len() == 1 || !bound.contains(v) || vars_of.iter().filter(|vs| vs.contains(v)).count() == 1 {
            needed.insert(v.clone());
        }
    }
    needed
}

fn is_comprehension(t: &Term) -> bool {
    matches!(
        t.value,
        TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..)
    )
}

fn closure_vars(e: &Expr) -> Vars {
    let mut out = Vars::default();
    walk::expr(e, &mut |n| match n {
        Node::Term(t) if is_comprehension(t) => {
            out.extend(walk::term_vars([t], NOTHING));
            true
        }
        Node::Expr(Expr {
            kind: ExprKind::Every(every),
            ..
        }) => {
            out.extend(walk::body_vars(&every.body, NOTHING));
            // Its domain is no closure, but may hold some.
            walk::term(&every.domain, &mut |n| match n {
                Node::Term(t) if is_comprehension(t) => {
                    out.extend(walk::term_vars([t], NOTHING));
                    true
                }
                _ => false,
            });
            true
        }
        Node::Expr(Expr {
            kind: ExprKind::Not(inner),
            ..
        }) => {
            out.extend(walk::body_vars(inner, NOTHING));
            true
        }
        _ => false,
    });
    out
}

fn close_expr(c: &dyn Arity, globals: &mut Vars, e: &mut Expr, loc: &Loc, bad: &mut Unsafe) {
    match &mut e.kind {
        ExprKind::Every(every) => {
            globals.extend(walk::term_vars(every.key.iter().chain([&every.value]), NOTHING));
            return close_body(c, globals, Vars::default(), &mut every.body, loc, bad);
        }
        ExprKind::Not(inner) => return close_body(c, globals, Vars::default(), inner, loc, bad),
        ExprKind::Term(t) => close_term(c, globals, t, loc, bad),
        ExprKind::Call(terms) | ExprKind::Some(terms) => {
            terms.iter_mut().for_each(|t| close_term(c, globals, t, loc, bad));
        }
    }
    for w in &mut e.with {
        close_term(c, globals, &mut w.value, loc, bad);
    }
}

fn close_term(c: &dyn Arity, globals: &Vars, t: &mut Term, loc: &Loc, bad: &mut Unsafe) {
    match &mut t.value {
        TermValue::Ref(parts)
        | TermValue::Array(parts)
        | TermValue::Set(parts)
        | TermValue::Call(parts)
        | TermValue::Template(parts) => parts.iter_mut().for_each(|t| close_term(c, globals, t, loc, bad)),
        TermValue::Object(entries) => {
            for (k, v) in entries {
                close_term(c, globals, k, loc, bad);
                close_term(c, globals, v, loc, bad);
            }
        }
        TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
            let wanted = walk::term_vars([&**head], NOTHING);
            close_body(c, globals, wanted, body, loc, bad);
        }
        TermValue::ObjectCompr(k, v, body) => {
            let wanted = walk::term_vars([&**k, &**v], NOTHING);
            close_body(c, globals, wanted, body, loc, bad);
        }
        _ => {}
    }
}

fn close_body(c: &dyn Arity, globals: &Vars, mut wanted: Vars, body: &mut Vec<Expr>, loc: &Loc, bad: &mut Unsafe) {
    if !wanted.is_empty() {
        let mut known = Vars::default();
        for e in body.iter() {
            known.extend(safety_vars(c, e));
        }
        wanted.retain(|v| !known.contains(v) && !globals.contains(v));
        if !wanted.is_empty() {
            bad.push((loc.clone(), wanted));
        }
    }
    bad.extend(reorder(c, globals.clone(), body));
}

/// What an expression binds, given what is bound.
fn outputs_of_expr(c: &dyn Arity, e: &Expr, safe: &Vars) -> Vars {
    if e.negated || matches!(e.kind, ExprKind::Not(_)) {
        return Vars::default();
    }
    for w in &e.with {
        let mut all_safe = true;
        let mut found = |v: &SmolStr, _: &Term| all_safe &= safe.contains(v);
        Collect {
            skip: SAFETY,
            found: &mut found,
        }
        .with(w);
        if !all_safe {
            return Vars::default();
        }
    }
    match &e.kind {
        ExprKind::Term(t) => {
            let mut out = Vars::default();
            outputs_of_term(t, safe, &mut out);
            outputs_of_with(e, safe, &mut out);
            out
        }
        ExprKind::Call(terms) => {
            if walk::is_operator(terms, "eq") {
                let [_, a, b] = terms.as_slice() else {
                    return Vars::default();
                };
                let mut out = eq_outputs(a, b, safe);
                outputs_of_with(e, safe, &mut out);
                out.retain(|v| !safe.contains(v));
                return out;
            }
            let Some(arity) = terms.first().and_then(|op| c.arity(op)) else {
                return Vars::default();
            };
            let mut out = Vars::default();
            terms.iter().for_each(|t| outputs_of_term(t, safe, &mut out));
            outputs_of_with(e, safe, &mut out);
            let inputs = terms.get(..=arity).unwrap_or(terms);
            let results = terms.get(arity + 1..).unwrap_or_default();
            if results.is_empty() {
                return out;
            }
            if walk::term_vars(inputs, BINDS)
                .iter()
                .any(|v| !out.contains(v) && !safe.contains(v))
            {
                return Vars::default();
            }
            out.extend(walk::term_vars(results, BINDS));
            out
        }
        ExprKind::Every(every) => {
            let mut out = Vars::default();
            outputs_of_term(&every.domain, safe, &mut out);
            out
        }
        ExprKind::Some(_) | ExprKind::Not(_) => Vars::default(),
    }
}

fn outputs_of_with(e: &Expr, safe: &Vars, out: &mut Vars) {
    for w in &e.with {
        outputs_of_term(&w.target, safe, out);
        outputs_of_term(&w.value, safe, out);
    }
}

/// Variables in the brackets of refs whose head is bound.
fn outputs_of_term(t: &Term, safe: &Vars, out: &mut Vars) {
    walk::term(t, &mut |n| {
        let Node::Term(t) = n else { return false };
        match &t.value {
            TermValue::ArrayCompr(..)
            | TermValue::SetCompr(..)
            | TermValue::ObjectCompr(..)
            | TermValue::Template(_) => true,
            TermValue::Ref(parts) => {
                if !ref_safe(parts, safe) {
                    return true;
                }
                out.extend(walk::term_vars(
                    parts.get(1..).unwrap_or_default(),
                    walk::Skip {
                        ref_head: true,
                        ..NOTHING
                    },
                ));
                false
            }
            _ => false,
        }
    });
}

fn ref_safe(parts: &[Term], safe: &Vars) -> bool {
    let Some(head) = parts.first() else { return true };
    match &head.value {
        TermValue::Var(v) => safe.contains(v),
        _ => walk::term_vars([head], SAFETY).iter().all(|v| safe.contains(v)),
    }
}

/// What a body binds, given what is bound.
pub(super) fn outputs_of_body(c: &dyn Arity, body: &[Expr], safe: &Vars) -> Vars {
    let mut known = safe.clone();
    for e in body {
        let more = outputs_of_expr(c, e, &known);
        known.extend(more);
    }
    known.retain(|v| !safe.contains(v));
    known
}

/// What `a = b` binds.
pub(super) fn eq_outputs(a: &Term, b: &Term, safe: &Vars) -> Vars {
    let mut known = Vars::default();
    outputs_of_term(a, safe, &mut known);
    outputs_of_term(b, safe, &mut known);
    known.extend(safe.iter().cloned());
    let mut u = Unifier {
        safe: &known,
        unified: Vars::default(),
        unknown: FxHashMap::default(),
    };
    u.unify(a, b);
    let mut out = u.unified;
    out.extend(known);
    out.retain(|v| !safe.contains(v));
    out
}

struct Unifier<'a> {
    safe: &'a Vars,
    unified: Vars,
    unknown: FxHashMap<SmolStr, Vars>,
}

impl Unifier<'_> {
    fn is_safe(&self, v: &SmolStr) -> bool {
        self.safe.contains(v) || self.unified.contains(v)
    }

    fn term_safe(&self, t: &Term) -> bool {
        match &t.value {
            TermValue::Ref(parts) => ref_safe(parts, self.safe),
            _ => walk::term_vars([t], SAFETY).iter().all(|v| self.safe.contains(v)),
        }
    }

    // Guards would let what is not safe fall through to the arms below.
    #[allow(clippy::collapsible_match)]
    fn unify(&mut self, a: &Term, b: &Term) {
        use TermValue::{Array, ArrayCompr, Call, Object, ObjectCompr, Ref, SetCompr, Var};
        match (&a.value, &b.value) {
            (Var(x), Var(y)) => {
                if self.is_safe(y) {
                    self.mark(x);
                } else if self.is_safe(x) {
                    self.mark(y);
                } else {
                    self.depend(x, y);
                    self.depend(y, x);
                }
            }
            (Var(x), Array(_) | Object(_)) => self.unify_all(x, b),
            (Array(_) | Object(_), Var(y)) => self.unify_all(y, a),
            (Var(x), Ref(_) | Call(_)) => {
                if self.term_safe(b) {
                    self.mark(x);
                }
            }
            (Ref(_) | Call(_), Var(y)) => {
                if self.term_safe(a) {
                    self.mark(y);
                }
            }
            (Var(x), _) => self.mark(x),
            (_, Var(y)) => self.mark(y),
            (Ref(_) | Call(_), Array(_) | Object(_)) => {
                if self.term_safe(a) {
                    self.mark_all(b);
                }
            }
            (Array(_) | Object(_), Ref(_) | Call(_)) => {
                if self.term_safe(b) {
                    self.mark_all(a);
                }
            }
            (ArrayCompr(..), Array(_)) | (ObjectCompr(..), Object(_)) => self.mark_all(b),
            (Array(_), ArrayCompr(..) | ObjectCompr(..) | SetCompr(..)) => self.mark_all(a),
            (Array(x), Array(y)) => {
                if x.len() == y.len() {
                    for (a, b) in x.iter().zip(y) {
                        self.unify(a, b);
                    }
                }
            }
            (Object(x), Object(y)) => {
                if x.len() == y.len() {
                    for (k, v) in x {
                        let same = y.iter().find(|(k2, _)| same_key(k, k2));
                        if let Some((_, v2)) = same {
                            self.unify(v, v2);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn mark_all(&mut self, t: &Term) {
        for v in walk::term_vars([t], UNIFIES) {
            self.mark(&v);
        }
    }

    fn mark(&mut self, v: &SmolStr) {
        let mut todo = vec![v.clone()];
        while let Some(v) = todo.pop() {
            self.unified.insert(v.clone());
            todo.extend(self.unknown.remove(&v).into_iter().flatten());
            // Those that waited only for this one are known now.
            for (waiting, on) in &mut self.unknown {
                if on.remove(&v) && on.is_empty() {
                    todo.push(waiting.clone());
                }
            }
        }
    }

    fn depend(&mut self, a: &SmolStr, b: &SmolStr) {
        self.unknown.entry(a.clone()).or_default().insert(b.clone());
    }

    fn unify_all(&mut self, v: &SmolStr, t: &Term) {
        if self.is_safe(v) {
            return self.mark_all(t);
        }
        let open: Vec<SmolStr> = walk::term_vars([t], UNIFIES)
            .into_iter()
            .filter(|v| !self.is_safe(v))
            .collect();
        if open.is_empty() {
            self.mark(v);
        }
        for o in open {
            self.depend(v, &o);
        }
    }
}

fn same_key(a: &Term, b: &Term) -> bool {
    match (super::tree::key(a), super::tree::key(b)) {
        (Some(a), Some(b)) => a == b,
        _ => matches!((&a.value, &b.value), (TermValue::Var(x), TermValue::Var(y)) if x == y),
    }
}
