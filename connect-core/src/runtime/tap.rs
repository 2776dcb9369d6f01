//! Samples of records on their way, at no cost while nobody looks.

use crate::{Batch, Record};
use bytes::Bytes;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::mpsc;

/// Where a sample is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapStage {
    /// As read.
    Read,
    /// As the sink gets it.
    Transformed,
    /// As it comes back from the sink, with a verdict. Sinks that make files let go of records earlier.
    Done,
}

/// A copy of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// Where it was taken.
    pub stage: TapStage,
    /// The topic for routing.
    pub topic: Arc<str>,
    /// The partition as read.
    pub partition: i32,
    /// The offset as read.
    pub offset: i64,
    /// Its number among siblings.
    pub index: Option<u32>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
}

impl Sample {
    fn of(stage: TapStage, record: Record<'_>) -> Self {
        let origin = record.origin();
        Self {
            stage,
            topic: record.topic().into(),
            partition: origin.partition,
            offset: origin.offset,
            index: origin.index,
            key: record.key().map(Bytes::copy_from_slice),
            value: record.value().map(Bytes::copy_from_slice),
        }
    }
}

/// Samples as they are taken; see [`Handle::tap`](crate::Handle::tap).
#[derive(Debug)]
pub struct Tap(mpsc::Receiver<Sample>);

impl Tap {
    /// The next sample; `None` once the pipeline is gone.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn next(&mut self) -> Option<Sample> {
        self.0.recv().await
    }
}

/// Who looks. Unused, it costs one relaxed load per batch.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    used: AtomicBool,
    taps: Mutex<Vec<(TapStage, mpsc::Sender<Sample>)>>,
}

/// Records of one batch that are sampled at most.
const PER_BATCH_MAX: usize = 10;

impl Taps {
    pub(crate) fn add(&self, stage: TapStage, capacity: usize) -> Tap {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).push((stage, sender));
        self.used.store(true, Ordering::Relaxed);
        Tap(receiver)
    }

    pub(crate) fn sample(&self, stage: TapStage, batch: &Batch) {
        if self.used.load(Ordering::Relaxed) {
            self.sample_used(stage, batch);
        }
    }

    #[cold]
    fn sample_used(&self, stage: TapStage, batch: &Batch) {
        let mut taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        taps.retain(|(_, sender)| !sender.is_closed());
        self.used.store(!taps.is_empty(), Ordering::Relaxed);
        for (_, sender) in taps.iter().filter(|(wanted, _)| *wanted == stage) {
            for record in batch.iter().take(PER_BATCH_MAX.min(sender.capacity())) {
                // A slow reader misses samples, the pipeline never waits.
                let _full_or_closed = sender.try_send(Sample::of(stage, record));
            }
        }
    }
}
