//! The 20-line way to write a sink: one request, an answer per row.

use crate::{Batch, Error, Outcome, Record};
use async_trait::async_trait;
use std::sync::Arc;

/// A target that takes many rows in one request and answers per row.
#[async_trait]
pub trait Bulk: Send + Sync + 'static {
    /// Checks everything that can be checked before the first record. Nothing, unless overridden.
    ///
    /// # Errors
    /// Fatal, with all problems at once; retriable if the target is merely away.
    async fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Sends the rows of `batch`.
    ///
    /// # Errors
    /// About the request as a whole: retriable, poison or fatal.
    async fn write(&self, batch: &Batch) -> Result<Outcome, Error>;

    /// Rows with equal keys are never in flight together. `None`, the default, costs nothing.
    fn order_key<'a>(&self, _record: Record<'a>) -> Option<&'a [u8]> {
        None
    }
}

const _: fn(Arc<dyn Bulk>) = |_| {};
