//! A running pipeline, from outside.

use super::{
    blueprint::Blueprint,
    metrics::TaskMetrics,
    status::{Status, TaskState, TaskStatus},
    supervisor::{Command, Supervisor},
    tap::{Tap, TapStage, Taps},
};
use crate::retry::after;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

/// Controls a running pipeline. Dropping it stops the pipeline in good order, in the background.
pub struct Handle {
    name: Arc<str>,
    stop_timeout: Duration,
    commands: Vec<mpsc::Sender<Command>>,
    statuses: Vec<watch::Receiver<TaskStatus>>,
    taps: Arc<Taps>,
    tasks: JoinHandle<()>,
}

impl Handle {
    pub(crate) fn start(blueprint: &Arc<Blueprint>) -> Self {
        let taps = Arc::new(Taps::default());
        let (mut commands, mut statuses, mut supervisors) = (Vec::new(), Vec::new(), JoinSet::new());
        for number in 0..blueprint.tasks {
            let (command, inbox) = mpsc::channel(8);
            let (status, watched) = watch::channel(TaskStatus::new(number));
            let (blueprint, taps) = (Arc::clone(blueprint), Arc::clone(&taps));
            let metrics = Arc::new(TaskMetrics::new(&blueprint.name, number));
            let supervisor =
                Supervisor { blueprint, number, taps, status, metrics, commands: inbox, paused: false };
            supervisors.spawn(supervisor.run());
            commands.push(command);
            statuses.push(watched);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the root of a pipeline: it owns all its tasks and ends with them"
        )]
        let tasks = tokio::spawn(async move { while supervisors.join_next().await.is_some() {} });
        let (name, stop_timeout) = (Arc::clone(&blueprint.name), blueprint.options.stop_timeout);
        Self { name, stop_timeout, commands, statuses, taps, tasks }
    }

    /// What every task and partition is doing, at most a fifth of a second old.
    #[must_use]
    pub fn status(&self) -> Status {
        let tasks = self.statuses.iter().map(|status| status.borrow().clone()).collect();
        Status { name: Arc::clone(&self.name), tasks }
    }

    /// The state that needs attention most.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.status().state()
    }

    /// Reads no more records; what was read is delivered and committed, and the partitions are kept.
    ///
    /// # Cancel safety
    /// Dropped early, some tasks may not have heard of it.
    pub async fn pause(&self) {
        self.send(Command::Pause).await;
    }

    /// Reads again after [`pause`](Self::pause); starts again after [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// Dropped early, some tasks may not have heard of it.
    pub async fn resume(&self) {
        self.send(Command::Resume).await;
    }

    /// Ends all tasks in good order and starts them with fresh instances; failed ones too.
    ///
    /// # Cancel safety
    /// Dropped early, some tasks may not have heard of it.
    pub async fn restart(&self) {
        self.send(Command::Restart(after(Instant::now(), self.stop_timeout))).await;
    }

    /// Delivers and commits what was read, gives the partitions up and ends all tasks; returns the last status. What
    /// is not done within `stop_timeout` is abandoned, and read again after the next start.
    ///
    /// # Cancel safety
    /// The stop goes on if this is dropped.
    pub async fn stop(&self) -> Status {
        self.send(Command::Stop(after(Instant::now(), self.stop_timeout))).await;
        self.wait().await
    }

    /// Waits until every task has stopped or failed for good.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn wait(&self) -> Status {
        self.wait_until(|status| {
            status.tasks.iter().all(|task| matches!(task.state, TaskState::Stopped | TaskState::Failed))
        })
        .await
    }

    /// Waits until the status is as wished; asked at each change, a few times a second.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn wait_until(&self, wished: impl Fn(&Status) -> bool) -> Status {
        let mut statuses = self.statuses.clone();
        loop {
            for status in &mut statuses {
                status.mark_unchanged();
            }
            let now = self.status();
            if wished(&now) {
                return now;
            }
            let changes = statuses.iter_mut().map(|status| Box::pin(status.changed()));
            let (ended, ..) = futures_util::future::select_all(changes).await;
            if ended.is_err() {
                return self.status();
            }
        }
    }

    /// Samples records at `stage`, holding at most `capacity` of them; a slow reader misses some.
    #[must_use]
    pub fn tap(&self, stage: TapStage, capacity: usize) -> Tap {
        self.taps.add(stage, capacity)
    }

    /// Stops, and waits until nothing of the pipeline is left.
    ///
    /// # Cancel safety
    /// The stop goes on if this is dropped.
    pub async fn shutdown(self) -> Status {
        let status = self.stop().await;
        drop(self.commands);
        // It only waits for tasks whose ends were seen above.
        let _ended = self.tasks.await;
        status
    }

    /// Ends all tasks where they stand, as a crash would: nothing is delivered, committed, released or closed any more,
    /// jobs end at their next await. Waits until sources and sinks are dropped; what a sink runs on threads of its own
    /// goes on. For tests.
    ///
    /// # Cancel safety
    /// The end goes on if this is dropped.
    #[cfg(feature = "testing")]
    pub async fn abort(mut self) {
        self.tasks.abort();
        for status in &mut self.statuses {
            // Until the last sender is gone, and with it the task's run.
            while status.changed().await.is_ok() {}
        }
    }

    async fn send(&self, command: Command) {
        for task in &self.commands {
            // A task whose supervisor has ended needs no commands.
            let _ended = task.send(command).await;
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("name", &self.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
