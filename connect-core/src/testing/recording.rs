//! A sink that keeps what it is given, in a store that tests look into.

use super::{Gate, Message};
use crate::{Assigned, Batch, Context, Delivery, Error, Flush, Outcome, PartitionId, Progress, Record, Sink};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
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
    fn of(record: Record<'_>) -> Self {
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
    count: watch::Sender<usize>,
}

impl Recording {
    /// An empty target.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared { rows: Mutex::default(), count: watch::Sender::new(0) }))
    }

    /// A sink that writes here at once.
    #[must_use]
    pub fn sink(&self) -> RecordingSink {
        RecordingSink { target: self.clone(), gate: None, in_flight: BTreeMap::new(), revoked: Vec::new() }
    }

    /// A sink with a job per batch, which writes here once it has passed `gate`.
    #[must_use]
    pub fn gated(&self, gate: &Gate) -> RecordingSink {
        RecordingSink { gate: Some(gate.clone()), ..self.sink() }
    }

    /// All rows so far, in the order in which they were written; repeated ones are there as often as they came.
    #[must_use]
    pub fn rows(&self) -> Vec<Delivered> {
        self.lock().clone()
    }

    /// How often each origin was written.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(String, i32, i64, Option<u32>), usize> {
        let mut counts = BTreeMap::new();
        for row in &*self.lock() {
            *counts.entry((row.topic.to_string(), row.partition, row.offset, row.index)).or_default() += 1;
        }
        counts
    }

    /// Writes a record.
    pub fn write(&self, record: Record<'_>) {
        self.lock().push(Delivered::of(record));
        self.0.count.send_modify(|count| *count += 1);
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

    fn lock(&self) -> MutexGuard<'_, Vec<Delivered>> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

/// A sink with [`Delivery::Rows`] that writes into a [`Recording`] and reports every row as delivered.
#[derive(Debug)]
pub struct RecordingSink {
    target: Recording,
    gate: Option<Gate>,
    /// Batches in flight per partition.
    in_flight: BTreeMap<PartitionId, usize>,
    revoked: Vec<PartitionId>,
}

impl RecordingSink {
    fn busy(&self, id: PartitionId) -> bool {
        self.in_flight.contains_key(&id)
    }

    /// Answers a revoke for the partitions that nothing is in flight for any more.
    fn release(&mut self, cx: &mut Context<Batch>) {
        let (busy, free) = std::mem::take(&mut self.revoked).into_iter().partition(|&id| self.busy(id));
        self.revoked = busy;
        let free: Vec<PartitionId> = free;
        if !free.is_empty() {
            cx.report(Progress::Released(free));
        }
    }
}

#[async_trait]
impl Sink for RecordingSink {
    type Done = Batch;

    fn delivery(&self) -> Delivery {
        Delivery::Rows
    }

    async fn open(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn assigned(&mut self, _: &[Assigned], _: &mut Context<Batch>) -> Result<(), Error> {
        Ok(())
    }

    fn put(&mut self, batch: Batch, cx: &mut Context<Batch>) -> Result<(), Error> {
        let Some(gate) = self.gate.clone() else {
            batch.iter().for_each(|record| self.target.write(record));
            cx.report(Progress::Done(batch, Outcome::delivered()));
            return Ok(());
        };
        for run in batch.runs() {
            *self.in_flight.entry(run.id).or_default() += 1;
        }
        let target = self.target.clone();
        cx.spawn(async move {
            gate.pass().await;
            batch.iter().for_each(|record| target.write(record));
            batch
        });
        Ok(())
    }

    fn done(&mut self, batch: Batch, cx: &mut Context<Batch>) -> Result<(), Error> {
        for run in batch.runs() {
            if let Some(count) = self.in_flight.get_mut(&run.id) {
                *count -= 1;
                if *count == 0 {
                    self.in_flight.remove(&run.id);
                }
            }
        }
        cx.report(Progress::Done(batch, Outcome::delivered()));
        self.release(cx);
        Ok(())
    }

    fn timer(&mut self, _: &mut Context<Batch>) -> Result<(), Error> {
        Ok(())
    }

    fn noted(&mut self, _: PartitionId, _: &mut Context<Batch>) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self, _: Flush, _: &mut Context<Batch>) -> Result<(), Error> {
        Ok(())
    }

    fn revoke(&mut self, ids: &[PartitionId], cx: &mut Context<Batch>) -> Result<(), Error> {
        self.revoked.extend_from_slice(ids);
        self.release(cx);
        Ok(())
    }

    fn lost(&mut self, ids: &[PartitionId]) {
        self.in_flight.retain(|id, _| !ids.contains(id));
        self.revoked.retain(|id| !ids.contains(id));
    }

    async fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
