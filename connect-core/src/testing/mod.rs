//! Test doubles for plugins and pipelines.

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
