//! Avro whose schema is in a registry.

mod plan;
mod read;
#[cfg(test)]
mod tests;

use super::{
    Converted, Converter, DecimalFormat, Of,
    wire::{Registered, describe_registry},
};
use connect_core::{Error, Preparation, schema_registry::SchemaRegistryConfig};
use plan::Plan;

connect_core::config! {
    /// Avro behind the number of its schema: Confluent's AvroConverter.
    pub struct AvroConverterConfig {
        /// How decimals are written: `decimal.format` of Connect's JsonConverter.
        "decimal.format" => decimal: DecimalFormat = DecimalFormat::Base64;
        /// Whether the fields of a union's members are named by full names, with the namespace.
        "enhanced.avro.schema.support" => full_names: bool = false, importance: Low;
    }
}

/// `io.confluent.connect.avro.AvroConverter`: a magic byte, the number of a schema, and Avro, which becomes the JSON
/// that Connect's JsonConverter would make of it without schemas. Feature `avro`. It only reads.
///
/// | key | default | |
/// |---|---|---|
/// | `schema.registry.url` and the other keys of [`SchemaRegistryConfig`] | required | |
/// | `decimal.format` | `BASE64` | `NUMERIC` writes decimals as numbers |
/// | `enhanced.avro.schema.support` | `false` | full names for the members of a union |
///
/// | Avro | JSON |
/// |---|---|
/// | null, boolean, int, long, string, enum | null, boolean, number, number with all digits, string, string |
/// | float, double | the shortest number that is it; NaN and infinities as strings |
/// | bytes, fixed, also `duration` | base64 |
/// | record | object, fields in the order of the schema |
/// | array, map | array, object, in the order of the data |
/// | an array of Connect's `MapEntry` (a map whose keys are not strings) | array of pairs |
/// | union of null and one type | null, or the value |
/// | any other union | null, or an object with a field for each member, null but for one |
/// | `decimal` | see `decimal.format` |
/// | `date` · `time-millis` · `timestamp-millis` | days · milliseconds · milliseconds, as numbers |
/// | `time-micros`, `timestamp-micros` and the like | the number as it is |
/// | `uuid` | as the type below it |
///
/// # Errors
/// Poison: no magic byte, a schema that the registry does not have or that is not Avro, data that end too early, nesting
/// deeper than 500 (a record in a union counts two).
///
/// # Differences from Confluent's
/// Map entries keep the order of the data. A decimal with `NUMERIC` is written without exponent.
pub struct AvroConverter {
    schemas: Registered<Plan>,
    decimal: DecimalFormat,
    description: String,
}

impl AvroConverter {
    /// As the configuration says.
    ///
    /// # Errors
    /// Fatal, if the registry's client cannot be set up.
    pub fn new(config: &AvroConverterConfig, registry: &SchemaRegistryConfig) -> Result<Self, Error> {
        let (full_names, decimal) = (config.full_names, config.decimal);
        let url = describe_registry(registry);
        Ok(Self {
            schemas: Registered::new(registry, move |schema| Plan::parse(schema, full_names))?,
            decimal,
            description: format!(
                "AvroConverter schema.registry.url={url} decimal.format={decimal} enhanced.avro.schema.support={full_names}"
            ),
        })
    }
}

impl Converter for AvroConverter {
    fn decode(&self, _: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let (plan, payload) = self.schemas.read(bytes)?;
        let start = out.len();
        read::write_json(&plan, payload, self.decimal, out).map_err(|e| Error::poison("read Avro", e))?;
        Ok(if &out[start..] == b"null" {
            out.truncate(start);
            Converted::Null
        } else {
            Converted::Written
        })
    }

    fn prepare(&self, payloads: &mut dyn Iterator<Item = &[u8]>) -> Option<Preparation> {
        self.schemas.prepare(payloads)
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

impl std::fmt::Debug for AvroConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description)
    }
}
