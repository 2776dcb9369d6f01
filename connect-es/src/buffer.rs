//! Bodies are written into buffers that come back: fresh megabytes would cost a page fault every 4 KiB.

use bytes::Bytes;
use connect_core::{Batch, BulkConfig};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A document may take more room in the body than its record does: the action, joined lines.
const ROW_BYTES_MORE: usize = 256;

/// Buffers of requests that were answered.
#[derive(Clone, Debug)]
pub(crate) struct Buffers {
    kept: Arc<Mutex<Vec<Vec<u8>>>>,
    /// No more are kept than requests may be in flight.
    kept_max: usize,
    /// Larger ones are not kept: one huge record must not hold its memory for ever.
    bytes_max: usize,
}

impl Buffers {
    pub(crate) fn new(bulk: &BulkConfig) -> Self {
        Self {
            kept: Arc::default(),
            kept_max: bulk.in_flight_max,
            bytes_max: bulk.batch_bytes.saturating_mul(2),
        }
    }

    /// A buffer for a body of these records, large enough not to grow: growing would copy, and take twice the room.
    pub(crate) fn take(&self, batch: &Batch) -> Vec<u8> {
        let mut buffer = self.kept().pop().unwrap_or_default();
        buffer.reserve(batch.payload_bytes() + batch.len() * ROW_BYTES_MORE);
        buffer
    }

    /// The body; its buffer comes back when the last reference is dropped.
    pub(crate) fn freeze(&self, body: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { body, home: self.clone() })
    }

    fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut kept = self.kept();
        if kept.len() < self.kept_max && buffer.capacity() <= self.bytes_max {
            kept.push(buffer);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    body: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give(std::mem::take(&mut self.body));
    }
}
