//! The suite passes on our own sinks, and each broken sink fails the check that is about its fault.

use super::*;
use crate::testing::conformance::cut;
use crate::{
    Assigned, Batch, Bulk, BulkConfig, BulkSink, Context, Delivery, Error, Flush, Outcome, PartitionId,
    Progress, Sink,
    testing::{Attempt, Gate, MemoryObjects, Recording, RecordingSink, WriteFault},
};
use async_trait::async_trait;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

struct Rows(Recording, fn(&Recording) -> RecordingSink);

fn found(rows: &[crate::testing::Delivered]) -> Vec<Found> {
    rows.iter().map(|row| Found::new(row.partition, row.offset, row.message.value.clone())).collect()
}

fn fault(how: Fault) -> WriteFault {
    match how {
        Fault::Busy(None) => WriteFault::refused(|| Error::retriable("write", "busy")),
        Fault::Busy(Some(_)) => {
            WriteFault::refused(|| Error::retriable("write", "busy").after(Some(Duration::from_secs(1))))
        }
        Fault::AnswerLost | Fault::HalfAnswered => {
            WriteFault::answer_lost(|| Error::retriable("write", "connection reset"))
        }
    }
}

#[async_trait]
impl SinkHarness for Rows {
    type Sink = RecordingSink;

    fn capabilities(&self) -> Capabilities {
        Capabilities { faults: true, retry_after: true, ..Capabilities::default() }
    }

    async fn build(&self) -> Result<RecordingSink, Error> {
        Ok((self.1)(&self.0))
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        (0..n).for_each(|_| self.0.fail_next(fault(how)));
    }
}

struct Ranges(MemoryObjects);

#[async_trait]
impl SinkHarness for Ranges {
    type Sink = crate::testing::ObjectSink;

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            idempotent_by_offset: true,
            faults: true,
            retry_after: true,
            ..Capabilities::default()
        }
    }

    async fn build(&self) -> Result<Self::Sink, Error> {
        Ok(self.0.sink().cut_after(5).max_age(Duration::from_secs(3)))
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        (0..n).for_each(|_| self.0.fail_next(fault(how)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_recording_sink_keeps_the_contract_with_and_without_jobs() {
    let report = run_all(|| Rows(Recording::new(), Recording::sink)).await;
    report.assert_passed();
    assert_eq!(report.checks().len(), 42);
    let reasons: Vec<&str> = report.not_applicable().iter().map(|(name, _)| *name).collect();
    let expected = [
        "large_records_are_poison",
        "rows_without_an_answer_are_not_delivered",
        "redelivery_does_not_duplicate",
        "objects_are_never_overwritten",
        "secrets_stay_secret",
    ];
    assert_eq!(reasons[..5], expected);
    let with_jobs = |target: &Recording| {
        let open = Gate::new();
        open.open();
        target.gated(&open)
    };
    run_all(|| Rows(Recording::new(), with_jobs)).await.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn the_object_sink_keeps_the_contract() {
    let report = run_all(|| Ranges(MemoryObjects::new())).await;
    report.assert_passed();
    let names: Vec<&str> = report.not_applicable().iter().map(|(name, _)| *name).collect();
    let expected =
        ["large_records_are_poison", "rows_without_an_answer_are_not_delivered", "secrets_stay_secret"];
    assert_eq!(names[..3], expected);
}

/// How a sink is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    ReportsEarly,
    ForgetsARow,
    ReportsTwice,
    HangsInRevoke,
    ReportsAfterRelease,
    LosesOnHardStop,
    DropsWhatFailed,
    SaysNothingOfRetries,
    NeverWithoutFlush,
    Panics,
    NeverCloses,
    RejectsNeighbours,
    ForgetsAPartition,
    CutsValues,
    IgnoresFlush,
    KeepsWhatIsLost,
}

/// A recording sink with a flaw.
struct Flawed {
    target: Recording,
    flaw: Flaw,
    inner: RecordingSink,
    kept: Vec<Batch>,
}

impl Flawed {
    /// Delivers what is kept, at once.
    fn release_kept(&mut self, cx: &mut Context<Attempt>) {
        for batch in self.kept.drain(..) {
            batch.iter().for_each(|record| self.target.write(record));
            cx.report(Progress::Done(batch, Outcome::delivered()));
        }
    }
}

#[async_trait]
impl Sink for Flawed {
    type Done = Attempt;

    fn delivery(&self) -> Delivery {
        Delivery::Rows
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.inner.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<Attempt>) -> Result<(), Error> {
        self.inner.assigned(partitions, cx)
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Attempt>) -> Result<(), Error> {
        let all: Vec<u32> = (0..).take(batch.len()).collect();
        match self.flaw {
            Flaw::ReportsEarly => {
                cx.report(Progress::Done(batch.subset(&all), Outcome::delivered()));
                self.kept.push(batch);
                cx.wake_at(tokio::time::Instant::now() + Duration::from_millis(1));
            }
            Flaw::LosesOnHardStop => {
                // In a job, reported as if it were done.
                cx.report(Progress::Done(batch.subset(&all), Outcome::delivered()));
                self.kept.push(batch);
            }
            Flaw::ForgetsARow if !all.is_empty() => {
                batch.iter().skip(1).for_each(|record| self.target.write(record));
                cx.report(Progress::Done(batch.subset(&all[1..]), Outcome::delivered()));
            }
            Flaw::ForgetsAPartition => {
                let first = batch.get(0).map(|record| record.origin().id);
                let same = |&row: &u32| batch.get(row as usize).map(|record| record.origin().id) == first;
                let rows: Vec<u32> = all.into_iter().filter(same).collect();
                let batch = batch.subset(&rows);
                batch.iter().for_each(|record| self.target.write(record));
                cx.report(Progress::Done(batch, Outcome::delivered()));
            }
            Flaw::ReportsTwice => {
                self.inner.put(batch.subset(&all), cx)?;
                cx.report(Progress::Done(batch, Outcome::delivered()));
            }
            Flaw::DropsWhatFailed | Flaw::SaysNothingOfRetries => {
                let mut result = self.target.write_all(batch.iter());
                while self.flaw == Flaw::SaysNothingOfRetries && result.is_err() {
                    result = self.target.write_all(batch.iter());
                }
                cx.report(Progress::Done(batch, Outcome::delivered()));
            }
            Flaw::NeverWithoutFlush | Flaw::ReportsAfterRelease | Flaw::KeepsWhatIsLost => {
                self.kept.push(batch)
            }
            Flaw::IgnoresFlush => {
                self.kept.push(batch);
                cx.wake_at(tokio::time::Instant::now() + Duration::from_millis(200));
            }
            Flaw::CutsValues => {
                cut(&batch).iter().for_each(|record| self.target.write(record));
                cx.report(Progress::Done(batch, Outcome::delivered()));
            }
            Flaw::RejectsNeighbours => {
                let too_large =
                    |record: crate::Record<'_>| record.value().is_some_and(|value| value.len() > 100);
                if batch.iter().any(too_large) {
                    let poison = batch.iter().map(|_| Err(Error::poison("write", "too large"))).collect();
                    cx.report(Progress::Done(batch, poison));
                } else {
                    self.inner.put(batch, cx)?;
                }
            }
            Flaw::Panics if batch.iter().any(|record| record.value().is_none()) => panic!("no value"),
            Flaw::Panics | Flaw::HangsInRevoke | Flaw::NeverCloses | Flaw::ForgetsARow => {
                self.inner.put(batch, cx)?;
            }
        }
        Ok(())
    }

    fn done(&mut self, done: Attempt, cx: &mut Context<Attempt>) -> Result<(), Error> {
        self.inner.done(done, cx)
    }

    fn timer(&mut self, cx: &mut Context<Attempt>) -> Result<(), Error> {
        if self.flaw == Flaw::IgnoresFlush {
            self.release_kept(cx);
        }
        for batch in self.kept.drain(..) {
            batch.iter().for_each(|record| self.target.write(record));
        }
        self.inner.timer(cx)
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<Attempt>) -> Result<(), Error> {
        self.inner.noted(id, cx)
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<Attempt>) -> Result<(), Error> {
        let keeps =
            matches!(self.flaw, Flaw::NeverWithoutFlush | Flaw::ReportsAfterRelease | Flaw::KeepsWhatIsLost);
        if keeps && why == Flush::Now {
            self.release_kept(cx);
        }
        self.inner.flush(why, cx)
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Attempt>) -> Result<(), Error> {
        match self.flaw {
            Flaw::HangsInRevoke => return Ok(()),
            Flaw::NeverWithoutFlush | Flaw::IgnoresFlush => self.release_kept(cx),
            _ => {}
        }
        self.inner.revoke(ids, cx)
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.inner.lost(ids);
    }

    async fn close(&mut self) -> Result<(), Error> {
        if self.flaw == Flaw::NeverCloses {
            std::future::pending::<()>().await;
        }
        self.inner.close().await
    }
}

struct Broken(Recording, Flaw);

#[async_trait]
impl SinkHarness for Broken {
    type Sink = Flawed;

    fn capabilities(&self) -> Capabilities {
        let max_record_bytes = (self.1 == Flaw::RejectsNeighbours).then_some(100);
        Capabilities { faults: true, max_record_bytes, ..Capabilities::default() }
    }

    async fn build(&self) -> Result<Flawed, Error> {
        Ok(Flawed { target: self.0.clone(), flaw: self.1, inner: self.0.sink(), kept: Vec::new() })
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        (0..n).for_each(|_| self.0.fail_next(fault(how)));
    }
}

/// The flaw is found by this check, and by this rule.
async fn check(flaw: Flaw, name: &str, rule: &str) {
    let report = run_list(&|| Broken(Recording::new(), flaw)).await;
    let result = report.checks().iter().find(|(check, _)| check == name).map(|(_, result)| result);
    let broken = result.unwrap().as_ref().expect_err("the flaw was not found");
    assert!(broken.rule.contains(rule), "{flaw:?} was found for another reason: {broken}");
}

#[tokio::test(start_paused = true)]
async fn each_flaw_is_found_by_the_check_that_is_about_it() {
    use Flaw::*;
    let cases = [
        (ReportsEarly, "nothing_is_reported_early", "before it is durable"),
        (ForgetsARow, "each_record_is_reported_once", "forgetting is not success"),
        (ForgetsAPartition, "everything_is_readable_after_a_flush", "forgetting is not success"),
        (ReportsTwice, "each_record_is_reported_once", "reported once"),
        (HangsInRevoke, "revoked_partitions_leave_nothing_behind", "then report Released"),
        (ReportsAfterRelease, "revoked_partitions_leave_nothing_behind", "nothing of them is left"),
        (LosesOnHardStop, "a_hard_stop_loses_nothing", "can be read at the target"),
        (DropsWhatFailed, "faults_are_retried", "tried again"),
        (SaysNothingOfRetries, "faults_are_retried", "Retrying says so"),
        (NeverWithoutFlush, "quiet_sinks_report_by_themselves", "forgetting is not success"),
        (NeverWithoutFlush, "too_much_uncommitted_ends_the_range", "end its range"),
        (Panics, "tombstones_follow_the_policy", "does not panic"),
        (NeverCloses, "close_does_no_harm", "close ends"),
        (RejectsNeighbours, "large_records_are_poison", "about no other"),
        (CutsValues, "values_arrive_whole", "can be read at the target"),
        (IgnoresFlush, "a_flush_does_not_wait_for_the_timer", "finish all there is"),
        (KeepsWhatIsLost, "what_is_lost_gives_its_bytes_back", "drop all that belongs to them"),
    ];
    for (flaw, name, rule) in cases {
        check(flaw, name, rule).await;
    }
}

/// An object sink that does not wait for its note: it completes at once.
struct Hasty(crate::testing::ObjectSink);

impl Hasty {
    fn hurry(&mut self, cx: &mut Context<crate::testing::Completed>) -> Result<(), Error> {
        let noted: Vec<PartitionId> = cx
            .reports
            .iter()
            .filter_map(|report| match report {
                Progress::Note(id, _) => Some(*id),
                _ => None,
            })
            .collect();
        noted.into_iter().try_for_each(|id| self.0.noted(id, cx))
    }
}

#[async_trait]
impl Sink for Hasty {
    type Done = crate::testing::Completed;

    fn delivery(&self) -> Delivery {
        self.0.delivery()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.0.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<Self::Done>) -> Result<(), Error> {
        self.0.assigned(partitions, cx)
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Self::Done>) -> Result<(), Error> {
        self.0.put(batch, cx)?;
        self.hurry(cx)
    }

    fn done(&mut self, done: Self::Done, cx: &mut Context<Self::Done>) -> Result<(), Error> {
        self.0.done(done, cx)
    }

    fn timer(&mut self, cx: &mut Context<Self::Done>) -> Result<(), Error> {
        self.0.timer(cx)
    }

    fn noted(&mut self, _: PartitionId, _: &mut Context<Self::Done>) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<Self::Done>) -> Result<(), Error> {
        self.0.flush(why, cx)?;
        self.hurry(cx)
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Self::Done>) -> Result<(), Error> {
        self.0.revoke(ids, cx)
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.0.lost(ids);
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.0.close().await
    }
}

struct HastyHarness(MemoryObjects);

#[async_trait]
impl SinkHarness for HastyHarness {
    type Sink = Hasty;

    fn capabilities(&self) -> Capabilities {
        Ranges(self.0.clone()).capabilities()
    }

    async fn build(&self) -> Result<Hasty, Error> {
        Ok(Hasty(self.0.sink()))
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_completes_before_its_note_is_committed_is_found() {
    let result = nothing_is_reported_early(&HastyHarness(MemoryObjects::new())).await;
    let broken = result.expect_err("the flaw was not found");
    assert!(broken.rule.contains("waits for noted"), "found for another reason: {broken}");
}

/// Objects of a store that replaces what is there.
struct Replacing(MemoryObjects);

#[async_trait]
impl SinkHarness for Replacing {
    type Sink = crate::testing::ObjectSink;

    fn capabilities(&self) -> Capabilities {
        Ranges(self.0.clone()).capabilities()
    }

    async fn build(&self) -> Result<Self::Sink, Error> {
        Ok(self.0.replacing().sink())
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_overwrites_objects_is_found() {
    let broken = objects_are_never_overwritten(&Replacing(MemoryObjects::new())).await;
    assert!(broken.expect_err("the flaw was not found").rule.contains("create-only"));
}

/// A bulk target whose next answers may speak of fewer rows than were sent. `believes`: it takes them for all.
struct Halves {
    target: Recording,
    halves: Arc<AtomicUsize>,
    believes: bool,
}

struct Half {
    target: Recording,
    halves: Arc<AtomicUsize>,
    believes: bool,
}

#[async_trait]
impl Bulk for Half {
    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        let halved = self.halves.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1)).is_ok();
        let taken = if halved { batch.len().div_ceil(2) } else { batch.len() };
        batch.iter().take(taken).for_each(|record| self.target.write(record));
        match self.believes {
            true => Ok(Outcome::delivered()),
            false => Ok((0..taken).map(|_| Ok(())).collect()),
        }
    }
}

#[async_trait]
impl SinkHarness for Halves {
    type Sink = BulkSink<Half>;

    fn capabilities(&self) -> Capabilities {
        Capabilities { answers_per_row: true, ordered: false, ..Capabilities::default() }
    }

    async fn build(&self) -> Result<Self::Sink, Error> {
        let Self { target, halves, believes } = self;
        let half = Half { target: target.clone(), halves: Arc::clone(halves), believes: *believes };
        Ok(BulkSink::new(half, BulkConfig::default()))
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.target.rows())
    }

    async fn fail_next(&self, n: usize, _: Fault) {
        self.halves.fetch_add(n, Relaxed);
    }
}

fn halves(believes: bool) -> Halves {
    Halves { target: Recording::new(), halves: Arc::default(), believes }
}

#[tokio::test(start_paused = true)]
async fn a_bulk_sink_keeps_the_contract_with_answers_that_are_cut_off() {
    run_all(|| halves(false)).await.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_half_an_answer_for_a_whole_one_is_found() {
    let broken = rows_without_an_answer_are_not_delivered(&halves(true)).await;
    assert!(broken.expect_err("the flaw was not found").rule.contains("before it is durable"));
}

/// A secret in an error is found, and not repeated in the report.
struct Talkative(Recording);

#[async_trait]
impl SinkHarness for Talkative {
    type Sink = RecordingSink;

    fn capabilities(&self) -> Capabilities {
        Capabilities { faults: true, ..Capabilities::default() }
    }

    async fn build(&self) -> Result<RecordingSink, Error> {
        Ok(self.0.sink())
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }

    async fn fail_next(&self, _: usize, _: Fault) {
        let talkative = || Error::retriable("log in", "the password hunter2 was refused");
        self.0.fail_next(WriteFault::refused(talkative));
    }

    fn secrets(&self) -> Vec<String> {
        vec!["hunter2".to_owned()]
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_an_error_is_found_and_not_repeated() {
    let broken = secrets_stay_secret(&Talkative(Recording::new())).await.expect_err("the leak was not found");
    assert!(broken.rule.contains("secrets are never"));
    assert!(!broken.to_string().contains("hunter2"));
}
