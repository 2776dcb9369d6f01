//! The source contract: events out, commands in, one `await`.

use crate::{Batch, Error, Framer, PartitionId};
use async_trait::async_trait;
use bytes::Bytes;
use std::{ops::Range, sync::Arc};

/// A partition that is this task's from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The assignment; its epoch was never used before.
    pub id: PartitionId,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The first offset that will be read: what the group has committed, or the start position.
    pub offset: i64,
    /// The metadata of the committed offset, if there is any.
    pub note: Option<Bytes>,
    /// How many partitions its topic has, if the source knows; no less than `partition` + 1.
    pub partitions: Option<u32>,
}

/// An offset to commit. A commit without a note erases the one that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The assignment that it is made for; if that has ended meanwhile, the commit is dropped.
    pub id: PartitionId,
    /// The next offset to read after a restart.
    pub offset: i64,
    /// Metadata to store with it.
    pub note: Option<Bytes>,
}

/// What a source has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Records of assigned partitions, in order of offset per partition, or positions that moved.
    Records(Batch),
    /// Partitions came; sent before their first record.
    Assigned(Vec<Assigned>),
    /// Partitions are to be given up in good order: no more records of them follow, and [`Source::release`] ends
    /// the matter, after the last commit for them.
    Revoked(Vec<PartitionId>),
    /// Partitions are gone: others may own them already. Nothing can be committed for them.
    Lost(Vec<PartitionId>),
    /// The answer to one [`Source::commit`], in order. A commit that failed for some partitions only is answered
    /// once per outcome.
    Committed(Vec<Commit>, Result<(), Error>),
    /// Where the partitions end now (one past the last record): lag is this minus the watermark.
    Ends(Vec<(PartitionId, i64)>),
    /// Offsets that the store no longer has, and the configuration allows to go on without (`on.data.loss=continue`).
    Gap(PartitionId, Range<i64>, Error),
    /// Something transient keeps the source from reading or committing; it goes on by itself. Shown in the status
    /// until `None` says that it is over.
    Trouble(Option<Error>),
    /// There will never be another record (a file was read to its end). Kafka has no end.
    End,
}

/// Where records come from. One instance serves one task, and is driven by one loop.
///
/// # Contract
/// - Records of a partition are yielded in order of offset, each once per assignment, starting at
///   [`Assigned::offset`], and only between [`Event::Assigned`] and the end of that assignment.
/// - A source never moves a position by itself. Only [`commit`](Self::commit) does.
/// - A source never skips forward. Holes in the log are not gaps; an offset that the store no longer has is either
///   an error or an [`Event::Gap`].
/// - [`commit`](Self::commit), [`release`](Self::release) and [`hold`](Self::hold) return at once.
///
/// # Lifecycle
/// 1. `open`: check everything, connect.
/// 2. `next` again and again; commands between two calls.
/// 3. `close`: leave in good order. Dropping without `close` must end threads and connections too.
///
/// # Ordering
/// Commands take effect in the order given. Commits are answered in order by [`Event::Committed`].
///
/// # Durability
/// A commit is durable when it was answered by `Ok`. Until then, and after an error, the offset that will be read
/// after a restart is the old one or the new one.
///
/// # Back-pressure
/// `room` is how many bytes the pipeline can take. At zero a source returns no records, but goes on serving events
/// and its membership of the group.
///
/// # Cancel safety
/// [`next`](Self::next) is dropped at any await point, often. Nothing may be lost by that. Wrong:
///
/// ```ignore
/// async fn next(&mut self, _: usize) -> Result<Event, Error> {
///     let line = self.lines.next_line().await?;   // taken from the file …
///     let offset = self.locate(&line).await?;     // … and lost if the call is dropped here
///     Ok(Event::Records(self.batch(line, offset)))
/// }
/// ```
///
/// Right: the only await hands over something complete.
///
/// ```ignore
/// async fn next(&mut self, _: usize) -> Result<Event, Error> {
///     self.events.recv().await.ok_or_else(|| Error::retriable("read", "the reader thread has ended"))
/// }
/// ```
///
/// # Errors
/// Retriable: the task restarts with a new instance, after a pause. Fatal: it stops and says why. Errors that the
/// source can sit out itself (a broker that is away) are no errors.
#[async_trait]
pub trait Source: Send {
    /// The sink's frame for values, before [`open`](Self::open), where no transform stands in between. A source that
    /// builds its batches by a [`BatchBuilder`](crate::BatchBuilder) hands it on; one that does not ignores it, which
    /// is the default.
    fn frame_by(&mut self, framer: Box<dyn Framer>) {
        drop(framer);
    }

    /// Connects and checks what can be checked.
    ///
    /// # Cancel safety
    /// May be dropped; the source is then dropped too.
    ///
    /// # Errors
    /// All problems at once, fatal; retriable if the other side is merely away.
    async fn open(&mut self) -> Result<(), Error>;

    /// Waits for the next event. Returns about `room` bytes of records at most; at zero, none.
    ///
    /// # Cancel safety
    /// Safe to drop at any time, by contract.
    ///
    /// # Errors
    /// See the trait.
    async fn next(&mut self, room: usize) -> Result<Event, Error>;

    /// Starts to commit; [`Event::Committed`] answers. The runtime has one request in flight.
    fn commit(&mut self, commits: Vec<Commit>);

    /// The reply to [`Event::Revoked`]: these partitions may be given away. Comes after the last commit for them.
    fn release(&mut self, ids: &[PartitionId]);

    /// Stops (`held`) or resumes reading single partitions, for holds of seconds and more.
    fn hold(&mut self, ids: &[PartitionId], held: bool);

    /// Leaves in good order. Called once, after the last commit was answered or the deadline has passed.
    ///
    /// # Cancel safety
    /// Dropped after 10 s; the source is then dropped too.
    ///
    /// # Errors
    /// What could not be ended well; logged, nothing more.
    async fn close(&mut self) -> Result<(), Error>;
}

const _: fn(Box<dyn Source>) = |_| {};
