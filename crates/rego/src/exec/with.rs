//! `with`: an expression under replaced documents and functions.

use super::frame::Mock;
use super::sink::Sink;
use super::{Exec, Flow, Res};
use crate::plan::{Block, Replacement, Slot, Target};
use crate::value::Value;

impl<'a> Exec<'a> {
    /// Runs a block under replacements, then the rest of the outer one for each solution, with the old documents.
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "the operation's own parts, and where to go on")]
    pub(super) fn with(
        &mut self,
        targets: &'a [(Target, Replacement)],
        inner: &'a Block,
        outs: &'a [Slot],
        loc: u32,
        block: &'a Block,
        pc: usize,
        sink: &mut Sink<'a>,
    ) -> Res<Flow> {
        self.step()?;
        let before = std::mem::replace(&mut self.place, loc);
        let mut frame = self.frame.fresh();
        for (target, by) in targets {
            match (target, by) {
                (Target::Input(keys), Replacement::Value(value)) => {
                    let value = self.get(*value);
                    frame.input = Some(match keys.as_slice() {
                        [] => value,
                        keys => {
                            let made = put(frame.input, keys, value);
                            self.keep(made)?
                        }
                    });
                }
                (Target::Data(keys), Replacement::Value(value)) => {
                    let value = self.get(*value);
                    let made = put(Some(frame.data), keys, value);
                    frame.data = self.keep(made)?;
                    frame.changes().replaced.push((keys.as_slice(), value));
                }
                (Target::Call(callee), Replacement::Value(value)) => {
                    let value = self.get(*value);
                    frame.changes().mocks.push((*callee, Mock::Value(value)));
                }
                (Target::Call(callee), Replacement::Call(other)) => {
                    frame.changes().mocks.push((*callee, Mock::Call(*other)));
                }
                (_, Replacement::Call(_)) => {}
            }
        }
        let outer = std::mem::replace(&mut self.frame, frame);
        self.changed += 1;
        let mut rows = Sink::rows();
        let result = self.run(inner, 0, &mut rows);
        self.changed -= 1;
        self.frame = outer;
        self.place = before;
        result?;
        for row in rows.into_rows() {
            for (slot, value) in outs.iter().zip(row) {
                self.set(*slot, value);
            }
            if self.run(block, pc, sink)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Next)
    }
}

/// A document with the value at a path replaced; what stands in the way and is no object becomes one.
fn put(document: Option<&Value>, keys: &[Value], value: &Value) -> Value {
    let Some((key, rest)) = keys.split_first() else {
        return value.clone();
    };
    let mut object = match document {
        Some(Value::Object(o)) => (**o).clone(),
        _ => crate::value::Object::default(),
    };
    let inner = put(object.get(key), rest, value);
    object.insert(key.clone(), inner);
    Value::Object(std::sync::Arc::new(object))
}
