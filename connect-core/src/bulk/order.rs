//! Rows with equal order keys: one at a time, in order of arrival.
//!
//! A key is busy from the moment its row may be sent until the row's fate is known, repetitions included. Rows that
//! find their key busy are parked. Keys are known by a 64-bit hash: two keys that collide wait for each other, which
//! is harmless, and nothing is allocated for a key of its own.

use super::{
    Bulk,
    request::{keep, row_number},
};
use crate::{Batch, Budget, PartitionId, Record};
use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

/// Busy keys and the rows that wait for them.
#[derive(Debug, Default)]
pub(super) struct Order {
    seed: RandomState,
    busy: HashMap<u64, VecDeque<Place>, BuildHasherDefault<AsIs>>,
    parked: BTreeMap<u64, Parked>,
    next: u64,
}

/// A row that waits: which parked batch, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    parked: u64,
    row: u32,
}

#[derive(Debug)]
struct Parked {
    batch: Batch,
    waiting: usize,
}

impl Order {
    /// The rows that may be sent now; the others are parked.
    pub(super) fn admit(&mut self, bulk: &impl Bulk, batch: Batch, budget: &Budget) -> Option<Batch> {
        let mut blocked = Vec::new();
        for (row, record) in (0..).zip(batch.iter()) {
            let Some(key) = bulk.order_key(record) else { continue };
            match self.busy.entry(self.seed.hash_one(key)) {
                Entry::Vacant(free) => {
                    free.insert(VecDeque::new());
                }
                Entry::Occupied(mut busy) => {
                    busy.get_mut().push_back(Place { parked: self.next, row: row_number(blocked.len()) });
                    blocked.push(row);
                }
            }
        }
        if blocked.is_empty() {
            return Some(batch);
        }
        let all = blocked.len() == batch.len();
        let free = (!all).then(|| batch.subset(&others(batch.len(), &blocked)));
        let rows = if all { batch } else { keep(&batch, &blocked, budget) };
        self.parked.insert(self.next, Parked { batch: rows, waiting: blocked.len() });
        self.next += 1;
        free
    }

    /// The fate of these rows is known: their keys go to the next rows in line, which are returned.
    pub(super) fn release<'a>(
        &mut self,
        bulk: &impl Bulk,
        rows: impl Iterator<Item = Record<'a>>,
    ) -> Vec<Batch> {
        if self.busy.is_empty() {
            return Vec::new();
        }
        let mut admitted = Vec::new();
        for record in rows {
            let Some(key) = bulk.order_key(record) else { continue };
            let Entry::Occupied(mut busy) = self.busy.entry(self.seed.hash_one(key)) else { continue };
            match busy.get_mut().pop_front() {
                Some(next) => admitted.push(next),
                None => {
                    busy.remove();
                }
            }
        }
        admitted.sort_unstable();
        admitted.chunk_by(|a, b| a.parked == b.parked).map(|places| self.unpark(places)).collect()
    }

    fn unpark(&mut self, places: &[Place]) -> Batch {
        let number = places[0].parked;
        let parked = self.parked.get_mut(&number).expect("a waiting row is parked");
        let rows: Vec<u32> = places.iter().map(|place| place.row).collect();
        parked.waiting -= rows.len();
        let last = parked.waiting == 0;
        let batch = parked.batch.subset(&rows);
        if last {
            self.parked.remove(&number);
        }
        batch
    }

    /// Drops the parked rows of partitions that are gone.
    pub(super) fn forget(&mut self, live: impl Fn(PartitionId) -> bool) {
        let Self { busy, parked, .. } = self;
        for line in busy.values_mut() {
            line.retain(|place| {
                let parked = parked.get_mut(&place.parked).expect("a waiting row is parked");
                let stays = parked.batch.get(place.row as usize).is_some_and(|row| live(row.origin().id));
                parked.waiting -= usize::from(!stays);
                stays
            });
        }
        parked.retain(|_, parked| parked.waiting > 0);
    }

    /// Whether a row of this partition waits.
    pub(super) fn parks(&self, id: PartitionId) -> bool {
        let of = |place: &Place| self.parked.get(&place.parked)?.batch.get(place.row as usize);
        self.busy.values().flatten().any(|place| of(place).is_some_and(|row| row.origin().id == id))
    }
}

/// The rows of `0..len` that are not among `rows`, which are sorted.
fn others(len: usize, rows: &[u32]) -> Vec<u32> {
    let mut rows = rows.iter().peekable();
    (0..row_number(len)).filter(|row| rows.next_if_eq(&row).is_none()).collect()
}

/// A hash is its own hash.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are kept");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
