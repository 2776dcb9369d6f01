//! Groups: who owns what, what is committed. Every decision of the group protocol is here, and nothing that waits.

use super::{CommitFault, Place, Stored, state::State};
use crate::{Assigned, Commit, Error, Event, PartitionId};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(in crate::testing) struct Group {
    pub(super) committed: BTreeMap<Place, (i64, Option<Bytes>)>,
    pub(super) history: Vec<Stored>,
    pub(super) members: BTreeMap<usize, Member>,
    pub(super) in_flight_max: usize,
    joined: usize,
}

#[derive(Debug)]
pub(in crate::testing) struct Member {
    pub(super) topics: BTreeSet<String>,
    pub(super) latest: bool,
    pub(super) owned: BTreeMap<Place, Owned>,
    pub(super) events: VecDeque<Event>,
    pub(super) ended: bool,
    /// Expelled and not yet told.
    pub(super) expelled: bool,
    commands: VecDeque<Command>,
    in_flight: usize,
    /// All assignments there ever were, for commits that come late.
    known: BTreeMap<PartitionId, Place>,
}

#[derive(Debug)]
pub(super) struct Owned {
    pub(super) id: PartitionId,
    pub(super) position: i64,
    pub(super) held: bool,
    pub(super) end_told: i64,
    /// Until when the revoke must be answered.
    pub(super) revoked: Option<Instant>,
}

/// What became of revokes that were not answered.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) struct Expiry {
    /// Some have expired just now.
    pub(in crate::testing) any: bool,
    /// When the next one will.
    pub(in crate::testing) next: Option<Instant>,
}

#[derive(Debug)]
enum Command {
    Commit(Vec<Commit>),
    Release(Vec<PartitionId>),
}

impl Member {
    fn new(topics: BTreeSet<String>, latest: bool) -> Self {
        Self {
            topics,
            latest,
            owned: BTreeMap::new(),
            events: VecDeque::new(),
            ended: false,
            expelled: false,
            commands: VecDeque::new(),
            in_flight: 0,
            known: BTreeMap::new(),
        }
    }

    /// Partitions that are not about to be given away.
    fn kept(&self) -> usize {
        self.owned.values().filter(|owned| owned.revoked.is_none()).count()
    }

    fn free_slot(&self) -> u32 {
        let taken: BTreeSet<usize> = self.owned.values().map(|owned| owned.id.slot()).collect();
        let free = (0..).find(|slot| !taken.contains(slot)).expect("there are fewer than 2^64 slots");
        u32::try_from(free).expect("a member owns fewer than 2^32 partitions")
    }

    pub(in crate::testing) fn take_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        match event {
            Event::Committed(..) => self.in_flight = self.in_flight.saturating_sub(1),
            Event::Lost(_) => self.expelled = false,
            Event::Records(_)
            | Event::Assigned(_)
            | Event::Revoked(_)
            | Event::Ends(_)
            | Event::Gap(..)
            | Event::Trouble(_)
            | Event::End => {}
        }
        Some(event)
    }
}

impl State {
    pub(in crate::testing) fn join(
        &mut self,
        group: &str,
        topics: BTreeSet<String>,
        latest: bool,
    ) -> Result<usize, Error> {
        for topic in &topics {
            if !self.partitions.keys().any(|(name, _)| **name == **topic) {
                return Err(Error::fatal("join the group", format!("there is no topic {topic}")));
            }
        }
        let members = self.group_mut(group);
        if members.members.values().any(|member| member.topics != topics) {
            let why = "all members of a memory group read the same topics";
            return Err(Error::fatal("join the group", why));
        }
        let number = members.joined;
        members.joined += 1;
        members.members.insert(number, Member::new(topics, latest));
        self.rebalance(group);
        Ok(number)
    }

    pub(in crate::testing) fn leave(&mut self, group: &str, member: usize) {
        self.group_mut(group).members.remove(&member);
        self.rebalance(group);
    }

    pub(super) fn expel(&mut self, group: &str, member: usize) {
        let Some(member) = self.group_mut(group).members.get_mut(&member) else { return };
        let lost = member.owned.values().map(|owned| owned.id).collect();
        member.owned.clear();
        member.expelled = true;
        member.events.push_back(Event::Lost(lost));
        self.rebalance(group);
    }

    pub(in crate::testing) fn member_mut(&mut self, group: &str, member: usize) -> Option<&mut Member> {
        self.groups.get_mut(group)?.members.get_mut(&member)
    }

    /// Cooperative: what is too much is revoked, what is free is assigned, nothing else moves.
    pub(super) fn rebalance(&mut self, group: &str) {
        let deadline = Instant::now() + self.revoke_timeout;
        let Some(Group { members, .. }) = self.groups.get_mut(group) else { return };
        let Some(topics) = members.values().next().map(|member| member.topics.clone()) else { return };
        let places = self.partitions.keys().filter(|(topic, _)| topics.contains(&**topic));
        let places: Vec<Place> = places.cloned().collect();
        let quotas = quotas(members, places.len());
        for (number, &quota) in &quotas {
            let member = members.get_mut(number).expect("quotas are those of members");
            revoke_surplus(member, quota, deadline);
        }
        let taken: BTreeSet<Place> =
            members.values().flat_map(|member| member.owned.keys().cloned()).collect();
        let mut free = places.into_iter().filter(|place| !taken.contains(place));
        for (number, quota) in quotas {
            let room = quota.saturating_sub(self.groups[group].members[&number].kept());
            let given: Vec<Place> = free.by_ref().take(room).collect();
            if !given.is_empty() {
                self.assign(group, number, given);
            }
        }
    }

    fn assign(&mut self, group: &str, number: usize, places: Vec<Place>) {
        let group = self.groups.get_mut(group).expect("a member's group exists");
        let member = group.members.get_mut(&number).expect("assigned to a member");
        let mut assigned = Vec::new();
        for place in places {
            let partition = &self.partitions[&place];
            let of_topic = self.partitions.keys().filter(|(topic, _)| *topic == place.0).count();
            let partitions = u32::try_from(of_topic).ok();
            let start = if member.latest { partition.end } else { partition.start };
            // The start position is committed before the first record is handed out: with `latest`, what comes
            // between it and the first commit would be skipped after a restart.
            let (offset, note) = group.committed.entry(place.clone()).or_insert((start, None)).clone();
            self.epoch += 1;
            let id = PartitionId::new(member.free_slot(), self.epoch);
            let owned = Owned { id, position: offset, held: false, end_told: -1, revoked: None };
            let (topic, partition) = place.clone();
            assigned.push(Assigned { id, topic, partition, offset, note, partitions });
            member.known.insert(id, place.clone());
            member.owned.insert(place, owned);
        }
        member.ended = false;
        member.events.push_back(Event::Assigned(assigned));
    }

    /// Partitions whose revoke was not answered in time are lost.
    pub(in crate::testing) fn expire(&mut self, group: &str) -> Expiry {
        let now = Instant::now();
        let mut any = false;
        let mut next: Option<Instant> = None;
        for member in self.group_mut(group).members.values_mut() {
            let mut lost = Vec::new();
            member.owned.retain(|_, owned| match owned.revoked {
                Some(deadline) if deadline <= now => {
                    lost.push(owned.id);
                    false
                }
                Some(deadline) => {
                    next = Some(next.map_or(deadline, |next| next.min(deadline)));
                    true
                }
                None => true,
            });
            if !lost.is_empty() {
                any = true;
                member.events.push_back(Event::Lost(lost));
            }
        }
        if any {
            self.rebalance(group);
        }
        Expiry { any, next }
    }

    pub(in crate::testing) fn commit(&mut self, group: &str, member: usize, commits: Vec<Commit>) {
        let Some(it) = self.member_mut(group, member) else { return };
        it.commands.push_back(Command::Commit(commits));
        it.in_flight += 1;
        let in_flight = it.in_flight;
        let group_state = self.group_mut(group);
        group_state.in_flight_max = group_state.in_flight_max.max(in_flight);
        self.run_commands(group, member);
    }

    pub(in crate::testing) fn release(&mut self, group: &str, member: usize, ids: &[PartitionId]) {
        let Some(it) = self.member_mut(group, member) else { return };
        it.commands.push_back(Command::Release(ids.to_vec()));
        self.run_commands(group, member);
    }

    pub(in crate::testing) fn hold(&mut self, group: &str, member: usize, ids: &[PartitionId], held: bool) {
        let Some(member) = self.member_mut(group, member) else { return };
        for owned in member.owned.values_mut().filter(|owned| ids.contains(&owned.id)) {
            owned.held = held;
        }
    }

    pub(super) fn hold_commits(&mut self, held: bool) {
        self.commits_held = held;
        let members: Vec<(String, usize)> = self
            .groups
            .iter()
            .flat_map(|(name, group)| group.members.keys().map(move |&member| (name.clone(), member)))
            .collect();
        for (group, member) in members {
            self.run_commands(&group, member);
        }
    }

    /// Commands take effect in the order given: a release waits behind a commit that is held.
    fn run_commands(&mut self, group: &str, number: usize) {
        loop {
            let held = self.commits_held;
            let Some(member) = self.member_mut(group, number) else { return };
            match member.commands.front() {
                None => return,
                Some(Command::Commit(_)) if held => return,
                Some(_) => {}
            }
            match member.commands.pop_front().expect("looked at a moment ago") {
                Command::Commit(commits) => self.store(group, number, commits),
                Command::Release(ids) => {
                    member.owned.retain(|_, owned| !ids.contains(&owned.id));
                    self.rebalance(group);
                }
            }
        }
    }

    fn store(&mut self, group: &str, number: usize, commits: Vec<Commit>) {
        let (fault, late) = (self.faults.pop_front(), self.late_commits);
        let group = self.groups.get_mut(group).expect("a member's group exists");
        let member = group.members.get_mut(&number).expect("a command's member exists");
        let (mut stored, mut refused) = (Vec::new(), Vec::new());
        for commit in commits {
            let Some(place) = member.known.get(&commit.id) else { continue };
            let current = member.owned.get(place).is_some_and(|owned| owned.id == commit.id);
            // The commit of an assignment that has ended is dropped; what Kafka would do is another matter.
            if !current && !late {
                continue;
            }
            let refuse = match &fault {
                None | Some(CommitFault::Ambiguous) => false,
                Some(CommitFault::Refused) => true,
                Some(CommitFault::RefusedFor(topic, partition)) => {
                    *topic == *place.0 && *partition == place.1
                }
            };
            if refuse {
                refused.push(commit);
                continue;
            }
            let (topic, partition) = place.clone();
            let (offset, note) = (commit.offset, commit.note.clone());
            group.committed.insert(place.clone(), (offset, note.clone()));
            group.history.push(Stored { topic, partition, offset, note, member: number });
            stored.push(commit);
        }
        let result = match fault {
            Some(CommitFault::Ambiguous) => Err(Error::retriable("commit", "timed out, told so by the test")),
            None | Some(CommitFault::Refused | CommitFault::RefusedFor(..)) => Ok(()),
        };
        // Both outcomes in one request are two answers; a request without any commit left is answered too.
        if !stored.is_empty() || refused.is_empty() {
            member.events.push_back(Event::Committed(stored, result));
        }
        if !refused.is_empty() {
            let error = Error::retriable("commit", "refused, told so by the test");
            member.events.push_back(Event::Committed(refused, Err(error)));
        }
    }
}

/// How many partitions each member gets: those who own more keep the odd ones.
fn quotas(members: &BTreeMap<usize, Member>, places: usize) -> BTreeMap<usize, usize> {
    let mut present: Vec<(usize, usize)> = members
        .iter()
        .filter(|(_, member)| !member.expelled)
        .map(|(&number, member)| (number, member.kept()))
        .collect();
    present.sort_by_key(|&(number, kept)| (std::cmp::Reverse(kept), number));
    let (each, odd) = (places / present.len().max(1), places % present.len().max(1));
    let quota = |(rank, (number, _)): (usize, (usize, usize))| (number, each + usize::from(rank < odd));
    present.into_iter().enumerate().map(quota).collect()
}

fn revoke_surplus(member: &mut Member, quota: usize, deadline: Instant) {
    let surplus = member.kept().saturating_sub(quota);
    let kept = member.owned.values_mut().rev().filter(|owned| owned.revoked.is_none());
    let mut ids = Vec::new();
    for owned in kept.take(surplus) {
        owned.revoked = Some(deadline);
        ids.push(owned.id);
    }
    if !ids.is_empty() {
        member.events.push_back(Event::Revoked(ids));
    }
}
