//! Policies compiled for tracing, when someone asks, and where their lines stand in the files they came from.

use crate::ask::caught;
use crate::bundle::RegoFile;
use crate::evaluate::EvaluateOptions;
use crate::inventory::Inventory;
use crate::manifest::Places;
use crate::plain;
use crate::policy_set::{CompileOptions, Policy, Rule};
use crate::review::Review;
use crate::template::{self, Sources, compile_options};
use regent_rego::ast::{Loc, Module};
use regent_rego::trace::{Trace, TraceOptions};
use regent_rego::{Context, Error, Limits, Outcome, Program, Value};
use std::sync::{Arc, OnceLock};

/// The Rego of a template, or all plain Rego of a bundle.
#[derive(Debug)]
pub(crate) struct Traced {
    source: Source,
    options: CompileOptions,
    program: OnceLock<Option<Program>>,
}

#[derive(Debug)]
enum Source {
    Template {
        sources: Sources,
        file: Arc<str>,
        places: Places,
    },
    Plain(Vec<RegoFile>),
}

/// A piece of a policy's source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as given.
    pub file: String,
    /// Its line there, from 1; 0 when unknown.
    pub line: u32,
    /// What stands there, in one line.
    pub text: String,
}

impl Traced {
    pub(crate) fn of_template(sources: Sources, file: Arc<str>, places: Places, options: &CompileOptions) -> Traced {
        Traced::new(Source::Template { sources, file, places }, options)
    }

    pub(crate) fn of_plain(files: Vec<RegoFile>, options: &CompileOptions) -> Traced {
        Traced::new(Source::Plain(files), options)
    }

    fn new(source: Source, options: &CompileOptions) -> Traced {
        Traced {
            source,
            options: CompileOptions {
                trace: true,
                ..options.clone()
            },
            program: OnceLock::new(),
        }
    }

    /// The modules, read anew.
    pub(crate) fn modules(&self) -> Vec<Module> {
        match &self.source {
            Source::Template { sources, .. } => template::modules(sources, &self.options).unwrap_or_default(),
            Source::Plain(files) => {
                let read = files.iter().map(|f| plain::parse_either(&f.file, &f.text));
                read.filter_map(Result::ok).collect()
            }
        }
    }

    /// The program; it was compiled before, so it compiles again.
    fn program(&self) -> Option<&Program> {
        let compile = || {
            let compiled = regent_rego::compile(self.modules(), Vec::new(), &compile_options(&self.options));
            compiled.ok().map(|(program, _)| program)
        };
        self.program.get_or_init(compile).as_ref()
    }

    /// File and line of a row of a module, by the module's name. `None` for what is in no file of the user's.
    pub(crate) fn line(&self, module: &str, row: u32) -> Option<(&str, u32)> {
        match &self.source {
            Source::Plain(files) => {
                let file = files.iter().find(|f| *f.file == *module)?;
                Some((&file.file, row))
            }
            Source::Template { sources, file, places } => {
                let (path, _) = sources.text(module)?;
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                // Only a block's rows stand in lines of their own.
                let line = match places.text_start(&path) {
                    Some((first, _)) => first + row.saturating_sub(1),
                    None => places.find(&path).0,
                };
                Some((file, line))
            }
        }
    }

    /// What stands at a place of a module.
    pub(crate) fn place(&self, loc: &Loc) -> Place {
        let module = loc.file.as_deref().unwrap_or_default();
        let text = match &self.source {
            Source::Plain(files) => files.iter().find(|f| *f.file == *module).map(|f| &*f.text),
            Source::Template { sources, .. } => sources.text(module).map(|(_, text)| text),
        };
        let text = text
            .and_then(|t| t.get(loc.start as usize..loc.end as usize))
            .unwrap_or_default();
        let (file, line) = self.line(module, loc.row).unwrap_or_default();
        Place {
            file: file.to_owned(),
            line,
            text: one_line(text),
        }
    }
}

/// Text without comments, its lines joined.
fn one_line(text: &str) -> String {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.collect::<Vec<_>>().join(" ")
}

/// Runs a rule of a policy on a review, traced. `None` when it cannot be compiled so, or fails inside.
pub(crate) fn run(
    policy: &Policy,
    rule: &Rule,
    review: &Review,
    inventory: &Inventory,
    options: &EvaluateOptions<'_>,
    trace: &TraceOptions<'_>,
) -> Option<(Result<Outcome, Error>, Trace)> {
    let program = policy.traced.as_ref()?.program()?;
    let path: Vec<&str> = rule.path.iter().map(String::as_str).collect();
    let input = Value::record([
        ("parameters", policy.constraint.parameters.clone()),
        ("review", review.document.clone()),
    ]);
    let deadline = match options.clock {
        Some(now) => now().saturating_add(options.constraint_budget),
        None => u64::MAX,
    };
    let context = Context {
        input: Some(&input),
        data: inventory.data(),
        limits: Limits {
            clock: options.clock,
            deadline,
            memory: options.memory,
            ..Limits::default()
        },
        time_ns: options.time_ns,
        seed: options.seed,
        strict_builtin_errors: false,
    };
    caught(|| Ok(program.eval_traced(program.document(&path), &context, trace))).ok()
}
