//! Create-only publishing on S3, small objects and objects of several parts.

use crate::{
    server::{BUCKET, KEY, SECRET, Server},
    task,
};
use bytes::Bytes;
use connect_core::{
    Assigned, Budget, Class, Error, Flush, PartitionId, Progress, Task,
    config::{ByteSize, Secret},
    testing::{Bench, batch_at},
};
use connect_cos::{CosConfig, CosSink};
use std::{sync::atomic::Ordering, time::Duration};

const NAME: &str = "topics/test/partition=0/test+0+0000000000-0.json";

fn config(server: &Server) -> CosConfig {
    CosConfig {
        endpoint: Some(server.url.clone()),
        access_key: Some(Secret::from(KEY)),
        secret_key: Some(Secret::from(SECRET)),
        part_size: ByteSize::mib(5),
        backoff: Duration::from_millis(5),
        ..CosConfig::new(format!("s3://{BUCKET}"))
    }
}

async fn bench(server: &Server, note: Option<Bytes>) -> Bench<CosSink> {
    let mut bench = Bench::new(CosSink::new(config(server), &task()).unwrap(), Budget::new(64 << 20));
    bench.open().await.unwrap();
    let id = PartitionId::new(0, 1);
    bench
        .assigned(&[Assigned { id, topic: "test".into(), partition: 0, offset: 0, note, partitions: None }])
        .unwrap();
    bench
}

/// `records` values of `size` bytes, and what the object has to hold.
fn values(records: usize, size: usize) -> (Vec<String>, String) {
    let values: Vec<String> =
        (0..records).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(size))).collect();
    let text = values.iter().map(|value| format!("{value}\n")).collect();
    (values, text)
}

/// Delivers everything, and returns the note that stood.
async fn deliver(bench: &mut Bench<CosSink>, values: Vec<String>) -> Result<Option<Bytes>, Error> {
    bench.put(batch_at("test", 0, 0, values))?;
    bench.flush(Flush::Now)?;
    let mut note = None;
    loop {
        match tokio::time::timeout(Duration::from_secs(30), bench.progress()).await.unwrap()? {
            Progress::Note(id, bytes) => {
                note = Some(bytes);
                bench.noted(id)?;
            }
            Progress::Durable(..) => return Ok(note),
            _ => {}
        }
    }
}

async fn read(server: &Server) -> String {
    tokio::fs::read_to_string(server.dir().join(NAME)).await.unwrap()
}

/// Small, and of three parts.
const SIZES: [(usize, usize); 2] = [(3, 10), (12, 1 << 20)];

#[tokio::test]
async fn a_range_becomes_an_object_and_a_rebuild_finds_it() {
    for (records, size) in SIZES {
        let server = Server::start(true);
        let (lines, text) = values(records, size);
        let note = deliver(&mut bench(&server, None).await, lines.clone()).await.unwrap();
        assert!(read(&server).await == text);
        let completions = server.faults.completions.load(Ordering::SeqCst);
        // The commit was lost: the next instance finds the note, and the object that carries its id.
        assert!(note.is_some());
        deliver(&mut bench(&server, note).await, lines).await.unwrap();
        assert!(read(&server).await == text);
        assert_eq!(
            server.faults.completions.load(Ordering::SeqCst),
            completions,
            "nothing is uploaded again"
        );
    }
}

#[tokio::test]
async fn an_object_of_another_note_is_a_conflict_that_names_it() {
    for (records, size) in SIZES {
        let server = Server::start(true);
        let (lines, text) = values(records, size);
        deliver(&mut bench(&server, None).await, lines.clone()).await.unwrap();
        // Somebody may have made it while this process hung: the first conflict only starts the task again.
        let error = deliver(&mut bench(&server, None).await, lines.clone()).await.unwrap_err();
        assert_eq!(error.class(), Class::Retriable);
        assert!(error.report().contains(NAME), "{}", error.report());
        // The note still stands then, so the partition is ours and the object is not.
        let note = deliver(&mut bench(&Server::start(true), None).await, lines.clone()).await.unwrap();
        let error = deliver(&mut bench(&server, note).await, lines).await.unwrap_err();
        assert_eq!(error.class(), Class::Fatal);
        assert!(error.report().contains(NAME), "{}", error.report());
        assert!(read(&server).await == text);
    }
}

#[tokio::test]
async fn lost_answers_and_busy_servers_neither_lose_nor_repeat() {
    for (records, size) in SIZES {
        let server = Server::start(true);
        let (lines, text) = values(records, size);
        let mut bench = bench(&server, None).await;
        server.faults.lose_answers.store(3, Ordering::SeqCst);
        server.faults.busy.store(2, Ordering::SeqCst);
        deliver(&mut bench, lines).await.unwrap();
        assert!(read(&server).await == text);
    }
}

#[tokio::test]
async fn a_store_that_overwrites_is_refused_at_the_start() {
    let server = Server::start(false);
    let mut bench = Bench::new(CosSink::new(config(&server), &task()).unwrap(), Budget::new(1 << 20));
    let error = bench.open().await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    assert!(error.report().contains("overwrote"), "{}", error.report());
}

#[tokio::test]
async fn wrong_credentials_are_fatal_at_the_start_and_stay_secret() {
    let server = Server::start(true);
    let wrong = CosConfig { secret_key: Some(Secret::from("hunter2-hunter2")), ..config(&server) };
    let mut bench = Bench::new(CosSink::new(wrong, &task()).unwrap(), Budget::new(1 << 20));
    let error = bench.open().await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    assert!(!error.report().contains("hunter2") && !error.report().contains(SECRET));
}

#[tokio::test]
async fn credentials_that_fail_a_task_that_ran_before_are_retriable() {
    let server = Server::start(true);
    let wrong = CosConfig { secret_key: Some(Secret::from("hunter2-hunter2")), ..config(&server) };
    let again = Task { restarts: 1, ..task() };
    let mut bench = Bench::new(CosSink::new(wrong, &again).unwrap(), Budget::new(1 << 20));
    let error = bench.open().await.unwrap_err();
    assert_eq!(error.class(), Class::Retriable, "{error:?}");
    let server = Server::start(false);
    let mut bench = Bench::new(CosSink::new(config(&server), &again).unwrap(), Budget::new(1 << 20));
    assert_eq!(
        bench.open().await.unwrap_err().class(),
        Class::Fatal,
        "a store that overwrites stays refused"
    );
}

#[tokio::test]
async fn a_server_that_is_away_is_retriable_at_the_start() {
    let server = Server::start(true);
    let config = CosConfig { endpoint: Some("http://127.0.0.1:9".into()), ..config(&server) };
    let error = CosSink::new(config, &task())
        .map(|sink| Bench::new(sink, Budget::new(1 << 20)))
        .unwrap()
        .open()
        .await;
    assert_eq!(error.unwrap_err().class(), Class::Retriable);
}
