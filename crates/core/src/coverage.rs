//! What tests or evaluations have exercised: lines of Rego, criteria of `spec.match`, parameters.

use regent_rego::ast::Module;
use regent_rego::trace::{self, Trace};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Lines by file.
    pub files: BTreeMap<String, Lines>,
}

/// Covered lines, and all that can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Covered.
    pub covered: usize,
    /// Not covered.
    pub not_covered: usize,
}

impl Share {
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
    /// How much of all files is covered.
    pub fn share(&self) -> Share {
        let all = self.files.values().map(Lines::share);
        all.fold(Share::default(), |a, b| Share {
            covered: a.covered + b.covered,
            not_covered: a.not_covered + b.not_covered,
        })
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
