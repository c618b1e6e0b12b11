//! Patterns that a call names as constants: read once for the call, not looked for in a cache by their text each time.

use super::glob::Glob;
use super::re2::Pattern;
use super::{Failure, Host, regex};
use crate::value::Value;
use std::sync::{Arc, OnceLock};

/// The pattern of one call.
pub(crate) struct Matcher {
    kind: Kind,
    /// Made by the first call that gets here; `None`: it has to be called, which tells what is wrong.
    ready: OnceLock<Option<Ready>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Regex,
    Glob,
}

enum Ready {
    Regex(Arc<Pattern>),
    Glob(Glob),
}

impl Ready {
    fn is_small(&self) -> bool {
        match self {
            Ready::Regex(pattern) => pattern.weight() <= LARGEST,
            Ready::Glob(_) => true,
        }
    }
}

/// A larger pattern stays in the cache, which is bounded; calls may be many.
const LARGEST: usize = 1 << 20;

impl Matcher {
    /// For a call of a built-in whose first operands are constants, by number; `None`: it is no such built-in.
    pub(crate) fn of(name: &str, is_constant: impl Fn(usize) -> bool) -> Option<Matcher> {
        let kind = match name {
            "regex.match" | "re_match" if is_constant(0) => Kind::Regex,
            "glob.match" if is_constant(0) && is_constant(1) => Kind::Glob,
            _ => return None,
        };
        Some(Matcher {
            kind,
            ready: OnceLock::new(),
        })
    }

    /// Whether the last operand matches; `None`: the built-in has to be called.
    ///
    /// # Errors
    /// The time is up; the pattern is too large.
    pub(crate) fn matches(&self, host: &mut dyn Host, args: &[&Value]) -> Result<Option<bool>, Failure> {
        let Some(Value::String(text)) = args.last() else {
            return Ok(None);
        };
        if self.ready.get().is_none() {
            let made = match (self.kind, args) {
                (Kind::Regex, [Value::String(text), _]) => regex::pattern(host, text).map(Ready::Regex).map(Some),
                (Kind::Glob, [_, _, _]) => Glob::of(args).map(Ready::Glob).map(Some),
                _ => Ok(None),
            };
            let made = match made {
                Err(Failure::Halt(error)) => return Err(Failure::Halt(error)),
                made => made.ok().flatten().filter(Ready::is_small),
            };
            // Another may have been quicker.
            let _ = self.ready.set(made);
        }
        match self.ready.get().and_then(Option::as_ref) {
            Some(Ready::Regex(pattern)) => {
                host.work(text.len())?;
                pattern.is_match(host, text).map(Some)
            }
            Some(Ready::Glob(glob)) => {
                host.work(text.len())?;
                glob.matches(host, text).map(Some)
            }
            None => Ok(None),
        }
    }
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Matcher")
    }
}
