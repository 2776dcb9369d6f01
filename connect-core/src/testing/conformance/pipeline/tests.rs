use super::*;
use crate::{
    Error,
    testing::{
        Delivered, MemoryObjects, ObjectSink, Recording, RecordingSink, WriteFault,
        conformance::sink::{Capabilities, Found},
    },
};
use async_trait::async_trait;
use std::time::Duration;

fn found(rows: &[Delivered]) -> Vec<Found> {
    rows.iter().map(|row| Found::new(row.partition, row.offset, row.message.value.clone())).collect()
}

fn fault(how: Fault) -> WriteFault {
    match how {
        Fault::Busy(_) => WriteFault::refused(|| Error::retriable("write", "busy")),
        Fault::AnswerLost | Fault::HalfAnswered => {
            WriteFault::answer_lost(|| Error::retriable("write", "connection reset"))
        }
    }
}

struct Rows(Recording);

#[async_trait]
impl SinkHarness for Rows {
    type Sink = RecordingSink;

    fn capabilities(&self) -> Capabilities {
        Capabilities { faults: true, ..Capabilities::default() }
    }

    async fn build(&self) -> Result<RecordingSink, Error> {
        Ok(self.0.faulty(&Faults::none()))
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
    type Sink = ObjectSink;

    fn capabilities(&self) -> Capabilities {
        Capabilities { idempotent_by_offset: true, faults: true, ..Capabilities::default() }
    }

    async fn build(&self) -> Result<ObjectSink, Error> {
        // In no time at all, all ranges would begin at one moment, and one timer would end them all.
        let takes = Duration::from_millis(5);
        Ok(self.0.sink().cut_after(20).max_age(Duration::from_secs(1)).takes(takes))
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        (0..n).for_each(|_| self.0.fail_next(fault(how)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_of_rows_loses_nothing_at_any_boundary() {
    let report = run_all(|| Rows(Recording::new())).await;
    report.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn a_sink_of_ranges_loses_nothing_at_any_boundary_and_repeats_nothing() {
    let report = run_all(|| Ranges(MemoryObjects::new())).await;
    report.assert_passed();
    let never = report.not_applicable().into_iter().filter(|(_, why)| why.contains("never came"));
    // Its jobs never wait, and a hard stop does not close.
    let never = never.map(|(name, _)| name).filter(|name| !name.contains("at Waiting"));
    assert_eq!(never.collect::<Vec<_>>(), ["HardStop at Close after 0"]);
}

/// Writes nothing of the second batch it is given, and says it did.
struct Lossy(RecordingSink, usize);

#[async_trait]
impl crate::Sink for Lossy {
    type Done = crate::testing::Attempt;

    fn delivery(&self) -> crate::Delivery {
        self.0.delivery()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.0.open().await
    }

    fn assigned(
        &mut self,
        partitions: &[crate::Assigned],
        cx: &mut crate::Context<Self::Done>,
    ) -> Result<(), Error> {
        self.0.assigned(partitions, cx)
    }

    fn put(&mut self, batch: crate::Batch, cx: &mut crate::Context<Self::Done>) -> Result<(), Error> {
        self.1 += 1;
        if self.1 == 2 {
            cx.report(crate::Progress::Done(batch, crate::Outcome::delivered()));
            return Ok(());
        }
        self.0.put(batch, cx)
    }

    fn done(&mut self, done: Self::Done, cx: &mut crate::Context<Self::Done>) -> Result<(), Error> {
        self.0.done(done, cx)
    }

    fn timer(&mut self, cx: &mut crate::Context<Self::Done>) -> Result<(), Error> {
        self.0.timer(cx)
    }

    fn noted(&mut self, id: crate::PartitionId, cx: &mut crate::Context<Self::Done>) -> Result<(), Error> {
        self.0.noted(id, cx)
    }

    fn flush(&mut self, why: crate::Flush, cx: &mut crate::Context<Self::Done>) -> Result<(), Error> {
        self.0.flush(why, cx)
    }

    fn revoke(
        &mut self,
        ids: &[crate::PartitionId],
        cx: &mut crate::Context<Self::Done>,
    ) -> Result<(), Error> {
        self.0.revoke(ids, cx)
    }

    fn lost(&mut self, ids: &[crate::PartitionId]) {
        self.0.lost(ids);
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.0.close().await
    }
}

struct LossyHarness(Recording);

#[async_trait]
impl SinkHarness for LossyHarness {
    type Sink = Lossy;

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn build(&self) -> Result<Lossy, Error> {
        Ok(Lossy(self.0.sink(), 0))
    }

    async fn read_back(&self) -> Vec<Found> {
        found(&self.0.rows())
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_loses_a_batch_is_found() {
    let harness = LossyHarness(Recording::new());
    let result = fault_at_a_boundary(&harness, Point::Flush, 99, How::Panic).await;
    let broken = result.expect_err("the loss was not found");
    assert!(broken.rule.contains("committed only when"), "found for another reason: {broken}");
}
