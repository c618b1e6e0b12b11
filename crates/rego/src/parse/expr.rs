//! Bodies and their expressions.

use super::Parser;
use super::lex::{Keywords, Tok};
use super::term::value_name;
use crate::ast::{Every, Expr, ExprKind, Loc, Term, TermValue, With};

pub(super) fn expr(kind: ExprKind, loc: &Loc) -> Expr {
    Expr {
        kind,
        negated: false,
        with: Vec::new(),
        generated: false,
        braces: false,
        loc: loc.clone(),
    }
}

/// `Some(arity)` if the call is `x in xs` (2) or `k, v in xs` (3).
fn membership(call: &[Term]) -> Option<usize> {
    let Some(TermValue::Ref(op)) = call.first().map(|t| &t.value) else {
        return None;
    };
    match op.as_slice() {
        [head, name] => match (&head.value, &name.value) {
            (TermValue::Var(h), TermValue::String(n)) if h == "internal" && n == "member_2" => Some(2),
            (TermValue::Var(h), TermValue::String(n)) if h == "internal" && n == "member_3" => Some(3),
            _ => None,
        },
        _ => None,
    }
}

impl<'a> Parser<'a> {
    /// A body up to a closing bracket, which stays the current token.
    pub(super) fn body(&mut self, end: Tok) -> Option<Vec<Expr>> {
        if !self.enter() {
            return None;
        }
        let body = self.query(false, end);
        self.leave();
        body
    }

    /// Expressions up to `end`; with `semicolons`, a newline ends the query too.
    pub(super) fn query(&mut self, semicolons: bool, end: Tok) -> Option<Vec<Expr>> {
        if self.tok() == end {
            let loc = self.loc();
            self.error(&loc, "found empty body");
            return None;
        }
        let mut body = Vec::new();
        let mut height = 0;
        loop {
            body.push(self.literal()?);
            height = height.max(self.height);
            if self.tok() == Tok::Semicolon {
                self.scan();
                continue;
            }
            if self.tok() == end || semicolons {
                return self.grow(height + 1).then_some(body);
            }
            if !self.s.skipped_newline {
                if self.errors.is_empty() {
                    self.illegal(&format!("expected \\n or ; or {}", end.name()));
                }
                return None;
            }
        }
    }

    pub(super) fn literal(&mut self) -> Option<Expr> {
        let loc = self.loc();
        let mut expr = self.literal_inner()?;
        expr.loc = Loc {
            end: self.last_end(),
            ..loc
        };
        Some(expr)
    }

    fn literal_inner(&mut self) -> Option<Expr> {
        if self.scan_ahead_ref() {
            return self.literal_expr(false);
        }
        // A `not` that begins a reference was taken for a name above.
        let negated = self.tok() == Tok::Not;
        if negated {
            self.scan();
            if self.not_bodies && self.tok() == Tok::LBrace {
                let loc = self.loc();
                self.scan();
                let body = self.body(Tok::RBrace)?;
                self.scan();
                let mut not = expr(ExprKind::Not(body), &loc);
                not.braces = true;
                self.with(&mut not)?;
                return Some(not);
            }
        }
        match self.tok() {
            Tok::Some if negated => {
                self.illegal("illegal negation of 'some'");
                None
            }
            Tok::Every if negated => {
                self.illegal("illegal negation of 'every'");
                None
            }
            Tok::Some => self.some(),
            Tok::Every => self.every(),
            _ => self.literal_expr(negated),
        }
    }

    fn literal_expr(&mut self, negated: bool) -> Option<Expr> {
        let s = self.save();
        let mut e = self.expression()?;
        self.with(&mut e)?;
        if !self.v1 && matches!(&e.kind, ExprKind::Term(t) if matches!(&t.value, TermValue::Var(v) if v == "every")) {
            let here = self.save();
            self.restore(s);
            let keywords = std::mem::replace(&mut self.keywords, Keywords::ALL);
            let found = self.every().is_some();
            self.keywords = keywords;
            self.restore(here);
            if found {
                self.hint("`import future.keywords.every` for `every x in xs { ... }` expressions");
            }
        }
        if negated && self.not_bodies {
            let with = std::mem::take(&mut e.with);
            let loc = e.loc.clone();
            e = expr(ExprKind::Not(vec![e]), &loc);
            e.with = with;
        } else {
            e.negated = negated;
        }
        Some(e)
    }

    /// A term, `a = b` or `a := b`.
    fn expression(&mut self) -> Option<Expr> {
        let loc = self.loc();
        let lhs = self.infix()?;
        let height = self.height;
        let kind = match self.tok() {
            tok @ (Tok::Assign | Tok::Unify) => {
                let op = self.operator_of(tok.name());
                let rhs = self.infix()?;
                self.height = height.max(self.height) + 1;
                ExprKind::Call(vec![op, lhs, rhs])
            }
            _ => match lhs.value {
                TermValue::Call(terms) => ExprKind::Call(terms),
                _ => ExprKind::Term(lhs),
            },
        };
        Some(expr(
            kind,
            &Loc {
                end: self.last_end(),
                ..loc
            },
        ))
    }

    /// The modifiers that follow, if any; `None` on an error in them.
    fn with(&mut self, expr: &mut Expr) -> Option<()> {
        let mut height = self.height;
        while self.tok() == Tok::With {
            let mut loc = self.loc();
            self.scan();
            if self.tok() != Tok::Ident {
                self.illegal("expected ident");
                return None;
            }
            let target = self.term()?;
            height = height.max(self.height);
            if !matches!(target.value, TermValue::Ref(_) | TermValue::Var(_)) {
                self.illegal("expected with target path");
            }
            if self.tok() != Tok::As {
                self.illegal("expected as keyword");
                return None;
            }
            self.scan();
            let value = self.infix()?;
            height = height.max(self.height);
            loc.end = self.last_end();
            expr.with.push(With { target, value, loc });
        }
        self.height = height;
        Some(())
    }

    fn some(&mut self) -> Option<Expr> {
        let loc = self.loc();
        let s = self.save();
        self.scan();
        if let Some(term) = self.infix()
            && let TermValue::Call(call) = &term.value
        {
            match membership(call) {
                Some(n) if call.len() == n + 1 => {}
                Some(_) => {
                    self.illegal("illegal domain");
                    return None;
                }
                None => {
                    self.illegal("expected `x in xs` or `x, y in xs` expression");
                    return None;
                }
            }
            let mut some = expr(ExprKind::Some(vec![term]), &loc);
            self.with(&mut some)?;
            return Some(some);
        }
        self.restore(s);
        if !self.v1 && !self.keywords.r#in {
            let s = self.save();
            self.scan();
            let keywords = std::mem::replace(&mut self.keywords, Keywords::ALL);
            let found = self.infix();
            self.keywords = keywords;
            self.restore(s);
            if found.is_some_and(|t| matches!(&t.value, TermValue::Call(call) if membership(call).is_some())) {
                self.hint("`import future.keywords.in` for `some x in xs` expressions");
            }
        }
        let mut names = Vec::new();
        loop {
            self.scan();
            if self.tok() != Tok::Ident {
                self.illegal("expected var");
                return None;
            }
            names.push(self.var());
            self.scan();
            if self.tok() != Tok::Comma {
                break;
            }
        }
        self.height = 1;
        Some(expr(ExprKind::Some(names), &loc))
    }

    fn every(&mut self) -> Option<Expr> {
        const FORM: &str = "expected `x[, y] in xs { ... }` expression";
        let loc = self.loc();
        self.scan();
        let term = self.infix()?;
        let height = self.height;
        let TermValue::Call(call) = term.value else {
            self.illegal(FORM);
            return None;
        };
        let Some(n) = membership(&call) else {
            self.illegal(FORM);
            return None;
        };
        if call.len() != n + 1 {
            self.illegal("illegal domain");
            return None;
        }
        let mut operands = call.into_iter().skip(1);
        let key = if n == 3 { operands.next() } else { None };
        let (value, domain) = (operands.next()?, operands.next()?);
        if key.as_ref().is_some_and(|k| value_name(&k.value) != "var") {
            self.illegal("expected key to be a variable");
            return None;
        }
        if value_name(&value.value) != "var" {
            self.illegal("expected value to be a variable");
            return None;
        }
        if self.tok() != Tok::LBrace {
            self.illegal("missing body");
            return None;
        }
        self.scan();
        let body = self.body(Tok::RBrace)?;
        self.height = height.max(self.height) + 1;
        self.scan();
        let every = Every {
            key,
            value,
            domain,
            body,
        };
        let mut every = expr(ExprKind::Every(Box::new(every)), &loc);
        self.with(&mut every)?;
        Some(every)
    }
}
