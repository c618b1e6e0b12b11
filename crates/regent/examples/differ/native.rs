//! Regent's own answer.

use crate::answer::{Answer, Refusal};
use crate::case::{Case, read};
use regent_rego::ast::RegoVersion;
use regent_rego::{CompileOptions, Context, Error, Limits, QuerySource, Value, compile, parse, value_text};
use std::time::Instant;

/// The answer; a panic is a failure of that name.
pub(crate) fn answer(case: &Case) -> Answer {
    match std::panic::catch_unwind(|| run(case)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(errors)) => Answer::errors(
            errors
                .iter()
                .map(|e| Refusal::new(e.code.as_str(), i64::from(e.loc.row), &e.message))
                .collect(),
        ),
        Err(_) => Answer::Failed("panic".to_owned()),
    }
}

fn run(case: &Case) -> Result<Answer, Vec<Error>> {
    let version = if case.v0 { RegoVersion::V0 } else { RegoVersion::V1 };
    let mut modules = Vec::new();
    for (file, text) in &case.modules {
        modules.push(parse::parse_module_annotated(file, text, version)?);
    }
    let options = CompileOptions {
        strict: case.strict,
        ..CompileOptions::default()
    };
    // The judge compiles the modules before it reads the query.
    compile(modules.clone(), Vec::new(), &options)?;
    let query = QuerySource {
        body: parse::parse_query("query", &case.query, version)?,
        package: Vec::new(),
        imports: Vec::new(),
    };
    let (program, entries) = compile(modules, vec![query], &options)?;
    let input = case.input.as_deref().and_then(read);
    let data = read(&case.data).unwrap_or_else(|| Value::object(Vec::new()));
    let started = Instant::now();
    let clock = move || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let context = Context {
        input: input.as_ref(),
        data: &data,
        limits: Limits {
            clock: Some(&clock),
            deadline: 10_000_000_000,
            ..Limits::default()
        },
        time_ns: 1_700_000_000_000_000_000,
        seed: 1,
        strict_builtin_errors: case.strict_errors,
    };
    let Some(entry) = entries.first() else {
        return Ok(Answer::Undefined);
    };
    let outcome = program.eval(*entry, &context).map_err(|e| vec![e])?;
    let Some(value) = &outcome.value else {
        return Ok(Answer::Undefined);
    };
    let results = value.as_array().unwrap_or_default();
    let mut texts: Vec<String> = results.iter().map(bindings).collect();
    texts.sort();
    Ok(Answer::Results(texts))
}

/// `a = 1; b = 2`.
fn bindings(result: &Value) -> String {
    let bound = result.get("bindings").and_then(Value::as_object);
    let mut parts: Vec<String> = bound
        .into_iter()
        .flat_map(|o| o.iter())
        .map(|(name, value)| format!("{} = {}", name.as_str().unwrap_or_default(), value_text::text(value)))
        .collect();
    parts.sort();
    parts.join("; ")
}
