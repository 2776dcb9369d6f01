//! The pipeline's part of a configuration file. Keys are Kafka Connect's.

use connect_core::{
    Poison, Transform,
    config::{Config, ConfigError, Passthrough, Problems, Reader, Settings, not_empty},
    kafka::{KafkaConfig, StartPosition},
    read_transforms,
    registry::{Factory, Registry},
};
use connect_transforms::converters::{Converters, ConvertersRegistry};
use std::{sync::Arc, time::Duration};

connect_core::choices! {
    /// Where partitions start for which the group has committed nothing.
    pub enum Start {
        /// At the first record.
        Earliest = "earliest",
        /// Behind the last record.
        Latest = "latest",
    }
}

connect_core::choices! {
    /// What happens to records that will never work.
    pub enum Tolerance {
        /// The pipeline stops at the first one and says why.
        None = "none",
        /// They are dropped, counted and logged.
        All = "all",
    }
}

connect_core::config! {
    /// A pipeline that reads Kafka.
    pub struct PipelineConfig {
        /// The pipeline's name, in logs and metrics.
        "name" => name: String, importance: High, check: not_empty;
        /// How many tasks share the partitions.
        "tasks.max" => tasks_max: u32 = 1, range: 1..=1_000, importance: High;
        /// Kafka's brokers, `host:port`, separated by commas.
        "bootstrap.servers" => bootstrap: String, importance: High, check: not_empty, allowed: "host:port, separated by commas";
        /// The consumer group. As in Kafka Connect, `connect-` and the name if not given.
        "group.id" => group: Option<String>;
        /// The topics.
        "topics" => topics: Vec<String> = Vec::new(), importance: High;
        /// Instead of `topics`: a pattern of whole names.
        "topics.regex" => topics_regex: Option<String>, importance: High;
        /// Where partitions start for which the group has committed nothing.
        "start.position" => start: Start = Start::Earliest;
        /// How often offsets are committed.
        "offset.flush.interval.ms" => commit_interval: Duration = Duration::from_secs(5), range: Duration::from_millis(100)..;
        /// What happens to records that will never work.
        "errors.tolerance" => tolerance: Tolerance = Tolerance::None;
        /// Properties of librdkafka's consumer.
        prefix "consumer.override." => consumer: Passthrough;
    } check one_kind_of_topics
}

fn one_kind_of_topics(config: &PipelineConfig, problems: &mut Problems) {
    if config.topics.is_empty() == config.topics_regex.is_none() {
        problems.add("topics", "give either topics or topics.regex");
    }
}

impl PipelineConfig {
    /// What the source is told.
    #[must_use]
    pub fn kafka(&self) -> KafkaConfig {
        let group = self.group.clone().unwrap_or_else(|| format!("connect-{}", self.name));
        let kafka = match &self.topics_regex {
            Some(pattern) => KafkaConfig::with_pattern(&self.bootstrap, group, pattern),
            None => KafkaConfig::new(&self.bootstrap, group, &self.topics),
        };
        let kafka = kafka.start(match self.start {
            Start::Earliest => StartPosition::Earliest,
            Start::Latest => StartPosition::Latest,
        });
        self.consumer.iter().fold(kafka, |kafka, (name, value)| kafka.property(name, value))
    }

    /// What happens to poison.
    #[must_use]
    pub fn poison(&self) -> Poison {
        match self.tolerance {
            Tolerance::None => Poison::Fail,
            Tolerance::All => Poison::Skip,
        }
    }
}

/// All that a file says.
pub(super) struct File<C> {
    pub(super) pipeline: PipelineConfig,
    pub(super) sink: C,
    pub(super) converters: Converters,
    pub(super) transforms: Vec<Factory<Arc<dyn Transform>>>,
}

/// Reads a whole file: the pipeline, its sink, converters and transforms, with all problems at once.
pub(super) fn read<C: Config>(settings: &Settings) -> Result<File<C>, ConfigError> {
    let (mut known, mut predicates) = (Registry::new("transform"), Registry::new("predicate"));
    connect_transforms::register(&mut known).expect("the transforms' names differ");
    connect_transforms::register_predicates(&mut predicates).expect("the predicates' names differ");
    let mut reader = Reader::new(settings);
    let (pipeline, sink) = (reader.read::<PipelineConfig>(), reader.read::<C>());
    let converters = ConvertersRegistry::new().read(&mut reader);
    let transforms = read_transforms(&known, &predicates, &mut reader);
    let file = pipeline
        .zip(sink)
        .zip(converters.zip(transforms))
        .map(|((pipeline, sink), (converters, transforms))| File { pipeline, sink, converters, transforms });
    reader.finish().result(file)
}
