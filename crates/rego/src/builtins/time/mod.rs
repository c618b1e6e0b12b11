//! `time.*`: Go's layouts and durations, the zones of a database that is part of the program.
//!
//! Nothing here looks at a clock or the environment: the time is the caller's, and `Local` is UTC.

pub(crate) mod civil;
mod duration;
mod layout;
mod read;
mod write;

use super::operand::{error, int, must_be, string, text_of_bytes};
use super::{Answer, Failure, Host, Table};
use crate::go_text;
use crate::value::Value;
use civil::Shown;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::OnceLock;
use write::Local;

pub(crate) const TABLE: Table = &[
    ("time.add_date", add_date),
    ("time.clock", clock),
    ("time.date", date),
    ("time.diff", diff),
    ("time.format", format),
    ("time.now_ns", |host, _| Ok(Some(Value::from(host.time_ns())))),
    ("time.parse_duration_ns", parse_duration_ns),
    ("time.parse_ns", parse_ns),
    ("time.parse_rfc3339_ns", parse_rfc3339_ns),
    ("time.weekday", weekday),
];

/// A time, a zone, and a layout if there is one.
struct Given {
    nanos: i64,
    /// None: UTC.
    zone: Option<TimeZone>,
    layout: String,
}

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

fn zone(name: &str) -> Result<Option<TimeZone>, Failure> {
    if matches!(name, "" | "UTC" | "Local") {
        return Ok(None);
    }
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return Err(error("time: invalid location name"));
    }
    // The database is lenient about case, Go is not.
    let found = database().get(name).ok().filter(|z| z.iana_name() == Some(name));
    found
        .map(Some)
        .ok_or_else(|| error(format!("unknown time zone {name}")))
}

fn text(value: &Value) -> Result<&str, Failure> {
    value.as_str().ok_or_else(|| must_be(1, "string", value))
}

/// A number, or an array of one, a zone and a layout.
fn given(args: &[&Value], place: usize) -> Result<Given, Failure> {
    // OPA counts any of these as the first.
    let wrong = |v: &Value| must_be(1, "either number (ns) or [number (ns), string (tz)]", v);
    let value = super::operand::any(args, place)?;
    let single = [value.clone()];
    let items = match value {
        Value::Number(_) => single.as_slice(),
        Value::Array(items) => items,
        _ => return Err(wrong(value)),
    };
    let number = match items.first() {
        Some(Value::Number(n)) => n,
        Some(other) => return Err(must_be(1, "number", other)),
        None => return Err(wrong(value)),
    };
    let zone = items.get(1).map(text).transpose()?.map(zone).transpose()?.flatten();
    let layout = items.get(2).map(text).transpose()?.unwrap_or_default().to_string();
    let nanos = number.integer_value().ok_or_else(|| error("timestamp too big"))?;
    Ok(Given { nanos, zone, layout })
}

/// The offset in seconds and the zone's short name at a time.
fn offset(zone: Option<&TimeZone>, nanos: i128) -> (i128, String) {
    let utc = || (0, "UTC".to_string());
    let Some(zone) = zone else { return utc() };
    // The zone is asked within the years it knows.
    let (first, last) = (Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
    let Ok(time) = Timestamp::from_nanosecond(nanos.clamp(first, last)) else {
        return utc();
    };
    let info = zone.to_offset_info(time);
    let name = info.abbreviation().to_string();
    (i128::from(info.offset().seconds()), name)
}

fn local(nanos: i64, zone: Option<&TimeZone>) -> Local {
    let nanos = i128::from(nanos);
    let (offset, name) = offset(zone, nanos);
    Local {
        shown: Shown::at(nanos + offset * 1_000_000_000),
        offset,
        zone: name,
    }
}

fn in_range(nanos: i128) -> Answer {
    match i64::try_from(nanos) {
        Ok(nanos) => Ok(Some(Value::from(nanos))),
        Err(_) => Err(error("time outside of valid range")),
    }
}

fn numbers<const N: usize>(numbers: [i128; N]) -> Answer {
    let number = |n: i128| Value::from(i64::try_from(n).unwrap_or_default());
    Ok(Some(Value::array(numbers.into_iter().map(number).collect())))
}

fn parse_ns(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (layout, value) = (string(args, 1)?, string(args, 2)?);
    in_range(read::read(layout::named(layout), &go_text::to_bytes(value)).map_err(error)?)
}

fn parse_rfc3339_ns(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let value = string(args, 1)?;
    in_range(read::read(layout::RFC3339, &go_text::to_bytes(value)).map_err(error)?)
}

fn parse_duration_ns(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let nanos = duration::read(string(args, 1)?).map_err(error)?;
    Ok(Some(Value::from(nanos)))
}

fn format(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let given = given(args, 1)?;
    let layout = match given.layout.as_str() {
        "" => layout::RFC3339_NANO,
        text => layout::named(text),
    };
    host.charge(layout.len().saturating_mul(4))?;
    let text = write::write(&local(given.nanos, given.zone.as_ref()), layout);
    Ok(Some(text_of_bytes(text)))
}

fn shown(args: &[&Value]) -> Result<Shown, Failure> {
    let given = given(args, 1)?;
    Ok(local(given.nanos, given.zone.as_ref()).shown)
}

fn date(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let shown = shown(args)?;
    numbers([shown.year, shown.month, shown.day])
}

fn clock(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let shown = shown(args)?;
    numbers([shown.hour, shown.minute, shown.second])
}

fn weekday(_: &mut dyn Host, args: &[&Value]) -> Answer {
    Ok(Some(Value::string(shown(args)?.weekday())))
}

fn add_date(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let given = given(args, 1)?;
    let (years, months, days) = (int(args, 2)?, int(args, 3)?, int(args, 4)?);
    let mut shown = local(given.nanos, given.zone.as_ref()).shown;
    shown.year += i128::from(years);
    shown.month += i128::from(months);
    shown.day += i128::from(days);
    // What a clock shows may never come or come twice: as Go, take the offset of about then, and that of the result.
    let nanos = shown.nanos();
    let (first, _) = offset(given.zone.as_ref(), nanos);
    let offset = match first {
        0 => 0,
        _ => offset(given.zone.as_ref(), nanos - first * 1_000_000_000).0,
    };
    in_range(nanos - offset * 1_000_000_000)
}

fn diff(_: &mut dyn Host, args: &[&Value]) -> Answer {
    let (first, second) = (given(args, 1)?, given(args, 2)?);
    let zone = first.zone.as_ref();
    let (from, to) = (first.nanos.min(second.nanos), first.nanos.max(second.nanos));
    let (from, to) = (local(from, zone).shown, local(to, zone).shown);
    let mut years = to.year - from.year;
    let mut months = to.month - from.month;
    let mut days = to.day - from.day;
    let mut hours = to.hour - from.hour;
    let mut minutes = to.minute - from.minute;
    let mut seconds = to.second - from.second;
    // Borrowed from the next larger part; a month is as long as the one it starts in.
    let borrow = |part: &mut i128, next: &mut i128, size: i128| {
        if *part < 0 {
            *part += size;
            *next -= 1;
        }
    };
    borrow(&mut seconds, &mut minutes, 60);
    borrow(&mut minutes, &mut hours, 60);
    borrow(&mut hours, &mut days, 24);
    borrow(&mut days, &mut months, civil::days_in(from.month, from.year));
    borrow(&mut months, &mut years, 12);
    numbers([years, months, days, hours, minutes, seconds])
}
