//! Converters by Connect's names and keys.

use super::{
    ByteArrayConverter, Convert, ConvertHeaders, Converter, JsonConverter, JsonConverterConfig, Of,
    Primitive, PrimitiveConverter, StringConverter, StringConverterConfig,
};
use connect_core::{
    Error, Transform,
    config::{ClassName, Reader},
    registry::{DuplicateName, Factory, Plugin, Registry},
};
use std::sync::Arc;

const CONVERTERS: &str = "org.apache.kafka.connect.converters";
const STORAGE: &str = "org.apache.kafka.connect.storage";

connect_core::config! {
    /// Which converters make JSON of a record. What they need is said below their keys: `value.converter.…`.
    struct ConverterNames {
        /// The class of the converter for keys: full, simple or an alias. Without it keys stay as they are.
        "key.converter" => key: Option<ClassName>, importance: High, group: "Converters";
        /// The class of the converter for values. Without it values stay as they are.
        "value.converter" => value: Option<ClassName>, importance: High, group: "Converters";
        /// The class of the converter for headers. Without it headers stay as they are.
        "header.converter" => header: Option<ClassName>, importance: Low, group: "Converters";
    }
}

/// The converters that a configuration can name: those of this crate, and your own.
///
/// | class | short names |
/// |---|---|
/// | `org.apache.kafka.connect.storage.StringConverter` | `StringConverter`, `String` |
/// | `org.apache.kafka.connect.converters.ByteArrayConverter` | `ByteArrayConverter`, `ByteArray` |
/// | `org.apache.kafka.connect.json.JsonConverter` | `JsonConverter`, `Json` |
/// | `org.apache.kafka.connect.converters.ShortConverter`, and `Integer`, `Long`, `Float`, `Double`, `Boolean` | `ShortConverter`, `Short`, … |
/// | `io.confluent.connect.avro.AvroConverter` (feature `avro`) | `AvroConverter`, `Avro` |
/// | `io.confluent.connect.protobuf.ProtobufConverter` (feature `protobuf`) | `ProtobufConverter`, `Protobuf` |
/// | `io.confluent.connect.json.JsonSchemaConverter` (feature `json-schema`) | `JsonSchemaConverter`, `JsonSchema` |
#[derive(Debug)]
pub struct ConvertersRegistry {
    converters: Registry<Arc<dyn Converter>>,
    headers: Registry<ConvertHeaders>,
}

impl ConvertersRegistry {
    /// The converters of this crate.
    ///
    /// # Panics
    /// Never: their names differ.
    #[must_use]
    pub fn new() -> Self {
        let (mut converters, mut headers) = (Registry::new("converter"), Registry::new("header converter"));
        for plugin in builtin() {
            converters.add(plugin).expect("the names of our own converters differ");
        }
        let simple =
            Plugin::new(format!("{STORAGE}.SimpleHeaderConverter"), |(): ()| Ok(ConvertHeaders::new()));
        headers.add(simple.alias("Simple")).expect("there is one header converter");
        Self { converters, headers }
    }

    /// Adds a converter of your own; its simple name is an alias, and so is that without `Converter`.
    ///
    /// # Errors
    /// If one of its names is taken.
    pub fn add(&mut self, plugin: Plugin<Arc<dyn Converter>>) -> Result<(), DuplicateName> {
        self.converters.add(plugin)
    }

    /// Reads `key.converter`, `value.converter`, `header.converter` and the keys below them (`value.converter.…`), at
    /// the level the reader is at. What is not named is not converted: the bytes stay as they are. `None` if the reader
    /// was told of a problem.
    ///
    /// ```
    /// use connect_core::config::{Reader, Settings};
    /// use connect_transforms::converters::ConvertersRegistry;
    ///
    /// let settings = Settings::literal([
    ///     ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
    ///     ("value.converter", "JsonConverter"),
    ///     ("value.converter.schemas.enable", "false"),
    /// ]);
    /// let mut reader = Reader::new(&settings);
    /// let converters = ConvertersRegistry::new().read(&mut reader);
    /// let converters = reader.finish().result(converters)?;
    /// assert_eq!(converters.first()?.len(), 2);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self, reader: &mut Reader<'_>) -> Option<Converters> {
        let names = reader.read::<ConverterNames>();
        let key = read_one(&self.converters, "key.converter", reader);
        let value = read_one(&self.converters, "value.converter", reader);
        let headers = read_one(&self.headers, "header.converter", reader);
        names?;
        Some(Converters { key: key?, value: value?, headers: headers? })
    }
}

impl Default for ConvertersRegistry {
    fn default() -> Self {
        Self::new()
    }
}

/// `Some(None)`: none is named. The key itself was declared.
fn read_one<P>(
    registry: &Registry<P>,
    key: &'static str,
    reader: &mut Reader<'_>,
) -> Option<Option<Factory<P>>> {
    let below = format!("{key}.");
    let Some(name) = reader.get(key) else {
        if !reader.settings().keys().any(|given| given.starts_with(&below)) {
            return Some(None);
        }
        reader.claim(&below);
        reader.problem(key, "required where keys below it are given", None);
        return None;
    };
    match registry.find(name) {
        Ok(plugin) => reader.within(&below, |reader| plugin.read(reader)).map(Some),
        Err(unknown) => {
            // Which keys it would have is unknown as well.
            reader.claim(&below);
            reader.problem(key, unknown.to_string(), None);
            None
        }
    }
}

/// The converters of a configuration.
pub struct Converters {
    key: Option<Factory<Arc<dyn Converter>>>,
    value: Option<Factory<Arc<dyn Converter>>>,
    headers: Option<Factory<ConvertHeaders>>,
}

impl Converters {
    /// The first steps of a chain, from bytes to JSON text, in Connect's order: key, value, headers.
    ///
    /// # Errors
    /// What making a converter returns: fatal, if a registry's client cannot be set up.
    pub fn first(&self) -> Result<Vec<Arc<dyn Transform>>, Error> {
        self.steps(false)
    }

    /// The last steps of a chain whose records go to Kafka again: from JSON text to bytes.
    ///
    /// # Errors
    /// As [`first`](Self::first).
    pub fn last(&self) -> Result<Vec<Arc<dyn Transform>>, Error> {
        self.steps(true)
    }

    fn steps(&self, back: bool) -> Result<Vec<Arc<dyn Transform>>, Error> {
        let mut steps: Vec<Arc<dyn Transform>> = Vec::new();
        for (of, factory) in [(Of::Key, &self.key), (Of::Value, &self.value)] {
            if let Some(factory) = factory {
                let step = Convert::new(of, factory()?);
                steps.push(Arc::new(if back { step.back() } else { step }));
            }
        }
        if let Some(factory) = &self.headers {
            let step = factory()?;
            steps.push(Arc::new(if back { step.back() } else { step }));
        }
        Ok(steps)
    }
}

impl std::fmt::Debug for Converters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converters")
            .field("key", &self.key.is_some())
            .field("value", &self.value.is_some())
            .field("headers", &self.headers.is_some())
            .finish()
    }
}

fn builtin() -> Vec<Plugin<Arc<dyn Converter>>> {
    let mut plugins = vec![
        Plugin::new(format!("{STORAGE}.StringConverter"), |config: StringConverterConfig| {
            Ok(Arc::new(StringConverter::new(config)) as Arc<dyn Converter>)
        })
        .alias("String"),
        Plugin::new(format!("{CONVERTERS}.ByteArrayConverter"), |(): ()| {
            Ok(Arc::new(ByteArrayConverter) as Arc<dyn Converter>)
        })
        .alias("ByteArray"),
        Plugin::new("org.apache.kafka.connect.json.JsonConverter", |config: JsonConverterConfig| {
            Ok(Arc::new(JsonConverter::new(config)) as Arc<dyn Converter>)
        })
        .alias("Json"),
    ];
    let primitives = [
        Primitive::Short,
        Primitive::Integer,
        Primitive::Long,
        Primitive::Float,
        Primitive::Double,
        Primitive::Boolean,
    ];
    plugins.extend(primitives.map(|primitive| {
        let name = primitive.name();
        Plugin::new(format!("{CONVERTERS}.{name}Converter"), move |(): ()| {
            Ok(Arc::new(PrimitiveConverter::new(primitive)) as Arc<dyn Converter>)
        })
        .alias(name)
    }));
    #[cfg(feature = "avro")]
    plugins.push(
        Plugin::new(
            "io.confluent.connect.avro.AvroConverter",
            |(config, registry): (super::AvroConverterConfig, _)| {
                Ok(Arc::new(super::AvroConverter::new(&config, &registry)?) as Arc<dyn Converter>)
            },
        )
        .alias("Avro"),
    );
    #[cfg(feature = "protobuf")]
    plugins.push(
        Plugin::new(
            "io.confluent.connect.protobuf.ProtobufConverter",
            |(config, registry): (super::ProtobufConverterConfig, _)| {
                Ok(Arc::new(super::ProtobufConverter::new(&config, &registry)?) as Arc<dyn Converter>)
            },
        )
        .alias("Protobuf"),
    );
    #[cfg(feature = "json-schema")]
    plugins.push(
        Plugin::new(
            "io.confluent.connect.json.JsonSchemaConverter",
            |(config, registry): (super::JsonSchemaConverterConfig, _)| {
                Ok(Arc::new(super::JsonSchemaConverter::new(&config, &registry)?) as Arc<dyn Converter>)
            },
        )
        .alias("JsonSchema"),
    );
    plugins
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::config::Settings;

    fn described(settings: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let settings = Settings::literal(settings.iter().copied());
        let mut reader = Reader::new(&settings);
        let read = ConvertersRegistry::new().read(&mut reader);
        let converters = reader.finish().result(read).map_err(|error| error.to_string())?;
        Ok(converters.first().unwrap().iter().map(|step| step.describe().unwrap()).collect())
    }

    #[test]
    fn converters_are_found_by_connects_names_and_read_the_keys_below_theirs() {
        for name in ["org.apache.kafka.connect.json.JsonConverter", "JsonConverter", "Json"] {
            assert_eq!(
                described(&[
                    ("header.converter", "SimpleHeaderConverter"),
                    ("value.converter", name),
                    ("value.converter.schemas.enable", "false"),
                    ("key.converter", "Long"),
                ]),
                Ok(vec![
                    "Convert key by LongConverter".to_owned(),
                    "Convert value by JsonConverter schemas.enable=false envelope=strip replace.null.with.default=true"
                        .to_owned(),
                    "ConvertHeaders by SimpleHeaderConverter".to_owned(),
                ])
            );
        }
        assert_eq!(described(&[]), Ok(Vec::new()));
    }

    #[test]
    fn wrong_names_and_keys_are_all_told() {
        let text = described(&[
            ("key.converter", "Strin"),
            ("value.converter", "String"),
            ("value.converter.schemas.enable", "false"),
            ("header.converter.x", "1"),
        ])
        .unwrap_err();
        for part in [
            "did you mean String?",
            "value.converter.schemas.enable: unknown key",
            "header.converter: required",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn no_value_of_a_converter_that_is_not_found_is_shown() {
        let providers =
            connect_core::config::Providers::none().with("env", |_: &str| Ok::<_, String>("hunter2".into()));
        for name in [Some("AvroConvertr"), Some("${env:X}"), None] {
            let mut pairs = vec![
                ("value.converter.basic.auth.user.info", "u:hunter2"),
                ("value.converter.schema.registry.url", "http://a:8081?token=hunter2"),
            ];
            pairs.extend(name.map(|name| ("value.converter", name)));
            let settings = Settings::new(pairs, &providers);
            let mut reader = Reader::new(&settings);
            assert!(ConvertersRegistry::new().read(&mut reader).is_none());
            let report = reader.finish();
            let shown = format!("{} {:?}", report.infos("p"), report.problems());
            assert!(shown.contains("value.converter.basic.auth.user.info"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_problem_of_one_key_hides_no_problem_of_another() {
        let text = described(&[("key.converter", "nope"), ("value.converter", "nope")]).unwrap_err();
        assert!(text.contains("key.converter") && text.contains("value.converter"), "{text}");
    }
}
