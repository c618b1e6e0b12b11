//! Times within certificates.

use super::der::Der;
use crate::builtins::time::civil::{Shown, days_in};

/// A time as it is written, and where on the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant {
    shown: Shown,
    /// Minutes east of Greenwich.
    offset: i128,
}

impl Instant {
    /// Nanoseconds since 1970.
    pub(crate) fn nanos(&self) -> i128 {
        self.shown.nanos() - self.offset * 60_000_000_000
    }

    /// RFC 3339; nothing where that cannot write it.
    pub(crate) fn text(&self) -> Option<String> {
        let s = &self.shown;
        let offset = self.offset.abs();
        if offset >= 24 * 60 {
            return None;
        }
        let zone = match self.offset {
            0 => "Z".to_string(),
            east => {
                let sign = if east > 0 { '+' } else { '-' };
                format!("{sign}{:02}:{:02}", offset / 60, offset % 60)
            }
        };
        Some(format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
            s.year, s.month, s.day, s.hour, s.minute, s.second
        ))
    }
}

/// Reads a UTCTime or a GeneralizedTime.
///
/// # Errors
/// In Go's words.
pub(crate) fn read(der: &mut Der<'_>) -> Result<Instant, String> {
    if der.next_is(23) {
        let text = der.read(23).and_then(|d| std::str::from_utf8(d.0).ok());
        let read = text.and_then(|t| parse(t, 2, true).or_else(|| parse(t, 2, false)));
        return read.ok_or_else(|| "x509: malformed UTCTime".into());
    }
    if der.next_is(24) {
        let text = der.read(24).and_then(|d| std::str::from_utf8(d.0).ok());
        return text
            .and_then(|t| parse(t, 4, true))
            .ok_or_else(|| "x509: malformed GeneralizedTime".into());
    }
    Err("x509: unsupported time format".into())
}

/// `[YY]YYMMDDhhmm[ss](Z|±hhmm)`.
fn parse(text: &str, year_digits: usize, seconds: bool) -> Option<Instant> {
    let mut rest = text;
    let mut number = |digits: usize| -> Option<i128> {
        let (head, tail) = rest.split_at_checked(digits)?;
        rest = tail;
        head.bytes().all(|b| b.is_ascii_digit()).then(|| head.parse().ok())?
    };
    let mut year = number(year_digits)?;
    let (month, day, hour, minute) = (number(2)?, number(2)?, number(2)?, number(2)?);
    let second = if seconds { number(2)? } else { 0 };
    if year_digits == 2 {
        // The low digits 50 to 99 are of the twentieth century.
        year += if year >= 50 { 1900 } else { 2000 };
    }
    let offset = match rest {
        "Z" => 0,
        _ => {
            let sign = match rest.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let digits = rest.get(1..)?;
            if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let (hours, minutes): (i128, i128) = (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?);
            // None of it may be written otherwise.
            if hours > 24 || minutes > 59 || hours + minutes == 0 {
                return None;
            }
            sign * (hours * 60 + minutes)
        }
    };
    let fine = (1..=12).contains(&month)
        && (1..=days_in(month, year)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    fine.then_some(Instant {
        shown: Shown {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanos: 0,
        },
        offset,
    })
}
