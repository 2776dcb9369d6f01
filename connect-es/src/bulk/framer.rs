//! Actions and documents, written while the source reads them.

use super::encode::{Encoder, Identity};
use connect_core::{Entry, Framer};
use memchr::memchr;
use std::{collections::HashMap, sync::Arc};

/// Writes what the [`Encoder`] would write, for rows that need nothing else: those with a document on one line.
#[derive(Debug)]
pub(crate) struct EsFramer {
    encoder: Arc<Encoder>,
    operation: &'static [u8],
    /// Of the partition that the last row came from.
    target: Option<Target>,
    /// Of other partitions, one for each number: records come in runs of a partition, a few thousand at a time.
    others: HashMap<i32, Target>,
}

#[derive(Debug)]
struct Target {
    topic: Arc<str>,
    partition: i32,
    /// What its actions begin with, `{"index":{"_index":"logs","_id":"orders+3+`; `None`: there can be no such index.
    action: Option<Vec<u8>>,
}

impl EsFramer {
    /// `None`: documents do not stand in a body as they are.
    pub(crate) fn new(encoder: Arc<Encoder>) -> Option<Self> {
        Some(Self { operation: encoder.operation()?, encoder, target: None, others: HashMap::new() })
    }

    fn switch_to(&mut self, topic: &Arc<str>, partition: i32) {
        let known = self.others.remove(&partition).filter(|target| target.serves(topic, partition));
        let target = known.unwrap_or_else(|| Target::new(&self.encoder, self.operation, topic, partition));
        if let Some(last) = self.target.replace(target) {
            self.others.insert(last.partition, last);
        }
    }
}

impl Target {
    fn new(encoder: &Encoder, operation: &[u8], topic: &Arc<str>, partition: i32) -> Self {
        let action = encoder.target(topic, partition, topic).map(|target| [operation, &target].concat());
        Self { topic: Arc::clone(topic), partition, action: action.ok() }
    }

    fn serves(&self, topic: &Arc<str>, partition: i32) -> bool {
        self.partition == partition && (Arc::ptr_eq(&self.topic, topic) || self.topic == *topic)
    }
}

impl Framer for EsFramer {
    fn before(&mut self, topic: &Arc<str>, partition: i32, entry: &Entry<'_>, out: &mut Vec<u8>) -> bool {
        if !self.target.as_ref().is_some_and(|target| target.serves(topic, partition)) {
            self.switch_to(topic, partition);
        }
        let action = self.target.as_ref().and_then(|target| target.action.as_deref());
        let identity = Identity { offset: entry.offset, index: None, key: entry.key };
        action.is_some_and(|action| self.encoder.action(action, identity, out).is_ok())
    }

    /// A line feed in it would end the document; the encoder knows what to do about it, and about all that is refused.
    fn after(&mut self, value: usize, out: &mut Vec<u8>) -> bool {
        let line = memchr(b'\n', &out[value..]).is_none();
        out.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::Buffers,
        bulk::{body::Body, encode::Fate},
        config::{EsConfig, OnNull, WriteMethod},
    };
    use connect_core::{Batch, BatchBuilder, BulkConfig, PartitionId};
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Row {
        topic: usize,
        partition: u32,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    }

    const TOPICS: [&str; 3] = ["orders", "Orders", "bad topic"];

    fn batch(rows: &[Row], framer: Option<EsFramer>) -> Batch {
        let mut builder = BatchBuilder::new();
        if let Some(framer) = framer {
            builder.frame_by(Box::new(framer));
        }
        for (offset, row) in (0..).zip(rows) {
            let slot = 3 * u32::try_from(row.topic).unwrap() + row.partition;
            let (id, partition) = (PartitionId::new(slot, 1), row.partition.cast_signed());
            let (key, value) = (row.key.as_deref(), row.value.as_deref());
            builder.push(
                id,
                &TOPICS[row.topic].into(),
                partition,
                Entry { offset, key, value, timestamp_ms: None },
                [],
            );
        }
        builder.finish()
    }

    /// The body, and the fates in words.
    fn encoded(encoder: &Encoder, batch: &Batch) -> (Vec<u8>, String) {
        let buffers = Buffers::new(&BulkConfig::default());
        let mut body = Body::new(&buffers, batch);
        let fates = encoder.encode(batch, &mut body);
        let word = |fate: &Fate| match fate {
            Fate::Sent(action) => format!("{action:?}"),
            Fate::Settled(Ok(())) => "settled".to_owned(),
            Fate::Settled(Err(error)) => error.report(),
        };
        (
            Vec::from(body.parts()).concat(),
            fates.map_or("all".to_owned(), |fates| fates.iter().map(word).collect::<Vec<_>>().join("; ")),
        )
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let bytes = |pattern: &'static str| proptest::string::bytes_regex(pattern).unwrap();
        let value = prop_oneof![
            6 => bytes("(?s-u)[{}\"\\\\a\n\r\\xff]{0,12}"),
            1 => Just(vec![b'x'; 5_000]),
        ];
        let row = (
            0..3_u32,
            0..TOPICS.len(),
            prop::option::of(bytes("(?s-u)[k\"\\xff]{0,3}")),
            prop::option::of(value),
        );
        let row = row.prop_map(|(partition, topic, key, value)| Row { partition, topic, key, value });
        prop::collection::vec(row, 0..20)
    }

    proptest! {
        /// Framed or not, a batch becomes the same body with the same fates, whatever the ids are made of.
        #[test]
        fn frames_are_what_the_encoder_would_write(
            rows in rows(),
            key_ignore: bool,
            server_ids: bool,
            method in prop_oneof![Just(WriteMethod::Insert), Just(WriteMethod::Create)],
        ) {
            let config = EsConfig {
                key_ignore,
                autogenerated_ids: server_ids,
                write_method: method,
                on_null: OnNull::Delete,
                ..EsConfig::new(vec!["http://a".parse().unwrap()])
            };
            let encoder = Arc::new(Encoder::new(&config).unwrap());
            let framed = batch(&rows, EsFramer::new(Arc::clone(&encoder)));
            prop_assert_eq!(encoded(&encoder, &framed), encoded(&encoder, &batch(&rows, None)));
        }
    }

    #[test]
    fn documents_that_others_enclose_are_not_framed() {
        let config = EsConfig {
            write_method: WriteMethod::Upsert,
            ..EsConfig::new(vec!["http://a".parse().unwrap()])
        };
        assert!(EsFramer::new(Arc::new(Encoder::new(&config).unwrap())).is_none());
    }
}
