//! Texts of a constant format and a list that is written out: `sprintf("%s has no %v", [a, b])`, `concat("/", [a, b])`.
//! The format is read when planning, and the list is only made where the plain way does not do.

use super::ops::*;
use crate::value::Value;

/// What a value may be where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `%s` and the items of `concat`: a string.
    Text,
    /// `%q`: a string, quoted.
    Quoted,
    /// `%d`: an integer.
    Integer,
    /// `%v`: a string or an integer.
    Any,
}

/// A text made of pieces.
#[derive(Debug)]
pub(crate) struct Format {
    /// What stands before a value, how the value is written, and where it is.
    pub(crate) pieces: Box<[(Box<str>, Verb, Operand)]>,
    /// What stands after the last one.
    pub(crate) rest: Box<str>,
    /// The call as written, for values of other kinds: its list, where that is put, and its operands.
    pub(crate) items: Box<[Operand]>,
    pub(crate) list: Slot,
    pub(crate) callee: Callee,
    pub(crate) args: Box<[Operand]>,
}

/// Longer formats are not taken apart.
const LONG: usize = 4 << 10;

/// Takes a call apart; `None`: it is none of these, or its verbs and values do not fit.
pub(super) fn format(
    name: &str,
    first: &Value,
    items: &[Operand],
    list: Slot,
    callee: Callee,
    args: &[Operand],
) -> Option<Format> {
    let first = first.as_str().filter(|f| f.len() <= LONG)?;
    let (pieces, rest) = match name {
        "sprintf" => verbs(first, items)?,
        "concat" => {
            let before = |i: usize| if i == 0 { "" } else { first };
            let piece = |(i, item): (usize, &Operand)| (before(i).into(), Verb::Text, *item);
            (items.iter().enumerate().map(piece).collect(), "")
        }
        _ => return None,
    };
    Some(Format {
        pieces,
        rest: rest.into(),
        items: items.into(),
        list,
        callee,
        args: args.into(),
    })
}

type Pieces = Box<[(Box<str>, Verb, Operand)]>;

fn verbs<'f>(format: &'f str, items: &[Operand]) -> Option<(Pieces, &'f str)> {
    let mut items = items.iter();
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        let mut chars = after.chars();
        let verb = match chars.next()? {
            's' => Verb::Text,
            'q' => Verb::Quoted,
            'd' => Verb::Integer,
            'v' => Verb::Any,
            _ => return None,
        };
        pieces.push((before.into(), verb, *items.next()?));
        rest = chars.as_str();
    }
    items.next().is_none().then(|| (pieces.into(), rest))
}
