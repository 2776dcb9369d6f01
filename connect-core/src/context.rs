//! What a sink may do during a call: start jobs, set a timer, report, charge bytes.

use crate::{Budget, Options, Permit, Progress};
use std::{collections::VecDeque, fmt, future::Future};
use tokio::{task::JoinSet, time::Instant};

/// Passed to every call of a [`Sink`](crate::Sink). `D` is what its jobs bring back.
pub struct Context<D> {
    pub(crate) jobs: JoinSet<D>,
    pub(crate) reports: VecDeque<Progress>,
    pub(crate) wake: Option<Instant>,
    budget: Budget,
    redelivery: u64,
    /// Faults that jobs run into.
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<crate::testing::Faults>,
}

impl<D: Send + 'static> Context<D> {
    /// A context of its own, for tests of a sink without a runtime. [`redelivery`](Self::redelivery) is that of the
    /// default options.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            jobs: JoinSet::new(),
            reports: VecDeque::new(),
            wake: None,
            budget,
            redelivery: Options::default().redelivery(),
            #[cfg(feature = "testing")]
            faults: None,
        }
    }

    /// The same with another [`redelivery`](Self::redelivery).
    #[must_use]
    pub fn with_redelivery(self, records: u64) -> Self {
        Self { redelivery: records, ..self }
    }

    /// Starts a job. The runtime owns it, hands its result to [`Sink::done`](crate::Sink::done), and ends it early
    /// only at a hard stop.
    pub fn spawn(&mut self, job: impl Future<Output = D> + Send + 'static) {
        #[cfg(feature = "testing")]
        if let Some(faults) = self.faults.clone() {
            self.jobs.spawn(faults.in_job(job));
            return;
        }
        self.jobs.spawn(job);
    }

    /// Jobs in flight.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Asks for a call of [`Sink::timer`](crate::Sink::timer). The earliest wish wins and is spent by the call.
    pub fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Tells the runtime.
    pub fn report(&mut self, progress: Progress) {
        self.reports.push_back(progress);
    }

    /// Counts buffers of the sink's own against the pipeline's budget until the permit is dropped.
    pub fn charge(&self, bytes: usize) -> Permit {
        self.budget.charge(bytes)
    }

    /// The pipeline's budget.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How many records of a partition, from [`Assigned::offset`](crate::Assigned::offset) on, may have been written
    /// before by whoever had the partition: what a restart may repeat, and what is read ahead. Nobody of this pipeline
    /// has come further.
    #[must_use]
    pub fn redelivery(&self) -> u64 {
        self.redelivery
    }
}

impl<D> fmt::Debug for Context<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, reports, wake, budget, .. } = self;
        let (jobs, reports) = (jobs.len(), reports.len());
        f.debug_struct("Context")
            .field("jobs", &jobs)
            .field("reports", &reports)
            .field("wake", wake)
            .field("budget", budget)
            .finish_non_exhaustive()
    }
}
