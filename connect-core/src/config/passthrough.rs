//! Properties that belong to somebody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Deref,
};

use super::secret::{REDACTED, hide_user_info, sounds_secret};

/// Properties that are passed on unread, such as librdkafka's, as a map from keys (without the prefix) to
/// texts. `Debug` hides the values whose names sound secret (`password`, `secret`, `ssl.key`, …) and those
/// that came from `${env:…}` or `${file:…}`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passthrough {
    map: BTreeMap<String, String>,
    hidden: BTreeSet<String>,
}

impl Passthrough {
    /// Adds or replaces a property.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.map.insert(key.into(), value.into());
    }

    pub(super) fn set_hidden(&mut self, key: &str, value: &str) {
        self.hidden.insert(key.to_owned());
        self.set(key, value);
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
        self.hidden.retain(|key| !other.map.contains_key(key));
        self.map.extend(other.map.clone());
        self.hidden.extend(other.hidden.iter().cloned());
        self
    }

    /// The properties themselves.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.map
    }

    /// What people may see of a property.
    pub(super) fn shown(&self, key: &str) -> String {
        match self.map.get(key) {
            Some(_) if self.hidden.contains(key) || sounds_secret(key) => REDACTED.to_owned(),
            Some(value) => hide_user_info(value),
            None => String::new(),
        }
    }
}

impl Deref for Passthrough {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.map
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Passthrough {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let map = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { map, hidden: BTreeSet::new() }
    }
}

impl fmt::Debug for Passthrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.map.keys().map(|key| (key, self.shown(key)))).finish()
    }
}
