//! What a JSON text is a value of: told by its first byte, or by its schema.

use super::schema::{Schema, Type};
use crate::{error::Refused, json::escape::unescape};
use std::borrow::Cow;

/// What is known about a value before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: without a schema, the text decides.
    Dynamic,
    Plain(Type),
    /// Digits behind the point, if the schema says.
    Decimal(Option<i64>),
    Date,
    Time,
    Timestamp,
}

impl Kind {
    pub(crate) fn of(schema: &Schema) -> Self {
        match schema.logical_name() {
            Some("Decimal") => {
                let scale = schema.parameters.iter().find(|(name, _)| name == "scale");
                // Java has 32 bits for it.
                Self::Decimal(scale.and_then(|(_, scale)| scale.parse::<i32>().ok()).map(i64::from))
            }
            Some("Date") => Self::Date,
            Some("Time") => Self::Time,
            Some(_) => Self::Timestamp,
            None => Self::Plain(schema.kind),
        }
    }
}

/// A JSON value, scanned and not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Null,
    Bool(bool),
    /// The text of a number.
    Number(&'a str),
    /// The body of a string.
    Text(&'a str),
    Array,
    Object,
}

impl<'a> Raw<'a> {
    /// Of a text that passed the scanner.
    #[inline]
    pub(crate) fn of(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b'n') | None => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(&text[1..text.len() - 1]),
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            Some(_) => Self::Number(text),
        }
    }

    /// The class of Java that Connect's JSON converter makes of it without a schema.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "java.lang.Boolean",
            Self::Number(text) if super::number::is_integer(text) => "java.lang.Long",
            Self::Number(_) => "java.lang.Double",
            Self::Text(_) => "java.lang.String",
            Self::Array => "java.util.ArrayList",
            Self::Object => "java.util.HashMap",
        }
    }
}

/// The text that the body of a string stands for.
pub(crate) fn plain_text(body: &str) -> Cow<'_, str> {
    if !body.contains('\\') {
        return Cow::Borrowed(body);
    }
    let mut text = String::with_capacity(body.len());
    unescape(body, &mut text);
    Cow::Owned(text)
}

/// A value that is not what its schema says it is.
#[cold]
pub(crate) fn misfit(kind: Kind, raw: Raw<'_>) -> Refused {
    let wanted = match kind {
        Kind::Dynamic => "a value",
        Kind::Plain(kind) => kind.java(),
        Kind::Decimal(_) => "Decimal",
        Kind::Date => "Date",
        Kind::Time => "Time",
        Kind::Timestamp => "Timestamp",
    };
    Refused::data(format!("the payload does not fit its schema: expected {wanted}, found {}", raw.class()))
}

/// `Only Map objects supported in absence of schema …`.
#[cold]
pub(crate) fn no_map(purpose: &str, class: &str) -> Refused {
    Refused::data(format!("Only Map objects supported in absence of schema for [{purpose}], found: {class}"))
}

/// `Only Struct objects supported …`.
#[cold]
pub(crate) fn no_struct(purpose: &str, class: &str) -> Refused {
    Refused::data(format!("Only Struct objects supported for [{purpose}], found: {class}"))
}
