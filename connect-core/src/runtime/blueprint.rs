//! What a pipeline is made of: factories, because restarts and `tasks.max` need fresh instances.

use super::options::Options;
use crate::{Budget, Chain, DeadLetters, Error, Source, Task, causes::Causes, driven::DynSink};
use std::sync::Arc;

pub(crate) type SourceFactory = Arc<dyn Fn(&Task) -> Result<Box<dyn Source>, Error> + Send + Sync>;
pub(crate) type SinkFactory =
    Arc<dyn Fn(&Task, Budget, &Options) -> Result<Box<dyn DynSink>, Error> + Send + Sync>;
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
    /// Of what fails and is tried again, in any task.
    pub(crate) causes: Arc<Causes>,
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
}
