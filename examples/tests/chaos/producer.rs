//! Writes a plan's records to a topic, each once, at a given rate.

use crate::records::Plan;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Message},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

/// Counts what the broker has, and what it has refused.
#[derive(Clone, Default)]
struct Receipts {
    written: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl rdkafka::ClientContext for Receipts {}

impl ProducerContext for Receipts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.written.fetch_add(1, Ordering::Relaxed),
            Err((error, message)) => {
                eprintln!("{}: not written: {error}", message.topic());
                self.refused.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

/// An idempotent producer: record n of a partition has offset n, unless somebody else writes there too.
pub(crate) struct Producer {
    inner: ThreadedProducer<Receipts>,
    receipts: Receipts,
}

impl Producer {
    pub(crate) fn new(bootstrap: &str) -> Self {
        let receipts = Receipts::default();
        let inner = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "65536")
            .create_with_context(receipts.clone())
            .expect("a producer");
        Self { inner, receipts }
    }

    pub(crate) fn send(&self, topic: &str, partition: i32, value: &str) {
        let mut record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value);
        loop {
            match self.inner.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    sleep(Duration::from_millis(5));
                }
                Err((error, _)) => panic!("cannot produce to {topic}: {error}"),
            }
        }
    }

    /// Waits until everything is written.
    pub(crate) fn flush(&self) {
        self.inner.flush(Duration::from_secs(120)).expect("everything is written");
        assert_eq!(self.receipts.refused.load(Ordering::Relaxed), 0, "the broker refused records");
    }
}

/// Writes the records `numbers` of every partition as fast as it goes.
pub(crate) fn fill(bootstrap: &str, topic: &str, plan: Plan, numbers: Range<u64>) {
    let producer = Producer::new(bootstrap);
    for number in numbers {
        for partition in 0..plan.partitions {
            producer.send(topic, partition, &plan.value(partition, number));
        }
    }
    producer.flush();
}

/// A whole plan on its way to the broker, in the background.
pub(crate) struct Flow {
    thread: Option<JoinHandle<()>>,
    end: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
}

impl Flow {
    /// Writes `rate` records a second.
    pub(crate) fn start(bootstrap: &str, topic: &str, plan: Plan, rate: u64) -> Self {
        let (producer, topic) = (Producer::new(bootstrap), topic.to_owned());
        let written = Arc::clone(&producer.receipts.written);
        let (end, paused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop, pause) = (Arc::clone(&end), Arc::clone(&paused));
        let thread = std::thread::spawn(move || {
            let round = Duration::from_secs_f64(f64::from(plan.partitions) / rate as f64);
            let mut next = Instant::now();
            for number in 0..plan.per_partition {
                for partition in 0..plan.partitions {
                    producer.send(&topic, partition, &plan.value(partition, number));
                }
                next += round;
                while Instant::now() < next {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    sleep(Duration::from_millis(2));
                    if pause.load(Ordering::Relaxed) {
                        next = Instant::now() + round;
                    }
                }
            }
            producer.flush();
        });
        Self { thread: Some(thread), end, paused, written }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Stops or goes on writing.
    pub(crate) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether everything was sent.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until everything is written.
    pub(crate) fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the producer has written everything");
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Only after a failure, which is what should be shown.
            let _failed = thread.join();
        }
    }
}
