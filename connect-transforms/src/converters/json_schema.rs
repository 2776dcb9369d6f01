//! JSON whose schema is in a registry.

use super::{
    Converted, Converter, Of,
    wire::{Registered, describe_registry, split},
};
use crate::json::Scanner;
use connect_core::{
    Error, Preparation,
    schema_registry::{RegisteredSchema, SchemaKind, SchemaRegistryConfig},
};

connect_core::config! {
    /// JSON behind the number of its schema: Confluent's JsonSchemaConverter.
    pub struct JsonSchemaConverterConfig {
        /// Whether the registry is asked for each schema: a record whose schema it does not have, or whose schema is not
        /// a JSON Schema, is poison then, as with Confluent's converter. Without it no registry is needed.
        "schema.lookup" => lookup: bool = true, importance: Low;
    }
}

/// `io.confluent.connect.json.JsonSchemaConverter`: a magic byte, the number of a schema, and JSON text, which goes on as
/// it is. Feature `json-schema`.
///
/// | key | default | |
/// |---|---|---|
/// | `schema.registry.url` and the other keys of [`SchemaRegistryConfig`] | required | |
/// | `schema.lookup` | `true` | whether schemas are looked up at all |
///
/// The bytes `00 00000007 {"a":1}` become `{"a":1}`. The JSON text `null` becomes null.
///
/// # Errors
/// Poison: no magic byte, no JSON, a schema that the registry does not have or that is no JSON Schema.
///
/// # Differences from Confluent's
/// The payload keeps its bytes: fields keep their order, numbers their text, and optional fields that are absent are not
/// filled in with null. Payloads are not validated (`json.fail.invalid.schema` is off by default there, and not offered
/// here).
pub struct JsonSchemaConverter {
    schemas: Option<Registered<()>>,
    description: String,
}

impl JsonSchemaConverter {
    /// As the configuration says.
    ///
    /// # Errors
    /// Fatal, if the registry's client cannot be set up.
    pub fn new(config: &JsonSchemaConverterConfig, registry: &SchemaRegistryConfig) -> Result<Self, Error> {
        let schemas = config.lookup.then(|| Registered::new(registry, parse)).transpose()?;
        let (lookup, url) = (config.lookup, describe_registry(registry));
        let description = format!("JsonSchemaConverter schema.registry.url={url} schema.lookup={lookup}");
        Ok(Self { schemas, description })
    }
}

fn parse(schema: &RegisteredSchema) -> Result<(), String> {
    match &schema.kind {
        SchemaKind::Json => Ok(()),
        other => Err(format!("it is in {other}, not in JSON Schema")),
    }
}

impl Converter for JsonSchemaConverter {
    fn decode(&self, _: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let payload = match &self.schemas {
            Some(schemas) => schemas.read(bytes)?.1,
            None => split(bytes).map_err(|e| Error::poison("read the number of a schema", e))?.1,
        };
        let checked = Scanner::new(payload).and_then(|mut scanner| {
            let value = scanner.value(&mut Vec::new())?;
            scanner.end()?;
            Ok(&payload[value])
        });
        match checked.map_err(|e| Error::poison("read JSON", e))? {
            b"null" => Ok(Converted::Null),
            value => {
                out.extend_from_slice(value);
                Ok(Converted::Written)
            }
        }
    }

    fn prepare(&self, payloads: &mut dyn Iterator<Item = &[u8]>) -> Option<Preparation> {
        self.schemas.as_ref()?.prepare(payloads)
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

impl std::fmt::Debug for JsonSchemaConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description)
    }
}
