//! The smallest case that still shows a difference: text is left out, piece by piece.

use crate::case::Case;

/// Trials at most.
const TRIALS: usize = 6_000;

/// Leaves out what can be while `shows` holds.
pub(crate) fn shrink(case: &Case, shows: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut s = Shrink {
        best: case.clone(),
        shows,
        left: TRIALS,
    };
    loop {
        let before = s.best.clone();
        s.flags();
        s.modules();
        for i in 0..s.best.modules.len() {
            s.text(
                |c| c.modules.get(i).map(|m| m.1.clone()).unwrap_or_default(),
                |c, t| {
                    if let Some(m) = c.modules.get_mut(i) {
                        m.1 = t;
                    }
                },
            );
        }
        s.text(|c| c.query.clone(), |c, t| c.query = t);
        s.text(|c| c.input.clone().unwrap_or_default(), |c, t| c.input = Some(t));
        s.text(|c| c.data.clone(), |c, t| c.data = t);
        if s.best == before || s.left == 0 {
            return s.best;
        }
    }
}

struct Shrink<'a> {
    best: Case,
    shows: &'a mut dyn FnMut(&Case) -> bool,
    left: usize,
}

impl Shrink<'_> {
    fn attempt(&mut self, case: Case) -> bool {
        if self.left == 0 || case == self.best || !readable(&case) {
            return false;
        }
        self.left -= 1;
        let good = (self.shows)(&case);
        if good {
            self.best = case;
        }
        good
    }

    fn flags(&mut self) {
        let all: [fn(&mut Case); 5] = [
            |c| c.strict = false,
            |c| c.strict_errors = false,
            |c| c.input = None,
            |c| c.input = Some("{}".to_owned()),
            |c| c.data = "{}".to_owned(),
        ];
        for change in all {
            let mut case = self.best.clone();
            change(&mut case);
            if case.input.as_deref() != Some("{}") || self.best.input.is_some() {
                self.attempt(case);
            }
        }
    }

    fn modules(&mut self) {
        let mut i = 0;
        while i < self.best.modules.len() {
            let mut case = self.best.clone();
            case.modules.remove(i);
            if !self.attempt(case) {
                i += 1;
            }
        }
    }

    /// Leaves out windows of tokens, wide ones first, and puts `1` in the place of bracketed text.
    fn text(&mut self, get: impl Fn(&Case) -> String, set: impl Fn(&mut Case, String)) {
        for split in [paragraphs, lines, tokens] as [fn(&str) -> Vec<String>; 3] {
            let mut width = split(&get(&self.best)).len().next_power_of_two() / 2;
            while width > 0 {
                let mut at = 0;
                loop {
                    let mut parts = split(&get(&self.best));
                    if at >= parts.len() {
                        break;
                    }
                    parts.drain(at..(at + width).min(parts.len()));
                    let mut case = self.best.clone();
                    set(&mut case, parts.concat());
                    if !self.attempt(case) {
                        at += width.div_ceil(2);
                    }
                }
                width /= 2;
            }
        }
        let mut at = 0;
        loop {
            let parts = tokens(&get(&self.best));
            let Some(first) = parts.get(at) else { break };
            if matches!(first.as_str(), "(" | "[" | "{")
                && let Some(end) = closing(&parts, at)
            {
                let (before, rest) = parts.split_at(at);
                let (group, after) = rest.split_at(end + 1 - at);
                let inner = group.get(1..group.len() - 1).unwrap_or_default();
                for middle in [
                    "1".to_owned(),
                    inner.concat(),
                    format!("{first}{}", group.last().cloned().unwrap_or_default()),
                ] {
                    let mut case = self.best.clone();
                    set(&mut case, format!("{}{middle}{}", before.concat(), after.concat()));
                    if self.attempt(case) {
                        break;
                    }
                }
            }
            at += 1;
        }
    }
}

/// What both sides are given must be JSON.
fn readable(case: &Case) -> bool {
    let fine = |text: &str| crate::case::read(text).is_some();
    case.input.as_deref().is_none_or(fine)
        && crate::case::read(&case.data).is_some_and(|d| d.as_object().is_some())
        && !case.query.trim().is_empty()
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split_inclusive("\n\n").map(str::to_owned).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// Words, numbers and strings whole, every other character alone, blanks with what they follow.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = String::from(c);
        if c.is_alphanumeric() || c == '_' {
            while let Some(n) = chars.next_if(|n| n.is_alphanumeric() || *n == '_') {
                token.push(n);
            }
        } else if c == '"' {
            while let Some(n) = chars.next() {
                token.push(n);
                if n == '\\' {
                    token.extend(chars.next());
                } else if n == '"' || n == '\n' {
                    break;
                }
            }
        } else if c == '`' {
            for n in chars.by_ref() {
                token.push(n);
                if n == '`' {
                    break;
                }
            }
        } else if c == ' ' || c == '\t' {
            if let Some(last) = out.last_mut() {
                last.push(c);
                continue;
            }
        } else if let Some(n) = chars.next_if(|n| *n == '=' && matches!(c, ':' | '=' | '!' | '<' | '>')) {
            token.push(n);
        }
        out.push(token);
    }
    out
}

fn closing(parts: &[String], from: usize) -> Option<usize> {
    let mut depth = 0;
    for (i, part) in parts.iter().enumerate().skip(from) {
        match part.trim_end() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}
