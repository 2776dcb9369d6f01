//! The flat string map a configuration is read from.

use std::{collections::BTreeMap, fmt, path::Path};

use super::{
    json::Object,
    printable::shortened,
    problems::{ConfigError, Problems, WHOLE},
    properties,
    providers::{Providers, Reference},
    secret::{REDACTED, hide_user_info},
    url,
    visible::Visible,
};

/// Connect's flat map from dotted keys to texts, its references resolved.
///
/// A reference that cannot be resolved is kept and reported when its key is read, together with everything
/// else that is wrong. What is shown of a value, in errors and REST answers, is the reference, not what it
/// stands for. `Debug` shows keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    entries: BTreeMap<String, Entry>,
    /// What [`Settings::sub`] cut off, so that problems name the key the user wrote.
    prefix: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    raw: String,
    /// None: the raw text is the value.
    resolved: Option<Resolved>,
}

#[derive(Clone, PartialEq, Eq)]
struct Resolved {
    value: Result<String, String>,
    /// Looks the value up again.
    reference: Reference,
}

impl Entry {
    fn value(&self) -> Result<&str, &str> {
        match &self.resolved {
            None => Ok(&self.raw),
            Some(Resolved { value, .. }) => value.as_deref().map_err(String::as_str),
        }
    }
}

impl Settings {
    /// From keys and texts.
    pub fn new<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        providers: &Providers,
    ) -> Self {
        let entry = |(key, raw): (K, V)| {
            let raw = raw.into();
            let resolved = providers
                .resolve(&raw)
                .map(|value| Resolved { value, reference: Reference::new(&raw, providers) });
            (key.into(), Entry { resolved, raw })
        };
        Self { entries: pairs.into_iter().map(entry).collect(), prefix: String::new() }
    }

    /// From keys and texts that mean what they say: nothing is a reference.
    pub fn literal<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let entry = |(key, raw): (K, V)| (key.into(), Entry { raw: raw.into(), resolved: None });
        Self { entries: pairs.into_iter().map(entry).collect(), prefix: String::new() }
    }

    /// From a JSON object whose values are strings, numbers or booleans; null is the same as leaving the key
    /// out. The form that Connect's REST interface takes, `{"name": …, "config": {…}}`, is accepted too. A byte order
    /// mark in front is skipped.
    ///
    /// # Errors
    ///
    /// When the text is not such an object or has a key twice; all such problems are listed.
    pub fn from_json(text: &str, providers: &Providers) -> Result<Self, ConfigError> {
        let object: Object = serde_json::from_str(without_mark(text)).map_err(|error| {
            // serde_json's own message can quote the text, and with it a secret.
            let (line, column) = (error.line(), error.column());
            ConfigError::one(WHOLE, format!("not a JSON object, see line {line} column {column}"))
        })?;
        let mut problems = Problems::default();
        let mut pairs = BTreeMap::new();
        for (key, value) in object.unwrapped() {
            let text = match value.text() {
                Some(Some(text)) => text,
                Some(None) => continue,
                None => {
                    problems.add_allowed(&key, "a nested value", "a string, a number or a boolean");
                    continue;
                }
            };
            if pairs.insert(key.clone(), text).is_some() {
                problems.add(key, "given twice");
            }
        }
        problems.into_result()?;
        Ok(Self::new(pairs, providers))
    }

    /// From the text of a Java `.properties` file. A byte order mark in front is skipped.
    ///
    /// # Errors
    ///
    /// On a malformed `\uXXXX` and on a key that stands there twice.
    pub fn from_properties(text: &str, providers: &Providers) -> Result<Self, ConfigError> {
        let pairs = properties::parse(without_mark(text))
            .map_err(|line| ConfigError::one(WHOLE, format!("malformed \\uXXXX escape in line {line}")))?;
        let mut problems = Problems::default();
        let mut map = BTreeMap::new();
        for (key, value) in pairs {
            if map.insert(key.clone(), value).is_some() {
                problems.add(key, "given twice");
            }
        }
        problems.into_result()?;
        Ok(Self::new(map, providers))
    }

    /// From a file: JSON or a `.properties` file, by the ending `.json` or `.properties`; with another one or none it
    /// is JSON if it begins with `{`. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and as [`Settings::from_json`] and [`Settings::from_properties`]; a text that
    /// cannot be parsed is named with the path, and with what it was read as and why.
    pub fn from_file(path: impl AsRef<Path>, providers: &Providers) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let wrong = |what: String| ConfigError::one(&path.display().to_string(), what);
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("the configuration file cannot be read: {error}")))?;
        let is_object = without_mark(&text).trim_start().starts_with('{');
        let (json, why) = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => (true, "its name ends in `.json`"),
            Some("properties") => (false, "its name ends in `.properties`"),
            _ if is_object => (true, "it begins with `{`"),
            _ => (false, "it does not begin with `{`"),
        };
        let read =
            if json { Self::from_json(&text, providers) } else { Self::from_properties(&text, providers) };
        let form = if json { "JSON" } else { "a .properties file" };
        read.map_err(|error| match error.unreadable() {
            Some(what) => wrong(format!("{what}; it was read as {form} because {why}")),
            None => error,
        })
    }

    /// What stands below a prefix, which is cut off the keys: `transforms.a.` of `transforms.a.type` leaves
    /// `type`. Problems still name the key in full.
    #[must_use]
    pub fn sub(&self, prefix: &str) -> Self {
        let inside = self.entries.iter().filter_map(|(key, entry)| {
            let rest = key.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), entry.clone()))
        });
        Self { entries: inside.collect(), prefix: format!("{}{prefix}", self.prefix) }
    }

    /// The value of a key, references resolved; None if it is not given or cannot be resolved.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key)?.value().ok()
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Adds or replaces a key; the text is taken as it is.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.entries.insert(key.into(), Entry { raw: value.into(), resolved: None });
    }

    /// Keys and texts as they were written, references unresolved. Secrets that were written out are in it:
    /// see [`Report::redacted`](super::Report::redacted) for what may be shown.
    pub fn raw(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry.raw.as_str()))
    }

    /// The value of a key, or why it could not be resolved.
    pub(super) fn look_up(&self, key: &str) -> Option<Result<&str, &str>> {
        self.entries.get(key).map(Entry::value)
    }

    /// Whether the value of a key came from somewhere else.
    pub(super) fn is_reference(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.resolved.is_some())
    }

    /// The reference that the value of a key came from, if it did.
    pub(super) fn reference(&self, key: &str) -> Option<&Reference> {
        self.entries.get(key)?.resolved.as_ref().map(|resolved| &resolved.reference)
    }

    /// What people may see of a value: the reference if it is one, else as much as may be visible.
    pub(super) fn shown(&self, key: &str, visible: Visible) -> Option<String> {
        let entry = self.entries.get(key)?;
        let only_reference = entry.resolved.is_some() && is_one_reference(&entry.raw);
        if visible == Visible::Nothing && !only_reference {
            return Some(REDACTED.into());
        }
        let shown = match visible {
            Visible::Url => url::shown(&entry.raw, |item| entry.resolved.is_some() && is_one_reference(item)),
            Visible::Nothing | Visible::Whole => hide_user_info(&entry.raw),
        };
        Some(shortened(&shown))
    }

    /// What people may see of the value of a key that names a plugin.
    pub(crate) fn shown_name(&self, key: &str) -> String {
        self.shown(key, Visible::Whole).unwrap_or_default()
    }

    /// A key as the user wrote it.
    pub(super) fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The text without a byte order mark, which some editors write in front.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Whether nothing stands around a reference, which could be a part of a secret.
fn is_one_reference(raw: &str) -> bool {
    let raw = raw.trim();
    raw.starts_with("${") && raw.find('}') == Some(raw.len() - 1)
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
