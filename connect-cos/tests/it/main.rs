//! The sink as its users see it, against a directory and an S3 server.

#![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod conformance;
mod memory;
mod s3;
mod server;
