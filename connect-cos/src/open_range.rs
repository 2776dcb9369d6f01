//! One range `[from, to)` of a partition with its files: what it needs to become objects.

use crate::{
    client::Object,
    file::ObjectFile,
    lacking::Lacks,
    naming::Stem,
    note::{Note, NoteId},
    partitioner::Template,
    range::Layout,
    recovery::Survey,
    turn::{Ticket, Turn},
};
use connect_core::PartitionId;
use std::time::Duration;
use tokio::time::Instant;

/// `Duration::MAX`, which is how people write "never", is more than an `Instant` takes.
const AGE_MAX: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Where the two-phase commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No note yet.
    Open,
    /// The note was reported.
    Announced,
    /// The note is committed: objects may appear.
    Noted,
}

/// A range that a note of an earlier instance asks for.
#[derive(Debug)]
pub(crate) struct Rebuild {
    pub(crate) note: Note,
    /// The first record was seen where the note says.
    pub(crate) whole: bool,
    /// What was left of it, if the log no longer has all of its records.
    pub(crate) left: Option<Survey>,
}

/// See the module.
pub(crate) struct OpenRange {
    pub(crate) owner: PartitionId,
    pub(crate) id: NoteId,
    pub(crate) from: i64,
    pub(crate) to: Option<i64>,
    pub(crate) t: i64,
    /// `path.format` at `t`.
    pub(crate) paths: Template,
    /// The unit of `t` that paths see.
    pub(crate) unit: String,
    /// When age cuts it.
    pub(crate) deadline: Instant,
    pub(crate) phase: Phase,
    pub(crate) layout: Layout,
    pub(crate) files: Vec<ObjectFile>,
    /// Files that are not yet both sealed and there.
    unfinished: usize,
    /// Files of which it is not known whether they are there.
    pub(crate) checking: usize,
    pub(crate) rebuild: Option<Rebuild>,
    /// Records that lack a field of the path.
    pub(crate) lacks: Lacks,
    stem: Stem,
}

impl OpenRange {
    /// A range that begins at `from` now.
    pub(crate) fn new(owner: PartitionId, stem: Stem, from: i64, turn: &mut Turn<'_>) -> Self {
        let (t, id) = ((turn.env.clock)(), NoteId(turn.env.rng.u64(..)));
        let limits = turn.env.limits();
        let deadline = Instant::now() + turn.env.config.max_age.min(AGE_MAX);
        Self {
            owner,
            id,
            from,
            to: None,
            t,
            paths: turn.env.template.at(t),
            unit: turn.env.template.unit(t),
            deadline,
            phase: Phase::Open,
            layout: Layout::new(limits),
            files: Vec::new(),
            unfinished: 0,
            checking: 0,
            rebuild: None,
            lacks: Lacks::default(),
            stem,
        }
    }

    /// The range of a note that stands: same identity, same time, same limits.
    pub(crate) fn rebuild(owner: PartitionId, stem: Stem, note: Note, turn: &mut Turn<'_>) -> Self {
        let fresh = Self::new(owner, stem, note.from, turn);
        Self {
            id: note.id,
            t: note.t,
            paths: turn.env.template.at(note.t),
            unit: turn.env.template.unit(note.t),
            phase: Phase::Noted,
            layout: Layout::new(note.limits),
            rebuild: Some(Rebuild { note, whole: false, left: None }),
            ..fresh
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.to.is_none()
    }

    /// Whether each file is an object.
    pub(crate) fn is_finished(&self) -> bool {
        self.to.is_some() && self.unfinished == 0
    }

    /// Whether only the records decide where it ends.
    pub(crate) fn is_rebuild(&self) -> bool {
        self.rebuild.is_some()
    }

    pub(crate) fn held(&self) -> usize {
        self.files.iter().map(ObjectFile::held).sum()
    }

    /// Bytes held by files that still take records.
    pub(crate) fn held_open(&self) -> usize {
        self.layout.open_files().map(|file| self.files[file].held()).sum()
    }

    /// Makes parts of what open files hold, whatever their size.
    pub(crate) fn spill(&mut self, turn: &mut Turn<'_>) {
        let open: Vec<usize> = self.layout.open_files().collect();
        for file in open {
            if self.files[file].spill(turn.cx.budget()) {
                turn.ready.push_back(self.ticket(file));
            }
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|file| file.object.name.clone())
    }

    pub(crate) fn ticket(&self, file: usize) -> Ticket {
        Ticket { id: self.owner, range: self.id, file }
    }

    /// Opens the next file of `path`. In a rebuild it has to be asked for first.
    pub(crate) fn start_file(&mut self, path: &str, offset: i64, turn: &mut Turn<'_>) -> usize {
        let left = self.rebuild.as_ref().and_then(|rebuild| rebuild.left.as_ref());
        if let Some(left) = left {
            let free = left.free_number(path);
            self.layout.number_from(path, free);
        }
        let check = self.is_rebuild();
        let (file, replaced) = self.layout.start(path, offset);
        let name = self.stem.object(
            &turn.env.config.topics_dir,
            path,
            self.layout.files()[file].k,
            turn.env.format.extension(),
        );
        self.files.push(ObjectFile::new(Object { name, id: self.id, first: offset }, check));
        self.unfinished += 1;
        if check {
            self.checking += 1;
            turn.ready.push_back(self.ticket(file));
        }
        if let Some(replaced) = replaced {
            self.seal(replaced, turn);
        }
        file
    }

    /// Nothing more will be written to `file`.
    pub(crate) fn seal(&mut self, file: usize, turn: &mut Turn<'_>) {
        let last = self.layout.files()[file].last;
        let object = &mut self.files[file];
        if object.is_sealed() {
            return;
        }
        object.seal(last);
        if object.is_done() {
            self.unfinished -= 1;
        }
        turn.ready.push_back(self.ticket(file));
    }

    /// The object of `file` is there.
    pub(crate) fn file_done(&mut self, file: usize) {
        if self.files[file].is_sealed() {
            self.unfinished -= 1;
        }
    }

    /// The cut.
    pub(crate) fn end(&mut self, to: i64, turn: &mut Turn<'_>) {
        self.to = Some(to);
        for file in self.layout.end() {
            self.seal(file, turn);
        }
    }

    /// What is committed in phase one.
    pub(crate) fn note(&self, to: i64, turn: &Turn<'_>) -> Note {
        let first = self.layout.files().first().map_or(self.from, |extent| extent.first);
        let files = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let fingerprint = turn.env.fingerprint;
        Note {
            id: self.id,
            from: self.from,
            to,
            t: self.t,
            fingerprint,
            first,
            files,
            limits: self.layout.limits(),
        }
    }
}
