//! Pipelines from configurations: Kafka Connect's flat map of keys, and the plugins that it can name.
//!
//! [`Plugins`] holds what a program knows. [`Plugins::read`] makes a [`Connector`] of a map and tells everything that is
//! wrong with it at once; [`Plugins::validate`] gives Kafka Connect's answer to
//! `PUT /connector-plugins/{name}/config/validate` for it. A connector makes pipelines that are ready to start.
//!
#![cfg_attr(feature = "kafka", doc = "```")]
#![cfg_attr(not(feature = "kafka"), doc = "```ignore")]
//! use connect_core::{Batch, Bulk, BulkConfig, Error, Outcome};
//! use connect_core::{config::Settings, connector::{Plugins, SinkPlugin}, registry::Plugin};
//!
//! connect_core::config! {
//!     /// Prints values.
//!     pub struct PrintConfig {
//!         /// What stands in front of each.
//!         "prefix" => prefix: String = "> ".to_owned();
//!     }
//! }
//!
//! struct Print(String);
//!
//! #[async_trait::async_trait]
//! impl Bulk for Print {
//!     async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
//!         batch.iter().for_each(|record| println!("{}{:?}", self.0, record.value()));
//!         Ok(Outcome::delivered())
//!     }
//! }
//!
//! let mut plugins = Plugins::new();
//! plugins.sinks.add(Plugin::new("com.example.PrintSinkConnector", |config: PrintConfig| {
//!     Ok(SinkPlugin::bulk(BulkConfig::default(), move |_| Ok(Print(config.prefix.clone()))))
//! }))?;
//! let settings = Settings::literal([("name", "p"), ("connector.class", "Print"), ("task.max", "2")]);
//! let wrong = plugins.read(&settings).unwrap_err().to_string();
//! assert!(wrong.contains("task.max: unknown key, did you mean tasks.max?"), "{wrong}");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! | keys | whose |
//! |---|---|
//! | `name`, `tasks.max`, `offset.flush.interval.ms`, `errors.tolerance`, … | [`ConnectorConfig`] |
//! | `connector.class` and the keys beside it | the sink that it names |
//! | `source.class` and the keys beside it | the source that it names; Kafka, if it is not given |
//! | `errors.deadletterqueue.…`, `producer.override.…` | the dead letter queue |
//! | `transforms`, `predicates` and the keys below them | see [`read_transforms`] |

mod builtin;
mod config;
mod plugin;
#[cfg(all(test, feature = "kafka"))]
mod tests;

pub use config::{ConnectorConfig, Tolerance};
pub use plugin::{SinkPlugin, SourcePlugin};

#[cfg(feature = "kafka")]
use crate::kafka::{KafkaDeadLetters, KafkaLettersConfig};
use crate::{
    Error, Pipeline, PipelineBuilder, Poison, Predicate, Transform,
    config::{ConfigError, Reader, Settings},
    read_transforms,
    registry::{Factory, Registry},
};
use std::{fmt, sync::Arc};

/// Some steps of a chain, as often as they are asked for.
pub type Steps = Factory<Vec<Arc<dyn Transform>>>;

type ReadSteps = Box<dyn Fn(&mut Reader<'_>) -> Option<Steps> + Send + Sync>;

/// The plugins that configurations can name.
pub struct Plugins {
    /// Where records come from; files are there already, and Kafka with the feature `kafka`.
    pub sources: Registry<SourcePlugin>,
    /// Where records go; Kafka is there already, with the feature `kafka`.
    pub sinks: Registry<SinkPlugin>,
    /// What changes records.
    pub transforms: Registry<Arc<dyn Transform>>,
    /// What transforms can depend on.
    pub predicates: Registry<Arc<dyn Predicate>>,
    first: Vec<ReadSteps>,
}

impl Plugins {
    /// The plugins of this crate and no others: Kafka and files as sources, Kafka as a sink.
    ///
    /// # Panics
    /// Never: their names differ.
    #[must_use]
    pub fn new() -> Self {
        let (mut sources, mut sinks) = (Registry::new("source"), Registry::new("sink"));
        builtin::register(&mut sources, &mut sinks).expect("the names differ");
        Self {
            sources,
            sinks,
            transforms: Registry::new("transform"),
            predicates: Registry::new("predicate"),
            first: Vec::new(),
        }
    }

    /// Adds steps in front of the transforms, such as converters, which `read` makes of keys of its own; it returns `None`
    /// if it told the reader of a problem.
    pub fn first(&mut self, read: impl Fn(&mut Reader<'_>) -> Option<Steps> + Send + Sync + 'static) {
        self.first.push(Box::new(read));
    }

    /// Makes a connector of a map.
    ///
    /// # Errors
    /// Everything that is wrong with the map: the key, the value unless it is secret, and what is allowed; for an unknown
    /// key the nearest known one.
    pub fn read(&self, settings: &Settings) -> Result<Connector, ConfigError> {
        let mut reader = Reader::new(settings);
        let connector = self.connector(&mut reader);
        reader.finish().result(connector)
    }

    /// Kafka Connect's answer to `PUT /connector-plugins/{name}/config/validate` for a map: each key's definition, value
    /// and errors, secrets redacted.
    #[must_use]
    pub fn validate(&self, settings: &Settings) -> serde_json::Value {
        let mut reader = Reader::new(settings);
        // Whether there is a value does not matter here: the problems are in the answer.
        drop(self.connector(&mut reader));
        reader.finish().infos(&settings.shown_name("connector.class"))
    }

    fn connector(&self, reader: &mut Reader<'_>) -> Option<Connector> {
        // All of them before the first `?`: each reports its own problems.
        let config = reader.read::<ConnectorConfig>();
        let source = self.sources.read_or(builtin::KAFKA_SOURCE, "source.class", reader);
        let sink = self.sinks.read("connector.class", reader);
        let letters = Letters::read(reader);
        let first: Vec<_> = self.first.iter().map(|read| read(reader)).collect();
        let transforms = read_transforms(&self.transforms, &self.predicates, reader);
        let (config, letters, source) = (config?, letters?, source?);
        // A plugin that cannot be made says so when the pipeline is.
        let made = source().ok();
        letters.check(&config, made.as_ref(), reader)?;
        #[cfg(feature = "kafka")]
        if let (Some(made), Some(sink), Some(transforms)) = (&made, &sink, &transforms) {
            no_circle(made, sink, transforms.is_empty(), reader)?;
        }
        let first = first.into_iter().collect::<Option<_>>()?;
        Some(Connector { config, source, sink: sink?, letters, first, transforms: transforms? })
    }
}

impl Default for Plugins {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins")
            .field("sources", &self.sources)
            .field("sinks", &self.sinks)
            .field("transforms", &self.transforms)
            .field("predicates", &self.predicates)
            .finish_non_exhaustive()
    }
}

/// A configuration that was read: makes pipelines.
pub struct Connector {
    config: ConnectorConfig,
    source: Factory<SourcePlugin>,
    sink: Factory<SinkPlugin>,
    letters: Letters,
    first: Vec<Steps>,
    transforms: Vec<Factory<Arc<dyn Transform>>>,
}

impl Connector {
    /// What was said that concerns any pipeline.
    #[must_use]
    pub fn config(&self) -> &ConnectorConfig {
        &self.config
    }

    /// A pipeline that can still be changed, with everything that was configured.
    ///
    /// # Errors
    /// What making the plugins returns; fatal, if dead letters would go where records come from.
    pub fn builder(&self) -> Result<PipelineBuilder, Error> {
        let source = (self.source)()?;
        let mut builder = Pipeline::builder(&self.config.name)
            .tasks_max(self.config.tasks_max.min(source.tasks_max))
            .options(|options| self.config.apply(options))
            .poison(match self.config.tolerance {
                Tolerance::None => Poison::Fail,
                Tolerance::All => Poison::Skip,
            });
        builder = self.letters.add(&source, builder)?;
        for steps in &self.first {
            builder = steps()?.into_iter().fold(builder, PipelineBuilder::transform);
        }
        for make in &self.transforms {
            builder = builder.transform(make()?);
        }
        Ok(builder.source_plugin(source).sink_plugin((self.sink)()?))
    }

    /// A pipeline, ready to start.
    ///
    /// # Errors
    /// As [`builder`](Self::builder).
    pub fn pipeline(&self) -> Result<Pipeline, Error> {
        self.builder()?.build()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What is written to a topic that is read comes back for ever. A transform may give each record another topic.
#[cfg(feature = "kafka")]
fn no_circle(
    source: &SourcePlugin,
    sink: &Factory<SinkPlugin>,
    unchanged: bool,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let target = sink().ok().and_then(|sink| sink.kafka);
    let (Some(source), Some(target)) = (&source.kafka, target) else { return Some(()) };
    let (brokers, topic) = (&target.bootstrap, target.topic.as_deref());
    let circle = match topic {
        Some(topic) => source.reads(brokers, topic),
        None => unchanged && source.shares_a_broker(brokers),
    };
    if !circle {
        return Some(());
    }
    let what = "the source reads this topic of the same cluster, so each record would come back";
    reader.problem("target.topic", what, Some("a topic that is not read".to_owned()));
    None
}

/// Where dead letters go, if anywhere.
struct Letters {
    #[cfg(feature = "kafka")]
    config: KafkaLettersConfig,
}

#[cfg(feature = "kafka")]
impl Letters {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { config: reader.read()? })
    }

    /// What concerns others too.
    fn check(
        &self,
        config: &ConnectorConfig,
        source: Option<&SourcePlugin>,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let mut sound = Some(());
        if self.config.topic.is_some() && config.tolerance == Tolerance::None {
            sound = None;
            reader.problem(
                "errors.tolerance",
                "a dead letter queue is for records that are tolerated",
                Some("all, or no errors.deadletterqueue.topic.name".to_owned()),
            );
        }
        if let Some(Err((key, what))) = source.map(|source| self.config.kafka(source.kafka.as_ref())) {
            sound = None;
            reader.problem(key, what, None);
        }
        sound
    }

    fn add(&self, source: &SourcePlugin, builder: PipelineBuilder) -> Result<PipelineBuilder, Error> {
        let letters = self.config.kafka(source.kafka.as_ref());
        let letters = letters
            .map_err(|(key, what)| Error::fatal("configure the dead letter queue", what).about(key))?;
        Ok(match letters {
            Some(letters) => builder.dead_letters(move |_| KafkaDeadLetters::new(letters.clone())),
            None => builder,
        })
    }
}

#[cfg(not(feature = "kafka"))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with Kafka, which has letters")]
impl Letters {
    fn read(_: &mut Reader<'_>) -> Option<Self> {
        Some(Self {})
    }

    fn check(&self, _: &ConnectorConfig, _: Option<&SourcePlugin>, _: &mut Reader<'_>) -> Option<()> {
        Some(())
    }

    fn add(&self, _: &SourcePlugin, builder: PipelineBuilder) -> Result<PipelineBuilder, Error> {
        Ok(builder)
    }
}
