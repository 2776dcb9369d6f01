//! Partitions that are given up, in good order or not.

use super::{Action, Phase, State, find, find_mut};
use crate::{
    PartitionId,
    runtime::partition::{Leaving, Partition},
};

impl State {
    pub(super) fn leave(&mut self, mut ids: Vec<PartitionId>, why: fn() -> Leaving) {
        let mut unknown = Vec::new();
        ids.retain(|id| match find_mut(&mut self.partitions, *id) {
            Some(partition) if partition.leaving.is_none() => {
                partition.leaving = Some(why());
                true
            }
            Some(partition) => {
                // Stopping already: now the source waits for the answer too.
                partition.leaving.get_or_insert_with(why).by_source |= why().by_source;
                false
            }
            None => {
                unknown.push(*id);
                false
            }
        });
        if !unknown.is_empty() {
            self.actions.push_back(Action::Release(unknown));
        }
        if !ids.is_empty() {
            self.actions.push_back(Action::Revoke(ids));
        }
        self.urgent = true;
        self.departing = true;
    }

    pub(super) fn lose(&mut self, ids: Vec<PartitionId>) {
        for id in &ids {
            if self.remove(*id).is_some() {
                self.counts.partitions_lost += 1;
            }
        }
        self.actions.push_back(Action::Lost(ids));
    }

    /// Takes a partition out of the books; what it has in flight somebody else reads again.
    pub(super) fn remove(&mut self, id: PartitionId) -> Option<Partition> {
        find(&self.partitions, id)?;
        let partition = self.partitions[id.slot()].take()?;
        self.counts.abandoned += partition.tracker.in_flight();
        self.counts.in_flight -= partition.tracker.in_flight();
        Some(partition)
    }

    /// Lets partitions go that have nothing left to wait for; ends a stop once all are gone.
    pub(super) fn depart(&mut self) {
        if !self.departing {
            return;
        }
        let ready: Vec<_> =
            self.partitions().filter(|partition| partition.may_leave()).map(|p| p.id).collect();
        let mut release = Vec::new();
        for id in ready {
            let Some(partition) = self.remove(id) else { continue };
            self.counts.revoked += 1;
            if partition.leaving.is_some_and(|leaving| leaving.by_source) {
                release.push(id);
            }
        }
        if !release.is_empty() {
            self.actions.push_back(Action::Release(release));
        }
        if self.phase == Phase::Stopping && self.partitions().next().is_none() {
            self.finish(Ok(()));
        }
        self.departing = self.partitions.iter().flatten().any(|partition| partition.leaving.is_some());
    }
}
