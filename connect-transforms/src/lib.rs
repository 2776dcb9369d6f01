#![doc = include_str!("../README.md")]

mod error;
mod flatten;
#[allow(dead_code, reason = "what Kafka's timestamp transforms are built on, which follow")]
mod java_date;
mod json;
mod jsonpath;
mod key_wrap;
mod part;
mod pattern;
pub mod processing;
mod register;

pub use flatten::{Arrays, Flatten, FlattenConfig};
pub use jsonpath::{JsonPath, JsonPathError};
pub use key_wrap::{InvalidUtf8, KeyWrap, KeyWrapConfig};
pub use processing::{DataProcessing, DataProcessingConfig};
pub use register::register;
