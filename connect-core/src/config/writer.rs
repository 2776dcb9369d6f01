//! The way back: from a struct to Connect's map.

use std::collections::BTreeMap;

/// Collects the keys and texts of a struct.
#[derive(Debug)]
pub struct Writer {
    prefix: String,
    exposed: bool,
    map: BTreeMap<String, String>,
}

impl Writer {
    pub(super) fn new(exposed: bool) -> Self {
        Self { prefix: String::new(), exposed, map: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, key: &str, shown: String, clear: String) {
        let text = if self.exposed { clear } else { shown };
        self.map.insert(format!("{}{key}", self.prefix), text);
    }

    pub(super) fn within(&mut self, prefix: &str, write: impl FnOnce(&mut Self)) {
        let length = self.prefix.len();
        self.prefix.push_str(prefix);
        write(self);
        self.prefix.truncate(length);
    }

    pub(super) fn into_map(self) -> BTreeMap<String, String> {
        self.map
    }
}
