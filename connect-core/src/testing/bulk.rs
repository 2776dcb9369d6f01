//! A bulk target in memory with scripted answers.

use super::{Gate, Recording};
use crate::{Batch, Bulk, Error, Outcome, Record};
use async_trait::async_trait;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What a [`MemoryBulk`] answers to one request.
pub enum Answer {
    /// The request fails as a whole, and nothing is written.
    Request(Error),
    /// Everything is written, and the request fails all the same: the answer was lost.
    Lost(Error),
    /// A verdict per row; rows without a verdict are written but not answered.
    Rows(Vec<Result<(), Error>>),
    /// The request waits here, then everything is written.
    Wait(Gate),
}

type Verdict = dyn Fn(Record<'_>) -> Result<(), Error> + Send + Sync;
type OrderKey = dyn for<'a> Fn(Record<'a>) -> Option<&'a [u8]> + Send + Sync;

/// A [`Bulk`] that writes into a [`Recording`]. Answers come from a queue and, once that is empty, from a verdict per
/// record, which accepts all unless [`verdict`](Self::verdict) says otherwise. Cloning gives another handle.
///
/// ```
/// use connect_core::{Error, testing::{Answer, MemoryBulk, Recording}};
/// let target = Recording::new();
/// let bulk = MemoryBulk::new(&target).verdict(|record| match record.value() {
///     Some(b"bad") => Err(Error::poison("write", "told to refuse it")),
///     _ => Ok(()),
/// });
/// bulk.push(Answer::Request(Error::retriable("write", "busy")));
/// ```
#[derive(Clone)]
pub struct MemoryBulk {
    target: Recording,
    script: Arc<Mutex<VecDeque<Answer>>>,
    requests: Arc<Mutex<Vec<usize>>>,
    verdict: Arc<Verdict>,
    order_key: Option<Arc<OrderKey>>,
}

impl MemoryBulk {
    /// A bulk target that accepts everything.
    #[must_use]
    pub fn new(target: &Recording) -> Self {
        Self {
            target: target.clone(),
            script: Arc::default(),
            requests: Arc::default(),
            verdict: Arc::new(|_| Ok(())),
            order_key: None,
        }
    }

    /// Decides about each row for which nothing is scripted.
    #[must_use]
    pub fn verdict(self, verdict: impl Fn(Record<'_>) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        Self { verdict: Arc::new(verdict), ..self }
    }

    /// Sets [`Bulk::order_key`].
    #[must_use]
    pub fn order_key(
        self,
        key: impl for<'a> Fn(Record<'a>) -> Option<&'a [u8]> + Send + Sync + 'static,
    ) -> Self {
        Self { order_key: Some(Arc::new(key)), ..self }
    }

    /// Adds an answer to the queue.
    pub fn push(&self, answer: Answer) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
    }

    /// How many rows each request had, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<usize> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next_answer(&self) -> Option<Answer> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn write_all(&self, batch: &Batch) {
        batch.iter().for_each(|record| self.target.write(record));
    }

    fn judge(&self, batch: &Batch) -> Outcome {
        let verdict = |record| {
            (self.verdict)(record)?;
            self.target.write(record);
            Ok(())
        };
        batch.iter().map(verdict).collect()
    }
}

impl fmt::Debug for MemoryBulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBulk").field("requests", &self.requests().len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Bulk for MemoryBulk {
    async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(batch.len());
        match self.next_answer() {
            None => Ok(self.judge(batch)),
            Some(Answer::Request(error)) => Err(error),
            Some(Answer::Lost(error)) => {
                self.write_all(batch);
                Err(error)
            }
            Some(Answer::Rows(verdicts)) => {
                for (row, record) in batch.iter().enumerate() {
                    if verdicts.get(row).is_none_or(Result::is_ok) {
                        self.target.write(record);
                    }
                }
                Ok(verdicts.into_iter().collect())
            }
            Some(Answer::Wait(gate)) => {
                gate.pass().await;
                Ok(self.judge(batch))
            }
        }
    }

    fn order_key<'a>(&self, record: Record<'a>) -> Option<&'a [u8]> {
        self.order_key.as_ref().and_then(|key| key(record))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => f.debug_tuple("Request").field(error).finish(),
            Self::Lost(error) => f.debug_tuple("Lost").field(error).finish(),
            Self::Rows(rows) => f.debug_tuple("Rows").field(rows).finish(),
            Self::Wait(gate) => f.debug_tuple("Wait").field(gate).finish(),
        }
    }
}
