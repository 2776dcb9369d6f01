//! Batches that are not what was written: a corrupt one is never taken for a hole.

use super::{
    cluster::{PROTOCOLS, Producing, bootstrap, topic, unique},
    driver::{Driver, ROOM, config_at},
    proxy::Proxy,
};
use connect_core::{Class, kafka::OnDataLoss};
use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

/// From the first time in a batch's header to a byte of its packed records, behind the header of gzip.
const TO_PACKED: usize = 34 + 12;

/// One batch per value, so that one of them can be corrupt. Returns the topic and the times of the batches, by which their
/// headers are known.
async fn batches(name: &str, compression: &str, values: &[String]) -> (String, Vec<i64>) {
    let topic = topic(name, 1).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("before the year 292 million");
    let times: Vec<i64> = (now - 3..now).collect();
    for (value, time) in values.iter().zip(&times) {
        let producing = Producing::with(&[("compression.type", compression)]);
        producing.send_full(&topic, 0, None, Some(value.as_bytes()), &[], Some(*time));
        producing.flush();
    }
    (topic, times)
}

/// Stops at the second of three batches, with both protocols.
async fn the_second_is_broken(topic: &str, proxy: &Proxy, property: (&str, &str), said: &str) {
    for protocol in PROTOCOLS {
        let config = config_at(&proxy.bootstrap(), &unique("group"), topic, protocol);
        let mut driver = Driver::open(config.property(property.0, property.1)).await;
        let error = driver.failure().await;
        assert_eq!(error.class(), Class::Fatal, "{protocol}: {error:?}");
        let report = error.report();
        for part in
            [topic, "partition 0", "offset 1", said, "move the group's offset", "on.data.loss=continue"]
        {
            assert!(report.contains(part), "{protocol}: {report}");
        }
        assert_eq!(driver.rows.iter().map(|row| row.offset).collect::<Vec<_>>(), [0], "{protocol}");
        assert!(driver.positions.values().all(|position| *position == 1), "{protocol}: it is no hole");
        driver.close().await;
    }
}

#[tokio::test]
async fn a_batch_with_a_wrong_checksum_is_never_taken_for_a_hole() {
    let values = ["first", "second", "third"].map(str::to_owned);
    let (topic, _) = batches("crc", "none", &values).await;
    let proxy = Proxy::start().await;
    proxy.corrupt(b"second", 3);
    the_second_is_broken(&topic, &proxy, ("check.crcs", "true"), "BadMessage").await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_unpacked_is_never_taken_for_a_hole() {
    // Long enough to be worth the packing.
    let values = ["first", "second", "third"].map(|name| format!("{name}{}", "-".repeat(400)));
    let (topic, times) = batches("unpack", "gzip", &values).await;
    let proxy = Proxy::start().await;
    proxy.corrupt(&times[1].to_be_bytes(), TO_PACKED);
    the_second_is_broken(&topic, &proxy, ("check.crcs", "false"), "BadCompression").await;
    passes(&topic, &proxy, PROTOCOLS[0], &[0, 2], &[Range { start: 1, end: 2 }]).await;
}

/// Goes on behind what is corrupt, with exactly these records and gaps.
async fn passes(topic: &str, proxy: &Proxy, protocol: &str, offsets: &[i64], gaps: &[Range<i64>]) {
    let config = config_at(&proxy.bootstrap(), &unique("group"), topic, protocol);
    let config = config.property("check.crcs", "true").on_data_loss(OnDataLoss::Continue);
    let mut driver = Driver::open(config).await;
    driver.rows(offsets.len()).await;
    driver.until("gaps", ROOM, |driver| driver.gaps.len() >= gaps.len()).await;
    assert_eq!(driver.rows.iter().map(|row| row.offset).collect::<Vec<_>>(), offsets, "{protocol}");
    let found: Vec<Range<i64>> = driver.gaps.iter().map(|(_, offsets)| offsets.clone()).collect();
    assert_eq!(found, gaps, "{protocol}");
    driver.close().await;
}

/// Batches of so many records, in one partition. Those of the numbers `bad` hold `broken`.
async fn batches_of(name: &str, sizes: &[usize], bad: &[usize]) -> String {
    let topic = topic(name, 1).await;
    for (number, size) in sizes.iter().enumerate() {
        let producing = Producing::with(&[("linger.ms", "1000"), ("compression.type", "none")]);
        let value: &[u8] = if bad.contains(&number) { b"broken" } else { b"whole" };
        (0..*size).for_each(|_| producing.send_full(&topic, 0, None, Some(value), &[], None));
        producing.flush();
    }
    topic
}

#[tokio::test]
async fn with_data_loss_allowed_exactly_the_corrupt_batches_are_lost() {
    let topic = batches_of("pass", &[3, 7, 2, 5, 1, 4], &[1, 3, 4]).await;
    let proxy = Proxy::start().await;
    proxy.corrupt(b"broken", 3);
    for protocol in PROTOCOLS {
        let kept = [0, 1, 2, 10, 11, 18, 19, 20, 21];
        passes(&topic, &proxy, protocol, &kept, &[3..10, 12..17, 17..18]).await;
    }
}

#[tokio::test]
async fn a_corrupt_batch_at_the_end_of_the_log_is_lost_and_what_comes_later_is_read() {
    let topic = batches_of("pass-end", &[2, 6], &[1]).await;
    let (proxy, group) = (Proxy::start().await, unique("group"));
    proxy.corrupt(b"broken", 3);
    let config = config_at(&proxy.bootstrap(), &group, &topic, "classic");
    let config = config.property("check.crcs", "true").on_data_loss(OnDataLoss::Continue);
    let mut driver = Driver::open(config).await;
    driver.until("gap", ROOM, |driver| !driver.gaps.is_empty()).await;
    assert_eq!((driver.gaps[0].1.clone(), driver.rows.len()), (2..8, 2));
    let producing = Producing::with(&[]);
    producing.send_full(&topic, 0, None, Some(b"late"), &[], None);
    producing.flush();
    driver.rows(3).await;
    assert_eq!((driver.rows[2].offset, driver.gaps.len()), (8, 1));
    driver.close().await;
}

#[tokio::test]
async fn what_is_corrupt_on_the_way_only_is_whole_after_a_new_start() {
    let values = ["first", "second", "third"].map(str::to_owned);
    let (topic, _) = batches("on-the-way", "none", &values).await;
    let (proxy, group) = (Proxy::start().await, unique("group"));
    proxy.corrupt(b"second", 3);
    let config = || config_at(&proxy.bootstrap(), &group, &topic, "classic").property("check.crcs", "true");
    let mut driver = Driver::open(config()).await;
    driver.failure().await;
    driver.close().await;
    proxy.heal();
    let mut driver = Driver::open(config()).await;
    driver.rows(3).await;
    assert!(driver.gaps.is_empty());
    driver.close().await;
}

#[tokio::test]
async fn with_data_loss_allowed_nothing_is_lost_that_is_whole_when_it_is_fetched_again() {
    let topic = batches_of("pass-way", &[2, 6, 1], &[1]).await;
    let proxy = Proxy::start().await;
    proxy.corrupt_in(1, b"broken", 3);
    passes(&topic, &proxy, PROTOCOLS[0], &(0..9).collect::<Vec<_>>(), &[]).await;
}

/// One batch packed with zstd, of `records` records of 50 KB that pack well.
async fn large_batch(name: &str, records: usize) -> String {
    let topic = topic(name, 1).await;
    let producing = Producing::with(&[
        ("compression.type", "zstd"),
        ("linger.ms", "20000"),
        ("batch.size", "900000000"),
        ("batch.num.messages", "2000"),
        ("message.max.bytes", "900000000"),
        ("queue.buffering.max.kbytes", "1000000"),
    ]);
    let value = "GET /index.html 200 ".repeat(2_500);
    let value = format!("{{\"log\":\"{value}\"}}");
    (0..records).for_each(|_| producing.send(&topic, 0, &value));
    producing.flush();
    topic
}

#[tokio::test]
async fn an_intact_batch_of_60_mb_unpacked_is_read() {
    let topic = large_batch("large", 1_260).await;
    let mut driver = Driver::open(config_at(bootstrap(), &unique("group"), &topic, "classic")).await;
    driver.rows(1_260).await;
    driver.close().await;
}

#[tokio::test]
async fn an_intact_batch_that_a_property_keeps_from_being_unpacked_is_never_taken_for_corrupt() {
    let topic = large_batch("too-large", 120).await;
    for policy in [OnDataLoss::Stop, OnDataLoss::Continue] {
        let config = config_at(bootstrap(), &unique("group"), &topic, "classic").on_data_loss(policy);
        let config = config.property("receive.message.max.bytes", "5000000");
        let mut driver = Driver::open(config).await;
        let report = driver.failure().await.report();
        for part in ["intact", "receive.message.max.bytes", "5000000", &topic, "partition 0", "offset 0"] {
            assert!(report.contains(part), "{report}");
        }
        assert!(!report.contains("on.data.loss") && driver.gaps.is_empty(), "{report}");
        driver.close().await;
    }
}
