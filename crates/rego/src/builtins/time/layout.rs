//! Go's layouts of times: the reference time 2006-01-02 15:04:05 -0700, taken apart.

/// Name and layout of those OPA knows by name.
const NAMED: &[(&str, &str)] = &[
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", RFC3339),
    ("RFC3339Nano", RFC3339_NANO),
];

pub(crate) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
pub(crate) const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// The layout of a name, or the text itself.
pub(crate) fn named(text: &str) -> &str {
    NAMED.iter().find(|n| n.0 == text).map_or(text, |n| n.1)
}

/// How a number is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pad {
    No,
    Zero,
    Space,
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    /// `Z` stands for no offset.
    pub(crate) z: bool,
    pub(crate) colon: bool,
    pub(crate) minutes: bool,
    pub(crate) seconds: bool,
}

/// A part of a layout that stands for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    LongMonth,
    ShortMonth,
    Month(Pad),
    LongWeekday,
    ShortWeekday,
    Day(Pad),
    DayOfYear(Pad),
    LongYear,
    ShortYear,
    Hour,
    Hour12(Pad),
    Minute(Pad),
    Second(Pad),
    /// `PM`, or `pm`.
    Half {
        upper: bool,
    },
    Zone,
    Offset(Offset),
    /// `.000` or `.999`: the separator, how many digits, whether zeros at the end go.
    Fraction {
        separator: u8,
        digits: usize,
        trim: bool,
    },
}

/// A layout's next part that stands for something: the text before it, its own text, what it is, and the rest. Without
/// one the whole is the text before.
pub(crate) struct Next<'a> {
    pub(crate) before: &'a [u8],
    pub(crate) text: &'a [u8],
    pub(crate) part: Option<Part>,
    pub(crate) rest: &'a [u8],
}

pub(crate) fn next(layout: &[u8]) -> Next<'_> {
    for at in 0..layout.len() {
        let (before, from) = layout.split_at(at);
        if let Some((part, skip, length)) = part(from) {
            // `_2006` is a text `_` and a year.
            let (_, from) = from.split_at(skip.min(from.len()));
            let (text, rest) = from.split_at(length.min(from.len()));
            let before = layout.get(..before.len() + skip).unwrap_or(before);
            return Next {
                before,
                text,
                part: Some(part),
                rest,
            };
        }
    }
    Next {
        before: layout,
        text: &[],
        part: None,
        rest: &[],
    }
}

const OFFSETS: &[(&[u8], bool, bool, bool)] = &[
    (b"070000", false, true, true),
    (b"07:00:00", true, true, true),
    (b"0700", false, true, false),
    (b"07:00", true, true, false),
    (b"07", false, false, false),
];

/// The part that starts here: with the text to skip before it, and its length.
fn part(s: &[u8]) -> Option<(Part, usize, usize)> {
    let starts = |what: &[u8]| s.starts_with(what);
    let lower_at = |at: usize| s.get(at).is_some_and(u8::is_ascii_lowercase);
    let found = |part: Part, length: usize| Some((part, 0, length));
    match s.first()? {
        b'J' if starts(b"January") => found(Part::LongMonth, 7),
        b'J' if starts(b"Jan") && !lower_at(3) => found(Part::ShortMonth, 3),
        b'M' if starts(b"Monday") => found(Part::LongWeekday, 6),
        b'M' if starts(b"Mon") && !lower_at(3) => found(Part::ShortWeekday, 3),
        b'M' if starts(b"MST") => found(Part::Zone, 3),
        b'0' => match s.get(1)? {
            b'1' => found(Part::Month(Pad::Zero), 2),
            b'2' => found(Part::Day(Pad::Zero), 2),
            b'3' => found(Part::Hour12(Pad::Zero), 2),
            b'4' => found(Part::Minute(Pad::Zero), 2),
            b'5' => found(Part::Second(Pad::Zero), 2),
            b'6' => found(Part::ShortYear, 2),
            b'0' if starts(b"002") => found(Part::DayOfYear(Pad::Zero), 3),
            _ => None,
        },
        b'1' if starts(b"15") => found(Part::Hour, 2),
        b'1' => found(Part::Month(Pad::No), 1),
        b'2' if starts(b"2006") => found(Part::LongYear, 4),
        b'2' => found(Part::Day(Pad::No), 1),
        b'_' if starts(b"_2006") => Some((Part::LongYear, 1, 4)),
        b'_' if starts(b"_2") => found(Part::Day(Pad::Space), 2),
        b'_' if starts(b"__2") => found(Part::DayOfYear(Pad::Space), 3),
        b'3' => found(Part::Hour12(Pad::No), 1),
        b'4' => found(Part::Minute(Pad::No), 1),
        b'5' => found(Part::Second(Pad::No), 1),
        b'P' if starts(b"PM") => found(Part::Half { upper: true }, 2),
        b'p' if starts(b"pm") => found(Part::Half { upper: false }, 2),
        sign @ (b'-' | b'Z') => {
            let rest = s.get(1..)?;
            let (text, colon, minutes, seconds) = OFFSETS.iter().find(|o| rest.starts_with(o.0))?;
            let offset = Offset {
                z: *sign == b'Z',
                colon: *colon,
                minutes: *minutes,
                seconds: *seconds,
            };
            found(Part::Offset(offset), 1 + text.len())
        }
        separator @ (b'.' | b',') => {
            let digit = *s.get(1).filter(|c| matches!(c, b'0' | b'9'))?;
            let digits = s.iter().skip(1).take_while(|c| **c == digit).count();
            if s.get(1 + digits).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let part = Part::Fraction {
                separator: *separator,
                digits,
                trim: digit == b'9',
            };
            found(part, 1 + digits)
        }
        _ => None,
    }
}
