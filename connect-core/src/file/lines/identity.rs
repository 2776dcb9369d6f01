//! Telling a file that grew from one that was truncated or replaced.

use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Bytes at the start of a file by which it is known again: more than the date that most log lines begin with.
const HEAD_MAX: usize = 256;

/// Why a bookmark, or a position, means nothing in the file that is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error(
        "{read} bytes of it were read, but it has only {len} now: it was truncated or replaced: finish the old one, then remove its bookmark"
    )]
    Truncated { read: u64, len: u64 },
    #[error(
        "{read} bytes of it were read, but it begins with other bytes now: finish the old one, then remove its bookmark"
    )]
    Replaced { read: u64 },
}

/// What is kept in a bookmark beside the offset.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) path: String,
    /// The hash of the file's first bytes: as many as were read, 256 at most.
    pub(super) head: u64,
}

/// The first bytes of a file, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Head(Vec<u8>);

impl Head {
    /// The first bytes of `file` up to `offset`; fewer, if it has fewer.
    pub(super) fn read(path: &Path, offset: u64) -> io::Result<Self> {
        let mut head = Vec::with_capacity(HEAD_MAX);
        File::open(path)?.take(offset.min(HEAD_MAX as u64)).read_to_end(&mut head)?;
        Ok(Self(head))
    }

    /// Bytes that follow those that are known.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let room = HEAD_MAX - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The hash of what of it lies below `offset` (FNV-1a).
    pub(super) fn hash(&self, offset: i64) -> u64 {
        let below = usize::try_from(offset).map_or(self.0.len(), |offset| self.0.len().min(offset));
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        self.0[..below].iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    /// Whether the file at `path`, of which `read` bytes were read, still is the one with this hash.
    pub(super) fn check(path: &Path, read: u64, hash: u64) -> io::Result<Result<(), Lost>> {
        let len = path.metadata()?.len();
        if len < read {
            return Ok(Err(Lost::Truncated { read, len }));
        }
        let same = Self::read(path, read)?.hash(i64::MAX) == hash;
        Ok(if same { Ok(()) } else { Err(Lost::Replaced { read }) })
    }
}
