//! The suites that every sink runs, on a cluster of the tests.

use crate::cluster::Cluster;
use async_trait::async_trait;
use connect_core::{
    BulkSink, Error,
    config::Secret,
    testing::{
        conformance::{
            pipeline,
            sink::{self, Capabilities, EmptyValues, Fault, Found, SinkHarness, Tombstones},
        },
        http::Reply,
    },
};
use connect_es::{Elasticsearch, EsConfig};
use std::time::Duration;

const PASSWORD: &str = "a-secret-of-the-tests";

struct Harness(Cluster);

impl Harness {
    async fn new() -> Self {
        Self(Cluster::start().await)
    }

    fn config(&self) -> EsConfig {
        EsConfig {
            linger: Duration::from_millis(5),
            backoff: Duration::from_millis(1),
            backoff_max: Duration::from_millis(20),
            username: Some("elastic".into()),
            password: Some(Secret::from(PASSWORD)),
            ..EsConfig::new(vec![self.0.server.url().parse().unwrap()])
        }
    }
}

#[async_trait]
impl SinkHarness for Harness {
    type Sink = BulkSink<Elasticsearch>;

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            idempotent_by_offset: true,
            tombstones: Tombstones::Rejected,
            empty_values: EmptyValues::Rejected,
            verbatim: false,
            ordered: false,
            faults: true,
            answers_per_row: true,
            retry_after: true,
            patience: Duration::from_secs(3), // here time is real
            ..Capabilities::default()
        }
    }

    async fn build(&self) -> Result<Self::Sink, Error> {
        Elasticsearch::sink(&self.config())
    }

    async fn read_back(&self) -> Vec<Found> {
        let memory = self.0.memory();
        let found = |document: &serde_json::Value| Found::from_value(document.to_string().as_bytes());
        memory.documents.values().filter_map(|(document, _)| found(document)).collect()
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        let mut memory = self.0.memory();
        if how == Fault::HalfAnswered {
            memory.halves += n;
            return;
        }
        for _ in 0..n {
            memory.requests_fail.push_back(match how {
                Fault::Busy(wait) => {
                    let wait = wait.map_or(0, |wait| wait.as_secs());
                    (false, Reply::new(429).header("retry-after", &wait.to_string()))
                }
                _ => (true, Reply::reset()),
            });
        }
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    fn exposed(&self) -> Vec<String> {
        vec![format!("{:?}", self.config()), format!("{:?}", Elasticsearch::new(&self.config()))]
    }
}

/// The suite makes a harness per check where nothing can be awaited.
fn harness() -> Harness {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Harness::new()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sink_conforms() {
    sink::run_all(harness).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_at_every_boundary_lose_nothing() {
    let report = pipeline::run_some(harness).await;
    println!("{report}");
    report.assert_passed();
}
