//! Faults at chosen boundaries, after a chosen number of successes.

use super::Gate;
use crate::{Class, Error};
use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

/// A boundary at which a plugin can be made to fail: the method of that name, before it does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Point {
    /// `Source::open`.
    SourceOpen,
    /// `Source::next`.
    Next,
    /// `Source::commit`. It cannot fail: an error is a panic here.
    Commit,
    /// `Source::release`. It cannot fail: an error is a panic here.
    Release,
    /// `Transform::apply`.
    Transform,
    /// `Sink::open`.
    SinkOpen,
    /// `Sink::assigned`.
    Assigned,
    /// `Sink::put`.
    Put,
    /// Inside a job, before it writes. Jobs of foreign sinks bring back what only their sink understands: in those an
    /// error is a panic.
    Job,
    /// Inside a job of a sink in a [`FaultySink`](super::FaultySink), where it first waits: begun, and not done.
    Waiting,
    /// Inside a job, after it has written: delivered, and nobody knows.
    Written,
    /// `Sink::done`.
    Done,
    /// `Sink::timer`.
    Timer,
    /// `Sink::noted`.
    Noted,
    /// `Sink::flush`.
    Flush,
    /// `Sink::revoke`.
    Revoke,
    /// `Sink::close`.
    Close,
    /// `DeadLetters::write`.
    Letters,
}

/// How a plugin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By an error of this class.
    Error(Class),
    /// By a panic.
    Panic,
    /// Not at all, but [`Faults::stop`] opens: who waits there ends the pipeline without asking.
    HardStop,
    /// As the process would: from here on nothing that passes the wrappers has any effect, and [`Faults::stop`] opens.
    /// Who waits there drops what is left ([`Handle::abort`](crate::Handle::abort)), and goes on with
    /// [`Faults::revived`].
    Crash,
}

/// Which boundary fails when, and how. Cloning gives another handle, so that counts survive restarts of a task.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    /// Crashes before this handle was made: one more, and whoever holds it is dead.
    life: usize,
}

#[derive(Debug, Default)]
struct Plan {
    planned: Vec<Planned>,
    fired: Vec<(Point, How)>,
    stop: Gate,
    crashes: usize,
}

#[derive(Debug)]
struct Planned {
    point: Point,
    successes: usize,
    how: How,
}

impl Faults {
    /// No faults.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One fault: `point` fails once, after `successes` that it lets through.
    #[must_use]
    pub fn after(point: Point, successes: usize, how: How) -> Self {
        let faults = Self::none();
        faults.add(point, successes, how);
        faults
    }

    /// Adds a fault. Faults of the same point count side by side and fire one at a time.
    pub fn add(&self, point: Point, successes: usize, how: How) {
        self.lock().planned.push(Planned { point, successes, how });
    }

    /// What has happened so far.
    #[must_use]
    pub fn fired(&self) -> Vec<(Point, How)> {
        self.lock().fired.clone()
    }

    /// Opens when a [`How::HardStop`] or a [`How::Crash`] is due.
    #[must_use]
    pub fn stop(&self) -> Gate {
        self.lock().stop.clone()
    }

    /// Whether a hard stop is planned and has not happened yet.
    #[must_use]
    pub fn stops_hard(&self) -> bool {
        self.lock().planned.iter().any(|planned| planned.how == How::HardStop)
    }

    /// Whether there was a [`How::Crash`] since this handle was made: whoever holds it has no effect any more.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.life < self.lock().crashes
    }

    /// A handle for those who come after a crash; clones of the old one stay dead.
    #[must_use]
    pub fn revived(&self) -> Self {
        Self { plan: Arc::clone(&self.plan), life: self.lock().crashes }
    }

    /// Whether the double may do its work at `point`; `false` if it is dead.
    pub(super) fn pass(&self, point: Point) -> Result<bool, Error> {
        if !self.is_dead() {
            self.hit(point)?;
        }
        Ok(!self.is_dead())
    }

    /// Waits for ever if this handle is dead.
    pub(super) async fn live(&self) {
        if self.is_dead() {
            pending().await
        }
    }

    /// Runs a job of a sink that knows nothing of faults.
    pub(crate) async fn in_job<T>(self, job: impl Future<Output = T>) -> T {
        let hit = |point| self.pass(point).expect("told to fail where no error can be returned");
        hit(Point::Job);
        let (mut job, mut waits) = (pin!(job), false);
        let done = poll_fn(|cx| {
            if self.is_dead() {
                return Poll::Pending;
            }
            let polled = job.as_mut().poll(cx);
            if polled.is_pending() && !std::mem::replace(&mut waits, true) {
                hit(Point::Waiting);
            }
            polled
        })
        .await;
        hit(Point::Written);
        self.live().await;
        done
    }

    /// Called by the test doubles at `point`.
    ///
    /// # Errors
    /// If the plan says so.
    ///
    /// # Panics
    /// If the plan says so.
    pub fn hit(&self, point: Point) -> Result<(), Error> {
        match self.due(point) {
            None => Ok(()),
            Some(How::Error(class)) => Err(Error::new(class, "go on", format!("told to fail at {point:?}"))),
            Some(How::Panic) => panic!("told to panic at {point:?}"),
            Some(How::HardStop) => {
                self.stop().open();
                Ok(())
            }
            Some(How::Crash) => {
                self.lock().crashes += 1;
                self.stop().open();
                Ok(())
            }
        }
    }

    fn due(&self, point: Point) -> Option<How> {
        let mut plan = self.lock();
        let mut due = None;
        for (at, planned) in plan.planned.iter_mut().enumerate().filter(|(_, planned)| planned.point == point)
        {
            if planned.successes > 0 {
                planned.successes -= 1;
            } else if due.is_none() {
                due = Some(at);
            }
        }
        let how = plan.planned.remove(due?).how;
        plan.fired.push((point, how));
        Some(how)
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
