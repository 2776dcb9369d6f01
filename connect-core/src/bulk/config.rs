//! How a [`BulkSink`](super::BulkSink) batches, how much it sends at once and how it repeats.

use crate::{BATCH_RECORDS_MAX, BackoffConfig};
use std::time::Duration;

/// Settings of a [`BulkSink`](super::BulkSink). All have defaults.
///
/// ```
/// use connect_core::BulkConfig;
/// let config = BulkConfig { in_flight_max: 2, ..BulkConfig::default() };
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkConfig {
    /// A request is full at this many bytes of keys, values and [`row_overhead`](super::Bulk::row_overhead); a larger
    /// record goes alone. Default 5 MiB, as `bulk.size.bytes` of Connect's Elasticsearch sink. At most an eighth of
    /// the pipeline's budget is used, so that several requests and the records behind them fit in it.
    pub batch_bytes: usize,
    /// A request is full at this many records. Default 2,000, as `batch.size` of Connect's Elasticsearch sink, and what
    /// [a batch holds](crate::BATCH_RECORDS_MAX): measured with records of 499 bytes, requests of several batches cost
    /// up to a tenth of a whole pipeline's CPU more, since the first of them leaves the cache while it waits for the
    /// last, and requests of 1,000 records a twentieth.
    pub batch_records: usize,
    /// A request that is not full is sent when its first record has waited this long, or later if none may be in
    /// flight. Default 100 ms: own choice, ten requests a second at a trickle; a full request never waits.
    pub linger: Duration,
    /// The most requests in flight; fewer after an overload (halved by 429, 503 and time-outs, then one more per
    /// round of successes). Default 5, as `max.in.flight.requests` of Connect's Elasticsearch sink. Together they
    /// take half of the pipeline's budget at most, or one request; that much is set aside for bodies as long as there
    /// is anything to send.
    pub in_flight_max: usize,
    /// A request without an answer for this long is given up and sent again. Default 60 s, as the `timeout` that
    /// Elasticsearch itself gives a bulk request.
    pub request_timeout: Duration,
    /// Waits between attempts.
    pub backoff: BackoffConfig,
    /// How long a row may fail with retriable errors until the task stops with a fatal error, its offsets kept.
    /// Default `None`, for ever: `errors.retry.timeout` is -1. A row is never made poison by this: what was
    /// refused for a time is not bad.
    pub retry_timeout: Option<Duration>,
}

impl Default for BulkConfig {
    fn default() -> Self {
        Self {
            batch_bytes: 5 << 20,
            batch_records: BATCH_RECORDS_MAX,
            linger: Duration::from_millis(100),
            in_flight_max: 5,
            request_timeout: Duration::from_secs(60),
            backoff: BackoffConfig::default(),
            retry_timeout: None,
        }
    }
}

impl BulkConfig {
    /// How much a request may hold under a budget of `limit` bytes.
    pub(super) fn request_max(&self, limit: usize) -> Size {
        Size { bytes: self.batch_bytes.min(limit / 8).max(1), records: self.batch_records.max(1) }
    }

    /// How much all bodies in flight may take under a budget of `limit` bytes.
    pub(super) fn bodies_max(&self, limit: usize) -> usize {
        self.request_max(limit).bytes.saturating_mul(self.in_flight_max.max(1)).min(limit / 2)
    }
}

/// The size of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: usize,
    pub(super) records: usize,
}

impl Size {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, records: self.records + other.records }
    }

    pub(super) fn fits(self, max: Self) -> bool {
        self.bytes <= max.bytes && self.records <= max.records
    }
}
