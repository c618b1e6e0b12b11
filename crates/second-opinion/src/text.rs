//! Lowered programs as Rego that regorus reads rightly.
//!
//! The lowered form is small: operands of calls are scalars, variables and literals of such, everything else stands in
//! an expression of its own before it. So regorus' readings of larger expressions, of negated calls and of bodies in a
//! row do not matter. Names are spelt so that none is a keyword, calls that regorus would answer otherwise go to our
//! built-ins, and every statement ends with a semicolon, so that no line goes on in the next.

use crate::builtins::{extension, is_own};
use crate::not_asked::reason;
use crate::objects::{self, PartialObject, PartialObjects, first_name, module_path};
use crate::terms::{is_document, is_generated, is_name, is_root, operator_name, path_of, take_apart, vars, vars_of};
use crate::values;
use regent_rego::ast::{Expr, ExprKind, Module, Rule, Term, TermValue, With};
use regent_rego::builtins::{self, Builtin};
use regent_rego::compile::{Compiled, Query, rule_path};
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// A program as text.
#[derive(Default)]
pub(crate) struct Printed {
    /// Name and text of each module.
    pub(crate) modules: Vec<(String, String)>,
    /// Built-ins of ours that are called.
    pub(crate) builtins: BTreeMap<&'static str, &'static Builtin>,
    /// A partial rule is asked for by a key somewhere.
    pub(crate) keyed: bool,
    /// The names in a package are gone through somewhere.
    pub(crate) packages: bool,
    /// Whether a built-in of regorus' own may fail in it.
    pub(crate) may_fail: bool,
}

/// The package of the rules that stand for queries: `q0`, `q1`, ...
pub(crate) const QUERIES: &str = "regent_query";

/// Brackets in one another, at most: the time of regorus' parser doubles with each.
const NESTING: usize = 10;

type Res = Result<(), String>;

/// Prints a program.
///
/// # Errors
/// Why regorus is not asked about it.
pub(crate) fn print(compiled: &Compiled) -> Result<Printed, String> {
    let mut printed = Printed::default();
    let functions = Rc::new(functions(compiled));
    let objects = Rc::new(objects::find(compiled)?);
    let partial = Rc::new(objects::partial(compiled));
    let paths = Rc::new(compiled.modules.iter().map(objects::module_path).collect());
    let mut entries = format!("package {}\n\n", objects::PACKAGE);
    for (i, module) in compiled.modules.iter().enumerate() {
        let mut printer = Printer::new(&functions, &objects, &partial, &paths);
        printer.module = i;
        printer.module(module)?;
        printed.keyed |= printer.keyed;
        printed.packages |= printer.packages;
        printed.builtins.append(&mut printer.builtins);
        printed.may_fail |= printer.may_fail;
        entries.push_str(&printer.entries);
        // Of two modules of one package, regorus may not see the rules of the second one.
        let (package, rules) = printer.out.split_once("\n\n").unwrap_or_default();
        match printed.modules.iter_mut().find(|(_, text)| is_package(text, package)) {
            Some((_, text)) => text.push_str(rules),
            None => printed.modules.push((format!("m{i}"), printer.out)),
        }
    }
    if !objects.is_empty() {
        printed.modules.push(("entries".to_owned(), entries));
    }
    if !compiled.queries.is_empty() {
        let mut printer = Printer::new(&functions, &objects, &partial, &paths);
        let _ = writeln!(printer.out, "package {QUERIES}\n");
        for (i, query) in compiled.queries.iter().enumerate() {
            printer.query(i, query)?;
        }
        printed.keyed |= printer.keyed;
        printed.packages |= printer.packages;
        printed.may_fail |= printer.may_fail;
        printed.builtins.append(&mut printer.builtins);
        printed.modules.push(("queries".to_owned(), printer.out));
    }
    Ok(printed)
}

/// Whether a module's text begins with this declaration.
fn is_package(text: &str, package: &str) -> bool {
    text.split_once("\n\n").is_some_and(|(head, _)| head == package)
}

/// How many operands the functions of a program take, by their path.
type Functions = FxHashMap<Vec<String>, usize>;

fn functions(compiled: &Compiled) -> Functions {
    let rules = compiled
        .modules
        .iter()
        .flat_map(|m| m.rules.iter().map(move |r| (m, r)));
    rules
        .filter_map(|(m, r)| Some((rule_path(m, r), r.head.args.as_ref()?.len())))
        .collect()
}

/// Refuses an object, or what holds one, as a pattern.
fn no_object(pattern: &Term) -> Res {
    match &pattern.value {
        TermValue::Object(_) => Err(reason("object-patterns", "an object as a pattern")),
        TermValue::Array(items) => items.iter().try_for_each(no_object),
        _ => Ok(()),
    }
}

fn is_text(term: &Term, text: &str) -> bool {
    matches!(&term.value, TermValue::String(s) if s == text)
}

/// Whether a variable stands in a term.
fn uses(term: &Term, name: &str) -> bool {
    let mut used = FxHashSet::default();
    vars(term, &mut used);
    used.iter().any(|v| v == name)
}

struct Printer {
    out: String,
    functions: Rc<Functions>,
    objects: Rc<PartialObjects>,
    /// Number of the module.
    module: usize,
    /// Rules that go to the package of entries.
    entries: String,
    /// Variables that have a value where the printer is.
    bound: FxHashSet<SmolStr>,
    builtins: BTreeMap<&'static str, &'static Builtin>,
    /// Brackets that are open.
    open: usize,
    /// Names made here.
    fresh: usize,
    /// Paths of partial rules.
    partial: Rc<FxHashSet<Vec<String>>>,
    keyed: bool,
    packages: bool,
    may_fail: bool,
    /// Within the body of an `every`, and not of a closure there.
    in_every: bool,
    /// Paths of packages.
    package_paths: Rc<Vec<Vec<String>>>,
}

impl Printer {
    fn new(
        functions: &Rc<Functions>,
        objects: &Rc<PartialObjects>,
        partial: &Rc<FxHashSet<Vec<String>>>,
        paths: &Rc<Vec<Vec<String>>>,
    ) -> Printer {
        Printer {
            out: String::new(),
            functions: functions.clone(),
            objects: objects.clone(),
            module: 0,
            entries: String::new(),
            bound: FxHashSet::default(),
            builtins: BTreeMap::new(),
            open: 0,
            fresh: 0,
            partial: partial.clone(),
            keyed: false,
            packages: false,
            may_fail: false,
            in_every: false,
            package_paths: paths.clone(),
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn enter(&mut self) -> Res {
        self.open += 1;
        if self.open > NESTING {
            return Err(reason(
                "nesting",
                &format!("more than {NESTING} brackets in one another"),
            ));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.open -= 1;
    }

    fn module(&mut self, module: &Module) -> Res {
        self.put("package ");
        for (i, part) in module.package.iter().skip(1).enumerate() {
            match &part.value {
                TermValue::String(s) if i == 0 && is_name(s) => self.put(s),
                TermValue::String(s) if i == 0 => return Err(reason("unread", &format!("package {s:?}"))),
                _ => self.step(part)?,
            }
        }
        self.put("\n\n");
        let mut seen = FxHashSet::default();
        for rule in &module.rules {
            let Some(name) = first_name(rule) else {
                return Err(reason("unread", "a rule without a name"));
            };
            match self.objects.get(&[module_path(module), vec![name.to_owned()]].concat()) {
                None => self.rule(rule)?,
                Some(object) => {
                    let object = object.clone();
                    self.entry_rule(rule, &object)?;
                    if seen.insert(name) && object.module == self.module {
                        objects::document(&mut self.out, name, &object);
                    }
                }
            }
        }
        Ok(())
    }

    /// A rule of a partial object, which gives an entry; the object is made of them.
    fn entry_rule(&mut self, rule: &Rule, object: &PartialObject) -> Res {
        let before = std::mem::take(&mut self.out);
        self.bound.clear();
        let _ = write!(self.out, "{} contains [", object.entries);
        let steps = rule.head.reference.iter().skip(1);
        for (i, part) in steps
            .chain(&rule.head.key)
            .chain(rule.head.value.iter().filter(|_| rule.head.key.is_none()))
            .enumerate()
        {
            if i > 0 {
                self.put(", ");
            }
            self.term(part)?;
        }
        self.put("] if {\n");
        self.body(&rule.body)?;
        self.put("\n}\n\n");
        let text = std::mem::replace(&mut self.out, before);
        self.entries.push_str(&text);
        Ok(())
    }

    fn rule(&mut self, rule: &Rule) -> Res {
        self.bound.clear();
        rule.head
            .args
            .iter()
            .flatten()
            .for_each(|arg| vars(arg, &mut self.bound));
        if rule.default {
            self.put("default ");
        }
        let head = &rule.head;
        if let Some(args) = &head.args
            && rule.default
        {
            // The arguments of a default are wildcards.
            self.name(&head.reference)?;
            let names: Vec<String> = (0..args.len()).map(|i| format!("a{i}")).collect();
            let _ = write!(self.out, "({})", names.join(", "));
        } else {
            self.name(&head.reference)?;
            if let Some(args) = &head.args {
                args.iter().try_for_each(no_object)?;
                self.list('(', args, ')')?;
            }
        }
        if let Some(key) = &head.key {
            self.put(" contains ");
            self.term(key)?;
        }
        if let Some(value) = &head.value
            && head.key.is_none()
        {
            self.put(" := ");
            self.term(value)?;
        }
        if rule.default {
            self.put("\n");
            return Ok(());
        }
        let args = self.bound.clone();
        self.put(" if {\n");
        self.body(&rule.body)?;
        self.put("\n}");
        let mut next = &rule.else_rule;
        while let Some(branch) = next {
            self.put(" else");
            if let Some(value) = &branch.head.value {
                self.put(" := ");
                self.term(value)?;
            }
            self.put(" if {\n");
            // Its arguments have names of their own where they are renamed.
            self.bound.clone_from(&args);
            branch
                .head
                .args
                .iter()
                .flatten()
                .for_each(|arg| vars(arg, &mut self.bound));
            self.body(&branch.body)?;
            self.put("\n}");
            next = &branch.else_rule;
        }
        self.put("\n\n");
        Ok(())
    }

    /// Query `i` as a rule whose value is the list of its results.
    fn query(&mut self, i: usize, query: &Query) -> Res {
        let _ = write!(self.out, "q{i} := [{{\"bindings\": {{");
        for (n, (name, lowered)) in query.vars.iter().enumerate() {
            if n > 0 {
                self.put(", ");
            }
            self.string(name);
            self.put(": ");
            self.var(lowered);
        }
        self.put("}, \"expressions\": ");
        self.list('[', &query.values, ']')?;
        self.put("} |\n");
        self.bound.clear();
        self.body(&query.body)?;
        self.put("\n]\n\n");
        Ok(())
    }

    fn body(&mut self, body: &[Expr]) -> Res {
        for (i, expr) in body.iter().enumerate() {
            if i > 0 {
                self.put(";\n");
            }
            self.expr(expr)?;
            vars_of(expr, &mut self.bound);
        }
        Ok(())
    }

    /// A body in brackets: what it binds is not bound outside.
    fn closure(&mut self, body: &[Expr], given: &[&Term]) -> Res {
        let outside = self.bound.clone();
        let in_every = std::mem::take(&mut self.in_every);
        given.iter().for_each(|t| vars(t, &mut self.bound));
        self.in_every = !given.is_empty();
        self.body(body)?;
        self.bound = outside;
        self.in_every = in_every;
        Ok(())
    }

    fn expr(&mut self, expr: &Expr) -> Res {
        if expr.negated && self.in_every {
            // regorus takes what is undefined under `not` there for the end of the body.
            let mut plain = expr.clone();
            plain.negated = false;
            return self.none(&[plain]);
        }
        if expr.negated {
            self.put("not ");
        }
        match &expr.kind {
            ExprKind::Term(term) => self.term(term)?,
            ExprKind::Call(terms) => self.call(terms, expr)?,
            ExprKind::Every(every) => {
                self.put("every ");
                if let Some(key) = &every.key {
                    self.term(key)?;
                    self.put(", ");
                }
                self.term(&every.value)?;
                self.put(" in ");
                self.term(&every.domain)?;
                self.enter()?;
                self.put(" {\n");
                let given: Vec<&Term> = every.key.iter().chain([&every.value]).collect();
                self.closure(&every.body, &given)?;
                self.put("\n}");
                self.leave();
            }
            ExprKind::Not(body) => self.none(body)?,
            ExprKind::Some(_) => return Err(reason("unread", "a declaration that was not lowered")),
        }
        self.with(&expr.with)
    }

    /// That a body has no solution.
    fn none(&mut self, body: &[Expr]) -> Res {
        self.enter()?;
        self.put("[] == [1 |\n");
        self.closure(body, &[])?;
        self.put("\n]");
        self.leave();
        Ok(())
    }

    fn with(&mut self, with: &[With]) -> Res {
        for w in with {
            match &w.target.value {
                TermValue::Ref(parts) if is_document(parts) => {}
                _ => return Err(reason("with-function", "a function is replaced")),
            }
            if path_of(&w.target).is_some_and(|path| self.functions.contains_key(&path)) {
                return Err(reason("with-function", "a function is replaced"));
            }
            self.put(" with ");
            self.term(&w.target)?;
            self.put(" as ");
            self.term(&w.value)?;
        }
        Ok(())
    }

    fn call(&mut self, terms: &[Term], expr: &Expr) -> Res {
        let Some((operator, operands)) = terms.split_first() else {
            return Ok(());
        };
        let name = operator_name(operator);
        let Some(builtin) = name.as_deref().and_then(builtins::find) else {
            return match &operator.value {
                TermValue::Ref(parts) if is_document(parts) => self.function(operator, operands, expr),
                _ => Err(reason("unread", &format!("the call of {}", name.unwrap_or_default()))),
            };
        };
        let arity = builtin.arity().unwrap_or(operands.len());
        let (args, out) = operands.split_at(arity.min(operands.len()));
        if let ("eq", [a, b]) = (builtin.name, operands) {
            return self.equality(a, b, expr);
        }
        if builtin.name == "internal.print" {
            self.put("true");
            return Ok(());
        }
        if let Some(out) = out.first()
            && !builtin.relation
        {
            if expr.negated {
                self.put("(");
            }
            self.term(out)?;
            self.put(self.sign(out, expr));
            self.apply(builtin, args)?;
            if expr.negated {
                self.put(")");
            }
            return Ok(());
        }
        if builtin.relation {
            return self.relation(builtin, args, out.first(), expr);
        }
        self.apply(builtin, args)
    }

    /// Unification. Where nothing is left to bind it is a comparison, because regorus takes `=` in a closure for the
    /// declaration of a variable; what has a known form on both sides is taken apart, because regorus refuses what can
    /// never match.
    fn equality(&mut self, a: &Term, b: &Term, expr: &Expr) -> Res {
        let whole = expr.negated || !expr.with.is_empty();
        let mut parts: Vec<(&Term, &Term)> = Vec::new();
        if whole {
            parts.push((a, b));
        } else if !take_apart(a, b, &mut parts) {
            self.put("false");
            return Ok(());
        }
        if parts.is_empty() {
            self.put("true");
        }
        let mut first = true;
        while !parts.is_empty() {
            // What has a value on one side comes first, so that both sides of the rest get one.
            let ready = parts.iter().position(|(a, b)| self.is_bound(a) || self.is_bound(b));
            let (a, b) = parts.remove(ready.unwrap_or(0));
            if !std::mem::take(&mut first) {
                self.put(";\n");
            }
            let (a, b) = match (&a.value, &b.value) {
                (_, TermValue::Var(_)) if self.is_bound(a) && !self.is_bound(b) => (b, a),
                _ => (a, b),
            };
            if let Some((reference, other)) = self.by_itself(a, b) {
                self.fresh += 1;
                let _ = write!(self.out, "side{} := ", self.fresh);
                self.term(reference)?;
                let _ = write!(self.out, ";\nside{} == ", self.fresh);
                self.term(other)?;
                vars(reference, &mut self.bound);
                continue;
            }
            for (pattern, value) in [(a, b), (b, a)] {
                let bare = matches!(pattern.value, TermValue::Var(_))
                    || matches!(value.value, TermValue::Var(_)) && !self.is_bound(value);
                if !expr.negated && !bare && !self.is_bound(pattern) {
                    no_object(pattern)?;
                }
            }
            self.term(a)?;
            self.put(match &a.value {
                _ if expr.negated || (self.is_bound(a) && self.is_bound(b)) => " == ",
                // `every` does not declare its variables to what `=` binds.
                TermValue::Var(_) if !self.is_bound(a) => " := ",
                _ => " = ",
            });
            self.term(b)?;
            vars(a, &mut self.bound);
            vars(b, &mut self.bound);
        }
        Ok(())
    }

    /// A reference that has to be followed before it is compared, and what with: regorus cannot order `ref[x] = x`, and in
    /// an `every` it takes `x = ref[y]` for true.
    fn by_itself<'t>(&self, a: &'t Term, b: &'t Term) -> Option<(&'t Term, &'t Term)> {
        [(a, b), (b, a)].into_iter().find(|(reference, other)| {
            matches!(reference.value, TermValue::Ref(_))
                && !self.is_bound(reference)
                && match &other.value {
                    TermValue::Var(name) if !self.is_bound(other) => uses(reference, name),
                    _ => self.in_every && self.is_bound(other),
                }
        })
    }

    /// What stands between the place of a result and the call that gives it. Under `not` nothing is bound.
    fn sign(&self, out: &Term, expr: &Expr) -> &'static str {
        match &out.value {
            _ if expr.negated || self.is_bound(out) => " == ",
            TermValue::Var(_) => " := ",
            _ => " = ",
        }
    }

    fn is_bound(&self, term: &Term) -> bool {
        let mut used = FxHashSet::default();
        vars(term, &mut used);
        used.is_subset(&self.bound)
    }

    /// A call of a rule of the program.
    fn function(&mut self, operator: &Term, operands: &[Term], expr: &Expr) -> Res {
        let arity = path_of(operator).and_then(|path| self.functions.get(&path).copied());
        let Some(arity) = arity else {
            return Err(reason("unread", "the call of what is no function"));
        };
        match operands.split_at_checked(arity) {
            Some((args, [out])) => {
                self.term(out)?;
                self.put(self.sign(out, expr));
                self.term(operator)?;
                self.list('(', args, ')')
            }
            _ => {
                self.term(operator)?;
                self.list('(', operands, ')')
            }
        }
    }

    /// One that has many answers: ours gives an array of them.
    fn relation(&mut self, builtin: &'static Builtin, args: &[Term], out: Option<&Term>, expr: &Expr) -> Res {
        if expr.negated {
            return Err(reason("unread", &format!("a negated {}", builtin.name)));
        }
        self.fresh += 1;
        let n = self.fresh;
        let _ = write!(self.out, "walked{n} = ");
        self.apply(builtin, args)?;
        self.with(&expr.with)?;
        self.put(";\n");
        match out {
            Some(out) => self.term(out)?,
            None => self.put("_"),
        }
        let _ = write!(self.out, " = walked{n}[at{n}]");
        Ok(())
    }

    fn apply(&mut self, builtin: &'static Builtin, args: &[Term]) -> Res {
        let infix = match builtin.name {
            "equal" => "==",
            "neq" => "!=",
            // Not `<` and its like: regorus puts objects behind sets.
            "internal.member_2" | "internal.member_3" => "in",
            _ => "",
        };
        match (infix, args) {
            ("", _) => {}
            (_, [a, b]) => {
                self.put("(");
                self.term(a)?;
                let _ = write!(self.out, " {infix} ");
                self.term(b)?;
                self.put(")");
                return Ok(());
            }
            ("in", [k, v, c]) => {
                self.put("(");
                self.term(k)?;
                self.put(", ");
                self.term(v)?;
                self.put(" in ");
                self.term(c)?;
                self.put(")");
                return Ok(());
            }
            _ => {}
        }
        if is_own(builtin.name) {
            self.may_fail |= !builtin.name.starts_with("is_");
            self.put(builtin.name);
        } else {
            self.builtins.insert(builtin.name, builtin);
            self.put(&extension(builtin.name));
        }
        self.list('(', args, ')')
    }

    fn list(&mut self, open: char, items: &[Term], close: char) -> Res {
        self.enter()?;
        self.out.push(open);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(", ");
            }
            self.term(item)?;
        }
        self.out.push(close);
        self.leave();
        Ok(())
    }

    fn comprehension(&mut self, open: char, heads: &[&Term], body: &[Expr], close: char) -> Res {
        self.enter()?;
        self.out.push(open);
        for (i, head) in heads.iter().enumerate() {
            if i > 0 {
                self.put(": ");
            }
            self.term(head)?;
        }
        self.put(" |\n");
        self.closure(body, &[])?;
        self.put("\n");
        self.out.push(close);
        self.leave();
        Ok(())
    }

    fn term(&mut self, term: &Term) -> Res {
        match &term.value {
            TermValue::Null => self.put("null"),
            TermValue::Bool(b) => self.put(if *b { "true" } else { "false" }),
            TermValue::Number(n) => {
                values::number(n)?;
                let text = n.text();
                self.put(&text);
            }
            TermValue::String(s) => self.string(s),
            TermValue::Var(v) => self.var(v),
            TermValue::Ref(parts) => self.reference(parts)?,
            TermValue::Array(items) => self.list('[', items, ']')?,
            TermValue::Set(items) if items.is_empty() => self.put("set()"),
            TermValue::Set(items) => self.list('{', items, '}')?,
            TermValue::Object(entries) => {
                self.enter()?;
                self.put("{");
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        self.put(", ");
                    }
                    self.term(key)?;
                    self.put(": ");
                    self.term(value)?;
                }
                self.put("}");
                self.leave();
            }
            TermValue::ArrayCompr(head, body) => self.comprehension('[', &[head], body, ']')?,
            TermValue::SetCompr(head, body) => self.comprehension('{', &[head], body, '}')?,
            TermValue::ObjectCompr(key, value, body) => self.comprehension('{', &[key, value], body, '}')?,
            TermValue::Call(_) | TermValue::Template(_) => {
                return Err(reason("unread", "an expression that was not lowered"));
            }
        }
        Ok(())
    }

    /// A rule's name with what follows it.
    fn name(&mut self, parts: &[Term]) -> Res {
        let Some((first, rest)) = parts.split_first() else {
            return Ok(());
        };
        match &first.value {
            TermValue::Var(v) if is_name(v) => self.put(v),
            TermValue::Var(v) => return Err(reason("unread", &format!("a rule named {v}"))),
            _ => return Err(reason("unread", "a rule without a name")),
        }
        rest.iter().try_for_each(|part| self.step(part))
    }

    fn reference(&mut self, parts: &[Term]) -> Res {
        let Some((first, rest)) = parts.split_first() else {
            return Ok(());
        };
        match &first.value {
            TermValue::Var(v) if is_root(v) => {
                let number = |part: &Term| matches!(part.value, TermValue::Number(_));
                let first = |path: &Vec<String>| path.first().zip(rest.first()).is_some_and(|(p, t)| is_text(t, p));
                if v == "data" && rest.iter().any(number) && self.package_paths.iter().any(first) {
                    return Err(reason("number-keys", "a number as a key below data"));
                }
                self.put(v);
                self.keyed |= v == "data" && objects::is_keyed(&self.partial, rest);
                self.packages |= v == "data" && objects::goes_through(&self.package_paths, rest);
            }
            TermValue::Var(v) => self.var(v),
            _ => return Err(reason("unread", "a reference into a literal")),
        }
        rest.iter().try_for_each(|part| self.step(part))
    }

    fn step(&mut self, part: &Term) -> Res {
        match &part.value {
            TermValue::String(s) if is_name(s) => {
                self.put(".");
                self.put(s);
            }
            _ => {
                self.put("[");
                self.term(part)?;
                self.put("]");
            }
        }
        Ok(())
    }

    fn var(&mut self, name: &str) {
        if let Some(number) = name.strip_prefix('$') {
            let _ = write!(self.out, "w{number}");
        } else if is_generated(name) {
            self.put(name);
        } else {
            // A name of the user's: no keyword, no built-in, no rule.
            self.put("v_");
            self.put(name);
        }
    }

    /// A string as JSON writes it, which is how regorus reads strings.
    fn string(&mut self, text: &str) {
        self.put(&regent_rego::json::write(&regent_rego::Value::string(text)));
    }
}
