//! Random programs and documents for a seed: every construct, every built-in, v0 and v1.
//!
//! Text is generated, not a tree: what is odd (a wrong type, a missing variable, a stray token) needs no case of its own,
//! and shrinking works on the text as well.

mod calls;
mod noise;
mod rules;
mod statements;
mod terms;
mod texts;
mod values;

use crate::case::Case;
use crate::random::Random;
use std::fmt::Write;

/// What a term is, as far as the generator cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
    Set,
}

/// What a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Complete,
    Set,
    Object,
    /// A reference as head: what follows the name, with `K` where a key stands and whether it is a set.
    Nested(&'static str, bool),
    Function(usize),
}

/// A rule that others may name.
#[derive(Clone, Debug)]
struct Named {
    /// `p3`, `g4.f`.
    name: String,
    form: Form,
    /// Package `t` or `u`.
    package: &'static str,
}

/// How the modules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    v0: bool,
    /// `if`, `contains`, `in`, `every` may be used.
    modern: bool,
    /// `import future.keywords.not`.
    not_bodies: bool,
}

/// The generator's state.
struct Gen {
    r: Random,
    style: Style,
    rules: Vec<Named>,
    /// Names made.
    next: usize,
    /// Numbers beyond the everyday ones; built-ins that would count up to them are left out.
    big: bool,
    /// Without what regorus is not asked about and is met often: numbers with an exponent, heads that lead by constant keys,
    /// defaults that are closures.
    plain: bool,
    /// The module being written imports `data.u`.
    imports_u: bool,
}

/// What may be named at some point of a body.
#[derive(Clone)]
struct Scope {
    vars: Vec<(String, Kind)>,
    /// Only rules from this number on may be named, so nothing recurses.
    after: usize,
    /// The package the text stands in; none in a query.
    package: &'static str,
    /// Under `not` a wildcard would be unsafe.
    ground: bool,
}

impl Gen {
    fn fresh(&mut self) -> String {
        self.next += 1;
        format!("x{}", self.next)
    }

    /// A rule that may be named here, with its name as it is to be written.
    fn callee(&mut self, scope: &Scope, wanted: impl Fn(Form) -> bool) -> Option<(String, Form)> {
        // Seldom any rule at all: recursion is refused.
        let after = if self.r.once_in(2000) { 0 } else { scope.after };
        let fitting: Vec<&Named> = self.rules.iter().skip(after).filter(|n| wanted(n.form)).collect();
        if fitting.is_empty() {
            return None;
        }
        let chosen = fitting[self.r.below(fitting.len())].clone();
        let written = if chosen.package == scope.package && !self.r.once_in(4) {
            chosen.name.clone()
        } else if chosen.package == "u" && scope.package == "t" && self.imports_u && !self.r.once_in(3) {
            format!("u.{}", chosen.name)
        } else {
            format!("data.{}.{}", chosen.package, chosen.name)
        };
        Some((written, chosen.form))
    }
}

/// The case of a seed.
pub(crate) fn case(seed: u64) -> Case {
    case_of(seed, false)
}

/// The case of a seed without what regorus is not asked about and is met often.
pub(crate) fn plain_case(seed: u64) -> Case {
    case_of(seed, true)
}

fn case_of(seed: u64, plain: bool) -> Case {
    let mut r = Random::new(seed);
    for _ in 0..8 {
        r.next();
    }
    let style = match r.below(10) {
        0..=5 => Style {
            v0: false,
            modern: true,
            not_bodies: false,
        },
        6 => Style {
            v0: false,
            modern: true,
            not_bodies: true,
        },
        7 => Style {
            v0: true,
            modern: true,
            not_bodies: false,
        },
        _ => Style {
            v0: true,
            modern: false,
            not_bodies: false,
        },
    };
    let big = !plain && r.once_in(4);
    let mut g = Gen {
        r,
        style,
        rules: Vec::new(),
        next: 0,
        big,
        plain,
        imports_u: false,
    };
    let count = 1 + g.r.below(4);
    for i in 0..count {
        let form = g.form();
        let name = match form {
            Form::Function(_) if g.r.once_in(8) => format!("g{i}.f"),
            Form::Function(_) => format!("f{i}"),
            Form::Complete if g.r.once_in(10) && !plain => format!("c{i}.d"),
            _ => format!("p{i}"),
        };
        let package = if g.r.once_in(6) { "u" } else { "t" };
        g.rules.push(Named { name, form, package });
    }
    let mut texts: Vec<(&str, Vec<String>)> = vec![("t", Vec::new()), ("u", Vec::new())];
    g.imports_u = g.rules.iter().any(|n| n.package == "u") && !g.r.once_in(3);
    for i in 0..count {
        let package = g.rules[i].package;
        for text in g.definitions(i) {
            if let Some((_, rules)) = texts.iter_mut().find(|t| t.0 == package) {
                rules.push(text);
            }
        }
    }
    let mut modules = Vec::new();
    for (package, rules) in texts {
        if rules.is_empty() && package == "u" {
            continue;
        }
        // Seldom two files of one package.
        let cut = if g.r.once_in(12) {
            g.r.below(rules.len() + 1)
        } else {
            rules.len()
        };
        for (i, part) in [rules.get(..cut), rules.get(cut..)].into_iter().flatten().enumerate() {
            if i == 0 || !part.is_empty() {
                let text = g.module(package, part);
                modules.push((format!("{package}{i}.rego"), text));
            }
        }
    }
    let query = g.query();
    let input = g.input();
    let data = g.data();
    Case {
        modules,
        query,
        input,
        data,
        v0: style.v0,
        strict: g.r.once_in(12),
        strict_errors: g.r.once_in(12),
    }
}

impl Gen {
    fn form(&mut self) -> Form {
        match self.r.below(14) {
            0..=4 => Form::Complete,
            5 | 6 => Form::Set,
            7 | 8 => Form::Object,
            9..=11 => Form::Function(self.r.below(3).max(1)),
            _ => {
                let forms = [
                    (".k[K]", false),
                    ("[K]", true),
                    ("[K].z", false),
                    ("[K][K]", false),
                    (".k[K]", true),
                    ("[K][K]", true),
                    (".a.b[K].c", false),
                    ("[K].z[K]", true),
                ];
                let leads = |(form, _): &&(&str, bool)| !self.plain || form.starts_with("[K]");
                let forms: Vec<_> = forms.iter().filter(leads).collect();
                let &(form, set) = forms[self.r.below(forms.len())];
                // Heads of v0 without `if` or `contains` cannot be sets with more than one step.
                Form::Nested(form, set && self.style.modern)
            }
        }
    }

    fn module(&mut self, package: &str, rules: &[String]) -> String {
        let mut out = String::new();
        if self.r.once_in(12) {
            out.push_str("# METADATA\n# title: of the package\n# scope: package\n# custom:\n#   k: [1, two]\n");
        }
        let _ = writeln!(out, "package {package}\n");
        if self.style.v0 && self.style.modern {
            let which = self.r.below(3);
            out.push_str(match which {
                0 => "import rego.v1\n",
                1 => "import future.keywords\n",
                _ => "import future.keywords.if\nimport future.keywords.in\nimport future.keywords.every\nimport future.keywords.contains\n",
            });
        } else if !self.style.v0 && self.r.once_in(3) {
            out.push_str("import rego.v1\n");
        }
        if self.style.not_bodies {
            out.push_str("import future.keywords.not\n");
        }
        if self.imports_u && package == "t" {
            out.push_str("import data.u\n");
        }
        if self.r.once_in(8) {
            out.push_str(self.r.pick(&[
                "import input.a as ia\n",
                "import data.d\n",
                "import input\n",
                "import input.o.b\n",
            ]));
        }
        for rule in rules {
            out.push('\n');
            out.push_str(rule);
            if !rule.ends_with('\n') {
                out.push('\n');
            }
        }
        if self.r.once_in(14) { self.noise(&out) } else { out }
    }

    fn query(&mut self) -> String {
        let mut scope = Scope {
            vars: Vec::new(),
            after: 0,
            package: "",
            ground: false,
        };
        let modern = self.style.modern;
        // A query has no imports of its own.
        self.style.modern = !self.style.v0;
        let not_bodies = std::mem::take(&mut self.style.not_bodies);
        let query = match self.r.below(12) {
            0 | 1 => "x = data.t".to_owned(),
            2 => {
                let mut lines = self.body(&mut scope, 1);
                lines.push("x = data.t".to_owned());
                lines.join("; ").replace("\n\t", "; ")
            }
            3 => {
                let condition = self.condition(&mut scope, 1);
                format!("x = data.t; {condition}")
            }
            4 => match self.callee(&scope, |f| matches!(f, Form::Set | Form::Object | Form::Nested(..))) {
                Some((name, _)) => format!("{name}[x]"),
                None => "data[x]".to_owned(),
            },
            5 => {
                let term = self.term(&mut scope, Kind::Any, 1);
                format!("x := {term}")
            }
            6 => match self.callee(&scope, |f| matches!(f, Form::Nested(..))) {
                Some((name, _)) => format!("{name}[x][y]"),
                None => "data.t[x]".to_owned(),
            },
            _ => {
                let asked = self.callee(&scope, |f| !matches!(f, Form::Function(_)));
                asked.map_or("x = data.t".to_owned(), |(name, _)| format!("x = {name}"))
            }
        };
        self.style.modern = modern;
        self.style.not_bodies = not_bodies;
        query
    }
}
