//! A dry run: what the transforms make of the first records.

use super::{blueprint::Blueprint, preparing::prepare};
use crate::{Error, Event, Record, Task};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// What would become of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Previewed {
    /// The topic as read.
    pub topic: Arc<str>,
    /// The partition as read.
    pub partition: i32,
    /// The offset as read.
    pub offset: i64,
    /// The key as read.
    pub key: Option<Bytes>,
    /// The value as read.
    pub value: Option<Bytes>,
    /// What the sink would get: nothing if it is filtered; or why a transform refuses it.
    pub result: Result<Vec<PreviewedRecord>, String>,
}

/// A record as the sink would get it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreviewedRecord {
    /// The topic for routing.
    pub topic: Arc<str>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
}

/// Bytes to ask of the source at once.
const ROOM: usize = 1 << 20;

pub(crate) async fn run(
    blueprint: &Blueprint,
    records: usize,
    patience: Duration,
) -> Result<Vec<Previewed>, Error> {
    let deadline = Instant::now() + patience;
    let mut source = (blueprint.source)(&Task { preview: true, ..blueprint.task(0, 0) })?;
    source.open().await?;
    let mut seen = Vec::new();
    while seen.len() < records {
        match timeout_at(deadline, source.next(ROOM)).await {
            Ok(Ok(Event::Records(batch))) => {
                prepare(&blueprint.chain, &batch, blueprint.options.backoff, deadline).await?;
                for record in batch.iter().take(records - seen.len()) {
                    seen.push(preview(blueprint, record));
                }
            }
            Ok(Ok(Event::Revoked(ids))) => source.release(&ids),
            Ok(Ok(Event::End)) | Err(_) => break,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
        }
    }
    source.close().await?;
    Ok(seen)
}

fn preview(blueprint: &Blueprint, record: Record<'_>) -> Previewed {
    let origin = record.origin();
    let mut transformed = blueprint.chain.apply(record.detach(), (blueprint.clock)());
    let result = match transformed.rejected.pop() {
        Some((_, error)) => Err(error.report()),
        None => Ok(transformed.batch.iter().map(PreviewedRecord::of).collect()),
    };
    Previewed {
        topic: origin.topic.into(),
        partition: origin.partition,
        offset: origin.offset,
        key: record.key().map(Bytes::copy_from_slice),
        value: record.value().map(Bytes::copy_from_slice),
        result,
    }
}

impl PreviewedRecord {
    fn of(record: Record<'_>) -> Self {
        Self {
            topic: record.topic().into(),
            key: record.key().map(Bytes::copy_from_slice),
            value: record.value().map(Bytes::copy_from_slice),
        }
    }
}
