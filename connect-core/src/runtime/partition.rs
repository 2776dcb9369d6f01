//! One assigned partition, as the runtime keeps it.

use super::{
    ledger::Ledger,
    tracker::{Load, Tracker, Untrue},
};
use crate::{Assigned, Batch, Error, PartitionId, Run, record::Row};
use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};
use tokio::time::Instant;

/// A partition's books.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) tracker: Tracker,
    pub(crate) ledger: Ledger,
    /// One past the last record of the log, as last heard.
    pub(crate) end: Option<i64>,
    /// Reading is stopped because too much is uncommitted.
    pub(crate) held: bool,
    /// The first failed sibling of a family, by offset.
    pub(crate) failures: HashMap<i64, (Batch, Error)>,
    pub(crate) leaving: Option<Leaving>,
    /// The watermark, and since when it has stood there.
    still: (i64, Instant),
}

/// A partition that is being given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    /// The source waits for an answer.
    pub(crate) by_source: bool,
    /// The sink has nothing of it any more.
    pub(crate) released: bool,
}

impl Leaving {
    pub(crate) fn asked_by_source() -> Self {
        Self { by_source: true, released: false }
    }

    pub(crate) fn by_ourselves() -> Self {
        Self { by_source: false, released: false }
    }
}

impl Partition {
    pub(crate) fn new(assigned: &Assigned, ledger: Ledger, now: Instant) -> Self {
        Self {
            id: assigned.id,
            topic: Arc::clone(&assigned.topic),
            partition: assigned.partition,
            tracker: Tracker::new(assigned.offset),
            ledger,
            end: None,
            held: false,
            failures: HashMap::new(),
            leaving: None,
            still: (assigned.offset, now),
        }
    }

    /// Books the records of `run`, which are the rows `rows` of `batch`.
    pub(crate) fn read(
        &mut self,
        batch: &Batch,
        run: &Run,
        rows: Range<usize>,
        now: Instant,
    ) -> Result<Load, Untrue> {
        let records = u64::from(run.rows);
        let load = Load { records, bytes: run.bytes + records * size_of::<Row>() as u64 };
        let list = || batch.iter().skip(rows.start).take(rows.len()).map(|r| r.origin().offset).collect();
        self.tracker.read(run.offsets.clone(), load, now, list)?;
        Ok(load)
    }

    /// Whether a restart would repeat more than `limits` (records, bytes).
    pub(crate) fn exceeds(&self, limits: (u64, u64)) -> bool {
        let load = self.tracker.uncommitted();
        load.records > limits.0 || load.bytes > limits.1
    }

    /// The answer to a commit. Returns whether a note stands now that did not before.
    pub(crate) fn answered(&mut self, committed: bool) -> bool {
        let noted = self.ledger.answered(committed);
        self.tracker.committed(self.ledger.committed());
        noted
    }

    /// Whether a commit should not wait for the interval: the partition is being given up, or stands still until
    /// something of it is committed.
    pub(crate) fn is_hurried(&self) -> bool {
        self.leaving.is_some() || self.held
    }

    /// Whether nothing more is to be waited for: the sink has let go, letters are written, offsets are committed.
    pub(crate) fn may_leave(&self) -> bool {
        self.leaving.is_some_and(|leaving| leaving.released)
            && !self.tracker.holds()
            && !self.ledger.is_requested()
            && self.ledger.wanted(self.tracker.watermark()).is_none()
    }

    /// Records between the watermark and the end of the log.
    pub(crate) fn lag(&self) -> Option<u64> {
        self.end.map(|end| (end - self.tracker.watermark()).max(0).cast_unsigned())
    }

    /// The lag, if there is one and the watermark has not moved for `patience`; reported once per `patience`.
    pub(crate) fn watch(&mut self, now: Instant, patience: Duration) -> Option<u64> {
        let watermark = self.tracker.watermark();
        let lag = self.lag().filter(|lag| *lag > 0 && watermark == self.still.0);
        if lag.is_none() {
            self.still = (watermark, now);
        }
        lag.filter(|_| now - self.still.1 >= patience).inspect(|_| self.still.1 = now)
    }
}
