//! `RouteByField`: the topic from a field.

use crate::{JsonPath, json::members::string, part::Part};
use connect_core::{
    Error, Output, Record, Transform,
    config::{Problems, not_empty},
};
use std::borrow::Cow;

/// Kafka allows no longer names.
const TOPIC_MAX: usize = 249;

connect_core::choices! {
    /// What happens to a record that has no such field, or none with text, a number or a boolean in it.
    pub enum OnMissing {
        /// It is poison.
        Fail = "fail",
        /// It keeps its topic.
        Keep = "keep",
        /// It goes to `fallback.topic`.
        Fallback = "fallback",
    }
}

connect_core::config! {
    /// Sends a record to the topic that one of its fields names.
    pub struct RouteByFieldConfig {
        /// The field: a JSON path such as `$.tenant.id`. Of several places (`$..tenant`) the first one that has text, a number or a boolean.
        "field" => field: String, importance: High, check: not_empty, check: |path| compile(path).map(drop);
        /// The new topic, in which `${field}` stands for the field's text and `${topic}` for the topic until now.
        "topic.format" => format: String = "${field}".to_owned(), check: |format| parse(format).map(drop);
        /// What happens to a record without that field.
        "on.missing" => on_missing: OnMissing = OnMissing::Fail;
        /// Where records without that field go.
        "fallback.topic" => fallback: Option<String>, check: |topic: &Option<String>| match topic {
            Some(topic) if !is_topic(topic) => Err("not the name of a topic".to_owned()),
            _ => Ok(()),
        };
    } check fallback_is_given
}

fn fallback_is_given(config: &RouteByFieldConfig, problems: &mut Problems) {
    if (config.on_missing == OnMissing::Fallback) != config.fallback.is_some() {
        problems.add("fallback.topic", "give on.missing=fallback and this key, or neither");
    }
}

/// Sends each record to the topic that a field of its value (`RouteByField`) or key (`RouteByField$Key`) names. Only
/// the route changes: offsets are committed for the topic the record was read from.
///
/// | key | default | |
/// |---|---|---|
/// | `field` | required | a [`JsonPath`] |
/// | `topic.format` | `${field}` | `${field}` and `${topic}` are replaced |
/// | `on.missing` | `fail` | `keep` the topic, or `fallback` |
/// | `fallback.topic` | none | for `on.missing=fallback` |
///
/// A path may name one place (`$.tenant.id`), many (`$..tenant`, `$.tags[*]`) or compute something
/// (`$.concat($.tenant, "-", $.level)`). Of what it finds the first that is text (not empty), a number or a boolean
/// counts, in the order of the record; null, objects and arrays are passed over.
///
/// With `field=$.tenant`, `topic.format=${topic}-${field}`, the record `{"tenant":"a"}` of `logs` goes to `logs-a`.
///
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::RouteByField;
///
/// let route = RouteByField::value("$.tenant")?.format("${topic}-${field}")?;
/// let done = Chain::new(vec![std::sync::Arc::new(route)]).apply(batch([Message::new(r#"{"tenant":"a"}"#)]), 0);
/// assert!(done.batch.iter().next().unwrap().topic().ends_with("-a"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Poison: text that is not JSON, as far as it is looked at (a definite path such as `$.a.b` looks at nothing behind the
/// outermost object), a missing field (`on.missing=fail`), a result that no topic can be called (1 to 249
/// of letters, digits, `.`, `_`, `-`; not `.` or `..`).
#[derive(Clone, Debug)]
pub struct RouteByField {
    part: Part,
    field: JsonPath,
    format: Vec<Piece>,
    on_missing: OnMissing,
    fallback: Option<String>,
    description: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Topic,
    Field,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Misrouted {
    #[error("the field {0} is missing, or has no text, number or boolean in it: see `on.missing`")]
    Missing(String),
    #[error("no topic can be called {0:?}")]
    Name(String),
}

impl RouteByField {
    /// By a field of the value.
    ///
    /// # Errors
    /// If `field` is no JSON path.
    pub fn value(field: &str) -> Result<Self, String> {
        Self::new(Part::Value, &RouteByFieldConfig::new(field.to_owned()))
    }

    /// By a field of the key.
    ///
    /// # Errors
    /// If `field` is no JSON path.
    pub fn key(field: &str) -> Result<Self, String> {
        Self::new(Part::Key, &RouteByFieldConfig::new(field.to_owned()))
    }

    /// The new topic: `${field}` and `${topic}` are replaced.
    ///
    /// # Errors
    /// If there is another placeholder.
    pub fn format(mut self, format: &str) -> Result<Self, String> {
        self.format = parse(format)?;
        self.description.push_str(&format!(" format={format:?}"));
        Ok(self)
    }

    pub(crate) fn new(part: Part, config: &RouteByFieldConfig) -> Result<Self, String> {
        let RouteByFieldConfig { field, format, on_missing, fallback } = config;
        Ok(Self {
            part,
            field: compile(field)?,
            format: parse(format)?,
            on_missing: *on_missing,
            fallback: fallback.clone(),
            description: format!(
                "RouteByField of={part} field={field:?} topic.format={format:?} on.missing={on_missing} fallback.topic={fallback:?}"
            ),
        })
    }

    /// The field's text.
    fn field(&self, json: &[u8]) -> Result<Option<String>, Error> {
        if self.field.is_definite() {
            return Ok(self.field.value(json)?.and_then(text));
        }
        Ok(self.field.select(json)?.into_iter().find_map(text))
    }

    fn topic(&self, record: Record<'_>, field: &str) -> Result<String, Misrouted> {
        let pieces = self.format.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Topic => record.topic(),
            Piece::Field => field,
        });
        let topic: String = pieces.collect();
        if is_topic(&topic) {
            Ok(topic)
        } else {
            Err(Misrouted::Name(topic.chars().take(TOPIC_MAX).collect()))
        }
    }
}

impl Transform for RouteByField {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let poison = |misrouted| Error::poison("route by a field", misrouted);
        let field = match self.part.of(record) {
            Some(json) => self.field(json)?,
            None => None,
        };
        let topic = match (field, self.on_missing) {
            (Some(field), _) => Some(self.topic(record, &field).map_err(poison)?),
            (None, OnMissing::Fail) => {
                return Err(poison(Misrouted::Missing(self.field.as_str().to_owned())));
            }
            (None, OnMissing::Keep) => None,
            (None, OnMissing::Fallback) => self.fallback.clone(),
        };
        match topic {
            Some(topic) => out.derive(record).topic(&topic).emit(),
            None => out.keep(record),
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        Some(self.description.clone())
    }
}

fn compile(path: &str) -> Result<JsonPath, String> {
    JsonPath::compile(path).map_err(|error| error.to_string())
}

/// What can be a part of a topic's name.
fn text(value: Cow<'_, str>) -> Option<String> {
    match value.as_bytes().first() {
        Some(b'"') => string(&value).filter(|text| !text.is_empty()),
        Some(b'{' | b'[' | b'n') | None => None,
        Some(_) => Some(value.into_owned()),
    }
}

fn parse(format: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), format);
    while let Some(at) = rest.find("${") {
        let (text, behind) = rest.split_at(at);
        pieces.push(Piece::Text(text.to_owned()));
        let end = behind.find('}').ok_or("a placeholder without its `}`")?;
        pieces.push(match &behind[2..end] {
            "topic" => Piece::Topic,
            "field" => Piece::Field,
            _ => return Err("only ${topic} and ${field} can be replaced".to_owned()),
        });
        rest = &behind[end + 1..];
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

fn is_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= TOPIC_MAX && name != "." && name != ".." && name.bytes().all(legal)
}
