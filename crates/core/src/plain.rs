//! Plain Rego policies: a package with `violation`, `deny` or `warn` rules, without a template.
//!
//! All files of a bundle are compiled together, so that packages may import one another. The METADATA block of a
//! package may carry `match`, `enforcementAction` and `parameters`, at its top or under `custom`.

use crate::bundle::RegoFile;
use crate::decision::Action;
use crate::manifest::Problem;
use crate::matching::Match;
use crate::policy_set::CompileOptions;
use crate::template::{compile_options, ref_text, walk_refs};
use regent_rego::ast::{Module, RegoVersion, Term, TermValue};
use regent_rego::{Entry, Error, Program, Reads, Value, parse};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One package that judges.
#[derive(Debug)]
pub(crate) struct Plain {
    /// Its path, dotted, without `data`.
    pub(crate) package: String,
    /// Its rules that judge.
    pub(crate) rules: Vec<PlainRule>,
    pub(crate) matching: Option<Match>,
    pub(crate) parameters: Value,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// One rule that judges.
#[derive(Debug)]
pub(crate) struct PlainRule {
    pub(crate) action: Action,
    /// Below `data`.
    pub(crate) path: Vec<String>,
    pub(crate) entry: Entry,
    pub(crate) reads: Reads,
}

/// Reads a module as the version it is written in: v1 where it is v1 or imports `rego.v1`, v0 otherwise.
pub(crate) fn parse_either(file: &str, text: &str) -> Result<Module, Vec<Error>> {
    let first = match parse::parse_module_annotated(file, text, RegoVersion::V1) {
        Ok(module) => return Ok(module),
        Err(errors) => errors,
    };
    match parse::parse_module_annotated(file, text, RegoVersion::V0CompatV1) {
        Ok(module) => Ok(module),
        // What a file was meant to be shows in its words: v1's errors for v1's keywords.
        Err(second) => Err(if looks_like_v1(text) { first } else { second }),
    }
}

fn looks_like_v1(text: &str) -> bool {
    let old = text.contains("future.keywords");
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    code.into_iter()
        .any(|line| line.contains("rego.v1") || (!old && (line.contains(" if ") || line.contains(" contains "))))
}

/// What came of the plain Rego of a bundle.
pub(crate) type Compiled = (Option<Arc<Program>>, Vec<Plain>);

/// Parses and compiles all of it; a file that does not parse hides no other, but nothing runs unless all compile.
pub(crate) fn compile(files: &[RegoFile], options: &CompileOptions, problems: &mut Vec<Problem>) -> Compiled {
    let mut modules = Vec::new();
    let before = problems.len();
    for file in files {
        match parse_either(&file.file, &file.text) {
            Ok(module) => modules.push(module),
            Err(errors) => problems.extend(errors.iter().map(|e| problem(&file.file, e))),
        }
    }
    for module in &mut modules {
        if !options.referential {
            refuse_inventory(module, problems);
        }
    }
    if problems.len() > before || modules.is_empty() {
        return (None, Vec::new());
    }
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for module in &modules {
        gather(module, &mut packages, problems);
    }
    let (program, _) = match regent_rego::compile(modules, Vec::new(), &compile_options(options)) {
        Ok(compiled) => compiled,
        Err(errors) => {
            problems.extend(errors.iter().map(|e| problem("", e)));
            return (None, Vec::new());
        }
    };
    let mut out = Vec::new();
    for (name, package) in packages {
        if package.rules.is_empty() {
            continue;
        }
        let path: Vec<&str> = package.path.iter().map(String::as_str).collect();
        let rules = package.rules.iter().map(|rule| {
            let entry = program.document(&[&path[..], &[rule]].concat());
            PlainRule {
                action: if *rule == "warn" { Action::Warn } else { package.action },
                path: [&package.path[..], &[(*rule).to_owned()]].concat(),
                entry,
                reads: program.reads(entry),
            }
        });
        out.push(Plain {
            package: name,
            rules: rules.collect(),
            matching: package.matching,
            parameters: package.parameters,
            file: package.file,
            line: package.line,
        });
    }
    (Some(Arc::new(program)), out)
}

/// A package while its files are gathered.
struct Package {
    path: Vec<String>,
    rules: Vec<&'static str>,
    action: Action,
    matching: Option<Match>,
    parameters: Value,
    file: String,
    line: u32,
}

fn gather(module: &Module, packages: &mut BTreeMap<String, Package>, problems: &mut Vec<Problem>) {
    let path: Vec<String> = module.package.iter().skip(1).filter_map(text_of).collect();
    let package = packages.entry(path.join(".")).or_insert_with(|| Package {
        path,
        rules: Vec::new(),
        action: Action::Deny,
        matching: None,
        parameters: Value::object(Vec::new()),
        file: module.file.to_string(),
        line: module.package_loc.row,
    });
    for name in ["violation", "deny", "warn"] {
        let defined = module
            .rules
            .iter()
            .any(|r| r.head.args.is_none() && head_name(&r.head.reference) == Some(name));
        if defined && !package.rules.contains(&name) {
            package.rules.push(name);
        }
    }
    for block in &module.annotations {
        let field = |key| block.value.get(key).or_else(|| block.value.path(&["custom", key]));
        let at = |message: String| Problem {
            file: module.file.to_string(),
            line: block.loc.row,
            column: block.loc.col,
            message,
        };
        if block.scope != "package" {
            if field("match").is_some() || field("enforcementAction").is_some() {
                problems.push(at(format!(
                    "METADATA of scope {:?} cannot carry match or enforcementAction; put them in the package's block \
                     (scope: package)",
                    block.scope
                )));
            }
            continue;
        }
        if let Some(value) = field("match") {
            if value.as_object().is_some() {
                package.matching = Some(Match::read(value));
            } else {
                problems.push(at(format!(
                    "METADATA match must be an object, not {}",
                    value.type_name()
                )));
            }
        }
        match field("enforcementAction") {
            None => {}
            Some(value) => match value.as_str().and_then(Action::parse) {
                Some(action) => package.action = action,
                None => problems.push(at("METADATA enforcementAction must be deny, warn or dryrun".to_owned())),
            },
        }
        if let Some(value @ Value::Object(_)) = field("parameters") {
            package.parameters = value.clone();
        }
    }
}

fn refuse_inventory(module: &mut Module, problems: &mut Vec<Problem>) {
    let file = module.file.to_string();
    for rule in &mut module.rules {
        walk_refs(rule, &mut |path, at| {
            let text = ref_text(path);
            if text == "data" || text == "data.inventory" || text.starts_with("data.inventory.") {
                problems.push(Problem {
                    file: file.clone(),
                    line: at.loc.row,
                    column: at.loc.col,
                    message: format!("disallowed ref {text}: referential rules are off"),
                });
            }
        });
    }
}

fn text_of(term: &Term) -> Option<String> {
    match &term.value {
        TermValue::String(s) => Some(s.to_string()),
        _ => None,
    }
}

fn head_name(reference: &[Term]) -> Option<&str> {
    match reference.first().map(|t| &t.value) {
        Some(TermValue::Var(name)) => Some(name),
        _ => None,
    }
}

fn problem(file: &str, error: &Error) -> Problem {
    let file = error.loc.file.as_deref().filter(|f| !f.is_empty()).unwrap_or(file);
    Problem {
        file: file.to_owned(),
        line: error.loc.row,
        column: error.loc.col,
        message: format!("{}: {}", error.code.as_str(), error.message),
    }
}
