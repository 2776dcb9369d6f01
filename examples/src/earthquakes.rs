//! A week of real earthquakes: 1,707 nested JSON records. `data/README.md` says where they come from.

use connect_core::testing::{MemoryLog, Message};

/// One record per line.
const LINES: &str = include_str!("../data/earthquakes.jsonl");

/// The topic that the examples use.
pub const TOPIC: &str = "earthquakes";

/// How many partitions the topic has.
pub const PARTITIONS: i32 = 3;

/// The earthquakes in order, each with the partition that it goes to, in turn. So the record with number `n` has the
/// partition `n % 3` and the offset `n / 3`, and a script can tell where each of them must be.
#[must_use]
pub fn all() -> Vec<(i32, &'static str)> {
    (0..PARTITIONS).cycle().zip(LINES.lines()).collect()
}

/// The earthquakes as a finished log in memory: a source for which no server is needed.
#[must_use]
pub fn in_memory() -> MemoryLog {
    let log = MemoryLog::new();
    log.topic(TOPIC, PARTITIONS);
    for (partition, line) in all() {
        log.append(TOPIC, partition, Message::new(line));
    }
    log.finish();
    log
}
