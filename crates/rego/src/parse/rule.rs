//! Rules, package clauses and imports.

use super::Parser;
use super::expr::expr;
use super::lex::{Keywords, Tok};
use super::term::value_name;
use crate::ast::{Expr, ExprKind, Head, Import, Loc, Rule, Term, TermValue};
use smol_str::SmolStr;

/// A rule with what the checks of v1 ask about its text.
#[derive(Clone)]
pub(super) struct Parsed {
    pub(super) rule: Rule,
    pub(super) has_if: bool,
    pub(super) has_contains: bool,
    pub(super) generated_body: bool,
    pub(super) generated_value: bool,
    /// `else` branches in order; put into `rule` once checked.
    pub(super) elses: Vec<Parsed>,
}

/// A head with what decides how it is completed.
#[derive(Clone)]
struct HeadDraft {
    head: Head,
    generated_value: bool,
    contains: bool,
}

pub(super) fn true_term(loc: &Loc) -> Term {
    Term::at(TermValue::Bool(true), loc)
}

pub(super) fn true_body(loc: &Loc) -> Vec<Expr> {
    vec![expr(ExprKind::Term(true_term(loc)), loc)]
}

/// No variables, references or calls in it.
pub(super) fn is_ground(term: &Term) -> bool {
    match &term.value {
        TermValue::Var(_) => false,
        TermValue::Ref(parts) => parts.iter().skip(1).all(is_ground),
        TermValue::Array(items) | TermValue::Set(items) | TermValue::Template(items) => items.iter().all(is_ground),
        TermValue::Object(pairs) => pairs.iter().all(|(k, v)| is_ground(k) && is_ground(v)),
        TermValue::Call(terms) => terms.iter().all(is_ground),
        TermValue::ArrayCompr(..) | TermValue::SetCompr(..) | TermValue::ObjectCompr(..) => false,
        _ => true,
    }
}

/// Puts a head's terms at another place.
fn move_terms(terms: &mut [Term], loc: &Loc) {
    for term in terms {
        term.loc = loc.clone();
        match &mut term.value {
            TermValue::Ref(t)
            | TermValue::Array(t)
            | TermValue::Set(t)
            | TermValue::Call(t)
            | TermValue::Template(t) => {
                move_terms(t, loc);
            }
            TermValue::Object(pairs) => {
                for (k, v) in pairs {
                    move_terms(std::slice::from_mut(k), loc);
                    move_terms(std::slice::from_mut(v), loc);
                }
            }
            TermValue::ArrayCompr(head, body) | TermValue::SetCompr(head, body) => {
                move_terms(std::slice::from_mut(head), loc);
                move_body(body, loc);
            }
            TermValue::ObjectCompr(k, v, body) => {
                move_terms(std::slice::from_mut(k), loc);
                move_terms(std::slice::from_mut(v), loc);
                move_body(body, loc);
            }
            _ => {}
        }
    }
}

fn move_body(body: &mut [Expr], loc: &Loc) {
    for e in body {
        e.loc = loc.clone();
        for w in &mut e.with {
            w.loc = loc.clone();
            move_terms(std::slice::from_mut(&mut w.target), loc);
            move_terms(std::slice::from_mut(&mut w.value), loc);
        }
        match &mut e.kind {
            ExprKind::Term(t) => move_terms(std::slice::from_mut(t), loc),
            ExprKind::Call(terms) | ExprKind::Some(terms) => move_terms(terms, loc),
            ExprKind::Every(every) => {
                move_terms(every.key.as_mut_slice(), loc);
                move_terms(std::slice::from_mut(&mut every.value), loc);
                move_terms(std::slice::from_mut(&mut every.domain), loc);
                move_body(&mut every.body, loc);
            }
            ExprKind::Not(inner) => move_body(inner, loc),
        }
    }
}

fn move_head(head: &mut Head, loc: &Loc) {
    head.loc = loc.clone();
    move_terms(head.args.as_deref_mut().unwrap_or_default(), loc);
    move_terms(head.key.as_mut_slice(), loc);
    move_terms(head.value.as_mut_slice(), loc);
}

impl<'a> Parser<'a> {
    fn ident_or_keyword(&mut self) -> bool {
        if self.tok() == Tok::Ident || self.is_ref_keyword(self.tok()) {
            self.s.tok = Tok::Ident;
            return true;
        }
        self.illegal("");
        false
    }

    /// The path below `data` and the clause's place.
    pub(super) fn package(&mut self) -> Option<(Vec<Term>, Loc)> {
        if self.tok() != Tok::Package {
            return None;
        }
        let loc = self.loc();
        self.scan_blank();
        if matches!(self.tok(), Tok::Dot | Tok::LBrack) {
            return None;
        }
        if self.tok() == Tok::Whitespace {
            self.scan();
        }
        if !self.ident_or_keyword() {
            return None;
        }
        let term = self.term()?;
        let data = |loc: &Loc| Term::at(TermValue::Var("data".into()), loc);
        match term.value {
            TermValue::Var(v) => Some((vec![data(&term.loc), Term::at(TermValue::String(v), &term.loc)], loc)),
            TermValue::Ref(parts) => {
                let mut path = Vec::with_capacity(parts.len() + 1);
                for (i, part) in parts.into_iter().enumerate() {
                    match part.value {
                        TermValue::Var(v) if i == 0 => {
                            path.push(data(&part.loc));
                            path.push(Term::at(TermValue::String(v), &part.loc));
                        }
                        TermValue::String(_) if i > 0 => path.push(part),
                        other => {
                            let want = if i == 0 { "var" } else { "string" };
                            let fault = format!("unexpected {} token: expecting {want}", value_name(&other));
                            self.error(&part.loc, &fault);
                            return None;
                        }
                    }
                }
                Some((path, loc))
            }
            _ => {
                self.illegal("");
                None
            }
        }
    }

    pub(super) fn import(&mut self) -> Option<Import> {
        if self.tok() != Tok::Import {
            return None;
        }
        let mut loc = self.loc();
        self.scan_blank();
        if matches!(self.tok(), Tok::Dot | Tok::LBrack) {
            return None;
        }
        if self.tok() == Tok::Whitespace {
            self.scan();
        }
        if !self.ident_or_keyword() {
            return None;
        }
        // `import future.keywords.in` is read where `in` is a keyword already.
        let keywords = std::mem::take(&mut self.keywords);
        let path = self.term();
        self.keywords = keywords;
        let path = match path {
            Some(term) => match &term.value {
                TermValue::Var(_) => {
                    let loc = term.loc.clone();
                    Term::at(TermValue::Ref(vec![term]), &loc)
                }
                TermValue::Ref(parts) => {
                    if let Some(bad) = parts.iter().skip(1).find(|p| value_name(&p.value) != "string") {
                        let fault = format!("unexpected {} token: expecting string", value_name(&bad.value));
                        self.error(&bad.loc.clone(), &fault);
                        return None;
                    }
                    term
                }
                _ => {
                    let loc = self.loc();
                    self.error(&loc, "expected path");
                    return None;
                }
            },
            None => {
                let loc = self.loc();
                self.error(&loc, "expected path");
                return None;
            }
        };
        let TermValue::Ref(parts) = &path.value else {
            return None;
        };
        let first = parts.first()?;
        let root = match &first.value {
            TermValue::Var(v) => v.clone(),
            _ => SmolStr::default(),
        };
        if !matches!(root.as_str(), "data" | "input" | "future" | "rego") {
            self.hint("if this is unexpected, try updating OPA");
            let got = crate::print::term(first);
            self.error(
                &path.loc,
                &format!("unexpected import path, must begin with one of: {{data, future, input, rego}}, got: {got}"),
            );
            return None;
        }
        let last = parts.last().map(|t| match &t.value {
            TermValue::Var(s) | TermValue::String(s) => (s.clone(), t.loc.clone()),
            _ => (SmolStr::default(), t.loc.clone()),
        });
        if self.tok() == Tok::As {
            self.scan();
            if self.tok() != Tok::Ident {
                self.illegal("expected var");
                return None;
            }
            if let Some(Term {
                value: TermValue::Var(alias),
                ..
            }) = self.term()
            {
                loc.end = self.last_end();
                return Some(Import {
                    path,
                    alias: Some(alias),
                    loc,
                });
            }
            self.illegal("expected var");
            return None;
        }
        if let Some((name, place)) = last {
            let words = if self.v1 { Keywords::ALL } else { Keywords::default() };
            let is_future = parts.len() > 1 && root == "future";
            if !is_future && words.token(&name) != Tok::Ident {
                self.error(
                    &place,
                    &format!("unexpected import path, must not end with a keyword, got: {name}"),
                );
                self.hint("import a different path or use an alias");
            }
        }
        loc.end = self.last_end();
        Some(Import { path, alias: None, loc })
    }

    /// A rule with its chained bodies; `None` without an error when the statement is none (a rule without a body is
    /// read as a query and becomes a rule then).
    pub(super) fn rules(&mut self) -> Option<Vec<Parsed>> {
        let mut loc = self.loc();
        self.scan_ahead_ref();
        let mut default = false;
        if self.tok() == Tok::Default {
            self.scan();
            default = true;
            self.scan_ahead_ref();
        }
        if self.tok() != Tok::Ident {
            return None;
        }
        let mut draft = self.head(default)?;
        if default {
            if !self.check_default(&draft.head, &loc) {
                return None;
            }
            loc.end = self.last_end();
            let body = true_body(&loc);
            return Some(vec![Parsed::new(draft, body, loc, true, false)]);
        }
        let has_if = self.tok() == Tok::If;
        // What OPA calls the key of a head that has a value too; it only forbids `else`.
        let mut keyed = draft.contains;
        let is_function = draft.head.args.as_ref().is_some_and(|a| !a.is_empty());
        if draft.head.reference.len() == 2 && !draft.contains {
            let last = draft.head.reference.last()?;
            if has_if {
                keyed = !is_function && (!is_ground(last) || matches!(last.value, TermValue::Ref(_)));
                if draft.head.value.is_none() {
                    draft.generated_value = true;
                    draft.head.value = Some(true_term(&draft.head.loc));
                } else if !matches!(draft.head.reference.first()?.value, TermValue::Var(_)) {
                    return None;
                }
            } else if !is_function {
                if !matches!(draft.head.reference.first()?.value, TermValue::Var(_)) {
                    return None;
                }
                keyed = true;
                if draft.head.value.is_none() {
                    draft.head.key = draft.head.reference.pop();
                }
            }
        }
        let body = if has_if {
            self.scan();
            let s = self.save();
            let first = self.literal();
            match first {
                Some(e) if !matches!(&e.kind, ExprKind::Term(t) if matches!(t.value, TermValue::Set(_))) => vec![e],
                _ => {
                    self.restore(s);
                    self.braced_body()?
                }
            }
        } else if self.tok() == Tok::LBrace {
            self.braced_body()?
        } else if draft.contains {
            let body = true_body(&loc);
            let loc = draft.head.loc.clone();
            let mut rule = Parsed::new(draft, body, loc, false, false);
            rule.generated_body = true;
            return Some(vec![rule]);
        } else {
            return None;
        };
        let mut elses = Vec::new();
        if self.tok() == Tok::Else && !self.scan_ahead_ref() {
            if draft.head.reference.len() > 1 && !draft.head.reference.iter().skip(1).all(is_ground) {
                let loc = self.loc();
                self.error(&loc, "else keyword cannot be used on rules with variables in head");
                return None;
            }
            if keyed {
                let loc = self.loc();
                self.error(&loc, "else keyword cannot be used on multi-value rules");
                return None;
            }
            elses = self.else_chain(&draft)?;
        }
        loc.end = self.last_end();
        let mut first = Parsed::new(draft.clone(), body, loc, false, has_if);
        first.elses = elses;
        let mut rules = vec![first];
        while self.tok() == Tok::LBrace {
            let mut loc = self.loc();
            if rules.first().is_some_and(|r| !r.elses.is_empty()) {
                self.error(&loc, "expected else keyword");
                return None;
            }
            let body = self.braced_body()?;
            loc.end = self.last_end();
            let mut draft = draft.clone();
            self.renew_wildcards(&mut draft.head);
            move_head(&mut draft.head, &loc);
            rules.push(Parsed::new(draft, body, loc, false, has_if));
        }
        Some(rules)
    }

    /// From the `{`, which is stepped over whatever it is.
    fn braced_body(&mut self) -> Option<Vec<Expr>> {
        self.scan();
        let body = self.body(Tok::RBrace)?;
        self.scan();
        Some(body)
    }

    fn renew_wildcards(&mut self, head: &mut Head) {
        for arg in head.args.as_deref_mut().unwrap_or_default() {
            if matches!(&arg.value, TermValue::Var(v) if v.starts_with('$')) {
                arg.value = self.next_wildcard();
            }
        }
    }

    fn else_chain(&mut self, draft: &HeadDraft) -> Option<Vec<Parsed>> {
        let mut elses = Vec::new();
        loop {
            if elses.len() >= super::MAX_DEPTH as usize {
                self.give_up("max parsing recursion depth exceeded");
                return None;
            }
            elses.push(self.else_branch(draft)?);
            let has_body = elses.last().is_some_and(|e| !e.generated_body);
            if !has_body || self.tok() != Tok::Else {
                return Some(elses);
            }
        }
    }

    fn else_branch(&mut self, draft: &HeadDraft) -> Option<Parsed> {
        let mut loc = self.loc();
        let mut draft = draft.clone();
        draft.contains = false;
        draft.generated_value = false;
        self.renew_wildcards(&mut draft.head);
        draft.head.loc = loc.clone();
        self.scan();
        match self.tok() {
            Tok::LBrace | Tok::If => {
                draft.generated_value = true;
                draft.head.value = Some(true_term(&loc));
            }
            tok @ (Tok::Assign | Tok::Unify) => {
                draft.head.assign = tok == Tok::Assign;
                self.scan();
                draft.head.value = Some(self.infix()?);
                draft.head.loc.end = self.last_end();
            }
            _ => {
                self.illegal("expected else value term or rule body");
                return None;
            }
        }
        let has_if = self.tok() == Tok::If;
        if !has_if && self.tok() != Tok::LBrace {
            loc.end = self.last_end();
            let body = true_body(&loc);
            let mut parsed = Parsed::new(draft, body, loc, false, false);
            parsed.generated_body = true;
            return Some(parsed);
        }
        if has_if {
            self.scan();
        }
        let body = match self.tok() {
            Tok::LBrace => self.braced_body()?,
            Tok::Eof => {
                self.illegal("rule body expected");
                return None;
            }
            _ => {
                let mut body = vec![self.literal()?];
                move_body(&mut body, &loc);
                body
            }
        };
        loc.end = self.last_end();
        Some(Parsed::new(draft, body, loc, false, has_if))
    }

    fn head(&mut self, default: bool) -> Option<HeadDraft> {
        let mut loc = self.loc();
        let draft = self.head_inner(default, &loc);
        loc.end = self.last_end();
        let mut draft = draft?;
        draft.head.loc = loc;
        if draft.generated_value {
            draft.head.value = Some(true_term(&draft.head.loc));
        }
        Some(draft)
    }

    fn head_inner(&mut self, default: bool, loc: &Loc) -> Option<HeadDraft> {
        let var = self.var();
        self.height = 1;
        let Some(term) = self.finish_head(var) else {
            self.illegal("expected rule head name");
            return None;
        };
        let mut head = Head {
            reference: Vec::new(),
            args: None,
            key: None,
            value: None,
            assign: false,
            loc: loc.clone(),
        };
        match term.value {
            TermValue::Var(_) => head.reference = vec![term],
            TermValue::Ref(parts) => head.reference = parts,
            TermValue::Call(terms) => {
                let mut terms = terms.into_iter();
                let op = terms.next()?;
                match op.value {
                    TermValue::Ref(parts) => {
                        if !parts.first().is_some_and(|p| matches!(p.value, TermValue::Var(_))) {
                            let text = crate::print::reference(&parts);
                            self.illegal(&format!("rule head ref {text} invalid"));
                            return None;
                        }
                        head.reference = parts;
                    }
                    _ => head.reference = vec![op],
                }
                head.args = Some(terms.collect());
            }
            _ => return None,
        }
        let name = crate::print::reference(&head.reference);
        let mut draft = HeadDraft {
            head,
            generated_value: false,
            contains: false,
        };
        let has_args = draft.head.args.as_ref().is_some_and(|a| !a.is_empty());
        match self.tok() {
            Tok::Contains => {
                if draft.head.args.is_some() {
                    self.illegal(&format!(
                        "the contains keyword can only be used with multi-value rule definitions (e.g., {name} contains \
                         <VALUE> {{ ... }})"
                    ));
                }
                self.scan();
                draft.head.key = self.infix();
                if draft.head.key.is_none() {
                    self.illegal(&format!(
                        "expected rule key term (e.g., {name} contains <VALUE> {{ ... }})"
                    ));
                    return None;
                }
                draft.contains = true;
                return Some(draft);
            }
            tok @ (Tok::Unify | Tok::Assign) => {
                self.scan();
                draft.head.assign = tok == Tok::Assign;
                draft.head.value = self.infix();
                if draft.head.value.is_none() {
                    let want = match (tok, has_args, default) {
                        (Tok::Unify, _, _) => {
                            format!("expected rule value term (e.g., {name}[<nil>] = <VALUE> {{ ... }})")
                        }
                        (_, true, _) => {
                            format!("expected function value term (e.g., {name}(...) := <VALUE> {{ ... }})")
                        }
                        (_, _, true) => format!("expected default rule value term (e.g., default {name} := <VALUE>)"),
                        _ => format!("expected rule value term (e.g., {name} := <VALUE> {{ ... }})"),
                    };
                    self.illegal(&want);
                }
            }
            _ => {}
        }
        if draft.head.value.is_none() && (draft.head.reference.len() != 2 || has_args) {
            draft.generated_value = true;
        }
        Some(draft)
    }

    fn check_default(&mut self, head: &Head, loc: &Loc) -> bool {
        let before = self.errors.len();
        match &head.value {
            None => self.error(loc, "illegal default rule (must have a value)"),
            Some(value) => self.check_default_value(value, loc),
        }
        if self.errors.len() > before {
            return false;
        }
        let mut seen: Vec<&str> = Vec::new();
        for arg in head.args.iter().flatten() {
            match &arg.value {
                TermValue::Var(v) if seen.contains(&v.as_str()) => {
                    self.error(loc, &format!("illegal default rule (arguments cannot be repeated {v})"));
                }
                TermValue::Var(v) => seen.push(v),
                other => {
                    let kind = value_name(other);
                    self.error(loc, &format!("illegal default rule (arguments cannot contain {kind})"));
                }
            }
        }
        self.errors.len() == before
    }

    fn check_default_value(&mut self, value: &Term, loc: &Loc) {
        match &value.value {
            TermValue::Ref(_) | TermValue::Var(_) | TermValue::Call(_) => {
                let kind = value_name(&value.value);
                self.error(loc, &format!("illegal default rule (value cannot contain {kind})"));
            }
            TermValue::Array(items) | TermValue::Set(items) | TermValue::Template(items) => {
                items.iter().for_each(|t| self.check_default_value(t, loc));
            }
            TermValue::Object(pairs) => {
                for (k, v) in pairs {
                    self.check_default_value(k, loc);
                    self.check_default_value(v, loc);
                }
            }
            _ => {}
        }
    }
}

impl Parsed {
    fn new(draft: HeadDraft, body: Vec<Expr>, loc: Loc, default: bool, has_if: bool) -> Parsed {
        Parsed {
            has_contains: draft.contains,
            generated_value: draft.generated_value,
            rule: Rule {
                head: draft.head,
                body,
                else_rule: None,
                default,
                loc,
                has_body: !default,
            },
            has_if,
            generated_body: false,
            elses: Vec::new(),
        }
    }

    /// The rule with its `else` chain in place.
    pub(super) fn assemble(self) -> Rule {
        let mut next: Option<Box<Rule>> = None;
        for branch in self.elses.into_iter().rev() {
            let mut rule = branch.rule;
            rule.has_body = !branch.generated_body;
            rule.else_rule = next;
            next = Some(Box::new(rule));
        }
        let mut rule = self.rule;
        rule.has_body = rule.has_body && !self.generated_body;
        rule.else_rule = next;
        rule
    }
}
