//! From parsed modules to lowered rules: OPA's compiler stages, in OPA's order (`evaluator.md` §2).

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
