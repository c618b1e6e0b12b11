//! A time read by a layout, with Go's errors.

use super::civil::{MONTHS, Shown, WEEKDAYS, days_in, is_leap};
use super::layout::{Offset, Pad, Part, next};

/// What stopped the reading of a part.
enum Bad {
    /// It is not there.
    Form,
    /// It is there and beyond its range.
    Range(&'static str),
}

/// Go's quotes of a time or a layout: anything beyond printable ASCII by its bytes.
pub(crate) fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for b in text {
        match b {
            b'"' | b'\\' => out.extend(['\\', char::from(*b)]),
            0x20..0x80 => out.push(char::from(*b)),
            _ => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out.push('"');
    out
}

/// What was read so far.
#[derive(Default)]
struct Read {
    year: i128,
    month: Option<i128>,
    day: Option<i128>,
    day_of_year: Option<i128>,
    hour: i128,
    minute: i128,
    second: i128,
    nanos: i128,
    /// `Some(true)`: afternoon.
    half: Option<bool>,
    utc: bool,
    offset: Option<i128>,
}

/// Nanoseconds since 1970.
pub(crate) fn read(layout: &str, value: &[u8]) -> Result<i128, String> {
    let (whole_layout, whole) = (layout.as_bytes(), value);
    let cannot = |rest: &[u8], want: &[u8]| {
        let (value, layout) = (quote(whole), quote(whole_layout));
        format!(
            "parsing time {value} as {layout}: cannot parse {} as {}",
            quote(rest),
            quote(want)
        )
    };
    let wrong = |why: &str| format!("parsing time {}: {why}", quote(whole));
    let mut out = Read::default();
    let (mut layout, mut value) = (whole_layout, value);
    loop {
        let found = next(layout);
        value = skip(value, found.before).map_err(|rest| cannot(rest, found.before))?;
        let Some(part) = found.part else {
            if !value.is_empty() {
                return Err(wrong(&format!("extra text: {}", quote(value))));
            }
            break;
        };
        layout = found.rest;
        match out.part(part, value, layout) {
            Ok(rest) => value = rest,
            Err(Bad::Form) => return Err(cannot(value, found.text)),
            Err(Bad::Range(what)) => return Err(wrong(&format!("{what} out of range"))),
        }
    }
    out.finish().map_err(wrong)
}

/// Past a text of the layout; any run of spaces there stands for any run of spaces here.
fn skip<'a>(mut value: &'a [u8], mut text: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    while let Some((first, rest)) = text.split_first() {
        if *first == b' ' {
            if value.first().is_some_and(|b| *b != b' ') {
                return Err(value);
            }
            text = past_spaces(text);
            value = past_spaces(value);
            continue;
        }
        match value.split_first() {
            Some((b, after)) if b == first => value = after,
            _ => return Err(value),
        }
        text = rest;
    }
    Ok(value)
}

fn past_spaces(mut s: &[u8]) -> &[u8] {
    while let Some(rest) = s.strip_prefix(b" ") {
        s = rest;
    }
    s
}

fn split(value: &[u8], length: usize) -> Result<(&[u8], &[u8]), Bad> {
    value.split_at_checked(length).ok_or(Bad::Form)
}

fn decimal(digits: &[u8]) -> i128 {
    digits.iter().fold(0i128, |n, b| {
        n.saturating_mul(10).saturating_add(i128::from(b.wrapping_sub(b'0')))
    })
}

fn digits(value: &[u8]) -> usize {
    value.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// One digit or two; exactly two where fixed.
fn two(value: &[u8], fixed: bool) -> Result<(i128, &[u8]), Bad> {
    let count = digits(value).min(2);
    if count == 0 || (fixed && count != 2) {
        return Err(Bad::Form);
    }
    let (number, rest) = split(value, count)?;
    Ok((decimal(number), rest))
}

/// Two within a range.
fn within<'a>(
    value: &'a [u8],
    pad: Pad,
    (from, to): (i128, i128),
    what: &'static str,
) -> Result<(i128, &'a [u8]), Bad> {
    let (number, rest) = two(value, pad == Pad::Zero)?;
    match (from..=to).contains(&number) {
        true => Ok((number, rest)),
        false => Err(Bad::Range(what)),
    }
}

fn name<'a>(value: &'a [u8], names: &[&str], length: Option<usize>) -> Result<(i128, &'a [u8]), Bad> {
    for (place, name) in names.iter().enumerate() {
        let name = name.as_bytes();
        let name = length.and_then(|l| name.get(..l)).unwrap_or(name);
        if let Some((start, rest)) = value.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return Ok((i128::try_from(place).unwrap_or(0), rest));
        }
    }
    Err(Bad::Form)
}

/// A separator and digits; more than nine are cut.
fn fraction(value: &[u8], length: usize) -> Result<(i128, &[u8]), Bad> {
    let (text, rest) = split(value, length)?;
    let Some((b'.' | b',', text)) = text.split_first() else {
        return Err(Bad::Form);
    };
    let text = text.get(..9).unwrap_or(text);
    // Go reads an integer with its sign here.
    let (negative, number) = match text.split_first() {
        Some((b'-', number)) => (true, number),
        Some((b'+', number)) => (false, number),
        _ => (false, text),
    };
    if number.is_empty() || digits(number) != number.len() {
        return Err(Bad::Form);
    }
    let number_value = decimal(number);
    if negative && number_value > 0 {
        return Err(Bad::Range("fractional second"));
    }
    let scale = u32::try_from(9usize.saturating_sub(text.len())).unwrap_or(0);
    Ok((number_value * 10i128.pow(scale), rest))
}

fn offset(value: &[u8], form: Offset) -> Result<(i128, &[u8]), Bad> {
    let (sign, rest) = split(value, 1)?;
    let width = 2
        + usize::from(form.minutes) * (2 + usize::from(form.colon))
        + usize::from(form.seconds) * (2 + usize::from(form.colon));
    let (text, rest) = split(rest, width)?;
    let mut numbers = [0i128; 3];
    let mut left = text;
    let mut bad = false;
    for (place, number) in numbers.iter_mut().enumerate() {
        let wanted = match place {
            0 => true,
            1 => form.minutes,
            _ => form.seconds,
        };
        if !wanted {
            continue;
        }
        if place > 0 && form.colon {
            left = left.strip_prefix(b":").ok_or(Bad::Form)?;
        }
        let (digits, after) = split(left, 2)?;
        left = after;
        match two(digits, true) {
            Ok((n, _)) if !bad => *number = n,
            _ => bad = true,
        }
    }
    let [hours, minutes, seconds] = numbers;
    // Go takes a whole day, hour and minute too.
    for (number, most, what) in [
        (seconds, 60, "time zone offset second"),
        (minutes, 60, "time zone offset minute"),
        (hours, 24, "time zone offset hour"),
    ] {
        if number > most {
            return Err(Bad::Range(what));
        }
    }
    let total = hours * 3600 + minutes * 60 + seconds;
    match sign {
        _ if bad => Err(Bad::Form),
        b"+" => Ok((total, rest)),
        b"-" => Ok((-total, rest)),
        _ => Err(Bad::Form),
    }
}

/// `+3`, `-11`: how long; nothing beyond 23.
fn signed_hours(value: &[u8]) -> usize {
    let Some((b'+' | b'-', rest)) = value.split_first() else {
        return 0;
    };
    let count = digits(rest);
    match rest.get(..count).map(decimal) {
        Some(n) if count > 0 && n <= 23 => 1 + count,
        _ => 0,
    }
}

/// How long the zone's short name here is.
fn zone(value: &[u8]) -> Option<usize> {
    if value.starts_with(b"ChST") || value.starts_with(b"MeST") {
        return Some(4);
    }
    if value.len() < 3 {
        return None;
    }
    if let Some(rest) = value.strip_prefix(b"GMT") {
        return Some(3 + signed_hours(rest));
    }
    if matches!(value.first(), Some(b'+' | b'-')) {
        return Some(signed_hours(value)).filter(|n| *n > 0);
    }
    let upper = value.iter().take(6).take_while(|b| b.is_ascii_uppercase()).count();
    match upper {
        5 if value.get(4) == Some(&b'T') => Some(5),
        4 if value.get(3) == Some(&b'T') || value.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

impl Read {
    /// Reads a part; the layout's rest says whether a fraction follows the seconds.
    fn part<'a>(&mut self, part: Part, value: &'a [u8], layout: &[u8]) -> Result<&'a [u8], Bad> {
        let rest = match part {
            Part::ShortYear => {
                let (text, rest) = split(value, 2)?;
                let year: i128 = std::str::from_utf8(text)
                    .ok()
                    .and_then(|t| t.parse().ok())
                    .ok_or(Bad::Form)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
                rest
            }
            Part::LongYear => {
                let (text, rest) = split(value, 4)?;
                if digits(text) != 4 {
                    return Err(Bad::Form);
                }
                self.year = decimal(text);
                rest
            }
            Part::ShortMonth | Part::LongMonth => {
                let length = (part == Part::ShortMonth).then_some(3);
                let (month, rest) = name(value, &MONTHS, length)?;
                self.month = Some(month + 1);
                rest
            }
            Part::Month(pad) => {
                let (month, rest) = within(value, pad, (1, 12), "month")?;
                self.month = Some(month);
                rest
            }
            Part::ShortWeekday | Part::LongWeekday => {
                let length = (part == Part::ShortWeekday).then_some(3);
                name(value, &WEEKDAYS, length)?.1
            }
            Part::Day(pad) => {
                let value = match pad {
                    Pad::Space => value.strip_prefix(b" ").unwrap_or(value),
                    _ => value,
                };
                let (day, rest) = two(value, pad == Pad::Zero)?;
                self.day = Some(day);
                rest
            }
            Part::DayOfYear(pad) => {
                let mut value = value;
                for _ in 0..2 {
                    if pad == Pad::Space {
                        value = value.strip_prefix(b" ").unwrap_or(value);
                    }
                }
                let count = digits(value).min(3);
                if count == 0 || (pad == Pad::Zero && count != 3) {
                    return Err(Bad::Form);
                }
                let (text, rest) = split(value, count)?;
                self.day_of_year = Some(decimal(text));
                rest
            }
            Part::Hour => {
                let (hour, rest) = within(value, Pad::No, (0, 23), "hour")?;
                self.hour = hour;
                rest
            }
            Part::Hour12(pad) => {
                let (hour, rest) = within(value, pad, (0, 12), "hour")?;
                self.hour = hour;
                rest
            }
            Part::Minute(pad) => {
                let (minute, rest) = within(value, pad, (0, 59), "minute")?;
                self.minute = minute;
                rest
            }
            Part::Second(pad) => {
                let (second, rest) = within(value, pad, (0, 59), "second")?;
                self.second = second;
                self.unasked_fraction(rest, layout)?
            }
            Part::Fraction {
                digits, trim: false, ..
            } => {
                let (nanos, rest) = fraction(value, 1 + digits)?;
                self.nanos = nanos;
                rest
            }
            Part::Fraction { .. } => self.fraction_here(value)?,
            Part::Half { upper } => {
                let (text, rest) = split(value, 2)?;
                self.half = Some(match (text, upper) {
                    (b"PM", true) | (b"pm", false) => true,
                    (b"AM", true) | (b"am", false) => false,
                    _ => return Err(Bad::Form),
                });
                rest
            }
            Part::Offset(form) => match value.strip_prefix(b"Z") {
                Some(rest) if form.z => {
                    self.utc = true;
                    rest
                }
                _ => {
                    let (offset, rest) = offset(value, form)?;
                    self.offset = Some(offset);
                    rest
                }
            },
            Part::Zone => match value.strip_prefix(b"UTC") {
                Some(rest) => {
                    self.utc = true;
                    rest
                }
                None => split(value, zone(value).ok_or(Bad::Form)?)?.1,
            },
        };
        Ok(rest)
    }

    /// Go takes a fraction after the seconds also where the layout has none.
    fn unasked_fraction<'a>(&mut self, value: &'a [u8], layout: &[u8]) -> Result<&'a [u8], Bad> {
        match next(layout).part {
            Some(Part::Fraction { .. }) => Ok(value),
            _ => self.fraction_here(value),
        }
    }

    fn fraction_here<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], Bad> {
        let count = match value.split_first() {
            Some((b'.' | b',', rest)) => digits(rest),
            _ => 0,
        };
        if count == 0 {
            return Ok(value);
        }
        let (nanos, rest) = fraction(value, 1 + count)?;
        self.nanos = nanos;
        Ok(rest)
    }

    fn finish(mut self) -> Result<i128, &'static str> {
        match self.half {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        if let Some(day_of_year) = self.day_of_year {
            if !(1..=365 + i128::from(is_leap(self.year))).contains(&day_of_year) {
                return Err("day-of-year out of range");
            }
            let mut month = 1;
            let mut day = day_of_year;
            while day > days_in(month, self.year) {
                day -= days_in(month, self.year);
                month += 1;
            }
            if self.month.is_some_and(|m| m != month) {
                return Err("day-of-year does not match month");
            }
            if self.day.is_some_and(|d| d != day) {
                return Err("day-of-year does not match day");
            }
            (self.month, self.day) = (Some(month), Some(day));
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if day < 1 || day > days_in(month, self.year) {
            return Err("day out of range");
        }
        let shown = Shown {
            year: self.year,
            month,
            day,
            hour: self.hour,
            minute: self.minute,
            second: self.second,
            nanos: self.nanos,
        };
        // A zone's short name does not say how far it is from UTC; -1 is what Go keeps for "none was read".
        let offset = match (self.utc, self.offset) {
            (false, Some(offset)) if offset != -1 => offset,
            _ => 0,
        };
        Ok(shown.nanos() - offset * 1_000_000_000)
    }
}
