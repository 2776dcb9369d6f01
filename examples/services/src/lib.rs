//! Starts and stops real servers without containers: Kafka, Elasticsearch and OpenSearch.
//!
//! For tests, benches and people on machines that have Java and Maven and no container engine. Everything blocks:
//! call it from `#[test]` functions, or inside `spawn_blocking` when a runtime must go on.
//!
//! ```no_run
//! let mut kafka = services::Kafka::start()?;
//! let elasticsearch = services::Elasticsearch::start()?;
//! println!("{} {}", kafka.bootstrap(), elasticsearch.url());
//! kafka.kill()?; // as a power cut would
//! kafka.restart()?; // the same ports, the same data
//! # Ok::<(), services::Error>(())
//! ```
//!
//! # Life and death
//!
//! A handle owns its server: dropping it kills the process and removes the temporary data. The server also holds a
//! pipe to the process that started it and halts when that one goes, so a test killed by SIGKILL leaves nothing
//! behind. That also covers a `static` `LazyLock<Kafka>` shared by a whole test binary, which is never dropped.
//! [`KafkaBuilder::detached`] and [`SearchBuilder::detached`] turn both off, for servers that people use.
//!
//! # Where the programs come from
//!
//! Maven fetches the jars once, over the pom files in `poms/`, into `$CONNECT_SERVICES_CACHE` (default
//! `$XDG_CACHE_HOME/connect-services`, then `~/.cache/connect-services`). Any number of processes may do so at once.

mod cache;
mod error;
pub mod http;
mod jdk;
mod jvm;
mod kafka;
mod pid;
mod ports;
mod search;

pub use error::Error;
pub use kafka::{Kafka, KafkaBuilder};
pub use pid::Pid;
pub use search::{
    Elasticsearch, Elasticsearch8, Elasticsearch9, Engine, OpenSearch, OpenSearch3, Search, SearchBuilder,
    engine,
};

/// What every call of this crate answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;
