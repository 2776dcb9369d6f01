//! A sink on a bench: driven by hand, without a runtime.

use crate::{
    Assigned, Batch, Budget, Error, Flush, PartitionId, Progress, Sink,
    driven::{Driven, DynSink},
};

/// Drives a [`Sink`] by hand: the test plays the runtime, decides what is committed, and sees every report.
///
/// Jobs run while [`progress`](Self::progress) is awaited, as they do in the runtime; dropping the bench ends them
/// where they stand, as a crash does.
pub struct Bench<S: Sink> {
    driven: Driven<S>,
}

impl<S: Sink> std::fmt::Debug for Bench<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("jobs", &self.driven.jobs()).finish_non_exhaustive()
    }
}

impl<S: Sink> Bench<S> {
    /// A bench with a sink that is not open yet.
    #[must_use]
    pub fn new(sink: S, budget: Budget) -> Self {
        Self { driven: Driven::new(sink, budget) }
    }

    /// See [`Sink::open`].
    ///
    /// # Cancel safety
    /// As the sink's.
    ///
    /// # Errors
    /// The sink's.
    pub async fn open(&mut self) -> Result<(), Error> {
        self.driven.open().await
    }

    /// See [`Sink::assigned`].
    ///
    /// # Errors
    /// The sink's.
    pub fn assigned(&mut self, partitions: &[Assigned]) -> Result<(), Error> {
        self.driven.assigned(partitions)
    }

    /// See [`Sink::put`].
    ///
    /// # Errors
    /// The sink's.
    pub fn put(&mut self, batch: Batch) -> Result<(), Error> {
        self.driven.put(batch)
    }

    /// See [`Sink::noted`].
    ///
    /// # Errors
    /// The sink's.
    pub fn noted(&mut self, id: PartitionId) -> Result<(), Error> {
        self.driven.noted(id)
    }

    /// See [`Sink::flush`].
    ///
    /// # Errors
    /// The sink's.
    pub fn flush(&mut self, why: Flush) -> Result<(), Error> {
        self.driven.flush(why)
    }

    /// See [`Sink::revoke`].
    ///
    /// # Errors
    /// The sink's.
    pub fn revoke(&mut self, ids: &[PartitionId]) -> Result<(), Error> {
        self.driven.revoke(ids)
    }

    /// See [`Sink::lost`].
    pub fn lost(&mut self, ids: &[PartitionId]) {
        self.driven.lost(ids);
    }

    /// Jobs in flight.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.driven.jobs()
    }

    /// Runs jobs and timers until there is a report. Never ends if there is neither: wrap it in a time-out.
    ///
    /// # Cancel safety
    /// Safe to drop; nothing is lost.
    ///
    /// # Errors
    /// The sink's.
    pub async fn progress(&mut self) -> Result<Progress, Error> {
        self.driven.progress().await
    }

    /// See [`Sink::close`].
    ///
    /// # Cancel safety
    /// As the sink's.
    ///
    /// # Errors
    /// The sink's.
    pub async fn close(&mut self) -> Result<(), Error> {
        self.driven.close().await
    }
}
