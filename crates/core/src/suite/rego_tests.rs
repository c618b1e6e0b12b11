//! Rego unit tests: `test_*` rules, as `opa test` runs them.

use super::{CaseResult, Filter, RunOptions, Status, SuiteResult, TestResult};
use crate::ask::{Engine, ask, caught};
use crate::coverage::Coverage;
use crate::plain::parse_either;
use crate::policy_set::CompileOptions;
use crate::template::compile_options;
use regent_rego::ast::{Module, TermValue};
use regent_rego::trace::TraceOptions;
use regent_rego::{Context, Error, Limits, Program, Value};

/// Runs the `test_*` rules of Rego files (name, text), as `opa test` does: a test result for each file that has tests,
/// a case for each rule. Rules named `todo_test_*` are skipped. `path` is what the result is called by.
pub fn run_rego_tests(
    path: &str,
    files: &[(String, String)],
    filter: &Filter,
    options: &RunOptions<'_>,
) -> SuiteResult {
    let mut coverage = Coverage::default();
    let tests = run_all(files, filter, options, &mut coverage);
    SuiteResult {
        path: path.to_owned(),
        status: overall(&tests),
        tests,
        coverage,
    }
}

fn overall(tests: &[TestResult]) -> Status {
    if tests.iter().any(|t| t.status == Status::Failed) {
        Status::Failed
    } else if !tests.is_empty() && tests.iter().all(|t| t.status == Status::Skipped) {
        Status::Skipped
    } else {
        Status::Passed
    }
}

fn run_all(
    files: &[(String, String)],
    filter: &Filter,
    options: &RunOptions<'_>,
    coverage: &mut Coverage,
) -> Vec<TestResult> {
    let mut modules = Vec::new();
    let mut failed = Vec::new();
    for (name, text) in files {
        match parse_either(name, text) {
            Ok(module) => modules.push(module),
            Err(errors) => failed.push(failure(name, &errors)),
        }
    }
    if !failed.is_empty() {
        return failed;
    }
    let suites: Vec<(String, Vec<String>, Vec<String>)> = modules.iter().filter_map(tests_of).collect();
    if suites.is_empty() {
        return Vec::new();
    }
    let compile = CompileOptions {
        print: true,
        second_opinion: options.engine != Engine::Native,
        ..CompileOptions::default()
    };
    let traced = options.coverage.then(|| {
        modules.iter().for_each(|m| coverage.add_module(m));
        let compile = CompileOptions {
            trace: true,
            ..compile.clone()
        };
        regent_rego::compile(modules.clone(), Vec::new(), &compile_options(&compile))
    });
    let program = match regent_rego::compile(modules, Vec::new(), &compile_options(&compile)) {
        Ok((program, _)) => program,
        Err(errors) => {
            let file = errors.first().and_then(|e| e.loc.file.clone());
            return vec![failure(file.as_deref().unwrap_or_default(), &errors)];
        }
    };
    suites
        .iter()
        .map(|(file, package, rules)| {
            if !filter.matches_test(file, rules.iter().map(String::as_str)) {
                return result(file, Status::Skipped, Vec::new());
            }
            let cases: Vec<CaseResult> = rules
                .iter()
                .map(|rule| {
                    if rule.starts_with("todo_") || !filter.matches_case(file, rule) {
                        return case(rule, Status::Skipped);
                    }
                    if let Some(Ok((traced, _))) = &traced {
                        trace(traced, package, rule, options, coverage);
                    }
                    run(&program, package, rule, options)
                })
                .collect();
            let failed = cases.iter().any(|c| c.status == Status::Failed);
            result(file, if failed { Status::Failed } else { Status::Passed }, cases)
        })
        .collect()
}

/// File, package and test rules of a module that has some.
fn tests_of(module: &Module) -> Option<(String, Vec<String>, Vec<String>)> {
    let mut rules: Vec<String> = Vec::new();
    for rule in &module.rules {
        if let Some(TermValue::Var(name)) = rule.head.reference.first().map(|t| &t.value)
            && (name.starts_with("test_") || name.starts_with("todo_test_"))
            && !rules.iter().any(|r| r == name.as_str())
        {
            rules.push(name.to_string());
        }
    }
    let package = module.package.iter().skip(1).filter_map(|t| match &t.value {
        TermValue::String(s) => Some(s.to_string()),
        _ => None,
    });
    (!rules.is_empty()).then(|| (module.file.to_string(), package.collect(), rules))
}

fn run(program: &Program, package: &[String], rule: &str, options: &RunOptions<'_>) -> CaseResult {
    let mut out = case(rule, Status::Passed);
    let data = Value::object(Vec::new());
    let start = options.clock.map_or(0, |now| now());
    let context = context(&data, options);
    match ask(
        program,
        program.document(&path(package, rule)),
        &context,
        options.engine,
        options.second,
        || limits(options),
    ) {
        Err(why) => {
            out.status = Status::Failed;
            out.message = why.message;
        }
        Ok(asked) => {
            out.prints = asked.outcome.prints;
            out.unconfirmed.extend(asked.not_asked);
            if let Some(message) = fault(asked.outcome.value.as_ref()) {
                out.status = Status::Failed;
                out.message = message;
            }
        }
    }
    out.nanos = options.clock.map_or(0, |now| now()).saturating_sub(start);
    out
}

/// Runs a test once more, to learn which lines it reaches.
fn trace(program: &Program, package: &[String], rule: &str, options: &RunOptions<'_>, coverage: &mut Coverage) {
    let data = Value::object(Vec::new());
    let context = context(&data, options);
    let entry = program.document(&path(package, rule));
    // What comes of it was told by the run itself.
    if let Ok((_, trace)) = caught(|| Ok(program.eval_traced(entry, &context, &TraceOptions::default()))) {
        coverage.add_trace(&trace);
    }
}

fn path<'p>(package: &'p [String], rule: &'p str) -> Vec<&'p str> {
    package.iter().map(String::as_str).chain([rule]).collect()
}

fn limits<'a>(options: &RunOptions<'a>) -> Limits<'a> {
    let end = |now: &(dyn Fn() -> u64 + Sync)| now().saturating_add(options.constraint_budget);
    Limits {
        clock: options.clock,
        deadline: options.clock.map_or(u64::MAX, end),
        memory: options.memory,
        ..Limits::default()
    }
}

fn context<'a>(data: &'a Value, options: &RunOptions<'a>) -> Context<'a> {
    Context {
        input: None,
        data,
        limits: limits(options),
        time_ns: options.time_ns,
        seed: 0,
        strict_builtin_errors: false,
    }
}

/// Why a test's value is no success: undefined, false, or an object (a table of cases) with a false in it.
fn fault(value: Option<&Value>) -> Option<String> {
    match value {
        None => Some("undefined: no body of the rule holds".to_owned()),
        Some(Value::Bool(false)) => Some("false".to_owned()),
        Some(Value::Object(cases)) => cases.iter().find_map(|(name, value)| {
            let name = name
                .as_str()
                .map_or_else(|| regent_rego::json::write(name), str::to_owned);
            fault(Some(value)).map(|why| format!("{name}: {why}"))
        }),
        Some(_) => None,
    }
}

fn failure(file: &str, errors: &[Error]) -> TestResult {
    let lines: Vec<String> = errors.iter().map(Error::to_string).collect();
    TestResult {
        message: lines.join("\n"),
        ..result(file, Status::Failed, Vec::new())
    }
}

fn result(name: &str, status: Status, cases: Vec<CaseResult>) -> TestResult {
    TestResult {
        name: name.to_owned(),
        status,
        message: String::new(),
        cases,
    }
}

fn case(name: &str, status: Status) -> CaseResult {
    CaseResult {
        name: name.to_owned(),
        status,
        message: String::new(),
        violations: Vec::new(),
        unconfirmed: Vec::new(),
        prints: Vec::new(),
        nanos: 0,
    }
}
