//! Commits in order: one request in flight, cut to size, dropped where the assignment has ended.

use crate::{Commit, PartitionId};
use bytes::Bytes;
use std::{collections::VecDeque, sync::Arc, time::Instant};

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

#[derive(Debug)]
struct Waiting {
    request: Request,
    since: Instant,
}

/// Requests that wait, and the one that was sent.
#[derive(Debug, Default)]
pub(super) struct Commits {
    waiting: VecDeque<Waiting>,
    pub(super) in_flight: Option<Request>,
}

impl Commits {
    /// Queues what the task wants committed, in requests of bearable size.
    pub(super) fn add(&mut self, commits: Vec<Commit>, since: Instant, live: impl Fn(PartitionId) -> bool) {
        let (mut alive, dead): (Vec<_>, Vec<_>) = commits.into_iter().partition(|commit| live(commit.id));
        if !dead.is_empty() {
            self.waiting.push_back(Waiting { request: Request::Dead(dead), since });
        }
        while !alive.is_empty() {
            let rest = alive.split_off(fitting(&alive));
            let request = Request::Task(std::mem::replace(&mut alive, rest));
            self.waiting.push_back(Waiting { request, since });
        }
    }

    /// Queues start positions.
    pub(super) fn add_start(&mut self, starts: Vec<StartCommit>) {
        self.waiting.push_back(Waiting { request: Request::Start(starts), since: Instant::now() });
    }

    /// Start positions that were not sent yet are of no use after a revocation.
    pub(super) fn drop_starts(&mut self) {
        self.waiting.retain(|waiting| !matches!(waiting.request, Request::Start(_)));
    }

    /// Time at which the task gave the request that is next, if that is one of the task's.
    pub(super) fn next_since(&self) -> Option<Instant> {
        let next = self.waiting.front().filter(|_| self.in_flight.is_none())?;
        matches!(next.request, Request::Task(_)).then_some(next.since)
    }

    /// The next request, if none is in flight. One of the task's stays until `may_send`, given its time, is true.
    pub(super) fn next(&mut self, may_send: impl FnOnce(Instant) -> bool) -> Option<Request> {
        if self.in_flight.is_some() || !self.next_since().is_none_or(may_send) {
            return None;
        }
        self.waiting.pop_front().map(|waiting| waiting.request)
    }

    /// Whether a commit of this assignment was not sent yet.
    pub(super) fn is_waiting(&self, id: PartitionId) -> bool {
        let of = |request: &Request| matches!(request, Request::Task(commits) if commits.iter().any(|c| c.id == id));
        self.waiting.iter().any(|waiting| of(&waiting.request))
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
        std::iter::from_fn(|| commits.next(|_| true)).map(len).collect()
    }

    #[test]
    fn requests_are_cut_at_500_kb_of_notes() {
        let mut commits = Commits::default();
        commits.add((0..300).map(|slot| commit(slot, 4_000)).collect(), Instant::now(), |_| true);
        let sizes = sizes(&mut commits);
        assert_eq!(sizes.iter().sum::<usize>(), 300);
        assert!(sizes.iter().all(|len| len * (4_000 + PARTITION_BYTES) <= REQUEST_BYTES_MAX), "{sizes:?}");
        assert!(sizes.len() <= 4, "{sizes:?}");
    }

    #[test]
    fn commits_without_an_assignment_are_set_apart_and_never_sent() {
        let mut commits = Commits::default();
        commits.add(vec![commit(0, 0), commit(1, 0)], Instant::now(), |id| id.slot() == 1);
        assert!(matches!(commits.next(|_| true), Some(Request::Dead(dead)) if dead == [commit(0, 0)]));
        assert!(matches!(commits.next(|_| true), Some(Request::Task(alive)) if alive == [commit(1, 0)]));
    }

    #[test]
    fn one_request_is_in_flight_at_a_time() {
        let mut commits = Commits::default();
        commits.add(vec![commit(0, 0)], Instant::now(), |_| true);
        commits.add(vec![commit(0, 10)], Instant::now(), |_| true);
        commits.in_flight = commits.next(|_| true);
        assert!(commits.next(|_| true).is_none());
        assert!(commits.is_waiting(PartitionId::new(0, 1)) && commits.is_in_flight(PartitionId::new(0, 1)));
        commits.in_flight = None;
        assert!(commits.next(|_| true).is_some());
    }

    #[test]
    fn a_commit_of_the_task_waits_until_it_may_be_sent_and_everything_behind_it_too() {
        let mut commits = Commits::default();
        let given = Instant::now();
        commits.add(vec![commit(0, 0)], given, |_| true);
        commits.add_start(Vec::new());
        assert_eq!(commits.next_since(), Some(given));
        assert!(commits.next(|since| since != given).is_none());
        assert!(matches!(commits.next(|since| since == given), Some(Request::Task(_))));
        assert_eq!(commits.next_since(), None);
        assert!(matches!(commits.next(|_| false), Some(Request::Start(_))));
    }
}
