//! `HeaderFrom`: fields as headers.

use super::{
    cast::write_time,
    decimal::Decimal,
    describe::described,
    edit::{Absent, Action, Node, Values},
    envelope::{Plans, Schemas},
    fieldwise::{FieldWise, Nulls, Plan, Rules, Work},
    metadata::with_defaults,
    missing::Missing,
    number,
    path::{FieldSyntax, Path, parse_paths},
    read::{Seen, schema_at, see},
    schema::{Schema, Type},
    value::{Kind, Raw, no_map, no_struct, plain_text},
};
use crate::{error::Refused, part::Part};
use connect_core::{
    Error, Output, Record, Transform,
    config::{Problems, not_empty},
};
use std::{cell::RefCell, ops::Range};

connect_core::choices! {
    /// What [`HeaderFrom`] does with the fields.
    pub enum HeaderOperation {
        /// They are taken out of the key or value.
        Move = "move",
        /// They stay.
        Copy = "copy",
    }
}

connect_core::config! {
    /// Moves or copies fields of a key or value into headers.
    pub struct HeaderFromConfig {
        /// The fields.
        "fields" => fields: Vec<String>, importance: High, check: not_empty;
        /// The names of the headers, one for each field.
        "headers" => headers: Vec<String>, importance: High, check: not_empty;
        /// Whether the fields are taken out or stay.
        "operation" => operation: HeaderOperation, importance: High;
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

fn sound(config: &HeaderFromConfig, problems: &mut Problems) {
    if config.fields.len() != config.headers.len() {
        problems.add("headers", "'fields' config must have the same number of elements as 'headers' config.");
    }
    if let Err(what) = parse_paths(&config.fields, config.syntax) {
        problems.add("fields", what);
    }
}

/// Moves or copies fields of a key or value into headers:
/// `org.apache.kafka.connect.transforms.HeaderFrom$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `fields` | none, must be given | the fields |
/// | `headers` | none, must be given | the names of the headers, one for each field |
/// | `operation` | none, must be given | `move`: the fields are taken out; `copy`: they stay |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: paths into objects, see [`FieldSyntax`] |
/// | `on.missing.field` | `connect`: without a schema a null header, with one an error | see [`Missing`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// Headers are added behind those that are there, as text in the form of Kafka Connect's `SimpleHeaderConverter`: texts
/// without quotes, numbers, booleans, objects and arrays as JSON, null as null.
///
/// # Example
/// ```
/// # use connect_transforms::{HeaderFrom, HeaderFromConfig, HeaderOperation, testing::transformed};
/// let config = HeaderFromConfig::new(vec!["trace".into()], vec!["trace-id".into()], HeaderOperation::Move);
/// let from = HeaderFrom::value(&config)?;
/// assert_eq!(transformed(from, r#"{"a":1.0,"trace":"4bf9"}"#)?, r#"{"a":1.0}"#); // and the header trace-id: 4bf9
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: a field that is not there, with a schema; a value without members, null too.
#[derive(Debug)]
pub struct HeaderFrom {
    common: FieldWise,
    config: HeaderFromConfig,
    paths: Vec<Path>,
    plain: Work,
    plans: Plans<Sources>,
}

/// For one schema: what each field is, and what stands for null.
#[derive(Debug)]
struct Sources {
    fields: Vec<Option<(Kind, Option<Box<str>>)>>,
    refused: Option<Refused>,
}

/// The values of new headers, reused from record to record: bytes, and where each value stands in them.
#[derive(Debug, Default)]
struct Found {
    bytes: Vec<u8>,
    /// The outer `None`: no header.
    values: Vec<Option<Option<Range<usize>>>>,
}

thread_local! {
    static FOUND: RefCell<Found> = RefCell::new(Found::default());
}

impl HeaderFrom {
    /// Takes fields of values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn value(config: &HeaderFromConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Takes fields of keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &HeaderFromConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &HeaderFromConfig) -> Result<Self, Error> {
        let paths = parse_paths(&config.fields, config.syntax)
            .map_err(|what| Error::fatal("read the fields", what))?;
        if paths.len() != config.headers.len() {
            return Err(Error::fatal("read the headers", "give one header for each field"));
        }
        let mut node = Node::new();
        for path in &paths {
            node.add(path, Action::Drop, Absent::Nothing);
        }
        Ok(Self {
            common: FieldWise::new(part, config.schemas),
            config: config.clone(),
            paths,
            plain: Work::Members(node),
            plans: Plans::new(),
        })
    }

    fn purpose(&self) -> &'static str {
        match self.config.operation {
            HeaderOperation::Move => "header move",
            HeaderOperation::Copy => "header copy",
        }
    }

    fn sources(&self, schema: &Schema) -> Result<Sources, Refused> {
        if schema.kind != Type::Struct {
            return Err(no_struct(self.purpose(), schema.class()));
        }
        let source = |(path, name): (&Path, &String)| match schema_at(schema, path) {
            Some(field) => {
                let default = field.default.clone().filter(|_| self.config.replace_null_with_default);
                Ok(Some((Kind::of(field), default)))
            }
            None if matches!(self.config.missing, Missing::Skip | Missing::Null) => Ok(None),
            None => Err(Refused::data(format!("Field does not exist: {name}"))),
        };
        let fields = self.paths.iter().zip(&self.config.fields).map(source).collect::<Result<_, _>>()?;
        Ok(Sources { fields, refused: None })
    }

    fn find(&self, text: &[u8], found: &mut Found) -> Result<(), Refused> {
        let purpose = self.purpose();
        let make = |schema: &Schema| {
            let refused = |refused| Sources { fields: Vec::new(), refused: Some(refused) };
            Ok(self.sources(schema).unwrap_or_else(refused))
        };
        see(text, self.config.schemas, &self.plans, make, |mut seen: Seen<'_, '_, _>, scratch| {
            seen.object(purpose, scratch)?;
            if let Some(refused) = seen.plan.and_then(|plan: &Sources| plan.refused.clone()) {
                return Err(refused);
            }
            for (index, path) in self.paths.iter().enumerate() {
                let value = seen.at(path, scratch)?;
                let source = match seen.plan.map(|plan| &plan.fields[index]) {
                    Some(Some((kind, default))) => {
                        let value = value.filter(|value| Raw::of(value) != Raw::Null);
                        Some((*kind, value.or(default.as_deref()).unwrap_or("null")))
                    }
                    Some(None) => None,
                    None => value.map(|value| (Kind::Dynamic, value)),
                };
                found.add(source, self.config.missing, &self.config.fields[index])?;
            }
            Ok(())
        })
    }
}

impl Found {
    fn add(&mut self, source: Option<(Kind, &str)>, missing: Missing, name: &str) -> Result<(), Refused> {
        let start = self.bytes.len();
        let value = match source {
            Some((kind, value)) => header_text(kind, value, &mut self.bytes)?,
            None => match missing {
                Missing::Fail => return Err(Refused::data(format!("Field does not exist: {name}"))),
                Missing::Skip => {
                    self.values.push(None);
                    return Ok(());
                }
                Missing::Connect | Missing::Null => false,
            },
        };
        self.values.push(Some(value.then_some(start..self.bytes.len())));
        Ok(())
    }
}

/// Appends a value as Connect's `SimpleHeaderConverter` writes it; `false`: it is null.
fn header_text(kind: Kind, value: &str, out: &mut Vec<u8>) -> Result<bool, Refused> {
    let mut text = String::new();
    match (kind, Raw::of(value)) {
        (_, Raw::Null) => return Ok(false),
        (Kind::Decimal(Some(scale)), Raw::Text(body)) => {
            let decimal = Decimal::from_base64(&plain_text(body), scale);
            decimal.ok_or_else(|| Refused::data("Invalid bytes for Decimal field"))?.write(&mut text);
        }
        (_, Raw::Text(body)) => {
            out.extend_from_slice(plain_text(body).as_bytes());
            return Ok(true);
        }
        (Kind::Date, Raw::Number(days)) => {
            write_time(number::low64(days).saturating_mul(86_400_000), &mut text)
        }
        (Kind::Time | Kind::Timestamp, Raw::Number(millis)) => write_time(number::low64(millis), &mut text),
        (Kind::Plain(Type::Float32), Raw::Number(number)) => {
            number::write_float(number.parse().unwrap_or_default(), &mut text);
        }
        (Kind::Dynamic | Kind::Plain(Type::Float64), Raw::Number(number))
            if kind != Kind::Dynamic || !number::is_integer(number) =>
        {
            match number.parse::<f64>() {
                Ok(double) if double.is_finite() => number::write_double(double, &mut text),
                _ => text.push_str(number),
            }
        }
        _ => {
            out.extend_from_slice(value.as_bytes());
            return Ok(true);
        }
    }
    out.extend_from_slice(text.as_bytes());
    Ok(true)
}

struct NoValues;

impl Values for NoValues {}

impl Transform for HeaderFrom {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let part = self.common.part();
        let operation = part.pick("make headers of the key", "make headers of the value");
        let text = part.of(record).ok_or_else(|| no_map(self.purpose(), "null").during(operation))?;
        FOUND.with_borrow_mut(|found| {
            found.bytes.clear();
            found.values.clear();
            self.find(text, found).map_err(|refused| refused.during(operation))?;
            let added = self.config.headers.iter().zip(&found.values).filter_map(|(name, value)| {
                let value = value.as_ref()?.clone();
                Some((name.as_str(), value.map(|place| &found.bytes[place])))
            });
            let draft = out.derive(record).headers(record.headers().chain(added));
            let rewrite = |buffer: &mut Vec<u8>| {
                self.common
                    .rewrite(self, &NoValues, text, buffer)
                    .map_err(|refused| refused.during(operation))
            };
            match (self.config.operation, part) {
                (HeaderOperation::Copy, _) => draft.emit(),
                (HeaderOperation::Move, Part::Value) => draft.value_with(rewrite)?.emit(),
                (HeaderOperation::Move, Part::Key) => {
                    let mut key = Vec::new();
                    rewrite(&mut key)?;
                    draft.key(Some(&key)).emit();
                }
            }
            Ok(())
        })
    }

    fn describe(&self) -> Option<String> {
        Some(described("HeaderFrom", self.common.part(), &self.config))
    }
}

impl Rules for HeaderFrom {
    const PURPOSE: &'static str = "header move";
    const NULLS: Nulls = Nulls::Refuse;

    fn plain(&self) -> &Work {
        &self.plain
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        let fill = self.config.replace_null_with_default;
        let Work::Members(named) = &self.plain else { unreachable!("it was made so") };
        let mut new = Schema { fields: schema.fields.clone(), ..schema.basics(Type::Struct) };
        remove(&mut new, named);
        let mut node = with_defaults(schema, fill);
        for rule in &named.rules {
            node.set(rule.clone());
        }
        Ok(Plan { schema: Some(new.text()), work: Work::Members(node) })
    }
}

/// Takes the fields that are dropped out of a schema.
fn remove(schema: &mut Schema, named: &Node) {
    schema.fields.retain_mut(|(name, field)| match named.rules.get(name).map(|rule| &rule.action) {
        Some(Action::Drop) => false,
        Some(Action::Inside(inner)) => {
            remove(field, inner);
            true
        }
        _ => true,
    });
}
