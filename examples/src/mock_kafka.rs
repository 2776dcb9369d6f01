//! A Kafka broker within the process: librdkafka's mock cluster.

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use std::{fmt, time::Duration};

/// A broker on a port of 127.0.0.1, and a producer for it. Topics, groups, offsets and their metadata work; what was
/// written is gone when this is dropped.
pub struct MockKafka {
    producer: ThreadedProducer<DefaultProducerContext>,
    bootstrap: String,
}

impl MockKafka {
    /// Starts a broker with one topic.
    ///
    /// # Errors
    /// What librdkafka says.
    pub fn start(topic: &str, partitions: i32) -> Result<Self, KafkaError> {
        // The producer owns the cluster and is configured to talk to it.
        let producer: ThreadedProducer<_> =
            ClientConfig::new().set("test.mock.num.brokers", "1").set("linger.ms", "5").create()?;
        let cluster =
            producer.client().mock_cluster().ok_or(KafkaError::MockCluster(RDKafkaErrorCode::Fail))?;
        cluster.create_topic(topic, partitions, 1)?;
        let bootstrap = cluster.bootstrap_servers();
        drop(cluster); // only a view of what the producer owns
        Ok(Self { producer, bootstrap })
    }

    /// Where it listens, for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Queues a record; [`flush`](Self::flush) waits until it is written.
    ///
    /// # Errors
    /// If the queue is full.
    pub fn send(&self, topic: &str, partition: i32, value: &str) -> Result<(), KafkaError> {
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value);
        self.producer.send(record).map_err(|(error, _)| error)
    }

    /// Waits until all that was sent is written. Blocks.
    ///
    /// # Errors
    /// If that takes more than 10 s.
    pub fn flush(&self) -> Result<(), KafkaError> {
        self.producer.flush(Duration::from_secs(10))
    }
}

impl fmt::Debug for MockKafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockKafka").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}
