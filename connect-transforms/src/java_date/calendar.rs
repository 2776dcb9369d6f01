//! Days and dates, as Java's `GregorianCalendar` counts them, for any year that milliseconds in 64 bits can name.

use super::Dialect;

/// 1582-10-15, the first Gregorian day: `SimpleDateFormat` has Julian dates before it.
const CUTOVER: i64 = -141_427;

/// A date; year 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    pub(super) day: i64,
}

/// The date of a day, counted from the Unix epoch.
pub(super) fn date_of(day: i64, dialect: Dialect) -> Date {
    if dialect == Dialect::Simple && day < CUTOVER { julian(day) } else { gregorian(day) }
}

/// The day of a date. Month and day may be out of range: they roll over.
pub(super) fn day_of(date: Date, dialect: Dialect) -> i64 {
    let year = date.year + (date.month - 1).div_euclid(12);
    let month = (date.month - 1).rem_euclid(12) + 1;
    let date = Date { year, month, ..date };
    let day = gregorian_day(date);
    if dialect == Dialect::Simple && day < CUTOVER { julian_day(date) } else { day }
}

/// Days of the year before the date's day, plus one.
pub(super) fn day_of_year(day: i64, date: Date, dialect: Dialect) -> i64 {
    day - day_of(Date { month: 1, day: 1, ..date }, dialect) + 1
}

pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Years that begin in March, so that the leap day is the last one.
fn from_march(date: Date) -> (i64, i64) {
    let year = if date.month <= 2 { date.year - 1 } else { date.year };
    let month = if date.month > 2 { date.month - 3 } else { date.month + 9 };
    (year, (153 * month + 2) / 5 + date.day - 1)
}

fn to_january(year: i64, day_of_year: i64) -> Date {
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    Date { year: year + i64::from(month <= 2), month, day }
}

fn gregorian_day(date: Date) -> i64 {
    let (year, day_of_year) = from_march(date);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

fn gregorian(day: i64) -> Date {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    to_january(era * 400 + year, of_era - (365 * year + year / 4 - year / 100))
}

fn julian_day(date: Date) -> i64 {
    let (year, day_of_year) = from_march(date);
    year.div_euclid(4) * 1_461 + year.rem_euclid(4) * 365 + day_of_year - 719_470
}

fn julian(day: i64) -> Date {
    let day = day + 719_470;
    let of_era = day.rem_euclid(1_461);
    let year = (of_era - of_era / 1_460) / 365;
    to_january(day.div_euclid(1_461) * 4 + year, of_era - 365 * year)
}
