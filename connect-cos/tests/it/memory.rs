//! Whole pipelines with little memory.

use crate::{
    server::{BUCKET, KEY, SECRET, Server},
    task,
};
use connect_core::{
    Assigned, Budget, Flush, PartitionId, Pipeline, Progress,
    config::Secret,
    testing::{Bench, MemoryLog, batch_at},
};
use connect_cos::{CosConfig, CosSink};
use std::{collections::BTreeMap, path::Path, time::Duration};

const PARTITIONS: i32 = 2;
const RECORDS: usize = 4_000;

fn config(server: &Server) -> CosConfig {
    CosConfig {
        endpoint: Some(server.url.clone()),
        access_key: Some(Secret::from(KEY)),
        secret_key: Some(Secret::from(SECRET)),
        path: "{field:net}".into(),
        max_age: Duration::from_secs(3_600),
        ..CosConfig::new(format!("s3://{BUCKET}"))
    }
}

fn values(partition: i32) -> impl Iterator<Item = String> {
    let nets = ["a", "b", "c", "d"].into_iter().cycle();
    let pad = "x".repeat(500);
    nets.zip(0..RECORDS)
        .map(move |(net, n)| format!(r#"{{"net":"{net}","p":{partition},"n":{n},"pad":"{pad}"}}"#))
}

/// Commits notes of ranges of all records, none of whose objects was completed.
async fn die_with_notes(log: &MemoryLog, config: CosConfig) {
    let mut bench = Bench::new(CosSink::new(config, &task()).unwrap(), Budget::new(64 << 20));
    for partition in 0..PARTITIONS {
        let id = PartitionId::new(u32::try_from(partition).unwrap(), 1);
        let assigned = Assigned { id, topic: "t".into(), partition, offset: 0, note: None, partitions: None };
        bench.assigned(&[assigned]).unwrap();
        bench.put(batch_at("t", partition, 0, values(partition))).unwrap();
    }
    bench.flush(Flush::Now).unwrap();
    for _ in 0..PARTITIONS {
        let Progress::Note(id, note) = bench.progress().await.unwrap() else { panic!("a note") };
        log.set_committed("group", "t", i32::try_from(id.slot()).unwrap(), 0, Some(note));
    }
}

/// How often each line is in some object.
fn lines(dir: &Path, counts: &mut BTreeMap<String, usize>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines(&path, counts);
        } else if path.extension().is_some_and(|end| end == "json") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                *counts.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
}

#[tokio::test]
async fn ranges_that_are_larger_than_the_budget_are_rebuilt() {
    let (server, log) = (Server::start(true), MemoryLog::new());
    log.topic("t", PARTITIONS);
    for partition in 0..PARTITIONS {
        log.append_all("t", partition, values(partition));
    }
    die_with_notes(&log, config(&server)).await;
    log.finish();
    let (source, config) = (log.clone(), config(&server));
    let pipeline = Pipeline::builder("p")
        .source(move |_| Ok(source.source("group", &["t"])))
        .sink(move |task| CosSink::new(config.clone(), task))
        .options(|o| o.budget_bytes = 1 << 20);
    let handle = pipeline.build().unwrap().start();
    tokio::time::timeout(Duration::from_secs(60), handle.wait()).await.expect("it goes on");
    for partition in 0..PARTITIONS {
        assert_eq!(log.committed("group", "t", partition), Some((RECORDS as i64, None)));
    }
    let mut found = BTreeMap::new();
    lines(&server.dir(), &mut found);
    let expected: BTreeMap<String, usize> = (0..PARTITIONS).flat_map(values).map(|line| (line, 1)).collect();
    assert!(found == expected, "{} lines, {} expected", found.len(), expected.len());
}
