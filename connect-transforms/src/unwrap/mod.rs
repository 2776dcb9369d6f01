//! `ExtractNewRecordState`: Debezium's unwrap.

mod dropping;
mod event;
mod fields;
#[cfg(test)]
mod tests;

use crate::json::{SyntaxError, members::string};
use connect_core::{Draft, Error, Output, Record, Transform, config::Problems};
use dropping::Dropping;
use event::{Changes, Event, Row};
use fields::FieldReference;

connect_core::choices! {
    /// What becomes of deletes, and of the tombstones that Debezium sends behind them.
    pub enum DeleteHandling {
        /// Both are dropped.
        Drop = "drop",
        /// A delete becomes a tombstone; Debezium's own is dropped.
        Tombstone = "tombstone",
        /// A delete becomes the row before it with `__deleted` = `"true"`, all others get `"false"`; tombstones are dropped.
        Rewrite = "rewrite",
        /// As `rewrite`, and tombstones stay.
        RewriteWithTombstone = "rewrite-with-tombstone",
        /// As `tombstone`. (In Connect the tombstone then has no schema either, which JSON cannot show.)
        DeleteToTombstone = "delete-to-tombstone",
    }
}

connect_core::config! {
    /// The row after the change, out of a change event of Debezium.
    pub struct UnwrapConfig {
        /// What becomes of deletes and tombstones.
        "delete.tombstone.handling.mode" => deletes: DeleteHandling = DeleteHandling::Tombstone;
        /// Fields of the event that are added to the row: `op`, `ts_ms`, a field of `source` (`table` or `source.table`),
        /// of `transaction` or of another object; `source.ts_ms:when` gives it a name.
        "add.fields" => add_fields: Vec<String> = Vec::new(), check: |fields| references("__", fields).map(drop);
        /// What stands in front of the names of added fields.
        "add.fields.prefix" => fields_prefix: String = "__".to_owned();
        /// Fields of the event that become headers, as in `add.fields`.
        "add.headers" => add_headers: Vec<String> = Vec::new(), check: |fields| references("__", fields).map(drop);
        /// What stands in front of the names of added headers.
        "add.headers.prefix" => headers_prefix: String = "__".to_owned();
        /// The field of the row whose text replaces the topic; none by default.
        "route.by.field" => route: String = String::new();
        /// The header that names fields of the row which are left out, as a JSON array of texts; none by default.
        "drop.fields.header.name" => drop_header: String = String::new();
        /// Whether these fields are left out of the key as well.
        "drop.fields.from.key" => drop_from_key: bool = false, importance: Low;
        /// Whether fields that the schema requires stay all the same.
        "drop.fields.keep.schema.compatible" => drop_compatible: bool = true, importance: Low;
        /// Whether a field that is null and whose schema has a default gets that default, where a row is rewritten.
        "replace.null.with.default" => replace_null_with_default: bool = true, importance: Low;
    } check header_is_given
}

fn header_is_given(config: &UnwrapConfig, problems: &mut Problems) {
    if config.drop_header.trim().is_empty() {
        for (key, set) in [
            ("drop.fields.from.key", config.drop_from_key),
            ("drop.fields.keep.schema.compatible", !config.drop_compatible),
        ] {
            if set {
                problems.add_allowed(key, "no fields are left out", "only with drop.fields.header.name");
            }
        }
    }
}

/// The field that tells deleted rows from others.
const DELETED: &str = "__deleted";

/// `io.debezium.transforms.ExtractNewRecordState`, also `Unwrap`: of a change event of Debezium only the row after the
/// change goes on.
///
/// | key | default | |
/// |---|---|---|
/// | `delete.tombstone.handling.mode` | `tombstone` | `drop`, `tombstone`, `rewrite`, `rewrite-with-tombstone`, `delete-to-tombstone`: see [`DeleteHandling`] |
/// | `add.fields`, `add.fields.prefix` | none, `__` | `op,source.ts_ms:when` adds `__op` and `__when` |
/// | `add.headers`, `add.headers.prefix` | none, `__` | the same as headers; a text without quotes, all else as JSON |
/// | `route.by.field` | none | the field of the row that names the topic |
/// | `drop.fields.header.name` | none | the header that names fields to be left out of the row: `["id","name"]`, as Connect's header converter writes a list |
/// | `drop.fields.from.key` | `false` | these fields are left out of the key as well |
/// | `drop.fields.keep.schema.compatible` | `true` | fields that the schema requires stay; `false`: all are left out |
/// | `replace.null.with.default` | `true` | where a row is rewritten (`rewrite`, `rewrite-with-tombstone`, fields left out), a null field gets the default of its schema |
///
/// | event | becomes |
/// |---|---|
/// | `{"before":null,"after":{"id":1},"op":"c",…}` | `{"id":1}` |
/// | `{"before":{"id":1},"after":null,"op":"d",…}` | by `delete.tombstone.handling.mode` |
/// | both null (a truncate, or a delete without the row) | nothing: it is filtered |
/// | a tombstone | nothing, or itself with `rewrite-with-tombstone` |
/// | anything else, such as a heartbeat | itself |
///
/// With the JSON converter's envelope of schema and payload, the event is known by the schema's name, which ends in
/// `.Envelope`, and the result is an envelope again, with the schema of the row and of what was added.
///
/// ```
/// use connect_core::{Chain, testing::{Message, batch}};
/// use connect_transforms::{DeleteHandling, ExtractNewRecordState};
///
/// let unwrap = ExtractNewRecordState::new().deletes(DeleteHandling::Rewrite).add_fields(["op", "source.table"])?;
/// let event = r#"{"before":null,"after":{"id":1},"source":{"table":"users"},"op":"c"}"#;
/// let done = Chain::new(vec![std::sync::Arc::new(unwrap)]).apply(batch([Message::new(event)]), 0);
/// let value = done.batch.iter().next().unwrap().value().unwrap().to_vec();
/// assert_eq!(value, br#"{"id":1,"__deleted":"false","__op":"c","__source_table":"users"}"#);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Poison: a text that is not JSON, a row that is no object, a `route.by.field` that the row does not have as text, a
/// `drop.fields.header.name` whose header is no JSON array of texts.
///
/// # Differences from Debezium's
/// Events without a schema are unwrapped too (Debezium lets them pass): an object with `op` as text, and `before` or
/// `after`. Numbers keep their text. An added field that the row has already replaces it, and one of an object that the
/// event does not have is left out. A key that is no object loses no fields, where Debezium fails; without a schema no
/// field is required. `replace.null.with.default` also holds where fields are left out, where Debezium always takes
/// defaults. The keys of older versions (`drop.tombstones`, `delete.handling.mode`), which Debezium has removed, are not
/// offered.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractNewRecordState {
    deletes: DeleteHandling,
    fields: Vec<FieldReference>,
    headers: Vec<FieldReference>,
    route: Option<String>,
    dropping: Option<Dropping>,
    fill: bool,
}

/// A header's name and value.
type Header<'a> = (&'a str, Option<Vec<u8>>);

/// Why an event cannot be unwrapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Json(#[from] SyntaxError),
    #[error("the row is {0}, and only objects can be unwrapped")]
    Row(&'static str),
    #[error("the row has no field {0:?} with text in it, which `route.by.field` needs")]
    Route(String),
    #[error("the header {0:?}, which `drop.fields.header.name` names, is no JSON array of texts")]
    Dropping(String),
}

impl ExtractNewRecordState {
    /// With Debezium's defaults: deletes become tombstones, nothing is added.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deletes: DeleteHandling::Tombstone,
            fields: Vec::new(),
            headers: Vec::new(),
            route: None,
            dropping: None,
            fill: true,
        }
    }

    /// What becomes of deletes and tombstones.
    #[must_use]
    pub fn deletes(mut self, deletes: DeleteHandling) -> Self {
        self.deletes = deletes;
        self
    }

    /// Adds fields of the event to the row, their names with `__` in front.
    ///
    /// # Errors
    /// If a name is none.
    pub fn add_fields<'f>(mut self, fields: impl IntoIterator<Item = &'f str>) -> Result<Self, String> {
        for field in fields {
            self.fields.push(FieldReference::parse("__", field)?);
        }
        Ok(self)
    }

    /// Adds fields of the event as headers, their names with `__` in front.
    ///
    /// # Errors
    /// If a name is none.
    pub fn add_headers<'f>(mut self, fields: impl IntoIterator<Item = &'f str>) -> Result<Self, String> {
        for field in fields {
            self.headers.push(FieldReference::parse("__", field)?);
        }
        Ok(self)
    }

    /// Sends each row to the topic that one of its fields names.
    #[must_use]
    pub fn route_by(mut self, field: &str) -> Self {
        self.route = Some(field.to_owned()).filter(|field| !field.is_empty());
        self
    }

    /// Leaves out the fields of the row that this header names, but for those that its schema requires.
    #[must_use]
    pub fn drop_fields(mut self, header: &str) -> Self {
        let dropping = Dropping { header: header.to_owned(), from_key: false, compatible: true };
        self.dropping = Some(dropping).filter(|_| !header.trim().is_empty());
        self
    }

    pub(crate) fn from_config(config: &UnwrapConfig) -> Result<Self, String> {
        Ok(Self {
            deletes: config.deletes,
            fields: references(&config.fields_prefix, &config.add_fields)?,
            headers: references(&config.headers_prefix, &config.add_headers)?,
            route: Some(config.route.clone()).filter(|field| !field.is_empty()),
            dropping: Some(&config.drop_header).filter(|header| !header.trim().is_empty()).map(|header| {
                Dropping {
                    header: header.clone(),
                    from_key: config.drop_from_key,
                    compatible: config.drop_compatible,
                }
            }),
            fill: config.replace_null_with_default,
        })
    }

    fn rewrites(&self) -> bool {
        matches!(self.deletes, DeleteHandling::Rewrite | DeleteHandling::RewriteWithTombstone)
    }

    fn tombstone(&self, record: Record<'_>, out: &mut Output) {
        if self.deletes != DeleteHandling::RewriteWithTombstone {
            return;
        }
        let added = self.headers.iter().filter(|header| header.is_operation());
        let added: Vec<_> = added.map(|header| (header.name.as_str(), Some(b"d".to_vec()))).collect();
        with_headers(out.derive(record), record, &added).emit();
    }

    fn unwrap(&self, record: Record<'_>, event: &Event<'_>, out: &mut Output) -> Result<(), Broken> {
        let (row, deleted) = match (event.after()?, event.before()?) {
            (Some(after), _) => (after, false),
            (None, Some(before)) => (before, true),
            (None, None) => return Ok(()),
        };
        if deleted && self.deletes == DeleteHandling::Drop {
            return Ok(());
        }
        let mut draft = out.derive(record);
        if let Some(topic) = self.topic(&row)? {
            draft = draft.topic(&topic);
        }
        if !self.headers.is_empty() {
            draft = with_headers(draft, record, &self.header_values(event)?);
        }
        let names = match &self.dropping {
            Some(dropping) => dropping.names(record)?,
            None => Vec::new(),
        };
        if let (Some(dropping), Some(key)) = (&self.dropping, record.key())
            && let Some(key) = dropping.key(&names, key, self.fill)?
        {
            draft = draft.key(Some(&key));
        }
        if deleted && !self.rewrites() {
            draft.value(None).emit();
            return Ok(());
        }
        let changes = self.changes(event, &row, deleted, &names)?;
        let mut value = Vec::new();
        event.write(&row, &changes, &mut value)?;
        draft.value(Some(&value)).emit();
        Ok(())
    }

    fn changes<'a>(
        &self,
        event: &Event<'a>,
        row: &Row<'_>,
        deleted: bool,
        names: &[String],
    ) -> Result<Changes<'a>, Broken> {
        let mut changes = Changes::default();
        if let Some(dropping) = self.dropping.as_ref().filter(|_| !names.is_empty()) {
            changes.dropped = dropping.of_row(names, event, row)?;
        }
        // Debezium leaves fields out of a deleted row before it adds others, of all other rows after that.
        let stays =
            |added: &fields::Added<'_>, early: bool| (deleted && !early) || !names.contains(&added.name);
        if self.rewrites() {
            changes.added.extend(Some(fields::Added::deleted(deleted)).filter(|added| stays(added, true)));
        }
        for field in &self.fields {
            changes.added.extend(field.find(event)?.filter(|added| stays(added, false)));
        }
        changes.fill = self.fill && (self.rewrites() || !changes.dropped.is_empty());
        Ok(changes)
    }

    /// What the field says that names the topic; blank: nothing.
    fn topic(&self, row: &Row<'_>) -> Result<Option<String>, Broken> {
        let Some(field) = &self.route else { return Ok(None) };
        match row.field(field) {
            Some("null") => Ok(None),
            Some(text) => match string(text) {
                Some(topic) => Ok(Some(topic).filter(|topic| !topic.trim().is_empty())),
                None => Err(Broken::Route(field.clone())),
            },
            None => Err(Broken::Route(field.clone())),
        }
    }

    fn header_values(&self, event: &Event<'_>) -> Result<Vec<Header<'_>>, Broken> {
        let mut values = Vec::new();
        for header in &self.headers {
            if let Some(found) = header.find(event)? {
                let value = match found.value {
                    "null" => None,
                    text => Some(string(text).map_or_else(|| text.as_bytes().to_vec(), String::into_bytes)),
                };
                values.push((header.name.as_str(), value));
            }
        }
        Ok(values)
    }
}

impl Default for ExtractNewRecordState {
    fn default() -> Self {
        Self::new()
    }
}

/// With these headers behind the ones that are there.
fn with_headers<'o>(draft: Draft<'o>, record: Record<'_>, added: &[Header<'_>]) -> Draft<'o> {
    if added.is_empty() {
        return draft;
    }
    draft.headers(record.headers().chain(added.iter().map(|(name, value)| (*name, value.as_deref()))))
}

fn references(prefix: &str, fields: &[String]) -> Result<Vec<FieldReference>, String> {
    fields.iter().map(|field| FieldReference::parse(prefix, field)).collect()
}

impl Transform for ExtractNewRecordState {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let Some(json) = record.value() else {
            self.tombstone(record, out);
            return Ok(());
        };
        let poison = |broken: Broken| Error::poison("unwrap the change event", broken);
        match Event::read(json).map_err(poison)? {
            Some(event) => self.unwrap(record, &event, out).map_err(poison)?,
            None => out.keep(record),
        }
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let Self { deletes, fields, headers, route, dropping, fill } = self;
        Some(format!(
            "ExtractNewRecordState delete.tombstone.handling.mode={deletes} add.fields={fields:?} add.headers={headers:?} \
             route.by.field={route:?} drop.fields={dropping:?} replace.null.with.default={fill}"
        ))
    }
}
