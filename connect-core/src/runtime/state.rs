//! Every decision of a task: synchronous, total, without I/O and without a clock of its own.
//!
//! The driver tells what happened and performs the [`Action`]s. No method waits; `now` comes in from outside.

use super::{
    counts::Counts,
    options::Options,
    partition::{Leaving, Partition},
};
use crate::{Assigned, Batch, Commit, Delivery, Error, Flush, Letter, PartitionId, Task, retry::after};
use beyond::Beyond;
use poison::Throttle;
use std::collections::VecDeque;
use tokio::time::Instant;

/// What the driver has to do next, in order.
#[derive(Debug)]
pub(crate) enum Action {
    Transform(Batch),
    Put(Batch),
    Assigned(Vec<Assigned>),
    Noted(PartitionId),
    Flush(Flush),
    Revoke(Vec<PartitionId>),
    Lost(Vec<PartitionId>),
    WriteLetters(Vec<Letter>),
    Commit(Vec<Commit>),
    Release(Vec<PartitionId>),
    Hold(PartitionId, bool),
    Finish(Result<(), Error>),
}

/// What the dead letter queue answers.
#[derive(Debug)]
pub(crate) enum Posted {
    /// This record's letter is durable.
    Written(PartitionId, i64),
    /// Writing failed and is tried again.
    Retrying(Error),
    /// Letters can't be written at all.
    Failed(Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Records are read.
    Running,
    /// The user wants no records now; what was read is still delivered and committed.
    Paused,
    /// Nothing is read any more; all partitions are being given up.
    Stopping,
    /// A result was handed to the driver.
    Finished,
}

/// One task's partitions and what is being done about them.
pub(crate) struct State {
    task: Task,
    options: Options,
    delivery: Delivery,
    phase: Phase,
    /// The source has said which partitions are ours, if any.
    begun: bool,
    partitions: Vec<Option<Partition>>,
    actions: VecDeque<Action>,
    /// Commits on their way; at most one request at a time.
    awaiting: usize,
    /// When the next interval commit is due.
    commit_due: Instant,
    /// After a failed commit, none before this.
    commit_after: Instant,
    /// Bytes read since the last commit was made.
    since_commit: u64,
    /// Somebody waits for a commit: a note, a revoke, a stop.
    urgent: bool,
    /// Some partition is being given up.
    departing: bool,
    /// The budget was full and the sink was asked for bytes; not asked again before something moves, there is room, or
    /// time has passed.
    pressed: bool,
    skipped_log: Throttle,
    pub(crate) counts: Counts,
    /// What transiently fails, since when; cleared by progress.
    pub(crate) retrying: Option<(Instant, String)>,
    /// What the source sits out, since when; cleared by the source.
    pub(crate) trouble: Option<(Instant, String)>,
    /// The partition that is read although the budget is full.
    beyond: Option<Beyond>,
    /// Partitions whose ranges are to end behind the batch that is being transformed.
    cuts: Vec<PartitionId>,
}

impl State {
    pub(crate) fn new(task: Task, options: Options, delivery: Delivery, now: Instant) -> Self {
        Self {
            task,
            options,
            delivery,
            phase: Phase::Running,
            begun: false,
            partitions: Vec::new(),
            actions: VecDeque::new(),
            awaiting: 0,
            commit_due: after(now, options.commit_interval),
            commit_after: now,
            since_commit: 0,
            urgent: false,
            departing: false,
            pressed: false,
            skipped_log: Throttle::default(),
            counts: Counts::default(),
            retrying: None,
            trouble: None,
            beyond: None,
            cuts: Vec::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the source has been given its partitions; a group may make it wait for them.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether records are wanted.
    pub(crate) fn reads(&self) -> bool {
        self.phase == Phase::Running
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().flatten()
    }

    /// The next thing to do, if there is one. Commits and departures are decided once all else is done.
    pub(crate) fn next_action(&mut self, now: Instant) -> Option<Action> {
        if self.actions.is_empty() && self.phase != Phase::Finished {
            if self.urgent {
                self.commit(now);
            }
            self.depart();
        }
        self.actions.pop_front()
    }

    /// Called a few times a second.
    pub(crate) fn tick(&mut self, now: Instant) {
        if now >= self.commit_due || (self.urgent && now >= self.commit_after) {
            self.commit(now);
        }
        self.skipped_log.tick(now);
        // A job may have ended without a report, and with it what the sink's last answer was about.
        self.pressed = false;
        let (patience, reads) = (self.options.watchdog, self.reads());
        for partition in self.partitions.iter_mut().flatten() {
            if let Some(lag) = partition.watch(now, patience).filter(|_| reads) {
                let (topic, number) = (&partition.topic, partition.partition);
                let watermark = partition.tracker.watermark();
                tracing::warn!(task = %self.task, %topic, partition = number, watermark, lag, for_seconds = patience.as_secs(), "a partition lags and does not move");
            }
        }
    }

    pub(crate) fn pause(&mut self, paused: bool) {
        match (self.phase, paused) {
            (Phase::Running, true) => {
                self.phase = Phase::Paused;
                self.actions.push_back(Action::Flush(Flush::Now));
            }
            (Phase::Paused, false) => self.phase = Phase::Running,
            (Phase::Running | Phase::Paused | Phase::Stopping | Phase::Finished, _) => {}
        }
    }

    /// Reads no more, delivers and commits what was read, then finishes.
    pub(crate) fn stop(&mut self) {
        if matches!(self.phase, Phase::Stopping | Phase::Finished) {
            return;
        }
        self.phase = Phase::Stopping;
        self.actions.push_back(Action::Flush(Flush::Now));
        let all: Vec<_> = self.partitions().map(|partition| partition.id).collect();
        self.leave(all, Leaving::by_ourselves);
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.finish(Err(error));
    }

    /// Gives up what is in flight and hands the result to the driver; the first one counts.
    fn finish(&mut self, result: Result<(), Error>) {
        if self.phase == Phase::Finished {
            return;
        }
        self.phase = Phase::Finished;
        self.abandon();
        self.actions.clear();
        self.actions.push_back(Action::Finish(result));
    }

    /// Whatever is in flight is read again by somebody.
    pub(crate) fn abandon(&mut self) {
        let all: Vec<_> = self.partitions().map(|partition| partition.id).collect();
        for id in all {
            self.remove(id);
        }
        debug_assert!(self.counts.in_flight == 0 && self.counts.reconcile());
    }

    fn partition_mut(&mut self, id: PartitionId) -> Option<&mut Partition> {
        find_mut(&mut self.partitions, id)
    }
}

fn find(partitions: &[Option<Partition>], id: PartitionId) -> Option<&Partition> {
    partitions.get(id.slot())?.as_ref().filter(|partition| partition.id == id)
}

fn find_mut(partitions: &mut [Option<Partition>], id: PartitionId) -> Option<&mut Partition> {
    partitions.get_mut(id.slot())?.as_mut().filter(|partition| partition.id == id)
}

fn broken(
    operation: &'static str,
    partition: &Partition,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::fatal(operation, error)
        .about(format!("{}-{}: a plugin broke its contract", partition.topic, partition.partition))
}

mod accounts;
mod beyond;
mod commits;
mod intake;
mod leaving;
mod poison;

#[cfg(test)]
mod tests;
