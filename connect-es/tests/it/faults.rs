//! Whole pipelines into a cluster that fails in every way it can.

use crate::cluster::Cluster;
use async_trait::async_trait;
use connect_core::{
    DeadLetters, Error, Letter, Pipeline, PipelineBuilder, Status, TaskState,
    testing::{MemoryLog, Message, http::Reply},
};
use connect_es::{Elasticsearch, EsConfig};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Letters by offset, with the message of the error.
#[derive(Clone, Debug, Default)]
struct Letters(Arc<Mutex<BTreeMap<i64, String>>>);

#[async_trait]
impl DeadLetters for Letters {
    async fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        let keep = |letter: &Letter| {
            let offset = letter.record.iter().next().unwrap().origin().offset;
            let message = letter.error_headers()[8].1.clone();
            self.0.lock().unwrap().insert(offset, message);
            Ok(())
        };
        letters.iter().map(keep).collect()
    }
}

fn config(cluster: &Cluster) -> EsConfig {
    EsConfig {
        linger: Duration::from_millis(5),
        backoff: Duration::from_millis(1),
        backoff_max: Duration::from_millis(20),
        ..EsConfig::new(vec![cluster.server.url().parse().unwrap()])
    }
}

fn pipeline(log: &MemoryLog, config: EsConfig, letters: &Letters) -> PipelineBuilder {
    let (log, letters) = (log.clone(), letters.clone());
    Pipeline::builder("to-es")
        .source(move |_| Ok(log.source("group", &["t"])))
        .sink(move |_| Elasticsearch::sink(&config))
        .dead_letters(move |_| Ok(letters.clone()))
}

async fn run(builder: PipelineBuilder) -> Status {
    let handle = builder.build().unwrap().start();
    tokio::time::timeout(Duration::from_secs(60), handle.wait()).await.expect("the pipeline ends")
}

pub(crate) fn statuses(list: &[u16]) -> std::collections::VecDeque<u16> {
    list.iter().copied().collect()
}

#[tokio::test]
async fn only_failed_or_unknown_rows_are_sent_again_and_poison_is_reported() {
    let cluster = Cluster::start().await;
    let (log, letters) = (MemoryLog::new(), Letters::default());
    log.topic("t", 1);
    for n in 0..500 {
        log.append("t", 0, format!("{{\"n\":{n}}}"));
    }
    log.append("t", 0, "not json");
    log.finish();
    {
        let mut memory = cluster.memory();
        for n in 0..500_i64 {
            let faults: &[u16] = match n % 50 {
                7 => &[429],
                8 => &[503, 429, 429],
                9 => &[400],
                10 => &[409],
                _ => continue,
            };
            memory.faults.insert(format!("t+0+{n}"), statuses(faults));
        }
    }
    // Of the first requests: reset before anything was done, overload, too large, unavailable, not an answer.
    cluster.server.push(Reply::json(200, r#"{"version":{"number":"8.1.0"}}"#));
    for reply in [
        Reply::reset(),
        Reply::new(429).header("retry-after", "0"),
        Reply::new(413),
        Reply::json(503, r#"{"error":{"type":"cluster_block_exception","reason":"no master"}}"#),
        Reply::close(),
        Reply::new(200).body("<html>"),
        Reply::new(401),
    ] {
        cluster.server.push(reply);
    }
    let mut config = config(&cluster);
    config.batch_records = 100;
    let status = run(pipeline(&log, config, &letters)).await;

    assert_eq!(status.state(), TaskState::Stopped, "{status:?}");
    let counts = status.counts();
    assert!(counts.reconcile() && counts.in_flight == 0, "{counts:?}");
    // Ten of each kind; 409 counts as already there.
    assert_eq!((counts.read, counts.delivered, counts.dead_lettered), (501, 490, 11));
    let memory = cluster.memory();
    assert_eq!(memory.documents.len(), 480);
    assert_eq!(memory.needless, Vec::<String>::new(), "rows whose fate was told");
    assert!(memory.writes.len() == 480, "each was written once");
    let letters = letters.0.lock().unwrap();
    let expected: Vec<i64> = (0..500).filter(|n| n % 50 == 9).chain([500]).collect();
    assert_eq!(letters.keys().copied().collect::<Vec<_>>(), expected);
    assert!(letters[&9].contains("mapper_parsing_exception: scripted for t+0+9"), "{}", letters[&9]);
    assert_eq!(log.committed("group", "t", 0), Some((501, None)));
}

#[tokio::test]
async fn rows_of_one_key_stay_in_order_whatever_fails() {
    let cluster = Cluster::start().await;
    let (log, letters) = (MemoryLog::new(), Letters::default());
    log.topic("t", 1);
    for n in 0..300 {
        log.append("t", 0, Message::new(format!("{{\"n\":{n}}}")).key(format!("key-{}", n % 40)));
    }
    log.finish();
    for key in 0..40 {
        let faults = statuses([[429, 503, 429].as_slice(), &[503], &[]][key % 3]);
        cluster.memory().faults.insert(format!("key-{key}"), faults);
    }
    cluster.server.push(Reply::json(200, r#"{"version":{"number":"8.1.0"}}"#));
    for reply in [Reply::reset(), Reply::new(503), Reply::new(413)] {
        cluster.server.push(reply);
    }
    let mut config = config(&cluster);
    (config.key_ignore, config.batch_records) = (false, 10);
    let status = run(pipeline(&log, config, &letters)).await;

    let counts = status.counts();
    assert_eq!((counts.delivered, counts.dead_lettered), (300, 0), "{status:?}");
    let memory = cluster.memory();
    assert_eq!((&memory.needless, &memory.doubled), (&vec![], &vec![]));
    let mut orders: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (id, document) in &memory.writes {
        orders.entry(id).or_default().push(document["n"].as_i64().unwrap());
    }
    assert_eq!(orders.len(), 40);
    assert!(orders.values().all(|order| order.is_sorted()), "{orders:?}");
    assert_eq!(memory.writes.len(), 300);
}

#[tokio::test]
async fn a_request_that_is_too_large_is_halved_down_to_the_row_to_blame() {
    let cluster = Cluster::start().await;
    let (log, letters) = (MemoryLog::new(), Letters::default());
    log.topic("t", 1);
    for n in 0..4 {
        log.append("t", 0, format!("{{\"n\":{n}}}"));
    }
    log.finish();
    cluster.memory().too_large = Some("{\"n\":0}".to_owned());
    let mut config = config(&cluster);
    config.in_flight = 1;
    let status = run(pipeline(&log, config, &letters)).await;
    assert_eq!((status.counts().delivered, status.counts().dead_lettered), (3, 1), "{status:?}");
    // All four, the front half, its first row, which waits for another to get through, and once more.
    assert_eq!(cluster.memory().requests.iter().sum::<usize>(), 3);
    let letters = letters.0.lock().unwrap();
    assert!(letters[&0].contains("413") && letters[&0].contains("bulk.size.bytes"), "{letters:?}");
}

#[tokio::test]
async fn wrong_credentials_stop_the_task_at_the_start() {
    let cluster = Cluster::start().await;
    let (log, letters) = (MemoryLog::new(), Letters::default());
    log.topic("t", 1);
    log.append("t", 0, "{}");
    cluster.server.push(Reply::json(
        401,
        r#"{"error":{"type":"security_exception","reason":"unable to authenticate user"}}"#,
    ));
    let handle = pipeline(&log, config(&cluster), &letters).build().unwrap().start();
    handle.wait_until(|status| status.state() == TaskState::Failed).await;
    let status = handle.shutdown().await;
    let error = status.tasks[0].last_error.clone().unwrap_or_default();
    assert!(
        error.contains("unable to authenticate user") && error.contains("connection.password"),
        "{error}"
    );
    assert_eq!(log.committed("group", "t", 0), None);
}

fn quakes(count: i64) -> MemoryLog {
    let log = MemoryLog::new();
    log.topic("t", 1);
    for n in 0..count {
        log.append("t", 0, format!("{{\"mag\":{n}.5}}"));
    }
    log
}

#[tokio::test]
async fn rows_that_lose_a_race_for_the_mapping_are_sent_again_and_written() {
    let cluster = Cluster::start().await;
    let (log, letters) = (quakes(100), Letters::default());
    log.finish();
    cluster.memory().races = [3, 50, 99].map(|n| format!("t+0+{n}")).into();
    let status = run(pipeline(&log, config(&cluster), &letters)).await;
    assert_eq!((status.counts().delivered, status.counts().dead_lettered), (100, 0), "{status:?}");
    assert_eq!(cluster.memory().requests, [100, 3]);
}

#[tokio::test]
async fn what_speaks_of_the_index_waits_with_advice_until_somebody_acts() {
    for (kind, reason, advice) in [
        (
            "validation_exception",
            "this action would add [2] shards, maximum normal shards open",
            "max_shards_per_node",
        ),
        ("index_closed_exception", "closed", "open the index"),
        ("illegal_argument_exception", "no write index is defined for alias [t]", "is_write_index"),
        ("illegal_argument_exception", "pipeline with id [p] does not exist", "ingest pipeline"),
        (
            "illegal_argument_exception",
            "only write ops with an op_type of create are allowed in data streams",
            "write.method=create",
        ),
        ("illegal_argument_exception", "nobody has seen this before", "nobody has seen this before"),
    ] {
        let cluster = Cluster::start().await;
        let (log, letters) = (quakes(20), Letters::default());
        cluster.memory().broken = Some((kind, reason));
        let handle = pipeline(&log, config(&cluster), &letters).build().unwrap().start();
        let told = |status: &Status| {
            let error = status.tasks[0].retrying.as_ref();
            error.is_some_and(|(_, error)| error.contains(advice)) && cluster.server.requests().len() > 5
        };
        let waits = tokio::time::timeout(Duration::from_secs(30), handle.wait_until(told));
        assert!(waits.await.is_ok(), "{reason}: {:?}", handle.status());
        assert!(log.committed("group", "t", 0).is_none_or(|(offset, _)| offset == 0), "{reason}");
        cluster.memory().broken = None;
        log.until_committed("group", "t", 0, 20).await;
        assert_eq!(handle.shutdown().await.counts().delivered, 20, "{reason}");
        assert!(letters.0.lock().unwrap().is_empty(), "{reason}");
    }
}

#[tokio::test]
async fn a_gateway_that_refuses_every_request_makes_no_record_poison() {
    let cluster = Cluster::start().await;
    let (log, letters) = (quakes(40), Letters::default());
    cluster.memory().too_large = Some("mag".to_owned());
    let handle = pipeline(&log, config(&cluster), &letters).build().unwrap().start();
    let tried = |_: &Status| cluster.server.requests().len() > 60;
    tokio::time::timeout(Duration::from_secs(30), handle.wait_until(tried)).await.expect("it is tried again");
    cluster.memory().too_large = None;
    log.until_committed("group", "t", 0, 40).await;
    let counts = handle.shutdown().await.counts();
    assert_eq!((counts.delivered, counts.dead_lettered), (40, 0));
}
