//! From a description to a running pipeline.

use super::wrapped::Wrapped;
use crate::spec::{PipelineSpec, SinkSpec};
use connect_core::{
    Error, Handle, Pipeline, PipelineBuilder,
    config::{Config, Settings},
    kafka::{KafkaConfig, KafkaDeadLetters, KafkaDeadLettersConfig, KafkaSource, OnDataLoss},
};
use connect_cos::{CosConfig, CosSink};
use connect_es::{Elasticsearch, EsConfig};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// Starts what `spec` describes; `dir` has the markers.
pub(crate) fn start(spec: &PipelineSpec, dir: &Path) -> Handle {
    let source = source(spec);
    let builder = Pipeline::builder(&spec.name)
        .source(move |task| Ok(KafkaSource::new(source.clone(), task)))
        .options(|options| {
            options.commit_interval = Duration::from_millis(spec.commit_interval_ms);
            options.max_uncommitted_records =
                spec.max_uncommitted_records.unwrap_or(options.max_uncommitted_records);
        });
    let builder = match &spec.letters {
        Some((bootstrap, topic)) => {
            let config = KafkaDeadLettersConfig::new(bootstrap, topic).property("message.timeout.ms", "2000");
            builder.dead_letters(move |_| KafkaDeadLetters::new(config.clone()))
        }
        None => builder,
    };
    sink(builder, spec, dir).build().expect("the pipeline is sound").start()
}

fn source(spec: &PipelineSpec) -> KafkaConfig {
    let policy = if spec.continue_on_loss { OnDataLoss::Continue } else { OnDataLoss::Stop };
    let config = KafkaConfig::new(&spec.bootstrap, &spec.group, [&spec.topic])
        .on_data_loss(policy)
        .revoke_timeout(Duration::from_millis(spec.revoke_timeout_ms));
    spec.properties.iter().fold(config, |config, (name, value)| config.property(name, value))
}

fn sink(builder: PipelineBuilder, spec: &PipelineSpec, dir: &Path) -> PipelineBuilder {
    let (name, dir) = (spec.name.clone(), dir.to_owned());
    match &spec.sink {
        SinkSpec::Search(settings) => {
            let config: EsConfig = parse(settings).expect("the sink's settings are sound");
            builder.sink(move |_| Ok(Wrapped::new(Elasticsearch::sink(&config)?, &name, &dir)))
        }
        SinkSpec::Objects(settings) => {
            let config: CosConfig = parse(settings).expect("the sink's settings are sound");
            builder.sink(move |task| Ok(Wrapped::new(CosSink::new(config.clone(), task)?, &name, &dir)))
        }
    }
}

fn parse<C: Config>(settings: &BTreeMap<String, String>) -> Result<C, Error> {
    C::parse(&Settings::literal(settings.clone())).map_err(|e| Error::fatal("read the sink's settings", e))
}
