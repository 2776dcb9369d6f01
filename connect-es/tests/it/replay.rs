//! Documents that are there before their records, and topics that grow.

use crate::{cluster::Cluster, faults::statuses};
use connect_core::{
    Pipeline, PipelineBuilder, Status, TaskState,
    testing::{MemoryLog, Message},
};
use connect_es::{Elasticsearch, EsConfig, OnNull, OnReplay, Version, WriteMethod};
use std::time::Duration;

fn config(cluster: &Cluster) -> EsConfig {
    EsConfig {
        linger: Duration::from_millis(5),
        backoff: Duration::from_millis(1),
        // Also the longest that a doubt lasts.
        backoff_max: Duration::from_millis(20),
        in_flight: 1,
        ..EsConfig::new(vec![cluster.server.url().parse().unwrap()])
    }
}

fn created(cluster: &Cluster) -> EsConfig {
    EsConfig { write_method: WriteMethod::Create, ..config(cluster) }
}

fn versioned(cluster: &Cluster) -> EsConfig {
    EsConfig { key_ignore: false, on_null: OnNull::Delete, ..config(cluster) }
}

/// A restart may repeat 5,000 records.
fn pipeline(log: &MemoryLog, config: EsConfig) -> PipelineBuilder {
    let log = log.clone();
    Pipeline::builder("to-es")
        .source(move |_| Ok(log.source("group", &["t"])))
        .sink(move |_| Elasticsearch::sink(&config))
        .options(|options| {
            options.budget_bytes = 1 << 20;
            options.max_uncommitted_records = 5_000;
            options.commit_interval = Duration::from_millis(1);
        })
}

/// Beyond everything that the runtime may repeat or have read ahead.
const BEYOND: i64 = 20_000;

async fn run(builder: PipelineBuilder) -> Status {
    let handle = builder.build().unwrap().start();
    tokio::time::timeout(Duration::from_secs(60), handle.wait()).await.expect("the pipeline ends")
}

fn log(records: i64) -> MemoryLog {
    let log = MemoryLog::new();
    log.topic("t", 1);
    log.append_all("t", 0, (0..records).map(|n| Message::new("{}").key(format!("k{n}"))));
    log.finish();
    log
}

fn error(status: &Status) -> &str {
    status.tasks[0].last_error.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_conflict_is_a_repetition_only_where_a_restart_repeats() {
    for (id, config) in
        [("t+0+", created as fn(&Cluster) -> EsConfig), ("k", versioned as fn(&Cluster) -> EsConfig)]
    {
        let cluster = Cluster::start().await;
        // As many as the window has without what is read ahead.
        cluster.memory().faults.extend((0..5_000).map(|n| (format!("{id}{n}"), statuses(&[409, 409]))));
        let status = run(pipeline(&log(BEYOND + 10), config(&cluster))).await;
        assert_eq!(
            (status.state(), status.counts().delivered),
            (TaskState::Stopped, BEYOND.cast_unsigned() + 10)
        );

        let cluster = Cluster::start().await;
        cluster.memory().faults.insert(format!("{id}{BEYOND}"), statuses(&[409, 409]));
        let log = log(BEYOND + 10);
        let status = run(pipeline(&log, config(&cluster))).await;
        assert_eq!(status.state(), TaskState::Failed, "{status:?}");
        let place = format!("t-0 at offset {BEYOND}");
        for text in [&*place, "another incarnation of the topic", "behavior.on.replay=accept"] {
            assert!(error(&status).contains(text), "{text} in {}", error(&status));
        }
        assert!(
            log.committed("group", "t", 0).is_none_or(|(offset, _)| offset <= BEYOND),
            "the record stays"
        );
    }
}

#[tokio::test]
async fn a_versioned_deletion_that_comes_too_late_stops_too() {
    let cluster = Cluster::start().await;
    let log = MemoryLog::new();
    log.topic("t", 1);
    log.append_all("t", 0, (0..BEYOND).map(|n| Message::new("{}").key(format!("k{n}"))));
    log.append("t", 0, Message::tombstone("gone"));
    log.finish();
    cluster.memory().faults.insert("gone".into(), statuses(&[409, 409]));
    let status = run(pipeline(&log, versioned(&cluster))).await;
    assert_eq!(status.state(), TaskState::Failed, "{status:?}");
    assert!(error(&status).contains("another incarnation"), "{status:?}");
}

#[tokio::test]
async fn what_was_written_on_purpose_is_accepted_if_told_so() {
    let cluster = Cluster::start().await;
    cluster.memory().faults.extend((0..BEYOND + 10).map(|n| (format!("t+0+{n}"), statuses(&[409]))));
    let config = EsConfig { on_replay: OnReplay::Accept, ..created(&cluster) };
    let status = run(pipeline(&log(BEYOND + 10), config)).await;
    assert_eq!(
        (status.state(), status.counts().delivered),
        (TaskState::Stopped, BEYOND.cast_unsigned() + 10)
    );
    assert_eq!(cluster.memory().writes.len(), 0);
}

#[tokio::test]
async fn an_attempt_that_may_have_been_executed_may_meet_itself() {
    let cluster = Cluster::start().await;
    cluster.memory().faults.insert(format!("t+0+{BEYOND}"), statuses(&[503, 409, 409]));
    let status = run(pipeline(&log(BEYOND + 10), created(&cluster))).await;
    assert_eq!(
        (status.state(), status.counts().delivered),
        (TaskState::Stopped, BEYOND.cast_unsigned() + 10)
    );
}

#[tokio::test]
async fn growth_stops_every_task_where_versions_are_offsets_until_it_is_started_again() {
    let cluster = Cluster::start().await;
    let log = MemoryLog::new();
    log.topic("t", 1);
    log.append("t", 0, ("k", "{}"));
    let handle = pipeline(&log, versioned(&cluster)).tasks_max(2).build().unwrap().start();
    log.until_committed("group", "t", 0, 1).await;
    // To the task that had none; then to the other one, when the first has stopped.
    log.topic("t", 2);
    let status = tokio::time::timeout(Duration::from_secs(60), handle.wait()).await.unwrap();
    for task in &status.tasks {
        assert_eq!(task.state, TaskState::Failed, "{status:?}");
        let error = task.last_error.as_deref().unwrap_or_default();
        for text in ["topic t has 2 partitions and had 1", "start the task again", "external.version=none"] {
            assert!(error.contains(text), "{text} in {error}");
        }
    }
    handle.restart().await;
    log.append("t", 1, ("k", "{}"));
    let committed = log.until_committed("group", "t", 1, 1);
    tokio::time::timeout(Duration::from_secs(60), committed).await.expect("accepted");
    handle.shutdown().await;
}

#[tokio::test]
async fn growth_is_fine_without_versions() {
    let cluster = Cluster::start().await;
    let log = MemoryLog::new();
    log.topic("t", 1);
    log.append("t", 0, ("k", "{}"));
    let config = EsConfig { version: Version::None, ..versioned(&cluster) };
    let handle = pipeline(&log, config).build().unwrap().start();
    log.until_committed("group", "t", 0, 1).await;
    log.topic("t", 2);
    log.append("t", 1, ("k", "{}"));
    let committed = log.until_committed("group", "t", 1, 1);
    tokio::time::timeout(Duration::from_secs(60), committed).await.expect("goes on");
    assert_eq!(handle.shutdown().await.state(), TaskState::Stopped);
}

#[tokio::test]
async fn one_key_in_two_partitions_stops_and_names_both() {
    let cluster = Cluster::start().await;
    let log = MemoryLog::new();
    log.topic("t", 2);
    log.append_all("t", 0, (0..10).map(|_| Message::new("{}").key("k")));
    let handle = pipeline(&log, versioned(&cluster)).build().unwrap().start();
    log.until_committed("group", "t", 0, 10).await;
    // Its offset, and so its version, is the lower one.
    cluster.memory().faults.insert("k".into(), statuses(&[409]));
    log.append("t", 1, Message::new("{}").key("k"));
    handle.wait_until(|status| status.state() == TaskState::Failed).await;
    let status = handle.shutdown().await;
    for text in ["t-1 at offset 0", "written from t-0", "external.version=none"] {
        assert!(error(&status).contains(text), "{text} in {}", error(&status));
    }
    assert!(log.committed("group", "t", 1).is_none_or(|(offset, _)| offset == 0), "the record stays");
}
