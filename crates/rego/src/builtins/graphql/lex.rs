//! GraphQL's tokens. Comments are tokens; places count characters from 1.

use super::ast::Pos;
use super::error::GraphqlError;
use crate::go_text;
use smol_str::SmolStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    End,
    Bang,
    Dollar,
    Amp,
    ParenL,
    ParenR,
    Spread,
    Colon,
    Equals,
    At,
    BracketL,
    BracketR,
    BraceL,
    BraceR,
    Pipe,
    Name,
    Int,
    Float,
    String,
    Block,
    Comment,
}

impl Kind {
    pub(super) fn text(self) -> &'static str {
        match self {
            Kind::Invalid => "<Invalid>",
            Kind::End => "<EOF>",
            Kind::Bang => "!",
            Kind::Dollar => "$",
            Kind::Amp => "&",
            Kind::ParenL => "(",
            Kind::ParenR => ")",
            Kind::Spread => "...",
            Kind::Colon => ":",
            Kind::Equals => "=",
            Kind::At => "@",
            Kind::BracketL => "[",
            Kind::BracketR => "]",
            Kind::BraceL => "{",
            Kind::BraceR => "}",
            Kind::Pipe => "|",
            Kind::Name => "Name",
            Kind::Int => "Int",
            Kind::Float => "Float",
            Kind::String => "String",
            Kind::Block => "BlockString",
            Kind::Comment => "Comment",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) value: SmolStr,
    pub(super) pos: Pos,
}

impl Token {
    /// As errors show it: `Name "query"`.
    pub(super) fn text(&self) -> String {
        let mut out = self.kind.text().to_string();
        if !self.value.is_empty() {
            out.push(' ');
            go_text::quote(&mut out, &self.value);
        }
        out
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    start_chars: usize,
    end_chars: usize,
    line: usize,
    line_chars: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer {
            text,
            start: 0,
            end: 0,
            start_chars: 0,
            end_chars: 0,
            line: 1,
            line_chars: 0,
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or("")
    }

    fn step(&mut self, bytes: usize) {
        self.end += bytes;
        self.end_chars += bytes;
    }

    fn new_line(&mut self) {
        self.line += 1;
        self.line_chars = self.end_chars;
    }

    fn token(&self, kind: Kind, value: impl Into<SmolStr>) -> Token {
        Token {
            kind,
            value: value.into(),
            pos: Pos {
                line: self.line,
                // Where a string spans lines this may be before the line's first, as in OPA.
                column: column(self.start_chars, self.line_chars),
            },
        }
    }

    fn read_so_far(&self, kind: Kind) -> Token {
        self.token(kind, self.slice(self.start, self.end))
    }

    fn fail(&self, message: String) -> (Token, Option<GraphqlError>) {
        let pos = Pos {
            line: self.line,
            column: column(self.end_chars, self.line_chars),
        };
        let token = Token {
            kind: Kind::Invalid,
            value: SmolStr::default(),
            pos,
        };
        (token, Some(GraphqlError::at(Some(pos), message)))
    }

    /// The next token; with its error where it is none.
    pub(super) fn read(&mut self) -> (Token, Option<GraphqlError>) {
        self.space();
        self.start = self.end;
        self.start_chars = self.end_chars;
        let Some(b) = self.byte(self.start) else {
            return (self.token(Kind::End, ""), None);
        };
        self.step(1);
        let kind = match b {
            b'!' => Kind::Bang,
            b'$' => Kind::Dollar,
            b'&' => Kind::Amp,
            b'(' => Kind::ParenL,
            b')' => Kind::ParenR,
            b'.' if self.slice(self.start, self.start + 3) == "..." => {
                self.step(2);
                Kind::Spread
            }
            b':' => Kind::Colon,
            b'=' => Kind::Equals,
            b'@' => Kind::At,
            b'[' => Kind::BracketL,
            b']' => Kind::BracketR,
            b'{' => Kind::BraceL,
            b'}' => Kind::BraceR,
            b'|' => Kind::Pipe,
            b'#' => return (self.comment(), None),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                while self
                    .byte(self.end)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
                {
                    self.step(1);
                }
                return (self.read_so_far(Kind::Name), None);
            }
            b'-' | b'0'..=b'9' => return self.number(),
            b'"' if self.slice(self.start, self.start + 3) == "\"\"\"" => return self.block(),
            b'"' => return self.string(),
            _ => {
                self.end -= 1;
                self.end_chars -= 1;
                return self.fail(match b {
                    b'\'' => {
                        "Unexpected single quote character ('), did you mean to use a double quote (\")?".to_string()
                    }
                    0..=0x1f => format!("Cannot contain the invalid character \"\\u{b:04}\""),
                    _ => format!("Cannot parse the unexpected character \"{}\".", char::from(b)),
                });
            }
        };
        (self.token(kind, ""), None)
    }

    fn space(&mut self) {
        while let Some(b) = self.byte(self.end) {
            match b {
                b'\t' | b' ' | b',' => self.step(1),
                b'\n' => {
                    self.step(1);
                    self.new_line();
                }
                b'\r' => {
                    self.step(1);
                    self.new_line();
                    if self.byte(self.end) == Some(b'\n') {
                        self.step(1);
                    }
                }
                0xef if self.text.get(self.end..).is_some_and(|s| s.starts_with('\u{feff}')) => {
                    self.end += 3;
                    self.end_chars += 1;
                }
                _ => return,
            }
        }
    }

    fn comment(&mut self) -> Token {
        let rest = self.text.get(self.end..).unwrap_or("");
        for c in rest.chars().take_while(|c| *c > '\x1f' || *c == '\t') {
            self.end += c.len_utf8();
            self.end_chars += 1;
        }
        self.read_so_far(Kind::Comment)
    }

    fn accept(&mut self, wanted: &[u8]) -> bool {
        let found = self.byte(self.end).is_some_and(|b| wanted.contains(&b));
        if found {
            self.step(1);
        }
        found
    }

    fn digits(&mut self) -> usize {
        let from = self.end;
        while self.byte(self.end).is_some_and(|b| b.is_ascii_digit()) {
            self.step(1);
        }
        self.end - from
    }

    fn next_text(&self) -> String {
        match self.byte(self.end) {
            Some(b) => format!("\"{}\"", char::from(b)),
            None => "<EOF>".into(),
        }
    }

    fn number(&mut self) -> (Token, Option<GraphqlError>) {
        let mut kind = Kind::Int;
        self.end -= 1;
        self.end_chars -= 1;
        self.accept(b"-");
        if self.accept(b"0") {
            let more = self.digits();
            if more > 0 {
                self.end -= more;
                self.end_chars -= more;
                return self.fail(format!(
                    "Invalid number, unexpected digit after 0: {}.",
                    self.next_text()
                ));
            }
        } else if self.digits() == 0 {
            return self.no_digit();
        }
        if self.accept(b".") {
            kind = Kind::Float;
            if self.digits() == 0 {
                return self.no_digit();
            }
        }
        if self.accept(b"eE") {
            kind = Kind::Float;
            self.accept(b"-+");
            if self.digits() == 0 {
                return self.no_digit();
            }
        }
        (self.read_so_far(kind), None)
    }

    fn no_digit(&self) -> (Token, Option<GraphqlError>) {
        self.fail(format!("Invalid number, expected digit but got: {}.", self.next_text()))
    }

    fn char(&mut self, out: &mut String) {
        if let Some(c) = self.text.get(self.end..).and_then(|s| s.chars().next()) {
            self.end += c.len_utf8();
            self.end_chars += 1;
            out.push(c);
        }
    }

    fn string(&mut self) -> (Token, Option<GraphqlError>) {
        self.start += 1;
        self.start_chars += 1;
        let mut out = String::new();
        while let Some(b) = self.byte(self.end) {
            match b {
                b'\n' | b'\r' => break,
                b'"' => {
                    let token = self.token(Kind::String, out);
                    self.step(1);
                    return (token, None);
                }
                b'\\' => {
                    if let Err(message) = self.escape(&mut out) {
                        return self.fail(message);
                    }
                }
                0..=0x1f if b != b'\t' => {
                    return self.fail(format!("Invalid character within String: \"\\u{b:04}\"."));
                }
                _ => self.char(&mut out),
            }
        }
        self.fail("Unterminated string.".into())
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let invalid = |text: &str| Err(format!("Invalid character escape sequence: \\{text}."));
        let Some(kind) = self.byte(self.end + 1) else {
            self.step(1);
            return Err("Invalid character escape sequence.".into());
        };
        let plain = match kind {
            b'"' | b'/' | b'\\' => char::from(kind),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                if self.end + 6 >= self.text.len() {
                    self.step(1);
                    return invalid(self.text.get(self.end..).unwrap_or(""));
                }
                let digits = self.slice(self.end + 2, self.end + 6);
                let hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let Some(code) = hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten() else {
                    self.step(1);
                    return invalid(self.slice(self.end, self.end + 5));
                };
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                self.step(6);
                return Ok(());
            }
            _ => {
                self.step(1);
                return invalid(char::from(kind).encode_utf8(&mut [0; 4]));
            }
        };
        out.push(plain);
        self.step(2);
        Ok(())
    }

    fn block(&mut self) -> (Token, Option<GraphqlError>) {
        self.start += 3;
        self.start_chars += 3;
        self.step(2);
        let mut out = String::new();
        while let Some(b) = self.byte(self.end) {
            if b == b'"' {
                let rest = self.text.as_bytes().get(self.end..).unwrap_or_default();
                let quotes = rest.iter().take_while(|b| **b == b'"').count();
                if quotes >= 3 {
                    out.extend(std::iter::repeat_n('"', quotes - 3));
                    let token = self.token(Kind::Block, block_value(&out));
                    self.step(quotes);
                    return (token, None);
                }
            }
            match b {
                b'\\' if self.slice(self.end, self.end + 4) == "\\\"\"\"" => {
                    out.push_str("\"\"\"");
                    self.step(4);
                }
                b'\r' => {
                    if self.byte(self.end + 1) == Some(b'\n') {
                        self.step(1);
                    }
                    out.push('\n');
                    self.step(1);
                    self.new_line();
                }
                0..=0x1f if b != b'\t' && b != b'\n' => {
                    return self.fail(format!("Invalid character within String: \"\\u{b:04}\"."));
                }
                _ => {
                    self.char(&mut out);
                    if b == b'\n' {
                        self.new_line();
                    }
                }
            }
        }
        self.fail("Unterminated string.".into())
    }
}

/// The column of a character, both counted over the whole text.
fn column(at: usize, line: usize) -> i64 {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    at.saturating_sub(i64::try_from(line).unwrap_or(0)).saturating_add(1)
}

/// How far a line is indented; nothing for one of white space alone.
fn indent(line: &str) -> Option<usize> {
    line.find(|c| c != ' ' && c != '\t')
}

/// A block string's value: common indentation and blank lines around it go.
fn block_value(raw: &str) -> String {
    let mut lines: Vec<&str> = raw.split('\n').collect();
    if let Some(common) = lines.iter().filter_map(|l| indent(l)).min() {
        for line in lines.iter_mut().skip(1) {
            *line = line.get(common..).unwrap_or("");
        }
    }
    let head = lines.iter().take_while(|l| indent(l).is_none()).count();
    let tail = lines
        .iter()
        .skip(head)
        .rev()
        .take_while(|l| indent(l).is_none())
        .count();
    let kept = lines.len() - head - tail;
    lines.into_iter().skip(head).take(kept).collect::<Vec<_>>().join("\n")
}
