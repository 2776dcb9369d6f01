//! The examples, run as people run them: as processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config;
mod embed;
mod kafka_to;
mod preview;
mod process;
mod quickstart;
