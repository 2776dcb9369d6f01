//! A wrapper that forwards everything: it must pass where the sink within passes.

use super::{Capabilities, Fault, Found, SinkHarness};
use crate::{Assigned, Batch, Context, Delivery, Error, Flush, Framer, PartitionId, Sink};
use async_trait::async_trait;

/// Counts the records that pass on their way to a sink, and forwards every call.
#[derive(Debug)]
pub struct Counting<S> {
    sink: S,
    records: u64,
}

impl<S> Counting<S> {
    /// Wraps `sink`.
    pub fn new(sink: S) -> Self {
        Self { sink, records: 0 }
    }

    /// Records put so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: Sink> Sink for Counting<S> {
    type Done = S::Done;

    fn delivery(&self) -> Delivery {
        self.sink.delivery()
    }

    fn framer(&self) -> Option<Box<dyn Framer>> {
        self.sink.framer()
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.sink.open().await
    }

    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.sink.assigned(partitions, cx)
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.records += batch.len() as u64;
        self.sink.put(batch, cx)
    }

    fn done(&mut self, done: S::Done, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.sink.done(done, cx)
    }

    fn timer(&mut self, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.sink.timer(cx)
    }

    fn noted(&mut self, id: PartitionId, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.sink.noted(id, cx)
    }

    fn flush(&mut self, why: Flush, cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.sink.flush(why, cx)
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<S::Done>) -> Result<(), Error> {
        self.sink.revoke(ids, cx)
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.sink.lost(ids);
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.sink.close().await
    }
}

/// The same harness, with its sink in a wrapper.
pub(super) struct InWrapper<H>(pub(super) H);

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<H: SinkHarness> SinkHarness for InWrapper<H> {
    type Sink = Counting<H::Sink>;

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn build(&self) -> Result<Self::Sink, Error> {
        self.0.build().await.map(Counting::new)
    }

    async fn read_back(&self) -> Vec<Found> {
        self.0.read_back().await
    }

    async fn fail_next(&self, n: usize, how: Fault) {
        self.0.fail_next(n, how).await;
    }

    fn secrets(&self) -> Vec<String> {
        self.0.secrets()
    }

    fn exposed(&self) -> Vec<String> {
        self.0.exposed()
    }
}
