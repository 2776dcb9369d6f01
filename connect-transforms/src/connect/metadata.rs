//! `SetSchemaMetadata`: another name and version for a schema.

use super::{
    describe::described,
    edit::{Action, Node, Rule, Values},
    envelope::Schemas,
    fieldwise::{FieldWise, Nulls, Plan, Rules, Work},
    schema::{Schema, Type},
    value::Kind,
};
use crate::{error::Refused, part::Part};
use connect_core::{Error, Output, Record, Transform, config::Problems};

connect_core::config! {
    /// Gives a schema another name, another version, or both.
    pub struct SetSchemaMetadataConfig {
        /// The name.
        "schema.name" => name: Option<String>, importance: High;
        /// The version.
        "schema.version" => version: Option<i32>, importance: High;
        /// Whether a field that is null and whose schema has a default is taken to have that default.
        "replace.null.with.default" => replace_null_with_default: bool = true;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    } check sound
}

fn sound(config: &SetSchemaMetadataConfig, problems: &mut Problems) {
    if config.name.is_none() && config.version.is_none() {
        problems.add("schema.name", "Neither schema name nor version configured");
    }
}

/// Gives the schema of an envelope another name, another version, or both:
/// `org.apache.kafka.connect.transforms.SetSchemaMetadata$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `schema.name` | as it is | the name |
/// | `schema.version` | as it is | the version |
/// | `replace.null.with.default` | `true` | a null field with a default in its schema is taken to have it |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// At least one of name and version must be given.
///
/// # Example
/// ```
/// # use connect_transforms::{SetSchemaMetadata, SetSchemaMetadataConfig, testing::transformed};
/// let config = SetSchemaMetadataConfig { name: Some("order".into()), ..SetSchemaMetadataConfig::default() };
/// let set = SetSchemaMetadata::value(&config)?;
/// assert_eq!(
///     transformed(set, r#"{"schema":{"type":"int32","optional":false},"payload":1}"#)?,
///     r#"{"schema":{"type":"int32","optional":false,"name":"order"},"payload":1}"#
/// );
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: a value without a schema (`Schema required for [updating schema metadata]`). Null passes.
#[derive(Debug)]
pub struct SetSchemaMetadata {
    common: FieldWise,
    config: SetSchemaMetadataConfig,
}

impl SetSchemaMetadata {
    /// Changes the schemas of values.
    ///
    /// # Errors
    /// Fatal, if neither name nor version is given.
    pub fn value(config: &SetSchemaMetadataConfig) -> Result<Self, Error> {
        Self::of(Part::Value, config)
    }

    /// Changes the schemas of keys.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn key(config: &SetSchemaMetadataConfig) -> Result<Self, Error> {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &SetSchemaMetadataConfig) -> Result<Self, Error> {
        if config.name.is_none() && config.version.is_none() {
            return Err(Error::fatal("set schema metadata", "Neither schema name nor version configured"));
        }
        Ok(Self { common: FieldWise::new(part, config.schemas), config: config.clone() })
    }
}

struct AsItIs;

impl Values for AsItIs {
    fn convert(&self, _kind: Kind, _how: usize, value: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}

impl Transform for SetSchemaMetadata {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.common.part().pick("name the key's schema", "name the value's schema");
        self.common.apply(self, &AsItIs, operation, record, out)
    }

    fn describe(&self) -> Option<String> {
        Some(described("SetSchemaMetadata", self.common.part(), &self.config))
    }
}

impl Rules for SetSchemaMetadata {
    const PURPOSE: &'static str = "updating schema metadata";
    const NULLS: Nulls = Nulls::Schema;

    fn plain(&self) -> &Work {
        &Work::NeedsSchema(Self::PURPOSE)
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, Refused> {
        let mut new = schema.clone();
        new.name = self.config.name.clone().or(new.name);
        new.version = self.config.version.map(i64::from).or(new.version);
        let work = match schema.kind {
            Type::Struct => Work::Members(with_defaults(schema, self.config.replace_null_with_default)),
            _ => Work::Whole(Kind::of(schema)),
        };
        Ok(Plan { schema: Some(new.text()), work })
    }
}

/// Rules that put defaults in the place of nulls.
pub(super) fn with_defaults(schema: &Schema, fill: bool) -> Node {
    let mut node = Node::new();
    for (name, field) in schema.fields.iter().filter(|(_, field)| fill && field.default.is_some()) {
        node.set(Rule { default: field.default.clone(), ..Rule::new(name, Action::Keep) });
    }
    node
}
