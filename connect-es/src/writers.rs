//! Notices that two partitions write under one id: where versions are offsets, the newer record may be left out.
//!
//! Kept is which partition wrote an id last, of the last ids in bounded memory: a table of 64 Ki entries of eight bytes,
//! one place for each id by its hash. What other tasks and earlier instances wrote is not known here.

use connect_core::{Assigned, PartitionId, Record};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Places of the table, a power of two.
const PLACES: usize = 1 << 16;
/// Bits of an entry for the partition's number; the others are of the hash.
const NUMBER_BITS: u32 = 24;

/// Which partition wrote an id last.
#[derive(Debug)]
pub(crate) struct Writers {
    seed: RandomState,
    /// Each topic has an index of its own.
    apart: bool,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Empty until something is written.
    entries: Vec<u64>,
    /// Partitions by number. Those that are gone keep theirs: they may come back under another id.
    partitions: Vec<(String, i32)>,
    numbers: HashMap<PartitionId, u64>,
}

impl Writers {
    /// `apart`: records of different topics never have the same index.
    pub(crate) fn new(apart: bool) -> Self {
        Self { seed: RandomState::new(), apart, memory: Mutex::default() }
    }

    /// These partitions are ours. Returns two topics whose records share an index, if one of them is new.
    pub(crate) fn assigned(&self, partitions: &[Assigned]) -> Option<(String, String)> {
        let mut memory = self.memory();
        let mut shared = None;
        for Assigned { id, topic, partition, .. } in partitions {
            let other = memory.partitions.iter().find(|(known, _)| **known != **topic);
            let known = memory.partitions.iter().any(|(known, _)| **known == **topic);
            if let (Some((other, _)), false, false) = (other, known, self.apart) {
                shared = Some((other.clone(), topic.to_string()));
            }
            let is_it = |(known, number): &(String, i32)| **known == **topic && number == partition;
            let number = memory.partitions.iter().position(is_it).unwrap_or_else(|| {
                memory.partitions.push((topic.to_string(), *partition));
                memory.partitions.len() - 1
            });
            memory.numbers.insert(*id, number as u64);
        }
        shared
    }

    /// These partitions are somebody else's.
    pub(crate) fn unassigned(&self, ids: &[PartitionId]) {
        let mut memory = self.memory();
        for id in ids {
            memory.numbers.remove(id);
        }
    }

    /// These records were written.
    pub(crate) fn wrote<'a>(&self, records: impl Iterator<Item = Record<'a>>) {
        let mut memory = self.memory();
        let mut last = None;
        for record in records {
            let id = record.origin().id;
            let number = match last {
                Some((known, number)) if known == id => number,
                _ => memory.numbers.get(&id).copied(),
            };
            last = Some((id, number));
            let (Some(number), Some((place, tag))) = (number, self.place(record)) else { continue };
            if memory.entries.is_empty() {
                memory.entries = vec![0; PLACES];
            }
            memory.entries[place] = tag | (number + 1);
        }
    }

    /// Another partition that wrote under this record's id last, as far as is known.
    pub(crate) fn other(&self, record: Record<'_>) -> Option<String> {
        let memory = self.memory();
        let own = memory.numbers.get(&record.origin().id)?;
        let (place, tag) = self.place(record)?;
        let entry = *memory.entries.get(place)?;
        let number = entry & ((1 << NUMBER_BITS) - 1);
        if entry & !((1 << NUMBER_BITS) - 1) != tag || number == 0 || number == own + 1 {
            return None;
        }
        let (topic, partition) = memory.partitions.get(usize::try_from(number - 1).ok()?)?;
        Some(format!("{topic}-{partition}"))
    }

    /// The place of the record's id, and what tells it from others there.
    fn place(&self, record: Record<'_>) -> Option<(usize, u64)> {
        let index = if self.apart { record.topic() } else { "" };
        let hash = self.seed.hash_one((index, record.key()?));
        let place = usize::try_from(hash).unwrap_or_default() % PLACES;
        Some((place, hash & !((1 << NUMBER_BITS) - 1)))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_core::{Batch, BatchBuilder, Entry};

    fn assigned(slot: u32, topic: &str, partition: i32) -> Assigned {
        let id = PartitionId::new(slot, 1);
        Assigned { id, topic: topic.into(), partition, offset: 0, note: None, partitions: None }
    }

    fn row(slot: u32, topic: &str, key: Option<&str>) -> Batch {
        let mut builder = BatchBuilder::new();
        let entry = Entry { key: key.map(str::as_bytes), value: Some(b"{}"), ..Entry::default() };
        builder.push(PartitionId::new(slot, 1), &topic.into(), 0, entry, []);
        builder.finish()
    }

    fn other(writers: &Writers, batch: &Batch) -> Option<String> {
        writers.other(batch.get(0).unwrap())
    }

    #[test]
    fn an_id_that_another_partition_wrote_is_known_by_its_name() {
        let writers = Writers::new(false);
        let shared = writers.assigned(&[assigned(0, "a", 0), assigned(1, "a", 1), assigned(2, "b", 0)]);
        assert_eq!(shared, Some(("a".into(), "b".into())));
        assert_eq!(writers.assigned(&[assigned(3, "b", 1)]), None, "said once");
        writers.wrote(row(0, "a", Some("k")).iter().chain(row(1, "a", None).iter()));
        assert_eq!(other(&writers, &row(0, "a", Some("k"))), None);
        assert_eq!(other(&writers, &row(1, "a", Some("k"))).as_deref(), Some("a-0"));
        assert_eq!(other(&writers, &row(2, "b", Some("k"))).as_deref(), Some("a-0"));
        assert_eq!(other(&writers, &row(1, "a", Some("l"))), None);
        assert_eq!(other(&writers, &row(1, "a", None)), None);
        writers.unassigned(&[PartitionId::new(1, 1)]);
        assert_eq!(other(&writers, &row(1, "a", Some("k"))), None, "not ours to say");
    }

    #[test]
    fn topics_with_an_index_each_share_nothing_and_a_partition_that_comes_back_is_itself() {
        let writers = Writers::new(true);
        assert_eq!(writers.assigned(&[assigned(0, "a", 0), assigned(1, "b", 0)]), None);
        writers.wrote(row(0, "a", Some("k")).iter());
        assert_eq!(other(&writers, &row(1, "b", Some("k"))), None);
        writers.unassigned(&[PartitionId::new(0, 1)]);
        writers.assigned(&[assigned(5, "a", 0), assigned(0, "a", 1)]);
        assert_eq!(other(&writers, &row(5, "a", Some("k"))), None);
        assert_eq!(other(&writers, &row(0, "a", Some("k"))).as_deref(), Some("a-0"));
    }
}
