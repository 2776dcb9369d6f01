//! A source that counts what it hands over, across restarts and crashes of the task.

use crate::{Commit, Error, Event, Framer, PartitionId, Source, testing::Message};
use async_trait::async_trait;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Bytes of all records that were handed over.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadBytes(Arc<AtomicU64>);

impl ReadBytes {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Forwards everything and counts bytes of records.
pub(super) struct Read<S> {
    source: S,
    read: ReadBytes,
}

impl<S> Read<S> {
    pub(super) fn new(source: S, read: &ReadBytes) -> Self {
        Self { source, read: read.clone() }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: Source> Source for Read<S> {
    fn frame_by(&mut self, framer: Box<dyn Framer>) {
        self.source.frame_by(framer);
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.source.open().await
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        let event = self.source.next(room).await?;
        if let Event::Records(batch) = &event {
            let bytes: usize = batch.iter().map(|record| Message::of(record).bytes()).sum();
            self.read.0.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Ok(event)
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        self.source.commit(commits);
    }

    fn release(&mut self, ids: &[PartitionId]) {
        self.source.release(ids);
    }

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        self.source.hold(ids, held);
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.source.close().await
    }
}
