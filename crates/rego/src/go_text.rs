//! What Go's strconv and unicode packages do with text, where OPA's output shows it.

use regex_syntax::hir::{ClassUnicode, HirKind};
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::OnceLock;

/// Bytes that are no text stand in a string as these characters, one each, from byte 0x80 on. Go's strings hold any
/// bytes; ours are Unicode. What hashes or encodes takes the bytes back, what prints shows them as Go does.
const NO_TEXT: std::ops::RangeInclusive<char> = '\u{10ff80}'..='\u{10ffff}';

/// A string of any bytes.
pub(crate) fn from_bytes(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(s) => return s,
        Err(e) => e.into_bytes(),
    };
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(
            chunk
                .invalid()
                .iter()
                .filter_map(|b| char::from_u32(0x10_ff00 + u32::from(*b))),
        );
    }
    out
}

/// The bytes of a string that [`from_bytes`] may have made.
pub(crate) fn to_bytes(s: &str) -> Cow<'_, [u8]> {
    if !s.contains(|c| NO_TEXT.contains(&c)) {
        return Cow::Borrowed(s.as_bytes());
    }
    let mut out = Vec::with_capacity(s.len());
    for c in s.chars() {
        match no_text(c) {
            Some(b) => out.push(b),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(out)
}

/// The byte a character stands for that is no text.
pub(crate) fn no_text(c: char) -> Option<u8> {
    NO_TEXT
        .contains(&c)
        .then(|| u8::try_from(c as u32 & 0xff).ok())
        .flatten()
}

/// Go's `strconv.Quote`, appended.
pub(crate) fn quote(out: &mut String, s: &str) {
    quote_with(out, s, '"', false);
}

/// Go's quoting with a chosen quote; `ascii` escapes everything beyond ASCII.
pub(crate) fn quote_with(out: &mut String, s: &str, quote: char, ascii: bool) {
    out.reserve(s.len() + 2);
    out.push(quote);
    let plain = |b: u8| matches!(b, b' '..=b'~') && b != b'\\' && char::from(b) != quote;
    if s.bytes().all(plain) {
        out.push_str(s);
    } else {
        for c in s.chars() {
            escape(out, c, quote, ascii);
        }
    }
    out.push(quote);
}

fn escape(out: &mut String, c: char, quote: char, ascii: bool) {
    // Writing to a String cannot fail.
    match c {
        '\\' => out.push_str("\\\\"),
        _ if c == quote => {
            out.push('\\');
            out.push(c);
        }
        ' '..='~' => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        '\0'..='\x1f' | '\x7f' => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        _ if NO_TEXT.contains(&c) => {
            let _ = write!(out, "\\x{:02x}", c as u32 & 0xff);
        }
        _ if !ascii && is_print(c) => out.push(c),
        _ if (c as u32) < 0x10000 => {
            let _ = write!(out, "\\u{:04x}", c as u32);
        }
        _ => {
            let _ = write!(out, "\\U{:08x}", c as u32);
        }
    }
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space, of Go's Unicode (15.0).
pub(crate) fn is_print(c: char) -> bool {
    static PRINT: OnceLock<Option<ClassUnicode>> = OnceLock::new();
    match c {
        ' '..='~' => true,
        _ => in_class(&PRINT, r"[\pL\pM\pN\pP\pS&&\p{Age=15.0}]", c),
    }
}

/// Go's `unicode.ToLower`: always one character.
pub(crate) fn to_lower(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut all = c.to_lowercase();
    match (all.next(), all.next()) {
        (Some(one), None) => known(c, one),
        // The only one whose full mapping is longer.
        _ if c == '\u{130}' => 'i',
        _ => c,
    }
}

/// Go's `unicode.ToUpper`: always one character.
pub(crate) fn to_upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => known(c, one),
        // Full mappings are longer here; the simple ones are the title-case letters, where there are any.
        _ => match c as u32 {
            n @ (0x1f80..=0x1faf) => char::from_u32(n | 8).unwrap_or(c),
            n @ (0x1fb3 | 0x1fc3 | 0x1ff3) => char::from_u32(n + 9).unwrap_or(c),
            _ => c,
        },
    }
}

/// A mapping, unless one of the two letters is younger than Go's Unicode.
fn known(from: char, to: char) -> char {
    if from == to || (is_print(from) && is_print(to)) {
        to
    } else {
        from
    }
}

/// Whether a character is in a class given as a pattern, which is read once.
pub(crate) fn in_class(cell: &OnceLock<Option<ClassUnicode>>, pattern: &str, c: char) -> bool {
    let class = cell.get_or_init(|| match regex_syntax::parse(pattern).ok()?.into_kind() {
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => Some(class),
        _ => None,
    });
    let Some(class) = class else { return false };
    class
        .ranges()
        .binary_search_by(|r| {
            if r.end() < c {
                std::cmp::Ordering::Less
            } else if r.start() > c {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_as_go() {
        let q = |s: &str| {
            let mut out = String::new();
            super::quote(&mut out, s);
            out
        };
        assert_eq!(
            q("a\"\\\u{7}\n\u{1}\u{7f}é\u{a0}\u{200b}😀\u{10fffd}\u{fffd}"),
            r#""a\"\\\a\n\x01\x7fé\u00a0\u200b😀\xfd�""#
        );
    }
}
