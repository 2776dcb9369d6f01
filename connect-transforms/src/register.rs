//! The transforms by their names.

use crate::{DataProcessing, DataProcessingConfig, Flatten, FlattenConfig, KeyWrap, KeyWrapConfig};
use connect_core::{
    Transform,
    registry::{DuplicateName, Plugin, Registry},
};
use std::sync::Arc;

/// Adds all transforms of this crate: those of Kafka Connect under its class names (`$Key` and `$Value`), each also
/// by its simple name; without `$Key` or `$Value` a name means the value.
///
/// ```
/// use connect_core::{config::Settings, registry::Registry};
/// let mut transforms = Registry::new("transform");
/// connect_transforms::register(&mut transforms)?;
/// let flatten = transforms.find("Flatten")?.parse(&Settings::literal([("delimiter", "_")]))?()?;
/// assert_eq!(flatten.describe().as_deref(), Some(r#"Flatten of=value delimiter="_" arrays=keep max.depth=none"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If one of the names is taken.
pub fn register(registry: &mut Registry<Arc<dyn Transform>>) -> Result<(), DuplicateName> {
    crate::connect::register_transforms(registry)?;
    registry.add(
        Plugin::new("org.apache.kafka.connect.transforms.Flatten$Value", |config: FlattenConfig| {
            Ok(Arc::new(Flatten::value_from(&config)) as Arc<dyn Transform>)
        })
        .alias("org.apache.kafka.connect.transforms.Flatten")
        .alias("Flatten"),
    )?;
    registry
        .add(Plugin::new("org.apache.kafka.connect.transforms.Flatten$Key", |config: FlattenConfig| {
            Ok(Arc::new(Flatten::key_from(&config)) as Arc<dyn Transform>)
        }))?;
    registry.add(Plugin::new("DataProcessing", |config: DataProcessingConfig| {
        Ok(Arc::new(DataProcessing::from_config(&config)?) as Arc<dyn Transform>)
    }))?;
    registry.add(Plugin::new("KeyWrap", |config: KeyWrapConfig| {
        Ok(Arc::new(KeyWrap::from_config(&config)) as Arc<dyn Transform>)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::config::Settings;

    fn described(name: &str, settings: &[(&str, &str)]) -> Result<String, String> {
        let mut registry = Registry::new("transform");
        register(&mut registry).unwrap();
        let plugin = registry.find(name).map_err(|e| e.to_string())?;
        let make = plugin.parse(&Settings::literal(settings.iter().copied())).map_err(|e| e.to_string())?;
        Ok(make().unwrap().describe().unwrap())
    }

    #[test]
    fn transforms_are_found_by_connects_names_and_read_all_their_keys() {
        let class = "org.apache.kafka.connect.transforms.Flatten";
        let default = |part| Ok(format!("Flatten of={part} delimiter=\".\" arrays=keep max.depth=none"));
        for name in [class, "Flatten", "Flatten$Value", &format!("{class}$Value")] {
            assert_eq!(described(name, &[]), default("value"), "{name}");
        }
        for name in ["Flatten$Key", &format!("{class}$Key")] {
            assert_eq!(described(name, &[]), default("key"), "{name}");
        }
        assert_eq!(
            described("Flatten$Key", &[("delimiter", "__"), ("arrays", "index"), ("max.depth", "3")])
                .as_deref(),
            Ok(r#"Flatten of=key delimiter="__" arrays=index max.depth=3"#)
        );
        assert_eq!(
            described("KeyWrap", &[("field", "KEY"), ("on.invalid.utf8", "base64")]).as_deref(),
            Ok(r#"KeyWrap field="KEY" on.invalid.utf8=base64"#)
        );
    }

    #[test]
    fn data_processing_takes_its_rules_inline() {
        let rules = r#"{"FieldChain":[{"Analyse":{"Format":"JSON"}}]}"#;
        let made = described("DataProcessing", &[("rules", rules)]).unwrap();
        assert!(made.starts_with("DataProcessing rules={"), "{made}");
        assert!(described("DataProcessing", &[]).unwrap_err().contains("rules.file"));
    }

    #[test]
    fn a_wrong_key_is_named() {
        assert!(described("Flatten", &[("delimeter", "_")]).unwrap_err().contains("delimiter"));
        assert!(described("Flatten", &[("arrays", "drop")]).unwrap_err().contains("keep or index"));
        assert!(described("KeyWrap", &[]).unwrap_err().contains("field"));
        assert!(described("KeyWrap", &[("field", " ")]).unwrap_err().contains("empty"));
    }
}
