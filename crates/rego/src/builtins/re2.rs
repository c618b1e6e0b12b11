//! Go's regular expressions (RE2 syntax) on the automata of the `regex` crate.
//!
//! The syntax is read here, straight into the automata's own form, so that no second syntax with other classes, escapes
//! and set operators stands between: what Go refuses is refused with its words, what it takes means the same.

use super::operand::{error, too_large};
use super::search::Search;
use super::{Failure, Host};
use crate::go_text::in_class;
use regex_automata::meta;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, HirKind, Look, Repetition};
use std::sync::OnceLock;

/// A compiled expression.
pub(crate) struct Pattern {
    regex: meta::Regex,
    hir: Hir,
    /// Go's instructions for it.
    size: usize,
    /// Made when a text is long for it.
    search: OnceLock<Box<Search>>,
    /// Names of the groups, the whole match first; empty where there is none.
    names: Vec<String>,
}

/// Start and end of the whole match and of each group; `None` where a group took no part.
pub(crate) type Match = Vec<Option<(usize, usize)>>;

/// Memory of one compiled expression: `\pL{253}` takes three quarters of it. Compiling cannot be stopped half way, and
/// that much takes a tenth of a second.
const SIZE: usize = 16 << 20;
/// Bytes of an expression; no longer one fits into [`SIZE`].
const TEXT: usize = 256 << 10;
/// Instructions times bytes of a text from which on a search may take a tenth of a second.
const LONG: usize = 4 << 20;
/// Groups times length of an expression, at most.
const GROUP_STATES: usize = 4 << 20;
/// Go's bound on nesting.
const HEIGHT: u32 = 1000;
/// Go's bound on instructions (128 MiB of them).
const INSTRUCTIONS: u64 = (128 << 20) / 40;
/// Go's bound on repetitions, also on the product of nested ones.
const REPEAT: u32 = 1000;

impl Pattern {
    /// Reads and compiles.
    ///
    /// # Errors
    /// Go's words for a bad expression; a limit for one that is too large; the time is up.
    pub(crate) fn new(host: &mut dyn Host, text: &str) -> Result<Pattern, Failure> {
        if text.len() > TEXT {
            return Err(too_large("regular expression"));
        }
        let (hir, names, size) = parse(text).map_err(error)?;
        let config = meta::Config::new()
            .nfa_size_limit(Some(SIZE))
            .onepass_size_limit(Some(1 << 20))
            .hybrid_cache_capacity(states(size))
            .utf8_empty(true);
        let built = meta::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new())
            .build_from_hir(&hir);
        let regex = built.map_err(|_| too_large("regular expression"))?;
        host.work(work(&regex))?;
        // A search keeps every group's places for each state: their product must not be driven by input.
        if regex.captures_len().saturating_mul(text.len()) > GROUP_STATES {
            return Err(too_large("regular expression"));
        }
        Ok(Pattern {
            regex,
            hir,
            size,
            search: OnceLock::new(),
            names,
        })
    }

    /// Bytes that it takes, and that searching for it leaves behind at most.
    pub(crate) fn weight(&self) -> usize {
        // Twice: for long texts the automata are there again.
        2 * (self.regex.memory_usage() + states(self.size))
    }

    /// Whether searching so much text may take long.
    fn is_long(&self, bytes: usize) -> bool {
        self.size.saturating_mul(bytes) > LONG
    }

    /// For long texts.
    fn search(&self, host: &mut dyn Host) -> Result<&Search, Failure> {
        if self.search.get().is_none() {
            let made = Search::new(&self.hir, SIZE)?;
            host.work(work(&self.regex))?;
            // Another may have been quicker.
            let _ = self.search.set(Box::new(made));
        }
        self.search
            .get()
            .map(Box::as_ref)
            .ok_or_else(|| too_large("regular expression"))
    }

    /// Whether the expression is anywhere in the text.
    ///
    /// # Errors
    /// The time is up.
    pub(crate) fn is_match(&self, host: &mut dyn Host, text: &str) -> Result<bool, Failure> {
        if !self.is_long(text.len()) {
            return Ok(self.regex.is_match(text));
        }
        let search = self.search(host)?;
        let found = search.find(host, &mut search.start(), text, 0, true)?;
        Ok(found.is_some())
    }

    /// Non-overlapping matches from the left, `limit` of them at most; `each` may end the walk with an error.
    /// As in Go, an empty match right after another match does not count.
    ///
    /// # Errors
    /// That of `each`; the time is up; the groups of a match are too much to look for.
    pub(crate) fn each_match(
        &self,
        host: &mut dyn Host,
        text: &str,
        limit: usize,
        mut each: impl FnMut(&mut dyn Host, Match) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut captures = self.regex.create_captures();
        let mut walked = None;
        let (mut at, mut last_end, mut count) = (0, None, 0);
        while count < limit && at <= text.len() {
            let rest = text.len() - at;
            let found: Match = if self.is_long(rest) {
                let search = self.search(host)?;
                let walked = walked.get_or_insert_with(|| search.start());
                let Some((start, end)) = search.find(host, walked, text, at, false)? else {
                    break;
                };
                self.groups_within(text, start, end, &mut captures)?
            } else {
                // How far it looks is not told.
                host.work(rest)?;
                self.regex.search_captures(&Input::new(text).range(at..), &mut captures);
                self.places(&captures)
            };
            let Some(Some((start, end))) = found.first().copied() else {
                break;
            };
            let empty = start == end;
            if !(empty && Some(start) == last_end) {
                each(host, found)?;
                count += 1;
            }
            last_end = Some(end);
            at = end;
            if empty {
                at += text.get(at..).and_then(|r| r.chars().next()).map_or(1, char::len_utf8);
            }
        }
        Ok(())
    }

    /// The groups of the match that is there.
    fn groups_within(&self, text: &str, start: usize, end: usize, captures: &mut Captures) -> Result<Match, Failure> {
        if self.names.len() == 1 {
            return Ok(vec![Some((start, end))]);
        }
        if self.is_long(end - start) {
            return Err(too_large("text for the groups of a regular expression"));
        }
        let input = Input::new(text).range(start..end).anchored(Anchored::Yes);
        self.regex.search_captures(&input, captures);
        Ok(self.places(captures))
    }

    fn places(&self, captures: &Captures) -> Match {
        (0..self.names.len())
            .map(|i| captures.get_group(i).map(|s| (s.start, s.end)))
            .collect()
    }

    /// The parts of a replacement: `$1`, `${name}`, `$$`, as Go's Expand reads them.
    pub(crate) fn template<'t>(&self, template: &'t str) -> Vec<Part<'t>> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            if !before.is_empty() {
                parts.push(Part::Text(before));
            }
            if let Some(after) = after.strip_prefix('$') {
                parts.push(Part::Text("$"));
                rest = after;
                continue;
            }
            match reference(after) {
                Some((name, after)) => {
                    parts.push(Part::Groups(self.groups(name)));
                    rest = after;
                }
                None => {
                    // Malformed: a raw dollar sign.
                    parts.push(Part::Text("$"));
                    rest = after;
                }
            }
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest));
        }
        parts
    }

    /// Groups a reference may mean; the first that took part counts.
    fn groups(&self, name: &str) -> Vec<usize> {
        let number = || -> Option<usize> {
            if name.len() > 1 && name.starts_with('0') {
                return None;
            }
            if !name.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            // Beyond 1e8 Go sees no number but a name.
            name.parse().ok().filter(|n| *n < 1_000_000_000)
        };
        match number() {
            Some(n) => vec![n],
            None => self
                .names
                .iter()
                .enumerate()
                .filter(|(_, n)| n.as_str() == name)
                .map(|(i, _)| i)
                .collect(),
        }
    }
}

/// A part of a replacement.
pub(crate) enum Part<'t> {
    /// As it stands.
    Text(&'t str),
    /// The first of these groups that took part.
    Groups(Vec<usize>),
}

fn is_letter(c: char) -> bool {
    static CLASS: OnceLock<Option<ClassUnicode>> = OnceLock::new();
    c.is_ascii_alphabetic() || in_class(&CLASS, r"\p{L}", c)
}

fn is_digit(c: char) -> bool {
    static CLASS: OnceLock<Option<ClassUnicode>> = OnceLock::new();
    c.is_ascii_digit() || in_class(&CLASS, r"\p{Nd}", c)
}

/// The name after a dollar sign, and what follows.
fn reference(after: &str) -> Option<(&str, &str)> {
    let (braced, body) = match after.strip_prefix('{') {
        Some(body) => (true, body),
        None => (false, after),
    };
    let end = body
        .find(|c: char| !(c == '_' || is_letter(c) || is_digit(c)))
        .unwrap_or(body.len());
    let (name, rest) = (body.get(..end)?, body.get(end..)?);
    if name.is_empty() {
        return None;
    }
    if braced {
        return Some((name, rest.strip_prefix('}')?));
    }
    Some((name, rest))
}

/// What compiling took, as [`Host::work`] counts.
fn work(regex: &meta::Regex) -> usize {
    regex.memory_usage().saturating_mul(8)
}

/// Memory of the states that searches for an expression of so many instructions make as they go.
fn states(size: usize) -> usize {
    (256 << 10) + size.min(1_792) * 1_024
}

/// Whether Go reads the expression.
pub(crate) fn is_valid(text: &str) -> bool {
    parse(text).is_ok()
}

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// A piece, with what Go's bounds need to know of it.
struct Item {
    hir: Hir,
    height: u32,
    /// Largest product of nested repetitions.
    repeats: u32,
    size: u64,
}

/// An open group; the whole expression is the lowest.
#[derive(Default)]
struct Frame {
    done: Vec<Item>,
    items: Vec<Item>,
    capture: Option<u32>,
    outer: Flags,
}

fn fault(code: &str, text: &str) -> String {
    format!("error parsing regexp: {code}: `{text}`")
}

const BAD_RANGE: &str = "invalid character class range";
const BAD_ESCAPE: &str = "invalid escape sequence";

/// What `rest` has consumed of `from`.
fn taken<'a>(from: &'a str, rest: &str) -> &'a str {
    from.get(..from.len().saturating_sub(rest.len())).unwrap_or(from)
}

fn leaf(hir: Hir) -> Item {
    Item {
        hir,
        height: 1,
        repeats: 1,
        size: 1,
    }
}

/// The expression, the names of its groups, and its instructions.
fn parse(text: &str) -> Result<(Hir, Vec<String>, usize), String> {
    let mut flags = Flags::default();
    let mut stack: Vec<Frame> = vec![Frame::default()];
    let mut names = vec![String::new()];
    let mut rest = text;
    let mut last_repeat: Option<&str> = None;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or("");
        let mut repeat = None;
        match c {
            '(' if after.starts_with('?') => rest = perl_group(rest, &mut flags, &mut stack, &mut names)?,
            '(' => {
                open(&mut stack, Some(names.len() as u32), flags);
                names.push(String::new());
                rest = after;
            }
            '|' => {
                if let Some(frame) = stack.last_mut() {
                    let item = concat(std::mem::take(&mut frame.items));
                    frame.done.push(item);
                }
                rest = after;
            }
            ')' => {
                close(&mut stack, &mut flags).ok_or_else(|| fault("unexpected )", text))?;
                rest = after;
            }
            '*' | '+' | '?' => {
                let bounds = match c {
                    '*' => (0, None),
                    '+' => (1, None),
                    _ => (0, Some(1)),
                };
                let next = quantify(&mut stack, flags, bounds, rest, after, last_repeat)?;
                repeat = Some(rest);
                rest = next;
            }
            '{' => match counted(rest) {
                None => {
                    push(&mut stack, literal('{', flags));
                    rest = after;
                }
                Some((bounds, after)) => {
                    let bounds = bounds.ok_or_else(|| fault("invalid repeat count", taken(rest, after)))?;
                    let next = quantify(&mut stack, flags, bounds, rest, after, last_repeat)?;
                    repeat = Some(rest);
                    rest = next;
                }
            },
            '\\' => rest = escape_item(rest, flags, &mut stack)?,
            '[' => {
                let (item, next) = class(rest, flags)?;
                push(&mut stack, item);
                rest = next;
            }
            '^' => {
                push_look(&mut stack, if flags.multi_line { Look::StartLF } else { Look::Start });
                rest = after;
            }
            '$' => {
                push_look(&mut stack, if flags.multi_line { Look::EndLF } else { Look::End });
                rest = after;
            }
            '.' => {
                let dot = if flags.dot_newline {
                    Dot::AnyChar
                } else {
                    Dot::AnyCharExceptLF
                };
                push(&mut stack, leaf(Hir::dot(dot)));
                rest = after;
            }
            _ => {
                push(&mut stack, literal(c, flags));
                rest = after;
            }
        }
        last_repeat = repeat;
        let height = stack.last().and_then(|f| f.items.last()).map_or(0, |i| i.height);
        if height > HEIGHT {
            return Err(fault("expression nests too deeply", text));
        }
    }
    let (Some(frame), true) = (stack.pop(), stack.is_empty()) else {
        return Err(fault("missing closing )", text));
    };
    let item = alternate(frame);
    if item.height > HEIGHT {
        return Err(fault("expression nests too deeply", text));
    }
    if item.size > INSTRUCTIONS {
        return Err(fault("expression too large", text));
    }
    let size = usize::try_from(item.size).unwrap_or(usize::MAX);
    Ok((item.hir, names, size))
}

fn push(stack: &mut [Frame], item: Item) {
    if let Some(frame) = stack.last_mut() {
        frame.items.push(item);
    }
}

fn push_look(stack: &mut [Frame], look: Look) {
    push(stack, leaf(Hir::look(look)));
}

fn open(stack: &mut Vec<Frame>, capture: Option<u32>, outer: Flags) {
    stack.push(Frame {
        capture,
        outer,
        ..Frame::default()
    });
}

fn concat(mut items: Vec<Item>) -> Item {
    if items.len() == 1
        && let Some(one) = items.pop()
    {
        return one;
    }
    Item {
        height: items.iter().map(|i| i.height).max().unwrap_or(0).saturating_add(1),
        repeats: items.iter().map(|i| i.repeats).max().unwrap_or(1),
        size: items.iter().fold(1, |n, i| i.size.saturating_add(n)),
        hir: Hir::concat(items.into_iter().map(|i| i.hir).collect()),
    }
}

fn alternate(mut frame: Frame) -> Item {
    let last = concat(frame.items);
    if frame.done.is_empty() {
        return last;
    }
    frame.done.push(last);
    let items = frame.done;
    Item {
        height: items.iter().map(|i| i.height).max().unwrap_or(0).saturating_add(1),
        repeats: items.iter().map(|i| i.repeats).max().unwrap_or(1),
        size: items.iter().fold(1, |n, i| i.size.saturating_add(n).saturating_add(1)),
        hir: Hir::alternation(items.into_iter().map(|i| i.hir).collect()),
    }
}

/// Ends a group; `None` when none is open.
fn close(stack: &mut Vec<Frame>, flags: &mut Flags) -> Option<()> {
    if stack.len() < 2 {
        return None;
    }
    let frame = stack.pop()?;
    *flags = frame.outer;
    let capture = frame.capture;
    let inner = alternate(frame);
    let item = match capture {
        None => inner,
        Some(index) => Item {
            height: inner.height.saturating_add(1),
            repeats: inner.repeats,
            size: inner.size.saturating_add(2),
            hir: Hir::capture(Capture {
                index,
                name: None,
                sub: Box::new(inner.hir),
            }),
        },
    };
    push(stack, item);
    Some(())
}

/// Repeats the last item; gives what follows.
fn quantify<'t>(
    stack: &mut [Frame],
    flags: Flags,
    (min, max): (u32, Option<u32>),
    before: &'t str,
    after: &'t str,
    last_repeat: Option<&str>,
) -> Result<&'t str, String> {
    let mut greedy = !flags.swap_greed;
    let mut rest = after;
    if let Some(next) = rest.strip_prefix('?') {
        greedy = !greedy;
        rest = next;
    }
    if let Some(last) = last_repeat {
        return Err(fault("invalid nested repetition operator", taken(last, rest)));
    }
    let Some(item) = stack.last_mut().and_then(|f| f.items.pop()) else {
        return Err(fault("missing argument to repetition operator", taken(before, rest)));
    };
    let counted = before.starts_with('{');
    let most = max.unwrap_or(min);
    let repeats = match (counted, max) {
        (true, Some(0)) => 1,
        (true, _) => most.max(1).saturating_mul(item.repeats),
        (false, _) => item.repeats,
    };
    if counted && most >= 2 && repeats > REPEAT {
        return Err(fault("invalid repeat count", taken(before, rest)));
    }
    let size = match max {
        None if min == 0 => item.size.saturating_add(2),
        _ => item
            .size
            .saturating_mul(u64::from(most.max(1)))
            .saturating_add(u64::from(most)),
    };
    let repeated = Item {
        height: item.height.saturating_add(1),
        repeats,
        size,
        hir: Hir::repetition(Repetition {
            min,
            max,
            greedy,
            sub: Box::new(item.hir),
        }),
    };
    push(stack, repeated);
    Ok(rest)
}

/// `{2}`, `{2,}`, `{2,3}` and what follows; `None` when the brace is a literal, no bounds when they are too large.
#[expect(clippy::type_complexity, reason = "one use")]
fn counted(text: &str) -> Option<(Option<(u32, Option<u32>)>, &str)> {
    let (min, rest) = integer(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = integer(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    let bad = min > REPEAT || max.is_some_and(|m| m > REPEAT || min > m);
    Some((if bad { None } else { Some((min, max)) }, rest))
}

/// A decimal integer without leading zeros; too large ones are only "too large".
fn integer(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

/// What follows `(?`: a named group, flags, a group with flags.
fn perl_group<'t>(
    text: &'t str,
    flags: &mut Flags,
    stack: &mut Vec<Frame>,
    names: &mut Vec<String>,
) -> Result<&'t str, String> {
    let named = match text.strip_prefix("(?P<") {
        Some(body) if text.len() > 4 => Some(body),
        _ => text.strip_prefix("(?<").filter(|_| text.len() > 3),
    };
    if let Some(body) = named.filter(|b| !b.is_empty()) {
        let Some((name, rest)) = body.split_once('>') else {
            return Err(fault("invalid named capture", text));
        };
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return Err(fault("invalid named capture", taken(text, rest)));
        }
        open(stack, Some(names.len() as u32), *flags);
        names.push(name.to_string());
        return Ok(rest);
    }
    let mut new = *flags;
    let (mut on, mut saw) = (true, false);
    let mut rest = text.get(2..).unwrap_or("");
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or("");
        match c {
            'i' => new.fold = on,
            'm' => new.multi_line = on,
            's' => new.dot_newline = on,
            'U' => new.swap_greed = on,
            '-' if on => {
                on = false;
                saw = false;
                continue;
            }
            ':' | ')' if on || saw => {
                if c == ':' {
                    open(stack, None, *flags);
                }
                *flags = new;
                return Ok(rest);
            }
            _ => break,
        }
        saw = true;
    }
    Err(fault("invalid or unsupported Perl syntax", taken(text, rest)))
}

fn literal(c: char, flags: Flags) -> Item {
    if flags.fold {
        let class = folded(ClassUnicode::new([ClassUnicodeRange::new(c, c)]), flags);
        return leaf(Hir::class(Class::Unicode(class)));
    }
    let mut buffer = [0; 4];
    leaf(Hir::literal(c.encode_utf8(&mut buffer).as_bytes()))
}

fn folded(mut class: ClassUnicode, flags: Flags) -> ClassUnicode {
    if flags.fold {
        // It fails only without Unicode tables, which are built in.
        let _ = class.try_case_fold_simple();
    }
    class
}

/// A backslash outside of a class.
fn escape_item<'t>(text: &'t str, flags: Flags, stack: &mut [Frame]) -> Result<&'t str, String> {
    let after = text.get(2..);
    let look = match text.as_bytes().get(1) {
        Some(b'A') => Some(Look::Start),
        Some(b'z') => Some(Look::End),
        Some(b'b') => Some(Look::WordAscii),
        Some(b'B') => Some(Look::WordAsciiNegate),
        Some(b'C') => return Err(fault(BAD_ESCAPE, text.get(..2).unwrap_or(text))),
        Some(b'Q') => {
            let body = after.unwrap_or("");
            let (quoted, rest) = body.split_once(r"\E").unwrap_or((body, ""));
            for c in quoted.chars() {
                push(stack, literal(c, flags));
            }
            return Ok(rest);
        }
        _ => None,
    };
    if let (Some(look), Some(rest)) = (look, after) {
        push_look(stack, look);
        return Ok(rest);
    }
    if let Some((set, rest)) = unicode_class(text, flags)? {
        push(stack, leaf(Hir::class(Class::Unicode(set))));
        return Ok(rest);
    }
    if let Some((set, rest)) = perl_class(text, flags) {
        push(stack, leaf(Hir::class(Class::Unicode(set))));
        return Ok(rest);
    }
    let (code, rest) = escape(text)?;
    push(
        stack,
        match char::from_u32(code) {
            Some(c) => literal(c, flags),
            // A surrogate is in no text.
            None => leaf(Hir::fail()),
        },
    );
    Ok(rest)
}

fn set_of(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(a, b)| ClassUnicodeRange::new(*a, *b)))
}

fn signed(set: ClassUnicode, negated: bool, flags: Flags) -> ClassUnicode {
    let mut set = folded(set, flags);
    if negated {
        set.negate();
    }
    set
}

/// `\d`, `\s`, `\w` and their opposites, ASCII only.
fn perl_class(text: &str, flags: Flags) -> Option<(ClassUnicode, &str)> {
    let letter = *text.strip_prefix('\\')?.as_bytes().first()?;
    let set = match letter.to_ascii_lowercase() {
        b'd' => set_of(&[('0', '9')]),
        b's' => set_of(&[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')]),
        b'w' => set_of(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        _ => return None,
    };
    Some((signed(set, letter.is_ascii_uppercase(), flags), text.get(2..)?))
}

/// `\pN`, `\p{Greek}`, `\P{^Lu}`.
fn unicode_class(text: &str, flags: Flags) -> Result<Option<(ClassUnicode, &str)>, String> {
    let mut negated = match text.as_bytes().get(..2) {
        Some(br"\p") => false,
        Some(br"\P") => true,
        _ => return Ok(None),
    };
    let body = text.get(2..).unwrap_or("");
    let (name, rest) = match body.chars().next() {
        Some('{') => {
            let Some((name, rest)) = body.get(1..).and_then(|b| b.split_once('}')) else {
                return Err(fault(BAD_RANGE, text));
            };
            (name, rest)
        }
        Some(c) => body.split_at_checked(c.len_utf8()).unwrap_or((body, "")),
        None => ("", ""),
    };
    let bare = match name.strip_prefix('^') {
        Some(bare) => {
            negated = !negated;
            bare
        }
        None => name,
    };
    match named_class(bare) {
        Some(set) => Ok(Some((signed(set, negated, flags), rest))),
        None => Err(fault(BAD_RANGE, taken(text, rest))),
    }
}

/// Scripts that Go finds by name: those of one word, by their long names.
const SCRIPTS: &str = "\
    adlam ahom arabic armenian avestan balinese bamum batak bengali bhaiksuki bopomofo brahmi braille \
    buginese buhid carian chakma cham cherokee chorasmian common coptic cuneiform cypriot cyrillic deseret \
    devanagari dogra duployan elbasan elymaic ethiopic georgian glagolitic gothic grantha greek gujarati \
    gurmukhi han hangul hanunoo hatran hebrew hiragana inherited javanese kaithi kannada katakana kawi \
    kharoshthi khmer khojki khudawadi lao latin lepcha limbu lisu lycian lydian mahajani makasar malayalam \
    mandaic manichaean marchen medefaidrin miao modi mongolian mro multani myanmar nabataean nandinagari \
    newa nko nushu ogham oriya osage osmanya palmyrene phoenician rejang runic samaritan saurashtra sharada \
    shavian siddham signwriting sinhala sogdian soyombo sundanese syriac tagalog tagbanwa takri tamil tangsa \
    tangut telugu thaana thai tibetan tifinagh tirhuta toto ugaritic vai vithkuqi wancho yezidi yi";

/// A general category or a script by name.
fn named_class(name: &str) -> Option<ClassUnicode> {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .collect::<String>()
        .to_ascii_lowercase();
    if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_alphanumeric()) || plain.len() > 40 {
        return None;
    }
    match plain.as_str() {
        "any" => return Some(set_of(&[('\0', char::MAX)])),
        "ascii" => return Some(set_of(&[('\0', '\u{7f}')])),
        _ => {}
    }
    let script = SCRIPTS.split(' ').any(|s| s == plain);
    let property = if script { "sc" } else { "gc" };
    match regex_syntax::parse(&format!(r"\p{{{property}={plain}}}"))
        .ok()?
        .into_kind()
    {
        HirKind::Class(Class::Unicode(set)) => Some(set),
        // A class of one character (`\p{Zl}`).
        HirKind::Literal(one) => {
            let c = std::str::from_utf8(&one.0).ok()?.chars().next()?;
            Some(set_of(&[(c, c)]))
        }
        _ => None,
    }
}

/// `[:alpha:]`, `[:^space:]`.
fn posix_class(name: &str) -> Option<ClassUnicode> {
    Some(match name {
        "alnum" => set_of(&[('0', '9'), ('A', 'Z'), ('a', 'z')]),
        "alpha" => set_of(&[('A', 'Z'), ('a', 'z')]),
        "ascii" => set_of(&[('\0', '\u{7f}')]),
        "blank" => set_of(&[('\t', '\t'), (' ', ' ')]),
        "cntrl" => set_of(&[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')]),
        "digit" => set_of(&[('0', '9')]),
        "graph" => set_of(&[('!', '~')]),
        "lower" => set_of(&[('a', 'z')]),
        "print" => set_of(&[(' ', '~')]),
        "punct" => set_of(&[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
        "space" => set_of(&[('\t', '\r'), (' ', ' ')]),
        "upper" => set_of(&[('A', 'Z')]),
        "word" => set_of(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        "xdigit" => set_of(&[('0', '9'), ('A', 'F'), ('a', 'f')]),
        _ => return None,
    })
}

/// A bracketed class and what follows it.
fn class(text: &str, flags: Flags) -> Result<(Item, &str), String> {
    let mut rest = text.get(1..).unwrap_or("");
    let negated = rest.starts_with('^');
    if negated {
        rest = rest.get(1..).unwrap_or("");
    }
    let mut set = ClassUnicode::empty();
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some(body) = rest.strip_prefix("[:")
            && let Some((name, next)) = body.split_once(":]")
        {
            let (bare, not) = match name.strip_prefix('^') {
                Some(bare) => (bare, true),
                None => (name, false),
            };
            let named = posix_class(bare).ok_or_else(|| fault(BAD_RANGE, taken(rest, next)))?;
            set.union(&signed(named, not, flags));
            rest = next;
            continue;
        }
        if let Some((named, next)) = unicode_class(rest, flags)? {
            set.union(&named);
            rest = next;
            continue;
        }
        if let Some((named, next)) = perl_class(rest, flags) {
            set.union(&named);
            rest = next;
            continue;
        }
        let range = rest;
        let (low, next) = class_char(rest, text)?;
        rest = next;
        let mut high = low;
        if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
            let (end, next) = class_char(rest.get(1..).unwrap_or(""), text)?;
            high = end;
            rest = next;
            if high < low {
                return Err(fault(BAD_RANGE, taken(range, rest)));
            }
        }
        // Surrogates are in no text.
        let low = if (0xd800..0xe000).contains(&low) { 0xe000 } else { low };
        let high = if (0xd800..0xe000).contains(&high) { 0xd7ff } else { high };
        if low <= high
            && let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high))
        {
            set.union(&folded(set_of(&[(low, high)]), flags));
        }
    }
    if negated {
        set.negate();
    }
    Ok((leaf(Hir::class(Class::Unicode(set))), rest.get(1..).unwrap_or("")))
}

fn class_char<'t>(text: &'t str, whole: &str) -> Result<(u32, &'t str), String> {
    let Some(c) = text.chars().next() else {
        return Err(fault("missing closing ]", whole));
    };
    if c == '\\' {
        return escape(text);
    }
    Ok((u32::from(c), text.get(c.len_utf8()..).unwrap_or("")))
}

/// A backslash and the one character it stands for.
fn escape(text: &str) -> Result<(u32, &str), String> {
    let mut chars = text.chars();
    chars.next();
    let Some(c) = chars.next() else {
        return Err(fault("trailing backslash at end of expression", ""));
    };
    let octal = |c: char| c.to_digit(8);
    match c {
        '0'..='7' if c == '0' || chars.as_str().starts_with(|c: char| octal(c).is_some()) => {
            let mut code = octal(c).unwrap_or(0);
            for _ in 1..3 {
                let Some(digit) = chars.as_str().chars().next().and_then(octal) else {
                    break;
                };
                code = code * 8 + digit;
                chars.next();
            }
            return Ok((code, chars.as_str()));
        }
        'x' => {
            if let Some(code) = hexadecimal(&mut chars) {
                return Ok((code, chars.as_str()));
            }
        }
        'a' => return Ok((7, chars.as_str())),
        'f' => return Ok((12, chars.as_str())),
        'n' => return Ok((10, chars.as_str())),
        'r' => return Ok((13, chars.as_str())),
        't' => return Ok((9, chars.as_str())),
        'v' => return Ok((11, chars.as_str())),
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => return Ok((u32::from(c), chars.as_str())),
        _ => {}
    }
    Err(fault(BAD_ESCAPE, taken(text, chars.as_str())))
}

/// `{10ffff}` or two digits; on `None` what was read is consumed, for the error's text.
fn hexadecimal(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    let first = chars.next()?;
    if first != '{' {
        let second = chars.next()?;
        return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
    }
    let (mut code, mut digits) = (0u32, 0);
    loop {
        let c = chars.next()?;
        if c == '}' {
            return (digits > 0).then_some(code);
        }
        code = code * 16 + c.to_digit(16)?;
        if code > 0x0010_ffff {
            return None;
        }
        digits += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

    use super::*;
    use crate::builtins::quiet::Quiet;

    const PATTERNS: &[&str] = &[
        "",
        "a",
        "a*",
        "a*?",
        "a+b|a",
        "a|a+b",
        "(a|ab)(c|bcd)",
        "^a",
        "a$",
        "^$",
        "(?m)^",
        "(?m)a$",
        r"\b",
        r"\B",
        r"\ba",
        r"a\b",
        "é",
        "[^a]",
        "[é-ü]+",
        r"\pL+",
        r"\PL*",
        "(?i)AÉ",
        ".",
        "(?s).",
        ".*",
        ".*?b",
        "a.*b|a",
        "x?",
        "(a*)*b",
        "(?:ab|a)(?:bc)?",
        "[^é]*",
        "日|本",
        "()",
        "a{2,3}",
        "a{2,3}?",
    ];
    const TEXTS: &[&str] = &[
        "",
        "a",
        "b",
        "aab",
        "abcd",
        "ab\nab",
        "\n",
        "éa",
        "aé",
        "日本語",
        "a日b本",
        "aaa aab aé",
        "xx\nyy\n",
        "ÉaéA",
        "ab ab  ab",
    ];

    /// What is walked in pieces and what the library searches are the same, from wherever it is searched.
    #[test]
    fn walked_is_as_searched() {
        let mut found = 0;
        for pattern in PATTERNS {
            let compiled = Pattern::new(&mut Quiet, pattern).unwrap();
            let search = compiled.search(&mut Quiet).unwrap();
            for text in TEXTS {
                let mut walked = search.start();
                for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                    let wanted = compiled.regex.search(&Input::new(*text).range(at..));
                    let wanted = wanted.map(|m| (m.start(), m.end()));
                    let got = search.find(&mut Quiet, &mut walked, text, at, false).unwrap();
                    assert_eq!(got, wanted, "{pattern:?} in {text:?} from {at}");
                    let any = search.find(&mut Quiet, &mut walked, text, at, true).unwrap();
                    assert_eq!(any.is_some(), wanted.is_some(), "{pattern:?} in {text:?} from {at}");
                    found += usize::from(wanted.is_some());
                }
            }
        }
        assert!(found > 1_000, "{found} matches");
    }

    /// The same of all matches with their groups, in a text that is long.
    #[test]
    fn all_matches_of_a_long_text() {
        let text = "aab é日 ab\nxa ".repeat(20_000);
        for pattern in ["(a+)(b?)", "a*", r"(\pL)日", r"\b", "(?m)(.b)$", "((a)|(b))*"] {
            let pattern_of = |size: usize| {
                let mut pattern = Pattern::new(&mut Quiet, pattern).unwrap();
                pattern.size = size;
                let mut all = Vec::new();
                let each = |_: &mut dyn Host, m: Match| {
                    all.push(m);
                    Ok(())
                };
                pattern.each_match(&mut Quiet, &text, 5_000, each).unwrap();
                all
            };
            // Of its last part, too, everything is long for the first.
            let (walked, searched) = (pattern_of(LONG / 50), pattern_of(0));
            assert!(searched.len() == 5_000, "{pattern}: {}", searched.len());
            assert_eq!(walked, searched, "{pattern}");
        }
    }
}
