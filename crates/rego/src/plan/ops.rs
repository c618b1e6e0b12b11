//! What a plan is made of: operations over numbered slots, blocks of them, documents made of blocks.

use super::format::Format;
use super::join::Key as JoinKey;
use super::select::Select;
use crate::ast::Loc;
use crate::builtins::{Builtin, Matcher, Quick};
use crate::value::{Hint, Value};

/// Where an operation finds a value that is there for sure: everything undefined has left the block before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operand {
    /// A slot of the frame.
    Slot(u32),
    /// A constant of the plan.
    Const(u32),
}

/// Where a path of constant keys starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A value.
    At(Operand),
    /// `input` as it is now.
    Input,
    /// Base documents as they are now.
    Data,
}

/// A slot.
pub(crate) type Slot = u32;
/// Index of a document in [`super::Plan::docs`].
pub(crate) type DocId = u32;
/// Index of a node of the document tree.
pub(crate) type NodeId = u32;

/// Comparisons that are operations of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// What is collected by a comprehension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collect {
    Array,
    Set,
    Object,
}

/// What is called.
#[derive(Clone, Copy)]
pub(crate) enum Callee {
    Builtin(&'static Builtin),
    Function(DocId),
}

impl std::fmt::Debug for Callee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Callee::Builtin(b) => f.write_str(b.name),
            Callee::Function(d) => write!(f, "function {d}"),
        }
    }
}

/// A short way of a call of a built-in.
#[derive(Debug)]
pub(crate) enum Shortcut {
    /// An answer that is there already.
    Quick(Quick),
    /// A pattern that is read already.
    Matcher(Box<Matcher>),
}

/// A step below a node of the document tree that is only known when running.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The key is known.
    Key(Operand),
    /// Every key, put in a slot.
    Each(Slot),
}

/// What `with` replaces.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// `input` or something below.
    Input(Vec<Value>),
    /// Something below `data`, or `data` itself.
    Data(Vec<Value>),
    /// A built-in or a function.
    Call(Callee),
}

/// What it is replaced by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Replacement {
    Value(Operand),
    Call(Callee),
}

/// Where the keys of a path were found last.
#[derive(Debug)]
pub(crate) struct Hints(pub(crate) Box<[Hint]>);

impl Hints {
    pub(super) fn of(keys: &[Value]) -> Hints {
        Hints(keys.iter().map(Hint::of).collect())
    }
}

/// An operation. All but the iterating ones either go on with the next or leave the block.
#[derive(Debug)]
pub(crate) enum Op {
    /// Follows constant keys.
    Path {
        from: Source,
        keys: Box<[Value]>,
        hints: Hints,
        to: Slot,
    },
    /// Follows one key.
    Step {
        from: Operand,
        key: Operand,
        to: Slot,
        /// In base documents, whose store knows keys by their text.
        base: bool,
    },
    /// Iterates a collection.
    Scan {
        from: Operand,
        key: Option<Slot>,
        value: Slot,
    },
    /// Before a loop: runs it and those in it, up to an operation, by an index if there is one.
    Join {
        join: u32,
        from: Operand,
        key: JoinKey,
        after: u32,
    },
    /// Two values are equal.
    Same { a: Operand, b: Operand },
    /// Is an array of so many items.
    ArrayLen { of: Operand, len: usize },
    /// Is an object of so many entries.
    ObjectLen { of: Operand, len: usize },
    /// Holds unless `false`.
    Truthy { of: Operand },
    /// Never holds.
    Fail,
    /// A comparison used as a statement.
    Compare { how: Compare, a: Operand, b: Operand },
    /// A comparison whose answer is used.
    CompareTo {
        how: Compare,
        a: Operand,
        b: Operand,
        to: Slot,
    },
    /// `[a, b]`.
    MakeArray { items: Box<[Operand]>, to: Slot },
    /// `{a, b}`.
    MakeSet { items: Box<[Operand]>, to: Slot },
    /// `{a: b}`.
    MakeObject {
        entries: Box<[(Operand, Operand)]>,
        /// The object's marks, if its keys are constant strings in order.
        shape: Option<u64>,
        to: Slot,
    },
    /// Calls a built-in or function; leaves when undefined.
    Call {
        callee: Callee,
        args: Box<[Operand]>,
        to: Slot,
        mockable: bool,
        loc: u32,
        /// A short way that most calls can take.
        quick: Option<Shortcut>,
    },
    /// A call that writes a text by a constant format.
    Format { format: Box<Format>, to: Slot, loc: u32 },
    /// The value of a rule.
    Doc { doc: DocId, to: Slot },
    /// The part of a partial rule whose keys fit what is known of them.
    Part { view: u32, args: Box<[Operand]>, to: Slot },
    /// A reference into the document tree with keys known only when running.
    Dynamic { node: NodeId, steps: Box<[Step]>, to: Slot },
    /// A whole package with its base documents.
    Package { node: NodeId, to: Slot },
    /// A comprehension.
    Comprehension {
        collect: Collect,
        block: Box<Block>,
        to: Slot,
        loc: u32,
    },
    /// `not`: holds if the block has no solution.
    Not { block: Box<Block> },
    /// `every`.
    Every {
        domain: Operand,
        key: Option<Slot>,
        value: Slot,
        block: Box<Block>,
    },
    /// Runs a block with replaced documents, then goes on once for each solution with the given slots.
    With {
        targets: Box<[(Target, Replacement)]>,
        block: Box<Block>,
        outs: Box<[Slot]>,
        loc: u32,
    },
    /// `print`.
    Print { args: Operand, loc: u32 },
    /// The tracer is told (only in programs compiled for tracing).
    Trace { point: u32 },
    /// End: the value of a complete rule or function. `last`: no other value is possible, stop here.
    Value { of: Operand, last: bool },
    /// End: an item of a set or array.
    Item { of: Operand },
    /// End: an entry of an object.
    Entry { key: Operand, value: Operand },
    /// End: an entry deeper in a partial object.
    Nested {
        path: Box<[Operand]>,
        leaf: Operand,
        set: bool,
    },
    /// End: a solution was found. `all`: go on searching.
    Found { all: bool },
    /// End: a solution's slots.
    Row { slots: Box<[Operand]> },
}

impl Op {
    /// Looks up or compares: makes nothing, cannot fail, and may leave the block.
    pub(super) fn looks(&self) -> bool {
        matches!(
            self,
            Op::Path { .. }
                | Op::Step { .. }
                | Op::Same { .. }
                | Op::ArrayLen { .. }
                | Op::ObjectLen { .. }
                | Op::Truthy { .. }
                | Op::Compare { .. }
        )
    }

    /// Looks, compares or makes a value of those that are there: cannot fail, and leaves nothing behind but a slot.
    pub(super) fn plain(&self) -> bool {
        self.looks()
            || matches!(
                self,
                Op::Fail | Op::CompareTo { .. } | Op::MakeArray { .. } | Op::MakeSet { .. } | Op::MakeObject { .. }
            )
    }
}

/// Operations in order; the last one is an end.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) ops: Vec<Op>,
}

/// One way to define a document: a body, and what is tried when it gives nothing.
#[derive(Debug)]
pub(crate) struct Def {
    /// Body, then each `else`.
    pub(crate) chain: Vec<Block>,
    /// Slots of the frame.
    pub(crate) slots: u32,
    /// For conflicts.
    pub(crate) loc: Loc,
}

/// What kind of document rules make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One value.
    Complete,
    /// One value for each list of arguments.
    Function,
    /// `p contains x`.
    Set,
    /// `p[x] := y`.
    Object,
    /// Deeper: `p[x].q[y] := z`, `p[x] contains y`.
    Nested,
}

/// All rules of one name.
#[derive(Debug)]
pub(crate) struct Doc {
    pub(crate) kind: Kind,
    /// Path below `data`.
    pub(crate) path: Vec<Value>,
    pub(crate) defs: Vec<Def>,
    /// `default`.
    pub(crate) default: Option<Def>,
    /// Whether remembering a function's answers is worth it.
    pub(crate) memo: bool,
    /// How many slots are bound when a definition is asked: the first ones.
    pub(crate) arguments: u32,
    /// How to find the definitions that can have a value.
    pub(crate) select: Option<Select>,
}

/// A partial rule with part of its keys known: its bodies begin with what is known.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) doc: DocId,
    pub(crate) defs: Vec<Def>,
    /// The only argument is the whole key: answers may be remembered.
    pub(crate) ground: bool,
    /// How many slots are bound when a definition is asked: the first ones.
    pub(crate) arguments: u32,
    /// How to find the definitions that can have a value.
    pub(crate) select: Option<Select>,
}

/// A node of the document tree.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Sorted by key.
    pub(crate) children: Vec<(Value, NodeId)>,
    pub(crate) doc: Option<DocId>,
    /// Path below `data`.
    pub(crate) path: Vec<Value>,
}

impl Node {
    /// The child at a key.
    pub(crate) fn child(&self, key: &Value) -> Option<NodeId> {
        let at = self.children.binary_search_by(|c| c.0.cmp(key)).ok()?;
        self.children.get(at).map(|c| c.1)
    }
}
