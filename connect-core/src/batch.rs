//! Batches: bytes in arenas, rows of integers, topic and partition once per run.
//!
//! Nothing per record is reference-counted and nothing is parsed. A [`Batch`] owns its bytes and keeps them charged
//! to the pipeline's [`Budget`](crate::Budget) until it is dropped. [`Batch::subset`] shares them, which is what a
//! retry sends; [`Batch::append`] joins batches without touching a payload; [`Record::detach`] copies one record
//! out, for whatever must be kept long.

use crate::{Permit, Record, framing::Strip, record::Row};
use bytes::Bytes;
use std::{ops::Range, sync::Arc};

/// What a chunk takes besides its bytes, about: the handle, the allocation and the permit that came with it. Of batches
/// with one small record each it is the larger part.
const CHUNK_BYTES: usize = 128;

/// One assignment of one partition: a slot that is reused and an epoch that never is.
///
/// Reports, commits and batches that name a dead epoch are ignored, so what a former owner still has in flight can
/// do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId {
    slot: u32,
    epoch: u32,
}

impl PartitionId {
    /// The assignment `epoch` of `slot`. Sources make these; slots are small and dense, epochs only grow.
    #[must_use]
    pub const fn new(slot: u32, epoch: u32) -> Self {
        Self { slot, epoch }
    }

    /// A small index, fit for a `Vec`; reused after a revoke.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    /// Which assignment of the slot this is.
    #[must_use]
    pub const fn epoch(self) -> u32 {
        self.epoch
    }
}

/// Consecutive records of one partition within a batch. Holes in the log and filtered records lie inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whose records these are.
    pub id: PartitionId,
    /// The topic as read.
    pub topic: Arc<str>,
    /// The partition as read.
    pub partition: i32,
    /// From the first record's offset to one past the position that the source has reached.
    pub offsets: Range<i64>,
    /// Records as read; zero: only the position moved.
    pub rows: u32,
    /// Bytes of their keys and values, as read.
    pub bytes: u64,
}

impl Run {
    /// Whether these offsets were lost: their records were gone from the log before they were read. A run that only
    /// moves the position is empty, and a hole in the log lies inside of a run with records.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        self.rows == 0 && !self.offsets.is_empty()
    }
}

/// Records on their way from a source to a sink.
///
/// An empty batch is legal: its runs say that positions moved (filtered records, transaction markers, the end of a
/// partition).
#[derive(Debug, Default)]
pub struct Batch {
    /// Shared by all that was cut out of one batch: there may be as many runs as records.
    pub(crate) runs: Arc<Vec<Run>>,
    pub(crate) rows: Vec<Row>,
    /// The rows as read, where a transform made others; `None`: `rows` are as read.
    pub(crate) originals: Option<Arc<Vec<Row>>>,
    pub(crate) chunks: Vec<Bytes>,
    /// Where the rows stand in their frames, in order, if each of them has one. Empty: look at the rows.
    pub(crate) strips: Vec<Strip>,
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) permits: Vec<Arc<Permit>>,
    /// Bytes of keys and values, counted where the rows are made: bulk sinks ask at every step.
    pub(crate) payload: usize,
    /// Each record of each run is here exactly once, as itself or as its only child: it can be resolved by run.
    pub(crate) whole: bool,
}

impl Batch {
    /// Records in this batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no record; the runs may still say that positions moved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes that this batch keeps alive: payloads, rows and runs, shared ones included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let originals = self.originals.as_ref().map_or(0, |rows| rows.len());
        let payloads = self.chunks.iter().map(|chunk| chunk.len() + CHUNK_BYTES).sum::<usize>();
        payloads + (self.rows.len() + originals) * size_of::<Row>() + self.runs.len() * size_of::<Run>()
    }

    /// Bytes of keys and values as they will be sent: what batching by size counts.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        debug_assert_eq!(self.payload, payload(&self.rows), "the payload is counted with the rows");
        self.payload
    }

    /// The partitions that the records come from, with the offsets read.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> + DoubleEndedIterator + Clone {
        self.rows.iter().map(|row| Record::new(self, row))
    }

    /// The record at `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<Record<'_>> {
        self.rows.get(row).map(|row| Record::new(self, row))
    }

    /// The named rows, in the order given, sharing bytes, permits and accounts with this batch.
    ///
    /// # Panics
    /// If a row is out of range.
    #[must_use]
    pub fn subset(&self, rows: &[u32]) -> Batch {
        let rows: Vec<Row> = rows.iter().map(|&row| self.rows[row as usize]).collect();
        Batch {
            runs: Arc::clone(&self.runs),
            payload: payload(&rows),
            rows,
            originals: self.originals.clone(),
            chunks: self.chunks.clone(),
            strips: Vec::new(),
            topics: self.topics.clone(),
            permits: self.permits.clone(),
            whole: false,
        }
    }

    /// Copies the named rows and their originals out, in the order given, into a batch that shares nothing with this
    /// one: for a few rows that stay while the others go, which would keep all bytes alive. Charges nothing; see
    /// [`hold`](Self::hold).
    ///
    /// # Panics
    /// If a row is out of range.
    #[must_use]
    pub fn detach(&self, rows: &[u32]) -> Batch {
        let mut arena = Vec::with_capacity(rows.iter().map(|&row| self.rows[row as usize].bytes()).sum());
        let mut runs: Vec<Run> = Vec::new();
        let mut moved = vec![None; self.runs.len()];
        let mut originals = self.originals.is_some().then(|| Vec::with_capacity(rows.len()));
        let copy = |&row: &u32| {
            let old = &self.rows[row as usize];
            let run = *moved[old.run as usize].get_or_insert_with(|| {
                let offsets = old.offset..old.offset + 1;
                runs.push(Run { offsets, rows: 0, bytes: 0, ..self.runs[old.run as usize].clone() });
                length(&runs) - 1
            });
            let account = &mut runs[run as usize];
            account.rows += 1;
            account.bytes += old.payload_bytes() as u64;
            account.offsets = account.offsets.start.min(old.offset)..account.offsets.end.max(old.offset + 1);
            let record = Record::new(self, old);
            let mut original = 0;
            if let Some(originals) = &mut originals {
                original = length(originals);
                originals.push(Row { run, original, ..record.original().copy_into(&mut arena) });
            }
            Row { run, original, ..record.copy_into(&mut arena) }
        };
        let rows: Vec<Row> = rows.iter().map(copy).collect();
        Batch {
            payload: payload(&rows),
            rows,
            runs: Arc::new(runs),
            originals: originals.map(Arc::new),
            chunks: vec![arena.into()],
            strips: Vec::new(),
            topics: self.topics.clone(),
            permits: Vec::new(),
            whole: false,
        }
    }

    /// The partitions that have rows here. Of a batch that is whole, the runs are looked at; otherwise they may be those
    /// of the batch that it was cut out of.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> {
        let runs = self.runs.iter().filter(|run| self.whole && run.rows > 0).map(|run| run.id);
        let rows = if self.whole { &[][..] } else { &self.rows[..] };
        let rows = rows.chunk_by(|a, b| a.run == b.run).map(|rows| self.runs[rows[0].run as usize].id);
        runs.chain(rows)
    }

    /// Whether a record of this partition is here.
    pub(crate) fn has_rows_of(&self, id: PartitionId) -> bool {
        self.runs.iter().any(|run| run.id == id)
            && self.rows.iter().any(|row| self.runs[row.run as usize].id == id)
    }

    /// Moves the records of `other` behind those of this batch. Copies rows of integers, no payload.
    pub fn append(&mut self, mut other: Batch) {
        if self.runs.is_empty() && self.rows.is_empty() {
            *self = other;
            return;
        }
        let (runs, chunks) = (length(&self.runs), length(&self.chunks));
        let topics = length(&self.topics);
        let originals = self.join_originals(&mut other, runs, chunks);
        self.payload += other.payload;
        self.join_strips(&other, chunks);
        self.rows.extend(other.rows.iter().map(|row| row.shifted(runs, chunks, topics, originals)));
        Arc::make_mut(&mut self.runs).append(&mut Arc::unwrap_or_clone(other.runs));
        self.chunks.append(&mut other.chunks);
        self.topics.append(&mut other.topics);
        self.permits.append(&mut other.permits);
        self.whole &= other.whole;
    }

    /// Makes room for `rows` in all.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows.saturating_sub(self.rows.len()));
    }

    /// Once one side has rows that a transform made, both sides need their originals. Returns where theirs begin.
    fn join_originals(&mut self, other: &mut Batch, runs: u32, chunks: u32) -> u32 {
        if self.originals.is_none() && other.originals.is_none() {
            return 0;
        }
        let mut all = Arc::unwrap_or_clone(self.take_originals());
        let base = length(&all);
        all.extend(other.take_originals().iter().map(|row| row.shifted(runs, chunks, 0, 0)));
        self.originals = Some(Arc::new(all));
        base
    }

    /// The rows as read; where these still are the rows, each becomes its own original.
    pub(crate) fn take_originals(&mut self) -> Arc<Vec<Row>> {
        self.originals.take().unwrap_or_else(|| {
            for (number, row) in (0..).zip(&mut self.rows) {
                row.original = number;
            }
            Arc::new(self.rows.clone())
        })
    }

    /// Keeps `permit` until the last batch that shares these bytes is dropped.
    pub fn hold(&mut self, permit: Permit) {
        self.permits.push(Arc::new(permit));
    }

    /// Charges so much more where the bytes of this batch are charged, until it is dropped.
    pub(crate) fn charge_more(&mut self, bytes: usize) {
        if let Some(more) = self.permits.first().map(|permit| permit.another(bytes)) {
            self.hold(more);
        }
    }

    /// Whose records these are and their offsets, by their numbers as read.
    pub(crate) fn originals_at(
        &self,
        numbers: impl Iterator<Item = u32>,
    ) -> impl Iterator<Item = (PartitionId, i64)> {
        let originals = self.originals.as_deref().unwrap_or(&self.rows);
        numbers.map(|number| {
            let row = &originals[number as usize];
            (self.runs[row.run as usize].id, row.offset)
        })
    }

    /// Drops the records of partitions for which `live` is false. The runs go too.
    pub(crate) fn retain_live(&mut self, live: impl Fn(PartitionId) -> bool) {
        if self.runs.iter().all(|run| live(run.id)) {
            return;
        }
        let (runs, rows) = (&self.runs, &mut self.rows);
        rows.retain(|row| live(runs[row.run as usize].id));
        self.payload = payload(rows);
        self.strips.clear();
        // The rows name their runs by number: a dead run stays, as an empty one of a dead epoch.
        for run in Arc::make_mut(&mut self.runs) {
            if !live(run.id) {
                (run.rows, run.bytes) = (0, 0);
                run.offsets.end = run.offsets.start;
            }
        }
    }
}

pub(crate) fn payload(rows: &[Row]) -> usize {
    rows.iter().map(Row::payload_bytes).sum()
}

pub(crate) fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).expect("a batch has fewer than 2^32 rows, runs and chunks")
}

#[cfg(test)]
mod tests;
