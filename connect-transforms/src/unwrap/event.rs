//! A change event, with or without its schema.

use super::{Broken, fields::Added};
use crate::json::{
    SyntaxError,
    escape::quote,
    members::{elements, find, members, string},
    object::{Member, ObjectWriter, escaped},
};

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

    /// Appends the row with what was added to it.
    pub(super) fn write(&self, row: &Row<'_>, added: &[Added<'_>], out: &mut Vec<u8>) -> Result<(), Broken> {
        match self.schema {
            Wrapped::Not => {
                write_row(row, added, out);
                return Ok(());
            }
            Wrapped::WithoutSchema => out.extend_from_slice(br#"{"schema":null,"payload":"#),
            Wrapped::Schema(schema) => {
                out.extend_from_slice(br#"{"schema":"#);
                match field_schema(schema, row.name)? {
                    Some(schema) => write_schema(schema, added, out)?,
                    None => out.extend_from_slice(b"null"),
                }
                out.extend_from_slice(br#","payload":"#);
            }
        }
        write_row(row, added, out);
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

/// An object without the members of which others say what they are.
fn write_row(row: &Row<'_>, added: &[Added<'_>], out: &mut Vec<u8>) {
    let replaced = |member: &Member| added.iter().any(|new| member.is(row.text, &new.name));
    if added.is_empty() {
        out.extend_from_slice(row.text.as_bytes());
        return;
    }
    let mut object = ObjectWriter::new(row.text, out);
    for member in row.members.iter().filter(|member| !replaced(member)) {
        object.key_of(member, out);
        out.extend_from_slice(&row.text.as_bytes()[member.value.clone()]);
    }
    for new in added {
        object.name(&escaped(&new.name), out);
        out.extend_from_slice(new.value.as_bytes());
    }
    object.end(out);
}

/// The schema of a row as a schema of its own, with the fields that were added.
fn write_schema(schema: &str, added: &[Added<'_>], out: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let parts = members(schema)?.unwrap_or_default();
    let mut object = ObjectWriter::new(schema, out);
    for part in parts.iter().filter(|part| !part.is(schema, "field")) {
        object.key_of(part, out);
        let value = &schema[part.value.clone()];
        if part.is(schema, "fields") && !added.is_empty() {
            write_fields(value, added, out)?;
        } else {
            out.extend_from_slice(value.as_bytes());
        }
    }
    object.end(out);
    Ok(())
}

fn write_fields(fields: &str, added: &[Added<'_>], out: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let mut separator = b'[';
    for field in elements(fields)? {
        let name = members(field)?.and_then(|parts| string(find(field, &parts, "field")?));
        if name.is_some_and(|name| added.iter().any(|new| new.name == name)) {
            continue;
        }
        out.push(separator);
        separator = b',';
        out.extend_from_slice(field.as_bytes());
    }
    for new in added {
        out.push(separator);
        separator = b',';
        write_added(new, out)?;
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
