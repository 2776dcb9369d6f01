//! What the source and the transforms hand over is booked.

use super::{Action, Phase, State, broken, find, find_mut};
use crate::{
    Assigned, Batch, BatchBuilder, Delivery, Error, Event, Flush, PartitionId, Stage, Transformed,
    runtime::{
        ledger::Ledger,
        partition::{Leaving, Partition},
    },
};
use std::{ops::Range, sync::Arc};
use tokio::time::Instant;

impl State {
    pub(crate) fn on_source(&mut self, event: Event, now: Instant) {
        match event {
            Event::Records(batch) => self.read(batch, now),
            Event::Assigned(partitions) => self.assign(partitions, now),
            Event::Revoked(ids) => self.leave(ids, Leaving::asked_by_source),
            Event::Lost(ids) => self.lose(ids),
            Event::Committed(commits, result) => self.committed(commits, result, now),
            Event::Ends(ends) => {
                for (id, end) in ends {
                    if let Some(partition) = self.partition_mut(id) {
                        partition.end = Some(end);
                    }
                }
            }
            Event::Gap(id, offsets, error) => self.gap(id, offsets, &error),
            Event::Trouble(error) => {
                let since = self.trouble.take().map_or(now, |(since, _)| since);
                self.trouble = error.map(|error| (since, error.report()));
            }
            Event::End => self.stop(),
        }
    }

    pub(super) fn assign(&mut self, partitions: Vec<Assigned>, now: Instant) {
        if matches!(self.phase, Phase::Stopping | Phase::Finished) {
            return;
        }
        self.begun = true;
        if partitions.is_empty() {
            return;
        }
        // Those that come now are not held: who is read alone is asked for anew.
        self.read_all();
        for assigned in &partitions {
            let slot = assigned.id.slot();
            if self.partitions.len() <= slot {
                self.partitions.resize_with(slot + 1, || None);
            }
            let ledger = Ledger::new(self.delivery, assigned.offset, assigned.note.is_some());
            let before = self.partitions[slot].replace(Partition::new(assigned, ledger, now));
            debug_assert!(before.is_none(), "a slot is free before it is assigned again");
        }
        self.counts.assigned += partitions.len() as u64;
        self.actions.push_back(Action::Assigned(partitions));
    }

    pub(super) fn read(&mut self, mut batch: Batch, now: Instant) {
        let partitions = &self.partitions;
        batch.retain_live(|id| find(partitions, id).is_some_and(|partition| partition.leaving.is_none()));
        if matches!(self.phase, Phase::Stopping | Phase::Finished) {
            return;
        }
        self.came(&batch);
        let mut first_row = 0;
        for number in 0..batch.runs().len() {
            let rows = batch.runs()[number].rows as usize;
            let run_rows = first_row..first_row + rows;
            first_row += rows;
            if let Err(error) = self.read_run(&batch, number, run_rows, now) {
                return self.fail(error);
            }
        }
        // A crash repeats what is in flight, which the budget bounds, and what was delivered since the last commit:
        // without this, at full speed, that would be gigabytes.
        self.urgent |= self.since_commit >= self.options.budget_bytes as u64 / 4;
        if !batch.runs().is_empty() {
            self.actions.push_back(Action::Transform(batch));
        }
    }

    pub(super) fn read_run(
        &mut self,
        batch: &Batch,
        number: usize,
        rows: Range<usize>,
        now: Instant,
    ) -> Result<(), Error> {
        let run = &batch.runs()[number];
        let limits = (self.options.max_uncommitted_records, self.options.max_uncommitted_bytes);
        let Some(partition) = find_mut(&mut self.partitions, run.id).filter(|p| p.leaving.is_none()) else {
            return Ok(());
        };
        let half = (limits.0 / 2, limits.1 / 2);
        let before = partition.exceeds(half);
        let bytes = run.bytes;
        let load = partition.read(batch, run, rows, now).map_err(|e| broken("read", partition, e))?;
        // In time, so that what is delivered holds up nobody only because the interval is long.
        self.urgent |= !before && partition.exceeds(half);
        if partition.exceeds(limits) && !partition.held {
            // A range that a note stands for ends where the note says: held before that, it would never end. Its records
            // may weigh more now than they did, and the bound may be a lower one.
            if !partition.ledger.rebuilds() {
                partition.held = true;
                self.urgent = true;
                self.actions.push_back(Action::Hold(run.id, true));
            }
            self.cuts.push(run.id);
        }
        self.counts.read += load.records;
        self.counts.in_flight += load.records;
        self.counts.read_bytes += bytes;
        self.since_commit += load.bytes;
        Ok(())
    }

    pub(super) fn gap(&mut self, id: PartitionId, offsets: Range<i64>, error: &Error) {
        let missing = (offsets.end - offsets.start).max(0).cast_unsigned();
        self.counts.lost += missing;
        if let Some(partition) = self.partition_mut(id) {
            let (topic, number) = (Arc::clone(&partition.topic), partition.partition);
            tracing::error!(%topic, partition = number, ?offsets, missing, error = %error.report(), "records were gone before they were read");
            // A sink that ends ranges has to tell a loss from a hole that compaction made.
            if self.delivery == Delivery::Ranges {
                let mut gap = BatchBuilder::new();
                gap.lost(id, &topic, number, offsets);
                self.actions.push_back(Action::Put(gap.finish()));
            }
        }
    }

    /// Accounts for what the transforms made of a batch, and sends the rest on.
    pub(crate) fn transformed(&mut self, transformed: Transformed) {
        let Transformed { batch, filtered, fanned, rejected } = transformed;
        for (id, offset) in batch.originals_at(filtered.into_iter()) {
            self.resolve(id, offset, |counts| &mut counts.filtered);
        }
        // Ranges end whole families at once.
        let fanned = fanned.into_iter().filter(|_| self.delivery == Delivery::Rows);
        let (origins, children): (Vec<u32>, Vec<u32>) = fanned.unzip();
        for ((id, offset), children) in batch.originals_at(origins.into_iter()).zip(children) {
            if let Some(partition) = find_mut(&mut self.partitions, id) {
                partition.tracker.fan(offset, children);
            }
        }
        for (record, error) in rejected {
            self.poison(record, error, Stage::Transformation, Vec::new());
        }
        // Positions matter to sinks that end ranges; to others an empty batch says nothing.
        let positions_only = batch.is_empty() && self.delivery == Delivery::Rows;
        if !positions_only && self.phase != Phase::Finished {
            self.actions.push_back(Action::Put(batch));
        }
        // Behind the records that were too many: a cut in front of them would leave them open, with nothing to follow.
        for id in std::mem::take(&mut self.cuts) {
            self.actions.push_back(Action::Flush(Flush::Uncommitted(id)));
        }
    }
}
