//! Reading a time by a pattern.

use super::{Dialect, Field, Item, JavaDate, MONTHS, WEEKDAYS, calendar};
use calendar::{Date, day_of, days_in_month};

/// The first year that two digits can mean.
const CENTURY_START: i64 = 1950;

/// A text that a pattern does not fit, and the byte at which that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not fit the pattern at byte {0}")]
pub(crate) struct Unreadable(pub(crate) usize);

/// What was read so far.
#[derive(Default)]
struct Read {
    before_christ: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    /// Of the two ways to name a day or an hour, the one that stood last counts, as in Java.
    by_day_of_year: bool,
    hour: Option<i64>,
    half_hour: Option<i64>,
    by_half: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    offset: Option<i64>,
}

impl JavaDate {
    /// Nanoseconds since the Unix epoch of the time that `text` names. What the pattern does not name is that of
    /// 1970-01-01T00:00:00.
    ///
    /// # Errors
    /// If the pattern does not fit; see [`Dialect`] for how strictly it is meant.
    pub(crate) fn parse(&self, text: &str) -> Result<i128, Unreadable> {
        let (mut at, mut read) = (0, Read::default());
        for (index, item) in self.items.iter().enumerate() {
            at = match item {
                Item::Text(literal) if text[at..].starts_with(literal.as_str()) => at + literal.len(),
                Item::Text(_) => return Err(Unreadable(at)),
                Item::Field(field, count) => {
                    let adjacent = matches!(
                        self.items.get(index + 1),
                        Some(Item::Field(next, count)) if is_number(*next, *count)
                    );
                    self.read_field(*field, *count, adjacent, text, at, &mut read)?
                }
            };
        }
        if self.dialect == Dialect::Formatter && at < text.len() {
            return Err(Unreadable(at));
        }
        self.resolve(&read).ok_or(Unreadable(0))
    }

    /// Reads one field at `at`; returns where it ends.
    fn read_field(
        &self,
        field: Field,
        count: usize,
        adjacent: bool,
        text: &str,
        at: usize,
        read: &mut Read,
    ) -> Result<usize, Unreadable> {
        let simple = self.dialect == Dialect::Simple;
        let blanks = if simple { blanks(&text[at..]) } else { 0 };
        let start = at + blanks;
        if simple && start == text.len() {
            return Err(Unreadable(at));
        }
        let rest = &text[start..];
        if !is_number(field, count) {
            let length = read_name(field, count, rest, read).ok_or(Unreadable(start))?;
            return Ok(start + length);
        }
        let width = match (simple, adjacent) {
            // Java counts the blanks in; so do we.
            (true, true) if at + count > text.len() => return Err(Unreadable(at)),
            (true, true) => Some(count.saturating_sub(blanks)),
            (true, false) => None,
            (false, _) if count == 1 && !adjacent => None,
            (false, _) => Some(count),
        };
        let (value, length) = number(rest, width, simple).ok_or(Unreadable(start))?;
        let digits_fit =
            width.is_none_or(|width| width == length) && (field != Field::Fraction || length <= 9);
        if !simple && !digits_fit {
            return Err(Unreadable(start));
        }
        let two_digits = count <= 2 && length == 2 && value >= 0 && rest.as_bytes()[0].is_ascii_digit();
        set(field, value, length, two_digits && (simple || count == 2), read);
        Ok(start + length)
    }

    /// `None`: a value is out of range, and the dialect minds.
    fn resolve(&self, read: &Read) -> Option<i128> {
        let year = match read.year {
            Some(year) if read.before_christ => 1 - year,
            Some(year) => year,
            None => 1970,
        };
        let hour = match (read.hour, read.half_hour, read.afternoon) {
            (_, Some(hour), Some(afternoon)) if read.by_half => hour + 12 * i64::from(afternoon),
            (Some(hour), ..) => hour,
            (None, hour, afternoon) => hour.unwrap_or(0) + 12 * i64::from(afternoon.unwrap_or_default()),
        };
        let (month, day) = (read.month.unwrap_or(1), read.day.unwrap_or(1));
        if self.dialect == Dialect::Formatter {
            let sound = (1..=12).contains(&month)
                && (1..=days_in_month(year, month)).contains(&day)
                && (0..24).contains(&hour)
                && read.half_hour.is_none_or(|hour| (0..12).contains(&hour))
                && (0..60).contains(&read.minute)
                && (0..60).contains(&read.second)
                && (0..1_000_000_000).contains(&read.nanos)
                && read.day_of_year.is_none_or(|day| (1..=337 + days_in_month(year, 2)).contains(&day));
            if !sound {
                return None;
            }
        }
        let day = match read.day_of_year {
            Some(of_year) if read.by_day_of_year => {
                day_of(Date { year, month: 1, day: 1 }, self.dialect) + of_year - 1
            }
            _ => day_of(Date { year, month, day }, self.dialect),
        };
        let local = day * 86_400 + hour * 3_600 + read.minute * 60 + read.second;
        let offset = read.offset.unwrap_or_else(|| self.offset_of_local(local));
        Some((i128::from(local) - i128::from(offset)) * 1_000_000_000 + i128::from(read.nanos))
    }

    /// The offset of a time on the zone's clocks. A time that they leave out counts as before the change, one that
    /// they show twice as the first (`SimpleDateFormat`: the second), as in Java.
    fn offset_of_local(&self, local: i64) -> i64 {
        let (before, after) = (self.offset_at(local - 86_400), self.offset_at(local + 86_400));
        let order = if self.dialect == Dialect::Simple { [after, before] } else { [before, after] };
        order.into_iter().find(|offset| self.offset_at(local - offset) == *offset).unwrap_or(before)
    }
}

fn blanks(text: &str) -> usize {
    text.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn is_number(field: Field, count: usize) -> bool {
    match field {
        Field::Month => count <= 2,
        Field::Era
        | Field::Weekday
        | Field::HalfDay
        | Field::ZoneName
        | Field::ZoneRfc822
        | Field::ZoneIso => false,
        Field::Year
        | Field::Day
        | Field::DayOfYear
        | Field::WeekdayNumber
        | Field::Hour24
        | Field::Hour24From1
        | Field::Hour12
        | Field::Hour12From1
        | Field::Minute
        | Field::Second
        | Field::Millis
        | Field::Fraction
        | Field::Nanos => true,
    }
}

/// An integer at the start of `text`, of at most `width` bytes, and its length. Signed values beyond 32 bits become what
/// Java's `Number.intValue` makes of them; others are none, as no field of a date is that large.
fn number(text: &str, width: Option<usize>, signed: bool) -> Option<(i64, usize)> {
    let bytes = &text.as_bytes()[..width.unwrap_or(usize::MAX).min(text.len())];
    let negative = signed && bytes.first() == Some(&b'-');
    let digits = bytes[usize::from(negative)..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let length = digits + usize::from(negative);
    let value = match text[..length].parse::<i64>() {
        value if !signed => value.ok().filter(|value| *value <= i64::from(i32::MAX))?,
        #[allow(clippy::cast_possible_truncation, reason = "as Java's intValue does")]
        Ok(value) => i64::from(value as i32),
        Err(_) if negative => i64::from(i32::MIN),
        Err(_) => i64::from(i32::MAX),
    };
    Some((value, length))
}

fn set(field: Field, value: i64, length: usize, two_digits: bool, read: &mut Read) {
    match field {
        Field::Year if two_digits => {
            read.year = Some(CENTURY_START + (value - CENTURY_START % 100).rem_euclid(100));
        }
        Field::Year => read.year = Some(value),
        Field::Month => read.month = Some(value),
        Field::Day => (read.day, read.by_day_of_year) = (Some(value), false),
        Field::DayOfYear => (read.day_of_year, read.by_day_of_year) = (Some(value), true),
        Field::Hour24 => (read.hour, read.by_half) = (Some(value), false),
        Field::Hour24From1 => {
            (read.hour, read.by_half) = (Some(if value == 24 { 0 } else { value }), false);
        }
        Field::Hour12 => (read.half_hour, read.by_half) = (Some(value), true),
        Field::Hour12From1 => {
            (read.half_hour, read.by_half) = (Some(if value == 12 { 0 } else { value }), true);
        }
        Field::Minute => read.minute = value,
        Field::Second => read.second = value,
        Field::Millis => read.nanos = value * 1_000_000,
        Field::Fraction => {
            let missing = 9_usize.saturating_sub(length);
            read.nanos = value * 10_i64.pow(u32::try_from(missing).unwrap_or_default());
        }
        Field::Nanos => read.nanos = value,
        // A day of the week says nothing that the date does not say; the others are no numbers.
        Field::WeekdayNumber
        | Field::Era
        | Field::Weekday
        | Field::HalfDay
        | Field::ZoneName
        | Field::ZoneRfc822
        | Field::ZoneIso => {}
    }
}

/// Reads a field that is no number; returns its length.
fn read_name(field: Field, count: usize, text: &str, read: &mut Read) -> Option<usize> {
    match field {
        Field::Era => {
            let (era, length) = one_of(text, ["BC", "AD", "Before Christ", "Anno Domini"].into_iter())?;
            read.before_christ = era % 2 == 0;
            Some(length)
        }
        Field::Month => {
            let (month, length) = named(text, &MONTHS)?;
            read.month = Some(month + 1);
            Some(length)
        }
        Field::Weekday => named(text, &WEEKDAYS).map(|(_, length)| length),
        Field::HalfDay => {
            let (half, length) = one_of(text, ["AM", "PM"].into_iter())?;
            (read.afternoon, read.by_half) = (Some(half == 1), true);
            Some(length)
        }
        Field::ZoneIso => {
            let (offset, length) = match text.as_bytes().first()? {
                b'Z' => (0, 1),
                _ => signed_offset(text, count, count == 3)?,
            };
            read.offset = Some(offset);
            Some(length)
        }
        _ => {
            let (offset, length) = zone(text)?;
            read.offset = Some(offset);
            Some(length)
        }
    }
}

/// Which of the names stands at the start of `text`, in full or by its first three letters; the longest match wins.
fn named(text: &str, names: &[&'static str]) -> Option<(i64, usize)> {
    one_of(text, names.iter().copied())
        .or_else(|| one_of(text, names.iter().map(|name| &name[..3])))
        .map(|(index, length)| (i64::try_from(index).unwrap_or_default(), length))
}

fn one_of<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<(usize, usize)> {
    names
        .enumerate()
        .filter(|(_, name)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .map(|(index, name)| (index, name.len()))
        .max_by_key(|(_, length)| *length)
}

/// Abbreviations and their offsets in hours.
const ZONES: [(&str, i64); 12] = [
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("UTC", 0),
    ("UT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// The offset in seconds of a general zone: a sign and `hhmm`, `GMT`, `GMT+h:mm` or a name.
fn zone(text: &str) -> Option<(i64, usize)> {
    if text.starts_with(['+', '-']) {
        return signed_offset(text, 0, false);
    }
    if one_of(text, std::iter::once("GMT")).is_some() {
        return match text[3..].starts_with(['+', '-']) {
            false => Some((0, 3)),
            true => signed_offset(&text[3..], 0, true).map(|(offset, length)| (offset, length + 3)),
        };
    }
    one_of(text, ZONES.iter().map(|(name, _)| *name)).map(|(index, length)| (ZONES[index].1 * 3_600, length))
}

/// `+hh`, `+hhmm` or `+hh:mm`, as `SimpleDateFormat` reads them: `count` 0 is a zone that is not ISO's.
fn signed_offset(text: &str, count: usize, colon: bool) -> Option<(i64, usize)> {
    let bytes = text.as_bytes();
    let sign = match bytes.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digit =
        |at: usize| bytes.get(at).filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0'));
    let mut at = 1;
    let mut hours = digit(at)?;
    at += 1;
    match digit(at) {
        Some(second) => {
            hours = hours * 10 + second;
            at += 1;
        }
        None if count > 0 || !colon => return None,
        None => {}
    }
    let mut minutes = 0;
    if count != 1 {
        if colon {
            if bytes.get(at) != Some(&b':') {
                return None;
            }
            at += 1;
        }
        minutes = digit(at)? * 10 + digit(at + 1)?;
        at += 2;
    }
    (hours <= 23 && minutes <= 59).then_some((sign * (hours * 60 + minutes) * 60, at))
}
