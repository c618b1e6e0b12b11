//! `regex.*`.

use super::operand::{error, int, string, text_of_bytes};
use super::pieces::Text;
use super::re2::{Match, Part, Pattern, is_valid};
use super::{Answer, Failure, Host, Table};
use crate::go_text::quote;
use crate::value::Value;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use rustc_hash::FxHashMap;
use std::sync::Arc;

pub(crate) const TABLE: Table = &[
    ("re_match", matches),
    ("regex.find_all_string_submatch_n", find_groups),
    ("regex.find_n", find),
    ("regex.globs_match", globs_match),
    ("regex.is_valid", valid),
    ("regex.match", matches),
    ("regex.replace", replace),
    ("regex.split", split),
    ("regex.template_match", template_match),
];

/// What a value in an array takes, roughly.
const ITEM: usize = 40;

/// A compiled expression, from the cache if it is there.
pub(super) fn pattern(host: &mut dyn Host, text: &str) -> Result<Arc<Pattern>, Failure> {
    kept(host, "regex", text, |host| Pattern::new(host, text))
}

/// The pattern of a key, made if it is not there.
fn kept(
    host: &mut dyn Host,
    kind: &'static str,
    key: &str,
    make: impl FnOnce(&mut dyn Host) -> Result<Pattern, Failure>,
) -> Result<Arc<Pattern>, Failure> {
    if let Some(pattern) = host.cache().get(kind, key) {
        return Ok(pattern);
    }
    let pattern = make(host)?;
    let weight = pattern.weight();
    Ok(host.cache().keep(kind, key, pattern, weight))
}

/// Time a search takes, told to the clock beforehand.
fn charge_search(host: &mut dyn Host, text: &str) -> Result<(), Failure> {
    host.charge(text.len() / 64)
}

fn valid(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let valid = string(args, 1).is_ok_and(|s| is_valid(s));
    Ok(Some(Value::Bool(valid)))
}

fn matches(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (text, value) = (string(args, 1)?, string(args, 2)?);
    let pattern = pattern(host, text)?;
    charge_search(host, value)?;
    pattern.is_match(host, value).map(|b| Some(Value::Bool(b)))
}

fn slice(text: &str, at: Option<&Option<(usize, usize)>>) -> Value {
    let part = at.copied().flatten().and_then(|(start, end)| text.get(start..end));
    Value::string(part.unwrap_or(""))
}

/// How many: negative is all.
fn limit(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn find(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (text, value, n) = (string(args, 1)?, string(args, 2)?, int(args, 3)?);
    let pattern = pattern(host, text)?;
    charge_search(host, value)?;
    let mut out = Vec::new();
    pattern.each_match(host, value, limit(n), |host, found: Match| {
        let part = slice(value, found.first());
        host.charge(ITEM + part.as_str().map_or(0, str::len))?;
        out.push(part);
        Ok(())
    })?;
    Ok(Some(Value::array(out)))
}

fn find_groups(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (text, value, n) = (string(args, 1)?, string(args, 2)?, int(args, 3)?);
    let pattern = pattern(host, text)?;
    charge_search(host, value)?;
    let mut out = Vec::new();
    pattern.each_match(host, value, limit(n), |host, found: Match| {
        let mut groups = Vec::with_capacity(found.len());
        for group in &found {
            let part = slice(value, Some(group));
            host.charge(ITEM + part.as_str().map_or(0, str::len))?;
            groups.push(part);
        }
        out.push(Value::array(groups));
        Ok(())
    })?;
    Ok(Some(Value::array(out)))
}

fn split(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (text, value) = (string(args, 1)?, string(args, 2)?);
    let pattern = pattern(host, text)?;
    charge_search(host, value)?;
    if !text.is_empty() && value.is_empty() {
        return Ok(Some(Value::array(vec![Value::string("")])));
    }
    let mut out = Vec::new();
    let (mut start, mut end) = (0, 0);
    pattern.each_match(host, value, usize::MAX, |host, found: Match| {
        let Some((from, to)) = found.first().copied().flatten() else {
            return Ok(());
        };
        end = from;
        if to != 0 {
            host.charge(ITEM + from.saturating_sub(start))?;
            out.push(Value::string(value.get(start..from).unwrap_or("")));
        }
        start = to;
        Ok(())
    })?;
    if end != value.len() {
        host.charge(ITEM + value.len().saturating_sub(start))?;
        out.push(Value::string(value.get(start..).unwrap_or("")));
    }
    Ok(Some(Value::array(out)))
}

fn replace(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (value, text, by) = (string(args, 1)?, string(args, 2)?, string(args, 3)?);
    let pattern = pattern(host, text)?;
    charge_search(host, value)?;
    let template = pattern.template(by);
    let mut out = Text::default();
    let mut last = 0;
    pattern.each_match(host, value, usize::MAX, |host, found: Match| {
        let Some((from, to)) = found.first().copied().flatten() else {
            return Ok(());
        };
        out.push(host, value.get(last..from).unwrap_or("").as_bytes())?;
        for part in &template {
            let part = match part {
                Part::Text(text) => text,
                Part::Groups(groups) => {
                    let taken = groups.iter().find_map(|g| found.get(*g).copied().flatten());
                    taken.and_then(|(a, b)| value.get(a..b)).unwrap_or("")
                }
            };
            out.push(host, part.as_bytes())?;
        }
        last = to;
        Ok(())
    })?;
    out.push(host, value.get(last..).unwrap_or("").as_bytes())?;
    Ok(Some(text_of_bytes(out.whole(host)?)))
}

/// The pattern of a template: what is between delimiters is an expression, the rest stands for itself.
fn template(host: &mut dyn Host, text: &str, start: u8, end: u8) -> Result<Pattern, Failure> {
    let unbalanced = || {
        let mut quoted = String::new();
        quote(&mut quoted, text);
        error(format!("unbalanced braces in {quoted}"))
    };
    let mut spans = Vec::new();
    let (mut level, mut from) = (0usize, 0);
    for (i, b) in text.bytes().enumerate() {
        // The same character for both only ever opens.
        if b == start {
            level += 1;
            if level == 1 {
                from = i;
            }
        } else if b == end {
            level = level.checked_sub(1).ok_or_else(unbalanced)?;
            if level == 0 {
                spans.push((from, i));
            }
        }
    }
    if level != 0 {
        return Err(unbalanced());
    }
    let mut pattern = String::from("^");
    let mut done = 0;
    for (from, to) in spans {
        pattern.push_str(&regex_syntax::escape(text.get(done..from).unwrap_or("")));
        let expression = text.get(from + 1..to).unwrap_or("");
        // Each expression must stand alone, too.
        Pattern::new(host, &format!("^{expression}$"))?;
        pattern.push('(');
        pattern.push_str(expression);
        pattern.push(')');
        done = to + 1;
    }
    pattern.push_str(&regex_syntax::escape(text.get(done..).unwrap_or("")));
    pattern.push('$');
    Pattern::new(host, &pattern)
}

fn template_match(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (text, value) = (string(args, 1)?, string(args, 2)?);
    let (start, end) = (string(args, 3)?, string(args, 4)?);
    let one = |which: &str, s: &str| match s.as_bytes() {
        [b] => Ok(*b),
        // The length told is that of the start, for both.
        _ => Err(error(format!(
            "{which} delimiter has to be exactly one character long but is {} long",
            start.len()
        ))),
    };
    let (start, end) = (one("start", start)?, one("end", end)?);
    let key = format!("{}{}{text}", char::from(start), char::from(end));
    let pattern = kept(host, "regex template", &key, |host| template(host, text, start, end))?;
    charge_search(host, value)?;
    pattern.is_match(host, value).map(|b| Some(Value::Bool(b)))
}

/// A glob of `regex.globs_match`: characters, dots and sets, each with an optional `+` or `*`.
struct Token {
    kind: Kind,
    flag: Flag,
}

#[derive(PartialEq)]
enum Kind {
    Char(char),
    Dot,
    /// Ranges, in the order written.
    Set(ClassUnicode),
}

#[derive(Clone, Copy, PartialEq)]
enum Flag {
    None,
    Plus,
    Star,
}

/// Globs of more tokens than this are refused: comparing two takes the product of their lengths.
const TOKENS: usize = 1000;

fn globs_match(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let (a, b) = (glob(string(args, 1)?)?, glob(string(args, 2)?)?);
    let (mut a, mut b) = (a.as_slice(), b.as_slice());
    host.charge(a.len().saturating_mul(b.len()))?;
    // Equal beginnings and ends are cut, all but one token of each.
    let plain = |x: &Token, y: &Token| x.flag == Flag::None && y.flag == Flag::None;
    let mut left = 0;
    for (x, y) in a.iter().zip(b).take_while(|(x, y)| plain(x, y)) {
        if !meet(x, y) {
            return Ok(Some(Value::Bool(false)));
        }
        left += 1;
    }
    let left = usize::saturating_sub(left, 1);
    a = a.get(left..).unwrap_or(&[]);
    b = b.get(left..).unwrap_or(&[]);
    let mut right = 0;
    for (x, y) in a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| plain(x, y)) {
        if !meet(x, y) {
            return Ok(Some(Value::Bool(false)));
        }
        right += 1;
    }
    let right = usize::saturating_sub(right, 1);
    a = a.get(..a.len() - right).unwrap_or(&[]);
    b = b.get(..b.len() - right).unwrap_or(&[]);
    let mut meeting = Meeting {
        globs: [a, b],
        known: FxHashMap::default(),
    };
    Ok(Some(Value::Bool(meeting.normal(0, 0, 0))))
}

fn glob(text: &str) -> Result<Vec<Token>, Failure> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > TOKENS {
        return Err(super::operand::too_large("glob"));
    }
    let bad = |at: usize, what: &str| error(format!("input:{text}, pos:{at}, {what}: the input provided is invalid"));
    // The character at a place, whether it was escaped, and the place after it.
    let next = |at: usize| -> Result<Option<(char, bool, usize)>, Failure> {
        match (chars.get(at), chars.get(at + 1)) {
            (None, _) => Ok(None),
            (Some('\\'), Some(c)) => Ok(Some((*c, true, at + 2))),
            (Some('\\'), None) => Err(bad(at, "input ends with a \\ (escape) character")),
            (Some(c), _) => Ok(Some((*c, false, at + 1))),
        }
    };
    let mut out: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some((c, escaped, after)) = next(at)? {
        at = after;
        let kind = match c {
            _ if escaped => Kind::Char(c),
            '.' => Kind::Dot,
            ']' => return Err(bad(at, "set-close ']' with no preceding '['")),
            '+' | '*' => return Err(bad(at, &format!("flag '{c}' must be preceded by a non-flag"))),
            '[' => {
                let mut set = ClassUnicode::empty();
                let mut last = None;
                loop {
                    let Some((c, escaped, after)) = next(at)? else {
                        return Err(bad(at, "found [ without matching ]"));
                    };
                    at = after;
                    if c == ']' && !escaped {
                        break;
                    }
                    if c != '-' || escaped {
                        set.push(ClassUnicodeRange::new(c, c));
                        last = Some(c);
                        continue;
                    }
                    let Some(low) = last.take() else {
                        return Err(bad(at, "range character '-' must be preceded by a Unicode character"));
                    };
                    if at + 1 >= chars.len() {
                        return Err(bad(at, "range character '-' must be followed by a Unicode character"));
                    }
                    let Some((high, escaped, after)) = next(at)? else {
                        return Err(bad(at, "found [ without matching ]"));
                    };
                    at = after;
                    if !escaped && matches!(high, ']' | '-') {
                        return Err(bad(at, "range character '-' cannot be followed by a special symbol"));
                    }
                    if high < low {
                        let what = format!("range is out of order: '{high}' comes before '{low}' in Unicode");
                        return Err(bad(at, &what));
                    }
                    set.push(ClassUnicodeRange::new(low, high));
                }
                Kind::Set(set)
            }
            _ => Kind::Char(c),
        };
        let flag = match next(at) {
            Ok(Some(('+', false, _))) => Flag::Plus,
            Ok(Some(('*', false, _))) => Flag::Star,
            _ => Flag::None,
        };
        at += usize::from(flag != Flag::None);
        // `a*a+` is `a+`.
        match out.last_mut() {
            Some(last) if flag != Flag::None && last.flag != Flag::None && last.kind == kind => {
                if flag == Flag::Plus {
                    last.flag = Flag::Plus;
                }
            }
            _ => out.push(Token { kind, flag }),
        }
    }
    Ok(out)
}

/// Whether one character fits both tokens.
fn meet(a: &Token, b: &Token) -> bool {
    let has = |set: &ClassUnicode, c: char| set.ranges().iter().any(|r| r.start() <= c && c <= r.end());
    match (&a.kind, &b.kind) {
        (Kind::Char(a), Kind::Char(b)) => a == b,
        (Kind::Char(c), Kind::Set(set)) | (Kind::Set(set), Kind::Char(c)) => has(set, *c),
        (Kind::Set(a), Kind::Set(b)) => {
            let mut both = a.clone();
            both.intersect(b);
            !both.ranges().is_empty()
        }
        (Kind::Dot, _) | (_, Kind::Dot) => true,
    }
}

/// The walk over two globs that OPA's library does, its blind spots included, but each state once.
struct Meeting<'a> {
    globs: [&'a [Token]; 2],
    known: FxHashMap<(bool, usize, usize, usize), bool>,
}

impl Meeting<'_> {
    fn token(&self, which: usize, at: usize) -> Option<&Token> {
        self.globs.get(which & 1).and_then(|g| g.get(at))
    }

    /// From place `i` of glob `which` and place `j` of the other one.
    fn normal(&mut self, which: usize, mut i: usize, mut j: usize) -> bool {
        let id = (false, which, i, j);
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let answer = loop {
            let (Some(a), Some(b)) = (self.token(which, i), self.token(which + 1, j)) else {
                break self.token(which, i).is_none() && self.token(which + 1, j).is_none();
            };
            match (a.flag, b.flag) {
                (Flag::None, Flag::None) if meet(a, b) => {
                    i += 1;
                    j += 1;
                }
                (Flag::None, Flag::None) => break false,
                (Flag::None, Flag::Plus) => break self.plus(which ^ 1, j, i),
                (Flag::None, Flag::Star) => break self.star(which ^ 1, j, i),
                (Flag::Plus, _) => break self.plus(which, i, j),
                (Flag::Star, _) => break self.star(which, i, j),
            }
        };
        self.known.insert(id, answer);
        answer
    }

    fn plus(&mut self, which: usize, i: usize, j: usize) -> bool {
        let (Some(a), Some(b)) = (self.token(which, i), self.token(which + 1, j)) else {
            return false;
        };
        let flagged = b.flag != Flag::None;
        if !meet(a, b) {
            return false;
        }
        self.star(which, i, j + 1) || (flagged && self.normal(which, i + 1, j))
    }

    fn star(&mut self, which: usize, i: usize, mut j: usize) -> bool {
        let id = (true, which, i, j);
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let last = self.token(which, i + 1).is_none();
        let answer = loop {
            let (Some(starred), Some(other)) = (self.token(which, i), self.token(which + 1, j)) else {
                break last;
            };
            let goes_on = meet(other, starred);
            let ends = self.token(which, i + 1).is_some_and(|next| meet(other, next));
            if ends && self.normal(which, i + 1, j) {
                break true;
            }
            if !goes_on {
                break false;
            }
            j += 1;
        };
        self.known.insert(id, answer);
        answer
    }
}
