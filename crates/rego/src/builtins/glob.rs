//! `glob.match` and `glob.quote_meta`: patterns as gobwas/glob reads them, matched in linear time per pattern item.

use super::operand::{element, error, must_be_one_of, string, too_large};
use super::{Answer, Failure, Host, Table};
use crate::value::Value;

pub(crate) const TABLE: Table = &[("glob.match", matches), ("glob.quote_meta", quote_meta)];

/// Longer patterns are refused: a match may take the product of pattern and text.
const PATTERN: usize = 1 << 14;
/// Alternatives in alternatives; each level is a level of the stack.
const DEPTH: usize = 64;

/// One step of a compiled pattern.
#[derive(Debug)]
enum Step {
    /// This character.
    Char(char),
    /// Any character but a separator.
    Single,
    /// One of these, or none of them.
    List(Vec<char>, bool),
    /// From, to, or outside of them.
    Range(char, char, bool),
    /// Here and further on, over any character but a separator.
    Any,
    /// Here and further on, over any character.
    Super,
    /// Goes on at each of these places.
    Split(Vec<usize>),
    /// Goes on there.
    Jump(usize),
}

/// A compiled pattern: an automaton over characters.
pub(super) struct Glob {
    steps: Vec<Step>,
    separators: Vec<char>,
}

fn quote_meta(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let text = string(args, 1)?;
    host.charge(text.len().saturating_mul(2))?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\' | '[' | ']' | '{' | '}') {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(Some(Value::string(out)))
}

/// The separators of the second operand.
fn separators(args: &[&Value]) -> Result<Vec<char>, Failure> {
    Ok(match args.get(1) {
        Some(Value::Null) => Vec::new(),
        Some(list @ Value::Array(items)) if !items.is_empty() => {
            let one = |v: &Value| match v {
                Value::String(s) => {
                    let mut chars = s.chars();
                    match (chars.next(), chars.next()) {
                        (Some(c), None) => Ok(c),
                        _ => Err(element(2, list, v, &["rune"])),
                    }
                }
                _ => Err(element(2, list, v, &["string"])),
            };
            items.iter().map(one).collect::<Result<Vec<char>, Failure>>()?
        }
        Some(Value::Array(_)) => vec!['.'],
        other => return Err(must_be_one_of(2, &["array", "null"], other.unwrap_or(&&Value::Null))),
    })
}

fn matches(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let pattern = string(args, 1)?;
    let separators = separators(args)?;
    let text = string(args, 3)?;
    let mut key = String::with_capacity(pattern.len() + 8);
    key.push_str(pattern);
    key.push('\0');
    key.extend(&separators);
    let glob = match host.cache().get("glob", &key) {
        Some(glob) => glob,
        None => {
            let glob = Glob::new(pattern, separators)?;
            let weight = glob.steps.len() * size_of::<Step>() + key.len();
            host.cache().keep("glob", &key, glob, weight)
        }
    };
    host.charge(text.len())?;
    glob.matches(host, text).map(|b| Some(Value::Bool(b)))
}

/// Reads a pattern, with the quirks of gobwas/glob.
struct Reader {
    chars: Vec<char>,
    at: usize,
    steps: Vec<Step>,
}

impl Glob {
    /// Of the first two operands of `glob.match`.
    ///
    /// # Errors
    /// What a call with them ends with.
    pub(super) fn of(args: &[&Value]) -> Result<Glob, Failure> {
        Glob::new(string(args, 1)?, separators(args)?)
    }

    fn new(pattern: &str, separators: Vec<char>) -> Result<Glob, Failure> {
        if pattern.len() > PATTERN {
            return Err(too_large("glob pattern"));
        }
        let mut reader = Reader {
            chars: pattern.chars().collect(),
            at: 0,
            steps: Vec::new(),
        };
        reader.sequence(0)?;
        Ok(Glob {
            steps: reader.steps,
            separators,
        })
    }

    /// Adds a place and all that follow from it without a character.
    fn reach(&self, at: usize, active: &mut Vec<usize>, seen: &mut [bool], todo: &mut Vec<usize>) {
        todo.push(at);
        while let Some(at) = todo.pop() {
            match seen.get_mut(at) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match self.steps.get(at) {
                Some(Step::Split(to)) => todo.extend(to.iter().rev()),
                Some(Step::Jump(to)) => todo.push(*to),
                Some(Step::Any | Step::Super) => {
                    active.push(at);
                    todo.push(at + 1);
                }
                _ => active.push(at),
            }
        }
    }

    pub(super) fn matches(&self, host: &mut dyn Host, text: &str) -> Result<bool, Failure> {
        // What the pattern begins with has to stand there as it is.
        let mut chars = text.chars();
        let mut start = 0;
        while let Some(Step::Char(want)) = self.steps.get(start) {
            if chars.next() != Some(*want) {
                return Ok(false);
            }
            start += 1;
        }
        if matches!(self.steps.get(start..), Some([Step::Super])) {
            return Ok(true);
        }
        let places = self.steps.len() + 1;
        let (mut active, mut next, mut todo) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = vec![false; places];
        self.reach(start, &mut active, &mut seen, &mut todo);
        for c in chars {
            if active.is_empty() {
                return Ok(false);
            }
            host.charge(active.len() / 64)?;
            seen.fill(false);
            let separator = self.separators.contains(&c);
            for at in active.drain(..) {
                let to = match self.steps.get(at) {
                    Some(Step::Char(want)) if *want == c => at + 1,
                    Some(Step::Single) if !separator => at + 1,
                    Some(Step::List(list, not)) if list.contains(&c) != *not => at + 1,
                    Some(Step::Range(low, high, not)) if (*low <= c && c <= *high) != *not => at + 1,
                    Some(Step::Any) if !separator => at,
                    Some(Step::Super) => at,
                    _ => continue,
                };
                self.reach(to, &mut next, &mut seen, &mut todo);
            }
            std::mem::swap(&mut active, &mut next);
        }
        Ok(active.contains(&self.steps.len()))
    }
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Up to the end, or to the comma or brace that ends an alternative.
    fn sequence(&mut self, depth: usize) -> Result<(), Failure> {
        while let Some(c) = self.peek() {
            match c {
                ',' | '}' if depth > 0 => return Ok(()),
                '{' => {
                    self.at += 1;
                    self.alternatives(depth + 1)?;
                }
                '[' => {
                    self.at += 1;
                    let step = self.range()?;
                    self.steps.push(step);
                }
                '?' => {
                    self.at += 1;
                    self.steps.push(Step::Single);
                }
                '*' => {
                    self.at += 1;
                    if self.peek() == Some('*') {
                        self.at += 1;
                        self.steps.push(Step::Super);
                    } else {
                        self.steps.push(Step::Any);
                    }
                }
                '\\' => {
                    self.at += 1;
                    if let Some(c) = self.peek() {
                        self.at += 1;
                        self.steps.push(Step::Char(c));
                    }
                }
                '\0' => {
                    // The library takes it for the end.
                    self.at = self.chars.len();
                }
                _ => {
                    self.at += 1;
                    self.steps.push(Step::Char(c));
                }
            }
        }
        Ok(())
    }

    fn alternatives(&mut self, depth: usize) -> Result<(), Failure> {
        if depth > DEPTH {
            return Err(too_large("glob pattern"));
        }
        let split = self.steps.len();
        self.steps.push(Step::Split(Vec::new()));
        let (mut starts, mut jumps) = (Vec::new(), Vec::new());
        loop {
            starts.push(self.steps.len());
            self.sequence(depth)?;
            jumps.push(self.steps.len());
            self.steps.push(Step::Jump(0));
            let end = self.peek();
            self.at += 1;
            if end != Some(',') {
                break;
            }
        }
        let end = self.steps.len();
        for jump in jumps {
            if let Some(step) = self.steps.get_mut(jump) {
                *step = Step::Jump(end);
            }
        }
        if let Some(step) = self.steps.get_mut(split) {
            *step = Step::Split(starts);
        }
        Ok(())
    }

    /// After `[`: `!`, then `a-z`, or characters up to `]`.
    fn range(&mut self) -> Result<Step, Failure> {
        let not = self.peek() == Some('!');
        if not {
            self.at += 1;
        }
        let first = self.peek().ok_or_else(|| error("unexpected end of input"))?;
        if self.chars.get(self.at + 1) == Some(&'-') {
            let high = self.chars.get(self.at + 2).copied();
            let high = high.ok_or_else(|| error("unexpected end of input"))?;
            self.at += 3;
            match self.peek() {
                Some(']') => self.at += 1,
                Some(_) => return Err(error("expected close range character")),
                None => return Err(error("unexpected end of input")),
            }
            if high < first {
                return Err(error(format!(
                    "hi character '{high}' should be greater than lo '{first}'"
                )));
            }
            return Ok(Step::Range(first, high, not));
        }
        let mut list = Vec::new();
        loop {
            let c = self.peek().ok_or_else(|| error("unexpected end of input"))?;
            self.at += 1;
            match c {
                ']' if list.is_empty() => return Err(error("could not parse range")),
                ']' => return Ok(Step::List(list, not)),
                '\\' => {
                    let c = self.peek().ok_or_else(|| error("unexpected end of input"))?;
                    self.at += 1;
                    list.push(c);
                }
                _ => list.push(c),
            }
        }
    }
}
