//! A host for tests of what built-ins are made of.
#![allow(clippy::panic, reason = "a test ends by panicking")]

use super::{Cache, Failure, Host};

/// A host that is asked for time only.
pub(super) struct Quiet;

impl Host for Quiet {
    fn charge(&mut self, _: usize) -> Result<(), Failure> {
        Ok(())
    }
    fn work(&mut self, _: usize) -> Result<(), Failure> {
        Ok(())
    }
    fn time_ns(&self) -> i64 {
        0
    }
    fn random(&mut self, _: &str) -> u64 {
        0
    }
    fn note(&mut self, _: &str) {}
    fn print(&mut self, _: &str) {}
    fn cache(&self) -> &Cache {
        panic!("nothing is kept")
    }
}
