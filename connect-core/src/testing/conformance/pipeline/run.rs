//! One pipeline with faults, run until all is committed, and what must be true then.

use super::read::{Read, ReadBytes};
use crate::{
    BackoffConfig, Error, Event, Handle, Output, Pipeline, Record, Source, TaskState, Transform,
    testing::{
        Faults, FaultyLetters, FaultySink, FaultySource, FaultyTransform, MemoryLetters, MemoryLog, Message,
        conformance::{
            report::{Broken, ensure},
            sink::{Fault, SinkHarness},
        },
    },
};
use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

const TOPIC: &str = "conformance";
const GROUP: &str = "conformance";
const PARTITIONS: i32 = 2;
/// Per partition. With 16 KiB each, all of them are twice what may be repeated.
const RECORDS: i64 = 160;
const RECORD_BYTES: usize = 16 << 10;
/// The least that a pipeline takes.
const BUDGET_BYTES: usize = 1 << 20;
/// Every so many records one is refused by the transform and goes to the dead letter queue.
const POISON_EVERY: i64 = 20;
/// A pipeline that has not committed everything after so many starts is stuck.
const ROUNDS_MAX: usize = 6;
/// Once so much of a partition is committed, the target fails if it is to, and another member comes for a while.
const MIDDLE: i64 = RECORDS / 4;
/// Requests in a row that fail.
const FAILURES: usize = 3;
/// Sinks made in advance: the factory of a pipeline cannot wait.
const SINKS: usize = 12;

const NO_LOSS: &str = "an offset is committed only when every record below it is delivered, filtered, dead-lettered \
                       or skipped";
const EQUATION: &str = "read = delivered + filtered + dead_lettered + skipped + abandoned + in_flight";
const LITTLE: &str = "at most one budget of bytes is repeated per partition and fault";
const PROGRESS: &str = "after a fault the pipeline goes on, in the end to the last record";

pub(super) struct Scenario<'h, H: SinkHarness> {
    harness: &'h H,
    faults: Faults,
    /// How the target fails in the middle of the first round.
    target_fails: Option<Fault>,
    disturbed: bool,
    last_error: Option<String>,
    log: MemoryLog,
    letters: MemoryLetters,
    read: ReadBytes,
}

/// How a round came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// All is committed, or the task has failed.
    Stop,
    /// A hard stop: no time for anything.
    HardStop,
    /// The process is gone.
    Crash,
}

impl<'h, H: SinkHarness> Scenario<'h, H> {
    pub(super) fn new(harness: &'h H, faults: Faults) -> Self {
        let log = MemoryLog::new();
        log.topic(TOPIC, PARTITIONS);
        let bytes = harness.capabilities().max_record_bytes.unwrap_or(RECORD_BYTES).min(RECORD_BYTES);
        for partition in 0..PARTITIONS {
            log.append_all(TOPIC, partition, (0..RECORDS).map(|offset| message(partition, offset, bytes)));
        }
        let (letters, read) = (MemoryLetters::new(), ReadBytes::default());
        Self { harness, faults, target_fails: None, disturbed: false, last_error: None, log, letters, read }
    }

    /// The target fails in the middle of the run.
    pub(super) fn with_failing_target(self, how: Fault) -> Self {
        Self { target_fails: Some(how), ..self }
    }

    /// Starts the pipeline again and again until all is committed.
    pub(super) async fn run(mut self) -> Result<(), Broken> {
        for _ in 0..ROUNDS_MAX {
            self.round().await?;
            if all_committed(&self.log) {
                return self.compare().await;
            }
        }
        let committed: Vec<_> = (0..PARTITIONS).map(|p| self.log.committed(GROUP, TOPIC, p)).collect();
        let why = self.last_error.as_deref().unwrap_or("no error");
        let seen = format!("after {ROUNDS_MAX} starts {committed:?} is committed of {RECORDS}; {why}");
        Err(Broken::new(PROGRESS, seen))
    }

    /// One start: until all is committed, the task has failed for good, or a hard stop or a crash is due.
    async fn round(&mut self) -> Result<(), Broken> {
        // Who crashed before stays dead.
        self.faults = self.faults.revived();
        let stop = self.faults.stop();
        let already = stop.is_open();
        let handle =
            self.pipeline().await.map_err(|error| Broken::new(PROGRESS, format!("{error:?}")))?.start();
        let patience = self.harness.capabilities().patience;
        let (log, faults) = (self.log.clone(), self.faults.clone());
        let undisturbed = !std::mem::replace(&mut self.disturbed, true);
        let disturb = self.disturb(undisturbed);
        let due = tokio::select! {
            _ = timeout(patience, log.until(all_committed)) => Due::Stop,
            _ = handle.wait_until(|status| status.state() == TaskState::Failed) => Due::Stop,
            () = stop.pass(), if !already => if faults.is_dead() { Due::Crash } else { Due::HardStop },
            () = disturb => Due::Stop,
        };
        self.end(handle, due, already).await
    }

    /// In the middle of a run, once: the target fails, and another member of the group takes a partition, reads
    /// nothing and leaves. So a revoke, a release and an assignment fall into every run. Never ends.
    async fn disturb(&self, once: bool) {
        if once {
            let (log, harness) = (&self.log, self.harness);
            log.until(|log| (0..PARTITIONS).any(|p| committed(log, p) >= MIDDLE)).await;
            if let Some(how) = self.target_fails {
                harness.fail_next(FAILURES, how).await;
            }
            let mut other = log.source(GROUP, &[TOPIC]);
            let taken = async {
                other.open().await?;
                while !matches!(other.next(0).await?, Event::Assigned(_)) {}
                Ok::<(), Error>(())
            };
            // It cannot fail: the topic exists.
            let _ = taken.await;
            drop(other);
        }
        pending().await
    }

    /// `already`: a hard stop or a crash of an earlier round has opened the gate. One of this round may come while it
    /// stops, or between its last record and the stop: whoever is dead never answers.
    async fn end(&mut self, handle: Handle, due: Due, already: bool) -> Result<(), Broken> {
        if due == Due::Crash {
            handle.abort().await;
            return Ok(());
        }
        let patience = self.harness.capabilities().patience;
        let crash = self.faults.stop();
        // Stopping twice, or after a failure, does nothing.
        let status = tokio::select! {
            status = timeout(patience * 4, handle.stop()) => status,
            () = crash.pass(), if !already && !self.faults.stops_hard() => {
                handle.abort().await;
                return Ok(());
            }
        };
        let status = status.map_err(|_| Broken::new("a stop ends within its deadline", "it does not"))?;
        handle.shutdown().await;
        let counts = status.counts();
        self.last_error =
            status.tasks.into_iter().find_map(|task| task.last_error).or(self.last_error.take());
        ensure(counts.reconcile(), EQUATION, || format!("{counts:?}"))?;
        ensure(counts.in_flight == 0, EQUATION, || format!("after a stop ({due:?}) {counts:?}"))
    }

    async fn pipeline(&self) -> Result<Pipeline, Error> {
        let mut sinks = Vec::new();
        for _ in 0..SINKS {
            sinks.push(self.harness.build().await?);
        }
        let sinks = Arc::new(Mutex::new(sinks));
        let (log, letters, read) = (self.log.clone(), self.letters.clone(), self.read.clone());
        let [to_source, to_sink, to_letters] = [(); 3].map(|()| self.faults.clone());
        // A fault that asks for a hard stop gets one: no time at all.
        let stop_timeout =
            if self.faults.stops_hard() { Duration::ZERO } else { self.harness.capabilities().patience };
        Pipeline::builder("conformance")
            .source(move |_| {
                let source = log.source(GROUP, &[TOPIC]).records_max(8);
                Ok(FaultySource::new(Read::new(source, &read), &to_source))
            })
            .transform(FaultyTransform::new(Refuse, &self.faults))
            .sink(move |_| {
                let sink = sinks.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let sink =
                    sink.ok_or_else(|| Error::fatal("make a sink", "the task was restarted too often"))?;
                Ok(FaultySink::new(sink, &to_sink))
            })
            .dead_letters(move |_| Ok(FaultyLetters::new(letters.clone(), &to_letters)))
            .options(|options| {
                options.budget_bytes = BUDGET_BYTES;
                options.max_uncommitted_bytes = BUDGET_BYTES as u64;
                options.commit_interval = Duration::from_millis(20);
                options.stop_timeout = stop_timeout;
                options.backoff =
                    BackoffConfig { initial: Duration::from_millis(1), max: Duration::from_millis(10) };
            })
            .build()
    }

    async fn compare(&self) -> Result<(), Broken> {
        let found: Vec<(i32, i64)> =
            self.harness.read_back().await.iter().map(|found| (found.partition, found.offset)).collect();
        let letters: Vec<(i32, i64)> = self
            .letters
            .written()
            .iter()
            .map(|letter| (letter.record.partition, letter.record.offset))
            .collect();
        let there: BTreeSet<(i32, i64)> = found.iter().chain(&letters).copied().collect();
        let all = (0..PARTITIONS).flat_map(|partition| (0..RECORDS).map(move |offset| (partition, offset)));
        let missing: Vec<(i32, i64)> = all.filter(|origin| !there.contains(origin)).collect();
        ensure(missing.is_empty(), NO_LOSS, || format!("{missing:?} are nowhere"))?;
        let distinct = found.iter().collect::<BTreeSet<_>>().len();
        let once = self.harness.capabilities().idempotent_by_offset;
        ensure(!once || distinct == found.len(), "redelivery makes no duplicates", || {
            format!("{} records are there {} times", distinct, found.len())
        })?;
        self.compare_repeated()
    }

    fn compare_repeated(&self) -> Result<(), Broken> {
        let sizes =
            (0..PARTITIONS).flat_map(|p| (0..RECORDS).map(move |o| message(p, o, RECORD_BYTES).bytes()));
        let once = sizes.sum::<usize>() as u64;
        let repeated = self.read.bytes().saturating_sub(once + once / 20);
        // What a partition may have uncommitted, and the batch that crosses the line.
        let per_partition = (BUDGET_BYTES + crate::BATCH_BYTES_MAX) as u64;
        let partitions = u64::from(PARTITIONS.unsigned_abs());
        // The other member counts too: what a partition has that is being rebuilt when it is given up is read again.
        let faults = self.faults.fired().len() as u64 + 1;
        let most = faults * partitions * per_partition;
        ensure(repeated <= most, LITTLE, || {
            format!("{repeated} bytes were read again, {most} at most were expected")
        })
    }
}

fn all_committed(log: &MemoryLog) -> bool {
    (0..PARTITIONS).all(|partition| committed(log, partition) == RECORDS)
}

fn committed(log: &MemoryLog, partition: i32) -> i64 {
    log.committed(GROUP, TOPIC, partition).map_or(0, |(offset, _)| offset)
}

fn message(partition: i32, offset: i64, bytes: usize) -> Message {
    let head = format!(r#"{{"partition":{partition},"offset":{offset},"text":""#);
    let filler = "x".repeat(bytes.saturating_sub(head.len() + 2));
    let key = if offset % POISON_EVERY == POISON_EVERY - 1 { "poison" } else { "good" };
    Message::new(format!("{head}{filler}\"}}")).key(key)
}

/// Refuses records with the key `poison`.
struct Refuse;

impl Transform for Refuse {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        if record.key() == Some(b"poison") {
            return Err(Error::poison("take the record", "the test says so"));
        }
        out.keep(record);
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some("refuse poison".to_owned())
    }
}
