//! What a pipeline can be told, with its defaults and where they come from.

use crate::{BackoffConfig, record::Row};
use std::time::Duration;

/// What happens to a record that will never work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Poison {
    /// The task stops at once, with the reason (`errors.tolerance=none`, Connect's default). What was read and is not
    /// delivered yet is read again after the next start, records in front of the bad one included.
    #[default]
    Fail,
    /// It is dropped, counted and logged, at most one line per ten seconds (`errors.tolerance=all`).
    Skip,
    /// It goes to the dead letter queue, durably, before its offset moves.
    DeadLetter,
}

/// Settings of the runtime. All of them have defaults that fit most pipelines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Bytes held at most in each task, from the source to the sink's bodies: 64 MiB.
    pub budget_bytes: usize,
    /// How often offsets are committed: 5 s, as Kafka's `auto.commit.interval.ms`; at full speed more often, once a
    /// quarter of the budget was read.
    pub commit_interval: Duration,
    /// What happens to poison: `Fail`, as Connect's `errors.tolerance=none`.
    pub poison: Poison,
    /// Records of one partition that a restart may repeat, counted from the committed offset: 2,000,000. Beyond, the
    /// partition is held.
    pub max_uncommitted_records: u64,
    /// Bytes of one partition that a restart may repeat, counted from the committed offset: 1 GiB. Beyond, the
    /// partition is held.
    pub max_uncommitted_bytes: u64,
    /// Waits before a failed task starts again, and between attempts to write dead letters.
    pub backoff: BackoffConfig,
    /// How often a task starts again without progress in between before it stays failed; `None`, the default: for
    /// ever.
    pub restarts_max: Option<u32>,
    /// How long a graceful stop may take before it becomes a hard one: 30 s. (Connect's
    /// `task.shutdown.graceful.timeout.ms` is 5 s, which object uploads rarely meet.)
    pub stop_timeout: Duration,
    /// A partition that is assigned, lags and stands still for this long is warned about: 60 s.
    pub watchdog: Duration,
}

impl Options {
    /// See [`Context::redelivery`](crate::Context::redelivery).
    pub(crate) fn redelivery(&self) -> u64 {
        // What is still coming when a partition is held: the budget bounds it, and no record takes less of it than its
        // row.
        let ahead = self.budget_bytes / size_of::<Row>();
        self.max_uncommitted_records.saturating_add(ahead as u64)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            budget_bytes: 64 << 20,
            commit_interval: Duration::from_secs(5),
            poison: Poison::default(),
            max_uncommitted_records: 2_000_000,
            max_uncommitted_bytes: 1 << 30,
            backoff: BackoffConfig::default(),
            restarts_max: None,
            stop_timeout: Duration::from_secs(30),
            watchdog: Duration::from_secs(60),
        }
    }
}
