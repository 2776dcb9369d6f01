//! Pipelines in memory, and the Kafka plugins against a real broker.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "testing")]
mod pipeline;
#[cfg(feature = "testing")]
mod preparing;
