//! The face of the crate: compile once, evaluate often.

use crate::ast;
use crate::builtins::Capabilities;
use crate::compile::Compiled;
use crate::error::Error;
use crate::exec::{Arena, Exec, NARROW, Slots, Tracer, WIDE};
use crate::trace::{Trace, TraceOptions};
use crate::value::Value;
use std::any::Any;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// How modules are compiled.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// Which built-ins exist.
    pub capabilities: Capabilities,
    /// OPA's `--strict`: unused variables and imports, deprecated built-ins, ... are errors.
    pub strict: bool,
    /// Keep `print` calls; they are erased otherwise.
    pub print: bool,
    /// Keep coverage and trace points in the program (slower).
    pub trace: bool,
    /// Keep the lowered rules for another evaluator (more memory), see [`Program::lowered`].
    pub keep_lowered: bool,
    /// Which rewrites for speed are made. None changes an answer; tests turn them off one by one to show it.
    pub rewrites: Rewrites,
}

/// Rewrites for speed (`docs/design/evaluator.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrites {
    /// Find the definitions that can have a value by the constants that they compare with.
    pub select: bool,
    /// Answer calls of short built-ins without going through the table.
    pub quick: bool,
    /// Put the value of a rule that is a constant where the rule is referred to.
    pub constants: bool,
    /// Find by an index what a loop that compares with a known value would find.
    pub joins: bool,
    /// Run before a loop what needs nothing of it.
    pub hoist: bool,
    /// Plan short functions where they are called.
    pub inline: bool,
    /// Go through the items of a set that is made for one loop without making it.
    pub fuse: bool,
}

impl Rewrites {
    /// As compiled by default.
    pub const ALL: Rewrites = Rewrites {
        select: true,
        quick: true,
        constants: true,
        joins: true,
        hoist: true,
        inline: true,
        fuse: true,
    };
    /// The plan as written.
    pub const NONE: Rewrites = Rewrites {
        select: false,
        quick: false,
        constants: false,
        joins: false,
        hoist: false,
        inline: false,
        fuse: false,
    };
}

impl Default for Rewrites {
    fn default() -> Self {
        Rewrites::ALL
    }
}

/// A reference or query that can be evaluated; valid for the program that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(pub(crate) u32);

/// An immutable compiled program. Send and Sync; share it behind an `Arc`.
#[derive(Debug)]
pub struct Program {
    pub(crate) plan: crate::plan::Plan,
    /// Paths asked for by [`Program::document`] that are no nodes of the document tree; their entries follow the
    /// queries' and the nodes'.
    documents: RwLock<Vec<Arc<[Value]>>>,
    lowered: Option<Box<Compiled>>,
    companion: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// What an entry stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A query, by its number.
    Query(usize),
    /// The document at a path below `data`.
    Document(Arc<[Value]>),
}

/// Bounds of one evaluation. Hitting one is an error, never "undefined".
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Monotonic nanoseconds; `None`: no time limit.
    pub clock: Option<&'a (dyn Fn() -> u64 + Sync)>,
    /// The clock's value after which evaluation ends with `eval_cancel_error`.
    pub deadline: u64,
    /// Bytes that values made while evaluating may take, roughly.
    pub memory: usize,
    /// Depth of nested rules, calls, iterations and closures. Each takes up to 2 KiB of stack when optimised (the
    /// default fits 2 MiB, measured on chains of 1,000), up to 16 KiB when not.
    pub depth: u32,
}

impl Default for Limits<'_> {
    fn default() -> Self {
        Limits {
            clock: None,
            deadline: u64::MAX,
            memory: 192 << 20,
            depth: 1_000,
        }
    }
}

/// What an evaluation may see.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// `input`; `None`: undefined.
    pub input: Option<&'a Value>,
    /// Base documents under `data`; an object.
    pub data: &'a Value,
    /// Bounds.
    pub limits: Limits<'a>,
    /// `time.now_ns()`, nanoseconds since 1970.
    pub time_ns: i64,
    /// Seed for `rand.intn` and `uuid.rfc4122`.
    pub seed: u64,
    /// Report the first built-in error instead of treating it as undefined.
    pub strict_builtin_errors: bool,
}

/// What an evaluation gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The value; `None`: undefined.
    pub value: Option<Value>,
    /// Lines printed by `print`, as `file:row: text`.
    pub prints: Vec<String>,
}

/// What an entry can read, an over-approximation: paths below `input` and `data`, cut at the first step that is not
/// known at load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Paths below `input`.
    pub input: Vec<Vec<String>>,
    /// Paths below `data` that are not rules.
    pub data: Vec<Vec<String>>,
    /// Uses time, randomness or anything else that makes two equal evaluations differ.
    pub nondeterministic: bool,
}

/// What is compiled besides the modules.
#[derive(Clone, Debug)]
pub struct QuerySource {
    /// Parsed query.
    pub body: Vec<ast::Expr>,
    /// Package and imports a query may lean on (`opa eval --package/--import`); empty for none.
    pub package: Vec<ast::Term>,
    /// See `package`.
    pub imports: Vec<ast::Import>,
}

/// Checks modules as OPA's compiler does and plans them. Gathers errors (at most 10 per stage, as OPA).
///
/// Entry `i` of the answer is query `i`; [`Program::document`] gives entries for rules and packages.
pub fn compile(
    modules: Vec<ast::Module>,
    queries: Vec<QuerySource>,
    options: &CompileOptions,
) -> Result<(Program, Vec<Entry>), Vec<Error>> {
    let count = queries.len() as u32;
    let compiled = crate::compile::compile(modules, queries, options)?;
    let lowered = options.keep_lowered.then(|| Box::new(compiled.clone()));
    let plan = crate::plan::plan(compiled, options)?;
    let program = Program {
        plan,
        documents: RwLock::default(),
        lowered,
        companion: OnceLock::new(),
    };
    Ok((program, (0..count).map(Entry).collect()))
}

/// What an entry means.
pub(crate) enum Target {
    Query(u32),
    /// A node of the document tree.
    Node(u32),
    /// A path that is none.
    Path(Arc<[Value]>),
}

impl Program {
    /// The entry of the document at a path below `data` (a rule, a package, or base data); always there, undefined
    /// when nothing is.
    pub fn document(&self, path: &[&str]) -> Entry {
        let path: Vec<Value> = path.iter().map(Value::string).collect();
        let queries = self.plan.queries.len();
        if let Some(node) = self.plan.node(&path) {
            return Entry((queries + node as usize) as u32);
        }
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        let at = match documents.iter().position(|p| **p == path) {
            Some(at) => at,
            None => {
                documents.push(path.into());
                documents.len() - 1
            }
        };
        Entry((queries + self.plan.nodes.len() + at) as u32)
    }

    /// What an entry stands for.
    pub fn subject(&self, entry: Entry) -> Subject {
        match self.target(entry) {
            Target::Query(id) => Subject::Query(id as usize),
            Target::Node(id) => Subject::Document(self.plan.nodes.get(id as usize).map_or(&[][..], |n| &n.path).into()),
            Target::Path(path) => Subject::Document(path),
        }
    }

    /// Whether some body is left before something in it that could fail, since what OPA's rule index tests first does
    /// not hold. An evaluator without that index sees failures here that OPA does not.
    pub fn hides_errors(&self) -> bool {
        self.plan.guarded
    }

    /// The checked and lowered rules, if [`CompileOptions::keep_lowered`] asked for them.
    pub fn lowered(&self) -> Option<&Compiled> {
        self.lowered.as_deref()
    }

    /// What another evaluator has made of this program, made now if it is not there; it lives as long as the program.
    /// There is room for one: what another type has put there is not found, and what is made is not kept.
    pub fn companion<T: Any + Send + Sync>(&self, make: impl FnOnce(&Program) -> T) -> Arc<T> {
        let kept = || self.companion.get().and_then(|k| k.clone().downcast::<T>().ok());
        kept().unwrap_or_else(|| {
            let made = Arc::new(make(self));
            let _ = self.companion.set(made.clone());
            // Another thread may have been faster; all use what is kept.
            kept().unwrap_or(made)
        })
    }

    /// What an entry means.
    fn target(&self, entry: Entry) -> Target {
        let Some(at) = (entry.0 as usize).checked_sub(self.plan.queries.len()) else {
            return Target::Query(entry.0);
        };
        let Some(at) = at.checked_sub(self.plan.nodes.len()) else {
            return Target::Node(at as u32);
        };
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        Target::Path(documents.get(at).cloned().unwrap_or_else(|| Arc::from([])))
    }

    /// Evaluates a document entry: its value, or `None` when undefined. A query entry gives an array of
    /// `{"expressions": [value...], "bindings": {name: value}}`, or `None` when it has no result.
    ///
    /// # Errors
    /// Conflicts, limits, and (strict mode) the first built-in error.
    pub fn eval(&self, entry: Entry, context: &Context<'_>) -> Result<Outcome, Error> {
        if self.plan.wide.load(Relaxed) {
            self.eval_with::<WIDE>(entry, context)
        } else {
            self.eval_with::<NARROW>(entry, context)
        }
    }

    #[inline(never)]
    fn eval_with<const N: usize>(&self, entry: Entry, context: &Context<'_>) -> Result<Outcome, Error> {
        let arena = Arena::default();
        let mut slots: Slots<'_, N> = [None; N];
        let mut exec = Exec::new(&self.plan, &arena, &mut slots, context);
        let value = match (entry.0 as usize).checked_sub(self.plan.queries.len()) {
            Some(node) if node < self.plan.nodes.len() => exec.node(node as u32),
            _ => exec.target(&self.target(entry)),
        };
        let value = value.map_err(|e| *e)?;
        if let Some(value) = value {
            exec.outcome(value)?;
        }
        match exec.take_failure() {
            None => Ok(Outcome {
                value: value.cloned(),
                prints: exec.prints(),
            }),
            Some(failure) => Err(failure),
        }
    }

    /// As [`Program::eval`], with what a program compiled for tracing (see [`CompileOptions::trace`]) tells on the way;
    /// of any other the trace is empty. The trace is there after an error as well, up to where it happened.
    pub fn eval_traced(
        &self,
        entry: Entry,
        context: &Context<'_>,
        options: &TraceOptions<'_>,
    ) -> (Result<Outcome, Error>, Trace) {
        let target = self.target(entry);
        let path = match &target {
            Target::Query(_) => None,
            Target::Node(id) => self.plan.nodes.get(*id as usize).map(|n| n.path.as_slice()),
            Target::Path(path) => Some(&**path),
        };
        let arena = Arena::default();
        let mut slots: Slots<'_, NARROW> = [None; NARROW];
        let mut exec = Exec::new(&self.plan, &arena, &mut slots, context);
        exec.tracer = Some(Box::new(Tracer::new(&self.plan, options, path)));
        let value = exec.target(&target);
        let result = value.map_err(|e| *e).and_then(|value| {
            if let Some(value) = value {
                exec.outcome(value)?;
            }
            match exec.take_failure() {
                Some(failure) => Err(failure),
                None => Ok(Outcome {
                    value: value.cloned(),
                    prints: exec.prints(),
                }),
            }
        });
        let trace = exec.tracer.take().map(|t| t.finish(&self.plan)).unwrap_or_default();
        (result, trace)
    }

    /// What an entry can read.
    pub fn reads(&self, entry: Entry) -> Reads {
        let table = &self.plan.reads;
        let path: Arc<[Value]> = match self.target(entry) {
            Target::Query(id) => return table.queries.get(id as usize).cloned().unwrap_or_default(),
            Target::Node(id) => self.plan.nodes.get(id as usize).map_or(&[][..], |n| &n.path).into(),
            Target::Path(path) => path,
        };
        let mut ruled = false;
        let mut reached = Vec::new();
        for (i, doc) in self.plan.docs.iter().enumerate() {
            if doc.path.starts_with(&path) || path.starts_with(&doc.path) {
                ruled |= path.starts_with(&doc.path);
                reached.push(i);
            }
        }
        let mut reads = crate::plan::whole(&table.docs, reached, Reads::default());
        if !ruled {
            reads
                .data
                .push(path.iter().filter_map(|k| k.as_str().map(str::to_owned)).collect());
        }
        for paths in [&mut reads.input, &mut reads.data] {
            paths.sort();
            paths.dedup();
        }
        reads
    }
}
