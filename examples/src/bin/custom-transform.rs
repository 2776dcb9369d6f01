//! A transform of your own, in one file, and a dry run that shows what it does without delivering anything.
//!
//! [`PerNetwork`] makes none, one or several records of one. A transform is synchronous and pure, so plain unit tests
//! are enough for it, beside the conformance suite, and it can be found by name in configuration files.
//!
//! ```text
//! cargo run --bin custom-transform          # what becomes of the first ten earthquakes
//! cargo run --bin custom-transform -- 4.5   # only those of magnitude 4.5 and more
//! cargo test -p examples --bin custom-transform
//! ```

use connect_core::{
    BoxError, Error, Output, Pipeline, Record, Transform, config::Settings, registry::Plugin,
    testing::Recording,
};
use examples::earthquakes;
use serde::Deserialize;
use std::{borrow::Cow, sync::Arc, time::Duration};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

connect_core::config! {
    /// One record per network that reported an earthquake, with the network as key.
    pub struct PerNetwork {
        /// Weaker earthquakes are dropped.
        "min.magnitude" => min_magnitude: f64 = 0.0;
    }
}

/// The fields that are needed, borrowed from the record: no tree is built.
#[derive(Deserialize)]
struct Earthquake<'a> {
    #[serde(borrow)]
    properties: Properties<'a>,
}

#[derive(Deserialize)]
struct Properties<'a> {
    mag: Option<f64>,
    #[serde(borrow)]
    sources: Cow<'a, str>,
}

impl Transform for PerNetwork {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let Earthquake { properties } = record.json()?; // poison if it is something else
        if properties.mag.is_none_or(|magnitude| magnitude < self.min_magnitude) {
            return Ok(()); // nothing emitted: filtered
        }
        for network in properties.sources.split(',').filter(|network| !network.is_empty()) {
            out.derive(record).key(Some(network.as_bytes())).emit(); // siblings, numbered in this order
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(format!("PerNetwork min.magnitude={}", self.min_magnitude))
    }
}

/// Registered like this, `transforms.a.type=PerNetwork` finds it, and `transforms.a.min.magnitude` is checked.
fn plugin() -> Plugin<Arc<dyn Transform>> {
    Plugin::new("org.example.PerNetwork", |config: PerNetwork| Ok(Arc::new(config) as Arc<dyn Transform>))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let magnitude = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let transform = plugin().parse(&Settings::literal([("min.magnitude", magnitude)]))?()?;
    let log = earthquakes::in_memory();
    let pipeline = Pipeline::builder("custom-transform")
        .source(move |_| Ok(log.source("custom-transform", &[earthquakes::TOPIC])))
        .transform(transform)
        .sink(|_| Ok(Recording::new().sink())) // a dry run delivers nothing
        .build()?;
    for record in pipeline.preview(10, Duration::from_secs(1)).await? {
        let origin = format!("{}-{} at {}", record.topic, record.partition, record.offset);
        match record.result {
            Ok(made) if made.is_empty() => println!("{origin}: filtered"),
            Ok(made) => {
                let keys =
                    made.iter().filter_map(|record| record.key.as_deref()).map(String::from_utf8_lossy);
                println!("{origin}: {}", keys.collect::<Vec<_>>().join(", "));
            }
            Err(why) => println!("{origin}: {why}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{
        Chain,
        testing::{
            Message, batch,
            conformance::transform::{self, TransformHarness},
        },
    };

    impl TransformHarness for PerNetwork {
        type Transform = Self;

        fn build(&self) -> Self {
            self.clone()
        }

        fn accepted(&self) -> Vec<Message> {
            earthquakes::all().into_iter().take(100).map(|(_, record)| Message::new(record)).collect()
        }

        fn refused(&self) -> Vec<Message> {
            vec!["{}".into(), "text".into(), Message::tombstone("key")]
        }
    }

    #[tokio::test]
    async fn it_passes_the_conformance_suite() {
        transform::run_all(&PerNetwork { min_magnitude: 2.0 }).await.assert_passed();
    }

    /// The keys of what becomes of one value.
    fn keys(min_magnitude: f64, value: &str) -> Result<Vec<String>, String> {
        let chain = Chain::new(vec![Arc::new(PerNetwork { min_magnitude })]);
        let done = chain.apply(batch([Message::new(value.to_owned())]), 0);
        let key = |record: Record<'_>| String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
        match done.rejected.first() {
            Some((_, error)) => Err(error.report()),
            None => Ok(done.batch.iter().map(key).collect()),
        }
    }

    #[test]
    fn a_record_becomes_one_per_network_and_weak_ones_become_none() {
        let value = r#"{"properties":{"mag":4.5,"sources":",ci,us,"}}"#;
        assert_eq!(keys(0.0, value).unwrap(), ["ci", "us"]);
        assert_eq!(keys(4.6, value).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_earthquake_is_poison() {
        let error = keys(0.0, r#"{"properties":{}}"#).unwrap_err();
        assert!(error.contains("missing field `sources`"), "{error}");
    }

    #[test]
    fn a_configuration_file_finds_it_by_its_simple_name() {
        assert!(plugin().names().any(|name| name == "PerNetwork"));
        let error =
            plugin().parse(&Settings::literal([("min.magnitude", "strong")])).err().unwrap().to_string();
        assert!(
            error.contains(r#"min.magnitude = "strong": not a finite number; allowed: a number"#),
            "{error}"
        );
    }
}
