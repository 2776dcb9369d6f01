//! The 20-line way to write a sink: one request, an answer per row.
//!
//! [`Bulk`] is what an author writes; [`BulkSink`] makes a [`Sink`](crate::Sink) of it. Decisions are in `state`
//! (no clock, no await), waiting is in the jobs that `sink` starts.

mod config;
mod doubt;
mod flights;
mod order;
mod request;
mod retries;
mod sink;
mod state;
mod verdicts;

#[cfg(test)]
mod tests;

pub use config::BulkConfig;
pub use sink::BulkSink;

use crate::{Assigned, Batch, Error, Framer, Outcome, PartitionId, Record};
use async_trait::async_trait;
use std::sync::Arc;

/// A target that takes many rows in one request and answers per row.
///
/// [`BulkSink`] brings what such a sink needs besides: batching by bytes, records and time, several requests in
/// flight and fewer when the target is overloaded, repetition of exactly the rows that failed, back-pressure, order
/// per key, and a clean end at a revoke.
///
/// # Contract
/// - [`write`](Self::write) sends all rows of the batch in one attempt and does not repeat anything itself.
/// - `Ok(outcome)` speaks of rows, in order. `Ok(())` for a row means durable at the target. A row without an answer
///   is sent again: *forgetting is not success*.
/// - `Err` speaks of the whole request, see *Errors*.
/// - A request may be sent again although the target has executed it (a connection that broke before the answer
///   came), and a request that timed out may still be executed late. Ids made from
///   [`Record::origin`] make that harmless.
///
/// # Lifecycle
/// 1. [`open`](Self::open), once, before the first record.
/// 2. [`assigned`](Self::assigned), then [`write`](Self::write) for records of those partitions, from several tasks at
///    once, up to [`BulkConfig::in_flight_max`]; [`unassigned`](Self::unassigned) when the partitions are gone.
/// 3. The value is dropped after the last answer.
///
/// # Ordering
/// Requests run concurrently, so rows may arrive out of order. Rows with equal [`order_key`](Self::order_key)s do
/// not: the second is sent when the fate of the first is known, and two of them never stand in one request.
///
/// # Durability
/// A row may be reported delivered only when a crash of the target can't undo it, by the target's own rules.
///
/// # Back-pressure
/// Nothing to do: batches are kept until there is room in flight, their bytes stay charged to the pipeline's budget,
/// and so do the bodies of requests, estimated as keys, values and [`row_overhead`](Self::row_overhead).
///
/// # Cancel safety
/// The future of `write` is dropped when [`BulkConfig::request_timeout`] is over, and at a hard stop. Its rows then
/// count as unknown and are sent again.
///
/// # Errors
/// - Retriable (time-out, connection, 429, 503): the request is sent again, later and with fewer requests in flight.
/// - Poison (400, 413, 422): the target refuses this request as it stands. It is halved until one row stands alone;
///   that row is then poison, if another row of its partition was settled meanwhile. Where every row is refused alike,
///   the target is in trouble, and all of them wait.
/// - Fatal: the task stops, the offsets stay.
///
/// The same classes hold for a single row's error; poison there is the row's final verdict.
///
/// A class that is a guess is marked as [`doubtful`](Error::doubtful), and what is sent changes: after three retriable
/// failures in a row the request is halved, and a row that fails alone five times while others get through is poison; a
/// row refused by doubtful poison goes again without others, then alone, before it is poison.
///
/// # Example
/// Wrong: a batch in which one row was refused is not an error of the request. All rows would be sent again, for
/// ever:
///
/// ```ignore
/// let answer = self.client.send(batch).await?;
/// if answer.items.iter().any(|item| item.failed()) {
///     return Err(Error::retriable("write", "some rows failed"));
/// }
/// Ok(Outcome::delivered())
/// ```
///
/// Right: a verdict per row.
///
/// ```
/// use connect_core::{Batch, Bulk, BulkConfig, BulkSink, Error, Outcome};
/// use std::{collections::BTreeSet, sync::Mutex};
///
/// /// Keeps lines of text in memory, each once.
/// #[derive(Default)]
/// struct Lines(Mutex<BTreeSet<String>>);
///
/// #[async_trait::async_trait]
/// impl Bulk for Lines {
///     async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
///         let mut lines = self.0.lock().map_err(|_| Error::fatal("write", "another writer panicked"))?;
///         let verdicts = batch.iter().map(|record| {
///             let text = std::str::from_utf8(record.value().unwrap_or_default());
///             let line = text.map_err(|e| Error::poison("read the line", e))?;
///             lines.insert(line.to_owned());
///             Ok(())
///         });
///         Ok(verdicts.collect())
///     }
/// }
///
/// let sink = BulkSink::new(Lines::default(), BulkConfig::default());
/// # let _ = sink;
/// ```
#[async_trait]
pub trait Bulk: Send + Sync + 'static {
    /// Checks everything that can be checked before the first record: address, credentials, permissions. Nothing,
    /// unless overridden.
    ///
    /// # Cancel safety
    /// May be dropped; the sink is then dropped too.
    ///
    /// # Errors
    /// Fatal, with all problems at once; retriable if the target is merely away.
    async fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Partitions came; called before the first of their records is written. Nothing, unless overridden.
    ///
    /// Of each partition, the first `redelivery` records from [`Assigned::offset`] on may have been written before,
    /// by an earlier instance or another member of the group: see [`Context::redelivery`](crate::Context::redelivery).
    /// Must return at once.
    ///
    /// # Errors
    /// Ends the task.
    fn assigned(&self, _partitions: &[Assigned], _redelivery: u64) -> Result<(), Error> {
        Ok(())
    }

    /// These partitions are given up or gone. A request with their records may still be in flight if they were lost;
    /// what it brings is ignored. Nothing, unless overridden. Must return at once.
    fn unassigned(&self, _ids: &[PartitionId]) {}

    /// Sends the rows of `batch`, which is never empty, once.
    ///
    /// # Cancel safety
    /// Dropped when the request takes too long and at a hard stop. Must not leave `self` in a state that the next
    /// call can't bear.
    ///
    /// # Errors
    /// About the request as a whole: retriable, poison (halved) or fatal. See the trait.
    async fn write(&self, batch: &Batch) -> Result<Outcome, Error>;

    /// What the row's order hangs on, usually the identity of what is written. Rows with equal keys are never in
    /// flight together and are written in order of arrival. `None`, the default, costs nothing; a row with `None`
    /// waits for nobody.
    ///
    /// Must give the same answer whenever it is asked about the same record.
    fn order_key<'a>(&self, _record: Record<'a>) -> Option<&'a [u8]> {
        None
    }

    /// What is to stand around each value in a request, if the source may write it there: see [`Framer`].
    /// [`write`](Self::write) finds the frames by [`Batch::pieces`]. None, unless overridden.
    fn framer(&self) -> Option<Box<dyn Framer>> {
        None
    }

    /// Bytes that a row takes in the request besides its key and value, as an estimate: what batching by size and
    /// the budget count. Zero unless overridden.
    fn row_overhead(&self) -> usize {
        0
    }
}

const _: fn(Arc<dyn Bulk>) = |_| {};
