//! When offsets are committed, and what the answers mean.

use super::{Action, State, find_mut};
use crate::{Class, Commit, Error, Flush, retry::after};
use std::time::Duration;
use tokio::time::Instant;

/// A failed commit is tried again after this long: brokers need that to elect a coordinator, and members to hear of
/// a new generation.
const COMMIT_RETRY: Duration = Duration::from_millis(500);

impl State {
    pub(super) fn commit(&mut self, now: Instant) {
        if self.awaiting > 0 || now < self.commit_after {
            return;
        }
        self.urgent = false;
        self.since_commit = 0;
        self.commit_due = after(now, self.options.commit_interval);
        let mut commits = Vec::new();
        for partition in self.partitions.iter_mut().flatten() {
            if let Some((offset, note)) = partition.ledger.wanted(partition.tracker.watermark()) {
                partition.ledger.request(offset, note.clone());
                commits.push(Commit { id: partition.id, offset, note });
            }
        }
        self.awaiting = commits.len();
        if !commits.is_empty() {
            self.actions.push_back(Action::Commit(commits));
        }
    }

    pub(super) fn committed(&mut self, commits: Vec<Commit>, result: Result<(), Error>, now: Instant) {
        self.awaiting = self.awaiting.saturating_sub(commits.len());
        let (limits, ok) =
            ((self.options.max_uncommitted_records, self.options.max_uncommitted_bytes), result.is_ok());
        for commit in commits {
            let Some(partition) = find_mut(&mut self.partitions, commit.id) else { continue };
            let noted = partition.answered(ok);
            if noted {
                self.actions.push_back(Action::Noted(commit.id));
            }
            if ok && partition.held && !noted {
                if partition.exceeds((limits.0 / 2, limits.1 / 2)) {
                    // Records that were on their way when it was held stand in a range of their own.
                    self.actions.push_back(Action::Flush(Flush::Uncommitted(commit.id)));
                } else {
                    partition.held = false;
                    if self.beyond.is_none_or(|beyond| beyond.id == commit.id) {
                        self.actions.push_back(Action::Hold(commit.id, false));
                    }
                }
            }
            self.urgent |= partition.is_hurried() || partition.ledger.is_urgent();
            let counter = if ok { &mut self.counts.commits } else { &mut self.counts.commit_failures };
            *counter += 1;
        }
        match result {
            Ok(()) => {}
            Err(error) if error.class() == Class::Fatal => self.fail(error),
            Err(error) => {
                tracing::warn!(task = %self.task, error = %error.report(), "offsets could not be committed, trying again");
                self.commit_after = now + COMMIT_RETRY;
                self.urgent = true;
            }
        }
    }
}
