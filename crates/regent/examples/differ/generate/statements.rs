//! Bodies, their lines, and conditions.

use super::{Form, Gen, Kind, Scope};
use crate::shrink::tokens;

/// `some x, y`, without a collection.
fn declares(line: &str) -> bool {
    line.starts_with("some ") && !line.contains(" in ")
}

/// What is in a collection: anything in documents, else what the type checker may know better than we.
fn items(collection: &str) -> Kind {
    if collection.starts_with("input") || collection.starts_with("data.d") {
        Kind::Any
    } else {
        Kind::Null
    }
}

/// A line without `:=` of its own.
fn unified(line: &str) -> String {
    match line.split_once(" := ") {
        Some((name, term)) if !name.contains('|') && !name.starts_with("every") => format!("{name} = {term}"),
        _ => line.to_owned(),
    }
}

impl Gen {
    /// Lines of a body; now and then not in an order in which they can be run.
    pub(super) fn body(&mut self, scope: &mut Scope, depth: usize) -> Vec<String> {
        let count = 1 + self.r.below(3);
        let mut lines: Vec<String> = (0..count).map(|_| self.statement(scope, depth)).collect();
        if lines.len() > 1 && !lines.iter().any(|l| l.starts_with("some ") && l.contains(" in ")) && self.r.once_in(4) {
            let at = self.r.below(lines.len());
            lines.rotate_left(at);
            // What is declared cannot be used before; what is only unified can.
            if !self.r.once_in(30) {
                lines = lines
                    .iter()
                    .flat_map(|l| l.split("\n\t"))
                    .filter(|l| !declares(l))
                    .map(unified)
                    .collect();
            }
        }
        lines
    }

    /// Lines that use the variables declared from number `from` on and used nowhere else, which OPA refuses.
    pub(super) fn used(&mut self, lines: &mut Vec<String>, head: &str, scope: &Scope, from: usize) {
        let text = format!("{head}\n{}", lines.join("\n"));
        let words = tokens(&text);
        for (name, _) in scope.vars.iter().skip(from) {
            if words.iter().filter(|w| w.trim_end() == name).count() == 1 && !self.r.once_in(12) {
                lines.push(format!("_ = {name}"));
            }
        }
    }

    /// A body on one line, for closures.
    fn inline(&mut self, scope: &mut Scope, depth: usize) -> String {
        let from = scope.vars.len();
        let mut lines = self.body(scope, depth);
        self.used(&mut lines, "", scope, from);
        lines.join("; ").replace("\n\t", "; ")
    }

    fn declare(&mut self, scope: &mut Scope, kind: Kind) -> String {
        let name = self.fresh();
        scope.vars.push((name.clone(), kind));
        name
    }

    fn any_kind(&mut self) -> Kind {
        let all = [
            Kind::Any,
            Kind::Number,
            Kind::String,
            Kind::Array,
            Kind::Object,
            Kind::Set,
            Kind::Bool,
        ];
        all[self.r.below(all.len())]
    }

    /// A pattern and the variables it binds.
    fn pattern(&mut self, scope: &mut Scope) -> String {
        match self.r.below(7) {
            0 | 1 => {
                let (a, b) = (self.declare(scope, Kind::Any), self.declare(scope, Kind::Any));
                format!("[{a}, {b}]")
            }
            2 => {
                let a = self.declare(scope, Kind::Any);
                format!("{{\"a\": {a}}}")
            }
            3 => {
                let (a, b) = (self.declare(scope, Kind::Any), self.declare(scope, Kind::Any));
                format!("[{a}, [{b}, _]]")
            }
            4 => {
                let (a, b) = (self.declare(scope, Kind::Any), self.scalar(Kind::Any));
                format!("[{a}, {b}]")
            }
            5 => {
                let (a, b) = (self.declare(scope, Kind::Any), self.declare(scope, Kind::Any));
                format!("{{\"a\": [{a}], \"b\": {b}}}")
            }
            _ => "_".to_owned(),
        }
    }

    pub(super) fn statement(&mut self, scope: &mut Scope, depth: usize) -> String {
        if self.r.once_in(300) {
            return self.wrong(scope);
        }
        let modern = self.style.modern;
        match self.r.below(26) {
            0..=2 => {
                let kind = self.any_kind();
                let term = self.term(scope, kind, depth);
                let known = if kind == Kind::Any { Kind::Null } else { kind };
                format!("{} := {term}", self.declare(scope, known))
            }
            3 => {
                let collection = self.collection(scope, depth);
                let v = self.declare(scope, items(&collection));
                if modern {
                    format!("some {v} in {collection}")
                } else {
                    format!("{v} := {collection}[_]")
                }
            }
            4 => {
                let collection = self.collection(scope, depth);
                let kind = items(&collection);
                let (k, v) = (self.declare(scope, kind), self.declare(scope, kind));
                if modern {
                    format!("some {k}, {v} in {collection}")
                } else {
                    format!("some {k}\n\t{v} := {collection}[{k}]")
                }
            }
            5 => {
                let reference = self.reference(scope);
                let (k, v) = (self.declare(scope, Kind::Any), self.declare(scope, Kind::Any));
                match self.r.below(3) {
                    0 => format!("some {k}\n\t{v} := {reference}[{k}]"),
                    1 => format!("{reference}[{k}] = {v}"),
                    _ => format!("some {k}, {v}\n\t{reference}[{k}][{v}]"),
                }
            }
            6 if modern => {
                let collection = if self.r.once_in(6) {
                    self.collection(scope, depth)
                } else {
                    self.reference(scope)
                };
                let pattern = self.pattern(scope);
                format!("some {pattern} in {collection}")
            }
            7 | 8 if depth > 0 => self.negation(scope, depth),
            9 | 10 if depth > 0 && modern => {
                let collection = self.collection(scope, depth);
                let mut inner = Scope {
                    ground: false,
                    ..scope.clone()
                };
                let v = self.declare(&mut inner, items(&collection));
                let with_key = self.r.once_in(3);
                let k = if with_key {
                    format!("{}, ", self.declare(&mut inner, Kind::Null))
                } else {
                    String::new()
                };
                let mut body = if self.r.once_in(2) {
                    vec![self.inline(&mut inner, depth - 1)]
                } else {
                    Vec::new()
                };
                let condition = match self.r.below(4) {
                    0 => format!("{v} != {}", self.atom(&inner, Kind::Any)),
                    1 => format!("{v} in {}", self.collection(&mut inner, 0)),
                    2 => format!("is_string({v})"),
                    _ => self.condition(&mut inner, depth - 1),
                };
                body.push(condition);
                let from = scope.vars.len();
                let own: Vec<_> = inner
                    .vars
                    .iter()
                    .skip(from)
                    .take(1 + usize::from(with_key))
                    .cloned()
                    .collect();
                self.used(&mut body, &format!("{k}{v}"), &Scope { vars: own, ..inner }, 0);
                format!("every {k}{v} in {collection} {{ {} }}", body.join("; "))
            }
            11 => {
                let term = if self.r.once_in(6) {
                    self.term(scope, Kind::Any, depth)
                } else {
                    self.reference(scope)
                };
                let pattern = self.pattern(scope);
                let assign = ["=", ":="][self.r.below(2)];
                format!("{pattern} {assign} {term}")
            }
            12 => {
                let first = self.atom(scope, Kind::Any);
                let second = if self.r.once_in(8) {
                    self.term(scope, Kind::Any, 1)
                } else {
                    self.reference(scope)
                };
                let constant = self.scalar(Kind::Any);
                let v = self.declare(scope, Kind::Any);
                match self.r.below(3) {
                    0 => format!("[{v}, {constant}] = [{first}, {second}]"),
                    1 => format!("[{first}, {second}] = [{v}, _]"),
                    _ => format!("{{\"a\": {v}, \"b\": {constant}}} = {{\"a\": {first}, \"b\": {second}}}"),
                }
            }
            13 | 14 if depth > 0 => {
                let condition = self.condition(scope, depth - 1);
                self.modified(scope, condition)
            }
            15 if depth > 0 => {
                let term = self.term(scope, Kind::Any, depth - 1);
                let modified = self.modified(scope, term);
                format!("{} := {modified}", self.declare(scope, Kind::Null))
            }
            16 => {
                let walked = if self.r.once_in(3) {
                    self.term(scope, Kind::Any, 1)
                } else {
                    self.reference(scope)
                };
                let (p, v) = (self.declare(scope, Kind::Array), self.declare(scope, Kind::Any));
                match self.r.below(4) {
                    0 => format!("[{p}, {v}] := walk({walked})"),
                    1 => format!("walk({walked}, [[\"a\", {p}], {v}])"),
                    _ => format!("walk({walked}, [{p}, {v}])"),
                }
            }
            17 => match self.callee(scope, |f| matches!(f, Form::Set | Form::Object | Form::Nested(..))) {
                Some((p, Form::Set)) if self.r.once_in(2) => {
                    let known = self.atom(scope, Kind::Any);
                    let v = self.declare(scope, Kind::Any);
                    match self.r.below(3) {
                        0 => format!("{p}[[{known}, {v}]]"),
                        1 => format!("{p}[{{\"a\": {v}, \"b\": {known}}}]"),
                        _ => format!("{p}[{v}]"),
                    }
                }
                Some((p, Form::Nested(..))) => {
                    let (k, v) = (self.declare(scope, Kind::Null), self.declare(scope, Kind::Null));
                    format!("{p}[{k}][{v}]")
                }
                Some((p, _)) => {
                    let (k, v) = (self.declare(scope, Kind::Null), self.declare(scope, Kind::Null));
                    format!("{v} := {p}[{k}]")
                }
                None => self.condition(scope, depth),
            },
            18 if self.r.once_in(3) => {
                let mut ground = Scope {
                    ground: true,
                    ..scope.clone()
                };
                let (a, b) = (self.term(&mut ground, Kind::Any, 1), self.atom(&ground, Kind::Any));
                format!("print({a}, \"and\", {b})")
            }
            19 => {
                let term = self.term(scope, Kind::Any, depth);
                format!("{} = {term}", self.declare(scope, Kind::Null))
            }
            _ => self.condition(scope, depth),
        }
    }

    fn negation(&mut self, scope: &mut Scope, depth: usize) -> String {
        let mut inner = Scope {
            ground: true,
            ..scope.clone()
        };
        if self.style.not_bodies && self.r.once_in(2) {
            inner.ground = false;
            return format!("not {{ {} }}", self.inline(&mut inner, depth - 1));
        }
        let condition = self.condition(&mut inner, depth - 1);
        if self.r.once_in(8) {
            let modified = self.modified(scope, condition);
            return format!("not {modified}");
        }
        format!("not {condition}")
    }

    /// With `with`, once or twice.
    fn modified(&mut self, scope: &mut Scope, condition: String) -> String {
        let mut out = condition;
        for _ in 0..1 + self.r.below(5) / 4 {
            let target = match self.r.below(10) {
                0..=2 => self
                    .r
                    .pick(&["input", "input.a", "input.o.b", "input.xs", "input.a.b"])
                    .to_owned(),
                3 => self
                    .r
                    .pick(&["data.d", "data.d.a", "data.nope", "data.d.a.b"])
                    .to_owned(),
                4..=6 => match self.callee(scope, |_| true) {
                    Some((function, Form::Function(n))) => {
                        let by = match self.callee(scope, |f| f == Form::Function(n)) {
                            Some((other, _)) if self.r.once_in(2) => other,
                            _ if n == 1 && self.r.once_in(2) => {
                                self.r.pick(&["count", "is_string", "upper", "sum"]).to_owned()
                            }
                            _ => self.term(scope, Kind::Any, 0),
                        };
                        out.push_str(&format!(" with {function} as {by}"));
                        continue;
                    }
                    Some((rule, _)) if rule.starts_with("data.") => rule,
                    Some((rule, _)) if scope.package.is_empty() || rule.starts_with("u.") => format!("data.{rule}"),
                    Some((rule, _)) => format!("data.{}.{rule}", scope.package),
                    None => "input".to_owned(),
                },
                7 => {
                    let (one, by) = [
                        ("count", "7"),
                        ("count", "sum"),
                        ("upper", "lower"),
                        ("is_string", "is_number"),
                        ("startswith", "endswith"),
                        ("to_number", "\"x\""),
                        ("sum", "max"),
                        ("concat", "\"c\""),
                        ("time.now_ns", "1"),
                        ("sort", "[]"),
                    ][self.r.below(10)];
                    out.push_str(&format!(" with {one} as {by}"));
                    continue;
                }
                _ => "input.a".to_owned(),
            };
            let value = self.term(scope, Kind::Any, 1);
            out.push_str(&format!(" with {target} as {value}"));
        }
        out
    }

    pub(super) fn condition(&mut self, scope: &mut Scope, depth: usize) -> String {
        let modern = self.style.modern;
        match self.r.below(14) {
            0..=3 => {
                let op = ["==", "!=", "<", "<=", ">", ">=", "="][self.r.below(7)];
                let left = self.term(scope, Kind::Any, depth.min(1));
                // Two constants seldom have one type, and OPA refuses what can never match.
                let right = if self.r.once_in(8) {
                    self.term(scope, Kind::Any, depth.min(1))
                } else {
                    self.reference(scope)
                };
                if self.r.once_in(2) {
                    format!("{left} {op} {right}")
                } else {
                    format!("{right} {op} {left}")
                }
            }
            4 => self.reference(scope),
            5 if modern => format!("{} in {}", self.atom(scope, Kind::Any), self.collection(scope, depth)),
            6 => self.call(scope, Kind::Bool, depth),
            7 => match self.callee(scope, |_| true) {
                Some((f, Form::Function(n))) => {
                    let args = self.arguments(scope, n);
                    // Sometimes with the result as a last operand.
                    if self.r.once_in(5) {
                        format!("{f}({args}, {})", self.atom(scope, Kind::Any))
                    } else {
                        format!("{f}({args})")
                    }
                }
                Some((p, Form::Set | Form::Object)) => format!("{p}[{}]", self.atom(scope, Kind::Any)),
                Some((p, _)) => p,
                None => self.reference(scope),
            },
            8 if modern => {
                format!(
                    "{}, {} in {}",
                    self.atom(scope, Kind::Any),
                    self.atom(scope, Kind::Any),
                    self.collection(scope, depth)
                )
            }
            9 => match self.callee(scope, |f| !matches!(f, Form::Function(_))) {
                Some((p, Form::Set | Form::Object)) if scope.ground => format!("{p}[{}]", self.atom(scope, Kind::Any)),
                _ if scope.ground => format!("{} == {}", self.reference(scope), self.atom(scope, Kind::Any)),
                Some((p, Form::Set)) => format!("{p}[{{\"a\": {}, \"b\": _}}]", self.atom(scope, Kind::Any)),
                Some((p, Form::Object)) => format!("{p}[_] == {}", self.atom(scope, Kind::Any)),
                Some((p, Form::Nested(..))) => format!("{p}[{}][_]", self.atom(scope, Kind::Any)),
                _ => format!("{}[_] == {}", self.reference(scope), self.atom(scope, Kind::Any)),
            },
            10 => self.atom(scope, Kind::Bool),
            _ => self.term(scope, Kind::Any, depth),
        }
    }

    /// What OPA refuses, or only just does not.
    fn wrong(&mut self, scope: &mut Scope) -> String {
        let known = self.atom(scope, Kind::Any);
        let fresh = self.fresh();
        match self.r.below(18) {
            0 => format!("{fresh} == {known}"),
            1 => format!("nosuch({known})"),
            2 => "count()".to_owned(),
            3 => format!("{fresh} := {known}\n\t{fresh} := {known}"),
            4 => format!("input := {known}"),
            5 => format!("some {fresh}"),
            6 => format!("not input[{fresh}]"),
            7 => "data.t.nosuch(1)".to_owned(),
            8 => format!("{fresh} := {fresh}"),
            9 => "1 == \"a\"".to_owned(),
            10 => format!("re_match(\"a\", {known})"),
            11 => "any([true])".to_owned(),
            12 => format!("{known} := 1"),
            13 => format!("[{fresh}, {fresh}] := input.xs"),
            14 => format!("some {fresh}\n\t{fresh} := {known}"),
            15 => "startswith(\"a\", 1)".to_owned(),
            16 => format!("data.t[{fresh}] == {known}"),
            _ => "true with nosuch as 1".to_owned(),
        }
    }
}
