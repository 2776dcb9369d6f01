#![doc = include_str!("../README.md")]

mod client;
mod config;
mod connect_pattern;
mod error;
mod file;
mod format;
mod naming;
mod note;
mod open_range;
mod partition;
mod partitioner;
mod pending;
mod plugin;
mod range;
mod recovery;
mod room;
mod sink;
mod turn;

pub use config::{Checksum, CosConfig, OnDataLoss, OnNull, OnRevoke};
pub use plugin::register;
pub use sink::CosSink;
pub use turn::Done;
