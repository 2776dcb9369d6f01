//! How a partition takes records: which range, which file, which bytes.

use super::{Partition, RANGES_MAX};
use crate::{config::OnNull, format::FormatError, open_range::OpenRange, pending::Pending, turn::Turn};
use connect_core::{Error, Progress, Record};
use std::{borrow::Cow, ops::Range};

/// What becomes of one record.
enum Verdict<'b> {
    /// It leaves no trace.
    Nothing,
    Reject(Error),
    Write(Place, Cow<'b, [u8]>),
}

enum Place {
    Open(usize),
    /// The next file of this path.
    New(String),
}

/// What became of the records of one origin.
#[derive(PartialEq, Eq)]
enum Took {
    All,
    /// None: the range was ended before them.
    Cut,
    /// None: something has to be known first.
    Wait,
}

/// The file that the last record went to, where paths depend on the topic only.
pub(super) struct Cached {
    topic: String,
    file: usize,
}

impl Partition {
    /// Takes as many records as can be taken. Returns whether that was all.
    pub(super) fn take(&mut self, pending: &mut Pending, turn: &mut Turn<'_>) -> Result<bool, Error> {
        if self.unit_left(turn) {
            self.cut(turn);
        }
        while let Some((rows, offset)) = pending.origin() {
            if offset < self.skip_below {
                pending.taken(rows.end);
                continue;
            }
            let end = rows.end;
            match self.origin(pending, rows, offset, turn)? {
                Took::All => pending.taken(end),
                Took::Cut => {}
                Took::Wait => return Ok(false),
            }
        }
        if !self.reached(pending.end, turn) {
            return Ok(false);
        }
        self.position = self.position.max(pending.end);
        self.drop_unused();
        Ok(true)
    }

    /// The source is at `offset`: a rebuild that ends there or before has seen all its records. Returns false if
    /// something has to be known first.
    fn reached(&mut self, offset: i64, turn: &mut Turn<'_>) -> bool {
        let Some(range) = self.ranges.back_mut().filter(|range| range.is_open()) else { return true };
        let Some(rebuild) = &range.rebuild else { return true };
        if offset < rebuild.note.to {
            return true;
        }
        if range.checking > 0 {
            return false;
        }
        if !rebuild.whole && self.lost_below > rebuild.note.first {
            // Not one of its records came, and some were lost.
            self.survey(turn);
            return false;
        }
        let to = rebuild.note.to;
        if range.files.len() != rebuild.note.files as usize && rebuild.left.is_none() {
            tracing::warn!(topic = %self.topic, partition = self.number, from = range.from, to,
                before = rebuild.note.files, now = range.files.len(),
                "a rebuilt range has another number of files: records were compacted away, or a transform is not deterministic");
        }
        range.end(to, turn);
        (self.from, self.cached) = (to, None);
        self.position = self.position.max(to);
        true
    }

    /// Looks for what is left of the range that is being rebuilt.
    fn survey(&mut self, turn: &mut Turn<'_>) {
        let stem = self.ranges.back().map(|range| self.stem(range.from));
        if let (Some(stem), Some(rebuild)) =
            (stem, self.ranges.back().and_then(|range| range.rebuild.as_ref()))
        {
            turn.survey(self.id, stem, rebuild.note.id);
            self.surveying = Some(rebuild.note);
        }
    }

    /// A range that got no file is none.
    fn drop_unused(&mut self) {
        if self
            .ranges
            .back()
            .is_some_and(|range| range.is_open() && range.files.is_empty() && !range.is_rebuild())
        {
            self.ranges.pop_back();
        }
    }

    /// Takes the records of one origin: all of them or none.
    fn origin(
        &mut self,
        pending: &Pending,
        rows: Range<usize>,
        offset: i64,
        turn: &mut Turn<'_>,
    ) -> Result<Took, Error> {
        if !self.reached(offset, turn) || self.ranges.back().is_some_and(|range| range.checking > 0) {
            return Ok(Took::Wait);
        }
        let full = self.ranges.len() >= RANGES_MAX;
        if !self.ranges.back().is_some_and(OpenRange::is_open) {
            if full {
                return Ok(Took::Wait);
            }
            let range = OpenRange::new(self.id, self.stem(self.from), self.from, turn);
            self.ranges.push_back(range);
        }
        let batch = pending.batch();
        let (mut scratch, mut path) = (std::mem::take(&mut self.scratch), std::mem::take(&mut self.path));
        let took = if rows.len() == 1 {
            match batch.get(rows.start) {
                Some(record) => {
                    let verdict = self.judge(record, &mut path, &mut scratch, turn);
                    self.settle_origin([(record, verdict)], offset, turn)
                }
                None => Took::All,
            }
        } else {
            let mut verdicts = Vec::with_capacity(rows.len());
            for record in rows.filter_map(|row| batch.get(row)) {
                let verdict = match self.judge(record, &mut path, &mut scratch, turn) {
                    Verdict::Write(place, bytes) => Verdict::Write(place, Cow::Owned(bytes.into_owned())),
                    Verdict::Nothing => Verdict::Nothing,
                    Verdict::Reject(e) => Verdict::Reject(e),
                };
                verdicts.push((record, verdict));
            }
            self.settle_origin(verdicts, offset, turn)
        };
        (self.scratch, self.path) = (scratch, path);
        Ok(took)
    }

    /// Decides about one record, without changing anything that counts.
    fn judge<'b>(
        &mut self,
        record: Record<'b>,
        path: &mut String,
        scratch: &'b mut Vec<u8>,
        turn: &Turn<'_>,
    ) -> Verdict<'b> {
        let Some(value) = record.value() else {
            return match turn.env.config.on_null {
                OnNull::Ignore => Verdict::Nothing,
                OnNull::Fail => refuse(record, FormatError::Null),
            };
        };
        let bytes = match turn.env.format.encode(value, scratch) {
            Ok(bytes) => Cow::Borrowed(bytes),
            Err(e) => return refuse(record, e),
        };
        let Some(range) = self.ranges.back() else { return Verdict::Nothing };
        if let Some(cached) = &self.cached
            && cached.topic == record.topic()
        {
            return Verdict::Write(Place::Open(cached.file), bytes);
        }
        if let Err(e) = range.paths.render(record, &self.room, path) {
            return refuse(record, e);
        }
        let offset = record.origin().offset;
        let left = range.rebuild.as_ref().and_then(|rebuild| rebuild.left.as_ref());
        if left.is_some_and(|left| left.covers(path, offset)) && range.layout.find(path, offset).is_none() {
            return Verdict::Nothing;
        }
        match range.layout.find(path, offset) {
            Some(file) => {
                if !turn.env.template.has_fields() && !range.is_rebuild() {
                    self.cached = Some(Cached { topic: record.topic().to_owned(), file });
                }
                Verdict::Write(Place::Open(file), bytes)
            }
            None => Verdict::Write(Place::New(path.clone()), bytes),
        }
    }

    /// Carries the verdicts about one origin out.
    fn settle_origin<'b>(
        &mut self,
        verdicts: impl IntoIterator<Item = (Record<'b>, Verdict<'b>)> + AsRef<[(Record<'b>, Verdict<'b>)]>,
        offset: i64,
        turn: &mut Turn<'_>,
    ) -> Took {
        if let Some(wait) = self.prepare(verdicts.as_ref(), offset, turn) {
            return wait;
        }
        let part_size = turn.env.store.part_size(turn.env.config.part_size.len());
        let Some(range) = self.ranges.back_mut() else { return Took::All };
        for (record, verdict) in verdicts {
            match verdict {
                Verdict::Nothing => {}
                Verdict::Reject(error) => turn.report(Progress::Rejected(record.detach(), error)),
                Verdict::Write(place, bytes) => {
                    let file = match place {
                        Place::Open(file) => file,
                        // A sibling may have opened it.
                        Place::New(path) => match range.layout.find(&path, offset) {
                            Some(file) => file,
                            None => range.start_file(&path, offset, turn),
                        },
                    };
                    let separator = turn.env.format.separator();
                    let budget = turn.cx.budget();
                    if range.files[file].write(&bytes, separator, part_size, budget) {
                        turn.ready.push_back(range.ticket(file));
                    }
                    range.layout.wrote(file, offset, bytes.len() + separator.len());
                }
            }
        }
        self.position = offset + 1;
        self.end_origin(turn);
        Took::All
    }

    /// What has to happen before the records of one origin can be written.
    fn prepare(
        &mut self,
        verdicts: &[(Record<'_>, Verdict<'_>)],
        offset: i64,
        turn: &mut Turn<'_>,
    ) -> Option<Took> {
        let writes = verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Write(..)));
        let mut new: Vec<&str> = Vec::new();
        for (_, verdict) in verdicts {
            if let Verdict::Write(Place::New(path), _) = verdict
                && !new.contains(&path.as_str())
            {
                new.push(path);
            }
        }
        let range = self.ranges.back_mut()?;
        if let Some(rebuild) = &mut range.rebuild {
            if !writes {
                return None;
            }
            // A first record that comes later is a hole that compaction made, unless records were lost.
            if !rebuild.whole && self.lost_below > rebuild.note.first {
                self.survey(turn);
                return Some(Took::Wait);
            }
            rebuild.whole = true;
            for path in &new {
                range.start_file(path, offset, turn);
            }
            return (!new.is_empty()).then_some(Took::Wait);
        }
        let open = range.layout.open();
        if !new.is_empty() && open > 0 && open + new.len() > turn.env.config.max_open_files {
            self.cut(turn);
            return Some(Took::Cut);
        }
        if range.files.is_empty() && writes {
            turn.wake_for(range);
        }
        None
    }

    /// After the last record of one origin: files that are full roll; if that leaves none open, it is a cut.
    fn end_origin(&mut self, turn: &mut Turn<'_>) {
        let position = self.position;
        let Some(range) = self.ranges.back_mut().filter(|range| range.layout.has_filled()) else { return };
        for file in range.layout.end_origin() {
            range.seal(file, turn);
        }
        self.cached = None;
        if range.layout.open() == 0 && !range.is_rebuild() {
            range.end(position, turn);
            self.from = position;
        }
    }
}

fn refuse<'b>(record: Record<'_>, why: impl Into<connect_core::BoxError>) -> Verdict<'b> {
    let origin = record.origin();
    let about = format!("{}-{} offset {}", origin.topic, origin.partition, origin.offset);
    Verdict::Reject(Error::poison("write the record to an object", why).about(about))
}
