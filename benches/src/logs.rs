//! The input: JSON log records of 499 bytes on average, the same for everybody who uses the same seed.

use fastrand::Rng;
use std::io::Write;

/// The seed of the benchmark's topic.
pub const SEED: u64 = 0x5eed;
/// Partitions of the benchmark's topic.
pub const PARTITIONS: i32 = 4;

const SHORTEST: usize = 399;
const LONGEST: usize = 599;
const LEVELS: [&str; 5] = ["DEBUG", "INFO", "INFO", "WARN", "ERROR"];
const METHODS: [&str; 4] = ["GET", "GET", "POST", "DELETE"];
const TAGS: [&str; 4] = ["shop", "checkout", "payment", "stock"];
/// Log messages come from format strings, so their text repeats in sentences, not in single words.
const SENTENCES: [&str; 6] = [
    "order accepted for customer, payment gateway answered after one retry, stock reserved in warehouse north. ",
    "cache miss on the product catalogue, the entry was read from the primary shard and stored for ten minutes. ",
    "connection to the upstream service was reset by its peer, the request goes again with the next back-off. ",
    "scheduled job finished: expired carts removed, prices refreshed, search index asked to pick up the changes. ",
    "slow query on table order_items, the plan fell back to a sequential scan because statistics are out of date. ",
    "session renewed with the same identity provider, the übergangs token of the old one stays valid for a minute. ",
];

/// An endless stream of log records: one nested JSON object each, without line feeds.
#[derive(Debug)]
pub struct Logs {
    random: Rng,
    number: u64,
}

impl Logs {
    /// The stream of this seed, from its start.
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), number: 0 }
    }

    /// Replaces the contents of `record` with the next record.
    ///
    /// # Panics
    ///
    /// Never: a `Vec` takes every write.
    pub fn next_into(&mut self, record: &mut Vec<u8>) {
        let random = &mut self.random;
        let length = random.usize(SHORTEST..=LONGEST);
        let millis = self.number % 86_400_000;
        let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
        record.clear();
        write!(
            record,
            concat!(
                r#"{{"@timestamp":"2026-01-05T{:02}:{:02}:{:02}.{:03}Z","level":"{}","sequence":{},"#,
                r#""host":{{"name":"app-{:02}.eu.example","ip":"10.0.{}.{}"}},"#,
                r#""http":{{"method":"{}","path":"/api/v1/orders/{}","status":{},"duration_ms":{}.{:03}}},"#,
                r#""trace":{{"id":"{:032x}","span":"{:016x}"}},"tags":["{}","eu"],"message":""#
            ),
            hour,
            minute,
            second,
            millis % 1000,
            LEVELS[random.usize(..LEVELS.len())],
            self.number,
            random.u8(..40),
            random.u8(..),
            random.u8(..),
            METHODS[random.usize(..METHODS.len())],
            random.u32(..1_000_000),
            [200, 200, 201, 404, 500][random.usize(..5)],
            random.u16(..2000),
            random.u16(..1000),
            random.u128(..),
            random.u64(..),
            TAGS[random.usize(..TAGS.len())],
        )
        .expect("a Vec takes every write");
        while record.len() + 2 < length {
            let room = length - 2 - record.len();
            let sentence = SENTENCES[random.usize(..SENTENCES.len())];
            record.extend_from_slice(&sentence.as_bytes()[..sentence.floor_char_boundary(room)]);
            if sentence.len() >= room {
                // A character that was not cut in half leaves a byte to fill.
                record.resize(length - 2, b'.');
            }
        }
        record.extend_from_slice(b"\"}");
        self.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn records_are_json_objects_of_499_bytes_on_average() {
        let (mut logs, mut record, mut bytes) = (Logs::new(SEED), Vec::new(), 0);
        let mut distinct = HashSet::new();
        for _ in 0..20_000 {
            logs.next_into(&mut record);
            bytes += record.len();
            let value: serde_json::Value = serde_json::from_slice(&record).unwrap();
            assert!(value.is_object() && !record.contains(&b'\n'));
            distinct.insert(record.clone());
        }
        let average = f64::from(bytes as u32) / 20_000.0;
        assert!((498.0..500.0).contains(&average), "{average}");
        assert_eq!(distinct.len(), 20_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_records() {
        let (mut one, mut two, mut other) = (Logs::new(1), Logs::new(1), Logs::new(2));
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..100 {
            one.next_into(&mut a);
            two.next_into(&mut b);
            other.next_into(&mut c);
            assert_eq!(a, b);
            assert_ne!(a, c);
        }
    }
}
