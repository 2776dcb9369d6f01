//! Kafka Connect's ideas as a Rust library: when data must leave Kafka, write a sink in 20 lines and let a runtime
//! move the offsets, never past a record whose fate is unknown.
//!
//! A [`Source`] yields records, [`Transform`]s change them, a [`Sink`] (or, for a request that answers per row, a
//! [`Bulk`]) delivers them. A [`Pipeline`] puts them together; its [`Handle`] pauses, resumes, restarts, stops, taps
//! and shows the [`Status`].
//!
#![cfg_attr(feature = "kafka", doc = "```no_run")]
#![cfg_attr(not(feature = "kafka"), doc = "```ignore")]
//! use connect_core::{Batch, Bulk, BulkConfig, Error, Outcome, Pipeline};
//! use connect_core::kafka::{KafkaConfig, KafkaSource};
//!
//! struct Print;
//!
//! #[async_trait::async_trait]
//! impl Bulk for Print {
//!     async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
//!         for record in batch.iter() {
//!             println!("{:?} {:?}", record.origin().offset, record.value());
//!         }
//!         Ok(Outcome::delivered())
//!     }
//! }
//!
//! # async fn run() -> Result<(), Error> {
//! let config = KafkaConfig::new("localhost:9092", "printer", ["orders"]);
//! let pipeline = Pipeline::builder("printer")
//!     .source(move |task| Ok(KafkaSource::new(config.clone(), task)))
//!     .bulk(BulkConfig::default(), |_| Ok(Print))
//!     .build()?
//!     .start();
//! println!("{:?}", pipeline.wait().await.counts());
//! # Ok(()) }
//! ```
//!
//! # What it refuses to do
//!
//! No cluster manager: the same pipeline started N times with one group shares the partitions. No joins, windows or
//! state stores. No silent loss: a record that can't be delivered stops the task, is skipped and counted, or goes to
//! a dead letter queue before its offset moves, as you say. No allocator, no logger and no metrics recorder are chosen
//! for you.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `kafka` | yes | source, sink and dead letter queue on librdkafka, built from source with a C compiler and make |
//! | `zstd` | yes | topics compressed with zstd; without it they yield errors only |
//! | `ssl` | no | TLS, SCRAM and OAUTHBEARER; needs OpenSSL |
//! | `gssapi` | no | Kerberos; needs Cyrus SASL |
//! | `schema-registry` | no | a client for schema registries (HTTP by reqwest with rustls), and a cache that converters share |
//! | `testing` | no | a Kafka-like log in memory, faulty sinks, a scripted HTTP server, the conformance suite |
//!
//! # Cancel safety
//!
//! Plugin authors write almost no waiting code: a sink starts jobs, and the runtime owns them. What is dropped often
//! ([`Source::next`]) says so in its contract. Every public `async fn` says what dropping its future does. Dropping a
//! [`Handle`] stops its pipeline in good order, in the background.
//!
//! # Memory
//!
//! Each task has a byte budget ([`Options::budget_bytes`]): records from reading to delivery, bodies, parts and dead
//! letters all count. At the bound nothing is read while the membership in the group is kept.
//!
//! # Stability
//!
//! Before 1.0 a minor version may break. Enums that may grow are `#[non_exhaustive]`; [`Class`] is not, on purpose.
//! The text of errors, and what [`Error::root`] downcasts to, are not part of the interface.

mod batch;
mod budget;
mod builder;
mod bulk;
mod causes;
mod chain;
pub mod config;
pub mod connector;
mod context;
mod dead_letter;
mod driven;
mod error;
pub mod file;
mod framing;
#[cfg(feature = "kafka")]
pub mod kafka;
mod outcome;
mod predicate;
mod record;
pub mod registry;
#[cfg(test)]
mod resident;
mod retry;
mod runtime;
#[cfg(feature = "schema-registry")]
pub mod schema_registry;
mod sink;
mod source;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod transform;

pub use batch::{Batch, PartitionId, Run};
pub use budget::{Budget, Permit};
pub use builder::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BatchBuilder, Entry};
pub use bulk::{Bulk, BulkConfig, BulkSink};
pub use chain::{Chain, Transformed};
pub use context::Context;
pub use dead_letter::{DeadLetters, Letter, Stage};
pub use error::{BoxError, Class, Error};
pub use framing::{Framer, Piece};
pub use outcome::Outcome;
pub use predicate::{Conditional, Predicate, TransformsConfig, read_transforms};
pub use record::{Headers, Origin, Record};
pub use retry::{Backoff, BackoffConfig};
pub use runtime::{
    Counts, Handle, Options, PartitionStatus, Pipeline, PipelineBuilder, Poison, Previewed, PreviewedRecord,
    Sample, Status, Tap, TapStage, TaskState, TaskStatus,
};
pub use sink::{Delivery, Flush, Progress, Sink};
pub use source::{Assigned, Commit, Event, Source};
pub use task::Task;
pub use transform::{Draft, Output, Preparation, Transform};
