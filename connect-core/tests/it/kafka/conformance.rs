//! The suite that every source runs, on the real broker.

use super::{cluster, driver};
use async_trait::async_trait;
use connect_core::{
    Error,
    kafka::{KafkaConfig, KafkaSource},
    testing::conformance::{
        Verdict,
        source::{self, Capabilities, SourceHarness, run_all},
    },
};
use std::time::Duration;

const PARTITIONS: i32 = 2;

struct Harness {
    config: KafkaConfig,
    topic: String,
    producer: cluster::Producing,
}

impl Harness {
    /// The suite makes a harness per check where nothing can be awaited.
    fn new(protocol: &str, assignor: Option<&str>) -> Self {
        let topic = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(cluster::topic("conformance", PARTITIONS))
        });
        let group = cluster::unique("conformance");
        let config = driver::config(&group, &topic, protocol).revoke_timeout(Duration::from_secs(1));
        let config = match assignor {
            Some(assignor) => config.property("partition.assignment.strategy", assignor),
            None => config,
        };
        Self { config, topic, producer: cluster::Producing::new() }
    }
}

#[async_trait]
impl SourceHarness for Harness {
    type Source = KafkaSource;

    async fn build(&self) -> Result<KafkaSource, Error> {
        Ok(KafkaSource::new(self.config.clone(), &driver::task(0)))
    }

    async fn append(&self, values: &[String]) {
        values.iter().for_each(|value| self.producer.send(&self.topic, 0, value));
        self.producer.flush();
    }

    async fn append_to_each(&self, value: &str) {
        (0..PARTITIONS).for_each(|partition| self.producer.send(&self.topic, partition, value));
        self.producer.flush();
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { groups: true, patience: Duration::from_secs(10), ..Capabilities::default() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_keeps_the_contract_with_cooperative_rebalances() {
    run_all(|| Harness::new("classic", None)).await.assert_passed();
}

/// The checks about members, with an assignor that takes the whole assignment away at each rebalance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_keeps_the_contract_with_eager_rebalances() {
    let harness = || Harness::new("classic", Some("roundrobin"));
    for check in [
        source::a_second_member_gets_its_share(&harness()).await,
        source::a_held_partition_that_was_released_is_read_when_it_comes_back(&harness()).await,
        source::a_held_partition_that_was_lost_is_read_when_it_comes_back(&harness()).await,
    ] {
        assert_eq!(check, Ok(Verdict::Passed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_keeps_the_contract_with_the_consumer_protocol() {
    run_all(|| Harness::new("consumer", None)).await.assert_passed();
}
