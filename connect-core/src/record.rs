//! One record of a batch, as plugins see it.

use crate::{Batch, Class, Error, PartitionId, framing::Frame};
use bytes::Bytes;
use std::sync::Arc;

/// Where a record was read. Nothing can change it; delivery is accounted under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin<'a> {
    /// The assignment under which it was read.
    pub id: PartitionId,
    /// The topic as read.
    pub topic: &'a str,
    /// The partition as read.
    pub partition: i32,
    /// The offset as read.
    pub offset: i64,
    /// Its number among siblings, if a transform made several records of one; `None` for an only child.
    pub index: Option<u32>,
}

/// A place in one of the batch's chunks; `chunk == NULL`: null, which is not empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) chunk: u32,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

const NULL: u32 = u32::MAX;
/// A row's topic is its origin's.
pub(crate) const AS_READ: u32 = u32::MAX;
/// A row has no sibling.
pub(crate) const ONLY: u32 = u32::MAX;
/// Timestamp of a record that has none.
pub(crate) const NO_TIMESTAMP: i64 = i64::MIN;

impl Span {
    pub(crate) const NONE: Self = Self { chunk: NULL, start: 0, len: 0 };

    pub(crate) fn new(chunk: u32, start: usize, end: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).expect("a chunk is smaller than 4 GiB");
        Self { chunk, start: narrow(start), len: narrow(end - start) }
    }

    pub(crate) fn shifted(self, chunks: u32) -> Self {
        if self.chunk == NULL { self } else { Self { chunk: self.chunk + chunks, ..self } }
    }

    fn of(self, chunks: &[Bytes]) -> Option<&[u8]> {
        if self.chunk == NULL {
            return None;
        }
        let start = self.start as usize;
        Some(&chunks[self.chunk as usize][start..start + self.len as usize])
    }

    pub(crate) fn is_null(self) -> bool {
        self.chunk == NULL
    }
}

/// A record's integers. 72 bytes, so that a thousand of them stay in the second-level cache beside their payloads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) run: u32,
    pub(crate) index: u32,
    pub(crate) original: u32,
    pub(crate) topic: u32,
    pub(crate) key: Span,
    pub(crate) value: Span,
    pub(crate) headers: Span,
    pub(crate) frame: Frame,
}

impl Row {
    pub(crate) fn shifted(&self, runs: u32, chunks: u32, topics: u32, originals: u32) -> Self {
        Self {
            run: self.run + runs,
            original: self.original + originals,
            topic: if self.topic == AS_READ { AS_READ } else { self.topic + topics },
            key: self.key.shifted(chunks),
            value: self.value.shifted(chunks),
            headers: self.headers.shifted(chunks),
            ..*self
        }
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        (self.key.len + self.value.len) as usize
    }

    /// Keys, values, headers and the row itself.
    pub(crate) fn bytes(&self) -> usize {
        self.payload_bytes() + self.headers.len as usize + size_of::<Self>()
    }
}

/// One record: a `Copy` view of 16 bytes into its [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    batch: &'a Batch,
    row: &'a Row,
}

impl<'a> Record<'a> {
    pub(crate) fn new(batch: &'a Batch, row: &'a Row) -> Self {
        Self { batch, row }
    }

    pub(crate) fn row(self) -> &'a Row {
        self.row
    }

    /// Where it was read, and its number among siblings.
    #[must_use]
    pub fn origin(self) -> Origin<'a> {
        let run = &self.batch.runs[self.row.run as usize];
        Origin {
            id: run.id,
            topic: &run.topic,
            partition: run.partition,
            offset: self.row.offset,
            index: (self.row.index != ONLY).then_some(self.row.index),
        }
    }

    /// The record as it was read, before any transform: what a dead letter carries.
    #[must_use]
    pub fn original(self) -> Record<'a> {
        match &self.batch.originals {
            Some(rows) => Record { batch: self.batch, row: &rows[self.row.original as usize] },
            None => self,
        }
    }

    /// The topic for routing: the origin's unless a transform changed it.
    #[must_use]
    pub fn topic(self) -> &'a str {
        match self.row.topic {
            AS_READ => &self.batch.runs[self.row.run as usize].topic,
            named => &self.batch.topics[named as usize],
        }
    }

    /// The key; `None` is null, `Some(&[])` is empty.
    #[must_use]
    pub fn key(self) -> Option<&'a [u8]> {
        self.row.key.of(&self.batch.chunks)
    }

    /// The value; `None` is a tombstone, `Some(&[])` is empty.
    #[must_use]
    pub fn value(self) -> Option<&'a [u8]> {
        self.row.value.of(&self.batch.chunks)
    }

    /// The headers in order, duplicates included. Can be called again.
    #[must_use]
    pub fn headers(self) -> Headers<'a> {
        Headers { rest: self.row.headers.of(&self.batch.chunks).unwrap_or_default() }
    }

    /// Milliseconds since the Unix epoch, if the record has a timestamp.
    #[must_use]
    pub fn timestamp_ms(self) -> Option<i64> {
        (self.row.timestamp_ms != NO_TIMESTAMP).then_some(self.row.timestamp_ms)
    }

    /// The value as whatever the caller asks for; nothing is kept.
    ///
    /// # Errors
    /// Poison, if the value is null or is not the JSON that `T` needs.
    pub fn json<T: serde::Deserialize<'a>>(self) -> Result<T, Error> {
        let value = self.value().ok_or_else(|| Error::poison("parse the value", "it is null"))?;
        serde_json::from_slice(value).map_err(|e| Error::new(Class::Poison, "parse the value as JSON", e))
    }

    /// Copies this record and its original out of their batch, into a batch of one that shares nothing: what must
    /// be kept for long would otherwise pin a whole arena.
    #[must_use]
    pub fn detach(self) -> Batch {
        let mut arena = Vec::with_capacity(self.copied_bytes());
        let mut row = self.copy_into(&mut arena);
        let originals = self.batch.originals.as_ref().map(|_| {
            let original = self.original().copy_into(&mut arena);
            Arc::new(vec![original])
        });
        let mut topics = Vec::new();
        if row.topic != AS_READ {
            topics.push(Arc::clone(&self.batch.topics[row.topic as usize]));
            row.topic = 0;
        }
        let run = &self.batch.runs[self.row.run as usize];
        let offsets = row.offset..row.offset + 1;
        Batch {
            runs: Arc::new(vec![crate::Run {
                offsets,
                rows: 1,
                bytes: row.payload_bytes() as u64,
                ..run.clone()
            }]),
            payload: row.payload_bytes(),
            rows: vec![row],
            originals,
            chunks: vec![arena.into()],
            strips: Vec::new(),
            topics,
            permits: Vec::new(),
            whole: false,
        }
    }

    pub(crate) fn copied_bytes(self) -> usize {
        let bytes = |row: &Row| row.payload_bytes() + row.headers.len as usize;
        bytes(self.row) + if self.batch.originals.is_some() { bytes(self.original().row) } else { 0 }
    }

    pub(crate) fn copy_into(self, arena: &mut Vec<u8>) -> Row {
        let mut copy = |span: Span| match span.of(&self.batch.chunks) {
            None => Span::NONE,
            Some(bytes) => append(arena, 0, bytes),
        };
        let (key, value, headers) = (copy(self.row.key), copy(self.row.value), copy(self.row.headers));
        Row { run: 0, original: 0, key, value, headers, frame: Frame::NONE, ..*self.row }
    }
}

/// Appends `bytes` to a chunk under construction and says where they are.
pub(crate) fn append(chunk: &mut Vec<u8>, number: u32, bytes: &[u8]) -> Span {
    let start = chunk.len();
    chunk.extend_from_slice(bytes);
    Span::new(number, start, chunk.len())
}

/// A record's headers: see [`Record::headers`].
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.field()??;
        let value = self.field().expect("a header's value follows its name");
        Some((std::str::from_utf8(name).expect("header names were text when they were written"), value))
    }
}

impl<'a> Headers<'a> {
    /// A length of four bytes and as many bytes; `u32::MAX` stands for null. Outer `None`: nothing is left.
    fn field(&mut self) -> Option<Option<&'a [u8]>> {
        let (len, rest) = self.rest.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len);
        if len == NULL {
            self.rest = rest;
            return Some(None);
        }
        let (bytes, rest) = rest.split_at(len as usize);
        self.rest = rest;
        Some(Some(bytes))
    }
}

/// Writes headers the way [`Headers`] reads them. No header: no bytes, [`Span::NONE`].
pub(crate) fn write_headers<'h>(
    chunk: &mut Vec<u8>,
    number: u32,
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
) -> Span {
    let start = chunk.len();
    let mut field = |bytes: Option<&[u8]>| {
        let len =
            bytes.map_or(NULL, |bytes| u32::try_from(bytes.len()).expect("a header is smaller than 4 GiB"));
        chunk.extend_from_slice(&len.to_le_bytes());
        chunk.extend_from_slice(bytes.unwrap_or_default());
    };
    for (name, value) in headers {
        field(Some(name.as_bytes()));
        field(value);
    }
    if chunk.len() == start { Span::NONE } else { Span::new(number, start, chunk.len()) }
}

const _: () = {
    const fn shareable<T: Send + Sync>() {}
    shareable::<Batch>();
    assert!(size_of::<Record<'static>>() == 16 && size_of::<Row>() == 72);
};
