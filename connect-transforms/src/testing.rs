//! For the examples on the types' pages: one record through one transform. Not part of the interface.

use connect_core::{BatchBuilder, Chain, Entry, Error, PartitionId, Record, Transform};
use std::sync::Arc;

/// The value that `transform` makes of `value`, in a record of the topic `topic`, partition 0, offset 0. Null is empty.
///
/// # Errors
/// What the transform refuses.
pub fn transformed(transform: impl Transform + 'static, value: &str) -> Result<String, Error> {
    one(transform, value, |record| record.value().unwrap_or_default().to_vec())
}

/// The key that it makes.
///
/// # Errors
/// What the transform refuses.
pub fn transformed_key(transform: impl Transform + 'static, value: &str) -> Result<String, Error> {
    one(transform, value, |record| record.key().unwrap_or_default().to_vec())
}

fn one(
    transform: impl Transform + 'static,
    value: &str,
    of: fn(Record<'_>) -> Vec<u8>,
) -> Result<String, Error> {
    let mut builder = BatchBuilder::new();
    let entry = Entry { value: Some(value.as_bytes()), ..Entry::default() };
    builder.push(PartitionId::new(0, 1), &"topic".into(), 0, entry, []);
    let mut done = Chain::new(vec![Arc::new(transform)]).apply(builder.finish(), 0);
    match done.rejected.pop() {
        Some((_, error)) => Err(error),
        None => {
            Ok(done.batch.iter().map(|record| String::from_utf8_lossy(&of(record)).into_owned()).collect())
        }
    }
}
