//! The types a key can have.

use std::fmt::Display;

use serde_json::json;

use super::providers::Reference;

/// Kafka Connect's name for the type of a key, as its REST interface prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any text.
    String,
    /// A 32 bit integer.
    Int,
    /// A 64 bit integer.
    Long,
    /// A floating point number.
    Double,
    /// `true` or `false`.
    Boolean,
    /// Texts separated by commas.
    List,
    /// The name of a plugin.
    Class,
    /// Text that is never shown.
    Password,
}

impl Type {
    /// The name in REST answers, such as `STRING`.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::Boolean => "BOOLEAN",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// A type that a key of a [`config!`](crate::config!) declaration can have.
///
/// # Contract
///
/// * `parse(show(v)) == v` for every value but secrets, for which it holds with `clear_text`.
/// * The message of `parse` says what is wrong and never repeats the text: the caller prints the
///   text beside it, unless it is secret.
pub trait Value: Sized + 'static {
    /// What Connect calls this type.
    const TYPE: Type;
    /// Whether the text must never be shown.
    const SECRET: bool = false;
    /// Whether the text is a URL, of which only scheme, host and path are shown: people write secrets into users,
    /// queries and fragments, and in the place of a URL.
    const URL: bool = false;

    /// Reads the text of a key.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, without repeating it.
    fn parse(text: &str) -> Result<Self, String>;

    /// Keeps the reference that the text came from, for types that can be resolved again later.
    #[must_use]
    fn with_reference(self, reference: &Reference) -> Self {
        let _ = reference;
        self
    }

    /// The text of this value; for a secret, the redaction mark.
    fn show(&self) -> String;

    /// The text of this value, secrets included.
    fn clear_text(&self) -> String {
        self.show()
    }

    /// What may be written, for error messages.
    fn allowed() -> Option<String> {
        None
    }

    /// The values to choose from, when there is a fixed list.
    fn choices() -> &'static [&'static str] {
        &[]
    }

    /// The value of a key that is not given, for types that have one.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether this is the value of a key that is not given.
    fn is_absent(&self) -> bool {
        false
    }

    /// JSON Schema (draft 2020-12) of what may stand in the JSON form of a configuration.
    fn json_schema() -> serde_json::Value {
        json!({ "type": "string" })
    }
}

impl Value for String {
    const TYPE: Type = Type::String;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

/// The name of a plugin, as a [`Registry`](crate::registry::Registry) finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassName(pub String);

impl Value for ClassName {
    const TYPE: Type = Type::Class;

    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("empty".into()),
            name => Ok(Self(name.to_owned())),
        }
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Value for bool {
    const TYPE: Type = Type::Boolean;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err("not a boolean".into())
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn allowed() -> Option<String> {
        Some("true or false".into())
    }

    fn choices() -> &'static [&'static str] {
        &["true", "false"]
    }

    fn json_schema() -> serde_json::Value {
        let text = super::schema::choice_pattern(Self::choices());
        json!({ "type": ["boolean", "string"], "pattern": text })
    }
}

macro_rules! integers {
    ($($int:ty => $kind:ident),+ $(,)?) => { $(
        impl Value for $int {
            const TYPE: Type = Type::$kind;

            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|error: std::num::ParseIntError| integer_error(&error))
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn allowed() -> Option<String> {
                Some(format!("an integer from {} to {}", <$int>::MIN, <$int>::MAX))
            }

            fn json_schema() -> serde_json::Value {
                super::schema::integer(<$int>::MIN, <$int>::MAX)
            }
        }
    )+ };
}

integers! { i32 => Int, i64 => Long, u16 => Int, u32 => Long, u64 => Long, usize => Long }

pub(super) fn integer_error(error: &std::num::ParseIntError) -> String {
    use std::num::IntErrorKind;
    match error.kind() {
        IntErrorKind::PosOverflow => "too large".into(),
        IntErrorKind::NegOverflow => "too small".into(),
        _ => "not an integer of this type".into(),
    }
}

impl Value for f64 {
    const TYPE: Type = Type::Double;

    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err("not a finite number".into()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn allowed() -> Option<String> {
        Some("a number".into())
    }

    fn json_schema() -> serde_json::Value {
        let number = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$";
        json!({ "type": ["number", "string"], "pattern": super::schema::or_reference(number) })
    }
}

/// A key that may be left out or left blank.
impl<T: Value> Value for Option<T> {
    const TYPE: Type = T::TYPE;
    const SECRET: bool = T::SECRET;
    const URL: bool = T::URL;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn with_reference(self, reference: &Reference) -> Self {
        self.map(|value| value.with_reference(reference))
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }

    fn clear_text(&self) -> String {
        self.as_ref().map(T::clear_text).unwrap_or_default()
    }

    fn allowed() -> Option<String> {
        T::allowed()
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn json_schema() -> serde_json::Value {
        json!({ "anyOf": [T::json_schema(), { "const": "" }, { "type": "null" }] })
    }
}

/// A list separated by commas, blanks around its items dropped; empty text is an empty list.
///
/// As in Kafka, an item cannot contain a comma.
impl<T: Value> Value for Vec<T> {
    const TYPE: Type = Type::List;
    const SECRET: bool = T::SECRET;
    const URL: bool = T::URL;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let item = |(index, item): (usize, &str)| match item.trim() {
            "" => Err(format!("item {} is empty", index + 1)),
            item => T::parse(item).map_err(|what| format!("item {}: {what}", index + 1)),
        };
        text.split(',').enumerate().map(item).collect()
    }

    fn show(&self) -> String {
        join(self.iter().map(T::show))
    }

    fn clear_text(&self) -> String {
        join(self.iter().map(T::clear_text))
    }

    fn allowed() -> Option<String> {
        Some(match T::allowed() {
            Some(items) => format!("a list separated by commas, each item {items}"),
            None => "a list separated by commas".into(),
        })
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }
}

/// A check for `check:` in a declaration: something other than blanks must stand there.
///
/// # Errors
///
/// When the value is blank.
pub fn not_empty<T: Value>(value: &T) -> Result<(), String> {
    if value.clear_text().trim().is_empty() { Err("empty".into()) } else { Ok(()) }
}

/// A check for `check:` in a declaration: not blank, and without control characters, as Kafka Connect demands of names
/// (`NonEmptyStringWithoutControlChars`).
///
/// # Errors
///
/// When the value is blank or has a control character, which the message names by its code point.
pub fn printable<T: Value>(value: &T) -> Result<(), String> {
    not_empty(value)?;
    match value.clear_text().chars().find(|c| c.is_control()) {
        Some(control) => Err(format!("the control character U+{:04X} is in it", u32::from(control))),
        None => Ok(()),
    }
}

fn join(items: impl Iterator<Item = impl Display>) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&item.to_string());
    }
    text
}
