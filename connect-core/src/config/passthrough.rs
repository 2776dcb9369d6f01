//! Properties that belong to somebody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Deref,
};

use super::secret::{REDACTED, hide_user_info, sounds_secret};

/// Properties that are passed on unread, such as librdkafka's, as a map from keys (without the prefix) to
/// texts.
///
/// `Debug` shows the values only of properties that the declaration lists as known (`known:` of
/// [`config!`](crate::config!)), and of those none that came from `${env:…}` or `${file:…}`, nor any whose name
/// sounds secret (`password`, `secret`, `ssl.key`, …): any other name may be the mistyped one of a password.
#[derive(Clone, Default)]
pub struct Passthrough {
    map: BTreeMap<String, String>,
    shown: BTreeSet<String>,
}

impl Passthrough {
    /// Adds or replaces a property, whose value is not shown.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        self.shown.remove(&key);
        self.map.insert(key, value.into());
    }

    /// Adds or replaces a property, whose value is shown if its name is among those that are known.
    pub(crate) fn set_among(&mut self, known: &[&str], key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        let shown = known.contains(&key.as_str()) && !sounds_secret(&key);
        self.set(key.clone(), value);
        if shown {
            self.shown.insert(key);
        }
    }

    /// Those whose names `keep` likes.
    #[cfg(feature = "kafka")]
    pub(crate) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut kept = self.clone();
        kept.map.retain(|key, _| keep(key));
        kept
    }

    /// Adds those of `other`, which count more.
    #[cfg(feature = "kafka")]
    pub(crate) fn with(mut self, other: &Self) -> Self {
        self.shown.retain(|key| !other.map.contains_key(key));
        self.map.extend(other.map.clone());
        self.shown.extend(other.shown.iter().cloned());
        self
    }

    /// The properties themselves.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.map
    }

    /// Whether a text has a value that is not shown, in whatever case.
    #[cfg(feature = "kafka")]
    pub(crate) fn is_repeated_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let mut hidden =
            self.map.iter().filter(|(key, value)| !self.shown.contains(*key) && !value.is_empty());
        hidden.any(|(_, value)| text.contains(&value.to_lowercase()))
    }

    /// What people may see of a property.
    pub(super) fn shown(&self, key: &str) -> String {
        match self.map.get(key) {
            Some(value) if self.shown.contains(key) => hide_user_info(value),
            Some(_) => REDACTED.to_owned(),
            None => String::new(),
        }
    }
}

/// What is shown of them makes no difference.
impl PartialEq for Passthrough {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl Eq for Passthrough {}

impl Deref for Passthrough {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.map
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Passthrough {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let map = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { map, shown: BTreeSet::new() }
    }
}

impl fmt::Debug for Passthrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.map.keys().map(|key| (key, self.shown(key)))).finish()
    }
}
