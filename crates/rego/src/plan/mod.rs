//! From lowered rules to a plan over numbered slots (`docs/design/evaluator.md`).

mod body;
mod format;
mod fuse;
mod guard;
mod inline;
mod join;
mod ops;
mod points;
mod reads;
mod select;
mod term;
mod tidy;
mod tree;
mod visit;

pub(crate) use format::{Format, Verb};
pub(crate) use join::{Join, Key as JoinKey, Step as JoinStep};
pub(crate) use ops::*;
pub(crate) use points::{Asked, Point, TracePlan, What};
pub(crate) use reads::whole;
pub(crate) use select::{Root, Select};

use crate::ast::Loc;
use crate::builtins::Cache;
use crate::compile::Compiled;
use crate::error::Error;
use crate::exec::Kept;
use crate::program::{CompileOptions, Reads};
use crate::value::Value;
use std::sync::atomic::AtomicBool;

/// The plan of a program: immutable, read by every evaluation.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Constants of all blocks.
    pub(crate) consts: Vec<Value>,
    /// Places in sources, named by operations.
    pub(crate) locs: Vec<Loc>,
    /// The document tree; node 0 is `data`.
    pub(crate) nodes: Vec<Node>,
    pub(crate) docs: Vec<Doc>,
    pub(crate) views: Vec<View>,
    pub(crate) queries: Vec<QueryPlan>,
    /// What each document and each query reads.
    pub(crate) reads: ReadTable,
    /// Compiled patterns of built-ins.
    pub(crate) cache: Cache,
    /// Loops that look for a value.
    pub(crate) joins: Vec<Join>,
    /// Their indexes over base documents.
    pub(crate) kept: Vec<Kept>,
    /// What a tracer is told; empty unless compiled for tracing.
    pub(crate) trace: TracePlan,
    /// An evaluation needed many slots: a guess about the next one, never more.
    pub(crate) wide: AtomicBool,
    /// See [`crate::Program::hides_errors`].
    pub(crate) guarded: bool,
}

impl Plan {
    /// The node of the document tree at a path.
    pub(crate) fn node(&self, path: &[Value]) -> Option<NodeId> {
        let step = |at: NodeId, key| self.nodes.get(at as usize)?.child(key);
        path.iter().try_fold(0, step)
    }
}

/// A query's plan.
#[derive(Debug)]
pub(crate) struct QueryPlan {
    pub(crate) block: Block,
    pub(crate) slots: u32,
    /// Names of the bindings, the first columns of a row; values of expressions follow.
    pub(crate) names: Vec<Value>,
}

/// What can be read: by each document itself, by each query with all that it reaches. Documents are followed when
/// asked for ([`whole`]): a chain of thousands would take the square.
#[derive(Debug, Default)]
pub(crate) struct ReadTable {
    pub(crate) docs: Vec<reads::Own>,
    pub(crate) queries: Vec<Reads>,
}

/// Plans all rules and queries.
pub(crate) fn plan(compiled: Compiled, options: &CompileOptions) -> Result<Plan, Vec<Error>> {
    let mut tree = tree::build(&compiled);
    let mut planner = body::Planner::new(&tree, &compiled.queries, options, &compiled.names);
    let mut docs = Vec::with_capacity(tree.groups.len());
    for (id, group) in tree.groups.iter().enumerate() {
        docs.push(planner.doc(id as DocId, group));
    }
    let mut queries = compiled.queries.iter().map(|q| planner.query(q)).collect::<Vec<_>>();
    let reads = reads::table(&compiled, &tree);
    let mut done = planner.finish();
    if !done.errors.is_empty() {
        return Err(done.errors);
    }
    let nodes = std::mem::take(&mut tree.nodes);
    let plans = tidy::Plans {
        docs: &mut docs,
        views: &mut done.views,
        queries: &mut queries,
        consts: &done.consts,
    };
    let joins = tidy::tidy(plans, options.rewrites, options.trace);
    // Plans stay, many of them: what was grown by doubling is cut.
    done.consts.shrink_to_fit();
    done.locs.shrink_to_fit();
    docs.shrink_to_fit();
    done.views.shrink_to_fit();
    Ok(Plan {
        consts: done.consts,
        locs: done.locs,
        nodes,
        docs,
        views: done.views,
        queries,
        reads,
        cache: Cache::default(),
        wide: AtomicBool::new(false),
        kept: joins.iter().map(|_| Kept::default()).collect(),
        joins,
        trace: done.trace,
        guarded: done.guarded,
    })
}
