//! Topics that were deleted and created again: the offsets of the new topic say nothing about those of the old one.
//!
//! Looked at when partitions are assigned, before each commit of the task, at once when librdkafka or the broker says
//! something that a topic made again brings about, and every few seconds. librdkafka goes on in the new topic at the
//! old topic's offset, and reports nothing where the new topic has that offset too: records of it can be handed out
//! before the next look, but nothing of it is committed at the old topic's offsets. A look is one small request, which
//! nothing waits for but the commit, and that for a second at most.

use super::{
    config::OnDataLoss,
    reader::Reader,
    start::Found,
    table::Hold,
    topic_ids::{TopicId, TopicIds},
};
use crate::{Error, Event, PartitionId};
use std::{
    collections::HashMap,
    slice,
    sync::Arc,
    time::{Duration, Instant},
};

/// Interval at which ids are compared.
const EVERY: Duration = Duration::from_secs(3);
/// The same while a topic is away: it may come back as another one. Also the least between looks for other reasons than
/// a commit.
const EVERY_WHILE_AWAY: Duration = Duration::from_millis(200);
/// The longest that a commit waits for a look: a broker that answers about no topic may still take commits.
const COMMIT_WAITS: Duration = Duration::from_secs(1);

/// The topics of the assigned partitions, by id.
pub(super) struct Known<'c> {
    ids: TopicIds<'c>,
    topics: HashMap<Arc<str>, TopicId>,
    look_at: Instant,
    /// Time of the last question.
    asked: Option<Instant>,
    /// Time of the last question that was answered.
    looked: Option<Instant>,
}

impl<'c> Known<'c> {
    pub(super) fn new(ids: TopicIds<'c>) -> Self {
        Self { ids, topics: HashMap::new(), look_at: Instant::now(), asked: None, looked: None }
    }

    /// Whether a commit given at this time may be sent: the ids were looked at since, or it has waited long enough for
    /// that, or the broker knows no ids.
    pub(super) fn looked_since(&self, given: Instant) -> bool {
        self.topics.is_empty()
            || self.looked.is_some_and(|looked| looked >= given)
            || given.elapsed() >= COMMIT_WAITS
    }

    /// Takes the answer to the last question, if it is there.
    fn take(&mut self) -> Option<HashMap<String, TopicId>> {
        let found = self.ids.take(Duration::ZERO)?;
        self.looked = self.looked.max(self.asked);
        Some(found)
    }

    /// Whether to ask now, where a commit given at this time waits for it.
    fn is_due(&self, now: Instant, given: Option<Instant>) -> bool {
        let awaited = self.asked > self.looked;
        !awaited && (now >= self.look_at || given.is_some_and(|given| !self.looked_since(given)))
    }

    /// Asks about these topics.
    fn ask(&mut self, now: Instant, topics: &[Arc<str>]) {
        self.look_at = now + EVERY;
        if self.ids.ask(topics) {
            self.asked = Some(now);
        } else {
            // There is nothing to ask about.
            self.looked = Some(now);
        }
    }

    /// Records the id of a topic of which a partition is assigned.
    pub(super) fn learn(&mut self, topic: &Arc<str>, id: TopicId) {
        self.topics.insert(Arc::clone(topic), id);
    }
}

impl Reader<'_> {
    /// Compares ids at once, because something is wrong with a topic, unless that was done a moment ago.
    pub(super) fn look_at_ids_soon(&mut self) {
        let soon = self.known.asked.map_or_else(Instant::now, |asked| asked + EVERY_WHILE_AWAY);
        self.known.look_at = self.known.look_at.min(soon);
    }

    /// Asks for the ids of all topics that are read, and looks at the answer when it comes.
    pub(super) fn look_at_ids(&mut self) -> Result<(), Error> {
        if let Some(found) = self.known.take() {
            self.compare(&found)?;
        }
        let now = Instant::now();
        if self.known.is_due(now, self.commits.next_since()) {
            let mut topics: Vec<Arc<str>> = Vec::new();
            for slot in self.table.iter().filter(|slot| slot.hold != Hold::Gone) {
                if !topics.contains(&slot.topic) {
                    topics.push(Arc::clone(&slot.topic));
                }
            }
            self.known.ask(now, &topics);
        }
        Ok(())
    }

    fn compare(&mut self, found: &HashMap<String, TopicId>) -> Result<(), Error> {
        let mut others: Vec<PartitionId> = Vec::new();
        let mut away = false;
        for slot in self.table.iter().filter(|slot| slot.hold != Hold::Gone) {
            match (self.known.topics.get(&slot.topic), found.get(&*slot.topic)) {
                (Some(known), Some(now)) if known != now => others.push(slot.id),
                (Some(_), None) => away = true,
                _ => {}
            }
        }
        if away {
            self.look_at_ids_soon();
        }
        others.into_iter().try_for_each(|id| self.leave_old_topic(id))
    }

    /// The partition's topic is another one now.
    pub(super) fn leave_old_topic(&mut self, id: PartitionId) -> Result<(), Error> {
        let Some(slot) = self.table.get(id) else { return Ok(()) };
        let next = slot.next;
        let error = self.made_again(&slot.topic, slot.partition)?;
        self.mailbox.tell(Event::Gap(id, next..next, error));
        self.begin_anew(id);
        Ok(())
    }

    /// Asks whether this topic is another one than was assigned, and waits for the answer.
    pub(super) fn is_made_again(&self, topic: &Arc<str>) -> bool {
        let Some(known) = self.known.topics.get(topic) else { return false };
        self.ask_now(slice::from_ref(topic)).get(&**topic).is_some_and(|now| now != known)
    }

    fn ask_now(&self, topics: &[Arc<str>]) -> HashMap<String, TopicId> {
        let mut ids = TopicIds::new(self.consumer);
        ids.ask(topics);
        ids.take(self.setup.call_timeout).unwrap_or_default()
    }

    /// Finds out which topics these are, in partitions that are to be assigned. Those of a topic that was made again begin
    /// anew, whatever is committed, where `known` ones are compared.
    pub(super) fn identify(&self, found: &mut [Found], compare: bool) -> Result<(), Error> {
        let mut topics: Vec<Arc<str>> = found.iter().map(|found| Arc::clone(&found.topic)).collect();
        // Asked twice about one topic, librdkafka asks about none.
        topics.sort_unstable();
        topics.dedup();
        let now = self.ask_now(&topics);
        for found in found {
            found.topic_id = now.get(&*found.topic).copied();
            let known = self.known.topics.get(&found.topic).copied();
            if known.is_some() && found.topic_id.is_none() {
                // Deleted, or created a moment ago.
                return Err(
                    Error::retriable("identify the topic", "the broker named no id").about(&found.topic)
                );
            }
            if compare && known.is_some() && found.topic_id.is_some() && known != found.topic_id {
                found.made_again = Some(self.made_again(&found.topic, found.partition)?.report());
                (found.offset, found.note, found.fresh) = (None, None, true);
            }
        }
        Ok(())
    }

    /// Returns the loss to report if data loss is allowed, and fails otherwise.
    fn made_again(&self, topic: &str, partition: i32) -> Result<Error, Error> {
        let what =
            "the topic was deleted and created again; records of the old one that were not read are gone";
        let error = |advice: &str| {
            Error::fatal("read", format!("{what}{advice}"))
                .about(format!("topic {topic}, partition {partition}"))
        };
        if self.setup.config.on_data_loss == OnDataLoss::Stop {
            return Err(error(
                "; to read the new one, move the group's offsets to its beginning while the task is stopped; \
                 on.data.loss=continue does that by itself from then on",
            ));
        }
        let error = error("");
        tracing::error!(error = %error.report(), "data loss; continuing at the beginning of the new topic");
        Ok(error)
    }
}
