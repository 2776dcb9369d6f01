//! Protobuf whose schema is in a registry.

mod schema;
#[cfg(test)]
mod tests;
mod write;

use super::{
    Converted, Converter, DecimalFormat, Of,
    wire::{Registered, describe_registry},
};
use connect_core::{Error, Preparation, schema_registry::SchemaRegistryConfig};
use prost_reflect::DynamicMessage;
use schema::{Messages, split_indexes};

connect_core::config! {
    /// Protobuf behind the number of its schema: Confluent's ProtobufConverter.
    pub struct ProtobufConverterConfig {
        /// How `confluent.type.Decimal` is written: `decimal.format` of Connect's JsonConverter.
        "decimal.format" => decimal: DecimalFormat = DecimalFormat::Base64;
        /// Whether enums are written as numbers instead of names.
        "int.for.enums" => int_for_enums: bool = false, importance: Low;
        /// Whether the fields of a `oneof` stand among the others instead of in an object of their own.
        "flatten.unions" => flatten_unions: bool = false, importance: Low;
        /// Whether the name of that object ends in the number of the `oneof`.
        "generate.index.for.unions" => union_index: bool = true, importance: Low;
        /// Whether the wrappers of `google.protobuf`, such as `StringValue`, are written as what they wrap.
        "wrapper.for.nullables" => unwrap: bool = false, importance: Low;
        /// Whether `optional` fields of proto2 that are not there are null instead of their default.
        "optional.for.proto2" => optional_proto2: bool = true, importance: Low;
    }
}

/// `io.confluent.connect.protobuf.ProtobufConverter`: a magic byte, the number of a schema, the place of the message in
/// it, and Protobuf, which becomes the JSON that Connect's JsonConverter would make of it without schemas (not the JSON
/// mapping of Protobuf). Feature `protobuf`. It only reads.
///
/// | key | default | |
/// |---|---|---|
/// | `schema.registry.url` and the other keys of [`SchemaRegistryConfig`] | required | |
/// | `decimal.format` | `BASE64` | `NUMERIC` writes `confluent.type.Decimal` as a number |
/// | `int.for.enums` | `false` | enums as numbers |
/// | `flatten.unions` | `false` | the fields of a `oneof` among the others |
/// | `generate.index.for.unions` | `true` | `kind_0` and not `kind` for the first `oneof`, `kind` |
/// | `wrapper.for.nullables` | `false` | `google.protobuf.StringValue` and the like as their values |
/// | `optional.for.proto2` | `true` | absent `optional` fields of proto2 as null |
///
/// | Protobuf | JSON |
/// |---|---|
/// | numbers, also of 64 bits | number with all digits |
/// | `float`, `double` | the shortest number that is it; NaN and infinities as strings |
/// | `bool`, `string`, enum | boolean, string, string (`UNKNOWN_ENUM_VALUE_<enum>_<n>` for a number without a name) |
/// | `bytes` | base64 |
/// | message | object: first each `oneof`, then the fields, both in the order of the schema, by their names there |
/// | `oneof` | null, or an object with a field for each choice, null but for one |
/// | absent: `optional`, message · any other | null · its default |
/// | `repeated` · `map` with text as keys · any other map | array · object · array of pairs |
/// | `google.protobuf.Timestamp` · `google.type.Date` · `google.type.TimeOfDay` | milliseconds · days · milliseconds |
/// | `confluent.type.Decimal` | see `decimal.format` |
///
/// # Errors
/// Poison: no magic byte, a schema that the registry does not have or that is not Protobuf, a message that is not in it,
/// data that are not that message, nesting deeper than 100.
///
/// # Differences from Confluent's
/// The entries of a map are in the order of their keys. `uint64` and `fixed64` stay positive, where Java's 64 bits are
/// signed.
pub struct ProtobufConverter {
    schemas: Registered<Messages>,
    config: ProtobufConverterConfig,
    description: String,
}

impl ProtobufConverter {
    /// As the configuration says.
    ///
    /// # Errors
    /// Fatal, if the registry's client cannot be set up.
    pub fn new(config: &ProtobufConverterConfig, registry: &SchemaRegistryConfig) -> Result<Self, Error> {
        let url = describe_registry(registry);
        let keys = connect_core::config::Config::to_settings(config);
        Ok(Self {
            schemas: Registered::new(registry, Messages::parse)?,
            config: config.clone(),
            description: format!("ProtobufConverter schema.registry.url={url} {keys:?}"),
        })
    }
}

impl Converter for ProtobufConverter {
    fn decode(&self, _: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let failed = |what: schema::ProtobufError| Error::poison("read Protobuf", what);
        let (messages, payload) = self.schemas.read(bytes)?;
        let (indexes, payload) = split_indexes(payload).map_err(failed)?;
        let descriptor = messages.find(&indexes).map_err(failed)?;
        let message =
            DynamicMessage::decode(descriptor, payload).map_err(|e| Error::poison("read Protobuf", e))?;
        write::message(&message, &self.config, out).map_err(failed)?;
        Ok(Converted::Written)
    }

    fn prepare(&self, payloads: &mut dyn Iterator<Item = &[u8]>) -> Option<Preparation> {
        self.schemas.prepare(payloads)
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

impl std::fmt::Debug for ProtobufConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.description)
    }
}
