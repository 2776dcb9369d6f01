//! Which task of which pipeline an instance is made for.

use std::sync::Arc;

/// Given to every factory: a restart and each of `tasks.max` tasks get instances of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// The task's number, from 0.
    pub number: u32,
    /// How many tasks the pipeline has.
    pub of: u32,
    /// How often this task was restarted before.
    pub restarts: u32,
    /// The transforms as text, equal for equal results (see [`Chain::describe`](crate::Chain::describe)); `None`:
    /// they can't be described or are not deterministic.
    pub transforms: Option<Arc<str>>,
    /// Only looked at ([`Pipeline::preview`](crate::Pipeline::preview)): a source must neither commit anything nor
    /// take partitions from tasks that run.
    pub preview: bool,
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.pipeline, self.number)
    }
}
