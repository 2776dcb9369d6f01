//! One object on its way: its bytes, its parts and what has to happen next. No I/O: it says which step is due, the
//! sink starts it as a job and tells the outcome.

use crate::{
    client::{Found, Object, Upload},
    error::{Answer, StoreError},
};
use bytes::Bytes;
use connect_core::{Backoff, BackoffConfig, Budget, Permit};
use std::{collections::VecDeque, time::Duration};

/// Failed completions of an absent object after which the range is built again from the log.
const ATTEMPTS_MAX: u32 = 10;
/// The first buffer.
const BUFFER_MIN: usize = 4096;

/// What is due.
pub(crate) enum Step {
    /// A rebuild asks what is there before it writes.
    Check,
    /// Upload this part; `None`: the upload has to be begun.
    Part(Option<Box<dyn Upload>>, Bytes),
    /// Publish a small object.
    Put(Bytes),
    /// Publish the uploaded parts.
    Complete(Box<dyn Upload>),
    /// A completion failed or its outcome is unknown: ask.
    Verify,
}

/// What became of a step.
pub(crate) enum Stepped {
    Checked(Result<Option<Found>, StoreError>),
    Part(Option<Box<dyn Upload>>, Result<(), StoreError>),
    /// With the length of the object.
    Completed(Option<Box<dyn Upload>>, Result<u64, StoreError>),
    Verified(Result<Option<Found>, StoreError>),
}

/// What the sink has to do after a step.
#[derive(Debug)]
pub(crate) enum Next {
    /// Look for the next step.
    Go,
    /// Wait, then look for the next step.
    Retry(Duration, StoreError),
    /// The object is there, and ours. `Found` tells what a rebuild has to know of it.
    Done(Option<Found>),
    /// The name is taken by an object that is not ours, or not as long as it has to be.
    Conflict(Found),
    /// The parts are lost: the task has to start again and rebuild.
    Again(StoreError),
    /// Only a person can help.
    Fatal(StoreError),
}

#[derive(Debug)]
enum State {
    /// Not known yet whether it is there.
    Checking,
    Writing,
    /// Its completion failed in this way.
    Verifying(StoreError),
    Done,
}

/// See the module.
pub(crate) struct ObjectFile {
    pub(crate) object: Object,
    state: State,
    /// Encoded bytes that are in no part yet.
    buffer: Vec<u8>,
    /// Parts to upload.
    parts: VecDeque<Bytes>,
    /// A small object, sealed and on its way.
    whole: Option<Bytes>,
    upload: Option<Box<dyn Upload>>,
    /// Bytes of all records so far, whether they are held, uploaded or found in an object that is there.
    written: u64,
    /// Bytes of an object that a rebuild found before it knew how many there have to be.
    found: Option<u64>,
    /// Of a rebuild: an object that is there may hold records that compaction has removed from the log since.
    rebuilt: bool,
    /// It has parts: a PUT of the whole is no longer possible.
    parted: bool,
    /// Nothing more will be written; offset of the last record.
    sealed: Option<i64>,
    /// A job or a timer has it.
    busy: bool,
    held: Option<Permit>,
    backoff: Option<Backoff>,
}

impl ObjectFile {
    /// `check`: it may be there already.
    pub(crate) fn new(object: Object, check: bool) -> Self {
        Self {
            object,
            state: if check { State::Checking } else { State::Writing },
            buffer: Vec::new(),
            parts: VecDeque::new(),
            whole: None,
            upload: None,
            written: 0,
            found: None,
            rebuilt: check,
            parted: false,
            sealed: None,
            busy: false,
            held: None,
            backoff: None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn is_checking(&self) -> bool {
        matches!(self.state, State::Checking)
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Bytes held in memory.
    pub(crate) fn held(&self) -> usize {
        self.held.as_ref().map_or(0, Permit::bytes)
    }

    /// Adds a record. Returns whether a part is ready to be uploaded.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        separator: &[u8],
        part_size: usize,
        budget: &Budget,
    ) -> bool {
        self.written += (bytes.len() + separator.len()) as u64;
        if self.is_done() {
            return false;
        }
        let (parts, capacity) = (self.parts.len(), self.buffer.capacity());
        // Cut while it is copied: a large record is never here as a whole, and no part keeps more than its bytes.
        for mut rest in [bytes, separator] {
            while !rest.is_empty() {
                let room = part_size.saturating_sub(self.buffer.len()).max(1);
                let (now, later) = rest.split_at(room.min(rest.len()));
                self.reserve(now.len(), part_size);
                self.buffer.extend_from_slice(now);
                rest = later;
                if self.buffer.len() >= part_size {
                    self.push_part();
                }
            }
        }
        let full = self.parts.len() > parts;
        if full || self.buffer.capacity() != capacity {
            self.charge(budget);
        }
        full
    }

    /// Makes room for `more` bytes by doubling, but not beyond a part.
    fn reserve(&mut self, more: usize, part_size: usize) {
        let needed = self.buffer.len() + more;
        if self.buffer.capacity() < needed {
            let wanted = (self.buffer.capacity() * 2).max(BUFFER_MIN).min(part_size).max(needed);
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
    }

    /// Makes a part of what is there, whatever its size. Returns whether there was anything.
    pub(crate) fn spill(&mut self, budget: &Budget) -> bool {
        if self.buffer.is_empty() || self.is_done() {
            return false;
        }
        self.push_part();
        self.charge(budget);
        true
    }

    fn push_part(&mut self) {
        self.parts.push_back(exact(&mut self.buffer));
        self.parted = true;
    }

    /// Nothing more will be written. An object that was found is looked at again if it is too short for that.
    pub(crate) fn seal(&mut self, last: i64) {
        self.sealed = Some(last);
        if self.found.is_some_and(|len| !self.fits(len)) {
            let why = "the object that a rebuild found is shorter than its records";
            // None of them is held: if the object is away by then, only the log has them.
            self.state = State::Verifying(StoreError::new(Answer::Gone, why));
        }
        if self.parted && !self.buffer.is_empty() {
            self.push_part();
        }
    }

    /// Counts what is held against the budget.
    fn charge(&mut self, budget: &Budget) {
        let uploading = self.upload.as_ref().map_or(0, |upload| upload.held());
        let parts = self.parts.iter().chain(&self.whole).map(Bytes::len).sum::<usize>();
        let bytes = self.buffer.capacity() + parts + uploading;
        match &mut self.held {
            Some(permit) => permit.resize(bytes),
            None => self.held = Some(budget.charge(bytes)),
        }
    }

    /// Takes the step that is due, if any; nothing else is due until [`Self::stepped`]. `noted`: objects may appear.
    pub(crate) fn step(&mut self, noted: bool) -> Option<Step> {
        if self.busy {
            return None;
        }
        let step = match &self.state {
            State::Done => return None,
            State::Checking => Step::Check,
            State::Verifying(_) => Step::Verify,
            State::Writing => match self.parts.front() {
                Some(part) => Step::Part(self.upload.take(), part.clone()),
                None if !noted || self.sealed.is_none() => return None,
                None => match self.upload.take() {
                    Some(upload) => Step::Complete(upload),
                    // The bytes stay here until the object is there, for a repetition.
                    None => {
                        let buffer = &mut self.buffer;
                        Step::Put(self.whole.get_or_insert_with(|| exact(buffer)).clone())
                    }
                },
            },
        };
        self.busy = true;
        Some(step)
    }

    /// Bytes of all records so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Whether an object of `len` bytes holds all records.
    fn fits(&self, len: u64) -> bool {
        if self.rebuilt { len >= self.written } else { len == self.written }
    }

    /// Offset of the last record, once sealed.
    pub(crate) fn last(&self) -> i64 {
        self.sealed.unwrap_or(self.object.first)
    }

    /// The wait of [`Next::Retry`] is over.
    pub(crate) fn awake(&mut self) {
        self.busy = false;
    }

    /// A step has ended.
    pub(crate) fn stepped(&mut self, stepped: Stepped, config: BackoffConfig, budget: &Budget) -> Next {
        self.busy = false;
        let next = match stepped {
            Stepped::Checked(answer) => self.checked(answer, config),
            Stepped::Part(upload, answer) => {
                self.upload = upload;
                self.part_done(answer, config)
            }
            Stepped::Completed(upload, answer) => {
                self.upload = upload;
                self.completed(answer)
            }
            Stepped::Verified(answer) => self.verified(answer, config),
        };
        match next {
            Next::Done(ref found) => {
                self.found = found.map(|found| found.len);
                self.state = State::Done;
                (self.buffer, self.parts, self.whole) = (Vec::new(), VecDeque::new(), None);
                (self.upload, self.held) = (None, None);
            }
            _ => self.charge(budget),
        }
        next
    }

    fn checked(&mut self, answer: Result<Option<Found>, StoreError>, config: BackoffConfig) -> Next {
        match answer {
            Ok(Some(found)) => self.whose(found),
            Ok(None) => {
                self.state = State::Writing;
                self.backoff = None;
                Next::Go
            }
            Err(e) => self.retry(e, config),
        }
    }

    fn part_done(&mut self, answer: Result<(), StoreError>, config: BackoffConfig) -> Next {
        match answer {
            Ok(()) => {
                self.parts.pop_front();
                self.backoff = None;
                Next::Go
            }
            // A store may look for the name when an upload begins.
            Err(e) if e.answer == Answer::Exists => self.verify(e),
            Err(e) if e.answer == Answer::Gone => Next::Again(e),
            Err(e) => self.retry(e, config),
        }
    }

    fn completed(&mut self, answer: Result<u64, StoreError>) -> Next {
        match answer {
            Ok(len) if len == self.written => Next::Done(None),
            Ok(len) => {
                let what = format!("the object has {len} bytes where {} were written", self.written);
                self.verify(StoreError::new(Answer::Unconfirmed, what))
            }
            Err(e) if e.answer == Answer::Fatal => Next::Fatal(e),
            Err(e) => self.verify(e),
        }
    }

    fn verify(&mut self, why: StoreError) -> Next {
        self.state = State::Verifying(why);
        Next::Go
    }

    fn verified(&mut self, answer: Result<Option<Found>, StoreError>, config: BackoffConfig) -> Next {
        match answer {
            Ok(Some(found)) => self.whose(found),
            Ok(None) => self.absent(config),
            Err(e) => self.retry(e, config),
        }
    }

    /// A completion that failed did not happen: it is tried again, if what it needs is still there.
    fn absent(&mut self, config: BackoffConfig) -> Next {
        let why = match std::mem::replace(&mut self.state, State::Writing) {
            State::Verifying(why) => why,
            other => {
                self.state = other;
                return Next::Go;
            }
        };
        let attempts = self.backoff.as_ref().map_or(0, Backoff::attempts);
        let unfinishable = self.parted && self.parts.is_empty() && self.upload.is_none();
        if why.answer == Answer::Gone || unfinishable || attempts >= ATTEMPTS_MAX {
            return Next::Again(why);
        }
        self.retry(why, config)
    }

    /// Exists alone is never success: the object has to be ours, and to hold what was written. Before it is sealed
    /// nobody knows how much that will be; [`Self::seal`] asks then.
    fn whose(&self, found: Found) -> Next {
        let whole = self.sealed.is_none() || self.fits(found.len);
        if found.id == Some(self.object.id) && whole {
            Next::Done(Some(found))
        } else {
            Next::Conflict(found)
        }
    }

    fn retry(&mut self, error: StoreError, config: BackoffConfig) -> Next {
        if error.answer == Answer::Fatal {
            return Next::Fatal(error);
        }
        let wait = self.backoff.get_or_insert_with(|| Backoff::new(config)).next_wait(None);
        self.busy = true;
        Next::Retry(wait, error)
    }

    /// What has to be aborted when the file is given up.
    pub(crate) fn give_up(&mut self) -> Option<Box<dyn Upload>> {
        self.upload.take()
    }
}

/// Takes what is in the buffer without its spare capacity, which the length that is charged does not tell of.
fn exact(buffer: &mut Vec<u8>) -> Bytes {
    std::mem::take(buffer).into_boxed_slice().into()
}

#[cfg(test)]
mod tests;
