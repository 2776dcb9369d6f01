//! Where the files of a range begin and end: a pure function of the records since `from` and the [`Limits`].
//!
//! No clock, no I/O. The same records give the same extents, which is what lets a rebuild meet the same names.

use std::{collections::HashMap, sync::Arc};

/// When a file rolls. Zero: never for this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Encoded bytes, before compression.
    pub(crate) bytes: u64,
    /// Records.
    pub(crate) records: u64,
}

impl Limits {
    fn reached(self, extent: &Extent) -> bool {
        (self.bytes > 0 && extent.bytes >= self.bytes) || (self.records > 0 && extent.records >= self.records)
    }
}

/// One file of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) path: Arc<str>,
    /// Its number among the files of this path in this range.
    pub(crate) k: u32,
    /// Offset of its first record.
    pub(crate) first: i64,
    /// Offset of its last record so far.
    pub(crate) last: i64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// An object that exists: its recorded last offset, which wins over the limits.
    pub(crate) until: Option<i64>,
}

/// All files of a range.
#[derive(Debug)]
pub(crate) struct Layout {
    limits: Limits,
    files: Vec<Extent>,
    /// The open file of each path.
    open: HashMap<Arc<str>, usize>,
    /// The next number of each path.
    next: HashMap<Arc<str>, u32>,
    /// Files that this origin's records have filled.
    filled: Vec<usize>,
}

impl Layout {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, files: Vec::new(), open: HashMap::new(), next: HashMap::new(), filled: Vec::new() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn files(&self) -> &[Extent] {
        &self.files
    }

    /// Files that still take records.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn open_files(&self) -> impl Iterator<Item = usize> {
        self.open.values().copied()
    }

    /// The open file that a record of `path` at `offset` belongs to. An object whose recorded last offset lies
    /// before it is no longer open.
    pub(crate) fn find(&self, path: &str, offset: i64) -> Option<usize> {
        let file = *self.open.get(path)?;
        let past = self.files[file].until.is_some_and(|until| until < offset);
        (!past).then_some(file)
    }

    /// Opens the next file of `path`. Returns its number, and the file that it replaces if one was still open.
    pub(crate) fn start(&mut self, path: &str, offset: i64) -> (usize, Option<usize>) {
        let file = self.files.len();
        let path = match self.next.get_key_value(path) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(path),
        };
        let number = self.next.entry(Arc::clone(&path)).or_default();
        let k = *number;
        *number += 1;
        let replaced = self.open.insert(Arc::clone(&path), file);
        self.files.push(Extent { path, k, first: offset, last: offset, records: 0, bytes: 0, until: None });
        (file, replaced)
    }

    /// The next file of `path` gets at least this number: the ones before it are taken.
    pub(crate) fn number_from(&mut self, path: &str, k: u32) {
        let number = self.next.entry(Arc::from(path)).or_default();
        *number = k.max(*number);
    }

    /// An object that exists covers what it says it covers.
    pub(crate) fn exists_until(&mut self, file: usize, last: i64) {
        self.files[file].until = Some(last);
    }

    /// Counts a record of `bytes` in `file`.
    pub(crate) fn wrote(&mut self, file: usize, offset: i64, bytes: usize) {
        let extent = &mut self.files[file];
        extent.last = offset;
        extent.records += 1;
        extent.bytes += bytes as u64;
        let full = match extent.until {
            Some(until) => offset >= until,
            None => self.limits.reached(extent),
        };
        if full && !self.filled.contains(&file) {
            self.filled.push(file);
        }
    }

    /// Whether [`Self::end_origin`] has something to close: cheap, asked per record.
    pub(crate) fn has_filled(&self) -> bool {
        !self.filled.is_empty()
    }

    /// After the last record of one origin: the files that roll here. Never between siblings.
    pub(crate) fn end_origin(&mut self) -> Vec<usize> {
        let filled = std::mem::take(&mut self.filled);
        for file in &filled {
            self.open.remove(&self.files[*file].path);
        }
        filled
    }

    /// The cut: every open file is closed. Returns them in order.
    pub(crate) fn end(&mut self) -> Vec<usize> {
        let mut open: Vec<usize> = self.open.drain().map(|(_, file)| file).collect();
        open.sort_unstable();
        self.filled.clear();
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs records of (offset, path, bytes) and returns the files as (path, k, first, last).
    fn run(layout: &mut Layout, records: &[(i64, &str, usize)]) -> Vec<(String, u32, i64, i64)> {
        let mut rows = records.iter().peekable();
        while let Some(&(offset, path, bytes)) = rows.next() {
            let file = layout.find(path, offset).unwrap_or_else(|| layout.start(path, offset).0);
            layout.wrote(file, offset, bytes);
            if rows.peek().is_none_or(|next| next.0 != offset) {
                layout.end_origin();
            }
        }
        layout.end();
        layout.files().iter().map(|file| (file.path.to_string(), file.k, file.first, file.last)).collect()
    }

    fn want(files: &[(&str, u32, i64, i64)]) -> Vec<(String, u32, i64, i64)> {
        files.iter().map(|&(path, k, first, last)| (path.to_owned(), k, first, last)).collect()
    }

    #[test]
    fn files_roll_by_records_and_bytes_each_path_on_its_own() {
        let by_records = Limits { bytes: 0, records: 2 };
        let records = [(0, "a", 1), (1, "b", 1), (2, "a", 1), (3, "a", 1), (9, "b", 1)];
        let files = run(&mut Layout::new(by_records), &records);
        assert_eq!(files, want(&[("a", 0, 0, 2), ("b", 0, 1, 9), ("a", 1, 3, 3)]));
        let by_bytes = Limits { bytes: 10, records: 0 };
        let files = run(&mut Layout::new(by_bytes), &[(0, "a", 9), (1, "a", 1), (2, "a", 30), (3, "a", 1)]);
        assert_eq!(files, want(&[("a", 0, 0, 1), ("a", 1, 2, 2), ("a", 2, 3, 3)]));
    }

    #[test]
    fn no_file_boundary_separates_siblings() {
        let limits = Limits { bytes: 0, records: 2 };
        let files = run(&mut Layout::new(limits), &[(5, "a", 1), (5, "a", 1), (5, "a", 1), (6, "a", 1)]);
        assert_eq!(files, want(&[("a", 0, 5, 5), ("a", 1, 6, 6)]));
    }

    #[test]
    fn a_recorded_last_offset_wins_over_the_limits() {
        let mut layout = Layout::new(Limits { bytes: 0, records: 2 });
        let (file, _) = layout.start("a", 0);
        layout.exists_until(file, 4);
        let files = run(&mut layout, &[(0, "a", 1), (1, "a", 1), (2, "a", 1), (4, "a", 1), (5, "a", 1)]);
        assert_eq!(files, want(&[("a", 0, 0, 4), ("a", 1, 5, 5)]));
    }

    #[test]
    fn a_recorded_last_offset_that_was_compacted_away_still_ends_the_file() {
        let mut layout = Layout::new(Limits { bytes: 0, records: 9 });
        let (file, _) = layout.start("a", 0);
        layout.exists_until(file, 4);
        let files = run(&mut layout, &[(0, "a", 1), (7, "a", 1)]);
        assert_eq!(files, want(&[("a", 0, 0, 0), ("a", 1, 7, 7)]));
    }

    proptest::proptest! {
        /// The rule behind every recovery: extents depend on nothing but the records.
        #[test]
        fn the_same_records_give_the_same_files_wherever_batches_end(
            steps in proptest::collection::vec((0_u8..3, 0_u8..4, 1_usize..9), 1..80),
            bytes in 0_u64..30, records in 0_u64..6,
        ) {
            let limits = Limits { bytes, records };
            let mut offset = 0;
            let paths = ["a", "b", "c", "d"];
            let rows: Vec<_> = steps.iter().map(|&(gap, path, size)| {
                offset += i64::from(gap);
                (offset, paths[path as usize], size)
            }).collect();
            let files = run(&mut Layout::new(limits), &rows);
            proptest::prop_assert_eq!(&files, &run(&mut Layout::new(limits), &rows));
            for path in paths {
                let of_path: Vec<_> = files.iter().filter(|file| file.0 == path).collect();
                for (number, file) in of_path.iter().enumerate() {
                    proptest::prop_assert_eq!(file.1 as usize, number);
                    proptest::prop_assert!(file.2 <= file.3);
                }
                for pair in of_path.windows(2) {
                    proptest::prop_assert!(pair[0].3 < pair[1].2, "siblings separated or files overlap");
                }
            }
        }
    }
}
