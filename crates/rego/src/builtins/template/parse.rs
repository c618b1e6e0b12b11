//! Text to a tree of nodes.

use std::collections::BTreeMap;

/// A template and those it defines.
pub(super) struct Template {
    pub(super) nodes: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
    Break,
    Continue,
    Call(String, Option<Pipe>),
}

/// `$a, $b := x | f y`
pub(super) struct Pipe {
    pub(super) vars: Vec<String>,
    /// `=` rather than `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

pub(super) struct Operand {
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
}

pub(super) enum Base {
    Dot,
    Var(String),
    Function(String),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Nil,
    Pipe(Box<Pipe>),
}

/// Levels of blocks and brackets.
const DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A keyword or a function.
    Word(String),
    /// `.name`, right after what came before or on its own.
    Field(String),
    Dot,
    Var(String),
    Text(String),
    Number(String),
    Char(char),
    Sign(&'static str),
    Space,
}

enum Piece {
    Text(String),
    Action(usize, Vec<Token>),
}

/// Reads a template; the fault is `line: what`.
pub(super) fn parse(text: &str) -> Result<Template, String> {
    let mut parser = Parser {
        pieces: pieces(text)?.into_iter().peekable(),
        defined: BTreeMap::new(),
        loops: 0,
        line: 1,
    };
    let (nodes, end) = parser.nodes(0)?;
    match end {
        End::Text => Ok(Template {
            nodes,
            defined: parser.defined,
        }),
        _ => Err(format!("{}: unexpected {{{{end}}}}", parser.line)),
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut trim = false;
    loop {
        let (before, after) = match rest.split_once("{{") {
            Some((before, after)) => (before, Some(after)),
            None => (rest, None),
        };
        line += before.matches('\n').count();
        let mut shown = if trim { before.trim_start_matches(SPACE) } else { before };
        let Some(mut action) = after else {
            out.push(Piece::Text(shown.to_string()));
            return Ok(out);
        };
        if action.starts_with('-') && action.chars().nth(1).is_some_and(|c| SPACE.contains(&c)) {
            shown = shown.trim_end_matches(SPACE);
            action = action.strip_prefix('-').unwrap_or(action);
        }
        out.push(Piece::Text(shown.to_string()));
        let bare = action.trim_start_matches(SPACE);
        if bare.starts_with("/*") {
            let (_, tail) = bare
                .split_once("*/")
                .ok_or_else(|| format!("{line}: unclosed comment"))?;
            let close = tail.trim_start_matches(SPACE);
            trim = close.starts_with("-}}");
            let close = close.strip_prefix('-').unwrap_or(close);
            rest = close
                .strip_prefix("}}")
                .ok_or_else(|| format!("{line}: comment ends before closing delimiter"))?;
            continue;
        }
        let mut scan = Scan {
            rest: action,
            tokens: Vec::new(),
            line,
        };
        trim = scan.run()?;
        rest = scan.rest;
        line = scan.line;
        out.push(Piece::Action(line, scan.tokens));
    }
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

struct Scan<'a> {
    rest: &'a str,
    tokens: Vec<Token>,
    line: usize,
}

impl<'a> Scan<'a> {
    fn fault<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{}: {what}", self.line))
    }

    fn take(&mut self, n: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(n).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> String {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        self.take(end).to_string()
    }

    /// Tokens up to the closing braces; whether the text after them loses its space.
    fn run(&mut self) -> Result<bool, String> {
        loop {
            let spaced = self.rest.starts_with(SPACE);
            if spaced {
                let blank = self.rest.len() - self.rest.trim_start_matches(SPACE).len();
                let blank = self.take(blank);
                self.line += blank.matches('\n').count();
                self.tokens.push(Token::Space);
            }
            if spaced && self.rest.starts_with("-}}") {
                self.take(3);
                return Ok(true);
            }
            if self.rest.starts_with("}}") {
                self.take(2);
                return Ok(false);
            }
            let token = match self.rest.chars().next() {
                None => return self.fault("unclosed action"),
                Some('"') => self.text()?,
                Some('`') => {
                    self.take(1);
                    let Some((raw, rest)) = self.rest.split_once('`') else {
                        return self.fault("unterminated raw quoted string");
                    };
                    self.rest = rest;
                    Token::Text(raw.to_string())
                }
                Some('\'') => {
                    let mut chars = self.rest.chars().skip(1);
                    match (chars.next(), chars.next()) {
                        (Some(c), Some('\'')) if c != '\\' => {
                            self.take(2 + c.len_utf8());
                            Token::Char(c)
                        }
                        _ => return self.fault("character constants with escapes are not supported"),
                    }
                }
                Some('$') => {
                    self.take(1);
                    Token::Var(self.word())
                }
                Some('.') if !self.rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => {
                    self.take(1);
                    let name = self.word();
                    if name.is_empty() {
                        Token::Dot
                    } else {
                        Token::Field(name)
                    }
                }
                Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => {
                    let end = self
                        .rest
                        .find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
                    let end = end.unwrap_or(self.rest.len());
                    Token::Number(self.take(end).to_string())
                }
                Some(c) if c.is_alphabetic() || c == '_' => Token::Word(self.word()),
                Some(':') if self.rest.starts_with(":=") => {
                    self.take(2);
                    Token::Sign(":=")
                }
                Some(c) => {
                    let sign = ["=", "|", "(", ")", ","]
                        .into_iter()
                        .find(|s| self.rest.starts_with(*s));
                    let Some(sign) = sign else {
                        return self.fault(&format!("unexpected {c:?} in action"));
                    };
                    self.take(1);
                    Token::Sign(sign)
                }
            };
            self.tokens.push(token);
        }
    }

    fn text(&mut self) -> Result<Token, String> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let end = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            end || *c == '\n'
        });
        let Some((end, '"')) = end else {
            return self.fault("unterminated quoted string");
        };
        let quoted = self.take(end + 1);
        // Go's escapes are those of JSON, but for a few that templates hardly use.
        match crate::json::read(quoted.as_bytes(), crate::json::ReadOptions::default()) {
            Ok(crate::value::Value::String(s)) => Ok(Token::Text(s.to_string())),
            _ => self.fault("invalid quoted string"),
        }
    }
}

/// What ended a list of nodes.
enum End {
    Text,
    Close,
    Else(Vec<Token>),
}

struct Parser {
    pieces: std::iter::Peekable<std::vec::IntoIter<Piece>>,
    defined: BTreeMap<String, Vec<Node>>,
    loops: usize,
    line: usize,
}

impl Parser {
    fn fault<T>(&self, what: impl AsRef<str>) -> Result<T, String> {
        Err(format!("{}: {}", self.line, what.as_ref()))
    }

    fn nodes(&mut self, depth: usize) -> Result<(Vec<Node>, End), String> {
        if depth > DEPTH {
            return self.fault("nested too deeply");
        }
        let mut out = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Text(text) => {
                    if !text.is_empty() {
                        out.push(Node::Text(text));
                    }
                    continue;
                }
                Piece::Action(line, tokens) => {
                    self.line = line;
                    tokens
                }
            };
            let mut tokens = Tokens {
                tokens: tokens.into_iter().peekable(),
                depth: 0,
            };
            tokens.space();
            let keyword = match tokens.tokens.peek() {
                Some(Token::Word(w)) => w.clone(),
                _ => String::new(),
            };
            let known = matches!(
                keyword.as_str(),
                "if" | "with" | "range" | "end" | "else" | "break" | "continue" | "template" | "define" | "block"
            );
            if !known {
                out.push(Node::Action(self.pipe(tokens)?));
                continue;
            }
            tokens.tokens.next();
            match keyword.as_str() {
                "end" => return Ok((out, End::Close)),
                "else" => return Ok((out, End::Else(tokens.tokens.collect()))),
                "break" | "continue" if self.loops == 0 => {
                    return self.fault(format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                }
                "break" => out.push(Node::Break),
                "continue" => out.push(Node::Continue),
                "template" => {
                    let name = self.name(&mut tokens)?;
                    tokens.space();
                    let pipe = if tokens.tokens.peek().is_some() {
                        Some(self.pipe(tokens)?)
                    } else {
                        None
                    };
                    out.push(Node::Call(name, pipe));
                }
                "define" => {
                    let name = self.name(&mut tokens)?;
                    let nodes = self.body(depth)?;
                    self.defined.insert(name, nodes);
                }
                "block" => {
                    let name = self.name(&mut tokens)?;
                    let pipe = self.pipe(tokens)?;
                    let nodes = self.body(depth)?;
                    self.defined.insert(name.clone(), nodes);
                    out.push(Node::Call(name, Some(pipe)));
                }
                _ => out.push(self.control(&keyword, tokens, depth)?),
            }
        }
        Ok((out, End::Text))
    }

    fn name(&mut self, tokens: &mut Tokens) -> Result<String, String> {
        tokens.space();
        match tokens.tokens.next() {
            Some(Token::Text(name)) => Ok(name),
            _ => self.fault("missing name of a template"),
        }
    }

    /// Nodes up to an `end` without `else`.
    fn body(&mut self, depth: usize) -> Result<Vec<Node>, String> {
        match self.nodes(depth + 1)? {
            (nodes, End::Close) => Ok(nodes),
            (_, End::Else(_)) => self.fault("unexpected {{else}}"),
            (_, End::Text) => self.fault("unexpected EOF"),
        }
    }

    fn control(&mut self, keyword: &str, tokens: Tokens, depth: usize) -> Result<Node, String> {
        if depth > DEPTH {
            return self.fault("nested too deeply");
        }
        let pipe = self.pipe(tokens)?;
        self.loops += usize::from(keyword == "range");
        let (nodes, end) = self.nodes(depth + 1)?;
        self.loops -= usize::from(keyword == "range");
        let otherwise = match end {
            End::Text => return self.fault("unexpected EOF"),
            End::Close => Vec::new(),
            End::Else(tokens) => {
                let mut tokens = Tokens {
                    tokens: tokens.into_iter().peekable(),
                    depth: 0,
                };
                tokens.space();
                match tokens.tokens.next() {
                    None => self.body(depth)?,
                    // `else if` shares the `end` of the whole.
                    Some(Token::Word(w)) if w == keyword && matches!(keyword, "if" | "with") => {
                        vec![self.control(keyword, tokens, depth + 1)?]
                    }
                    _ => return self.fault("unexpected text in else"),
                }
            }
        };
        Ok(match keyword {
            "if" => Node::If(pipe, nodes, otherwise),
            "with" => Node::With(pipe, nodes, otherwise),
            _ => Node::Range(pipe, nodes, otherwise),
        })
    }

    fn pipe(&mut self, mut tokens: Tokens) -> Result<Pipe, String> {
        let pipe = tokens.pipe().map_err(|what| format!("{}: {what}", self.line))?;
        match tokens.tokens.next() {
            None => Ok(pipe),
            Some(t) => self.fault(format!("unexpected {t:?}")),
        }
    }
}

struct Tokens {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Tokens {
    fn space(&mut self) -> bool {
        let mut any = false;
        while self.tokens.next_if_eq(&Token::Space).is_some() {
            any = true;
        }
        any
    }

    fn sign(&mut self, sign: &'static str) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn pipe(&mut self) -> Result<Pipe, String> {
        let mut pipe = Pipe {
            vars: Vec::new(),
            assigns: false,
            commands: Vec::new(),
        };
        self.space();
        if let Some(Token::Var(name)) = self.tokens.peek().cloned() {
            // Variables may be declared, or be the first operand.
            let saved = self.tokens.clone();
            self.tokens.next();
            pipe.vars.push(name);
            self.space();
            if self.sign(",") {
                self.space();
                match self.tokens.next() {
                    Some(Token::Var(name)) => pipe.vars.push(name),
                    _ => return Err("range can only initialize variables".into()),
                }
                self.space();
            }
            if self.sign(":=") {
            } else if self.sign("=") {
                pipe.assigns = true;
            } else {
                pipe.vars.clear();
                self.tokens = saved;
            }
        }
        loop {
            let command = self.command()?;
            if command.is_empty() {
                return Err("missing value for command".into());
            }
            let literal = |o: &Operand| !matches!(o.base, Base::Function(_) | Base::Dot | Base::Var(_) | Base::Pipe(_));
            if !pipe.commands.is_empty() && command.first().is_some_and(literal) {
                return Err("non executable command in pipeline".into());
            }
            pipe.commands.push(command);
            if !self.sign("|") {
                return Ok(pipe);
            }
            // Go lets a bar stand at the end.
            self.space();
            if self.tokens.peek().is_none() {
                return Ok(pipe);
            }
        }
    }

    fn command(&mut self) -> Result<Vec<Operand>, String> {
        let mut out = Vec::new();
        loop {
            self.space();
            let base = match self.tokens.peek() {
                None | Some(Token::Sign("|" | ")")) => return Ok(out),
                Some(Token::Sign("(")) => {
                    self.tokens.next();
                    self.depth += 1;
                    if self.depth > DEPTH {
                        return Err("nested too deeply".into());
                    }
                    let inner = self.pipe()?;
                    if !self.sign(")") {
                        return Err("unclosed left paren".into());
                    }
                    self.depth -= 1;
                    Base::Pipe(Box::new(inner))
                }
                Some(Token::Field(_)) => Base::Dot,
                _ => match self.tokens.next() {
                    Some(Token::Dot) => Base::Dot,
                    Some(Token::Var(name)) => Base::Var(name),
                    Some(Token::Text(text)) => Base::Text(text),
                    Some(Token::Char(c)) => Base::Int(i64::from(u32::from(c))),
                    Some(Token::Number(text)) => number(&text)?,
                    Some(Token::Word(word)) => match word.as_str() {
                        "true" => Base::Bool(true),
                        "false" => Base::Bool(false),
                        "nil" => Base::Nil,
                        _ if FUNCTIONS.contains(&word.as_str()) => Base::Function(word),
                        _ => return Err(format!("function {word:?} not defined")),
                    },
                    other => return Err(format!("unexpected {other:?}")),
                },
            };
            let mut fields = Vec::new();
            while let Some(Token::Field(name)) = self.tokens.peek() {
                fields.push(name.clone());
                self.tokens.next();
            }
            out.push(Operand { base, fields });
            if !matches!(self.tokens.peek(), None | Some(Token::Space | Token::Sign("|" | ")"))) {
                return Err("unexpected operand without space before it".into());
            }
        }
    }
}

/// Functions of Go's templates.
const FUNCTIONS: [&str; 20] = [
    "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "println", "printf",
    "html", "js", "urlquery", "call", "nil",
];

fn number(text: &str) -> Result<Base, String> {
    let plain = text.replace('_', "");
    if let Ok(i) = plain.parse::<i64>() {
        return Ok(Base::Int(i));
    }
    match plain.parse::<f64>() {
        Ok(f) if f.is_finite() && f.fract() == 0.0 && f.abs() < 9e15 && plain.contains(['e', 'E']) => {
            Ok(Base::Int(f as i64))
        }
        Ok(f) if f.is_finite() && !plain.contains(['n', 'i', 'N', 'I']) => Ok(Base::Float(f)),
        _ => Err(format!("bad number syntax: {text:?}")),
    }
}
