//! Records that will never work: fail, skip or dead letter.

use super::{Action, Posted, State, find_mut};
use crate::{Batch, Error, Letter, Stage, runtime::options::Poison};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Records are skipped by the thousand; one line says so this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn poison(&mut self, record: Batch, error: Error, stage: Stage, failed: Vec<u32>) {
        let Some(origin) = record.iter().next().map(|record| record.origin()) else { return };
        let (id, offset) = (origin.id, origin.offset);
        let place = format!("{}-{} at offset {offset}", origin.topic, origin.partition);
        let Some(partition) = find_mut(&mut self.partitions, id) else { return };
        match self.options.poison {
            Poison::Fail => {
                self.fail(Error::fatal("process a record (errors.tolerance=none)", error).about(place))
            }
            Poison::Skip => {
                if let Some(silenced) = self.skipped_log.pass() {
                    tracing::warn!(task = %self.task, record = %place, error = %error.report(), silenced, "skipped a record");
                }
                self.resolve(id, offset, |counts| &mut counts.skipped);
            }
            Poison::DeadLetter => {
                // Families are held before their range is resolved, single records here.
                let _already_held = partition.tracker.hold(offset);
                let (pipeline, task) = (Arc::clone(&self.task.pipeline), self.task.number);
                self.actions.push_back(Action::WriteLetters(vec![Letter {
                    record,
                    stage,
                    error,
                    failed,
                    pipeline,
                    task,
                }]));
            }
        }
    }

    pub(crate) fn on_posted(&mut self, posted: Posted, now: Instant) {
        match posted {
            Posted::Written(id, offset) => {
                self.progressed();
                self.resolve(id, offset, |counts| &mut counts.dead_lettered);
            }
            Posted::Retrying(error) => self.retrying(&error, now),
            Posted::Failed(error) => self.fail(error),
        }
    }
}

/// Lets one of many equal log lines through, with the number of those held back.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    closed: bool,
    /// Since when, as far as a tick has told.
    since: Option<Instant>,
    silenced: u64,
}

impl Throttle {
    /// How many were held back before, if this one may pass.
    pub(super) fn pass(&mut self) -> Option<u64> {
        if std::mem::replace(&mut self.closed, true) {
            self.silenced += 1;
            return None;
        }
        Some(std::mem::take(&mut self.silenced))
    }

    /// Opens again in time: the state has no clock of its own.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.closed && now - *self.since.get_or_insert(now) >= LOG_EVERY {
            (self.closed, self.since) = (false, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_says_how_many_there_were() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.pass(), Some(0));
        throttle.tick(start);
        assert_eq!((throttle.pass(), throttle.pass()), (None, None));
        throttle.tick(start + LOG_EVERY - Duration::from_millis(1));
        assert_eq!(throttle.pass(), None);
        throttle.tick(start + LOG_EVERY);
        assert_eq!((throttle.pass(), throttle.pass()), (Some(3), None));
    }
}
