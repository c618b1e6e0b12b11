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

mod checks;
mod locals;
mod metadata;
mod query;
mod resolve;
mod rewrite;
mod safety;
mod templates;
mod text;
mod tree;
mod walk;
mod with;

use crate::ast::{Expr, Loc, Module, Rule, Term, TermValue};
use crate::builtins::declared::{Declared, declared};
use crate::error::{Code, Error};
use crate::program::{CompileOptions, QuerySource};
use crate::typecheck::{self, Types};
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::{SmolStr, format_smolstr};
use tree::Tree;

/// What the planner reads.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Modules with rules in lowered form.
    pub modules: Vec<Module>,
    /// Queries in lowered form, in the order given.
    pub queries: Vec<Query>,
    /// Names as written, by the generated name.
    pub names: FxHashMap<SmolStr, SmolStr>,
}

/// A compiled query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The lowered body.
    pub body: Vec<Expr>,
    /// The body as written, for the values of its expressions.
    pub source: Vec<Expr>,
    /// Variables the user wrote (name as written, name in the lowered body), wildcards and generated ones left out.
    /// Sorted by name.
    pub vars: Vec<(String, String)>,
    /// The values `opa eval` shows as expressions, in its order: for each expression of the lowered body that was
    /// written, the variable that holds its value, or `true` for those that only hold.
    pub values: Vec<Term>,
}

/// Errors told at most, as OPA.
const MAX_ERRORS: usize = 10;

/// Parts of a rule's path at most: every prefix of it is a node of the document tree.
const LONGEST_PATH: usize = 1_000;

/// A path that would make the document tree as large as its square.
fn too_long(module: &Module) -> Option<Error> {
    let message =
        |n: usize| format!("a path of {n} parts is longer than {LONGEST_PATH}: use a shorter package or rule name");
    let package = module.package.len();
    if package > LONGEST_PATH {
        let loc = module.package.first().map(|p| p.loc.clone()).unwrap_or_default();
        return Some(Error::new(Code::Limit, &loc, message(package)));
    }
    let rule = module
        .rules
        .iter()
        .find(|r| package + r.head.reference.len() > LONGEST_PATH)?;
    Some(Error::new(
        Code::Limit,
        &rule.loc,
        message(package + rule.head.reference.len()),
    ))
}

/// Runs all stages. A stage with errors is the last.
///
/// # Errors
/// Those of the first stage that has some, at most ten and a last one that says there were more.
pub fn compile(
    mut modules: Vec<Module>,
    queries: Vec<QuerySource>,
    options: &CompileOptions,
) -> Result<Compiled, Vec<Error>> {
    let long: Vec<Error> = modules.iter().filter_map(too_long).take(MAX_ERRORS).collect();
    if !long.is_empty() {
        return Err(long);
    }
    modules.sort_by(|a, b| a.file.cmp(&b.file));
    let generator = Generator::new("__local", &modules);
    let mut c = Compiler {
        options,
        exports: resolve::exports(&modules),
        modules,
        errors: Vec::new(),
        rewritten: FxHashMap::default(),
        generator,
        tree: Tree::default(),
        types: Types::default(),
    };
    let stages: &[fn(&mut Compiler<'_>)] = &[
        |c| c.resolve_all(),
        |c| c.rewrite_head_refs(),
        |c| c.check_overrides(),
        |c| c.check_imports(),
        |c| c.tree = Tree::new(&c.modules),
        |c| c.rewrite_locals(),
        |c| c.rewrite_templates(),
        |c| c.check_void_calls(),
        |c| c.rewrite_print(),
        |c| c.rewrite_expr_terms(),
        |c| c.check_annotations(),
        |c| c.rewrite_metadata(),
        |c| c.rewrite_comprehension_terms(),
        |c| c.rewrite_heads(),
        |c| c.rewrite_with(),
        |c| c.check_conflicts(),
        |c| c.check_functions(),
        |c| c.check_heads(),
        |c| c.check_bodies(),
        |c| c.rewrite_equals(),
        |c| c.rewrite_dynamics(),
        |c| c.check_recursion(),
        |c| c.check_types(),
        |c| c.check_deprecated(),
        |c| c.check_supported(),
    ];
    for stage in stages {
        stage(&mut c);
        if !c.errors.is_empty() {
            return Err(c.take_errors());
        }
    }
    let mut compiled = Compiled::default();
    for source in queries {
        compiled.queries.push(c.query(source)?);
    }
    for module in &mut c.modules {
        module.imports.clear();
    }
    compiled.modules = c.modules;
    compiled.names = c.rewritten;
    Ok(compiled)
}

/// The state the stages share.
struct Compiler<'o> {
    options: &'o CompileOptions,
    modules: Vec<Module>,
    exports: resolve::Exports,
    errors: Vec<Error>,
    /// Names as written, by generated name.
    rewritten: FxHashMap<SmolStr, SmolStr>,
    generator: Generator,
    tree: Tree,
    types: Types,
}

/// Who knows how many arguments a function takes.
trait Arity {
    /// `None` for what is no function.
    fn arity(&self, operator: &Term) -> Option<usize>;
}

impl Arity for Compiler<'_> {
    fn arity(&self, operator: &Term) -> Option<usize> {
        if let Some(b) = self.builtin(operator) {
            return Some(b.arity());
        }
        let TermValue::Ref(parts) = &operator.value else {
            return None;
        };
        self.tree.exact(parts).next().map(|r| r.args)
    }
}

impl Compiler<'_> {
    /// The built-in an operator names.
    fn builtin(&self, operator: &Term) -> Option<&'static Declared> {
        let name = builtin_name(operator)?;
        if self.options.capabilities.without.contains(&name) {
            return None;
        }
        declared(&name)
    }

    /// What can never hold (`rego_type_error`); the types are kept for queries.
    fn check_types(&mut self) {
        let (types, errors) = typecheck::check(&self.modules, &self.rewritten);
        self.types = types;
        self.add(errors);
    }

    fn error(&mut self, code: Code, loc: &Loc, message: impl Into<String>) {
        self.add(vec![Error::new(code, loc, message)]);
    }

    fn add(&mut self, errors: Vec<Error>) {
        self.errors.extend(errors);
    }

    fn take_errors(&mut self) -> Vec<Error> {
        limited(std::mem::take(&mut self.errors))
    }
}

/// The first ten, and a word on the rest.
fn limited(mut errors: Vec<Error>) -> Vec<Error> {
    if errors.len() >= MAX_ERRORS {
        errors.truncate(MAX_ERRORS);
        errors.push(Error::new(Code::Compile, &Loc::default(), "error limit reached"));
    }
    errors
}

/// The dotted name of an operator; `None` for what cannot be a built-in's.
fn builtin_name(operator: &Term) -> Option<String> {
    let parts = match &operator.value {
        TermValue::Ref(parts) => parts.as_slice(),
        TermValue::Var(_) => std::slice::from_ref(operator),
        _ => return None,
    };
    let mut name = String::new();
    for (i, part) in parts.iter().enumerate() {
        match &part.value {
            TermValue::Var(v) if i == 0 && !walk::is_root(v) => name.push_str(v),
            TermValue::String(s) if i > 0 => {
                name.push('.');
                name.push_str(s);
            }
            _ => return None,
        }
    }
    Some(name)
}

/// Makes names no source uses.
struct Generator {
    prefix: &'static str,
    taken: FxHashSet<SmolStr>,
    next: u32,
}

impl Generator {
    fn new(prefix: &'static str, modules: &[Module]) -> Generator {
        let mut taken = FxHashSet::default();
        for rule in modules.iter().flat_map(|m| &m.rules).flat_map(walk::chain) {
            let mut found = |v: &SmolStr, _: &Term| {
                if walk::is_generated(v) {
                    taken.insert(v.clone());
                }
            };
            let mut c = walk::Collect {
                skip: walk::NOTHING,
                found: &mut found,
            };
            let head = &rule.head;
            let terms = head
                .args
                .iter()
                .flatten()
                .chain(&head.key)
                .chain(&head.value)
                .chain(&head.reference);
            terms.for_each(|t| c.term(t));
            c.body(&rule.body);
        }
        Generator { prefix, taken, next: 0 }
    }

    fn generate(&mut self) -> SmolStr {
        loop {
            let name = format_smolstr!("{}{}__", self.prefix, self.next);
            self.next += 1;
            if !self.taken.contains(&name) {
                return name;
            }
        }
    }
}

/// A rule's full path: package, then the ground part of its reference. Parts that are no strings end it.
pub fn rule_path(module: &Module, rule: &Rule) -> Vec<String> {
    let package = module.package.iter().skip(1);
    let name = rule.head.reference.iter();
    package
        .chain(name)
        .map_while(|t| match &t.value {
            TermValue::String(s) => Some(s.to_string()),
            TermValue::Var(v) if rule.head.reference.first().is_some_and(|f| std::ptr::eq(f, t)) => Some(v.to_string()),
            _ => None,
        })
        .collect()
}
