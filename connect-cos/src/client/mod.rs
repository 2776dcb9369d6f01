//! The only place that knows stores. Everything a store must be able to do is in [`Store`]; each way to do it has
//! its own file.

mod fs;
mod location;
#[cfg(any(feature = "s3", feature = "cos"))]
mod opendal_store;
mod probe;
#[cfg(any(feature = "s3", feature = "cos"))]
pub(crate) mod refusal;
#[cfg(any(feature = "s3", feature = "cos"))]
mod renewing;

pub(crate) use location::Location;
pub(crate) use probe::probe;

use crate::{error::StoreError, note::NoteId};
use async_trait::async_trait;
use bytes::Bytes;

/// An object to be: its name relative to the store's root, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) id: NoteId,
    /// Offset of its first record.
    pub(crate) first: i64,
}

/// An object that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// `None`: not written by this sink, or for another range.
    pub(crate) id: Option<NoteId>,
    pub(crate) first: Option<i64>,
    /// Not known for objects of several parts: their metadata is fixed before their end is.
    pub(crate) last: Option<i64>,
    /// Bytes in it.
    pub(crate) len: u64,
}

/// A place for objects that publishes whole objects, and never over an existing one.
#[async_trait]
pub(crate) trait Store: Send + Sync + 'static {
    /// The smallest part, but for the last one.
    fn min_part(&self) -> usize;

    /// The size of a part where `configured` is wished for.
    fn part_size(&self, configured: usize) -> usize {
        configured
    }

    /// Whether parts leave memory whatever their size, so that memory can be had without closing files.
    fn spills(&self) -> bool;

    /// Begins an object of several parts. Nothing is visible before [`Upload::complete`].
    async fn begin(&self, object: &Object) -> Result<Box<dyn Upload>, StoreError>;

    /// Publishes a whole object, atomically and only if there is none of that name. Success means that the store
    /// gave proof of it; without one the answer is [`Unconfirmed`](crate::error::Answer::Unconfirmed).
    async fn put(&self, object: &Object, last: i64, bytes: Bytes) -> Result<(), StoreError>;

    /// What there is under a name. `id`: whose object is hoped for (a file system can only say yes or no).
    async fn stat(&self, name: &str, id: NoteId) -> Result<Option<Found>, StoreError>;

    /// All names below `dir` whose last segment begins with `stem`. Slow: only for rare recoveries.
    async fn list(&self, dir: &str, stem: &str) -> Result<Vec<String>, StoreError>;

    /// The ranges of a partition (`stem` as in [`list`](Self::list)) below offset `from` are committed: what helps
    /// to tell whose their objects are may go, and so may their leftovers, in the directories of `names`.
    async fn settle(&self, names: &[String], stem: &str, from: i64) -> Result<(), StoreError>;

    /// Partitions came, each as its stem (as in [`settle`](Self::settle)) and the offset that is committed: what helped
    /// to tell whose the objects of their ranges below are may go, wherever below `dir` it lies.
    async fn sweep(&self, _dir: &str, _partitions: Vec<(String, i64)>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Removes an object. Only for the start-up check's own.
    async fn remove(&self, name: &str) -> Result<(), StoreError>;
}

/// An object on its way. Dropping it leaves nothing visible.
#[async_trait]
pub(crate) trait Upload: Send {
    /// Bytes that it keeps in memory.
    fn held(&self) -> usize;

    /// Adds a part. After an error the same part may be given again.
    async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Publishes the object, atomically and only if there is none of that name. May be called again after an error.
    /// Returns the length of the object that is there; a store that does not tell is asked.
    async fn complete(&mut self, last: i64) -> Result<u64, StoreError>;

    /// Gives it up and frees what the store keeps of it, as far as that works.
    async fn abort(&mut self);
}
