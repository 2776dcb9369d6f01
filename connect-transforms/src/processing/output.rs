//! Results as bytes.

use super::{
    plan::Row,
    value::Field,
    why::{Why, shorten},
};
use crate::json::{escape::quote, names::Names};
use base64::{Engine, engine::general_purpose::STANDARD};
use bumpalo::Bump;
use connect_core::Record;
use std::cell::RefCell;

thread_local! {
    static NAMES: RefCell<Names> = const { RefCell::new(Names::new()) };
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'r> {
    pub(super) topic: &'r str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp: Option<i64>,
}

impl<'r> Origin<'r> {
    pub(super) fn of(record: Record<'r>) -> Self {
        let origin = record.origin();
        Self {
            topic: origin.topic,
            partition: origin.partition,
            offset: origin.offset,
            timestamp: record.timestamp_ms(),
        }
    }
}

/// Where the results of a record must end in a buffer, and how many bytes that are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) end: usize,
    pub(super) bytes: usize,
}

impl Limit {
    fn check(self, end: usize) -> Result<(), Why> {
        if end > self.end { Err(Why::TooLarge(self.bytes)) } else { Ok(()) }
    }
}

/// Appends the fields as a JSON object.
pub(super) fn write_json(
    fields: &[Field<'_>],
    origin: Option<Origin<'_>>,
    seed: u64,
    limit: Limit,
    out: &mut Vec<u8>,
) -> Result<(), Why> {
    NAMES.with_borrow_mut(|names| {
        names.clear();
        let written = write_members(fields, origin, seed, limit, names, out);
        names.shrink();
        written
    })
}

fn write_members(
    fields: &[Field<'_>],
    origin: Option<Origin<'_>>,
    seed: u64,
    limit: Limit,
    names: &mut Names,
    out: &mut Vec<u8>,
) -> Result<(), Why> {
    let start = out.len();
    out.push(b'{');
    let mut name = |text: &str, out: &mut Vec<u8>| {
        if out.len() > start + 1 {
            out.push(b',');
        }
        let from = out.len() + 1;
        quote(text, out);
        let fresh = names.insert(out, from, out.len() - 1, seed);
        out.push(b':');
        if fresh { Ok(()) } else { Err(Why::Collision(shorten(text))) }
    };
    for field in fields {
        // Six: the most bytes that a byte of a text can become.
        limit.check(out.len() + 6 * field.name.len() + field.value.len())?;
        name(field.name, out)?;
        field.value.write(out);
    }
    if let Some(origin) = origin {
        name("__topic", out)?;
        quote(origin.topic, out);
        name("__partition", out)?;
        push_number(origin.partition, out);
        name("__offset", out)?;
        push_number(origin.offset, out);
        name("__timestamp", out)?;
        push_optional(origin.timestamp, out);
    }
    out.push(b'}');
    limit.check(out.len())
}

fn push_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_optional(number: Option<i64>, out: &mut Vec<u8>) {
    match number {
        Some(number) => push_number(number, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends the fields as a row. `null` is written as nothing.
pub(super) fn write_row<'a>(
    fields: &[Field<'a>],
    origin: Option<Origin<'_>>,
    row: &Row,
    bump: &'a Bump,
    limit: Limit,
    out: &mut Vec<u8>,
) -> Result<(), Why> {
    let mut first = true;
    let mut entry = |name: &str, text: &str| {
        if !std::mem::take(&mut first) {
            out.extend_from_slice(row.between.as_bytes());
        }
        if let Some(separator) = &row.keys {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(separator.as_bytes());
        }
        out.extend_from_slice(text.as_bytes());
        limit.check(out.len())
    };
    for field in fields {
        let text = if field.value.is_null() { "" } else { field.value.line(bump) };
        entry(field.name, text)?;
    }
    if let Some(origin) = origin {
        entry("__topic", origin.topic)?;
        entry("__partition", itoa::Buffer::new().format(origin.partition))?;
        entry("__offset", itoa::Buffer::new().format(origin.offset))?;
        let mut buffer = itoa::Buffer::new();
        entry("__timestamp", origin.timestamp.map_or("", |time| buffer.format(time)))?;
    }
    Ok(())
}

/// Appends the record that could not be processed, with the reason.
pub(super) fn write_wrapped(record: Record<'_>, reason: &str, out: &mut Vec<u8>) {
    let origin = Origin::of(record);
    out.extend_from_slice(br#"{"reason":"#);
    quote(reason, out);
    out.extend_from_slice(br#","topic":"#);
    quote(origin.topic, out);
    out.extend_from_slice(br#","partition":"#);
    push_number(origin.partition, out);
    out.extend_from_slice(br#","offset":"#);
    push_number(origin.offset, out);
    out.extend_from_slice(br#","timestamp":"#);
    push_optional(origin.timestamp, out);
    write_bytes("key", record.key(), out);
    write_bytes("value", record.value(), out);
    out.push(b'}');
}

/// `"<name>":"<text>","<name>_encoding":"utf-8"`, or base64 for what is not UTF-8, or `null` for both.
fn write_bytes(name: &str, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    let (text, encoding) = match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (None, None),
        Some((_, Ok(text))) => (Some(text.to_owned()), Some("utf-8")),
        Some((bytes, Err(_))) => (Some(STANDARD.encode(bytes)), Some("base64")),
    };
    for (suffix, text) in [("", text.as_deref()), ("_encoding", encoding)] {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(suffix.as_bytes());
        out.extend_from_slice(b"\":");
        match text {
            Some(text) => quote(text, out),
            None => out.extend_from_slice(b"null"),
        }
    }
}
