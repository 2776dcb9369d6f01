//! What came of reading a configuration.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use super::{
    definition::Definition,
    hide::hide,
    problems::{ConfigError, Problems},
    settings::Settings,
    visible::visible,
};

/// What came of reading: the definitions of every key that was asked for, and all problems.
#[derive(Debug)]
pub struct Report<'a> {
    settings: &'a Settings,
    definitions: Vec<Definition>,
    problems: Problems,
}

impl<'a> Report<'a> {
    pub(super) fn new(settings: &'a Settings, definitions: Vec<Definition>, mut problems: Problems) -> Self {
        for problem in problems.iter_mut().filter(|problem| !problem.unknown) {
            problem.value = settings.shown(&problem.key, visible(&definitions, &problem.key));
        }
        hide(settings, &definitions, &mut problems);
        Self { settings, definitions, problems }
    }

    /// The value that was read, if nothing is wrong.
    ///
    /// # Errors
    ///
    /// Every problem that was found, keys in full.
    pub fn result<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        let mut problems = self.problems;
        problems.iter_mut().for_each(|problem| problem.key = self.settings.full_key(&problem.key));
        match value {
            _ if !problems.is_empty() => Err(ConfigError::new(problems)),
            Some(value) => Ok(value),
            None => Err(ConfigError::one("config", "a plugin refused it without saying why")),
        }
    }

    /// What was found.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The definitions in the order they were read.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    pub(super) fn into_definitions(self) -> Vec<Definition> {
        self.definitions
    }

    /// The answer of Connect's `PUT /connector-plugins/{name}/config/validate`.
    pub fn infos(&self, name: &str) -> Value {
        let errors = Errors::new(&self.problems);
        let mut groups: Vec<&str> = Vec::new();
        let mut configs = Vec::new();
        for definition in self.definitions.iter().filter(|definition| !definition.prefix) {
            if !groups.contains(&definition.group.as_str()) {
                groups.push(&definition.group);
            }
            let given = self.settings.shown(&definition.name, visible(&self.definitions, &definition.name));
            let value = json!({
                "name": definition.name,
                "value": given.or_else(|| definition.default.clone()),
                "recommended_values": definition.choices,
                "errors": errors.of(&definition.name),
                "visible": true,
            });
            configs.push(json!({ "definition": definition.to_json(), "value": value }));
        }
        configs.extend(self.undefined(&errors));
        json!({ "name": name, "error_count": self.problems.len(), "groups": groups, "configs": configs })
    }

    /// The map as it may be shown: secrets and what is declared nowhere hidden, references as they were written.
    pub fn redacted(&self) -> BTreeMap<String, String> {
        let shown = |key: &str| self.settings.shown(key, visible(&self.definitions, key));
        self.settings.keys().filter_map(|key| Some((key.to_owned(), shown(key)?))).collect()
    }

    /// What stands in the map or in a problem without a definition of its own.
    fn undefined(&self, errors: &Errors<'_>) -> impl Iterator<Item = Value> {
        let defined: HashSet<&str> =
            self.definitions.iter().filter(|known| !known.prefix).map(|known| known.name.as_str()).collect();
        let mut keys: Vec<&str> = self.problems.iter().map(|problem| problem.key.as_str()).collect();
        keys.extend(self.settings.keys());
        keys.retain(|key| !defined.contains(key));
        keys.sort_unstable();
        keys.dedup();
        let redacted = self.redacted();
        keys.into_iter().map(move |key| {
            let value = json!({
                "name": key,
                "value": redacted.get(key),
                "recommended_values": [],
                "errors": errors.of(key),
                "visible": true,
            });
            json!({ "definition": null, "value": value })
        })
    }
}

/// The texts of problems by key.
struct Errors<'a>(HashMap<&'a str, Vec<String>>);

impl<'a> Errors<'a> {
    fn new(problems: &'a Problems) -> Self {
        let mut texts: HashMap<&str, Vec<String>> = HashMap::new();
        for problem in problems.iter() {
            texts.entry(&problem.key).or_default().push(problem.to_string());
        }
        Self(texts)
    }

    fn of(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}
