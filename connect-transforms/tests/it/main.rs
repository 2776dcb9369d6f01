//! Transforms as a pipeline runs them: batches in, batches out.

mod connect;
mod converters;
mod differential;
mod events;
mod flatten;
mod key_wrap;
mod processing;
#[cfg(all(feature = "avro", feature = "protobuf", feature = "json-schema"))]
mod schema_registry;

use connect_core::{Batch, BatchBuilder, Chain, Entry, PartitionId, Transform, Transformed};
use std::sync::Arc;

/// A batch of records with these keys and values, offsets from 0.
fn batch<'a>(records: impl IntoIterator<Item = (Option<&'a [u8]>, Option<&'a [u8]>)>) -> Batch {
    let (mut builder, topic) = (BatchBuilder::new(), "logs".into());
    for (offset, (key, value)) in (0..).zip(records) {
        let entry = Entry { offset, timestamp_ms: Some(5), key, value };
        builder.push(PartitionId::new(0, 1), &topic, 0, entry, [("header", Some(&b"h"[..]))]);
    }
    builder.finish()
}

/// What the transform makes of the batch, at the time zero.
fn run(transform: impl Transform + 'static, batch: Batch) -> Transformed {
    Chain::new(vec![Arc::new(transform)]).apply(batch, 0)
}
