//! Real servers, really started: slow, and needs Java, Maven and Go.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do: by panicking")]

mod command;
mod kafka;
mod minio;
mod orphan;
mod search;
