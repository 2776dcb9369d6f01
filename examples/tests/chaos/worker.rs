//! The child: pipelines as its parent describes them.

mod pipelines;
mod wrapped;

use crate::spec::{PipelineReport, Report, STATUS, STOP, Spec, VARIABLE};
use connect_core::{Handle, Status, TaskState};
use std::{fs, io::Read, path::Path, time::Duration};

#[test]
#[ignore = "not a test: what the others start as a child process"]
fn child() {
    let spec = std::env::var(VARIABLE).expect("started by a parent");
    let spec: Spec = serde_json::from_str(&spec).expect("a spec");
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_ansi(false)
        .init();
    std::thread::spawn(end_with_the_parent);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(run(&spec));
}

fn end_with_the_parent() {
    let mut nothing = Vec::new();
    // Whatever ends the pipe, the parent is gone.
    let _end = std::io::stdin().read_to_end(&mut nothing);
    std::process::exit(2);
}

async fn run(spec: &Spec) {
    let handles: Vec<Handle> =
        spec.pipelines.iter().map(|pipeline| pipelines::start(pipeline, &spec.dir)).collect();
    while !spec.dir.join(STOP).exists() {
        say(&spec.dir, &handles.iter().map(Handle::status).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut ends = tokio::task::JoinSet::new();
    for handle in handles {
        ends.spawn(handle.shutdown());
    }
    let last = ends.join_all().await;
    say(&spec.dir, &last);
    for status in last {
        assert_eq!(status.state(), TaskState::Stopped, "{status:?}");
    }
}

/// Replaces the report.
fn say(dir: &Path, statuses: &[Status]) {
    let pipelines = statuses.iter().map(|status| (status.name.to_string(), report(status))).collect();
    let text = serde_json::to_vec(&Report { pipelines }).expect("a report is JSON");
    let new = dir.join("status.new");
    fs::write(&new, text).and_then(|()| fs::rename(new, dir.join(STATUS))).expect("the report is written");
}

fn report(status: &Status) -> PipelineReport {
    let counts = status.counts();
    let task = &status.tasks[0];
    PipelineReport {
        state: format!("{:?}", status.state()),
        read: counts.read,
        delivered: counts.delivered,
        dead_lettered: counts.dead_lettered,
        skipped: counts.skipped,
        lost: counts.lost,
        in_flight: counts.in_flight,
        assigned: counts.assigned,
        revoked: counts.revoked,
        partitions_lost: counts.partitions_lost,
        commits: counts.commits,
        commit_failures: counts.commit_failures,
        reconciles: counts.reconcile(),
        lag: status.lag(),
        restarts: task.restarts,
        last_error: task.last_error.clone(),
        retrying: task.retrying.as_ref().map(|(since, why)| format!("for {} s: {why}", since.as_secs())),
        held_bytes: task.held_bytes,
        peak_bytes: task.peak_bytes,
        partitions: task
            .partitions
            .iter()
            .map(|p| (p.partition, (p.position, p.watermark, p.committed)))
            .collect(),
    }
}
