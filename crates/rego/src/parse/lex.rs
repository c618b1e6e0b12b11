//! Tokens and the scanner. One blank is one token: whether blanks stand before a bracket decides what it means.

/// The kinds of token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tok {
    Illegal,
    Eof,
    Whitespace,
    Ident,
    Comment,
    Package,
    Import,
    As,
    Default,
    Else,
    Not,
    Some,
    With,
    Null,
    True,
    False,
    Number,
    String,
    TemplatePart,
    TemplateEnd,
    RawTemplatePart,
    RawTemplateEnd,
    LBrack,
    RBrack,
    LBrace,
    RBrace,
    LParen,
    RParen,
    Comma,
    Colon,
    Add,
    Sub,
    Mul,
    Quo,
    Rem,
    And,
    Or,
    Unify,
    Equal,
    Assign,
    In,
    Neq,
    Gt,
    Lt,
    Gte,
    Lte,
    Dot,
    Semicolon,
    Every,
    Contains,
    If,
}

impl Tok {
    /// The name in messages, and of operators the name of their built-in.
    pub(super) fn name(self) -> &'static str {
        match self {
            Tok::Illegal => "illegal",
            Tok::Eof => "eof",
            Tok::Whitespace => "whitespace",
            Tok::Ident => "identifier",
            Tok::Comment => "comment",
            Tok::Package => "package",
            Tok::Import => "import",
            Tok::As => "as",
            Tok::Default => "default",
            Tok::Else => "else",
            Tok::Not => "not",
            Tok::Some => "some",
            Tok::With => "with",
            Tok::Null => "null",
            Tok::True => "true",
            Tok::False => "false",
            Tok::Number => "number",
            Tok::String => "string",
            Tok::TemplatePart => "template-string-part",
            Tok::TemplateEnd => "template-string-end",
            Tok::RawTemplatePart => "raw-template-string-part",
            Tok::RawTemplateEnd => "raw-template-string-end",
            Tok::LBrack => "[",
            Tok::RBrack => "]",
            Tok::LBrace => "{",
            Tok::RBrace => "}",
            Tok::LParen => "(",
            Tok::RParen => ")",
            Tok::Comma => ",",
            Tok::Colon => ":",
            Tok::Add => "plus",
            Tok::Sub => "minus",
            Tok::Mul => "mul",
            Tok::Quo => "div",
            Tok::Rem => "rem",
            Tok::And => "and",
            Tok::Or => "or",
            Tok::Unify => "eq",
            Tok::Equal => "equal",
            Tok::Assign => "assign",
            Tok::In => "in",
            Tok::Neq => "neq",
            Tok::Gt => "gt",
            Tok::Lt => "lt",
            Tok::Gte => "gte",
            Tok::Lte => "lte",
            Tok::Dot => ".",
            Tok::Semicolon => ";",
            Tok::Every => "every",
            Tok::Contains => "contains",
            Tok::If => "if",
        }
    }

    /// Called a keyword in messages.
    pub(super) fn is_keyword(self) -> bool {
        use Tok::*;
        matches!(
            self,
            Package
                | Import
                | As
                | Default
                | Else
                | Not
                | Some
                | With
                | Null
                | True
                | False
                | In
                | Every
                | Contains
                | If
        )
    }
}

/// Which of the words that some versions do not know are keywords now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keywords {
    pub(super) r#in: bool,
    pub(super) every: bool,
    pub(super) contains: bool,
    pub(super) r#if: bool,
}

impl Keywords {
    pub(super) const ALL: Keywords = Keywords {
        r#in: true,
        every: true,
        contains: true,
        r#if: true,
    };

    /// `every` brings `in`.
    pub(super) fn add(&mut self, word: &str) {
        match word {
            "in" => self.r#in = true,
            "every" => {
                self.every = true;
                self.r#in = true;
            }
            "contains" => self.contains = true,
            "if" => self.r#if = true,
            _ => {}
        }
    }

    /// What a word is.
    pub(super) fn token(self, word: &str) -> Tok {
        match word {
            "package" => Tok::Package,
            "import" => Tok::Import,
            "as" => Tok::As,
            "default" => Tok::Default,
            "else" => Tok::Else,
            "not" => Tok::Not,
            "some" => Tok::Some,
            "with" => Tok::With,
            "null" => Tok::Null,
            "true" => Tok::True,
            "false" => Tok::False,
            "in" if self.r#in => Tok::In,
            "every" if self.every => Tok::Every,
            "contains" if self.contains => Tok::Contains,
            "if" if self.r#if => Tok::If,
            _ => Tok::Ident,
        }
    }
}

/// One token with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) tok: Tok,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where the text of a literal begins: after the `$` of a template, at the `}` of one that goes on.
    pub(super) lit: usize,
    pub(super) row: u32,
    pub(super) col: u32,
}

/// How the next token is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    /// After the `}` of a template string's expression.
    Template,
    RawTemplate,
}

/// Reads tokens from a text. Cheap to copy: the parser goes back by putting an old copy in place.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    curr: Option<char>,
    /// Where `curr` begins.
    at: usize,
    row: u32,
    col: u32,
    /// Faults of the token being read; empty between tokens.
    faults: Vec<&'static str>,
}

const BOM: char = '\u{feff}';

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        let mut s = Scanner {
            text,
            curr: None,
            at: 0,
            row: 1,
            col: 0,
            faults: Vec::new(),
        };
        s.load();
        if s.curr == Some(BOM) {
            s.next();
        }
        s
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    fn load(&mut self) {
        self.curr = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        match self.curr {
            None => return,
            Some('\0') => self.faults.push("illegal null character"),
            Some(BOM) if self.at > 0 => self.faults.push("illegal byte-order mark"),
            _ => {}
        }
        if self.curr == Some('\n') {
            self.row += 1;
            self.col = 0;
        } else {
            self.col += 1;
        }
    }

    fn next(&mut self) {
        if let Some(c) = self.curr {
            self.at += c.len_utf8();
            self.load();
        }
    }

    fn skip_while(&mut self, f: impl Fn(char) -> bool) -> bool {
        let from = self.at;
        while self.curr.is_some_and(&f) {
            self.next();
        }
        self.at > from
    }

    /// The next token and the faults found in it.
    pub(super) fn scan(&mut self, mode: Mode, keywords: Keywords) -> (Token, Vec<&'static str>) {
        let (start, row, col) = (self.at, self.row, self.col);
        let mut lit = start;
        let tok = match mode {
            Mode::Template | Mode::RawTemplate => {
                lit = start.saturating_sub(1);
                self.template(mode == Mode::RawTemplate)
            }
            Mode::Plain => match self.curr {
                Some(' ' | '\t' | '\n' | '\r') => {
                    self.next();
                    Tok::Whitespace
                }
                Some(c) if is_letter(c) => {
                    self.skip_while(|c| is_letter(c) || is_digit(c));
                    keywords.token(self.slice(start, self.at))
                }
                Some(c) if c.is_ascii_digit() => {
                    self.number();
                    Tok::Number
                }
                None => Tok::Eof,
                Some(c) => {
                    self.next();
                    if c == '$' {
                        lit = self.at;
                    }
                    self.punctuation(c)
                }
            },
        };
        let end = self.at;
        let token = Token {
            tok,
            start,
            end,
            lit,
            row,
            col,
        };
        (token, std::mem::take(&mut self.faults))
    }

    /// One token for `then` if it follows, another if not.
    fn two(&mut self, then: char, yes: Tok, no: Tok) -> Tok {
        if self.curr == Some(then) {
            self.next();
            yes
        } else {
            no
        }
    }

    fn punctuation(&mut self, c: char) -> Tok {
        match c {
            '#' => {
                self.skip_while(|c| c != '\n');
                Tok::Comment
            }
            '"' => {
                self.string();
                Tok::String
            }
            '`' => {
                self.skip_while(|c| c != '`');
                if self.curr.is_none() {
                    self.faults.push("non-terminated string");
                }
                self.next();
                Tok::String
            }
            '[' => Tok::LBrack,
            ']' => Tok::RBrack,
            '{' => Tok::LBrace,
            '}' => Tok::RBrace,
            '(' => Tok::LParen,
            ')' => Tok::RParen,
            ',' => Tok::Comma,
            ':' => self.two('=', Tok::Assign, Tok::Colon),
            '+' => Tok::Add,
            '-' => Tok::Sub,
            '*' => Tok::Mul,
            '/' => Tok::Quo,
            '%' => Tok::Rem,
            '&' => Tok::And,
            '|' => Tok::Or,
            '=' => self.two('=', Tok::Equal, Tok::Unify),
            '>' => self.two('=', Tok::Gte, Tok::Gt),
            '<' => self.two('=', Tok::Lte, Tok::Lt),
            '!' => {
                let tok = self.two('=', Tok::Neq, Tok::Illegal);
                if tok == Tok::Illegal {
                    self.faults.push("illegal ! character");
                }
                tok
            }
            ';' => Tok::Semicolon,
            '.' => Tok::Dot,
            '$' => match self.curr {
                Some('"') => {
                    self.next();
                    self.template(false)
                }
                Some('`') => {
                    self.next();
                    self.template(true)
                }
                _ => {
                    self.faults.push("illegal $ character");
                    Tok::Illegal
                }
            },
            _ => Tok::Illegal,
        }
    }

    fn number(&mut self) {
        self.skip_while(|c| c.is_ascii_digit());
        if self.curr == Some('.') {
            self.next();
            if !self.skip_while(|c| c.is_ascii_digit()) {
                self.faults.push("expected fraction");
            }
        }
        if matches!(self.curr, Some('e' | 'E')) {
            self.next();
            if matches!(self.curr, Some('+' | '-')) {
                self.next();
            }
            if !self.skip_while(|c| c.is_ascii_digit()) {
                self.faults.push("expected exponent");
            }
        }
        // `0a2b` is one bad number, not a number and a name.
        if self.curr.is_some_and(is_letter) {
            self.faults.push("illegal number format");
            self.skip_while(|c| is_letter(c) || is_digit(c));
        }
    }

    /// After a backslash.
    fn escape(&mut self, template: bool) {
        match self.curr {
            Some('\\' | '"' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => self.next(),
            Some('{') if template => self.next(),
            Some('u') => (0..4).for_each(|_| self.next()),
            _ => self.faults.push("illegal escape sequence"),
        }
    }

    fn string(&mut self) {
        loop {
            match self.curr {
                None | Some('\n') => {
                    self.faults.push("non-terminated string");
                    return;
                }
                Some('"') => {
                    self.next();
                    return;
                }
                Some('\\') => {
                    self.next();
                    self.escape(false);
                }
                Some(_) => self.next(),
            }
        }
    }

    /// From after the opening quote, or after the `}` of an expression.
    fn template(&mut self, raw: bool) -> Tok {
        let (part, end, quote) = match raw {
            true => (Tok::RawTemplatePart, Tok::RawTemplateEnd, '`'),
            false => (Tok::TemplatePart, Tok::TemplateEnd, '"'),
        };
        loop {
            match self.curr {
                None => {
                    self.faults.push("non-terminated string");
                    return part;
                }
                Some('\n') if !raw => {
                    self.faults.push("non-terminated string");
                    return part;
                }
                Some(c) if c == quote => {
                    self.next();
                    return end;
                }
                Some('{') => {
                    self.next();
                    return part;
                }
                Some('\\') => {
                    self.next();
                    match raw {
                        true if self.curr == Some('{') => self.next(),
                        true => {}
                        false => self.escape(true),
                    }
                }
                Some(_) => self.next(),
            }
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// The inside of a template's part: `\{` is `{`.
pub(super) fn template_text(inner: &str, raw: bool) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.peek() {
            Some('{') => {}
            Some(next) if !raw => {
                out.push(c);
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// The value of a string's inside, escapes as JSON has them; `None` if one is none, or a control character stands
/// beside escapes.
pub(super) fn unescape(inner: &str) -> Option<String> {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c < ' ' || c == '"' {
            return None;
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            c @ ('\\' | '"' | '/') => out.push(c),
            'u' => {
                let unit = hex4(&mut chars)?;
                out.push(match unit {
                    0xd800..=0xdbff => {
                        // A second half belongs to it; anything else is read on its own.
                        let mut ahead = chars.clone();
                        let low = match (ahead.next(), ahead.next()) {
                            (Some('\\'), Some('u')) => hex4(&mut ahead),
                            _ => None,
                        };
                        match low {
                            Some(low @ 0xdc00..=0xdfff) => {
                                chars = ahead;
                                char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
                                    .unwrap_or(char::REPLACEMENT_CHARACTER)
                            }
                            _ => char::REPLACEMENT_CHARACTER,
                        }
                    }
                    _ => char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                });
            }
            _ => return None,
        }
    }
    Some(out)
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut n = 0;
    for _ in 0..4 {
        n = n * 16 + chars.next()?.to_digit(16)?;
    }
    Some(n)
}
