//! Statements become a module.

use super::lex::{Keywords, Tok};
use super::rule::{Parsed, true_body, true_term};
use super::term::value_name;
use super::{Parser, annotations};
use crate::ast::{Expr, ExprKind, Head, Import, Loc, Module, RegoVersion, Rule, Term, TermValue};
use crate::error::{Code, Error};

enum Statement {
    Package(Vec<Term>, Loc),
    Import(Import),
    Rule(Box<Parsed>),
    Body(Vec<Expr>),
}

impl Statement {
    fn loc(&self) -> Loc {
        match self {
            Statement::Package(_, loc) => loc.clone(),
            Statement::Import(import) => import.loc.clone(),
            Statement::Rule(rule) => rule.rule.loc.clone(),
            Statement::Body(body) => body.first().map(|e| e.loc.clone()).unwrap_or_default(),
        }
    }
}

impl<'a> Parser<'a> {
    /// All statements, or those before the first that cannot be read.
    fn statements(&mut self, rules: bool) -> Vec<Statement> {
        let mut all = Vec::new();
        self.scan();
        while self.tok() != Tok::Eof {
            let s = self.save();
            if let Some((path, loc)) = self.package() {
                all.push(Statement::Package(path, loc));
                continue;
            }
            if !self.errors.is_empty() {
                break;
            }
            self.restore(s.clone());
            if let Some(import) = self.import() {
                self.apply_import(&import);
                all.push(Statement::Import(import));
                continue;
            }
            if !self.errors.is_empty() {
                break;
            }
            self.restore(s.clone());
            if rules {
                if let Some(rules) = self.rules() {
                    all.extend(rules.into_iter().map(|r| Statement::Rule(Box::new(r))));
                    continue;
                }
                if !self.errors.is_empty() {
                    break;
                }
                self.restore(s);
            }
            match self.query(true, Tok::Eof) {
                Some(body) => all.push(Statement::Body(body)),
                None => break,
            }
        }
        all
    }

    /// What an import changes about how the rest is read.
    fn apply_import(&mut self, import: &Import) {
        let TermValue::Ref(parts) = &import.path.value else {
            return;
        };
        let name = |i: usize| match parts.get(i).map(|t| &t.value) {
            Some(TermValue::Var(s) | TermValue::String(s)) => s.as_str(),
            _ => "",
        };
        let loc = &import.path.loc;
        match name(0) {
            "rego" => {
                if parts.len() != 2 || name(1) != "v1" {
                    let path = crate::print::reference(parts);
                    self.error(loc, &format!("invalid import `{path}`, must be `rego.v1`"));
                } else if self.v1 {
                } else if import.alias.is_some() {
                    self.error(loc, "`rego` imports cannot be aliased");
                } else {
                    self.keywords = Keywords::ALL;
                }
            }
            "future" => {
                if name(1) != "keywords" {
                    self.error(loc, "invalid import, must be `future.keywords`");
                } else if import.alias.is_some() {
                    self.error(loc, "`future` imports cannot be aliased");
                } else {
                    match (parts.len(), name(2)) {
                        (3, "not") => {
                            self.not_bodies = true;
                            self.keywords = Keywords::ALL;
                        }
                        (3, word @ ("in" | "every" | "contains" | "if")) => self.keywords.add(word),
                        (3, _) => self.error(loc, "unexpected keyword, must be one of [contains every if in not]"),
                        _ => self.keywords = Keywords::ALL,
                    }
                }
            }
            _ => {}
        }
    }

    /// The errors, if any.
    fn finish(&mut self) -> Result<(), Vec<Error>> {
        if let Some(fatal) = self.fatal.take() {
            return Err(vec![fatal]);
        }
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(std::mem::take(&mut self.errors)),
        }
    }
}

pub(super) fn parse_query(file: &str, text: &str, version: RegoVersion) -> Result<Vec<Expr>, Vec<Error>> {
    let mut p = Parser::new(file, text, version);
    let statements = p.statements(false);
    p.finish()?;
    let mut body = Vec::new();
    for statement in statements {
        let what = match statement {
            Statement::Body(exprs) => {
                body.extend(exprs);
                continue;
            }
            Statement::Package(_, loc) => ("package", loc),
            Statement::Import(import) => ("import", import.loc),
            Statement::Rule(rule) => ("rule", rule.rule.loc),
        };
        return Err(vec![Error::new(
            Code::Parse,
            &what.1,
            format!("expected body but got {}", what.0),
        )]);
    }
    if body.is_empty() {
        let loc = Loc {
            file: Some(file.into()),
            ..Loc::default()
        };
        return Err(vec![Error::new(Code::Parse, &loc, "empty query")]);
    }
    Ok(body)
}

pub(super) fn parse(
    file: &str,
    text: &str,
    version: RegoVersion,
    strict_annotations: bool,
) -> Result<Module, Vec<Error>> {
    let mut p = Parser::new(file, text, version);
    let statements = p.statements(true);
    // Faults of blocks stand beside the parser's own errors.
    let (blocks, faults) = match p.fatal {
        None => annotations::blocks(&p.comments),
        Some(_) => Default::default(),
    };
    if strict_annotations {
        p.errors.extend(faults);
    }
    p.finish()?;
    let mut statements = statements.into_iter();
    let Some(first) = statements.next() else {
        let (loc, fault) = match blocks.first() {
            Some(block) => (block.loc().clone(), "package expected"),
            None => (Loc::default(), "empty module"),
        };
        let file = Some(p.file.clone());
        return Err(vec![Error::new(Code::Parse, &Loc { file, ..loc }, fault)]);
    };
    let mut errors = Vec::new();
    let mut fail = |loc: &Loc, message: &str| errors.push(Error::new(Code::Parse, loc, message));
    let mut targets: Vec<annotations::Target> = Vec::new();
    let (package, package_loc) = match first {
        Statement::Package(path, loc) => (path, loc),
        other => {
            fail(&other.loc(), "package expected");
            (Vec::new(), other.loc())
        }
    };
    targets.push(annotations::Target::package(&package_loc, &package));
    let mut version = version;
    let mut imports = Vec::new();
    let mut parsed: Vec<Parsed> = Vec::new();
    for statement in statements {
        let rule = match statement {
            Statement::Package(_, loc) => {
                fail(&loc, "unexpected package");
                continue;
            }
            Statement::Import(import) => {
                if version != RegoVersion::V1 && crate::print::term(&import.path) == "rego.v1" {
                    version = RegoVersion::V1;
                }
                targets.push(annotations::Target::import(&import.loc));
                imports.push(import);
                continue;
            }
            Statement::Rule(rule) => *rule,
            Statement::Body(body) => match rule_from_body(body) {
                Ok(rule) => rule,
                Err((loc, message)) => {
                    fail(&loc, &message);
                    continue;
                }
            },
        };
        targets.push(annotations::Target::rule(&rule.rule, &package));
        parsed.push(rule);
    }
    if version == RegoVersion::V1 {
        for rule in &parsed {
            for r in std::iter::once(rule).chain(&rule.elses) {
                check_v1(r, &mut fail);
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let (annotations, faults) = annotations::attach(blocks, &targets);
    if strict_annotations && !faults.is_empty() {
        return Err(faults);
    }
    Ok(Module {
        file: p.file.clone(),
        version,
        package,
        package_loc,
        imports,
        rules: parsed.into_iter().map(Parsed::assemble).collect(),
        annotations,
        strict_annotations,
        comments: std::mem::take(&mut p.comments),
    })
}

/// What v1 asks of a rule beyond the grammar.
fn check_v1(r: &Parsed, fail: &mut impl FnMut(&Loc, &str)) {
    let head = &r.rule.head;
    let kind = match head.args.as_ref().is_some_and(|a| !a.is_empty()) {
        true => "function",
        false => "rule",
    };
    let loc = &r.rule.loc;
    if let [
        Term {
            value: TermValue::Var(name),
            ..
        },
    ] = head.reference.as_slice()
        && Keywords::ALL.token(name) != Tok::Ident
    {
        fail(loc, &format!("{name} keyword cannot be used for rule name"));
    }
    if r.generated_body && r.generated_value {
        fail(
            loc,
            &format!("{kind} must have value assignment and/or body declaration"),
        );
    }
    if !r.generated_body && !r.has_if && !r.rule.default {
        fail(loc, &format!("`if` keyword is required before {kind} body"));
    }
    if head.value.is_none() && head.key.is_some() && !r.has_contains {
        fail(loc, "`contains` keyword is required for partial set rules");
    }
}

type Fault = (Loc, String);

/// A statement without a body, read as a query, as the rule it stands for.
fn rule_from_body(body: Vec<Expr>) -> Result<Parsed, Fault> {
    let count = body.len();
    let loc = body.first().map(|e| e.loc.clone()).unwrap_or_default();
    let fault = |message: &str| Err((loc.clone(), message.to_owned()));
    let Some(e) = body.into_iter().next().filter(|_| count == 1) else {
        return fault("multiple expressions cannot be used for rule head");
    };
    if !e.with.is_empty() {
        return fault("expressions using with keyword cannot be used for rule head");
    }
    if e.negated {
        return fault("negated expressions cannot be used for rule head");
    }
    match e.kind {
        ExprKind::Some(_) => fault("'some' declarations cannot be used for rule head"),
        ExprKind::Every(_) | ExprKind::Not(_) => fault("expression cannot be used for rule head"),
        ExprKind::Term(term) => match term.value {
            TermValue::Ref(parts) => from_ref(parts, &term.loc).map_err(|m| (loc.clone(), m)),
            other => fault(&format!("{} cannot be used for rule name", value_name(&other))),
        },
        ExprKind::Call(terms) => {
            let op = terms.first().map(crate::print::term).unwrap_or_default();
            if matches!(op.as_str(), "eq" | "assign") {
                let mut operands = terms.into_iter().skip(1);
                let (Some(lhs), Some(rhs)) = (operands.next(), operands.next()) else {
                    return fault("assignment requires two operands");
                };
                return from_equation(lhs, rhs, op == "assign", &loc).map_err(|m| (loc.clone(), m));
            }
            if crate::builtins::find(&op).is_some() || crate::builtins::refused(&op).is_some() {
                return fault("rule name conflicts with built-in function");
            }
            if terms.len() <= 1 {
                return fault("rule argument list must take at least one argument");
            }
            let mut terms = terms.into_iter();
            let place = terms.as_slice().first().map(|t| t.loc.clone()).unwrap_or_default();
            let parts = match terms.next().map(|t| t.value) {
                Some(TermValue::Ref(parts)) => parts,
                _ => return fault("expression cannot be used for rule head"),
            };
            check_head(&parts).map_err(|m| (loc.clone(), m))?;
            let mut rule = generated(parts, &place, &place);
            rule.rule.head.args = Some(terms.collect());
            rule.rule.head.value = Some(true_term(&place));
            Ok(rule)
        }
    }
}

fn check_head(parts: &[Term]) -> Result<(), String> {
    match parts.first().map(|t| &t.value) {
        Some(TermValue::Var(_)) => Ok(()),
        _ => Err(format!("invalid rule head: {}", crate::print::reference(parts))),
    }
}

/// A rule whose body nobody wrote.
fn generated(reference: Vec<Term>, loc: &Loc, body: &Loc) -> Parsed {
    let head = Head {
        reference,
        args: None,
        key: None,
        value: None,
        assign: false,
        loc: loc.clone(),
    };
    Parsed {
        rule: Rule {
            head,
            body: true_body(body),
            else_rule: None,
            default: false,
            loc: loc.clone(),
            has_body: false,
        },
        has_if: false,
        has_contains: false,
        generated_body: true,
        generated_value: false,
        elses: Vec::new(),
    }
}

/// `p[x]`, `a.b.c`.
fn from_ref(mut parts: Vec<Term>, loc: &Loc) -> Result<Parsed, String> {
    if parts.len() == 1 {
        return Err("refs cannot be used for rule head".to_owned());
    }
    check_head(&parts)?;
    if parts.len() > 2 {
        let mut rule = generated(parts, loc, loc);
        rule.rule.head.value = Some(true_term(loc));
        rule.generated_value = true;
        return Ok(rule);
    }
    let key = parts.pop();
    let mut rule = generated(parts, loc, loc);
    rule.rule.head.key = key;
    Ok(rule)
}

/// `f(x) := y`, `p[k] = v`, `p := v`.
fn from_equation(lhs: Term, rhs: Term, assign: bool, loc: &Loc) -> Result<Parsed, String> {
    let (parts, args) = match lhs.value {
        TermValue::Call(terms) => {
            let mut terms = terms.into_iter();
            match terms.next().map(|t| t.value) {
                Some(TermValue::Ref(parts)) => (parts, Some(terms.collect())),
                _ => return Err("calls cannot be used in function signature".to_owned()),
            }
        }
        TermValue::Ref(parts) => (parts, None),
        TermValue::Var(_) => (vec![lhs], None),
        other => return Err(format!("{} cannot be used for rule name", value_name(&other))),
    };
    if args.is_some() && check_head(&parts).is_err() {
        return Err("call cannot be used for rule name".to_owned());
    }
    check_head(&parts)?;
    let mut rule = generated(parts, loc, &rhs.loc);
    rule.rule.head.args = args;
    rule.rule.head.assign = assign;
    rule.rule.head.value = Some(rhs);
    Ok(rule)
}
