//! Records that lack a field of `path.format` and are filed under `path.missing.field`: counted, and told now and then.

use crate::partitioner::FIELDS_MAX;
use connect_core::Task;
use metrics::Counter;
use std::{fmt::Write as _, time::Duration};
use tokio::time::Instant;

/// Between two warnings of one task.
const EVERY: Duration = Duration::from_secs(300);

/// The fields of `path.format` that one record lacks, by their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking(u8);

const _: () = assert!(FIELDS_MAX <= 8, "one bit for each field");

impl Lacking {
    pub(crate) fn insert(&mut self, field: usize) {
        self.0 |= 1 << field;
    }

    fn has(self, field: usize) -> bool {
        self.0 & (1 << field) != 0
    }
}

/// Records that lack at least one field, and how many lack each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacks {
    records: u64,
    by_field: [u64; FIELDS_MAX],
}

impl Lacks {
    /// Counts one record.
    pub(crate) fn add(&mut self, record: Lacking) {
        if record == Lacking::default() {
            return;
        }
        self.records += 1;
        for (field, count) in self.by_field.iter_mut().enumerate() {
            *count += u64::from(record.has(field));
        }
    }

    fn merge(&mut self, more: Self) {
        self.records += more.records;
        for (count, more) in self.by_field.iter_mut().zip(more.by_field) {
            *count += more;
        }
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// The fields that records lack, each with the number of records.
    pub(crate) fn text(&self, names: impl Iterator<Item = String>) -> String {
        let mut text = String::new();
        for (name, count) in names.zip(self.by_field).filter(|(_, count)| *count > 0) {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{name} ({count})");
        }
        text
    }
}

/// What one task has filed under `path.missing.field`.
pub(crate) struct Filed {
    total: Counter,
    /// Not yet told.
    untold: Lacks,
    told: Option<Instant>,
}

impl Filed {
    pub(crate) fn new(task: &Task) -> Self {
        let labels = [("connector", task.pipeline.to_string()), ("task", task.number.to_string())];
        let total = metrics::counter!("connect_records_without_path_field_total", &labels);
        Self { total, untold: Lacks::default(), told: None }
    }

    /// Counts the records of a range. Returns those that are to be told of now.
    pub(crate) fn count(&mut self, range: Lacks, now: Instant) -> Option<Lacks> {
        self.total.increment(range.records);
        self.untold.merge(range);
        let due = self.told.is_none_or(|told| now - told >= EVERY);
        if self.untold.records == 0 || !due {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(fields: &[usize]) -> Lacking {
        let mut lacking = Lacking::default();
        fields.iter().for_each(|field| lacking.insert(*field));
        lacking
    }

    #[test]
    fn records_without_a_field_are_told_at_once_and_then_rarely() {
        let mut filed = Filed { total: Counter::noop(), untold: Lacks::default(), told: None };
        let (begin, mut range) = (Instant::now(), Lacks::default());
        range.add(lacking(&[]));
        assert_eq!(filed.count(range, begin), None);
        range.add(lacking(&[0, 2]));
        range.add(lacking(&[2]));
        let told = filed.count(range, begin).unwrap();
        assert_eq!(told.records(), 2);
        assert_eq!(told.text(["a.b", "c", "d"].map(str::to_owned).into_iter()), "a.b (1), d (2)");
        assert_eq!(filed.count(range, begin + EVERY / 2), None);
        assert_eq!(filed.count(range, begin + EVERY).unwrap().records(), 4);
        assert_eq!(filed.count(Lacks::default(), begin + EVERY * 2), None);
    }
}
