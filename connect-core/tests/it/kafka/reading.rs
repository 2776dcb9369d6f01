//! What is read. The rules are in `DELIVERY.md`.

use super::cluster::topic_with;
use super::{
    cluster::{
        PROTOCOLS, Producing, bootstrap, committed, create, delete, delete_records, fill, grow, set_offset,
        topic, unique,
    },
    driver::{Driver, ROOM, config, task},
};
use bytes::Bytes;
use connect_core::{
    Class, Commit, Error, Event, Source,
    kafka::{KafkaConfig, KafkaSource, OnDataLoss, StartPosition},
};
use rdkafka::producer::Producer;
use std::time::Duration;

#[tokio::test]
async fn records_come_once_and_in_order_and_a_restart_goes_on_behind_the_commit() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("restart", 2).await, unique("group"));
        fill(&topic, 2, 1_500);
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        driver.rows(3_000).await;
        let id = driver.id(1);
        driver.commit(id, 1_000, Some("{\"note\":1}")).await.expect("committed");
        driver.close().await;
        assert_eq!(committed(&group, &topic, 2)[&1], (1_000, "{\"note\":1}".to_owned()));

        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        driver.rows(1_500 + 500).await;
        let notes: Vec<_> =
            driver.held.values().map(|assigned| (assigned.partition, assigned.note.clone())).collect();
        assert_eq!(notes, [(0, None), (1, Some("{\"note\":1}".into()))]);
        driver.close().await;
    }
}

#[tokio::test]
async fn a_preview_reads_without_joining_the_group_or_committing() {
    let (topic, group) = (topic("preview", 2).await, unique("group"));
    fill(&topic, 2, 20);
    let mut preview = Driver::preview(config(&group, &topic, "classic"));
    preview.source.open().await.expect("it opens");
    preview.rows(40).await;
    let id = preview.id(0);
    preview.commit(id, 20, None).await.expect_err("nothing is committed");
    preview.close().await;
    assert!(committed(&group, &topic, 2).is_empty());
}

#[tokio::test]
async fn a_start_position_is_committed_before_the_first_record() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("latest", 1).await, unique("group"));
        fill(&topic, 1, 10);
        let config = || config(&group, &topic, protocol).start(StartPosition::Latest);
        let mut driver = Driver::open(config()).await;
        driver.assigned(1).await;
        assert_eq!(committed(&group, &topic, 1)[&0].0, 10, "a number is committed at once");
        fill(&topic, 1, 5);
        driver.rows(5).await;
        driver.close().await;
        // Read but not committed: `latest` must not skip it.
        let mut driver = Driver::open(config()).await;
        driver.rows(5).await;
        assert_eq!(driver.rows[0].offset, 10);
        assert_eq!(driver.held.values().next().map(|assigned| assigned.note.clone()), Some(None));
        driver.close().await;
    }
}

#[tokio::test]
async fn timestamps_and_explicit_offsets_are_start_positions() {
    let topic = topic_with("starts", 2, &[("retention.ms", "-1")]).await;
    let producing = Producing::new();
    for n in 0..10 {
        for partition in 0..2 {
            let value = n.to_string();
            producing.send_full(&topic, partition, None, Some(value.as_bytes()), &[], Some(1_000 * (n + 1)));
        }
    }
    producing.flush();
    let explicit = [((topic.clone(), 0), 4)].into_iter().collect();
    for (start, expected) in [
        (StartPosition::Timestamp(3_500), [3, 3]),
        (StartPosition::Timestamp(99_000), [10, 10]),
        (StartPosition::Offsets(explicit), [4, 0]),
        (StartPosition::Earliest, [0, 0]),
        (StartPosition::Latest, [10, 10]),
    ] {
        let config = config(&unique("group"), &topic, "classic").start(start.clone());
        let mut driver = Driver::open(config).await;
        driver.assigned(2).await;
        let offsets = [0, 1].map(|partition| driver.held[&driver.id(partition)].offset);
        assert_eq!(offsets, expected, "{start:?}");
        driver.close().await;
    }
}

#[tokio::test]
async fn partitions_that_appear_later_start_at_the_earliest_offset() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("grow", 1).await, unique("group"));
        let config = config(&group, &topic, protocol)
            .start(StartPosition::Latest)
            .property("topic.metadata.refresh.interval.ms", "500");
        let mut driver = Driver::open(config).await;
        driver.assigned(1).await;
        fill(&topic, 1, 1);
        driver.rows(1).await;
        let id = driver.id(0);
        assert_eq!(driver.held[&id].partitions, Some(1));
        driver.commit(id, 1, None).await.expect("committed");
        grow(&topic, 2).await;
        let producing = Producing::new();
        producing.send(&topic, 1, "before anybody knew");
        producing.flush();
        driver
            .until("the new partition's record", ROOM, |d| d.rows.iter().any(|row| row.partition == 1))
            .await;
        assert_eq!(driver.rows.last().map(|row| row.offset), Some(0));
        assert_eq!(driver.held[&driver.id(1)].partitions, Some(2), "the topic has grown");
        driver.close().await;
    }
}

#[tokio::test]
async fn partitions_that_appear_before_anything_is_read_start_at_the_earliest_offset() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("grow-early", 1).await, unique("group"));
        fill(&topic, 1, 3);
        let config = || {
            let config = config(&group, &topic, protocol).start(StartPosition::Latest);
            config.property("topic.metadata.refresh.interval.ms", "500")
        };
        let mut driver = Driver::open(config()).await;
        driver.assigned(1).await;
        let grown = |partition: i32| {
            let producing = Producing::new();
            producing.send(&topic, partition, "before anybody knew");
            producing.flush();
        };
        grow(&topic, 2).await;
        grown(1);
        driver.rows(1).await;
        assert_eq!((driver.rows[0].partition, driver.rows[0].offset), (1, 0), "{protocol}");
        driver.close().await;
        // While nobody reads.
        grow(&topic, 3).await;
        grown(2);
        let mut driver = Driver::open(config()).await;
        driver.rows(2).await;
        driver.close().await;
    }
}

#[tokio::test]
async fn a_topic_that_appears_before_anything_is_read_starts_at_its_earliest_offset() {
    let (topic, group) = (topic("early-x", 1).await, unique("group"));
    let later = format!("{topic}0");
    let config = KafkaConfig::with_pattern(bootstrap(), &group, format!("{topic}0?"))
        .start(StartPosition::Latest)
        .property("topic.metadata.refresh.interval.ms", "300");
    let mut driver = Driver::open(config).await;
    driver.assigned(1).await;
    create(&later, 1, &[]).await;
    fill(&later, 1, 5);
    driver.rows(5).await;
    driver.close().await;
}

#[tokio::test]
async fn the_only_topic_that_appears_after_the_start_is_read_from_its_earliest_offset() {
    let (topic, group) = (unique("only"), unique("group"));
    let config = config(&group, &topic, "classic")
        .start(StartPosition::Latest)
        .property("topic.metadata.refresh.interval.ms", "2000");
    let mut driver = Driver::open(config).await;
    driver.serve_for(ROOM, Duration::from_millis(500)).await;
    create(&topic, 1, &[]).await;
    fill(&topic, 1, 5);
    driver.rows(5).await;
    driver.close().await;
}

#[tokio::test]
async fn an_offset_that_retention_has_taken_stops_with_topic_partition_offset_and_what_the_log_holds() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("retention", 1).await, unique("group"));
        fill(&topic, 1, 10);
        set_offset(&group, &topic, 0, 2, "");
        delete_records(&topic, 0, 6).await;
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        let error = driver.failure().await;
        assert_eq!(error.class(), Class::Fatal);
        let report = error.report();
        for part in [topic.as_str(), "partition 0", "offset 2", "6 to 10", "on.data.loss=continue"] {
            assert!(report.contains(part), "{report}");
        }
        driver.close().await;
        assert_eq!(committed(&group, &topic, 1)[&0].0, 2, "the offset stays");
    }
}

#[tokio::test]
async fn data_loss_may_be_counted_instead() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("gap", 1).await, unique("group"));
        fill(&topic, 1, 10);
        set_offset(&group, &topic, 0, 2, "");
        delete_records(&topic, 0, 6).await;
        let config = config(&group, &topic, protocol).on_data_loss(OnDataLoss::Continue);
        let mut driver = Driver::open(config).await;
        driver.rows(4).await;
        assert_eq!(driver.rows[0].offset, 6);
        assert!(matches!(&driver.gaps[..], [(_, range)] if *range == (2..6)), "{:?}", driver.gaps);
        driver.close().await;
    }
}

#[tokio::test]
async fn a_topic_created_again_is_noticed_and_never_read_silently_from_zero() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("again", 1).await, unique("group"));
        fill(&topic, 1, 10);
        set_offset(&group, &topic, 0, 10, "{\"note\":1}");
        delete(&topic).await;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        create(&topic, 1, &[]).await;
        fill(&topic, 1, 3);
        set_offset(&group, &topic, 0, 10, "{\"note\":1}");
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        let report = driver.failure().await.report();
        assert!(report.contains("offset 10") && report.contains("0 to 3"), "{report}");
        assert!(driver.rows.is_empty());
        driver.close().await;
        assert_eq!(committed(&group, &topic, 1)[&0], (10, "{\"note\":1}".to_owned()), "offset and note stay");

        let config = config(&group, &topic, protocol).on_data_loss(OnDataLoss::Continue);
        let mut driver = Driver::open(config).await;
        driver.rows(3).await;
        assert_eq!(driver.rows[0].offset, 0);
        assert_eq!(driver.lost.len(), 1, "a new assignment begins");
        driver.close().await;
    }
}

/// Ten records are read, the topic is deleted and created again with others, beside a member.
async fn made_again_beside(
    protocol: &str,
    policy: OnDataLoss,
    away: Duration,
    others: usize,
) -> (String, String, Driver, Option<Error>) {
    let (topic, group) = (topic("made-again", 1).await, unique("group"));
    fill(&topic, 1, 10);
    let mut driver = Driver::open(config(&group, &topic, protocol).on_data_loss(policy)).await;
    driver.rows(10).await;
    let id = driver.id(0);
    driver.commit(id, 10, Some("{\"note\":1}")).await.expect("committed");
    // So that its id is known.
    driver.serve_for(ROOM, Duration::from_millis(500)).await;
    let other = async {
        delete(&topic).await;
        tokio::time::sleep(away).await;
        create(&topic, 1, &[]).await;
        fill(&topic, 1, others);
    };
    let failed = tokio::select! {
        error = driver.failure() => Some(error),
        () = other => None,
    };
    (group, topic, driver, failed)
}

#[tokio::test]
async fn a_topic_made_again_under_a_live_member_stops_it() {
    for protocol in PROTOCOLS {
        // Empty, the offset is out of range as well.
        for (away, others) in [(0, 20), (3_000, 20), (0, 0)] {
            let (_, _, mut driver, failed) =
                made_again_beside(protocol, OnDataLoss::Stop, Duration::from_millis(away), others).await;
            let error = match failed {
                Some(error) => error,
                None => driver.failure().await,
            };
            let report = error.report();
            for part in ["made-again", "partition 0", "deleted and created again", "on.data.loss=continue"] {
                assert!(report.contains(part), "{protocol}: {report}");
            }
            driver.close().await;
        }
    }
}

#[tokio::test]
async fn a_topic_made_again_under_a_live_member_is_read_from_its_beginning_if_loss_is_allowed() {
    for protocol in PROTOCOLS {
        for away in [0, 3_000] {
            let away = Duration::from_millis(away);
            let (group, topic, mut driver, failed) =
                made_again_beside(protocol, OnDataLoss::Continue, away, 20).await;
            assert!(failed.is_none(), "{protocol}: {failed:?}");
            let all = |driver: &Driver| {
                driver.held.keys().any(|id| {
                    let rows = driver.rows.iter().filter(|row| row.id == *id).map(|row| row.offset);
                    rows.eq(0..20)
                })
            };
            driver.until("all of the new topic", ROOM, all).await;
            driver.until("the gap", ROOM, |driver| !driver.gaps.is_empty()).await;
            assert!(driver.held.values().all(|assigned| assigned.note.is_none()), "{protocol}");
            // Committing goes on in the new topic, at times after a rebalance that its deletion brought about.
            let commit = async {
                loop {
                    driver.assigned(1).await;
                    let id = driver.id(0);
                    if driver.commit(id, 20, Some("{\"note\":2}")).await.is_ok() {
                        break;
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(30), commit).await.expect("committed");
            let committed = committed(&group, &topic, 1);
            assert_eq!(committed[&0], (20, "{\"note\":2}".to_owned()), "{protocol}");
            driver.close().await;
        }
    }
}

#[tokio::test]
async fn a_commit_never_reaches_a_topic_that_was_made_again() {
    for protocol in PROTOCOLS {
        for policy in [OnDataLoss::Stop, OnDataLoss::Continue] {
            let (group, topic, mut driver, failed) =
                made_again_beside(protocol, policy, Duration::ZERO, 20).await;
            let late = Commit { id: driver.rows[0].id, offset: 15, note: Some(Bytes::from_static(b"late")) };
            driver.source.commit(vec![late]);
            if policy == OnDataLoss::Stop {
                let error = match failed {
                    Some(error) => error,
                    None => driver.failure().await,
                };
                let report = error.report();
                assert!(report.contains("deleted and created again"), "{protocol}: {report}");
            } else {
                driver.until("an answer", ROOM, |driver| !driver.committed.is_empty()).await;
                assert!(driver.committed[0].1.is_err(), "{protocol}: {:?}", driver.committed);
            }
            driver.close().await;
            let committed = committed(&group, &topic, 1);
            assert!(committed.get(&0).is_none_or(|now| now.0 != 15), "{protocol}, {policy:?}: {committed:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_partition_passes_aborted_transactions() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("aborted", 1).await, unique("group"));
        let producing = Producing::with(&[("transactional.id", &unique("tx"))]);
        let wait = Duration::from_secs(20);
        producing.producer().init_transactions(wait).expect("transactions");
        for (value, commit) in [("kept", true), ("aborted", false)] {
            producing.producer().begin_transaction().expect("a transaction");
            producing.send(&topic, 0, value);
            producing.flush();
            let ended = if commit {
                producing.producer().commit_transaction(wait)
            } else {
                producing.producer().abort_transaction(wait)
            };
            ended.expect("it ends");
        }
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        // A record, a marker, a record that was aborted, a marker.
        driver
            .until("the end", ROOM, |driver| driver.positions.values().any(|position| *position == 4))
            .await;
        assert_eq!(driver.rows.iter().map(|row| row.value.as_deref()).collect::<Vec<_>>(), [Some("kept")]);
        driver.until("ends", ROOM, |driver| driver.ends.values().any(|end| *end == 4)).await;
        driver.close().await;
    }
}

#[tokio::test]
async fn keys_values_headers_and_timestamps_arrive_as_written() {
    // Its records are from 1970: retention would take them within a second.
    let (topic, group) = (topic_with("whole", 1, &[("retention.ms", "-1")]).await, unique("group"));
    let producing = Producing::new();
    let headers: [(&str, Option<&[u8]>); 3] = [("a", Some(b"1")), ("a", None), ("b", Some(b""))];
    producing.send_full(&topic, 0, Some(b"key"), Some(b"value"), &headers, Some(42));
    producing.send_full(&topic, 0, Some(b""), None, &[], Some(43));
    producing.send_full(&topic, 0, None, Some(b""), &[], Some(44));
    producing.flush();
    let mut source = KafkaSource::new(config(&group, &topic, "classic"), &task(0));
    source.open().await.expect("it opens");
    let mut seen = Vec::new();
    while seen.len() < 3 {
        if let Event::Records(batch) = source.next(ROOM).await.expect("an event") {
            for record in batch.iter() {
                let headers: Vec<_> =
                    record.headers().map(|(k, v)| (k.to_owned(), v.map(<[u8]>::to_vec))).collect();
                let bytes = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
                seen.push((bytes(record.key()), bytes(record.value()), record.timestamp_ms(), headers));
            }
        }
    }
    let headers = headers.map(|(k, v)| (k.to_owned(), v.map(<[u8]>::to_vec))).to_vec();
    assert_eq!(seen[0], (Some(b"key".to_vec()), Some(b"value".to_vec()), Some(42), headers));
    assert_eq!(seen[1], (Some(vec![]), None, Some(43), vec![]), "a tombstone is not an empty value");
    assert_eq!(seen[2], (None, Some(vec![]), Some(44), vec![]));
    source.close().await.expect("it closes");
}

#[tokio::test]
async fn a_pattern_finds_topics_by_their_whole_name() {
    let (topic, group) = (topic("pattern-x", 1).await, unique("group"));
    let longer = format!("{topic}-longer");
    create(&longer, 1, &[]).await;
    fill(&topic, 1, 3);
    fill(&longer, 1, 3);
    // `\d` is no word of the regular expressions that librdkafka brings.
    let config = KafkaConfig::with_pattern(
        bootstrap(),
        &group,
        format!(r"{}-x-\d+", topic.split("-x-").next().unwrap_or_default()),
    )
    .property("topic.metadata.refresh.interval.ms", "300");
    let mut driver = Driver::open(config).await;
    driver.rows(3).await;
    let later = format!("{topic}0");
    create(&later, 1, &[]).await;
    fill(&later, 1, 2);
    driver.rows(5).await;
    driver.serve_for(ROOM, Duration::from_millis(500)).await;
    assert_eq!(driver.rows.len(), 5);
    driver.close().await;
}

#[tokio::test]
async fn a_partition_held_at_its_end_skips_nothing_when_it_goes_on() {
    for protocol in PROTOCOLS {
        let (topic, group) = (topic("hold-at-end", 1).await, unique("group"));
        let mut driver = Driver::open(config(&group, &topic, protocol)).await;
        for round in 1..=4 {
            fill(&topic, 1, 5);
            driver.rows(10 * round - 5).await;
            // librdkafka has seen the end of the log by then.
            driver.serve_for(ROOM, Duration::from_millis(300)).await;
            let id = driver.id(0);
            driver.source.hold(&[id], true);
            driver.serve_for(ROOM, Duration::from_millis(200)).await;
            fill(&topic, 1, 5);
            driver.source.hold(&[id], false);
            driver.rows(10 * round).await;
        }
        driver.close().await;
    }
}

#[tokio::test]
async fn held_partitions_stop_and_go_on_without_loss() {
    let (topic, group) = (topic("hold", 2).await, unique("group"));
    fill(&topic, 2, 10);
    let mut driver = Driver::open(config(&group, &topic, "classic")).await;
    driver.rows(20).await;
    let id = driver.id(0);
    driver.source.hold(&[id], true);
    driver.serve_for(ROOM, Duration::from_millis(200)).await;
    fill(&topic, 2, 10);
    driver.until("the other one", ROOM, |driver| driver.rows.len() == 30).await;
    driver.serve_for(ROOM, Duration::from_millis(300)).await;
    assert!(driver.rows[20..].iter().all(|row| row.partition == 1));
    driver.source.hold(&[id], false);
    driver.rows(40).await;
    driver.close().await;
}
