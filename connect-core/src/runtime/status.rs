//! What a pipeline looks like from outside.

use super::counts::Counts;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// What a task or a pipeline is doing: Connect's states, and two that it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskState {
    /// Connecting and checking, then waiting to be given partitions (or to be told that there are none).
    Starting,
    /// Records flow, or would if there were any.
    Running,
    /// Paused by the user; the membership in the group is kept.
    Paused,
    /// Failed and about to start again.
    Restarting,
    /// Delivering and committing what was read, then stopping.
    Stopping,
    /// Stopped by the user, or the source has ended.
    Stopped,
    /// Failed for good: a person has to act, then restart it.
    Failed,
}

/// A partition as its task sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Everything below has been read.
    pub position: i64,
    /// Everything below is resolved.
    pub watermark: i64,
    /// Everything below is committed.
    pub committed: i64,
    /// Records between the watermark and the end of the log, once the end is known.
    pub lag: Option<u64>,
    /// Records read and not resolved.
    pub in_flight: u64,
    /// Reading is stopped because `max.uncommitted.*` is reached, until enough is committed.
    pub held: bool,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Its number, from 0.
    pub task: u32,
    /// What it is doing.
    pub state: TaskState,
    /// Its partitions, by topic and partition.
    pub partitions: Vec<PartitionStatus>,
    /// Since the pipeline was started, restarts included.
    pub counts: Counts,
    /// Bytes held now.
    pub held_bytes: usize,
    /// The most bytes held at once.
    pub peak_bytes: usize,
    /// How long the oldest unresolved record has been waiting.
    pub oldest: Option<Duration>,
    /// How often the task was started again after a failure.
    pub restarts: u32,
    /// The error that ended the last run, if one did.
    pub last_error: Option<String>,
    /// What is being tried again, for how long already, and why it failed.
    pub retrying: Option<(Duration, String)>,
}

impl TaskStatus {
    pub(crate) fn new(task: u32) -> Self {
        Self {
            task,
            state: TaskState::Starting,
            partitions: Vec::new(),
            counts: Counts::default(),
            held_bytes: 0,
            peak_bytes: 0,
            oldest: None,
            restarts: 0,
            last_error: None,
            retrying: None,
        }
    }
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Its name.
    pub name: Arc<str>,
    /// Its tasks by number.
    pub tasks: Vec<TaskStatus>,
}

impl Status {
    /// The state that needs attention most: failed, then restarting, and so on; running only if all tasks are.
    #[must_use]
    pub fn state(&self) -> TaskState {
        const BY_URGENCY: [TaskState; 7] = [
            TaskState::Failed,
            TaskState::Restarting,
            TaskState::Starting,
            TaskState::Stopping,
            TaskState::Paused,
            TaskState::Running,
            TaskState::Stopped,
        ];
        let has = |state: &TaskState| self.tasks.iter().any(|task| task.state == *state);
        BY_URGENCY.into_iter().find(has).unwrap_or(TaskState::Stopped)
    }

    /// The counts of all tasks together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tasks.iter().fold(Counts::default(), |sum, task| sum + task.counts)
    }

    /// Records not delivered yet in all partitions whose end is known; `None` before any is.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        self.tasks
            .iter()
            .flat_map(|task| &task.partitions)
            .filter_map(|partition| partition.lag)
            .reduce(|a, b| a + b)
    }
}
