//! The reader thread: every call on the consumer is made here.
//!
//! With two threads, re-assignments returned thousands of messages of the old assignment after the new one stood.
//! One thread alternates short polls for events and batch calls, and makes every assign, unassign, seek, pause and
//! commit in order.

use super::{
    batch_queue::{BatchQueue, Messages},
    check,
    commits::{Commits, Request},
    config::{KafkaConfig, Topics},
    context::{CommitResult, ReaderConsumer, ReaderContext, Told},
    errors,
    made_again::Known,
    mailbox::{Command, Mailbox},
    rebalance::{Joining, Revoking, Starting},
    start,
    table::{Hold, Table},
    topic_ids::TopicIds,
    window::Window,
};
use crate::{BatchBuilder, Commit, Error, Event, Framer, PartitionId};
use bytes::Bytes;
use rdkafka::{
    Offset, TopicPartitionList,
    config::ClientConfig,
    consumer::Consumer,
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// The longest wait of one turn: how late events, commands and results of commits are seen.
pub(super) const TURN: Duration = Duration::from_millis(20);
/// How often [`Event::Ends`] is told.
const ENDS_EVERY: Duration = Duration::from_secs(1);
/// How long one look for a broker may keep the thread from its other work.
const LOOK: Duration = Duration::from_millis(100);
/// Error text for a right that was granted before.
pub(super) const REFUSES: &str = "the broker refuses what it granted before; trying again";
/// Events served before the data queue gets its turn again.
const EVENTS_PER_TURN: usize = 100;

/// What the thread works with.
pub(super) struct Setup {
    pub(super) config: KafkaConfig,
    pub(super) client: ClientConfig,
    /// Time that the group waits for a member that does not answer.
    pub(super) session: Duration,
    /// The broker assigns (`group.protocol=consumer`), and nobody waits for others to join.
    pub(super) by_broker: bool,
    /// Half of `max.poll.interval.ms`, or `revoke.timeout.ms` if that is shorter.
    pub(super) revoke_within: Duration,
    /// The longest wait for an answer from a broker in a call that blocks.
    pub(super) call_timeout: Duration,
    /// `fetch.max.bytes`.
    pub(super) answer_bytes: usize,
    /// `queued.max.messages.kbytes` in bytes.
    pub(super) queued_bytes: usize,
    /// How often topics are looked for that match the pattern.
    pub(super) look_every: Duration,
    /// The task ran before and was started again by itself: what is refused may be granted again.
    pub(super) again: bool,
    /// Only looked at: no member of the group, no commits.
    pub(super) preview: bool,
}

/// Connects and checks.
pub(super) fn connect(setup: &Setup) -> Result<ReaderConsumer, Error> {
    let consumer: ReaderConsumer =
        setup.client.create_with_context(ReaderContext::default()).map_err(|error| {
            let what = check::without_secrets(error, &setup.config.properties);
            Error::fatal("create the kafka consumer", what)
        })?;
    // Without an answer the next line says so, but not before a time-out.
    tracing::info!(brokers = setup.config.bootstrap, "connecting to kafka");
    check::reachable(&consumer, setup)?;
    Ok(consumer)
}

/// Serves until the task wants it to stop or something ends it. Queue and messages are gone when this returns.
pub(super) fn serve(
    consumer: &ReaderConsumer,
    setup: &Setup,
    framer: Option<Box<dyn Framer>>,
    mailbox: &Mailbox,
) {
    let mut reader = Reader::new(consumer, setup, mailbox);
    if let Some(framer) = framer {
        reader.builder.frame_by(framer);
    }
    if let Err(error) = reader.join().and_then(|()| reader.run()) {
        mailbox.fail(error);
    }
    reader.leave();
}

/// Trouble that the reader waits out, by the sign of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No broker could be reached: over when one answers.
    Away,
    /// A right was taken away, as questions about topics and group show: over when they are answered.
    Refused,
    /// The right to read a topic was taken away, which librdkafka tells once: over when something is read again, or
    /// when questions that were refused are answered.
    Unread,
}

/// The thread's state. Fields drop in this order: messages before their queue; both borrow the consumer.
pub(super) struct Reader<'c> {
    pub(super) messages: Messages<'c>,
    pub(super) queue: BatchQueue<'c>,
    pub(super) known: Known<'c>,
    pub(super) consumer: &'c ReaderConsumer,
    pub(super) setup: &'c Setup,
    pub(super) mailbox: &'c Mailbox,
    pub(super) table: Table,
    pub(super) builder: BatchBuilder,
    pub(super) commits: Commits,
    /// Assignments whose start is being prepared, in order.
    pub(super) starting: Vec<Starting>,
    /// The revocation that waits for its answer.
    pub(super) revoking: Option<Revoking>,
    /// Released by the task, but commits of them wait to be sent.
    pub(super) releasing: Vec<PartitionId>,
    /// To be read from the offset that is expected next, as soon as no rebalance is under way.
    pub(super) repositions: Vec<PartitionId>,
    /// The partitions that the subscription had when this member was started.
    pub(super) existed: Vec<(Arc<str>, i32)>,
    /// What is subscribed to.
    subscription: Vec<String>,
    /// When to look for topics that match the pattern again.
    look_at: Instant,
    /// Bytes that brokers may send at once.
    pub(super) window: Window,
    /// Bytes of an average record, for the size of batch calls.
    pub(super) average: usize,
    /// Partitions were assigned before: what is refused from now on may be granted again.
    pub(super) settled: bool,
    ends_at: Instant,
    /// Positions are to be looked at as soon as no message waits here.
    pub(super) positions_due: bool,
    /// The group has not answered yet.
    pub(super) joining: Option<Joining>,
    /// Trouble that the task was told of.
    pub(super) trouble: Option<Trouble>,
}

impl<'c> Reader<'c> {
    fn new(consumer: &'c ReaderConsumer, setup: &'c Setup, mailbox: &'c Mailbox) -> Self {
        let queue = BatchQueue::new(consumer);
        let window = Window::new(setup.answer_bytes, setup.queued_bytes);
        queue.limit_answers(window.bytes());
        Self {
            messages: Messages::new(),
            queue,
            window,
            known: Known::new(TopicIds::new(consumer)),
            consumer,
            setup,
            mailbox,
            table: Table::default(),
            builder: BatchBuilder::new(),
            commits: Commits::default(),
            starting: Vec::new(),
            revoking: None,
            releasing: Vec::new(),
            repositions: Vec::new(),
            existed: Vec::new(),
            subscription: Vec::new(),
            look_at: Instant::now(),
            average: 512,
            settled: setup.again,
            ends_at: Instant::now() + ENDS_EVERY,
            positions_due: false,
            joining: None,
            trouble: None,
        }
    }

    /// Becomes a member of the group, or takes everything where it is only looked at.
    fn join(&mut self) -> Result<(), Error> {
        let (topics, timeout) = (&self.setup.config.topics, self.setup.call_timeout);
        self.existed = start::subscribed(self.consumer, topics, timeout)?;
        if self.setup.preview {
            self.begin_preview();
            return Ok(());
        }
        self.subscribe()
    }

    fn run(&mut self) -> Result<(), Error> {
        loop {
            let turn = self.mailbox.turn();
            if turn.stop {
                return Ok(());
            }
            for command in turn.commands {
                self.obey(command)?;
            }
            self.serve_events()?;
            self.serve_rebalances()?;
            self.look_at_ids()?;
            self.reposition()?;
            self.send_commit();
            self.tell_ends();
            self.tell_waiting();
            self.look_for_topics();
            self.limit_answers();
            if turn.room > 0 {
                self.pass_markers();
                self.read(turn.room)?;
            } else {
                // Back-pressure is not reading. The task wakes this thread as soon as there is room.
                thread::park_timeout(TURN);
            }
        }
    }

    /// Subscribes to the list, or to what the pattern finds now, where that has changed.
    fn subscribe(&mut self) -> Result<(), Error> {
        self.look_at = Instant::now() + self.setup.look_every;
        let names = start::names(self.consumer, &self.setup.config.topics, self.setup.call_timeout)?;
        if names == self.subscription || names.is_empty() {
            return Ok(());
        }
        let list: Vec<&str> = names.iter().map(String::as_str).collect();
        self.consumer.subscribe(&list).map_err(|error| Error::fatal("subscribe", error))?;
        if self.subscription.is_empty() {
            self.joining = Some(Joining::new());
        }
        self.subscription = names;
        Ok(())
    }

    fn look_for_topics(&mut self) {
        let listed = matches!(self.setup.config.topics, Topics::List(_));
        if listed || self.setup.preview || Instant::now() < self.look_at {
            return;
        }
        if let Err(error) = self.subscribe() {
            tracing::warn!(error = %error.report(), "cannot look for new topics");
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Error> {
        match command {
            Command::Commit(commits) => {
                let (table, releasing) = (&self.table, &self.releasing);
                let allowed = !self.setup.preview;
                let live = |id| allowed && table.may_commit(id) && !releasing.contains(&id);
                self.commits.add(commits, Instant::now(), live);
                Ok(())
            }
            Command::Release(ids) => {
                self.releasing.extend(ids);
                Ok(())
            }
            Command::Hold(ids, held) => self.pause(&ids, held),
        }
    }

    fn pause(&mut self, ids: &[PartitionId], held: bool) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for slot in ids.iter().filter_map(|id| self.table.get(*id)) {
            list.add_partition(&slot.topic, slot.partition);
        }
        let result = if held { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        result.map_err(|error| errors::failed("hold partitions", error))
    }

    /// Lets librdkafka call back, and does what that demands.
    fn serve_events(&mut self) -> Result<(), Error> {
        for _ in 0..EVENTS_PER_TURN {
            let before = self.consumer.context().count();
            match self.consumer.poll(Duration::ZERO) {
                // rdkafka does not say whether there was an event or none.
                None if self.consumer.context().count() == before => break,
                None => {}
                Some(Err(error)) => self.client_error(&error)?,
                Some(Ok(_)) => {
                    // It would be lost here, and later ones of its partition may have overtaken it.
                    let problem =
                        "a record came by the event queue; the task starts again from what is committed";
                    return Err(Error::retriable("read", problem));
                }
            }
        }
        for told in self.consumer.context().take() {
            match told {
                Told::Assign(partitions) => self.begin(partitions),
                Told::Revoke(partitions) => self.revoke(partitions)?,
                Told::Committed(results) => self.committed(&results)?,
            }
        }
        Ok(())
    }

    fn client_error(&mut self, error: &KafkaError) -> Result<(), Error> {
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            return Err(errors::coded("take part in the group", code, reason));
        }
        match error.rdkafka_error_code() {
            Some(code) if errors::is_refusal(code) && self.settled => {
                self.sit_out(Trouble::Refused, errors::coded("read", code, REFUSES));
                Ok(())
            }
            Some(code) if errors::is_refusal(code) => {
                Err(errors::refused("read", code, "the broker refuses"))
            }
            // Everything else the client sits out; what concerns a partition comes by the data queue.
            _ => {
                tracing::warn!(%error, "kafka consumer");
                if error.rdkafka_error_code().is_some_and(errors::is_unknown_topic) {
                    self.look_at_ids_soon();
                }
                if let Some(code @ Code::AllBrokersDown) = error.rdkafka_error_code() {
                    let why = "no broker answers, trying again";
                    self.sit_out(Trouble::Away, errors::coded("reach the kafka cluster", code, why));
                }
                Ok(())
            }
        }
    }

    /// Shows trouble in the status that ends without a new start.
    pub(super) fn sit_out(&mut self, trouble: Trouble, error: Error) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(error = %error.report(), "waiting until this is over");
        }
        self.trouble = Some(trouble);
        self.mailbox.tell(Event::Trouble(Some(error)));
    }

    /// Ends trouble that is over when something is read.
    pub(super) fn has_read(&mut self) {
        if self.trouble == Some(Trouble::Unread) {
            self.trouble_is_over();
        }
    }

    fn trouble_is_over(&mut self) {
        tracing::info!("the source can read again");
        self.trouble = None;
        self.mailbox.tell(Event::Trouble(None));
    }

    /// librdkafka says when all brokers are down and when it is refused, not when that is over.
    fn look_for_end_of_trouble(&mut self) {
        let topic = self.table.iter().next().map(|slot| Arc::clone(&slot.topic));
        let over = match &self.trouble {
            None => false,
            Some(Trouble::Unread) => {
                if !self.is_admitted() {
                    // From here on the end of it shows.
                    self.trouble = Some(Trouble::Refused);
                }
                false
            }
            Some(Trouble::Away) => self.consumer.fetch_metadata(topic.as_deref(), LOOK).is_ok(),
            Some(Trouble::Refused) => self.is_admitted(),
        };
        if over {
            self.trouble_is_over();
        }
    }

    /// Whether the broker answers about all topics and about what the group has committed.
    fn is_admitted(&self) -> bool {
        let is_open = |name: &String| {
            let metadata = self.consumer.fetch_metadata(Some(name), LOOK);
            metadata.is_ok_and(|metadata| {
                let mut errors = metadata.topics().iter().filter_map(|topic| topic.error());
                !errors.any(|error| errors::is_refusal(error.into()))
            })
        };
        if !self.subscription.iter().all(is_open) {
            return false;
        }
        let mut first = TopicPartitionList::new();
        if let Some(topic) = self.subscription.first() {
            first.add_partition(topic, 0);
        }
        let committed = self.consumer.committed_offsets(first, LOOK);
        committed.is_ok_and(|list| list.elements().iter().all(|element| element.error().is_ok()))
    }

    /// Sends the next request to commit, unless one is in flight or the topics' ids are to be looked at first.
    fn send_commit(&mut self) {
        while let Some(request) = self.commits.next(|since| self.known.looked_since(since)) {
            let mut list = TopicPartitionList::new();
            match request {
                Request::Dead(commits) => self.refuse(commits),
                Request::Start(starts) => {
                    for start in &starts {
                        add(&mut list, &start.topic, start.partition, start.offset, None);
                    }
                    self.send(&list, Request::Start(starts));
                }
                Request::Task(commits) => {
                    let (live, dead): (Vec<_>, Vec<_>) = commits.into_iter().partition(|commit| {
                        let slot = self.table.get(commit.id).filter(|slot| slot.hold != Hold::Gone);
                        slot.is_some_and(|slot| {
                            add(&mut list, &slot.topic, slot.partition, commit.offset, commit.note.as_deref())
                        })
                    });
                    self.refuse(dead);
                    self.send(&list, Request::Task(live));
                }
            }
        }
    }

    fn refuse(&mut self, commits: Vec<Commit>) {
        if !commits.is_empty() {
            let error =
                Error::retriable("commit", "the assignment has ended, or the offset or note is not valid");
            self.mailbox.tell(Event::Committed(commits, Err(error)));
        }
    }

    fn send(&mut self, list: &TopicPartitionList, request: Request) {
        if list.count() == 0 {
            return;
        }
        self.commits.in_flight = Some(request);
        if let Err(code) = self.queue.commit(list) {
            self.answer(|_, _| Some(code));
        }
    }

    fn committed(&mut self, results: &[CommitResult]) -> Result<(), Error> {
        let lost =
            |code| matches!(code, Code::UnknownMemberId | Code::FencedMemberEpoch | Code::FencedInstanceId);
        let fenced = results.iter().filter_map(|result| result.error).any(lost);
        let overall = results.iter().find(|result| result.partition < 0).and_then(|result| result.error);
        self.answer(|topic, partition| {
            let of = |result: &&CommitResult| result.partition == partition && result.topic == topic;
            results.iter().find(of).map_or(overall, |result| result.error)
        });
        // librdkafka does not say so while a revocation waits for its answer.
        if fenced && self.revoking.is_some() { self.lose_all() } else { Ok(()) }
    }

    /// Hands the results of the request in flight to whoever asked.
    fn answer(&mut self, result: impl Fn(&str, i32) -> Option<Code>) {
        match self.commits.in_flight.take() {
            None | Some(Request::Dead(_)) => {}
            Some(Request::Start(starts)) => {
                let error = starts.iter().find_map(|start| result(&start.topic, start.partition));
                self.start_committed(error);
            }
            Some(Request::Task(commits)) => {
                let mut first = None;
                let (good, bad): (Vec<_>, Vec<_>) = commits.into_iter().partition(|commit| {
                    let slot = self.table.get(commit.id);
                    let code = slot.map_or(Some(Code::Fail), |slot| result(&slot.topic, slot.partition));
                    first = first.or(code);
                    code.is_none()
                });
                if !good.is_empty() {
                    if matches!(self.trouble, Some(Trouble::Refused | Trouble::Unread)) {
                        self.trouble_is_over();
                    }
                    self.mailbox.tell(Event::Committed(good, Ok(())));
                }
                if let Some(code) = first {
                    if errors::is_refusal(code) {
                        self.sit_out(Trouble::Refused, errors::coded("commit", code, REFUSES));
                    }
                    let note = bad.iter().filter_map(|commit| commit.note.as_ref()).map(Bytes::len).max();
                    let error = errors::commit("commit", code, note.unwrap_or_default());
                    self.mailbox.tell(Event::Committed(bad, Err(error)));
                }
            }
        }
    }

    fn tell_ends(&mut self) {
        if Instant::now() < self.ends_at {
            return;
        }
        self.ends_at = Instant::now() + ENDS_EVERY;
        self.forward_again();
        self.look_for_end_of_trouble();
        self.positions_due = true;
        let reading = self.table.iter().filter(|slot| slot.hold == Hold::Reading);
        let ends = reading.filter_map(|slot| {
            let (_, high) = self.queue.watermarks(&slot.topic, slot.partition)?;
            Some((slot.id, high.max(slot.next)))
        });
        let ends: Vec<_> = ends.collect();
        if !ends.is_empty() {
            self.mailbox.tell(Event::Ends(ends));
        }
    }
}

/// Adds a commit to a request. False: it cannot be sent.
fn add(list: &mut TopicPartitionList, topic: &str, partition: i32, offset: i64, note: Option<&[u8]>) -> bool {
    let note = match note.map(std::str::from_utf8) {
        Some(Err(_)) => return false,
        Some(Ok(note)) => note,
        None => "",
    };
    if offset < 0 {
        return false;
    }
    let mut element = list.add_partition(topic, partition);
    let set = element.set_offset(Offset::Offset(offset)).is_ok();
    if !note.is_empty() {
        element.set_metadata(note);
    }
    set
}
