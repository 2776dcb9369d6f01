//! Which offsets may be committed: bodies are acknowledged in any order and counted in theirs.

use std::collections::VecDeque;

/// Bodies in flight, oldest first, and what is behind them.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    flights: VecDeque<Flight>,
    first: u64,
    acknowledged: u64,
    /// Per partition the offset that may be committed, if it moved since the last commit.
    committable: Vec<Option<i64>>,
}

#[derive(Debug)]
struct Flight {
    records: u64,
    ends: Vec<Option<i64>>,
    acknowledged: bool,
}

impl Offsets {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Records below every offset that is not acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Registers a body and returns its number.
    pub(crate) fn sent(&mut self, records: u64, ends: Vec<Option<i64>>) -> u64 {
        self.flights.push_back(Flight { records, ends, acknowledged: false });
        self.first + self.flights.len() as u64 - 1
    }

    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        let at = usize::try_from(sequence - self.first).expect("a body in flight is among the flights");
        self.flights[at].acknowledged = true;
        while self.flights.front().is_some_and(|flight| flight.acknowledged) {
            let Some(flight) = self.flights.pop_front() else { break };
            self.first += 1;
            self.acknowledged += flight.records;
            self.committable.resize(flight.ends.len().max(self.committable.len()), None);
            for (committable, end) in self.committable.iter_mut().zip(flight.ends) {
                *committable = end.or(*committable);
            }
        }
    }

    /// Partitions and offsets to commit now.
    pub(crate) fn take(&mut self) -> Vec<(i32, i64)> {
        let moved = self.committable.iter_mut().zip(0..);
        moved.filter_map(|(offset, partition)| offset.take().map(|offset| (partition, offset))).collect()
    }

    /// After a revoke: nothing of the old assignment may be committed any more.
    pub(crate) fn forget(&mut self) {
        self.committable.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_committed_past_an_unacknowledged_body() {
        let mut offsets = Offsets::new();
        let one = offsets.sent(2, vec![Some(2), None]);
        let two = offsets.sent(3, vec![Some(4), Some(1)]);
        offsets.acknowledge(two);
        assert_eq!((offsets.acknowledged(), offsets.take()), (0, vec![]));
        offsets.acknowledge(one);
        assert_eq!((offsets.acknowledged(), offsets.take()), (5, vec![(0, 4), (1, 1)]));
        assert_eq!(offsets.take(), vec![]);
        let three = offsets.sent(1, vec![None, Some(2)]);
        offsets.acknowledge(three);
        assert_eq!((offsets.acknowledged(), offsets.take()), (6, vec![(1, 2)]));
    }
}
