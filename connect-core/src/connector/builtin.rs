//! The plugins of this crate by the names that configurations call them.

use super::{SinkPlugin, SourcePlugin};
#[cfg(feature = "kafka")]
use crate::kafka::{KafkaSourceConfig, KafkaTargetConfig};
use crate::{
    file::FileLinesConfig,
    registry::{DuplicateName, Plugin, Registry},
};

/// The source that is meant where none is named.
pub(super) const KAFKA_SOURCE: &str = "connect_core.kafka.KafkaSource";
const FILE_SOURCE: &str = "connect_core.file.FileLinesSource";
#[cfg(feature = "kafka")]
const KAFKA_SINK: &str = "connect_core.kafka.KafkaSink";

/// Adds `Kafka` and `FileLines` as sources, the latter also by the name of Connect's `FileStreamSourceConnector`, and
/// `Kafka` as a sink.
pub(super) fn register(
    sources: &mut Registry<SourcePlugin>,
    sinks: &mut Registry<SinkPlugin>,
) -> Result<(), DuplicateName> {
    let files = Plugin::new(FILE_SOURCE, |config: FileLinesConfig| {
        // Files are not shared: each task would read all of them.
        Ok(SourcePlugin::new(move |task| config.source(task)).tasks_max(1))
    });
    sources.add(files.alias("FileLines").alias("org.apache.kafka.connect.file.FileStreamSourceConnector"))?;
    #[cfg(feature = "kafka")]
    {
        let kafka = Plugin::new(KAFKA_SOURCE, |config: KafkaSourceConfig| Ok(SourcePlugin::kafka(config)));
        sources.add(kafka.alias("Kafka"))?;
        let kafka = Plugin::new(KAFKA_SINK, |config: KafkaTargetConfig| Ok(SinkPlugin::kafka(&config)));
        sinks.add(kafka.alias("Kafka"))?;
    }
    #[cfg(not(feature = "kafka"))]
    let _ = sinks;
    Ok(())
}
