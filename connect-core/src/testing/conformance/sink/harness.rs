//! What the suite needs to know about a sink and its target.

use crate::{Error, Sink};
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// A sink under test and its target. Each check gets a harness of its own, with an empty target.
#[async_trait]
pub trait SinkHarness: Send + Sync {
    /// The sink.
    type Sink: Sink;

    /// Where this sink differs from others.
    fn capabilities(&self) -> Capabilities;

    /// A fresh sink on the same target. Not opened: the suite does that.
    ///
    /// # Errors
    /// What keeps the sink from being built; the check fails with it.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn build(&self) -> Result<Self::Sink, Error>;

    /// Everything that a reader of the target sees now. Where the target has an order, in that order.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn read_back(&self) -> Vec<Found>;

    /// The next `n` requests to the target fail. Called only if [`Capabilities::faults`] is set, which says that it
    /// is overridden.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn fail_next(&self, n: usize, how: Fault) {
        let _ = (n, how);
    }

    /// Secrets that the sink was built with.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Texts in which secrets must not appear: `Debug` of the configuration and of the sink, for instance. Errors
    /// that the sink reports are looked at anyway.
    fn exposed(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A record that stands at the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The partition that it was read from.
    pub partition: i32,
    /// The offset that it was read from.
    pub offset: i64,
    /// The value, or `None` for a tombstone that is stored.
    pub value: Option<Bytes>,
}

impl Found {
    /// A record whose origin the target knows.
    pub fn new(partition: i32, offset: i64, value: Option<impl Into<Bytes>>) -> Self {
        Self { partition, offset, value: value.map(Into::into) }
    }

    /// A record of which the target has only the value: the suite's values are JSON objects that name their origin.
    /// `None` if this is not one of them.
    #[must_use]
    pub fn from_value(value: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Origin {
            partition: i32,
            offset: i64,
        }
        let Origin { partition, offset } = serde_json::from_slice(value).ok()?;
        Some(Self::new(partition, offset, Some(Bytes::copy_from_slice(value))))
    }
}

/// How a request to the target fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The target takes nothing and says that it is busy, for so long if it can say so (a 429 or 503).
    Busy(Option<Duration>),
    /// The target takes everything, and the answer is lost (a connection that is reset).
    AnswerLost,
    /// The target takes the first half of the rows, and its answer, a success, speaks of these and of no others: a
    /// gateway that cuts answers off, for instance. Asked for only if [`Capabilities::answers_per_row`] is set.
    HalfAnswered,
}

/// What a sink does with records that have no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tombstones {
    /// They are stored and read back without value.
    Stored,
    /// They delete what has the same key.
    Delete,
    /// They are reported as delivered, and nothing is stored.
    Ignored,
    /// They are reported as poison.
    Rejected,
}

/// What a sink does with values of zero bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyValues {
    /// They are stored.
    Stored,
    /// They are reported as poison.
    Rejected,
}

/// What a sink can do. The default is a sink that stores all it is given, at least once, as it is.
///
/// ```
/// use connect_core::testing::conformance::sink::{Capabilities, Tombstones};
/// let capabilities = Capabilities { tombstones: Tombstones::Rejected, ..Capabilities::default() };
/// # let _ = capabilities;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A record that is delivered again is at the target once all the same.
    pub idempotent_by_offset: bool,
    /// Reports without being flushed, in the end.
    pub reports_when_quiet: bool,
    /// What becomes of tombstones.
    pub tombstones: Tombstones,
    /// What becomes of values of zero bytes.
    pub empty_values: EmptyValues,
    /// Values read back are byte for byte what was put.
    pub verbatim: bool,
    /// The target keeps the order of a partition, and `read_back` shows it.
    pub ordered: bool,
    /// The largest value that is accepted; larger ones are poison. `None`: there is no limit.
    pub max_record_bytes: Option<usize>,
    /// `fail_next` works.
    pub faults: bool,
    /// The target answers per row, and `fail_next` works for [`Fault::HalfAnswered`].
    pub answers_per_row: bool,
    /// The target can say when it wants to be asked again, and the sink tells the runtime.
    pub retry_after: bool,
    /// How long the suite waits for a report before it says that there is none: 10 s on tokio's clock.
    pub patience: Duration,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            idempotent_by_offset: false,
            reports_when_quiet: true,
            tombstones: Tombstones::Stored,
            empty_values: EmptyValues::Stored,
            verbatim: true,
            ordered: true,
            max_record_bytes: None,
            faults: false,
            answers_per_row: false,
            retry_after: false,
            patience: Duration::from_secs(10),
        }
    }
}
