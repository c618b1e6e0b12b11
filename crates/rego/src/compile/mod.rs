//! From parsed modules to lowered rules: OPA's compiler stages, in OPA's order.
//!
//! # The lowered form
//!
//! What [`compile`] gives is still the syntax tree, narrowed; the planner may count on all of this:
//!
//! - **Modules** are sorted by file name (stable); rules keep their order. The rules of one path, in the order of
//!   modules and then rules, are the order in which definitions are tried. `imports` are empty.
//! - **References** are full. What is a rule or an import reads `data.pkg.rule..` or `input..`: a `Ref` whose head is
//!   `Var("data")` or `Var("input")`. A bare `input` or `data` is a `Ref` of one part. Every other ref head is a local
//!   variable (literals and calls before brackets were hoisted into one). A bracket holds a scalar or a variable, or an
//!   array/object/set literal of such; nested refs and comprehensions were hoisted.
//! - **Variables**: declared ones (`:=`, `some`, arguments, `every`) are renamed `__localN__`, unique in the program;
//!   wildcards stay `$N` (unique per parsed file) and undeclared variables (`x = 1`) keep their name, one variable
//!   per rule body: a closure shares it with its surroundings if they bind it. In a query generated names are
//!   `__localqN__`.
//! - **Expressions** ([`ExprKind`](crate::ast::ExprKind)):
//!   - `Term(t)`: t is a scalar, variable, ref, literal or comprehension; holds unless undefined or `false`.
//!   - `Call([op, operands..])`. `op` is a `Ref`: `[Var("plus")]`, `[Var("json"), String("filter")]`,
//!     `[Var("internal"), String("member_2")]`, or `data.lib.f`. With as many operands as the arity it is a statement
//!     (fails on `false` or undefined); with one more, the last operand is unified with the result (`false` included).
//!     Operands are scalars, variables, or literals of such: never calls, refs or comprehensions.
//!     `assign` no longer occurs. `eq` with two operands is unification; its sides are any term but calls, and a ref
//!     or comprehension only as a whole side (not inside a literal). `equal` (`==`) as a statement became `eq`;
//!     `equal` with three operands stays a call. In queries `==` stays `equal` always, as in OPA.
//!   - `Some` no longer occurs (`some x in xs` is `eq(x, xs[key])`).
//!   - `Every`: `key` is always there, `domain` is a variable bound before, the body is lowered.
//!   - `Not(body)`: only under `import future.keywords.not`; the body is lowered, all hoisting stayed inside.
//! - **Hoisted** expressions have `generated` set, stand before the expression they come from and carry its `with`.
//!   `negated` is on the written expression only. Head arguments, keys and values, and comprehension heads were hoisted
//!   to the end of their body, so what is left there is scalars, variables and literals of such.
//! - **`with`**: the target is a `Ref` to `input..`, `data..`, or a built-in (`[Var("count")]`); the value is a scalar, a
//!   variable, a literal of such, or, where a function is replaced, the `Ref` of the function that replaces it.
//! - **Bodies are ordered** so that everything an expression needs is bound when it is reached; run them in order.
//! - **Heads**: `reference` keeps its parts; those after the first are scalars or variables. `key` is `Some` for
//!   partial sets, else `value` is `Some`. `args` are patterns: variables, scalars, arrays and objects of such. An
//!   `else` rule's head repeats reference and (renamed) arguments.
//! - **Templates** `$"a{x}"` are `internal.template_string(["a", {y | y = x}], out)`: each part is a string or a set of
//!   at most one element, empty for undefined; the sets are hoisted comprehensions or set literals of one variable.
//! - **`print`** is gone, or `internal.print([{x | x = a}, ..])` with operands hoisted into variables.
//! - **`rego.metadata`** calls are `eq` with a constant bound at the start of the body.
//! - Function calls have been checked: the callee exists, and the arity fits.

use crate::ast::{Expr, Module, Rule, Term};
use crate::error::Error;
use crate::program::{CompileOptions, QuerySource};

/// What the planner reads.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Modules with rules in lowered form.
    pub modules: Vec<Module>,
    /// Queries in lowered form, in the order given.
    pub queries: Vec<Query>,
}

/// A compiled query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The lowered body.
    pub body: Vec<Expr>,
    /// The body as written, for the values of its expressions.
    pub source: Vec<Expr>,
    /// Variables the user wrote (name as written, name in the lowered body), wildcards and generated ones left out.
    pub vars: Vec<(String, String)>,
    /// For each written expression, the term that holds its value (`true` for those that only hold).
    pub values: Vec<Term>,
}

/// Runs all stages.
pub fn compile(
    _modules: Vec<Module>,
    _queries: Vec<QuerySource>,
    _options: &CompileOptions,
) -> Result<Compiled, Vec<Error>> {
    Err(Vec::new())
}

/// A rule's full path: package, then the ground part of its reference.
pub fn rule_path(_module: &Module, _rule: &Rule) -> Vec<String> {
    Vec::new()
}
