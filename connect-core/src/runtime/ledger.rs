//! What is committed for one partition, and what should be: offset and note come from this one place.

use crate::Delivery;
use bytes::Bytes;
use std::fmt;

/// The committed offset and note of one partition, and where the sink wants them.
///
/// For [`Delivery::Rows`] the watermark is committed, without a note. For [`Delivery::Ranges`] the offset moves only
/// when a range ends, and while a note stands each commit carries it and the unchanged offset: since one without
/// would erase it, there simply is none in between.
#[derive(Debug)]
pub(crate) struct Ledger {
    delivery: Delivery,
    committed: i64,
    durable: i64,
    note: Note,
    requested: Option<(i64, Option<Bytes>)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Note {
    None,
    /// Found at the assignment: the sink rebuilds its range, or says that it is foreign.
    Inherited,
    /// Reported by the sink, not committed yet.
    Wanted(Bytes),
    /// Committed: objects may appear.
    Standing,
}

/// A report that the sink may not make now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// A note or a durable offset from a sink that reports by rows.
    NotByRanges,
    /// A second note before the range of the first was durable.
    SecondNote,
    /// A durable offset below the one before it.
    Backwards(i64),
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotByRanges => write!(f, "a sink that reports by rows reported a note or a durable offset"),
            Self::SecondNote => {
                write!(f, "a second note was reported before the range of the first was durable")
            }
            Self::Backwards(offset) => write!(f, "durable offset {offset} lies below an earlier one"),
        }
    }
}

impl std::error::Error for Misplaced {}

impl Ledger {
    pub(crate) fn new(delivery: Delivery, offset: i64, noted: bool) -> Self {
        // A sink by rows rebuilds nothing: to it every note is foreign.
        let note = if noted && delivery == Delivery::Ranges { Note::Inherited } else { Note::None };
        Self { delivery, committed: offset, durable: offset, note, requested: None }
    }

    pub(crate) fn committed(&self) -> i64 {
        self.committed
    }

    /// The sink has made everything below `offset` durable.
    pub(crate) fn durable(&mut self, offset: i64) -> Result<(), Misplaced> {
        self.check_ranges()?;
        if offset < self.durable {
            return Err(Misplaced::Backwards(offset));
        }
        self.durable = offset;
        Ok(())
    }

    /// The sink wants this note to stand before its objects appear.
    pub(crate) fn note(&mut self, note: Bytes) -> Result<(), Misplaced> {
        self.check_ranges()?;
        match &self.note {
            Note::Wanted(wanted) if *wanted == note => {}
            Note::Wanted(_) => return Err(Misplaced::SecondNote),
            Note::Standing if self.durable == self.committed => return Err(Misplaced::SecondNote),
            Note::Standing | Note::Inherited | Note::None => self.note = Note::Wanted(note),
        }
        Ok(())
    }

    /// The commit to make, given up to where all is resolved; `None`: nothing has changed, or one is on its way.
    pub(crate) fn wanted(&self, watermark: i64) -> Option<(i64, Option<Bytes>)> {
        if self.requested.is_some() {
            return None;
        }
        let wanted = match &self.note {
            Note::Wanted(note) => Some(note.clone()),
            Note::None | Note::Inherited | Note::Standing => None,
        };
        match self.delivery {
            Delivery::Rows => (watermark > self.committed).then_some((watermark, None)),
            // A dead letter below the end of the range is not written yet: neither this range nor the next moves.
            Delivery::Ranges if self.durable > self.committed => {
                (watermark >= self.durable).then_some((self.durable, wanted))
            }
            Delivery::Ranges => wanted.map(|note| (self.committed, Some(note))),
        }
    }

    /// A note waits: the sink can't go on before it is committed.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self.note, Note::Wanted(_))
    }

    /// The note that was found at the assignment asks for nothing.
    pub(crate) fn foreign(&mut self) {
        if self.note == Note::Inherited {
            self.note = Note::None;
        }
    }

    /// Whether the range of a note that was found at the assignment is being rebuilt: until it is durable.
    pub(crate) fn rebuilds(&self) -> bool {
        self.note == Note::Inherited && self.durable == self.committed
    }

    /// Whether a commit is on its way.
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.is_some()
    }

    /// The commit of [`wanted`](Self::wanted) is on its way.
    pub(crate) fn request(&mut self, offset: i64, note: Option<Bytes>) {
        debug_assert!(offset >= self.committed, "commits never move backwards");
        self.requested = Some((offset, note));
    }

    /// The answer. Returns whether a note stands now that did not before. After a failure the same is wanted again.
    pub(crate) fn answered(&mut self, committed: bool) -> bool {
        let Some((offset, note)) = self.requested.take() else { return false };
        if !committed {
            return false;
        }
        if offset > self.committed && matches!(self.note, Note::Standing | Note::Inherited) {
            self.note = Note::None;
        }
        self.committed = offset;
        let stands =
            note.is_some() && matches!(&self.note, Note::Wanted(wanted) if Some(wanted) == note.as_ref());
        if stands {
            self.note = Note::Standing;
        }
        stands
    }

    fn check_ranges(&self) -> Result<(), Misplaced> {
        match self.delivery {
            Delivery::Ranges => Ok(()),
            Delivery::Rows => Err(Misplaced::NotByRanges),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges() -> Ledger {
        Ledger::new(Delivery::Ranges, 100, false)
    }

    fn note(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn rows_commit_the_watermark_once_it_has_moved() {
        let mut ledger = Ledger::new(Delivery::Rows, 100, false);
        assert_eq!(ledger.wanted(100), None);
        assert_eq!(ledger.wanted(105), Some((105, None)));
        ledger.request(105, None);
        assert_eq!(ledger.wanted(110), None);
        assert!(!ledger.answered(false));
        assert_eq!((ledger.wanted(110), ledger.committed()), (Some((110, None)), 100));
    }

    #[test]
    fn a_note_is_committed_at_the_unchanged_offset_even_if_the_watermark_has_moved() {
        let mut ledger = ranges();
        ledger.note(note("a")).expect("the first note");
        assert!(ledger.is_urgent());
        assert_eq!(ledger.wanted(103), Some((100, Some(note("a")))));
        ledger.request(100, Some(note("a")));
        assert!(ledger.answered(true));
        assert_eq!((ledger.wanted(109), ledger.committed()), (None, 100));
        ledger.durable(110).expect("by ranges");
        assert_eq!(ledger.wanted(110), Some((110, None)));
    }

    #[test]
    fn the_end_of_a_range_waits_for_dead_letters_and_takes_the_next_note_along() {
        let mut ledger = ranges();
        ledger.note(note("a")).expect("the first note");
        ledger.request(100, Some(note("a")));
        assert!(ledger.answered(true));
        ledger.durable(110).expect("by ranges");
        assert_eq!(ledger.wanted(104), None);
        ledger.note(note("b")).expect("the first range is durable");
        assert_eq!(ledger.wanted(104), None);
        assert_eq!(ledger.wanted(112), Some((110, Some(note("b")))));
        ledger.request(110, Some(note("b")));
        assert!(ledger.answered(true));
        assert_eq!((ledger.committed(), ledger.wanted(200)), (110, None));
    }

    #[test]
    fn an_unanswered_note_is_sent_again_unchanged() {
        let mut ledger = ranges();
        ledger.note(note("a")).expect("the first note");
        ledger.request(100, Some(note("a")));
        assert!(!ledger.answered(false));
        assert_eq!(ledger.wanted(100), Some((100, Some(note("a")))));
        assert_eq!(ledger.note(note("b")), Err(Misplaced::SecondNote));
    }

    #[test]
    fn a_note_made_while_the_end_of_its_predecessor_is_on_its_way_still_waits_for_its_own_commit() {
        let mut ledger = ranges();
        ledger.note(note("a")).expect("the first note");
        ledger.request(100, Some(note("a")));
        assert!(ledger.answered(true));
        ledger.durable(110).expect("by ranges");
        ledger.request(110, None);
        ledger.note(note("b")).expect("the first range is durable");
        assert!(!ledger.answered(true));
        assert_eq!(ledger.wanted(110), Some((110, Some(note("b")))));
    }

    #[test]
    fn reports_out_of_place_are_refused() {
        let mut rows = Ledger::new(Delivery::Rows, 0, false);
        assert_eq!(rows.note(note("a")), Err(Misplaced::NotByRanges));
        assert_eq!(rows.durable(1), Err(Misplaced::NotByRanges));
        let mut ledger = ranges();
        ledger.note(note("a")).expect("the first note");
        ledger.request(100, Some(note("a")));
        assert!(ledger.answered(true));
        assert_eq!(ledger.note(note("b")), Err(Misplaced::SecondNote));
        assert_eq!(ledger.durable(99), Err(Misplaced::Backwards(99)));
    }

    #[test]
    fn only_a_note_of_our_own_is_being_rebuilt_and_only_until_it_is_durable() {
        let found = |delivery| Ledger::new(delivery, 100, true);
        assert!(!found(Delivery::Rows).rebuilds());
        let (mut own, mut foreign) = (found(Delivery::Ranges), found(Delivery::Ranges));
        assert!(own.rebuilds());
        own.durable(110).expect("the range was rebuilt");
        foreign.foreign();
        assert!(!own.rebuilds() && !foreign.rebuilds());
    }

    #[test]
    fn a_note_found_at_the_assignment_may_be_replaced_or_its_range_ended() {
        let mut ledger = Ledger::new(Delivery::Ranges, 100, true);
        assert_eq!(ledger.wanted(150), None);
        ledger.durable(120).expect("the range was rebuilt");
        assert_eq!(ledger.wanted(150), Some((120, None)));
        let mut foreign = Ledger::new(Delivery::Ranges, 100, true);
        foreign.note(note("own")).expect("the foreign note is ignored");
        assert_eq!(foreign.wanted(100), Some((100, Some(note("own")))));
    }
}
