//! The Kafka source as the runtime sees it.

use super::{
    check,
    config::KafkaConfig,
    mailbox::{Command, Mailbox},
    reader::{self, Setup},
};
use crate::{Commit, Error, Event, Framer, PartitionId, Source, Task};
use async_trait::async_trait;
use std::{fmt, sync::Arc, thread};
use tokio::sync::oneshot;

/// Reads topics as a member of a consumer group.
///
/// One thread of its own makes every call on the consumer; this is the side that the runtime awaits. Between
/// librdkafka and the runtime wait at most two batches, each at most [`BATCH_BYTES_MAX`](crate::BATCH_BYTES_MAX) or
/// one record. What librdkafka itself holds is bounded by [`KafkaConfig`]'s defaults.
///
/// # Delivery
/// The start position is resolved to a number and committed before the first record is handed out. Nothing is
/// committed but by [`Source::commit`], in order, one request in flight. A revocation is answered when all partitions
/// were released, or by itself after half of `max.poll.interval.ms` or `revoke.timeout.ms`, whichever is shorter;
/// what was not released then is [`Event::Lost`].
///
/// # Errors
/// Fatal: an offset that the log does not have or a batch that is corrupt (unless `on.data.loss=continue`), a fenced static
/// member, a configuration or credentials that the broker refuses at the first start. A right that is taken away later is
/// waited for, as a broker that is away is: [`Event::Trouble`] tells. Everything else is retriable with a new instance,
/// a static member that its group has not let go of yet included (`group.protocol=consumer` after a crash).
///
/// # Cancel safety
/// [`Source::next`] is cancel safe.
pub struct KafkaSource {
    config: KafkaConfig,
    task: Task,
    mailbox: Arc<Mailbox>,
    /// For the reader thread, once it starts.
    framer: Option<Box<dyn Framer>>,
    /// There is, or was, a reader thread.
    started: bool,
    /// Epochs that were announced and not revoked, by slot; 0: none.
    live: Vec<u32>,
}

impl KafkaSource {
    /// A source for one task. Nothing is connected before [`Source::open`].
    #[must_use]
    pub fn new(config: KafkaConfig, task: &Task) -> Self {
        Self {
            config,
            task: task.clone(),
            mailbox: Arc::default(),
            framer: None,
            started: false,
            live: Vec::new(),
        }
    }

    /// Keeps track of what is ours, and takes out what is not.
    fn note(&mut self, event: &mut Event) {
        match event {
            Event::Assigned(assigned) => {
                for assigned in assigned {
                    let slot = assigned.id.slot();
                    if self.live.len() <= slot {
                        self.live.resize(slot + 1, 0);
                    }
                    self.live[slot] = assigned.id.epoch();
                }
            }
            Event::Revoked(ids) | Event::Lost(ids) => {
                for id in ids {
                    if self.is_live(*id) {
                        self.live[id.slot()] = 0;
                    }
                }
            }
            Event::Records(batch) => {
                let live = &self.live;
                batch.retain_live(|id| live.get(id.slot()) == Some(&id.epoch()));
            }
            _ => {}
        }
    }

    fn is_live(&self, id: PartitionId) -> bool {
        self.live.get(id.slot()) == Some(&id.epoch())
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn frame_by(&mut self, framer: Box<dyn Framer>) {
        self.framer = Some(framer);
    }

    async fn open(&mut self) -> Result<(), Error> {
        let setup = check::setup(&self.config, &self.task)?;
        let (opened, outcome) = oneshot::channel();
        let (mailbox, framer) = (Arc::clone(&self.mailbox), self.framer.take());
        thread::Builder::new()
            .name(format!("kafka-{}", self.task))
            .spawn(move || run(&setup, framer, &mailbox, opened))
            .map_err(|error| Error::retriable("start the reader thread", error))?;
        self.started = true;
        outcome.await.unwrap_or_else(|_| Err(super::errors::ended()))
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        loop {
            let mut event = self.mailbox.next(room).await?;
            self.note(&mut event);
            match &event {
                // Nothing of it is ours any more.
                Event::Records(batch) if !batch.runs().iter().any(|run| self.is_live(run.id)) => {}
                Event::Gap(id, ..) if !self.is_live(*id) => {}
                _ => return Ok(event),
            }
        }
    }

    fn commit(&mut self, commits: Vec<Commit>) {
        self.mailbox.command(Command::Commit(commits));
    }

    fn release(&mut self, ids: &[PartitionId]) {
        self.mailbox.command(Command::Release(ids.to_vec()));
    }

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        self.mailbox.command(Command::Hold(ids.to_vec(), held));
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.mailbox.stop();
        // Where the sink could not be opened the source never was: no thread, whose end could be waited for.
        if self.started {
            self.mailbox.ended().await;
        }
        Ok(())
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.mailbox.stop();
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource")
            .field("config", &self.config)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

/// The reader thread, from its first to its last act.
fn run(
    setup: &Setup,
    framer: Option<Box<dyn Framer>>,
    mailbox: &Mailbox,
    opened: oneshot::Sender<Result<(), Error>>,
) {
    /// Tells the task of the end, also after a panic.
    struct End<'m>(&'m Mailbox);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.fail(Error::fatal("read", "the reader thread has panicked"));
            }
            self.0.end();
        }
    }
    let _end = End(mailbox);
    mailbox.enlist(thread::current());
    match reader::connect(setup) {
        Err(error) => drop(opened.send(Err(error))),
        Ok(consumer) => {
            // If nobody waits any more, the task was dropped and wants the thread to stop.
            drop(opened.send(Ok(())));
            reader::serve(&consumer, setup, framer, mailbox);
        }
    }
}
