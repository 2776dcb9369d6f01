//! A body under construction: what the source has framed is shared, the rest is written.

use crate::buffer::Buffers;
use bytes::Bytes;
use connect_core::Batch;
use std::collections::VecDeque;

/// Shorter pieces are copied: a part of a body costs about as much as copying this much.
const SHARED_MIN: usize = 4 << 10;

/// Rows as they go to the server.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    buffers: &'a Buffers,
    batch: &'a Batch,
    /// Taken once it is needed.
    written: Option<Vec<u8>>,
    /// What stands in front of which byte of `written`.
    shared: Vec<(usize, Bytes)>,
}

impl<'a> Body<'a> {
    /// An empty body for rows of `batch`.
    pub(crate) fn new(buffers: &'a Buffers, batch: &'a Batch) -> Self {
        Self { buffers, batch, written: None, shared: Vec::new() }
    }

    /// Where rows are written.
    pub(crate) fn written(&mut self) -> &mut Vec<u8> {
        self.written.get_or_insert_with(|| self.buffers.take(self.batch))
    }

    /// Adds rows that are written already.
    pub(crate) fn share(&mut self, rows: Bytes) {
        if rows.len() < SHARED_MIN {
            self.written().extend_from_slice(&rows);
        } else {
            self.shared.push((self.written.as_ref().map_or(0, Vec::len), rows));
        }
    }

    /// The parts in order; none of them is empty. The buffer comes back when the last of them is dropped.
    pub(crate) fn parts(self) -> VecDeque<Bytes> {
        let written = self.written.map(|written| self.buffers.freeze(written)).unwrap_or_default();
        let mut parts = VecDeque::with_capacity(2 * self.shared.len() + 1);
        let mut add = |part: Bytes| {
            if !part.is_empty() {
                parts.push_back(part);
            }
        };
        let mut from = 0;
        for (at, rows) in self.shared {
            add(written.slice(from..at));
            add(rows);
            from = at;
        }
        add(written.slice(from..));
        parts
    }
}
