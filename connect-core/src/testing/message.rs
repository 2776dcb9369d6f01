//! Records as tests write them down, and batches made of them.

use crate::{Batch, BatchBuilder, Entry, PartitionId, Record};
use bytes::Bytes;

/// A record without a place: what is appended to a [`MemoryLog`](super::MemoryLog) and put into a [`batch`].
///
/// Made from text (a value) or from a pair of texts (key and value); everything else by the methods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
}

impl Message {
    /// A message with this value and nothing else.
    #[must_use]
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// A message without value.
    #[must_use]
    pub fn tombstone(key: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), ..Self::default() }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(self, key: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Sets the timestamp in milliseconds since the Unix epoch.
    #[must_use]
    pub fn timestamp_ms(self, timestamp: i64) -> Self {
        Self { timestamp_ms: Some(timestamp), ..self }
    }

    /// A copy of a record's payload.
    #[must_use]
    pub fn of(record: Record<'_>) -> Self {
        let copy = Bytes::copy_from_slice;
        Self {
            key: record.key().map(copy),
            value: record.value().map(copy),
            headers: record.headers().map(|(name, value)| (name.to_owned(), value.map(copy))).collect(),
            timestamp_ms: record.timestamp_ms(),
        }
    }

    /// Bytes of key, value and headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + len(value));
        len(&self.key) + len(&self.value) + headers.sum::<usize>()
    }

    pub(super) fn push(
        &self,
        builder: &mut BatchBuilder,
        id: PartitionId,
        topic: &std::sync::Arc<str>,
        partition: i32,
        offset: i64,
    ) {
        let entry = Entry {
            offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        builder.push(id, topic, partition, entry, headers);
    }
}

impl From<&str> for Message {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl From<String> for Message {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<(&str, &str)> for Message {
    fn from((key, value): (&str, &str)) -> Self {
        Self::new(value.to_owned()).key(key.to_owned())
    }
}

/// A batch as a source would make it: offsets 0, 1, … of partition 0 of the topic `test`, under the assignment
/// `PartitionId::new(0, 1)`.
///
/// ```
/// use connect_core::testing::{Message, batch};
/// let batch = batch([Message::from("{}"), Message::from(("key", "value")), Message::tombstone("key")]);
/// assert_eq!(batch.len(), 3);
/// assert_eq!(batch.get(2).and_then(|record| record.value()), None);
/// ```
#[must_use]
pub fn batch<M: Into<Message>>(messages: impl IntoIterator<Item = M>) -> Batch {
    batch_at("test", 0, 0, messages)
}

/// A batch like [`batch`], from another place. The slot is the partition's number.
///
/// # Panics
/// If the partition is negative.
#[must_use]
pub fn batch_at<M: Into<Message>>(
    topic: &str,
    partition: i32,
    first: i64,
    messages: impl IntoIterator<Item = M>,
) -> Batch {
    let slot = u32::try_from(partition).expect("partitions are not negative");
    let (id, topic) = (PartitionId::new(slot, 1), topic.into());
    let mut builder = BatchBuilder::new();
    for (offset, message) in (first..).zip(messages) {
        message.into().push(&mut builder, id, &topic, partition, offset);
    }
    builder.finish()
}
