//! Days and dates of the Gregorian calendar without end, and what the clock shows at an offset.

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A date and a time of day as a clock and a calendar show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) year: i128,
    /// From 1.
    pub(crate) month: i128,
    /// From 1.
    pub(crate) day: i128,
    pub(crate) hour: i128,
    pub(crate) minute: i128,
    pub(crate) second: i128,
    pub(crate) nanos: i128,
}

pub(crate) fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in(month: i128, year: i128) -> i128 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date; months beyond the year and days beyond the month carry over, as in Go.
pub(crate) fn days(year: i128, month: i128, day: i128) -> i128 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    // Years that start in March keep the leap day last.
    let (year, from_march) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719_468
}

/// The date of a day since 1970.
fn date(days: i128) -> (i128, i128, i128) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year + era * 400 + i128::from(month <= 2), month, day)
}

impl Shown {
    /// What is shown at nanoseconds since 1970, counted where the clock hangs.
    pub(crate) fn at(nanos: i128) -> Shown {
        let seconds = nanos.div_euclid(1_000_000_000);
        let (year, month, day) = date(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        Shown {
            year,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            nanos: nanos.rem_euclid(1_000_000_000),
        }
    }

    /// Nanoseconds since 1970, counted where the clock hangs; every part may be beyond its range.
    pub(crate) fn nanos(&self) -> i128 {
        let days = days(self.year, self.month, self.day);
        let seconds = days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second;
        seconds * 1_000_000_000 + self.nanos
    }

    pub(crate) fn month_name(&self) -> &'static str {
        let place = usize::try_from(self.month - 1).unwrap_or(0);
        MONTHS.get(place).copied().unwrap_or_default()
    }

    pub(crate) fn weekday(&self) -> &'static str {
        // 1970 began on a Thursday.
        let place = (days(self.year, self.month, self.day) + 4).rem_euclid(7);
        let place = usize::try_from(place).unwrap_or(0);
        WEEKDAYS.get(place).copied().unwrap_or_default()
    }

    /// The day within the year, from 1.
    pub(crate) fn day_of_year(&self) -> i128 {
        days(self.year, self.month, self.day) - days(self.year, 1, 1) + 1
    }
}
