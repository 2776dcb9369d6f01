//! Kafka: a source, a sink and a dead letter queue, over librdkafka. Nothing else in this crate names it.

mod batch_queue;
mod check;
mod commits;
mod config;
mod context;
mod errors;
mod fill;
mod mailbox;
mod names;
mod reader;
mod rebalance;
mod source;
mod start;
mod table;

pub use config::{KafkaConfig, OnDataLoss, StartPosition, Topics};
pub use source::KafkaSource;
