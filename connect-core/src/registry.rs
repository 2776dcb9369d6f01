//! Plugins by name.
//!
//! The author of a plugin gives a configuration type and a function that makes a plugin from a value of it.
//! The registry does the rest by name: reading and checking the map, Connect's definitions and JSON Schema.
//!
//! ```
//! use connect_core::{config::Settings, registry::{Plugin, Registry}};
//!
//! connect_core::config! {
//!     /// Joins the names of nested fields.
//!     pub struct FlattenConfig {
//!         /// What stands between the names.
//!         "delimiter" => delimiter: String = ".".to_owned();
//!     }
//! }
//!
//! // The product can be anything: here a transform is only a function.
//! type Product = Box<dyn Fn(&str, &str) -> String>;
//!
//! let mut transforms = Registry::<Product>::new("transform");
//! transforms.add(
//!     Plugin::new("org.apache.kafka.connect.transforms.Flatten$Value", |config: FlattenConfig| {
//!         Ok(Box::new(move |parent: &str, child: &str| format!("{parent}{}{child}", config.delimiter)) as Product)
//!     })
//!     .alias("Flatten"),
//! )?;
//!
//! let plugin = transforms.find("Flatten")?;
//! let make = plugin.parse(&Settings::literal([("delimiter", "_")]))?;
//! assert_eq!(make()?("a", "b"), "a_b");
//!
//! let error = transforms.find("Flaten").err().map(|error| error.to_string());
//! assert!(error.is_some_and(|text| text.contains("did you mean Flatten?")));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    Error,
    config::{Config, ConfigError, Definition, Reader, Settings, nearest},
};

/// Makes one fresh product from a configuration that was checked, as often as it is called: for each task, and
/// after each restart.
pub type Factory<P> = Arc<dyn Fn() -> Result<P, Error> + Send + Sync>;

/// The plugins of one kind, found by full class name, simple name or alias.
pub struct Registry<P> {
    kind: &'static str,
    plugins: Vec<Plugin<P>>,
    names: BTreeMap<String, usize>,
}

impl<P> Registry<P> {
    /// No plugins yet; `kind` is what error messages call one, such as `sink`.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, plugins: Vec::new(), names: BTreeMap::new() }
    }

    /// Adds a plugin under all of its names.
    ///
    /// # Errors
    ///
    /// When one of the names is taken; then nothing is added.
    pub fn add(&mut self, plugin: Plugin<P>) -> Result<(), DuplicateName> {
        for name in plugin.names() {
            if let Some(&taken) = self.names.get(name) {
                return Err(DuplicateName {
                    kind: self.kind,
                    name: name.to_owned(),
                    first: self.plugins[taken].class.clone(),
                    second: plugin.class.clone(),
                });
            }
        }
        let index = self.plugins.len();
        self.names.extend(plugin.names().map(|name| (name.to_owned(), index)));
        self.plugins.push(plugin);
        Ok(())
    }

    /// The plugin of that name.
    ///
    /// # Errors
    ///
    /// When there is none; the error lists those there are, and the nearest name.
    pub fn find(&self, name: &str) -> Result<&Plugin<P>, UnknownPlugin> {
        match self.names.get(name.trim()) {
            Some(&index) => Ok(&self.plugins[index]),
            None => Err(UnknownPlugin {
                kind: self.kind,
                name: name.to_owned(),
                nearest: nearest(name, self.names.keys().map(String::as_str)).map(str::to_owned),
                known: self.plugins.iter().map(|plugin| plugin.class.clone()).collect(),
            }),
        }
    }

    /// The plugins in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Plugin<P>> {
        self.plugins.iter()
    }

    /// Reads the plugin that the key `name_key` names, and its keys, at the level the reader is at. None if
    /// the reader was told of a problem. This is what `transforms.a.type` and its neighbours are read with.
    ///
    /// The caller declares `name_key` if it belongs to a declaration of its own; here it is known too.
    pub fn read(&self, name_key: &'static str, reader: &mut Reader<'_>) -> Option<Factory<P>> {
        self.read_named(None, name_key, reader)
    }

    /// As [`read`](Self::read); where the key is not given, the plugin called `default` is meant, if there is one.
    pub fn read_or(
        &self,
        default: &str,
        name_key: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<Factory<P>> {
        self.read_named(self.find(default).ok(), name_key, reader)
    }

    fn read_named(
        &self,
        default: Option<&Plugin<P>>,
        name_key: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<Factory<P>> {
        reader.know(name_key, &format!("The class of the {}: full, simple or an alias.", self.kind));
        let allowed =
            || Some(self.plugins.iter().map(|plugin| plugin.class.as_str()).collect::<Vec<_>>().join(", "));
        let plugin = match reader.get(name_key).map(|name| self.find(name)) {
            Some(Ok(plugin)) => plugin,
            Some(Err(unknown)) => {
                // The whole list only where no name is near.
                let allowed = if unknown.nearest.is_none() { allowed() } else { None };
                let what = format!("{}; mistyped keys beside it are told once it is known", unknown.what());
                reader.problem(name_key, what, allowed);
                // Which keys it would have is unknown as well: do not call them unknown on top.
                reader.claim("");
                return None;
            }
            None => match default {
                Some(plugin) => plugin,
                None => {
                    reader.problem(name_key, "required, but not given", allowed());
                    reader.claim("");
                    return None;
                }
            },
        };
        plugin.read(reader)
    }
}

/// A plugin: its names, its configuration and how it is made.
pub struct Plugin<P> {
    class: String,
    aliases: Vec<String>,
    documentation: &'static str,
    erased: Box<dyn Erased<P>>,
}

impl<P: 'static> Plugin<P> {
    /// A plugin of that full class name. Its simple name, what stands after the last dot, is a name too, and so
    /// is, as in Connect, the simple name of a connector without `Connector`, `SinkConnector` or
    /// `SourceConnector`.
    pub fn new<C: Config>(
        class: impl Into<String>,
        make: impl Fn(C) -> Result<P, Error> + Send + Sync + 'static,
    ) -> Self {
        let class = class.into();
        let simple = class.rsplit('.').next().unwrap_or_default().to_owned();
        let endings = ["SinkConnector", "SourceConnector", "Connector"];
        let short = endings.iter().filter_map(|ending| simple.strip_suffix(ending)).map(str::to_owned);
        let mut aliases: Vec<String> = short.filter(|name| !name.is_empty()).collect();
        aliases.insert(0, simple);
        aliases.retain(|name| *name != class);
        aliases.dedup();
        let typed = Typed { make: Arc::new(make) };
        Self { class, aliases, documentation: C::DOC, erased: Box::new(typed) }
    }
}

impl<P> Plugin<P> {
    /// Adds another name.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if name != self.class && !self.aliases.contains(&name) {
            self.aliases.push(name);
        }
        self
    }

    /// The full class name.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Every name, the full one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.class.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// What it is for: the documentation of its configuration.
    pub fn documentation(&self) -> &str {
        self.documentation.trim()
    }

    /// All that is known about its keys.
    pub fn definitions(&self) -> Vec<Definition> {
        self.erased.definitions()
    }

    /// JSON Schema of its map.
    pub fn json_schema(&self) -> serde_json::Value {
        self.erased.json_schema()
    }

    /// Reads its keys at the level the reader is at. None if the reader was told of a problem.
    pub fn read(&self, reader: &mut Reader<'_>) -> Option<Factory<P>> {
        self.erased.read(reader)
    }

    /// Reads a map that belongs to this plugin alone.
    ///
    /// # Errors
    ///
    /// Every problem there is, unknown keys included.
    pub fn parse(&self, settings: &Settings) -> Result<Factory<P>, ConfigError> {
        let mut reader = Reader::new(settings);
        let factory = self.read(&mut reader);
        reader.finish().result(factory)
    }

    /// The answer of Connect's `PUT /connector-plugins/{name}/config/validate` for a map that belongs to this
    /// plugin alone.
    pub fn infos(&self, settings: &Settings) -> serde_json::Value {
        let mut reader = Reader::new(settings);
        drop(self.read(&mut reader));
        reader.finish().infos(&self.class)
    }
}

/// A plugin without the type of its configuration.
trait Erased<P>: Send + Sync {
    fn definitions(&self) -> Vec<Definition>;
    fn json_schema(&self) -> serde_json::Value;
    fn read(&self, reader: &mut Reader<'_>) -> Option<Factory<P>>;
}

struct Typed<C, P> {
    make: Arc<dyn Fn(C) -> Result<P, Error> + Send + Sync>,
}

impl<C: Config, P: 'static> Erased<P> for Typed<C, P> {
    fn definitions(&self) -> Vec<Definition> {
        C::definitions()
    }

    fn json_schema(&self) -> serde_json::Value {
        C::json_schema()
    }

    fn read(&self, reader: &mut Reader<'_>) -> Option<Factory<P>> {
        let config = C::read(reader)?;
        let make = Arc::clone(&self.make);
        Some(Arc::new(move || make(config.clone())))
    }
}

/// Two plugins want the same name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name {name} of {kind} {second} is taken by {first}")]
pub struct DuplicateName {
    kind: &'static str,
    name: String,
    first: String,
    second: String,
}

/// No plugin has the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPlugin {
    kind: &'static str,
    name: String,
    nearest: Option<String>,
    known: Vec<String>,
}

impl UnknownPlugin {
    /// What is wrong, for a problem that has the name and the known ones in places of their own.
    fn what(&self) -> String {
        match &self.nearest {
            Some(nearest) => format!("unknown {}, did you mean {nearest}?", self.kind),
            None => format!("unknown {}", self.kind),
        }
    }
}

impl fmt::Display for UnknownPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}; known: ", self.name, self.what())?;
        f.write_str(if self.known.is_empty() { "none" } else { "" })?;
        f.write_str(&self.known.join(", "))
    }
}

impl std::error::Error for UnknownPlugin {}

impl<P> fmt::Debug for Registry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("kind", &self.kind).field("plugins", &self.plugins).finish()
    }
}

impl<P> fmt::Debug for Plugin<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("class", &self.class).field("aliases", &self.aliases).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::config! {
        /// Hides fields.
        struct MaskConfig {
            /// What is hidden.
            "fields" => fields: Vec<String>;
            /// What is shown instead.
            "replacement" => replacement: String = "*".to_owned();
        }
    }

    const MASK: &str = "org.apache.kafka.connect.transforms.MaskField$Value";

    fn mask() -> Plugin<String> {
        Plugin::new(MASK, |config: MaskConfig| match config.replacement.as_str() {
            "" => Err(Error::fatal("make the mask", "nothing to show")),
            text => Ok(format!("{}={text}", config.fields.join("+"))),
        })
        .alias("MaskField")
    }

    fn registry() -> Registry<String> {
        let mut registry = Registry::new("transform");
        registry.add(mask()).unwrap();
        registry.add(Plugin::new("io.example.EsSinkConnector", |(): ()| Ok("es".to_owned()))).unwrap();
        registry
    }

    #[test]
    fn a_plugin_is_found_by_full_name_simple_name_and_alias() {
        let registry = registry();
        for name in [MASK, "MaskField$Value", "MaskField", " MaskField "] {
            assert_eq!(registry.find(name).unwrap().class(), MASK, "{name}");
        }
        for name in ["io.example.EsSinkConnector", "EsSinkConnector", "Es", "EsSink"] {
            assert_eq!(registry.find(name).unwrap().class(), "io.example.EsSinkConnector", "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones_and_the_nearest() {
        let error = registry().find("MaskFeild").unwrap_err().to_string();
        assert_eq!(
            error,
            "\"MaskFeild\": unknown transform, did you mean MaskField?; \
             known: org.apache.kafka.connect.transforms.MaskField$Value, io.example.EsSinkConnector"
        );
        let none = Registry::<()>::new("sink").find("x").unwrap_err().to_string();
        assert_eq!(none, "\"x\": unknown sink; known: none");
    }

    #[test]
    fn a_taken_name_is_an_error_and_adds_nothing() {
        let mut registry = registry();
        let rival = Plugin::new("io.example.MaskField", |(): ()| Ok(String::new()));
        let error = registry.add(rival).unwrap_err().to_string();
        assert_eq!(error, format!("the name MaskField of transform io.example.MaskField is taken by {MASK}"));
        assert!(registry.find("io.example.MaskField").is_err());
        assert_eq!(registry.iter().count(), 2);
    }

    #[test]
    fn a_factory_makes_a_fresh_product_each_time() {
        let registry = registry();
        let settings = Settings::literal([("fields", "a,b")]);
        let make = registry.find("MaskField").unwrap().parse(&settings).unwrap();
        assert_eq!((make().unwrap(), make().unwrap()), ("a+b=*".to_owned(), "a+b=*".to_owned()));
        let blank = Settings::literal([("fields", "a"), ("replacement", "")]);
        let make = registry.find("MaskField").unwrap().parse(&blank).unwrap();
        assert_eq!(make().unwrap_err().class(), crate::Class::Fatal);
    }

    #[test]
    fn several_plugins_are_read_from_one_map_with_all_problems_at_once() {
        let registry = registry();
        let settings = Settings::literal([
            ("transforms.a.type", "MaskField"),
            ("transforms.a.feilds", "x"),
            ("transforms.b.type", "Mask"),
            ("transforms.b.whatever", "x"),
            ("transforms.d.type", "Es"),
        ]);
        let mut reader = Reader::new(&settings);
        for alias in ["a", "b", "c", "d"] {
            let made = reader.within(&format!("transforms.{alias}."), |reader| registry.read("type", reader));
            assert_eq!(made.is_some(), alias == "d");
        }
        let error = reader.finish().result(Some(())).unwrap_err().to_string();
        let known = format!("allowed: {MASK}, io.example.EsSinkConnector");
        let expected = format!(
            "4 configuration problems
  transforms.a.fields: required, but not given; allowed: a list separated by commas
  transforms.b.type = \"Mask\": unknown transform; mistyped keys beside it are told once it is known; {known}
  transforms.c.type: required, but not given; {known}
  transforms.a.feilds: unknown key, did you mean transforms.a.fields?"
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn a_plugin_tells_its_definitions_and_answers_a_validation() {
        let mask = mask();
        assert_eq!(mask.documentation(), "Hides fields.");
        assert_eq!(mask.definitions()[0].name, "fields");
        assert_eq!(mask.json_schema()["required"], serde_json::json!(["fields"]));
        let infos = mask.infos(&Settings::literal([("replacement", "x")]));
        assert_eq!((&infos["name"], &infos["error_count"]), (&MASK.into(), &1.into()));
    }
}
