//! The operation `DATE`.

use super::{
    rules::{DateInput, DateRule},
    why::{Why, shorten},
};
use crate::java_date::{Dialect, JavaDate};
use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::rfc2822,
    tz::{Offset, TimeZone},
};

/// Numbers from here on are milliseconds, smaller ones seconds: the year 5138 or 1973.
const MILLIS_FROM: u128 = 100_000_000_000;

/// More digits in front of the point are beyond all dates.
const WHOLE_DIGITS: i64 = 20;

#[derive(Clone, Debug)]
pub(super) struct DateOp {
    output: JavaDate,
    zone: TimeZone,
    unix: bool,
    input: Option<JavaDate>,
}

impl DateOp {
    /// Each problem is reported with the key that it is about.
    pub(super) fn new(rule: &DateRule, mut problem: impl FnMut(&str, String, &str)) -> Option<Self> {
        let zone = time_zone(&rule.zone);
        if zone.is_none() {
            problem(
                "TimeZone",
                format!("{:?} is no time zone", rule.zone),
                "GMT+8, +08:00, UTC or a name such as Asia/Shanghai",
            );
        }
        let zone = zone.unwrap_or(TimeZone::UTC);
        let mut compile = |key: &str, pattern: &str| {
            let compiled = JavaDate::new(pattern, Dialect::Formatter);
            let compiled = compiled.map_err(|e| {
                problem(key, format!("{pattern:?}: {e}"), "a pattern such as yyyy-MM-dd HH:mm:ss")
            });
            compiled.ok().map(|compiled| compiled.zone(zone.clone()))
        };
        let output = compile("Format", &rule.format);
        let input = rule.input_format.as_ref().map(|pattern| compile("InputFormat", pattern));
        let unix = rule.input == DateInput::Unix;
        if unix && input.is_some() {
            problem("InputFormat", "Unix time is read without one".to_owned(), "only with TargetType string");
        }
        Some(Self { output: output?, zone, unix, input: input.unwrap_or_default() })
    }

    /// The same operation for the time of processing, which is in milliseconds whatever is read else.
    pub(super) fn of_now(mut self) -> Self {
        self.unix = true;
        self
    }

    pub(super) fn apply(&self, text: &str) -> Result<String, Why> {
        let trimmed = text.trim();
        let nanos = if self.unix { unix(trimmed) } else { self.read(trimmed) };
        let wrong = |reason: String| Why::Date { value: shorten(text), reason };
        let nanos = nanos.map_err(wrong)?;
        if Timestamp::from_nanosecond(nanos).is_err() {
            return Err(wrong("it is before the year -9999 or after 9999".to_owned()));
        }
        let mut out = String::with_capacity(32);
        self.output.format(nanos, &mut out);
        Ok(out)
    }

    fn read(&self, text: &str) -> Result<i128, String> {
        if let Some(input) = &self.input {
            return input.parse(text).map_err(|e| e.to_string());
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(time.as_nanosecond());
        }
        let local = text.parse::<DateTime>().ok();
        if let Some(time) = local.and_then(|local| self.zone.to_ambiguous_timestamp(local).compatible().ok())
        {
            return Ok(time.as_nanosecond());
        }
        if let Ok(time) = rfc2822::parse(text) {
            return Ok(time.timestamp().as_nanosecond());
        }
        self.output.parse(text).map_err(|_| {
            "it is neither RFC 3339, RFC 2822, ISO 8601 nor what `Format` writes: give `InputFormat`"
                .to_owned()
        })
    }
}

/// Nanoseconds of seconds or milliseconds since the Unix epoch, with or without a fraction or an exponent. They are
/// exact; what is finer than a nanosecond is cut off.
fn unix(text: &str) -> Result<i128, String> {
    let wrong = || "it is no Unix time: a number of seconds or milliseconds".to_owned();
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (front, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [front, fraction].concat();
    let exponent: i64 = exponent.parse().map_err(|_| wrong())?;
    if front.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let significant = digits.trim_start_matches('0');
    // The number is `0.` and these digits, its point moved by so many places.
    let zeros = digits.len() - significant.len();
    let point = i64::try_from(front.len()).and_then(|front| Ok(front - i64::try_from(zeros)?));
    let point = point.map_err(|_| wrong())?.saturating_add(exponent);
    if !significant.is_empty() && point > WHOLE_DIGITS {
        return Err(wrong());
    }
    let unit = if leading(significant, point) < MILLIS_FROM { 9 } else { 6 };
    let nanos = leading(significant, point.saturating_add(unit));
    let nanos = i128::try_from(nanos).map_err(|_| wrong())?;
    Ok(if text.starts_with('-') { -nanos } else { nanos })
}

/// The number that so many of the digits make, zeros behind them if they are too few; at most 38.
fn leading(digits: &str, count: i64) -> u128 {
    let count = usize::try_from(count).unwrap_or_default();
    let digits = digits.bytes().chain(std::iter::repeat(b'0')).take(count);
    digits.fold(0, |number, digit| number * 10 + u128::from(digit - b'0'))
}

/// `GMT+8`, `UTC+08:00`, `+0800`, `Z`, `UTC` or a name of the time zone database.
pub(super) fn time_zone(text: &str) -> Option<TimeZone> {
    let text = text.trim();
    let offset = ["GMT", "UTC"].into_iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    if offset.is_empty() || offset == "Z" {
        return (!text.is_empty()).then_some(TimeZone::UTC);
    }
    let Some(digits) = offset.strip_prefix(['+', '-']) else {
        return TimeZone::get(text).ok();
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 3 | 4) if digits.is_ascii() => digits.split_at(digits.len() - 2),
        (None, _) => (digits, "0"),
    };
    let part = |text: &str, most: i32| {
        let sound = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| sound && *number <= most)
    };
    let seconds = part(hours, 18)? * 3600 + part(minutes, 59)? * 60;
    let signed = if offset.starts_with('-') { -seconds } else { seconds };
    Offset::from_seconds(signed).ok().map(TimeZone::fixed)
}
