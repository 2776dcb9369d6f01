//! The one cancel-safe loop around a sink, written once, for all of them.

use crate::{Assigned, Batch, Budget, Context, Delivery, Error, Flush, Framer, PartitionId, Progress, Sink};
use async_trait::async_trait;
use std::future::pending;
use tokio::time::sleep_until;

/// A [`Sink`] without its type: what the runtime drives.
#[async_trait]
pub(crate) trait DynSink: Send {
    fn delivery(&self) -> Delivery;
    fn framer(&self) -> Option<Box<dyn Framer>>;
    async fn open(&mut self) -> Result<(), Error>;
    fn assigned(&mut self, partitions: &[Assigned]) -> Result<(), Error>;
    fn put(&mut self, batch: Batch) -> Result<(), Error>;
    fn noted(&mut self, id: PartitionId) -> Result<(), Error>;
    fn flush(&mut self, why: Flush) -> Result<(), Error>;
    fn revoke(&mut self, ids: &[PartitionId]) -> Result<(), Error>;
    fn lost(&mut self, ids: &[PartitionId]);
    /// Jobs in flight.
    fn jobs(&self) -> usize;
    /// Runs the sink until it has something to report. Safe to drop: a job's result is taken and handed to the sink
    /// without an await in between.
    async fn progress(&mut self) -> Result<Progress, Error>;
    async fn close(&mut self) -> Result<(), Error>;
}

pub(crate) struct Driven<S: Sink> {
    sink: S,
    cx: Context<S::Done>,
}

impl<S: Sink> Driven<S> {
    pub(crate) fn new(sink: S, budget: Budget) -> Self {
        Self { sink, cx: Context::new(budget) }
    }

    /// See [`Context::redelivery`].
    pub(crate) fn redelivery(self, records: u64) -> Self {
        Self { cx: self.cx.with_redelivery(records), ..self }
    }
}

#[async_trait]
impl<S: Sink> DynSink for Driven<S> {
    fn delivery(&self) -> Delivery {
        self.sink.delivery()
    }

    fn framer(&self) -> Option<Box<dyn Framer>> {
        self.sink.framer()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.sink.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned]) -> Result<(), Error> {
        self.sink.assigned(partitions, &mut self.cx)
    }

    fn put(&mut self, batch: Batch) -> Result<(), Error> {
        self.sink.put(batch, &mut self.cx)
    }

    fn noted(&mut self, id: PartitionId) -> Result<(), Error> {
        self.sink.noted(id, &mut self.cx)
    }

    fn flush(&mut self, why: Flush) -> Result<(), Error> {
        self.sink.flush(why, &mut self.cx)
    }

    fn revoke(&mut self, ids: &[PartitionId]) -> Result<(), Error> {
        self.sink.revoke(ids, &mut self.cx)
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.sink.lost(ids);
    }

    fn jobs(&self) -> usize {
        self.cx.jobs()
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        loop {
            if let Some(report) = self.cx.reports.pop_front() {
                return Ok(report);
            }
            let wake = self.cx.wake;
            let timer = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Some(done) = self.cx.jobs.join_next() => {
                    let done = done.map_err(|e| Error::retriable("run a job of the sink", e))?;
                    self.sink.done(done, &mut self.cx)?;
                }
                () = timer => {
                    self.cx.wake = None;
                    self.sink.timer(&mut self.cx)?;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.sink.close().await
    }
}
