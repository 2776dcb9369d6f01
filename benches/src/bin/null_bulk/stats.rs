//! What arrived: the truth of every run.

use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Counters of the server since its start or the last reset.
#[derive(Debug)]
pub(crate) struct Stats {
    verify_ids: bool,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    documents: u64,
    requests: u64,
    bytes: u64,
    refused: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    ids: HashMap<i32, Vec<u64>>,
    distinct: u64,
}

impl Stats {
    pub(crate) fn new(verify_ids: bool) -> Self {
        Self { verify_ids, counts: Mutex::default() }
    }

    /// Whether bodies have to be kept to look at their ids.
    pub(crate) fn verifies_ids(&self) -> bool {
        self.verify_ids
    }

    /// One accepted body; `arrived` is when its head was read.
    pub(crate) fn accepted(&self, documents: u64, bytes: u64, arrived: Instant, ids: &[(i32, u64)]) {
        self.update(|counts| {
            counts.documents += documents;
            counts.requests += 1;
            counts.bytes += bytes;
            counts.first.get_or_insert(arrived);
            counts.last = Some(Instant::now());
            for &(partition, offset) in ids {
                counts.saw(partition, offset);
            }
        });
    }

    /// One body that was no bulk body.
    pub(crate) fn refused(&self) {
        self.update(|counts| counts.refused += 1);
    }

    pub(crate) fn reset(&self) {
        self.update(|counts| *counts = Counts::default());
    }

    /// All counters; `seconds` from the first body's arrival to the last one's end.
    pub(crate) fn json(&self) -> String {
        let mut json = String::new();
        self.update(|counts| {
            let seconds =
                counts.first.zip(counts.last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
            let distinct = self.verify_ids.then_some(counts.distinct);
            json = json!({
                "documents": counts.documents, "requests": counts.requests, "bytes": counts.bytes,
                "refused": counts.refused, "seconds": seconds, "distinct": distinct,
            })
            .to_string();
        });
        json
    }

    fn update(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Counts {
    fn saw(&mut self, partition: i32, offset: u64) {
        let bits = self.ids.entry(partition).or_default();
        let (word, bit) = (offset as usize / 64, 1 << (offset % 64));
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        if bits[word] & bit == 0 {
            bits[word] |= bit;
            self.distinct += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_id_counts_as_a_document_but_not_as_distinct() {
        let stats = Stats::new(true);
        stats.accepted(3, 300, Instant::now(), &[(0, 0), (0, 64), (1, 0)]);
        stats.accepted(2, 200, Instant::now(), &[(0, 64), (1, 1)]);
        let json: serde_json::Value = serde_json::from_str(&stats.json()).unwrap();
        assert_eq!((json["documents"].as_u64(), json["distinct"].as_u64()), (Some(5), Some(4)));
        stats.reset();
        let json: serde_json::Value = serde_json::from_str(&stats.json()).unwrap();
        assert_eq!((json["documents"].as_u64(), json["distinct"].as_u64()), (Some(0), Some(0)));
    }
}
