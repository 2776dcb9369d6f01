//! Real servers, really started: slow, and needs Java and Maven.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do: by panicking")]

mod command;
mod kafka;
mod orphan;
mod search;
