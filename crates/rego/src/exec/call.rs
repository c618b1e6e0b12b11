//! Calls: built-ins, functions, what replaces them; comprehensions and `print`.

use super::document::Chosen;
use super::frame::{CallKey, Mock};
use super::sink::Sink;
use super::{Exec, Flow, Res};
use crate::builtins::operand::charge_text;
use crate::builtins::{Builtin, Failure, Host, Matcher, Quick, Short};
use crate::error::{Code, Error};
use crate::plan::{Block, Callee, Collect, Def, DocId, Kind, Operand, Shortcut, Slot};
use crate::value::Value;
use crate::value_text;

/// Operands that need no allocation to be handed over.
const FEW: usize = 6;

/// Bytes of operands that a built-in may go through unnoticed: the step of its call stands for them.
const BROAD: usize = 1 << 10;

/// The bytes that going through a value takes, without what lies in its items: nearly every built-in does that once,
/// and what takes longer says so itself.
fn breadth(value: &Value) -> usize {
    match value {
        Value::String(s) => s.len(),
        Value::Array(a) => size_of_val(a.as_slice()),
        Value::Set(s) => size_of_val(s.items()),
        Value::Object(o) => o.len().saturating_mul(size_of::<(Value, Value)>()),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

impl<'a> Exec<'a> {
    /// The short way of a built-in; false: it has to be called.
    #[inline]
    pub(super) fn short(&mut self, way: &Shortcut, args: &[Operand], to: Slot) -> Res<bool> {
        match way {
            Shortcut::Quick(quick) => self.quick(*quick, args, to),
            Shortcut::Matcher(matcher) => self.matches(matcher, args, to),
        }
    }

    #[inline(never)]
    fn matches(&mut self, matcher: &Matcher, args: &[Operand], to: Slot) -> Res<bool> {
        let mut few: [&'a Value; 3] = [&super::NULL; 3];
        for (place, arg) in few.iter_mut().zip(args) {
            *place = self.get(*arg);
        }
        let operands = few.get(..args.len()).unwrap_or_default();
        let Some(found) = matcher.matches(self, operands).map_err(|f| self.halted(f))? else {
            return Ok(false);
        };
        self.step()?;
        self.set(to, if found { &super::TRUE } else { &super::FALSE });
        Ok(true)
    }

    #[inline(never)]
    fn quick(&mut self, quick: Quick, args: &[Operand], to: Slot) -> Res<bool> {
        let mut few: [&'a Value; 3] = [&super::NULL; 3];
        for (place, arg) in few.iter_mut().zip(args) {
            *place = self.get(*arg);
        }
        self.text.clear();
        let value = match quick(few.get(..args.len()).unwrap_or_default(), &mut self.text) {
            Short::Is(value) => value,
            Short::Int(i) => self.integer(i)?,
            Short::Made(value) => self.keep(value)?,
            Short::Text => {
                self.account(self.text.len())?;
                self.keep(Value::string(&self.text))?
            }
            Short::No => return Ok(false),
        };
        self.step()?;
        self.set(to, value);
        Ok(true)
    }

    #[inline(never)]
    pub(super) fn call(&mut self, callee: Callee, args: &[Operand], to: Slot, mockable: bool, loc: u32) -> Res<bool> {
        self.step()?;
        let mut few: [&'a Value; FEW] = [&super::NULL; FEW];
        let many: Vec<&'a Value>;
        let operands: &[&'a Value] = if args.len() <= FEW {
            for (place, arg) in few.iter_mut().zip(args) {
                *place = self.get(*arg);
            }
            few.get(..args.len()).unwrap_or_default()
        } else {
            many = args.iter().map(|a| self.get(*a)).collect();
            &many
        };
        let before = std::mem::replace(&mut self.place, loc);
        let mock = if mockable { self.frame.mock(callee) } else { None };
        let answer = match mock {
            None => self.apply(callee, operands),
            Some(Mock::Value(value)) => Ok(Some(value)),
            Some(Mock::Call(other)) => {
                // A replacing function sees the real ones.
                let mut frame = self.frame.fresh();
                frame.changes().mocks.clear();
                let outer = std::mem::replace(&mut self.frame, frame);
                self.changed += 1;
                let answer = self.apply(other, operands);
                self.changed -= 1;
                self.frame = outer;
                answer
            }
        };
        self.place = before;
        let answer = answer?;
        Ok(self.set_if(to, answer))
    }

    fn apply(&mut self, callee: Callee, operands: &[&'a Value]) -> Res<Option<&'a Value>> {
        match callee {
            Callee::Builtin(builtin) => self.builtin(builtin, operands),
            Callee::Function(doc) => self.function(doc, operands),
        }
    }

    fn builtin(&mut self, builtin: &'static Builtin, operands: &[&'a Value]) -> Res<Option<&'a Value>> {
        let size = operands.iter().fold(0usize, |n, v| n.saturating_add(breadth(v)));
        if size > BROAD {
            self.tick(size)?;
        }
        let (code, message) = match (builtin.function)(self, operands) {
            Ok(Some(value)) => return self.keep(value).map(Some),
            Ok(None) => return Ok(None),
            Err(Failure::Halt(error)) => return Err(Box::new(error)),
            Err(Failure::Type(message)) => (Code::EvalType, message),
            Err(Failure::Builtin(message)) => (Code::Builtin, message),
        };
        if self.context.strict_builtin_errors && self.rare().failure.is_none() {
            let loc = self.loc(self.place);
            self.rare().failure = Some(Error::new(code, &loc, format!("{}: {message}", builtin.name)));
        }
        Ok(None)
    }

    pub(super) fn function(&mut self, id: DocId, operands: &[&'a Value]) -> Res<Option<&'a Value>> {
        let plan = self.plan;
        let Some(doc) = plan.docs.get(id as usize) else {
            return Ok(None);
        };
        let key = doc.memo.then(|| CallKey::of(id, operands));
        if let Some(key) = key
            && let Some(known) = self.frame.answers().functions.get(key, operands)
        {
            return Ok(known);
        }
        let mut sink = Sink::value(true);
        let chosen = self.choose(&doc.select, operands);
        for def in Chosen::of(&doc.defs, chosen) {
            if self.define(def, operands, &mut sink)? == Flow::Stop {
                break;
            }
        }
        let mut answer = sink.single();
        if let (None, Some(default)) = (answer, &doc.default) {
            let mut sink = Sink::value(true);
            self.define(default, operands, &mut sink)?;
            answer = sink.single();
        }
        if let Some(key) = key {
            self.account(64)?;
            self.frame.answers().functions.insert(key, operands, answer);
        }
        Ok(answer)
    }

    /// Runs one definition for a sink; for single values the `else` chain until one has a value.
    pub(super) fn define(&mut self, def: &'a Def, args: &[&'a Value], sink: &mut Sink<'a>) -> Res<Flow> {
        let (base, top) = (self.base, self.top);
        self.base = top;
        self.top = top + (def.slots as usize).max(args.len());
        if self.top > self.slots.len() {
            self.grow();
        }
        let flow = self.chain(def, args, sink);
        self.base = base;
        self.top = top;
        flow
    }

    fn chain(&mut self, def: &'a Def, args: &[&'a Value], sink: &mut Sink<'a>) -> Res<Flow> {
        let mut flow = Flow::Next;
        for block in &def.chain {
            if let Some(own) = self.slots.get_mut(self.base..self.top) {
                own.fill(None);
                own.iter_mut().zip(args).for_each(|(slot, arg)| *slot = Some(arg));
            }
            // A value that another definition gave must not end this one's chain, so it gets a sink of its own.
            let Sink::Value { found, function } = sink else {
                flow = self.run(block, 0, sink)?;
                continue;
            };
            let mut own = Sink::value(*function);
            flow = self.run(block, 0, &mut own).map_err(|mut e| {
                if e.code == Code::Conflict && e.loc.row == 0 {
                    e.loc = def.loc.clone();
                }
                e
            })?;
            let Some(value) = own.single() else { continue };
            if let Some(before) = *found
                && *before != *value
            {
                let message = if *function {
                    "functions must not produce multiple outputs for same inputs"
                } else {
                    "complete rules must not produce multiple outputs"
                };
                return Err(Box::new(Error::new(Code::Conflict, &def.loc, message)));
            }
            *found = Some(value);
            break;
        }
        Ok(flow)
    }

    #[inline(never)]
    pub(super) fn comprehension(&mut self, collect: Collect, block: &'a Block, to: Slot, loc: u32) -> Res<bool> {
        let mut sink = match collect {
            Collect::Array => Sink::Array(Vec::new()),
            Collect::Set => Sink::set(),
            Collect::Object => Sink::object(),
        };
        let before = std::mem::replace(&mut self.place, loc);
        self.run(block, 0, &mut sink)?;
        let value = self.gathered(sink)?;
        self.place = before;
        Ok(self.set_if(to, value))
    }

    /// `print`: each operand is a set of what it may be; every combination is a line.
    #[inline(never)]
    pub(super) fn print_line(&mut self, args: Operand, loc: u32) -> Res<()> {
        let before = std::mem::replace(&mut self.place, loc);
        let Value::Array(parts) = self.get(args) else {
            self.place = before;
            return Ok(());
        };
        let mut lines: Vec<String> = vec![String::new()];
        for (i, part) in parts.iter().enumerate() {
            if let Err(Failure::Halt(error)) = charge_text(self, part, 1) {
                return Err(Box::new(error));
            }
            let texts: Vec<String> = match part {
                Value::Set(set) if set.is_empty() => vec!["<undefined>".to_owned()],
                Value::Set(set) => set.iter().map(plain).collect(),
                other => vec![plain(other)],
            };
            let mut next = Vec::new();
            for line in &lines {
                for text in &texts {
                    self.account(line.len() + text.len() + 1)?;
                    next.push(if i == 0 { text.clone() } else { format!("{line} {text}") });
                }
            }
            lines = next;
        }
        for line in lines {
            self.print(&line);
        }
        self.place = before;
        Ok(())
    }

    /// Whether a document is a function.
    pub(super) fn is_function(&self, doc: DocId) -> bool {
        self.plan
            .docs
            .get(doc as usize)
            .is_some_and(|d| d.kind == Kind::Function)
    }
}

/// Strings stand without quotes where they are the whole operand.
fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.to_string(),
        other => value_text::text(other),
    }
}
