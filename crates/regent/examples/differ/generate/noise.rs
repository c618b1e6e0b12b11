//! Stray tokens: what the parser and the compiler say of programs that are nearly right.

use super::Gen;
use crate::shrink::tokens;

const STRAY: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    ":=",
    "=",
    "==",
    ".",
    "|",
    "not ",
    "some ",
    "every ",
    "with ",
    " as ",
    "else ",
    "default ",
    "import ",
    "if ",
    " in ",
    " contains ",
    "\n",
    "#",
    "\"",
    "`",
    "$",
    "0",
    "1.",
    "_",
    "x",
    "input",
    "data",
    "true",
    "null",
    "-",
    "+",
    "%",
    ":",
    "&",
    "set()",
    "{}",
    "[]",
    "package ",
    "1e",
    "\\",
];

impl Gen {
    /// The text with one or two tokens left out, doubled, moved or put in.
    pub(super) fn noise(&mut self, text: &str) -> String {
        let mut parts = tokens(text);
        for _ in 0..1 + self.r.below(2) {
            let at = self.r.below(parts.len());
            match self.r.below(5) {
                0 => {
                    parts.remove(at);
                }
                1 => {
                    let again = parts[at].clone();
                    parts.insert(at, again);
                }
                2 => {
                    let other = self.r.below(parts.len());
                    parts.swap(at, other);
                }
                3 => {
                    let from = parts[self.r.below(parts.len())].clone();
                    parts[at] = from;
                }
                _ => parts.insert(at, self.r.pick(STRAY).to_owned()),
            }
        }
        parts.concat()
    }
}
