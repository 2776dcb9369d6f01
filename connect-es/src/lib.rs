#![doc = include_str!("../README.md")]

mod buffer;
mod bulk;
mod check;
mod client;
mod config;
mod document;
mod error;
mod growth;
mod plugin;
mod replay;
mod sink;
mod writers;

pub use config::{EsConfig, NodeUrl, OnMalformed, OnNull, OnReplay, Version, WriteMethod};
pub use plugin::register;
pub use sink::{Elasticsearch, EsSink};
