//! What people may see of a value, by what is declared of its key.

use super::{definition::Definition, secret::sounds_secret};

/// How much of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visible {
    /// Nothing but a reference that stands alone.
    Nothing,
    /// All of it.
    Whole,
}

/// A value is shown only if somebody declared its key, and not as a secret. A key that nobody knows may be the mistyped
/// one of a password, or belong to a plugin that was not found: its name says nothing for sure.
pub(super) fn visible(definitions: &[Definition], key: &str) -> Visible {
    let mut declared = definitions.iter().filter(|known| !known.prefix && known.name == key).peekable();
    let known = match declared.peek() {
        Some(_) => !declared.any(|known| known.secret),
        None => definitions.iter().filter(|known| known.prefix).any(|known| known.lists(key)),
    };
    if known && !sounds_secret(key) { Visible::Whole } else { Visible::Nothing }
}

impl Definition {
    /// Whether this prefix lists the property `key` as one whose meaning is known.
    fn lists(&self, key: &str) -> bool {
        key.strip_prefix(&self.name).is_some_and(|property| self.known.contains(&property))
    }
}
