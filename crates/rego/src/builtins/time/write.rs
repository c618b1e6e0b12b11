//! A time written in a layout.

use super::civil::Shown;
use super::layout::{Offset, Pad, Part, next};

/// A time as a place's clock shows it.
pub(crate) struct Local {
    pub(crate) shown: Shown,
    /// Seconds east of UTC.
    pub(crate) offset: i128,
    /// The zone's short name at that time.
    pub(crate) zone: String,
}

pub(crate) fn write(time: &Local, layout: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(layout.len() + 16);
    let mut layout = layout.as_bytes();
    while !layout.is_empty() {
        let found = next(layout);
        out.extend_from_slice(found.before);
        if let Some(part) = found.part {
            out.extend_from_slice(text(time, part).as_bytes());
        }
        layout = found.rest;
    }
    out
}

fn padded(number: i128, pad: Pad, width: usize) -> String {
    match pad {
        Pad::No => number.to_string(),
        Pad::Zero => format!("{number:0width$}"),
        Pad::Space => format!("{number:width$}"),
    }
}

fn short(name: &str) -> String {
    name.chars().take(3).collect()
}

fn text(time: &Local, part: Part) -> String {
    let shown = &time.shown;
    match part {
        Part::LongMonth => shown.month_name().into(),
        Part::ShortMonth => short(shown.month_name()),
        Part::Month(pad) => padded(shown.month, pad, 2),
        Part::LongWeekday => shown.weekday().into(),
        Part::ShortWeekday => short(shown.weekday()),
        Part::Day(pad) => padded(shown.day, pad, 2),
        Part::DayOfYear(pad) => padded(shown.day_of_year(), pad, 3),
        Part::LongYear => padded(shown.year, Pad::Zero, 4),
        Part::ShortYear => padded(shown.year.max(0) % 100, Pad::Zero, 2),
        Part::Hour => padded(shown.hour, Pad::Zero, 2),
        Part::Hour12(pad) => padded((shown.hour + 11) % 12 + 1, pad, 2),
        Part::Minute(pad) => padded(shown.minute, pad, 2),
        Part::Second(pad) => padded(shown.second, pad, 2),
        Part::Half { upper } => {
            let half = if shown.hour >= 12 { "PM" } else { "AM" };
            if upper { half.into() } else { half.to_lowercase() }
        }
        Part::Zone => time.zone.clone(),
        Part::Offset(form) => offset(time.offset, form),
        Part::Fraction {
            separator,
            digits,
            trim,
        } => fraction(shown.nanos, separator, digits, trim),
    }
}

fn offset(seconds: i128, form: Offset) -> String {
    if form.z && seconds == 0 {
        return "Z".into();
    }
    let sign = if seconds / 60 < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let colon = if form.colon { ":" } else { "" };
    let mut out = format!("{sign}{:02}", seconds / 3600);
    if form.minutes {
        out.push_str(&format!("{colon}{:02}", seconds / 60 % 60));
    }
    if form.seconds {
        out.push_str(&format!("{colon}{:02}", seconds % 60));
    }
    out
}

fn fraction(nanos: i128, separator: u8, digits: usize, trim: bool) -> String {
    let all = format!("{nanos:09}");
    let kept: String = all.chars().take(digits).collect();
    let kept = if trim { kept.trim_end_matches('0') } else { &kept };
    if trim && kept.is_empty() {
        return String::new();
    }
    format!("{}{kept}", char::from(separator))
}
