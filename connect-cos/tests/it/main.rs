//! The sink as its users see it, against a directory and an S3 server.

#![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod conformance;
mod cos_server;
mod fault_target;
mod faults;
mod memory;
mod refusals;
mod s3;
mod server;

use connect_core::Task;

/// The only task of a pipeline, at its first start.
fn task() -> Task {
    Task { pipeline: "p".into(), number: 0, of: 1, restarts: 0, transforms: Some("".into()), preview: false }
}
