//! The sink's reports become resolved records.

use super::{Phase, State, broken, find_mut};
use crate::{Batch, Class, Error, Outcome, PartitionId, Progress, Stage, runtime::counts::Counts};
use tokio::time::Instant;

impl State {
    pub(crate) fn on_sink(&mut self, progress: Progress, now: Instant) {
        match progress {
            Progress::Done(batch, outcome) => {
                self.progressed();
                self.done(&batch, outcome);
            }
            Progress::Durable(id, offset) => {
                self.progressed();
                self.durable(id, offset);
            }
            Progress::Rejected(record, error) => self.rejected(record, error),
            Progress::Note(id, note) => {
                self.urgent = true;
                let Some(partition) = find_mut(&mut self.partitions, id) else { return };
                if let Err(e) = partition.ledger.note(note) {
                    let error = broken("take a note", partition, e);
                    self.fail(error);
                }
            }
            Progress::Foreign(id) => {
                if let Some(partition) = self.partition_mut(id) {
                    partition.ledger.foreign();
                }
            }
            Progress::Starved(id) => self.starved(id),
            Progress::Released(ids) => {
                for id in ids {
                    if let Some(leaving) =
                        self.partition_mut(id).and_then(|partition| partition.leaving.as_mut())
                    {
                        leaving.released = true;
                    }
                }
                self.urgent = true;
            }
            Progress::Retrying(error) => self.retrying(&error, now),
        }
        if self.phase == Phase::Stopping {
            self.urgent = true;
        }
    }

    pub(super) fn progressed(&mut self) {
        self.pressed = false;
        self.retrying = None;
    }

    pub(super) fn retrying(&mut self, error: &Error, now: Instant) {
        self.counts.retries += 1;
        let since = self.retrying.take().map_or(now, |(since, _)| since);
        self.retrying = Some((since, error.report()));
    }

    pub(super) fn done(&mut self, batch: &Batch, outcome: Outcome) {
        let Some(verdicts) = outcome.into_rows() else {
            return if batch.whole { self.done_by_run(batch) } else { self.done_by_row(batch) };
        };
        if verdicts.len() != batch.len() {
            let what = format!("{} verdicts for {} rows", verdicts.len(), batch.len());
            return self.fail(Error::fatal("account for a request", what));
        }
        for (record, verdict) in batch.iter().zip(verdicts) {
            let origin = record.origin();
            match verdict {
                Ok(()) => self.delivered(origin.id, origin.offset, origin.index),
                Err(error) if error.class() == Class::Poison => {
                    self.refused(record.detach(), error, origin.id, origin.offset, origin.index);
                }
                Err(error) => return self.fail(error),
            }
        }
    }

    pub(super) fn done_by_run(&mut self, batch: &Batch) {
        for run in batch.runs().iter().filter(|run| run.rows > 0) {
            let Some(partition) = find_mut(&mut self.partitions, run.id) else { continue };
            match partition.tracker.resolve_run(&run.offsets) {
                Ok(records) => {
                    self.counts.delivered += records;
                    self.counts.in_flight -= records;
                    self.urgent |= partition.is_hurried();
                }
                Err(e) => {
                    let error = broken("account for a request", partition, e);
                    return self.fail(error);
                }
            }
        }
    }

    pub(super) fn done_by_row(&mut self, batch: &Batch) {
        for record in batch.iter() {
            let origin = record.origin();
            self.delivered(origin.id, origin.offset, origin.index);
        }
    }

    pub(super) fn delivered(&mut self, id: PartitionId, offset: i64, index: Option<u32>) {
        let Some(index) = index else {
            return self.resolve(id, offset, |counts| &mut counts.delivered);
        };
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        match partition.tracker.child(offset, index, true) {
            Ok(None) => {}
            Ok(Some(family)) if family.failed.is_empty() => {
                self.resolve(id, offset, |counts| &mut counts.delivered)
            }
            Ok(Some(family)) => self.family_failed(id, offset, family.failed),
            Err(e) => {
                let error = broken("account for a request", partition, e);
                self.fail(error);
            }
        }
    }

    /// A row that the sink refuses for good.
    pub(super) fn refused(
        &mut self,
        record: Batch,
        error: Error,
        id: PartitionId,
        offset: i64,
        index: Option<u32>,
    ) {
        let Some(index) = index else {
            return self.poison(record, error, Stage::TaskPut, Vec::new());
        };
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        partition.failures.entry(offset).or_insert((record, error));
        match partition.tracker.child(offset, index, false) {
            Ok(None) => {}
            Ok(Some(family)) => self.family_failed(id, offset, family.failed),
            Err(e) => {
                let error = broken("account for a request", partition, e);
                self.fail(error);
            }
        }
    }

    pub(super) fn family_failed(&mut self, id: PartitionId, offset: i64, failed: Vec<u32>) {
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        let (record, error) = partition.failures.remove(&offset).expect("a failed sibling left its record");
        self.poison(record, error, Stage::TaskPut, failed);
    }

    pub(super) fn durable(&mut self, id: PartitionId, offset: i64) {
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        let families = partition.tracker.fans_below(offset);
        for (origin, _) in &families {
            // Its record is known to be in flight: the sink rejected one of its siblings.
            let _already_held = partition.tracker.hold(*origin);
        }
        let counted =
            partition.tracker.resolve_below(offset).map_err(|e| broken("end a range", partition, e));
        let ended = partition.ledger.durable(offset).map_err(|e| broken("end a range", partition, e));
        self.urgent |= partition.is_hurried();
        match counted.and_then(|records| ended.map(|()| records)) {
            Ok(records) => {
                self.counts.delivered += records;
                self.counts.in_flight -= records;
            }
            Err(error) => return self.fail(error),
        }
        for (origin, family) in families {
            self.family_failed(id, origin, family.failed);
        }
    }

    /// A record that a sink by ranges can't write.
    pub(super) fn rejected(&mut self, record: Batch, error: Error) {
        let Some(origin) = record.iter().next().map(|record| record.origin()) else { return };
        let (id, offset, index) = (origin.id, origin.offset, origin.index);
        let Some(index) = index else {
            return self.poison(record, error, Stage::TaskPut, Vec::new());
        };
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        if let Err(e) = partition.tracker.child_rejected(offset, index) {
            let error = broken("reject a record", partition, e);
            return self.fail(error);
        }
        partition.failures.entry(offset).or_insert((record, error));
    }

    /// One record has its fate.
    pub(super) fn resolve(
        &mut self,
        id: PartitionId,
        offset: i64,
        count: impl FnOnce(&mut Counts) -> &mut u64,
    ) {
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        match partition.tracker.resolve(offset) {
            Ok(()) => {
                *count(&mut self.counts) += 1;
                self.counts.in_flight -= 1;
                self.urgent |= partition.is_hurried();
            }
            Err(e) => {
                let error = broken("account for a record", partition, e);
                self.fail(error);
            }
        }
    }
}
