//! The sink contract: a state machine that starts jobs and reports.

use crate::{Assigned, Batch, Context, Error, Framer, Outcome, PartitionId};
use async_trait::async_trait;
use bytes::Bytes;

/// What a sink tells the runtime, through [`Context::report`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress {
    /// Requests: the batch comes back with a verdict per row. `Ok` is delivered, an error is poison; rows to be sent
    /// again stay with the sink.
    Done(Batch, Outcome),
    /// Files: all records of the partition below the offset are durable, but for those that were `Rejected`.
    Durable(PartitionId, i64),
    /// Files: one record (a batch of one, see [`Record::detach`](crate::Record::detach)) can't be written.
    Rejected(Batch, Error),
    /// Files, phase one: commit the offset of the last `Durable` (or of the assignment) unchanged, with this note;
    /// [`Sink::noted`] answers. A note once reported is never changed.
    Note(PartitionId, Bytes),
    /// Files: the note that this partition came with ([`Assigned::note`]) asks for nothing: it is another program's, or
    /// of another offset. Without this report the runtime takes it that a range is being rebuilt, and lets it be read
    /// to its end whatever it weighs.
    Foreign(PartitionId),
    /// Files, an answer to [`Flush::Pressure`]: what fills the byte budget belongs to the range of a note that this
    /// partition came with, which only its own records can end, and nothing that is under way gives bytes back. The
    /// runtime reads one more batch of this partition although the budget is full, and none of the others, then asks
    /// again. So memory is bounded by the budget and one such range.
    Starved(PartitionId),
    /// The reply to [`Sink::revoke`]: nothing of these partitions is left here.
    Released(Vec<PartitionId>),
    /// Something transient failed and is tried again by the sink; shown in the status until progress is made.
    Retrying(Error),
}

/// How a sink's progress becomes offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Each batch comes back by [`Progress::Done`]; the watermark follows the rows.
    Rows,
    /// Ranges of whole partitions end by [`Progress::Durable`], with a [`Progress::Note`] before objects appear.
    /// The runtime moves offsets for nothing else, not even for filtered records.
    Ranges,
}

/// Why the runtime asks a sink to hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Finish all there is: the pipeline stops, or somebody asked.
    Now,
    /// The byte budget is full and nothing moves: give bytes back. Asked again a few times a second while that lasts;
    /// what cannot be given back because a note stands for it is [`Progress::Starved`].
    Pressure,
    /// This partition has too much uncommitted (`max.uncommitted.*`): end its range, and report `Durable` up to the last
    /// position put. Nothing more of the partition is read before enough of it is committed.
    Uncommitted(PartitionId),
}

/// Where records go. The full-strength contract; for requests that answer per row, [`Bulk`](crate::Bulk) is enough.
///
/// # Contract
/// - Methods return at once. They start jobs ([`Context::spawn`]), set a timer ([`Context::wake_at`]) and report
///   ([`Context::report`]); only the runtime waits. So a revoke is always heard, and dropping a future loses nothing.
/// - Each record put is reported once: by [`Progress::Done`], or by [`Progress::Durable`] (with
///   [`Progress::Rejected`] before it). *Forgetting is not success*: what was not reported is read again.
/// - Nothing is reported before it is durable at the target.
/// - Reports for partitions that were revoked or lost are ignored; they do no harm.
///
/// # Lifecycle
/// 1. [`open`](Self::open): check everything, all problems at once.
/// 2. [`assigned`](Self::assigned), then [`put`](Self::put) for records of those partitions, [`done`](Self::done)
///    for each job that ends, [`timer`](Self::timer) when the wish of `wake_at` has come.
/// 3. [`revoke`](Self::revoke), answered by [`Progress::Released`]; after a deadline, or at once if the partition is
///    gone, [`lost`](Self::lost).
/// 4. [`flush`](Self::flush) with [`Flush::Now`], then `revoke` of all, then [`close`](Self::close). After a hard stop `close` is not called:
///    jobs are ended where they stand and the sink is dropped.
///
/// # Ordering
/// Batches come in order of offset per partition. A sink may report them in any order.
///
/// # Durability and ranges
/// A sink with [`Delivery::Ranges`] owns a range `[from, to)` per partition: `from` is [`Assigned::offset`] or the last
/// `Durable`. It reports a `Note`, waits for [`noted`](Self::noted), completes its objects create-only, then reports
/// `Durable(to)`. If [`Assigned::note`] stands, it rebuilds exactly that range under the same names, or reports that the
/// note is [`Progress::Foreign`].
///
/// # Back-pressure
/// Keeping the batch is back-pressure: its bytes stay charged until it is dropped, and at the bound nothing is read,
/// but for a range that would never end otherwise ([`Progress::Starved`]).
/// Bodies and parts of one's own are charged by [`Context::charge`].
///
/// # Errors
/// An error returned by a method ends the task: retriable, it starts again with a new instance; fatal, it stays
/// failed. What may work in a moment is not an error but a job started again, with a report of
/// [`Progress::Retrying`]. Poison is a verdict about a row, not an error of a method.
///
/// # Example
/// Wrong: waiting inside a method. There is no `await` here, so this blocks the loop, and a revoke goes unheard.
///
/// ```ignore
/// fn put(&mut self, batch: Batch, cx: &mut Context<Done>) -> Result<(), Error> {
///     futures::executor::block_on(self.client.send(&batch))?;
///     cx.report(Progress::Done(batch, Outcome::delivered()));
///     Ok(())
/// }
/// ```
///
/// Right: a job that brings the batch back.
///
/// ```ignore
/// fn put(&mut self, batch: Batch, cx: &mut Context<Done>) -> Result<(), Error> {
///     let client = self.client.clone();
///     cx.spawn(async move { let result = client.send(&batch).await; (batch, result) });
///     Ok(())
/// }
///
/// fn done(&mut self, (batch, result): Done, cx: &mut Context<Done>) -> Result<(), Error> {
///     match result {
///         Ok(()) => cx.report(Progress::Done(batch, Outcome::delivered())),
///         Err(error) => self.retry_later(batch, error, cx),
///     }
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait Sink: Send + 'static {
    /// What a job brings back to [`done`](Self::done).
    type Done: Send + 'static;

    /// Which reports move offsets.
    fn delivery(&self) -> Delivery;

    /// What is to stand around each value in a body, if the source may write it there: see [`Framer`]. Asked once,
    /// after [`open`](Self::open). None, unless overridden.
    fn framer(&self) -> Option<Box<dyn Framer>> {
        None
    }

    /// Checks everything that can be checked before the first record: address, credentials, permissions.
    ///
    /// # Cancel safety
    /// May be dropped; the sink is then dropped too.
    ///
    /// # Errors
    /// Fatal, with all problems at once; retriable if the target is merely away.
    async fn open(&mut self) -> Result<(), Error>;

    /// Partitions came, with the offset that will be read first and the note that stands.
    ///
    /// # Errors
    /// Ends the task.
    fn assigned(&mut self, partitions: &[Assigned], cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// Records, or positions that moved (an empty batch).
    ///
    /// # Errors
    /// Ends the task.
    fn put(&mut self, batch: Batch, cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// A job has ended and brings this back. A job that panics ends the task.
    ///
    /// # Errors
    /// Ends the task.
    fn done(&mut self, done: Self::Done, cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// The time of the earliest [`Context::wake_at`] has come. The wish is spent.
    ///
    /// # Errors
    /// Ends the task.
    fn timer(&mut self, cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// The note of this partition is committed: objects may appear now.
    ///
    /// # Errors
    /// Ends the task.
    fn noted(&mut self, id: PartitionId, cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// Hurry: see [`Flush`].
    ///
    /// # Errors
    /// Ends the task.
    fn flush(&mut self, why: Flush, cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// Give these partitions up: finish what can be finished, then report [`Progress::Released`]. The runtime waits
    /// until its deadline, no longer, and answers notes meanwhile.
    ///
    /// # Errors
    /// Ends the task.
    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Self::Done>) -> Result<(), Error>;

    /// These partitions are gone: drop all that belongs to them. Nothing reported for them counts any more.
    fn lost(&mut self, ids: &[PartitionId]);

    /// The last call of a graceful stop; nothing is in flight any more.
    ///
    /// # Cancel safety
    /// Dropped after 10 s; the sink is then dropped too.
    ///
    /// # Errors
    /// Logged, nothing more.
    async fn close(&mut self) -> Result<(), Error>;
}
