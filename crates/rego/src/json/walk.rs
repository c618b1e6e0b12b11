//! A walk through JSON text that makes values only of what is asked for.

use super::{ReadOptions, Reader};
use crate::value::{Value, same_text};
use smallvec::SmallVec;

/// Where a walk has got to: before a value. Steps give `None` at whatever [`super::read`] refuses with the same options,
/// and at a key with escapes; who wants to know what is wrong reads the text.
pub struct Walk<'a> {
    reader: Reader<'a>,
    refuse_duplicates: bool,
    /// Levels that may still be opened.
    depth: usize,
    /// Values that there may still be.
    left: usize,
    /// Keys of open objects.
    keys: SmallVec<[&'a str; 32]>,
}

/// So many keys are told apart without sorting them.
const FEW: usize = 64;

impl<'a> Walk<'a> {
    /// Before the value that a text is.
    pub fn new(text: &'a [u8], options: ReadOptions) -> Option<Walk<'a>> {
        Some(Walk {
            reader: Reader::new(std::str::from_utf8(text).ok()?),
            refuse_duplicates: options.refuse_duplicates,
            depth: options.depth,
            left: options.values,
            keys: SmallVec::new(),
        })
    }

    /// Steps over the text that begins here, and gives it. `None` also if it has escapes.
    pub fn text(&mut self) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        if self.reader.space()? != b'"' {
            return None;
        }
        self.reader.plain()
    }

    /// Steps over the true or false that begins here, and gives it.
    pub fn flag(&mut self) -> Option<bool> {
        self.left = self.left.checked_sub(1)?;
        let (value, word) = match self.reader.space()? {
            b't' => (true, "true"),
            b'f' => (false, "false"),
            _ => return None,
        };
        self.reader.literal(word).ok()?;
        Some(value)
    }

    /// Whether a null begins here.
    pub fn is_null(&mut self) -> bool {
        self.reader.space() == Some(b'n')
    }

    /// Whether an object begins here.
    pub fn is_object(&mut self) -> bool {
        self.reader.space() == Some(b'{')
    }

    /// Whether a text begins here.
    pub fn is_text(&mut self) -> bool {
        self.reader.space() == Some(b'"')
    }

    /// Steps over an object: calls `each` for every member, before its value, over which it has to step.
    pub fn members(&mut self, mut each: impl FnMut(&mut Walk<'a>, &'a str) -> Option<()>) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        if self.reader.space()? != b'{' {
            return None;
        }
        self.reader.at += 1;
        if self.reader.space()? == b'}' {
            self.reader.at += 1;
            return Some(());
        }
        self.depth = self.depth.checked_sub(1)?;
        let start = self.keys.len();
        loop {
            let key = self.key()?;
            each(self, key)?;
            match self.reader.space()? {
                b',' => {
                    self.reader.at += 1;
                    self.reader.space();
                }
                b'}' => break,
                _ => return None,
            }
        }
        self.reader.at += 1;
        self.depth += 1;
        self.close(start)
    }

    /// Reads the value that begins here.
    pub fn value(&mut self) -> Option<Value> {
        let options = ReadOptions {
            depth: self.depth,
            refuse_duplicates: self.refuse_duplicates,
            values: self.left,
        };
        self.reader.document(options, &mut self.left).ok()
    }

    /// Steps over the value that begins here.
    pub fn pass(&mut self) -> Option<()> {
        let mut open: SmallVec<[(bool, usize); 16]> = SmallVec::new();
        loop {
            self.left = self.left.checked_sub(1)?;
            let first = self.reader.space()?;
            match first {
                b'"' => {
                    if self.reader.plain().is_none() {
                        self.reader.escaped().ok()?;
                    }
                }
                b'{' | b'[' => {
                    let object = first == b'{';
                    self.reader.at += 1;
                    if self.reader.space()? == if object { b'}' } else { b']' } {
                        self.reader.at += 1;
                    } else {
                        if open.len() >= self.depth {
                            return None;
                        }
                        open.push((object, self.keys.len()));
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b't' => self.reader.literal("true").ok()?,
                b'f' => self.reader.literal("false").ok()?,
                b'n' => self.reader.literal("null").ok()?,
                b'-' | b'0'..=b'9' => {
                    self.reader.number().ok()?;
                }
                _ => return None,
            }
            // A value ended, and so may the containers that it is in.
            loop {
                let Some((object, start)) = open.last().copied() else {
                    return Some(());
                };
                match self.reader.space()? {
                    b',' => {
                        self.reader.at += 1;
                        if object {
                            self.reader.space();
                            self.key()?;
                        }
                        break;
                    }
                    b'}' if object => self.close(start)?,
                    b']' if !object => {}
                    _ => return None,
                }
                self.reader.at += 1;
                open.pop();
            }
        }
    }

    /// The end of the text: nothing follows.
    pub fn end(mut self) -> Option<()> {
        self.reader.space().is_none().then_some(())
    }

    fn key(&mut self) -> Option<&'a str> {
        if self.reader.peek()? != b'"' {
            return None;
        }
        let key = self.reader.plain()?;
        if self.reader.space()? != b':' {
            return None;
        }
        self.reader.at += 1;
        self.keys.push(key);
        Some(key)
    }

    /// The end of an object: its keys are forgotten, unless one is there twice.
    fn close(&mut self, start: usize) -> Option<()> {
        let keys = self.keys.get_mut(start..)?;
        let distinct = !self.refuse_duplicates
            || if keys.len() <= FEW {
                are_distinct(keys)
            } else {
                keys.sort_unstable();
                keys.is_sorted_by(|a, b| a < b)
            };
        self.keys.truncate(start);
        distinct.then_some(())
    }
}

/// Whether no two keys are the same. Those that differ mostly fall into different ones of 512 places; only where they do
/// not are they compared.
fn are_distinct(keys: &[&str]) -> bool {
    let mut taken = [0_u64; 8];
    keys.iter().enumerate().all(|(i, key)| {
        let place = place(key);
        let (word, bit) = (usize::from(place >> 6), 1 << (place & 63));
        let Some(word) = taken.get_mut(word) else { return false };
        let free = *word & bit == 0;
        *word |= bit;
        free || !keys.iter().take(i).any(|k| same_text(k, key))
    })
}

/// One of 512 places, by a key's length, beginning and end.
fn place(key: &str) -> u16 {
    let bytes = key.as_bytes();
    let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b)), 0),
    };
    let mixed = (first ^ last.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 55) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    const DEEP: ReadOptions = ReadOptions {
        depth: 4,
        refuse_duplicates: true,
        values: 12,
    };

    /// What is passed is what is read, to the byte, and both refuse the same.
    #[test]
    fn passes_what_is_read() {
        let many = format!(
            "{{{}}}",
            (0..20)
                .map(|i| format!("\"k{}\":0", i % 19))
                .collect::<Vec<_>>()
                .join(",")
        );
        let texts = [
            r#"{"a":[1,-2.5e3,true,false,null,"x"],"b":{"c":{}}}"#,
            " [ ] ",
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"[[[[1]]]]"#,
            r#"[[[[[1]]]]]"#,
            r#"{"a":{"b":{"c":{"d":1}}}}"#,
            r#"{"a":{"b":{"c":{"d":{"e":1}}}}}"#,
            "[1,2,3,4,5,6,7,8,9,10,11]",
            "[1,2,3,4,5,6,7,8,9,10,11,12]",
            r#"["\u00e9\ud83d\ude00","\n"]"#,
            r#"["\x"]"#,
            "[\"\u{1}\"]",
            "[1,]",
            "[1 2]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,}"#,
            r#"{"a":1]"#,
            "[1}",
            "tru",
            "truth",
            "01",
            "-",
            "1.",
            "1e",
            "",
            "1 1",
            "\u{feff}1",
            &many,
        ];
        for text in texts {
            let read = json::read(text.as_bytes(), DEEP);
            let passed = Walk::new(text.as_bytes(), DEEP).and_then(|mut w| {
                w.pass()?;
                w.end()
            });
            assert_eq!(passed.is_some(), read.is_ok(), "{text}: {read:?}");
            let taken = Walk::new(text.as_bytes(), DEEP).and_then(|mut w| {
                let value = w.value()?;
                w.end()?;
                Some(value)
            });
            assert_eq!(taken, read.clone().ok(), "{text}");
            let Ok(Value::Object(object)) = read else { continue };
            for whole in [true, false] {
                let mut found = Vec::new();
                let walked = Walk::new(text.as_bytes(), DEEP).and_then(|mut w| {
                    w.members(|w, key| {
                        if whole {
                            found.push((Value::string(key), w.value()?));
                            Some(())
                        } else {
                            w.pass()
                        }
                    })?;
                    w.end()
                });
                assert_eq!(walked, Some(()), "{text}");
                assert!(
                    !whole || Value::object(found) == Value::Object(object.clone()),
                    "{text}"
                );
            }
        }
    }

    /// Against comparing each with each, for keys that share beginnings and ends.
    #[test]
    fn keys_are_told_apart() {
        let key = |i: usize| {
            "abcdefgh"
                .chars()
                .cycle()
                .skip(i % 5)
                .take(i % 9 + 3)
                .collect::<String>()
        };
        let keys: Vec<String> = (0..FEW).map(key).collect();
        for from in 0..keys.len() {
            for to in from..=keys.len() {
                let some: Vec<&str> = keys[from..to].iter().map(String::as_str).collect();
                let twice = (0..some.len()).any(|i| some[..i].contains(&some[i]));
                assert_eq!(are_distinct(&some), !twice, "{some:?}");
            }
        }
        let many: Vec<String> = (0..FEW).map(|i| format!("key-{i}")).collect();
        assert!(are_distinct(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    }

    #[test]
    fn a_key_with_escapes_is_for_the_reader() {
        let text = br#"{"\u0061":1,"a":2}"#;
        assert_eq!(Walk::new(text, DEEP).and_then(|mut w| w.pass()), None);
    }
}
