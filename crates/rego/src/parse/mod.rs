//! Lexer and parser for Rego v0 and v1, as OPA reads them.
//!
//! OPA's grammar is defined by what its parser tries, in which order, and where it goes back; this parser tries the
//! same. What bounds it: a depth of nesting and of operator chains ([`MAX_DEPTH`]), and a number of tokens read in
//! all, so that going back again and again ends in an error and not in exponential time.

mod annotations;
mod expr;
mod lex;
mod module;
mod rule;
mod term;

use crate::ast::{Expr, Loc, Module, RegoVersion};
use crate::error::{Code, Error};
use lex::{Keywords, Mode, Scanner, Tok, Token};
use std::sync::Arc;

/// Levels of nesting, links of an operator chain and branches of an `else` chain that are read; the stages after this
/// one walk the tree by recursion and rely on it.
pub const MAX_DEPTH: u32 = 200;

/// Reads one module. Linear in the text, bounded depth, never panics; gathers all errors it can.
///
/// Only what OPA's own parser finds without looking at METADATA blocks is an error; blocks that cannot be read are
/// left out. [`parse_module_annotated`] makes them errors.
///
/// # Errors
/// Those of OPA, and one for nesting beyond [`MAX_DEPTH`].
pub fn parse_module(file: &str, text: &str, version: RegoVersion) -> Result<Module, Vec<Error>> {
    module::parse(file, text, version, false)
}

/// [`parse_module`], with faults of METADATA blocks as errors (as `opa check` and `opa eval` read files).
///
/// # Errors
/// See [`parse_module`].
pub fn parse_module_annotated(file: &str, text: &str, version: RegoVersion) -> Result<Module, Vec<Error>> {
    module::parse(file, text, version, true)
}

/// Reads a query (a body, `;` or newline between expressions).
///
/// # Errors
/// Those of OPA's parser; an empty query is one.
pub fn parse_query(file: &str, text: &str, version: RegoVersion) -> Result<Vec<Expr>, Vec<Error>> {
    module::parse_query(file, text, version)
}

/// Reads a single term.
///
/// # Errors
/// Those of the parser, and one when the text is not one term.
pub fn parse_term(file: &str, text: &str, version: RegoVersion) -> Result<crate::ast::Term, Vec<Error>> {
    let body = parse_query(file, text, version)?;
    let loc = body.first().map(|e| e.loc.clone()).unwrap_or_default();
    match <[Expr; 1]>::try_from(body) {
        Ok([expr]) if expr.with.is_empty() && !expr.negated => match expr.kind {
            crate::ast::ExprKind::Term(term) => return Ok(term),
            crate::ast::ExprKind::Call(terms) => {
                return Ok(crate::ast::Term::at(crate::ast::TermValue::Call(terms), &loc));
            }
            _ => {}
        },
        _ => {}
    }
    Err(vec![Error::new(Code::Parse, &loc, "expected exactly one term")])
}

/// What the parser goes back to.
#[derive(Clone)]
struct State<'a> {
    scanner: Scanner<'a>,
    token: Token,
    tok: Tok,
    /// End of the token before this one.
    last_end: usize,
    /// A line ended between the token before and this one.
    skipped_newline: bool,
    wildcard: u32,
    errors: usize,
    comments: usize,
    hints: Vec<&'static str>,
}

struct Parser<'a> {
    s: State<'a>,
    file: Arc<str>,
    v1: bool,
    keywords: Keywords,
    /// `import future.keywords.not`.
    not_bodies: bool,
    errors: Vec<Error>,
    comments: Vec<(Loc, String)>,
    depth: u32,
    /// Height of the term or body read last.
    height: u32,
    /// Tokens that may still be read.
    fuel: u64,
    /// A limit was hit; nothing is read after it.
    fatal: Option<Error>,
}

impl<'a> Parser<'a> {
    fn new(file: &str, text: &'a str, version: RegoVersion) -> Parser<'a> {
        let v1 = version == RegoVersion::V1;
        let token = Token {
            tok: Tok::Illegal,
            start: 0,
            end: 0,
            lit: 0,
            row: 0,
            col: 0,
        };
        Parser {
            s: State {
                scanner: Scanner::new(text),
                token,
                tok: Tok::Illegal,
                last_end: 0,
                skipped_newline: false,
                wildcard: 0,
                errors: 0,
                comments: 0,
                hints: Vec::new(),
            },
            file: file.into(),
            v1,
            keywords: if v1 { Keywords::ALL } else { Keywords::default() },
            not_bodies: false,
            errors: Vec::new(),
            comments: Vec::new(),
            depth: 0,
            height: 0,
            fuel: 10_000 + 64 * text.len() as u64,
            fatal: None,
        }
    }

    fn save(&mut self) -> State<'a> {
        self.s.errors = self.errors.len();
        self.s.comments = self.comments.len();
        self.s.clone()
    }

    fn restore(&mut self, s: State<'a>) {
        self.errors.truncate(s.errors);
        self.comments.truncate(s.comments);
        self.s = s;
    }

    fn tok(&self) -> Tok {
        self.s.tok
    }

    /// Text of the token.
    fn lit(&self) -> &'a str {
        self.s.scanner.slice(self.s.token.lit, self.s.token.end)
    }

    /// Place of the token.
    fn loc(&self) -> Loc {
        let t = &self.s.token;
        Loc {
            file: Some(self.file.clone()),
            row: t.row,
            col: t.col,
            start: t.start as u32,
            end: t.end as u32,
        }
    }

    fn start(&self) -> u32 {
        self.s.token.start as u32
    }

    fn tok_end(&self) -> u32 {
        self.s.token.end as u32
    }

    fn last_end(&self) -> u32 {
        self.s.last_end as u32
    }

    /// The next token that is no blank.
    fn scan(&mut self) {
        self.do_scan(true, Mode::Plain);
    }

    /// The next token, which may be a blank.
    fn scan_blank(&mut self) {
        self.do_scan(false, Mode::Plain);
    }

    fn do_scan(&mut self, skip_blanks: bool, mode: Mode) {
        if self.s.tok != Tok::Whitespace {
            self.s.last_end = self.s.token.end;
            self.s.skipped_newline = false;
        }
        loop {
            if self.fatal.is_some() {
                self.s.tok = Tok::Eof;
                return;
            }
            self.fuel -= 1;
            let (token, faults) = self.s.scanner.scan(mode, self.keywords);
            self.s.token = token;
            self.s.tok = token.tok;
            if self.fuel == 0 {
                self.give_up("too ambiguous to read: write it with fewer brackets inside each other");
                continue;
            }
            if !faults.is_empty() {
                let loc = self.loc();
                for fault in faults {
                    self.error(&loc, fault);
                }
                self.s.tok = Tok::Illegal;
            }
            match self.s.tok {
                Tok::Whitespace => {
                    if self.s.scanner.slice(token.start, token.end) == "\n" {
                        self.s.skipped_newline = true;
                    }
                    if !skip_blanks {
                        return;
                    }
                }
                Tok::Comment => {
                    let text = self.s.scanner.slice(token.start + 1, token.end);
                    let text = text.strip_suffix('\r').unwrap_or(text);
                    self.comments.push((self.loc(), text.to_owned()));
                }
                _ => return,
            }
        }
    }

    /// A limit is hit: an error that going back does not undo, and the end of reading.
    fn give_up(&mut self, message: &str) {
        if self.fatal.is_none() {
            self.fatal = Some(Error::new(Code::Parse, &self.loc(), message));
        }
        self.s.tok = Tok::Eof;
    }

    /// One level deeper; false beyond the limit. [`Parser::leave`] must follow if true.
    fn enter(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            self.give_up("max parsing recursion depth exceeded");
            return false;
        }
        self.depth += 1;
        true
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Sets the height of what was just built; false (and the end) beyond the limit.
    fn grow(&mut self, height: u32) -> bool {
        self.height = height;
        if height > MAX_DEPTH {
            self.give_up("max parsing recursion depth exceeded");
            return false;
        }
        true
    }

    fn error(&mut self, loc: &Loc, reason: &str) {
        let mut message = reason.to_owned();
        let hints = std::mem::take(&mut self.s.hints);
        match hints.as_slice() {
            [] => {}
            [one] => message.push_str(&format!(" (hint: {one})")),
            more => message.push_str(&format!(" (hints: {})", more.join(", "))),
        }
        self.errors.push(Error::new(Code::Parse, loc, message));
    }

    fn hint(&mut self, hint: &'static str) {
        self.s.hints.push(hint);
    }

    /// The token is wrong here.
    fn illegal(&mut self, note: &str) {
        let loc = self.loc();
        if self.s.tok == Tok::Illegal {
            return self.error(&loc, "illegal token");
        }
        let kind = if self.s.tok.is_keyword() { "keyword" } else { "token" };
        let name = self.s.tok.name();
        match note {
            "" => self.error(&loc, &format!("unexpected {name} {kind}")),
            _ => self.error(&loc, &format!("unexpected {name} {kind}: {note}")),
        }
    }

    /// Whether the word is a keyword that may also stand in a reference.
    fn is_ref_keyword(&self, tok: Tok) -> bool {
        use Tok::*;
        matches!(
            tok,
            Not | Package
                | Import
                | As
                | Default
                | Else
                | With
                | Null
                | True
                | False
                | Some
                | If
                | Contains
                | In
                | Every
        )
    }

    /// Takes a keyword for a name where a reference follows (`not.x`).
    fn scan_ahead_ref(&mut self) -> bool {
        if !self.is_ref_keyword(self.s.tok) {
            return false;
        }
        let s = self.save();
        self.scan_blank();
        let next = self.s.tok;
        self.restore(s);
        if matches!(next, Tok::Dot | Tok::LBrack) {
            self.s.tok = Tok::Ident;
            return true;
        }
        false
    }

    fn next_wildcard(&mut self) -> crate::ast::TermValue {
        let n = self.s.wildcard;
        self.s.wildcard += 1;
        crate::ast::TermValue::Var(smol_str::format_smolstr!("${n}"))
    }
}
