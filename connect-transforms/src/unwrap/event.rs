//! A change event, with or without its schema.

use super::{Broken, fields::Added};
use crate::json::{
    SyntaxError,
    escape::quote,
    members::{elements, find, members, string},
    object::{Member, ObjectWriter, escaped},
};
use std::collections::{HashMap, HashSet};

/// What the name of an event's schema ends in.
const ENVELOPE: &str = ".Envelope";

/// An event whose members are known; what is in them is looked at only where it is asked for.
#[derive(Debug)]
pub(super) struct Event<'a> {
    text: &'a str,
    members: Vec<Member>,
    schema: Wrapped<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Wrapped<'a> {
    /// There is no envelope of schema and payload.
    Not,
    /// There is one, whose schema is null.
    WithoutSchema,
    Schema(&'a str),
}

/// The state of a row: an object.
#[derive(Debug)]
pub(super) struct Row<'a> {
    text: &'a str,
    members: Vec<Member>,
    /// The field of the event that it was.
    name: &'static str,
}

/// What is changed about a row or a key.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    pub(super) added: Vec<Added<'a>>,
    /// The names of fields that are left out.
    pub(super) dropped: Vec<String>,
    /// Null becomes the default of its schema, if it has one.
    pub(super) fill: bool,
}

impl Changes<'_> {
    /// The names of fields that are left out, or in whose place another one stands.
    fn replaced(&self) -> HashSet<&str> {
        self.dropped
            .iter()
            .map(String::as_str)
            .chain(self.added.iter().map(|new| new.name.as_str()))
            .collect()
    }
}

impl<'a> Row<'a> {
    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        find(self.text, &self.members, name)
    }
}

impl<'a> Event<'a> {
    /// `None`: another kind of record.
    pub(super) fn read(json: &'a [u8]) -> Result<Option<Self>, Broken> {
        let text = std::str::from_utf8(json).map_err(|e| SyntaxError::Utf8(e.valid_up_to()))?;
        let Some(outer) = members(text)? else { return Ok(None) };
        let wrapped = outer.len() == 2
            && outer.iter().all(|member| member.is(text, "schema") || member.is(text, "payload"));
        let (Some(schema), Some(payload), true) =
            (find(text, &outer, "schema"), find(text, &outer, "payload"), wrapped)
        else {
            let event = Self { text, members: outer, schema: Wrapped::Not };
            return Ok(event.looks_like_one().then_some(event));
        };
        let Some(inner) = members(payload)? else { return Ok(None) };
        if schema == "null" {
            let event = Self { text: payload, members: inner, schema: Wrapped::WithoutSchema };
            return Ok(event.looks_like_one().then_some(event));
        }
        let name = members(schema)?.and_then(|members| string(find(schema, &members, "name")?));
        let is_one = name.is_some_and(|name| name.ends_with(ENVELOPE));
        Ok(is_one.then_some(Self { text: payload, members: inner, schema: Wrapped::Schema(schema) }))
    }

    fn looks_like_one(&self) -> bool {
        let text = self.member("op").is_some_and(|op| op.starts_with('"'));
        text && (self.member("before").is_some() || self.member("after").is_some())
    }

    pub(super) fn member(&self, name: &str) -> Option<&'a str> {
        find(self.text, &self.members, name)
    }

    pub(super) fn after(&self) -> Result<Option<Row<'a>>, Broken> {
        self.row("after")
    }

    pub(super) fn before(&self) -> Result<Option<Row<'a>>, Broken> {
        self.row("before")
    }

    fn row(&self, name: &'static str) -> Result<Option<Row<'a>>, Broken> {
        let Some(text) = self.member(name).filter(|text| *text != "null") else { return Ok(None) };
        let members = members(text)?.ok_or(Broken::Row(match text.as_bytes().first() {
            Some(b'"') => "a string",
            Some(b'[') => "an array",
            _ => "a number or a boolean",
        }))?;
        Ok(Some(Row { text, members, name }))
    }

    /// The schema of a field of the event, or of a field of that field; `None` if there is no such field.
    pub(super) fn schema_of(
        &self,
        parent: Option<&str>,
        field: &str,
    ) -> Result<Option<&'a str>, SyntaxError> {
        let Wrapped::Schema(schema) = self.schema else { return Ok(None) };
        match parent {
            None => field_schema(schema, field),
            Some(parent) => match field_schema(schema, parent)? {
                Some(parent) => field_schema(parent, field),
                None => Ok(None),
            },
        }
    }

    pub(super) fn has_schema(&self) -> bool {
        matches!(self.schema, Wrapped::Schema(_))
    }

    /// The schema of a row.
    pub(super) fn row_schema(&self, row: &Row<'_>) -> Result<Option<&'a str>, SyntaxError> {
        self.schema_of(None, row.name)
    }

    /// Appends the row with its changes.
    pub(super) fn write(
        &self,
        row: &Row<'_>,
        changes: &Changes<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let schema = match self.schema {
            Wrapped::Not => return Ok(write_object(row.text, &row.members, None, changes, out)?),
            Wrapped::WithoutSchema => None,
            Wrapped::Schema(_) => self.row_schema(row)?,
        };
        out.extend_from_slice(br#"{"schema":"#);
        match schema {
            Some(schema) => write_schema(schema, changes, out)?,
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","payload":"#);
        write_object(row.text, &row.members, schema, changes, out)?;
        out.push(b'}');
        Ok(())
    }
}

/// What the `fields` of a schema say of one of them.
fn field_schema<'a>(schema: &'a str, field: &str) -> Result<Option<&'a str>, SyntaxError> {
    let Some(parts) = members(schema)? else { return Ok(None) };
    let Some(fields) = find(schema, &parts, "fields") else { return Ok(None) };
    for candidate in elements(fields)? {
        let Some(parts) = members(candidate)? else { continue };
        if find(candidate, &parts, "field").and_then(string).as_deref() == Some(field) {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// The name of a field, and its default.
type Known<'a> = (String, &'a str);

/// The names of the fields that a schema calls optional, and those that have a default, with it.
fn optional_and_defaults(schema: &str) -> Result<(Vec<String>, Vec<Known<'_>>), SyntaxError> {
    let (mut optional, mut defaults) = (Vec::new(), Vec::new());
    let parts = members(schema)?.unwrap_or_default();
    for field in elements(find(schema, &parts, "fields").unwrap_or("[]"))? {
        let parts = members(field)?.unwrap_or_default();
        let Some(name) = find(field, &parts, "field").and_then(string) else { continue };
        if find(field, &parts, "optional") == Some("true") {
            optional.push(name.clone());
        }
        if let Some(default) = find(field, &parts, "default").filter(|default| *default != "null") {
            defaults.push((name, default));
        }
    }
    Ok((optional, defaults))
}

/// Those of the names that a schema allows to be left out.
pub(super) fn optional_in(schema: &str, names: &[String]) -> Result<Vec<String>, SyntaxError> {
    let (optional, _) = optional_and_defaults(schema)?;
    let optional: HashSet<&str> = optional.iter().map(String::as_str).collect();
    Ok(names.iter().filter(|name| optional.contains(name.as_str())).cloned().collect())
}

/// Appends an object with its changes; its schema says what null stands for.
pub(super) fn write_object(
    text: &str,
    members: &[Member],
    schema: Option<&str>,
    changes: &Changes<'_>,
    out: &mut Vec<u8>,
) -> Result<(), SyntaxError> {
    let defaults = match schema.filter(|_| changes.fill) {
        Some(schema) => optional_and_defaults(schema)?.1,
        None => Vec::new(),
    };
    if changes.added.is_empty() && changes.dropped.is_empty() && defaults.is_empty() {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let replaced = changes.replaced();
    let default_of: HashMap<&str, &str> =
        defaults.iter().map(|(name, default)| (name.as_str(), *default)).collect();
    let mut there = HashSet::new();
    let mut object = ObjectWriter::new(text, out);
    for member in members {
        let name = member.name(text);
        if replaced.contains(&*name) {
            continue;
        }
        object.key_of(member, out);
        let value = &text[member.value.clone()];
        let default = default_of.get(&*name);
        out.extend_from_slice(default.filter(|_| value == "null").unwrap_or(&value).as_bytes());
        if default.is_some() {
            there.insert(name);
        }
    }
    // What is not there is null.
    for (name, default) in &defaults {
        if !there.contains(name.as_str()) && !replaced.contains(name.as_str()) {
            object.name(&escaped(name), out);
            out.extend_from_slice(default.as_bytes());
        }
    }
    for new in &changes.added {
        object.name(&escaped(&new.name), out);
        out.extend_from_slice(new.value.as_bytes());
    }
    object.end(out);
    Ok(())
}

/// The schema of a row or a key as one of its own, with its changes: as Connect copies schemas, neither optional nor
/// with a default.
pub(super) fn write_schema(
    schema: &str,
    changes: &Changes<'_>,
    out: &mut Vec<u8>,
) -> Result<(), SyntaxError> {
    let parts = members(schema)?.unwrap_or_default();
    let mut object = ObjectWriter::new(schema, out);
    for part in parts.iter().filter(|part| !part.is(schema, "field") && !part.is(schema, "default")) {
        object.key_of(part, out);
        let value = &schema[part.value.clone()];
        if part.is(schema, "optional") {
            out.extend_from_slice(b"false");
        } else if part.is(schema, "fields") && !(changes.added.is_empty() && changes.dropped.is_empty()) {
            write_fields(value, changes, out)?;
        } else {
            out.extend_from_slice(value.as_bytes());
        }
    }
    object.end(out);
    Ok(())
}

fn write_fields(fields: &str, changes: &Changes<'_>, out: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let (start, replaced) = (out.len(), changes.replaced());
    for field in elements(fields)? {
        let name = members(field)?.and_then(|parts| string(find(field, &parts, "field")?));
        if name.is_some_and(|name| replaced.contains(name.as_str())) {
            continue;
        }
        out.push(b',');
        out.extend_from_slice(field.as_bytes());
    }
    for new in &changes.added {
        out.push(b',');
        write_added(new, out)?;
    }
    match out.get_mut(start) {
        Some(first) => *first = b'[',
        None => out.push(b'['),
    }
    out.push(b']');
    Ok(())
}

/// The schema of an added field: that of what it was, but optional, without default, and by its new name.
fn write_added(new: &Added<'_>, out: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let old = new.schema.unwrap_or_default();
    let mut object = ObjectWriter::new(old, out);
    if new.schema.is_none() {
        object.name(b"type", out);
        out.extend_from_slice(b"\"string\"");
    } else {
        let renewed = |part: &Member| ["field", "optional", "default"].iter().any(|name| part.is(old, name));
        for part in members(old)?.unwrap_or_default().iter().filter(|part| !renewed(part)) {
            object.key_of(part, out);
            out.extend_from_slice(&old.as_bytes()[part.value.clone()]);
        }
    }
    object.name(b"optional", out);
    out.extend_from_slice(b"true");
    object.name(b"field", out);
    quote(&new.name, out);
    object.end(out);
    Ok(())
}
