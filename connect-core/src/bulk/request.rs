//! Rows that are sent together, and what has happened to them so far.

use super::config::Size;
use crate::{Backoff, BackoffConfig, Batch, Budget, Error, retry::after};
use std::time::Duration;
use tokio::time::Instant;

/// Rows that go together.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) batch: Batch,
    /// Set since the first retriable failure.
    pub(super) trouble: Option<Trouble>,
    /// Came of a refused request: joined with others it would be refused again.
    pub(super) alone: bool,
    /// Rows that were refused by a doubtful error, sent again without others.
    pub(super) suspects: bool,
}

impl Request {
    pub(super) fn new(batch: Batch) -> Self {
        Self { batch, trouble: None, alone: false, suspects: false }
    }

    pub(super) fn size(&self, row_overhead: usize) -> Size {
        size(&self.batch, row_overhead)
    }

    /// Takes the rows of `other` in; the longer history counts.
    pub(super) fn join(&mut self, other: Self) {
        self.batch.append(other.batch);
        self.trouble = match (self.trouble.take(), other.trouble) {
            (Some(mine), Some(theirs)) => Some(if theirs.since < mine.since { theirs } else { mine }),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// Two requests of half the rows.
    pub(super) fn halve(self) -> (Self, Self) {
        let rows: Vec<u32> = (0..row_number(self.batch.len())).collect();
        let (front, back) = rows.split_at(rows.len() / 2);
        let half = |rows: &[u32], mut trouble: Option<Trouble>| {
            if let (1, Some(trouble)) = (rows.len(), &mut trouble) {
                trouble.doubts = 0;
            }
            Self { batch: self.batch.subset(rows), trouble, alone: true, suspects: self.suspects }
        };
        (half(front, self.trouble.clone()), half(back, self.trouble.clone()))
    }
}

/// The failures of a request.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    since: Instant,
    /// The number of the answer that was the first failure, see `doubt`.
    answer: u64,
    attempts: u32,
    /// Doubtful failures in a row, of a row that stands alone: since it does.
    doubts: u32,
    backoff: Backoff,
}

impl Trouble {
    pub(super) fn new(now: Instant, answer: u64, config: BackoffConfig) -> Self {
        Self { since: now, answer, attempts: 0, doubts: 0, backoff: Backoff::new(config) }
    }

    /// The number of the answer that was the first failure.
    pub(super) fn answer(&self) -> u64 {
        self.answer
    }

    /// Doubtful failures in a row.
    pub(super) fn doubts(&self) -> u32 {
        self.doubts
    }

    /// When the first failure was.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// One more failure: when to try again, or that it is too late. The last attempt is made when the time is up.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        error: &Error,
        timeout: Option<Duration>,
    ) -> Result<Instant, Exhausted> {
        self.attempts += 1;
        self.doubts = if error.is_doubtful() { self.doubts + 1 } else { 0 };
        let due = after(now, self.backoff.next_wait(error.retry_after()));
        let Some(timeout) = timeout else { return Ok(due) };
        let elapsed = now - self.since;
        if elapsed >= timeout {
            return Err(Exhausted { attempts: self.attempts, elapsed });
        }
        Ok(due.min(after(self.since, timeout)))
    }
}

/// The time for repetitions is over.
#[derive(Debug)]
pub(super) struct Exhausted {
    pub(super) attempts: u32,
    pub(super) elapsed: Duration,
}

pub(super) fn size(batch: &Batch, row_overhead: usize) -> Size {
    Size { bytes: batch.payload_bytes() + batch.len() * row_overhead, records: batch.len() }
}

/// The named rows for a longer stay. A few rows are copied out: they would keep all of the batch's bytes alive.
pub(super) fn keep(batch: &Batch, rows: &[u32], budget: &Budget) -> Batch {
    let kept: usize = rows.iter().map(|&row| batch.rows[row as usize].bytes()).sum();
    if kept >= batch.bytes() / 2 {
        return batch.subset(rows);
    }
    let mut copy = batch.detach(rows);
    let bytes = copy.bytes();
    copy.hold(budget.charge(bytes));
    copy
}

pub(super) fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("a batch has fewer than 2^32 rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Chain, Entry, Output, PartitionId, Record, Transform};
    use std::sync::Arc;

    /// Wraps values, except that it drops those with an odd offset.
    struct Wrap;

    impl Transform for Wrap {
        fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
            if record.origin().offset % 2 == 0 {
                out.derive(record).topic("renamed").value(Some(b"wrapped")).emit();
            }
            Ok(())
        }
    }

    #[test]
    fn a_few_rows_are_copied_with_all_they_are_and_charged() {
        let mut builder = BatchBuilder::new();
        for offset in 0..100_i64 {
            let slot = u32::from(offset >= 50);
            let value = format!("value {offset}");
            let entry = Entry {
                offset,
                key: (offset != 60).then_some(b"key"),
                value: Some(value.as_bytes()),
                timestamp_ms: Some(offset),
            };
            builder.push(
                PartitionId::new(slot, 1),
                &"topic".into(),
                7,
                entry,
                [("name", Some(&b"header"[..]))],
            );
        }
        let batch = Chain::new(vec![Arc::new(Wrap)]).apply(builder.finish(), 0).batch;
        let budget = Budget::new(1 << 20);
        let copy = keep(&batch, &[30, 1], &budget);
        assert!(copy.bytes() < batch.bytes() / 10);
        assert_eq!(budget.held(), copy.bytes());
        assert_eq!(
            copy.runs().iter().map(|run| (run.id.slot(), run.rows)).collect::<Vec<_>>(),
            [(1, 1), (0, 1)]
        );
        drop(batch);
        let seen: Vec<_> =
            copy.iter().map(|row| (row.origin().offset, row.key(), row.topic(), row.value())).collect();
        let wrapped = Some(&b"wrapped"[..]);
        assert_eq!(seen, [(60, None, "renamed", wrapped), (2, Some(&b"key"[..]), "renamed", wrapped)]);
        let originals: Vec<_> =
            copy.iter().map(|row| (row.original().value(), row.original().topic())).collect();
        assert_eq!(originals, [(Some(&b"value 60"[..]), "topic"), (Some(&b"value 2"[..]), "topic")]);
        assert!(copy.iter().all(|row| row.original().headers().eq([("name", Some(&b"header"[..]))])));
    }

    #[test]
    fn most_of_a_batch_is_shared() {
        let mut builder = BatchBuilder::new();
        for offset in 0..10 {
            let entry = Entry { offset, value: Some(b"value"), ..Entry::default() };
            builder.push(PartitionId::new(0, 1), &"topic".into(), 7, entry, []);
        }
        let (batch, budget) = (builder.finish(), Budget::new(1 << 20));
        let kept = keep(&batch, &[0, 1, 2, 3, 4, 5, 6], &budget);
        assert_eq!((kept.len(), budget.held()), (7, 0));
    }
}
