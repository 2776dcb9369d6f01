//! Topics that were deleted and made again: other ones of the same name, whose offsets say nothing about the old ones.
//!
//! Looked at in two places: when partitions are assigned, and every few seconds while they are read. librdkafka goes on
//! in the new topic at the old topic's offset, and reports nothing where the new topic has that offset too.

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
    sync::Arc,
    time::{Duration, Instant},
};

/// Between looks at the ids.
const EVERY: Duration = Duration::from_secs(3);
/// The same while a topic is away: it may come back as another one.
const EVERY_WHILE_AWAY: Duration = Duration::from_millis(200);

/// Which topics the partitions were assigned of.
pub(super) struct Known<'c> {
    ids: TopicIds<'c>,
    topics: HashMap<Arc<str>, TopicId>,
    look_at: Instant,
}

impl<'c> Known<'c> {
    pub(super) fn new(ids: TopicIds<'c>) -> Self {
        Self { ids, topics: HashMap::new(), look_at: Instant::now() }
    }

    /// A partition of this topic is assigned.
    pub(super) fn learn(&mut self, topic: &Arc<str>, id: TopicId) {
        self.topics.insert(Arc::clone(topic), id);
    }
}

impl Reader<'_> {
    /// Something is wrong with a topic.
    pub(super) fn look_at_ids_soon(&mut self) {
        self.known.look_at = self.known.look_at.min(Instant::now() + EVERY_WHILE_AWAY);
    }

    /// Asks for the ids of all topics that are read, and looks at the answer when it comes.
    pub(super) fn look_at_ids(&mut self) -> Result<(), Error> {
        if let Some(found) = self.known.ids.take(Duration::ZERO) {
            self.compare(&found)?;
        }
        let now = Instant::now();
        if now >= self.known.look_at {
            self.known.look_at = now + EVERY;
            let mut topics: Vec<Arc<str>> = Vec::new();
            for slot in self.table.iter().filter(|slot| slot.hold == Hold::Reading) {
                if !topics.contains(&slot.topic) {
                    topics.push(Arc::clone(&slot.topic));
                }
            }
            self.known.ids.ask(&topics);
        }
        Ok(())
    }

    fn compare(&mut self, found: &HashMap<String, TopicId>) -> Result<(), Error> {
        let mut others: Vec<(PartitionId, i64)> = Vec::new();
        let mut away = false;
        for slot in self.table.iter().filter(|slot| slot.hold == Hold::Reading) {
            match (self.known.topics.get(&slot.topic), found.get(&*slot.topic)) {
                (Some(known), Some(now)) if known != now => others.push((slot.id, slot.next)),
                (Some(_), None) => away = true,
                _ => {}
            }
        }
        if away {
            self.look_at_ids_soon();
        }
        for (id, next) in others {
            let Some(slot) = self.table.get(id) else { continue };
            let error = self.made_again(&slot.topic, slot.partition)?;
            self.mailbox.tell(Event::Gap(id, next..next, error));
            self.begin_anew(id);
        }
        Ok(())
    }

    /// Finds out which topics these are, in partitions that are to be assigned. Those of a topic that was made again begin
    /// anew, whatever is committed, where `known` ones are compared.
    pub(super) fn identify(&self, found: &mut [Found], compare: bool) -> Result<(), Error> {
        let mut topics: Vec<Arc<str>> = found.iter().map(|found| Arc::clone(&found.topic)).collect();
        topics.dedup();
        let mut ids = TopicIds::new(self.consumer);
        ids.ask(&topics);
        let now = ids.take(self.setup.call_timeout).unwrap_or_default();
        for found in found {
            found.topic_id = now.get(&*found.topic).copied();
            let known = self.known.topics.get(&found.topic).copied();
            if known.is_some() && found.topic_id.is_none() {
                // Away, or only just made again.
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

    /// What to report, where data loss is allowed.
    fn made_again(&self, topic: &str, partition: i32) -> Result<Error, Error> {
        let what = "the topic was deleted and made again; what was not read of the old one is gone";
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
        tracing::error!(error = %error.report(), "data loss; going on at the beginning of the new topic");
        Ok(error)
    }
}
