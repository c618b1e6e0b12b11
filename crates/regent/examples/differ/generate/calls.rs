//! Calls of built-ins: all that are not refused, by their signature, and forms for what a signature does not say.

use super::{Gen, Kind, Scope, texts};
use regent_rego::builtins::{self, Builtin};
use regent_rego::types::Type;
use std::sync::OnceLock;

/// Answers of these differ from run to run, or they are no calls of their own.
const LEFT_OUT: &[&str] = &[
    "rand.intn",
    "uuid.rfc4122",
    "io.jwt.encode_sign",
    "io.jwt.encode_sign_raw",
    "internal.print",
    "internal.test_case",
    "internal.template_string",
    "internal.member_2",
    "internal.member_3",
    "assign",
    "eq",
    "print",
];

/// Would count up to a number, or grow by one.
const COUNTING: &[&str] = &[
    "numbers.range",
    "numbers.range_step",
    "bits.lsh",
    "time.add_date",
    "net.cidr_expand",
    "format_int",
    "bits.rsh",
    "sprintf",
];

/// T any term, S a string, N a number, C a collection, A an array, O an object; result kind first.
const FORMS: &[(Kind, &[&str])] = &[
    (
        Kind::Any,
        &[
            "object.get(C, [S, S], T)",
            "object.get(O, S, T)",
            "object.remove(O, [S])",
            "object.remove(O, {S: 1})",
            "object.filter(O, {S, S})",
            "object.union(O, O)",
            "object.union_n([O, O, O])",
            "json.filter(O, [S, \"a/b\"])",
            "json.filter(O, [[\"a\", T]])",
            "json.remove(O, [S, \"a/0\"])",
            "json.remove(O, {\"b\"})",
            "json.patch(O, [{\"op\": \"add\", \"path\": \"a\", \"value\": T}])",
            "json.patch(C, [{\"op\": \"remove\", \"path\": \"a/0\"}])",
            "json.patch(C, [{\"op\": \"replace\", \"path\": S, \"value\": T}])",
            "json.patch(C, [{\"op\": \"test\", \"path\": \"a\", \"value\": T}])",
            "json.patch(C, [{\"op\": \"move\", \"from\": \"a\", \"path\": \"z\"}])",
            "json.patch(A, [{\"op\": \"copy\", \"from\": \"0\", \"path\": \"-\"}])",
            "json.patch(C, T)",
            "max(C)",
            "min(C)",
            "json.unmarshal(json.marshal(T))",
            "yaml.unmarshal(yaml.marshal(T))",
            "json.match_schema(O, {\"type\": \"object\", \"required\": [S]})",
            "json.match_schema(O, {\"properties\": {\"a\": {\"type\": \"string\"}, \"b\": {\"minimum\": 2}}})",
            "json.verify_schema({\"type\": T})",
            "union({{T}, {T}})",
            "intersection({{T, T}, {T}})",
            "type_name(T)",
            "walk(T)",
            "rego.metadata.rule()",
            "rego.metadata.chain()",
            "time.now_ns()",
        ],
    ),
    (
        Kind::Bool,
        &[
            "object.subset(C, C)",
            "glob.match(\"a*\", [], S)",
            "glob.match(S, [\".\", \"/\"], S)",
            "glob.match(S, null, S)",
            "strings.any_prefix_match(S, [S, S])",
            "strings.any_suffix_match({S, S}, S)",
            "regex.match(\"^[a-c]+$\", S)",
            "regex.template_match(\"a{[0-9]+}\", S, \"{\", \"}\")",
            "net.cidr_contains(\"10.0.0.0/24\", S)",
            "trace(S)",
        ],
    ),
    (
        Kind::String,
        &[
            "concat(S, A)",
            "concat(\",\", [S, S])",
            "concat(\"\", {S, S})",
            "sprintf(\"%v\", [T])",
            "sprintf(\"%s-%d\", [T, T])",
            "sprintf(\"%d %x %q\", [N, N, S])",
            "sprintf(\"%5d|%-5s|%.2f\", [N, S, N])",
            "sprintf(S, [T, T])",
            "sprintf(\"%v %v\", A)",
            "sprintf(\"%v\", [N, T])",
            "replace(S, \"a\", S)",
            "strings.replace_n({\"a\": S, \"b\": \"c\"}, S)",
            "substring(S, N, N)",
            "substring(S, 1, -1)",
            "json.marshal(T)",
            "json.marshal_with_options(T, {\"indent\": \" \", \"pretty\": true})",
            "yaml.marshal(T)",
            "format_int(N, 2)",
            "format_int(N, 16)",
            "urlquery.encode_object({\"a\": S, \"b\": [S, S]})",
            "regex.replace(S, \"[ab]\", \"<$0>\")",
            "regex.replace(S, \"(?P<n>a)\", \"$n-${n}\")",
            "time.format([N, \"UTC\", \"2006-01-02T15:04:05Z07:00\"])",
            "time.format([1700000000000000000, S])",
            "trim(S, \"a\")",
            "strings.render_template(\"<{{.a}}>\", O)",
            "base64.encode(S)",
            "crypto.sha256(S)",
        ],
    ),
    (
        Kind::Number,
        &[
            "count(C)",
            "sum(C)",
            "product(C)",
            "sum([N, N, N])",
            "product({N, N})",
            "count(S)",
            "to_number(S)",
            "to_number(T)",
            "indexof(S, S)",
            "bits.lsh(N, 3)",
            "bits.and(N, N)",
            "abs(N - N)",
            "round(N / 3)",
            "ceil(N * 0.3)",
            "floor(N / -7)",
            "units.parse(S)",
            "units.parse_bytes(S)",
            "semver.compare(S, S)",
            "time.parse_duration_ns(S)",
            "strings.count(S, S)",
            "N % N",
            "N / N",
        ],
    ),
    (
        Kind::Array,
        &[
            "array.concat(A, A)",
            "array.slice(A, 0, N)",
            "array.slice(A, N, 9)",
            "array.reverse(A)",
            "array.flatten([A, [T, A]])",
            "split(S, \"\")",
            "split(S, \".\")",
            "sort(C)",
            "numbers.range(N, N)",
            "numbers.range_step(N, N, 2)",
            "indexof_n(S, \"a\")",
            "regex.find_n(\"[a-z]\", S, -1)",
            "regex.find_all_string_submatch_n(\"(a)(b)?\", S, 2)",
            "regex.split(\"[ab]\", S)",
            "time.date([N, \"Europe/Berlin\"])",
            "time.clock(N)",
            "time.diff(N, 1700000000000000000)",
        ],
    ),
    (
        Kind::Object,
        &[
            "object.union(O, {\"z\": T})",
            "object.filter(O, [S, S])",
            "uri.parse(S)",
            "urlquery.decode_object(S)",
        ],
    ),
    (
        Kind::Set,
        &[
            "object.keys(O)",
            "graph.reachable({\"a\": {\"b\"}, \"b\": [\"c\", \"a\"]}, {S})",
            "graph.reachable_paths({\"a\": [\"b\", \"c\"], \"b\": []}, [S])",
            "net.cidr_merge([\"10.0.0.0/25\", \"10.0.0.128/25\", S])",
            "net.cidr_contains_matches([\"10.0.0.0/24\", \"::/96\"], A)",
            "net.cidr_expand(\"10.0.0.0/30\")",
            "{T} | {T}",
            "{T, T} & {T}",
            "{T, T} - {T}",
            "union({{T}, C})",
        ],
    ),
];

fn kind(declared: &Type) -> Kind {
    match declared.unnamed() {
        Type::Null => Kind::Null,
        Type::Boolean => Kind::Bool,
        Type::Number => Kind::Number,
        Type::String => Kind::String,
        Type::Array(..) => Kind::Array,
        Type::Object(..) => Kind::Object,
        Type::Set(_) => Kind::Set,
        _ => Kind::Any,
    }
}

/// What may be called, sorted by name.
fn callable() -> &'static [&'static Builtin] {
    static ALL: OnceLock<Vec<&'static Builtin>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<&Builtin> = builtins::all()
            .values()
            .filter(|b| !LEFT_OUT.contains(&b.name) && builtins::refused(b.name).is_none())
            .collect();
        all.sort_by_key(|b| b.name);
        all
    })
}

impl Gen {
    /// A call that gives a kind.
    pub(super) fn call(&mut self, scope: &mut Scope, wanted: Kind, depth: usize) -> String {
        if self.r.once_in(3) {
            return self.formed(scope, wanted);
        }
        let fits = |b: &&&Builtin| {
            let Type::Function(_, _, Some(result)) = &b.declared else {
                return false;
            };
            let gives = kind(result);
            (wanted == Kind::Any || gives == wanted || gives == Kind::Any)
                && !(self.big && COUNTING.contains(&b.name))
                && (!b.deprecated || self.style.v0)
        };
        let fitting: Vec<&Builtin> = callable().iter().filter(fits).copied().collect();
        if fitting.is_empty() {
            return self.atom(scope, wanted);
        }
        let builtin = fitting[self.r.below(fitting.len())];
        let Type::Function(args, _, _) = &builtin.declared else {
            return self.atom(scope, wanted);
        };
        let mut operands: Vec<String> = args
            .iter()
            .map(|a| self.operand(scope, builtin.name, a, depth))
            .collect();
        if self.r.once_in(250) {
            operands.pop(); // the wrong number
        }
        match (builtin.infix, operands.as_slice()) {
            (Some(infix), [left, right]) if !self.r.once_in(8) => format!("{left} {infix} {right}"),
            _ => format!("{}({})", builtin.name, operands.join(", ")),
        }
    }

    /// A term for a declared type.
    fn operand(&mut self, scope: &mut Scope, builtin: &str, declared: &Type, depth: usize) -> String {
        if self.r.once_in(4) {
            return self.reference(scope);
        }
        let depth = depth.saturating_sub(1);
        match declared.unnamed() {
            Type::String if !self.r.once_in(3) => match texts::pool(builtin) {
                Some(pool) => self.r.pick(pool).to_owned(),
                None => self.term(scope, Kind::String, depth.min(1)),
            },
            Type::Union(of) if !of.is_empty() => {
                let one = self.r.below(of.len());
                self.operand(scope, builtin, &of[one], depth)
            }
            Type::Array(known, rest) => {
                let mut items: Vec<String> = known.iter().map(|t| self.operand(scope, builtin, t, 0)).collect();
                if let Some(rest) = rest
                    && !self.r.once_in(6)
                {
                    for _ in 0..self.r.below(4) {
                        items.push(self.operand(scope, builtin, rest, 0));
                    }
                }
                format!("[{}]", items.join(", "))
            }
            Type::Set(of) => {
                let items: Vec<String> = (0..self.r.below(4))
                    .map(|_| self.operand(scope, builtin, of, 0))
                    .collect();
                if items.is_empty() {
                    "set()".to_owned()
                } else {
                    format!("{{{}}}", items.join(", "))
                }
            }
            Type::Object(known, rest) => {
                let mut items = Vec::new();
                for (key, of) in known {
                    items.push(format!(
                        "{}: {}",
                        regent_rego::value_text::text(key),
                        self.operand(scope, builtin, of, 0)
                    ));
                }
                if let Some(rest) = rest {
                    for _ in 0..self.r.below(3) {
                        let key = self.operand(scope, builtin, &rest.0, 0);
                        items.push(format!("{key}: {}", self.operand(scope, builtin, &rest.1, 0)));
                    }
                }
                format!("{{{}}}", items.join(", "))
            }
            other => {
                let wanted = kind(other);
                self.term(scope, wanted, depth.min(1))
            }
        }
    }

    /// A call of one of the forms.
    fn formed(&mut self, scope: &mut Scope, wanted: Kind) -> String {
        let fitting: Vec<&&str> = FORMS
            .iter()
            .filter(|f| wanted == Kind::Any || f.0 == wanted || f.0 == Kind::Any)
            .flat_map(|f| f.1)
            .filter(|f| !(self.big && COUNTING.iter().any(|c| f.contains(c))))
            .collect();
        if fitting.is_empty() {
            return self.atom(scope, wanted);
        }
        let form: &str = fitting[self.r.below(fitting.len())];
        let letters: Vec<char> = form.chars().collect();
        let mut out = String::new();
        let mut quoted = false;
        for (i, c) in letters.iter().enumerate() {
            let beside = |j: Option<usize>| j.and_then(|j| letters.get(j)).is_some_and(|n| n.is_alphanumeric());
            let alone = !quoted && !beside(i.checked_sub(1)) && !beside(Some(i + 1));
            quoted ^= *c == '"';
            match c {
                'T' if alone => out.push_str(&self.atom(scope, Kind::Any)),
                'S' if alone => match texts::pool(form) {
                    Some(pool) if !self.r.once_in(3) => out.push_str(self.r.pick(pool)),
                    _ => out.push_str(&self.atom(scope, Kind::String)),
                },
                'N' if alone => out.push_str(&self.atom(scope, Kind::Number)),
                'A' if alone => out.push_str(&self.atom(scope, Kind::Array)),
                'O' if alone => out.push_str(&self.atom(scope, Kind::Object)),
                'C' if alone => {
                    let collection = if self.r.once_in(3) {
                        self.collection(scope, 0)
                    } else {
                        self.reference(scope)
                    };
                    out.push_str(&collection);
                }
                other => out.push(*other),
            }
        }
        out
    }
}
