//! `regent eval`: a query over Rego files and data, as `opa eval` does.

use super::{CLEAN, DENIED, FAILED};
use crate::arguments::{EngineName, Eval};
use crate::render::eval::{self, Failed, Located};
use crate::{judge, render, second, terminal};
use regent_core::coverage::Coverage;
use regent_rego::ast::{Expr, Loc, Module, RegoVersion};
use regent_rego::trace::TraceOptions;
use regent_rego::{
    Code, CompileOptions, Context, Error, Limits, Object, Opinion, Outcome, QuerySource, SecondEvaluator, Value,
    compile, json, opinion, parse, yaml,
};
use regent_watcher::files::{self, STDIN};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path};
use std::sync::Arc;
use std::time::Instant;

/// Levels of nesting in data and input.
const DEPTH: usize = 1_000;

/// Rego and data of `-d`.
#[derive(Default)]
struct Loaded {
    modules: Vec<Module>,
    data: Object,
    /// Text by file, for the lines that errors point at.
    texts: BTreeMap<String, String>,
}

pub(crate) fn run(args: &Eval) -> u8 {
    match evaluate(args) {
        Ok((outcome, body, coverage)) => {
            for line in &outcome.prints {
                terminal::notice(&terminal::printable(line));
            }
            let results = outcome.value.as_ref().and_then(Value::as_array).unwrap_or_default();
            let shown = coverage.as_ref().filter(|_| args.coverage.coverage);
            terminal::print(&eval::render(args.format, results, &body, &args.query, shown));
            let saved = coverage.map_or(Ok(()), |c| render::coverage::save(&c, &args.coverage));
            let defined = !results.is_empty();
            if let Err(message) = saved {
                terminal::error(&message);
                FAILED
            } else if (args.fail && !defined) || (args.fail_defined && defined) {
                DENIED
            } else {
                CLEAN
            }
        }
        Err(failed) => {
            let (out, err) = eval::render_failure(args.format, &failed);
            terminal::print(&out);
            if !err.is_empty() {
                terminal::notice(&err);
            }
            FAILED
        }
    }
}

fn evaluate(args: &Eval) -> Result<(Outcome, Vec<Expr>, Option<Coverage>), Failed> {
    if args.query.trim().is_empty() {
        return Err(Failed::Plain("cannot evaluate empty query".to_owned()));
    }
    let version = if args.v0_compatible {
        RegoVersion::V0
    } else {
        RegoVersion::V1
    };
    let input = input(args).map_err(Failed::Input)?;
    let mut loaded = Loaded::default();
    for path in &args.data {
        loaded.add(path, version)?;
    }
    loaded.texts.insert(String::new(), args.query.clone());
    let texts = std::mem::take(&mut loaded.texts);
    let failed = |errors: Vec<Error>| Failed::Rego(errors.into_iter().map(|e| Located::new(e, &texts)).collect());
    let body = parse::parse_query("", &args.query, version).map_err(failed)?;
    let frame = frame(args, version).map_err(failed)?;
    let options = CompileOptions {
        strict: args.strict,
        print: true,
        trace: args.coverage.wanted(),
        keep_lowered: args.engine != EngineName::Native,
        ..CompileOptions::default()
    };
    let query = QuerySource {
        body: body.clone(),
        package: frame.as_ref().map(|m| m.package.clone()).unwrap_or_default(),
        imports: frame.map(|m| m.imports).unwrap_or_default(),
    };
    let modules = std::mem::take(&mut loaded.modules);
    let mut coverage = args.coverage.wanted().then(Coverage::default);
    if let Some(coverage) = &mut coverage {
        modules.iter().for_each(|m| coverage.add_module(m));
    }
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let (program, entries) = compile(modules, vec![query], &options)?;
        let Some(entry) = entries.first() else {
            return Ok(Outcome::default());
        };
        let start = Instant::now();
        let clock = move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut limits = Limits {
            memory: args.memory.max_memory,
            ..Limits::default()
        };
        if let Some(timeout) = args.timeout {
            limits.clock = Some(&clock);
            limits.deadline = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        }
        let data = Value::Object(Arc::new(std::mem::take(&mut loaded.data)));
        let context = Context {
            input: input.as_ref(),
            data: &data,
            limits,
            time_ns: judge::now(),
            seed: judge::now().unsigned_abs(),
            strict_builtin_errors: args.strict_builtin_errors,
        };
        let native = || match &mut coverage {
            None => program.eval(*entry, &context),
            Some(coverage) => {
                let (outcome, trace) = program.eval_traced(*entry, &context, &TraceOptions::default());
                coverage.add_trace(&trace);
                outcome
            }
        };
        ask(args, native, |second| second(&program, *entry, &context))
    }));
    match ran {
        Ok(Ok(outcome)) => Ok((outcome, body, coverage)),
        Ok(Err(errors)) => Err(failed(errors)),
        Err(panic) => Err(Failed::Plain(format!(
            "internal error: {}",
            terminal::panic_text(&*panic)
        ))),
    }
}

/// Asks the evaluators that are wanted.
fn ask(
    args: &Eval,
    native: impl FnOnce() -> Result<Outcome, Error>,
    other: impl FnOnce(SecondEvaluator<'_>) -> Opinion,
) -> Result<Outcome, Vec<Error>> {
    let fault = |message: String| vec![Error::new(Code::Internal, &Loc::default(), message)];
    let Some(second) = second::evaluator(args.engine) else {
        return native().map_err(|e| vec![e]);
    };
    if args.engine == EngineName::Regorus {
        return match other(second) {
            Opinion::Value(value) => Ok(Outcome {
                value,
                prints: Vec::new(),
            }),
            Opinion::Error(message) => Err(fault(message)),
            Opinion::NotAsked(why) => Err(fault(format!("regorus is not asked about this: {why}"))),
        };
    }
    let native = native();
    if let Err(error) = &native
        && matches!(error.code, Code::Limit | Code::Cancel)
    {
        return native.map_err(|e| vec![e]);
    }
    let other = other(second);
    if let Opinion::NotAsked(why) = &other {
        second::tell_unconfirmed([why]);
    }
    match opinion::disagreement(native.as_ref().map(|o| o.value.as_ref()), &other, true) {
        Some(difference) => Err(fault(difference)),
        None => native.map_err(|e| vec![e]),
    }
}

/// The package and imports that the query leans on, read as the head of a module.
fn frame(args: &Eval, version: RegoVersion) -> Result<Option<Module>, Vec<Error>> {
    if args.package.is_none() && args.import.is_empty() {
        return Ok(None);
    }
    let mut text = format!("package {}\n", args.package.as_deref().unwrap_or("regent.query"));
    for import in &args.import {
        text.push_str(&format!("import {import}\n"));
    }
    let mut module = parse::parse_module("", &text, version)?;
    if args.package.is_none() {
        module.package.clear();
    }
    Ok(Some(module))
}

fn input(args: &Eval) -> Result<Option<Value>, String> {
    let path = match (&args.input, args.stdin_input) {
        (_, true) => STDIN,
        (Some(path), false) => path,
        (None, false) => return Ok(None),
    };
    let bytes = files::read(path)?;
    // As OPA, whatever the file is called.
    read_data(path, &bytes, true).map(Some)
}

/// JSON; or YAML when it is none, and may be.
fn read_data(name: &str, bytes: &[u8], yaml: bool) -> Result<Value, String> {
    let options = json::ReadOptions {
        depth: DEPTH,
        ..json::ReadOptions::default()
    };
    let failure = match json::read(bytes, options) {
        Ok(value) => return Ok(value),
        Err(e) => e,
    };
    let json = || format!("{name}:{}:{}: {}", failure.row, failure.col, failure.message);
    if !yaml {
        return Err(json());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| format!("{name}: the text is not UTF-8"))?;
    yaml::read(text).map_err(|e| match name.ends_with(".json") {
        true => json(),
        false => format!("{name}:{}:{}: {}", e.row, e.col, e.message),
    })
}

impl Loaded {
    /// A file or directory; `a.b:PATH` puts data under `data.a.b`.
    fn add(&mut self, spec: &str, version: RegoVersion) -> Result<(), Failed> {
        let (prefix, path) = match spec.split_once(':') {
            Some((prefix, path)) if !Path::new(spec).exists() => (prefix.split('.').collect(), path),
            _ => (Vec::new(), spec),
        };
        let found = files::find(path, &["rego", "json", "yaml", "yml"]).map_err(Failed::Plain)?;
        for name in found {
            let bytes = files::read(&name).map_err(Failed::Plain)?;
            if name.ends_with(".rego") {
                self.add_rego(&name, bytes, version)?;
                continue;
            }
            let value = read_data(&name, &bytes, !name.ends_with(".json")).map_err(Failed::Plain)?;
            // Data of a folder below a directory that was named stands under the folder's name.
            let mut keys: Vec<String> = prefix.iter().map(|s| (*s).to_owned()).collect();
            if let Some(folder) = Path::new(&name).parent().and_then(|p| p.strip_prefix(path).ok()) {
                keys.extend(folder.components().filter_map(|c| match c {
                    Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
                    _ => None,
                }));
            }
            let rooted = keys
                .into_iter()
                .rev()
                .fold(value, |value, key| Value::object(vec![(Value::string(key), value)]));
            let Value::Object(object) = rooted else {
                return Err(Failed::Plain(format!("{name}: document must be of type object")));
            };
            merge(&mut self.data, &object)
                .map_err(|key| Failed::Plain(format!("{name}: merge error: {key:?} is there already")))?;
        }
        Ok(())
    }

    fn add_rego(&mut self, name: &str, bytes: Vec<u8>, version: RegoVersion) -> Result<(), Failed> {
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(Failed::Plain(format!("{name}: the text is not UTF-8")));
        };
        let parsed = catch_unwind(AssertUnwindSafe(|| parse::parse_module(name, &text, version)));
        self.texts.insert(name.to_owned(), text);
        match parsed {
            Ok(Ok(module)) => {
                self.modules.push(module);
                Ok(())
            }
            Ok(Err(errors)) => Err(Failed::Rego(
                errors.into_iter().map(|e| Located::new(e, &self.texts)).collect(),
            )),
            Err(panic) => Err(Failed::Plain(format!(
                "{name}: internal error: {}",
                terminal::panic_text(&*panic)
            ))),
        }
    }
}

/// Merges objects key by key; another kind of value at a key that is there is a conflict.
fn merge(into: &mut Object, from: &Object) -> Result<(), String> {
    for (key, value) in from.iter() {
        match (into.get_mut(key), value) {
            (None, _) => into.insert(key.clone(), value.clone()),
            (Some(Value::Object(old)), Value::Object(new)) => merge(Arc::make_mut(old), new)?,
            (Some(_), _) => return Err(key.as_str().unwrap_or_default().to_owned()),
        }
    }
    Ok(())
}
