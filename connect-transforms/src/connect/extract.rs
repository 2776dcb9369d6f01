//! `ExtractField`: one field in place of the whole.

use super::{
    describe::described,
    envelope::{Plans, Schemas},
    missing::Missing,
    path::{FieldSyntax, Path, parse_path},
    read::{Seen, schema_at, see},
    schema::Schema,
    value::{Raw, no_struct},
};
use crate::{
    error::Refused,
    part::{Part, Written},
};
use connect_core::{Error, Output, Record, Transform, config::Problems};

connect_core::config! {
    /// Replaces a key or value by one of its fields.
    pub struct ExtractFieldConfig {
        /// The field.
        "field" => field: String;
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

fn sound(config: &ExtractFieldConfig, problems: &mut Problems) {
    if let Err(what) = parse_path(&config.field, config.syntax) {
        problems.add("field", what);
    }
}

const PURPOSE: &str = "field extraction";
const NULL_FOR_REQUIRED: &str =
    "Conversion error: null value for field that is required and has no default value";

/// Replaces a key or value by one of its fields:
/// `org.apache.kafka.connect.transforms.ExtractField$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `field` | none, must be given | the field |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: a path into objects, see [`FieldSyntax`] |
/// | `on.missing.field` | `connect`: without a schema null, with one an error | `skip`: the record stays as it is; see [`Missing`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// A field that is null makes the key or value null (a tombstone); with a schema, a null payload of the field's schema.
/// A text stays JSON: it keeps its quotes.
///
/// # Example
/// ```
/// # use connect_transforms::{ExtractField, ExtractFieldConfig, testing::transformed};
/// let extract = ExtractField::value(&ExtractFieldConfig::new("after".into()))?;
/// assert_eq!(transformed(extract, r#"{"before":null,"after":{"id":1.0}}"#)?, r#"{"id":1.0}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: `Unknown field: x` with a schema; a value without members. Null passes.
#[derive(Debug)]
pub struct ExtractField {
    part: Part,
    config: ExtractFieldConfig,
    path: Path,
    plans: Plans<Extraction>,
}

/// For one schema: the field's, and what stands for null; or that there is no such field.
#[derive(Debug)]
enum Extraction {
    Field { schema: Vec<u8>, default: Option<Box<str>>, required: bool },
    Absent,
    NoStruct(&'static str),
}

impl ExtractField {
    /// Extracts from values.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn value(config: &ExtractFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Extracts from keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &ExtractFieldConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &ExtractFieldConfig) -> Result<Self, Error> {
        let path =
            parse_path(&config.field, config.syntax).map_err(|what| Error::fatal("read the field", what))?;
        Ok(Self { part, config: config.clone(), path, plans: Plans::new() })
    }

    fn plan(&self, schema: &Schema) -> Extraction {
        if schema.kind != super::schema::Type::Struct {
            return Extraction::NoStruct(schema.class());
        }
        match schema_at(schema, &self.path) {
            None => Extraction::Absent,
            Some(field) => Extraction::Field {
                schema: field.text(),
                required: !field.optional && field.default.is_none(),
                default: field.default.clone().filter(|_| self.config.replace_null_with_default),
            },
        }
    }

    fn write(&self, text: &[u8], out: &mut Vec<u8>) -> Result<Written, Refused> {
        let make = |schema: &Schema| Ok(self.plan(schema));
        see(text, self.config.schemas, &self.plans, make, |mut seen: Seen<'_, '_, _>, scratch| {
            if let Some(Extraction::NoStruct(class)) = seen.plan {
                return Err(no_struct(PURPOSE, class));
            }
            let value = match seen.members(PURPOSE, scratch)? {
                true => seen.at(&self.path, scratch)?,
                false => Some("null"),
            };
            match seen.plan {
                Some(Extraction::Field { schema, default, required }) => {
                    let value = value.filter(|value| Raw::of(value) != Raw::Null);
                    if *required && value.is_none() {
                        return Err(Refused::data(NULL_FOR_REQUIRED));
                    }
                    out.extend_from_slice(b"{\"schema\":");
                    out.extend_from_slice(schema);
                    out.extend_from_slice(b",\"payload\":");
                    out.extend_from_slice(value.or(default.as_deref()).unwrap_or("null").as_bytes());
                    out.push(b'}');
                    Ok(Written::Bytes)
                }
                Some(_) => self.absent(true),
                None => match value {
                    None => self.absent(false),
                    Some(value) if Raw::of(value) == Raw::Null => Ok(Written::Null),
                    Some(value) if seen.envelope => {
                        out.extend_from_slice(b"{\"schema\":null,\"payload\":");
                        out.extend_from_slice(value.as_bytes());
                        out.push(b'}');
                        Ok(Written::Bytes)
                    }
                    Some(value) => {
                        out.extend_from_slice(value.as_bytes());
                        Ok(Written::Bytes)
                    }
                },
            }
        })
    }

    fn absent(&self, schema: bool) -> Result<Written, Refused> {
        match self.config.missing {
            Missing::Connect if !schema => Ok(Written::Null),
            Missing::Connect | Missing::Fail => {
                Err(Refused::data(format!("Unknown field: {}", self.config.field)))
            }
            Missing::Skip => Ok(Written::Kept),
            Missing::Null => Ok(Written::Null),
        }
    }
}

impl Transform for ExtractField {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let Some(text) = self.part.of(record) else {
            out.keep(record);
            return Ok(());
        };
        let operation = self.part.pick("extract a field of the key", "extract a field of the value");
        self.part.emit_if(record, out, |buffer| {
            self.write(text, buffer).map_err(|refused| refused.during(operation))
        })
    }

    fn describe(&self) -> Option<String> {
        Some(described("ExtractField", self.part, &self.config))
    }
}
