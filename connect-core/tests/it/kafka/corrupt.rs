//! Batches that are not what was written: a corrupt one is never taken for a hole.

use super::{
    cluster::{PROTOCOLS, Producing, topic, unique},
    driver::{Driver, config_at},
    proxy::Proxy,
};
use connect_core::{Class, kafka::OnDataLoss};
use std::time::{SystemTime, UNIX_EPOCH};

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

/// Stops at the second of three batches, with both protocols and whatever is to be done with data loss.
async fn the_second_is_broken(topic: &str, proxy: &Proxy, property: (&str, &str), said: &str) {
    for (protocol, loss) in [
        (PROTOCOLS[0], OnDataLoss::Stop),
        (PROTOCOLS[1], OnDataLoss::Stop),
        (PROTOCOLS[0], OnDataLoss::Continue),
    ] {
        let config = config_at(&proxy.bootstrap(), &unique("group"), topic, protocol);
        let mut driver = Driver::open(config.property(property.0, property.1).on_data_loss(loss)).await;
        let error = driver.failure().await;
        assert_eq!(error.class(), Class::Fatal, "{protocol}: {error:?}");
        let report = error.report();
        for part in [topic, "partition 0", "offset 1", said, "move the group's offset"] {
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
