//! Rows to lines: an action, and the document as it is.

use super::{body::Body, index::IndexName};
use crate::{
    config::{EsConfig, Ids, OnNull, WriteMethod},
    document::{BadDocument, splice, splice_object},
    error::Failure,
};
use connect_core::{Batch, Error, Piece, Record};

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 512;

/// Makes bodies of batches.
#[derive(Debug)]
pub(crate) struct Encoder {
    index: IndexName,
    ids: Ids,
    method: WriteMethod,
    on_null: OnNull,
}

/// What is known about a row before anything is sent.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is in the body.
    Sent(Action),
    /// It is not.
    Settled(Result<(), Error>),
}

/// What the body asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Write,
    Delete,
}

/// The part of an action that rows of one partition share.
struct Prefix<'a> {
    origin: &'a str,
    partition: i32,
    topic: &'a str,
    text: Result<Vec<u8>, String>,
}

/// The part of an action that differs from row to row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    pub(super) offset: i64,
    /// The number among siblings.
    pub(super) index: Option<u32>,
    pub(super) key: Option<&'a [u8]>,
}

impl Encoder {
    pub(crate) fn new(config: &EsConfig) -> Result<Self, String> {
        let index = IndexName::parse(&config.index)?;
        Ok(Self { index, ids: config.ids(), method: config.write_method, on_null: config.on_null })
    }

    pub(crate) fn index(&self) -> &IndexName {
        &self.index
    }

    /// Appends all rows to `body`. `None`: each row is there, as a write; otherwise the fate of each.
    pub(crate) fn encode(&self, batch: &Batch, body: &mut Body<'_>) -> Option<Vec<Fate>> {
        let written = |_| Fate::Sent(Action::Write);
        let mut fates: Option<Vec<Fate>> = None;
        let mut prefix: Option<Prefix<'_>> = None;
        let mut number = 0;
        for piece in batch.pieces() {
            let record = match piece {
                Piece::Framed { bytes, rows } => {
                    body.share(bytes);
                    number += rows;
                    if let Some(fates) = &mut fates {
                        fates.extend((0..rows).map(written));
                    }
                    continue;
                }
                Piece::Bare(record) => record,
            };
            let prefix = match &mut prefix {
                Some(known) if known.serves(record) => known,
                other => other.insert(self.prefix(record)),
            };
            let body = body.written();
            let start = body.len();
            let fate = self.row(record, prefix, body);
            if let Fate::Settled(_) = fate {
                body.truncate(start);
            }
            if fates.is_some() || !matches!(fate, Fate::Sent(Action::Write)) {
                fates.get_or_insert_with(|| (0..number).map(written).collect()).push(fate);
            }
            number += 1;
        }
        fates
    }

    /// What the actions of written documents begin with; `None`: documents do not stand there as they are.
    pub(super) fn operation(&self) -> Option<&'static [u8]> {
        match self.method {
            WriteMethod::Insert => Some(b"{\"index\""),
            WriteMethod::Create => Some(b"{\"create\""),
            WriteMethod::Upsert => None,
        }
    }

    /// Appends an action that begins with `start`.
    #[inline]
    pub(super) fn action(&self, start: &[u8], of: Identity<'_>, body: &mut Vec<u8>) -> Result<(), Failure> {
        body.extend_from_slice(start);
        match self.ids {
            Ids::Server => body.extend_from_slice(b"}}\n"),
            Ids::Origin => {
                push_number(of.offset, body);
                if let Some(index) = of.index {
                    body.push(b'+');
                    push_number(index.into(), body);
                }
                body.extend_from_slice(b"\"}}\n");
            }
            Ids::Key { versioned } => {
                push_key(of.key.ok_or(Failure::Key("it is null"))?, body)?;
                if versioned {
                    push_version(of, body);
                }
                body.extend_from_slice(b"}}\n");
            }
        }
        Ok(())
    }

    fn row(&self, record: Record<'_>, prefix: &Prefix<'_>, body: &mut Vec<u8>) -> Fate {
        let text = match &prefix.text {
            Ok(text) => text,
            Err(what) => return refused(Failure::IndexName(what.clone())),
        };
        let (operation, action): (&[u8], _) = match (record.value(), self.on_null) {
            (None, OnNull::Fail) => return refused(Failure::NullValue),
            (None, OnNull::Ignore) => return Fate::Settled(Ok(())),
            (None, OnNull::Delete) => (b"{\"delete\"", Action::Delete),
            (Some(_), _) => (self.operation().unwrap_or(b"{\"update\""), Action::Write),
        };
        let origin = record.origin();
        let identity = Identity { offset: origin.offset, index: origin.index, key: record.key() };
        body.extend_from_slice(operation);
        if let Err(failure) = self.action(text, identity, body) {
            return refused(failure);
        }
        match record.value().map(|value| self.document(value, body)) {
            Some(Err(bad)) => refused(Failure::Document(bad)),
            Some(Ok(())) | None => Fate::Sent(action),
        }
    }

    fn document(&self, value: &[u8], body: &mut Vec<u8>) -> Result<(), BadDocument> {
        if self.method == WriteMethod::Upsert {
            body.extend_from_slice(b"{\"doc\":");
            splice_object(value, body)?;
            body.extend_from_slice(b",\"doc_as_upsert\":true}");
        } else {
            splice(value, body)?;
        }
        body.push(b'\n');
        Ok(())
    }

    fn prefix<'a>(&self, record: Record<'a>) -> Prefix<'a> {
        let (origin, topic) = (record.origin(), record.topic());
        let text = self.target(origin.topic, origin.partition, topic);
        Prefix { origin: origin.topic, partition: origin.partition, topic, text }
    }

    /// What the actions for rows of one partition share behind their operation, as far as it goes:
    /// `:{"_index":"logs","_id":"orders+3+`.
    pub(super) fn target(&self, origin: &str, partition: i32, topic: &str) -> Result<Vec<u8>, String> {
        self.index.of(topic).map(|index| {
            let mut text = b":{\"_index\":".to_vec();
            push_json(&index, &mut text);
            match self.ids {
                Ids::Server => {}
                Ids::Key { .. } => text.extend_from_slice(b",\"_id\":"),
                Ids::Origin => {
                    text.extend_from_slice(b",\"_id\":");
                    push_json(&format!("{origin}+{partition}+"), &mut text);
                    // Without the closing quote: the offset follows.
                    text.pop();
                }
            }
            text
        })
    }
}

impl Prefix<'_> {
    fn serves(&self, record: Record<'_>) -> bool {
        let same = |a: &str, b: &str| std::ptr::eq(a, b) || a == b;
        let origin = record.origin();
        self.partition == origin.partition
            && same(self.origin, origin.topic)
            && same(self.topic, record.topic())
    }
}

fn refused(failure: Failure) -> Fate {
    Fate::Settled(Err(failure.into()))
}

/// The offset as the document's version.
fn push_version(of: Identity<'_>, body: &mut Vec<u8>) {
    body.extend_from_slice(b",\"version\":");
    push_number(of.offset, body);
    // Siblings share an offset: the last of them stands, as without versions.
    let kind = if of.index.is_some() { "external_gte" } else { "external" };
    body.extend_from_slice(b",\"version_type\":\"");
    body.extend_from_slice(kind.as_bytes());
    body.push(b'"');
}

/// The key as an id.
fn push_key(key: &[u8], body: &mut Vec<u8>) -> Result<(), Failure> {
    let key = std::str::from_utf8(key).map_err(|_| Failure::Key("it is not UTF-8"))?;
    match key.len() {
        0 => Err(Failure::Key("it is empty")),
        ID_BYTES_MAX.. if key.len() > ID_BYTES_MAX => Err(Failure::Key("it is longer than 512 bytes")),
        _ => {
            push_json(key, body);
            Ok(())
        }
    }
}

fn push_json(text: &str, body: &mut Vec<u8>) {
    serde_json::to_writer(body, text).expect("text can be written to memory");
}

/// A number in decimal; `format!` would cost more than the rest of the action.
fn push_number(number: i64, body: &mut Vec<u8>) {
    body.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests;
