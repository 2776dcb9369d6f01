//! What can go wrong, and the one place that says what is done about it.

use crate::document::BadDocument;
use connect_core::{Class, Error};
use serde::Deserialize;
use std::{borrow::Cow, fmt, time::Duration};

/// Text of the server that is kept: it goes into logs and dead letters.
const REASON_CHARS_MAX: usize = 500;
/// How long a conflict that cannot be waits before it stops the task. Within the interval of heartbeats (3 s, or 5 s
/// with KIP-848) a member learns that its partitions went to somebody else.
const DOUBT: Duration = Duration::from_secs(10);

/// A failure of a request or of a row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No answer: connection refused, reset, closed early, or too late. What the server did is unknown.
    #[error("no answer from {node}: {cause}")]
    NoAnswer { node: String, cause: String },
    /// An answer other than 2xx.
    #[error("{node} answered {status}: {reason}")]
    Status { node: String, status: u16, reason: String, wait: Option<Duration> },
    /// A redirect. Bodies go to nobody who is not configured.
    #[error("{node} answered {status}, a redirect to {location}, which is not followed (see connection.url)")]
    Redirect { node: String, status: u16, location: String },
    /// An answer in an encoding that nobody has asked for, or damaged.
    #[error("{node} sent an answer in the encoding `{encoding}`, which cannot be read: {reason}")]
    NotDecoded { node: String, encoding: String, reason: String },
    /// A 2xx answer that is none of `_bulk`: some proxy's.
    #[error("{node} sent something else than a bulk answer")]
    NotAnAnswer { node: String, source: serde_json::Error },
    /// An answer that is too large to be held.
    #[error("{node} sent an answer of more than {max} bytes")]
    TooLarge { node: String, max: usize },
    /// More items than rows.
    #[error("{node} answered {items} items for {rows} rows")]
    Mismatch { node: String, items: usize, rows: usize },
    /// Fewer items than rows.
    #[error("the answer has no item for this row")]
    Unanswered,
    /// One row.
    #[error("status {status}, {reason}")]
    Item { status: u16, kind: String, reason: String, wait: Option<Duration> },
    /// A row whose document was there, though nobody can have written it.
    #[error(
        "{place}: the document was there before its record was ever sent; asking again before the task stops"
    )]
    Doubt { place: String },
    /// The same, and the partition is still ours.
    #[error(
        "{place}: the document was there before its record was ever sent: ids belong to another incarnation of the \
         topic, or to records of another topic, partition or pipeline; write to another index, or set \
         behavior.on.replay=accept if these records were written before on purpose"
    )]
    Foreign { place: String },
    /// Versions would go back.
    #[error(
        "topic {topic} has {now} partitions and had {before}: a key that moves to another partition may find a higher \
         version than its own, and its records would be left out; start the task again if keys do not move, or write \
         to another index, or set external.version=none"
    )]
    Growth { topic: String, before: u32, now: u32 },
    /// A row that was not sent.
    #[error("the value is null, and behavior.on.null.values is fail")]
    NullValue,
    /// A row that was not sent.
    #[error("the key can't be an id: {0}")]
    Key(&'static str),
    /// A row that was not sent.
    #[error("{0}")]
    IndexName(String),
    /// A row that was not sent.
    #[error(transparent)]
    Document(#[from] BadDocument),
}

impl Failure {
    /// Whether another node may do better.
    pub(crate) fn is_the_nodes(&self) -> bool {
        let unusable = matches!(
            self,
            Self::NoAnswer { .. }
                | Self::NotAnAnswer { .. }
                | Self::NotDecoded { .. }
                | Self::TooLarge { .. }
                | Self::Redirect { .. }
        );
        unusable || matches!(self, Self::Status { status: 500..=599, .. })
    }

    fn class(&self) -> Class {
        match self {
            Self::NoAnswer { .. }
            | Self::NotAnAnswer { .. }
            | Self::NotDecoded { .. }
            // No record is to blame for what stands between it and its index.
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::Unanswered
            | Self::Doubt { .. } => Class::Retriable,
            Self::Status { status, .. } => request_class(*status),
            Self::Mismatch { .. } | Self::Foreign { .. } | Self::Growth { .. } => Class::Fatal,
            Self::Item { status, kind, .. } => item_class(*status, kind),
            Self::NullValue | Self::Key(_) | Self::IndexName(_) | Self::Document(_) => Class::Poison,
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } | Self::Item { wait, .. } => *wait,
            Self::Doubt { .. } => Some(DOUBT),
            _ => None,
        }
    }
}

/// The status of a whole request. The start-up check has passed, so a refusal of credentials is a passing one: they
/// are being rotated, or the security index is not there yet.
fn request_class(status: u16) -> Class {
    match status {
        // Too large, or not understood: a part of it may be.
        400 | 413 | 422 => Class::Poison,
        // 404: a proxy that has lost its backend.
        401 | 403 | 404 | 408 | 425 | 429 | 500..=599 => Class::Retriable,
        _ => Class::Fatal,
    }
}

/// The status of an item in an answer.
fn item_class(status: u16, kind: &str) -> Class {
    match status {
        // 403: the index is blocked for writes, by a full disk or a snapshot. 409: see `Item::verdict`.
        401 | 403 | 408 | 409 | 425 | 429 | 500..=599 => Class::Retriable,
        // The index is being made or was deleted: no fault of the record.
        404 if kind == "index_not_found_exception" => Class::Retriable,
        _ => Class::Poison,
    }
}

impl Failure {
    /// The error of an operation, which completes "failed to …".
    pub(crate) fn during(self, operation: &'static str) -> Error {
        let (class, wait) = (self.class(), self.wait());
        Error::new(class, operation, self).after(wait)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let operation = match &failure {
            Failure::NoAnswer { .. }
            | Failure::Redirect { .. }
            | Failure::NotDecoded { .. }
            | Failure::Status { .. }
            | Failure::NotAnAnswer { .. }
            | Failure::TooLarge { .. }
            | Failure::Mismatch { .. } => "send a bulk request",
            Failure::Growth { .. } => "take partitions",
            Failure::Unanswered
            | Failure::Doubt { .. }
            | Failure::Foreign { .. }
            | Failure::Item { .. }
            | Failure::NullValue
            | Failure::Key(_)
            | Failure::IndexName(_)
            | Failure::Document(_) => "write the document",
        };
        failure.during(operation)
    }
}

/// An error as Elasticsearch writes it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Cause<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    caused_by: Option<Box<Cause<'a>>>,
}

/// On one line, with its causes.
impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = shortened(self.reason.as_deref().unwrap_or("no reason given"));
        write!(f, "{}: {reason}", self.kind)?;
        match &self.caused_by {
            Some(cause) => write!(f, ", caused by {cause}"),
            None => Ok(()),
        }
    }
}

/// Text of others, cut and on one line.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
