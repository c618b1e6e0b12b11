//! Policy sources (`-p`): directories, files, archives, shipped sets, standard input.

use crate::arguments::EngineName;
use crate::builtin;
use crate::diagnostic::{self, Sources};
use crate::{second, terminal};
use regent_core::manifest::Problem;
use regent_core::{Bundle, CompileOptions, PolicySet};
use regent_watcher::Contribution;
use regent_watcher::files::{self, STDIN};

/// Policies before they are compiled, with the text they came from.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) bundle: Bundle,
    pub(crate) sources: Sources,
}

impl Loaded {
    /// Reads one source.
    pub(crate) fn add(&mut self, source: &str) {
        let before = self.policies();
        let problems = self.bundle.problems.len();
        if let Err(message) = self.read(source) {
            self.problem(source, message);
        } else if self.policies() == before && self.bundle.problems.len() == problems {
            self.problem(source, "there is no policy in it".to_owned());
        }
    }

    fn policies(&self) -> usize {
        let b = &self.bundle;
        [
            b.templates.len(),
            b.constraints.len(),
            b.mutators.len(),
            b.expansions.len(),
            b.configs.len(),
            b.sync_sets.len(),
            b.providers.len(),
            b.rego.len(),
        ]
        .iter()
        .sum()
    }

    fn problem(&mut self, file: &str, message: String) {
        let prefix = format!("{file}: ");
        self.bundle.problems.push(Problem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.strip_prefix(&prefix).map_or(message.clone(), str::to_owned),
        });
    }

    /// Adds a file's text.
    pub(crate) fn add_file(&mut self, name: &str, bytes: &[u8]) {
        self.sources.add(name, bytes);
        self.bundle.add_file(name, bytes);
    }

    /// Adds the policies of an archive whose bytes are at hand.
    pub(crate) fn add_archive(&mut self, name: &str, bytes: &[u8]) {
        let mut found = Contribution::default();
        if let Err(message) = found.add_archive(name, bytes) {
            self.problem(name, message);
        } else if found.files.is_empty() {
            self.problem(name, "there is no policy in it".to_owned());
        }
        for (file, bytes) in &found.files {
            self.add_file(file, bytes);
        }
    }

    fn read(&mut self, source: &str) -> Result<(), String> {
        if let Some(set) = source.strip_prefix("builtin:") {
            for (name, text) in builtin::load(set)? {
                self.add_file(&name, text.as_bytes());
            }
            return Ok(());
        }
        if source == STDIN {
            let bytes = files::read(source)?;
            self.add_file(source, &bytes);
            return Ok(());
        }
        let mut found = Contribution::default();
        let read = found.add_path(source, files::read);
        for (name, bytes) in &found.files {
            self.add_file(name, bytes);
        }
        read
    }

    /// Compiles what was read. Problems are told; a set that came with any is not used.
    pub(crate) fn compile(&self, print: bool, engine: EngineName) -> Result<PolicySet, Vec<Problem>> {
        let options = CompileOptions {
            print,
            second_opinion: engine != EngineName::Native,
            ..CompileOptions::default()
        };
        let (set, mut problems) = PolicySet::compile(&self.bundle, &options);
        for problem in &self.bundle.problems {
            if !problems.contains(problem) {
                problems.push(problem.clone());
            }
        }
        for problem in &mut problems {
            self.sources.within(problem);
        }
        if problems.is_empty() {
            self.tell_skipped();
            second::tell(&set, engine);
            return Ok(set);
        }
        problems.sort_by(|a, b| (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message)));
        for problem in &problems {
            diagnostic::show(problem, &self.sources);
        }
        Err(problems)
    }

    /// What stood among the policies and is none.
    fn tell_skipped(&self) {
        let others = &self.bundle.others;
        if others.is_empty() || terminal::quiet() {
            return;
        }
        if terminal::verbose() {
            for item in others {
                let d = &item.document;
                let line = d.places.find(&[]).0;
                terminal::notice(&format!(
                    "{}:{line}: skipped {} {:?}: no policy",
                    item.file,
                    d.field("kind"),
                    d.name()
                ));
            }
        } else {
            terminal::notice(&format!(
                "{} among the policies skipped: no policies (-v lists them)",
                crate::render::count(others.len(), "document")
            ));
        }
    }
}
