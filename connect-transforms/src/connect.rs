//! Kafka Connect's single message transforms and predicates, by their names and keys.

mod cast;
mod decimal;
mod describe;
mod edit;
mod envelope;
mod extract;
mod fieldwise;
mod flat;
mod header_from;
mod headers;
mod hoist;
mod insert;
mod mask;
mod metadata;
mod missing;
mod named;
mod number;
mod path;
mod predicates;
mod read;
mod regex;
mod register;
mod replace;
mod routers;
mod schema;
mod text;
mod timestamp;
mod to_key;
mod value;

pub use cast::{Cast, CastConfig};
pub(crate) use envelope::Plans;
pub use envelope::Schemas;
pub use extract::{ExtractField, ExtractFieldConfig};
pub(crate) use flat::{Flat, Left, see_flat};
pub use header_from::{HeaderFrom, HeaderFromConfig, HeaderOperation};
pub use headers::{DropHeaders, DropHeadersConfig, Filter, InsertHeader, InsertHeaderConfig};
pub use hoist::{HoistField, HoistFieldConfig};
pub use insert::{InsertField, InsertFieldConfig};
pub use mask::{MaskField, MaskFieldConfig};
pub use metadata::{SetSchemaMetadata, SetSchemaMetadataConfig};
pub use missing::Missing;
pub use path::FieldSyntax;
pub use predicates::{
    HasHeaderKey, HasHeaderKeyConfig, RecordIsTombstone, TopicNameMatches, TopicNameMatchesConfig,
};
pub use register::register_predicates;
pub(crate) use register::register_transforms;
pub use replace::{ReplaceField, ReplaceFieldConfig};
pub use routers::{RegexRouter, RegexRouterConfig, TimestampRouter, TimestampRouterConfig};
pub(crate) use schema::Schema;
pub use text::OptionalText;
pub use timestamp::{
    PatternStyle, TimestampConverter, TimestampConverterConfig, TimestampType, UnixPrecision,
};
pub use to_key::{ValueToKey, ValueToKeyConfig};
pub(crate) use value::Raw;
