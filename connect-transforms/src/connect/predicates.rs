//! Kafka Connect's predicates.

use super::regex::JavaRegex;
use connect_core::{Error, Predicate, Record, config::not_empty};

connect_core::config! {
    /// Holds for records with at least one header of a name.
    pub struct HasHeaderKeyConfig {
        /// The header's name.
        "name" => name: String, check: not_empty;
    }
}

connect_core::config! {
    /// Holds for records whose topic's whole name a pattern matches.
    pub struct TopicNameMatchesConfig {
        /// A regular expression in Java's syntax, without look-around and back-references.
        "pattern" => pattern: String, check: not_empty, check: |text: &String| is_regex(text);
    }
}

pub(super) fn is_regex(pattern: &str) -> Result<(), String> {
    JavaRegex::new(pattern).map(drop)
}

/// Holds for records that have at least one header named `name` (compared exactly; its value may be null).
///
/// | key | default | meaning |
/// |---|---|---|
/// | `name` | none, must be given | the name, not blank |
///
/// With `name=retry` it holds for a record with the headers `{trace: 1, retry: null}`, and not for one with `{Retry: 1}`.
/// It never fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HasHeaderKey {
    name: String,
}

impl HasHeaderKey {
    /// For headers of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}

impl Predicate for HasHeaderKey {
    fn test(&self, record: Record<'_>) -> Result<bool, Error> {
        Ok(record.headers().any(|(name, _)| name == self.name))
    }

    fn describe(&self) -> Option<String> {
        Some(format!("HasHeaderKey name={:?}", self.name))
    }
}

/// Holds for tombstones: records whose value is null. An empty value, and the JSON text `null`, are values.
///
/// It has no keys and never fails. Of the values null, ``, `null` and `{}` it holds for the first one. With the JSON converter Kafka Connect reads the text `null` as a tombstone too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn test(&self, record: Record<'_>) -> Result<bool, Error> {
        Ok(record.value().is_none())
    }

    fn describe(&self) -> Option<String> {
        Some("RecordIsTombstone".to_owned())
    }
}

/// Holds for records whose topic matches a pattern as a whole. The topic is the one for routing: what transforms before
/// this one have made of it.
///
/// | key | default | meaning |
/// |---|---|---|
/// | `pattern` | none, must be given | a regular expression in Java's syntax, without look-around and back-references |
///
/// With `pattern=logs-.*` it holds for the topic `logs-eu`, and not for `my-logs-eu`. It never fails.
#[derive(Clone, Debug)]
pub struct TopicNameMatches {
    pattern: String,
    regex: JavaRegex,
}

impl TopicNameMatches {
    /// For topics that `pattern` matches.
    ///
    /// # Errors
    /// Fatal, if `pattern` is no regular expression, or uses what cannot be matched in linear time.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        let regex = JavaRegex::new(pattern).map_err(|why| Error::fatal("compile the pattern", why))?;
        Ok(Self { pattern: pattern.to_owned(), regex })
    }
}

impl Predicate for TopicNameMatches {
    fn test(&self, record: Record<'_>) -> Result<bool, Error> {
        Ok(self.regex.matches(record.topic()))
    }

    fn describe(&self) -> Option<String> {
        Some(format!("TopicNameMatches pattern={:?}", self.pattern))
    }
}
