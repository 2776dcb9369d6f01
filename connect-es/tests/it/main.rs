//! The Elasticsearch sink against a scripted server, and against a real node.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod conformance;
mod faults;
mod proxied;
mod real;
mod replay;
mod scripted;
mod wire;
