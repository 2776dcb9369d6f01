//! Topics, partitions and the state of all groups.

use super::{CommitFault, Place, group::Group};
use crate::testing::Message;
use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

#[derive(Debug)]
pub(in crate::testing) struct State {
    pub(in crate::testing) partitions: BTreeMap<Place, Partition>,
    pub(super) groups: BTreeMap<String, Group>,
    /// The last epoch given: never used twice in the life of the log.
    pub(super) epoch: u32,
    pub(super) finished: bool,
    pub(super) faults: VecDeque<CommitFault>,
    pub(super) commits_held: bool,
    pub(super) late_commits: bool,
    pub(super) revoke_timeout: Duration,
}

/// The records of a partition; offsets may be missing.
#[derive(Debug, Default)]
pub(in crate::testing) struct Partition {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) records: BTreeMap<i64, Message>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            partitions: BTreeMap::new(),
            groups: BTreeMap::new(),
            epoch: 0,
            finished: false,
            faults: VecDeque::new(),
            commits_held: false,
            late_commits: false,
            revoke_timeout: Duration::from_secs(30),
        }
    }
}

impl Partition {
    pub(super) fn append(&mut self, message: Message) -> i64 {
        self.records.insert(self.end, message);
        self.end += 1;
        self.end - 1
    }

    pub(super) fn hole(&mut self, n: i64) -> i64 {
        self.end += n;
        self.end
    }

    pub(super) fn retain_from(&mut self, offset: i64) {
        self.start = self.start.max(offset).min(self.end);
        self.records = self.records.split_off(&self.start);
    }
}

impl State {
    pub(super) fn create(&mut self, topic: &str, partitions: i32) {
        let existing = self.partitions.keys().filter(|(name, _)| &**name == topic).count();
        assert!(
            usize::try_from(partitions).is_ok_and(|partitions| partitions >= existing),
            "topic {topic} has {existing} partitions already"
        );
        for partition in 0..partitions {
            self.partitions.entry((topic.into(), partition)).or_default();
        }
        self.rebalance_all();
    }

    pub(super) fn recreate(&mut self, topic: &str) {
        let mut found = false;
        for ((name, _), partition) in &mut self.partitions {
            if &**name == topic {
                *partition = Partition::default();
                found = true;
            }
        }
        assert!(found, "there is no topic {topic}");
    }

    pub(super) fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut Partition {
        let place = (topic.into(), partition);
        self.partitions
            .get_mut(&place)
            .unwrap_or_else(|| panic!("there is no partition {partition} of {topic}"))
    }

    pub(super) fn group_mut(&mut self, group: &str) -> &mut Group {
        self.groups.entry(group.to_owned()).or_default()
    }

    pub(super) fn committed(&self, group: &str, place: &Place) -> Option<(i64, Option<Bytes>)> {
        self.groups.get(group)?.committed.get(place).cloned()
    }

    pub(super) fn owners(&self, group: &str) -> BTreeMap<(String, i32), usize> {
        let members = self.groups.get(group).into_iter().flat_map(|group| &group.members);
        let owned = members.flat_map(|(&number, member)| {
            member.owned.keys().map(move |(topic, partition)| ((topic.to_string(), *partition), number))
        });
        owned.collect()
    }

    pub(super) fn rebalance_all(&mut self) {
        let groups: Vec<String> = self.groups.keys().cloned().collect();
        for group in groups {
            self.rebalance(&group);
        }
    }
}
