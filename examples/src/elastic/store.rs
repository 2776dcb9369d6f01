//! What the endpoint holds.

use serde_json::value::RawValue;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// How often it was written.
    pub version: u64,
    /// Its body, as it was sent.
    pub source: Arc<RawValue>,
}

/// Documents by index and id.
pub(super) type Indices = BTreeMap<String, BTreeMap<String, Document>>;

#[derive(Debug, Default)]
pub(super) struct Store(Mutex<Indices>);

impl Store {
    pub(super) fn lock(&self) -> MutexGuard<'_, Indices> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
