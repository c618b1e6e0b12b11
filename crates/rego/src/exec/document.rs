//! Documents below `data`: rules, packages, base data, and references into them with keys known only now.

use super::frame::{CallKey, Memo};
use super::sink::Sink;
use super::{Exec, Flow, Res};
use crate::error::{Code, Error};
use crate::plan::{Block, Def, DocId, Kind, NodeId, Operand, Root, Select, Slot, Step};
use crate::value::Value;
use smallvec::SmallVec;

/// Where a reference has got to.
#[derive(Clone, Copy)]
enum At<'a> {
    Node(NodeId),
    Value(&'a Value),
    /// A value in base documents.
    Base(&'a Value),
}

/// All definitions, or those chosen, in order.
pub(super) struct Chosen<'a> {
    defs: &'a [Def],
    chosen: Option<&'a [u32]>,
    next: usize,
}

impl<'a> Chosen<'a> {
    pub(super) fn of(defs: &'a [Def], chosen: Option<&'a [u32]>) -> Chosen<'a> {
        Chosen { defs, chosen, next: 0 }
    }
}

impl<'a> Iterator for Chosen<'a> {
    type Item = &'a Def;

    fn next(&mut self) -> Option<&'a Def> {
        let at = match self.chosen {
            Some(chosen) => *chosen.get(self.next)? as usize,
            None => self.next,
        };
        self.next += 1;
        self.defs.get(at)
    }
}

impl<'a> Exec<'a> {
    /// The document at a path below `data`.
    pub(super) fn document(&mut self, path: &[Value]) -> Res<Option<&'a Value>> {
        let plan = self.plan;
        let mut node: NodeId = 0;
        for (i, key) in path.iter().enumerate() {
            let Some(here) = plan.nodes.get(node as usize) else {
                return Ok(None);
            };
            if let Some(doc) = here.doc {
                let value = self.doc(doc)?;
                let rest = path.get(i..).unwrap_or_default();
                return Ok(value.and_then(|v| rest.iter().try_fold(v, |v, k| v.lookup(k))));
            }
            match here.child(key) {
                Some(child) => node = child,
                None => return Ok(path.iter().try_fold(self.frame.data, |v, k| v.lookup(k))),
            }
        }
        self.node(node)
    }

    /// The document at a node of the tree.
    pub(crate) fn node(&mut self, node: NodeId) -> Res<Option<&'a Value>> {
        match self.plan.nodes.get(node as usize).and_then(|n| n.doc) {
            Some(doc) if !self.is_function(doc) => self.doc(doc),
            Some(_) => Ok(None),
            None => self.package(node),
        }
    }

    /// The value of a document made by rules; `None` when undefined.
    #[inline(never)]
    pub(super) fn doc(&mut self, id: DocId) -> Res<Option<&'a Value>> {
        match self.frame.memo(id) {
            Memo::Known(value) => return Ok(value),
            Memo::Busy => return Err(self.recursive(id)),
            Memo::Unknown => {}
        }
        let plan = self.plan;
        let Some(doc) = plan.docs.get(id as usize) else {
            return Ok(None);
        };
        if let Some(value) = self.frame.replacement(&doc.path) {
            return Ok(value);
        }
        self.step()?;
        self.remember(id, Memo::Busy);
        let value = match doc.kind {
            Kind::Complete => {
                let mut sink = Sink::value(false);
                let chosen = self.choose(&doc.select, &[]);
                for def in Chosen::of(&doc.defs, chosen) {
                    if self.define(def, &[], &mut sink)? == Flow::Stop {
                        break;
                    }
                }
                match (sink.single(), &doc.default) {
                    (None, Some(default)) => {
                        let mut sink = Sink::value(false);
                        self.define(default, &[], &mut sink)?;
                        sink.single()
                    }
                    (value, _) => value,
                }
            }
            Kind::Function => None,
            kind => {
                let mut sink = partial(kind);
                let chosen = self.choose(&doc.select, &[]);
                for def in Chosen::of(&doc.defs, chosen) {
                    self.define(def, &[], &mut sink).map_err(|e| placed(e, &def.loc))?;
                }
                let first = doc.defs.first().map(|d| &d.loc);
                let place = |e| match first {
                    Some(loc) => placed(e, loc),
                    None => e,
                };
                self.gathered(sink).map_err(place)?
            }
        };
        self.remember(id, Memo::Known(value));
        Ok(value)
    }

    #[cold]
    fn recursive(&self, id: DocId) -> Box<Error> {
        let doc = self.plan.docs.get(id as usize);
        let steps: Vec<String> = doc.iter().flat_map(|d| &d.path).map(crate::value_text::text).collect();
        let message = format!("rule data[{}] is recursive", steps.join("]["));
        self.error(Code::Recursion, message)
    }

    #[inline]
    fn remember(&mut self, id: DocId, memo: Memo<'a>) {
        let count = self.plan.docs.len();
        self.frame.remember(id, memo, count);
    }

    /// The part of a partial document that fits what is known of its keys.
    #[inline(never)]
    pub(super) fn part(&mut self, id: u32, args: &[Operand]) -> Res<Option<&'a Value>> {
        let plan = self.plan;
        let Some(view) = plan.views.get(id as usize) else {
            return Ok(None);
        };
        let Some(doc) = plan.docs.get(view.doc as usize) else {
            return Ok(None);
        };
        if let Memo::Known(value) = self.frame.memo(view.doc) {
            return Ok(value);
        }
        if let Some(value) = self.frame.replacement(&doc.path) {
            return Ok(value);
        }
        self.step()?;
        let args: SmallVec<[&'a Value; 4]> = args.iter().map(|a| self.get(*a)).collect();
        let key = view.ground.then(|| CallKey::of(id, &args));
        if let Some(key) = key
            && let Some(known) = self.frame.answers().parts.get(key, &args)
        {
            return Ok(known);
        }
        let mut sink = partial(doc.kind);
        let chosen = self.choose(&view.select, &args);
        for def in Chosen::of(&view.defs, chosen) {
            self.define(def, &args, &mut sink).map_err(|e| placed(e, &def.loc))?;
        }
        let value = self.gathered(sink)?;
        if let Some(key) = key {
            self.account(64)?;
            self.frame.answers().parts.insert(key, &args, value);
        }
        Ok(value)
    }

    /// The definitions that can have a value, by number; `None`: any.
    pub(super) fn choose(&self, select: &'a Option<Select>, args: &[&'a Value]) -> Option<&'a [u32]> {
        let select = select.as_ref()?;
        let start = match select.place.root {
            Root::Argument(i) => args.get(i as usize).copied(),
            Root::Input => self.frame.input,
        };
        let value = start.and_then(|v| select.place.keys.iter().try_fold(v, |v, k| v.lookup(k)));
        Some(value.and_then(|v| select.by.get(v)).unwrap_or(&select.others))
    }

    /// A whole package: base documents with what rules make over them.
    #[inline(never)]
    pub(super) fn package(&mut self, id: NodeId) -> Res<Option<&'a Value>> {
        let plan = self.plan;
        let Some(node) = plan.nodes.get(id as usize) else {
            return Ok(None);
        };
        if let Some(value) = self.frame.replacement(&node.path) {
            return Ok(value);
        }
        let base = node.path.iter().try_fold(self.frame.data, |v, k| v.lookup(k));
        let made = self.made_by_rules(id)?;
        let value = match base {
            Some(base) => merge(base, made),
            None => made,
        };
        self.keep(value).map(Some)
    }

    /// What rules make at and below a node that is no document itself.
    fn made_by_rules(&mut self, id: NodeId) -> Res<Value> {
        let plan = self.plan;
        let mut entries = Vec::new();
        for (key, child) in plan.nodes.get(id as usize).map_or(&[][..], |n| n.children.as_slice()) {
            // OPA keeps `data.system` out of what it answers for `data`.
            if id == 0 && key.as_str() == Some("system") {
                continue;
            }
            let value = match plan.nodes.get(*child as usize).and_then(|n| n.doc) {
                Some(doc) if self.is_function(doc) => None,
                Some(doc) => self.doc(doc)?.cloned(),
                None => match plan
                    .nodes
                    .get(*child as usize)
                    .and_then(|n| self.frame.replacement(&n.path))
                {
                    Some(value) => value.cloned(),
                    None => Some(self.made_by_rules(*child)?),
                },
            };
            if let Some(value) = value {
                self.account(2 * size_of::<Value>())?;
                entries.push((key.clone(), value));
            }
        }
        Ok(Value::object(entries))
    }

    /// A reference below a node by keys that are known, or by every key there is.
    #[inline(never)]
    pub(super) fn dynamic(
        &mut self,
        node: NodeId,
        steps: &'a [Step],
        to: Slot,
        block: &'a Block,
        pc: usize,
        sink: &mut Sink<'a>,
    ) -> Res<Flow> {
        self.descend(At::Node(node), steps, to, block, pc, sink)
    }

    fn descend(
        &mut self,
        at: At<'a>,
        steps: &'a [Step],
        to: Slot,
        block: &'a Block,
        pc: usize,
        sink: &mut Sink<'a>,
    ) -> Res<Flow> {
        self.step()?;
        let Some(at) = self.settle(at, steps.is_empty())? else {
            return Ok(Flow::Next);
        };
        let Some((step, rest)) = steps.split_first() else {
            if let At::Value(value) | At::Base(value) = at {
                self.set(to, value);
                return self.run(block, pc, sink);
            }
            return Ok(Flow::Next);
        };
        match (step, at) {
            (Step::Key(key), _) => {
                let key = self.get(*key);
                match self.child(at, key) {
                    Some(next) => self.descend(next, rest, to, block, pc, sink),
                    None => Ok(Flow::Next),
                }
            }
            (Step::Each(slot), at) => {
                for key in self.keys(at)? {
                    self.set(*slot, key);
                    if let Some(next) = self.child(at, key)
                        && self.descend(next, rest, to, block, pc, sink)? == Flow::Stop
                    {
                        return Ok(Flow::Stop);
                    }
                }
                Ok(Flow::Next)
            }
        }
    }

    /// A node that is a document, or the end of a reference, as a value; `None`: nothing there.
    fn settle(&mut self, at: At<'a>, whole: bool) -> Res<Option<At<'a>>> {
        let At::Node(id) = at else { return Ok(Some(at)) };
        let plan = self.plan;
        let Some(node) = plan.nodes.get(id as usize) else {
            return Ok(None);
        };
        if let Some(value) = self.frame.replacement(&node.path) {
            return Ok(value.map(At::Value));
        }
        let value = match node.doc {
            Some(doc) if self.is_function(doc) => None,
            Some(doc) => self.doc(doc)?,
            None if whole => self.package(id)?,
            None => return Ok(Some(at)),
        };
        Ok(value.map(At::Value))
    }

    fn child(&self, at: At<'a>, key: &Value) -> Option<At<'a>> {
        match at {
            At::Value(value) => value.lookup(key).map(At::Value),
            At::Base(value) => base_step(value, key).map(At::Base),
            At::Node(id) => {
                let node = self.plan.nodes.get(id as usize)?;
                if let Some(child) = node.child(key) {
                    return Some(At::Node(child));
                }
                let base = node.path.iter().try_fold(self.frame.data, |v, k| v.lookup(k))?;
                base_step(base, key).map(At::Base)
            }
        }
    }

    /// Every key at a place, in order.
    fn keys(&mut self, at: At<'a>) -> Res<Vec<&'a Value>> {
        Ok(match at {
            At::Value(Value::Object(o)) | At::Base(Value::Object(o)) => o.entries().iter().map(|e| &e.0).collect(),
            At::Value(Value::Set(s)) | At::Base(Value::Set(s)) => s.items().iter().collect(),
            At::Value(Value::Array(a)) | At::Base(Value::Array(a)) => {
                let mut keys = Vec::with_capacity(a.len());
                for i in 0..a.len() {
                    keys.push(self.index(i)?);
                }
                keys
            }
            At::Value(_) | At::Base(_) => Vec::new(),
            At::Node(id) => {
                let plan = self.plan;
                let Some(node) = plan.nodes.get(id as usize) else {
                    return Ok(Vec::new());
                };
                // As OPA: base documents first, then what rules make; a key of both comes twice.
                let base = node.path.iter().try_fold(self.frame.data, |v, k| v.lookup(k));
                let mut keys = match base {
                    Some(base) => self.keys(At::Value(base))?,
                    None => Vec::new(),
                };
                keys.extend(node.children.iter().map(|c| &c.0));
                keys
            }
        })
    }
}

/// Base documents with what rules make beside them; where both have something that is no object, the base stays.
fn merge(base: &Value, made: Value) -> Value {
    let (Value::Object(b), Value::Object(m)) = (base, &made) else {
        return base.clone();
    };
    let mut entries = m.entries().to_vec();
    for (key, value) in b.iter() {
        let value = match m.get(key) {
            Some(other) => merge(value, other.clone()),
            None => value.clone(),
        };
        // Of equal keys the last one stays.
        entries.push((key.clone(), value));
    }
    Value::object(entries)
}

/// A step into base documents: OPA's store knows keys by their text, so `1` finds `"1"`, and `"1"` the second item.
pub(super) fn base_step<'a>(at: &'a Value, key: &Value) -> Option<&'a Value> {
    match (at, key) {
        (Value::Object(o), Value::Number(n)) => o.get_str(&n.to_string()),
        (Value::Array(a), Value::String(s)) => a.get(s.parse::<usize>().ok()?),
        _ => at.lookup(key),
    }
}

fn partial<'a>(kind: Kind) -> Sink<'a> {
    match kind {
        Kind::Object => Sink::object(),
        Kind::Nested => Sink::nested(),
        _ => Sink::set(),
    }
}

fn placed(mut error: Box<Error>, loc: &crate::ast::Loc) -> Box<Error> {
    if error.code == Code::Conflict && error.loc.row == 0 {
        error.loc = loc.clone();
    }
    error
}
