//! Putting a pipeline together.

use super::{
    blueprint::{Blueprint, LettersFactory, SinkFactory, SourceFactory},
    handle::Handle,
    options::{Options, Poison},
    preview::{self, Previewed},
};
use crate::{
    Bulk, BulkConfig, Chain, DeadLetters, Error, Sink, Source, Task, Transform,
    config::printable,
    connector::{SinkPlugin, SourcePlugin},
};
use std::{fmt, sync::Arc, time::Duration};

/// A source, transforms and a sink, ready to start.
///
/// # Metrics
/// Each task publishes a few times a second, by the `metrics` facade, with the labels `connector` (the pipeline's name)
/// and `task`; install a recorder before the start. Names of `kafka_connect_` are those that dashboards for Kafka Connect's
/// Prometheus exporter know.
///
/// | name | what |
/// |---|---|
/// | `kafka_connect_sink_task_metrics_sink_record_read_total` | records read |
/// | `kafka_connect_sink_task_metrics_sink_record_send_total` | records delivered |
/// | `kafka_connect_sink_task_metrics_sink_record_active_count` | records read whose fate is open |
/// | `kafka_connect_sink_task_metrics_partition_count` | partitions assigned |
/// | `kafka_connect_sink_task_metrics_offset_commit_completion_total`, `kafka_connect_sink_task_metrics_offset_commit_failure_total` | commits, and those that failed |
/// | `kafka_connect_task_error_metrics_total_record_errors` | records skipped or dead-lettered |
/// | `kafka_connect_task_error_metrics_total_records_skipped` | records skipped |
/// | `kafka_connect_task_error_metrics_deadletterqueue_produce_requests`, `connect_records_dead_lettered_total` | dead letters written |
/// | `kafka_connect_task_error_metrics_total_retries` | attempts that failed for passing reasons |
/// | `kafka_connect_connector_task_metrics_status` | 1 for the label `status` that holds, 0 for the others |
/// | `connect_records_filtered_total`, `connect_records_abandoned_total`, `connect_records_lost_total` | records filtered; handed back, to be read again; gone before they were read |
/// | `connect_read_bytes_total` | bytes of the keys and values read |
/// | `connect_batch_records` | a histogram of records per batch |
/// | `connect_held_bytes` | bytes charged to the budget |
/// | `connect_oldest_unresolved_seconds` | age of the oldest record whose fate is open |
/// | `connect_consumer_lag` | records behind the watermark, by `topic` and `partition` |
/// | `connect_partitions_revoked_total`, `connect_partitions_lost_total` | partitions given up, and taken away |
/// | `connect_task_restarts_total` | restarts |
/// | `connect_dead_letters_without_value_total` | letters written without the record, which was too large; no labels |
pub struct Pipeline {
    blueprint: Arc<Blueprint>,
}

impl Pipeline {
    /// Begins a pipeline. The name appears in logs, metrics and dead letters.
    pub fn builder(name: impl Into<String>) -> PipelineBuilder {
        PipelineBuilder {
            name: name.into(),
            tasks: 1,
            options: Options::default(),
            source: None,
            transforms: Vec::new(),
            sink: None,
            letters: None,
            clock: unix_millis,
        }
    }

    /// Starts all tasks on the current tokio runtime and returns at once; [`Handle::status`] says how it goes.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use = "dropping the handle stops the pipeline"]
    pub fn start(self) -> Handle {
        Handle::start(&self.blueprint)
    }

    /// Sends the first `records` through the transforms and shows what becomes of them. Nothing is delivered and
    /// nothing is committed. Returns fewer if `patience` ends first.
    ///
    /// # Cancel safety
    /// May be dropped; the source is then dropped without being closed.
    ///
    /// # Errors
    /// What the source's factory, `open` or `next` returns.
    pub async fn preview(&self, records: usize, patience: Duration) -> Result<Vec<Previewed>, Error> {
        preview::run(&self.blueprint, records, patience).await
    }
}

#[cfg(all(test, feature = "kafka"))]
impl Pipeline {
    pub(crate) fn chain(&self) -> &Chain {
        &self.blueprint.chain
    }

    pub(crate) fn options(&self) -> &Options {
        &self.blueprint.options
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("name", &self.blueprint.name).finish_non_exhaustive()
    }
}

/// Collects a pipeline's parts; [`build`](Self::build) checks them all.
#[must_use = "nothing happens until `build` and `start`"]
pub struct PipelineBuilder {
    name: String,
    tasks: u32,
    options: Options,
    source: Option<SourceFactory>,
    transforms: Vec<Arc<dyn Transform>>,
    sink: Option<SinkFactory>,
    letters: Option<LettersFactory>,
    clock: fn() -> i64,
}

impl PipelineBuilder {
    /// Where records come from. The factory is called for each task and each restart.
    pub fn source<S, F>(self, factory: F) -> Self
    where
        S: Source + 'static,
        F: Fn(&Task) -> Result<S, Error> + Send + Sync + 'static,
    {
        self.source_plugin(SourcePlugin::new(factory))
    }

    pub(crate) fn source_plugin(mut self, plugin: SourcePlugin) -> Self {
        self.source = Some(plugin.factory);
        self
    }

    /// Adds a transform behind those added before.
    pub fn transform(mut self, transform: impl Transform + 'static) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Where records go. The factory is called for each task and each restart.
    pub fn sink<S, F>(self, factory: F) -> Self
    where
        S: Sink,
        F: Fn(&Task) -> Result<S, Error> + Send + Sync + 'static,
    {
        self.sink_plugin(SinkPlugin::new(factory))
    }

    pub(crate) fn sink_plugin(mut self, plugin: SinkPlugin) -> Self {
        self.sink = Some(plugin.factory);
        self
    }

    /// Where records go, for the 20-line kind of sink, batched as `config` says.
    pub fn bulk<B, F>(self, config: BulkConfig, factory: F) -> Self
    where
        B: Bulk,
        F: Fn(&Task) -> Result<B, Error> + Send + Sync + 'static,
    {
        self.sink_plugin(SinkPlugin::bulk(config, factory))
    }

    /// Where records go that will never work; sets the policy to [`Poison::DeadLetter`].
    pub fn dead_letters<D, F>(mut self, factory: F) -> Self
    where
        D: DeadLetters,
        F: Fn(&Task) -> Result<D, Error> + Send + Sync + 'static,
    {
        self.letters = Some(Arc::new(move |task| Ok(Arc::new(factory(task)?))));
        self.options.poison = Poison::DeadLetter;
        self
    }

    /// Sets the policy for records that will never work.
    pub fn poison(mut self, poison: Poison) -> Self {
        self.options.poison = poison;
        self
    }

    /// Changes settings of the runtime: `.options(|o| o.budget_bytes = 16 << 20)`.
    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// How many tasks share the work (`tasks.max`): 1 by default. Each has a source, a sink and a budget of its own;
    /// the group's protocol shares the partitions among them.
    pub fn tasks_max(mut self, tasks: u32) -> Self {
        self.tasks = tasks;
        self
    }

    /// The clock that transforms see, in milliseconds since the Unix epoch. For tests.
    pub fn clock(mut self, clock: fn() -> i64) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Fatal, naming all that is missing or contradictory.
    pub fn build(self) -> Result<Pipeline, Error> {
        let named = printable(&self.name);
        let named = named.map_err(|why| format!("the name {:?} cannot be used: {why}", self.name));
        let mut problems = Vec::from_iter(named.err());
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        require(self.tasks >= 1, "tasks.max is 0, at least 1 is needed");
        require(self.source.is_some(), "no source is set: call `source`");
        require(self.sink.is_some(), "no sink is set: call `sink` or `bulk`");
        require(
            self.options.budget_bytes >= 1 << 20,
            "budget_bytes is below 1 MiB, which no batch and body fit in",
        );
        let has_queue = self.letters.is_some() || self.options.poison != Poison::DeadLetter;
        require(has_queue, "the policy is dead letter, but no queue is set: call `dead_letters`");
        let (Some(source), Some(sink), true) = (self.source, self.sink, problems.is_empty()) else {
            return Err(Error::fatal("build the pipeline", problems.join("; ")));
        };
        Ok(Pipeline {
            blueprint: Arc::new(Blueprint {
                name: self.name.into(),
                tasks: self.tasks,
                options: self.options,
                source,
                chain: Chain::new(self.transforms),
                sink,
                letters: self.letters,
                clock: self.clock,
                causes: Arc::default(),
            }),
        })
    }
}

impl fmt::Debug for PipelineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineBuilder")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

fn unix_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
