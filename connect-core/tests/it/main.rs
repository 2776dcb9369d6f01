//! Pipelines in memory, and the Kafka plugins against a real broker.

#[cfg(feature = "testing")]
mod pipeline;
