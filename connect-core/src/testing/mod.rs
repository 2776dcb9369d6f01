//! Test doubles for plugins and pipelines.

mod gate;
pub mod http;
mod log;
mod memory;
mod message;
mod recording;

pub use gate::Gate;
pub use log::{CommitFault, MemoryLog, Stored};
pub use memory::MemorySource;
pub use message::{Message, batch, batch_at};
pub use recording::{Delivered, Recording, RecordingSink};
