//! Commits in order: one request in flight, cut to size, dropped where the assignment has ended.

use crate::{Commit, PartitionId};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc};

/// A request with about 1 MB of notes is refused whole, so requests stay well below.
const REQUEST_BYTES_MAX: usize = 500_000;
/// What a partition costs in a request beside its note: the topic's name at its longest, and the integers.
const PARTITION_BYTES: usize = 280;

/// One partition's part of a request about starts.
#[derive(Clone, Debug)]
pub(super) struct StartCommit {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// One request to commit.
#[derive(Debug)]
pub(super) enum Request {
    /// For the task, which gets an answer.
    Task(Vec<Commit>),
    /// From the task, but too late: answered without being sent.
    Dead(Vec<Commit>),
    /// Start positions, before the first record is handed out.
    Start(Vec<StartCommit>),
}

/// Requests that wait, and the one that was sent.
#[derive(Debug, Default)]
pub(super) struct Commits {
    waiting: VecDeque<Request>,
    pub(super) in_flight: Option<Request>,
}

impl Commits {
    /// Queues what the task wants committed, in requests of bearable size.
    pub(super) fn add(&mut self, commits: Vec<Commit>, live: impl Fn(PartitionId) -> bool) {
        let (mut alive, dead): (Vec<_>, Vec<_>) = commits.into_iter().partition(|commit| live(commit.id));
        if !dead.is_empty() {
            self.waiting.push_back(Request::Dead(dead));
        }
        while !alive.is_empty() {
            let rest = alive.split_off(fitting(&alive));
            self.waiting.push_back(Request::Task(std::mem::replace(&mut alive, rest)));
        }
    }

    /// Queues start positions.
    pub(super) fn add_start(&mut self, starts: Vec<StartCommit>) {
        self.waiting.push_back(Request::Start(starts));
    }

    /// Start positions that were not sent yet are of no use after a revocation.
    pub(super) fn drop_starts(&mut self) {
        self.waiting.retain(|request| !matches!(request, Request::Start(_)));
    }

    /// The next request, if none is in flight.
    pub(super) fn next(&mut self) -> Option<Request> {
        if self.in_flight.is_some() { None } else { self.waiting.pop_front() }
    }

    /// Whether a commit of this assignment was not sent yet.
    pub(super) fn is_waiting(&self, id: PartitionId) -> bool {
        let of = |request: &Request| matches!(request, Request::Task(commits) if commits.iter().any(|c| c.id == id));
        self.waiting.iter().any(of)
    }

    /// Whether a commit of this assignment was sent and not answered yet.
    pub(super) fn is_in_flight(&self, id: PartitionId) -> bool {
        matches!(&self.in_flight, Some(Request::Task(commits)) if commits.iter().any(|c| c.id == id))
    }
}

/// How many of these fit into one request; at least one.
fn fitting(commits: &[Commit]) -> usize {
    let mut bytes = 0;
    let fits = commits.iter().take_while(|commit| {
        bytes += PARTITION_BYTES + commit.note.as_ref().map_or(0, Bytes::len);
        bytes <= REQUEST_BYTES_MAX
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(slot: u32, note: usize) -> Commit {
        let note = (note > 0).then(|| Bytes::from(vec![b'n'; note]));
        Commit { id: PartitionId::new(slot, 1), offset: 1, note }
    }

    fn sizes(commits: &mut Commits) -> Vec<usize> {
        let len = |request| match request {
            Request::Task(commits) | Request::Dead(commits) => commits.len(),
            Request::Start(starts) => starts.len(),
        };
        std::iter::from_fn(|| commits.next()).map(len).collect()
    }

    #[test]
    fn requests_are_cut_at_500_kb_of_notes() {
        let mut commits = Commits::default();
        commits.add((0..300).map(|slot| commit(slot, 4_000)).collect(), |_| true);
        let sizes = sizes(&mut commits);
        assert_eq!(sizes.iter().sum::<usize>(), 300);
        assert!(sizes.iter().all(|len| len * (4_000 + PARTITION_BYTES) <= REQUEST_BYTES_MAX), "{sizes:?}");
        assert!(sizes.len() <= 4, "{sizes:?}");
    }

    #[test]
    fn commits_without_an_assignment_are_set_apart_and_never_sent() {
        let mut commits = Commits::default();
        commits.add(vec![commit(0, 0), commit(1, 0)], |id| id.slot() == 1);
        assert!(matches!(commits.next(), Some(Request::Dead(dead)) if dead == [commit(0, 0)]));
        assert!(matches!(commits.next(), Some(Request::Task(alive)) if alive == [commit(1, 0)]));
    }

    #[test]
    fn one_request_is_in_flight_at_a_time() {
        let mut commits = Commits::default();
        commits.add(vec![commit(0, 0)], |_| true);
        commits.add(vec![commit(0, 10)], |_| true);
        commits.in_flight = commits.next();
        assert!(commits.next().is_none());
        assert!(commits.is_waiting(PartitionId::new(0, 1)) && commits.is_in_flight(PartitionId::new(0, 1)));
        commits.in_flight = None;
        assert!(commits.next().is_some());
    }
}
