//! Fields that a header names, left out of rows and keys.

use super::{
    Broken,
    event::{Changes, Event, Row, optional_in, write_object, write_schema},
};
use crate::json::{
    Scanner, SyntaxError,
    members::{elements, find, members, string},
};
use connect_core::Record;

/// Debezium's `drop.fields.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropping {
    /// The header that has the names.
    pub(super) header: String,
    pub(super) from_key: bool,
    /// Fields that a schema requires stay.
    pub(super) compatible: bool,
}

impl Dropping {
    /// What the record's header names; of equal headers the first one counts.
    pub(super) fn names(&self, record: Record<'_>) -> Result<Vec<String>, Broken> {
        let mut headers = record.headers();
        let header = headers.find(|(name, _)| *name == self.header).and_then(|(_, value)| value);
        match header {
            Some(value) => list(value).ok_or_else(|| Broken::Dropping(self.header.clone())),
            None => Ok(Vec::new()),
        }
    }

    /// Those of the names that are left out of this row.
    pub(super) fn of_row(
        &self,
        names: &[String],
        event: &Event<'_>,
        row: &Row<'_>,
    ) -> Result<Vec<String>, SyntaxError> {
        self.allowed(names, event.row_schema(row)?)
    }

    /// The key without these fields; `None`: nothing is to be left out, or it is no object.
    pub(super) fn key(&self, names: &[String], key: &[u8], fill: bool) -> Result<Option<Vec<u8>>, Broken> {
        if !self.from_key || names.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(key).map_err(|e| SyntaxError::Utf8(e.valid_up_to()))?;
        let Some(outer) = members(text)? else { return Ok(None) };
        let mut out = Vec::new();
        let wrapped = match (find(text, &outer, "schema"), find(text, &outer, "payload")) {
            (Some(schema), Some(payload)) if outer.len() == 2 => Some((schema, payload)),
            _ => None,
        };
        let Some((schema, payload)) = wrapped else {
            let changes = Changes { dropped: names.to_vec(), ..Changes::default() };
            write_object(text, &outer, None, &changes, &mut out)?;
            return Ok(Some(out));
        };
        let Some(inner) = members(payload)? else { return Ok(None) };
        let known = Some(schema).filter(|schema| *schema != "null");
        let dropped = self.allowed(names, known)?;
        if dropped.is_empty() {
            return Ok(None);
        }
        let changes = Changes { dropped, fill, ..Changes::default() };
        out.extend_from_slice(br#"{"schema":"#);
        match known {
            Some(schema) => write_schema(schema, &changes, &mut out)?,
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","payload":"#);
        write_object(payload, &inner, known, &changes, &mut out)?;
        out.push(b'}');
        Ok(Some(out))
    }

    /// Without a schema no field is required.
    fn allowed(&self, names: &[String], schema: Option<&str>) -> Result<Vec<String>, SyntaxError> {
        match schema {
            Some(schema) if self.compatible => optional_in(schema, names),
            _ => Ok(names.to_vec()),
        }
    }
}

/// The texts of a JSON array, as Connect's header converter writes a list.
fn list(value: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let mut scanner = Scanner::of(text);
    scanner.value(&mut Vec::new()).and_then(|_| scanner.end()).ok()?;
    if !text.starts_with('[') {
        return None;
    }
    elements(text).ok()?.into_iter().map(string).collect()
}
