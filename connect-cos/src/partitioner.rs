//! A record's path: a pure function of the record and of `t`.

use crate::{
    format::field::{self, Scalar},
    naming::encode,
    room::{Room, TooLong},
};
use connect_core::Record;
use jiff::{Timestamp, tz::TimeZone};
use std::fmt::{self, Write as _};

/// A piece of `path.format`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Topic,
    Partition,
    /// A part of `t`, as `strftime` writes it.
    Date(&'static str),
    /// A field of the value, by its dotted path.
    Field(Vec<String>),
}

/// The names that stand for parts of `t`. `YYYY` is the calendar year too: the week year is nobody's wish.
const DATES: [(&str, &str); 6] =
    [("yyyy", "%Y"), ("YYYY", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M")];

/// Fields in one template; each adds at most 128 bytes to a name, which has at most 1,024.
const FIELDS_MAX: usize = 4;

/// `path.format`, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    zone: TimeZone,
    /// Stands for a field that is missing, null or no scalar.
    missing: String,
}

/// Why a record has no path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPath {
    #[error("`path.format` takes a field of the value, and the value is not a JSON object: {0}")]
    NoObject(#[from] serde_json::Error),
    #[error(
        "`{template}` of path.format makes a directory of {bytes} bytes, and {store} allows {allowed}: shorten what \
         it takes, or give each field a directory of its own"
    )]
    Segment { template: String, bytes: usize, allowed: usize, store: &'static str },
    #[error(
        "`{template}` of path.format makes a name of up to {bytes} bytes, and {store} allows {allowed}: shorten what \
         it takes"
    )]
    Whole { template: String, bytes: usize, allowed: usize, store: &'static str },
}

impl Template {
    /// Parses a template: literals and `{topic}`, `{partition}`, `{yyyy}`, `{MM}`, `{dd}`, `{HH}`, `{mm}`,
    /// `{field:a.b}`.
    pub(crate) fn parse(text: &str, zone: TimeZone, missing: &str) -> Result<Self, String> {
        if let Some(ours) = crate::connect_pattern::translated(text) {
            return Err(format!(
                "this is the spelling of Kafka Connect's partitioner, where parts of the time are bare and text is in \
                 quotes; here they are in braces and text is bare: write `{ours}`"
            ));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, tail)) = rest.split_once('{') {
            literal_piece(literal, &mut pieces)?;
            let (name, tail) =
                tail.split_once('}').ok_or_else(|| format!("`{{{tail}` has no closing brace"))?;
            pieces.push(placeholder(name)?);
            rest = tail;
        }
        literal_piece(rest, &mut pieces)?;
        if pieces.iter().filter(|piece| matches!(piece, Piece::Field(_))).count() > FIELDS_MAX {
            return Err(format!("at most {FIELDS_MAX} fields fit into an object's name"));
        }
        let template = Self { pieces, zone, missing: encoded(missing) };
        template.check_segments(text)?;
        Ok(template)
    }

    /// A path with all values one byte long.
    fn sample(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            _ => "x".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// No segment may be empty, hidden or a climb, whatever the values are (values are never empty).
    fn check_segments(&self, text: &str) -> Result<(), String> {
        let sample = self.sample();
        if sample.is_empty() {
            return Ok(());
        }
        for segment in sample.split('/') {
            if segment.is_empty() {
                return Err(format!(
                    "`{text}` has an empty directory; write no `/` at either end and no `//`"
                ));
            }
            if segment.starts_with('.') {
                return Err(format!("`{text}` has a directory that begins with a dot"));
            }
        }
        Ok(())
    }

    /// Whether records of one topic may have different paths.
    pub(crate) fn has_fields(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Field(_)))
    }

    /// Whether paths depend on `t`.
    pub(crate) fn has_dates(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Date(_)))
    }

    /// The unit of `t` that paths see, as text: when it changes, the range has to end.
    pub(crate) fn unit(&self, t_ms: i64) -> String {
        let mut unit = String::new();
        for piece in &self.pieces {
            if let Piece::Date(format) = piece {
                self.date(format, t_ms, &mut unit);
            }
        }
        unit
    }

    fn date(&self, format: &str, t_ms: i64, out: &mut String) {
        let time = Timestamp::from_millisecond(t_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let _ = write!(out, "{}", time.to_zoned(self.zone.clone()).strftime(format));
    }

    /// This template for a range with `t_ms`: dates are text from here on, so that no record pays for them.
    pub(crate) fn at(&self, t_ms: i64) -> Self {
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let mut text = match piece {
                Piece::Text(text) => text.clone(),
                Piece::Date(_) => String::new(),
                other => {
                    pieces.push(other.clone());
                    continue;
                }
            };
            if let Piece::Date(format) = piece {
                self.date(format, t_ms, &mut text);
            }
            match pieces.last_mut() {
                Some(Piece::Text(before)) => before.push_str(&text),
                _ => pieces.push(Piece::Text(text)),
            }
        }
        Self { pieces, zone: self.zone.clone(), missing: self.missing.clone() }
    }

    /// Writes the path of `record`, which must fit into `room`. Only for a template [`at`](Self::at) a time. `out` is
    /// cleared first.
    pub(crate) fn render(&self, record: Record<'_>, room: &Room, out: &mut String) -> Result<(), NoPath> {
        out.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Topic => encode(record.topic(), out),
                Piece::Partition => {
                    let _ = write!(out, "{}", record.origin().partition);
                }
                Piece::Date(_) => unreachable!("`at` makes text of dates"),
                Piece::Field(path) => match field::find(record.value().unwrap_or(b"null"), path)? {
                    Scalar::Text(text) => encode(&text, out),
                    Scalar::None => out.push_str(&self.missing),
                },
            }
        }
        room.check(out).map_err(|e| self.too_long(e, room))
    }

    fn too_long(&self, why: TooLong, room: &Room) -> NoPath {
        let allowed = room.allowed();
        let store = allowed.store;
        match why {
            TooLong::Segment { number, bytes } => {
                let template = self.segments().swap_remove(number);
                NoPath::Segment { template, bytes, allowed: allowed.segment, store }
            }
            TooLong::Whole { bytes } => {
                NoPath::Whole { template: self.segments().join("/"), bytes, allowed: allowed.whole, store }
            }
        }
    }

    /// The template by directories. Only text has slashes: what is filled in has none.
    fn segments(&self) -> Vec<String> {
        let mut segments = vec![String::new()];
        for piece in &self.pieces {
            let text = piece.to_string();
            let mut parts: Vec<&str> = match piece {
                Piece::Text(text) => text.split('/').collect(),
                _ => vec![&text],
            };
            segments.last_mut().expect("there is always one").push_str(parts.remove(0));
            segments.extend(parts.into_iter().map(str::to_owned));
        }
        segments
    }

    /// Whether there is room for a record whose values are as short as can be: else there is for none.
    pub(crate) fn fits(&self, room: &Room) -> Result<(), NoPath> {
        room.check(&self.sample()).map_err(|e| self.too_long(e, room))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Topic => f.write_str("{topic}"),
            Self::Partition => f.write_str("{partition}"),
            Self::Date(format) => {
                let name = DATES.iter().find(|(_, known)| known == format).map_or(*format, |(name, _)| name);
                write!(f, "{{{name}}}")
            }
            Self::Field(path) => write!(f, "{{field:{}}}", path.join(".")),
        }
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    encode(text, &mut out);
    out
}

fn literal_piece(literal: &str, pieces: &mut Vec<Piece>) -> Result<(), String> {
    if let Some(bad) = literal.chars().find(|c| c.is_control() || "{}\\*?\"<>|%~".contains(*c)) {
        return Err(format!("{bad:?} is not allowed in a path"));
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal.to_owned()));
    }
    Ok(())
}

fn placeholder(name: &str) -> Result<Piece, String> {
    if let Some((_, format)) = DATES.iter().find(|(known, _)| *known == name) {
        return Ok(Piece::Date(format));
    }
    match name {
        "topic" => return Ok(Piece::Topic),
        "partition" => return Ok(Piece::Partition),
        _ => {}
    }
    if let Some(path) = name.strip_prefix("field:") {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().all(|key| !key.is_empty()) {
            return Ok(Piece::Field(path));
        }
    }
    Err(format!(
        "`{{{name}}}` is unknown; use {{topic}}, {{partition}}, {{yyyy}}, {{MM}}, {{dd}}, {{HH}}, {{mm}} or {{field:a.b}}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::Location, naming::Stem};
    use connect_core::{Batch, Chain, Error, Output, Transform, testing::batch_at};
    use std::sync::Arc;

    fn batch(value: &str) -> Batch {
        batch_at("quakes", 3, 0, [value])
    }

    struct Rename;

    impl Transform for Rename {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
            out.derive(record).topic("re/named").emit();
            Ok(())
        }
    }

    fn render(template: &str, zone: &str, value: &str, t: i64) -> Result<String, NoPath> {
        let template = Template::parse(template, TimeZone::get(zone).unwrap(), "__missing__").unwrap();
        let mut out = "left over".to_owned();
        template.at(t).render(batch(value).get(0).unwrap(), &room("file:///d"), &mut out)?;
        Ok(out)
    }

    fn room(url: &str) -> Room {
        let stem = Stem::new("quakes", 3, 0);
        Location::parse(url).unwrap().allowed().room("topics", &stem, "json").unwrap()
    }

    #[test]
    fn a_path_is_made_of_topic_partition_date_and_fields() {
        let t = 1_533_057_240_000; // 2018-07-31T17:14:00Z
        for (template, zone, want) in [
            ("", "UTC", ""),
            ("{topic}/partition={partition}", "UTC", "quakes/partition=3"),
            (
                "{topic}/year={YYYY}/month={MM}/day={dd}/hour={HH}",
                "UTC",
                "quakes/year=2018/month=07/day=31/hour=17",
            ),
            ("{yyyy}-{MM}-{dd}/{HH}{mm}", "Asia/Shanghai", "2018-08-01/0114"),
            ("net={field:properties.net}", "UTC", "net=us"),
            ("{field:id}", "UTC", "7"),
            ("{field:ok}/{field:mag}", "UTC", "true/1.50"),
            (
                "{field:gone.deep}/{field:none}/{field:properties}",
                "UTC",
                "__missing__/__missing__/__missing__",
            ),
            ("{field:evil}", "UTC", "%2E.%2Fx"),
            ("{field:escaped}", "UTC", "a%22b"),
        ] {
            let value = r#"{"id":7,"ok":true,"mag":1.50,"none":null,"evil":"../x","escaped":"a\"b",
                "properties":{"a":[{"net":"no"}],"net":"us"}}"#;
            assert_eq!(render(template, zone, value, t).unwrap(), want, "{template}");
        }
    }

    #[test]
    fn a_value_that_is_no_json_has_no_path_by_field_but_has_one_without() {
        assert!(render("{field:a}", "UTC", "no json", 0).is_err());
        assert_eq!(render("{topic}", "UTC", "no json", 0).unwrap(), "quakes");
        assert_eq!(render("{field:a}", "UTC", "[1]", 0).unwrap(), "__missing__");
    }

    #[test]
    fn names_that_are_too_long_tell_of_what_and_what_is_allowed() {
        let value = format!(r#"{{"a":"{0}","b":{{"/":"{0}"}}}}"#, "x".repeat(128));
        for (template, url, want) in [
            (
                "p/{field:a}{field:b./}/{topic}",
                "file:///d",
                Some(
                    "`{field:a}{field:b./}` of path.format makes a directory of 256 bytes, and a file system allows 255: ",
                ),
            ),
            ("p/{field:a}{field:b./}/{topic}", "s3://b", None),
            ("{field:a}/{field:b./}", "file:///d", None),
            ("{partition}{field:a}{field:a}{field:a}{field:a}", "s3://b", None),
        ] {
            let template = Template::parse(template, TimeZone::UTC, "m").unwrap();
            let rendered = template.render(batch(&value).get(0).unwrap(), &room(url), &mut String::new());
            match (rendered, want) {
                (Ok(()), None) => {}
                (Err(e), Some(want)) => assert!(e.to_string().starts_with(want), "{e}"),
                (other, _) => panic!("{template:?} {url}: {other:?}"),
            }
        }
        let long = format!("{}/{{field:a}}/{{yyyy}}", "d".repeat(700));
        let template = Template::parse(&long, TimeZone::UTC, "m").unwrap().at(0);
        let error = template.render(batch(&value).get(0).unwrap(), &room("cos://b"), &mut String::new());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("dd/{field:a}/1970` of path.format makes a name of up to"), "{error}");
        assert!(error.contains("and COS allows 850"), "{error}");
    }

    #[test]
    fn bad_templates_are_refused() {
        for (template, part) in [
            ("{topic", "closing brace"),
            ("{week}", "{week}"),
            ("{field:}", "{field:}"),
            ("{field:a..b}", "a..b"),
            ("/{topic}", "empty directory"),
            ("{topic}/", "empty directory"),
            ("a//b", "empty directory"),
            ("../{topic}", "dot"),
            ("a/.b", "dot"),
            ("a%b", "'%'"),
            ("{field:a}{field:b}{field:c}{field:d}{field:e}", "at most 4"),
        ] {
            let error = Template::parse(template, TimeZone::UTC, "m").unwrap_err();
            assert!(error.contains(part), "{template}: {error}");
        }
    }

    #[test]
    fn the_unit_of_t_is_the_finest_part_that_paths_see() {
        let hourly = Template::parse("{topic}/{yyyy}/{MM}/{dd}/{HH}", TimeZone::UTC, "m").unwrap();
        let hour = 3_600_000;
        assert_eq!(hourly.unit(0), hourly.unit(hour - 1));
        assert_ne!(hourly.unit(0), hourly.unit(hour));
        let timeless = Template::parse("{topic}", TimeZone::UTC, "m").unwrap();
        assert_eq!(timeless.unit(0), timeless.unit(i64::MAX));
        assert!(hourly.has_dates() && !timeless.has_dates());
    }

    #[test]
    fn the_topic_of_a_path_is_the_routed_one() {
        let renamed = Chain::new(vec![Arc::new(Rename)]).apply(batch("{}"), 0).batch;
        let template = Template::parse("{topic}", TimeZone::UTC, "m").unwrap();
        let mut out = String::new();
        template.render(renamed.get(0).unwrap(), &room("file:///d"), &mut out).unwrap();
        assert_eq!(out, "re%2Fnamed");
    }
}
