//! A source that reads a [`MemoryLog`] as a member of a group.

use super::{MemoryLog, log::Reading};
use crate::{BATCH_RECORDS_MAX, BatchBuilder, Commit, Error, Event, Framer, PartitionId, Source};
use async_trait::async_trait;
use std::{collections::BTreeSet, future::pending};
use tokio::time::sleep_until;

/// A member of a group that reads a [`MemoryLog`], with the semantics of the Kafka source.
///
/// Committed offsets and notes belong to the group and survive the source. Dropping a source without
/// [`close`](Source::close) is a crash: the group takes its partitions at once and commits that wait are gone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().map_err(|e| e.to_string())?.block_on(async {
/// use connect_core::{Event, Source, testing::MemoryLog};
/// let log = MemoryLog::new();
/// log.topic("orders", 1);
/// log.append("orders", 0, "{}");
/// let mut source = log.source("group", &["orders"]);
/// source.open().await?;
/// assert!(matches!(source.next(1_000).await?, Event::Assigned(partitions) if partitions[0].offset == 0));
/// assert!(matches!(source.next(1_000).await?, Event::Records(batch) if batch.len() == 1));
/// # Ok::<(), connect_core::Error>(()) }).map_err(|e| e.report())?;
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct MemorySource {
    log: MemoryLog,
    group: String,
    topics: BTreeSet<String>,
    latest: bool,
    go_on: bool,
    records_max: usize,
    member: Option<usize>,
    builder: BatchBuilder,
}

impl MemorySource {
    pub(super) fn new(log: MemoryLog, group: &str, topics: &[&str]) -> Self {
        Self {
            log,
            group: group.to_owned(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            latest: false,
            go_on: false,
            records_max: BATCH_RECORDS_MAX,
            member: None,
            builder: BatchBuilder::new(),
        }
    }

    /// Where nothing is committed, reading starts at the end instead of the beginning.
    #[must_use]
    pub fn from_latest(mut self) -> Self {
        self.latest = true;
        self
    }

    /// Goes on after data loss, by [`Event::Gap`]; otherwise it is a fatal error.
    #[must_use]
    pub fn go_on_after_data_loss(mut self) -> Self {
        self.go_on = true;
        self
    }

    /// At most `records` of a partition in a batch. [`BATCH_RECORDS_MAX`] in a batch of all, by default.
    #[must_use]
    pub fn records_max(mut self, records: usize) -> Self {
        self.records_max = records;
        self
    }

    /// The number of this member in its group, in order of joining, once the source is open.
    #[must_use]
    pub fn member(&self) -> Option<usize> {
        self.member
    }
}

#[async_trait]
impl Source for MemorySource {
    fn frame_by(&mut self, framer: Box<dyn Framer>) {
        self.builder.frame_by(framer);
    }

    async fn open(&mut self) -> Result<(), Error> {
        let topics = self.topics.clone();
        self.member = Some(self.log.change(|state| state.join(&self.group, topics, self.latest))?);
        Ok(())
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        let member = self.member.ok_or_else(|| Error::fatal("read the log", "open the source first"))?;
        let reading = Reading { room, records_max: self.records_max, go_on: self.go_on };
        loop {
            // Subscribed before looking, so that no change is missed in between.
            let mut changes = self.log.subscribe();
            let (event, expiry) = {
                let mut state = self.log.lock();
                let expiry = state.expire(&self.group);
                (state.poll(&self.group, member, &mut self.builder, reading)?, expiry)
            };
            // Others may wait for what was set free here.
            if event.is_some() || expiry.any {
                self.log.change(|_| ());
            }
            if let Some(event) = event {
                return Ok(event);
            }
            let expired = async {
                match expiry.next {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = expired => {}
            }
        }
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        if let Some(member) = self.member {
            self.log.change(|state| state.commit(&self.group, member, commits));
        }
    }

    fn release(&mut self, ids: &[PartitionId]) {
        if let Some(member) = self.member {
            self.log.change(|state| state.release(&self.group, member, ids));
        }
    }

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        if let Some(member) = self.member {
            self.log.change(|state| state.hold(&self.group, member, ids, held));
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.leave();
        Ok(())
    }
}

impl MemorySource {
    fn leave(&mut self) {
        if let Some(member) = self.member.take() {
            self.log.change(|state| state.leave(&self.group, member));
        }
    }
}

impl Drop for MemorySource {
    fn drop(&mut self) {
        self.leave();
    }
}
