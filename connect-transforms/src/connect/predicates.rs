//! Kafka Connect's predicates.

use super::{
    envelope::{Form, Schemas, open},
    fieldwise::with_scratch,
    regex::JavaRegex,
    schema::Schema,
};
use crate::json::Scanner;
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

/// Holds for tombstones: records whose value is null, or the JSON converter's envelope with a payload that is null
/// (`{"schema":…,"payload":null}`), as transforms before this one may have left it. An empty value, and the JSON text
/// `null`, are values.
///
/// It has no keys and never fails. Of the values null, ``, `null` and `{}` it holds for the first one. With the JSON
/// converter Kafka Connect reads the text `null` as a tombstone too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn test(&self, record: Record<'_>) -> Result<bool, Error> {
        Ok(record.value().is_none_or(is_null_in_envelope))
    }

    fn describe(&self) -> Option<String> {
        Some("RecordIsTombstone".to_owned())
    }
}

/// Whether this is an envelope whose payload is null. Most values are told from one by how they begin and end.
fn is_null_in_envelope(value: &[u8]) -> bool {
    let inner = value.trim_ascii().strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    let Some((head, tail)) = inner.map(|inner| (inner.trim_ascii_start(), inner.trim_ascii_end())) else {
        return false;
    };
    let last = head.starts_with(b"\"schema\"") && tail.ends_with(b"null");
    let first = head.strip_prefix(b"\"payload\"").map(|rest| rest.trim_ascii_start());
    let first = first.and_then(|rest| rest.strip_prefix(b":")).map(|rest| rest.trim_ascii_start());
    if !last && !first.is_some_and(|rest| rest.starts_with(b"null")) {
        return false;
    }
    with_scratch(|scratch| {
        let Ok(mut scanner) = Scanner::new(value) else { return false };
        let Ok(Form::Envelope { schema, payload }) = open(&mut scanner, Schemas::Auto, None, scratch) else {
            return false;
        };
        let text = scanner.text();
        &text[payload] == "null" && (&text[schema.clone()] == "null" || Schema::parse(&text[schema]).is_ok())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"struct","fields":[],"optional":true}"#;

    #[test]
    fn an_envelope_with_a_null_payload_is_a_tombstone() {
        for value in [
            format!(r#"{{"schema":{SCHEMA},"payload":null}}"#),
            format!("  {{ \"schema\" : {SCHEMA} ,\n\"payload\" : null }} "),
            format!(r#"{{"payload":null,"schema":{SCHEMA}}}"#),
            format!("{{\"payload\" : null , \"schema\":{SCHEMA} }}"),
            r#"{"schema":null,"payload":null}"#.to_owned(),
        ] {
            assert!(is_null_in_envelope(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_is_no_such_envelope_is_a_value() {
        for value in [
            "",
            "null",
            "{}",
            r#"{"schema":{"type":"int32"},"payload":0}"#,
            r#"{"schema":{"type":"int32"},"payload":"null"}"#,
            r#"{"schema":{"type":"int32"},"payload":{"a":null}}"#,
            r#"{"schema":{"type":"int32"},"x":1,"payload":null}"#,
            r#"{"schema":1,"payload":null}"#,
            r#"{"schema":null}"#,
            r#"{"payload":null}"#,
            r#"{"schema":{"type":"int32"},"payload":null"#,
            r#"{"schema":{"type":"int32"},"payload":null}x"#,
        ] {
            assert!(!is_null_in_envelope(value.as_bytes()), "{value}");
        }
    }
}
