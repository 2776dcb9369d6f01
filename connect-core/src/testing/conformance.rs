//! One suite that any plugin runs, whoever wrote it.
//!
//! Each check is one function; `run_all` runs them all, each against a target of its own, and returns a [`Report`].
//! A check that fails names the rule of the contract that was broken and quotes it. What a plugin cannot do is
//! declared in its harness; a check that does not apply for that reason is listed as such, never left out.
//!
//! # Cancel safety
//! Every check may be dropped; what was written stays at the target.

pub mod pipeline;
mod report;
pub mod sink;
pub mod source;
pub mod transform;

pub use report::{Broken, Check, Report, Verdict};

/// The same batch with values of a hundred bytes at most.
#[cfg(test)]
fn cut(batch: &crate::Batch) -> crate::Batch {
    let mut builder = crate::BatchBuilder::new();
    for record in batch.iter() {
        let origin = record.origin();
        let mut message = super::Message::of(record);
        message.value = message.value.map(|value| value.slice(..value.len().min(100)));
        message.push(
            &mut builder,
            origin.id,
            &std::sync::Arc::from(origin.topic),
            origin.partition,
            origin.offset,
        );
    }
    builder.finish()
}
