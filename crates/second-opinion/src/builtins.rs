//! Built-ins: which ones are regorus' own, and ours as its extensions for all others.

use crate::session::{self, Session};
use crate::values::{to_other, to_ours};
use anyhow::{Result, bail};
use regent_rego::Value;
use regent_rego::builtins::{Builtin, Failure, Host};
use regorus::Value as Other;

/// Built-ins that regorus answers by itself: name, a tab, why that is right.
const OWN: &str = include_str!("own-builtins.tsv");

/// Whether regorus answers by its own built-in.
pub(crate) fn is_own(name: &str) -> bool {
    OWN.lines()
        .any(|line| line.split('\t').next() == Some(name) && !line.starts_with('#'))
}

/// The name under which ours is an extension.
pub(crate) fn extension(name: &str) -> String {
    format!("regent_{}", name.replace('.', "_"))
}

/// Adds a built-in of ours to an engine.
///
/// # Errors
/// It is there already.
pub(crate) fn add(engine: &mut regorus::Engine, builtin: &'static Builtin) -> Result<()> {
    let arity = u8::try_from(builtin.arity().unwrap_or_default()).unwrap_or(u8::MAX);
    engine.add_extension(
        extension(builtin.name),
        arity,
        Box::new(move |args: Vec<Other>| call(builtin, &args)),
    )
}

/// Values that are handed to built-ins in one call at most.
const VALUES: usize = 4 << 20;

fn call(builtin: &Builtin, args: &[Other]) -> Result<Other> {
    match session::current(|session| within(builtin, args, session)) {
        Some(answer) => answer,
        None => bail!("there is no evaluation"),
    }
}

fn within(builtin: &Builtin, args: &[Other], session: &mut Session) -> Result<Other> {
    // Once lost, the evaluation is lost, whatever else it computes.
    if session.halted.is_some() || session.unsure.is_some() {
        bail!("the evaluation has ended");
    }
    let mut room = VALUES;
    let mut ours = Vec::with_capacity(args.len());
    for arg in args {
        match to_ours(arg, &mut room) {
            Ok(Some(value)) => ours.push(value),
            Ok(None) => return Ok(Other::Undefined),
            Err(why) => {
                session.halted = Some(format!("{}: {why}", builtin.name));
                bail!("{why}");
            }
        }
    }
    // Operands are copied, which takes time that no one else watches.
    if let Err(Failure::Halt(error)) = session.charge(0) {
        session.halted = Some(error.to_string());
        bail!("{error}");
    }
    let refs: Vec<&Value> = ours.iter().collect();
    match (builtin.function)(session, &refs) {
        Ok(None) => Ok(Other::Undefined),
        Ok(Some(value)) => to_other(&value).or_else(|why| {
            session.unsure = Some(why.clone());
            bail!("{why}")
        }),
        Err(Failure::Halt(error)) => {
            session.halted = Some(error.to_string());
            bail!("{error}")
        }
        Err(Failure::Type(text) | Failure::Builtin(text)) => {
            if session.strict {
                let text = format!("{}: {text}", builtin.name);
                session.halted = Some(text.clone());
                session.failed = true;
                bail!("{text}");
            }
            Ok(Other::Undefined)
        }
    }
}
