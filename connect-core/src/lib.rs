//! Kafka Connect's ideas as a Rust library.
//!
//! A [`Source`] yields records, [`Transform`]s change them, a [`Sink`] delivers them, and a runtime moves the
//! offsets, never past a record whose fate is unknown.

mod batch;
mod budget;
mod builder;
mod bulk;
mod chain;
pub mod config;
mod context;
mod dead_letter;
mod driven;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
mod outcome;
mod record;
pub mod registry;
mod retry;
mod runtime;
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
pub use outcome::Outcome;
pub use record::{Headers, Origin, Record};
pub use retry::{Backoff, BackoffConfig};
pub use runtime::{
    Counts, Handle, Options, PartitionStatus, Pipeline, PipelineBuilder, Poison, Previewed, PreviewedRecord,
    Sample, Status, Tap, TapStage, TaskState, TaskStatus,
};
pub use sink::{Delivery, Flush, Progress, Sink};
pub use source::{Assigned, Commit, Event, Source};
pub use task::Task;
pub use transform::{Draft, Output, Transform};
