//! Writes texts whose format was read when planning.

use super::{Exec, Res};
use crate::number::Number;
use crate::plan::{Format, Slot, Verb};
use crate::value::Value;
use std::fmt::Write;

/// Longer texts go the long way, where size is charged before anything is written.
const LONG: usize = 4 << 10;

/// Room for a text at first.
const ROOM: usize = 256;

impl<'a> Exec<'a> {
    #[inline(never)]
    pub(super) fn format(&mut self, format: &'a Format, to: Slot, loc: u32) -> Res<bool> {
        // Taken out while values are asked for.
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        text.reserve(ROOM);
        let plain = self.write(format, &mut text);
        if plain {
            self.step()?;
            self.account(text.len())?;
            self.make(Value::string(&text), to)?;
        }
        self.text = text;
        if plain {
            return Ok(true);
        }
        self.make_array(&format.items, format.list)?;
        self.call(format.callee, &format.args, to, false, loc)
    }

    /// False: the text is too long, or a value is none that is written the plain way.
    fn write(&mut self, format: &Format, out: &mut String) -> bool {
        for (before, verb, operand) in &format.pieces {
            out.push_str(before);
            match (verb, self.get(*operand)) {
                (Verb::Text | Verb::Any, Value::String(s)) if s.len() <= LONG => out.push_str(s),
                (Verb::Quoted, Value::String(s)) if s.len() <= LONG => crate::go_text::quote(out, s),
                (Verb::Integer | Verb::Any, Value::Number(Number::Int(i))) => {
                    // Writing to a text cannot fail.
                    let _ = write!(out, "{i}");
                }
                _ => return false,
            }
            if out.len() > LONG {
                return false;
            }
        }
        out.push_str(&format.rest);
        true
    }
}
