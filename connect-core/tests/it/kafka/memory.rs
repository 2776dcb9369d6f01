//! What librdkafka holds beside the budget. The rules are in `DELIVERY.md`.

use super::{
    cluster::{Producing, bootstrap, topic, unique},
    driver::{ROOM, task},
};
use connect_core::{
    Event, Source,
    kafka::{KafkaConfig, KafkaSource},
};
use rdkafka::producer::Producer;
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Bytes that one task's reader may add to its process: `KafkaConfig` states twice `queued.max.messages.kbytes`; the rest is
/// for what each message costs beside its bytes, two batches and the allocator.
const BOUND: u64 = 48 << 20;
/// Allowance for a partition beside its records. One run with 2,000 partitions held 79 MB, where few partitions hold 11 to
/// 20 MB: about 30 kB each, so part of it is covered by the slack of [`BOUND`].
const PER_PARTITION: u64 = 16 << 10;

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
    let mut read = 0;
    while read < records {
        if let Event::Records(batch) = source.next(ROOM).await.expect("an event") {
            read += batch.len();
            // Slower than librdkafka, as most sinks are: the reader waits, and fetches run ahead of it.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    println!("read {}", resident("VmHWM:").saturating_sub(before));
    source.close().await.expect("it closes");
}

/// Highest growth of the process of a reader while it reads nothing, and until it has read all `records`.
fn measure(topic: &str, records: usize) -> (u64, u64) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kafka::memory::a_reader_in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env("BOOTSTRAP", bootstrap())
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
    let (held, read) = measure(&topic, RECORDS * PARTITIONS.unsigned_abs() as usize);
    // A message takes more than 200 bytes: this is what 20,000 of them take at least, and without it the bound says nothing.
    assert!(held > 4 << 20, "{held}: it has fetched ahead");
    assert!(held < BOUND && read < BOUND, "{held} and {read} bytes");
}

/// Reads 480 MB that `codec` makes small, of values made by `value` from their number.
async fn compressed(name: &str, codec: &str, value: impl Fn(usize) -> String) {
    const PARTITIONS: i32 = 8;
    let topic = topic(name, PARTITIONS).await;
    let producing = Producing::with(&[
        ("compression.type", codec),
        ("linger.ms", "500"),
        ("batch.num.messages", "100000"),
        ("queue.buffering.max.kbytes", "65536"),
    ]);
    let (mut bytes, mut records) = (0, 0);
    while bytes < 480_000_000 {
        for partition in 0..PARTITIONS {
            let value = value(records);
            (bytes, records) = (bytes + value.len(), records + 1);
            producing.send(&topic, partition, &value);
        }
    }
    producing.flush();
    let (held, read) = measure(&topic, records);
    assert!(held < BOUND && read < BOUND, "{held} and {read} bytes");
}

/// Text that differs from record to record by its number and a word of its own of `noise` bytes.
fn text(n: usize, noise: usize) -> String {
    let mut random = n as u64 ^ 0x9E37_79B9_7F4A_7C15;
    let mut word = String::new();
    while word.len() < noise {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word.push(char::from(b'a' + (random >> 59) as u8 % 26));
    }
    format!("{{\"word\":\"{word}\",\"text\":\"{}\"}}", "all work and no play ".repeat(48))
}

#[tokio::test]
async fn a_topic_that_is_compressed_45_to_1_takes_no_more_memory_than_its_bound() {
    compressed("compressed-45", "zstd", |n| text(n, 20)).await;
}

#[tokio::test]
async fn a_topic_that_is_compressed_1000_to_1_takes_no_more_memory_than_its_bound() {
    compressed("compressed-1000", "zstd", |_| text(0, 0)).await;
}

#[tokio::test]
#[ignore = "takes two minutes, and making 2,000 partitions stalls the broker that the other tests share: run it alone"]
async fn two_thousand_partitions_take_no_more_memory_than_their_bound() {
    const PARTITIONS: i32 = 2_000;
    let topic = topic("many", PARTITIONS).await;
    let producing = Producing::with(&[("linger.ms", "500")]);
    let value = text(0, 0);
    for _ in 0..10 {
        for partition in 0..PARTITIONS {
            producing.send(&topic, partition, &value);
        }
    }
    // A broker that has just made 2,000 partitions takes its time.
    producing.producer().flush(Duration::from_secs(120)).expect("everything is written");
    let (held, read) = measure(&topic, 10 * PARTITIONS.unsigned_abs() as usize);
    let bound = BOUND + PER_PARTITION * u64::from(PARTITIONS.unsigned_abs());
    assert!(held < bound && read < bound, "{held} and {read} bytes");
}
