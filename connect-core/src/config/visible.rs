//! What people may see of a value, by what is declared of its key.

use super::{definition::Definition, secret::sounds_secret};

/// How much of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visible {
    /// Nothing but a reference that stands alone.
    Nothing,
    /// What is no secret in a URL.
    Url,
    /// All of it.
    Whole,
}

/// A value is shown only if somebody declared its key, and not as a secret. A key that nobody knows may be the mistyped
/// one of a password, or belong to a plugin that was not found: its name says nothing for sure.
pub(super) fn visible(definitions: &[Definition], key: &str) -> Visible {
    let mut declared = definitions.iter().filter(|known| !known.prefix && known.name == key);
    let (known, url) = match declared.next() {
        Some(key) => (!key.secret, key.url),
        None => (definitions.iter().any(|known| known.prefix && known.lists(key)), false),
    };
    match known && !sounds_secret(key) {
        false => Visible::Nothing,
        true if url => Visible::Url,
        true => Visible::Whole,
    }
}

impl Definition {
    /// Whether this prefix lists the property `key` as one whose meaning is known.
    fn lists(&self, key: &str) -> bool {
        key.strip_prefix(&self.name).is_some_and(|property| self.known.contains(&property))
    }
}
