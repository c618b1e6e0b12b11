//! Random programs and inputs. A program is kept as rules of lines, so that shrinking can leave lines out.

use crate::random::Random;

/// A generated pair.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// Rules: a head, and the lines of its body.
    pub(crate) rules: Vec<Rule>,
    /// JSON text.
    pub(crate) input: String,
    /// Which rule is asked for; the whole package when `None`.
    pub(crate) ask: Option<String>,
}

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// `p0 contains x`, `f1(x) := y`, ...
    pub(crate) head: String,
    /// Body lines; none: no body.
    pub(crate) body: Vec<String>,
    /// Text after the body (`else`).
    pub(crate) tail: String,
}

impl Pair {
    /// The module's text.
    pub(crate) fn module(&self) -> String {
        let mut out = String::from("package t\n\nimport rego.v1\n");
        for rule in &self.rules {
            out.push('\n');
            out.push_str(&rule.head);
            if !rule.body.is_empty() {
                out.push_str(" if {\n");
                for line in &rule.body {
                    out.push('\t');
                    out.push_str(line);
                    out.push('\n');
                }
                out.push('}');
            }
            out.push_str(&rule.tail);
            out.push('\n');
        }
        out
    }

    /// The query.
    pub(crate) fn query(&self) -> String {
        match &self.ask {
            Some(rule) => format!("x = data.t.{rule}"),
            None => "x = data.t".to_owned(),
        }
    }

    /// Smaller pairs, the most promising first.
    pub(crate) fn smaller(&self) -> Vec<Pair> {
        let mut out = Vec::new();
        for i in 0..self.rules.len() {
            let mut p = self.clone();
            p.rules.remove(i);
            out.push(p);
        }
        for i in 0..self.rules.len() {
            for j in 0..self.rules[i].body.len() {
                if self.rules[i].body.len() > 1 {
                    let mut p = self.clone();
                    p.rules[i].body.remove(j);
                    out.push(p);
                }
            }
            if !self.rules[i].tail.is_empty() {
                let mut p = self.clone();
                p.rules[i].tail.clear();
                out.push(p);
            }
        }
        if self.input != "{}" {
            let mut p = self.clone();
            p.input = "{}".to_owned();
            out.push(p);
        }
        out
    }
}

const SCALARS: &[&str] = &[
    "null", "true", "false", "0", "1", "2", "-1", "3", "1.5", "10", "1e2", "0.1", "\"\"", "\"a\"", "\"b\"", "\"ab\"",
    "\"A\"", "\"1\"", "\"é\"",
];
const KEYS: &[&str] = &["a", "b", "c", "d"];

fn json(r: &mut Random, depth: usize) -> String {
    let kind = if depth == 0 { r.below(3) } else { r.below(6) };
    match kind {
        0..=2 => r.pick(SCALARS).to_owned(),
        3 | 4 => {
            let items: Vec<String> = (0..r.below(4)).map(|_| json(r, depth - 1)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => {
            let mut keys: Vec<&str> = KEYS.to_vec();
            keys.truncate(r.below(4) + 1);
            let items: Vec<String> = keys
                .iter()
                .map(|k| format!("\"{k}\": {}", json(r, depth - 1)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// What may be named at some point of a body.
#[derive(Clone)]
struct Scope {
    vars: Vec<String>,
    /// Rules with a higher number may be named, so nothing recurses.
    rule: usize,
    rules: Vec<Shape>,
    fresh: usize,
    /// Under `not` a wildcard would be unsafe.
    ground: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Complete,
    Set,
    Object,
    Function(usize),
    Nested,
}

/// A pair for a seed.
pub(crate) fn pair(seed: u64) -> Pair {
    let mut r = Random::new(seed);
    for _ in 0..8 {
        r.next();
    }
    let count = 1 + r.below(5);
    let shapes: Vec<Shape> = (0..count)
        .map(|_| match r.below(10) {
            0..=3 => Shape::Complete,
            4 | 5 => Shape::Set,
            6 => Shape::Object,
            7 | 8 => Shape::Function(1 + r.below(2)),
            _ => Shape::Nested,
        })
        .collect();
    let mut rules = Vec::new();
    for (i, shape) in shapes.iter().enumerate() {
        let definitions = 1 + r.below(if *shape == Shape::Complete { 2 } else { 3 });
        if matches!(shape, Shape::Complete | Shape::Function(_)) && r.once_in(4) {
            let args = match shape {
                Shape::Function(1) => "(_)",
                Shape::Function(_) => "(_, _)",
                _ => "",
            };
            rules.push(Rule {
                head: format!("default {}{args} := {}", name(i, *shape), r.pick(SCALARS)),
                body: Vec::new(),
                tail: String::new(),
            });
        }
        for _ in 0..definitions {
            rules.push(rule(&mut r, i, *shape, &shapes));
        }
    }
    let ask: Vec<usize> = (0..count)
        .filter(|i| !matches!(shapes[*i], Shape::Function(_)))
        .collect();
    let ask = (!ask.is_empty() && !r.once_in(4)).then(|| {
        let i = ask[r.below(ask.len())];
        name(i, shapes[i])
    });
    let mut input = format!(
        "{{\"a\": {}, \"b\": {}, \"xs\": {}, \"o\": {}}}",
        json(&mut r, 2),
        json(&mut r, 2),
        list(&mut r),
        object(&mut r)
    );
    if r.once_in(10) {
        input = json(&mut r, 2);
    }
    Pair { rules, input, ask }
}

fn list(r: &mut Random) -> String {
    let items: Vec<String> = (0..r.below(4)).map(|_| json(r, 1)).collect();
    format!("[{}]", items.join(", "))
}

fn object(r: &mut Random) -> String {
    let items: Vec<String> = KEYS
        .iter()
        .take(r.below(4))
        .map(|k| format!("\"{k}\": {}", json(r, 1)))
        .collect();
    format!("{{{}}}", items.join(", "))
}

fn name(i: usize, shape: Shape) -> String {
    match shape {
        Shape::Function(_) => format!("f{i}"),
        Shape::Nested => format!("n{i}"),
        _ => format!("p{i}"),
    }
}

fn rule(r: &mut Random, i: usize, shape: Shape, shapes: &[Shape]) -> Rule {
    let mut scope = Scope {
        vars: Vec::new(),
        rule: i,
        rules: shapes.to_vec(),
        fresh: 0,
        ground: false,
    };
    let mut args = Vec::new();
    if let Shape::Function(n) = shape {
        for k in 0..n {
            args.push(match r.below(6) {
                0 => r.pick(SCALARS).to_owned(),
                1 => {
                    scope.vars.push(format!("u{k}"));
                    scope.vars.push(format!("w{k}"));
                    format!("[u{k}, w{k}]")
                }
                _ => {
                    scope.vars.push(format!("a{k}"));
                    format!("a{k}")
                }
            });
        }
    }
    let mut body = lines(r, &mut scope, 2);
    let mut tail = String::new();
    let head = match shape {
        Shape::Set => format!("{} contains {}", name(i, shape), term(r, &mut scope, 2)),
        Shape::Object => format!(
            "{}[{}] := {}",
            name(i, shape),
            small(r, &mut scope),
            term(r, &mut scope, 1)
        ),
        Shape::Nested => {
            let key = small(r, &mut scope);
            if r.once_in(2) {
                format!("{}.k[{key}] := {}", name(i, shape), term(r, &mut scope, 1))
            } else {
                format!("{}[{key}] contains {}", name(i, shape), term(r, &mut scope, 1))
            }
        }
        Shape::Complete if r.once_in(3) => name(i, shape),
        Shape::Complete => format!("{} := {}", name(i, shape), term(r, &mut scope, 2)),
        Shape::Function(_) => format!("{}({}) := {}", name(i, shape), args.join(", "), term(r, &mut scope, 2)),
    };
    if r.once_in(8) && matches!(shape, Shape::Set | Shape::Object) && scope.vars.is_empty() {
        body.clear();
    }
    if matches!(shape, Shape::Complete | Shape::Function(_)) && r.once_in(4) {
        let mut other = Scope {
            vars: Vec::new(),
            ..scope.clone()
        };
        if let Shape::Function(_) = shape {
            other.vars = scope
                .vars
                .iter()
                .filter(|v| v.starts_with(['a', 'u', 'w']))
                .cloned()
                .collect();
        }
        let alternative = lines(r, &mut other, 1);
        let value = term(r, &mut other, 1);
        tail = format!(" else := {value} if {{\n\t{}\n}}", alternative.join("\n\t"));
    }
    if body.is_empty() && !tail.is_empty() {
        body.push("true".to_owned());
    }
    Rule { head, body, tail }
}

fn lines(r: &mut Random, scope: &mut Scope, depth: usize) -> Vec<String> {
    (0..1 + r.below(3)).map(|_| statement(r, scope, depth)).collect()
}

fn fresh(scope: &mut Scope) -> String {
    scope.fresh += 1;
    format!("x{}", scope.fresh)
}

fn statement(r: &mut Random, scope: &mut Scope, depth: usize) -> String {
    match r.below(22) {
        0..=2 => {
            let t = term(r, scope, depth);
            let v = fresh(scope);
            scope.vars.push(v.clone());
            format!("{v} := {t}")
        }
        3 | 4 => {
            let c = collection(r, scope);
            let v = fresh(scope);
            scope.vars.push(v.clone());
            format!("some {v} in {c}")
        }
        5 => {
            let c = collection(r, scope);
            let (k, v) = (fresh(scope), fresh(scope));
            scope.vars.push(k.clone());
            scope.vars.push(v.clone());
            format!("some {k}, {v} in {c}")
        }
        6 => {
            let c = collection(r, scope);
            let (k, v) = (fresh(scope), fresh(scope));
            scope.vars.push(k.clone());
            scope.vars.push(v.clone());
            let whole = fresh(scope);
            format!("{whole} := {c}\n\tsome {k}\n\t{v} := {whole}[{k}]")
        }
        7 | 8 if depth > 0 => {
            let before = std::mem::replace(&mut scope.ground, true);
            let text = format!("not {}", condition(r, scope, depth - 1));
            scope.ground = before;
            text
        }
        9 if depth > 0 => {
            let c = collection(r, scope);
            let mut inner = scope.clone();
            let v = fresh(&mut inner);
            inner.vars.push(v.clone());
            inner.ground = false;
            let mut body = lines(r, &mut inner, depth - 1);
            body.push(format!(
                "{v} {} {}",
                ["!=", "<", "in", "=="][r.below(4)],
                collection(r, &mut inner)
            ));
            scope.fresh = inner.fresh;
            format!("every {v} in {c} {{ {} }}", body.join("; ").replace("\n\t", "; "))
        }
        10 => {
            let t = if r.once_in(6) {
                term(r, scope, depth)
            } else {
                reference(r, scope)
            };
            let (a, b) = (fresh(scope), fresh(scope));
            scope.vars.push(a.clone());
            scope.vars.push(b.clone());
            if r.once_in(2) {
                format!("[{a}, {b}] := {t}")
            } else {
                format!("{{\"a\": {a}, \"b\": {b}}} = {t}")
            }
        }
        11 => {
            let (first, t) = (small(r, scope), term(r, scope, 1));
            let v = fresh(scope);
            scope.vars.push(v.clone());
            format!("[{v}, {}] = [{first}, {t}]", r.pick(SCALARS))
        }
        12 if depth > 0 => {
            let inner = condition(r, scope, depth - 1);
            let target = ["input", "input.a", "input.o.b", "input.xs"][r.below(4)];
            format!("{inner} with {target} as {}", term(r, scope, 1))
        }
        13 if depth > 0 => match callee(r, scope) {
            Some((rule, Shape::Complete | Shape::Set | Shape::Object)) => {
                let inner = condition(r, scope, depth - 1);
                format!("{inner} with data.t.{rule} as {}", term(r, scope, 1))
            }
            Some((function, Shape::Function(_))) => {
                let inner = condition(r, scope, depth - 1);
                format!("{inner} with {function} as {}", term(r, scope, 0))
            }
            _ => {
                let inner = condition(r, scope, depth - 1);
                format!("{inner} with count as {}", ["7", "sum", "max"][r.below(3)])
            }
        },
        14 => {
            let walked = reference(r, scope);
            let p = fresh(scope);
            let v = fresh(scope);
            scope.vars.push(p.clone());
            scope.vars.push(v.clone());
            format!("walk({walked}, [{p}, {v}])")
        }
        _ => condition(r, scope, depth),
    }
}

fn condition(r: &mut Random, scope: &mut Scope, depth: usize) -> String {
    match r.below(12) {
        0..=3 => {
            let op = ["==", "!=", "<", "<=", ">", ">=", "="][r.below(7)];
            let left = term(r, scope, depth.min(1));
            // Two constants seldom have one type, and OPA refuses what can never match.
            let right = if r.once_in(8) {
                term(r, scope, depth.min(1))
            } else {
                reference(r, scope)
            };
            if r.once_in(2) {
                format!("{left} {op} {right}")
            } else {
                format!("{right} {op} {left}")
            }
        }
        4 => reference(r, scope),
        5 => format!("{} in {}", small(r, scope), collection(r, scope)),
        6 => call(r, scope, BOOLEAN),
        7 => match callee(r, scope) {
            Some((f, Shape::Function(n))) => format!("{f}({})", arguments(r, scope, n)),
            Some((p, Shape::Set | Shape::Object)) => format!("{p}[{}]", small(r, scope)),
            Some((p, _)) => p,
            None => reference(r, scope),
        },
        8 => format!("{}, {} in {}", small(r, scope), small(r, scope), collection(r, scope)),
        9 => match callee(r, scope) {
            Some((p, Shape::Set | Shape::Object)) if scope.ground => format!("{p}[{}]", small(r, scope)),
            _ if scope.ground => format!("{} == {}", reference(r, scope), small(r, scope)),
            Some((p, Shape::Set)) => format!("{p}[{{\"a\": {}, \"b\": _}}]", small(r, scope)),
            Some((p, Shape::Object)) => format!("{p}[_] == {}", small(r, scope)),
            _ => format!("{}[_] == {}", reference(r, scope), small(r, scope)),
        },
        _ => term(r, scope, depth),
    }
}

fn callee(r: &mut Random, scope: &Scope) -> Option<(String, Shape)> {
    let later: Vec<usize> = (scope.rule + 1..scope.rules.len()).collect();
    if later.is_empty() {
        return None;
    }
    let i = later[r.below(later.len())];
    Some((name(i, scope.rules[i]), scope.rules[i]))
}

fn arguments(r: &mut Random, scope: &mut Scope, n: usize) -> String {
    (0..n).map(|_| term(r, scope, 1)).collect::<Vec<_>>().join(", ")
}

fn small(r: &mut Random, scope: &mut Scope) -> String {
    if !scope.vars.is_empty() && !r.once_in(3) {
        return scope.vars[r.below(scope.vars.len())].clone();
    }
    if r.once_in(4) {
        reference(r, scope)
    } else {
        r.pick(SCALARS).to_owned()
    }
}

fn reference(r: &mut Random, scope: &mut Scope) -> String {
    let mut out = match r.below(6) {
        0 if !scope.vars.is_empty() => scope.vars[r.below(scope.vars.len())].clone(),
        1 => "input.xs".to_owned(),
        2 => "input.o".to_owned(),
        3 => "input.nope".to_owned(),
        _ => format!("input.{}", r.pick(&["a", "b"])),
    };
    for _ in 0..r.below(3) {
        match r.below(5) {
            0 | 1 => out.push_str(&format!(".{}", r.pick(KEYS))),
            2 => out.push_str(&format!("[{}]", r.below(3))),
            3 if !scope.ground => out.push_str("[_]"),
            _ if !scope.vars.is_empty() => out.push_str(&format!("[{}]", scope.vars[r.below(scope.vars.len())])),
            _ => out.push_str("[\"a\"]"),
        }
    }
    out
}

fn collection(r: &mut Random, scope: &mut Scope) -> String {
    match r.below(8) {
        0 => format!("[{}, {}]", small(r, scope), small(r, scope)),
        1 => format!("{{{}, {}}}", small(r, scope), small(r, scope)),
        2 => format!("{{\"a\": {}, \"b\": {}}}", small(r, scope), small(r, scope)),
        3 => match callee(r, scope) {
            Some((p, Shape::Set | Shape::Object | Shape::Nested)) => p,
            _ => "numbers.range(1, 3)".to_owned(),
        },
        4 => "input.xs".to_owned(),
        5 => "input.o".to_owned(),
        _ => reference(r, scope),
    }
}

const BOOLEAN: &[&str] = &[
    "startswith(S, S)",
    "endswith(S, S)",
    "contains(S, S)",
    "is_string(T)",
    "is_number(T)",
    "is_array(T)",
    "is_object(T)",
    "is_set(T)",
    "is_null(T)",
    "is_boolean(T)",
    "regex.match(\"^a\", S)",
    "object.subset(C, C)",
    "glob.match(\"a*\", [], S)",
    "units.parse(S) > 1",
    "strings.any_prefix_match(S, [S, S])",
    "json.is_valid(S)",
];

const VALUED: &[&str] = &[
    "count(C)",
    "sum(C)",
    "product(C)",
    "max(C)",
    "min(C)",
    "sort(C)",
    "abs(N)",
    "round(N)",
    "ceil(N)",
    "floor(N)",
    "upper(S)",
    "lower(S)",
    "concat(\",\", C)",
    "split(S, \"\")",
    "sprintf(\"%v\", [T])",
    "sprintf(\"%s-%d\", [T, T])",
    "object.get(C, S, T)",
    "object.keys(C)",
    "object.union(C, C)",
    "object.remove(C, [S])",
    "object.filter(C, [S, S])",
    "array.concat(C, C)",
    "array.slice(C, 0, N)",
    "array.reverse(C)",
    "type_name(T)",
    "to_number(T)",
    "json.marshal(T)",
    "trim(S, \"a\")",
    "replace(S, \"a\", S)",
    "substring(S, N, N)",
    "indexof(S, S)",
    "format_int(N, 2)",
    "numbers.range(N, N)",
    "union({{T}, {T}})",
    "intersection({{T, T}, {T}})",
    "C | C",
    "C & C",
    "C - C",
    "N + N",
    "N - N",
    "N * N",
    "N / N",
    "N % N",
    "base64.encode(S)",
    "strings.reverse(S)",
    "trim_prefix(S, S)",
    "object.get(C, [S, S], T)",
    "json.unmarshal(S)",
    "json.filter(C, [S])",
    "array.flatten(C)",
    "bits.and(N, N)",
    "strings.count(S, S)",
];

/// A call of one of several forms: T any term, S a string-like one, N a number-like one, C a collection.
fn call(r: &mut Random, scope: &mut Scope, forms: &[&str]) -> String {
    let form = r.pick(forms);
    let mut out = String::new();
    let bytes: Vec<char> = form.chars().collect();
    for (i, c) in bytes.iter().enumerate() {
        let alone = (i == 0 || !bytes[i - 1].is_ascii_alphanumeric())
            && bytes.get(i + 1).is_none_or(|n| !n.is_ascii_alphanumeric());
        match c {
            'T' if alone => out.push_str(&small(r, scope)),
            'S' if alone => out.push_str(&if r.once_in(3) {
                reference(r, scope)
            } else {
                r.pick(&["\"a\"", "\"ab\"", "\"b\"", "\"\"", "\"3Ki\""]).to_owned()
            }),
            'N' if alone => out.push_str(&if r.once_in(3) {
                reference(r, scope)
            } else {
                r.pick(&["0", "1", "2", "-3", "1.5", "10"]).to_owned()
            }),
            'C' if alone => out.push_str(&if r.once_in(4) {
                collection(r, scope)
            } else {
                reference(r, scope)
            }),
            other => out.push(*other),
        }
    }
    out
}

fn term(r: &mut Random, scope: &mut Scope, depth: usize) -> String {
    if depth == 0 {
        return small(r, scope);
    }
    match r.below(16) {
        0..=3 => small(r, scope),
        4 | 5 => reference(r, scope),
        6 => format!("[{}, {}]", term(r, scope, depth - 1), small(r, scope)),
        7 => format!("{{\"a\": {}, \"b\": {}}}", term(r, scope, depth - 1), small(r, scope)),
        8 => format!("{{{}, {}}}", small(r, scope), term(r, scope, depth - 1)),
        9 => comprehension(r, scope, depth),
        10 | 11 => call(r, scope, VALUED),
        12 => match callee(r, scope) {
            Some((f, Shape::Function(n))) => format!("{f}({})", arguments(r, scope, n)),
            Some((p, Shape::Set | Shape::Object | Shape::Nested)) if r.once_in(2) => {
                format!("{p}[{}]", small(r, scope))
            }
            Some((p, _)) => p,
            None => small(r, scope),
        },
        13 => format!("({} == {})", small(r, scope), small(r, scope)),
        14 => format!("$\"<{{{}}}>\"", small(r, scope)),
        _ => call(r, scope, BOOLEAN).split(" > ").next().unwrap_or("1").to_owned(),
    }
}

fn comprehension(r: &mut Random, scope: &mut Scope, depth: usize) -> String {
    let mut inner = scope.clone();
    inner.ground = false;
    let body = lines(r, &mut inner, depth - 1).join("; ").replace("\n\t", "; ");
    let head = small(r, &mut inner);
    let text = match r.below(3) {
        0 => format!("[{head} | {body}]"),
        1 => format!("{{{head} | {body}}}"),
        _ => format!("{{{}: {head} | {body}}}", small(r, &mut inner)),
    };
    scope.fresh = inner.fresh;
    text
}
