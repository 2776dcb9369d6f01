//! Everything that waits, and no decision: one loop per task.

use super::{
    letterbox::Letterbox,
    metrics::TaskMetrics,
    options::Options,
    preparing::{Prepared, Preparing},
    state::{Action, Phase, State},
    status::{PartitionStatus, TaskState, TaskStatus},
    tap::{TapStage, Taps},
};
use crate::{Batch, Budget, Chain, Error, Source, Task, causes::Causes, driven::DynSink, retry::after};
use futures_util::FutureExt;
use std::{any::Any, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

/// How often time-driven decisions are made and the status is published.
const TICK: Duration = Duration::from_millis(200);
/// How often it is said what takes so long to open.
const PATIENCE: Duration = Duration::from_secs(10);
/// A source or sink that takes longer to close is dropped instead.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// An order for a running task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Pause,
    Resume,
    /// Stop in good order; what is not done at the deadline is abandoned.
    Stop(Instant),
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// All that was read is delivered and committed.
    Gracefully,
    /// Told to stop before everything was open: nothing was read.
    Unopened,
    /// The deadline of a stop has passed: what was in flight is read again after the next start.
    AtDeadline,
    /// With an error; its class says whether starting again may help.
    Failed(Error),
}

/// One instance of everything that a task needs.
pub(crate) struct Run {
    pub(crate) task: Task,
    pub(crate) options: Options,
    pub(crate) source: Box<dyn Source>,
    pub(crate) sink: Box<dyn DynSink>,
    pub(crate) chain: Chain,
    pub(crate) preparing: Preparing,
    pub(crate) letters: Letterbox,
    pub(crate) budget: Budget,
    pub(crate) taps: Arc<Taps>,
    pub(crate) status: watch::Sender<TaskStatus>,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) paused: bool,
    /// Milliseconds since the Unix epoch; read once per batch.
    pub(crate) clock: fn() -> i64,
    pub(crate) causes: Arc<Causes>,
}

/// What one turn of the loop woke up for.
enum Woken {
    Order(Option<Order>),
    Source(Result<crate::Event, Error>),
    Prepared(Prepared),
    Sink(Result<crate::Progress, Error>),
    Posted(super::state::Posted),
    Tick,
    /// There may be room again, or the sink is to be asked for some.
    Room,
    Deadline,
}

impl Run {
    /// Opens everything, then runs until the source ends, an order to stop was carried out, or something fails.
    pub(crate) async fn run(mut self, orders: &mut mpsc::Receiver<Order>) -> Ended {
        let mut state = State::new(self.task.clone(), self.options, self.sink.delivery(), Instant::now());
        state.counts = self.status.borrow().counts;
        state.pause(self.paused);
        // The books survive a panic in a plugin: they are only written between calls of it.
        let run = async {
            match self.opened(&mut state, orders).await {
                Some(Ok(())) => self.drive(&mut state, orders).await,
                Some(Err(error)) => Ended::Failed(error),
                None => Ended::Unopened,
            }
        };
        let ended = AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|panic| {
            Ended::Failed(Error::retriable(
                "run the task",
                format!("a plugin panicked: {}", panic_text(&*panic)),
            ))
        });
        state.abandon();
        // Before anything that may panic: the next instance goes on with these counts.
        publish(&self.status, &self.metrics, &self.budget, &state, &self.preparing);
        if matches!(ended, Ended::Gracefully) {
            log_failure("close the sink", timeout(CLOSE_TIMEOUT, self.sink.close()).await);
        }
        // Jobs end with the sink: nothing of it may run on while the partitions go to somebody else.
        drop(self.sink);
        if !matches!(ended, Ended::Unopened) {
            log_failure("close the source", timeout(CLOSE_TIMEOUT, self.source.close()).await);
        }
        publish(&self.status, &self.metrics, &self.budget, &state, &self.preparing);
        ended
    }

    /// Opens everything, unless told to stop (`None`): what is being opened may be dropped, and nobody knows how long it
    /// takes.
    async fn opened(
        &mut self,
        state: &mut State,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Option<Result<(), Error>> {
        let status = self.status.clone();
        let mut open = pin!(self.open());
        loop {
            tokio::select! {
                result = &mut open => return Some(result),
                order = orders.recv() => match order {
                    Some(Order::Pause) => state.pause(true),
                    Some(Order::Resume) => state.pause(false),
                    Some(Order::Stop(_)) | None => {
                        let unanswered = || "what it connects to has not answered yet".to_owned();
                        status.send_modify(|status| {
                            status.last_error.get_or_insert_with(unanswered);
                        });
                        return None;
                    }
                },
            }
        }
    }

    /// The targets first: no partition is taken before it could be served.
    async fn open(&mut self) -> Result<(), Error> {
        patiently(&self.task, "the sink", self.sink.open()).await?;
        patiently(&self.task, "the dead letter queue", self.letters.open()).await?;
        // Where transforms stand in between, they make other values of what is read.
        if let Some(framer) = self.sink.framer().filter(|_| self.chain.is_empty()) {
            self.source.frame_by(framer);
        }
        patiently(&self.task, "the source", self.source.open()).await
    }

    async fn drive(&mut self, state: &mut State, orders: &mut mpsc::Receiver<Order>) -> Ended {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut deadline = None;
        loop {
            while let Some(action) = state.next_action(Instant::now()) {
                if let Action::Finish(result) = action {
                    return result.map_or_else(Ended::Failed, |()| Ended::Gracefully);
                }
                if let Err(error) = self.perform(action, state) {
                    state.fail(error);
                }
            }
            match self.wait(state, orders, &mut ticks, deadline).await {
                Woken::Source(Ok(event)) => {
                    let event = self.charged(event);
                    if let Some(event) = self.preparing.admit(event) {
                        state.on_source(event, Instant::now());
                    }
                }
                Woken::Prepared(Prepared::Event(event)) => state.on_source(event, Instant::now()),
                Woken::Prepared(Prepared::Retrying) => {}
                Woken::Prepared(Prepared::Failed(error)) => state.fail(error),
                Woken::Sink(Ok(progress)) => self.on_progress(progress, state),
                Woken::Source(Err(error)) | Woken::Sink(Err(error)) => state.fail(error),
                Woken::Posted(posted) => state.on_posted(posted, Instant::now()),
                Woken::Tick => {
                    state.tick(Instant::now());
                    self.tell_trouble(state);
                    publish(&self.status, &self.metrics, &self.budget, state, &self.preparing);
                }
                Woken::Room => {}
                Woken::Order(Some(Order::Pause)) => state.pause(true),
                Woken::Order(Some(Order::Resume)) => state.pause(false),
                Woken::Order(Some(Order::Stop(at))) => {
                    deadline = Some(at);
                    state.stop();
                }
                // Nobody holds the pipeline any more: the same as a stop.
                Woken::Order(None) => {
                    deadline.get_or_insert(after(Instant::now(), self.options.stop_timeout));
                    state.stop();
                }
                Woken::Deadline => return Ended::AtDeadline,
            }
        }
    }

    /// The only place where a task waits. Each branch is safe to drop, so that any of them may win.
    async fn wait(
        &mut self,
        state: &mut State,
        orders: &mut mpsc::Receiver<Order>,
        ticks: &mut tokio::time::Interval,
        deadline: Option<Instant>,
    ) -> Woken {
        let reads = state.reads() && !self.preparing.is_waiting();
        let room = if reads { self.budget.room() } else { 0 };
        let due = if room > 0 { state.has_room() } else { reads && state.full(self.sink.jobs()) };
        if due {
            return Woken::Room;
        }
        let wanted = if reads { room.max(state.beyond()) } else { 0 };
        let closing = deadline.is_some();
        tokio::select! {
            biased;
            order = orders.recv(), if !closing || !orders.is_closed() => Woken::Order(order),
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if closing => Woken::Deadline,
            _ = ticks.tick() => Woken::Tick,
            progress = self.sink.progress() => Woken::Sink(progress),
            posted = self.letters.next() => Woken::Posted(posted),
            prepared = self.preparing.next() => Woken::Prepared(prepared),
            event = self.source.next(wanted) => Woken::Source(event),
            () = self.budget.freed(), if room == 0 && reads => Woken::Room,
        }
    }

    /// Logs the failure that is being retried: once for all tasks that meet it, then rarely.
    fn tell_trouble(&self, state: &State) {
        let Some((_, why)) = state.retrying.as_ref().or(self.preparing.trouble()) else { return };
        if let Some(suppressed) = self.causes.tell(why, Instant::now()) {
            tracing::warn!(task = %self.task, suppressed, "{why}; it is tried again");
        }
    }

    fn on_progress(&mut self, progress: crate::Progress, state: &mut State) {
        if let crate::Progress::Done(batch, _) = &progress {
            self.taps.sample(TapStage::Done, batch);
        }
        state.on_sink(progress, Instant::now());
    }

    fn perform(&mut self, action: Action, state: &mut State) -> Result<(), Error> {
        match action {
            Action::Transform(batch) => state.transformed(self.transform(batch)),
            Action::Put(batch) => {
                self.taps.sample(TapStage::Transformed, &batch);
                self.sink.put(batch)?;
            }
            Action::Assigned(partitions) => self.sink.assigned(&partitions)?,
            Action::Noted(id) => self.sink.noted(id)?,
            Action::Flush(why) => self.sink.flush(why)?,
            Action::Revoke(ids) => self.sink.revoke(&ids)?,
            Action::Lost(ids) => self.sink.lost(&ids),
            Action::WriteLetters(letters) => self.letters.put(letters),
            Action::Commit(commits) => self.source.commit(commits),
            Action::Release(ids) => self.source.release(&ids),
            Action::Hold(id, held) => self.source.hold(&[id], held),
            Action::Finish(_) => {}
        }
        Ok(())
    }

    /// Records count against the budget as they arrive: they may have to wait before they are transformed.
    fn charged(&self, event: crate::Event) -> crate::Event {
        match event {
            crate::Event::Records(mut batch) => {
                batch.hold(self.budget.charge(batch.bytes()));
                crate::Event::Records(batch)
            }
            other => other,
        }
    }

    fn transform(&mut self, batch: Batch) -> crate::Transformed {
        self.taps.sample(TapStage::Read, &batch);
        self.metrics.batch(batch.len());
        let charged = batch.bytes();
        let mut transformed = self.chain.apply(batch, (self.clock)());
        let more = transformed.batch.bytes().saturating_sub(charged);
        if more > 0 {
            transformed.batch.hold(self.budget.charge(more));
        }
        transformed
    }
}

/// What a panic said, if it said it in words.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Says now and then what is being waited for.
async fn patiently<T>(task: &Task, what: &str, open: impl Future<Output = T>) -> T {
    let mut open = pin!(open);
    loop {
        if let Ok(opened) = timeout(PATIENCE, &mut open).await {
            return opened;
        }
        tracing::warn!(%task, "waiting for {what} to open");
    }
}

fn log_failure<E: std::fmt::Debug>(what: &'static str, result: Result<Result<(), Error>, E>) {
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = %error.report(), "failed to {what}"),
        Err(_) => tracing::warn!("gave up waiting to {what}"),
    }
}

fn publish(
    status: &watch::Sender<TaskStatus>,
    metrics: &TaskMetrics,
    budget: &Budget,
    state: &State,
    preparing: &Preparing,
) {
    let now = Instant::now();
    status.send_modify(|status| {
        status.state = match state.phase() {
            Phase::Running if !state.has_begun() => TaskState::Starting,
            Phase::Running => TaskState::Running,
            Phase::Paused => TaskState::Paused,
            Phase::Stopping => TaskState::Stopping,
            Phase::Finished => status.state,
        };
        status.partitions.clear();
        status.partitions.extend(state.partitions().map(|partition| PartitionStatus {
            topic: Arc::clone(&partition.topic),
            partition: partition.partition,
            position: partition.tracker.position(),
            watermark: partition.tracker.watermark(),
            committed: partition.ledger.committed(),
            lag: partition.lag(),
            in_flight: partition.tracker.in_flight(),
            held: partition.held,
        }));
        status.partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        status.counts = state.counts;
        status.held_bytes = budget.held();
        status.peak_bytes = status.peak_bytes.max(budget.peak());
        status.oldest =
            state.partitions().filter_map(|p| p.tracker.oldest()).min().map(|oldest| now - oldest);
        status.retrying = state
            .retrying
            .as_ref()
            .or(state.trouble.as_ref())
            .or(preparing.trouble())
            .map(|(since, why)| (now - *since, why.clone()));
        metrics.update(status);
    });
}
