//! How a source makes batches: one copy into a recycled arena.

use crate::{
    Batch, PartitionId, Run,
    record::{AS_READ, NO_TIMESTAMP, ONLY, Row, Span, append, write_headers},
};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes a batch holds at most, unless a single record is larger: a batch should stay in cache on its way, but each one
/// also wakes two threads. Measured with records of 499 bytes: 128 KiB cost a tenth of a pipeline's CPU more than
/// 256 KiB, and 256 KiB a twentieth more than this.
pub const BATCH_BYTES_MAX: usize = 512 << 10;
/// Records a batch holds at most: from there on, the cost of a hop between threads no longer shows.
pub const BATCH_RECORDS_MAX: usize = 1_000;
/// What an arena is made for: a full batch and the record that fills it. One that grew would be copied while it does,
/// again and again, which costs as much as filling it.
const ARENA_BYTES: usize = BATCH_BYTES_MAX + (64 << 10);
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
#[derive(Debug, Default)]
pub struct BatchBuilder {
    arena: Vec<u8>,
    rows: Vec<Row>,
    runs: Vec<Run>,
    pool: Arc<Pool>,
}

impl BatchBuilder {
    /// An empty builder with a pool of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        let run = self.run(id, topic, partition, entry.offset);
        self.runs[run as usize].offsets.end = entry.offset + 1;
        self.runs[run as usize].rows += 1;
        if self.arena.capacity() == 0 {
            self.arena = self.pool.take();
        }
        let arena = &mut self.arena;
        let mut copy = |bytes: Option<&[u8]>| bytes.map_or(Span::NONE, |bytes| append(arena, 0, bytes));
        let (key, value) = (copy(entry.key), copy(entry.value));
        let row = Row {
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms.unwrap_or(NO_TIMESTAMP),
            run,
            index: ONLY,
            original: u32::try_from(self.rows.len()).expect("a batch has fewer than 2^32 rows"),
            topic: AS_READ,
            key,
            value,
            headers: write_headers(&mut self.arena, 0, headers),
        };
        self.rows.push(row);
    }

    /// Says that everything of partition `id` below `offset` has been read, though no record stood there (a
    /// transaction marker, the end of the partition).
    pub fn position(&mut self, id: PartitionId, topic: &Arc<str>, partition: i32, offset: i64) {
        let run = self.run(id, topic, partition, offset);
        self.runs[run as usize].offsets.end = offset;
    }

    /// Extends the last run if it is this partition's, or begins one at `offset`.
    fn run(&mut self, id: PartitionId, topic: &Arc<str>, partition: i32, offset: i64) -> u32 {
        match self.runs.last() {
            Some(run) if run.id == id => {
                debug_assert!(offset >= run.offsets.end, "offsets of a partition grow");
            }
            _ => {
                let topic = Arc::clone(topic);
                self.runs.push(Run { id, topic, partition, offsets: offset..offset, rows: 0 });
            }
        }
        u32::try_from(self.runs.len() - 1).expect("a batch has fewer than 2^32 runs")
    }

    /// Whether the batch has reached [`BATCH_BYTES_MAX`] or [`BATCH_RECORDS_MAX`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.arena.len() >= BATCH_BYTES_MAX || self.rows.len() >= BATCH_RECORDS_MAX
    }

    /// Whether there is neither a record nor a position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes in the batch so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.rows.len() * size_of::<Row>()
    }

    /// The batch; the builder is empty again.
    pub fn finish(&mut self) -> Batch {
        let arena = std::mem::take(&mut self.arena);
        let capacity = self.rows.len();
        Batch {
            rows: std::mem::replace(&mut self.rows, Vec::with_capacity(capacity)),
            runs: std::mem::take(&mut self.runs),
            originals: None,
            chunks: vec![Bytes::from_owner(Pooled { arena, pool: Arc::clone(&self.pool) })],
            topics: Vec::new(),
            permits: Vec::new(),
            whole: true,
        }
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
