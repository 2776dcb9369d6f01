//! One error type, three classes.
//!
//! Code branches on the [`Class`]; people read the rest: the operation, the context and the chain of sources.
//! A plugin keeps its own private error enum and maps it to [`Error`] in exactly one `From` implementation.

use std::{error::Error as StdError, fmt, time::Duration};

/// Any error that can cross threads: what [`Error`] keeps as its source.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What the runtime does about an error. Exhaustive on purpose: a fourth class would change every caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The same call may work later: it is made again, with backoff, for ever by default.
    Retriable,
    /// This record will never work: the pipeline's poison policy decides (fail, skip or dead letter).
    Poison,
    /// Nothing will work until a person acts: the task stops, its offsets stay where they are.
    Fatal,
}

impl Class {
    /// The class in lower case, as it appears in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retriable => "retriable",
            Self::Poison => "poison",
            Self::Fatal => "fatal",
        }
    }
}

/// An error with its [`Class`], the operation that failed and the chain of causes. One word wide.
///
/// `Display` is one line, without the source's text; [`Error::report`] is the whole chain on one line.
///
/// ```
/// use connect_core::{Class, Error};
/// let error = Error::poison("parse the value", "expected `{` at byte 0");
/// assert_eq!(error.class(), Class::Poison);
/// assert_eq!(error.report(), "failed to parse the value: expected `{` at byte 0");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    class: Class,
    operation: &'static str,
    context: Option<String>,
    retry_after: Option<Duration>,
    attempts: Option<(u32, Duration)>,
    doubtful: bool,
    source: BoxError,
}

impl Error {
    /// An error that may go away by itself. `operation` completes "failed to …".
    pub fn retriable(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(Class::Retriable, operation, source)
    }

    /// A record that will never work. `operation` completes "failed to …".
    pub fn poison(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(Class::Poison, operation, source)
    }

    /// A condition that only a person can change. `operation` completes "failed to …".
    pub fn fatal(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::new(Class::Fatal, operation, source)
    }

    /// An error of a class known only at run time.
    pub fn new(class: Class, operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self(Box::new(Inner {
            class,
            operation,
            context: None,
            retry_after: None,
            attempts: None,
            doubtful: false,
            source: source.into(),
        }))
    }

    /// Adds what the operation was about: a topic, an index, an object. Never a secret.
    #[must_use]
    pub fn about(mut self, context: impl fmt::Display) -> Self {
        self.0.context = Some(context.to_string());
        self
    }

    /// Adds the server's wish to be left alone for a while (`Retry-After`, RFC 9110 §10.2.3).
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Marks that the class is a guess: the other side did not say whether the records or itself is to blame. A
    /// [`BulkSink`](crate::BulkSink) finds out by sending fewer records at once, down to one alone, and by what becomes of
    /// other records meanwhile.
    #[must_use]
    pub fn doubtful(mut self) -> Self {
        self.0.doubtful = true;
        self
    }

    /// Whether the class is a guess, see [`doubtful`](Self::doubtful).
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.0.doubtful
    }

    /// The doubt is over: the same error with the class that turned out to be right.
    #[must_use]
    pub(crate) fn settled_as(mut self, class: Class) -> Self {
        self.0.class = class;
        self.0.doubtful = false;
        self
    }

    /// A retry that gave up: the class becomes fatal, so that no outer layer multiplies the attempts.
    #[must_use]
    pub fn exhausted(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.0.class = Class::Fatal;
        self.0.attempts = Some((attempts, elapsed));
        self
    }

    /// What the runtime will do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// What failed, completing "failed to …".
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// How long the other side asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The innermost cause: the one whose type name and message go into a dead letter's headers.
    #[must_use]
    pub fn root(&self) -> &(dyn StdError + 'static) {
        let mut root: &(dyn StdError + 'static) = self.0.source.as_ref();
        while let Some(next) = root.source() {
            root = next;
        }
        root
    }

    /// The whole chain on one line: `failed to write (index logs): connection refused`.
    #[must_use]
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        let mut next: Option<&(dyn StdError + 'static)> = Some(self.0.source.as_ref());
        while let Some(error) = next {
            line.push_str(": ");
            line.push_str(&error.to_string());
            next = error.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.0.operation)?;
        if let Some(context) = &self.0.context {
            write!(f, " ({context})")?;
        }
        if let Some((attempts, elapsed)) = self.0.attempts {
            write!(f, " after {attempts} attempts in {elapsed:.1?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error: {}", self.0.class.as_str(), self.report())?;
        match self.0.retry_after {
            Some(wait) => write!(f, " (retry after {wait:?})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.0.source.as_ref())
    }
}

const _: () = {
    const fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Error>();
    assert!(size_of::<Error>() == size_of::<usize>());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_from_the_operation_to_the_root() {
        let io = std::io::Error::other("connection reset by peer");
        let inner = Error::retriable("send the request", io).about("POST /_bulk");
        let outer = Error::fatal("deliver the batch", inner);
        assert_eq!(
            outer.report(),
            "failed to deliver the batch: failed to send the request (POST /_bulk): connection reset by peer"
        );
        assert_eq!(outer.root().to_string(), "connection reset by peer");
    }

    #[test]
    fn giving_up_makes_an_error_fatal_and_says_how_often_it_was_tried() {
        let error = Error::retriable("write", "busy").exhausted(5, Duration::from_secs(2));
        assert_eq!(error.class(), Class::Fatal);
        assert_eq!(error.report(), "failed to write after 5 attempts in 2.0s: busy");
    }
}
