//! Test doubles for plugins and pipelines, and one suite that any plugin runs (feature `testing`).
//!
//! | for | there is |
//! |---|---|
//! | a source with Kafka's group semantics | [`MemoryLog`] and [`MemorySource`] |
//! | a target that answers per row | [`Recording`] and [`RecordingSink`], [`MemoryBulk`] |
//! | a target for files, with notes | [`MemoryObjects`] and [`ObjectSink`] |
//! | a dead letter queue | [`MemoryLetters`] |
//! | a server | [`http::HttpServer`] |
//! | faults on the way to a real server | [`http::FaultProxy`] |
//! | faults after so many successes | [`Faults`], with [`FaultySink`], [`FaultySource`], [`FaultyTransform`], [`FaultyLetters`] |
//! | batches without a source | [`batch`], [`Message`] |
//! | waiting without sleeping | [`Gate`] |
//!
//! # Running the suite on a plugin of one's own
//! Add `connect-core` with the feature `testing` to the development dependencies, write a harness, and call `run_all`
//! of [`conformance::sink`], [`conformance::source`] or [`conformance::transform`]. The harness of a sink is enough for
//! [`conformance::pipeline`] too, which runs it in a pipeline with faults at every boundary.
//!
//! ```
//! use async_trait::async_trait;
//! use connect_core::{BulkConfig, BulkSink, Error};
//! use connect_core::testing::{MemoryBulk, Recording, conformance::sink::{self, Capabilities, Found, SinkHarness}};
//!
//! struct Harness(Recording); // the target: it outlives every sink
//!
//! #[async_trait]
//! impl SinkHarness for Harness {
//!     type Sink = BulkSink<MemoryBulk>;
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities { ordered: false, ..Capabilities::default() } // what it can't do is declared
//!     }
//!     async fn build(&self) -> Result<Self::Sink, Error> {
//!         Ok(BulkSink::new(MemoryBulk::new(&self.0), BulkConfig::default()))
//!     }
//!     async fn read_back(&self) -> Vec<Found> {
//!         self.0.rows().iter().map(|row| Found::new(row.partition, row.offset, row.message.value.clone())).collect()
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(async {
//! sink::run_all(|| Harness(Recording::new())).await.assert_passed();
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod bench;
mod bulk;
pub mod conformance;
mod faults;
mod faulty;
mod gate;
pub mod http;
mod letters;
mod log;
mod memory;
mod message;
mod objects;
mod recording;

pub use bench::Bench;
pub use bulk::{Answer, MemoryBulk};
pub use faults::{Faults, How, Point};
pub use faulty::{FaultyLetters, FaultySink, FaultySource, FaultyTransform};
pub use gate::Gate;
pub use letters::{MemoryLetters, Written};
pub use log::{CommitFault, MemoryLog, Stored};
pub use memory::MemorySource;
pub use message::{Message, batch, batch_at};
pub use objects::{Completed, MemoryObjects, Object, ObjectSink};
pub use recording::{Attempt, Delivered, Recording, RecordingSink, WriteFault};
