//! What the sources say now, made a set; with what does not load put back to what did.

use crate::options::Options;
use crate::set::{self, Files, Read};
use regent_core::PolicySet;
use regent_core::manifest::Problem;
use std::collections::{BTreeMap, BTreeSet};

/// How the faults of a source are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// One set: any fault refuses all of it.
    Whole,
    /// Objects of a cluster that come and go one by one: each falls back on its own last good revision.
    Objects,
}

/// A source as the loader knows it.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) grain: Grain,
    /// Whether it may become empty.
    pub(crate) may_empty: bool,
    pub(crate) latest: Option<Files>,
    pub(crate) version: u64,
    /// What could not be read of the latest.
    pub(crate) unread: Vec<Problem>,
    pub(crate) good: Option<Files>,
    /// Whether `good` is of an earlier run; of objects, any of it.
    pub(crate) good_is_cached: bool,
    /// Why it has said nothing, when that is known.
    pub(crate) silent: Option<String>,
}

impl Input {
    pub(crate) fn new(name: impl Into<String>, grain: Grain, may_empty: bool) -> Input {
        Input {
            name: name.into(),
            grain,
            may_empty,
            latest: None,
            version: 0,
            unread: Vec::new(),
            good: None,
            good_is_cached: false,
            silent: None,
        }
    }
}

/// A set that loads, but for objects that have nothing to fall back on.
pub(crate) struct Made {
    pub(crate) set: PolicySet,
    pub(crate) read: Read,
    /// What each source has in it.
    pub(crate) parts: BTreeMap<usize, Files>,
    /// Objects that do not load and are in it all the same, so that what they would judge is an error.
    pub(crate) left: Vec<(usize, Problem)>,
}

/// What came of building a set.
pub(crate) struct Attempt {
    pub(crate) made: Option<Made>,
    /// Of what the sources say now, the latest revision; for naming what was refused.
    pub(crate) revision: String,
    pub(crate) findings: Findings,
}

/// What was found while building a set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Everything wrong with what the sources say now, by source.
    pub(crate) complaints: Vec<(usize, Problem)>,
    /// Sources that had to fall back on something they said before.
    pub(crate) fallen: BTreeSet<usize>,
    /// Files for which there is nothing to fall back on.
    pub(crate) broken: BTreeSet<(usize, String)>,
}

impl Findings {
    /// What is wrong, whatever source it is of; sorted.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.complaints.iter().map(|(_, problem)| problem.clone()).collect()
    }
}

impl Attempt {
    /// Compiles what the sources say now. What does not load falls back on what last did: a whole source, or an object
    /// of the cluster; then again, until there is nothing left to try.
    pub(crate) fn of(before: &PolicySet, inputs: &[Input], options: &Options) -> Attempt {
        let mut parts: BTreeMap<usize, Files> = BTreeMap::new();
        let mut findings = Findings::default();
        let Findings {
            complaints,
            fallen,
            broken,
        } = &mut findings;
        let mut stuck = false;
        for (index, input) in inputs.iter().enumerate() {
            complaints.extend(input.unread.iter().map(|p| (index, p.clone())));
            let usable = match &input.latest {
                None => None,
                Some(_) if input.grain == Grain::Whole && !input.unread.is_empty() => None,
                Some(latest) => match emptied(input, latest, options) {
                    None => Some(latest),
                    Some(problem) => {
                        complaints.push((index, problem));
                        None
                    }
                },
            };
            match (usable, &input.good) {
                (Some(files), _) => {
                    parts.insert(index, files.clone());
                }
                (None, Some(good)) => {
                    parts.insert(index, good.clone());
                    if input.latest.is_some() {
                        fallen.insert(index);
                    } else {
                        complaints.push((index, waiting(input, "what is kept of an earlier run serves")));
                    }
                }
                (None, None) => {
                    if input.latest.is_none() {
                        complaints.push((index, waiting(input, "nothing of it is kept")));
                    }
                    stuck = true;
                }
            }
        }
        let mut revision = None;
        let made = loop {
            let read = set::merge(parts.values());
            revision.get_or_insert_with(|| read.revision());
            let (set, problems) = set::compile(before, &read, &options.compile);
            let left = attribute(inputs, &parts, problems);
            for one in &left {
                if !complaints.contains(one) {
                    complaints.push(one.clone());
                }
            }
            if stuck {
                break None;
            }
            if left.is_empty() && !options.allow_empty && !read.has_policies() {
                complaints.extend(inputs.len().checked_sub(1).map(|last| (last, nothing(inputs))));
                break None;
            }
            // A round moves at least one source or object back, and each can move back once.
            if fall_back(inputs, &mut parts, &left, fallen) {
                continue;
            }
            broken.extend(left.iter().map(|(index, problem)| (*index, problem.file.clone())));
            let is_whole = |index: &usize| inputs.get(*index).is_none_or(|s| s.grain == Grain::Whole);
            let refused = left.iter().any(|(index, _)| is_whole(index));
            break (!refused).then_some(Made { set, read, parts, left });
        };
        sort(complaints);
        Attempt {
            made,
            revision: revision.unwrap_or_default(),
            findings,
        }
    }
}

/// Which source each problem is of: the last one that has the file.
fn attribute(inputs: &[Input], parts: &BTreeMap<usize, Files>, problems: Vec<Problem>) -> Vec<(usize, Problem)> {
    problems
        .into_iter()
        .map(|mut problem| {
            let has = |(_, files): &(&usize, &Files)| files.contains_key(problem.file.as_str());
            let Some((index, files)) = parts.iter().rev().find(has) else {
                return (usize::MAX, problem);
            };
            if inputs.get(*index).is_some_and(|i| i.grain == Grain::Objects) {
                set::tell_field(&mut problem, files);
            }
            (*index, problem)
        })
        .collect()
}

/// Moves what has problems back to what loaded before; false when there is nothing to move.
fn fall_back(
    inputs: &[Input],
    parts: &mut BTreeMap<usize, Files>,
    left: &[(usize, Problem)],
    fallen: &mut BTreeSet<usize>,
) -> bool {
    let mut moved = false;
    for (index, problem) in left {
        let Some(input) = inputs.get(*index) else { continue };
        let Some(files) = parts.get_mut(index) else { continue };
        match input.grain {
            Grain::Whole => {
                if let Some(good) = &input.good
                    && fallen.insert(*index)
                {
                    files.clone_from(good);
                    moved = true;
                }
            }
            Grain::Objects => {
                let name = problem.file.as_str();
                let before = input.good.as_ref().and_then(|g| g.get_key_value(name));
                let now = files.get(name);
                if let (Some((key, before)), Some(now)) = (before, now)
                    && before.bytes != now.bytes
                {
                    files.insert(key.clone(), before.clone());
                    fallen.insert(*index);
                    moved = true;
                }
            }
        }
    }
    moved
}

/// Whether a source that had policies has none now, and must not be believed.
fn emptied(input: &Input, latest: &Files, options: &Options) -> Option<Problem> {
    let had = input.good.as_ref().is_some_and(set::has_policies);
    if options.allow_empty || input.may_empty || set::has_policies(latest) {
        return None;
    }
    // Files that cannot be read say more than that there is nothing in them.
    if latest.values().any(|f| !f.read.problems.is_empty()) {
        return None;
    }
    let message = if had {
        "the source has become empty, which is not taken at its word: what it had still serves (allow-empty takes it)"
    } else {
        "there is no policy in it"
    };
    Some(problem(&input.name, message))
}

fn waiting(input: &Input, meanwhile: &str) -> Problem {
    let why = input.silent.as_deref().unwrap_or("no answer");
    problem(
        &input.name,
        &format!("nothing was heard of this source yet, and {meanwhile}: {why}"),
    )
}

fn nothing(inputs: &[Input]) -> Problem {
    let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
    problem(
        &names.join(", "),
        "no source has a policy, and an empty set is not served (allow-empty serves it)",
    )
}

fn problem(file: &str, message: &str) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message: message.to_owned(),
    }
}

fn sort(complaints: &mut Vec<(usize, Problem)>) {
    complaints.sort_by(|(a, x), (b, y)| {
        (&x.file, x.line, x.column, &x.message, a).cmp(&(&y.file, y.line, y.column, &y.message, b))
    });
    complaints.dedup();
}
