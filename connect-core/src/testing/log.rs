//! A Kafka-like log in memory: what [`MemorySource`](super::MemorySource)s read and commit to.

mod group;
mod read;
mod state;

use super::{MemorySource, Message};
use bytes::Bytes;
pub(super) use read::Reading;
use state::State;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Topic and partition.
pub(super) type Place = (Arc<str>, i32);

/// Several topics with partitions, and groups with members, committed offsets and their notes.
///
/// Cloning gives another handle on the same log. Everything that happens is a function of the calls: nothing sleeps,
/// nothing is random. Groups follow Kafka's cooperative protocol: a member that joins or leaves moves only the
/// partitions that must move, and a partition changes its owner only after [`Source::release`](crate::Source::release),
/// or after the revoke time-out.
///
/// ```
/// use connect_core::testing::MemoryLog;
/// let log = MemoryLog::new();
/// log.topic("orders", 2);
/// assert_eq!(log.append("orders", 1, "{}"), 0);
/// assert_eq!(log.append("orders", 1, ("key", "{}")), 1);
/// assert_eq!(log.committed("group", "orders", 1), None);
/// ```
#[derive(Clone, Debug)]
pub struct MemoryLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

/// What a commit that was told to fail does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is stored and an error is answered.
    Refused,
    /// It is stored, and an error is answered all the same: a time-out.
    Ambiguous,
    /// The commits of this topic and partition are refused, the others are stored: two answers.
    RefusedFor(String, i32),
}

/// A commit that was stored, in [`MemoryLog::commits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The note.
    pub note: Option<Bytes>,
    /// Which member committed, in order of joining.
    pub member: usize,
}

impl MemoryLog {
    /// A log without topics.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), changes: watch::Sender::new(0) }))
    }

    /// Creates `topic`, or gives it more partitions.
    ///
    /// # Panics
    /// If it has more partitions already.
    pub fn topic(&self, topic: &str, partitions: i32) {
        self.change(|state| state.create(topic, partitions));
    }

    /// Deletes `topic` and creates it again, empty: offsets begin at zero. Positions beyond are out of range then.
    ///
    /// # Panics
    /// If there is no such topic.
    pub fn recreate(&self, topic: &str) {
        self.change(|state| state.recreate(topic));
    }

    /// Appends a record and returns its offset.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn append(&self, topic: &str, partition: i32, message: impl Into<Message>) -> i64 {
        let message = message.into();
        self.change(|state| state.partition_mut(topic, partition).append(message))
    }

    /// Appends several records.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn append_all<M: Into<Message>>(
        &self,
        topic: &str,
        partition: i32,
        messages: impl IntoIterator<Item = M>,
    ) {
        let messages: Vec<Message> = messages.into_iter().map(Into::into).collect();
        self.change(|state| {
            for message in messages {
                state.partition_mut(topic, partition).append(message);
            }
        });
    }

    /// Leaves `n` offsets out, as compaction and transaction markers do. Returns the next offset.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn hole(&self, topic: &str, partition: i32, n: i64) -> i64 {
        self.change(|state| state.partition_mut(topic, partition).hole(n))
    }

    /// Drops the records below `offset`: retention. A position below it is out of range then.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn retain_from(&self, topic: &str, partition: i32, offset: i64) {
        self.change(|state| state.partition_mut(topic, partition).retain_from(offset));
    }

    /// Says that nothing will ever be appended: a source that has read all yields [`Event::End`](crate::Event::End).
    pub fn finish(&self) {
        self.change(|state| state.finished = true);
    }

    /// One past the last record of a partition.
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn end(&self, topic: &str, partition: i32) -> i64 {
        self.lock().partition_mut(topic, partition).end
    }

    /// A source that reads `topics` as a member of `group`, once it is opened.
    #[must_use]
    pub fn source(&self, group: &str, topics: &[&str]) -> MemorySource {
        MemorySource::new(self.clone(), group, topics)
    }

    /// What a group has committed for a partition, with the note.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<(i64, Option<Bytes>)> {
        self.lock().committed(group, &(topic.into(), partition))
    }

    /// Sets what a group has committed, as an operator's tool would.
    pub fn set_committed(&self, group: &str, topic: &str, partition: i32, offset: i64, note: Option<Bytes>) {
        self.change(|state| {
            state.group_mut(group).committed.insert((topic.into(), partition), (offset, note));
        });
    }

    /// Every commit that was stored for a group, in order.
    #[must_use]
    pub fn commits(&self, group: &str) -> Vec<Stored> {
        self.lock().group_mut(group).history.clone()
    }

    /// The most commit requests that any member of the group had in flight at once. A runtime has one.
    #[must_use]
    pub fn commits_in_flight_max(&self, group: &str) -> usize {
        self.lock().group_mut(group).in_flight_max
    }

    /// The next commit request fails like this; several calls queue up.
    pub fn fail_commit(&self, fault: CommitFault) {
        self.change(|state| state.faults.push_back(fault));
    }

    /// Commits wait (`true`), and all that was sent after them, until they are let go (`false`).
    pub fn hold_commits(&self, held: bool) {
        self.change(|state| state.hold_commits(held));
    }

    /// Whether the log stores commits of a live member for assignments that have ended, as Kafka does (it fences
    /// members, not partitions). Off by default, since a source drops them: on, a test sees what that protects.
    pub fn allow_late_commits(&self, allowed: bool) {
        self.change(|state| state.late_commits = allowed);
    }

    /// After how long a partition that was revoked but not released is lost. 30 s by default, on tokio's clock.
    pub fn revoke_timeout(&self, timeout: Duration) {
        self.change(|state| state.revoke_timeout = timeout);
    }

    /// Takes everything from a member without asking: it hears [`Event::Lost`](crate::Event::Lost), then joins again.
    pub fn expel(&self, group: &str, member: usize) {
        self.change(|state| state.expel(group, member));
    }

    /// Which member of the group owns what, those that are being revoked included. Members count in order of joining.
    #[must_use]
    pub fn owners(&self, group: &str) -> BTreeMap<(String, i32), usize> {
        self.lock().owners(group)
    }

    /// Waits until `condition` holds; it is asked again after every change of the log.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changes = self.subscribe();
        while !condition(self) {
            // The sender lives in `self`.
            let _ = changes.changed().await;
        }
    }

    /// Waits until the group has committed at least `offset`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn until_committed(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        self.until(|log| log.committed(group, topic, partition).is_some_and(|(at, _)| at >= offset)).await;
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log and tells everybody who waits.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.0.changes.send_modify(|version| *version += 1);
        result
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
