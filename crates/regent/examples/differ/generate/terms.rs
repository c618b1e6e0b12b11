//! Terms: scalars, variables, references, literals, comprehensions.

use super::values::KEYS;
use super::{Form, Gen, Kind, Scope};

const NUMBERS: &[&str] = &["0", "1", "2", "3", "-1", "1.5", "10", "1e2", "0.1", "7"];
const BIG: &[&str] = &[
    "9007199254740993",
    "18446744073709551617",
    "1e20",
    "1e-7",
    "1234567.5",
    "2.50",
    "-0.0",
    "0.30000000000000004",
    "4294967296",
    "1e100",
    "0.1e1",
    "-9223372036854775808",
    "123456789012345678901234567890",
];
const STRINGS: &[&str] = &[
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"ab\"",
    "\"A\"",
    "\"1\"",
    "\"é\"",
    "\"a.b\"",
    "\"x y\"",
    "`a\\b`",
    "\"\\u00e9\\n\"",
];

impl Gen {
    pub(super) fn scalar(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool => self.r.pick(&["true", "false"]).to_owned(),
            Kind::Number if self.big && self.r.once_in(3) => self.r.pick(BIG).to_owned(),
            Kind::Number => match self.r.pick(NUMBERS) {
                "1e2" if self.plain => "100".to_owned(),
                number => number.to_owned(),
            },
            Kind::String => self.r.pick(STRINGS).to_owned(),
            _ => {
                let kind = [
                    Kind::Null,
                    Kind::Bool,
                    Kind::Number,
                    Kind::Number,
                    Kind::String,
                    Kind::String,
                ][self.r.below(6)];
                self.scalar(kind)
            }
        }
    }

    /// A variable, a reference or something small of a kind.
    pub(super) fn atom(&mut self, scope: &Scope, kind: Kind) -> String {
        if !self.r.once_in(3) {
            let fits = |k: Kind| kind == Kind::Any || k == kind || k == Kind::Any;
            let vars: Vec<&String> = scope.vars.iter().filter(|v| fits(v.1)).map(|v| &v.0).collect();
            if !vars.is_empty() {
                return vars[self.r.below(vars.len())].clone();
            }
        }
        if self.r.once_in(3) {
            return self.reference(scope);
        }
        match kind {
            Kind::Array => self
                .r
                .pick(&["[]", "[1, 2]", "[\"a\", \"b\"]", "[[1, 2], [3]]", "[null, false]"])
                .to_owned(),
            Kind::Object => self
                .r
                .pick(&["{}", "{\"a\": 1}", "{\"a\": \"x\", \"b\": [1]}", "{1: 2, \"c\": null}"])
                .to_owned(),
            Kind::Set => self
                .r
                .pick(&["set()", "{1, 2}", "{\"a\"}", "{\"b\", 3, null}"])
                .to_owned(),
            scalar => self.scalar(scalar),
        }
    }

    pub(super) fn reference(&mut self, scope: &Scope) -> String {
        let free: Vec<&String> = scope.vars.iter().filter(|v| v.1 == Kind::Any).map(|v| &v.0).collect();
        let mut out = match self.r.below(10) {
            0 | 1 if !free.is_empty() => free[self.r.below(free.len())].clone(),
            2 => "input.xs".to_owned(),
            3 => "input.o".to_owned(),
            4 => self
                .r
                .pick(&["input.nope", "input.f", "input.n", "input.s", "input"])
                .to_owned(),
            5 => self.r.pick(&["data.d", "data.d.a", "data.nope", "data.d.b"]).to_owned(),
            6 => match self.callee(scope, |f| !matches!(f, Form::Function(_))) {
                Some((name, _)) if !self.r.once_in(6) => return name,
                Some((name, _)) => name,
                None => "input.a".to_owned(),
            },
            _ => format!("input.{}", self.r.pick(&["a", "b"])),
        };
        for _ in 0..self.r.below(3) {
            match self.r.below(6) {
                0 | 1 => out.push_str(&format!(".{}", self.r.pick(&["a", "b", "c", "d"]))),
                2 => out.push_str(&format!("[{}]", self.r.below(3))),
                3 if !scope.ground => out.push_str("[_]"),
                4 => out.push_str(&format!("[\"{}\"]", self.r.pick(KEYS))),
                _ if !scope.vars.is_empty() => {
                    out.push_str(&format!("[{}]", scope.vars[self.r.below(scope.vars.len())].0))
                }
                _ => out.push_str("[\"a\"]"),
            }
        }
        out
    }

    pub(super) fn collection(&mut self, scope: &mut Scope, depth: usize) -> String {
        match self.r.below(9) {
            0 => format!("[{}, {}]", self.atom(scope, Kind::Any), self.atom(scope, Kind::Any)),
            1 => format!("{{{}, {}}}", self.atom(scope, Kind::Any), self.atom(scope, Kind::Any)),
            2 => format!(
                "{{\"a\": {}, \"b\": {}}}",
                self.atom(scope, Kind::Any),
                self.atom(scope, Kind::Any)
            ),
            3 => match self.callee(scope, |f| matches!(f, Form::Set | Form::Object | Form::Nested(..))) {
                Some((p, _)) => p,
                None => "numbers.range(1, 3)".to_owned(),
            },
            4 => "input.xs".to_owned(),
            5 => "input.o".to_owned(),
            6 => {
                let kind = [Kind::Array, Kind::Object, Kind::Set][self.r.below(3)];
                self.term(scope, kind, depth.min(1))
            }
            _ => self.reference(scope),
        }
    }

    pub(super) fn arguments(&mut self, scope: &mut Scope, n: usize) -> String {
        let mut out = Vec::new();
        for _ in 0..n {
            out.push(if self.r.once_in(3) {
                self.term(scope, Kind::Any, 1)
            } else {
                self.reference(scope)
            });
        }
        out.join(", ")
    }

    /// A term of a kind, or what may be one.
    pub(super) fn term(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> String {
        // Odd types.
        let kind = if self.r.once_in(30) {
            [
                Kind::Null,
                Kind::Bool,
                Kind::Number,
                Kind::String,
                Kind::Array,
                Kind::Object,
                Kind::Set,
            ][self.r.below(7)]
        } else {
            kind
        };
        if depth == 0 {
            return self.atom(scope, kind);
        }
        match self.r.below(18) {
            0..=2 => self.atom(scope, kind),
            3 | 4 => self.reference(scope),
            5 | 6 => self.literal(scope, kind, depth),
            7 | 8 if !matches!(kind, Kind::Bool | Kind::String | Kind::Null) => self.comprehension(scope, kind, depth),
            9..=11 => self.call(scope, kind, depth),
            12 if kind == Kind::Any || self.r.once_in(8) => match self.callee(scope, |_| true) {
                Some((f, Form::Function(n))) => format!("{f}({})", self.arguments(scope, n)),
                Some((p, Form::Set | Form::Object | Form::Nested(..))) if self.r.once_in(2) => {
                    format!("{p}[{}]", self.atom(scope, Kind::Any))
                }
                Some((p, _)) => p,
                None => self.atom(scope, kind),
            },
            13 if matches!(kind, Kind::Any | Kind::Bool) => {
                let op = ["==", "!=", "<", ">="][self.r.below(4)];
                format!("({} {op} {})", self.atom(scope, Kind::Any), self.reference(scope))
            }
            14 if matches!(kind, Kind::Any | Kind::Bool) && self.style.modern => {
                format!(
                    "({} in {})",
                    self.atom(scope, Kind::Any),
                    self.collection(scope, depth - 1)
                )
            }
            13 | 14 => self.call(scope, kind, depth),
            15 if matches!(kind, Kind::Any | Kind::String) && (!self.style.v0 || self.r.once_in(40)) => {
                let inner = self.term(scope, Kind::Any, depth - 1);
                match self.r.below(3) {
                    0 => format!("$`{{{inner}}}\\{{`"),
                    1 => format!("$\"<{{{inner}}}-{{{}}}>\"", self.atom(scope, Kind::Any)),
                    _ => format!("$\"a\\{{{{{inner}}}\""),
                }
            }
            16 if kind == Kind::Any => {
                let of = [Kind::Array, Kind::Object, Kind::Set][self.r.below(3)];
                let subject = self.literal(scope, of, depth);
                let step = match of {
                    Kind::Array if self.r.once_in(2) => self.r.pick(&["0", "1"]).to_owned(),
                    Kind::Object if self.r.once_in(2) => self.r.pick(&["\"a\"", "\"b\""]).to_owned(),
                    _ => self.reference(scope),
                };
                if scope.ground || self.r.once_in(2) {
                    format!("{subject}[{step}]")
                } else {
                    format!("{subject}[_]")
                }
            }
            _ if matches!(kind, Kind::Any | Kind::Number | Kind::Set) => self.infix(scope, kind, depth),
            _ => self.call(scope, kind, depth),
        }
    }

    fn infix(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> String {
        let set = kind == Kind::Set || kind == Kind::Any && self.r.once_in(3);
        let (op, of) = if set {
            (["|", "&", "-"][self.r.below(3)], Kind::Set)
        } else {
            (["+", "-", "*", "/", "%"][self.r.below(5)], Kind::Number)
        };
        let (left, right) = (self.term(scope, of, depth - 1), self.atom(scope, of));
        match self.r.below(4) {
            0 => format!("({left} {op} {right})"),
            1 => format!("{left}{op}{right}"),
            2 => format!("{right} {op} {left} {op} {right}"),
            _ => format!("{left} {op} {right}"),
        }
    }

    fn literal(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> String {
        let kind = match kind {
            Kind::Array | Kind::Object | Kind::Set => kind,
            Kind::Any => [Kind::Array, Kind::Object, Kind::Set][self.r.below(3)],
            scalar => return self.atom(scope, scalar),
        };
        let (first, second) = (self.term(scope, Kind::Any, depth - 1), self.atom(scope, Kind::Any));
        match kind {
            Kind::Array => format!("[{first}, {second}]"),
            Kind::Set => format!("{{{second}, {first}}}"),
            _ if self.r.once_in(4) => format!("{{{second}: {first}}}"),
            _ => format!("{{\"a\": {first}, \"b\": {second}}}"),
        }
    }

    fn comprehension(&mut self, scope: &mut Scope, kind: Kind, depth: usize) -> String {
        let mut inner = Scope {
            ground: false,
            ..scope.clone()
        };
        let mut body = self.body(&mut inner, depth - 1);
        let head = if self.r.once_in(4) {
            self.term(&mut inner, Kind::Any, 1)
        } else {
            self.atom(&inner, Kind::Any)
        };
        self.used(&mut body, &head, &inner, scope.vars.len());
        let body = body.join("; ").replace("\n\t", "; ");
        match kind {
            Kind::Array => format!("[{head} | {body}]"),
            Kind::Set => format!("{{{head} | {body}}}"),
            Kind::Object => format!("{{{}: {head} | {body}}}", self.atom(&inner, Kind::Any)),
            Kind::Number => format!("count([{head} | {body}])"),
            _ => match self.r.below(3) {
                0 => format!("[{head} | {body}]"),
                1 => format!("{{{head} | {body}}}"),
                _ => format!("{{{}: {head} | {body}}}", self.atom(&inner, Kind::Any)),
            },
        }
    }
}
