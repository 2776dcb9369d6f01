//! The transforms by their names.

use crate::{
    DataProcessing, DataProcessingConfig, ExtractNewRecordState, FilterByPath, FilterByPathConfig, Flatten,
    FlattenConfig, KeyWrap, KeyWrapConfig, RouteByField, RouteByFieldConfig, UnwrapConfig, part::Part,
};
use connect_core::{
    Error, Transform,
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
    register_events(registry)?;
    registry.add(Plugin::new("KeyWrap", |config: KeyWrapConfig| {
        Ok(Arc::new(KeyWrap::from_config(&config)) as Arc<dyn Transform>)
    }))
}

/// Unwrapping, routing and filtering: what is not Kafka's and everybody has.
fn register_events(registry: &mut Registry<Arc<dyn Transform>>) -> Result<(), DuplicateName> {
    let checked = |problem: String| Error::fatal("make the transform", problem);
    registry.add(
        Plugin::new("io.debezium.transforms.ExtractNewRecordState", move |config: UnwrapConfig| {
            Ok(Arc::new(ExtractNewRecordState::from_config(&config).map_err(checked)?) as Arc<dyn Transform>)
        })
        .alias("Unwrap"),
    )?;
    for (part, of, alias) in [(Part::Value, "$Value", Some("")), (Part::Key, "$Key", None)] {
        let mut route = Plugin::new(format!("RouteByField{of}"), move |config: RouteByFieldConfig| {
            Ok(Arc::new(RouteByField::new(part, &config).map_err(checked)?) as Arc<dyn Transform>)
        });
        let class = format!("io.confluent.connect.transforms.Filter{of}");
        let mut filter = Plugin::new(class, move |config: FilterByPathConfig| {
            let filter = FilterByPath::new(part, &config);
            Ok(Arc::new(filter.map_err(|error| checked(error.to_string()))?) as Arc<dyn Transform>)
        })
        .alias(format!("FilterByPath{of}"));
        if let Some(none) = alias {
            route = route.alias(format!("RouteByField{none}"));
            filter = filter.alias("io.confluent.connect.transforms.Filter").alias("FilterByPath");
        }
        registry.add(route)?;
        registry.add(filter)?;
    }
    Ok(())
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
    fn unwrapping_routing_and_filtering_are_found_by_their_names() {
        for name in ["io.debezium.transforms.ExtractNewRecordState", "ExtractNewRecordState", "Unwrap"] {
            let settings = [("delete.tombstone.handling.mode", "REWRITE"), ("add.fields", "op, source.lsn")];
            let described = described(name, &settings).unwrap();
            assert!(described.contains("mode=rewrite") && described.contains("__source_lsn"), "{described}");
        }
        for (name, of) in
            [("RouteByField", "value"), ("RouteByField$Value", "value"), ("RouteByField$Key", "key")]
        {
            let described = described(name, &[("field", "$.a"), ("topic.format", "x-${field}")]).unwrap();
            assert!(described.contains(&format!("of={of}")), "{described}");
        }
        let settings = [("filter.condition", "$[?(@.a == 1)]"), ("filter.type", "exclude")];
        for name in ["io.confluent.connect.transforms.Filter$Value", "Filter$Value", "FilterByPath"] {
            assert!(described(name, &settings).unwrap().contains("of=value"), "{name}");
        }
        assert!(described("Filter$Key", &settings).unwrap().contains("of=key"));
    }

    #[test]
    fn conditions_and_paths_that_are_none_are_told_before_anything_runs() {
        assert!(described("RouteByField", &[("field", "$..")]).unwrap_err().contains("is no JSON path"));
        assert!(described("RouteByField", &[("field", "$.a"), ("topic.format", "${x}")]).is_err());
        assert!(described("RouteByField", &[("field", "$.a"), ("on.missing", "fallback")]).is_err());
        let text = described("FilterByPath", &[("filter.condition", "$[?(@"), ("filter.type", "include")]);
        assert!(text.unwrap_err().contains("character"));
        assert!(described("Unwrap", &[("add.fields", "a.b.c")]).unwrap_err().contains("add.fields"));
        assert!(
            described("Unwrap", &[("delete.handling.mode", "drop")]).unwrap_err().contains("unknown key")
        );
    }

    #[test]
    fn a_wrong_key_is_named() {
        assert!(described("Flatten", &[("delimeter", "_")]).unwrap_err().contains("delimiter"));
        assert!(described("Flatten", &[("arrays", "drop")]).unwrap_err().contains("keep, index or fields"));
        assert!(described("KeyWrap", &[]).unwrap_err().contains("field"));
        assert!(described("KeyWrap", &[("field", " ")]).unwrap_err().contains("empty"));
    }
}
