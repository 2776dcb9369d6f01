//! The sink by the names that configurations call it.

use crate::{CosConfig, CosSink};
use connect_core::{
    connector::SinkPlugin,
    registry::{DuplicateName, Plugin, Registry},
};

/// Adds the sink: `connect_cos.ObjectSinkConnector`, for short `Object` or `ObjectSink`.
///
/// # Errors
/// If one of the names is taken.
pub fn register(sinks: &mut Registry<SinkPlugin>) -> Result<(), DuplicateName> {
    sinks.add(Plugin::new("connect_cos.ObjectSinkConnector", |config: CosConfig| {
        Ok(SinkPlugin::new(move |task| CosSink::new(config.clone(), task)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_by_its_short_names() {
        let mut sinks = Registry::new("sink");
        register(&mut sinks).unwrap();
        for name in ["ObjectSinkConnector", "ObjectSink", "Object"] {
            assert_eq!(sinks.find(name).unwrap().definitions()[0].name, "store.url");
        }
    }
}
