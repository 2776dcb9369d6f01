//! Why a transform refuses a record: the one place where that becomes a class.

use crate::json::SyntaxError;
use connect_core::Error;

/// Characters of a name that a message shows; a name is as long as its author wants.
const SHOWN_MAX: usize = 128;
/// Bytes that any other message has, about: Kafka's have the whole value in them, which becomes a header of the dead letter.
const WORDS_MAX: usize = 2048;

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Json(#[from] SyntaxError),
    #[error("Only Map objects supported in absence of schema for [flattening], found: {0}")]
    NotAnObject(&'static str),
    #[error(
        "two fields would be named \"{0}\": rename one of them, or choose a delimiter that stands in no key"
    )]
    Collision(String),
    #[error("the result would have more than {0} bytes: limit the levels to dissolve by `max.depth`")]
    TooLarge(usize),
    #[error("invalid UTF-8 at byte {0}: `on.invalid.utf8` can be `replace` or `base64`")]
    NotText(usize),
    /// As Kafka Connect says it, where its text is known to people.
    #[error("{0}")]
    Data(String),
}

impl Refused {
    /// A collision of two fields with this (escaped) name.
    pub(crate) fn collision(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name);
        Self::Collision(match name.char_indices().nth(SHOWN_MAX) {
            Some((cut, _)) => format!("{}…", &name[..cut]),
            None => name.into_owned(),
        })
    }

    /// Something with the record's data, in words.
    #[cold]
    pub(crate) fn data(what: impl Into<String>) -> Self {
        let mut what = what.into();
        if what.len() > WORDS_MAX {
            let cut = (0..=WORDS_MAX).rev().find(|&cut| what.is_char_boundary(cut));
            what.truncate(cut.unwrap_or_default());
            what.push('…');
            what.shrink_to_fit();
        }
        Self::Data(what)
    }

    /// All of them are about the record: `operation` completes "failed to …".
    pub(crate) fn during(self, operation: &'static str) -> Error {
        Error::poison(operation, self)
    }
}
