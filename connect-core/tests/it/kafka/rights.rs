//! Rights that are taken away from a running source and given back.

use super::{
    cluster::{PASSWORD, PROTOCOLS, USER, bootstrap, committed, fill, sasl_bootstrap, topic, unique},
    driver::{config_at, task},
};
use connect_core::{
    Class, Pipeline, Source, Task, TaskState,
    kafka::{KafkaConfig, KafkaSource},
    testing::Recording,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const TOPIC: u8 = 2;
const GROUP: u8 = 3;
const READ: u8 = 3;
const DENY: u8 = 2;
const LITERAL: u8 = 3;

/// Sends a request of version 1 and waits for its answer (rdkafka knows no ACLs).
fn request(api: u16, body: &[u8]) {
    let mut frame = [&api.to_be_bytes()[..], &[0, 1, 0, 0, 0, 7, 0xff, 0xff], body].concat();
    let size = u32::try_from(frame.len()).expect("a small request");
    frame.splice(0..0, size.to_be_bytes());
    let mut broker = TcpStream::connect(bootstrap()).expect("the broker");
    broker.write_all(&frame).expect("the request is sent");
    let mut size = [0; 4];
    broker.read_exact(&mut size).expect("an answer");
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    broker.read_exact(&mut answer).expect("an answer");
    // Correlation, pause, count, the error of the first.
    assert_eq!(answer[12..14], [0, 0], "{answer:?}");
}

fn rule(kind: u8, name: &str) -> Vec<u8> {
    let text = |text: &str| {
        let len = u16::try_from(text.len()).expect("a short text");
        [&len.to_be_bytes()[..], text.as_bytes()].concat()
    };
    let principal = text(&format!("User:{USER}"));
    [&[0, 0, 0, 1, kind][..], &text(name), &[LITERAL], &principal, &text("*"), &[READ, DENY]].concat()
}

/// Takes the right to read away: the broker lets everybody in where there is no rule.
fn deny(kind: u8, name: &str) {
    request(30, &rule(kind, name));
}

/// Gives it back.
fn allow(kind: u8, name: &str) {
    request(31, &rule(kind, name));
}

fn config(group: &str, topic: &str, protocol: &str) -> KafkaConfig {
    config_at(sasl_bootstrap(), group, topic, protocol)
        .property("topic.metadata.refresh.interval.ms", "1000")
        .property("security.protocol", "SASL_PLAINTEXT")
        .property("sasl.mechanism", "PLAIN")
        .property("sasl.username", USER)
        .property("sasl.password", PASSWORD)
}

async fn sits_out(kind: u8, protocol: &'static str) {
    let (topic, group) = (topic("rights", 1).await, unique("group"));
    fill(&topic, 1, 5);
    let (target, config) = (Recording::new(), config(&group, &topic, protocol));
    let sink = target.clone();
    let handle = Pipeline::builder("rights")
        .source(move |task| Ok(KafkaSource::new(config.clone(), task)))
        .sink(move |_| Ok(sink.sink()))
        .build()
        .expect("a pipeline")
        .start();
    let within = Duration::from_secs(60);
    let delivered = |count| handle.wait_until(move |status| status.counts().delivered >= count);
    tokio::time::timeout(within, delivered(5)).await.expect("it reads");
    let name = if kind == TOPIC { &topic } else { &group };
    deny(kind, name);
    fill(&topic, 1, 5);
    let noticed = handle.wait_until(|status| status.tasks[0].retrying.is_some());
    let status = tokio::time::timeout(within, noticed).await.expect("the status shows it");
    println!("{protocol}: {:?}", status.tasks[0].retrying);
    tokio::time::sleep(Duration::from_secs(3)).await;
    allow(kind, name);
    fill(&topic, 1, 5);
    let all = handle.wait_until(|status| status.tasks[0].partitions.iter().any(|p| p.committed == 15));
    let status = tokio::time::timeout(within, all).await.expect("it reads on");
    assert_eq!(status.tasks[0].state, TaskState::Running, "{protocol}");
    // To librdkafka a member of the newer protocol that its group refuses is at its end: only a new client goes on.
    let ends = kind == GROUP && protocol == "consumer";
    assert_eq!(status.tasks[0].restarts > 0, ends, "{protocol}: {:?}", status.tasks[0].last_error);
    let over = handle.wait_until(|status| status.tasks[0].retrying.is_none());
    tokio::time::timeout(within, over).await.expect("the status shows that it is over");
    assert_eq!(handle.shutdown().await.state(), TaskState::Stopped);
    assert_eq!(committed(&group, &topic, 1)[&0].0, 15, "{protocol}");
}

#[tokio::test]
async fn the_right_to_read_a_topic_that_is_taken_away_for_a_while_is_waited_for() {
    tokio::join!(sits_out(TOPIC, PROTOCOLS[0]), sits_out(TOPIC, PROTOCOLS[1]));
}

#[tokio::test]
async fn the_right_to_use_a_group_that_is_taken_away_for_a_while_is_waited_for() {
    tokio::join!(sits_out(GROUP, PROTOCOLS[0]), sits_out(GROUP, PROTOCOLS[1]));
}

#[tokio::test]
async fn a_right_that_is_missing_is_a_mistake_at_the_first_start_only() {
    let topic = topic("no-right", 1).await;
    deny(TOPIC, &topic);
    for (restarts, class) in [(0, Class::Fatal), (1, Class::Retriable)] {
        let config = config(&unique("group"), &topic, PROTOCOLS[0]);
        let mut source = KafkaSource::new(config, &Task { restarts, ..task(0) });
        let error = source.open().await.expect_err("refused");
        assert_eq!(error.class(), class, "{error:?}");
    }
}
