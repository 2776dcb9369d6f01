//! Java's date patterns: the letters of `SimpleDateFormat` and of `DateTimeFormatter`, compiled once.
//!
//! | letter | meaning | formats | reads |
//! |---|---|---|---|
//! | `G` | era | `AD`, `BC` | the same, in any case |
//! | `y` | year of the era; `yy` is two digits | `2026`, `26` | `yy`: two digits mean 1950 to 2049 |
//! | `u` | [`Dialect::Simple`]: day of the week, Monday is 1; [`Dialect::Formatter`]: year | | |
//! | `M`, `L` | month: `M` `MM` number, `MMM` `MMMM` English name | `7` `07` `Jul` `July` | names long or short, in any case |
//! | `d` | day of the month | `9` `09` | |
//! | `D` | day of the year | `189` | |
//! | `E` | day of the week, English; four letters: in full | `Tue` `Tuesday` | checked to be one, else ignored |
//! | `a` | half of the day | `AM`, `PM` | in any case |
//! | `H` `k` | hour of the day, 0 to 23, 1 to 24 | | |
//! | `K` `h` | hour of the half, 0 to 11, 1 to 12 | | |
//! | `m` `s` | minute, second | | |
//! | `S` | simple: milliseconds as a number; formatter: the first digits of the fraction | | |
//! | `n` | formatter: nanoseconds as a number | | |
//! | `z` | zone: name or `GMT+08:00` | `UTC` | `UTC`, `GMT`, `GMT+8:00`, `+0800`, `EST`, `PDT`, … |
//! | `Z` | `+0800` | | as `z` |
//! | `X` `XX` `XXX` | `+08`, `+0800`, `+08:00`; `Z` for UTC | | |
//!
//! `'text'` is literal, `''` a quote; any other character that is no ASCII letter stands for itself. Other letters
//! (`Y`, `w`, `W`, `F`, …) are an error when the pattern is compiled.

mod calendar;
mod format;
mod parse;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

/// Whose rules a pattern follows, where Java's two classes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `SimpleDateFormat`, lenient as Kafka uses it: values out of range roll over (`13` is the next January), text
    /// behind what the pattern needs is ignored, `S` is a number of milliseconds, and dates before 1582-10-15 are
    /// Julian.
    Simple,
    /// `DateTimeFormatter`: values out of range and text left over are refused, numbers have as many digits as the
    /// letter is repeated (one letter: as many as there are), `S` are digits of the fraction, dates are ISO's.
    #[allow(dead_code, reason = "for users of the crate's other half")]
    Formatter,
}

/// A compiled pattern. `Send`, `Sync` and cheap to share; formatting and reading allocate nothing.
#[derive(Clone, Debug)]
pub(crate) struct JavaDate {
    items: Vec<Item>,
    dialect: Dialect,
    zone: TimeZone,
    utc: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Text(String),
    Field(Field, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Era,
    Year,
    Month,
    Day,
    DayOfYear,
    Weekday,
    WeekdayNumber,
    HalfDay,
    Hour24,
    Hour24From1,
    Hour12,
    Hour12From1,
    Minute,
    Second,
    Millis,
    Fraction,
    Nanos,
    ZoneName,
    ZoneRfc822,
    ZoneIso,
}

impl Field {
    fn of(letter: char, dialect: Dialect) -> Option<Self> {
        Some(match (letter, dialect) {
            ('G', _) => Self::Era,
            ('y', _) | ('u', Dialect::Formatter) => Self::Year,
            ('M' | 'L', _) => Self::Month,
            ('d', _) => Self::Day,
            ('D', _) => Self::DayOfYear,
            ('E', _) => Self::Weekday,
            ('u', Dialect::Simple) => Self::WeekdayNumber,
            ('a', _) => Self::HalfDay,
            ('H', _) => Self::Hour24,
            ('k', _) => Self::Hour24From1,
            ('K', _) => Self::Hour12,
            ('h', _) => Self::Hour12From1,
            ('m', _) => Self::Minute,
            ('s', _) => Self::Second,
            ('S', Dialect::Simple) => Self::Millis,
            ('S', Dialect::Formatter) => Self::Fraction,
            ('n', Dialect::Formatter) => Self::Nanos,
            ('z', _) => Self::ZoneName,
            ('Z', _) => Self::ZoneRfc822,
            ('X', _) => Self::ZoneIso,
            _ => return None,
        })
    }
}

/// Why a pattern cannot be used; an error in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPattern {
    #[error("the letter {0:?} is not supported: quote it ('{0}') if it is text{hint}", hint = hint(*.0))]
    Letter(char),
    #[error("a quote that is never closed")]
    Quote,
    #[error("{0:?} may stand {1} times at most")]
    Repeated(char, usize),
}

fn hint(letter: char) -> &'static str {
    match letter {
        'Y' => ", or write `y`: `Y` is the year of a week",
        _ => "",
    }
}

/// The most letters of one kind in a row: as many digits are written.
const REPEATED_MAX: usize = 32;

impl JavaDate {
    /// Compiles `pattern`, for UTC.
    ///
    /// # Errors
    /// If it has a letter that is not supported (the error names it), or a quote that is not closed.
    pub(crate) fn new(pattern: &str, dialect: Dialect) -> Result<Self, BadPattern> {
        let mut items: Vec<Item> = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' => {
                    let quoted = quoted(&mut rest)?;
                    push_text(&mut items, &quoted);
                }
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while rest.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    let field = Field::of(c, dialect).ok_or(BadPattern::Letter(c))?;
                    let most = match field {
                        Field::ZoneIso => 3,
                        Field::Fraction => 9,
                        _ => REPEATED_MAX,
                    };
                    if count > most {
                        return Err(BadPattern::Repeated(c, most));
                    }
                    items.push(Item::Field(field, count));
                }
                c => push_text(&mut items, c.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(Self { items, dialect, zone: TimeZone::UTC, utc: true })
    }

    /// The same pattern for another time zone: dates are written in it, and read in it if the text names none.
    #[must_use]
    #[allow(dead_code, reason = "for users of the crate's other half")]
    pub(crate) fn zone(self, zone: TimeZone) -> Self {
        let utc = zone == TimeZone::UTC;
        Self { zone, utc, ..self }
    }

    /// The zone's offset at a time, in seconds east of Greenwich. Times that jiff cannot name have the offset of the
    /// nearest one that it can.
    fn offset_at(&self, second: i64) -> i64 {
        if self.utc {
            return 0;
        }
        let clamped = second.clamp(jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let at = jiff::Timestamp::from_second(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        i64::from(self.zone.to_offset(at).seconds())
    }
}

/// Text up to the closing quote, whose opening one was read. Two quotes in a row are one that is meant.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, BadPattern> {
    if rest.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match rest.next() {
            Some('\'') if rest.next_if_eq(&'\'').is_some() => text.push('\''),
            Some('\'') => return Ok(text),
            Some(c) => text.push(c),
            None => return Err(BadPattern::Quote),
        }
    }
}

fn push_text(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Text(last)) => last.push_str(text),
        _ => items.push(Item::Text(text.to_owned())),
    }
}

const MONTHS: [&str; 12] = [
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
/// From the day of the Unix epoch on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
