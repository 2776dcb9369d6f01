//! Partitions come and go: the reader's side of a rebalance.
//!
//! An assignment is answered only when each partition's start is known and committed; a revocation when the task has
//! released all of it, or at the deadline. Polling goes on meanwhile.

use super::{
    commits::StartCommit,
    config::StartPosition,
    context::{self, Told},
    errors::{self, failed},
    reader::{Reader, TURN, Trouble},
    start::{self, Found, Standing},
    table::Hold,
};
use crate::{Assigned, Backoff, BackoffConfig, Class, Error, Event, PartitionId};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{Consumer, RebalanceProtocol},
    error::RDKafkaErrorCode as Code,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Between attempts to prepare a start while the broker is away.
const RETRY: BackoffConfig =
    BackoffConfig { initial: Duration::from_millis(100), max: Duration::from_secs(5) };

/// Longest wait for a group's answer without a line about it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time within which a group that waits for nobody answers.
const JOINED_WITHIN: Duration = Duration::from_millis(500);
/// Number of partitions named in a line of the log.
const PLACES: usize = 20;
/// Attempts before a member stops waiting for the one that is to begin the group: about half a minute.
const WAITS_FOR_OTHERS: u32 = 10;

/// Start positions of partitions.
struct Starts {
    found: Vec<Found>,
    /// Other members' partitions that are committed with them where the group begins.
    others: Vec<Found>,
}

/// An assignment whose start is being prepared.
pub(super) struct Starting {
    partitions: Vec<(Arc<str>, i32)>,
    step: Step,
    /// False: the partitions are assigned already and begin anew, at the earliest offset.
    assign: bool,
    retry_at: Option<Instant>,
    backoff: Backoff,
}

enum Step {
    /// Read what is committed, resolve what is not.
    Read,
    /// The start positions are on their way to be committed.
    Committing(Vec<Found>),
    /// Everything is known and committed.
    Ready(Vec<Found>),
}

/// A revocation that waits for its answer.
pub(super) struct Revoking {
    list: TopicPartitionList,
    deadline: Instant,
}

/// The group has not said yet which partitions are ours.
pub(super) struct Joining {
    since: Instant,
    told: bool,
}

impl Joining {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), told: false }
    }
}

/// Partitions with the offsets from which they are read, the first of them if there are many.
fn places(assigned: &[Assigned]) -> String {
    let place =
        |assigned: &Assigned| format!("{}-{} from {}", assigned.topic, assigned.partition, assigned.offset);
    let mut places: Vec<String> = assigned.iter().take(PLACES).map(place).collect();
    match assigned.len() {
        0 => return "no partitions, other members have all of them".to_owned(),
        all if all > PLACES => places.push(format!("and {} more", all - PLACES)),
        _ => {}
    }
    places.join(", ")
}

impl Starting {
    fn new(partitions: Vec<(Arc<str>, i32)>, assign: bool) -> Self {
        Self { partitions, step: Step::Read, assign, retry_at: None, backoff: Backoff::new(RETRY) }
    }
}

impl Reader<'_> {
    /// librdkafka was told to assign these.
    pub(super) fn begin(&mut self, partitions: Vec<(String, i32)>) {
        let mut topics: Vec<Arc<str>> = Vec::new();
        let mut share = |name: String| match topics.iter().find(|topic| ***topic == *name) {
            Some(topic) => Arc::clone(topic),
            None => {
                topics.push(name.into());
                Arc::clone(topics.last().expect("just pushed"))
            }
        };
        let partitions = partitions.into_iter().map(|(topic, partition)| (share(topic), partition)).collect();
        self.starting.push(Starting::new(partitions, true));
    }

    /// Everything that the subscription has now, without being a member of the group.
    pub(super) fn begin_preview(&mut self) {
        self.starting.push(Starting::new(self.existed.clone(), true));
    }

    /// librdkafka was told to revoke these. Lost ones are gone already.
    pub(super) fn revoke(&mut self, partitions: Vec<(String, i32)>) -> Result<(), Error> {
        for starting in &mut self.starting {
            let stays = |(topic, partition): &(Arc<str>, i32)| {
                !partitions.iter().any(|(name, number)| number == partition && **name == **topic)
            };
            starting.partitions.retain(stays);
            starting.step = Step::Read;
        }
        self.starting.retain(|starting| !starting.partitions.is_empty());
        self.commits.drop_starts();
        let list = match self.revoking.take() {
            Some(Revoking { list, .. }) => list,
            None => TopicPartitionList::new(),
        };
        let mut revoking = Revoking { list, deadline: Instant::now() + self.setup.revoke_within };
        let mut ids = Vec::new();
        for (topic, partition) in partitions {
            if revoking.list.find_partition(&topic, partition).is_none() {
                revoking.list.add_partition(&topic, partition);
            }
            let of = |slot: &&mut super::table::Slot| slot.partition == partition && *slot.topic == *topic;
            if let Some(slot) = self.table.iter_mut().find(of).filter(|slot| slot.hold == Hold::Reading) {
                slot.hold = Hold::Revoking;
                ids.push(slot.id);
            }
        }
        self.revoking = Some(revoking);
        if self.consumer.assignment_lost() {
            return self.lose_all();
        }
        if !ids.is_empty() {
            self.mailbox.tell(Event::Revoked(ids));
        }
        Ok(())
    }

    /// Goes on with whatever rebalance is under way.
    pub(super) fn serve_rebalances(&mut self) -> Result<(), Error> {
        if self.table.iter().any(|slot| slot.hold != Hold::Gone) && self.consumer.assignment_lost() {
            self.lose_all()?;
        }
        self.finish_releases();
        self.answer_revoke(false)?;
        self.go_on_starting()
    }

    /// A release takes effect after the commits that were given before it.
    fn finish_releases(&mut self) {
        let (commits, table) = (&self.commits, &mut self.table);
        self.releasing.retain(|id| {
            if commits.is_waiting(*id) {
                return true;
            }
            if let Some(slot) = table.get_mut(*id).filter(|slot| slot.hold == Hold::Revoking) {
                slot.hold = Hold::Gone;
            }
            false
        });
    }

    /// All partitions may be somebody else's by now.
    pub(super) fn lose_all(&mut self) -> Result<(), Error> {
        let mut ids = Vec::new();
        for slot in self.table.iter_mut().filter(|slot| slot.hold != Hold::Gone) {
            slot.hold = Hold::Gone;
            ids.push(slot.id);
        }
        self.tell_lost(ids);
        match &mut self.revoking {
            // Everything is gone, so everything goes with the answer.
            Some(revoking) => {
                for slot in self.table.iter() {
                    if revoking.list.find_partition(&slot.topic, slot.partition).is_none() {
                        revoking.list.add_partition(&slot.topic, slot.partition);
                    }
                }
                self.answer_revoke(true)
            }
            // The revocation is on its way.
            None => Ok(()),
        }
    }

    fn tell_lost(&self, ids: Vec<PartitionId>) {
        if !ids.is_empty() {
            self.mailbox.tell(Event::Lost(ids));
        }
    }

    /// Gives the partitions up when all were released, at the deadline, or `now`.
    fn answer_revoke(&mut self, now: bool) -> Result<(), Error> {
        let Some(revoking) = &self.revoking else { return Ok(()) };
        let due = now || Instant::now() >= revoking.deadline;
        let mut overdue = Vec::new();
        let mut gone = Vec::new();
        for element in revoking.list.elements() {
            let Some(slot) = self.table.find(element.topic(), element.partition()) else { continue };
            if !due && (slot.hold != Hold::Gone || self.commits.is_in_flight(slot.id)) {
                return Ok(());
            }
            if slot.hold != Hold::Gone {
                overdue.push(slot.id);
            }
            gone.push(slot.id);
        }
        self.tell_lost(overdue);
        let result = context::give_up(self.consumer, &revoking.list);
        self.revoking = None;
        for id in gone {
            self.forget(id);
        }
        result.map_err(|error| failed("give partitions up", error))
    }

    /// Nothing of this assignment may be seen again.
    fn forget(&mut self, id: PartitionId) {
        if let Some(slot) = self.table.get(id) {
            let (topic, partition) = (Arc::clone(&slot.topic), slot.partition);
            self.messages.discard(|message| message.partition() == partition && message.topic() == &*topic);
        }
        self.table.remove(id);
        self.releasing.retain(|releasing| *releasing != id);
    }

    /// The partition begins anew at the earliest offset: the one that was to be read does not exist any more.
    pub(super) fn begin_anew(&mut self, id: PartitionId) {
        let Some(slot) = self.table.get_mut(id) else { return };
        let partitions = vec![(Arc::clone(&slot.topic), slot.partition)];
        let revoking = slot.hold != Hold::Reading;
        slot.hold = Hold::Gone;
        self.tell_lost(vec![id]);
        if revoking {
            // It goes with the answer to the revocation; whoever gets it next begins.
            return;
        }
        self.forget(id);
        self.starting.push(Starting::new(partitions, false));
    }

    fn go_on_starting(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let Some(starting) = self.starting.first_mut() else { return Ok(()) };
        if starting.retry_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        starting.retry_at = None;
        match std::mem::replace(&mut starting.step, Step::Read) {
            Step::Read => {
                let (partitions, assign) = (starting.partitions.clone(), starting.assign);
                match self.find_starts(&partitions, assign) {
                    Ok(found) => self.commit_starts(found),
                    Err(error) if error.class() == Class::Fatal => return Err(error),
                    Err(error) => self.retry_start(&error),
                }
                Ok(())
            }
            step @ Step::Committing(_) => {
                starting.step = step;
                Ok(())
            }
            Step::Ready(found) => {
                let starting = self.starting.remove(0);
                self.assign(found, starting.assign)
            }
        }
    }

    fn retry_start(&mut self, error: &Error) {
        if let Some(starting) = self.starting.first_mut() {
            let wait = starting.backoff.next_wait(None);
            tracing::warn!(error = %error.report(), ?wait, "partitions cannot start yet");
            starting.retry_at = Some(Instant::now() + wait);
            starting.step = Step::Read;
        }
    }

    /// Each partition's offset; where nothing is committed (or the partition begins anew) as a number that stands for
    /// the start position.
    fn find_starts(&self, partitions: &[(Arc<str>, i32)], assign: bool) -> Result<Starts, Error> {
        let (consumer, timeout) = (self.consumer, self.setup.call_timeout);
        let (mut found, mut others) = (Vec::new(), Vec::new());
        if !assign {
            found = partitions.iter().map(Found::fresh).collect();
            self.identify(&mut found, false)?;
            start::resolve(consumer, &StartPosition::Earliest, &mut found, timeout)?;
        } else if !partitions.is_empty() {
            found = start::read_committed(consumer, partitions, timeout)?;
            self.identify(&mut found, true)?;
            if found.iter().any(|found| found.made_again.is_some()) {
                start::resolve(consumer, &StartPosition::Earliest, &mut found, timeout)?;
            } else if found.iter().any(|found| found.fresh) {
                others = self.start_fresh(&mut found)?;
            }
        }
        start::count_partitions(consumer, &mut found, timeout);
        Ok(Starts { found, others })
    }

    /// Finds the start of partitions without a commit. Returns other members' partitions that are to be committed
    /// with them.
    fn start_fresh(&self, found: &mut [Found]) -> Result<Vec<Found>, Error> {
        let (consumer, config, timeout) = (self.consumer, &self.setup.config, self.setup.call_timeout);
        let ours: Vec<(Arc<str>, i32)> =
            self.starting.iter().flat_map(|starting| starting.partitions.iter().cloned()).collect();
        let waited = self.starting.first().map_or(0, |starting| starting.backoff.attempts());
        let mut others = match start::standing(consumer, &config.topics, &ours, timeout)? {
            Standing::Begun(committed) => {
                start::catch_up(found, committed);
                start::resolve(consumer, &StartPosition::Earliest, found, timeout)?;
                Vec::new()
            }
            Standing::Ours(all) => {
                start::resolve_first(consumer, &config.start, &self.existed, all, timeout)?
            }
            // Nobody may have that partition yet.
            Standing::Others if waited >= WAITS_FOR_OTHERS => {
                let fresh = found.iter().filter(|found| found.fresh).cloned().collect();
                start::resolve_first(consumer, &config.start, &self.existed, fresh, timeout)?
            }
            Standing::Others => {
                let why = "the member that has its first partition has not committed the start positions yet";
                return Err(Error::retriable("begin the group", why));
            }
        };
        for found in found.iter_mut().filter(|found| found.fresh) {
            let same = |other: &Found| (&other.topic, other.partition) == (&found.topic, found.partition);
            if let Some(at) = others.iter().position(same) {
                found.offset = others.swap_remove(at).offset;
            }
            let Found { topic, partition, offset, .. } = found;
            tracing::debug!(topic = &**topic, partition, offset, "start position");
        }
        Ok(others)
    }

    /// Start positions are committed before the first record is handed out; otherwise a restart before the first
    /// commit would resolve them again, and skip what was read in between.
    fn commit_starts(&mut self, Starts { mut found, others }: Starts) {
        let fresh = found.iter().filter(|found| found.fresh).chain(&others).map(|found| StartCommit {
            topic: Arc::clone(&found.topic),
            partition: found.partition,
            offset: found.offset.unwrap_or_default(),
        });
        let fresh: Vec<StartCommit> = fresh.collect();
        for found in &mut found {
            found.note = start::without_mark(found.note.take());
        }
        let Some(starting) = self.starting.first_mut() else { return };
        if fresh.is_empty() || self.setup.preview {
            starting.step = Step::Ready(found);
        } else {
            starting.step = Step::Committing(found);
            self.commits.add_start(fresh);
        }
    }

    /// The start positions were committed, or not.
    pub(super) fn start_committed(&mut self, error: Option<Code>) {
        let Some(starting) = self.starting.first_mut() else { return };
        match std::mem::replace(&mut starting.step, Step::Read) {
            Step::Committing(found) if error.is_none() => starting.step = Step::Ready(found),
            step @ (Step::Read | Step::Ready(_)) => starting.step = step,
            Step::Committing(_) => {
                let code = error.unwrap_or(Code::Fail);
                self.retry_start(&errors::coded("commit the start position", code, "the broker refused"));
            }
        }
    }

    /// Announces the partitions, then lets librdkafka fetch them.
    fn assign(&mut self, found: Vec<Found>, assign: bool) -> Result<(), Error> {
        let mut list = TopicPartitionList::with_capacity(found.len());
        let mut assigned = Vec::with_capacity(found.len());
        let mut gaps = Vec::new();
        for Found { topic, partition, offset, note, partitions, topic_id, made_again, .. } in found {
            if let Some(id) = topic_id {
                self.known.learn(&topic, id);
            }
            let offset = offset.expect("resolved before it is assigned");
            let set = list.add_partition(&topic, partition).set_offset(Offset::Offset(offset));
            set.map_err(|error| Error::fatal("assign partitions", error))?;
            // Before the assignment: forwarded afterwards, first messages would stay on the event queue.
            self.queue.forward(&topic, partition);
            let id = self.table.insert(Arc::clone(&topic), partition, offset);
            gaps.extend(made_again.map(|what| Event::Gap(id, offset..offset, Error::fatal("read", what))));
            assigned.push(Assigned { id, topic, partition, offset, note, partitions });
        }
        self.settled |= !assigned.is_empty();
        // Without partitions too: the group has answered.
        if assign || !assigned.is_empty() {
            self.joining = None;
            tracing::info!(
                group = self.setup.config.group,
                partitions = assigned.len(),
                "assigned: {}",
                places(&assigned)
            );
            self.mailbox.tell(Event::Assigned(assigned));
            gaps.into_iter().for_each(|gap| self.mailbox.deliver(gap));
        }
        // librdkafka keeps the pause of an application across assignments, and nobody holds this one.
        self.consumer.resume(&list).map_err(|error| failed("resume partitions", error))?;
        if assign {
            context::answer_assign(self.consumer, &list).map_err(|error| failed("assign partitions", error))
        } else {
            let ids =
                self.table.iter().filter(|slot| list.find_partition(&slot.topic, slot.partition).is_some());
            self.repositions.extend(ids.map(|slot| slot.id));
            Ok(())
        }
    }

    /// Says once what is waited for if the group does not answer.
    pub(super) fn tell_waiting(&mut self) {
        let Some(joining) = self.joining.as_mut().filter(|joining| !joining.told) else { return };
        if joining.since.elapsed() < PATIENCE || !self.starting.is_empty() {
            return;
        }
        joining.told = true;
        let (group, at_most) = (&self.setup.config.group, self.setup.session);
        tracing::info!(
            group,
            ?at_most,
            "waiting to be given partitions: those of a member that was killed are given away when its session ends \
             ({}), and members that live may take until max.poll.interval.ms",
            if self.setup.by_broker {
                "group.consumer.session.timeout.ms of the broker"
            } else {
                "session.timeout.ms"
            }
        );
    }

    /// Waits for the group's answer to our wish to join, if that is on its way. A broker reads nothing else of a
    /// connection before it has answered, the wish to leave included: who ends now would stay a dead member, for whose
    /// session everybody who comes later has to wait.
    fn await_joined(&mut self) {
        let Some(joining) = &self.joining else { return };
        let fixed = self.setup.client.get("group.instance.id").is_some();
        if self.setup.by_broker || self.setup.preview || fixed || joining.since.elapsed() < JOINED_WITHIN {
            return;
        }
        let until = Instant::now() + self.setup.session;
        tracing::info!(group = self.setup.config.group, at_most = ?self.setup.session, "leaving the group as soon as it answers; a process that ends before stays a member until its session ends");
        while Instant::now() < until {
            let _ = self.consumer.poll(TURN);
            if self.consumer.context().take().iter().any(|told| matches!(told, Told::Assign(_))) {
                let _ = context::answer_assign(self.consumer, &TopicPartitionList::new());
                return;
            }
            if self.trouble == Some(Trouble::Away) {
                return;
            }
        }
    }

    /// Lets partitions go on at the offset that is expected next. After it has reported an offset out of range,
    /// librdkafka has stopped the partition, and refuses to seek: it has to be assigned again.
    ///
    /// Only between rebalances, because it would be taken for the answer to one.
    pub(super) fn reposition(&mut self) -> Result<(), Error> {
        if self.repositions.is_empty() || self.revoking.is_some() || self.starting.iter().any(|s| s.assign) {
            return Ok(());
        }
        let ids = std::mem::take(&mut self.repositions);
        let eager = !matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let (mut removed, mut added) = (TopicPartitionList::new(), TopicPartitionList::new());
        let reading = self.table.iter_mut().filter(|slot| slot.hold == Hold::Reading);
        for slot in reading.filter(|slot| eager || ids.contains(&slot.id)) {
            slot.settling = true;
            self.messages.discard(|m| m.partition() == slot.partition && m.topic() == &*slot.topic);
            removed.add_partition(&slot.topic, slot.partition);
            let set = added.add_partition(&slot.topic, slot.partition).set_offset(Offset::Offset(slot.next));
            set.map_err(|error| Error::fatal("assign partitions", error))?;
        }
        if added.count() == 0 {
            return Ok(());
        }
        let mut result =
            if eager { self.consumer.unassign() } else { self.consumer.incremental_unassign(&removed) };
        // The old forwarding ends some time after the call; `forward_again` makes up for it.
        self.forward_again();
        result = result.and_then(|()| context::answer_assign(self.consumer, &added));
        result.map_err(|error| failed("assign partitions again", error))
    }

    /// Forwards the queue of every partition once more: without effect where it is forwarded already. What came
    /// meanwhile moves along.
    pub(super) fn forward_again(&self) {
        for slot in self.table.iter().filter(|slot| slot.hold == Hold::Reading) {
            self.queue.forward(&slot.topic, slot.partition);
        }
    }

    /// Answers what waits for an answer, so that the group can be left at once.
    pub(super) fn leave(&mut self) {
        self.await_joined();
        self.consumer.context().close();
        let assign = self.starting.iter().any(|starting| starting.assign);
        let revoked = self.answer_revoke(true);
        let answered =
            if assign { context::answer_assign(self.consumer, &TopicPartitionList::new()) } else { Ok(()) };
        if let Err(error) = answered.map_err(|error| failed("leave the group", error)).and(revoked) {
            tracing::warn!(error = %error.report(), "the last rebalance was not answered");
        }
        self.leave_without_partitions();
    }

    /// Closing a cooperative consumer that has no partitions, librdkafka 2.12 does not leave the group
    /// (`rd_kafka_cgrp_revoke_all_rejoin`: "terminating, skipping rejoin"), and until its session ends nobody who joins
    /// is given anything. Without a subscription it does leave. Static members stay members (KIP-345).
    fn leave_without_partitions(&self) {
        let fixed = self.setup.client.get("group.instance.id").is_some();
        let cooperative = matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let empty = || self.consumer.assignment().is_ok_and(|assigned| assigned.count() == 0);
        if cooperative && !fixed && !self.setup.preview && empty() {
            self.consumer.unsubscribe();
        }
    }
}
