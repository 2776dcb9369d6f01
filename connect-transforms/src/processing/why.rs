//! Why a record cannot be processed.

use crate::{json::SyntaxError, jsonpath::PathError};

/// Characters of a value that a message shows.
const SHOWN_MAX: usize = 64;

/// What is wrong with a record. The place (chain, field) is added where it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error(transparent)]
    Json(#[from] SyntaxError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    #[error("expected an array of JSON objects, found {0}")]
    NotObjects(&'static str),
    #[error("there is nothing at {0:?} to parse")]
    NoInput(String),
    #[error("more than {0} fields")]
    Fields(usize),
    #[error("the result would have more than {0} bytes")]
    TooLarge(usize),
    #[error("two fields would be named {0:?}: rename or delete one of them")]
    Collision(String),
    #[error("{value:?} is no {wanted}")]
    Type { value: String, wanted: &'static str },
    #[error("{value:?} is no date: {reason}")]
    Date { value: String, reason: String },
    #[error("the pattern has too many matches in so long a text")]
    Matches,
    #[error("what `%` stands for is not {0}")]
    Encoding(&'static str),
}

/// Where in the rules it went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the chain, from 0; `None`: before or after all of them.
    pub(super) chain: Option<usize>,
    pub(super) field: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) place: Place,
    pub(super) why: Why,
}

impl Why {
    pub(super) fn kind(value: &str, wanted: &'static str) -> Self {
        Self::Type { value: shorten(value), wanted }
    }

    pub(super) fn in_chain(self, chain: usize) -> Failure {
        Failure { place: Place { chain: Some(chain), field: None }, why: self }
    }

    pub(super) fn in_field(self, chain: usize, field: &str) -> Failure {
        Failure { place: Place { chain: Some(chain), field: Some(shorten(field)) }, why: self }
    }

    pub(super) fn outside(self) -> Failure {
        Failure { place: Place { chain: None, field: None }, why: self }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.chain, &self.field) {
            (Some(chain), Some(field)) => write!(f, "FieldChain[{chain}], field {field:?}"),
            (Some(chain), None) => write!(f, "FieldChain[{chain}]"),
            (None, _) => f.write_str("the whole record"),
        }
    }
}

impl From<Failure> for connect_core::Error {
    fn from(failure: Failure) -> Self {
        Self::poison("process the record", failure.why).about(failure.place)
    }
}

pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
