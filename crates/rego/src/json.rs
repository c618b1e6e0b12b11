//! JSON text straight into values, and back as Go writes it.
//!
//! The reader keeps no stack of its own calls: open containers are places in two shared lists, so nesting costs
//! memory only, and every container is allocated once at its final size. Messages are Go's.

mod walk;

use crate::number::Number;
use crate::value::{Object, Value};
use smol_str::SmolStr;
use std::fmt::Write as _;
use std::sync::Arc;

pub use walk::Walk;

/// How JSON is read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Levels of nesting before the text is refused.
    pub depth: usize,
    /// Refuse an object that has a key twice; otherwise the last one wins.
    pub refuse_duplicates: bool,
    /// Values in the text (keys not counted) before it is refused: what bounds the memory that a short text can take.
    pub values: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            depth: 1_000,
            refuse_duplicates: false,
            values: usize::MAX,
        }
    }
}

/// Why JSON text was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// What is wrong.
    pub message: String,
    /// Row, from 1.
    pub row: usize,
    /// Column in characters, from 1.
    pub col: usize,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.row, self.col, self.message)
    }
}

impl std::error::Error for ReadError {}

/// Reads exactly one JSON value.
///
/// # Errors
/// The first fault, with its place.
pub fn read(text: &[u8], options: ReadOptions) -> Result<Value, ReadError> {
    let text = match std::str::from_utf8(text) {
        Ok(t) => t,
        Err(e) => return Err(place(text, e.valid_up_to(), "invalid UTF-8".into())),
    };
    let mut reader = Reader::new(text);
    let whole = reader
        .document(options, &mut { options.values })
        .and_then(|value| match reader.space() {
            Some(_) => Err(reader.wrong("after top-level value")),
            None => Ok(value),
        });
    whole.map_err(|message| place(text.as_bytes(), reader.at, message))
}

/// Reads the first JSON value of a text, and gives what follows it.
pub(crate) fn read_first(text: &str, options: ReadOptions) -> Result<(Value, &str), ReadError> {
    let mut reader = Reader::new(text);
    match reader.document(options, &mut { options.values }) {
        Ok(value) => {
            reader.space();
            Ok((value, text.get(reader.at..).unwrap_or("")))
        }
        Err(message) => Err(place(text.as_bytes(), reader.at, message)),
    }
}

fn place(text: &[u8], at: usize, message: String) -> ReadError {
    let before = text.get(..at).unwrap_or(text);
    let row = before.iter().filter(|b| **b == b'\n').count() + 1;
    let line = before.rsplit(|b| *b == b'\n').next().unwrap_or(&[]);
    let col = line.iter().filter(|b| (**b & 0xc0) != 0x80).count() + 1;
    ReadError { message, row, col }
}

/// An open container: where its members begin in the shared lists.
struct Open {
    start: usize,
    object: bool,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// So many open containers, items and members are made room for at once.
const ROOM: usize = 32;

const END: &str = "unexpected end of JSON input";

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Go's words for what stands here.
    fn wrong(&self, context: &str) -> String {
        match self.text.get(self.at..).and_then(|t| t.chars().next()) {
            None => END.to_string(),
            Some('\'') => format!(r"invalid character '\'' {context}"),
            Some('"') => format!("invalid character '\"' {context}"),
            Some(c) => {
                let mut quoted = String::new();
                crate::go_text::quote_with(&mut quoted, c.encode_utf8(&mut [0; 4]), '\'', false);
                format!("invalid character {quoted} {context}")
            }
        }
    }

    // Strings go from where they are made to where they stay, never through a result: moving what was just written in
    // parts costs more than making it.
    /// `left`: how many values there may still be.
    fn document(&mut self, options: ReadOptions, left: &mut usize) -> Result<Value, String> {
        let mut open: Vec<Open> = Vec::with_capacity(ROOM);
        let mut items: Vec<Value> = Vec::with_capacity(ROOM);
        let mut entries: Vec<(Value, Value)> = Vec::with_capacity(ROOM);
        loop {
            // A value begins here.
            *left = left
                .checked_sub(1)
                .ok_or_else(|| format!("more than {} values", options.values))?;
            let into = open.last().map(|o| o.object);
            match self.space() {
                Some(b'"') => match self.plain() {
                    Some(text) => put(into, &mut items, &mut entries, Value::String(SmolStr::new(text))),
                    None => put(into, &mut items, &mut entries, Value::String(self.escaped()?)),
                },
                Some(b'{') => {
                    self.at += 1;
                    if self.space() == Some(b'}') {
                        self.at += 1;
                        put(
                            into,
                            &mut items,
                            &mut entries,
                            Value::Object(Arc::new(Object::default())),
                        );
                    } else {
                        nest(&mut open, entries.len(), true, options.depth)?;
                        self.key(&mut entries)?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if self.space() == Some(b']') {
                        self.at += 1;
                        put(into, &mut items, &mut entries, Value::Array(Arc::new(Vec::new())));
                    } else {
                        nest(&mut open, items.len(), false, options.depth)?;
                        continue;
                    }
                }
                Some(b't') => {
                    self.literal("true")?;
                    put(into, &mut items, &mut entries, Value::Bool(true));
                }
                Some(b'f') => {
                    self.literal("false")?;
                    put(into, &mut items, &mut entries, Value::Bool(false));
                }
                Some(b'n') => {
                    self.literal("null")?;
                    put(into, &mut items, &mut entries, Value::Null);
                }
                Some(b'-' | b'0'..=b'9') => {
                    let number = self.number()?;
                    put(into, &mut items, &mut entries, number);
                }
                _ => return Err(self.wrong("looking for beginning of value")),
            }
            // A value ended, and so may the containers that it is in.
            loop {
                let Some(inner) = open.last() else {
                    return Ok(items.pop().unwrap_or(Value::Null));
                };
                let (object, start) = (inner.object, inner.start);
                let next = self.space();
                if next == Some(b',') {
                    self.at += 1;
                    if object {
                        self.space();
                        self.key(&mut entries)?;
                    }
                    break;
                }
                if next != Some(if object { b'}' } else { b']' }) {
                    return Err(self.wrong(if object {
                        "after object key:value pair"
                    } else {
                        "after array element"
                    }));
                }
                self.at += 1;
                open.pop();
                let into = open.last().map(|o| o.object);
                if object {
                    let members = entries.split_off(start);
                    let made = object_of(members, options.refuse_duplicates)?;
                    put(into, &mut items, &mut entries, Value::Object(made));
                } else {
                    let made = Arc::new(items.split_off(start));
                    put(into, &mut items, &mut entries, Value::Array(made));
                }
            }
        }
    }

    /// Reads a key and begins its entry.
    #[inline]
    fn key(&mut self, entries: &mut Vec<(Value, Value)>) -> Result<(), String> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("looking for beginning of object key string"));
        }
        match self.plain() {
            Some(text) => entries.push((Value::String(SmolStr::new(text)), Value::Null)),
            None => entries.push((Value::String(self.escaped()?), Value::Null)),
        }
        if self.space() != Some(b':') {
            return Err(self.wrong("after object key"));
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for (i, expected) in word.bytes().enumerate() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                debug_assert!(i > 0, "the first byte chose the word");
                return Err(self.wrong(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let digits = self.at;
        let mut small: i64 = 0;
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                while let Some(b @ b'0'..=b'9') = self.peek() {
                    // Wraps only where the count of digits below says that it does not matter.
                    small = small.wrapping_mul(10).wrapping_add(i64::from(b - b'0'));
                    self.at += 1;
                }
            }
            _ => return Err(self.wrong("in numeric literal")),
        }
        let count = self.at - digits;
        let mut plain = true;
        if self.peek() == Some(b'.') {
            plain = false;
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            plain = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        if plain && count <= 18 && !(negative && small == 0) {
            return Ok(Value::Number(Number::Int(if negative { -small } else { small })));
        }
        let text = self.text.get(start..self.at).unwrap_or("0");
        Ok(Value::Number(Number::from_valid(text)))
    }

    fn digits(&mut self, context: &str) -> Result<(), String> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong(context));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    /// Up to the next byte that is not plain text of a string.
    #[inline]
    fn run(&mut self) -> &str {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or(&[]);
        self.at += plain_length(rest);
        self.text.get(start..self.at).unwrap_or("")
    }

    /// The string that begins here, unless it has escapes or a fault.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let end = start + plain_length(self.bytes.get(start..)?);
        if self.bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// The string that begins here, piece by piece.
    #[inline(never)]
    fn escaped(&mut self) -> Result<SmolStr, String> {
        self.at += 1;
        let mut out = String::from(self.run());
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(SmolStr::from(out));
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                _ => return Err(self.wrong("in string literal")),
            }
            out.push_str(self.run());
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let c = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hex()?;
                out.push(self.surrogates(first)?);
                return Ok(());
            }
            _ => return Err(self.wrong("in string escape code")),
        };
        out.push(c);
        self.at += 1;
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut n = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return Err(self.wrong("in \\u hexadecimal character escape"));
            };
            n = n * 16 + digit;
            self.at += 1;
        }
        Ok(n)
    }

    /// A lone half of a pair is U+FFFD; what follows it is read on its own.
    fn surrogates(&mut self, first: u32) -> Result<char, String> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        if (0xd800..0xdc00).contains(&first) && rest.starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(c).unwrap_or('\u{fffd}'));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }
}

/// Bytes before the first quote, backslash or control character; eight at a time.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte that is zero; bytes above the first may be wrong, which does not matter here.
    let zero = |w: u64| w.wrapping_sub(ONES) & !w;
    let mut length = 0;
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let w = u64::from_le_bytes(*word);
        let control = w.wrapping_sub(ONES * 0x20) & !w;
        let found = (control | zero(w ^ (ONES * 0x22)) | zero(w ^ (ONES * 0x5c))) & HIGH;
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length
        + tail
            .iter()
            .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
            .unwrap_or(tail.len())
}

fn nest(open: &mut Vec<Open>, start: usize, object: bool, depth: usize) -> Result<(), String> {
    if open.len() >= depth {
        return Err(format!("nested deeper than {depth} levels"));
    }
    open.push(Open { start, object });
    Ok(())
}

/// Puts a value where it belongs: into the entry begun last, or with the items (where the whole document ends, too).
#[inline(always)]
fn put(object: Option<bool>, items: &mut Vec<Value>, entries: &mut [(Value, Value)], value: Value) {
    if object != Some(true) {
        items.push(value);
    } else if let Some(entry) = entries.last_mut() {
        entry.1 = value;
    }
}

fn object_of(members: Vec<(Value, Value)>, refuse_duplicates: bool) -> Result<Arc<Object>, String> {
    if !refuse_duplicates {
        return Ok(Arc::new(Object::from_named(members)));
    }
    let made = Object::of_distinct(members);
    made.map(Arc::new)
        .map_err(|key| format!("key {} stands twice in one object", crate::value_text::text(&key)))
}

/// Compact JSON as OPA's `json.marshal` writes it: sets as arrays, keys of any type as their JSON text, keys sorted as
/// text, `<`, `>` and `&` escaped.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    Writer {
        escape_html: true,
        layout: None,
    }
    .value(&mut out, value, 0);
    out
}

/// JSON for people: as [`write()`], but with `<`, `>` and `&` as they are, indented by `indent` if it is not empty.
pub fn write_plain(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    let layout = (!indent.is_empty()).then_some(("", indent));
    Writer {
        escape_html: false,
        layout,
    }
    .value(&mut out, value, 0);
    out
}

/// Indented as Go's `json.MarshalIndent` does: every line but the first begins with the prefix.
pub fn write_indented(value: &Value, prefix: &str, indent: &str) -> String {
    let mut out = String::new();
    Writer {
        escape_html: true,
        layout: Some((prefix, indent)),
    }
    .value(&mut out, value, 0);
    out
}

/// A string as JSON, with or without Go's escapes for HTML.
pub fn write_string(out: &mut String, s: &str, escape_html: bool) {
    out.reserve(s.len() + 2);
    out.push('"');
    let bytes = s.as_bytes();
    let as_it_is = s.is_ascii()
        && plain_length(bytes) == bytes.len()
        && !(escape_html && bytes.iter().any(|b| matches!(b, b'<' | b'>' | b'&')));
    if as_it_is {
        out.push_str(s);
        out.push('"');
        return;
    }
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '<' | '>' | '&' if !escape_html => out.push(c),
            _ if crate::go_text::no_text(c).is_some() => out.push_str("\\ufffd"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

struct Writer<'a> {
    escape_html: bool,
    /// Prefix and indent.
    layout: Option<(&'a str, &'a str)>,
}

impl Writer<'_> {
    fn value(&self, out: &mut String, value: &Value, depth: usize) {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(n) => {
                let _ = write!(out, "{n}");
            }
            Value::String(s) => write_string(out, s, self.escape_html),
            Value::Array(items) => self.list(out, items, depth),
            Value::Set(set) => self.list(out, set.items(), depth),
            Value::Object(o) => self.object(out, o, depth),
        }
    }

    fn list(&self, out: &mut String, items: &[Value], depth: usize) {
        out.push('[');
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            self.line(out, depth + 1);
            self.value(out, item, depth + 1);
        }
        if !items.is_empty() {
            self.line(out, depth);
        }
        out.push(']');
    }

    fn object(&self, out: &mut String, object: &Object, depth: usize) {
        out.push('{');
        let mut first = true;
        let mut member = |key: &str, value: &Value, out: &mut String| {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            self.line(out, depth + 1);
            write_string(out, key, self.escape_html);
            out.push(':');
            if self.layout.is_some() {
                out.push(' ');
            }
            self.value(out, value, depth + 1);
        };
        if object.iter().all(|e| matches!(e.0, Value::String(_))) {
            for (k, v) in object.iter() {
                member(k.as_str().unwrap_or(""), v, out);
            }
        } else {
            // Of keys with the same text the later one wins, as in Go's map.
            let texts: std::collections::BTreeMap<String, &Value> =
                object.iter().map(|(k, v)| (key_text(k), v)).collect();
            for (k, v) in texts {
                member(&k, v, out);
            }
        }
        if !object.is_empty() {
            self.line(out, depth);
        }
        out.push('}');
    }

    fn line(&self, out: &mut String, depth: usize) {
        if let Some((prefix, indent)) = self.layout {
            out.push('\n');
            out.push_str(prefix);
            for _ in 0..depth {
                out.push_str(indent);
            }
        }
    }
}

/// A key as text: a string as it is, anything else as JSON.
pub fn key_text(key: &Value) -> String {
    match key {
        Value::String(s) => s.to_string(),
        other => write(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        read(
            text.as_bytes(),
            ReadOptions {
                depth: 4,
                refuse_duplicates: true,
                values: 9,
            },
        )
        .unwrap_err()
        .to_string()
    }

    #[test]
    fn reads_and_writes() {
        let same = [
            "null",
            "true",
            "-0",
            "1.50",
            "1e2",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "[]",
            "{}",
            r#"[1,[2,{"a":[]}],"x"]"#,
            r#"{"a":{"b":[null]},"c":"\u003c\u0026\n\u2028"}"#,
            r#""😀é""#,
        ];
        for text in same {
            let v = read(text.as_bytes(), ReadOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(write(&v), text);
        }
        let other = [
            (r#" { "b" : 1 , "a" : 2, "b": 3 } "#, r#"{"a":2,"b":3}"#),
            (
                r#""\ud83d\ude00\ud800\ud800x\udc00\u00e9\/""#,
                "\"😀\u{fffd}\u{fffd}x\u{fffd}é/\"",
            ),
        ];
        for (text, want) in other {
            assert_eq!(write(&read(text.as_bytes(), ReadOptions::default()).unwrap()), want);
        }
    }

    #[test]
    fn refuses_with_a_place() {
        let cases = [
            ("", "1:1: unexpected end of JSON input"),
            ("[1,\n é]", "2:2: invalid character 'é' looking for beginning of value"),
            ("{\"é\" 1}", "1:6: invalid character '1' after object key"),
            (
                "{1:2}",
                "1:2: invalid character '1' looking for beginning of object key string",
            ),
            (
                "{\"a\":1,}",
                "1:8: invalid character '}' looking for beginning of object key string",
            ),
            ("[1 2]", "1:4: invalid character '2' after array element"),
            ("{\"a\":1 2", "1:8: invalid character '2' after object key:value pair"),
            ("tru3", "1:4: invalid character '3' in literal true (expecting 'e')"),
            ("01", "1:2: invalid character '1' after top-level value"),
            ("-x", "1:2: invalid character 'x' in numeric literal"),
            ("1.", "1:3: unexpected end of JSON input"),
            ("1e'", "1:3: invalid character '\\'' in exponent of numeric literal"),
            ("\"a\nb\"", "1:3: invalid character '\\n' in string literal"),
            ("\"\\x\"", "1:3: invalid character 'x' in string escape code"),
            (
                "\"\\u12g4\"",
                "1:6: invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("[[[[[1]]]]]", "1:6: nested deeper than 4 levels"),
            ("{\"a\":1,\"a\":2}", "1:14: key \"a\" stands twice in one object"),
        ];
        for (text, want) in cases {
            assert_eq!(fault(text), want, "{text}");
        }
        assert_eq!(
            read(b"[\n\"\xff\"]", ReadOptions::default()).unwrap_err().to_string(),
            "2:2: invalid UTF-8"
        );
    }

    #[test]
    fn indents() {
        let v = read(br#"{"a":[1,{}],"b":[]}"#, ReadOptions::default()).unwrap();
        assert_eq!(
            write_indented(&v, ">", " "),
            "{\n> \"a\": [\n>  1,\n>  {}\n> ],\n> \"b\": []\n>}"
        );
    }
}
