//! `HoistField`: a value wrapped in an object.

use super::{
    describe::described,
    envelope::{Plans, Schemas},
    read::{Seen, see},
    schema::{Schema, Type},
};
use crate::{error::Refused, json::object::escaped, part::Part};
use connect_core::{Error, Output, Record, Transform};

connect_core::config! {
    /// Wraps a key or value in an object with one field.
    pub struct HoistFieldConfig {
        /// The field.
        "field" => field: String;
        /// Whether records have the JSON converter's envelope.
        "schemas.enable" => schemas: Schemas = Schemas::Auto, importance: Low;
    }
}

/// Wraps a key or value in an object with one field:
/// `org.apache.kafka.connect.transforms.HoistField$Value` and `…$Key`.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `field` | none, must be given | the field |
/// | `schemas.enable` | `auto` | see [`Schemas`] |
///
/// Null is wrapped too: `{"field":null}`.
///
/// # Example
/// ```
/// # use connect_transforms::{HoistField, HoistFieldConfig, testing::transformed};
/// let hoist = HoistField::value(&HoistFieldConfig::new("line".into()));
/// assert_eq!(transformed(hoist, "[1.0, 2]")?, r#"{"line":[1.0, 2]}"#);
/// # Ok::<(), connect_core::Error>(())
/// ```
///
/// # Errors
/// Poison: what is no JSON (for text there is [`KeyWrap`](crate::KeyWrap)).
#[derive(Debug)]
pub struct HoistField {
    part: Part,
    config: HoistFieldConfig,
    /// `{"field":`.
    head: Vec<u8>,
    plans: Plans<Vec<u8>>,
}

impl HoistField {
    /// Wraps values.
    #[must_use]
    pub fn value(config: &HoistFieldConfig) -> Self {
        Self::of(Part::Value, config)
    }

    /// Wraps keys.
    #[must_use]
    pub fn key(config: &HoistFieldConfig) -> Self {
        Self::of(Part::Key, config)
    }

    fn of(part: Part, config: &HoistFieldConfig) -> Self {
        let head = [b"{\"", &escaped(&config.field)[..], b"\":"].concat();
        Self { part, config: config.clone(), head, plans: Plans::new() }
    }

    fn write(&self, text: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let Some(text) = text else {
            // Connect reads null as a value without a schema, whatever the converter is told.
            self.wrap(None, self.config.schemas == Schemas::Enabled, "null", out);
            return Ok(());
        };
        let make = |schema: &Schema| {
            let mut hoisted = Schema::new(Type::Struct, false);
            hoisted.push(&self.config.field, schema.clone())?;
            Ok(hoisted.text())
        };
        see(text, self.config.schemas, &self.plans, make, |mut seen: Seen<'_, '_, _>, scratch| {
            let value = seen.whole(scratch)?;
            self.wrap(seen.plan.map(Vec::as_slice), seen.envelope, value, out);
            Ok(())
        })
    }

    fn wrap(&self, schema: Option<&[u8]>, envelope: bool, value: &str, out: &mut Vec<u8>) {
        if envelope {
            out.extend_from_slice(b"{\"schema\":");
            out.extend_from_slice(schema.unwrap_or(b"null"));
            out.extend_from_slice(b",\"payload\":");
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(if envelope { b"}}" } else { b"}" });
    }
}

impl Transform for HoistField {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let operation = self.part.pick("hoist the key", "hoist the value");
        let text = self.part.of(record);
        self.part
            .emit(record, out, |buffer| self.write(text, buffer).map_err(|refused| refused.during(operation)))
    }

    fn describe(&self) -> Option<String> {
        Some(described("HoistField", self.part, &self.config))
    }
}
