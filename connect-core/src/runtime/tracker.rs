//! What of one partition is resolved, and up to where without a gap. Pure: no clock, no I/O.
//!
//! Records are kept per segment, a run of a batch as read: a range of offsets and a count, and a bitmap only once
//! the segment is resolved piecemeal. On the usual path a segment comes and goes as one entry.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt,
    ops::Range,
};
use tokio::time::Instant;

/// The offsets of one partition between the watermark and the position.
#[derive(Debug)]
pub(crate) struct Tracker {
    segments: VecDeque<Segment>,
    /// Everything below is resolved.
    watermark: i64,
    /// Everything below has been read, or was never there.
    position: i64,
    /// Records that a transform made several of, by offset; of sinks that report by offset only those with a sibling that
    /// can't be written, since a range may have millions of them.
    fans: HashMap<i64, Fan>,
    /// Records whose dead letter is on its way.
    held: BTreeSet<i64>,
    in_flight: u64,
    uncommitted: Load,
    /// What lies between the committed offset and the watermark: ends of segments, and what they add to
    /// `uncommitted`. Neighbours share an entry, which goes when the last of them is committed.
    settled: VecDeque<(i64, Load)>,
}

/// Entries of less are joined to one: so a bound of two million records is a few thousand entries, however few records
/// come at a time.
const SETTLED_RECORDS_MIN: u64 = 256;

/// Records and bytes from the committed offset on, resolved or not: what a restart would repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Segment {
    offsets: Range<i64>,
    /// The offsets that exist, where there are holes (compaction, transaction markers).
    sparse: Option<Box<[i64]>>,
    load: Load,
    unresolved: u32,
    /// A bit per record, once some but not all are resolved.
    resolved: Option<Box<[u64]>>,
    read_at: Instant,
}

/// A record that became several: resolved when all of them are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fan {
    remaining: u32,
    /// The numbers of the siblings that failed.
    pub(crate) failed: Vec<u32>,
}

/// A report that cannot be true. The sink broke its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untrue {
    /// The offset was never handed out, or lies below the watermark.
    Unknown(i64),
    /// The record was reported before.
    Twice(i64),
    /// Durable up to an offset that has not been read yet.
    Ahead(i64),
    /// A record, read again or out of order.
    Backwards(i64),
}

impl fmt::Display for Untrue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(offset) => write!(f, "offset {offset} was reported but is not in flight"),
            Self::Twice(offset) => write!(f, "offset {offset} was reported twice"),
            Self::Ahead(offset) => write!(f, "offset {offset} was reported durable before it was read"),
            Self::Backwards(offset) => write!(f, "offset {offset} was read after a later one"),
        }
    }
}

impl std::error::Error for Untrue {}

impl Tracker {
    pub(crate) fn new(offset: i64) -> Self {
        Self {
            segments: VecDeque::new(),
            watermark: offset,
            position: offset,
            fans: HashMap::new(),
            held: BTreeSet::new(),
            in_flight: 0,
            uncommitted: Load::default(),
            settled: VecDeque::new(),
        }
    }

    /// The offset below which everything is resolved.
    pub(crate) fn watermark(&self) -> i64 {
        self.watermark
    }

    /// The offset below which everything has been read.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// Records read and not resolved.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// What a restart would repeat; no less than that, and more by the part of a segment or so.
    pub(crate) fn uncommitted(&self) -> Load {
        self.uncommitted
    }

    /// A restart begins at `offset` from now on.
    pub(crate) fn committed(&mut self, offset: i64) {
        while let Some(&(end, load)) = self.settled.front()
            && end <= offset
        {
            self.uncommitted.records -= load.records;
            self.uncommitted.bytes -= load.bytes;
            self.settled.pop_front();
        }
    }

    fn settle(&mut self, end: i64, load: Load) {
        match self.settled.back_mut() {
            Some((last, sum)) if sum.records < SETTLED_RECORDS_MIN => {
                *last = end;
                sum.records += load.records;
                sum.bytes += load.bytes;
            }
            _ => self.settled.push_back((end, load)),
        }
    }

    /// When the oldest unresolved record was read.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.segments.iter().find(|segment| segment.unresolved > 0).map(|segment| segment.read_at)
    }

    /// Records were read: `records` of them at `offsets`. `list` gives the offsets, and is asked only where there
    /// are holes.
    pub(crate) fn read(
        &mut self,
        offsets: Range<i64>,
        load: Load,
        read_at: Instant,
        list: impl FnOnce() -> Box<[i64]>,
    ) -> Result<(), Untrue> {
        if offsets.start < self.position {
            return Err(Untrue::Backwards(offsets.start));
        }
        self.position = offsets.end;
        if load.records > 0 {
            let dense = (offsets.end - offsets.start).cast_unsigned() == load.records;
            let unresolved = u32::try_from(load.records).expect("a run has fewer than 2^32 records");
            let sparse = (!dense).then(list);
            debug_assert!(sparse.as_ref().is_none_or(|list| list.len() == unresolved as usize));
            self.segments.push_back(Segment { offsets, sparse, load, unresolved, resolved: None, read_at });
            self.in_flight += load.records;
            self.uncommitted.records += load.records;
            self.uncommitted.bytes += load.bytes;
        }
        self.advance();
        Ok(())
    }

    /// All records of a run as read are resolved. Returns how many. The fast path: one entry, no bitmap.
    pub(crate) fn resolve_run(&mut self, offsets: &Range<i64>) -> Result<u64, Untrue> {
        let at = self.segment_of(offsets.start)?;
        let segment = &mut self.segments[at];
        if segment.offsets != *offsets || segment.resolved.is_some() || segment.unresolved == 0 {
            return Err(Untrue::Twice(offsets.start));
        }
        let count = u64::from(std::mem::take(&mut segment.unresolved));
        self.in_flight -= count;
        self.advance();
        Ok(count)
    }

    /// One record is resolved.
    pub(crate) fn resolve(&mut self, offset: i64) -> Result<(), Untrue> {
        let at = self.segment_of(offset)?;
        self.segments[at].resolve(offset)?;
        self.held.remove(&offset);
        self.in_flight -= 1;
        if at == 0 {
            self.advance();
        }
        Ok(())
    }

    /// All records below `offset` are resolved, but those held. Returns how many were not resolved before.
    pub(crate) fn resolve_below(&mut self, offset: i64) -> Result<u64, Untrue> {
        if offset > self.position {
            return Err(Untrue::Ahead(offset));
        }
        let held = &self.held;
        let mut count = 0;
        for segment in self.segments.iter_mut().take_while(|segment| segment.offsets.start < offset) {
            count += segment.resolve_below(offset, held);
        }
        self.in_flight -= count;
        self.advance();
        Ok(count)
    }

    /// The record's dead letter is on its way: until [`resolve`](Self::resolve), nothing may pass it.
    pub(crate) fn hold(&mut self, offset: i64) -> Result<(), Untrue> {
        let at = self.segment_of(offset)?;
        if self.segments[at].is_resolved(offset)? || !self.held.insert(offset) {
            return Err(Untrue::Twice(offset));
        }
        Ok(())
    }

    /// Whether any dead letter is on its way.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// The record became `children` records.
    pub(crate) fn fan(&mut self, offset: i64, children: u32) {
        let before = self.fans.insert(offset, Fan { remaining: children, failed: Vec::new() });
        debug_assert!(before.is_none(), "a record is transformed once");
    }

    /// A sibling has its verdict. Returns the whole family once it is complete.
    pub(crate) fn child(&mut self, offset: i64, index: u32, delivered: bool) -> Result<Option<Fan>, Untrue> {
        let fan = self.fans.get_mut(&offset).ok_or(Untrue::Unknown(offset))?;
        if !delivered {
            fan.failed.push(index);
        }
        fan.remaining -= 1;
        if fan.remaining > 0 {
            return Ok(None);
        }
        Ok(self.fans.remove(&offset))
    }

    /// A sibling can't be written, in a sink that reports by offset: its family is complete when the offset is
    /// durable.
    pub(crate) fn child_rejected(&mut self, offset: i64, index: u32) -> Result<(), Untrue> {
        self.segment_of(offset)?;
        self.fans.entry(offset).or_default().failed.push(index);
        Ok(())
    }

    /// Takes the families below `offset`; those with failures are returned, by offset.
    pub(crate) fn fans_below(&mut self, offset: i64) -> Vec<(i64, Fan)> {
        let mut taken: Vec<_> = self.fans.extract_if(|origin, _| *origin < offset).collect();
        taken.retain(|(_, fan)| !fan.failed.is_empty());
        taken.sort_by_key(|(origin, _)| *origin);
        taken
    }

    fn segment_of(&self, offset: i64) -> Result<usize, Untrue> {
        // Reports usually concern the oldest segment.
        let after = match self.segments.front() {
            Some(first) if first.offsets.contains(&offset) => 1,
            _ => self.segments.partition_point(|segment| segment.offsets.start <= offset),
        };
        match after.checked_sub(1) {
            Some(at) if self.segments[at].offsets.contains(&offset) => Ok(at),
            _ => Err(Untrue::Unknown(offset)),
        }
    }

    fn advance(&mut self) {
        let before = self.watermark;
        while let Some(first) = self.segments.front() {
            if first.unresolved > 0 {
                self.watermark = self.watermark.max(first.first_unresolved());
                break;
            }
            let (end, load) = (first.offsets.end, first.load);
            self.watermark = end;
            self.segments.pop_front();
            self.settle(end, load);
        }
        if self.segments.is_empty() {
            self.watermark = self.position;
        }
        debug_assert!(before <= self.watermark, "watermarks never move backwards");
        debug_assert!(self.watermark <= self.position, "nothing is resolved before it is read");
    }
}

impl Segment {
    fn ordinal(&self, offset: i64) -> Result<usize, Untrue> {
        let unknown = Untrue::Unknown(offset);
        match &self.sparse {
            Some(list) => list.binary_search(&offset).map_err(|_| unknown),
            None => usize::try_from(offset - self.offsets.start).map_err(|_| unknown),
        }
    }

    fn offset_at(&self, ordinal: usize) -> i64 {
        match &self.sparse {
            Some(list) => list[ordinal],
            None => {
                self.offsets.start + i64::try_from(ordinal).expect("a segment has fewer than 2^32 records")
            }
        }
    }

    fn records(&self) -> usize {
        usize::try_from(self.load.records).expect("a segment has fewer than 2^32 records")
    }

    fn is_resolved(&self, offset: i64) -> Result<bool, Untrue> {
        let ordinal = self.ordinal(offset)?;
        Ok(self.unresolved == 0 || self.bit(ordinal))
    }

    fn bit(&self, ordinal: usize) -> bool {
        self.resolved.as_ref().is_some_and(|bits| bits[ordinal / 64] & (1 << (ordinal % 64)) != 0)
    }

    fn resolve(&mut self, offset: i64) -> Result<(), Untrue> {
        let ordinal = self.ordinal(offset)?;
        if self.unresolved == 0 || self.bit(ordinal) {
            return Err(Untrue::Twice(offset));
        }
        self.set(ordinal);
        Ok(())
    }

    fn set(&mut self, ordinal: usize) {
        let words = self.records().div_ceil(64);
        let bits = self.resolved.get_or_insert_with(|| vec![0; words].into());
        bits[ordinal / 64] |= 1 << (ordinal % 64);
        self.unresolved -= 1;
    }

    fn resolve_below(&mut self, offset: i64, held: &BTreeSet<i64>) -> u64 {
        let before = self.unresolved;
        let all = self.offsets.end <= offset && held.range(self.offsets.clone()).next().is_none();
        if all {
            self.unresolved = 0;
            return u64::from(before);
        }
        for ordinal in 0..self.records() {
            let own = self.offset_at(ordinal);
            if own >= offset || self.unresolved == 0 {
                break;
            }
            if !self.bit(ordinal) && !held.contains(&own) {
                self.set(ordinal);
            }
        }
        u64::from(before - self.unresolved)
    }

    /// The offset of the first record that is not resolved; all before it is.
    fn first_unresolved(&self) -> i64 {
        let Some(bits) = &self.resolved else { return self.offset_at(0) };
        let full = bits.iter().take_while(|word| **word == u64::MAX).count();
        let ordinal = full * 64 + bits[full].trailing_ones() as usize;
        self.offset_at(ordinal)
    }
}

#[cfg(test)]
mod tests;
