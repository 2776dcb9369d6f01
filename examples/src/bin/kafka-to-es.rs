//! Kafka to Elasticsearch or OpenSearch, as one configuration file says. Ctrl-C delivers and commits what was read.
//!
//! ```text
//! cargo run -p services -- start     # a real Kafka and a real Elasticsearch, if you have none
//! cargo run --release --bin kafka-to-es -- examples/config/kafka-to-es.properties
//! ```
//!
//! Exit codes: 0 stopped in good order, 1 failed, 2 the configuration cannot be used and standard error says why.

use examples::app;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    app::run("Elasticsearch", connect_es::register).await
}
