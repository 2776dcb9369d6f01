//! JSON, with and without Connect's envelope of schema and payload.

use super::{Converted, Converter, Of};
use crate::json::{
    SyntaxError,
    members::{find, members},
    object::Member,
};
use connect_core::Error;

connect_core::choices! {
    /// What becomes of the envelope of schema and payload.
    pub enum Envelope {
        /// Only the payload goes on.
        Strip = "strip",
        /// Both go on: what transforms need that work by the schema.
        Keep = "keep",
    }
}

connect_core::config! {
    /// JSON to and from bytes: Connect's JsonConverter.
    pub struct JsonConverterConfig {
        /// Whether each record is an envelope of `schema` and `payload`.
        "schemas.enable" => schemas: bool = true, importance: High;
        /// What becomes of that envelope; not in Connect, whose records carry their schema beside them.
        "envelope" => envelope: Envelope = Envelope::Strip;
        /// Whether a payload that is null becomes the default value that its schema has.
        "replace.null.with.default" => replace_null: bool = true, importance: Low;
    }
}

/// `org.apache.kafka.connect.json.JsonConverter`: bytes are JSON.
///
/// | key | default | |
/// |---|---|---|
/// | `schemas.enable` | `true` | whether each record is an envelope `{"schema":…,"payload":…}` and nothing else |
/// | `envelope` | `strip` | `keep` leaves the envelope for transforms that work by the schema |
/// | `replace.null.with.default` | `true` | whether a null payload becomes its schema's default |
///
/// `{"schema":{"type":"int32"},"payload":42}` becomes `42`. With `schemas.enable=false` the text stays as it is, byte for
/// byte; `null` and an empty text become null, as in Connect. Back, a text becomes the payload of an envelope without a
/// schema, or stays as it is.
///
/// # Errors
/// Poison: no JSON; with `schemas.enable` no envelope, in Kafka's words; a null payload whose schema is not optional.
///
/// # Differences from Kafka
/// Text behind the JSON value is an error and not ignored. A payload goes on as it stands: whether it fits its schema
/// is not checked, defaults inside it are not filled in, and its numbers keep their text.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonConverter(JsonConverterConfig);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    // Kafka's words.
    #[error(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."
    )]
    NoEnvelope,
    #[error("Schema must contain 'type' field")]
    NoType,
    #[error("Invalid null value for required {0} field")]
    Null(String),
}

impl JsonConverter {
    /// As the configuration says.
    #[must_use]
    pub fn new(config: JsonConverterConfig) -> Self {
        Self(config)
    }

    /// Plain JSON: `schemas.enable=false`.
    #[must_use]
    pub fn schemaless() -> Self {
        Self(JsonConverterConfig { schemas: false, ..JsonConverterConfig::default() })
    }

    fn read(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Wrong> {
        let text = std::str::from_utf8(bytes).map_err(|e| SyntaxError::Utf8(e.valid_up_to()))?;
        if !self.0.schemas {
            if text.trim_ascii().is_empty() {
                return Ok(Converted::Null);
            }
            members(text)?;
            return Ok(if text.trim_ascii() == "null" { Converted::Null } else { Converted::Same });
        }
        let members = members(text)?.filter(|members| is_envelope(text, members)).ok_or(Wrong::NoEnvelope)?;
        let part = |name| find(text, &members, name).ok_or(Wrong::NoEnvelope);
        let payload = part("payload")?;
        if payload == "null" {
            return self.null(part("schema")?, out);
        }
        if self.0.envelope == Envelope::Keep {
            return Ok(Converted::Same);
        }
        out.extend_from_slice(payload.as_bytes());
        Ok(Converted::Written)
    }

    /// What a null payload becomes: the default of its schema, or null if that is allowed.
    fn null(&self, schema: &str, out: &mut Vec<u8>) -> Result<Converted, Wrong> {
        if schema == "null" {
            return Ok(Converted::Null);
        }
        let members = members(schema)?.ok_or(Wrong::NoType)?;
        let kind = find(schema, &members, "type").and_then(|kind| kind.strip_prefix('"')?.strip_suffix('"'));
        let kind = kind.ok_or(Wrong::NoType)?;
        let default = find(schema, &members, "default").filter(|default| *default != "null");
        match default.filter(|_| self.0.replace_null) {
            Some(default) if self.0.envelope == Envelope::Keep => {
                out.extend_from_slice(format!(r#"{{"schema":{schema},"payload":{default}}}"#).as_bytes());
                Ok(Converted::Written)
            }
            Some(default) => {
                out.extend_from_slice(default.as_bytes());
                Ok(Converted::Written)
            }
            None if find(schema, &members, "optional") == Some("true") => Ok(Converted::Null),
            None => Err(Wrong::Null(connect_type(kind))),
        }
    }
}

/// Exactly a schema and a payload.
fn is_envelope(text: &str, members: &[Member]) -> bool {
    members.iter().all(|member| member.is(text, "schema") || member.is(text, "payload"))
}

/// The name of a type in Connect's messages.
fn connect_type(kind: &str) -> String {
    match kind {
        "float" => "FLOAT32".to_owned(),
        "double" => "FLOAT64".to_owned(),
        other => other.to_ascii_uppercase(),
    }
}

impl Converter for JsonConverter {
    fn decode(&self, _: Of, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        self.read(bytes, out).map_err(|wrong| Error::poison("read JSON", wrong))
    }

    fn encode(&self, _: Of, json: &[u8], out: &mut Vec<u8>) -> Result<Converted, Error> {
        let failed = |wrong: SyntaxError| Error::poison("write JSON", wrong);
        if !self.0.schemas {
            return Ok(Converted::Same);
        }
        let text = std::str::from_utf8(json).map_err(|e| failed(SyntaxError::Utf8(e.valid_up_to())))?;
        let envelope = members(text).map_err(failed)?;
        if envelope.is_some_and(|members| members.len() == 2 && is_envelope(text, &members)) {
            return Ok(Converted::Same);
        }
        out.extend_from_slice(br#"{"schema":null,"payload":"#);
        out.extend_from_slice(json);
        out.push(b'}');
        Ok(Converted::Written)
    }

    fn describe(&self) -> String {
        let JsonConverterConfig { schemas, envelope, replace_null } = self.0;
        format!(
            "JsonConverter schemas.enable={schemas} envelope={envelope} replace.null.with.default={replace_null}"
        )
    }
}
