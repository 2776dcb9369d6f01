//! What librdkafka holds beside the budget. The rules are in `DELIVERY.md`.

use super::{
    cluster::{Producing, bootstrap, create_at, topic, unique},
    driver::{ROOM, task},
};
use connect_core::{
    Event, Source,
    kafka::{KafkaConfig, KafkaSource},
};
use rdkafka::producer::Producer;
use services::Kafka;
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Bytes that one task's reader may add to its process: `KafkaConfig` states twice `queued.max.messages.kbytes`; the rest is
/// for what each message costs beside its bytes, two batches and the allocator.
const BOUND: u64 = 48 << 20;
/// What `KafkaConfig` states for a partition beside its records. One run with 2,000 partitions held 79 MB, where few
/// partitions hold 11 to 20 MB.
const PER_PARTITION: u64 = 32 << 10;

fn resident(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process has a status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib << 10
}

/// Reads nothing while librdkafka fetches what it may, then reads everything, in a process of its own.
#[tokio::test]
#[ignore = "run by the tests below, which look at the memory of its process"]
async fn a_reader_in_a_process_of_its_own() {
    let var = |name: &str| std::env::var(name).expect("set by the tests below");
    let records: usize = var("RECORDS").parse().expect("a number");
    let config = KafkaConfig::new(var("BOOTSTRAP"), var("GROUP"), [var("TOPIC")]);
    let mut source = KafkaSource::new(config, &task(0));
    let before = resident("VmRSS:");
    source.open().await.expect("it opens");
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
    let (mut read, deadline) = (0, tokio::time::Instant::now() + Duration::from_secs(120));
    while read < records {
        let event = tokio::time::timeout_at(deadline, source.next(ROOM)).await;
        let event = event.unwrap_or_else(|_| panic!("{read} of {records} records"));
        if let Event::Records(batch) = event.expect("an event") {
            read += batch.len();
            // Slower than librdkafka, as most sinks are: the reader waits, and fetches run ahead of it.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    println!("read {}", resident("VmHWM:").saturating_sub(before));
    source.close().await.expect("it closes");
}

/// Highest growth of the process of a reader while it reads nothing, and until it has read all `records`.
fn measure(bootstrap: &str, topic: &str, records: usize) -> (u64, u64) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kafka::memory::a_reader_in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env("BOOTSTRAP", bootstrap)
        .env("GROUP", unique("group"))
        .env("TOPIC", topic)
        .env("RECORDS", records.to_string())
        // glibc keeps what is freed otherwise, which says nothing of what is held.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
        line.trim().parse().expect("a number")
    };
    let (held, read) = (figure("held"), figure("read"));
    println!("held {held}, read {read}");
    (held, read)
}

#[tokio::test]
async fn small_records_take_no_more_memory_than_their_bound() {
    // More than librdkafka may hold of each partition, by far.
    const RECORDS: usize = 120_000;
    const PARTITIONS: i32 = 8;
    let topic = topic("small", PARTITIONS).await;
    let producing = Producing::with(&[("linger.ms", "50"), ("batch.num.messages", "100000")]);
    for n in 0..RECORDS {
        for partition in 0..PARTITIONS {
            producing.send(&topic, partition, &format!("{n:020}"));
        }
    }
    producing.flush();
    let (held, read) = measure(bootstrap(), &topic, RECORDS * PARTITIONS.unsigned_abs() as usize);
    // A message takes more than 200 bytes: this is what 20,000 of them take at least, and without it the bound says nothing.
    assert!(held > 4 << 20, "{held}: it has fetched ahead");
    assert!(held < BOUND && read < BOUND, "{held} and {read} bytes");
}

/// About a kilobyte that differs from record to record in nothing.
fn text() -> String {
    format!("{{\"text\":\"{}\"}}", "all work and no play ".repeat(48))
}

#[tokio::test]
async fn a_topic_that_is_compressed_1000_to_1_takes_no_more_memory_than_its_bound() {
    const PARTITIONS: i32 = 8;
    let topic = topic("compressed-1000", PARTITIONS).await;
    let producing = Producing::with(&[
        ("compression.type", "zstd"),
        ("linger.ms", "500"),
        ("batch.num.messages", "100000"),
        ("queue.buffering.max.kbytes", "65536"),
    ]);
    // 480 MB as they are read.
    let value = text();
    let each = 480_000_000 / value.len() / PARTITIONS.unsigned_abs() as usize;
    for _ in 0..each {
        (0..PARTITIONS).for_each(|partition| producing.send(&topic, partition, &value));
    }
    producing.flush();
    let (held, read) = measure(bootstrap(), &topic, each * PARTITIONS.unsigned_abs() as usize);
    assert!(held < BOUND && read < BOUND, "{held} and {read} bytes");
}

/// The `CONNECT_TIER=2` form has 2,000 partitions and takes two minutes.
#[tokio::test]
async fn many_partitions_take_no_more_memory_than_the_bound_and_the_term_of_each() {
    let tier_2 = std::env::var("CONNECT_TIER").is_ok_and(|tier| tier == "2");
    let partitions: i32 = if tier_2 { 2_000 } else { 300 };
    // Making so many stalls a broker: this one is nobody else's.
    let kafka = Kafka::builder().start().expect("a broker");
    let producing = Producing::with(&[("bootstrap.servers", kafka.bootstrap()), ("linger.ms", "500")]);
    let (topic, value) = ("many", text());
    create_at(kafka.bootstrap(), topic, partitions).await;
    for _ in 0..10 {
        (0..partitions).for_each(|partition| producing.send(topic, partition, &value));
    }
    producing.producer().flush(Duration::from_secs(240)).expect("everything is written");
    let partitions = partitions.unsigned_abs();
    let (held, read) = measure(kafka.bootstrap(), topic, 10 * partitions as usize);
    let bound = BOUND + PER_PARTITION * u64::from(partitions);
    assert!(held < bound && read < bound, "{held} and {read} bytes of {bound}");
}
