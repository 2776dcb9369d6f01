//! `Cast`: values of another type.

use super::{
    decimal::Decimal,
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
    part::Part,
};
use connect_core::{Error, Output, Record, Transform, config::Problems};
use std::sync::LazyLock;

connect_core::config! {
    /// Casts fields, or the whole key or value, to another type.
    pub struct CastConfig {
        /// `field:type` for each field, or one type for the whole value. Types: int8, int16, int32, int64, float32, float64, boolean, string.
        "spec" => spec: Vec<String>, importance: High;
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

fn sound(config: &CastConfig, problems: &mut Problems) {
    let _ = Spec::parse(config, problems);
}

/// What is cast to what.
#[derive(Clone, Debug)]
enum Spec {
    Whole(Type),
    Fields(Vec<(Path, Type)>),
}

impl Spec {
    /// Adds everything that is wrong; `None` if something is. The texts are Kafka Connect's.
    fn parse(config: &CastConfig, problems: &mut Problems) -> Option<Self> {
        let before = problems.len();
        let (mut fields, mut wholes) = (Vec::new(), Vec::new());
        for entry in &config.spec {
            // As Java splits: empty parts at the end do not count.
            let parts: Vec<&str> = entry.trim_end_matches(':').split(':').collect();
            let (field, target) = match parts[..] {
                [target] => (None, target),
                [field, target] => (Some(field.trim()), target),
                _ => {
                    problems.add_allowed("spec", format!("Invalid rename mapping: {entry}"), ENTRIES);
                    continue;
                }
            };
            let target = target_type(target)
                .map_err(|what| problems.add_allowed("spec", format!("{entry:?}: {what}"), TYPES));
            let path = field.map(|field| parse_path(field, config.syntax)).transpose();
            let path = path.map_err(|what| problems.add_allowed("spec", what, "backticks in pairs"));
            match (path, target) {
                (Ok(Some(path)), Ok(target)) => fields.push((path, target)),
                (Ok(None), Ok(target)) => wholes.push(target),
                _ => {}
            }
        }
        if config.spec.is_empty() {
            problems.add_allowed("spec", "Must specify at least one field to cast.", ENTRIES);
        }
        let types_alone = |entry: &&String| !entry.trim_end_matches(':').contains(':');
        if config.spec.len() > 1 && config.spec.iter().any(|entry| types_alone(&entry)) {
            let what = "Cast transformations that specify a type to cast the entire value to may only specify a \
                        single cast in their spec";
            problems.add_allowed("spec", what, ENTRIES);
        }
        let spec = wholes.first().map_or(Self::Fields(fields), |target| Self::Whole(*target));
        (problems.len() == before).then_some(spec)
    }
}

/// What `spec` may be.
const ENTRIES: &str = "field:type for each field, or one type alone";

/// What may be cast to.
const TYPES: &str = "int8, int16, int32, int64, float32, float64, boolean or string";

fn target_type(name: &str) -> Result<Type, String> {
    let name = name.trim();
    Ok(match name.to_ascii_uppercase().as_str() {
        "INT8" => Type::Int8,
        "INT16" => Type::Int16,
        "INT32" => Type::Int32,
        "INT64" => Type::Int64,
        "FLOAT32" => Type::Float32,
        "FLOAT64" => Type::Float64,
        "BOOLEAN" => Type::Boolean,
        "STRING" => Type::Text,
        other @ ("BYTES" | "ARRAY" | "MAP" | "STRUCT") => {
            return Err(format!(
                "Cast transformation does not support casting to {other}; supported types are [INT8, INT16, INT32, \
                 INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
            ));
        }
        _ => return Err(format!("Invalid type found in casting spec: {name}")),
    })
}

/// Casts fields, or the whole key or value, to another type:
/// `org.apache.kafka.connect.transforms.Cast$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `spec` | none, must be given | `field:type,…`, or one type for the whole value |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: paths into objects, see [`FieldSyntax`] |
/// | `on.missing.field` | `connect`: without a schema null is added, with one nothing | see [`Missing`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// Types: `int8`, `int16`, `int32`, `int64`, `float32`, `float64`, `boolean`, `string`. Integers narrow as in Java (they
/// wrap around), numbers with a fraction are cut and bounded; `true` and `false` are 1 and 0 and back; texts are parsed;
/// bytes become base64; dates and times become their numbers, or ISO 8601 as text. Null stays null.
///
/// # Example
/// ```
/// # use connect_transforms::{Cast, CastConfig, testing::transformed};
/// let cast = Cast::value(&CastConfig::new(vec!["age:int8".into(), "id:string".into()]))?;
/// assert_eq!(transformed(cast, r#"{"age":"42","id":12345678901234567890}"#)?, r#"{"age":42,"id":"12345678901234567890"}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: a text that is no number of the type (`Value (x) was out of range for requested data type`), a number that
/// JSON cannot express (infinity), arrays, objects, bytes to anything but `string`, a value without members.
#[derive(Debug)]
pub struct Cast {
    common: FieldWise,
    config: CastConfig,
    plain: Work,
    casts: Casts,
}

impl Cast {
    /// Casts values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong; all that [`Config::validate`](connect_core::config::Config::validate) tells.
    pub fn value(config: &CastConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Casts keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &CastConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &CastConfig) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let spec = Spec::parse(config, &mut problems);
        problems.into_result()?;
        let spec = spec.expect("casts without problems are casts");
        let (plain, targets) = match spec {
            Spec::Whole(target) => (Work::Whole(Kind::Dynamic), vec![target]),
            Spec::Fields(fields) => {
                let mut node = Node::new();
                for (how, (path, _)) in fields.iter().enumerate() {
                    let absent = config.missing.absent(Absent::Null);
                    node.add(path, Action::Convert(Kind::Dynamic, how), absent);
                }
                (Work::Members(node), fields.into_iter().map(|(_, target)| target).collect())
            }
        };
        let common = FieldWise::new(part, config.schemas);
        Ok(Self { common, config: config.clone(), plain, casts: Casts { targets } })
    }
}

impl Transform for Cast {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.common.part().pick("cast the key", "cast the value");
        self.common.apply(self, &self.casts, operation, record, out)
    }

    fn describe(&self) -> Option<String> {
        Some(described("Cast", self.common.part(), &self.config))
    }
}

impl Rules for Cast {
    const PURPOSE: &'static str = "cast types";
    const NULLS: Nulls = Nulls::Pass;

    fn plain(&self) -> &Work {
        &self.plain
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        let casts = &self.casts;
        let Work::Members(named) = &self.plain else {
            let target = casts.targets[0];
            let mut new = match schema.logical_name() {
                // With the name of a date the text would be taken for one.
                Some(_) => Schema::new(target, false),
                None => schema.basics(target),
            };
            new.optional = schema.optional;
            new.default = cast_default(schema, casts, 0)?;
            return Ok(Plan { schema: Some(new.text()), work: Work::Whole(Kind::of(schema)) });
        };
        if schema.kind != Type::Struct {
            return Ok(Plan { schema: None, work: Work::NoStruct(schema.class()) });
        }
        let change = |field: &Schema, how: usize| {
            let new = Schema::new(casts.targets[how], field.optional);
            Ok(Some(Schema { default: cast_default(field, casts, how)?, ..new }))
        };
        let fill = self.config.replace_null_with_default;
        let (new, node) = plan_fields(schema, named, fill, casts, &change)?;
        Ok(Plan { schema: Some(new.text()), work: Work::Members(node) })
    }
}

fn cast_default(schema: &Schema, casts: &Casts, how: usize) -> Result<Option<Box<str>>, Refused> {
    let cast = |default: &str| {
        let mut out = Vec::new();
        casts.convert(Kind::of(schema), how, default, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into())
    };
    schema.default.as_deref().map(cast).transpose()
}

/// The types that fields are cast to.
#[derive(Debug)]
struct Casts {
    targets: Vec<Type>,
}

impl Values for Casts {
    fn convert(&self, kind: Kind, how: usize, value: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
        match source(kind, Raw::of(value))? {
            None => out.extend_from_slice(b"null"),
            Some(source) => cast(source, self.targets[how], out)?,
        }
        Ok(())
    }
}

/// A value that can be cast.
enum Source<'a> {
    /// Its lowest 64 bits, and its text if it may have more.
    Integer(i64, Option<&'a str>),
    Float(f32),
    /// With its text.
    Double(f64, &'a str),
    Decimal(Decimal),
    Bool(bool),
    /// The body of a string.
    Text(&'a str),
    /// The base64 of bytes.
    Bytes(&'a str),
    /// Its number, and milliseconds since the epoch.
    Time(i64, i64),
}

const DAY: i64 = 86_400_000;

/// What a value is; `None`: null.
fn source<'a>(kind: Kind, raw: Raw<'a>) -> Result<Option<Source<'a>>, Refused> {
    let integer = |text: &'a str| number::is_integer(text).then(|| number::low64(text));
    let double = |text: &str| text.parse::<f64>().unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, reason = "integers narrow as Java's do")]
    Ok(Some(match (kind, raw) {
        (_, Raw::Null) => return Ok(None),
        (Kind::Dynamic, Raw::Number(text)) => match integer(text) {
            Some(low) => Source::Integer(low, Some(text)),
            None => Source::Double(double(text), text),
        },
        (Kind::Dynamic | Kind::Plain(Type::Boolean), Raw::Bool(value)) => Source::Bool(value),
        (Kind::Dynamic | Kind::Plain(Type::Text), Raw::Text(body)) => Source::Text(body),
        (Kind::Dynamic, Raw::Array) | (Kind::Plain(Type::Array), _) => return Err(no_input(Type::Array)),
        (Kind::Dynamic, Raw::Object) | (Kind::Plain(Type::Map), _) => return Err(no_input(Type::Map)),
        (Kind::Plain(Type::Struct), _) => return Err(no_input(Type::Struct)),
        (Kind::Plain(Type::Float32), Raw::Number(text)) => Source::Float(text.parse().unwrap_or_default()),
        (Kind::Plain(Type::Float64), Raw::Number(text)) => Source::Double(double(text), text),
        (Kind::Plain(Type::Bytes), Raw::Text(body)) => Source::Bytes(body),
        (Kind::Decimal(scale), Raw::Text(body)) => {
            let scale =
                scale.ok_or_else(|| Refused::data("Invalid Decimal schema: scale parameter not found."))?;
            let decimal = Decimal::from_base64(&plain_text(body), scale);
            Source::Decimal(decimal.ok_or_else(|| Refused::data("Invalid bytes for Decimal field"))?)
        }
        (Kind::Decimal(_), Raw::Number(text)) => {
            Source::Decimal(Decimal::from_number(text).ok_or_else(|| misfit(kind, raw))?)
        }
        (_, Raw::Number(text)) => match (kind, integer(text).ok_or_else(|| misfit(kind, raw))?) {
            (Kind::Plain(Type::Int8), low) => Source::Integer((low as i8).into(), None),
            (Kind::Plain(Type::Int16), low) => Source::Integer((low as i16).into(), None),
            (Kind::Plain(Type::Int32), low) => Source::Integer((low as i32).into(), None),
            (Kind::Plain(Type::Int64), low) => Source::Integer(low, None),
            (Kind::Date, low) => Source::Time(low, low.saturating_mul(DAY)),
            (Kind::Time | Kind::Timestamp, low) => Source::Time(low, low),
            _ => return Err(misfit(kind, raw)),
        },
        _ => return Err(misfit(kind, raw)),
    }))
}

#[cold]
fn no_input(kind: Type) -> Refused {
    Refused::data(format!(
        "Cast transformation does not support casting from {}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, \
         FLOAT64, BOOLEAN, STRING, BYTES]",
        kind.java()
    ))
}

fn cast(source: Source<'_>, target: Type, out: &mut Vec<u8>) -> Result<(), Refused> {
    match target {
        Type::Boolean => {
            let truth = match source {
                Source::Text(body) => plain_text(body).eq_ignore_ascii_case("true"),
                other => integer(other, Type::Int64)? != 0,
            };
            out.extend_from_slice(if truth { b"true" } else { b"false" });
        }
        Type::Float32 | Type::Float64 => float(source, target, out)?,
        Type::Text => text(source, out),
        _ => out.extend_from_slice(itoa::Buffer::new().format(integer(source, target)?).as_bytes()),
    }
    Ok(())
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "as Java's Number narrows: integers wrap, others are bounded"
)]
fn integer(source: Source<'_>, target: Type) -> Result<i64, Refused> {
    let long = target == Type::Int64;
    let wide = match source {
        Source::Integer(low, _) | Source::Time(low, _) => low,
        Source::Float(value) if long => value as i64,
        Source::Float(value) => (value as i32).into(),
        Source::Double(value, _) if long => value as i64,
        Source::Double(value, _) => (value as i32).into(),
        Source::Decimal(decimal) => decimal.low64(),
        Source::Bool(value) => value.into(),
        Source::Bytes(_) => return Err(bytes()),
        Source::Text(body) => {
            let (min, max) = match target {
                Type::Int8 => (i8::MIN.into(), i8::MAX.into()),
                Type::Int16 => (i16::MIN.into(), i16::MAX.into()),
                Type::Int32 => (i32::MIN.into(), i32::MAX.into()),
                _ => (i64::MIN, i64::MAX),
            };
            let text = plain_text(body);
            return number::parse_integer(&text, min, max).ok_or_else(|| out_of_range(&text));
        }
    };
    Ok(match target {
        Type::Int8 => (wide as i8).into(),
        Type::Int16 => (wide as i16).into(),
        Type::Int32 => (wide as i32).into(),
        _ => wide,
    })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "as Java's Number becomes a float"
)]
fn float(source: Source<'_>, target: Type, out: &mut Vec<u8>) -> Result<(), Refused> {
    if let (Source::Double(_, text), Type::Float64) = (&source, target) {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let single = target == Type::Float32;
    let (double, float) = match source {
        Source::Integer(_, Some(text)) => {
            let value: f64 = text.parse().unwrap_or_default();
            (value, text.parse().unwrap_or_default())
        }
        Source::Integer(low, None) | Source::Time(low, _) => (low as f64, low as f32),
        Source::Float(value) => (value.into(), value),
        Source::Double(value, _) => (value, value as f32),
        Source::Decimal(decimal) => {
            let text = decimal.number();
            (text.parse().unwrap_or_default(), text.parse().unwrap_or_default())
        }
        Source::Bool(value) => (f64::from(u8::from(value)), f32::from(u8::from(value))),
        Source::Bytes(_) => return Err(bytes()),
        Source::Text(body) => {
            let text = plain_text(body);
            let parsed = match single {
                true => number::parse_float(&text).map(|value| (f64::from(value), value)),
                false => number::parse_double(&text).map(|value| (value, value as f32)),
            };
            parsed.ok_or_else(|| out_of_range(&text))?
        }
    };
    if !(if single { float.is_finite() } else { double.is_finite() }) {
        return Err(Refused::data(
            "a number too large for the requested data type: JSON cannot express infinity",
        ));
    }
    let mut written = String::new();
    if single {
        number::write_float(float, &mut written)
    } else {
        number::write_double(double, &mut written)
    }
    out.extend_from_slice(written.as_bytes());
    Ok(())
}

fn text(source: Source<'_>, out: &mut Vec<u8>) {
    let mut written = String::new();
    match source {
        Source::Text(body) | Source::Bytes(body) => written.push_str(body),
        Source::Integer(_, Some("-0")) => written.push('0'),
        Source::Integer(_, Some(text)) => written.push_str(text),
        Source::Integer(low, None) => written.push_str(itoa::Buffer::new().format(low)),
        Source::Float(value) => number::write_float(value, &mut written),
        Source::Double(value, text) if !value.is_finite() => written.push_str(text),
        Source::Double(value, _) => number::write_double(value, &mut written),
        Source::Decimal(decimal) => decimal.write(&mut written),
        Source::Bool(value) => written.push_str(if value { "true" } else { "false" }),
        Source::Time(_, millis) => write_time(millis, &mut written),
    }
    out.push(b'"');
    out.extend_from_slice(written.as_bytes());
    out.push(b'"');
}

/// A time as Connect's `Values` writes it: what lies within the first day is a time of day, midnights are dates.
/// Connect takes every time before 1970 for a time of day, and loses its date; we do not.
pub(crate) fn write_time(millis: i64, out: &mut String) {
    static FORMATS: LazyLock<[JavaDate; 3]> = LazyLock::new(|| {
        ["HH:mm:ss.SSS'Z'", "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"]
            .map(|pattern| JavaDate::new(pattern, Dialect::Simple).expect("these patterns are sound"))
    });
    let format = match millis {
        0..DAY => &FORMATS[0],
        _ if millis % DAY == 0 => &FORMATS[1],
        _ => &FORMATS[2],
    };
    format.format(i128::from(millis) * 1_000_000, out);
}

#[cold]
fn out_of_range(text: &str) -> Refused {
    Refused::data(format!("Value ({text}) was out of range for requested data type"))
}

#[cold]
fn bytes() -> Refused {
    Refused::data("Unexpected type in Cast transformation: class [B")
}
