//! Starts a task, watches it, and starts it again when that may help.

use super::{
    blueprint::Blueprint,
    driver::{Ended, Order, Run},
    letterbox::Letterbox,
    metrics::TaskMetrics,
    preparing::Preparing,
    status::{TaskState, TaskStatus},
    tap::Taps,
};
use crate::{Backoff, Budget, Class, Error, Task, retry::after};
use std::{future::pending, sync::Arc};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// What the handle asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Pause,
    Resume,
    Restart(Instant),
    Stop(Instant),
}

/// One task of a pipeline, across its restarts.
pub(crate) struct Supervisor {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) number: u32,
    pub(crate) taps: Arc<Taps>,
    pub(crate) status: watch::Sender<TaskStatus>,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) paused: bool,
}

/// What to do after a run, or while there is none.
enum Next {
    Run,
    /// Start again at this moment, unless told otherwise.
    RunAt(Instant),
    /// Wait for a command.
    Rest(TaskState),
    End,
}

/// What the handle has ordered of a running instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ordered {
    Nothing,
    Stop,
    Restart,
    /// Nobody holds the pipeline any more.
    End,
}

impl Supervisor {
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(self.blueprint.options.backoff);
        let mut next = Next::Run;
        loop {
            next = match next {
                Next::Run => self.run_once(&mut backoff).await,
                Next::RunAt(at) => self.rest(TaskState::Restarting, Some(at)).await,
                Next::Rest(state) => self.rest(state, None).await,
                Next::End => return,
            };
        }
    }

    /// Runs one instance to its end, passing commands on.
    async fn run_once(&mut self, backoff: &mut Backoff) -> Next {
        self.set_state(TaskState::Starting);
        let (restarts, delivered) = {
            let status = self.status.borrow();
            (status.restarts, status.counts.delivered)
        };
        let task = self.blueprint.task(self.number, restarts);
        let run = match self.instance(task) {
            Ok(run) => run,
            Err(error) => return self.failed(&error, backoff),
        };
        let (orders, mut inbox) = mpsc::channel(8);
        let mut running = JoinSet::new();
        running.spawn(async move { run.run(&mut inbox).await });
        let (ended, ordered) = self.watch(running, orders).await;
        if self.status.borrow().counts.delivered > delivered {
            backoff.reset();
        }
        if let Ended::AtDeadline = ended {
            tracing::warn!(pipeline = %self.blueprint.name, task = self.number, "the stop's deadline has passed, what was in flight is read again");
        }
        match (ordered, ended) {
            (Ordered::Nothing, Ended::Failed(error)) => self.failed(&error, backoff),
            // It was to end anyway: what failed on the way is kept for the status, and does not start it again.
            (Ordered::Stop | Ordered::Restart | Ordered::End, Ended::Failed(error)) => {
                self.note_error(&error);
                self.after(ordered)
            }
            (_, Ended::Gracefully | Ended::Unopened | Ended::AtDeadline) => self.after(ordered),
        }
    }

    /// Fresh instances of everything for one run.
    fn instance(&self, task: Task) -> Result<Run, Error> {
        let blueprint = &self.blueprint;
        let budget = Budget::new(blueprint.options.budget_bytes);
        let letters = blueprint.letters.as_ref().map(|factory| factory(&task)).transpose()?;
        Ok(Run {
            source: (blueprint.source)(&task)?,
            sink: (blueprint.sink)(&task, budget.clone(), &blueprint.options)?,
            chain: blueprint.chain.clone(),
            preparing: Preparing::new(blueprint.chain.clone(), blueprint.options.backoff),
            letters: Letterbox::new(letters, blueprint.options.backoff, budget.clone()),
            metrics: Arc::clone(&self.metrics),
            options: blueprint.options,
            taps: Arc::clone(&self.taps),
            status: self.status.clone(),
            clock: blueprint.clock,
            causes: Arc::clone(&blueprint.causes),
            task,
            budget,
            paused: self.paused,
        })
    }

    /// Passes commands on until the instance has ended. Returns how, and what was ordered last.
    async fn watch(&mut self, mut running: JoinSet<Ended>, orders: mpsc::Sender<Order>) -> (Ended, Ordered) {
        let mut orders = Some(orders);
        let mut ordered = Ordered::Nothing;
        loop {
            tokio::select! {
                ended = running.join_next() => {
                    let ended = match ended {
                        Some(Ok(ended)) => ended,
                        Some(Err(panic)) => Ended::Failed(Error::retriable("run the task", panic)),
                        None => Ended::Gracefully,
                    };
                    return (ended, ordered);
                }
                command = self.commands.recv(), if orders.is_some() => {
                    let Some(order) = self.obey(command, &mut ordered) else {
                        if ordered == Ordered::End {
                            // Dropping the sender is the order to stop within the default time.
                            orders = None;
                        }
                        continue;
                    };
                    if let Some(orders) = &orders {
                        // A task that has just ended needs no orders.
                        let _ended = orders.send(order).await;
                    }
                }
            }
        }
    }

    /// What a command means for a running instance, and for what comes after it.
    fn obey(&mut self, command: Option<Command>, ordered: &mut Ordered) -> Option<Order> {
        match command {
            Some(Command::Pause) => {
                self.paused = true;
                Some(Order::Pause)
            }
            Some(Command::Resume) => {
                self.paused = false;
                if *ordered == Ordered::Stop {
                    *ordered = Ordered::Restart;
                    return None;
                }
                Some(Order::Resume)
            }
            Some(Command::Stop(at)) => {
                *ordered = Ordered::Stop;
                Some(Order::Stop(at))
            }
            Some(Command::Restart(at)) => {
                *ordered = Ordered::Restart;
                Some(Order::Stop(at))
            }
            None => {
                *ordered = Ordered::End;
                None
            }
        }
    }

    /// Where a run leads that ended as it was ordered to.
    fn after(&self, ordered: Ordered) -> Next {
        match ordered {
            Ordered::Nothing | Ordered::Stop => Next::Rest(TaskState::Stopped),
            Ordered::Restart => Next::Run,
            Ordered::End => self.end(),
        }
    }

    /// Keeps the error for the status, and returns its report.
    fn note_error(&self, error: &Error) -> String {
        let report = error.report();
        self.status.send_modify(|status| status.last_error = Some(report.clone()));
        report
    }

    fn failed(&self, error: &Error, backoff: &mut Backoff) -> Next {
        let (pipeline, task, class) = (&self.blueprint.name, self.number, error.class().as_str());
        let report = self.note_error(error);
        let exhausted = self.blueprint.options.restarts_max.is_some_and(|max| backoff.attempts() >= max);
        if error.class() != Class::Retriable || exhausted {
            tracing::error!(%pipeline, task, class, error = %report, "a task has failed");
            return Next::Rest(TaskState::Failed);
        }
        let wait = backoff.next_wait(error.retry_after());
        if let Some(kept_back) = self.blueprint.causes.tell(&report, Instant::now()) {
            tracing::warn!(%pipeline, task, ?wait, kept_back, "{report}; the task starts again");
        }
        self.status.send_modify(|status| status.restarts += 1);
        Next::RunAt(after(Instant::now(), wait))
    }

    /// No instance runs: waits for a command, or for the time to start again.
    async fn rest(&mut self, state: TaskState, until: Option<Instant>) -> Next {
        self.set_state(state);
        loop {
            let time = async {
                match until {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = time => return Next::Run,
                command = self.commands.recv() => match command {
                    Some(Command::Pause) => self.paused = true,
                    Some(Command::Resume) => {
                        self.paused = false;
                        if state == TaskState::Stopped {
                            return Next::Run;
                        }
                    }
                    Some(Command::Restart(_)) => return Next::Run,
                    Some(Command::Stop(_)) if state == TaskState::Restarting => return Next::Rest(TaskState::Stopped),
                    Some(Command::Stop(_)) => {}
                    None => return Next::End,
                },
            }
        }
    }

    /// The last state that anybody will see.
    fn end(&self) -> Next {
        self.set_state(TaskState::Stopped);
        Next::End
    }

    fn set_state(&self, state: TaskState) {
        self.status.send_modify(|status| {
            status.state = state;
            if state != TaskState::Running {
                status.partitions.clear();
                status.retrying = None;
                status.oldest = None;
            }
            self.metrics.update(status);
        });
    }
}
