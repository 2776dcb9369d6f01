//! How a source makes batches: one copy into a recycled arena.

use crate::{
    Batch, Framer, PartitionId, Run,
    batch::length,
    framing::{Frame, Strip},
    record::{AS_READ, NO_TIMESTAMP, ONLY, Row, Span, append, write_headers},
};
use bytes::Bytes;
use std::{
    fmt,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes a batch holds at most, unless a single record is larger: a batch should stay in cache on its way, but each one
/// also wakes two threads. Measured with records of 499 bytes: 128 KiB cost a tenth of a pipeline's CPU more than
/// 256 KiB, 256 KiB a twentieth more than 512 KiB, and that as much more than this where values are framed.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Records a batch holds at most: from there on, the cost of a hop between threads no longer shows.
pub const BATCH_RECORDS_MAX: usize = 2_000;
/// What an arena is made for: a full batch and the record that fills it. One that grew would be copied while it does,
/// again and again, which costs as much as filling it.
const ARENA_BYTES: usize = BATCH_BYTES_MAX + (64 << 10);
/// Up to this much is copied out of the arena: a batch that waits would keep all of the arena, but is charged for what is
/// in it. In an outage, records that come one by one would take fifty times the budget.
const COPIED_MAX: usize = 64 << 10;
/// Arenas kept for the next batches: what two large requests of a sink give back at once.
const POOLED_MAX: usize = 16;

/// A record as a source hands it over; the bytes are copied once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<'a> {
    /// The offset in its partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, if known.
    pub timestamp_ms: Option<i64>,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Builds batches one after another, recycling the arenas of those that were dropped.
///
/// ```
/// use connect_core::{BatchBuilder, Entry, PartitionId};
/// let mut builder = BatchBuilder::new();
/// builder.push(PartitionId::new(0, 1), &"logs".into(), 3, Entry { offset: 7, value: Some(b"{}"), ..Entry::default() }, []);
/// let batch = builder.finish();
/// assert_eq!(batch.iter().next().map(|record| record.origin().offset), Some(7));
/// ```
#[derive(Default)]
pub struct BatchBuilder {
    arena: Vec<u8>,
    /// Keys and headers where values are framed: between two frames they would keep them from being neighbours.
    aside: Vec<u8>,
    framer: Option<Box<dyn Framer>>,
    rows: Vec<Row>,
    /// Rows with a frame.
    framed: usize,
    runs: Vec<Run>,
    payload: usize,
    pool: Arc<Pool>,
}

impl BatchBuilder {
    /// An empty builder with a pool of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts values in frames: see [`Framer`].
    #[must_use]
    pub fn framed_by(mut self, framer: impl Framer + 'static) -> Self {
        self.frame_by(Box::new(framer));
        self
    }

    /// Puts the values of batches to come in frames.
    ///
    /// # Panics
    /// In the middle of a batch.
    pub fn frame_by(&mut self, framer: Box<dyn Framer>) {
        assert!(self.is_empty(), "a batch is framed from its first row on, or not at all");
        self.framer = Some(framer);
    }

    /// Adds a record of partition `id`. Offsets of a partition must grow from call to call.
    ///
    /// # Panics
    /// If the batch grows beyond 4 GiB; look at [`is_full`](Self::is_full).
    pub fn push<'h>(
        &mut self,
        id: PartitionId,
        topic: &Arc<str>,
        partition: i32,
        entry: Entry<'_>,
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    ) {
        let payload = entry.key.map_or(0, <[u8]>::len) + entry.value.map_or(0, <[u8]>::len);
        let run = self.run(id, topic, partition, entry.offset);
        run.offsets.end = entry.offset + 1;
        run.rows += 1;
        run.bytes += payload as u64;
        if self.arena.capacity() == 0 {
            self.arena = self.pool.take();
        }
        let arena = &mut self.arena;
        let framer = self.framer.as_deref_mut();
        let framed = framer.and_then(|framer| Frame::write(framer, (topic, partition), &entry, arena));
        self.framed += usize::from(framed.is_some());
        let (value, frame) = framed.unwrap_or_else(|| {
            (entry.value.map_or(Span::NONE, |value| append(arena, 0, value)), Frame::NONE)
        });
        let (rest, chunk) = if self.framer.is_some() { (&mut self.aside, 1) } else { (arena, 0) };
        let row = Row {
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms.unwrap_or(NO_TIMESTAMP),
            run: length(&self.runs) - 1,
            index: ONLY,
            original: length(&self.rows),
            topic: AS_READ,
            key: entry.key.map_or(Span::NONE, |key| append(rest, chunk, key)),
            value,
            headers: write_headers(rest, chunk, headers),
            frame,
        };
        self.payload += payload;
        self.rows.push(row);
    }

    /// Says that everything of partition `id` below `offset` has been read, though no record stood there (a
    /// transaction marker, the end of the partition).
    pub fn position(&mut self, id: PartitionId, topic: &Arc<str>, partition: i32, offset: i64) {
        let run = self.run(id, topic, partition, offset);
        run.offsets.end = offset;
        if run.rows == 0 {
            // Nothing lies in it: only a loss is a run of offsets without records.
            run.offsets.start = offset;
        }
    }

    /// Says that the records of partition `id` at `offsets` were gone before they were read. Without this call, offsets
    /// that are passed over are holes in the log, made by compaction or transactions. See [`Run::is_loss`].
    pub fn lost(&mut self, id: PartitionId, topic: &Arc<str>, partition: i32, offsets: Range<i64>) {
        self.runs.push(Run { id, topic: Arc::clone(topic), partition, offsets, rows: 0, bytes: 0 });
    }

    /// Extends the last run if it is this partition's, or begins one at `offset`.
    #[inline]
    fn run(&mut self, id: PartitionId, topic: &Arc<str>, partition: i32, offset: i64) -> &mut Run {
        if self.runs.last().is_none_or(|run| run.id != id || run.is_loss()) {
            let topic = Arc::clone(topic);
            self.runs.push(Run { id, topic, partition, offsets: offset..offset, rows: 0, bytes: 0 });
        }
        let run = self.runs.last_mut().expect("there is one by now");
        debug_assert!(offset >= run.offsets.end, "offsets of a partition grow");
        run
    }

    /// Whether the batch has reached [`BATCH_BYTES_MAX`] or [`BATCH_RECORDS_MAX`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.arena.len() + self.aside.len() >= BATCH_BYTES_MAX || self.rows.len() >= BATCH_RECORDS_MAX
    }

    /// Whether there is neither a record nor a position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes in the batch so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.aside.len() + self.rows.len() * size_of::<Row>()
    }

    /// The batch; the builder is empty again.
    pub fn finish(&mut self) -> Batch {
        let mut chunks = Vec::with_capacity(2);
        chunks.push(self.chunk());
        // Without a row that has none, there is nothing but frames in the arena.
        let all_framed = std::mem::take(&mut self.framed) == self.rows.len();
        let strips = if all_framed { Strip::all(&self.rows, &chunks[0]) } else { Vec::new() };
        if self.framer.is_some() {
            let next = Vec::with_capacity(self.aside.len());
            chunks.push(std::mem::replace(&mut self.aside, next).into());
        }
        let capacity = self.rows.len();
        Batch {
            rows: std::mem::replace(&mut self.rows, Vec::with_capacity(capacity)),
            runs: Arc::new(std::mem::take(&mut self.runs)),
            originals: None,
            chunks,
            strips,
            topics: Vec::new(),
            permits: Vec::new(),
            payload: std::mem::take(&mut self.payload),
            whole: true,
        }
    }

    /// What is in the arena, with the arena unless it is little.
    fn chunk(&mut self) -> Bytes {
        if self.arena.len() <= COPIED_MAX {
            let chunk = Bytes::copy_from_slice(&self.arena);
            self.arena.clear();
            return chunk;
        }
        let arena = std::mem::take(&mut self.arena);
        Bytes::from_owner(Pooled { arena, pool: Arc::clone(&self.pool) })
    }
}

impl fmt::Debug for BatchBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchBuilder")
            .field("rows", &self.rows.len())
            .field("bytes", &self.bytes())
            .field("framed", &self.framer.is_some())
            .finish_non_exhaustive()
    }
}

/// Arenas of dropped batches. One lock per batch.
#[derive(Debug, Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    fn take(&self) -> Vec<u8> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        used.unwrap_or_else(|| Vec::with_capacity(ARENA_BYTES))
    }

    fn give(&self, mut arena: Vec<u8>) {
        // One huge record must not keep its arena for ever.
        if arena.capacity() == 0 || arena.capacity() > 2 * BATCH_BYTES_MAX {
            return;
        }
        arena.clear();
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < POOLED_MAX {
            pool.push(arena);
        }
    }
}

struct Pooled {
    arena: Vec<u8>,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.arena
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.arena));
    }
}

#[cfg(test)]
mod tests;
