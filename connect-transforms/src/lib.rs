#![doc = include_str!("../README.md")]

mod connect;
pub mod converters;
mod error;
mod filter_by_path;
mod flatten;
mod java_date;
mod json;
mod jsonpath;
mod key_wrap;
mod part;
mod pattern;
pub mod processing;
mod register;
mod route_by_field;
mod unwrap;

pub use connect::{
    Cast, CastConfig, DropHeaders, DropHeadersConfig, ExtractField, ExtractFieldConfig, FieldSyntax, Filter,
    HasHeaderKey, HasHeaderKeyConfig, HeaderFrom, HeaderFromConfig, HeaderOperation, HoistField,
    HoistFieldConfig, InsertField, InsertFieldConfig, InsertHeader, InsertHeaderConfig, MaskField,
    MaskFieldConfig, Missing, OptionalText, PatternStyle, RecordIsTombstone, RegexRouter, RegexRouterConfig,
    ReplaceField, ReplaceFieldConfig, Schemas, SetSchemaMetadata, SetSchemaMetadataConfig,
    TimestampConverter, TimestampConverterConfig, TimestampRouter, TimestampRouterConfig, TimestampType,
    TopicNameMatches, TopicNameMatchesConfig, UnixPrecision, ValueToKey, ValueToKeyConfig,
    register_predicates,
};
pub use filter_by_path::{FilterByPath, FilterByPathConfig, FilterType, OnMissingOrNull};
pub use flatten::{Arrays, Collisions, EmptyObjects, Flatten, FlattenConfig};
pub use jsonpath::{JsonPath, JsonPathError};
pub use key_wrap::{InvalidUtf8, KeyWrap, KeyWrapConfig};
pub use processing::{DataProcessing, DataProcessingConfig};
pub use register::register;
pub use route_by_field::{OnMissing, RouteByField, RouteByFieldConfig};
pub use unwrap::{DeleteHandling, ExtractNewRecordState, UnwrapConfig};

#[doc(hidden)]
pub mod testing;
