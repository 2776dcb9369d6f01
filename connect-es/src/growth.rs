//! Notices that a topic has more partitions than it had: where versions are offsets, a key that moves to another
//! partition may find a higher version than its own, and its records would count as already present.

use crate::{config::EsConfig, error::Failure};
use connect_core::{Assigned, Error};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What sinks of this process have seen, by target and topic: tasks share topics, and restarts must not forget.
static SEEN: Mutex<BTreeMap<(String, String), Seen>> = Mutex::new(BTreeMap::new());
/// The number of the next sink.
static SINKS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Seen {
    partitions: u32,
    /// Growth was refused, by and for all sinks with smaller numbers: no task that runs takes over what another one
    /// has refused. A later sink is taken as started by somebody who has read why.
    refused_below: Option<u64>,
}

/// One sink's look at the topics of its target.
#[derive(Debug)]
pub(crate) struct Growth {
    target: String,
    sink: u64,
}

impl Growth {
    pub(crate) fn new(config: &EsConfig) -> Self {
        let target = format!("{:?} {}", config.urls, config.index);
        Self { target, sink: SINKS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Remembers how many partitions topics have.
    ///
    /// # Errors
    /// Fatal, if one has more than it had.
    pub(crate) fn look(&self, partitions: &[Assigned]) -> Result<(), Error> {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        for Assigned { topic, partitions, .. } in partitions {
            let Some(now) = *partitions else { continue };
            let key = (self.target.clone(), topic.to_string());
            let known = seen.entry(key).or_insert(Seen { partitions: now, refused_below: None });
            let before = known.partitions;
            // Fewer: a broker that has not heard of the growth yet, or a topic that was created again, whose offsets
            // say so.
            if now <= before {
                continue;
            }
            if known.refused_below.is_none_or(|number| self.sink < number) {
                known.refused_below = Some(SINKS.load(Ordering::Relaxed));
                return Err(Failure::Growth { topic: topic.to_string(), before, now }.into());
            }
            tracing::warn!(%topic, before, now, "goes on with more partitions, as it was started again");
            *known = Seen { partitions: now, refused_below: None };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{Class, PartitionId};

    fn growth(index: &str) -> Growth {
        Growth::new(&EsConfig {
            index: index.to_owned(),
            ..EsConfig::new(vec!["http://growth".parse().unwrap()])
        })
    }

    fn topic(topic: &str, partitions: Option<u32>) -> [Assigned; 1] {
        let id = PartitionId::new(0, 1);
        [Assigned { id, topic: topic.into(), partition: 0, offset: 0, note: None, partitions }]
    }

    fn look(growth: &Growth, partitions: u32) -> Result<(), Class> {
        growth.look(&topic("t", Some(partitions))).map_err(|error| error.class())
    }

    #[test]
    fn growth_is_refused_by_every_sink_that_was_there_and_accepted_by_a_later_one() {
        let (one, two) = (growth("a"), growth("a"));
        assert_eq!(look(&one, 2), Ok(()));
        assert_eq!(look(&two, 3), Err(Class::Fatal), "though it had not seen the topic before");
        assert_eq!(look(&one, 3), Err(Class::Fatal));
        let later = growth("a");
        assert_eq!((look(&later, 3), look(&later, 3)), (Ok(()), Ok(())));
        assert_eq!(look(&later, 4), Err(Class::Fatal), "accepted once");
    }

    #[test]
    fn a_restart_does_not_forget() {
        assert_eq!(look(&growth("b"), 2), Ok(()));
        assert_eq!(look(&growth("b"), 3), Err(Class::Fatal));
    }

    #[test]
    fn topics_and_targets_are_told_apart_and_the_unknown_says_nothing() {
        let sink = growth("c");
        assert_eq!(look(&sink, 2), Ok(()));
        assert!(sink.look(&topic("other", Some(5))).is_ok());
        assert!(sink.look(&topic("t", None)).is_ok());
        assert_eq!(look(&growth("d"), 9), Ok(()));
        assert_eq!((look(&sink, 1), look(&sink, 2)), (Ok(()), Ok(())), "fewer is no growth");
        assert_eq!(look(&sink, 3), Err(Class::Fatal));
    }
}
