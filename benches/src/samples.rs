//! The records that benches of pure parts work on.

use crate::logs::{Logs, SEED};

/// The first log records of the fixed seed, 499 bytes on average.
#[must_use]
pub fn logs(records: usize) -> Vec<Vec<u8>> {
    let mut logs = Logs::new(SEED);
    let next = || {
        let mut record = Vec::new();
        logs.next_into(&mut record);
        record
    };
    std::iter::repeat_with(next).take(records).collect()
}

/// The first earthquakes of the examples' data, 713 bytes on average.
///
/// # Panics
/// If the file cannot be read.
#[must_use]
pub fn earthquakes(records: usize) -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/earthquakes.jsonl");
    let text = std::fs::read_to_string(path).expect("examples/data has the earthquakes");
    text.lines().take(records).map(|line| line.as_bytes().to_vec()).collect()
}
