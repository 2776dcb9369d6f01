//! Metrics through the `metrics` facade, under the names that dashboards for Kafka Connect's Prometheus exporter
//! know, and the ones it lacks.
//!
//! Handles are registered once per task; totals are published a few times a second, never per record.

use super::{
    counts::Counts,
    status::{TaskState, TaskStatus},
};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Where a total comes from.
type Total = fn(&Counts) -> u64;

/// The handles of one task, across its restarts.
pub(crate) struct TaskMetrics {
    labels: [(&'static str, String); 2],
    counters: Vec<(Counter, Total)>,
    restarts: Counter,
    held_bytes: Gauge,
    active: Gauge,
    oldest_seconds: Gauge,
    partition_count: Gauge,
    batch_records: Histogram,
    states: Vec<(TaskState, Gauge)>,
    lags: Mutex<HashMap<(Arc<str>, i32), Gauge>>,
}

/// Totals: name, where they come from. The first group is Connect's, the second ours.
const TOTALS: [(&str, Total); 15] = [
    ("kafka_connect_sink_task_metrics_sink_record_read_total", |c| c.read),
    ("kafka_connect_sink_task_metrics_sink_record_send_total", |c| c.delivered),
    ("kafka_connect_sink_task_metrics_offset_commit_completion_total", |c| c.commits),
    ("kafka_connect_sink_task_metrics_offset_commit_failure_total", |c| c.commit_failures),
    ("kafka_connect_task_error_metrics_total_records_skipped", |c| c.skipped),
    ("kafka_connect_task_error_metrics_total_record_errors", |c| c.skipped + c.dead_lettered),
    ("kafka_connect_task_error_metrics_total_retries", |c| c.retries),
    ("kafka_connect_task_error_metrics_deadletterqueue_produce_requests", |c| c.dead_lettered),
    ("connect_records_filtered_total", |c| c.filtered),
    ("connect_records_dead_lettered_total", |c| c.dead_lettered),
    ("connect_records_abandoned_total", |c| c.abandoned),
    ("connect_records_lost_total", |c| c.lost),
    ("connect_read_bytes_total", |c| c.read_bytes),
    ("connect_partitions_revoked_total", |c| c.revoked),
    ("connect_partitions_lost_total", |c| c.partitions_lost),
];

const STATES: [(TaskState, &str); 7] = [
    (TaskState::Starting, "starting"),
    (TaskState::Running, "running"),
    (TaskState::Paused, "paused"),
    (TaskState::Restarting, "restarting"),
    (TaskState::Stopping, "stopping"),
    (TaskState::Stopped, "stopped"),
    (TaskState::Failed, "failed"),
];

impl TaskMetrics {
    pub(crate) fn new(pipeline: &str, task: u32) -> Self {
        let labels = [("connector", pipeline.to_owned()), ("task", task.to_string())];
        let state_gauge = |state: &'static str| {
            let (connector, task) = (labels[0].1.clone(), labels[1].1.clone());
            gauge!("kafka_connect_connector_task_metrics_status", "connector" => connector, "task" => task, "status" => state)
        };
        Self {
            counters: TOTALS.iter().map(|(name, read)| (counter!(*name, &labels), *read)).collect(),
            restarts: counter!("connect_task_restarts_total", &labels),
            held_bytes: gauge!("connect_held_bytes", &labels),
            active: gauge!("kafka_connect_sink_task_metrics_sink_record_active_count", &labels),
            oldest_seconds: gauge!("connect_oldest_unresolved_seconds", &labels),
            partition_count: gauge!("kafka_connect_sink_task_metrics_partition_count", &labels),
            batch_records: histogram!("connect_batch_records", &labels),
            states: STATES.iter().map(|(state, name)| (*state, state_gauge(name))).collect(),
            lags: Mutex::default(),
            labels,
        }
    }

    /// One batch was read.
    pub(crate) fn batch(&self, records: usize) {
        self.batch_records.record(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges are f64; 2^53 bytes or records are out of reach")]
    pub(crate) fn update(&self, status: &TaskStatus) {
        for (counter, read) in &self.counters {
            counter.absolute(read(&status.counts));
        }
        self.restarts.absolute(u64::from(status.restarts));
        self.held_bytes.set(status.held_bytes as f64);
        self.active.set(status.counts.in_flight as f64);
        self.oldest_seconds.set(status.oldest.unwrap_or_default().as_secs_f64());
        self.partition_count.set(status.partitions.len() as f64);
        for (state, gauge) in &self.states {
            gauge.set(f64::from(u8::from(status.state == *state)));
        }
        self.update_lags(status);
    }

    /// A partition that went away keeps its series, at zero: its lag is somebody else's now.
    #[expect(clippy::cast_precision_loss, reason = "gauges are f64; 2^53 records are out of reach")]
    fn update_lags(&self, status: &TaskStatus) {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.values().for_each(|gauge| gauge.set(0.0));
        for partition in &status.partitions {
            let Some(lag) = partition.lag else { continue };
            let key = (Arc::clone(&partition.topic), partition.partition);
            let gauge = lags.entry(key).or_insert_with(|| {
                let [(_, connector), (_, task)] = self.labels.clone();
                let (topic, number) = (partition.topic.to_string(), partition.partition.to_string());
                gauge!("connect_consumer_lag", "connector" => connector, "task" => task, "topic" => topic, "partition" => number)
            });
            gauge.set(lag as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_total_is_documented() {
        let documentation = include_str!("pipeline.rs");
        for (name, _) in TOTALS {
            assert!(documentation.contains(&format!("`{name}`")), "{name}");
        }
    }
}
