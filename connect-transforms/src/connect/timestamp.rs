//! `TimestampConverter`: times between texts, numbers and Connect's types.

use super::{
    describe::described,
    edit::{Absent, Action, Node, Values},
    envelope::Schemas,
    fieldwise::{FieldWise, Nulls, Plan, Rules, Work, plan_fields},
    missing::Missing,
    number,
    path::{FieldSyntax, Path, parse_path},
    schema::{Schema, Type},
    value::{Kind, Raw, misfit, plain_text},
};
use crate::{
    error::Refused,
    java_date::{Dialect, JavaDate},
    json::escape::quote,
    part::Part,
};
use connect_core::{Error, Output, Record, Transform, config::Problems};
use std::cell::RefCell;

connect_core::choices! {
    /// What [`TimestampConverter`] makes of times.
    pub enum TimestampType {
        /// A text, by `format`.
        Text = "string",
        /// A number, by `unix.precision`.
        Unix = "unix",
        /// Days since 1970-01-01: Connect's `Date`.
        Date = "Date",
        /// Milliseconds since midnight: Connect's `Time`.
        Time = "Time",
        /// Milliseconds since the Unix epoch: Connect's `Timestamp`.
        Timestamp = "Timestamp",
    }
}

connect_core::choices! {
    /// What a number of Unix time counts.
    pub enum UnixPrecision {
        /// Seconds.
        Seconds = "seconds",
        /// Milliseconds.
        Milliseconds = "milliseconds",
        /// Microseconds.
        Microseconds = "microseconds",
        /// Nanoseconds.
        Nanoseconds = "nanoseconds",
    }
}

connect_core::choices! {
    /// Whose letters a date pattern has.
    pub enum PatternStyle {
        /// `java.text.SimpleDateFormat`, lenient, with milliseconds at most. Kafka Connect's.
        Simple = "SimpleDateFormat",
        /// `java.time.format.DateTimeFormatter`, strict, with fractions to the nanosecond (`SSSSSSSSS`).
        Formatter = "DateTimeFormatter",
    }
}

connect_core::config! {
    /// Converts times between texts, Unix times and Connect's types.
    pub struct TimestampConverterConfig {
        /// The field; if it is not given, the whole key or value is a time.
        "field" => field: Option<String>, importance: High;
        /// More fields. Kafka Connect has one only.
        "fields" => fields: Vec<String> = Vec::new();
        /// What times become.
        "target.type" => target: TimestampType, importance: High;
        /// The pattern of texts, for reading and for writing them, in UTC.
        "format" => format: Option<String>;
        /// Whose letters `format` has.
        "format.style" => style: PatternStyle = PatternStyle::Simple, importance: Low;
        /// What numbers of Unix time count, read or written.
        "unix.precision" => precision: UnixPrecision = UnixPrecision::Milliseconds, importance: Low;
        /// What written numbers of Unix time count, if it is something else.
        "unix.precision.target" => target_precision: Option<UnixPrecision>, importance: Low;
        /// Whether a field that is null and whose schema has a default is taken to have that default.
        "replace.null.with.default" => replace_null_with_default: bool = true;
        /// How names of fields are read.
        "field.syntax.version" => syntax: FieldSyntax = FieldSyntax::V1;
        /// What happens where a field is not there.
        "on.missing.field" => missing: Missing = Missing::Connect, importance: Low;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    } check sound
}

fn sound(config: &TimestampConverterConfig, problems: &mut Problems) {
    let _ = (paths(config, problems), format(config, problems));
}

/// Adds what is wrong with each of them, and leaves it out.
fn paths(config: &TimestampConverterConfig, problems: &mut Problems) -> Vec<Path> {
    let fields = config.field.iter().map(|path| ("field", path));
    let fields = fields.chain(config.fields.iter().map(|path| ("fields", path)));
    let read = |(key, path): (&str, &String)| {
        let path = parse_path(path, config.syntax);
        path.map_err(|what| problems.add_allowed(key, what, "backticks in pairs")).ok()
    };
    fields.filter_map(read).collect()
}

/// Adds what is wrong with it; `None` too where none is needed.
fn format(config: &TimestampConverterConfig, problems: &mut Problems) -> Option<JavaDate> {
    let dialect = match config.style {
        PatternStyle::Simple => Dialect::Simple,
        PatternStyle::Formatter => Dialect::Formatter,
    };
    let pattern = config.format.as_deref().filter(|pattern| !pattern.trim().is_empty());
    let what = match pattern.map(|pattern| JavaDate::new(pattern, dialect)) {
        Some(Ok(format)) => return Some(format),
        None if config.target != TimestampType::Text => return None,
        None => {
            "TimestampConverter requires format option to be specified when using string timestamps".into()
        }
        Some(Err(error)) => {
            let style = config.style;
            format!("TimestampConverter requires a {style}-compatible pattern for string timestamps: {error}")
        }
    };
    problems.add_allowed("format", what, "a pattern such as yyyy-MM-dd HH:mm:ss");
    None
}

/// Converts times between texts, Unix times and Connect's types:
/// `org.apache.kafka.connect.transforms.TimestampConverter$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `field` | none: the whole key or value | the field |
/// | `fields` | none | more fields; not in Kafka Connect |
/// | `target.type` | none, must be given | `string`, `unix`, `Date`, `Time` or `Timestamp` |
/// | `format` | none; needed for texts | the pattern of texts, read or written, in UTC |
/// | `format.style` | `SimpleDateFormat` | or `DateTimeFormatter`: strict, and fractions to the nanosecond |
/// | `unix.precision` | `milliseconds` | `seconds`, `milliseconds`, `microseconds` or `nanoseconds` |
/// | `unix.precision.target` | that of `unix.precision` | for the numbers that are written |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: paths into objects, see [`FieldSyntax`] |
/// | `on.missing.field` | `connect`: without a schema null is added, with one nothing | see [`Missing`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// Without a schema integers are Unix times and texts are read by `format`; with one its types decide. Null stays null.
/// Letters of patterns: `G y u M L d D E a H k K h m s S z Z X` and quoted text, as Java has them; `Y w W F` are refused.
/// Two digits of a year mean 1950 to 2049. Names are English.
///
/// # Example
/// ```
/// # use connect_transforms::{TimestampConverter, TimestampConverterConfig, TimestampType, testing::transformed};
/// let config = TimestampConverterConfig {
///     field: Some("time".into()),
///     format: Some("yyyy-MM-dd HH:mm:ss".into()),
///     ..TimestampConverterConfig::new(TimestampType::Text)
/// };
/// let convert = TimestampConverter::value(&config)?;
/// assert_eq!(transformed(convert, r#"{"time":1234567890123}"#)?, r#"{"time":"2009-02-13 23:31:30"}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: a text that does not match the pattern (`Could not parse timestamp: …`), a number with a fraction, a
/// boolean, an object or an array, a schema that is none of a time, a text where no `format` is given.
#[derive(Debug)]
pub struct TimestampConverter {
    common: FieldWise,
    config: TimestampConverterConfig,
    plain: Work,
    clock: Clock,
}

impl TimestampConverter {
    /// Converts values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn value(config: &TimestampConverterConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Converts keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &TimestampConverterConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &TimestampConverterConfig) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let (paths, format) = (paths(config, &mut problems), format(config, &mut problems));
        problems.into_result()?;
        let mut node = Node::new();
        for path in &paths {
            node.add(path, Action::Convert(Kind::Dynamic, 0), config.missing.absent(Absent::Null));
        }
        let plain = if paths.is_empty() { Work::Whole(Kind::Dynamic) } else { Work::Members(node) };
        let clock = Clock {
            format,
            pattern: config.format.clone().unwrap_or_default(),
            // Milliseconds are all that Connect's dates and its pattern class know.
            fine: config.style == PatternStyle::Formatter,
            target: config.target,
            read: unit(config.precision),
            written: unit(config.target_precision.unwrap_or(config.precision)),
        };
        Ok(Self { common: FieldWise::new(part, config.schemas), config: config.clone(), plain, clock })
    }
}

impl Transform for TimestampConverter {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.common.part().pick("convert times in the key", "convert times in the value");
        self.common.apply(self, &self.clock, operation, record, out)
    }

    fn describe(&self) -> Option<String> {
        Some(described("TimestampConverter", self.common.part(), &self.config))
    }
}

impl Rules for TimestampConverter {
    const PURPOSE: &'static str = "converting timestamp formats";
    const NULLS: Nulls = Nulls::Schema;

    fn plain(&self) -> &Work {
        &self.plain
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        let target = |old: &Schema| {
            let optional = old.optional;
            match self.config.target {
                TimestampType::Text => Schema::new(Type::Text, optional),
                TimestampType::Unix => Schema::new(Type::Int64, optional),
                logical => Schema::logical(logical.as_str(), optional),
            }
        };
        let Work::Members(named) = &self.plain else {
            known_type(schema)?;
            return Ok(Plan { schema: Some(target(schema).text()), work: Work::Whole(Kind::of(schema)) });
        };
        if schema.kind != Type::Struct {
            return Ok(Plan { schema: None, work: Work::NoStruct(schema.class()) });
        }
        let fill = self.config.replace_null_with_default;
        // Where the value is null, its schema changes whatever the field was.
        let unknown = RefCell::new(None);
        let change = |field: &Schema, _| {
            if let Err(refused) = known_type(field) {
                unknown.replace(Some(refused));
            }
            Ok(Some(target(field)))
        };
        let (new, node) = plan_fields(schema, named, fill, &self.clock, &change)?;
        let work = unknown.into_inner().map_or(Work::Members(node), Work::Refuse);
        Ok(Plan { schema: Some(new.text()), work })
    }
}

fn known_type(schema: &Schema) -> Result<(), Refused> {
    match Kind::of(schema) {
        Kind::Timestamp | Kind::Date | Kind::Time | Kind::Plain(Type::Text | Type::Int64) => Ok(()),
        _ => Err(Refused::data(format!(
            "Schema Schema{{{}}} does not correspond to a known timestamp type format",
            schema.kind.java()
        ))),
    }
}

/// Nanoseconds.
fn unit(precision: UnixPrecision) -> i128 {
    match precision {
        UnixPrecision::Seconds => 1_000_000_000,
        UnixPrecision::Milliseconds => MILLI,
        UnixPrecision::Microseconds => 1_000,
        UnixPrecision::Nanoseconds => 1,
    }
}

const MILLI: i128 = 1_000_000;
const DAY: i64 = 86_400_000;

/// Reads times, and writes them.
#[derive(Debug)]
struct Clock {
    format: Option<JavaDate>,
    pattern: String,
    fine: bool,
    target: TimestampType,
    read: i128,
    written: i128,
}

impl Values for Clock {
    fn convert(&self, kind: Kind, _how: usize, value: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
        let raw = Raw::of(value);
        let nanos = match (kind, raw) {
            (_, Raw::Null) => {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            (Kind::Dynamic | Kind::Plain(Type::Int64), Raw::Number(text)) if number::is_integer(text) => {
                if self.target == TimestampType::Unix && self.read == self.written {
                    out.extend_from_slice(text.as_bytes());
                    return Ok(());
                }
                self.unix(number::low64(text))
            }
            (Kind::Dynamic | Kind::Plain(Type::Text), Raw::Text(body)) => self.parse(&plain_text(body))?,
            (Kind::Date, Raw::Number(text)) if number::is_integer(text) => {
                i128::from(number::low64(text)) * i128::from(DAY) * MILLI
            }
            (Kind::Time | Kind::Timestamp, Raw::Number(text)) if number::is_integer(text) => {
                i128::from(number::low64(text)) * MILLI
            }
            (Kind::Dynamic, raw) => {
                let class = raw.class();
                let what = format!("TimestampConverter does not support class {class} objects as timestamps");
                return Err(Refused::data(what));
            }
            _ => return Err(misfit(kind, raw)),
        };
        self.write(nanos, out);
        Ok(())
    }
}

impl Clock {
    /// Seconds too large for milliseconds in 64 bits become the largest, as in Java's `TimeUnit`.
    fn unix(&self, number: i64) -> i128 {
        let nanos = i128::from(number) * self.read;
        nanos.clamp(i128::from(i64::MIN) * MILLI, i128::from(i64::MAX) * MILLI)
    }

    fn parse(&self, text: &str) -> Result<i128, Refused> {
        let Some(format) = &self.format else {
            return Err(Refused::data("a text cannot be read as a time without `format`"));
        };
        format.parse(text).map_err(|_| {
            let pattern = &self.pattern;
            Refused::data(format!(
                "Could not parse timestamp: value ({text}) does not match pattern ({pattern})"
            ))
        })
    }

    #[allow(clippy::cast_possible_truncation, reason = "milliseconds wrap in 64 bits, as in Java")]
    fn write(&self, nanos: i128, out: &mut Vec<u8>) {
        // Java's `TimeUnit` cuts towards zero.
        let millis = (nanos / MILLI) as i64;
        let number = match self.target {
            TimestampType::Text => {
                let mut text = String::new();
                if let Some(format) = &self.format {
                    format.format(if self.fine { nanos } else { i128::from(millis) * MILLI }, &mut text);
                }
                return quote(&text, out);
            }
            TimestampType::Unix => {
                let nanos = if self.written < MILLI { nanos } else { i128::from(millis) * MILLI };
                let number = nanos / self.written;
                number.clamp(i64::MIN.into(), i64::MAX.into()) as i64
            }
            TimestampType::Date => millis.div_euclid(DAY),
            TimestampType::Time => millis.rem_euclid(DAY),
            TimestampType::Timestamp => millis,
        };
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}
