//! The Kafka sink.

use super::{
    check::is_topic,
    names::NAMES,
    producer::{self, Outgoing, Writer},
};
use crate::{Batch, Bulk, Error, Outcome, Record, config::Passthrough};
use async_trait::async_trait;
use std::fmt;

/// The configuration of a [`KafkaSink`].
///
/// Any librdkafka property can be set by [`property`](Self::property), but for those that are ours (`acks` is always
/// `all`). Where nothing is set, librdkafka's defaults hold, except for:
///
/// | property | here | why |
/// |---|---|---|
/// | `enable.idempotence` | `true` | retries neither repeat nor reorder; set `false` for targets without it |
/// | `message.timeout.ms` | 30,000 | a record is given back before the request around it times out |
/// | `partitioner` | `murmur2_random` | equal keys go where Kafka's Java clients send them |
///
/// `Debug` shows no secrets.
#[derive(Clone, Debug)]
pub struct KafkaSinkConfig {
    pub(crate) bootstrap: String,
    pub(crate) topic: Option<String>,
    properties: Passthrough,
}

impl KafkaSinkConfig {
    /// Writes to the cluster of the brokers `bootstrap` (`host:port`, separated by commas), each record to the topic
    /// it carries.
    #[must_use]
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self { bootstrap: bootstrap.into(), topic: None, properties: Passthrough::default() }
    }

    /// Writes all records to this topic. Default: each to its own.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    pub(super) fn properties(self, properties: Passthrough) -> Self {
        Self { properties, ..self }
    }

    /// Sets a librdkafka property, checked when the sink is made.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set_among(NAMES, name, value);
        self
    }
}

/// Writes records to Kafka with key, value, headers and timestamp as they are; a tombstone stays a tombstone.
///
/// # Durability
/// A row is delivered when all replicas in sync have it.
///
/// # Ordering
/// Rows with equal keys stay in order: they are not in flight together. Rows without a key do if no requests are, by
/// [`BulkConfig::in_flight_max`](crate::BulkConfig::in_flight_max) of 1; so the plugin of this name has it.
///
/// # Errors
/// A record that is too large, or whose topic has no valid name, is poison. Everything else is tried again.
pub struct KafkaSink {
    topic: Option<String>,
    writer: Writer,
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl KafkaSink {
    /// Checks the configuration. Nothing is connected before [`Bulk::open`].
    ///
    /// # Errors
    /// Fatal: everything that is wrong with the configuration.
    pub fn new(config: KafkaSinkConfig) -> Result<Self, Error> {
        let problem = |topic: &String| {
            format!("`{topic}` is no name of a topic: use letters, digits, `.`, `_` and `-`")
        };
        let problems = config.topic.iter().filter(|topic| !is_topic(topic)).map(problem).collect();
        let client =
            producer::client("configure the kafka sink", &config.bootstrap, &config.properties, problems)?;
        Ok(Self { topic: config.topic, writer: Writer::new(client, config.properties) })
    }
}

#[async_trait]
impl Bulk for KafkaSink {
    async fn open(&self) -> Result<(), Error> {
        self.writer.open(self.topic.clone(), false).await
    }

    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        let rows = batch.iter().map(|record| Outgoing {
            topic: self.topic.as_deref().unwrap_or(record.topic()),
            key: record.key(),
            value: record.value(),
            timestamp_ms: record.timestamp_ms(),
            headers: producer::headers(record.headers(), None),
        });
        Ok(self.writer.write(rows.collect()).await?.into_iter().collect())
    }

    fn order_key<'a>(&self, record: Record<'a>) -> Option<&'a [u8]> {
        record.key()
    }
}
