//! Bodies are written into buffers that come back: fresh megabytes would cost a page fault every 4 KiB.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept at most.
const KEPT_MAX: usize = 4;
/// Larger buffers are not kept: one huge record must not hold its memory for ever.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Buffers of requests that were answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// The body; its buffer comes back when the last reference is dropped.
    pub(crate) fn freeze(&self, body: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { body, home: self.clone() })
    }

    fn give(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX && buffer.capacity() <= KEPT_BYTES_MAX {
            kept.push(buffer);
        }
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
