//! PEM as Go's `encoding/pem` reads it.

use crate::builtins::encoding::standard_base64;

/// One block.
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

fn find_last(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|w| w == what)
}

/// A line without the white space at its end, and how many bytes it took with its end.
fn line(text: &[u8]) -> (&[u8], usize) {
    let (line, taken) = match text.iter().position(|b| *b == b'\n') {
        None => (text, text.len()),
        Some(end) => (text.get(..end).unwrap_or_default(), end + 1),
    };
    let line = match taken > line.len() {
        true => line.strip_suffix(b"\r").unwrap_or(line),
        false => line,
    };
    let blanks = line.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (line.get(..line.len() - blanks).unwrap_or_default(), taken)
}

fn skip(text: &[u8], count: usize) -> &[u8] {
    text.get(count..).unwrap_or_default()
}

/// The first block and what follows it; without one, nothing.
pub(crate) fn decode(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    loop {
        // What the body ends with, and where that ends.
        let end = find(rest, END)?;
        let after_end = end + END.len();
        let next = skip(rest, after_end);
        match block(rest, end) {
            Some(found) => return Some(found),
            None => rest = next,
        }
    }
}

/// The block that ends at a place, if there is one.
fn block(text: &[u8], end: usize) -> Option<(Block, &[u8])> {
    let begin = find_last(text.get(..end)?, BEGIN)?;
    if begin > 0 && text.get(begin - 1) != Some(&b'\n') {
        return None;
    }
    let (first, taken) = line(skip(text, begin));
    let kind = first.strip_prefix(BEGIN)?.strip_suffix(DASHES)?;
    let mut at = begin + taken;
    let mut headers = false;
    loop {
        let (header, taken) = line(skip(text, at));
        if skip(text, at).is_empty() || !header.contains(&b':') {
            break;
        }
        headers = true;
        at += taken;
    }
    // A body without lines ends where it begins: the line end before `-----END` was taken with what stood before it.
    if headers && at > end {
        return None;
    }
    let trailer = skip(text, end + END.len());
    let after = trailer.strip_prefix(kind)?.strip_prefix(DASHES)?;
    let (more, _) = line(after);
    if !more.is_empty() {
        return None;
    }
    let body = text.get(at..end).unwrap_or_default();
    let body: Vec<u8> = body.iter().copied().filter(|b| !matches!(b, b' ' | b'\t')).collect();
    let bytes = standard_base64(&body).ok()?;
    let (_, taken) = line(after);
    let kind = String::from_utf8_lossy(kind).into_owned();
    Some((Block { kind, bytes }, skip(after, taken)))
}
