//! Whole pipelines against a real broker, a real Elasticsearch, a directory and an S3 server, while things break.
//!
//! ```text
//! cargo test -p examples --test chaos                             # tier 1: each fault once, under 5 minutes
//! CONNECT_TIER=2 cargo test --release -p examples --test chaos    # tier 2: the minutes-long forms, ten times the size
//! ```
//!
//! The pipelines run in child processes, which are this binary again (`worker.rs`): they can be killed, frozen and
//! measured. `CHAOS_SEED=<number>` repeats the moments of a run; each run prints its own.

mod child;
mod cluster;
mod kills;
mod objects;
mod outages;
mod producer;
mod rebalance;
mod records;
mod s3;
mod search;
mod shipped;
mod spec;
mod stall;
mod tier;
mod worker;

/// What the limits of memory are measured with, here as in the example binaries.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
