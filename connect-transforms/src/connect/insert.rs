//! `InsertField`: where a record comes from, as fields.

use super::{
    describe::described,
    edit::{Absent, Action, Node, Rule, Values},
    envelope::Schemas,
    fieldwise::{FieldWise, Nulls, Plan, Rules, Work},
    path::{FieldSyntax, Path, parse_path},
    schema::{Schema, Type},
    text::OptionalText,
};
use crate::{error::Refused, json::escape::quote, part::Part};
use connect_core::{Error, Output, Record, Transform, config::Problems};

connect_core::config! {
    /// Adds fields with a record's topic, partition, offset, timestamp, or a constant. A name may end in `?` (optional, the default) or `!` (required), which matters with a schema.
    pub struct InsertFieldConfig {
        /// The field for the topic.
        "topic.field" => topic: Option<String>;
        /// The field for the partition, as read.
        "partition.field" => partition: Option<String>;
        /// The field for the offset, as read.
        "offset.field" => offset: Option<String>;
        /// The field for the timestamp: milliseconds since the Unix epoch.
        "timestamp.field" => timestamp: Option<String>;
        /// The field for the constant.
        "static.field" => static_field: Option<String>;
        /// The constant, a text.
        "static.value" => static_value: OptionalText = OptionalText(None);
        /// Whether a field that is null and whose schema has a default is taken to have that default.
        "replace.null.with.default" => replace_null_with_default: bool = true;
        /// How names of fields are read.
        "field.syntax.version" => syntax: FieldSyntax = FieldSyntax::V1;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    } check sound
}

fn sound(config: &InsertFieldConfig, problems: &mut Problems) {
    match insertions(config) {
        Ok(_) if config.static_field.is_some() && config.static_value.0.is_none() => {
            problems.add("static.value", "No value specified for static field: give `static.value` too");
        }
        Ok(_) => {}
        Err(what) => problems.add("topic.field", what),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Constant,
}

#[derive(Clone, Debug)]
struct Insertion {
    what: What,
    path: Path,
    optional: bool,
}

fn insertions(config: &InsertFieldConfig) -> Result<Vec<Insertion>, String> {
    let given = [
        (What::Topic, &config.topic),
        (What::Partition, &config.partition),
        (What::Offset, &config.offset),
        (What::Timestamp, &config.timestamp),
        (What::Constant, &config.static_field),
    ];
    let mut insertions = Vec::new();
    for (what, name) in given {
        let Some(name) = name else { continue };
        let (name, optional) = match name.strip_suffix('!') {
            Some(name) => (name, false),
            None => (name.strip_suffix('?').unwrap_or(name), true),
        };
        insertions.push(Insertion { what, path: parse_path(name, config.syntax)?, optional });
    }
    if insertions.is_empty() { Err("No field insertion configured".to_owned()) } else { Ok(insertions) }
}

/// Adds fields with a record's topic, partition, offset, timestamp, or a constant:
/// `org.apache.kafka.connect.transforms.InsertField$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `topic.field` | none | the field for the topic (for routing: as earlier transforms have made it) |
/// | `partition.field` | none | the field for the partition, as read |
/// | `offset.field` | none | the field for the offset, as read |
/// | `timestamp.field` | none | the field for the timestamp, milliseconds since the Unix epoch; with a schema a `Timestamp` |
/// | `static.field`, `static.value` | none | the field for a constant, and the constant, a text |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: paths into objects that are there, see [`FieldSyntax`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// At least one field must be given. A name may end in `?` (optional, as without) or `!` (required in the schema).
/// A field that is there already gets the new value. What a record does not have (a timestamp) is not added.
///
/// # Example
/// ```
/// # use connect_transforms::{InsertField, InsertFieldConfig, testing::transformed};
/// let insert = InsertField::value(&InsertFieldConfig {
///     offset: Some("offset".into()),
///     static_field: Some("source".into()),
///     static_value: "edge".into(),
///     ..InsertFieldConfig::default()
/// })?;
/// assert_eq!(transformed(insert, r#"{"a":1.0}"#)?, r#"{"a":1.0,"offset":0,"source":"edge"}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: a value without members; with a schema, a field that has the name already, or a required field for a
/// timestamp that the record does not have. Null passes.
#[derive(Debug)]
pub struct InsertField {
    common: FieldWise,
    config: InsertFieldConfig,
    insertions: Vec<Insertion>,
    plain: Work,
    /// The constant as it is written.
    constant: Vec<u8>,
}

impl InsertField {
    /// Adds fields to values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn value(config: &InsertFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Adds fields to keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &InsertFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &InsertFieldConfig) -> Result<Self, Error> {
        if config.static_field.is_some() && config.static_value.0.is_none() {
            return Err(Error::fatal(
                "read the configuration of InsertField",
                "No value specified for static field",
            ));
        }
        let insertions =
            insertions(config).map_err(|what| Error::fatal("read the configuration of InsertField", what))?;
        let mut node = Node::new();
        for (index, insertion) in insertions.iter().enumerate() {
            node.add(&insertion.path, Action::Put(index), Absent::Put(index));
        }
        let mut constant = Vec::new();
        quote(config.static_value.0.as_deref().unwrap_or_default(), &mut constant);
        let common = FieldWise::new(part, config.schemas);
        Ok(Self { common, config: config.clone(), insertions, plain: Work::Members(node), constant })
    }
}

impl Transform for InsertField {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.common.part().pick("add fields to the key", "add fields to the value");
        let origin = Origin { of: self, record };
        self.common.apply(self, &origin, operation, record, out)
    }

    fn describe(&self) -> Option<String> {
        Some(described("InsertField", self.common.part(), &self.config))
    }
}

impl Rules for InsertField {
    const PURPOSE: &'static str = "field insertion";
    const NULLS: Nulls = Nulls::Pass;

    fn plain(&self) -> &Work {
        &self.plain
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        if schema.kind != Type::Struct {
            return Ok(Plan { schema: None, work: Work::NoStruct(schema.class()) });
        }
        let mut new = Schema { fields: schema.fields.clone(), ..schema.basics(Type::Struct) };
        let mut node = Node::new();
        for (index, insertion) in self.insertions.iter().enumerate() {
            let kind = match insertion.what {
                What::Topic | What::Constant => Schema::new(Type::Text, insertion.optional),
                What::Partition => Schema::new(Type::Int32, insertion.optional),
                What::Offset => Schema::new(Type::Int64, insertion.optional),
                What::Timestamp => Schema::logical("Timestamp", insertion.optional),
            };
            let (name, way) = insertion.path.split_last().expect("a path has a step");
            let Some(parent) = struct_at(&mut new, way) else { continue };
            parent.push(name, kind)?;
            let absent = if insertion.optional { Absent::Put(index) } else { Absent::Required(index) };
            node.add(&insertion.path, Action::Put(index), absent);
        }
        if self.config.replace_null_with_default {
            for (name, field) in schema.fields.iter().filter(|(_, field)| field.default.is_some()) {
                if node.rule(name).is_none() {
                    node.set(Rule { default: field.default.clone(), ..Rule::new(name, Action::Keep) });
                }
            }
        }
        Ok(Plan { schema: Some(new.text()), work: Work::Members(node) })
    }
}

/// The struct in a struct that the steps lead to.
pub(super) fn struct_at<'s>(schema: &'s mut Schema, way: &[String]) -> Option<&'s mut Schema> {
    way.iter().try_fold(schema, |schema, step| {
        let field = schema.fields.get_mut(step)?;
        (field.1.kind == Type::Struct).then_some(&mut field.1)
    })
}

struct Origin<'r> {
    of: &'r InsertField,
    record: Record<'r>,
}

impl Values for Origin<'_> {
    fn has(&self, index: usize) -> bool {
        self.of.insertions[index].what != What::Timestamp || self.record.timestamp_ms().is_some()
    }

    fn put(&self, index: usize, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        let number = match self.of.insertions[index].what {
            What::Topic => return quote(self.record.topic(), out),
            What::Constant => return out.extend_from_slice(&self.of.constant),
            What::Partition => digits.format(self.record.origin().partition),
            What::Offset => digits.format(self.record.origin().offset),
            What::Timestamp => digits.format(self.record.timestamp_ms().unwrap_or_default()),
        };
        out.extend_from_slice(number.as_bytes());
    }
}
