//! The partitions that the reader holds: which record belongs to which assignment.

use crate::PartitionId;
use std::sync::Arc;

/// How far a partition is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Read.
    Reading,
    /// Announced as revoked: no more records, but commits until it is released.
    Revoking,
    /// Released or lost: nothing, until librdkafka has the answer.
    Gone,
}

/// One partition's assignment.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: PartitionId,
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// The offset of the next record; what lies below was read already.
    pub(super) next: i64,
    pub(super) hold: Hold,
    /// Assigned again, and librdkafka's position may still be that of the assignment before: it says nothing.
    pub(super) settling: bool,
    /// The topic's token in messages; 0: none came yet.
    token: usize,
}

impl Slot {
    /// Takes librdkafka's position, which passes what holds no record; negative: there is none. Whether it has moved on.
    pub(super) fn passes(&mut self, position: i64) -> bool {
        if self.settling {
            // Ahead of what was read: that of the assignment before, which counts messages that were thrown away.
            self.settling = position > self.next;
            return false;
        }
        let moved = position > self.next;
        self.next = self.next.max(position);
        moved
    }
}

/// All assignments, by slot number. Slots are reused, epochs never.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Slot>>,
    epoch: u32,
    last: usize,
}

impl Table {
    /// Begins an assignment at offset `next`.
    pub(super) fn insert(&mut self, topic: Arc<str>, partition: i32, next: i64) -> PartitionId {
        let number = self.slots.iter().position(Option::is_none).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.epoch += 1;
        let id = PartitionId::new(u32::try_from(number).expect("fewer than 2^32 partitions"), self.epoch);
        let hold = Hold::Reading;
        let (settling, token) = (false, 0);
        self.slots[number] = Some(Slot { id, topic, partition, next, hold, settling, token });
        id
    }

    /// The assignment `id`, unless it has ended.
    pub(super) fn get_mut(&mut self, id: PartitionId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot())?.as_mut().filter(|slot| slot.id == id)
    }

    /// The assignment `id`, unless it has ended.
    pub(super) fn get(&self, id: PartitionId) -> Option<&Slot> {
        self.slots.get(id.slot())?.as_ref().filter(|slot| slot.id == id)
    }

    /// Whether offsets of `id` may be committed.
    pub(super) fn may_commit(&self, id: PartitionId) -> bool {
        self.get(id).is_some_and(|slot| slot.hold != Hold::Gone)
    }

    /// The current assignment of a partition.
    pub(super) fn find(&self, topic: &str, partition: i32) -> Option<&Slot> {
        self.iter().find(|slot| slot.partition == partition && *slot.topic == *topic)
    }

    /// The current assignment of a partition.
    pub(super) fn find_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Slot> {
        self.iter_mut().find(|slot| slot.partition == partition && *slot.topic == *topic)
    }

    /// The assignment that the last message belonged to.
    pub(super) fn last(&self) -> Option<&Slot> {
        self.slots.get(self.last)?.as_ref()
    }

    pub(super) fn remove(&mut self, id: PartitionId) {
        if self.get(id).is_some() {
            self.slots[id.slot()] = None;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().flatten()
    }

    /// The assignment that a message belongs to. Messages of one partition come in runs, so the last answer is tried
    /// first; `topic` is asked for only at a partition's first message.
    #[inline]
    pub(super) fn of_message<'t>(
        &mut self,
        token: usize,
        partition: i32,
        topic: impl FnOnce() -> &'t str,
    ) -> Option<&mut Slot> {
        let is = |slot: &Option<Slot>| {
            slot.as_ref().is_some_and(|slot| slot.partition == partition && slot.token == token)
        };
        if !self.slots.get(self.last).is_some_and(is) {
            self.last = match self.slots.iter().position(is) {
                Some(found) => found,
                None => self.learn(token, partition, topic())?,
            };
        }
        self.slots[self.last].as_mut()
    }

    fn learn(&mut self, token: usize, partition: i32, topic: &str) -> Option<usize> {
        let number = self.slots.iter().position(|slot| {
            slot.as_ref().is_some_and(|slot| slot.partition == partition && *slot.topic == *topic)
        })?;
        self.slots[number].as_mut()?.token = token;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_reused_under_a_new_epoch_and_the_old_id_is_dead() {
        let mut table = Table::default();
        let old = table.insert("a".into(), 0, 5);
        table.remove(old);
        let new = table.insert("a".into(), 0, 7);
        assert_eq!((old.slot(), new.slot()), (0, 0));
        assert!(new.epoch() > old.epoch());
        assert!(!table.may_commit(old) && table.may_commit(new));
        table.remove(old);
        assert!(table.get(new).is_some(), "a dead id removes nothing");
    }

    #[test]
    fn a_position_of_the_assignment_before_passes_nothing() {
        let mut table = Table::default();
        let id = table.insert("a".into(), 0, 5);
        let slot = table.get_mut(id).expect("inserted");
        // Assigned again at 5, when messages up to 9 were handed out and thrown away.
        slot.settling = true;
        for stale in [9, 9] {
            assert!(!slot.passes(stale));
            assert_eq!(slot.next, 5);
        }
        // librdkafka has heard of it, and has handed out nothing yet.
        assert!(!slot.passes(-1));
        assert!(!slot.settling);
        // From here on it tells the truth.
        assert!(slot.passes(7));
        assert!(!slot.passes(7));
        assert_eq!(slot.next, 7);
    }

    #[test]
    fn messages_find_their_assignment_by_name_first_and_by_token_then() {
        let mut table = Table::default();
        let ids =
            [table.insert("a".into(), 0, 0), table.insert("a".into(), 1, 0), table.insert("b".into(), 0, 0)];
        let mut find = |token, partition, name: Option<&'static str>| {
            table.of_message(token, partition, || name.expect("known by its token")).map(|slot| slot.id)
        };
        assert_eq!(find(7, 1, Some("a")), Some(ids[1]));
        assert_eq!(find(9, 0, Some("b")), Some(ids[2]));
        assert_eq!(find(7, 1, None), Some(ids[1]));
        assert_eq!(find(9, 0, None), Some(ids[2]));
        assert_eq!(find(7, 0, Some("a")), Some(ids[0]));
        assert_eq!(find(3, 0, Some("c")), None);
    }

    #[test]
    fn a_new_assignment_forgets_the_token_of_the_old_one() {
        let mut table = Table::default();
        let old = table.insert("a".into(), 0, 0);
        assert!(table.of_message(7, 0, || "a").is_some());
        table.remove(old);
        let new = table.insert("b".into(), 0, 0);
        // The same address may hold another topic by now.
        assert_eq!(table.of_message(7, 0, || "b").map(|slot| slot.id), Some(new));
    }
}
