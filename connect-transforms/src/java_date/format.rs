//! Writing a time by a pattern.

use super::{Dialect, Field, Item, JavaDate, MONTHS, WEEKDAYS, calendar};
use calendar::{Date, date_of, day_of_year};

const NANOS: i128 = 1_000_000_000;

/// A time, taken apart.
struct Parts {
    day: i64,
    date: Date,
    second_of_day: i64,
    nanos: i64,
    offset: i64,
    epoch_second: i64,
}

impl JavaDate {
    /// Appends the time of so many nanoseconds since the Unix epoch.
    pub(crate) fn format(&self, nanos: i128, out: &mut String) {
        let limit = i128::from(i64::MAX / 4);
        let epoch_second = i64::try_from(nanos.div_euclid(NANOS).clamp(-limit, limit)).unwrap_or_default();
        let offset = self.offset_at(epoch_second);
        let local = epoch_second + offset;
        let day = local.div_euclid(86_400);
        let parts = Parts {
            day,
            date: date_of(day, self.dialect),
            second_of_day: local.rem_euclid(86_400),
            nanos: i64::try_from(nanos.rem_euclid(NANOS)).unwrap_or_default(),
            offset,
            epoch_second,
        };
        for item in &self.items {
            match item {
                Item::Text(text) => out.push_str(text),
                Item::Field(field, count) => self.field(*field, *count, &parts, out),
            }
        }
    }

    fn field(&self, field: Field, count: usize, parts: &Parts, out: &mut String) {
        let hour = parts.second_of_day / 3_600;
        let era_year = if parts.date.year > 0 { parts.date.year } else { 1 - parts.date.year };
        let number = match field {
            Field::Era => return out.push_str(if parts.date.year > 0 { "AD" } else { "BC" }),
            Field::Year if count == 2 => era_year % 100,
            Field::Year => era_year,
            Field::Month if count > 2 => return push_name(name(&MONTHS, parts.date.month - 1), count, out),
            Field::Month => parts.date.month,
            Field::Day => parts.date.day,
            Field::DayOfYear => day_of_year(parts.day, parts.date, self.dialect),
            Field::Weekday => return push_name(name(&WEEKDAYS, parts.day.rem_euclid(7)), count, out),
            Field::WeekdayNumber => (parts.day + 3).rem_euclid(7) + 1,
            Field::HalfDay => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
            Field::Hour24 => hour,
            Field::Hour24From1 => (hour + 23) % 24 + 1,
            Field::Hour12 => hour % 12,
            Field::Hour12From1 => (hour + 11) % 12 + 1,
            Field::Minute => parts.second_of_day / 60 % 60,
            Field::Second => parts.second_of_day % 60,
            Field::Millis => parts.nanos / 1_000_000,
            Field::Fraction => {
                let kept = u32::try_from(count.min(9)).unwrap_or(9);
                parts.nanos / 10_i64.pow(9 - kept)
            }
            Field::Nanos => parts.nanos,
            Field::ZoneName => return self.zone_name(count, parts, out),
            Field::ZoneRfc822 => return offset(parts.offset, 2, out),
            Field::ZoneIso if parts.offset == 0 => return out.push('Z'),
            Field::ZoneIso => return offset(parts.offset, count, out),
        };
        padded(number, count, out);
    }

    fn zone_name(&self, count: usize, parts: &Parts, out: &mut String) {
        if self.utc {
            let long = count > 3 && self.dialect == Dialect::Simple;
            return out.push_str(if long { "Coordinated Universal Time" } else { "UTC" });
        }
        let at = jiff::Timestamp::from_second(parts.epoch_second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let info = self.zone.to_offset_info(at);
        match info.abbreviation() {
            name if name.starts_with(|c: char| c.is_ascii_alphabetic()) => out.push_str(name),
            _ => {
                out.push_str("GMT");
                offset(parts.offset, 3, out);
            }
        }
    }
}

fn name(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

/// Three letters, or the name in full where the pattern has four.
fn push_name(name: &str, count: usize, out: &mut String) {
    out.push_str(if count > 3 { name } else { &name[..3] });
}

fn padded(number: i64, width: usize, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number.unsigned_abs());
    if number < 0 {
        out.push('-');
    }
    for _ in digits.len()..width {
        out.push('0');
    }
    out.push_str(digits);
}

/// `+08`, `+0800` or `+08:00`.
fn offset(seconds: i64, parts: usize, out: &mut String) {
    out.push(if seconds < 0 { '-' } else { '+' });
    let minutes = seconds.abs() / 60;
    padded(minutes / 60, 2, out);
    match parts {
        1 => return,
        2 => {}
        _ => out.push(':'),
    }
    padded(minutes % 60, 2, out);
}
