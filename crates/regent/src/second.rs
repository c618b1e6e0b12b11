//! The second evaluator: how it is asked, and what is told of those it is not asked about.

use crate::arguments::EngineName;
use crate::terminal;
use regent_core::PolicySet;
use regent_rego::{Context, Entry, Opinion, Program, SecondEvaluator};
use regent_second_opinion::{Threads, opinion, refusal};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static THREADS: LazyLock<Threads> = LazyLock::new(Threads::new);

/// The second evaluator, on threads of its own; `None` when it is not wanted.
pub(crate) fn evaluator(engine: EngineName) -> Option<SecondEvaluator<'static>> {
    (engine != EngineName::Native).then_some(&on_threads)
}

/// The same on the threads of the caller, which must have its stack: nothing is handed over, for measuring.
pub(crate) fn evaluator_here(engine: EngineName) -> Option<SecondEvaluator<'static>> {
    (engine != EngineName::Native).then_some(&opinion)
}

fn on_threads(program: &Program, entry: Entry, context: &Context<'_>) -> Opinion {
    THREADS.opinion(program, entry, context)
}

/// With `-v`, says which programs of a set have no second opinion and why.
pub(crate) fn tell(set: &PolicySet, engine: EngineName) {
    if engine == EngineName::Native || !terminal::verbose() {
        return;
    }
    let programs = set.programs();
    let without: Vec<(&str, String)> = programs
        .iter()
        .filter_map(|(name, program)| Some((name.as_str(), refusal(program)?)))
        .collect();
    terminal::notice(&format!(
        "{} of {} without a second opinion",
        without.len(),
        crate::render::count(programs.len(), "program")
    ));
    for (name, why) in without {
        terminal::notice(&format!("  {name}: {}", terminal::printable(&why)));
    }
}

/// Says how many verdicts were not confirmed: each reason with `-v`, else their number.
pub(crate) fn tell_unconfirmed<S: AsRef<str>>(reasons: impl IntoIterator<Item = S>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason.as_ref().to_owned()).or_default() += 1;
    }
    if counts.is_empty() || terminal::quiet() {
        return;
    }
    let all = crate::render::count(counts.values().sum(), "verdict");
    if terminal::verbose() {
        terminal::notice(&format!("{all} without a second opinion"));
        for (reason, count) in counts {
            terminal::notice(&format!("  {count}: {}", terminal::printable(&reason)));
        }
    } else {
        terminal::notice(&format!("{all} without a second opinion (-v lists the reasons)"));
    }
}
