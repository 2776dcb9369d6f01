//! A [`Sink`] of a [`Bulk`]: carries out what `state` decides.

use super::{
    Bulk, BulkConfig,
    flights::FlightId,
    state::{Launch, State},
};
use crate::{Assigned, Batch, Context, Delivery, Error, Flush, Framer, Outcome, PartitionId, Progress, Sink};
use async_trait::async_trait;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// Makes a [`Sink`] of a [`Bulk`].
///
/// # What it does
/// - Joins batches to requests (bytes, records, linger; see [`BulkConfig`]) without touching a payload. A request that
///   is full, or has no room for another batch like the last one, goes at once; one that lingers goes when it is due,
///   on a flush or on a revoke.
/// - Sends several requests at once: as many as the bytes of the budget allow, at most
///   [`in_flight_max`](BulkConfig::in_flight_max), half as many after an overload, one more per round of successes.
/// - Sends again exactly the rows that failed with a retriable error or were not answered, with jittered backoff,
///   honouring [`Error::retry_after`], for ever unless [`retry_timeout`](BulkConfig::retry_timeout) is set. While
///   nothing at all gets through, nothing else is sent either.
/// - Halves a request that was refused as a whole, or three times not answered, until one row stands alone, which is
///   poison if others get through: see *Errors* of [`Bulk`].
/// - Keeps rows with equal [`order_key`](Bulk::order_key)s apart and in order.
/// - On a revoke it sends what is open, tries waiting repetitions once at once, and reports
///   [`Progress::Released`](crate::Progress::Released) for partitions as nothing of them is left. A report may name
///   some of the partitions that were revoked together.
///
/// # Reports
/// Each row is reported once, by [`Progress::Done`](crate::Progress::Done), delivered or poison. A request that went
/// through comes back as it was put together; otherwise its settled rows come back as a subset.
pub struct BulkSink<B> {
    bulk: Arc<B>,
    state: State<B>,
    request_timeout: Duration,
}

impl<B: Bulk> BulkSink<B> {
    /// A sink that writes by `bulk`.
    #[must_use]
    pub fn new(bulk: B, config: BulkConfig) -> Self {
        let bulk = Arc::new(bulk);
        let request_timeout = config.request_timeout;
        Self { state: State::new(Arc::clone(&bulk), config), bulk, request_timeout }
    }

    /// The target, for tests and wrappers.
    #[must_use]
    pub fn bulk(&self) -> &B {
        &self.bulk
    }

    /// Starts what may start, hands reports on and sets the timer: the end of every call.
    fn pump(&mut self, now: Instant, cx: &mut Context<Answer>) {
        while let Some(launch) = self.state.next(now, cx.budget()) {
            self.launch(launch, cx);
        }
        self.state.settle_workspace(cx.budget());
        for report in self.state.reports() {
            if let Progress::Released(ids) = &report {
                self.bulk.unassigned(ids);
            }
            cx.report(report);
        }
        if let Some(at) = self.state.wake(cx.budget()) {
            cx.wake_at(at);
        }
    }

    fn launch(&self, Launch { id, batch }: Launch, cx: &mut Context<Answer>) {
        let bulk = Arc::clone(&self.bulk);
        let limit = self.request_timeout;
        cx.spawn(async move {
            let result = timeout(limit, bulk.write(&batch)).await.unwrap_or_else(|_| {
                let late = format!("no answer within {limit:?}");
                Err(Error::retriable("wait for the answer to a request", late).doubtful())
            });
            // The state takes the rows back when it hears of the answer: it must find itself their only owner.
            drop(batch);
            Answer { id, result }
        });
    }
}

/// What a request brings back. Opaque: only [`BulkSink`] reads it.
#[derive(Debug)]
pub struct Answer {
    id: FlightId,
    result: Result<Outcome, Error>,
}

#[async_trait]
impl<B: Bulk> Sink for BulkSink<B> {
    type Done = Answer;

    fn delivery(&self) -> Delivery {
        Delivery::Rows
    }

    fn framer(&self) -> Option<Box<dyn Framer>> {
        self.bulk.framer()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.bulk.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<Answer>) -> Result<(), Error> {
        for partition in partitions {
            self.state.assigned(partition.id);
        }
        self.bulk.assigned(partitions, cx.redelivery())
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Answer>) -> Result<(), Error> {
        let now = Instant::now();
        self.state.put(batch, now, cx.budget());
        self.pump(now, cx);
        Ok(())
    }

    fn done(&mut self, done: Answer, cx: &mut Context<Answer>) -> Result<(), Error> {
        let now = Instant::now();
        let result = self.state.answered(done.id, done.result, now, cx.budget());
        if result.is_err() {
            // The task ends; what was delivered is still told, and nothing new is started.
            for report in self.state.reports() {
                cx.report(report);
            }
            return result;
        }
        self.pump(now, cx);
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<Answer>) -> Result<(), Error> {
        self.pump(Instant::now(), cx);
        Ok(())
    }

    /// Never called: a sink that reports rows makes no notes.
    fn noted(&mut self, _: PartitionId, _: &mut Context<Answer>) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<Answer>) -> Result<(), Error> {
        let now = Instant::now();
        self.state.flush(why, now);
        self.pump(now, cx);
        Ok(())
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Answer>) -> Result<(), Error> {
        let now = Instant::now();
        self.state.revoke(ids, now);
        self.pump(now, cx);
        Ok(())
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.state.lost(ids, Instant::now());
        self.bulk.unassigned(ids);
    }

    async fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<B> fmt::Debug for BulkSink<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkSink").field("request_timeout", &self.request_timeout).finish_non_exhaustive()
    }
}
