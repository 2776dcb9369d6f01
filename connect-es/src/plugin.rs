//! The sink by the names that configurations call it.

use crate::{Elasticsearch, EsConfig};
use connect_core::{
    connector::SinkPlugin,
    registry::{DuplicateName, Plugin, Registry},
};

/// Adds the sink: `connect_es.ElasticsearchSinkConnector`, for short `Elasticsearch`, and
/// `io.confluent.connect.elasticsearch.ElasticsearchSinkConnector`, as configurations for Kafka Connect call theirs.
///
/// # Errors
/// If one of the names is taken.
pub fn register(sinks: &mut Registry<SinkPlugin>) -> Result<(), DuplicateName> {
    let plugin = Plugin::new("connect_es.ElasticsearchSinkConnector", |config: EsConfig| {
        Ok(SinkPlugin::new(move |task| Elasticsearch::sink_for(&config, task)))
    });
    sinks.add(plugin.alias("io.confluent.connect.elasticsearch.ElasticsearchSinkConnector"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_by_connects_name_and_shorter_ones() {
        let mut sinks = Registry::new("sink");
        register(&mut sinks).unwrap();
        let connects = "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector";
        for name in [connects, "ElasticsearchSinkConnector", "Elasticsearch"] {
            assert_eq!(sinks.find(name).unwrap().definitions()[0].name, "connection.url");
        }
    }
}
