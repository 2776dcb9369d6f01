//! Whole pipelines, from the memory log to a recording sink, on paused time.

use async_trait::async_trait;
use connect_core::{
    Batch, Bulk, BulkConfig, BulkSink, DeadLetters, Error, Handle, Letter, Outcome, Output, Pipeline,
    PipelineBuilder, Poison, Record, Status, TapStage, TaskState, Transform,
    testing::{CommitFault, Faults, FaultySink, Gate, How, MemoryLog, Point, Recording},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

fn log_of(partitions: i32, records: i64) -> MemoryLog {
    let log = MemoryLog::new();
    log.topic("t", partitions);
    for n in 0..records {
        let partition = i32::try_from(n % i64::from(partitions)).expect("a small number");
        log.append("t", partition, format!("r{n}"));
    }
    log
}

fn pipeline(log: &MemoryLog, target: &Recording) -> PipelineBuilder {
    let (log, target) = (log.clone(), target.clone());
    Pipeline::builder("test")
        .source(move |_| Ok(log.source("group", &["t"])))
        .sink(move |_| Ok(target.sink()))
        .options(|o| o.commit_interval = Duration::from_millis(300))
}

fn start(builder: PipelineBuilder) -> Handle {
    builder.build().expect("a complete pipeline").start()
}

fn each_once(target: &Recording, records: usize) {
    let counts = target.counts();
    assert_eq!(counts.len(), records);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
}

fn reconciled(status: &Status) {
    let counts = status.counts();
    assert!(counts.reconcile() && counts.in_flight == 0, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_as_it_closes_takes_no_counts_with_it() {
    let (log, target) = (log_of(1, 100), Recording::new());
    log.finish();
    let faults = Faults::after(Point::Close, 0, How::Panic);
    let (sinks, fault) = (target.clone(), faults.clone());
    let builder = pipeline(&log, &target).sink(move |_| Ok(FaultySink::new(sinks.sink(), &fault)));
    let status = start(builder).wait().await;
    assert_eq!(faults.fired().len(), 1);
    reconciled(&status);
    assert_eq!((status.counts().read, status.counts().delivered), (100, 100));
    each_once(&target, 100);
}

/// `Duration::MAX` is how people write "never" and "for ever".
#[tokio::test(start_paused = true)]
async fn times_may_be_as_long_as_times_can_be() {
    struct Full(AtomicU32);
    #[async_trait]
    impl Bulk for Full {
        async fn write(&self, _: &Batch) -> Result<Outcome, Error> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::retriable("write", "full")),
                _ => Ok(Outcome::delivered()),
            }
        }
    }
    let log = log_of(1, 100);
    let config = BulkConfig {
        linger: Duration::MAX,
        retry_timeout: Some(Duration::MAX),
        request_timeout: Duration::MAX,
        batch_records: 100,
        ..BulkConfig::default()
    };
    let source = log.clone();
    let builder = Pipeline::builder("test")
        .source(move |_| Ok(source.source("group", &["t"])))
        .sink(move |_| Ok(BulkSink::new(Full(AtomicU32::new(0)), config.clone())))
        .options(|o| {
            o.commit_interval = Duration::MAX;
            o.stop_timeout = Duration::MAX;
            o.watchdog = Duration::MAX;
        });
    let handle = start(builder);
    let delivered = handle.wait_until(|status| status.counts().delivered == 100);
    tokio::time::timeout(Duration::from_secs(600), delivered).await.expect("delivered");
    let status = handle.stop().await;
    assert_eq!((status.state(), status.counts().abandoned), (TaskState::Stopped, 0), "{status:?}");
    assert_eq!(log.committed("group", "t", 0), Some((100, None)));
}

#[tokio::test(start_paused = true)]
async fn every_record_is_delivered_once_and_its_offset_committed() {
    let (log, target) = (log_of(3, 3_000), Recording::new());
    log.finish();
    let status = start(pipeline(&log, &target)).wait().await;
    assert_eq!(status.state(), TaskState::Stopped);
    each_once(&target, 3_000);
    reconciled(&status);
    assert_eq!((status.counts().read, status.counts().delivered), (3_000, 3_000));
    assert_eq!(
        (0..3).map(|p| log.committed("group", "t", p)).collect::<Vec<_>>(),
        vec![Some((1_000, None)); 3]
    );
    assert_eq!(log.commits_in_flight_max("group"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_delivers_and_commits_what_was_read() {
    let (log, target) = (log_of(1, 100), Recording::new());
    let handle = start(pipeline(&log, &target));
    target.until(100).await;
    let status = handle.shutdown().await;
    reconciled(&status);
    assert_eq!(log.committed("group", "t", 0), Some((100, None)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_misses_its_deadline_abandons_what_is_in_flight() {
    let (log, target, gate) = (log_of(1, 100), Recording::new(), Gate::new());
    let (source, sink) = (log.clone(), target.clone());
    let stuck = gate.clone();
    let handle = Pipeline::builder("test")
        .source(move |_| Ok(source.source("group", &["t"])))
        .sink(move |_| Ok(sink.gated(&stuck)))
        .build()
        .expect("a complete pipeline")
        .start();
    gate.arrived(1).await;
    let status = handle.stop().await;
    reconciled(&status);
    assert_eq!((status.counts().abandoned, log.committed("group", "t", 0)), (100, Some((0, None))));
    gate.open();
    handle.resume().await;
    target.until(100).await;
    handle.wait_until(|status| status.counts().delivered == 100).await;
    let status = handle.shutdown().await;
    reconciled(&status);
    assert_eq!(log.committed("group", "t", 0), Some((100, None)));
}

#[tokio::test(start_paused = true)]
async fn a_pause_reads_nothing_and_keeps_the_partitions() {
    let (log, target) = (log_of(1, 10), Recording::new());
    let handle = start(pipeline(&log, &target));
    target.until(10).await;
    handle.pause().await;
    handle.wait_until(|status| status.state() == TaskState::Paused).await;
    log.append("t", 0, "late");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((target.rows().len(), log.owners("group").len()), (10, 1));
    handle.resume().await;
    target.until(11).await;
    reconciled(&handle.shutdown().await);
}

#[tokio::test(start_paused = true)]
async fn a_second_instance_takes_partitions_without_a_gap_or_a_repetition() {
    let (log, target) = (log_of(4, 4_000), Recording::new());
    let first = start(pipeline(&log, &target));
    target.until(1_000).await;
    let second = start(pipeline(&log, &target));
    log.until(|log| {
        let owners = log.owners("group");
        owners.values().filter(|owner| **owner == 1).count() == 2
    })
    .await;
    for n in 0..400 {
        log.append("t", n % 4, format!("late{n}"));
    }
    target.until(4_400).await;
    reconciled(&first.shutdown().await);
    reconciled(&second.shutdown().await);
    each_once(&target, 4_400);
}

#[tokio::test(start_paused = true)]
async fn commits_that_fail_are_made_again() {
    let (log, target) = (log_of(1, 10), Recording::new());
    log.fail_commit(CommitFault::Refused);
    log.fail_commit(CommitFault::Ambiguous);
    let handle = start(pipeline(&log, &target));
    log.until_committed("group", "t", 0, 10).await;
    let status = handle.shutdown().await;
    reconciled(&status);
    assert!(status.counts().commit_failures >= 1, "{:?}", status.counts());
}

/// Fails, by an error or a panic, on a value; counts how often it was asked.
struct Brittle {
    on: &'static [u8],
    panics: bool,
    asked: Arc<AtomicU32>,
}

impl Transform for Brittle {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        if record.value() == Some(self.on) {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics || asked >= 2, "brittle");
            if !self.panics {
                return Err(Error::poison("transform", "brittle"));
            }
        }
        out.keep(record);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_plugin_is_a_failed_task_that_starts_again() {
    let (log, target, asked) = (log_of(1, 10), Recording::new(), Arc::new(AtomicU32::new(0)));
    let handle = start(pipeline(&log, &target).transform(Brittle { on: b"r7", panics: true, asked }));
    target.until(10).await;
    handle.wait_until(|status| status.counts().delivered == 10).await;
    let status = handle.shutdown().await;
    reconciled(&status);
    each_once(&target, 10);
    assert_eq!(status.tasks[0].restarts, 2);
    let error = status.tasks[0].last_error.clone().expect("it was kept");
    assert_eq!(error, "failed to run the task: a plugin panicked: brittle");
}

#[tokio::test(start_paused = true)]
async fn poison_fails_the_task_and_names_the_record() {
    let (log, target, asked) = (log_of(1, 10), Recording::new(), Arc::new(AtomicU32::new(0)));
    let handle = start(pipeline(&log, &target).transform(Brittle { on: b"r7", panics: false, asked }));
    let status = handle.wait().await;
    assert_eq!((status.state(), status.tasks[0].restarts), (TaskState::Failed, 0));
    let error = status.tasks[0].last_error.clone().expect("it was kept");
    let expected =
        "failed to process a record (errors.tolerance=none) (t-0 at offset 7): failed to transform: brittle";
    assert_eq!(error, expected);
    reconciled(&status);
}

/// Why, and the value as read.
type Written = (String, Option<Vec<u8>>);

/// A queue that fails a few times, then takes letters.
#[derive(Clone, Default)]
struct Queue {
    failures: Arc<AtomicU32>,
    letters: Arc<Mutex<Vec<Written>>>,
}

#[async_trait]
impl DeadLetters for Queue {
    async fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            return vec![Err(Error::retriable("produce", "no broker"))];
        }
        let mut written = self.letters.lock().expect("no panic while held");
        for letter in letters {
            let record = letter.record.iter().next().expect("one record").original();
            written.push((letter.error.report(), record.value().map(<[u8]>::to_vec)));
        }
        letters.iter().map(|_| Ok(())).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_that_is_down_holds_the_offset_and_says_so() {
    let (log, target, asked) = (log_of(1, 10), Recording::new(), Arc::new(AtomicU32::new(0)));
    let queue = Queue::default();
    queue.failures.store(8, Ordering::Relaxed);
    let letters = queue.clone();
    let handle = start(
        pipeline(&log, &target)
            .transform(Brittle { on: b"r7", panics: false, asked })
            .dead_letters(move |_| Ok(letters.clone())),
    );
    let retrying = handle.wait_until(|status| status.tasks[0].retrying.is_some()).await;
    let (_, why) = retrying.tasks[0].retrying.clone().expect("it is retrying");
    assert_eq!(why, "failed to produce: no broker");
    target.until(9).await;
    log.until_committed("group", "t", 0, 7).await;
    assert_eq!(log.committed("group", "t", 0), Some((7, None)));
    log.until_committed("group", "t", 0, 10).await;
    let written = queue.letters.lock().expect("no panic while held").clone();
    assert_eq!(written, [("failed to transform: brittle".to_owned(), Some(b"r7".to_vec()))]);
    let status = handle.shutdown().await;
    reconciled(&status);
    assert_eq!((status.counts().dead_lettered, status.counts().delivered), (1, 9));
}

/// Opens when the sun goes dark.
struct Closed;

#[async_trait]
impl DeadLetters for Closed {
    async fn open(&self) -> Result<(), Error> {
        std::future::pending().await
    }

    async fn write(&self, _: &[Letter]) -> Vec<Result<(), Error>> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_what_never_opens() {
    let (log, target) = (log_of(1, 10), Recording::new());
    let handle = start(pipeline(&log, &target).dead_letters(|_| Ok(Closed)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(handle.state(), TaskState::Starting);
    let before = tokio::time::Instant::now();
    let status = handle.stop().await;
    assert_eq!((status.state(), before.elapsed()), (TaskState::Stopped, Duration::ZERO));
    handle.restart().await;
    assert_eq!(handle.shutdown().await.counts().read, 0);
}

#[tokio::test(start_paused = true)]
async fn a_tap_shows_records_before_and_after_the_transforms() {
    struct Upper;
    impl Transform for Upper {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
            out.derive(record).value(record.value().map(<[u8]>::to_ascii_uppercase).as_deref()).emit();
            Ok(())
        }
    }
    let (log, target) = (log_of(1, 0), Recording::new());
    let handle = start(pipeline(&log, &target).transform(Upper));
    let (mut read, mut transformed) = (handle.tap(TapStage::Read, 4), handle.tap(TapStage::Transformed, 4));
    log.append("t", 0, "abc");
    let before = read.next().await.expect("a sample");
    let after = transformed.next().await.expect("a sample");
    assert_eq!((before.value.as_deref(), after.value.as_deref()), (Some(&b"abc"[..]), Some(&b"ABC"[..])));
    reconciled(&handle.shutdown().await);
}

#[tokio::test(start_paused = true)]
async fn a_preview_shows_each_outcome_and_commits_nothing() {
    struct Pick;
    impl Transform for Pick {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
            match record.value() {
                Some(b"r0") => Ok(()),
                Some(b"r1") => Err(Error::poison("pick", "no")),
                _ => {
                    out.derive(record).topic("elsewhere").emit();
                    out.keep(record);
                    Ok(())
                }
            }
        }
    }
    let (log, target) = (log_of(1, 10), Recording::new());
    let pipeline = pipeline(&log, &target).transform(Pick).build().expect("a complete pipeline");
    let seen = pipeline.preview(3, Duration::from_secs(5)).await.expect("readable");
    let outcomes: Vec<_> = seen
        .into_iter()
        .map(|one| one.result.map(|records| records.iter().map(|r| r.topic.to_string()).collect::<Vec<_>>()))
        .collect();
    let two = vec!["elsewhere".to_owned(), "t".to_owned()];
    assert_eq!(outcomes, [Ok(vec![]), Err("failed to pick: no".to_owned()), Ok(two)]);
    assert_eq!((log.commits("group").len(), target.rows().len()), (0, 0));
}

#[tokio::test]
async fn a_pipeline_that_lacks_parts_says_all_that_is_wrong() {
    let error =
        Pipeline::builder(" ").tasks_max(0).poison(Poison::DeadLetter).build().expect_err("nothing is set");
    assert_eq!(
        error.report(),
        "failed to build the pipeline: the name \" \" cannot be used: empty; tasks.max is 0, at least 1 is needed; no source is set: \
         call `source`; no sink is set: call `sink` or `bulk`; the policy is dead letter, but no queue is set: call \
         `dead_letters`"
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_share_the_partitions() {
    let (log, target) = (log_of(4, 400), Recording::new());
    let handle = start(pipeline(&log, &target).tasks_max(2));
    target.until(400).await;
    log.until(|log| log.owners("group").values().collect::<std::collections::BTreeSet<_>>().len() == 2).await;
    reconciled(&handle.shutdown().await);
    each_once(&target, 400);
}
