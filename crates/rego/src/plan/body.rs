//! Plans bodies: documents, views of partial rules, queries, expressions, closures.

use super::ops::*;
use super::points::{Asked, Marking, TracePlan};
use super::tree::{Group, Member, Tree, scalar};
use super::{QueryPlan, format, guard, visit};
use crate::ast::{Expr, ExprKind, Loc, Rule, Term, TermValue};
use crate::builtins::{self, Matcher};
use crate::compile::Query;
use crate::error::{Code, Error};
use crate::program::{CompileOptions, Rewrites};
use crate::value::Value;
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

/// What is known of the key of a partial rule where it is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pattern {
    /// Nothing.
    Any,
    /// It is an argument.
    Bound,
    /// An array of so many items.
    Array(Vec<Pattern>),
    /// An object of exactly these keys.
    Object(Vec<(Value, Pattern)>),
}

/// What planning leaves besides the documents.
pub(super) struct Done {
    pub(crate) consts: Vec<Value>,
    pub(crate) locs: Vec<Loc>,
    pub(crate) views: Vec<View>,
    pub(crate) errors: Vec<Error>,
    pub(crate) trace: TracePlan,
    pub(crate) guarded: bool,
}

/// State of the whole program's planning.
pub(super) struct Planner<'t> {
    pub(crate) tree: &'t Tree<'t>,
    pub(super) trace: bool,
    pub(super) trace_plan: TracePlan,
    /// Names as written, by the generated name.
    names: &'t FxHashMap<SmolStr, SmolStr>,
    pub(crate) rewrites: Rewrites,
    consts: Vec<Value>,
    const_index: FxHashMap<Value, u32>,
    locs: Vec<Loc>,
    views: Vec<Option<View>>,
    view_index: FxHashMap<(DocId, Pattern), u32>,
    view_queue: Vec<(u32, DocId, Pattern)>,
    pub(crate) errors: Vec<Error>,
    /// Names and paths that some `with` replaces.
    mocked: FxHashSet<String>,
    /// See [`Planner::constant_document`].
    constant_documents: FxHashMap<DocId, Option<Operand>>,
    /// Some `with` replaces something below `data`.
    documents_replaced: bool,
    /// Some body has a test of [`guard`].
    guarded: bool,
    /// Which functions have few and short bodies; see `plan/inline`.
    pub(super) short_functions: FxHashMap<DocId, bool>,
}

/// State of planning one body.
pub(super) struct Scope<'p, 't> {
    pub(crate) p: &'p mut Planner<'t>,
    pub(crate) env: FxHashMap<SmolStr, Operand>,
    pub(crate) ops: Vec<Op>,
    next: u32,
    uses: FxHashMap<SmolStr, u32>,
    /// What is planned now runs once for each element of something.
    pub(super) looped: bool,
    /// Functions in functions that are being put in place of their calls.
    pub(super) inlined: usize,
    /// Only when planning for tracing.
    pub(super) marking: Option<Marking>,
}

/// A body that is planned while another one is put in it.
pub(super) struct Outer {
    env: FxHashMap<SmolStr, Operand>,
    ops: Vec<Op>,
    uses: FxHashMap<SmolStr, u32>,
}

/// The parts of a call's operator.
pub(super) fn parts(operator: &Term) -> &[Term] {
    match &operator.value {
        TermValue::Ref(parts) => parts,
        _ => std::slice::from_ref(operator),
    }
}

/// The name of a call's operator: `count`, `json.filter`, `data.lib.f`.
pub(super) fn operator(parts: &[Term]) -> String {
    let mut out = String::new();
    for part in parts {
        let (TermValue::Var(s) | TermValue::String(s)) = &part.value else {
            continue;
        };
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(s);
    }
    out
}

impl<'t> Planner<'t> {
    pub(crate) fn new(
        tree: &'t Tree<'t>,
        queries: &[Query],
        options: &CompileOptions,
        names: &'t FxHashMap<SmolStr, SmolStr>,
    ) -> Planner<'t> {
        let mut mocked = FxHashSet::default();
        let mut see = |item: visit::Item<'_>| {
            let visit::Item::With(with) = item else { return };
            mocked.insert(match &with.target.value {
                TermValue::Ref(parts) => operator(parts),
                _ => operator(std::slice::from_ref(&with.target)),
            });
        };
        for rule in tree.groups.iter().flat_map(|g| &g.rules) {
            visit::rule(rule.rule, &mut see);
        }
        for query in queries {
            visit::body(&query.body, &mut see);
        }
        let documents_replaced = mocked.iter().any(|m| m == "data" || m.starts_with("data."));
        Planner {
            tree,
            trace: options.trace,
            trace_plan: TracePlan::default(),
            names,
            rewrites: options.rewrites,
            consts: Vec::new(),
            const_index: FxHashMap::default(),
            locs: Vec::new(),
            views: Vec::new(),
            view_index: FxHashMap::default(),
            view_queue: Vec::new(),
            errors: Vec::new(),
            mocked,
            constant_documents: FxHashMap::default(),
            documents_replaced,
            guarded: false,
            short_functions: FxHashMap::default(),
        }
    }

    /// Whether the program is planned for tracing.
    pub(super) fn traced(&self) -> bool {
        self.trace
    }

    /// Whether some `with` replaces what has this name.
    pub(super) fn is_mocked(&self, name: &str) -> bool {
        self.mocked.contains(name)
    }

    /// The operand of a document that is one constant whatever the input.
    pub(super) fn constant_document(&mut self, doc: DocId) -> Option<Operand> {
        if self.trace || self.documents_replaced || !self.rewrites.constants {
            return None;
        }
        if let Some(known) = self.constant_documents.get(&doc) {
            return *known;
        }
        let value = self.tree.groups.get(doc as usize).and_then(constant_value);
        let operand = value.map(|v| self.constant(v));
        self.constant_documents.insert(doc, operand);
        operand
    }

    /// Plans the views asked for and hands everything over.
    pub(crate) fn finish(mut self) -> Done {
        while let Some((id, doc, pattern)) = self.view_queue.pop() {
            let view = self.view(id, doc, &pattern);
            if let Some(place) = self.views.get_mut(id as usize) {
                *place = Some(view);
            }
        }
        Done {
            consts: self.consts,
            locs: self.locs,
            views: self.views.into_iter().flatten().collect(),
            errors: self.errors,
            trace: self.trace_plan,
            guarded: self.guarded,
        }
    }

    /// A variable as the user calls it; `None` for what the compiler made.
    pub(super) fn display(&self, name: &SmolStr) -> Option<SmolStr> {
        let name = self.names.get(name).unwrap_or(name);
        let made = name.starts_with('$') || name.starts_with("__local") || name == "_";
        (!made).then(|| name.clone())
    }

    /// A constant by number.
    pub(super) fn constant_at(&self, at: u32) -> Option<&Value> {
        self.consts.get(at as usize)
    }

    /// The operand of a constant.
    pub(crate) fn constant(&mut self, value: Value) -> Operand {
        // Equal numbers may be written differently and keep their text, so only what has one text is shared.
        let share = match &value {
            Value::Null | Value::Bool(_) | Value::String(_) => true,
            Value::Number(n) => n.as_i64().is_some_and(|i| n.to_string() == i.to_string()),
            _ => false,
        };
        if share && let Some(at) = self.const_index.get(&value) {
            return Operand::Const(*at);
        }
        let at = self.consts.len() as u32;
        if share {
            self.const_index.insert(value.clone(), at);
        }
        self.consts.push(value);
        Operand::Const(at)
    }

    /// The number of a place.
    pub(crate) fn loc(&mut self, loc: &Loc) -> u32 {
        if self.locs.last() != Some(loc) {
            self.locs.push(loc.clone());
        }
        (self.locs.len() as u32).saturating_sub(1)
    }

    /// The view of a partial rule for a pattern.
    pub(crate) fn view_for(&mut self, doc: DocId, pattern: Pattern) -> u32 {
        if let Some(id) = self.view_index.get(&(doc, pattern.clone())) {
            return *id;
        }
        let id = self.views.len() as u32;
        self.views.push(None);
        self.view_index.insert((doc, pattern.clone()), id);
        self.view_queue.push((id, doc, pattern));
        id
    }

    fn scope<'p>(&'p mut self, uses: FxHashMap<SmolStr, u32>, next: u32) -> Scope<'p, 't> {
        Scope {
            p: self,
            env: FxHashMap::default(),
            ops: Vec::new(),
            next,
            uses,
            looped: false,
            inlined: 0,
            marking: None,
        }
    }

    /// Plans all rules of one document.
    pub(crate) fn doc(&mut self, id: DocId, group: &Group<'t>) -> Doc {
        let last = single_value(group);
        let bodies = self.trace_plan.bodies.len() as u32;
        let mut defs = Vec::new();
        let mut default = None;
        for member in &group.rules {
            let def = self.def(id, group.kind, member, last, None);
            if member.rule.default {
                default = Some(def);
            } else {
                defs.push(def);
            }
        }
        if self.trace {
            let end = self.trace_plan.bodies.len() as u32;
            self.trace_plan.docs.push(bodies..end);
        }
        Doc {
            kind: group.kind,
            path: group.path.clone(),
            defs,
            default,
            memo: false,
            arguments: arity(group) as u32,
            select: None,
        }
    }

    fn view(&mut self, id: u32, doc: DocId, pattern: &Pattern) -> View {
        let mut defs = Vec::new();
        let bodies = self.trace_plan.bodies.len() as u32;
        let tree = self.tree;
        if let Some(group) = tree.groups.get(doc as usize) {
            for member in &group.rules {
                defs.push(self.def(doc, group.kind, member, false, Some(pattern)));
            }
        }
        if self.trace {
            let end = self.trace_plan.bodies.len() as u32;
            self.trace_plan.views.insert(id, bodies..end);
        }
        View {
            doc,
            defs,
            ground: !self.trace && *pattern == Pattern::Bound,
            arguments: bound_count(pattern),
            select: None,
        }
    }

    fn def(&mut self, doc: DocId, kind: Kind, member: &Member<'t>, last: bool, pattern: Option<&Pattern>) -> Def {
        let mut chain = Vec::new();
        let mut slots = 0;
        let mut rule: Option<&Rule> = Some(member.rule);
        let tree = self.tree;
        while let Some(r) = rule {
            let uses = super::inline::uses(r);
            let args = r.head.args.as_ref().or(member.rule.head.args.as_ref());
            let arity = args.map_or(0, Vec::len) as u32;
            let mut scope = self.scope(uses, arity.max(pattern.map_or(0, bound_count)));
            scope.enter(doc, r);
            if let Some(args) = args {
                for (i, arg) in args.iter().enumerate() {
                    scope.unify_value(Operand::Slot(i as u32), arg);
                }
            }
            let mut possible = true;
            if let Some(pattern) = pattern {
                let mut next = 0;
                possible = match kind {
                    Kind::Set => r.head.key.as_ref().is_none_or(|k| scope.prebind(k, pattern, &mut next)),
                    _ => match (member.below.first(), member.suffix.first()) {
                        (Some(key), _) => {
                            let key = scope.p.constant(key.clone());
                            scope.prebind_const(key, pattern, &mut next)
                        }
                        (None, Some(key)) => scope.prebind(key, pattern, &mut next),
                        (None, None) => true,
                    },
                };
            }
            for test in guard::guards(r, args, tree) {
                scope.p.guarded = true;
                let a = scope.eval(test.subject);
                if let Some(value) = test.equals {
                    let b = scope.eval(value);
                    scope.ops.push(Op::Same { a, b });
                }
            }
            scope.body(&r.body);
            let end = match kind {
                Kind::Complete | Kind::Function => {
                    let of = scope.head_value(r);
                    Op::Value { of, last }
                }
                Kind::Set => {
                    let of = match &r.head.key {
                        Some(k) => scope.eval(k),
                        None => scope.head_value(r),
                    };
                    Op::Item { of }
                }
                Kind::Object => {
                    let key = match (member.below.first(), member.suffix.first()) {
                        (Some(key), _) => scope.p.constant(key.clone()),
                        (None, Some(t)) => scope.eval(t),
                        (None, None) => scope.p.constant(Value::Null),
                    };
                    let value = scope.head_value(r);
                    Op::Entry { key, value }
                }
                Kind::Nested => {
                    let mut path = Vec::new();
                    for key in &member.below {
                        path.push(scope.p.constant(key.clone()));
                    }
                    for t in &member.suffix {
                        path.push(scope.eval(t));
                    }
                    let (leaf, set) = match &r.head.key {
                        Some(k) => (scope.eval(k), true),
                        None => (scope.head_value(r), false),
                    };
                    Op::Nested {
                        path: path.into(),
                        leaf,
                        set,
                    }
                }
            };
            match &end {
                Op::Value { of, .. } | Op::Item { of } | Op::Entry { value: of, .. } | Op::Nested { leaf: of, .. } => {
                    scope.exit(*of);
                }
                _ => {}
            }
            scope.ops.push(end);
            let mut ops = std::mem::take(&mut scope.ops);
            slots = slots.max(scope.next);
            if !possible {
                // A tracer is told that the body began.
                ops.retain(|op| matches!(op, Op::Trace { .. }));
                ops.truncate(1);
                ops.push(Op::Fail);
            }
            chain.push(Block { ops });
            rule = r.else_rule.as_deref();
        }
        Def {
            chain,
            slots,
            loc: member.rule.loc.clone(),
        }
    }

    /// Plans a query.
    pub(crate) fn query(&mut self, query: &'t Query) -> QueryPlan {
        let mut uses = FxHashMap::default();
        let mut count = |item: visit::Item<'_>| {
            if let visit::Item::Term(Term {
                value: TermValue::Var(name),
                ..
            }) = item
            {
                *uses.entry(name.clone()).or_insert(0) += 1;
            }
        };
        visit::body(&query.body, &mut count);
        for t in &query.values {
            visit::term(t, &mut count);
        }
        for (_, name) in &query.vars {
            *uses.entry(SmolStr::new(name)).or_insert(0) += 1;
        }
        let mut scope = self.scope(uses, 0);
        scope.enter_query();
        scope.body(&query.body);
        let mut names = Vec::new();
        let mut row = Vec::new();
        for (name, lowered) in &query.vars {
            if let Some(operand) = scope.env.get(lowered.as_str()) {
                names.push(Value::string(name));
                row.push(*operand);
            }
        }
        for t in &query.values {
            row.push(scope.eval(t));
        }
        scope.ops.push(Op::Row { slots: row.into() });
        let ops = std::mem::take(&mut scope.ops);
        QueryPlan {
            block: Block { ops },
            slots: scope.next,
            names,
        }
    }
}

/// Whether all definitions give one and the same constant: the first success ends the search (OPA's early exit).
fn single_value(group: &Group<'_>) -> bool {
    let mut first: Option<Value> = None;
    for member in &group.rules {
        if member.rule.default {
            continue;
        }
        let mut rule: Option<&Rule> = Some(member.rule);
        while let Some(r) = rule {
            let value = match &r.head.value {
                Some(t) => match constant(t) {
                    Some(v) => v,
                    None => return false,
                },
                None => Value::Bool(true),
            };
            match &first {
                Some(f) if *f != value => return false,
                Some(_) => {}
                None => first = Some(value),
            }
            rule = r.else_rule.as_deref();
        }
    }
    true
}

/// The value of a document of one rule with a constant and a body that always holds.
fn constant_value(group: &Group<'_>) -> Option<Value> {
    let [member] = group.rules.as_slice() else {
        return None;
    };
    let rule = member.rule;
    if group.kind != Kind::Complete || rule.default || rule.else_rule.is_some() {
        return None;
    }
    let holds = |e: &Expr| {
        let constant = match &e.kind {
            ExprKind::Term(t) => constant(t),
            _ => None,
        };
        !e.negated && e.with.is_empty() && constant.is_some_and(|v| v != Value::Bool(false))
    };
    if !rule.body.iter().all(holds) {
        return None;
    }
    match &rule.head.value {
        Some(t) => constant(t),
        None => Some(Value::Bool(true)),
    }
}

/// How many arguments a pattern has.
fn bound_count(pattern: &Pattern) -> u32 {
    match pattern {
        Pattern::Any => 0,
        Pattern::Bound => 1,
        Pattern::Array(items) => items.iter().map(bound_count).sum(),
        Pattern::Object(entries) => entries.iter().map(|e| bound_count(&e.1)).sum(),
    }
}

/// The value of a term without variables, references, calls and comprehensions.
pub(super) fn constant(t: &Term) -> Option<Value> {
    match &t.value {
        TermValue::Array(items) => Some(Value::array(items.iter().map(constant).collect::<Option<_>>()?)),
        TermValue::Set(items) => Some(Value::set(items.iter().map(constant).collect::<Option<_>>()?)),
        TermValue::Object(entries) => Some(Value::object(
            entries
                .iter()
                .map(|(k, v)| Some((constant(k)?, constant(v)?)))
                .collect::<Option<_>>()?,
        )),
        _ => scalar(t),
    }
}

impl<'t> Scope<'_, 't> {
    /// A new slot.
    pub(crate) fn slot(&mut self) -> Slot {
        let s = self.next;
        self.next += 1;
        s
    }

    /// A fault of an earlier stage: refused rather than run wrongly.
    pub(crate) fn fault(&mut self, loc: &Loc, message: String) -> Operand {
        self.p.errors.push(Error::new(Code::Internal, loc, message));
        Operand::Const(0)
    }

    /// Whether a variable's value is never looked at but where it stands.
    pub(crate) fn unused(&self, name: &str) -> bool {
        self.uses.get(name).is_none_or(|n| *n <= 1)
    }

    /// The slot that is given out next.
    pub(super) fn next_slot(&self) -> Slot {
        self.next
    }

    /// Takes back the slots given out since.
    pub(super) fn free_slots(&mut self, next: Slot) {
        self.next = next;
    }

    /// What a variable is bound to.
    pub(super) fn bound(&self, name: &str) -> Option<Operand> {
        self.env.get(name).copied()
    }

    /// Goes over to another rule's body, none of whose variables is bound; [`Scope::change_back`] follows.
    pub(super) fn change_rule(&mut self, uses: FxHashMap<SmolStr, u32>) -> Outer {
        Outer {
            env: std::mem::take(&mut self.env),
            ops: std::mem::take(&mut self.ops),
            uses: std::mem::replace(&mut self.uses, uses),
        }
    }

    /// Goes back; what was planned in between.
    pub(super) fn change_back(&mut self, outer: Outer) -> Vec<Op> {
        self.env = outer.env;
        self.uses = outer.uses;
        std::mem::replace(&mut self.ops, outer.ops)
    }

    pub(super) fn head_value(&mut self, r: &Rule) -> Operand {
        match &r.head.value {
            Some(t) => self.eval(t),
            None => self.p.constant(Value::Bool(true)),
        }
    }

    /// Binds what is known of a head's key before its body runs; false: the two can never be equal.
    fn prebind(&mut self, key: &Term, pattern: &Pattern, next: &mut u32) -> bool {
        match (pattern, &key.value) {
            (Pattern::Any, _) => true,
            (Pattern::Bound, _) => {
                let arg = Operand::Slot(*next);
                *next += 1;
                // A composite of what only the body binds is compared at the end, by who asks.
                if self.matchable(key) {
                    self.unify_value(arg, key);
                }
                true
            }
            (Pattern::Array(of), TermValue::Array(items)) => {
                let mut possible = of.len() == items.len();
                for (p, t) in of.iter().zip(items) {
                    possible &= self.prebind(t, p, next);
                }
                possible
            }
            (Pattern::Object(of), TermValue::Object(entries)) => {
                let keys: Option<Vec<(Value, &Term)>> = entries.iter().map(|(k, v)| Some((scalar(k)?, v))).collect();
                let Some(keys) = keys else {
                    *next += bound_count(pattern);
                    return true;
                };
                let mut possible = of.len() == keys.len();
                for (k, p) in of {
                    match keys.iter().find(|e| e.0 == *k) {
                        Some((_, t)) => possible &= self.prebind(t, p, next),
                        None => {
                            *next += bound_count(p);
                            possible = false;
                        }
                    }
                }
                possible
            }
            (Pattern::Array(_) | Pattern::Object(_), v) => {
                *next += bound_count(pattern);
                matches!(
                    v,
                    TermValue::Var(_)
                        | TermValue::Ref(_)
                        | TermValue::Call(_)
                        | TermValue::Array(_)
                        | TermValue::Object(_)
                ) && !matches!(
                    (pattern, v),
                    (Pattern::Array(_), TermValue::Object(_)) | (Pattern::Object(_), TermValue::Array(_))
                )
            }
        }
    }

    /// As [`Scope::prebind`] for a key that is constant.
    fn prebind_const(&mut self, key: Operand, pattern: &Pattern, next: &mut u32) -> bool {
        match pattern {
            Pattern::Any => true,
            Pattern::Bound => {
                let a = Operand::Slot(*next);
                *next += 1;
                self.ops.push(Op::Same { a, b: key });
                true
            }
            _ => {
                *next += bound_count(pattern);
                false
            }
        }
    }

    /// Plans a body's expressions in order.
    pub(crate) fn body(&mut self, body: &[Expr]) {
        if self.marking.is_some() {
            return self.marked_body(body);
        }
        for e in body {
            self.expr(e);
        }
    }

    /// Plans into a block of its own; variables bound in it are gone after it.
    fn block(&mut self, plan: impl FnOnce(&mut Self)) -> Block {
        let env = self.env.clone();
        let looped = self.looped;
        let outer = std::mem::take(&mut self.ops);
        plan(self);
        self.env = env;
        self.looped = looped;
        Block {
            ops: std::mem::replace(&mut self.ops, outer),
        }
    }

    pub(super) fn expr(&mut self, e: &Expr) {
        if e.with.is_empty() {
            self.bare(e);
        } else {
            self.with(e);
        }
    }

    /// An expression without its `with`.
    fn bare(&mut self, e: &Expr) {
        if e.negated {
            if self.inline_not(e) {
                return;
            }
            let outer = self.block_begins();
            let block = self.block(|s| {
                s.kind(&e.kind, &e.loc);
                s.ops.push(Op::Found { all: false });
            });
            self.ops.push(Op::Not { block: Box::new(block) });
            self.block_ends(outer, true);
        } else {
            self.kind(&e.kind, &e.loc);
        }
    }

    fn kind(&mut self, kind: &ExprKind, loc: &Loc) {
        match kind {
            ExprKind::Term(t) => {
                let of = self.eval(t);
                self.truthy(of);
            }
            ExprKind::Call(terms) => {
                self.call(terms, loc, true);
            }
            ExprKind::Some(terms) => {
                if let [
                    Term {
                        value: TermValue::Call(parts),
                        ..
                    },
                ] = terms.as_slice()
                {
                    match parts.as_slice() {
                        [_, value, domain] => self.each(None, value, domain),
                        [_, key, value, domain] => self.each(Some(key), value, domain),
                        _ => {}
                    }
                }
            }
            ExprKind::Every(every) => {
                let domain = self.eval(&every.domain);
                let value = self.slot();
                let mut key_slot = None;
                let outer = self.block_begins();
                self.iterates(domain);
                let block = self.block(|s| {
                    s.looped = true;
                    if let Some(key) = &every.key {
                        let unused = matches!(&key.value, TermValue::Var(name) if s.unused(name));
                        if !unused {
                            let slot = s.slot();
                            key_slot = Some(slot);
                            s.unify_value(Operand::Slot(slot), key);
                        }
                    }
                    s.element(domain, value);
                    s.unify_value(Operand::Slot(value), &every.value);
                    s.body(&every.body);
                    s.ops.push(Op::Found { all: false });
                });
                self.ops.push(Op::Every {
                    domain,
                    key: key_slot,
                    value,
                    block: Box::new(block),
                });
                self.block_ends(outer, false);
            }
            ExprKind::Not(body) => {
                let outer = self.block_begins();
                let block = self.block(|s| {
                    s.body(body);
                    s.ops.push(Op::Found { all: true });
                });
                self.ops.push(Op::Not { block: Box::new(block) });
                self.block_ends(outer, true);
            }
        }
    }

    /// Must hold.
    fn truthy(&mut self, of: Operand) {
        let constant = match of {
            Operand::Const(at) => self.p.constant_at(at),
            Operand::Slot(_) => None,
        };
        if constant.is_none_or(|v| *v == Value::Bool(false)) {
            self.ops.push(Op::Truthy { of });
        }
    }

    /// `some key, value in domain`.
    fn each(&mut self, key: Option<&Term>, value: &Term, domain: &Term) {
        let from = self.eval(domain);
        let item = self.slot();
        let key_slot = key.map(|_| self.slot());
        self.iterates(from);
        self.looped = true;
        self.ops.push(Op::Scan {
            from,
            key: key_slot,
            value: item,
        });
        self.element(from, item);
        if let (Some(key), Some(slot)) = (key, key_slot) {
            self.unify_value(Operand::Slot(slot), key);
        }
        self.unify_value(Operand::Slot(item), value);
    }

    /// An expression under `with`: values outside, the expression in a block, what it binds handed on.
    fn with(&mut self, e: &Expr) {
        let mut targets = Vec::new();
        for w in &e.with {
            let Some(target) = self.target(&w.target) else {
                self.fault(&w.loc, "with target is not input, data or a function".to_string());
                continue;
            };
            let value = match (&target, &w.value.value) {
                (Target::Call(_), TermValue::Ref(parts)) => match self.p.callee(parts) {
                    Some(callee) => Replacement::Call(callee),
                    None => Replacement::Value(self.eval(&w.value)),
                },
                _ => Replacement::Value(self.eval(&w.value)),
            };
            targets.push((target, value));
        }
        let before = self.env.clone();
        let outer = std::mem::take(&mut self.ops);
        self.bare(e);
        let mut outs: Vec<Slot> = Vec::new();
        for (name, operand) in &self.env {
            if let Operand::Slot(s) = operand
                && !before.contains_key(name)
                && !outs.contains(s)
            {
                outs.push(*s);
            }
        }
        outs.sort_unstable();
        self.ops.push(Op::Row {
            slots: outs.iter().map(|s| Operand::Slot(*s)).collect(),
        });
        let block = Block {
            ops: std::mem::replace(&mut self.ops, outer),
        };
        let loc = self.p.loc(&e.loc);
        self.looped = true;
        self.ops.push(Op::With {
            targets: targets.into(),
            block: Box::new(block),
            outs: outs.into(),
            loc,
        });
    }

    fn target(&mut self, t: &Term) -> Option<Target> {
        let parts = match &t.value {
            TermValue::Ref(parts) => parts.as_slice(),
            TermValue::Var(_) => std::slice::from_ref(t),
            _ => return None,
        };
        let (head, rest) = parts.split_first()?;
        let keys = || rest.iter().map(scalar).collect::<Option<Vec<Value>>>();
        match &head.value {
            TermValue::Var(name) if name == "input" => Some(Target::Input(keys()?)),
            TermValue::Var(name) if name == "data" => match self.p.callee(parts) {
                Some(callee) => Some(Target::Call(callee)),
                None => Some(Target::Data(keys()?)),
            },
            _ => Some(Target::Call(self.p.callee(parts)?)),
        }
    }

    /// A comprehension.
    pub(crate) fn comprehension(&mut self, t: &Term) -> Operand {
        let loc = self.p.loc(&t.loc);
        let to = self.slot();
        let outer = self.block_begins();
        let (collect, block) = match &t.value {
            TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                let block = self.block(|s| {
                    s.body(body);
                    let of = s.eval(head);
                    s.made(of);
                    s.ops.push(Op::Item { of });
                });
                let array = matches!(&t.value, TermValue::ArrayCompr(..));
                (if array { Collect::Array } else { Collect::Set }, block)
            }
            TermValue::ObjectCompr(key, value, body) => {
                let block = self.block(|s| {
                    s.body(body);
                    let key = s.eval(key);
                    let value = s.eval(value);
                    s.made(value);
                    s.ops.push(Op::Entry { key, value });
                });
                (Collect::Object, block)
            }
            _ => return self.fault(&t.loc, "not a comprehension".to_string()),
        };
        self.ops.push(Op::Comprehension {
            collect,
            block: Box::new(block),
            to,
            loc,
        });
        self.block_ends(outer, false);
        Operand::Slot(to)
    }

    /// A call; as a statement it must hold. Gives the result when there is one to use.
    pub(crate) fn call(&mut self, terms: &[Term], loc: &Loc, statement: bool) -> Operand {
        let Some((op, args)) = terms.split_first() else {
            return self.fault(loc, "call without operator".to_string());
        };
        let parts = match &op.value {
            TermValue::Ref(parts) => parts.as_slice(),
            _ => std::slice::from_ref(op),
        };
        let name = operator(parts);
        match (name.as_str(), args) {
            ("eq" | "assign", [a, b]) if statement => {
                self.unify(a, b);
                return Operand::Const(0);
            }
            ("internal.print", [arg]) => {
                let args = self.eval(arg);
                let loc = self.p.loc(loc);
                self.ops.push(Op::Print { args, loc });
                return Operand::Const(0);
            }
            _ => {}
        }
        let how = match name.as_str() {
            "equal" | "eq" => Some(Compare::Eq),
            "neq" => Some(Compare::Ne),
            "lt" => Some(Compare::Lt),
            "lte" => Some(Compare::Le),
            "gt" => Some(Compare::Gt),
            "gte" => Some(Compare::Ge),
            _ => None,
        };
        let mocked = self.p.mocked.contains(&name);
        if let (Some(how), [a, b, out @ ..], false) = (how, args, mocked) {
            let a = self.eval(a);
            let b = self.eval(b);
            if statement && out.is_empty() {
                self.ops.push(Op::Compare { how, a, b });
                return Operand::Const(0);
            }
            let to = self.slot();
            self.ops.push(Op::CompareTo { how, a, b, to });
            if let Some(out) = out.first() {
                self.unify_value(Operand::Slot(to), out);
            }
            return Operand::Slot(to);
        }
        let Some(callee) = self.p.callee(parts) else {
            self.p.errors.push(Error::new(
                Code::Unsupported,
                loc,
                format!("function {name} is not supported"),
            ));
            return Operand::Const(0);
        };
        let (arity, relation, void) = match callee {
            Callee::Builtin(b) => (
                b.arity().unwrap_or(args.len()),
                b.relation,
                matches!(&b.declared, crate::types::Type::Function(_, _, None)),
            ),
            Callee::Function(d) => (self.p.arity(d), false, false),
        };
        let given: Vec<Operand> = args.iter().take(arity).map(|a| self.eval(a)).collect();
        if let Callee::Function(doc) = callee
            && !mocked
            && given.len() == arity
            && let Some(value) = self.inline(doc, &given)
        {
            match args.get(arity) {
                Some(out) => self.unify_value(value, out),
                None if statement => self.truthy(value),
                None => {}
            }
            return value;
        }
        let quick = match callee {
            Callee::Builtin(b) if !mocked && self.p.rewrites.quick => {
                builtins::quick(b.name).map(Shortcut::Quick).or_else(|| {
                    let is_constant = |i: usize| matches!(given.get(i), Some(Operand::Const(_)));
                    Some(Shortcut::Matcher(Box::new(Matcher::of(b.name, is_constant)?)))
                })
            }
            _ => None,
        };
        let loc_id = self.p.loc(loc);
        let to = self.slot();
        match callee {
            Callee::Function(doc) => self.asks(Asked::Doc(doc)),
            Callee::Builtin(_) => self.hands_over(&name, &given),
        }
        let written = if matches!(quick, Some(Shortcut::Quick(_))) && !self.p.trace {
            self.written_out(&name, callee, &given, args)
        } else {
            None
        };
        self.ops.push(match written {
            Some(format) => Op::Format {
                format: Box::new(format),
                to,
                loc: loc_id,
            },
            None => Op::Call {
                callee,
                args: given.into(),
                to,
                mockable: mocked,
                loc: loc_id,
                quick,
            },
        });
        if let Callee::Function(doc) = callee {
            self.asked(Asked::Doc(doc));
        }
        let mut result = Operand::Slot(to);
        if relation {
            let value = self.slot();
            self.looped = true;
            self.ops.push(Op::Scan {
                from: result,
                key: None,
                value,
            });
            result = Operand::Slot(value);
        }
        match args.get(arity) {
            Some(out) => self.unify_value(result, out),
            None if statement && !void => self.truthy(result),
            None => {}
        }
        result
    }
}

impl Scope<'_, '_> {
    /// A text of a constant format and a list that was planned last, which then need not be made.
    fn written_out(&mut self, name: &str, callee: Callee, args: &[Operand], terms: &[Term]) -> Option<format::Format> {
        // A list that stands in the call has no other reader.
        let ([Operand::Const(first), Operand::Slot(list)], Some(TermValue::Array(_))) =
            (args, terms.get(1).map(|t| &t.value))
        else {
            return None;
        };
        let Some(Op::MakeArray { items, to }) = self.ops.last() else {
            return None;
        };
        if to != list {
            return None;
        }
        let format = format::format(name, self.p.constant_at(*first)?, items, *list, callee, args)?;
        self.ops.pop();
        Some(format)
    }
}

impl Planner<'_> {
    /// The function an operator names.
    pub(crate) fn callee(&self, parts: &[Term]) -> Option<Callee> {
        let (head, rest) = parts.split_first()?;
        if matches!(&head.value, TermValue::Var(v) if v == "data") {
            let path: Vec<Value> = rest.iter().map(scalar).collect::<Option<_>>()?;
            let doc = self.tree.doc_at(&path)?;
            let group = self.tree.groups.get(doc as usize)?;
            return (group.kind == Kind::Function).then_some(Callee::Function(doc));
        }
        builtins::find(&operator(parts)).map(Callee::Builtin)
    }

    pub(super) fn arity(&self, doc: DocId) -> usize {
        self.tree.groups.get(doc as usize).map_or(0, arity)
    }
}

/// How many arguments the rules of a document take.
fn arity(group: &Group<'_>) -> usize {
    let first = group.rules.first();
    first.and_then(|m| m.rule.head.args.as_ref()).map_or(0, Vec::len)
}
