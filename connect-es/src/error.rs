//! What can go wrong, and the one place that says what is done about it.

use crate::{bulk::blame::Blame, document::BadDocument};
use connect_core::{Class, Error};
use serde::{Deserialize, Deserializer, de::Visitor};
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
    NoAnswer {
        node: String,
        cause: String,
        /// Somebody was there who may have seen the rows.
        reached: bool,
    },
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
    /// A success that does not say of what: fewer items than rows.
    #[error(
        "{node} answered {items} items for {rows} rows: rows without an item are not known to be written"
    )]
    Uncounted { node: String, items: usize, rows: usize },
    /// More items than rows.
    #[error("{node} answered {items} items for {rows} rows")]
    Mismatch { node: String, items: usize, rows: usize },
    /// Fewer items than rows.
    #[error("the answer has no item for this row")]
    Unanswered,
    /// One row.
    #[error("status {status}, {reason}{}", advice(blame))]
    Item { status: u16, blame: Blame, reason: String, wait: Option<Duration> },
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
    /// A row whose key another partition has as well.
    #[error(
        "{place}: a document with the record's key and a higher version is there, written from {other}: where ids are \
         keys and versions offsets, each key must come from one partition; write topics to indices of their own (index), \
         or set external.version=none, or behavior.on.replay=accept if such records may be left out"
    )]
    Shared { place: String, other: String },
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
            | Self::Uncounted { .. }
            // No record is to blame for what stands between it and its index.
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::Unanswered
            | Self::Doubt { .. } => Class::Retriable,
            Self::Status { status, .. } => request_class(*status),
            Self::Mismatch { .. } | Self::Foreign { .. } | Self::Shared { .. } | Self::Growth { .. } => {
                Class::Fatal
            }
            Self::Item { blame, .. } => item_class(*blame),
            Self::NullValue | Self::Key(_) | Self::IndexName(_) | Self::Document(_) => Class::Poison,
        }
    }

    /// Whether it need not be the fault of the one that it seems to be.
    fn is_doubtful(&self) -> bool {
        match self {
            Self::NoAnswer { reached, .. } => *reached,
            // Of fewer rows there is less to answer.
            Self::NotAnAnswer { .. }
            | Self::NotDecoded { .. }
            | Self::TooLarge { .. }
            | Self::Uncounted { .. }
            | Self::Unanswered => true,
            Self::Item { blame, .. } => matches!(blame, Blame::Race | Blame::Unclear | Blame::Failing),
            _ => false,
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

fn item_class(blame: Blame) -> Class {
    match blame {
        Blame::Record | Blame::Race | Blame::Unclear => Class::Poison,
        Blame::Index(_) | Blame::Service | Blame::Failing => Class::Retriable,
    }
}

fn advice(blame: &Blame) -> String {
    match blame {
        Blame::Index(advice) => format!(" ({advice})"),
        _ => String::new(),
    }
}

impl Failure {
    /// The error of an operation, which completes "failed to …".
    pub(crate) fn during(self, operation: &'static str) -> Error {
        let (class, wait, doubtful) = (self.class(), self.wait(), self.is_doubtful());
        let error = Error::new(class, operation, self).after(wait);
        if doubtful { error.doubtful() } else { error }
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
            | Failure::Uncounted { .. }
            | Failure::Mismatch { .. } => "send a bulk request",
            Failure::Growth { .. } => "take partitions",
            Failure::Unanswered
            | Failure::Doubt { .. }
            | Failure::Foreign { .. }
            | Failure::Shared { .. }
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
    kind: Text<'a>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    caused_by: Option<Box<Cause<'a>>>,
}

impl Cause<'_> {
    pub(crate) fn kind(&self) -> &str {
        &self.kind.0
    }

    pub(crate) fn reason(&self) -> &str {
        self.reason.as_ref().map_or("no reason given", |reason| &reason.0)
    }

    pub(crate) fn caused_by(&self) -> Option<&Self> {
        self.caused_by.as_deref()
    }
}

/// Text that is not required to be Unicode: reasons repeat values, half of a surrogate pair included.
#[derive(Debug, Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lossy;
        impl<'de> Visitor<'de> for Lossy {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Text<'de>, E> {
                Ok(Text(String::from_utf8_lossy(text)))
            }

            fn visit_bytes<E>(self, text: &[u8]) -> Result<Text<'de>, E> {
                Ok(Text(String::from_utf8_lossy(text).into_owned().into()))
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_bytes(Lossy)
    }
}

/// On one line, with its causes.
impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind(), shortened(self.reason()))?;
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
