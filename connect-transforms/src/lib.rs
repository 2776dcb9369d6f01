#![doc = include_str!("../README.md")]

mod error;
mod flatten;
#[allow(dead_code, reason = "what Kafka's timestamp transforms are built on, which follow")]
mod java_date;
mod json;
mod key_wrap;
mod part;
mod register;

pub use flatten::{Arrays, Flatten, FlattenConfig};
pub use key_wrap::{InvalidUtf8, KeyWrap, KeyWrapConfig};
pub use register::register;
