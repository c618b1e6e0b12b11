//! The syntax tree, shaped after OPA's (`ast.Module`, `ast.Rule`, `ast.Expr`, `ast.Term`), because the compiler's
//! stages and the text of its errors are defined on that shape.
//!
//! The parser makes it, [`crate::compile()`] rewrites it into lowered form (references resolved, calls hoisted, bodies
//! ordered), and the planner reads the lowered form.

use crate::number::Number;
use smol_str::SmolStr;
use std::sync::Arc;

/// Where something stands in its source. Rows and columns count from 1; columns count characters as OPA does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Loc {
    /// The name the source was given when parsed.
    pub file: Option<Arc<str>>,
    /// Row, from 1; 0 for what no source names (made by the compiler).
    pub row: u32,
    /// Column, from 1.
    pub col: u32,
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset after the last byte.
    pub end: u32,
}

/// Which grammar a module is read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RegoVersion {
    /// `if`, `contains`, `in`, `every` only after `import future.keywords`.
    V0,
    /// The grammar of OPA 1.x.
    #[default]
    V1,
    /// v0, or v1 where the file has `import rego.v1`; what OPA calls v0-compatible v1.
    V0CompatV1,
}

/// One parsed file.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file's name as given to the parser.
    pub file: Arc<str>,
    /// The grammar it was read with (V1 where `import rego.v1` asked for it).
    pub version: RegoVersion,
    /// `data.a.b` for `package a.b`: a ref whose head is the var `data`, all further parts string terms.
    pub package: Vec<Term>,
    /// Location of the package clause.
    pub package_loc: Loc,
    /// In source order.
    pub imports: Vec<Import>,
    /// In source order; chained bodies and several heads stand as rules of their own, as OPA's parser makes them.
    pub rules: Vec<Rule>,
    /// METADATA blocks, in source order.
    pub annotations: Vec<Annotations>,
    /// Faults of METADATA blocks are errors (the module was read by
    /// [`parse_module_annotated`](crate::parse::parse_module_annotated)).
    pub strict_annotations: bool,
    /// Every comment, with its text after the `#`.
    pub comments: Vec<(Loc, String)>,
}

/// `import path as alias`.
#[derive(Clone, Debug)]
pub struct Import {
    /// `data.x`, `input.x`, `future.keywords.in`, `rego.v1`.
    pub path: Term,
    /// The name after `as`.
    pub alias: Option<SmolStr>,
    /// The whole import.
    pub loc: Loc,
}

/// A METADATA block: the YAML text under the marker, and what it stands before.
#[derive(Clone, Debug)]
pub struct Annotations {
    /// `rule`, `document`, `package` or `subpackages`.
    pub scope: SmolStr,
    /// The block as a value (an object), `scope` included only if written.
    pub value: crate::Value,
    /// First line of the block.
    pub loc: Loc,
    /// Row of the package or rule that follows.
    pub target_row: u32,
    /// Path of the target (`data.a.b` for a package, with the rule's ref appended for rules).
    pub path: Vec<Term>,
}

/// The left side of a rule.
#[derive(Clone, Debug)]
pub struct Head {
    /// The rule's reference relative to its package: `[Var p]`, or `p.q[x].r` as `[Var p, "q", Var x, "r"]`.
    pub reference: Vec<Term>,
    /// `Some` for functions, also with no arguments (`f()`).
    pub args: Option<Vec<Term>>,
    /// The element of a partial set (`p contains key`, v0 `p[key]`). For v0 partial objects `p[k] = v` the key is the
    /// last part of `reference` instead.
    pub key: Option<Term>,
    /// The value; `true` when none is written and `key` is `None`.
    pub value: Option<Term>,
    /// `:=` rather than `=`.
    pub assign: bool,
    /// The head's text.
    pub loc: Loc,
}

/// One rule definition.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Left side.
    pub head: Head,
    /// Never empty: a rule without a body has the single expression `true`.
    pub body: Vec<Expr>,
    /// `else` chain.
    pub else_rule: Option<Box<Rule>>,
    /// `default p := x`.
    pub default: bool,
    /// Whole text.
    pub loc: Loc,
    /// A body was written (a rule `p := 1` has none).
    pub has_body: bool,
}

/// One expression of a body.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// `not`.
    pub negated: bool,
    /// `with target as value`, in order.
    pub with: Vec<With>,
    /// Made by the compiler, not written.
    pub generated: bool,
    /// `not {..}`: its body was written in braces.
    pub braces: bool,
    /// Its text (with `not` and `with`).
    pub loc: Loc,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A bare term: holds unless undefined or `false`.
    Term(Term),
    /// A call used as a statement or with its result captured by one more operand than its arity. The first term is
    /// the operator as a `Ref` (`eq`, `plus`, `data.lib.f`). Infix operators are calls by OPA's names: `=` is `eq`,
    /// `:=` is `assign`, `==` is `equal`, `!=` is `neq`, `<` is `lt`, `in` is `internal.member_2`/`_3`, and so on.
    Call(Vec<Term>),
    /// `some x, y` (terms are vars) or `some x in xs` / `some k, v in xs` (a single term: a `Call` of
    /// `internal.member_2` or `_3`).
    Some(Vec<Term>),
    /// `every k, v in domain { body }`.
    Every(Box<Every>),
    /// `not` under `import future.keywords.not`, with or without braces.
    Not(Vec<Expr>),
}

/// `every`.
#[derive(Clone, Debug)]
pub struct Every {
    /// Key variable, if written.
    pub key: Option<Term>,
    /// Value variable.
    pub value: Term,
    /// What is iterated.
    pub domain: Term,
    /// What must hold for each.
    pub body: Vec<Expr>,
}

/// `with target as value`.
#[derive(Clone, Debug)]
pub struct With {
    /// `input.x`, `data.y`, or a function's reference.
    pub target: Term,
    /// The replacement.
    pub value: Term,
    /// Its text.
    pub loc: Loc,
}

/// A term with its place.
#[derive(Clone, Debug)]
pub struct Term {
    /// What it is.
    pub value: TermValue,
    /// Where it is.
    pub loc: Loc,
}

/// The kinds of term.
#[derive(Clone, Debug)]
pub enum TermValue {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number with its text.
    Number(Number),
    /// A string, escapes resolved.
    String(SmolStr),
    /// A variable; wildcards are `$0`, `$1`, ... as in OPA.
    Var(SmolStr),
    /// Head and operands; the head is a `Var` for plain references, any term otherwise. Dotted parts are strings.
    Ref(Vec<Term>),
    /// `[a, b]`.
    Array(Vec<Term>),
    /// `{k: v}`.
    Object(Vec<(Term, Term)>),
    /// `{a, b}`, `set()`.
    Set(Vec<Term>),
    /// `[t | body]`.
    ArrayCompr(Box<Term>, Vec<Expr>),
    /// `{t | body}`.
    SetCompr(Box<Term>, Vec<Expr>),
    /// `{k: v | body}`.
    ObjectCompr(Box<Term>, Box<Term>, Vec<Expr>),
    /// `f(x)`: operator as `Ref`, then the arguments.
    Call(Vec<Term>),
    /// `$"..{x}.."`: string terms and expressions in turn. An expression part is any other term.
    Template(Vec<Term>),
}

impl Term {
    /// A term with no place, as the compiler makes them.
    pub fn new(value: TermValue) -> Term {
        Term {
            value,
            loc: Loc::default(),
        }
    }

    /// The same kind of thing at the place of another.
    pub fn at(value: TermValue, loc: &Loc) -> Term {
        Term {
            value,
            loc: loc.clone(),
        }
    }
}

/// What a part of a template captures, if it is an expression with `with`: the parser writes it `{_ | _ = x with ..}`.
pub(crate) fn template_capture(part: &Term) -> Option<(&Term, &[With])> {
    let TermValue::SetCompr(head, body) = &part.value else {
        return None;
    };
    match (&head.value, body.as_slice()) {
        (
            TermValue::Var(name),
            [
                Expr {
                    kind: ExprKind::Call(call),
                    with,
                    ..
                },
            ],
        ) if name.starts_with('$') && !with.is_empty() => match call.as_slice() {
            [
                _,
                Term {
                    value: TermValue::Var(bound),
                    ..
                },
                captured,
            ] if bound == name => Some((captured, with)),
            _ => None,
        },
        _ => None,
    }
}
