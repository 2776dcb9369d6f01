//! Records that will never work: fail, skip or dead letter.

use super::{Action, Posted, State, find_mut};
use crate::{Batch, Error, Letter, Stage, runtime::options::Poison};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

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
                if let Some(silenced) = self.skipped_log.open() {
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
    last: Option<Instant>,
    silenced: u64,
}

impl Throttle {
    pub(super) fn open(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last < Duration::from_secs(10)) {
            self.silenced += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.silenced))
    }
}
