//! What librdkafka holds of very small records. The rules are in `DELIVERY.md`.

use super::{
    cluster::{Producing, bootstrap, topic, unique},
    driver::{ROOM, task},
};
use connect_core::{
    Event, Source,
    kafka::{KafkaConfig, KafkaSource},
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// More than librdkafka may hold of each partition, by far.
const RECORDS: usize = 120_000;
const PARTITIONS: i32 = 8;
/// Twice what was measured for 20,000 messages of each partition, which `KafkaConfig` allows, and what a fetch brings beyond.
/// With librdkafka's own settings it is more.
const BOUND: u64 = 48 << 20;

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib << 10
}

/// Reads nothing while librdkafka fetches what it may, in a process of its own.
#[tokio::test]
#[ignore = "run by the test below, which looks at the memory of its process"]
async fn a_reader_of_small_records() {
    let var = |name: &str| std::env::var(name).expect("set by the test below");
    let config = KafkaConfig::new(var("BOOTSTRAP"), var("GROUP"), [var("TOPIC")]);
    let mut source = KafkaSource::new(config, &task(0));
    source.open().await.expect("it opens");
    let before = resident("VmRSS:");
    // Until it has fetched what it may: on a busy machine that takes its time.
    let (mut peak, mut grown) = (before, Instant::now());
    while grown.elapsed() < Duration::from_secs(3) {
        let _ = tokio::time::timeout(Duration::from_millis(100), source.next(0)).await;
        let now = resident("VmHWM:");
        if now > peak {
            (peak, grown) = (now, Instant::now());
        }
    }
    println!("held {}", resident("VmHWM:").saturating_sub(before));
    let mut read = 0;
    while read < RECORDS * PARTITIONS.unsigned_abs() as usize {
        if let Event::Records(batch) = source.next(ROOM).await.expect("an event") {
            read += batch.len();
        }
    }
    println!("read {}", resident("VmHWM:").saturating_sub(before));
    source.close().await.expect("it closes");
}

#[tokio::test]
async fn small_records_take_no_more_memory_than_their_bound() {
    let topic = topic("small", PARTITIONS).await;
    let producing = Producing::with(&[("linger.ms", "50"), ("batch.num.messages", "100000")]);
    for n in 0..RECORDS {
        for partition in 0..PARTITIONS {
            producing.send(&topic, partition, &format!("{n:020}"));
        }
    }
    producing.flush();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kafka::small::a_reader_of_small_records", "--ignored", "--nocapture"])
        .env("BOOTSTRAP", bootstrap())
        .env("GROUP", unique("group"))
        .env("TOPIC", &topic)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
        line.trim().parse().expect("a number")
    };
    let (held, read) = (figure("held"), figure("read"));
    println!("held {held}, read {read}");
    // A message takes more than 200 bytes: this is what 20,000 of them take at least, and without it the bound says nothing.
    assert!(held > 4 << 20, "{held}: it has fetched ahead");
    assert!(held < BOUND && read < BOUND, "{held} and {read} bytes");
}
