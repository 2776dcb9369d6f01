//! Pipelines whose transforms must fetch something before a batch may pass.

use connect_core::{
    Batch, Error, Handle, Output, Pipeline, PipelineBuilder, Preparation, Record, TaskState, Transform,
    testing::{MemoryLog, Recording},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

#[derive(Default)]
struct Registry {
    away: AtomicBool,
    broken: AtomicBool,
    asked: AtomicU32,
    known: AtomicBool,
}

/// Refuses every record before the registry was asked.
#[derive(Clone, Default)]
struct Converter(Arc<Registry>);

impl Transform for Converter {
    fn prepare(&self, _: &Batch) -> Option<Preparation> {
        let registry = Arc::clone(&self.0);
        (!registry.known.load(Ordering::Relaxed)).then(|| -> Preparation {
            Box::pin(async move {
                registry.asked.fetch_add(1, Ordering::Relaxed);
                if registry.broken.load(Ordering::Relaxed) {
                    return Err(Error::fatal("ask the registry", "wrong password"));
                }
                if registry.away.load(Ordering::Relaxed) {
                    return Err(Error::retriable("ask the registry", "it is away"));
                }
                registry.known.store(true, Ordering::Relaxed);
                Ok(())
            })
        })
    }

    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        if !self.0.known.load(Ordering::Relaxed) {
            return Err(Error::poison("convert", "not prepared"));
        }
        out.keep(record);
        Ok(())
    }
}

fn log_of(records: usize) -> MemoryLog {
    let log = MemoryLog::new();
    log.topic("t", 1);
    for n in 0..records {
        log.append("t", 0, format!("r{n}"));
    }
    log
}

fn pipeline(log: &MemoryLog, target: &Recording, converter: &Converter) -> PipelineBuilder {
    let (log, target) = (log.clone(), target.clone());
    Pipeline::builder("test")
        .source(move |_| Ok(log.source("group", &["t"])))
        .transform(converter.clone())
        .sink(move |_| Ok(target.sink()))
}

fn start(builder: PipelineBuilder) -> Handle {
    builder.build().expect("a complete pipeline").start()
}

async fn retrying(handle: &Handle) {
    let status = handle.wait_until(|status| status.tasks[0].retrying.is_some()).await;
    let (_, why) = status.tasks[0].retrying.clone().expect("just seen");
    assert!(why.contains("the registry: it is away"), "{why}");
    assert_eq!((status.state(), status.counts().read), (TaskState::Running, 0));
}

#[tokio::test(start_paused = true)]
async fn records_wait_for_the_registry_and_are_delivered_in_order_once_it_is_back() {
    let (log, target, converter) = (log_of(5_000), Recording::new(), Converter::default());
    log.finish();
    converter.0.away.store(true, Ordering::Relaxed);
    let handle = start(pipeline(&log, &target, &converter));
    retrying(&handle).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(target.rows().is_empty() && converter.0.asked.load(Ordering::Relaxed) > 5);
    converter.0.away.store(false, Ordering::Relaxed);
    let status = handle.wait().await;
    assert_eq!((status.state(), status.counts().delivered), (TaskState::Stopped, 5_000));
    assert!(status.counts().reconcile() && status.tasks[0].retrying.is_none());
    let offsets: Vec<i64> = target.rows().iter().map(|row| row.offset).collect();
    assert_eq!(offsets, (0..5_000).collect::<Vec<_>>());
    assert_eq!(log.committed("group", "t", 0), Some((5_000, None)));
}

#[tokio::test(start_paused = true)]
async fn records_that_wait_count_against_the_budget() {
    let (log, target, converter) = (log_of(0), Recording::new(), Converter::default());
    for _ in 0..300 {
        log.append("t", 0, "x".repeat(10_000));
    }
    converter.0.away.store(true, Ordering::Relaxed);
    let handle = start(pipeline(&log, &target, &converter).options(|options| options.budget_bytes = 1 << 20));
    retrying(&handle).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let task = handle.status().tasks.swap_remove(0);
    assert!((400_000..=1 << 20).contains(&task.held_bytes), "a batch waits, and no other is read: {task:?}");
    converter.0.away.store(false, Ordering::Relaxed);
    target.until(300).await;
    let status = handle.shutdown().await;
    assert_eq!((status.tasks[0].held_bytes, status.counts().delivered), (0, 300));
    assert!(status.tasks[0].peak_bytes < 2 << 20, "nothing is charged twice: {:?}", status.tasks[0]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_records_wait_ends_at_once_and_loses_nothing() {
    let (log, target, converter) = (log_of(10), Recording::new(), Converter::default());
    converter.0.away.store(true, Ordering::Relaxed);
    let handle = start(pipeline(&log, &target, &converter));
    retrying(&handle).await;
    let begun = tokio::time::Instant::now();
    let status = handle.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2) && status.counts().abandoned == 0);
    converter.0.away.store(false, Ordering::Relaxed);
    let handle = start(pipeline(&log, &target, &converter));
    target.until(10).await;
    handle.wait_until(|status| status.counts().delivered == 10).await;
    assert_eq!(handle.shutdown().await.counts().read, 10);
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_records_wait_is_given_away_at_once() {
    let (log, target) = (log_of(10), Recording::new());
    log.topic("t", 2);
    log.append("t", 1, "other");
    let stuck = Converter::default();
    stuck.0.away.store(true, Ordering::Relaxed);
    let first = start(pipeline(&log, &target, &stuck));
    retrying(&first).await;
    let second = start(pipeline(&log, &target, &Converter::default()));
    log.until(|log| log.owners("group").values().collect::<std::collections::BTreeSet<_>>().len() == 2).await;
    first.shutdown().await;
    target.until(11).await;
    assert!(target.counts().values().all(|times| *times == 1));
    second.wait_until(|status| status.counts().delivered == 11).await;
    second.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_fatal_answer_of_the_registry_ends_the_task_with_its_words() {
    let (log, target, converter) = (log_of(10), Recording::new(), Converter::default());
    converter.0.broken.store(true, Ordering::Relaxed);
    let handle = start(pipeline(&log, &target, &converter));
    let status = handle.wait_until(|status| status.state() == TaskState::Failed).await;
    assert!(status.tasks[0].last_error.as_deref().is_some_and(|error| error.contains("wrong password")));
    assert_eq!(status.counts().read, 0);
    handle.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_preview_prepares_too_and_says_why_it_could_not() {
    let (log, target, converter) = (log_of(3), Recording::new(), Converter::default());
    let pipeline = pipeline(&log, &target, &converter).build().expect("a complete pipeline");
    converter.0.away.store(true, Ordering::Relaxed);
    let error = pipeline.preview(3, Duration::from_secs(5)).await.unwrap_err();
    assert!(error.report().contains("it is away"), "{}", error.report());
    converter.0.away.store(false, Ordering::Relaxed);
    let seen = pipeline.preview(3, Duration::from_secs(5)).await.unwrap();
    assert!(seen.len() == 3 && seen.iter().all(|record| record.result.is_ok()));
}
