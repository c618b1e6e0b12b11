//! Values as `sigs.k8s.io/yaml` writes them: go-yaml v2's order of keys, its choice of quotes, its lines of 80.

use super::scalar::{self, Scalar, go_g};
use crate::json;
use crate::number::Number;
use crate::value::Value;
use std::cmp::Ordering;

/// Column after which a quoted or plain scalar is broken at its next space.
const WIDTH: usize = 80;
/// A longer key, or one of several lines, is written with `? `.
const SIMPLE_KEY: usize = 128;

/// YAML as OPA's `yaml.marshal` writes it (sets as sequences, keys of other types as their JSON text).
pub fn write(value: &Value) -> String {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
    };
    emitter.node(value, 0);
    emitter.end_line();
    emitter.out
}

struct Emitter {
    out: String,
    /// Characters in the line so far.
    column: usize,
}

impl Emitter {
    fn put(&mut self, text: &str) {
        self.column += text.chars().count();
        self.out.push_str(text);
    }

    fn put_char(&mut self, c: char) {
        self.column += 1;
        self.out.push(c);
    }

    fn new_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn end_line(&mut self) {
        if self.column > 0 {
            self.out.push('\n');
            self.column = 0;
        }
    }

    /// A node whose collections' entries stand at `indent`; the cursor is where it begins.
    fn node(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.put("null"),
            Value::Bool(b) => self.put(if *b { "true" } else { "false" }),
            Value::Number(n) => self.put(&number(n)),
            Value::String(s) => self.scalar(s, indent, false),
            Value::Array(a) => self.sequence(a.iter(), indent),
            Value::Set(s) => self.sequence(s.iter(), indent),
            Value::Object(o) if o.is_empty() => self.put("{}"),
            Value::Object(o) => {
                let mut entries: Vec<(String, &Value)> = o.iter().map(|(k, v)| (key_text(k), v)).collect();
                entries = merge_sort(entries);
                let mut first = true;
                for (key, value) in entries {
                    self.entry_start(&mut first, indent);
                    self.entry(&key, value, indent);
                }
            }
        }
    }

    /// The first entry goes on in the line (`- a: 1`), the others begin their own.
    fn entry_start(&mut self, first: &mut bool, indent: usize) {
        if !std::mem::replace(first, false) {
            self.end_line();
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.column = indent;
        }
    }

    fn sequence<'v>(&mut self, items: impl ExactSizeIterator<Item = &'v Value>, indent: usize) {
        if items.len() == 0 {
            return self.put("[]");
        }
        let mut first = true;
        for item in items {
            self.entry_start(&mut first, indent);
            self.put("- ");
            // A scalar's further lines are indented from the sequence, as its collections are.
            match item {
                Value::String(s) => self.scalar(s, indent, false),
                item => self.node(item, indent + 2),
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Value, indent: usize) {
        let simple = key.len() <= SIMPLE_KEY && !key.contains(is_break);
        if simple {
            self.scalar(key, indent, true);
            self.put(":");
        } else {
            self.put("? ");
            self.scalar(key, indent, false);
            self.end_line();
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.column = indent;
            self.put(":");
        }
        match value {
            Value::Object(o) if !o.is_empty() => {
                if simple {
                    self.new_line(indent + 2);
                } else {
                    self.put(" ");
                }
                self.node(value, indent + 2);
            }
            Value::Array(_) | Value::Set(_) if !is_empty(value) => {
                // A sequence stands at its key's own indent.
                if simple {
                    self.new_line(indent);
                    self.node(value, indent);
                } else {
                    self.put(" ");
                    self.node(value, indent + 2);
                }
            }
            value => {
                self.put(" ");
                self.node(value, indent);
            }
        }
    }

    /// A string; its further lines stand two in from `indent`.
    fn scalar(&mut self, text: &str, indent: usize, as_key: bool) {
        let form = Form::of(text);
        if text.contains('\n') && form.block && !as_key {
            self.literal(text, indent + 2);
        } else if text.contains('\n') || !reads_as_text(text) {
            self.double(text, indent + 2, as_key);
        } else if form.plain {
            self.folded(text, indent + 2, as_key, |e, c| e.put_char(c));
        } else if form.single {
            self.put_char('\'');
            self.folded(text, indent + 2, as_key, |e, c| {
                if c == '\'' {
                    e.put_char('\'');
                }
                e.put_char(c);
            });
            self.put_char('\'');
        } else {
            self.double(text, indent + 2, as_key);
        }
    }

    /// Characters, with lines broken at single spaces.
    fn folded(&mut self, text: &str, indent: usize, as_key: bool, put: impl Fn(&mut Emitter, char)) {
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|n| n.1);
            let inside = i > 0 && next.is_some();
            if c == ' ' && !as_key && !spaces && self.column > WIDTH && inside && next != Some(' ') {
                self.new_line(indent);
            } else {
                put(self, c);
            }
            spaces = c == ' ';
        }
    }

    fn double(&mut self, text: &str, indent: usize, as_key: bool) {
        self.put_char('"');
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|n| n.1);
            if c == ' ' {
                if !as_key && !spaces && self.column > WIDTH && i > 0 && next.is_some() {
                    self.new_line(indent);
                    if next == Some(' ') {
                        self.put_char('\\');
                    }
                } else {
                    self.put_char(c);
                }
                spaces = true;
                continue;
            }
            spaces = false;
            if printable(c) && !is_break(c) && c != '"' && c != '\\' {
                self.put_char(c);
                continue;
            }
            self.put(&escape(c));
        }
        self.put_char('"');
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put_char('|');
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put("2");
        }
        let body = text.strip_suffix('\n');
        match body {
            None => self.put("-"),
            Some(body) if body.is_empty() || body.ends_with('\n') => self.put("+"),
            Some(_) => {}
        }
        for line in body.unwrap_or(text).split('\n') {
            if line.is_empty() {
                self.out.push('\n');
                self.column = 0;
            } else {
                self.new_line(indent);
                self.put(line);
            }
        }
        // What follows begins a line of its own even after an empty last one.
        self.column = self.column.max(1);
    }
}

/// How a string may be written.
struct Form {
    plain: bool,
    single: bool,
    block: bool,
}

impl Form {
    fn of(text: &str) -> Form {
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return Form {
                plain: true,
                single: true,
                block: false,
            };
        };
        let mut special = false;
        let mut breaks = false;
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        let mut space_break = false;
        let mut break_space = false;
        let mut before: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let blank_after = chars.peek().is_none_or(|&n| matches!(n, ' ' | '\t'));
            indicator |= match (before, c) {
                (None, '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>') => true,
                (None, '\'' | '"' | '%' | '@' | '`') => true,
                (None, '?' | '-') => blank_after,
                (_, ':') => blank_after,
                (Some(p), '#') => p == ' ' || p == '\t' || is_break(p),
                _ => false,
            };
            special |= !printable(c);
            breaks |= is_break(c);
            space_break |= is_break(c) && before == Some(' ');
            break_space |= c == ' ' && before.is_some_and(is_break);
            before = Some(c);
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let odd = space_break || special;
        Form {
            plain: !(edge(first) || edge(last) || break_space || odd || breaks || indicator),
            single: !(break_space || odd),
            block: !(odd || last == ' '),
        }
    }
}

/// Whether the text without quotes would still be a string.
fn reads_as_text(text: &str) -> bool {
    matches!(scalar::resolve(text), Scalar::Text) && !timestamp(text) && !base_60(text)
}

/// `1:30` and the like are numbers to YAML 1.1 readers.
fn base_60(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (body, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = body.split(':');
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let whole = parts.next().unwrap_or_default();
    let mut groups = 0;
    whole.starts_with(|c: char| c.is_ascii_digit())
        && digits(whole)
        && parts.all(|p| {
            groups += 1;
            let b = p.as_bytes();
            matches!(b, [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
        })
        && groups > 0
        && digits(fraction)
}

/// A date, or a date with a time, as YAML 1.1 has them.
fn timestamp(text: &str) -> bool {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((d, t)) => (d, Some(t)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let number = |s: Option<&str>, most: u32| {
        s.is_some_and(|s| (1..=2).contains(&s.len()) && s.parse::<u32>().is_ok_and(|n| n >= 1 && n <= most))
    };
    let year = parts
        .next()
        .is_some_and(|y| y.len() == 4 && y.bytes().all(|b| b.is_ascii_digit()));
    if !(year && number(parts.next(), 12) && number(parts.next(), 31) && parts.next().is_none()) {
        return false;
    }
    let Some(time) = time else { return true };
    let zoned = text.contains(['T', 't']);
    let clock = match time.find(['Z', '+', '-']) {
        Some(at) if zoned => time.get(..at).unwrap_or_default(),
        None if !zoned => time,
        _ => return false,
    };
    let mut parts = clock.splitn(3, ':');
    let below = |s: Option<&str>, most: u32| {
        s.is_some_and(|s| {
            let s = s.split_once('.').map_or(s, |p| p.0);
            (1..=2).contains(&s.len()) && s.parse::<u32>().is_ok_and(|n| n < most)
        })
    };
    below(parts.next(), 24) && below(parts.next(), 60) && below(parts.next(), 60)
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(a) => a.is_empty(),
        Value::Set(s) => s.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    }
}

fn key_text(key: &Value) -> String {
    match key {
        Value::String(s) => s.to_string(),
        other => json::write(other),
    }
}

/// A number as go-yaml prints what it read from its text.
fn number(n: &Number) -> String {
    let text = n.to_string();
    match scalar::resolve(&text) {
        Scalar::Float(f) => go_g(&format!("{f:e}"), &format!("{f}")),
        _ => text,
    }
}

/// Sorts entries by [`key_order`], which is no total order: the standard sort may panic on such.
fn merge_sort(mut entries: Vec<(String, &Value)>) -> Vec<(String, &Value)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = merge_sort(entries.split_off(entries.len() / 2));
    let left = merge_sort(entries);
    let mut out = Vec::with_capacity(left.len() + right.len());
    let mut left = left.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let from_right = key_order(&r.0, &l.0) == Ordering::Less;
        out.extend(if from_right { right.next() } else { left.next() });
    }
    out.extend(left);
    out.extend(right);
    out
}

/// go-yaml's order of keys: letters after everything else, runs of digits by their number.
fn key_order(a: &str, b: &str) -> Ordering {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let Some((i, (&x, &y))) = a.iter().zip(&b).enumerate().find(|(_, (x, y))| x != y) else {
        return a.len().cmp(&b.len());
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let digits_before = || a.iter().take(i).rev().take_while(|c| c.is_ascii_digit());
    let start = i64::from((x == '0' || y == '0') && digits_before().any(|&c| c != '0'));
    let run = |text: &[char]| {
        let digits = text.iter().skip(i).map_while(|c| c.to_digit(10));
        digits.fold((start, 0usize), |(n, len), d| {
            (n.wrapping_mul(10).wrapping_add(i64::from(d)), len + 1)
        })
    };
    run(&a).cmp(&run(&b)).then(x.cmp(&y))
}
