//! Framing: what stands around a value in a request is written while the source copies the value.
//!
//! A body is then made of what was read. Without it each payload is touched twice more, for the copy into the body
//! and for the look at what it holds, long after it has left the cache: a fourteenth of the CPU of a pass-through
//! pipeline (`benches/README.md`).

use crate::{
    Batch, Entry, Record,
    record::{Row, Span},
};
use bytes::Bytes;
use std::sync::Arc;

/// Writes what a target wants in front of a value and behind it.
///
/// A sink offers one by [`Sink::framer`](crate::Sink::framer) or [`Bulk::framer`](crate::Bulk::framer), and gets the
/// frames back by [`Batch::pieces`]. The runtime asks for it only where no transform stands between source and sink,
/// and a source may decline: rows without a frame are always possible.
///
/// # Contract
/// - Equal records are framed equally, whatever was read before them.
/// - A frame has a byte at least, and no more than 64 KiB on either side: others count as none.
/// - The value stands between what both methods have written, untouched: it is what transforms and dead letters see.
///
/// ```
/// use connect_core::{BatchBuilder, Entry, Framer, PartitionId, Piece};
/// use std::sync::Arc;
///
/// /// One value a line.
/// struct Lines;
///
/// impl Framer for Lines {
///     fn before(&mut self, _: &Arc<str>, _: i32, _: &Entry<'_>, _: &mut Vec<u8>) -> bool {
///         true
///     }
///
///     fn after(&mut self, value: usize, out: &mut Vec<u8>) -> bool {
///         let line = !out[value..].contains(&b'\n');
///         out.push(b'\n');
///         line
///     }
/// }
///
/// let (topic, mut builder) = (Arc::from("logs"), BatchBuilder::new().framed_by(Lines));
/// for (offset, value) in (0..).zip([b"one", b"two", b"3\n3"]) {
///     builder.push(PartitionId::new(0, 1), &topic, 0, Entry { offset, value: Some(value), ..Entry::default() }, []);
/// }
/// let batch = builder.finish();
/// let mut pieces = batch.pieces();
/// assert!(matches!(pieces.next(), Some(Piece::Framed { bytes, rows: 2 }) if bytes == "one\ntwo\n"));
/// assert!(matches!(pieces.next(), Some(Piece::Bare(record)) if record.value() == Some(b"3\n3")));
/// ```
pub trait Framer: Send {
    /// Appends what stands in front of the value of `entry`, which has one. `false`: this row gets no frame, and what
    /// was appended is taken back.
    fn before(&mut self, topic: &Arc<str>, partition: i32, entry: &Entry<'_>, out: &mut Vec<u8>) -> bool;

    /// Appends what stands behind the value, which is `out[value..]`. `false`: no frame after all. What has to be looked
    /// for in the value is best looked for here: the copy has brought it into the cache.
    fn after(&mut self, value: usize, out: &mut Vec<u8>) -> bool;
}

/// Rows of a batch as they go into a body: see [`Batch::pieces`].
#[derive(Debug)]
pub enum Piece<'a> {
    /// Consecutive rows, each in its frame, as they stand one behind the other in memory. Shared, not copied.
    Framed {
        /// Frames and values.
        bytes: Bytes,
        /// How many rows.
        rows: usize,
    },
    /// A row without a frame.
    Bare(Record<'a>),
}

/// Bytes of a frame in front of the value (the lower half) and behind it, in the same chunk.
///
/// One integer, not two: written as halves and read as a whole right behind the copy of a value, it waits until the
/// copy has left the processor's store buffer, which costs more than the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame(u32);

impl Frame {
    /// No frame; one without a byte would say nothing.
    pub(crate) const NONE: Self = Self(0);

    fn new(before: usize, after: usize) -> Option<Self> {
        let (before, after) = (u16::try_from(before).ok()?, u16::try_from(after).ok()?);
        let frame = Self(u32::from(before) | u32::from(after) << 16);
        (frame != Self::NONE).then_some(frame)
    }

    /// Appends a value in its frame. `None`, and nothing appended: it gets none, or a longer one than can be noted.
    #[inline]
    pub(crate) fn write(
        framer: &mut dyn Framer,
        (topic, partition): (&Arc<str>, i32),
        entry: &Entry<'_>,
        arena: &mut Vec<u8>,
    ) -> Option<(Span, Self)> {
        let (value, start) = (entry.value?, arena.len());
        let mut write = || {
            if !framer.before(topic, partition, entry, arena) {
                return None;
            }
            let from = arena.len();
            arena.extend_from_slice(value);
            let to = arena.len();
            if !framer.after(from, arena) {
                return None;
            }
            let frame = Self::new(from - start, arena.len() - to)?;
            Some((Span::new(0, from, to), frame))
        };
        let written = write();
        if written.is_none() {
            arena.truncate(start);
        }
        written
    }

    /// Where a row stands in its frame.
    fn of(row: &Row) -> Option<Span> {
        let (before, after) = (row.frame.0 & 0xffff, row.frame.0 >> 16);
        let Span { chunk, start, len } = row.value;
        (row.frame != Self::NONE).then(|| Span { chunk, start: start - before, len: before + len + after })
    }
}

/// Rows that stand one behind the other in their frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strip {
    span: Span,
    rows: usize,
}

impl Strip {
    /// All rows of a batch whose first chunk holds their frames and nothing else.
    pub(crate) fn all(rows: &[Row], chunk: &Bytes) -> Vec<Self> {
        let strip = Self { span: Span::new(0, 0, chunk.len()), rows: rows.len() };
        if rows.is_empty() { Vec::new() } else { vec![strip] }
    }

    fn piece(self, chunks: &[Bytes]) -> Piece<'static> {
        let Span { chunk, start, len } = self.span;
        let (start, end) = (start as usize, start as usize + len as usize);
        Piece::Framed { bytes: chunks[chunk as usize].slice(start..end), rows: self.rows }
    }
}

impl Batch {
    /// Takes the strips of `other` over, whose chunks come behind `chunks` of ours: all of them, or none where a row of
    /// either side is in no strip.
    pub(crate) fn join_strips(&mut self, other: &Self, chunks: u32) {
        if self.strips.is_empty() || other.strips.is_empty() {
            return self.strips.clear();
        }
        let moved = other.strips.iter().map(|strip| Strip { span: strip.span.shifted(chunks), ..*strip });
        self.strips.extend(moved);
    }

    /// The rows in order, neighbours in memory joined where they have frames.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut strips = self.strips.iter();
        let rows: &[Row] = if self.strips.is_empty() { &self.rows } else { &[] };
        let mut rest = rows.iter().peekable();
        std::iter::from_fn(move || {
            if let Some(strip) = strips.next() {
                return Some(strip.piece(&self.chunks));
            }
            let row = rest.next()?;
            let Some(span) = Frame::of(row) else { return Some(Piece::Bare(Record::new(self, row))) };
            let mut strip = Strip { span, rows: 1 };
            while let Some(next) = rest.peek().and_then(|row| Frame::of(row))
                && (next.chunk, next.start) == (strip.span.chunk, strip.span.start + strip.span.len)
            {
                strip.span.len += next.len;
                strip.rows += 1;
                rest.next();
            }
            Some(strip.piece(&self.chunks))
        })
    }
}

const _: fn(Box<dyn Framer>) = |_| {};

#[cfg(test)]
mod tests;
