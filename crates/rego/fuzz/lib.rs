//! What the fuzz targets share.

use regent_rego::builtins::{self, Answer, Cache, Failure, Host};
use regent_rego::error::{Code, Error};
use regent_rego::{Limits, Value};
use std::time::Instant;

/// A host with limits, so that only what ignores them is slow.
#[derive(Default)]
pub struct TestHost {
    cache: Cache,
    used: usize,
    charges: usize,
}

impl Host for TestHost {
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.used = self.used.saturating_add(bytes);
        self.charges += 1;
        if self.used > 16 << 20 || self.charges > 200_000 {
            return Err(Failure::Halt(Error::new(Code::Limit, &Default::default(), "limit")));
        }
        Ok(())
    }
    fn work(&mut self, _: usize) -> Result<(), Failure> {
        self.charge(0)
    }
    fn time_ns(&self) -> i64 {
        1_700_000_000_000_000_000
    }
    fn random(&mut self, _: &str) -> u64 {
        7
    }
    fn note(&mut self, _: &str) {}
    fn print(&mut self, _: &str) {}
    fn cache(&self) -> &Cache {
        &self.cache
    }
}

/// Calls a built-in; what it answers does not matter, that it answers does.
pub fn call(name: &str, args: &[&Value]) -> Answer {
    let builtin = builtins::find(name).unwrap_or_else(|| panic!("no built-in {name}"));
    (builtin.function)(&mut TestHost::default(), args)
}

/// The parts of an input, which a zero byte separates.
pub fn parts<const N: usize>(data: &[u8]) -> [String; N] {
    let mut parts = data.splitn(N, |b| *b == 0);
    std::array::from_fn(|_| String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned())
}

/// Runs with limits as small as the machine allows; the clock is that of the machine.
pub fn limited<T>(run: impl FnOnce(Limits<'_>) -> T) -> T {
    let start = Instant::now();
    let clock = move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    run(Limits {
        clock: Some(&clock),
        deadline: 200_000_000,
        memory: 32 << 20,
        ..Limits::default()
    })
}
