//! A sink that keeps what it is given, in a store that tests look into.

mod sink;

use super::{Faults, Gate, Message};
use crate::{Error, PartitionId, Record};
pub use sink::{Attempt, RecordingSink};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// A record as a sink got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The topic as read.
    pub topic: Arc<str>,
    /// The partition as read.
    pub partition: i32,
    /// The offset as read.
    pub offset: i64,
    /// Its number among siblings.
    pub index: Option<u32>,
    /// The assignment under which it was read.
    pub id: PartitionId,
    /// The topic for routing.
    pub route: String,
    /// Key, value, headers and timestamp.
    pub message: Message,
}

impl Delivered {
    /// A copy of a record.
    #[must_use]
    pub fn of(record: Record<'_>) -> Self {
        let origin = record.origin();
        Self {
            topic: origin.topic.into(),
            partition: origin.partition,
            offset: origin.offset,
            index: origin.index,
            id: origin.id,
            route: record.topic().to_owned(),
            message: Message::of(record),
        }
    }

    /// The value as text; a tombstone is empty.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.message.value.as_deref().unwrap_or_default()).into_owned()
    }
}

/// How a target in memory fails one write.
#[derive(Clone, Debug)]
pub struct WriteFault {
    pub(super) error: fn() -> Error,
    pub(super) written: bool,
}

impl WriteFault {
    /// Nothing is written.
    #[must_use]
    pub fn refused(error: fn() -> Error) -> Self {
        Self { error, written: false }
    }

    /// Everything is written, and nobody learns of it.
    #[must_use]
    pub fn answer_lost(error: fn() -> Error) -> Self {
        Self { error, written: true }
    }
}

/// The target of [`RecordingSink`]s: survives them, as a server would. Cloning gives another handle.
///
/// ```
/// use connect_core::testing::Recording;
/// let target = Recording::new();
/// let sink = target.sink();
/// assert!(target.rows().is_empty());
/// # drop(sink);
/// ```
#[derive(Clone, Debug)]
pub struct Recording(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rows: Mutex<Vec<Delivered>>,
    faults: Mutex<VecDeque<WriteFault>>,
    count: watch::Sender<usize>,
}

impl Recording {
    /// An empty target.
    #[must_use]
    pub fn new() -> Self {
        let (rows, faults) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { rows, faults, count: watch::Sender::new(0) }))
    }

    /// A sink that writes here at once, without a job.
    #[must_use]
    pub fn sink(&self) -> RecordingSink {
        RecordingSink::new(self.clone(), None, Faults::none())
    }

    /// A sink with a job per batch, which writes here once it has passed `gate`.
    #[must_use]
    pub fn gated(&self, gate: &Gate) -> RecordingSink {
        RecordingSink::new(self.clone(), Some(gate.clone()), Faults::none())
    }

    /// A sink with a job per batch, which fails at [`Point::Job`](super::Point::Job) and
    /// [`Point::Written`](super::Point::Written) where the plan says so.
    #[must_use]
    pub fn faulty(&self, faults: &Faults) -> RecordingSink {
        let open = Gate::new();
        open.open();
        RecordingSink::new(self.clone(), Some(open), faults.clone())
    }

    /// All rows so far, in the order in which they were written; repeated ones are there as often as they came.
    #[must_use]
    pub fn rows(&self) -> Vec<Delivered> {
        lock(&self.0.rows).clone()
    }

    /// How often each origin was written.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(String, i32, i64, Option<u32>), usize> {
        let mut counts = BTreeMap::new();
        for row in &*lock(&self.0.rows) {
            *counts.entry((row.topic.to_string(), row.partition, row.offset, row.index)).or_default() += 1;
        }
        counts
    }

    /// The next write fails like this; several calls queue up.
    pub fn fail_next(&self, fault: WriteFault) {
        lock(&self.0.faults).push_back(fault);
    }

    /// Writes a record.
    pub fn write(&self, record: Record<'_>) {
        lock(&self.0.rows).push(Delivered::of(record));
        self.0.count.send_modify(|count| *count += 1);
    }

    /// Writes all `records`, or fails as told.
    ///
    /// # Errors
    /// Those of [`fail_next`](Self::fail_next).
    pub fn write_all<'a>(&self, records: impl IntoIterator<Item = Record<'a>>) -> Result<(), Error> {
        let fault = lock(&self.0.faults).pop_front();
        if fault.as_ref().is_none_or(|fault| fault.written) {
            records.into_iter().for_each(|record| self.write(record));
        }
        fault.map_or(Ok(()), |fault| Err((fault.error)()))
    }

    /// Waits until `n` rows were written.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn until(&self, n: usize) {
        let mut counts = self.0.count.subscribe();
        // The sender lives in `self`, so waiting ends only by the condition.
        let _ = counts.wait_for(|&count| count >= n).await;
    }

    fn fails(&self) -> bool {
        !lock(&self.0.faults).is_empty()
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
