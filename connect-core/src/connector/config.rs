//! What any pipeline can be told by a configuration. Keys are Kafka Connect's where the meaning is the same.

use crate::{
    BackoffConfig, Options,
    config::{ByteSize, Timeout, printable},
};
use std::time::Duration;

crate::choices! {
    /// What happens to records that will never work.
    pub enum Tolerance {
        /// The pipeline stops at the first one and says why.
        None = "none",
        /// They go to the dead letter queue; without one they are dropped, counted and logged.
        All = "all",
    }
}

crate::config! {
    /// A pipeline, whatever its source and its sink are.
    pub struct ConnectorConfig {
        /// The pipeline's name, in logs, metrics and dead letters. Written out: the value of a reference may be a secret.
        "name" => name: String, importance: High, literal: true, check: printable, allowed: "text without control characters";
        /// How many tasks share the partitions. Connect's default.
        "tasks.max" => tasks_max: u32 = 1, range: 1..=1_000, importance: High;
        /// How often offsets are committed; at full speed more often. Connect's default is 60 s.
        "offset.flush.interval.ms" => commit_interval: Duration = Duration::from_secs(5), range: Duration::from_millis(100).., group: "Offsets";
        /// Records of one partition that a restart may repeat, counted from the committed offset; beyond, the partition waits.
        "max.uncommitted.records" => max_uncommitted_records: u64 = 2_000_000, range: 1.., group: "Offsets";
        /// Bytes of one partition that a restart may repeat; beyond, the partition waits.
        "max.uncommitted.bytes" => max_uncommitted_bytes: ByteSize = ByteSize::gib(1), range: ByteSize::mib(1).., group: "Offsets";
        /// Bytes that each task holds at most, from the source to the sink's bodies.
        "memory.budget.bytes" => budget: ByteSize = ByteSize::mib(64), range: ByteSize::mib(1)..;
        /// How long a graceful stop may take before what is left is abandoned, to be read again. Connect's default is 5 s.
        "task.shutdown.graceful.timeout.ms" => stop_timeout: Duration = Duration::from_secs(30), range: Duration::from_millis(1)..;
        /// A partition that lags and stands still for so long is warned about.
        "lag.warning.ms" => watchdog: Duration = Duration::from_secs(60), range: Duration::from_secs(1).., importance: Low;
        /// What happens to records that will never work. Connect's default.
        "errors.tolerance" => tolerance: Tolerance = Tolerance::None, group: "Errors";
        /// How long what fails for passing reasons is tried again; here for ever, -1, since the offsets are safe meanwhile and the
        /// status says since when and why. Connect's default is 0. Sinks that can give up have a key of their own.
        "errors.retry.timeout" => retry_timeout: Timeout = Timeout::Never, check: for_ever, allowed: "-1", group: "Errors", importance: Low;
        /// The longest wait before a failed task starts again, or dead letters are written again. Connect's default.
        "errors.retry.delay.max.ms" => retry_delay_max: Duration = Duration::from_secs(60), range: Duration::from_millis(1).., group: "Errors";
        /// How often a task starts again without progress in between before it stays failed; for ever, if not given.
        "errors.restarts.max" => restarts_max: Option<u32>, group: "Errors";
    }
}

fn for_ever(timeout: &Timeout) -> Result<(), String> {
    match timeout {
        Timeout::Never => Ok(()),
        Timeout::After(_) => Err("what fails for passing reasons is tried again for ever here".into()),
    }
}

impl ConnectorConfig {
    /// Sets what it says in `options`; what happens to poison is not among that.
    pub fn apply(&self, options: &mut Options) {
        options.budget_bytes = self.budget.len();
        options.commit_interval = self.commit_interval;
        options.max_uncommitted_records = self.max_uncommitted_records;
        options.max_uncommitted_bytes = self.max_uncommitted_bytes.get();
        options.backoff = BackoffConfig { max: self.retry_delay_max, ..options.backoff };
        options.restarts_max = self.restarts_max;
        options.stop_timeout = self.stop_timeout;
        options.watchdog = self.watchdog;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_builder() {
        let mut options = Options { budget_bytes: 1, restarts_max: Some(1), ..Options::default() };
        ConnectorConfig::new("p".to_owned()).apply(&mut options);
        assert_eq!(options, Options::default());
    }
}
