//! The Rego of a template: what it may import and refer to, and how it is compiled.

use super::{INVALID, LoadError, Sources, place};
use crate::object::quote;
use crate::policy_set::CompileOptions;
use regent_rego::ast::{Expr, ExprKind, Module, RegoVersion, Rule, Term, TermValue, With};
use regent_rego::builtins::Capabilities;
use regent_rego::{Code, Entry, Error, Program, Reads, parse};

/// Compiled Rego of a template.
pub(super) struct Compiled {
    pub(super) program: Program,
    pub(super) entry: Entry,
    pub(super) reads: Reads,
}

/// How Gatekeeper asks a template for its violations. It is compiled along so that the type checker sees `violation`
/// used as Gatekeeper uses it: a template whose answers could never be read is refused there and here. The rows of the
/// three lines that can be complained of are Gatekeeper's, as they are part of its messages.
const HOOK: &str = r#"package hooks

# Rows 15, 20 and 21 are named in messages; keep them where they are.
#
#
#
violation[response] {
  key := input.constraints[_]


  inp := {
    "review": input.review,
    "parameters": data.constraints[key.kind][key.name],
  }
  data.template.violation[r] with input as inp


  response := {
    "key": key,
    "details": object.get(r, "details", {}),
    "msg": r.msg,
  }
}
"#;

/// Parses, checks and compiles, in Gatekeeper's order.
pub(super) fn compile(sources: &Sources, options: &CompileOptions) -> Result<Compiled, LoadError> {
    let modules = modules(sources, options)?;
    let (program, _) = regent_rego::compile(modules, Vec::new(), &compile_options(options)).map_err(|errors| {
        let (path, at) = errors
            .first()
            .map_or_else(|| (sources.main.1.clone(), (0, 0)), |e| place(sources, &e.loc));
        LoadError {
            path,
            at,
            ..LoadError::new(format!("unable to compile modules: {}", errors_text(&errors)), &[])
        }
    })?;
    let entry = program.document(&["template", "violation"]);
    let reads = program.reads(entry);
    Ok(Compiled { program, entry, reads })
}

/// The modules of a template, moved to where Gatekeeper has them, with the hook.
pub(crate) fn modules(sources: &Sources, options: &CompileOptions) -> Result<Vec<Module>, LoadError> {
    let version = if sources.v1 { RegoVersion::V1 } else { RegoVersion::V0 };
    let mut main = parse::parse_module("template", &sources.main.0, version)
        .map_err(|e| invalid(sources, "template", &sources.main.0, &e))?;
    set_package(&mut main, &["template"]);
    if !main.rules.iter().any(|rule| is_named(rule, "violation")) {
        return Err(LoadError {
            path: sources.main.1.clone(),
            ..LoadError::new(
                format!("{INVALID}: invalid rego: invalid module: missing required rules: [violation]"),
                &[],
            )
        });
    }
    let mut libs = Vec::new();
    for (i, (text, _)) in sources.libs.iter().enumerate() {
        let file = format!("libs[\"lib_{i}\"]");
        let module = parse::parse_module(&file, text, version).map_err(|e| invalid(sources, &file, text, &e))?;
        libs.push(module);
    }
    check_packages(sources, &libs)?;
    for module in libs.iter().chain([&main]) {
        check_imports(sources, module)?;
    }
    for module in libs.iter().chain([&main]) {
        check_references(sources, module, options.referential)?;
    }
    for lib in &mut libs {
        insert_libs(&mut lib.package);
        move_to_libs(lib);
    }
    move_to_libs(&mut main);
    let mut modules = vec![main];
    modules.extend(libs);
    if let Ok(hook) = parse::parse_module("hooks.hooks_builtin", HOOK, RegoVersion::V0) {
        modules.push(hook);
    }
    Ok(modules)
}

/// Options of the Rego compiler for a policy.
pub(crate) fn compile_options(options: &CompileOptions) -> regent_rego::CompileOptions {
    regent_rego::CompileOptions {
        capabilities: Capabilities {
            without: options.without_builtins.clone(),
        },
        print: options.print,
        keep_lowered: options.second_opinion,
        trace: options.trace,
        ..regent_rego::CompileOptions::default()
    }
}

/// Errors as OPA lists them.
pub(crate) fn errors_text(errors: &[Error]) -> String {
    match errors {
        [] => "no error(s)".to_owned(),
        [one] => format!("1 error occurred: {one}"),
        more => {
            let lines: Vec<String> = more.iter().map(Error::to_string).collect();
            format!("{} errors occurred:\n{}", more.len(), lines.join("\n"))
        }
    }
}

/// Errors of the parser, with the line each is in, as OPA shows them.
fn invalid(sources: &Sources, file: &str, text: &str, errors: &[Error]) -> LoadError {
    let (path, at) = errors
        .first()
        .map_or_else(|| (sources.main.1.clone(), (0, 0)), |e| place(sources, &e.loc));
    let shown: Vec<String> = errors.iter().map(|e| format!("{e}{}", line_of(text, e))).collect();
    let text = match shown.as_slice() {
        // OPA tells of an empty module without a count, at row 0.
        [one] if one.ends_with("empty module") => format!("{file}:0: {}: empty module", Code::Parse.as_str()),
        [one] => format!("1 error occurred: {one}"),
        more => format!("{} errors occurred:\n{}", more.len(), more.join("\n")),
    };
    LoadError {
        path,
        at,
        ..LoadError::new(format!("{INVALID}: {text}"), &[])
    }
}

/// The line that an error of OPA's grammar shows, with a mark under the place; empty for errors that show none.
fn line_of(text: &str, error: &Error) -> String {
    let shows = ["unexpected", "illegal", "non-terminated", "expected", "invalid"];
    if !shows.iter().any(|s| error.message.starts_with(s)) {
        return String::new();
    }
    // The mark goes under the last character at or before the place that is no space.
    let upto = text.get(..=error.loc.start as usize).unwrap_or(text);
    let before = upto.trim_end();
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text
        .get(begin..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let shown = line.trim_start_matches('\t');
    let column = before
        .len()
        .saturating_sub(begin + 1)
        .saturating_sub(line.len() - shown.len());
    format!("\n\t{shown}\n\t{}^", " ".repeat(column))
}

fn refused(sources: &Sources, at: &Term, message: String) -> LoadError {
    let (path, at) = place(sources, &at.loc);
    LoadError {
        path,
        at,
        ..LoadError::new(format!("{INVALID}: {message}"), &[])
    }
}

/// Whether a rule's name is this word.
pub(crate) fn is_named(rule: &Rule, name: &str) -> bool {
    match rule.head.reference.first().map(|t| &t.value) {
        Some(TermValue::Var(v)) => v == name,
        _ => false,
    }
}

fn set_package(module: &mut Module, names: &[&str]) {
    let head = module
        .package
        .first()
        .cloned()
        .unwrap_or_else(|| Term::new(TermValue::Var("data".into())));
    let mut path = vec![head];
    path.extend(
        names
            .iter()
            .map(|n| Term::at(TermValue::String((*n).into()), &module.package_loc)),
    );
    module.package = path;
}

fn check_packages(sources: &Sources, libs: &[Module]) -> Result<(), LoadError> {
    for lib in libs {
        if !starts_with(&lib.package, "lib") || lib.package.len() < 3 {
            let at = Term::at(TermValue::Null, &lib.package_loc);
            let what = format!(
                "invalid lib prefix: path {} not found in lib prefixes",
                ref_text(&lib.package)
            );
            return Err(refused(sources, &at, what));
        }
    }
    Ok(())
}

fn check_imports(sources: &Sources, module: &Module) -> Result<(), LoadError> {
    for import in &module.imports {
        let TermValue::Ref(path) = &import.path.value else {
            let what = format!("invalid import: got reference of type {:?}", import.path.value);
            return Err(refused(sources, &import.path, what));
        };
        let head = match path.first().map(|t| &t.value) {
            Some(TermValue::Var(head)) => head.as_str(),
            _ => "",
        };
        let shown = quote(&ref_text(path));
        if head == "input" {
            return Err(refused(
                sources,
                &import.path,
                format!("invalid import: cannot import input: {shown}"),
            ));
        }
        if !(head == "future" || starts_with(path, "lib")) {
            return Err(refused(
                sources,
                &import.path,
                format!("invalid import: bad import: {shown}"),
            ));
        }
    }
    Ok(())
}

/// `data.inventory` and `data.lib` alone may be referred to.
fn check_references(sources: &Sources, module: &Module, referential: bool) -> Result<(), LoadError> {
    let mut bad: Vec<(Term, String)> = Vec::new();
    for rule in &module.rules {
        walk_refs(&mut rule.clone(), &mut |path, at| {
            let allowed = starts_with(path, "lib") || (referential && starts_with(path, "inventory"));
            if is_data(path) && !allowed {
                bad.push((at.clone(), ref_text(path)));
            }
        });
    }
    let Some((first, _)) = bad.first() else {
        return Ok(());
    };
    let lines: String = bad.iter().map(|(_, text)| format!("disallowed ref {text}\n")).collect();
    let what = format!(
        "invalid data references: check refs failed on module {{{}}}: errors ({}):\n{lines}",
        module.file,
        bad.len()
    );
    Err(refused(sources, first, what))
}

fn is_data(path: &[Term]) -> bool {
    matches!(path.first().map(|t| &t.value), Some(TermValue::Var(head)) if head == "data")
}

/// Whether a reference is `data.<name>` or below.
fn starts_with(path: &[Term], name: &str) -> bool {
    is_data(path) && matches!(path.get(1).map(|t| &t.value), Some(TermValue::String(s)) if s == name)
}

/// `data.lib…` becomes `data.libs.lib…`.
fn insert_libs(path: &mut Vec<Term>) {
    if starts_with(path, "lib")
        && let Some(loc) = path.first().map(|t| t.loc.clone())
    {
        path.insert(1, Term::at(TermValue::String("libs".into()), &loc));
    }
}

fn move_to_libs(module: &mut Module) {
    for import in &mut module.imports {
        if let TermValue::Ref(path) = &mut import.path.value {
            insert_libs(path);
        }
    }
    for rule in &mut module.rules {
        walk_refs(rule, &mut |path, _| insert_libs(path));
    }
}

/// What is called for every reference: its parts, and a term that says where it stands.
type Visit<'v> = &'v mut dyn FnMut(&mut Vec<Term>, &Term);

/// Calls `visit` for every reference of a rule, nested ones too.
pub(crate) fn walk_refs(rule: &mut Rule, visit: Visit<'_>) {
    for term in rule.head.reference.iter_mut().skip(1) {
        walk_term(term, visit);
    }
    for term in rule.head.args.iter_mut().flatten() {
        walk_term(term, visit);
    }
    for term in [&mut rule.head.key, &mut rule.head.value].into_iter().flatten() {
        walk_term(term, visit);
    }
    walk_body(&mut rule.body, visit);
    if let Some(rule) = &mut rule.else_rule {
        walk_refs(rule, visit);
    }
}

fn walk_body(body: &mut [Expr], visit: Visit<'_>) {
    for expr in body {
        match &mut expr.kind {
            ExprKind::Term(term) => walk_term(term, visit),
            ExprKind::Call(terms) | ExprKind::Some(terms) => terms.iter_mut().for_each(|t| walk_term(t, visit)),
            ExprKind::Every(every) => {
                walk_term(&mut every.domain, visit);
                walk_body(&mut every.body, visit);
            }
            ExprKind::Not(body) => walk_body(body, visit),
        }
        for With { target, value, .. } in &mut expr.with {
            walk_term(target, visit);
            walk_term(value, visit);
        }
    }
}

fn walk_term(term: &mut Term, visit: Visit<'_>) {
    let at = Term::at(TermValue::Null, &term.loc);
    match &mut term.value {
        TermValue::Ref(path) => {
            visit(path, &at);
            // The head of a plain reference is the reference itself.
            let plain = matches!(path.first().map(|t| &t.value), Some(TermValue::Var(_)));
            path.iter_mut()
                .skip(usize::from(plain))
                .for_each(|t| walk_term(t, visit));
        }
        TermValue::Var(name) if name == "data" => {
            // A bare `data` is a reference of one part.
            let mut path = vec![Term::at(TermValue::Var(name.clone()), &at.loc)];
            visit(&mut path, &at);
        }
        TermValue::Array(terms) | TermValue::Set(terms) | TermValue::Call(terms) | TermValue::Template(terms) => {
            terms.iter_mut().for_each(|t| walk_term(t, visit));
        }
        TermValue::Object(entries) => {
            for (key, value) in entries {
                walk_term(key, visit);
                walk_term(value, visit);
            }
        }
        TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
            walk_term(head, visit);
            walk_body(body, visit);
        }
        TermValue::ObjectCompr(key, value, body) => {
            walk_term(key, visit);
            walk_term(value, visit);
            walk_body(body, visit);
        }
        TermValue::Null | TermValue::Bool(_) | TermValue::Number(_) | TermValue::String(_) | TermValue::Var(_) => {}
    }
}

/// A reference as OPA prints it.
pub(crate) fn ref_text(path: &[Term]) -> String {
    let mut out = String::new();
    for (i, term) in path.iter().enumerate() {
        match &term.value {
            TermValue::Var(name) if i == 0 => out.push_str(name),
            TermValue::Var(name) if name.starts_with('$') => out.push_str("[_]"),
            TermValue::Var(name) => out.push_str(&format!("[{name}]")),
            TermValue::String(name) if is_word(name) => out.push_str(&format!(".{name}")),
            TermValue::String(name) => out.push_str(&format!("[{}]", quote(name))),
            TermValue::Number(n) => out.push_str(&format!("[{n}]")),
            TermValue::Bool(b) => out.push_str(&format!("[{b}]")),
            TermValue::Null => out.push_str("[null]"),
            TermValue::Ref(inner) => out.push_str(&format!("[{}]", ref_text(inner))),
            _ => out.push_str("[...]"),
        }
    }
    out
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
