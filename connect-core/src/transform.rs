//! The transform contract: one record in, none, one or many out.

use crate::{
    Batch, Error, Record,
    framing::Frame,
    record::{AS_READ, NO_TIMESTAMP, Row, Span, append, write_headers},
};
use std::{future::Future, pin::Pin, sync::Arc};

/// Work that has to be done before a batch can pass a transform: see [`Transform::prepare`].
pub type Preparation = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Changes, drops or multiplies records. Synchronous and pure.
///
/// # Contract
/// - The outcome depends on the record, the configuration and [`Output::now_ms`] alone. No I/O, no other clock, no
///   randomness: after a crash the same records are transformed again and must give the same result, or files could
///   not be rebuilt. A transform that cannot promise this says so by [`deterministic`](Self::deterministic).
/// - What stands in `out` after the call is the result: nothing ([`Output::keep`] or [`Draft::emit`] never called)
///   means *filtered*, one or several records mean *changed*. Several are siblings: they share the record's origin
///   and are numbered in the order emitted.
/// - The origin (topic, partition, offset as read) cannot be changed. [`Draft::topic`] changes where a record goes,
///   never what it counts as.
///
/// # Ordering
/// Records come in order of offset per partition; output keeps the order of calls and, within a call, of emissions.
///
/// # Errors
/// An error is about this record: what it emitted is taken back and the pipeline's poison policy decides. The class
/// does not matter here; use [`Error::poison`].
///
/// # Performance
/// `out` has one append buffer per batch. Write into it by [`Draft::value_with`]; a `Vec` per record costs more than
/// most transforms.
///
/// # Example
/// Wrong: a record that cannot be parsed is kept silently, and a clock of one's own makes replays differ.
///
/// ```no_run
/// # use connect_core::{Error, Output, Record, Transform};
/// struct Stamp;
/// impl Transform for Stamp {
///     fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
///         let Ok(value) = record.json::<serde_json::Value>() else {
///             out.keep(record); // nobody will ever know
///             return Ok(());
///         };
///         let now = std::time::SystemTime::now(); // another value after a crash
///         let text = format!("{value}{now:?}"); // and two allocations a record
///         out.derive(record).value(Some(text.as_bytes())).emit();
///         Ok(())
///     }
/// }
/// ```
///
/// Right:
///
/// ```
/// # use connect_core::{Error, Output, Record, Transform};
/// /// Splits `["a","b"]` into one record per element; drops tombstones.
/// struct Explode;
/// impl Transform for Explode {
///     fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
///         if record.value().is_none() {
///             return Ok(()); // filtered
///         }
///         for element in record.json::<Vec<&serde_json::value::RawValue>>()? {
///             out.derive(record).value(Some(element.get().as_bytes())).emit();
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Transform: Send + Sync {
    /// Emits into `out` what becomes of `record`.
    ///
    /// # Errors
    /// Poison: this record can't be transformed. Its emissions are taken back.
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error>;

    /// What has to be fetched before `batch` may pass, such as schemas that its records name; `None`, the default:
    /// nothing, at no cost. The future owns what it needs and puts what it fetched where [`apply`](Self::apply)
    /// finds it.
    ///
    /// # Contract
    /// - It is shown the batch **as read**, once per batch, whatever transforms stand before this one: a transform
    ///   that prepares stands where the part that it looks at has not been changed yet.
    /// - It fetches what never changes once it is there. The outcome of `apply` must not depend on when it ran.
    /// - What cannot be had for a single record (an id that does not exist) is no error here: `apply` refuses
    ///   that record.
    ///
    /// # Errors of the future
    /// Retriable: `prepare` is called again after a pause, for ever, and the status says since when and why; nothing
    /// is read meanwhile, while commits, rebalances and orders go on. Any other class ends the task.
    ///
    /// # Cancel safety
    /// The future is dropped when the task ends.
    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        let _nothing_to_fetch = batch;
        None
    }

    /// What this transform does, complete enough that an equal text means equal results: its name and its
    /// configuration. File sinks compare it after a restart. `None`: it cannot be described (a closure).
    fn describe(&self) -> Option<String> {
        None
    }

    /// Whether equal records give equal results on every run. Paths of objects may depend only on such transforms.
    fn deterministic(&self) -> bool {
        true
    }
}

impl<T: Transform + ?Sized> Transform for Arc<T> {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        (**self).apply(record, out)
    }

    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        (**self).prepare(batch)
    }

    fn describe(&self) -> Option<String> {
        (**self).describe()
    }

    fn deterministic(&self) -> bool {
        (**self).deterministic()
    }
}

/// Where a transform puts its results: rows and one append buffer per batch and stage.
#[derive(Debug)]
pub struct Output {
    pub(crate) rows: Vec<Row>,
    pub(crate) buf: Vec<u8>,
    pub(crate) topics: Vec<Arc<str>>,
    /// The number that `buf` will have among the batch's chunks.
    pub(crate) chunk: u32,
    now_ms: i64,
}

impl Output {
    pub(crate) fn new(chunk: u32, topics: Vec<Arc<str>>, now_ms: i64) -> Self {
        Self { rows: Vec::new(), buf: Vec::new(), topics, chunk, now_ms }
    }

    /// Emits `record` unchanged. Copies 72 bytes of integers, no payload.
    pub fn keep(&mut self, record: Record<'_>) {
        self.rows.push(*record.row());
    }

    /// Begins a record made from `record`: whatever is not set stays as it was.
    pub fn derive(&mut self, record: Record<'_>) -> Draft<'_> {
        Draft { row: Row { frame: Frame::NONE, ..*record.row() }, out: self }
    }

    /// The time of processing in milliseconds since the Unix epoch: one reading per batch, so that siblings and
    /// neighbours agree. Tests inject it.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }
}

/// A record being made; nothing is emitted until [`emit`](Self::emit).
#[derive(Debug)]
#[must_use = "nothing is emitted until `emit`"]
pub struct Draft<'o> {
    out: &'o mut Output,
    row: Row,
}

impl Draft<'_> {
    /// Streams the value into the batch's buffer. `write` must only append.
    ///
    /// # Errors
    /// What `write` returns; what it had written is taken back.
    pub fn value_with(
        mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let start = self.out.buf.len();
        if let Err(error) = write(&mut self.out.buf) {
            self.out.buf.truncate(start);
            return Err(error);
        }
        self.row.value = Span::new(self.out.chunk, start, self.out.buf.len());
        Ok(self)
    }

    /// Sets the value; `None` makes a tombstone.
    pub fn value(mut self, bytes: Option<&[u8]>) -> Self {
        self.row.value = self.copy(bytes);
        self
    }

    /// Sets the key; `None` makes it null.
    pub fn key(mut self, bytes: Option<&[u8]>) -> Self {
        self.row.key = self.copy(bytes);
        self
    }

    /// Replaces all headers, in the order given.
    pub fn headers<'h>(mut self, headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>) -> Self {
        self.row.headers = write_headers(&mut self.out.buf, self.out.chunk, headers);
        self
    }

    /// Sets the timestamp in milliseconds since the Unix epoch.
    pub fn timestamp_ms(mut self, timestamp: Option<i64>) -> Self {
        self.row.timestamp_ms = timestamp.unwrap_or(NO_TIMESTAMP);
        self
    }

    /// Sets the topic for routing. The origin stays what it was.
    ///
    /// # Panics
    /// If a batch names 2^32 topics.
    pub fn topic(mut self, topic: &str) -> Self {
        let known = self.out.topics.iter().rposition(|known| &**known == topic);
        let number = known.unwrap_or_else(|| {
            self.out.topics.push(topic.into());
            self.out.topics.len() - 1
        });
        self.row.topic = u32::try_from(number).expect("a batch names fewer than 2^32 topics");
        debug_assert!(self.row.topic != AS_READ);
        self
    }

    /// Emits the record.
    pub fn emit(self) {
        self.out.rows.push(self.row);
    }

    fn copy(&mut self, bytes: Option<&[u8]>) -> Span {
        bytes.map_or(Span::NONE, |bytes| append(&mut self.out.buf, self.out.chunk, bytes))
    }
}

const _: fn(Arc<dyn Transform>) = |_| {};
