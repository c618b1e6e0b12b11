//! The parser: what both kinds of documents share, and queries. The first error ends it.

use super::ast::{
    Argument, Child, Comments, Directive, Field, Fragment, Inline, Literal, LiteralKind, Operation, Pos, Query,
    Selection, Spread, TypeRef, Variable,
};
use super::error::GraphqlError;
use super::lex::{Kind, Lexer, Token};
use super::{DEPTH, too_deep};
use crate::builtins::{Failure, Host};
use smol_str::SmolStr;

/// What a token may cost in memory, its share of the value made of it included.
const TOKEN_COST: usize = 512;

pub(super) struct Parser<'a> {
    host: &'a mut dyn Host,
    lexer: Lexer<'a>,
    pub(super) error: Option<GraphqlError>,
    /// A limit was hit; there is an `error`, too, then.
    halt: Option<Failure>,
    peeked: Option<(Token, Option<GraphqlError>)>,
    pub(super) previous: Token,
    /// The comments before the token that comes.
    pub(super) comment: Comments,
    in_comments: bool,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(host: &'a mut dyn Host, text: &'a str) -> Parser<'a> {
        Parser {
            host,
            lexer: Lexer::new(text),
            error: None,
            halt: None,
            peeked: None,
            previous: Token {
                kind: Kind::Invalid,
                value: SmolStr::default(),
                pos: Pos { line: 0, column: 0 },
            },
            comment: Comments::new(),
            in_comments: false,
            depth: 0,
        }
    }

    /// What came of it: the document, or why there is none.
    pub(super) fn finish<T>(self, document: T) -> Result<Result<T, GraphqlError>, Failure> {
        match (self.halt, self.error) {
            (Some(halt), _) => Err(halt),
            (None, Some(error)) => Ok(Err(error)),
            (None, None) => Ok(Ok(document)),
        }
    }

    fn stop(&mut self, halt: Failure) {
        self.error = Some(GraphqlError::at(None, "a limit was hit"));
        self.halt.get_or_insert(halt);
    }

    fn read(&mut self) -> (Token, Option<GraphqlError>) {
        if let Err(halt) = self.host.charge(TOKEN_COST) {
            self.stop(halt);
        }
        self.lexer.read()
    }

    fn read_comments(&mut self) {
        if self.error.is_some() || self.in_comments {
            return;
        }
        self.in_comments = true;
        let mut lines = Comments::new();
        while self.error.is_none() {
            let token = self.peek();
            if token.kind != Kind::Comment {
                break;
            }
            self.next();
            lines.push(token.value.to_string());
        }
        self.comment = lines;
        self.in_comments = false;
    }

    pub(super) fn peek(&mut self) -> Token {
        if self.error.is_some() {
            return self.previous.clone();
        }
        if self.peeked.is_none() {
            let read = self.read();
            let is_comment = read.0.kind == Kind::Comment;
            self.peeked = Some(read);
            if is_comment {
                self.read_comments();
            }
        }
        match &self.peeked {
            Some((token, _)) => token.clone(),
            None => self.previous.clone(),
        }
    }

    pub(super) fn next(&mut self) -> Token {
        if self.error.is_some() {
            return self.previous.clone();
        }
        match self.peeked.take() {
            Some((token, error)) => {
                self.comment.clear();
                self.previous = token;
                self.error = error;
            }
            None => {
                let (token, error) = self.read();
                let is_comment = token.kind == Kind::Comment;
                self.previous = token;
                if error.is_some() {
                    self.error = error;
                }
                if is_comment {
                    self.read_comments();
                }
            }
        }
        self.previous.clone()
    }

    pub(super) fn fail(&mut self, token: &Token, message: String) {
        if self.error.is_none() {
            self.error = Some(GraphqlError::at(Some(token.pos), message));
        }
    }

    pub(super) fn unexpected(&mut self) {
        let token = self.peek();
        self.unexpected_token(&token);
    }

    pub(super) fn unexpected_token(&mut self, token: &Token) {
        self.fail(token, format!("Unexpected {}", token.text()));
    }

    /// The word that must stand here; gives the comments before it.
    pub(super) fn keyword(&mut self, word: &str) -> Comments {
        let token = self.peek();
        let comment = self.comment.clone();
        if token.kind == Kind::Name && token.value == word {
            self.next();
        } else {
            self.fail(&token, format!("Expected \"{word}\", found {}", token.text()));
        }
        comment
    }

    /// The token that must stand here, and the comments before it.
    pub(super) fn expect(&mut self, kind: Kind) -> (Token, Comments) {
        let token = self.peek();
        let comment = self.comment.clone();
        if token.kind == kind {
            return (self.next(), comment);
        }
        self.fail(&token, format!("Expected {}, found {}", kind.text(), token.kind.text()));
        (token, comment)
    }

    pub(super) fn skip(&mut self, kind: Kind) -> bool {
        let found = self.error.is_none() && self.peek().kind == kind;
        if found {
            self.next();
        }
        found
    }

    pub(super) fn name(&mut self) -> SmolStr {
        self.expect(Kind::Name).0.value
    }

    pub(super) fn pos(&mut self) -> Option<Pos> {
        match self.error {
            Some(_) => None,
            None => Some(self.peek().pos),
        }
    }

    /// Any number of items between two tokens, or nothing.
    fn many(&mut self, start: Kind, end: Kind, mut item: impl FnMut(&mut Self)) {
        if !self.skip(start) {
            return;
        }
        while self.peek().kind != end && self.error.is_none() {
            item(self);
        }
        self.next();
    }

    /// At least one item between two tokens, or nothing; gives the comments before the last token.
    pub(super) fn some(&mut self, start: Kind, end: Kind, mut item: impl FnMut(&mut Self)) -> Comments {
        if !self.skip(start) {
            return Comments::new();
        }
        let mut called = false;
        while self.peek().kind != end && self.error.is_none() {
            called = true;
            item(self);
        }
        if !called {
            let token = self.peek();
            let found = token.kind.text();
            self.fail(&token, format!("expected at least one definition, found {found}"));
            return Comments::new();
        }
        let comment = self.comment.clone();
        self.next();
        comment
    }

    /// Runs what may nest, within the limit.
    fn nested<T: Default>(&mut self, part: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth >= DEPTH {
            self.stop(too_deep());
            return T::default();
        }
        self.depth += 1;
        let out = part(self);
        self.depth -= 1;
        out
    }

    pub(super) fn query(&mut self) -> Query {
        let mut out = Query::default();
        while self.peek().kind != Kind::End && self.error.is_none() {
            let token = self.peek();
            match (token.kind, token.value.as_str()) {
                (Kind::Name, "query" | "mutation" | "subscription") | (Kind::BraceL, _) => {
                    out.operations.push(self.operation());
                }
                (Kind::Name, "fragment") => out.fragments.push(self.fragment_definition()),
                _ => self.unexpected(),
            }
        }
        out
    }

    fn operation(&mut self) -> Operation {
        let short = self.peek().kind == Kind::BraceL;
        let mut out = Operation {
            pos: self.pos(),
            operation: "query".into(),
            ..Operation::default()
        };
        if !short {
            out.comment = self.comment.clone();
            out.operation = self.operation_type();
            if self.peek().kind == Kind::Name {
                out.name = self.next().value;
            }
            out.variables = self.variables();
            out.directives = self.directives(false);
        }
        out.selections = self.selections();
        out
    }

    pub(super) fn operation_type(&mut self) -> SmolStr {
        let token = self.next();
        match token.value.as_str() {
            "query" | "mutation" | "subscription" => token.value,
            _ => {
                self.unexpected_token(&token);
                SmolStr::default()
            }
        }
    }

    fn variables(&mut self) -> Vec<Variable> {
        let mut out = Vec::new();
        self.some(Kind::ParenL, Kind::ParenR, |p| {
            let pos = p.pos();
            let comment = p.comment.clone();
            let name = p.variable();
            p.expect(Kind::Colon);
            let of = p.type_ref();
            let default = p.skip(Kind::Equals).then(|| p.literal(true));
            let directives = p.directives(false);
            out.push(Variable {
                name,
                of,
                default,
                directives,
                pos,
                comment,
            });
        });
        out
    }

    fn variable(&mut self) -> SmolStr {
        self.expect(Kind::Dollar);
        self.name()
    }

    /// A selection set that must be there.
    fn selections(&mut self) -> Vec<Selection> {
        let token = self.peek();
        if token.kind != Kind::BraceL {
            self.fail(&token, format!("Expected {{, found {}", token.kind.text()));
            return Vec::new();
        }
        self.nested(|p| {
            let mut out = Vec::new();
            p.some(Kind::BraceL, Kind::BraceR, |p| {
                let selection = match p.peek().kind {
                    Kind::Spread => p.spread(),
                    _ => Selection::Field(p.field()),
                };
                out.push(selection);
            });
            out
        })
    }

    fn field(&mut self) -> Field {
        let pos = self.pos();
        let comment = self.comment.clone();
        let alias = self.name();
        let name = match self.skip(Kind::Colon) {
            true => self.name(),
            false => alias.clone(),
        };
        let arguments = self.arguments(false);
        let directives = self.directives(false);
        let selections = match self.peek().kind {
            Kind::BraceL => self.selections(),
            _ => Vec::new(),
        };
        Field {
            alias,
            name,
            arguments,
            directives,
            selections,
            pos,
            comment,
        }
    }

    fn arguments(&mut self, constant: bool) -> Vec<Argument> {
        let mut out = Vec::new();
        self.some(Kind::ParenL, Kind::ParenR, |p| {
            let pos = p.pos();
            let comment = p.comment.clone();
            let name = p.name();
            p.expect(Kind::Colon);
            let value = p.literal(constant);
            out.push(Argument {
                name,
                value,
                pos,
                comment,
            });
        });
        out
    }

    /// What begins with `...`.
    fn spread(&mut self) -> Selection {
        let (_, comment) = self.expect(Kind::Spread);
        let token = self.peek();
        if token.kind == Kind::Name && token.value != "on" {
            return Selection::Spread(Spread {
                pos: self.pos(),
                comment,
                name: self.fragment_name(),
                directives: self.directives(false),
            });
        }
        let mut out = Inline {
            pos: self.pos(),
            comment,
            ..Inline::default()
        };
        if self.peek().value == "on" {
            self.next();
            out.on = self.name();
        }
        out.directives = self.directives(false);
        out.selections = self.selections();
        Selection::Inline(out)
    }

    fn fragment_definition(&mut self) -> Fragment {
        let pos = self.pos();
        let comment = self.comment.clone();
        self.keyword("fragment");
        let name = self.fragment_name();
        let variables = self.variables();
        self.keyword("on");
        Fragment {
            name,
            variables,
            on: self.name(),
            directives: self.directives(false),
            selections: self.selections(),
            pos,
            comment,
        }
    }

    fn fragment_name(&mut self) -> SmolStr {
        if self.peek().value == "on" {
            self.unexpected();
            return SmolStr::default();
        }
        self.name()
    }

    pub(super) fn literal(&mut self, constant: bool) -> Literal {
        let token = self.peek();
        let kind = match token.kind {
            Kind::BracketL => return self.nested(|p| p.list(constant)),
            Kind::BraceL => return self.nested(|p| p.object(constant)),
            Kind::Dollar if !constant => {
                return Literal {
                    pos: Some(token.pos),
                    raw: self.variable(),
                    ..Literal::default()
                };
            }
            Kind::Int => LiteralKind::Int,
            Kind::Float => LiteralKind::Float,
            Kind::String => LiteralKind::String,
            Kind::Block => LiteralKind::Block,
            Kind::Name => match token.value.as_str() {
                "true" | "false" => LiteralKind::Boolean,
                "null" => LiteralKind::Null,
                _ => LiteralKind::Enum,
            },
            _ => {
                self.unexpected();
                return Literal::default();
            }
        };
        self.next();
        Literal {
            pos: Some(token.pos),
            raw: token.value,
            kind,
            ..Literal::default()
        }
    }

    fn list(&mut self, constant: bool) -> Literal {
        let mut out = Literal {
            kind: LiteralKind::List,
            pos: self.pos(),
            comment: self.comment.clone(),
            ..Literal::default()
        };
        self.many(Kind::BracketL, Kind::BracketR, |p| {
            let value = p.literal(constant);
            out.children.push(Child {
                value,
                ..Child::default()
            });
        });
        out
    }

    fn object(&mut self, constant: bool) -> Literal {
        let mut out = Literal {
            kind: LiteralKind::Object,
            pos: self.pos(),
            comment: self.comment.clone(),
            ..Literal::default()
        };
        self.many(Kind::BraceL, Kind::BraceR, |p| {
            let pos = p.pos();
            let comment = p.comment.clone();
            let name = p.name();
            p.expect(Kind::Colon);
            let value = p.literal(constant);
            out.children.push(Child {
                name,
                value,
                pos,
                comment,
            });
        });
        out
    }

    pub(super) fn directives(&mut self, constant: bool) -> Vec<Directive> {
        let mut out = Vec::new();
        while self.peek().kind == Kind::At && self.error.is_none() {
            self.expect(Kind::At);
            out.push(Directive {
                pos: self.pos(),
                name: self.name(),
                arguments: self.arguments(constant),
                ..Directive::default()
            });
        }
        out
    }

    pub(super) fn type_ref(&mut self) -> TypeRef {
        let mut out = TypeRef::default();
        if self.skip(Kind::BracketL) {
            out.pos = self.pos();
            out.elem = Some(Box::new(self.nested(Self::type_ref)));
            self.expect(Kind::BracketR);
        } else {
            out.pos = self.pos();
            out.named = self.name();
        }
        out.non_null = self.skip(Kind::Bang);
        out
    }
}
