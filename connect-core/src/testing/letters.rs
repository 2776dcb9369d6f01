//! A dead letter queue in memory.

use super::Delivered;
use crate::{DeadLetters, Error, Letter, Stage};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};

/// A letter as it was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The record as read.
    pub record: Delivered,
    /// Which stage refused it.
    pub stage: Stage,
    /// Why, as one line.
    pub error: String,
    /// Connect's headers.
    pub headers: Vec<(String, String)>,
}

/// A dead letter queue that keeps what it is given. Cloning gives another handle on the same queue.
#[derive(Clone, Debug, Default)]
pub struct MemoryLetters(Arc<Mutex<Vec<Written>>>);

impl MemoryLetters {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All letters so far.
    #[must_use]
    pub fn written(&self) -> Vec<Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl DeadLetters for MemoryLetters {
    async fn open(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn write(&self, letters: &[Letter]) -> Vec<Result<(), Error>> {
        let written = letters.iter().flat_map(|letter| {
            letter.record.iter().map(|record| Written {
                record: Delivered::of(record.original()),
                stage: letter.stage,
                error: letter.error.report(),
                headers: letter.error_headers(),
            })
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(written);
        letters.iter().map(|_| Ok(())).collect()
    }
}
