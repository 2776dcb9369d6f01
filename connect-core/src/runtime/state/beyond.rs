//! What happens while the budget is full: the sink is asked for bytes, or one range is read beyond the limit.
//!
//! The range of a note ends where the note says, so nothing of it can be given up or ended early. It held one budget
//! when it was written, but that may have been a larger one, or another task's, and batches fall otherwise now. If it
//! fills the budget before its end, only its own records help. It gets them a batch at a time, and alone: the others
//! are held, so that what lies over the limit is one range, never the sum of all that are rebuilt.

use super::{Action, State, find};
use crate::{BATCH_BYTES_MAX, Batch, Flush, PartitionId};

/// The partition that is read although the budget is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beyond {
    pub(super) id: PartitionId,
    /// A batch of it is wanted: the sink has asked, and none has come since.
    wanted: bool,
}

impl State {
    /// The budget is not full any more: once it is again, the sink is asked again. One that writes parts of large
    /// objects gives bytes back many times before it has anything to report. Returns whether there is something to do.
    pub(crate) fn has_room(&mut self) -> bool {
        self.pressed = false;
        self.read_all()
    }

    /// The budget is full; `jobs`: what the sink has running. Returns whether there is something to do.
    pub(crate) fn full(&mut self, jobs: usize) -> bool {
        let gone = self.beyond.is_some_and(|beyond| !self.may_starve(beyond.id));
        if gone && self.read_all() {
            return true;
        }
        let wanted = self.beyond.is_some_and(|beyond| beyond.wanted);
        let ask = jobs == 0 && self.awaiting == 0 && !self.pressed && !wanted;
        if ask {
            self.pressed = true;
            self.actions.push_back(Action::Flush(Flush::Pressure));
        }
        ask
    }

    /// Bytes to read although the budget is full.
    pub(crate) fn beyond(&self) -> usize {
        if self.beyond.is_some_and(|beyond| beyond.wanted) { BATCH_BYTES_MAX } else { 0 }
    }

    /// Only more records of `id` let the sink give bytes back.
    pub(super) fn starved(&mut self, id: PartitionId) {
        if !self.may_starve(id) {
            return;
        }
        if self.beyond.is_none_or(|beyond| beyond.id != id) {
            self.read_all();
            self.read_alone(id);
        }
        self.beyond = Some(Beyond { id, wanted: true });
    }

    /// Anything but a rebuild can be ended where it stands.
    fn may_starve(&self, id: PartitionId) -> bool {
        find(&self.partitions, id).is_some_and(|p| p.leaving.is_none() && p.ledger.rebuilds())
    }

    fn read_alone(&mut self, id: PartitionId) {
        for partition in self.partitions.iter().flatten() {
            if partition.id == id {
                let (topic, number) = (&partition.topic, partition.partition);
                tracing::info!(task = %self.task, %topic, partition = number, "the range of a note takes more than the byte budget: it is read to its end alone, beyond the limit");
            } else if !partition.held {
                self.actions.push_back(Action::Hold(partition.id, true));
            }
        }
    }

    /// Reads the others again, if they were held for one. Returns whether they were.
    pub(super) fn read_all(&mut self) -> bool {
        let Some(beyond) = self.beyond.take() else { return false };
        for partition in self.partitions.iter().flatten() {
            if partition.id != beyond.id && !partition.held {
                self.actions.push_back(Action::Hold(partition.id, false));
            }
        }
        true
    }

    /// Records have come: if they are the ones that were wanted, the sink is asked again before there are more.
    pub(super) fn came(&mut self, batch: &Batch) {
        if let Some(beyond) = &mut self.beyond
            && batch.runs().iter().any(|run| run.id == beyond.id)
        {
            beyond.wanted = false;
            self.pressed = false;
        }
    }
}
