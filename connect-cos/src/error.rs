//! What a store may answer, and what it means: the one place where OpenDAL's and the file system's errors become
//! classes.

#[cfg(any(feature = "s3", feature = "cos"))]
use crate::client::refusal::Refusal;
use crate::{client::Found, note::NoteId};
use connect_core::{BoxError, Class};
use std::io;

/// What the sink has to do about a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There is an object of that name: look whose it is.
    Exists,
    /// The store called it a success without the proof of one, or the object is not what was written: look at it.
    Unconfirmed,
    /// It may work in a moment, or has worked and the answer was lost.
    Transient,
    /// The parts uploaded so far are gone, or the store refuses to put them together: the range has to be built
    /// again.
    Gone,
    /// The store does not know what was asked for.
    Unknown,
    /// The store refuses the request as such: credentials, permissions, region, address. Wrong at the first start, transient later: keys are rotated, policies take time, a
    /// file system is read-only for a while.
    Denied,
    /// Only a person can help.
    Fatal,
}

/// A failed request to a store.
#[derive(Debug, thiserror::Error)]
#[error("{cause}{}", advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default())]
pub(crate) struct StoreError {
    pub(crate) answer: Answer,
    /// Shown as this error's own text, so it is not its source too.
    pub(crate) cause: BoxError,
    /// What a person may do about it.
    pub(crate) advice: Option<String>,
}

impl StoreError {
    pub(crate) fn new(answer: Answer, cause: impl Into<BoxError>) -> Self {
        Self { answer, cause: cause.into(), advice: None }
    }

    /// What the store said, if it refused the request.
    #[cfg(any(feature = "s3", feature = "cos"))]
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.cause.downcast_ref()
    }

    /// The class of this answer at the start-up check. `again`: of a task that was started again by itself. The fault
    /// that ended it may still last, so the check sits out what a running task does; at a first start the same answers
    /// are mistakes, and are told at once.
    pub(crate) fn class_at_start(&self, again: bool) -> Class {
        match self.answer {
            Answer::Exists | Answer::Unknown | Answer::Denied if again => Class::Retriable,
            Answer::Transient | Answer::Gone | Answer::Unconfirmed => Class::Retriable,
            Answer::Exists | Answer::Unknown | Answer::Denied | Answer::Fatal => Class::Fatal,
        }
    }
}

/// The cause first, and without the request's headers, addresses and identities that the client library adds.
fn brief(error: &opendal::Error) -> String {
    let mut text = error.message().to_owned();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        source = cause.source();
        if source.is_none() {
            text = format!("{cause} ({text})");
        }
    }
    match text.char_indices().nth(BRIEF_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Characters of a client library's text that are kept.
const BRIEF_MAX: usize = 400;

impl From<opendal::Error> for StoreError {
    fn from(error: opendal::Error) -> Self {
        use opendal::ErrorKind as Kind;
        #[cfg(any(feature = "s3", feature = "cos"))]
        if let Some(refusal) = Refusal::of(&error) {
            return Self::new(Answer::Denied, refusal.clone());
        }
        let answer = match error.kind() {
            Kind::ConditionNotMatch | Kind::AlreadyExists => Answer::Exists,
            // S3's 409 for a race between conditional writes, and COS's conflicts: the race decides, then ask again.
            Kind::RateLimited | Kind::Conflict => Answer::Transient,
            _ if error.is_temporary() => Answer::Transient,
            Kind::NotFound => Answer::Unknown,
            Kind::PermissionDenied => Answer::Denied,
            Kind::Unsupported
            | Kind::ConfigInvalid
            | Kind::IsADirectory
            | Kind::NotADirectory
            | Kind::IsSameFile => Answer::Fatal,
            // OpenDAL's word for whatever it can't place: most are statuses that pass.
            _ => Answer::Transient,
        };
        Self::new(answer, brief(&error))
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let answer = match error.kind() {
            Kind::AlreadyExists => Answer::Exists,
            Kind::NotFound => Answer::Unknown,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Answer::Denied,
            Kind::InvalidFilename | Kind::NotADirectory | Kind::Unsupported => Answer::Fatal,
            // A full disk gets room, a network file system comes back.
            _ => Answer::Transient,
        };
        Self::new(answer, error)
    }
}

/// A conflict or loss that stops the task: the text is for the person who has to decide.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error(
        "object {name} exists and is not of this range ({found}): another pipeline, a replay or an earlier topic of \
         that name wrote it; use another topics.dir or move the object away"
    )]
    Conflict { name: String, found: String },
    #[error(
        "object {name} exists with the id of this range and has {found} bytes where {written} were written: the store \
         or another program has damaged it; move it away, and the range is written again"
    )]
    Length { name: String, found: u64, written: u64 },
    #[error(
        "{found} of {all} objects of the range {from}..{to} of {topic}-{partition} were completed under another \
         configuration (path, format, compression or transforms); start the old configuration once, until it has \
         committed {to}, then the new one"
    )]
    OldConfiguration { found: u32, all: u32, from: i64, to: i64, topic: String, partition: i32 },
    #[error(
        "the range {from}..{to} of {topic}-{partition} was begun under another topics.dir, so its objects can't be \
         found; start the old configuration once, until it has committed {to}, then the new one"
    )]
    OldPlace { from: i64, to: i64, topic: String, partition: i32 },
    #[error(
        "records {first}..{now} of {topic}-{partition} are no longer in the log, and {missing} of {all} objects that \
         need them were not completed; set on.data.loss=continue to go on with what is left"
    )]
    Lost { first: i64, now: i64, missing: u32, all: u32, topic: String, partition: i32 },
}

impl Stop {
    /// The reason why `found` is not the object of a range with this id that has `written` bytes.
    pub(crate) fn conflict(name: String, id: NoteId, found: &Found, written: u64) -> Self {
        match found.id {
            Some(of) if of == id => Self::Length { name, found: found.len, written },
            Some(of) => Self::Conflict { name, found: format!("it has the id {of}") },
            None => Self::Conflict { name, found: "no id of this range".to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opendal::ErrorKind;

    #[test]
    fn each_answer_of_a_store_has_one_meaning() {
        for (kind, temporary, want) in [
            (ErrorKind::ConditionNotMatch, false, Answer::Exists),
            (ErrorKind::AlreadyExists, false, Answer::Exists),
            (ErrorKind::Conflict, false, Answer::Transient),
            (ErrorKind::RateLimited, true, Answer::Transient),
            (ErrorKind::Unexpected, true, Answer::Transient),
            (ErrorKind::Unexpected, false, Answer::Transient),
            (ErrorKind::NotFound, false, Answer::Unknown),
            (ErrorKind::PermissionDenied, false, Answer::Denied),
            (ErrorKind::ConfigInvalid, false, Answer::Fatal),
            (ErrorKind::Unsupported, false, Answer::Fatal),
        ] {
            let mut error = opendal::Error::new(kind, "x");
            if temporary {
                error = error.set_temporary();
            }
            assert_eq!(StoreError::from(error).answer, want, "{kind}");
        }
        let denied = StoreError::from(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!((denied.answer, denied.class_at_start(false)), (Answer::Denied, Class::Fatal));
        assert_eq!(StoreError::from(io::Error::other("EIO")).class_at_start(false), Class::Retriable);
    }

    #[test]
    fn a_task_that_is_started_again_sits_out_what_it_would_have_sat_out_before() {
        for kind in
            [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::NotFound]
        {
            let error = StoreError::from(io::Error::from(kind));
            assert_eq!(
                (error.class_at_start(false), error.class_at_start(true)),
                (Class::Fatal, Class::Retriable)
            );
        }
        assert_eq!(StoreError::new(Answer::Fatal, "overwrites").class_at_start(true), Class::Fatal);
    }
}
