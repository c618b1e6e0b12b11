//! Numbers as OPA has them: the text is the number.
//!
//! A number keeps the text it was written in. Comparing is exact whatever the length; arithmetic is that of
//! `softfloat`, 64 bits of mantissa. No exponent, however large, costs more than the text is long.

use crate::softfloat::Soft;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

/// A number: a machine integer, or anything else with the text it was written in.
#[derive(Clone, Debug)]
pub enum Number {
    /// Fits 64 bits and is written as a plain integer.
    Int(i64),
    /// Everything else.
    Text(Arc<Decimal>),
}

/// A number that is not a plain 64-bit integer.
#[derive(Clone, Debug)]
pub struct Decimal {
    text: SmolStr,
    /// Significant decimal digits where they cannot be read off the text (hexadecimal floats).
    digits: Option<Box<str>>,
    negative: bool,
    /// The value is 0.d1d2d3... times ten to this, d1 not 0; `None`: the value is zero.
    point: Option<i64>,
    /// The value, if it is an integer of 64 bits (`1.0`, `1e2`).
    int: Option<i64>,
}

impl Decimal {
    /// As written, or as OPA would print it.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn parts(&self) -> Parts<'_> {
        let digits = self.digits.as_deref().unwrap_or(&self.text);
        Parts {
            negative: self.negative,
            point: self.point,
            digits: digits.as_bytes(),
        }
    }
}

/// Exponents beyond this are taken as this: the comparison of such numbers only sees "vast".
const VAST: i64 = 1 << 40;

impl Number {
    /// Reads JSON's number grammar; `None` if it is none.
    pub fn parse(text: &str) -> Option<Number> {
        let bytes = text.as_bytes();
        if let Some(n) = small_int(bytes) {
            return Some(Number::Int(n));
        }
        let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let (int, rest) = take_digits(unsigned);
        if int.is_empty() || (int.len() > 1 && int.starts_with(b"0")) {
            return None;
        }
        let rest = match rest.strip_prefix(b".") {
            Some(rest) => {
                let (fraction, rest) = take_digits(rest);
                if fraction.is_empty() {
                    return None;
                }
                rest
            }
            None => rest,
        };
        if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
            let signless = exponent
                .strip_prefix(b"-")
                .or_else(|| exponent.strip_prefix(b"+"))
                .unwrap_or(exponent);
            let (digits, rest) = take_digits(signless);
            if digits.is_empty() || !rest.is_empty() {
                return None;
            }
        } else if !rest.is_empty() {
            return None;
        }
        Some(Number::from_valid(text))
    }

    /// What Go's `strconv.ParseFloat` takes (`+1`, `.5`, `1.`, `0x1p-2`, `1_0`), as `to_number` does: the text is
    /// kept.
    ///
    /// # Errors
    /// Infinities and `NaN` are no syntax here; what overflows a double is out of range.
    pub fn parse_go_float(text: &str) -> Result<Number, NotFloat> {
        let finite = |n: Number| {
            if n.as_f64().is_finite() {
                Ok(n)
            } else {
                Err(NotFloat::Range)
            }
        };
        if let Some(n) = Number::parse(text) {
            return finite(n);
        }
        if !underscores_separate_digits(text) {
            return Err(NotFloat::Syntax);
        }
        let clean = text.replace('_', "");
        let (negative, unsigned) = match clean.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, clean.strip_prefix('+').unwrap_or(&clean)),
        };
        if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
            return finite(hex_float(text, negative, hex)?);
        }
        let ok = unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
        if !ok || clean.parse::<f64>().is_err() {
            return Err(NotFloat::Syntax);
        }
        if clean == text {
            return finite(Number::from_valid(text));
        }
        let digits = unsigned.split(['e', 'E']).next().unwrap_or("").replace('.', "");
        let digits = digits.trim_start_matches('0').into();
        let point = find_point(unsigned.as_bytes());
        finite(Number::Text(Arc::new(Decimal::new(
            text,
            Some(digits),
            negative,
            point,
        ))))
    }

    /// From text known to be a decimal number.
    pub(crate) fn from_valid(text: &str) -> Number {
        if let Some(n) = small_int(text.as_bytes()) {
            return Number::Int(n);
        }
        let negative = text.starts_with('-');
        let point = find_point(text.as_bytes());
        Number::Text(Arc::new(Decimal::new(text, None, negative, point)))
    }

    /// From the text of a decimal number that is not negative and has a point; `place` is that of the point before its
    /// first digit that is not 0.
    pub(crate) fn from_decimal(text: &str, place: Option<i64>) -> Number {
        Number::Text(Arc::new(Decimal::new(text, None, false, place)))
    }

    /// The integer, if the text is one that fits (`1.0` is none).
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(i) => Some(*i),
            // Go reads `+5`, `007` and `-0` as integers too.
            Number::Text(d) => d.int.filter(|_| d.text.parse::<i64>().is_ok()),
        }
    }

    /// The value as an integer, however it is written (`1.0`, `1e2`).
    pub fn integer_value(&self) -> Option<i64> {
        match self {
            Number::Int(i) => Some(*i),
            Number::Text(d) => d.int,
        }
    }

    /// Nearest double; infinite when beyond.
    pub fn as_f64(&self) -> f64 {
        match self {
            Number::Int(i) => *i as f64,
            Number::Text(d) => match (&d.digits, d.point) {
                (Some(digits), Some(point)) => {
                    let f = format!("0.{digits}e{point}").parse().unwrap_or(f64::NAN);
                    if d.negative { -f } else { f }
                }
                _ => d.text.parse().unwrap_or(f64::NAN),
            },
        }
    }

    /// The text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Number::Int(i) => Cow::Owned(i.to_string()),
            Number::Text(d) => Cow::Borrowed(&d.text),
        }
    }

    /// Rounded to 64 bits of mantissa, as OPA computes; `None` when the exponent is beyond any use.
    pub(crate) fn soft(&self) -> Option<Soft> {
        match self {
            Number::Int(i) => Some(Soft::from_i64(*i)),
            Number::Text(d) => {
                let parts = d.parts();
                let Some(point) = parts.point else {
                    return Some(Soft::zero(d.negative));
                };
                Soft::from_decimal(d.negative, parts.significant(), point)
            }
        }
    }

    /// Below zero.
    pub fn is_negative(&self) -> bool {
        match self {
            Number::Int(i) => *i < 0,
            Number::Text(d) => d.negative && d.point.is_some(),
        }
    }
}

impl Decimal {
    fn new(text: &str, digits: Option<Box<str>>, negative: bool, point: Option<i64>) -> Decimal {
        let mut d = Decimal {
            text: text.into(),
            digits,
            negative,
            point,
            int: None,
        };
        d.int = d.parts().integer();
        d
    }
}

/// A plain integer of 64 bits, written as JSON writes it.
fn small_int(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 19 || (digits.starts_with(b"0") && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut n: u64 = 0;
    for b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        // 19 digits fit 64 bits unsigned.
        n = n.wrapping_mul(10).wrapping_add(u64::from(b - b'0'));
    }
    match negative {
        true => 0i64.checked_sub_unsigned(n),
        false => i64::try_from(n).ok(),
    }
}

fn take_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// Where the decimal point stands relative to the first significant digit; `None` for zero.
fn find_point(text: &[u8]) -> Option<i64> {
    let mantissa_end = text.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at_checked(mantissa_end)?;
    let first = mantissa.iter().position(|b| matches!(b, b'1'..=b'9'))? as i64;
    let dot = mantissa.iter().position(|b| *b == b'.').unwrap_or(mantissa.len()) as i64;
    let place = if dot > first { dot - first } else { dot - first + 1 };
    let exponent = match exponent.split_first() {
        Some((_, digits)) => saturating_exponent(digits),
        None => 0,
    };
    Some((place + exponent).clamp(-VAST, VAST))
}

fn saturating_exponent(digits: &[u8]) -> i64 {
    let mut n: i64 = 0;
    for b in digits.iter().filter(|b| b.is_ascii_digit()) {
        n = n.saturating_mul(10).saturating_add(i64::from(b - b'0')).min(VAST);
    }
    if digits.starts_with(b"-") { -n } else { n }
}

/// Why text is no float to Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFloat {
    /// `invalid syntax`.
    Syntax,
    /// `value out of range`.
    Range,
}

/// Each underscore stands between two digits, or between the prefix and a digit.
fn underscores_separate_digits(text: &str) -> bool {
    let hex = text.trim_start_matches(['+', '-']).starts_with(['0']) && text.contains(['x', 'X']);
    let digit = |b: Option<&u8>| b.is_some_and(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() });
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter(|(_, b)| **b == b'_').all(|(i, _)| {
        let before = i.checked_sub(1).and_then(|i| bytes.get(i));
        (digit(before) || (hex && matches!(before, Some(b'x' | b'X')))) && digit(bytes.get(i + 1))
    })
}

/// A hexadecimal float of Go, its underscores taken out; a `p` exponent is required.
fn hex_float(text: &str, negative: bool, hex: &str) -> Result<Number, NotFloat> {
    use num_bigint::BigUint;
    let (mantissa, exponent) = hex.split_once(['p', 'P']).ok_or(NotFloat::Syntax)?;
    let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let hex_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex_digits || bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotFloat::Syntax);
    }
    // Smaller ones are zero to a double, larger ones infinite.
    let exponent = saturating_exponent(exponent.as_bytes()).max(-10_000);
    if exponent > 10_000 || digits.len() > 1_000 {
        return Err(NotFloat::Range);
    }
    let mut m = BigUint::parse_bytes(digits.as_bytes(), 16).ok_or(NotFloat::Syntax)?;
    let shift = exponent - 4 * fraction.len() as i64;
    let mut point = 0;
    if shift >= 0 {
        m <<= shift.unsigned_abs();
    } else {
        // m / 2^s is m * 5^s / 10^s.
        m *= BigUint::from(5u8).pow(u32::try_from(-shift).map_err(|_| NotFloat::Range)?);
        point = shift;
    }
    let digits = m.to_string();
    let point = (digits != "0").then_some(point + digits.len() as i64);
    Ok(Number::Text(Arc::new(Decimal::new(
        text,
        Some(digits.into()),
        negative,
        point,
    ))))
}

/// A number taken apart for comparing.
struct Parts<'a> {
    negative: bool,
    point: Option<i64>,
    digits: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Significant digits, from the first that is not 0, with trailing zeros as they come.
    fn significant(&self) -> impl Iterator<Item = u8> + Clone + 'a {
        self.digits
            .iter()
            .copied()
            .take_while(|b| !matches!(b, b'e' | b'E'))
            .filter(u8::is_ascii_digit)
            .skip_while(|b| *b == b'0')
    }

    fn integer(&self) -> Option<i64> {
        let Some(point) = self.point else { return Some(0) };
        if !(1..=19).contains(&point) {
            return None;
        }
        let mut n: i128 = 0;
        let mut digits = self.significant();
        for _ in 0..point {
            n = n * 10 + i128::from(digits.next().unwrap_or(b'0') - b'0');
        }
        if digits.any(|b| b != b'0') {
            return None;
        }
        i64::try_from(if self.negative { -n } else { n }).ok()
    }

    fn sign(&self) -> i8 {
        match (self.point, self.negative) {
            (None, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        }
    }

    fn cmp(&self, other: &Parts<'_>) -> Ordering {
        let by_sign = self.sign().cmp(&other.sign());
        if by_sign != Ordering::Equal || self.sign() == 0 {
            return by_sign;
        }
        let by_size = self.point.cmp(&other.point).then_with(|| {
            let (mut a, mut b) = (self.significant(), other.significant());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return Ordering::Equal,
                    (x, y) => match x.unwrap_or(b'0').cmp(&y.unwrap_or(b'0')) {
                        Ordering::Equal => {}
                        differ => return differ,
                    },
                }
            }
        });
        if self.negative { by_size.reverse() } else { by_size }
    }
}

impl From<i64> for Number {
    fn from(i: i64) -> Number {
        Number::Int(i)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Int(i) => write!(f, "{i}"),
            Number::Text(d) => f.write_str(&d.text),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Number {}
impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Number {
    /// Exact. OPA's own comparison trims zeros from texts with a point and so takes 10.0 for 1; this one does not.
    #[inline]
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(b),
            _ => self.compare(other),
        }
    }
}

impl Number {
    fn compare(&self, other: &Number) -> Ordering {
        match (self.integer_value(), other.integer_value()) {
            (Some(a), Some(b)) => return a.cmp(&b),
            (None, None) => {}
            // One is an integer of 64 bits, the other not: rarely asked, so the integer is written out.
            (Some(a), None) => {
                return int_parts(a, |p| match other {
                    Number::Text(d) => p.cmp(&d.parts()),
                    Number::Int(_) => Ordering::Equal,
                });
            }
            (None, Some(_)) => return other.cmp(self).reverse(),
        }
        match (self, other) {
            // The same text is the same number, however long.
            (Number::Text(a), Number::Text(b)) if a.text == b.text => Ordering::Equal,
            (Number::Text(a), Number::Text(b)) => a.parts().cmp(&b.parts()),
            // Machine integers were answered above.
            _ => Ordering::Equal,
        }
    }
}

fn int_parts(i: i64, then: impl FnOnce(Parts<'_>) -> Ordering) -> Ordering {
    let text = i.unsigned_abs().to_string();
    let point = (i != 0).then_some(text.len() as i64);
    then(Parts {
        negative: i < 0,
        point,
        digits: text.as_bytes(),
    })
}

impl std::hash::Hash for Number {
    /// Equal numbers hash alike however they are written.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self.integer_value() {
            Some(i) => state.write_i64(i),
            // Equal values are the same double.
            None => state.write_u64(self.as_f64().to_bits()),
        }
    }
}
