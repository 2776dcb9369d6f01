//! The consumer: one thread that alternates events and batch reads from one forwarded queue.

use crate::offsets::Offsets;
use benches::{
    BoxError,
    native::{ForwardedQueue, Messages},
};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Most messages of one call.
pub(crate) const BATCH: usize = 1_000;

/// What happened to the assignment; the loop, not the callback, acts on it.
pub(crate) enum Rebalance {
    Assigned(TopicPartitionList),
    Revoked,
}

/// Rebalances as librdkafka reported them.
#[derive(Default)]
pub(crate) struct Events {
    pending: Mutex<Vec<Rebalance>>,
    closing: AtomicBool,
}

impl ClientContext for Events {}

impl ConsumerContext for Events {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Relaxed) {
            // The loop is gone, and closing waits for ever until somebody answers the revoke.
            if let Err(error) = consumer.unassign() {
                eprintln!("yardstick: cannot unassign: {error}");
            }
            return;
        }
        let event = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assigned(partitions.clone()),
            _ => Rebalance::Revoked,
        };
        self.pending().push(event);
    }
}

impl Events {
    fn pending(&self) -> MutexGuard<'_, Vec<Rebalance>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscribed consumer with the settings that measured best.
pub(crate) fn consumer(bootstrap: &str, group: &str, topic: &str) -> Result<BaseConsumer<Events>, BoxError> {
    let consumer: BaseConsumer<Events> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // The default of a second stalls every loop that is slower than the broker.
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.message.max.bytes", "262144")
        .create_with_context(Events::default())?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

/// The reading side of the loop.
pub(crate) struct Reader<'c> {
    consumer: &'c BaseConsumer<Events>,
    queue: ForwardedQueue<'c, Events>,
    topic: String,
}

impl<'c> Reader<'c> {
    pub(crate) fn new(consumer: &'c BaseConsumer<Events>, topic: &str) -> Result<Self, BoxError> {
        let queue = ForwardedQueue::new(consumer, BATCH)?;
        Ok(Self { consumer, queue, topic: topic.to_owned() })
    }

    /// Serves librdkafka's events without waiting.
    pub(crate) fn events(&self) -> Result<Option<Rebalance>, BoxError> {
        match self.consumer.poll(Duration::ZERO) {
            // Every partition is forwarded before it is assigned, so no record comes this way.
            Some(Ok(_)) => return Err("a record on the event queue".into()),
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
            // librdkafka connects and asks again by itself.
            Some(Err(error)) => eprintln!("yardstick: {error}"),
            None => {}
        }
        let mut events = self.consumer.context().pending();
        Ok(if events.is_empty() { None } else { Some(events.remove(0)) })
    }

    /// Takes up to `most` records.
    pub(crate) fn read(&mut self, most: usize, wait: Duration) -> Messages<'_> {
        self.queue.read(most, wait)
    }

    /// Forwards first, assigns second: the other way round records stay on the event queue.
    pub(crate) fn assign(&self, partitions: &TopicPartitionList) -> Result<(), BoxError> {
        for element in partitions.elements() {
            self.queue.forward(element.topic(), element.partition())?;
        }
        Ok(self.consumer.assign(partitions)?)
    }

    pub(crate) fn unassign(&self) -> Result<(), BoxError> {
        Ok(self.consumer.unassign()?)
    }

    /// Starts a commit of what moved.
    pub(crate) fn commit(&self, offsets: &mut Offsets) -> Result<(), BoxError> {
        self.commit_as(offsets, CommitMode::Async)
    }

    /// Commits what moved and waits for the broker's answer.
    pub(crate) fn commit_and_wait(&self, offsets: &mut Offsets) -> Result<(), BoxError> {
        self.commit_as(offsets, CommitMode::Sync)
    }

    fn commit_as(&self, offsets: &mut Offsets, mode: CommitMode) -> Result<(), BoxError> {
        let moved = offsets.take();
        if moved.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for (partition, offset) in moved {
            list.add_partition_offset(&self.topic, partition, Offset::Offset(offset))?;
        }
        Ok(self.consumer.commit(&list, mode)?)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Relaxed);
    }
}
