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
        charge_text(self, value, 1).map_err(|failure| *self.halted(failure))
    }

    /// The error of a limit that was hit.
    pub(super) fn halted(&self, failure: Failure) -> Box<Error> {
        match failure {
            Failure::Halt(error) => Box::new(error),
            Failure::Type(text) | Failure::Builtin(text) => self.error(Code::Limit, text),
        }
    }
}

impl Host for Exec<'_> {
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.work(bytes)?;
        self.account(bytes).map_err(|e| Failure::Halt(*e))
    }

    fn work(&mut self, units: usize) -> Result<(), Failure> {
        self.tick(units).map_err(|e| Failure::Halt(*e))
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
