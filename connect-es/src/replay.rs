//! Which conflicts (409) are repetitions, and which say that ids mean other records.
//!
//! A document may be there before its record is written, for two good reasons: an earlier instance or another member
//! wrote it and did not come to commit the offset, or an attempt of our own was executed though its answer was lost.
//! Everything else would be a loss if it counted as delivered.

use connect_core::{Batch, Origin, PartitionId};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What is known of each partition that is ours.
#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<HashMap<PartitionId, Window>>);

/// What was new in a request when it was sent: for each partition, the first offset that nobody can have written
/// before.
#[derive(Debug, Default)]
pub(crate) struct News(HashMap<PartitionId, i64>);

/// What a conflict means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The record was written before, as it should be.
    Repetition,
    /// Nobody can have written it. Unless the partition is somebody else's by now, who goes on behind us: an instance
    /// that has slept for minutes learns that a moment later. So it is sent once more.
    Doubt,
    /// Nobody can have written it, and the partition is still ours.
    Foreign,
}

impl Replays {
    /// The partition is ours from `offset` on; of its records, the first `redelivery` may have been written before.
    pub(crate) fn assigned(&self, id: PartitionId, offset: i64, redelivery: u64) {
        self.windows().insert(id, Window { left: redelivery, next: offset, doubted: None });
    }

    /// The partitions are somebody else's: what their conflicts mean is not ours to say.
    pub(crate) fn unassigned(&self, ids: &[PartitionId]) {
        let mut windows = self.windows();
        for id in ids {
            windows.remove(id);
        }
    }

    /// These rows are about to be sent.
    pub(crate) fn send(&self, batch: &Batch) -> News {
        let (mut windows, mut news) = (self.windows(), HashMap::new());
        for Origin { id, offset, .. } in batch.iter().map(connect_core::Record::origin) {
            if windows.get_mut(&id).is_some_and(|window| window.send(offset)) {
                news.entry(id).or_insert(offset);
            }
        }
        News(news)
    }

    /// The document of this row, sent with those of `news`, was there already.
    pub(crate) fn conflict(&self, Origin { id, offset, .. }: Origin<'_>, news: &News) -> Conflict {
        let new = news.0.get(&id).is_some_and(|&first| offset >= first);
        self.windows().get_mut(&id).map_or(Conflict::Repetition, |window| window.conflict(offset, new))
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<PartitionId, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The redelivery window of a partition. It is counted in records, not in offsets: compaction and transactions leave
/// holes.
#[derive(Debug)]
struct Window {
    /// How many of the records to come may have been written before.
    left: u64,
    /// One past the highest offset that was sent.
    next: i64,
    /// The first offset in doubt.
    doubted: Option<i64>,
}

impl Window {
    /// Whether this is the first attempt to write a record that nobody else can have written. A row that was passed
    /// by later ones, because it waited for another with its key, is not seen as new.
    fn send(&mut self, offset: i64) -> bool {
        if offset < self.next {
            return false;
        }
        self.next = offset + 1;
        let inside = self.left > 0;
        self.left = self.left.saturating_sub(1);
        !inside
    }

    fn conflict(&mut self, offset: i64, new: bool) -> Conflict {
        if new {
            self.doubted = Some(self.doubted.map_or(offset, |first| first.min(offset)));
            return Conflict::Doubt;
        }
        match self.doubted {
            Some(first) if offset >= first => Conflict::Foreign,
            _ => Conflict::Repetition,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::testing::{batch, batch_at};
    use proptest::prelude::*;

    const ID: PartitionId = PartitionId::new(0, 1);

    fn replays(redelivery: u64) -> Replays {
        let replays = Replays::default();
        replays.assigned(ID, 100, redelivery);
        replays
    }

    fn rows(offsets: std::ops::Range<i64>) -> Batch {
        batch_at("t", 0, offsets.start, offsets.map(|_| "{}"))
    }

    /// What a conflict of each row means, sent together.
    fn conflicts(replays: &Replays, batch: &Batch) -> Vec<Conflict> {
        let news = replays.send(batch);
        batch.iter().map(|record| replays.conflict(record.origin(), &news)).collect()
    }

    #[test]
    fn inside_the_window_a_conflict_is_a_repetition_and_beyond_it_a_doubt_then_foreign() {
        let replays = replays(3);
        let (inside, across) = (rows(100..102), rows(102..105));
        assert_eq!(conflicts(&replays, &inside), [Conflict::Repetition; 2]);
        assert_eq!(conflicts(&replays, &across), [Conflict::Repetition, Conflict::Doubt, Conflict::Doubt]);
        assert_eq!(conflicts(&replays, &across.subset(&[1, 2])), [Conflict::Foreign; 2]);
        assert_eq!(conflicts(&replays, &inside), [Conflict::Repetition; 2], "before the first doubt");
    }

    #[test]
    fn holes_do_not_use_the_window_up() {
        let replays = replays(3);
        for offset in [1_000, 50_000] {
            assert_eq!(conflicts(&replays, &rows(offset..offset + 1)), [Conflict::Repetition], "{offset}");
        }
        assert_eq!(conflicts(&replays, &rows(90_000..90_002)), [Conflict::Repetition, Conflict::Doubt]);
    }

    #[test]
    fn what_was_sent_before_may_meet_itself() {
        let replays = replays(0);
        let rows = rows(100..110);
        let _lost_answer = replays.send(&rows);
        assert_eq!(conflicts(&replays, &rows), [Conflict::Repetition; 10]);
    }

    #[test]
    fn requests_in_flight_together_are_told_apart() {
        let replays = replays(0);
        let (one, two) = (rows(100..101), rows(101..102));
        let (news_of_one, news_of_two) = (replays.send(&one), replays.send(&two));
        let origin = |batch: &Batch| -> i64 { batch.get(0).unwrap().origin().offset };
        assert_eq!((origin(&one), origin(&two)), (100, 101));
        for (batch, news) in [(&two, &news_of_two), (&one, &news_of_one)] {
            assert_eq!(replays.conflict(batch.get(0).unwrap().origin(), news), Conflict::Doubt);
        }
        assert_eq!(conflicts(&replays, &one), [Conflict::Foreign], "the smallest doubt counts");
    }

    #[test]
    fn a_partition_that_is_gone_is_in_no_doubt() {
        let replays = replays(0);
        let rows = rows(100..101);
        let news = replays.send(&rows);
        replays.unassigned(&[ID]);
        assert_eq!(replays.conflict(rows.get(0).unwrap().origin(), &news), Conflict::Repetition);
        assert_eq!(conflicts(&replays, &batch(["{}"])), [Conflict::Repetition]);
    }

    proptest! {
        /// However the records are cut to requests: exactly the first `redelivery` may have been written before.
        #[test]
        fn the_window_does_not_depend_on_requests(
            redelivery in 0_u64..40, steps in prop::collection::vec((1_i64..5, 0_i64..9), 1..20),
        ) {
            let replays = replays(redelivery);
            let (mut from, mut seen) = (100, 0);
            for (records, hole) in steps {
                for conflict in conflicts(&replays, &rows(from..from + records)) {
                    let expected = if seen < redelivery { Conflict::Repetition } else { Conflict::Doubt };
                    prop_assert_eq!(conflict, expected);
                    seen += 1;
                }
                from += records + hole;
            }
        }
    }
}
