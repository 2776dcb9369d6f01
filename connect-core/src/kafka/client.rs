//! A producer and the thread that serves its answers.

use super::producer::Answers;
use rdkafka::{config::ClientConfig, error::KafkaResult, producer::BaseProducer, producer::Producer};
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long one look for answers lasts while any are awaited: so long may an end be waited for.
const LOOK: Duration = Duration::from_millis(100);

/// A producer whose answers are served.
///
/// rdkafka's own thread for this polls ten times a second for ever, and spins for the last millisecond of each wait:
/// a hundredth of a core for a dead letter queue that is never used. This one sleeps while nothing is awaited.
pub(super) struct Client {
    producer: Arc<BaseProducer<Answers>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    pub(super) fn new(config: &ClientConfig) -> KafkaResult<Self> {
        let producer: Arc<BaseProducer<Answers>> = Arc::new(config.create_with_context(Answers::default())?);
        let ended = Arc::new(AtomicBool::new(false));
        let (served, over) = (Arc::clone(&producer), Arc::clone(&ended));
        let thread = thread::Builder::new().name("kafka-answers".to_owned()).spawn(move || {
            while !over.load(Ordering::Acquire) {
                if served.in_flight_count() > 0 {
                    served.poll(LOOK);
                } else {
                    // Errors of the client come without being awaited.
                    served.poll(Duration::ZERO);
                    thread::park_timeout(LOOK);
                }
            }
        });
        let thread = thread.map_err(|error| rdkafka::error::KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { producer, ended, thread: Some(thread) })
    }

    /// Something was sent: there is an answer to be awaited.
    pub(super) fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Deref for Client {
    type Target = BaseProducer<Answers>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It has panicked in a callback of ours, which says so itself.
            let _ = thread.join();
        }
    }
}
