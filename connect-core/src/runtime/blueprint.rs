//! What a pipeline is made of: factories, because restarts and `tasks.max` need fresh instances.

use super::{
    driver::Run, letterbox::Letterbox, metrics::TaskMetrics, options::Options, status::TaskStatus, tap::Taps,
};
use crate::{Budget, Chain, DeadLetters, Error, Source, Task, driven::DynSink};
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) type SourceFactory = Arc<dyn Fn(&Task) -> Result<Box<dyn Source>, Error> + Send + Sync>;
pub(crate) type SinkFactory = Arc<dyn Fn(&Task, Budget) -> Result<Box<dyn DynSink>, Error> + Send + Sync>;
pub(crate) type LettersFactory = Arc<dyn Fn(&Task) -> Result<Arc<dyn DeadLetters>, Error> + Send + Sync>;

pub(crate) struct Blueprint {
    pub(crate) name: Arc<str>,
    pub(crate) tasks: u32,
    pub(crate) options: Options,
    pub(crate) source: SourceFactory,
    pub(crate) chain: Chain,
    pub(crate) sink: SinkFactory,
    pub(crate) letters: Option<LettersFactory>,
    pub(crate) clock: fn() -> i64,
}

impl Blueprint {
    pub(crate) fn task(&self, number: u32, restarts: u32) -> Task {
        let transforms = self.chain.deterministic().then(|| self.chain.describe()).flatten();
        Task {
            pipeline: Arc::clone(&self.name),
            number,
            of: self.tasks,
            restarts,
            transforms: transforms.map(Into::into),
            preview: false,
        }
    }

    /// Fresh instances of everything for one run of a task.
    pub(crate) fn build(
        &self,
        task: Task,
        taps: &Arc<Taps>,
        status: &watch::Sender<TaskStatus>,
        paused: bool,
    ) -> Result<Run, Error> {
        let budget = Budget::new(self.options.budget_bytes);
        let letters = self.letters.as_ref().map(|factory| factory(&task)).transpose()?;
        Ok(Run {
            source: (self.source)(&task)?,
            sink: (self.sink)(&task, budget.clone())?,
            chain: self.chain.clone(),
            letters: Letterbox::new(letters, self.options.backoff, budget.clone()),
            metrics: TaskMetrics::new(&self.name, task.number),
            options: self.options,
            taps: Arc::clone(taps),
            status: status.clone(),
            clock: self.clock,
            task,
            budget,
            paused,
        })
    }
}
