//! What built-ins may ask of an evaluation.

use super::Exec;
use crate::builtins::operand::charge_text;
use crate::builtins::{self, Cache, Failure, Host};
use crate::error::{Code, Error};
use crate::value::Value;

impl Exec<'_> {
    /// What goes out is written out: shared parts count as often as they stand there.
    #[inline]
    pub(crate) fn outcome(&mut self, value: &Value) -> Result<(), Error> {
        // Most evaluations find nothing.
        if matches!(value, Value::Set(s) if s.is_empty()) {
            return Ok(());
        }
        self.written(value)
    }

    fn written(&mut self, value: &Value) -> Result<(), Error> {
        self.made = 0;
        charge_text(self, value, 1).map_err(|failure| match failure {
            Failure::Halt(error) => error,
            Failure::Type(text) | Failure::Builtin(text) => *self.error(Code::Limit, text),
        })
    }
}

impl Host for Exec<'_> {
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        // Work follows size: big pieces look at the clock at once.
        self.steps = self
            .steps
            .saturating_add(1 + u32::try_from(bytes >> 10).unwrap_or(u32::MAX / 2));
        if self.steps >= super::CLOCK_STEPS {
            self.steps = 0;
            self.look_at_clock().map_err(|e| Failure::Halt(*e))?;
        }
        self.account(bytes).map_err(|e| Failure::Halt(*e))
    }

    fn time_ns(&self) -> i64 {
        self.context.time_ns
    }

    /// The same key gives the same number within one evaluation, as in OPA.
    fn random(&mut self, key: &str) -> u64 {
        builtins::random(self.context.seed, key)
    }

    fn note(&mut self, _text: &str) {}

    fn print(&mut self, text: &str) {
        let loc = self.loc(self.place);
        let file = loc.file.as_deref().unwrap_or_default();
        self.rare().prints.push(format!("{file}:{}: {text}", loc.row));
    }

    fn cache(&self) -> &Cache {
        &self.plan.cache
    }
}
