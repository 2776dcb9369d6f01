//! Kafka: a source, a sink and a dead letter queue, over librdkafka. Nothing else in this crate names it.

mod batch_queue;
mod check;
mod client;
mod commits;
mod config;
mod context;
mod dead_letters;
mod errors;
mod fill;
mod keys;
mod made_again;
mod mailbox;
mod names;
mod producer;
mod reach;
mod reader;
mod rebalance;
mod search;
mod sink;
mod source;
mod start;
mod table;
mod topic_ids;
mod window;

pub use config::{KafkaConfig, OnDataLoss, StartPosition, Topics};
pub use dead_letters::{KafkaDeadLetters, KafkaDeadLettersConfig, TooLarge};
pub use keys::{
    ConsumerConfig, DataLoss, KafkaLettersConfig, KafkaSourceConfig, KafkaTargetConfig, Oversized,
    ProducerConfig, TargetProducerConfig,
};
pub use sink::{KafkaSink, KafkaSinkConfig};
pub use source::KafkaSource;
