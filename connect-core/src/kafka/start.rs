//! Where partitions begin: what the group has committed, or the start position as a number.

use super::{
    config::{StartPosition, Topics},
    context::ReaderConsumer,
    errors::failed,
    topic_ids::TopicId,
};
use crate::Error;
use bytes::Bytes;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer,
    error::KafkaResult,
    metadata::{Metadata, MetadataTopic},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Metadata that earlier versions committed with a start position begin so.
const MARK: &str = "connect-start:";

/// A partition, and where it begins once that is known.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: Option<i64>,
    pub(super) note: Option<Bytes>,
    /// Nothing is committed: the start position holds, and is to be committed.
    pub(super) fresh: bool,
    /// The topic's id, if the broker tells.
    pub(super) topic_id: Option<TopicId>,
    /// The topic is another one than before, of the same name: what to report.
    pub(super) made_again: Option<String>,
    /// How many partitions the topic has, if that could be found out.
    pub(super) partitions: Option<u32>,
}

impl Found {
    /// A partition that begins at a position that is still to be resolved.
    pub(super) fn fresh((topic, partition): &(Arc<str>, i32)) -> Self {
        let (topic, partition) = (Arc::clone(topic), *partition);
        Self {
            topic,
            partition,
            offset: None,
            note: None,
            fresh: true,
            partitions: None,
            topic_id: None,
            made_again: None,
        }
    }
}

/// Reads offset and note of each partition in one request.
pub(super) fn read_committed(
    consumer: &ReaderConsumer,
    partitions: &[(Arc<str>, i32)],
    timeout: Duration,
) -> Result<Vec<Found>, Error> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    let read = || -> KafkaResult<Vec<Found>> {
        let committed = consumer.committed_offsets(list, timeout)?;
        let mut found = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let element = committed.find_partition(topic, *partition);
            let (offset, note) = match &element {
                Some(element) => {
                    element.error()?;
                    (plain(element.offset()), Some(element.metadata()).filter(|text| !text.is_empty()))
                }
                None => (None, None),
            };
            let note = note.filter(|_| offset.is_some()).map(|text| Bytes::copy_from_slice(text.as_bytes()));
            let fresh = offset.is_none();
            let (topic, partition) = (Arc::clone(topic), *partition);
            found.push(Found {
                topic,
                partition,
                offset,
                note,
                fresh,
                partitions: None,
                topic_id: None,
                made_again: None,
            });
        }
        Ok(found)
    };
    read().map_err(|error| failed("read committed offsets", error))
}

fn plain(offset: Offset) -> Option<i64> {
    match offset {
        Offset::Offset(offset) => Some(offset),
        Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => None,
    }
}

/// Where a group stands that some of our partitions have no commit of.
#[derive(Debug)]
pub(super) enum Standing {
    /// It began before: what has no commit appeared later, and starts at the earliest offset.
    Begun,
    /// It has committed nothing, and we are to begin it: with one commit of all these partitions, other members' included.
    /// From then on a partition without a commit is one that did not exist when the group began, and stays
    /// recognizable as such for as long as the group has commits.
    Ours(Vec<Found>),
    /// It has committed nothing, and another member is to begin it.
    Others,
}

/// Looks at all partitions of the subscription. `ours` are those that this member is to read.
pub(super) fn standing(
    consumer: &ReaderConsumer,
    topics: &Topics,
    ours: &[(Arc<str>, i32)],
    timeout: Duration,
) -> Result<Standing, Error> {
    let mut all = subscribed(consumer, topics, timeout)?;
    // The group's leader knew of ours, if the broker asked does not.
    all.extend_from_slice(ours);
    all.sort_unstable();
    all.dedup();
    Ok(decide(read_committed(consumer, &all, timeout)?, ours))
}

/// The owner of the first partition begins the group: one member at a time, so no progress of another one is undone.
fn decide(all: Vec<Found>, ours: &[(Arc<str>, i32)]) -> Standing {
    if all.iter().any(|found| found.offset.is_some()) {
        return Standing::Begun;
    }
    let begins = |first: &Found| {
        ours.iter().any(|(topic, number)| (topic, *number) == (&first.topic, first.partition))
    };
    if all.first().is_none_or(begins) { Standing::Ours(all) } else { Standing::Others }
}

/// All partitions of all topics that the subscription has now.
pub(super) fn subscribed(
    consumer: &ReaderConsumer,
    topics: &Topics,
    timeout: Duration,
) -> Result<Vec<(Arc<str>, i32)>, Error> {
    let mut all = Vec::new();
    each_topic(consumer, topics, timeout, |topic| {
        let name: Arc<str> = topic.name().into();
        all.extend(topic.partitions().iter().map(|partition| (Arc::clone(&name), partition.id())));
    })?;
    Ok(all)
}

/// Finds out how many partitions each topic has. Sinks can do without: all topics together get one `timeout`, because
/// nothing else is served meanwhile, and what is not known by then stays unknown.
pub(super) fn count_partitions(consumer: &ReaderConsumer, found: &mut [Found], timeout: Duration) {
    let begin = Instant::now();
    let mut counts: HashMap<Arc<str>, Option<u32>> = HashMap::new();
    for found in found {
        let count = counts.entry(Arc::clone(&found.topic)).or_insert_with(|| {
            let left = timeout.saturating_sub(begin.elapsed());
            match consumer.fetch_metadata(Some(&found.topic), left) {
                Ok(metadata) => {
                    let topic = metadata.topics().iter().find(|topic| topic.name() == &*found.topic);
                    // A topic without partitions is one with an error.
                    topic.and_then(|topic| u32::try_from(topic.partitions().len()).ok()).filter(|&count| count > 0)
                }
                Err(error) => {
                    tracing::warn!(topic = &*found.topic, %error, "the partitions of the topic could not be counted");
                    None
                }
            }
        });
        // The group's leader knew of this partition, if the broker asked did not.
        let at_least = u32::try_from(found.partition).unwrap_or_default() + 1;
        found.partitions = count.map(|count| count.max(at_least));
    }
}

/// What to subscribe to: the list, or what the pattern finds now, sorted.
pub(super) fn names(
    consumer: &ReaderConsumer,
    topics: &Topics,
    timeout: Duration,
) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    match topics {
        Topics::List(list) => names.clone_from(list),
        Topics::Pattern(_) => {
            each_topic(consumer, topics, timeout, |topic| names.push(topic.name().to_owned()))?;
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn each_topic(
    consumer: &ReaderConsumer,
    topics: &Topics,
    timeout: Duration,
    mut visit: impl FnMut(&MetadataTopic),
) -> Result<(), Error> {
    let fetch =
        |topic| consumer.fetch_metadata(topic, timeout).map_err(|error| failed("read metadata", error));
    let all = match topics {
        Topics::List(names) => names.iter().map(|name| fetch(Some(name))).collect::<Result<Vec<_>, _>>()?,
        Topics::Pattern(_) => vec![fetch(None)?],
    };
    let found = all.iter().flat_map(Metadata::topics);
    found.filter(|topic| topics.matches(topic.name())).for_each(&mut visit);
    Ok(())
}

/// Resolves where a group begins: at the start position, and at the earliest offset in partitions that did not exist yet
/// when this member was started.
pub(super) fn resolve_first(
    consumer: &ReaderConsumer,
    start: &StartPosition,
    existed: &[(Arc<str>, i32)],
    found: Vec<Found>,
    timeout: Duration,
) -> Result<Vec<Found>, Error> {
    let is_old = |found: &Found| {
        existed.iter().any(|(topic, number)| (topic, *number) == (&found.topic, found.partition))
    };
    let (mut old, mut new): (Vec<Found>, Vec<Found>) = found.into_iter().partition(is_old);
    resolve(consumer, start, &mut old, timeout)?;
    resolve(consumer, &StartPosition::Earliest, &mut new, timeout)?;
    old.append(&mut new);
    Ok(old)
}

/// Resolves the start position of partitions that have no commit to numbers.
pub(super) fn resolve(
    consumer: &ReaderConsumer,
    start: &StartPosition,
    found: &mut [Found],
    timeout: Duration,
) -> Result<(), Error> {
    let mut asked: Vec<(&mut Found, Offset)> = Vec::new();
    for found in found.iter_mut().filter(|found| found.offset.is_none()) {
        let wanted = match start {
            StartPosition::Earliest => Offset::Beginning,
            StartPosition::Latest => Offset::End,
            StartPosition::Timestamp(ms) => Offset::Offset(*ms),
            StartPosition::Offsets(offsets) => match offsets.get(&(found.topic.to_string(), found.partition))
            {
                Some(offset) => {
                    found.offset = Some(*offset);
                    continue;
                }
                None => Offset::Beginning,
            },
        };
        asked.push((found, wanted));
    }
    ask(consumer, &mut asked, timeout)?;
    // No record is as young as the timestamp: the end.
    for (_, wanted) in &mut asked {
        *wanted = Offset::End;
    }
    asked.retain(|(found, _)| found.offset.is_none());
    ask(consumer, &mut asked, timeout)?;
    match asked.iter().find(|(found, _)| found.offset.is_none()) {
        Some((found, _)) => {
            let about = format!("topic {}, partition {}", found.topic, found.partition);
            Err(Error::retriable("resolve the start position", "the broker named no offset").about(about))
        }
        None => Ok(()),
    }
}

/// One request per broker: timestamps, or the two that stand for both ends.
fn ask(
    consumer: &ReaderConsumer,
    asked: &mut [(&mut Found, Offset)],
    timeout: Duration,
) -> Result<(), Error> {
    if asked.is_empty() {
        return Ok(());
    }
    let list = || -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(asked.len());
        for (found, wanted) in &*asked {
            list.add_partition(&found.topic, found.partition).set_offset(*wanted)?;
        }
        let list = consumer.offsets_for_times(list, timeout)?;
        list.elements().iter().try_for_each(rdkafka::topic_partition_list::TopicPartitionListElem::error)?;
        Ok(list)
    };
    let list = list().map_err(|error| failed("resolve the start position", error))?;
    for (found, _) in asked {
        found.offset =
            list.find_partition(&found.topic, found.partition).and_then(|element| plain(element.offset()));
    }
    Ok(())
}

/// Notes of ours are no business of sinks.
pub(super) fn without_mark(note: Option<Bytes>) -> Option<Bytes> {
    note.filter(|note| !note.starts_with(MARK.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_position_is_told_from_a_sinks_note() {
        let (start, note) =
            (Bytes::from_static(b"connect-start:1700000000000"), Bytes::from_static(b"{\"version\":1}"));
        assert_eq!((without_mark(Some(start)), without_mark(Some(note.clone()))), (None, Some(note)));
    }

    #[test]
    fn a_group_is_begun_once_by_the_owner_of_its_first_partition() {
        let (first, second): ((Arc<str>, i32), (Arc<str>, i32)) = (("a".into(), 0), ("a".into(), 1));
        let all = |committed: Option<i64>| {
            let second = Found { offset: committed, ..Found::fresh(&second) };
            vec![Found::fresh(&first), second]
        };
        let (owner, other) = ([first.clone()], [second.clone()]);
        assert!(matches!(decide(all(None), &owner), Standing::Ours(found) if found.len() == 2));
        assert!(matches!(decide(all(None), &other), Standing::Others));
        for ours in [&owner, &other] {
            assert!(matches!(decide(all(Some(0)), ours), Standing::Begun), "one commit is enough");
        }
    }
}
