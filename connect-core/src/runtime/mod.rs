//! The runtime: one loop per task that waits, one state that decides, one supervisor that starts again.
//!
//! See `DESIGN.md` beside this file for the commit protocol and the rejected alternatives.

mod blueprint;
mod counts;
mod driver;
mod handle;
mod ledger;
mod letterbox;
mod metrics;
mod options;
mod partition;
mod pipeline;
mod preparing;
mod preview;
mod state;
mod status;
mod supervisor;
mod tap;
mod tracker;

pub(crate) use blueprint::{SinkFactory, SourceFactory};
pub use counts::Counts;
pub use handle::Handle;
pub use options::{Options, Poison};
pub use pipeline::{Pipeline, PipelineBuilder};
pub use preview::{Previewed, PreviewedRecord};
pub use status::{PartitionStatus, Status, TaskState, TaskStatus};
pub use tap::{Sample, Tap, TapStage};
