//! A text that may be left out, and may be empty.

use connect_core::config::{Type, Value};

/// A text of a configuration that may be left out. Unlike an `Option<String>` it can be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionalText(pub Option<String>);

impl Value for OptionalText {
    const TYPE: Type = Type::String;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(Some(text.to_owned())))
    }

    fn show(&self) -> String {
        self.0.clone().unwrap_or_default()
    }

    fn absent() -> Option<Self> {
        Some(Self(None))
    }

    fn is_absent(&self) -> bool {
        self.0.is_none()
    }
}

impl From<&str> for OptionalText {
    fn from(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}
