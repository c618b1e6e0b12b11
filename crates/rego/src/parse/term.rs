//! Terms.

use super::Parser;
use super::lex::{Mode, Tok, template_text, unescape};
use crate::ast::{Expr, ExprKind, Loc, Term, TermValue};
use crate::number::Number;
use crate::term_order::{sort_entries, sort_items};
use smol_str::SmolStr;

/// How tightly an infix operator binds; `in` is not among them.
fn precedence(tok: Tok) -> Option<u8> {
    Some(match tok {
        Tok::Equal | Tok::Neq | Tok::Lt | Tok::Gt | Tok::Lte | Tok::Gte => 0,
        Tok::Or => 1,
        Tok::And => 2,
        Tok::Add | Tok::Sub => 3,
        Tok::Mul | Tok::Quo | Tok::Rem => 4,
        _ => return None,
    })
}

/// What OPA calls a kind of term in messages.
pub(super) fn value_name(value: &TermValue) -> &'static str {
    match value {
        TermValue::Null => "null",
        TermValue::Bool(_) => "boolean",
        TermValue::Number(_) => "number",
        TermValue::String(_) => "string",
        TermValue::Var(_) => "var",
        TermValue::Ref(_) => "ref",
        TermValue::Array(_) => "array",
        TermValue::Object(_) => "object",
        TermValue::Set(_) => "set",
        TermValue::ArrayCompr(..) => "arraycomprehension",
        TermValue::SetCompr(..) => "setcomprehension",
        TermValue::ObjectCompr(..) => "objectcomprehension",
        TermValue::Call(_) => "call",
        TermValue::Template(_) => "templatestring",
    }
}

/// A term whose text is wider than its head's.
fn spread(value: TermValue, loc: &Loc, start: u32, end: u32) -> Term {
    Term {
        value,
        loc: Loc {
            start,
            end,
            ..loc.clone()
        },
    }
}

/// `data` and `input` alone are references.
fn finish(head: Term) -> Term {
    match &head.value {
        TermValue::Var(v) if v == "data" || v == "input" => {
            let loc = head.loc.clone();
            Term::at(TermValue::Ref(vec![head]), &loc)
        }
        _ => head,
    }
}

fn operator(name: &str, loc: &Loc) -> Term {
    let parts = name.split('.').enumerate().map(|(i, part)| {
        let value = match i {
            0 => TermValue::Var(part.into()),
            _ => TermValue::String(part.into()),
        };
        Term::at(value, loc)
    });
    Term::at(TermValue::Ref(parts.collect()), loc)
}

/// A term already read, and where its text begins.
pub(super) type First = Option<(Term, u32)>;

impl<'a> Parser<'a> {
    /// The token as an operator, which is stepped over.
    pub(super) fn operator_of(&mut self, name: &str) -> Term {
        let op = operator(name, &self.loc());
        self.scan();
        op
    }

    /// A term with infix operators, `k, v in xs` included.
    pub(super) fn infix(&mut self) -> Option<Term> {
        self.infix_from(None, true)
    }

    /// A term with infix operators where a comma ends it.
    pub(super) fn infix_in_list(&mut self, first: First) -> Option<Term> {
        self.infix_from(first, false)
    }

    fn infix_from(&mut self, first: First, pair: bool) -> Option<Term> {
        let offset = first.as_ref().map_or_else(|| self.start(), |(_, start)| *start);
        let mut lhs = self.climb(first, 0)?;
        let mut height = self.height;
        loop {
            if pair && self.tok() == Tok::Comma {
                let s = self.save();
                self.scan();
                let middle = self.climb(None, 0);
                let middle_height = self.height;
                match middle {
                    Some(middle) if self.tok() == Tok::In => {
                        let op = self.operator_of("internal.member_3");
                        if let Some(rhs) = self.climb(None, 0) {
                            height = height.max(middle_height).max(self.height) + 1;
                            if !self.grow(height) {
                                return None;
                            }
                            let (loc, end) = (lhs.loc.clone(), self.last_end());
                            lhs = spread(TermValue::Call(vec![op, lhs, middle, rhs]), &loc, offset, end);
                            match self.tok() {
                                Tok::In => continue,
                                _ => return Some(lhs),
                            }
                        }
                    }
                    _ => {}
                }
                self.restore(s);
            }
            self.scan_ahead_ref();
            if self.tok() != Tok::In {
                self.height = height;
                return Some(lhs);
            }
            let op = self.operator_of("internal.member_2");
            let Some(rhs) = self.climb(None, 0) else {
                return Some(lhs);
            };
            height = height.max(self.height) + 1;
            if !self.grow(height) {
                return None;
            }
            let (loc, end) = (lhs.loc.clone(), self.last_end());
            lhs = spread(TermValue::Call(vec![op, lhs, rhs]), &loc, offset, end);
            if self.tok() != Tok::In {
                return Some(lhs);
            }
        }
    }

    /// Operators that bind at least as `min`, to the left.
    fn climb(&mut self, first: First, min: u8) -> Option<Term> {
        let offset = first.as_ref().map_or_else(|| self.start(), |(_, start)| *start);
        let mut lhs = match first {
            Some((term, _)) => term,
            None => self.term()?,
        };
        let mut height = self.height;
        // What binds tighter was read with the operand before; after a bad operand only looser operators go on.
        let mut max = u8::MAX;
        while let Some(p) = precedence(self.tok()).filter(|p| (min..=max).contains(p)) {
            let op = self.operator_of(self.tok().name());
            let Some(rhs) = self.climb(None, p + 1) else {
                match p.checked_sub(1).filter(|_| p > min) {
                    Some(looser) => max = looser,
                    None => return Some(lhs),
                }
                continue;
            };
            max = p;
            height = height.max(self.height) + 1;
            if !self.grow(height) {
                return None;
            }
            let (loc, end) = (lhs.loc.clone(), self.last_end());
            lhs = spread(TermValue::Call(vec![op, lhs, rhs]), &loc, offset, end);
        }
        self.height = height;
        Some(lhs)
    }

    /// One term, with what follows it in a reference or call.
    pub(super) fn term(&mut self) -> Option<Term> {
        if !self.enter() {
            return None;
        }
        let term = self.term_inner();
        self.leave();
        term
    }

    fn term_inner(&mut self) -> Option<Term> {
        self.height = 1;
        let loc = self.loc();
        let head = match self.tok() {
            Tok::Null => Term::at(TermValue::Null, &loc),
            Tok::True => Term::at(TermValue::Bool(true), &loc),
            Tok::False => Term::at(TermValue::Bool(false), &loc),
            Tok::Sub => {
                let s = self.save();
                self.scan();
                if matches!(self.tok(), Tok::Ident | Tok::Contains) {
                    let head = self.var();
                    let term = self.finish_term(head)?;
                    let zero = Term::at(TermValue::Number(Number::Int(0)), &loc);
                    let value = TermValue::Call(vec![operator("minus", &loc), zero, term]);
                    let height = self.height + 1;
                    return self
                        .grow(height)
                        .then(|| spread(value, &loc, loc.start, self.last_end()));
                }
                self.restore(s);
                self.number()?
            }
            Tok::Dot | Tok::Number => self.number()?,
            Tok::String => self.string()?,
            Tok::TemplatePart | Tok::TemplateEnd => self.template(false)?,
            Tok::RawTemplatePart | Tok::RawTemplateEnd => self.template(true)?,
            Tok::Ident | Tok::Contains => self.var(),
            Tok::LBrack => self.array()?,
            Tok::LBrace => self.set_or_object()?,
            Tok::LParen => {
                self.scan();
                let mut inner = self.infix()?;
                if self.tok() != Tok::RParen {
                    let loc = self.loc();
                    self.error(&loc, "non-terminated expression");
                    return None;
                }
                inner.loc.start = loc.start;
                inner.loc.end = self.tok_end();
                inner
            }
            _ => {
                self.illegal("");
                return None;
            }
        };
        self.finish_term(head)
    }

    fn finish_term(&mut self, head: Term) -> Option<Term> {
        let offset = self.start();
        self.scan_blank();
        match self.tok() {
            Tok::LParen | Tok::Dot | Tok::LBrack => self.reference(head, offset),
            Tok::Whitespace => {
                self.scan();
                Some(finish(head))
            }
            _ => Some(finish(head)),
        }
    }

    /// As [`Parser::finish_term`], for the name of a rule: blanks may stand before a bracket.
    pub(super) fn finish_head(&mut self, head: Term) -> Option<Term> {
        let offset = self.start();
        self.scan_blank();
        match self.tok() {
            Tok::Whitespace => self.scan(),
            tok if precedence(tok).is_some() => self.illegal(""),
            _ => {}
        }
        match self.tok() {
            Tok::LParen | Tok::Dot | Tok::LBrack => self.reference(head, offset),
            Tok::Whitespace => {
                self.scan();
                Some(finish(head))
            }
            _ => Some(finish(head)),
        }
    }

    pub(super) fn var(&mut self) -> Term {
        let loc = self.loc();
        match self.lit() {
            "_" => Term::at(self.next_wildcard(), &loc),
            name => Term::at(TermValue::Var(name.into()), &loc),
        }
    }

    fn number(&mut self) -> Option<Term> {
        let loc = self.loc();
        let mut text = String::new();
        if self.tok() == Tok::Sub {
            text.push('-');
            self.scan();
            if !matches!(self.tok(), Tok::Number | Tok::Dot) {
                self.illegal("expected number");
                return None;
            }
        }
        if self.tok() == Tok::Dot {
            text.push('.');
            self.scan();
            if self.tok() != Tok::Number {
                self.illegal("expected number");
                return None;
            }
        }
        let lit = self.lit();
        if !text.ends_with('.') && lit.len() > 1 && lit.starts_with('0') {
            let rest = lit.as_bytes().get(1);
            if !matches!(rest, Some(b'.' | b'e' | b'E')) {
                self.illegal("expected number without leading zero");
                return None;
            }
        }
        text.push_str(lit);
        if text.matches('.').count() > 1 {
            self.illegal("invalid float");
            return None;
        }
        match decimal_exponent(&text) {
            // 2^100000, OPA's bound, is about 10^30103; beyond 2^31 its numbers cannot be read at all.
            Some(-30_102..=30_103) => {}
            Some(-2_147_483_648..=2_147_483_647) => {
                let loc = self.loc();
                self.error(&loc, "number too big");
                return None;
            }
            _ => {
                self.illegal("invalid float");
                return None;
            }
        }
        let number = Number::parse(&text).unwrap_or_else(|| Number::from_valid(&text));
        Some(Term::at(TermValue::Number(number), &loc))
    }

    fn string(&mut self) -> Option<Term> {
        let (loc, lit) = (self.loc(), self.lit());
        let inner = lit.get(1..lit.len().saturating_sub(1)).unwrap_or("");
        let text: SmolStr = match lit.starts_with('"') && inner.contains('\\') {
            false => inner.into(),
            true => match unescape(inner) {
                Some(text) => text.into(),
                None => {
                    self.error(&loc, &format!("illegal string literal: {lit}"));
                    return None;
                }
            },
        };
        Some(Term::at(TermValue::String(text), &loc))
    }

    fn template(&mut self, raw: bool) -> Option<Term> {
        let loc = self.loc();
        if !self.v1 {
            self.error(&loc, "template strings are not supported by current capabilities");
            return None;
        }
        let mut parts = Vec::new();
        let mut height = 1;
        loop {
            use Tok::{RawTemplateEnd, RawTemplatePart, TemplateEnd, TemplatePart};
            if !matches!(
                self.tok(),
                TemplatePart | TemplateEnd | RawTemplatePart | RawTemplateEnd
            ) {
                let loc = self.loc();
                self.error(&loc, "expected template-string part");
                return None;
            }
            let lit = self.lit();
            let text = template_text(lit.get(1..lit.len().saturating_sub(1)).unwrap_or(""), raw);
            let place = self.loc();
            let text = match !raw && text.contains('\\') {
                false => text,
                true => match unescape(&text) {
                    Some(text) => text,
                    None => {
                        self.error(&place, &format!("illegal template-string part: {lit}"));
                        return None;
                    }
                },
            };
            if !text.is_empty() {
                parts.push(Term::at(TermValue::String(text.into()), &place));
            }
            if matches!(self.tok(), TemplateEnd | RawTemplateEnd) {
                break;
            }
            self.scan();
            let Some(expr) = self.literal() else {
                let loc = self.loc();
                self.error(&loc, "invalid template-string expression");
                return None;
            };
            height = height.max(self.height);
            if let Some(fault) = template_fault(&expr) {
                self.error(&expr.loc, fault);
                return None;
            }
            parts.extend(self.template_part(expr));
            if self.tok() != Tok::RBrace {
                let loc = self.loc();
                self.error(&loc, "expected } to end template string expression");
                return None;
            }
            self.do_scan(false, if raw { Mode::RawTemplate } else { Mode::Template });
        }
        let end = self.tok_end();
        self.grow(height + 1)
            .then(|| spread(TermValue::Template(parts), &loc, loc.start, end))
    }

    /// The expression as a part of a template. One with `with` is a set of what it gives: `{_ | _ = x with ..}`, both
    /// wildcards the same.
    fn template_part(&mut self, expr: Expr) -> Option<Term> {
        let Expr { kind, with, loc, .. } = expr;
        let part = match kind {
            ExprKind::Term(term) => term,
            ExprKind::Call(terms) => Term::at(TermValue::Call(terms), &loc),
            _ => return None,
        };
        let scalar = matches!(
            part.value,
            TermValue::Null | TermValue::Bool(_) | TermValue::Number(_) | TermValue::String(_)
        );
        if with.is_empty() || scalar {
            return Some(part);
        }
        let var = Term::at(self.next_wildcard(), &loc);
        let call = vec![operator("eq", &loc), var.clone(), part];
        let mut capture = super::expr::expr(ExprKind::Call(call), &loc);
        capture.with = with;
        Some(Term::at(TermValue::SetCompr(Box::new(var), vec![capture]), &loc))
    }

    /// What follows a `(`: the call, with the token after it current.
    fn call(&mut self, op: Term, offset: u32) -> Option<Term> {
        let loc = op.loc.clone();
        let height = self.height;
        self.scan();
        if self.tok() == Tok::RParen {
            let end = self.tok_end();
            self.scan_blank();
            self.height = height + 1;
            let is_set = matches!(&op.value, TermValue::Ref(r)
                if matches!(r.as_slice(), [Term { value: TermValue::Var(v), .. }] if v == "set"));
            let value = if is_set {
                TermValue::Set(Vec::new())
            } else {
                TermValue::Call(vec![op])
            };
            return Some(spread(value, &loc, offset, end));
        }
        self.height = height;
        let terms = self.term_list(Tok::RParen, vec![op], None)?;
        let height = height.max(self.height) + 1;
        let end = self.tok_end();
        self.scan_blank();
        self.grow(height)
            .then(|| spread(TermValue::Call(terms), &loc, offset, end))
    }

    fn reference(&mut self, head: Term, offset: u32) -> Option<Term> {
        let loc = head.loc.clone();
        let mut height = self.height;
        let mut head = head;
        loop {
            if !matches!(
                head.value,
                TermValue::Var(_)
                    | TermValue::Array(_)
                    | TermValue::Object(_)
                    | TermValue::Set(_)
                    | TermValue::ArrayCompr(..)
                    | TermValue::SetCompr(..)
                    | TermValue::ObjectCompr(..)
                    | TermValue::Call(_)
            ) {
                let fault = format!("illegal ref (head cannot be {})", value_name(&head.value));
                self.error(&loc, &fault);
            }
            let mut parts = vec![head];
            loop {
                match self.tok() {
                    Tok::Dot => {
                        self.scan_blank();
                        if self.tok() != Tok::Ident && !self.is_ref_keyword(self.tok()) {
                            self.illegal("expected identifier");
                            return None;
                        }
                        parts.push(Term::at(TermValue::String(self.lit().into()), &self.loc()));
                        self.scan_blank();
                    }
                    Tok::LBrack => {
                        self.scan();
                        let term = self.infix()?;
                        height = height.max(self.height);
                        if self.tok() != Tok::RBrack {
                            self.illegal("expected [");
                            return None;
                        }
                        parts.push(term);
                        self.scan_blank();
                    }
                    Tok::LParen => break,
                    tok => {
                        let end = self.last_end();
                        if tok == Tok::Whitespace {
                            self.scan();
                        }
                        let term = spread(TermValue::Ref(parts), &loc, offset, end);
                        return self.grow(height + 1).then_some(term);
                    }
                }
            }
            let op = spread(TermValue::Ref(parts), &loc, offset, self.start());
            self.height = height + 1;
            let mut term = self.call(op, offset)?;
            height = self.height;
            match self.tok() {
                Tok::Dot | Tok::LBrack => {
                    head = term;
                    continue;
                }
                Tok::Whitespace => self.scan(),
                _ => {}
            }
            term.loc.end = self.last_end();
            return Some(term);
        }
    }

    /// A term from its opening bracket to its closing one.
    fn bracketed(&mut self, read: impl FnOnce(&mut Self) -> Option<TermValue>) -> Option<Term> {
        let loc = self.loc();
        let value = read(self)?;
        Some(spread(value, &loc, loc.start, self.tok_end()))
    }

    /// After an opening bracket: nothing when it closes at once, else whether a comprehension may stand in it, which is
    /// not so after a comma.
    fn opened(&mut self, close: Tok) -> Option<bool> {
        self.scan();
        if self.tok() == close {
            return None;
        }
        let comma = self.tok() == Tok::Comma;
        if comma {
            self.scan();
        }
        Some(!comma)
    }

    fn array(&mut self) -> Option<Term> {
        self.bracketed(Self::array_value)
    }

    fn array_value(&mut self) -> Option<TermValue> {
        let Some(comprehension) = self.opened(Tok::RBrack) else {
            return Some(TermValue::Array(Vec::new()));
        };
        let s = self.save();
        let offset = self.start();
        let head = self.term()?;
        let mut first = Some((head, offset));
        if self.tok() == Tok::Or && comprehension {
            let height = self.height;
            self.scan();
            match self.body(Tok::RBrack) {
                Some(body) => {
                    let height = height.max(self.height) + 1;
                    let (head, _) = first?;
                    return self.grow(height).then(|| TermValue::ArrayCompr(Box::new(head), body));
                }
                None if self.tok() != Tok::Comma => return None,
                None => {
                    self.restore(s);
                    first = None;
                }
            }
        }
        let terms = self.term_list(Tok::RBrack, Vec::new(), first)?;
        let height = self.height + 1;
        self.grow(height).then_some(TermValue::Array(terms))
    }

    fn set_or_object(&mut self) -> Option<Term> {
        self.bracketed(Self::set_or_object_value)
    }

    fn set_or_object_value(&mut self) -> Option<TermValue> {
        let Some(comprehension) = self.opened(Tok::RBrace) else {
            return Some(TermValue::Object(Vec::new()));
        };
        let s = self.save();
        let offset = self.start();
        let head = self.term()?;
        match self.tok() {
            Tok::Or if comprehension => {
                let height = self.height;
                self.scan();
                if let Some(body) = self.body(Tok::RBrace) {
                    let height = height.max(self.height) + 1;
                    return self.grow(height).then(|| TermValue::SetCompr(Box::new(head), body));
                }
                if self.tok() != Tok::Comma {
                    return None;
                }
                self.restore(s);
                return self.set_items(None);
            }
            Tok::RBrace | Tok::Comma => return self.set_items(Some((head, offset))),
            Tok::Colon => return self.object(head, comprehension),
            _ => {}
        }
        let head = self.infix_in_list(Some((head, offset)))?;
        match self.tok() {
            Tok::RBrace | Tok::Comma => self.set_items(Some((head, offset))),
            Tok::Colon => self.object(head, comprehension),
            _ => {
                self.illegal("non-terminated set");
                None
            }
        }
    }

    fn set_items(&mut self, first: First) -> Option<TermValue> {
        let mut terms = self.term_list(Tok::RBrace, Vec::new(), first)?;
        sort_items(&mut terms);
        let height = self.height + 1;
        self.grow(height).then_some(TermValue::Set(terms))
    }

    /// From the `:` after the first key.
    fn object(&mut self, key: Term, comprehension: bool) -> Option<TermValue> {
        let key_height = self.height;
        self.scan();
        let s = self.save();
        let offset = self.start();
        let value = self.term()?;
        let height = key_height.max(self.height);
        let mut first = Some((value, offset));
        match self.tok() {
            Tok::Or if comprehension => {
                self.scan();
                if let Some(body) = self.body(Tok::RBrace) {
                    let height = height.max(self.height) + 1;
                    let (value, _) = first?;
                    return self
                        .grow(height)
                        .then(|| TermValue::ObjectCompr(Box::new(key), Box::new(value), body));
                }
                self.restore(s);
                first = None;
            }
            Tok::RBrace | Tok::Comma if comprehension => {
                let (value, _) = first?;
                let pairs = self.pairs(key, value, height);
                if pairs.is_none() {
                    self.restore(s);
                    self.illegal("non-terminated object");
                }
                return pairs;
            }
            _ => {}
        }
        let value = self.infix_in_list(first)?;
        let height = key_height.max(self.height);
        match self.tok() {
            Tok::RBrace | Tok::Comma => self.pairs(key, value, height),
            _ => {
                self.illegal("non-terminated object");
                None
            }
        }
    }

    /// From the `,` or `}` after the first pair.
    fn pairs(&mut self, key: Term, value: Term, mut height: u32) -> Option<TermValue> {
        let mut pairs = vec![(key, value)];
        while self.tok() == Tok::Comma {
            self.scan();
            if self.tok() == Tok::RBrace {
                break;
            }
            let key = self.infix_in_list(None)?;
            height = height.max(self.height);
            if self.tok() != Tok::Colon {
                self.illegal("expected \":\"");
                return None;
            }
            self.scan();
            let value = self.infix_in_list(None)?;
            height = height.max(self.height);
            pairs.push((key, value));
        }
        if self.tok() != Tok::RBrace {
            self.illegal("expected \",\" or \"}\"");
            return None;
        }
        sort_entries(&mut pairs);
        self.grow(height + 1).then_some(TermValue::Object(pairs))
    }

    /// Terms up to the closing bracket, which stays the current token. `first` continues a term already read.
    fn term_list(&mut self, end: Tok, mut list: Vec<Term>, mut first: First) -> Option<Vec<Term>> {
        let mut height = self.height;
        loop {
            if self.tok() == end && first.is_none() {
                break;
            }
            let term = self.infix_in_list(first.take())?;
            height = height.max(self.height);
            list.push(term);
            match self.tok() {
                Tok::Comma => self.scan(),
                tok if tok == end => break,
                _ => {
                    self.illegal(&format!("expected \",\" or \"{}\"", end.name()));
                    return None;
                }
            }
        }
        self.height = height;
        Some(list)
    }
}

/// Where the first significant digit of a decimal number stands, as a power of ten; 0 for zero.
fn decimal_exponent(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    if !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        return Some(0);
    }
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    let mantissa = mantissa.trim_start_matches('-').trim_start_matches('0');
    let whole = mantissa.find('.').unwrap_or(mantissa.len()) as i64;
    let zeros = match mantissa.strip_prefix('.') {
        Some(fraction) => fraction.bytes().take_while(|b| *b == b'0').count() as i64,
        None => 0,
    };
    Some(exponent.saturating_add(whole).saturating_sub(zeros))
}

fn template_fault(expr: &Expr) -> Option<&'static str> {
    if expr.negated {
        return Some("unexpected negation ('not') in template-string expression");
    }
    match &expr.kind {
        ExprKind::Call(terms) => match terms.first().map(|t| &t.value) {
            Some(TermValue::Ref(op)) => match op.as_slice() {
                [
                    Term {
                        value: TermValue::Var(v),
                        ..
                    },
                ] if v == "eq" => Some("unexpected unification ('=') in template-string expression"),
                [
                    Term {
                        value: TermValue::Var(v),
                        ..
                    },
                ] if v == "assign" => Some("unexpected assignment (':=') in template-string expression"),
                _ => None,
            },
            _ => None,
        },
        ExprKind::Not(_) => Some("unexpected negation ('not') in template-string expression"),
        ExprKind::Every(_) => Some("unexpected 'every' in template-string expression"),
        ExprKind::Some(_) => Some("unexpected 'some' in template-string expression"),
        _ => None,
    }
}
