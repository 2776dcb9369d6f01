//! Schemas from a registry that speaks Confluent's API, for converters that must not wait.
//!
//! A record names its schema by a number. A converter is a [`Transform`](crate::Transform), which is synchronous, so
//! it divides the work: in [`prepare`](crate::Transform::prepare) it hands the numbers of a batch to
//! [`Schemas::prepare`], which fetches those that are not known yet; in [`apply`](crate::Transform::apply) it asks
//! [`Schemas::get`], which never waits.
//!
//! ```
//! use connect_core::{Batch, Error, Output, Preparation, Record, Transform, schema_registry::Schemas};
//!
//! /// Records that begin with the number of their schema.
//! struct Converter(Schemas<String>);
//!
//! fn id(record: Record<'_>) -> Option<u32> {
//!     record.value()?.first_chunk().map(|id| u32::from_be_bytes(*id))
//! }
//!
//! impl Transform for Converter {
//!     fn prepare(&self, batch: &Batch) -> Option<Preparation> {
//!         self.0.prepare(batch.iter().filter_map(id))
//!     }
//!
//!     fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
//!         let Some(id) = id(record) else { return Ok(out.keep(record)) };
//!         let schema = self.0.get(id)?;
//!         out.derive(record).value(Some(schema.as_bytes())).emit();
//!         Ok(())
//!     }
//! }
//! ```

mod cache;
mod client;
mod config;

pub use cache::Schemas;
pub use client::{Lookup, SchemaRegistry};
pub use config::{BearerSource, CredentialsSource, RegistryUrl, SchemaRegistryConfig};

/// The language of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaKind {
    /// Avro, also where the registry names none.
    Avro,
    /// Protobuf.
    Protobuf,
    /// JSON Schema.
    Json,
    /// Something else, as the registry names it.
    Other(String),
}

impl SchemaKind {
    fn parse(name: Option<&str>) -> Self {
        match name {
            None | Some("AVRO") => Self::Avro,
            Some("PROTOBUF") => Self::Protobuf,
            Some("JSON") => Self::Json,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

impl std::fmt::Display for SchemaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Avro => "AVRO",
            Self::Protobuf => "PROTOBUF",
            Self::Json => "JSON",
            Self::Other(name) => name,
        })
    }
}

/// A schema as it is registered, with all that it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// Its number.
    pub id: u32,
    /// Its language.
    pub kind: SchemaKind,
    /// The schema.
    pub text: String,
    /// What it refers to, also indirectly: each once, and behind what it refers to itself.
    pub references: Vec<Reference>,
}

/// A schema that another one refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name that it has in the one that refers to it: the name of an Avro type, the path of a Protobuf import.
    pub name: String,
    /// The schema.
    pub text: String,
}
