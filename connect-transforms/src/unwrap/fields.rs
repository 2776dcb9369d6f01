//! What is added to a row: names of fields of the event, and what they stand for.

use super::{Broken, DELETED, event::Event};
use crate::json::members::{find, members};

/// A field of the event and the name that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldReference {
    /// The object that it is in; none: the event itself.
    parent: Option<String>,
    field: String,
    pub(super) name: String,
}

/// A field that a row gets.
#[derive(Debug)]
pub(super) struct Added<'a> {
    pub(super) name: String,
    /// JSON text.
    pub(super) value: &'a str,
    /// That of the field it was; none: text.
    pub(super) schema: Option<&'a str>,
}

impl Added<'_> {
    pub(super) fn deleted(deleted: bool) -> Self {
        let value = if deleted { "\"true\"" } else { "\"false\"" };
        Self { name: DELETED.to_owned(), value, schema: None }
    }
}

impl FieldReference {
    /// `field`, `parent.field`, each with `:name` behind it if it gets another name.
    pub(super) fn parse(prefix: &str, text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no field: write `field`, `parent.field` or `parent.field:name`");
        let mut parts = text.trim().split(':');
        let (path, name, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let mut steps = path.split('.');
        let (first, second, third) = (steps.next().unwrap_or_default(), steps.next(), steps.next());
        let blank = first.is_empty() || second.is_some_and(str::is_empty) || name.is_some_and(str::is_empty);
        if blank || more.is_some() || third.is_some() {
            return Err(wrong());
        }
        let (parent, field) = match second {
            Some(field) => (Some(first), field),
            None => (parent_of(first), first),
        };
        let name = match (name, second) {
            (Some(name), _) => format!("{prefix}{name}"),
            (None, None) => format!("{prefix}{field}"),
            (None, Some(_)) => format!("{prefix}{first}_{field}"),
        };
        Ok(Self { parent: parent.map(str::to_owned), field: field.to_owned(), name })
    }

    /// Whether it is what was done to the row.
    pub(super) fn is_operation(&self) -> bool {
        self.field == "op"
    }

    /// What it stands for in this event; `None`: the event has no such field. A field whose parent is null is null, and
    /// one that its parent does not have is looked for in the event itself, as Debezium does.
    pub(super) fn find<'a>(&self, event: &Event<'a>) -> Result<Option<Added<'a>>, Broken> {
        let parent = self.parent.as_deref();
        let (in_parent, in_event) =
            (event.schema_of(parent, &self.field)?, event.schema_of(None, &self.field)?);
        let schema = in_parent.or(in_event);
        if event.has_schema() && schema.is_none() {
            return Ok(None);
        }
        let value = match parent {
            None => event.member(&self.field),
            Some(parent) => match event.member(parent) {
                Some("null") => Some("null"),
                Some(object) => {
                    let inner = members(object)?.unwrap_or_default();
                    find(object, &inner, &self.field).or_else(|| event.member(&self.field))
                }
                None => event.member(&self.field),
            },
        };
        // By the schema it is there: without a value it is null.
        let value = value.or(event.has_schema().then_some("null"));
        Ok(value.map(|value| Added { name: self.name.clone(), value, schema }))
    }
}

/// Where a field is that is named alone.
fn parent_of(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}
