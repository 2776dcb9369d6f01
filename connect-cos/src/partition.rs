//! One assigned partition: records in, ranges out. Decides where ranges end, in which order they are committed, and
//! when records have to wait. Synchronous, no I/O.

use crate::{
    error::Stop,
    naming::Stem,
    note::{Note, NoteError, NoteId},
    open_range::{OpenRange, Phase, Rebuild},
    pending::Pending,
    recovery::Survey,
    room::Room,
    turn::Turn,
};
use connect_core::{Assigned, Error, PartitionId, Progress};
use std::{collections::VecDeque, sync::Arc};

mod rows;

/// One range between its note and its commit, and one that is read meanwhile.
const RANGES_MAX: usize = 2;

/// See the module.
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) topic: Arc<str>,
    pub(crate) number: i32,
    /// Where the next range begins.
    from: i64,
    /// One past what has been taken.
    position: i64,
    /// Records below are in objects already.
    skip_below: i64,
    /// Records below were gone from the log before they were read.
    lost_below: i64,
    /// Oldest first: only the first may have a note, only the last may be open.
    pub(crate) ranges: VecDeque<OpenRange>,
    pending: VecDeque<Pending>,
    /// A note whose objects are being looked for.
    surveying: Option<Note>,
    /// Cut as soon as nothing is pending.
    flushing: bool,
    /// Revoked: to be released when the ranges have ended.
    leaving: bool,
    /// Objects of the range that ended last: what tells whose they are goes when the next note is committed.
    settling: Vec<String>,
    path: String,
    /// How long paths may be.
    room: Room,
    scratch: Vec<u8>,
    cached: Option<rows::Cached>,
}

impl Partition {
    /// A partition that came, with the note that stands, if any.
    pub(crate) fn new(assigned: &Assigned, turn: &mut Turn<'_>) -> Result<Self, Error> {
        let stem = Stem::new(&assigned.topic, assigned.partition, i64::MAX);
        let mut partition = Self {
            id: assigned.id,
            topic: Arc::clone(&assigned.topic),
            number: assigned.partition,
            from: assigned.offset,
            position: assigned.offset,
            skip_below: i64::MIN,
            lost_below: i64::MIN,
            ranges: VecDeque::new(),
            pending: VecDeque::new(),
            surveying: None,
            flushing: false,
            leaving: false,
            settling: Vec::new(),
            path: String::new(),
            room: turn.env.room(&stem)?,
            scratch: Vec::new(),
            cached: None,
        };
        if let Some(note) = &assigned.note {
            partition.read_note(note, turn)?;
        }
        Ok(partition)
    }

    fn read_note(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> Result<(), Error> {
        let foreign = |why: &str| {
            let text = String::from_utf8_lossy(bytes);
            tracing::warn!(topic = %self.topic, partition = self.number, offset = self.from, note = %text, why, "ignoring a foreign note");
        };
        let note = match Note::parse(bytes) {
            Ok(note) if note.from == self.from => note,
            Ok(_) => {
                foreign("it begins at another offset than the one committed");
                turn.report(Progress::Foreign(self.id));
                return Ok(());
            }
            Err(NoteError::Foreign) => {
                foreign("it is not a note of this sink");
                turn.report(Progress::Foreign(self.id));
                return Ok(());
            }
            Err(e @ NoteError::Version(_)) => {
                return Err(Error::fatal("read the note of a partition", e).about(self.place()));
            }
        };
        tracing::info!(topic = %self.topic, partition = self.number, from = note.from, to = note.to, objects = note.files, "rebuilding the range of a note");
        if note.fingerprint == turn.env.fingerprint {
            let stem = self.stem(note.from);
            self.ranges.push_back(OpenRange::rebuild(self.id, stem, note, turn));
        } else if note.fingerprint.place == turn.env.fingerprint.place {
            turn.survey(self.id, self.stem(note.from), note.id);
            self.surveying = Some(note);
        } else {
            return Err(self.stop(Stop::OldPlace {
                from: note.from,
                to: note.to,
                topic: self.topic.to_string(),
                partition: self.number,
            }));
        }
        Ok(())
    }

    fn stem(&self, from: i64) -> Stem {
        Stem::new(&self.topic, self.number, from)
    }

    fn place(&self) -> String {
        format!("{}-{}", self.topic, self.number)
    }

    fn stop(&self, why: Stop) -> Error {
        Error::fatal("recover a range", why).about(self.place())
    }

    /// More records, or a position that moved.
    pub(crate) fn put(&mut self, pending: Pending, turn: &mut Turn<'_>) -> Result<(), Error> {
        if self.leaving {
            return Ok(());
        }
        self.lost_below = self.lost_below.max(pending.lost_below);
        self.pending.push_back(pending);
        self.run(turn)
    }

    /// Takes what can be taken and commits what can be committed.
    pub(crate) fn run(&mut self, turn: &mut Turn<'_>) -> Result<(), Error> {
        loop {
            while self.surveying.is_none()
                && let Some(mut pending) = self.pending.pop_front()
            {
                if !self.take(&mut pending, turn)? {
                    self.pending.push_front(pending);
                    break;
                }
            }
            if self.pending.is_empty() && std::mem::take(&mut self.flushing) {
                self.cut(turn);
            }
            if !self.commit(turn) {
                return Ok(());
            }
        }
    }

    /// Ends the open range here, unless only its records decide where it ends.
    pub(crate) fn cut(&mut self, turn: &mut Turn<'_>) {
        let to = self.position;
        if let Some(range) = self.ranges.back_mut()
            && range.is_open()
            && !range.is_rebuild()
            && !range.files.is_empty()
        {
            range.end(to, turn);
            self.from = to;
            self.cached = None;
        }
    }

    /// A cut behind all that has been handed over.
    pub(crate) fn flush(&mut self, turn: &mut Turn<'_>) -> Result<(), Error> {
        self.flushing = true;
        self.run(turn)
    }

    /// What the clock decides: age, and the unit of `t`.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) -> Result<(), Error> {
        if let Some(range) = self.open_range()
            && (range.deadline <= tokio::time::Instant::now() || self.unit_left(turn))
        {
            self.cut(turn);
            return self.run(turn);
        }
        Ok(())
    }

    /// Whether the clock has left the unit of `t` that paths of the open range see.
    fn unit_left(&self, turn: &Turn<'_>) -> bool {
        self.open_range().is_some_and(|range| {
            turn.env.template.has_dates() && turn.env.template.unit((turn.env.clock)()) != range.unit
        })
    }

    /// The range that a cut would end.
    pub(crate) fn open_range(&self) -> Option<&OpenRange> {
        self.ranges.back().filter(|range| range.is_open() && !range.is_rebuild() && !range.files.is_empty())
    }

    /// Reports what the oldest range has come to. Returns whether one has ended, which makes room for records.
    fn commit(&mut self, turn: &mut Turn<'_>) -> bool {
        let Some(range) = self.ranges.front_mut() else {
            self.moved(turn);
            return false;
        };
        let Some(to) = range.to else { return false };
        if range.is_finished() {
            self.settling = range.names().collect();
            self.ranges.pop_front();
            turn.report(Progress::Durable(self.id, to));
            return true;
        }
        if range.phase == Phase::Open {
            range.phase = Phase::Announced;
            let note = range.note(to, turn).to_bytes();
            turn.report(Progress::Note(self.id, note));
        }
        false
    }

    /// Nothing is open: what was filtered, refused or left out is behind us.
    fn moved(&mut self, turn: &mut Turn<'_>) {
        if self.surveying.is_none() && self.position > self.from {
            self.from = self.position;
            turn.report(Progress::Durable(self.id, self.position));
        }
    }

    /// The note of the oldest range is committed, and so is all before it.
    pub(crate) fn noted(&mut self, turn: &mut Turn<'_>) {
        let Some(range) = self.ranges.front_mut().filter(|range| range.phase == Phase::Announced) else {
            return;
        };
        range.phase = Phase::Noted;
        for file in 0..range.files.len() {
            turn.ready.push_back(range.ticket(file));
        }
        let mut names = std::mem::take(&mut self.settling);
        names.extend(range.names());
        turn.settle(names, Stem::of_partition(&self.topic, self.number), range.from);
    }

    pub(crate) fn range(&mut self, id: NoteId) -> Option<&mut OpenRange> {
        self.ranges.iter_mut().find(|range| range.id == id)
    }

    /// The objects of a note have been looked for.
    pub(crate) fn surveyed(&mut self, id: NoteId, survey: Survey, turn: &mut Turn<'_>) -> Result<(), Error> {
        match self.surveying.take() {
            Some(note) if note.id == id => self.resolve(note, survey, turn)?,
            other => self.surveying = other,
        }
        self.run(turn)
    }

    fn resolve(&mut self, note: Note, survey: Survey, turn: &mut Turn<'_>) -> Result<(), Error> {
        let (found, all) = (survey.objects(), note.files);
        if found >= all {
            self.ranges.pop_front();
            self.durable_to(note.to, turn);
            return Ok(());
        }
        if note.fingerprint == turn.env.fingerprint {
            return self.go_on_with(note, survey, turn);
        }
        if found == 0 {
            tracing::warn!(topic = %self.topic, partition = self.number, from = note.from, to = note.to, "dropping the note of another configuration: none of its objects was completed");
            turn.report(Progress::Foreign(self.id));
            return Ok(());
        }
        let (topic, partition) = (self.topic.to_string(), self.number);
        Err(self.stop(Stop::OldConfiguration { found, all, from: note.from, to: note.to, topic, partition }))
    }

    /// All below is in objects, whoever made them.
    fn durable_to(&mut self, to: i64, turn: &mut Turn<'_>) {
        self.skip_below = to;
        self.from = to;
        self.position = self.position.max(to);
        turn.report(Progress::Durable(self.id, to));
    }

    /// Records of a note are gone from the log, and with them some objects that were not completed.
    fn go_on_with(&mut self, note: Note, survey: Survey, turn: &Turn<'_>) -> Result<(), Error> {
        let missing = note.files - survey.objects();
        let now =
            self.pending.front().and_then(|pending| pending.origin()).map_or(note.to, |(_, offset)| offset);
        let (topic, partition) = (self.topic.to_string(), self.number);
        let lost = Stop::Lost {
            first: note.first,
            now: now.min(note.to),
            missing,
            all: note.files,
            topic,
            partition,
        };
        if turn.env.config.on_data_loss == crate::OnDataLoss::Fail {
            return Err(self.stop(lost));
        }
        tracing::error!(%lost, "records were lost; delivering what is left");
        if let Some(Rebuild { whole, left, .. }) =
            self.ranges.front_mut().and_then(|range| range.rebuild.as_mut())
        {
            *whole = true;
            *left = Some(survey);
        }
        Ok(())
    }

    /// Gives the partition up in good order. Returns whether nothing is left of it.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>) -> Result<bool, Error> {
        self.leaving = true;
        self.pending.clear();
        self.surveying = None;
        // A rebuild that has not seen all its records stays for the next owner: its note stands.
        if self.ranges.back().is_some_and(|range| range.is_open() && range.is_rebuild()) {
            self.from = self.position;
            if let Some(mut range) = self.ranges.pop_back() {
                turn.give_up(&mut range);
            }
            return Ok(true);
        }
        self.cut(turn);
        self.run(turn)?;
        Ok(self.is_left())
    }

    /// Whether it was to be given up and nothing is left.
    pub(crate) fn is_left(&self) -> bool {
        self.leaving && self.ranges.is_empty()
    }

    pub(crate) fn held(&self) -> usize {
        self.ranges.iter().map(OpenRange::held).sum()
    }

    /// Bytes held by ranges that have ended: they go as soon as their objects are there.
    pub(crate) fn leaving(&self) -> usize {
        self.ranges.iter().filter(|range| !range.is_open()).map(OpenRange::held).sum()
    }

    /// Whether the range of a note has not seen all its records.
    pub(crate) fn is_rebuilding(&self) -> bool {
        self.ranges.back().is_some_and(|range| range.is_open() && range.is_rebuild())
    }

    /// Sends what is held to the store: as parts, without ending anything, or by a cut where the store takes no small
    /// parts. Returns how many bytes are on their way now that were not before.
    pub(crate) fn relieve(&mut self, turn: &mut Turn<'_>) -> usize {
        let Some(range) = self.ranges.back_mut().filter(|range| range.is_open()) else { return 0 };
        let held = range.held();
        let open = range.held_open();
        // Files that have rolled wait for the note, which only a cut brings: as parts they would leave memory too, but
        // the range would go on collecting them.
        if turn.env.store.spills() && (range.is_rebuild() || open >= held - open) {
            range.spill(turn);
            return open;
        }
        if range.is_rebuild() {
            return 0;
        }
        self.cut(turn);
        held
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.number)
    }
}
