//! Kafka to objects in Tencent COS, in S3 or in a directory, as one configuration file says; each record ends up in
//! exactly one object, whatever crashes. Ctrl-C completes open objects and commits.
//!
//! ```text
//! cargo run -p services -- start     # a real Kafka, if you have none
//! cargo run --release --bin kafka-to-cos -- examples/config/kafka-to-cos.properties
//! ```
//!
//! Exit codes: 0 stopped in good order, 1 failed, 2 the configuration cannot be used and standard error says why.

use examples::app;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    app::run("Object", connect_cos::register).await
}
