//! Converters: between the bytes of a record and JSON text.

#[cfg(feature = "avro")]
mod avro;
mod config;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod decimal;
mod headers;
mod json;
#[cfg(feature = "json-schema")]
mod json_schema;
mod plain;
mod primitive;
#[cfg(feature = "protobuf")]
mod protobuf;
mod step;
mod string;
#[cfg(any(feature = "avro", feature = "protobuf", feature = "json-schema"))]
mod wire;

#[cfg(feature = "avro")]
pub use avro::{AvroConverter, AvroConverterConfig};
pub use config::{Converters, ConvertersRegistry};
pub use headers::{ConvertHeaders, SimpleHeaderConverter};
pub use json::{Envelope, JsonConverter, JsonConverterConfig};
#[cfg(feature = "json-schema")]
pub use json_schema::{JsonSchemaConverter, JsonSchemaConverterConfig};
pub use plain::ByteArrayConverter;
pub use primitive::{Primitive, PrimitiveConverter};
#[cfg(feature = "protobuf")]
pub use protobuf::{ProtobufConverter, ProtobufConverterConfig};
pub use step::Convert;
pub use string::{Encoding, StringConverter, StringConverterConfig, StringForm};
#[cfg(any(feature = "avro", feature = "protobuf"))]
pub use wire::DecimalFormat;

use connect_core::{Error, Preparation};

/// What a converter converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A record's key.
    Key,
    /// A record's value.
    Value,
}

/// What a converter has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Converted {
    /// What was appended to the buffer.
    Written,
    /// The bytes stay as they are; nothing was appended.
    Same,
    /// Null: a null key, a tombstone.
    Null,
}

/// Makes JSON text of a record's key or value, and bytes of JSON text. Null is null for all of them and is not shown to
/// a converter.
///
/// # Contract
/// As that of [`Transform`](connect_core::Transform): pure and synchronous. What has to be fetched is fetched by
/// [`prepare`](Self::prepare), which follows the rules of [`Transform::prepare`](connect_core::Transform::prepare).
///
/// # Example
/// ```
/// use connect_core::{Chain, Error, testing::{Message, batch}};
/// use connect_transforms::converters::{Convert, Converted, Converter, Of};
///
/// /// Values are a number in hexadecimal digits.
/// struct Hex;
///
/// impl Converter for Hex {
///     fn decode(&self, _: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
///         let text = std::str::from_utf8(bytes).map_err(|e| Error::poison("read a number", e))?;
///         let number = u64::from_str_radix(text, 16).map_err(|e| Error::poison("read a number", e))?;
///         out.extend_from_slice(number.to_string().as_bytes());
///         Ok(Converted::Written)
///     }
///
///     fn describe(&self) -> String {
///         "Hex".to_owned()
///     }
/// }
///
/// let chain = Chain::new(vec![std::sync::Arc::new(Convert::value(Hex))]);
/// let done = chain.apply(batch([Message::new("ff")]), 0);
/// assert_eq!(done.batch.iter().next().unwrap().value(), Some(&b"255"[..]));
/// ```
pub trait Converter: Send + Sync {
    /// Appends what `bytes` stand for as JSON text: Connect's `toConnectData` and its JSON in one.
    ///
    /// # Errors
    /// Poison: the bytes are not what this converter reads. What was appended is taken back.
    fn decode(&self, of: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error>;

    /// Appends the bytes that stand for a JSON text: Connect's `fromConnectData`. The default refuses.
    ///
    /// # Errors
    /// Poison: no bytes of this converter stand for this JSON.
    fn encode(&self, of: Of, json: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let _unused = (of, json, out);
        Err(Error::poison("write a record", "this converter only reads"))
    }

    /// What must be fetched before these keys or values can be converted; nothing by default.
    fn prepare(&self, payloads: &mut dyn Iterator<Item = &[u8]>) -> Option<Preparation> {
        let _unused = payloads;
        None
    }

    /// What it does, complete enough that an equal text means equal results.
    fn describe(&self) -> String;
}
