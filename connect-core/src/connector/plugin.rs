//! What the plugins of a registry make.

#[cfg(feature = "kafka")]
use crate::kafka::{
    KafkaConfig, KafkaSink, KafkaSinkConfig, KafkaSource, KafkaSourceConfig, KafkaTargetConfig,
};
use crate::{
    Bulk, BulkConfig, BulkSink, Error, Sink, Source, Task,
    driven::Driven,
    runtime::{SinkFactory, SourceFactory},
};
use std::{fmt, sync::Arc};

/// Makes a source for each task and each restart.
#[derive(Clone)]
pub struct SourcePlugin {
    pub(crate) factory: SourceFactory,
    /// Which topics it reads, so that dead letters don't go there.
    #[cfg(feature = "kafka")]
    pub(super) kafka: Option<KafkaConfig>,
    /// The most tasks it can be shared by.
    pub(super) tasks_max: u32,
}

impl SourcePlugin {
    /// One that calls `factory` for each task and each restart.
    pub fn new<S, F>(factory: F) -> Self
    where
        S: Source + 'static,
        F: Fn(&Task) -> Result<S, Error> + Send + Sync + 'static,
    {
        Self {
            factory: Arc::new(move |task| Ok(Box::new(factory(task)?))),
            #[cfg(feature = "kafka")]
            kafka: None,
            tasks_max: u32::MAX,
        }
    }

    /// No more tasks than these make sense, whatever `tasks.max` allows.
    #[must_use]
    pub fn tasks_max(self, tasks: u32) -> Self {
        Self { tasks_max: tasks.max(1), ..self }
    }

    /// One that reads Kafka. `connect-` and the pipeline's name is the group that is not given.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn kafka(config: KafkaSourceConfig) -> Self {
        let kafka = Some(config.kafka(""));
        let source = Self::new(move |task| Ok(KafkaSource::new(config.kafka(&task.pipeline), task)));
        Self { kafka, ..source }
    }
}

impl fmt::Debug for SourcePlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePlugin").finish_non_exhaustive()
    }
}

/// Makes a sink for each task and each restart.
#[derive(Clone)]
pub struct SinkPlugin {
    pub(crate) factory: SinkFactory,
    /// Which topics it writes to, so that they are not those that are read.
    #[cfg(feature = "kafka")]
    pub(super) kafka: Option<KafkaSinkConfig>,
}

impl SinkPlugin {
    /// One that calls `factory` for each task and each restart.
    pub fn new<S, F>(factory: F) -> Self
    where
        S: Sink,
        F: Fn(&Task) -> Result<S, Error> + Send + Sync + 'static,
    {
        Self {
            factory: Arc::new(move |task, budget, options| {
                Ok(Box::new(Driven::new(factory(task)?, budget).redelivery(options.redelivery())))
            }),
            #[cfg(feature = "kafka")]
            kafka: None,
        }
    }

    /// One that writes to Kafka.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn kafka(config: &KafkaTargetConfig) -> Self {
        let kafka = config.kafka();
        let target = kafka.clone();
        // Lines of a file have no key, and an order.
        let bulk = BulkConfig { in_flight_max: 1, ..BulkConfig::default() };
        let sink = Self::bulk(bulk, move |_| KafkaSink::new(kafka.clone()));
        Self { kafka: Some(target), ..sink }
    }

    /// One for the 20-line kind of sink, batched as `config` says.
    pub fn bulk<B, F>(config: BulkConfig, factory: F) -> Self
    where
        B: Bulk,
        F: Fn(&Task) -> Result<B, Error> + Send + Sync + 'static,
    {
        Self::new(move |task| Ok(BulkSink::new(factory(task)?, config.clone())))
    }
}

impl fmt::Debug for SinkPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkPlugin").finish_non_exhaustive()
    }
}
