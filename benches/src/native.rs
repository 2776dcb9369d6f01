//! Everything of the benches that is not safe Rust, behind safe interfaces: librdkafka's batch call on one
//! forwarded queue, the counting allocator, and the process's own CPU time.
#![expect(unsafe_code, reason = "C calls that no safe wrapper offers; each block names the rule that holds")]

mod alloc;
mod cpu;
mod queue;

pub use alloc::{Counting, allocations, count_allocations};
pub use cpu::cpu_time;
pub use queue::{ForwardedQueue, Message, Messages};
