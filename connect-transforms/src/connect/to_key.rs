//! `ValueToKey`: a key made of fields of the value.

use super::{
    describe::described,
    envelope::{Plans, Schemas},
    missing::Missing,
    path::{FieldSyntax, Path, parse_paths},
    read::{Seen, schema_at, see},
    schema::{Schema, Type},
    value::{Raw, no_map, no_struct},
};
use crate::{error::Refused, json::object::escaped, part::Part};
use connect_core::{
    Error, Output, Record, Transform,
    config::{Problems, not_empty},
};

connect_core::config! {
    /// Makes a record's key of fields of its value.
    pub struct ValueToKeyConfig {
        /// The fields, in the order that they have in the key.
        "fields" => fields: Vec<String>, importance: High, check: not_empty;
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

fn sound(config: &ValueToKeyConfig, problems: &mut Problems) {
    if let Err(what) = parse_paths(&config.fields, config.syntax) {
        problems.add("fields", what);
    }
}

const PURPOSE: &str = "copying fields from value to key";

/// Makes a record's key of fields of its value: `org.apache.kafka.connect.transforms.ValueToKey`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `fields` | none, must be given | the fields, in the order that they have in the key |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `field.syntax.version` | `V1` | `V2`: paths into objects; the key has the last name, see [`FieldSyntax`] |
/// | `on.missing.field` | `connect`: without a schema null, with one an error | see [`Missing`] |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// The key is an object, `{"id":1}`; of a value with a schema it has an envelope too.
///
/// # Example
/// ```
/// # use connect_transforms::{ValueToKey, ValueToKeyConfig, testing::transformed_key};
/// let to_key = ValueToKey::new(&ValueToKeyConfig::new(vec!["id".into()]))?;
/// assert_eq!(transformed_key(to_key, r#"{"name":"x","id":1.0}"#)?, r#"{"id":1.0}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: `Field does not exist: x` with a schema; a value without members, null too; two fields with the same name.
#[derive(Debug)]
pub struct ValueToKey {
    config: ValueToKeyConfig,
    /// With the names that they have in the key, escaped.
    fields: Vec<(Path, Vec<u8>)>,
    plans: Plans<KeyPlan>,
}

/// The key's schema, the fields that are in it, and what stands for null.
#[derive(Debug)]
enum KeyPlan {
    Fields { schema: Vec<u8>, fields: Vec<(usize, Option<Box<str>>)> },
    Refused(Refused),
}

impl ValueToKey {
    /// Makes keys as configured.
    ///
    /// # Errors
    /// Fatal, if the configuration is wrong.
    pub fn new(config: &ValueToKeyConfig) -> Result<Self, Error> {
        let paths = parse_paths(&config.fields, config.syntax)
            .map_err(|what| Error::fatal("read the fields", what))?;
        let named = |path: Path| {
            let name = escaped(path.last().map_or("", String::as_str));
            (path, name)
        };
        let mut fields: Vec<(Path, Vec<u8>)> = Vec::new();
        for (path, name) in paths.into_iter().map(named) {
            // As in a map: the same field twice is there once.
            if !fields.iter().any(|(known, _)| *known == path) {
                fields.push((path, name));
            }
        }
        Ok(Self { config: config.clone(), fields, plans: Plans::new() })
    }

    fn plan(&self, schema: &Schema) -> Result<KeyPlan, Refused> {
        if schema.kind != Type::Struct {
            return Err(no_struct(PURPOSE, schema.class()));
        }
        let (mut key, mut fields) = (Schema::new(Type::Struct, false), Vec::new());
        for (index, (path, _)) in self.fields.iter().enumerate() {
            match schema_at(schema, path) {
                Some(field) => {
                    key.push(path.last().map_or("", String::as_str), field.clone())?;
                    let default = field.default.clone().filter(|_| self.config.replace_null_with_default);
                    fields.push((index, default));
                }
                None if matches!(self.config.missing, Missing::Skip | Missing::Null) => {}
                None => {
                    return Err(Refused::data(format!(
                        "Field does not exist: {}",
                        self.config.fields[index]
                    )));
                }
            }
        }
        Ok(KeyPlan::Fields { schema: key.text(), fields })
    }

    fn write(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let make = |schema: &Schema| Ok(self.plan(schema).unwrap_or_else(KeyPlan::Refused));
        see(text, self.config.schemas, &self.plans, make, |mut seen: Seen<'_, '_, _>, scratch| {
            seen.object(PURPOSE, scratch)?;
            if let Some(KeyPlan::Refused(refused)) = seen.plan {
                return Err(refused.clone());
            }
            if let Some(KeyPlan::Fields { schema, fields }) = seen.plan {
                out.extend_from_slice(b"{\"schema\":");
                out.extend_from_slice(schema);
                out.extend_from_slice(b",\"payload\":{");
                let mut first = true;
                for (index, default) in fields {
                    let (path, name) = &self.fields[*index];
                    let value = seen.at(path, scratch)?.filter(|value| Raw::of(value) != Raw::Null);
                    write_member(&mut first, name, value.or(default.as_deref()).unwrap_or("null"), out);
                }
                out.extend_from_slice(b"}}");
                return Ok(());
            }
            out.extend_from_slice(if seen.envelope { b"{\"schema\":null,\"payload\":{" } else { b"{" });
            let mut first = true;
            for (index, (path, name)) in self.fields.iter().enumerate() {
                let value = match (seen.at(path, scratch)?, self.config.missing) {
                    (Some(value), _) => value,
                    (None, Missing::Connect | Missing::Null) => "null",
                    (None, Missing::Skip) => continue,
                    (None, Missing::Fail) => {
                        let field = &self.config.fields[index];
                        return Err(Refused::data(format!("Field does not exist: {field}")));
                    }
                };
                write_member(&mut first, name, value, out);
            }
            out.extend_from_slice(if seen.envelope { b"}}" } else { b"}" });
            Ok(())
        })
    }
}

fn write_member(first: &mut bool, name: &[u8], value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(if std::mem::take(first) { b"\"" } else { b",\"" });
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

impl Transform for ValueToKey {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = "make a key of the value";
        let text = record.value().ok_or_else(|| no_map(PURPOSE, "null").during(operation))?;
        Part::Key.emit(record, out, |key| self.write(text, key).map_err(|refused| refused.during(operation)))
    }

    fn describe(&self) -> Option<String> {
        Some(described("ValueToKey", Part::Value, &self.config))
    }
}
