//! Go's `fmt.Sprintf` for the kinds of values OPA's `sprintf` hands to it: int, *big.Int, float64 and string.
//!
//! Faults in the format are text in the result, as in Go. Widths and precisions end at a million there; all output is
//! charged before it is made.

use crate::builtins::operand::too_large;
use crate::builtins::pieces::Text;
use crate::builtins::{Failure, Host};
use crate::go_text;
use crate::number::Number;
use crate::value::Value;
use crate::value_text;
use num_bigint::BigUint;
use std::borrow::Cow;
use std::fmt::Write;

/// Widths and precisions beyond this are none.
const MAX_SIZE: i64 = 1_000_000;
/// Integers with more digits than this are not turned into other bases.
const MAX_DIGITS: usize = 100_000;

/// A value as Go's code would see it.
enum Arg<'a> {
    Int(i64),
    /// An integer beyond 64 bits: sign and decimal digits.
    Big(bool, Cow<'a, str>),
    Float(f64),
    Str(Cow<'a, str>),
}

impl Arg<'_> {
    fn of(value: &Value) -> Arg<'_> {
        match value {
            Value::Number(n) => Arg::of_number(n),
            Value::String(s) => Arg::Str(Cow::Borrowed(s)),
            other => Arg::Str(Cow::Owned(value_text::text(other))),
        }
    }

    fn of_number(n: &Number) -> Arg<'_> {
        if let Some(i) = n.as_i64() {
            return Arg::Int(i);
        }
        let Number::Text(d) = n else { return Arg::Int(0) };
        let text = d.text();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Arg::Big(negative, Cow::Borrowed(digits.trim_start_matches('0')));
        }
        let f = n.as_f64();
        if f.is_finite() {
            Arg::Float(f)
        } else {
            Arg::Str(Cow::Borrowed(text))
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Arg::Int(_) => "int",
            Arg::Big(..) => "*big.Int",
            Arg::Float(_) => "float64",
            Arg::Str(_) => "string",
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Flags {
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    /// `%#v`.
    sharp_v: bool,
    /// `%+v`.
    plus_v: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The formatted text, as bytes.
///
/// # Errors
/// Only limits.
pub(crate) fn sprintf(host: &mut dyn Host, format: &str, values: &[Value]) -> Result<Vec<u8>, Failure> {
    let mut printer = Printer {
        host,
        out: Text::default(),
        flags: Flags::default(),
    };
    printer.print(format, values)?;
    let Printer { host, out, .. } = printer;
    out.whole(host)
}

struct Printer<'h> {
    host: &'h mut dyn Host,
    out: Text,
    flags: Flags,
}

/// Where the format is read, and which argument comes next.
struct Scan<'a> {
    format: &'a str,
    at: usize,
    next: usize,
    count: usize,
    /// An index like `[3]` was used: too many arguments are no fault then.
    reordered: bool,
    good_index: bool,
    after_index: bool,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.as_bytes().get(self.at).copied()
    }

    /// A number without sign; one that is too large swallows the rest of the format.
    fn number(&mut self) -> Option<usize> {
        let (n, at) = digits(self.format.as_bytes(), self.at);
        self.at = at;
        n
    }

    /// `[n]`.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = self.format.as_bytes().get(self.at..).unwrap_or(&[]);
        let close = if rest.len() < 3 {
            None
        } else {
            rest.iter().position(|b| *b == b']')
        };
        let Some(close) = close else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        let inside = rest.get(..close).unwrap_or(&[]);
        let number = match digits(inside, 1) {
            (Some(n), end) if end == close => Some(n),
            _ => None,
        };
        self.at += close + 1;
        match number {
            Some(n) if (1..=self.count).contains(&n) => {
                self.next = n - 1;
                self.after_index = true;
            }
            _ => {
                self.good_index = false;
                self.after_index = number.is_some();
            }
        }
    }
}

fn digits(bytes: &[u8], start: usize) -> (Option<usize>, usize) {
    let mut at = start;
    let mut n: Option<i64> = None;
    while let Some(b) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
        let so_far = n.unwrap_or(0);
        if so_far > MAX_SIZE {
            return (None, bytes.len());
        }
        n = Some(so_far * 10 + i64::from(b - b'0'));
        at += 1;
    }
    (n.and_then(|n| usize::try_from(n).ok()), at)
}

impl Printer<'_> {
    fn write(&mut self, s: &str) -> Result<(), Failure> {
        self.out.push(self.host, s.as_bytes())
    }

    fn print(&mut self, format: &str, values: &[Value]) -> Result<(), Failure> {
        let mut scan = Scan {
            format,
            at: 0,
            next: 0,
            count: values.len(),
            reordered: false,
            good_index: true,
            after_index: false,
        };
        loop {
            let rest = format.get(scan.at..).unwrap_or("");
            let Some((text, _)) = rest.split_once('%') else {
                self.write(rest)?;
                break;
            };
            self.write(text)?;
            scan.at += text.len() + 1;
            if !self.verb(&mut scan, values)? {
                break;
            }
        }
        if !scan.reordered && scan.next < values.len() {
            self.flags = Flags::default();
            self.write("%!(EXTRA ")?;
            for (i, value) in values.iter().skip(scan.next).enumerate() {
                if i > 0 {
                    self.write(", ")?;
                }
                let arg = Arg::of(value);
                self.write(arg.type_name())?;
                self.write("=")?;
                self.arg(&arg, 'v')?;
            }
            self.write(")")?;
        }
        Ok(())
    }

    /// One verb with what stands before it; false at the end of the format.
    fn verb(&mut self, scan: &mut Scan<'_>, values: &[Value]) -> Result<bool, Failure> {
        self.flags = Flags::default();
        scan.good_index = true;
        scan.after_index = false;
        while let Some(b) = scan.peek() {
            match b {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            scan.at += 1;
        }
        scan.index();
        self.width(scan, values)?;
        self.precision(scan, values)?;
        if !scan.after_index {
            scan.index();
        }
        let Some(verb) = scan.format.get(scan.at..).and_then(|rest| rest.chars().next()) else {
            self.write("%!(NOVERB)")?;
            return Ok(false);
        };
        scan.at += verb.len_utf8();
        if verb == '%' {
            self.write("%")?;
        } else if !scan.good_index {
            self.write(&format!("%!{verb}(BADINDEX)"))?;
        } else if let Some(value) = values.get(scan.next) {
            if matches!(verb, 'v' | 'w') {
                self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                self.flags.plus_v = std::mem::take(&mut self.flags.plus);
            }
            scan.next += 1;
            self.arg(&Arg::of(value), verb)?;
        } else {
            self.write(&format!("%!{verb}(MISSING)"))?;
        }
        Ok(true)
    }

    /// The argument that a `*` stands for.
    fn star(&mut self, scan: &mut Scan<'_>, values: &[Value]) -> Option<i64> {
        let value = values.get(scan.next)?;
        scan.next += 1;
        value.as_i64().filter(|i| (-MAX_SIZE..=MAX_SIZE).contains(i))
    }

    fn width(&mut self, scan: &mut Scan<'_>, values: &[Value]) -> Result<(), Failure> {
        if scan.peek() != Some(b'*') {
            self.flags.width = scan.number();
            if scan.after_index && self.flags.width.is_some() {
                scan.good_index = false;
            }
            return Ok(());
        }
        scan.at += 1;
        let width = self.star(scan, values);
        if width.is_none() {
            self.write("%!(BADWIDTH)")?;
        }
        if width.is_some_and(|w| w < 0) {
            self.flags.minus = true;
            self.flags.zero = false;
        }
        self.flags.width = width.and_then(|w| usize::try_from(w.unsigned_abs()).ok());
        scan.after_index = false;
        Ok(())
    }

    fn precision(&mut self, scan: &mut Scan<'_>, values: &[Value]) -> Result<(), Failure> {
        if scan.peek() != Some(b'.') || scan.at + 1 >= scan.format.len() {
            return Ok(());
        }
        scan.at += 1;
        if scan.after_index {
            scan.good_index = false;
        }
        scan.index();
        if scan.peek() != Some(b'*') {
            self.flags.precision = Some(scan.number().unwrap_or(0));
            return Ok(());
        }
        scan.at += 1;
        // A negative one counts as none, and is a fault too.
        self.flags.precision = self.star(scan, values).and_then(|p| usize::try_from(p).ok());
        if self.flags.precision.is_none() {
            self.write("%!(BADPREC)")?;
        }
        scan.after_index = false;
        Ok(())
    }

    fn arg(&mut self, arg: &Arg<'_>, verb: char) -> Result<(), Failure> {
        if verb == 'T' {
            return self.string(arg.type_name());
        }
        match arg {
            Arg::Int(i) => self.int(*i, verb, arg),
            Arg::Big(negative, digits) => self.big(*negative, digits, verb),
            Arg::Float(f) => self.float(*f, verb, arg),
            Arg::Str(s) => self.text(s, verb, arg),
        }
    }

    fn bad_verb(&mut self, arg: &Arg<'_>, verb: char) -> Result<(), Failure> {
        self.write(&format!("%!{verb}({}=", arg.type_name()))?;
        self.arg(arg, 'v')?;
        self.write(")")
    }

    fn fill(&mut self, count: usize, zeros: bool) -> Result<(), Failure> {
        let block = [if zeros { b'0' } else { b' ' }; 256];
        let mut left = count;
        while left > 0 {
            let part = block.get(..left.min(block.len())).unwrap_or(&block);
            self.out.push(self.host, part)?;
            left -= part.len();
        }
        Ok(())
    }

    /// Padded to the width; with zeros on the left if the flag stands and `zeros` allows it.
    fn pad(&mut self, s: &str, zeros: bool) -> Result<(), Failure> {
        let missing = match self.flags.width {
            Some(width) => width.saturating_sub(s.chars().count()),
            None => 0,
        };
        if self.flags.minus {
            self.write(s)?;
            return self.fill(missing, false);
        }
        self.fill(missing, zeros && self.flags.zero)?;
        self.write(s)
    }

    fn cut<'s>(&self, s: &'s str) -> &'s str {
        match self.flags.precision.and_then(|p| s.char_indices().nth(p)) {
            Some((end, _)) => s.get(..end).unwrap_or(s),
            None => s,
        }
    }

    fn string(&mut self, s: &str) -> Result<(), Failure> {
        let s = self.cut(s);
        self.pad(s, true)
    }

    fn text(&mut self, s: &str, verb: char, arg: &Arg<'_>) -> Result<(), Failure> {
        match verb {
            's' => self.string(s),
            'v' if !self.flags.sharp_v => self.string(s),
            'v' | 'q' => {
                let s = self.cut(s);
                self.host.charge(s.len().saturating_mul(2))?;
                let mut out = String::new();
                if self.flags.sharp && s.chars().all(can_backquote) {
                    out = format!("`{s}`");
                } else {
                    go_text::quote_with(&mut out, s, '"', self.flags.plus);
                }
                self.pad(&out, true)
            }
            'x' | 'X' => self.hex(s, verb == 'X'),
            _ => self.bad_verb(arg, verb),
        }
    }

    fn hex(&mut self, s: &str, upper: bool) -> Result<(), Failure> {
        let bytes = go_text::to_bytes(s);
        let length = self.flags.precision.map_or(bytes.len(), |p| p.min(bytes.len()));
        if length == 0 {
            return self.fill(self.flags.width.unwrap_or(0), self.flags.zero && !self.flags.minus);
        }
        self.host.charge(length.saturating_mul(5))?;
        let prefix = if upper { "0X" } else { "0x" };
        let mut out = String::new();
        for (i, b) in bytes.iter().take(length).enumerate() {
            if i > 0 && self.flags.space {
                out.push(' ');
            }
            if self.flags.sharp && (i == 0 || self.flags.space) {
                out.push_str(prefix);
            }
            // Writing to a String cannot fail.
            let _ = if upper {
                write!(out, "{b:02X}")
            } else {
                write!(out, "{b:02x}")
            };
        }
        self.pad(&out, true)
    }

    fn int(&mut self, i: i64, verb: char, arg: &Arg<'_>) -> Result<(), Failure> {
        let n = i.unsigned_abs();
        let (digits, prefix) = match verb {
            'v' | 'd' => (n.to_string(), ""),
            'b' => (format!("{n:b}"), if self.flags.sharp { "0b" } else { "" }),
            'o' => (format!("{n:o}"), ""),
            'O' => (format!("{n:o}"), "0o"),
            'x' => (format!("{n:x}"), if self.flags.sharp { "0x" } else { "" }),
            'X' => (format!("{n:X}"), if self.flags.sharp { "0X" } else { "" }),
            'c' => return self.pad(rune(i).encode_utf8(&mut [0; 4]), true),
            'q' => {
                let mut out = String::new();
                go_text::quote_with(&mut out, rune(i).encode_utf8(&mut [0; 4]), '\'', self.flags.plus);
                return self.pad(&out, true);
            }
            'U' => return self.unicode(i),
            _ => return self.bad_verb(arg, verb),
        };
        let least = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if n == 0 => {
                return self.fill(self.flags.width.unwrap_or(0), false);
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => {
                width.saturating_sub(usize::from(i < 0 || self.flags.plus || self.flags.space))
            }
            _ => 0,
        };
        let zeros = least.saturating_sub(digits.len());
        self.host.charge(zeros)?;
        let mut out = String::with_capacity(zeros + digits.len() + 4);
        out.push_str(self.sign(i < 0));
        // An octal number needs its 0 only where no other stands there.
        let octal = verb == 'o' && self.flags.sharp && zeros == 0 && n != 0;
        // `%O` with the sharp flag has both.
        let both = verb == 'O' && self.flags.sharp && zeros == 0 && n != 0;
        out.push_str(prefix);
        if octal || both {
            out.push('0');
        }
        out.extend(std::iter::repeat_n('0', zeros));
        out.push_str(&digits);
        self.pad(&out, false)
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.flags.plus, self.flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    fn unicode(&mut self, i: i64) -> Result<(), Failure> {
        let n = i as u64;
        let digits = format!("{n:X}");
        let zeros = self.flags.precision.unwrap_or(0).max(4).saturating_sub(digits.len());
        self.host.charge(zeros)?;
        let mut out = String::from("U+");
        out.extend(std::iter::repeat_n('0', zeros));
        out.push_str(&digits);
        let shown = u32::try_from(n)
            .ok()
            .and_then(char::from_u32)
            .filter(|c| go_text::is_print(*c));
        if let Some(c) = shown.filter(|_| self.flags.sharp) {
            let _ = write!(out, " '{c}'");
        }
        self.pad(&out, false)
    }

    fn big(&mut self, negative: bool, decimal: &str, verb: char) -> Result<(), Failure> {
        let radix = |radix: u32| {
            let n = (decimal.len() <= MAX_DIGITS)
                .then(|| BigUint::parse_bytes(decimal.as_bytes(), 10))
                .flatten();
            n.map(|n| n.to_str_radix(radix)).ok_or_else(|| too_large("number"))
        };
        let (plus, sharp) = (
            self.flags.plus || self.flags.plus_v,
            self.flags.sharp || self.flags.sharp_v,
        );
        let digits = match verb {
            'd' | 's' | 'v' => decimal.to_string(),
            'b' => radix(2)?,
            'o' | 'O' => radix(8)?,
            'x' => radix(16)?,
            'X' => radix(16)?.to_ascii_uppercase(),
            // An address, which says nothing.
            'p' => return self.pad("0xc000000000", true),
            'w' => {
                // Go shows the machine words of what it cannot wrap.
                if decimal.len() > MAX_DIGITS {
                    return Err(too_large("number"));
                }
                let n = BigUint::parse_bytes(decimal.as_bytes(), 10).unwrap_or_default();
                let words: Vec<String> = n.to_u64_digits().iter().map(u64::to_string).collect();
                return self.write(&format!("%!w(*big.Int=&{{{negative} [{}]}})", words.join(" ")));
            }
            _ => {
                let sign = if negative { "-" } else { "" };
                return self.write(&format!("%!{verb}(big.Int={sign}{decimal})"));
            }
        };
        let prefix = match (verb, sharp) {
            ('b', true) => "0b",
            ('o', true) => "0",
            ('x', true) => "0x",
            ('X', true) => "0X",
            ('O', _) => "0o",
            _ => "",
        };
        let sign = match (negative, plus, self.flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let mut zeros = self.flags.precision.unwrap_or(0).saturating_sub(digits.len());
        let length = sign.len() + prefix.len() + zeros + digits.len();
        let missing = self.flags.width.unwrap_or(0).saturating_sub(length);
        let (mut left, mut right) = (0, 0);
        match (self.flags.minus, self.flags.zero && self.flags.precision.is_none()) {
            (true, _) => right = missing,
            (_, true) => zeros += missing,
            _ => left = missing,
        }
        self.fill(left, false)?;
        self.write(sign)?;
        self.write(prefix)?;
        self.fill(zeros, true)?;
        self.write(&digits)?;
        self.fill(right, false)
    }

    fn float(&mut self, f: f64, verb: char, arg: &Arg<'_>) -> Result<(), Failure> {
        let (format, default) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return self.bad_verb(arg, verb),
        };
        let precision = self.flags.precision.or(default);
        self.host.charge(precision.unwrap_or(0).saturating_add(330))?;
        let mut number = float_text(f.abs(), format, precision);
        if self.flags.sharp && format != 'b' {
            number = with_point(&number, format, precision);
        }
        let negative = f.is_sign_negative();
        let sign = self.sign(negative);
        let length = sign.len() + number.len();
        match self.flags.width {
            // The sign stands before the zeros.
            Some(width) if self.flags.zero && !self.flags.minus && !sign.is_empty() && width > length => {
                self.write(sign)?;
                self.fill(width - length, true)?;
                self.write(&number)
            }
            _ => self.pad(&format!("{sign}{number}"), true),
        }
    }
}

/// A double as `%v` shows it.
pub(crate) fn float_v(f: f64) -> String {
    let sign = if f.is_sign_negative() { "-" } else { "" };
    format!("{sign}{}", float_text(f.abs(), 'g', None))
}

/// The character a number stands for.
fn rune(i: i64) -> char {
    u32::try_from(i).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
}

fn can_backquote(c: char) -> bool {
    (c >= ' ' || c == '\t') && !matches!(c, '`' | '\x7f' | '\u{feff}')
}

/// Significant digits without zeros at the end (none for 0), and the place of the point before the first.
fn decimal(f: f64, digits: Option<usize>) -> (String, i64) {
    // No double has more digits than this.
    const MOST: usize = 800;
    let text = match digits {
        Some(n) => format!("{f:.*e}", n.clamp(1, MOST) - 1),
        None => format!("{f:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return (String::new(), 0);
    }
    (digits.to_string(), exponent.parse::<i64>().unwrap_or(0) + 1)
}

/// Go's strconv.FormatFloat of a number that is not negative; no precision: the shortest that reads back.
fn float_text(f: f64, format: char, precision: Option<usize>) -> String {
    match format {
        'b' => binary(f),
        'x' | 'X' => hexadecimal(f, precision, format == 'X'),
        'e' | 'E' => {
            let (digits, point) = decimal(f, precision.map(|p| p + 1));
            scientific(
                &digits,
                point,
                precision.unwrap_or(digits.len().saturating_sub(1)),
                format,
            )
        }
        'f' => fixed(f, precision),
        _ => {
            let precision = precision.map(|p| p.max(1));
            let (digits, point) = decimal(f, precision);
            let count = digits.len() as i64;
            let limit = match precision {
                None => 6,
                Some(p) if p as i64 > count && count >= point => count,
                Some(p) => p as i64,
            };
            let exponent = point - 1;
            if exponent < -4 || exponent >= limit {
                let letter = if format == 'G' { 'E' } else { 'e' };
                return scientific(&digits, point, digits.len().saturating_sub(1), letter);
            }
            fixed_digits(&digits, point, usize::try_from((count - point).max(0)).unwrap_or(0))
        }
    }
}

fn zeros_to(out: &mut String, written: usize, wanted: usize) {
    out.extend(std::iter::repeat_n('0', wanted.saturating_sub(written)));
}

fn scientific(digits: &str, point: i64, precision: usize, letter: char) -> String {
    let (first, rest) = digits.split_at_checked(1).unwrap_or(("0", ""));
    let mut out = String::from(first);
    if precision > 0 {
        out.push('.');
        out.push_str(rest);
        zeros_to(&mut out, rest.len(), precision);
    }
    let exponent = if digits.is_empty() { 0 } else { point - 1 };
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{letter}{sign}{:02}", exponent.unsigned_abs());
    out
}

fn fixed(f: f64, precision: Option<usize>) -> String {
    match precision {
        None => {
            let (digits, point) = decimal(f, None);
            let places = usize::try_from((digits.len() as i64 - point).max(0)).unwrap_or(0);
            fixed_digits(&digits, point, places)
        }
        Some(places) => {
            // Doubles end after 1074 places; the formatter of the standard library takes no more than 65535.
            let mut out = format!("{f:.*}", places.min(1_100));
            zeros_to(&mut out, places.min(1_100), places);
            out
        }
    }
}

fn fixed_digits(digits: &str, point: i64, places: usize) -> String {
    let mut out = String::new();
    let before = usize::try_from(point).unwrap_or(0);
    let (whole, fraction) = digits.split_at_checked(before).unwrap_or((digits, ""));
    if whole.is_empty() {
        out.push('0');
    }
    out.push_str(whole);
    if point > 0 {
        zeros_to(&mut out, whole.len(), before);
    }
    if places > 0 {
        out.push('.');
        let lead = usize::try_from(-point).unwrap_or(0).min(places);
        zeros_to(&mut out, 0, lead);
        out.push_str(fraction);
        zeros_to(&mut out, lead + fraction.len(), places);
    }
    out
}

/// Mantissa and binary exponent with `mantissa * 2^exponent`.
fn parts(f: f64) -> (u64, i64) {
    let bits = f.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match i64::try_from((bits >> 52) & 0x7ff).unwrap_or(0) {
        0 => (fraction, -1074),
        e => (fraction | (1 << 52), e - 1075),
    }
}

fn binary(f: f64) -> String {
    let (mantissa, exponent) = parts(f);
    let sign = if exponent < 0 { "" } else { "+" };
    format!("{mantissa}p{sign}{exponent}")
}

fn hexadecimal(f: f64, precision: Option<usize>, upper: bool) -> String {
    let (mut mantissa, mut exponent) = parts(f);
    exponent += 60;
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading 1 at bit 60.
        let shift = mantissa.leading_zeros().saturating_sub(3);
        mantissa <<= shift;
        exponent -= i64::from(shift);
    }
    if let Some(digits) = precision.filter(|p| *p < 15) {
        let shift = (digits * 4) as u32;
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut out = format!("0x{}", (mantissa >> 60) & 1);
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let digits = match precision {
        None => fraction.trim_end_matches('0'),
        Some(p) => fraction.get(..p.min(15)).unwrap_or(&fraction),
    };
    if !digits.is_empty() {
        out.push('.');
        out.push_str(digits);
        zeros_to(&mut out, digits.len(), precision.unwrap_or(0));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "p{sign}{:02}", exponent.unsigned_abs());
    if upper { out.to_ascii_uppercase() } else { out }
}

/// The sharp flag: a point always, and for `%g` the zeros that were dropped.
fn with_point(number: &str, format: char, precision: Option<usize>) -> String {
    let mut missing = match format {
        'g' | 'G' | 'x' => precision.map_or(6, |p| i64::try_from(p).unwrap_or(0)),
        _ => 0,
    };
    let hex = matches!(format, 'x' | 'X');
    let end = number
        .find(|c| matches!(c, 'p' | 'P') || (!hex && matches!(c, 'e' | 'E')))
        .unwrap_or(number.len());
    let (body, tail) = number.split_at_checked(end).unwrap_or((number, ""));
    let mut seen = false;
    for c in body.chars().filter(|c| *c != '.') {
        seen |= c != '0';
        missing -= i64::from(seen);
    }
    let mut out = String::from(body);
    if !body.contains('.') {
        if body == "0" {
            missing -= 1;
        }
        out.push('.');
    }
    zeros_to(&mut out, 0, usize::try_from(missing).unwrap_or(0));
    out.push_str(tail);
    out
}
