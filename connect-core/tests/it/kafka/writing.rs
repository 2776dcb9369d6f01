//! The sink and the dead letter queue. The rules are in `DELIVERY.md`.

use super::{
    cluster::{bootstrap, delete, topic, topic_with, unique},
    driver::{ROOM, config, task},
};
use connect_core::{
    Batch, BatchBuilder, Bulk, Class, DeadLetters, Entry, Error, Event, Letter, PartitionId, Source, Stage,
    kafka::{
        KafkaConfig, KafkaDeadLetters, KafkaDeadLettersConfig, KafkaSink, KafkaSinkConfig, KafkaSource,
        TooLarge,
    },
};
use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A time that neither retention nor the broker's check of timestamps minds.
static NOW_MS: LazyLock<i64> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the year 292 million")
});

/// A record with its headers, to be written.
type Written<'a> = (Entry<'a>, &'a [(&'a str, Option<&'a [u8]>)]);

/// Key, value, timestamp and headers.
type Whole = (Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>, Vec<(String, Option<Vec<u8>>)>);

async fn read(topic: &str, count: usize) -> Vec<Whole> {
    let mut source = KafkaSource::new(config(&unique("group"), topic, "classic"), &task(0));
    source.open().await.expect("it opens");
    let mut seen = Vec::new();
    while seen.len() < count {
        let event = tokio::time::timeout(Duration::from_secs(30), source.next(ROOM)).await;
        let event = event.expect("all records come").expect("an event");
        if let Event::Records(batch) = event {
            let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            seen.extend(batch.iter().map(|record| {
                let headers = record.headers().map(|(name, value)| (name.to_owned(), owned(value))).collect();
                (owned(record.key()), owned(record.value()), record.timestamp_ms(), headers)
            }));
        }
    }
    source.close().await.expect("it closes");
    seen
}

fn batch(entries: &[Written<'_>], topic: &str) -> Batch {
    let mut builder = BatchBuilder::new();
    for (entry, headers) in entries {
        builder.push(PartitionId::new(0, 1), &topic.into(), 0, *entry, headers.iter().copied());
    }
    builder.finish()
}

fn letter(value: &[u8]) -> Letter {
    let entry = Entry { offset: 7, timestamp_ms: Some(*NOW_MS), key: Some(b"k"), value: Some(value) };
    let batch = batch(&[(entry, &[("h", Some(b"1")), ("n", None)])], "origin");
    Letter {
        record: batch.iter().next().expect("a record").detach(),
        stage: Stage::TaskPut,
        error: Error::poison("index the document", "mapper_parsing_exception"),
        failed: vec![],
        pipeline: "to-es".into(),
        task: 0,
    }
}

#[tokio::test]
async fn the_sink_writes_records_as_they_are() {
    // The records are from 1970: retention by time would take them.
    let topic = topic_with("sink", 1, &[("retention.ms", "-1")]).await;
    let sink = KafkaSink::new(KafkaSinkConfig::new(bootstrap()).topic(&topic)).expect("a sink");
    sink.open().await.expect("it opens");
    let entries: [Written<'_>; 2] = [
        (
            Entry { offset: 0, timestamp_ms: Some(1_000), key: Some(b"k"), value: Some(b"v") },
            &[("a", Some(b"1")), ("a", None)],
        ),
        (Entry { offset: 1, timestamp_ms: Some(2_000), key: Some(b""), value: None }, &[]),
    ];
    let outcome = sink.write(&batch(&entries, "origin")).await.expect("written");
    assert!(outcome.into_rows().expect("answers").iter().all(Result::is_ok));
    let headers = vec![("a".to_owned(), Some(b"1".to_vec())), ("a".to_owned(), None)];
    assert_eq!(
        read(&topic, 2).await,
        [
            (Some(b"k".to_vec()), Some(b"v".to_vec()), Some(1_000), headers),
            (Some(vec![]), None, Some(2_000), vec![])
        ]
    );
}

#[tokio::test]
async fn a_record_that_is_too_large_is_poison_and_its_neighbours_are_written() {
    let topic = topic_with("large", 1, &[("max.message.bytes", "2000")]).await;
    let sink = KafkaSink::new(KafkaSinkConfig::new(bootstrap()).topic(&topic).property("linger.ms", "0"));
    let sink = sink.expect("a sink");
    let large = vec![b'x'; 5_000];
    // On its own, because the broker refuses batches.
    let outcome = sink.write(&batch(&[(Entry { value: Some(&large), ..Entry::default() }, &[])], "o")).await;
    let rows = outcome.expect("answered").into_rows().expect("answers");
    assert_eq!(rows[0].as_ref().map_err(Error::class), Err(Class::Poison));
    let outcome =
        sink.write(&batch(&[(Entry { value: Some(b"small"), ..Entry::default() }, &[])], "o")).await;
    assert!(outcome.expect("answered").into_rows().expect("answers")[0].is_ok());
}

#[tokio::test]
async fn a_topic_that_does_not_exist_stops_the_sink_before_the_first_record() {
    let sink = KafkaSink::new(KafkaSinkConfig::new(bootstrap()).topic("never-created")).expect("a sink");
    let error = sink.open().await.expect_err("no topic");
    assert_eq!(error.class(), Class::Fatal);
    assert!(error.report().contains("never-created"), "{}", error.report());
}

#[tokio::test]
async fn a_letter_is_the_original_with_connects_headers_behind_its_own() {
    let topic = unique("letters");
    let letters = KafkaDeadLetters::new(KafkaDeadLettersConfig::new(bootstrap(), &topic).create(1, 1));
    let letters = letters.expect("a queue");
    letters.open().await.expect("it opens and creates the topic");
    letters.open().await.expect("a topic that exists is fine");
    let results = letters.write(&[letter(b"{}"), letter(b"second")]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let seen = read(&topic, 2).await;
    let (key, value, timestamp, headers) = &seen[0];
    assert_eq!(
        (key.as_deref(), value.as_deref(), *timestamp),
        (Some(&b"k"[..]), Some(&b"{}"[..]), Some(*NOW_MS))
    );
    assert_eq!(headers[..2], [("h".to_owned(), Some(b"1".to_vec())), ("n".to_owned(), None)]);
    let get = |name: &str| headers.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.clone());
    assert_eq!(get("__connect.errors.topic"), Some(b"origin".to_vec()));
    assert_eq!(get("__connect.errors.offset"), Some(b"7".to_vec()));
    assert_eq!(headers.len(), 12);
    delete(&topic).await;
}

#[tokio::test]
async fn a_letter_that_is_too_large_stops_the_task_or_goes_without_its_value() {
    let topic = topic_with("small-letters", 1, &[("max.message.bytes", "3000")]).await;
    let config = || KafkaDeadLettersConfig::new(bootstrap(), &topic).property("linger.ms", "0");
    let large = vec![b'x'; 10_000];
    let letters = KafkaDeadLetters::new(config()).expect("a queue");
    let results = letters.write(&[letter(&large)]).await;
    assert_eq!(results[0].as_ref().map_err(Error::class), Err(Class::Fatal));

    let letters = KafkaDeadLetters::new(config().too_large(TooLarge::HeadersOnly)).expect("a queue");
    let results = letters.write(&[letter(&large)]).await;
    assert!(results[0].is_ok(), "{results:?}");
    let (key, value, _, headers) = read(&topic, 1).await.remove(0);
    assert_eq!((key, value), (None, None));
    assert!(headers.iter().any(|(name, _)| name == "__connect.errors.omitted.bytes"));
    assert!(headers.iter().any(|(name, _)| name == "__connect.errors.exception.message"));
}

#[tokio::test]
async fn letters_can_do_without_idempotence() {
    let topic = topic("plain-letters", 1).await;
    let config = KafkaDeadLettersConfig::new(bootstrap(), &topic).property("enable.idempotence", "false");
    let letters = KafkaDeadLetters::new(config).expect("a queue");
    assert!(letters.write(&[letter(b"{}")]).await[0].is_ok());
}

#[test]
fn a_source_that_would_read_its_own_letters_is_refused() {
    let letters = KafkaDeadLettersConfig::new("a:1, b:2", "orders-letters");
    let error =
        letters.check_source(&KafkaConfig::with_pattern("B:2,c:3", "g", "orders.*")).expect_err("a loop");
    assert!(error.report().contains("orders-letters"), "{}", error.report());
    letters.check_source(&KafkaConfig::with_pattern("c:3", "g", "orders.*")).expect("another cluster");
    letters.check_source(&KafkaConfig::new("a:1", "g", ["orders"])).expect("another topic");
}
