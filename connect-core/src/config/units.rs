//! Times and sizes.

use std::{fmt, time::Duration};

use serde_json::json;

use super::value::{Type, Value, integer_error};

/// A time in whole milliseconds; such a key ends in `.ms` or says so in its documentation.
///
/// A fraction of a millisecond, possible only in code, is rounded up, so that a short wait never
/// becomes none.
impl Value for Duration {
    const TYPE: Type = Type::Long;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().starts_with('-') {
            return Err("a time cannot be negative".into());
        }
        let ms: u64 = text.trim().parse().map_err(|_| "not a whole number of milliseconds".to_owned())?;
        Ok(Duration::from_millis(ms))
    }

    fn show(&self) -> String {
        self.as_nanos().div_ceil(1_000_000).to_string()
    }

    fn allowed() -> Option<String> {
        Some("milliseconds, a whole number from 0".into())
    }

    fn json_schema() -> serde_json::Value {
        super::schema::integer(0, u64::MAX)
    }
}

/// A limit in time that may be switched off: milliseconds, or `-1` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Timeout {
    /// The limit.
    After(Duration),
    /// No limit, written `-1`.
    Never,
}

impl Timeout {
    /// A limit in milliseconds.
    pub const fn ms(ms: u64) -> Self {
        Self::After(Duration::from_millis(ms))
    }

    /// The limit, if there is one.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::After(limit) => Some(limit),
            Self::Never => None,
        }
    }
}

impl From<Duration> for Timeout {
    fn from(limit: Duration) -> Self {
        Self::After(limit)
    }
}

impl Value for Timeout {
    const TYPE: Type = Type::Long;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "-1" { Ok(Self::Never) } else { Duration::parse(text).map(Self::After) }
    }

    fn show(&self) -> String {
        match self {
            Self::After(limit) => limit.show(),
            Self::Never => "-1".into(),
        }
    }

    fn allowed() -> Option<String> {
        Some("milliseconds, a whole number from 0, or -1 for no limit".into())
    }

    fn json_schema() -> serde_json::Value {
        super::schema::integer(-1, u64::MAX)
    }
}

/// A number of bytes: a plain integer, or one with `B`, `KiB`, `MiB`, `GiB` or `TiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 5] =
    [("tib", 1 << 40), ("gib", 1 << 30), ("mib", 1 << 20), ("kib", 1 << 10), ("b", 1)];

impl ByteSize {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1,024 bytes, as much as fits.
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// So many times 1,024 KiB, as much as fits.
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// So many times 1,024 MiB, as much as fits.
    pub const fn gib(gib: u64) -> Self {
        Self(gib.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory, `usize::MAX` where it does not fit.
    pub fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Whether this is zero bytes.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["TiB", "GiB", "MiB", "KiB"];
        let fits =
            UNITS.iter().zip(names).find(|((_, unit), _)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match fits {
            Some(((_, unit), name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for ByteSize {
    const TYPE: Type = Type::Long;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_ascii_lowercase();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, *unit)))
            .unwrap_or((&text, 1));
        if number.ends_with(['k', 'm', 'g', 't']) {
            return Err("unknown unit".into());
        }
        let number: u64 = number.trim().parse().map_err(|error| integer_error(&error))?;
        number.checked_mul(unit).map(Self).ok_or_else(|| "too large".into())
    }

    /// Plain bytes: what Connect's own tools expect of a `LONG`.
    fn show(&self) -> String {
        self.0.to_string()
    }

    fn allowed() -> Option<String> {
        Some("bytes, a whole number from 0, or one with KiB, MiB, GiB or TiB such as 5MiB".into())
    }

    fn json_schema() -> serde_json::Value {
        let text = super::schema::or_reference(r"^\s*[0-9]+\s*([KkMmGgTt][Ii])?[Bb]?\s*$");
        json!({ "type": ["integer", "string"], "minimum": 0, "pattern": text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_plain_bytes_or_carry_a_binary_unit() {
        let check = |text: &str, bytes: u64| assert_eq!(ByteSize::parse(text), Ok(ByteSize(bytes)), "{text}");
        check("0", 0);
        check(" 5242880 ", 5 << 20);
        check("5MiB", 5 << 20);
        check("64 kib", 64 << 10);
        check("1GiB", 1 << 30);
        check("2TiB", 2 << 40);
        check("17B", 17);
        for wrong in ["", "-1", "5MB", "5M", "KiB", "1.5MiB", "99999999999TiB", "5 MiB MiB"] {
            assert!(ByteSize::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_print_short_for_people_and_plain_for_tools() {
        assert_eq!(ByteSize::mib(5).to_string(), "5MiB");
        assert_eq!(ByteSize::bytes(1025).to_string(), "1025");
        assert_eq!(ByteSize::bytes(0).to_string(), "0");
        assert_eq!(ByteSize::mib(5).show(), "5242880");
    }

    #[test]
    fn times_are_whole_milliseconds_and_minus_one_only_where_declared() {
        assert_eq!(Duration::parse(" 1500"), Ok(Duration::from_millis(1500)));
        assert!(Duration::parse("-1").is_err());
        assert!(Duration::parse("1.5").is_err());
        assert_eq!(Duration::from_micros(1).show(), "1");
        assert_eq!(Timeout::parse("-1"), Ok(Timeout::Never));
        assert_eq!(Timeout::parse("0"), Ok(Timeout::ms(0)));
        assert!(Timeout::parse("-2").is_err());
        assert_eq!(Timeout::Never.show(), "-1");
        assert!(Timeout::Never > Timeout::ms(u64::MAX), "no limit is the longest");
    }
}
