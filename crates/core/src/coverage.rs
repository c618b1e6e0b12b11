//! What tests or evaluations have exercised: lines of Rego, criteria of `spec.match`, parameters.

mod observe;

use regent_rego::ast::Module;
use regent_rego::trace::{self, Trace};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use observe::{Watched, observe};

/// Lines of a file, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Reached.
    pub covered: BTreeSet<u32>,
    /// Could be reached and were not.
    pub not_covered: BTreeSet<u32>,
}

/// What was exercised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Lines of Rego by file.
    pub files: BTreeMap<String, Lines>,
    /// Constraints by file, kind and name. Only suites have some.
    pub constraints: BTreeMap<ConstraintId, Exercised>,
}

/// Which constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConstraintId {
    /// The file it stands in.
    pub file: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What was exercised of a constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exercised {
    /// The criteria that its `match` has, in the order in which they are asked.
    pub criteria: Vec<Criterion>,
    /// The scalars (and what is empty) of its `parameters`, in their order.
    pub parameters: Vec<Parameter>,
}

/// A criterion of `spec.match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// `kinds`, `labelSelector`, ...
    pub name: &'static str,
    /// Its line in the file, from 1; 0 when unknown.
    pub line: u32,
    /// Whether an object fitted.
    pub fitted: bool,
    /// Whether an object did not fit.
    pub refused: bool,
}

/// A value of `spec.parameters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Keys, and indexes as decimal text, from the parameters to it.
    pub path: Vec<String>,
    /// Its line in the file, from 1; 0 when unknown.
    pub line: u32,
    /// Whether a rule read it, or handed it (or what it is in) to a built-in.
    pub used: bool,
}

impl Exercised {
    /// How much is exercised: of each criterion both answers, of each parameter that it was used.
    pub fn share(&self) -> Share {
        let answers = self.criteria.iter().flat_map(|c| [c.fitted, c.refused]);
        let all: Vec<bool> = answers.chain(self.parameters.iter().map(|p| p.used)).collect();
        let covered = all.iter().filter(|c| **c).count();
        Share {
            covered,
            not_covered: all.len() - covered,
        }
    }

    fn merge(&mut self, other: Exercised) {
        for theirs in other.criteria {
            match self.criteria.iter_mut().find(|c| c.name == theirs.name) {
                None => self.criteria.push(theirs),
                Some(mine) => {
                    mine.fitted |= theirs.fitted;
                    mine.refused |= theirs.refused;
                }
            }
        }
        for theirs in other.parameters {
            match self.parameters.iter_mut().find(|p| p.path == theirs.path) {
                None => self.parameters.push(theirs),
                Some(mine) => mine.used |= theirs.used,
            }
        }
    }
}

/// What is covered, and all that can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Covered.
    pub covered: usize,
    /// Not covered.
    pub not_covered: usize,
}

impl Share {
    fn sum(all: impl Iterator<Item = Share>) -> Share {
        all.fold(Share::default(), |a, b| Share {
            covered: a.covered + b.covered,
            not_covered: a.not_covered + b.not_covered,
        })
    }

    /// Percent covered; 0 when there is nothing to cover.
    pub fn percent(self) -> f64 {
        match self.covered + self.not_covered {
            0 => 0.0,
            all => 100.0 * self.covered as f64 / all as f64,
        }
    }
}

impl Lines {
    /// How much is covered.
    pub fn share(&self) -> Share {
        Share {
            covered: self.covered.len(),
            not_covered: self.not_covered.len(),
        }
    }

    /// A line can be reached; it stays covered if it was.
    fn can_reach(&mut self, line: u32) {
        if !self.covered.contains(&line) {
            self.not_covered.insert(line);
        }
    }

    fn reach(&mut self, line: u32) {
        self.not_covered.remove(&line);
        self.covered.insert(line);
    }
}

impl Coverage {
    /// How much of the lines of all files is covered.
    pub fn share(&self) -> Share {
        Share::sum(self.files.values().map(Lines::share))
    }

    /// How much of all constraints is exercised.
    pub fn constraints_share(&self) -> Share {
        Share::sum(self.constraints.values().map(Exercised::share))
    }

    /// Adds the lines of a module that can be reached.
    pub fn add_module(&mut self, module: &Module) {
        let lines = self.files.entry(module.file.to_string()).or_default();
        for row in trace::rows(module) {
            lines.can_reach(row);
        }
    }

    /// Adds the lines that an evaluation reached, in files that were added.
    pub fn add_trace(&mut self, trace: &Trace) {
        for (file, rows) in &trace.rows {
            if let Some(lines) = self.files.get_mut(&**file) {
                rows.iter().for_each(|row| lines.reach(*row));
            }
        }
    }

    /// Takes in what another run has exercised.
    pub fn merge(&mut self, other: Coverage) {
        for (file, lines) in other.files {
            let mine = self.files.entry(file).or_default();
            lines.not_covered.iter().for_each(|line| mine.can_reach(*line));
            lines.covered.iter().for_each(|line| mine.reach(*line));
        }
        for (id, theirs) in other.constraints {
            self.constraints.entry(id).or_default().merge(theirs);
        }
    }
}

/// Lines as ranges, both ends included.
pub fn ranges(lines: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for &line in lines {
        match out.last_mut() {
            Some((_, end)) if *end + 1 == line => *end = line,
            _ => out.push((line, line)),
        }
    }
    out
}
