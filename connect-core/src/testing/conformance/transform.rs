//! The suite for transforms.
//!
//! ```
//! use connect_core::{Error, Output, Record, Transform, testing::{Message, conformance::transform::{self, TransformHarness}}};
//!
//! struct Upper;
//! impl Transform for Upper {
//!     fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
//!         let Some(value) = record.value() else { return Ok(out.keep(record)) };
//!         let text = std::str::from_utf8(value).map_err(|e| Error::poison("read the text", e))?;
//!         out.derive(record).value(Some(text.to_uppercase().as_bytes())).emit();
//!         Ok(())
//!     }
//! }
//!
//! struct Harness;
//! impl TransformHarness for Harness {
//!     type Transform = Upper;
//!     fn build(&self) -> Upper {
//!         Upper
//!     }
//!     fn accepted(&self) -> Vec<Message> {
//!         vec!["a".into(), ("key", "b").into()]
//!     }
//!     fn refused(&self) -> Vec<Message> {
//!         vec![Message::new(vec![0xff])]
//!     }
//! }
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! transform::run_all(&Harness).await.assert_passed();
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

use super::{
    Check, Report, Verdict,
    report::{Broken, ensure},
};
use crate::{
    Batch, Chain, Error, Output, Preparation, Record, Transform,
    testing::{Delivered, Message, batch},
};
use std::sync::Arc;

/// The time that transforms see here: 2023-11-14T22:13:20Z.
const NOW_MS: i64 = 1_700_000_000_000;
const PURE: &str = "the outcome depends on the record, the configuration and Output::now_ms alone";
const TAKEN_BACK: &str = "an error is about this record: what it emitted is taken back";

/// A transform under test.
pub trait TransformHarness: Send + Sync {
    /// The transform.
    type Transform: Transform + 'static;

    /// A fresh instance, configured alike each time.
    fn build(&self) -> Self::Transform;

    /// Records that it lets pass, changes or filters: some of each that it knows.
    fn accepted(&self) -> Vec<Message>;

    /// Records that it refuses. May be empty, if there are none.
    fn refused(&self) -> Vec<Message>;

    /// Whether headers and timestamps come out as they went in. True unless overridden.
    fn keeps_headers(&self) -> bool {
        true
    }
}

/// Runs every check.
///
/// # Cancel safety
/// Safe to drop.
pub async fn run_all<H: TransformHarness>(harness: &H) -> Report {
    let mut report = Report::default();
    report.run("equal_records_give_equal_results", async { equal_records_give_equal_results(harness) }).await;
    report.run("neighbours_make_no_difference", async { neighbours_make_no_difference(harness) }).await;
    report.run("refusals_take_emissions_back", async { refusals_take_emissions_back(harness) }).await;
    report.run("odd_records_do_no_harm", async { odd_records_do_no_harm(harness) }).await;
    report.run("headers_and_timestamps_are_kept", async { headers_and_timestamps_are_kept(harness) }).await;
    report.run("originals_stay_as_read", async { originals_stay_as_read(harness) }).await;
    report.run("a_wrapper_makes_no_difference", async { a_wrapper_makes_no_difference(harness) }).await;
    report
}

/// The records that go on, and the offsets of those that were refused with the reasons.
type Became = (Vec<Delivered>, Vec<(i64, String)>);

/// What becomes of a batch.
fn apply(transform: impl Transform + 'static, messages: &[Message]) -> Became {
    let transformed = Chain::new(vec![Arc::new(transform)]).apply(batch(messages.to_vec()), NOW_MS);
    let refused = transformed.rejected.iter().map(|(record, error)| (offset(record), error.report()));
    (transformed.batch.iter().map(Delivered::of).collect(), refused.collect())
}

fn offset(one: &Batch) -> i64 {
    one.get(0).map_or(-1, |record| record.origin().offset)
}

/// Everything that the suite has, refused records in between.
fn mixed<H: TransformHarness>(harness: &H) -> Vec<Message> {
    let (accepted, refused) = (harness.accepted(), harness.refused());
    accepted.iter().cloned().chain(refused).chain(accepted.iter().cloned()).chain(odd()).collect()
}

/// Null, empty, and bytes that are no text, as key, value and header.
fn odd() -> Vec<Message> {
    let binary = Message::new(vec![0xff, 0, 0xfe]).key(vec![0x80]).header("binary", vec![0xc0]);
    vec![Message::default(), Message::tombstone("key"), Message::new("").key(""), binary, Message::new("[")]
}

/// The same records give the same results: twice by one instance, and by another one. Equal descriptions too.
///
/// # Errors
/// The rule that was broken.
pub fn equal_records_give_equal_results<H: TransformHarness>(harness: &H) -> Check {
    let (one, other) = (Arc::new(harness.build()), harness.build());
    ensure(one.describe() == other.describe(), "an equal text means equal results", || {
        format!("two instances say {:?} and {:?}", one.describe(), other.describe())
    })?;
    if !one.deterministic() {
        return Ok(Verdict::NotApplicable("the transform says that it is not deterministic"));
    }
    let messages = mixed(harness);
    let first = apply(Arc::clone(&one), &messages);
    for again in [apply(one, &messages), apply(other, &messages)] {
        ensure(first == again, PURE, || format!("{first:?} was followed by {again:?}"))?;
    }
    Ok(Verdict::Passed)
}

/// A record gives the same alone as between others.
///
/// # Errors
/// The rule that was broken.
pub fn neighbours_make_no_difference<H: TransformHarness>(harness: &H) -> Check {
    if !harness.build().deterministic() {
        return Ok(Verdict::NotApplicable("the transform says that it is not deterministic"));
    }
    let messages = mixed(harness);
    let (together, _) = apply(harness.build(), &messages);
    for (at, message) in (0..).zip(&messages) {
        let mut alone = apply(harness.build(), std::slice::from_ref(message)).0;
        alone.iter_mut().for_each(|record| record.offset = at);
        let among: Vec<Delivered> = together.iter().filter(|record| record.offset == at).cloned().collect();
        ensure(alone == among, PURE, || format!("alone {alone:?}, between others {among:?}"))?;
    }
    Ok(Verdict::Passed)
}

/// Refused records leave nothing behind, and their neighbours pass.
///
/// # Errors
/// The rule that was broken.
pub fn refusals_take_emissions_back<H: TransformHarness>(harness: &H) -> Check {
    let (accepted, refused) = (harness.accepted(), harness.refused());
    let (_, complaints) = apply(harness.build(), &accepted);
    ensure(complaints.is_empty(), "what a harness calls accepted is accepted", || format!("{complaints:?}"))?;
    if refused.is_empty() {
        return Ok(Verdict::NotApplicable("the transform refuses nothing"));
    }
    let all: Vec<Message> = accepted.iter().cloned().chain(refused.iter().cloned()).collect();
    let (kept, complaints) = apply(harness.build(), &all);
    let first = i64::try_from(accepted.len()).unwrap_or(i64::MAX);
    let offsets: Vec<i64> = complaints.iter().map(|(offset, _)| *offset).collect();
    ensure(offsets.len() == refused.len() && offsets.iter().all(|&at| at >= first), TAKEN_BACK, || {
        format!("of the {} last records, {offsets:?} were refused", refused.len())
    })?;
    let left = kept.iter().find(|record| record.offset >= first);
    ensure(left.is_none(), TAKEN_BACK, || format!("{left:?} goes on"))?;
    Ok(Verdict::Passed)
}

/// Null, empty and binary records are kept, changed, filtered or refused, without a panic; a tombstone and an empty
/// value that are kept stay different.
///
/// # Errors
/// The rule that was broken.
pub fn odd_records_do_no_harm<H: TransformHarness>(harness: &H) -> Check {
    for message in odd() {
        let (kept, _) = apply(harness.build(), std::slice::from_ref(&message));
        // Kept as it was means kept wholly: null must not have become empty, or the other way round.
        let confused = kept.iter().find(|record| {
            let (before, after) = (&message.value, &record.message.value);
            let empty = |value: &Option<bytes::Bytes>| value.as_ref().is_none_or(bytes::Bytes::is_empty);
            empty(before) && empty(after) && before != after
        });
        ensure(confused.is_none(), "a tombstone and an empty value are different things", || {
            format!("{message:?} became {confused:?}")
        })?;
    }
    Ok(Verdict::Passed)
}

/// Headers, in order and with duplicates, and timestamps pass.
///
/// # Errors
/// The rule that was broken.
pub fn headers_and_timestamps_are_kept<H: TransformHarness>(harness: &H) -> Check {
    if !harness.keeps_headers() {
        return Ok(Verdict::NotApplicable("the transform changes headers or timestamps"));
    }
    let with = |message: Message| {
        let message = message.header("same", "one").header("same", vec![0xff]).header("other", "");
        message.timestamp_ms(1_234)
    };
    let messages: Vec<Message> = harness.accepted().into_iter().map(with).collect();
    let (kept, _) = apply(harness.build(), &messages);
    for record in kept {
        let before =
            messages.iter().zip(0..).find(|(_, at)| *at == record.offset).map(|(message, _)| message);
        let same = before.is_some_and(|before| {
            before.headers == record.message.headers && before.timestamp_ms == record.message.timestamp_ms
        });
        ensure(same, "whatever is not set stays as it was", || format!("{before:?} became {record:?}"))?;
    }
    Ok(Verdict::Passed)
}

/// The record as read, which a dead letter carries, is still there.
///
/// # Errors
/// The rule that was broken.
pub fn originals_stay_as_read<H: TransformHarness>(harness: &H) -> Check {
    let messages = mixed(harness);
    let transformed = Chain::new(vec![Arc::new(harness.build())]).apply(batch(messages.clone()), NOW_MS);
    let refused = transformed.rejected.iter().flat_map(|(record, _)| record.iter());
    for record in transformed.batch.iter().chain(refused) {
        let at = record.origin().offset;
        let read = messages.iter().zip(0..).find(|(_, number)| *number == at).map(|(message, _)| message);
        let original = Message::of(record.original());
        ensure(read == Some(&original), "the record as it was read, before any transform", || {
            format!("{read:?} is now {original:?}")
        })?;
    }
    Ok(Verdict::Passed)
}

/// Forwards everything.
struct Forward<T>(T);

#[deny(clippy::missing_trait_methods)]
impl<T: Transform> Transform for Forward<T> {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        self.0.apply(record, out)
    }

    fn prepare(&self, batch: &Batch) -> Option<Preparation> {
        self.0.prepare(batch)
    }

    fn describe(&self) -> Option<String> {
        self.0.describe()
    }

    fn deterministic(&self) -> bool {
        self.0.deterministic()
    }
}

/// Within a wrapper the results are the same.
///
/// # Errors
/// The rule that was broken.
pub fn a_wrapper_makes_no_difference<H: TransformHarness>(harness: &H) -> Check {
    if !harness.build().deterministic() {
        return Ok(Verdict::NotApplicable("the transform says that it is not deterministic"));
    }
    let messages = mixed(harness);
    let (bare, wrapped) = (apply(harness.build(), &messages), apply(Forward(harness.build()), &messages));
    if bare == wrapped { Ok(Verdict::Passed) } else { Err(Broken::new(PURE, "a wrapper changed the result")) }
}

#[cfg(test)]
mod tests;
