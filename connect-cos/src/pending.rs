//! Records of one partition that have been handed over and not yet been written.

use connect_core::{Batch, PartitionId, Record};
use std::{ops::Range, sync::Arc};

/// The rows of one partition in one batch. Holding it is back-pressure: the batch's bytes stay charged.
pub(crate) struct Pending {
    batch: Arc<Batch>,
    rows: Vec<Range<usize>>,
    /// The position that the source has reached behind these rows.
    pub(crate) end: i64,
    /// Records below were gone before they were read.
    pub(crate) lost_below: i64,
}

impl Pending {
    /// Splits a batch into the rows of each partition, in order.
    pub(crate) fn split(batch: Batch) -> Vec<(PartitionId, Self)> {
        let batch = Arc::new(batch);
        let mut all: Vec<(PartitionId, Self)> = Vec::new();
        for run in batch.runs() {
            // A loss moves no position: the source says where it goes on.
            let (end, lost_below) = match run.is_loss() {
                true => (run.offsets.start, run.offsets.end),
                false => (run.offsets.end, i64::MIN),
            };
            match all.iter_mut().find(|(id, _)| *id == run.id) {
                Some((_, pending)) => {
                    pending.end = pending.end.max(end);
                    pending.lost_below = pending.lost_below.max(lost_below);
                }
                None => {
                    let pending = Self { batch: Arc::clone(&batch), rows: Vec::new(), end, lost_below };
                    all.push((run.id, pending));
                }
            }
        }
        let mut at = 0;
        while let Some(record) = batch.get(at) {
            let id = record.origin().id;
            let same =
                (at..batch.len()).take_while(|&row| batch.get(row).is_some_and(|r| r.origin().id == id));
            let end = at + same.count();
            if let Some((_, pending)) = all.iter_mut().find(|(known, _)| *known == id) {
                pending.rows.push(at..end);
            }
            at = end;
        }
        for (_, pending) in &mut all {
            pending.rows.reverse();
        }
        all
    }

    pub(crate) fn batch(&self) -> Arc<Batch> {
        Arc::clone(&self.batch)
    }

    /// The rows of the next origin, siblings together, and its offset.
    pub(crate) fn origin(&self) -> Option<(Range<usize>, i64)> {
        let rows = self.rows.last()?;
        let offset = |row: usize| self.batch.get(row).map(|record: Record<'_>| record.origin().offset);
        let first = offset(rows.start)?;
        let siblings = rows.clone().take_while(|&row| offset(row) == Some(first)).count();
        Some((rows.start..rows.start + siblings, first))
    }

    /// The rows up to `row` have been taken.
    pub(crate) fn taken(&mut self, row: usize) {
        if let Some(rows) = self.rows.last_mut() {
            rows.start = row;
            if rows.start >= rows.end {
                self.rows.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{Chain, Error, Output, Transform, testing::batch_at};

    struct Twice;

    impl Transform for Twice {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
            out.keep(record);
            out.keep(record);
            Ok(())
        }
    }

    #[test]
    fn rows_come_by_partition_and_origin() {
        let mut batch = batch_at("t", 0, 5, ["a", "b"]);
        batch.append(batch_at("t", 1, 7, ["c"]));
        batch.append(batch_at("t", 0, 7, ["d"]));
        let batch = Chain::new(vec![Arc::new(Twice)]).apply(batch, 0).batch;
        let mut seen = Vec::new();
        for (id, mut pending) in Pending::split(batch) {
            while let Some((rows, offset)) = pending.origin() {
                seen.push((id.slot(), offset, rows.len()));
                pending.taken(rows.end);
            }
            seen.push((id.slot(), pending.end, 0));
        }
        assert_eq!(seen, [(0, 5, 2), (0, 6, 2), (0, 7, 2), (0, 8, 0), (1, 7, 2), (1, 8, 0)]);
    }
}
