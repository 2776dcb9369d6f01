//! Where a batch ends that cannot be read: found by trial, since librdkafka only tells where it begins.
//!
//! A fetch from within a batch returns the whole batch, one from behind it does not. So the end is the first offset from
//! which the broken batch does not come any more. Each trial has a client of its own, outside of the group: nothing of
//! the trial before can be taken for its answer.

use super::{
    batch_queue::{BatchQueue, Messages},
    context::{ReaderConsumer, ReaderContext},
    errors,
};
use crate::Error;
use rdkafka::{
    Offset, TopicPartitionList,
    config::ClientConfig,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::time::{Duration, Instant};

/// The longest wait in one call of librdkafka.
const TURN: Duration = Duration::from_millis(50);

/// The property that bounds the buffer a batch is unpacked into (librdkafka's `rd_kafka_zstd_decompress`; its other
/// codecs have no such bound), and the largest value that librdkafka takes for it.
pub(super) const RECEIVE: &str = "receive.message.max.bytes";
pub(super) const RECEIVE_MAX: &str = "2147483647";

/// Whether a message with this error stands for a batch that is corrupt.
pub(super) fn is_corrupt(code: Code) -> bool {
    matches!(code, Code::BadMessage | Code::BadCompression)
}

/// A partition whose batch at `next` cannot be read.
pub(super) struct Search<'s> {
    /// The source's own.
    pub(super) client: &'s ClientConfig,
    pub(super) topic: &'s str,
    pub(super) partition: i32,
    pub(super) deadline: Instant,
    /// Unpacks what the source's own client has too little room for.
    pub(super) roomy: bool,
}

impl Search<'_> {
    /// One past the last offset of the broken batch that `next` lies in; `next` itself if it can be read now. `high` is
    /// one past the last offset of the log.
    ///
    /// # Errors
    /// The deadline has passed, or something else is wrong too.
    pub(super) fn end(&self, next: i64, high: i64) -> Result<i64, Error> {
        first_beyond(next, high, |offset| self.is_inside(next, offset))
    }

    /// Whether the batch at `next` can be read by this client.
    ///
    /// # Errors
    /// The deadline has passed, or something else is wrong too.
    pub(super) fn is_whole(&self, next: i64) -> Result<bool, Error> {
        self.is_inside(next, next).map(|broken| !broken)
    }

    /// Whether a fetch from `offset` still returns the broken batch.
    fn is_inside(&self, next: i64, offset: i64) -> Result<bool, Error> {
        let consumer =
            self.consumer().map_err(|error| errors::failed("look for the end of a batch", error))?;
        let (queue, mut messages) = (BatchQueue::new(&consumer), Messages::new());
        queue.forward(self.topic, self.partition);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, self.partition, Offset::Offset(offset))
            .and_then(|()| consumer.assign(&list))
            .map_err(|error| errors::failed("look for the end of a batch", error))?;
        while Instant::now() < self.deadline {
            // Connections and the like are served here; what is wrong with them shows as no answer.
            let _ = consumer.poll(Duration::ZERO);
            queue.take(&mut messages, TURN, 1);
            let Some(message) = messages.front() else { continue };
            match message.error() {
                // A record, or the end of the log.
                None | Some(Code::PartitionEOF) => return Ok(false),
                // The next batch may be broken too; it begins here or later.
                Some(code) if is_corrupt(code) => return Ok(offset == next || message.offset() < offset),
                Some(code) if errors::is_passing(code) => messages.pop_front(),
                Some(code) => return Err(errors::coded("look for the end of a batch", code, message.text())),
            }
        }
        Err(Error::retriable("look for the end of a batch", "no answer in time"))
    }

    fn consumer(&self) -> Result<ReaderConsumer, KafkaError> {
        let mut client = self.client.clone();
        client
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50")
            // It is no member of the group.
            .remove("group.instance.id");
        if self.roomy {
            client.set(RECEIVE, RECEIVE_MAX);
        }
        client.create_with_context(ReaderContext::default())
    }
}

/// The first offset in `next..=high` for which `inside` is false, given that it is false at `high` and from the first such
/// offset on. Few offsets are asked for if it is near.
fn first_beyond<E>(next: i64, high: i64, mut inside: impl FnMut(i64) -> Result<bool, E>) -> Result<i64, E> {
    if next >= high || !inside(next)? {
        return Ok(next);
    }
    let (mut bad, mut good, mut step) = (next, high, 1);
    while bad + step < good {
        if inside(bad + step)? {
            bad += step;
            step *= 2;
        } else {
            good = bad + step;
            break;
        }
    }
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        if inside(middle)? { bad = middle } else { good = middle }
    }
    Ok(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_offset_beyond_is_found_with_few_questions() {
        for high in [1, 2, 3, 100, 100_000] {
            for end in (0..=high.min(40)).chain([high / 3, high / 2, high - 1, high]) {
                let mut asked = 0_u32;
                let found = first_beyond(10, 10 + high, |offset| {
                    asked += 1;
                    assert!((10..10 + high).contains(&offset), "{offset} is not in the log");
                    Ok::<_, Error>(offset < 10 + end)
                });
                assert_eq!(found.expect("no question fails"), 10 + end, "of {high}");
                assert!(asked <= 2 * (end.max(1).ilog2() + 2), "{asked} for {end} of {high}");
            }
        }
        assert_eq!(first_beyond(7, 7, |_| Ok::<_, Error>(true)).expect("nothing is asked"), 7);
    }
}
