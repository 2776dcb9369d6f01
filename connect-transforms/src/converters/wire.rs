//! Confluent's wire format, and what the converters by a schema registry share.

use connect_core::{
    Error, Preparation,
    config::Config,
    schema_registry::{RegisteredSchema, SchemaRegistry, SchemaRegistryConfig, Schemas},
};
use std::sync::Arc;

#[cfg(any(feature = "avro", feature = "protobuf"))]
connect_core::choices! {
    /// How decimals are written, as `decimal.format` of Connect's JsonConverter.
    pub enum DecimalFormat {
        /// As a string: base64 of the unscaled number in two's complement, the greatest byte first.
        Base64 = "BASE64",
        /// As a number, with all its digits.
        Numeric = "NUMERIC",
    }
}

/// What is wrong with the beginning of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("{0} bytes, where a magic byte and the number of a schema take 5")]
    Short(usize),
    // The first two words are Confluent's.
    #[error("Unknown magic byte! It is {0}, and 0 begins a record with the number of its schema")]
    Magic(u8),
}

/// The number of the schema, and what follows it.
pub(super) fn split(bytes: &[u8]) -> Result<(u32, &[u8]), WireError> {
    match bytes {
        [0, a, b, c, d, rest @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), rest)),
        [magic, ..] if *magic != 0 => Err(WireError::Magic(*magic)),
        _ => Err(WireError::Short(bytes.len())),
    }
}

/// The schemas of one converter.
pub(super) struct Registered<P>(Schemas<P>);

impl<P: Send + Sync + 'static> Registered<P> {
    pub(super) fn new(
        config: &SchemaRegistryConfig,
        parse: impl Fn(&RegisteredSchema) -> Result<P, String> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Ok(Self(Schemas::new(SchemaRegistry::new(config)?, config.cache_size, parse)))
    }

    pub(super) fn prepare(&self, payloads: &mut dyn Iterator<Item = &[u8]>) -> Option<Preparation> {
        self.0.prepare(payloads.filter_map(|bytes| split(bytes).ok().map(|(id, _)| id)))
    }

    /// The schema of a record, and its payload.
    pub(super) fn read<'a>(&self, bytes: &'a [u8]) -> Result<(Arc<P>, &'a [u8]), Error> {
        let (id, payload) = split(bytes).map_err(|e| Error::poison("read the number of a schema", e))?;
        Ok((self.0.get(id)?, payload))
    }
}

/// What a registry's configuration means for the result: where ids are looked up.
pub(super) fn describe_registry(config: &SchemaRegistryConfig) -> String {
    config.to_settings().get("schema.registry.url").cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_begins_with_zero_and_the_number_of_its_schema() {
        assert_eq!(split(&[0, 0, 0, 1, 2, 9]), Ok((258, &[9][..])));
        assert_eq!(split(&[0, 255, 255, 255, 255]), Ok((u32::MAX, &[][..])));
        assert_eq!(split(&[0, 1, 2, 3]), Err(WireError::Short(4)));
        assert_eq!(split(&[]), Err(WireError::Short(0)));
        assert_eq!(split(&[1, 0, 0, 0, 1]), Err(WireError::Magic(1)));
        assert_eq!(split(b"{}"), Err(WireError::Magic(b'{')));
    }
}
