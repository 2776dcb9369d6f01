//! Batches that wait for what a transform must fetch before they can pass.
//!
//! A batch is kept back before it enters the books: as long as it waits, nothing of it counts as read, so a revoke, a
//! stop or a restart meanwhile owes it nothing. Once it is handed on, the books drop what is not owned any more.

use crate::{
    Backoff, BackoffConfig, Batch, Chain, Class, Error, Event, PartitionId, Preparation, retry::after,
};
use std::{collections::VecDeque, future::pending};
use tokio::time::{Instant, sleep_until, timeout_at};

pub(crate) struct Preparing {
    chain: Chain,
    backoff: Backoff,
    /// Records, and an end of the source that must not overtake them. More than one batch only if a source yields
    /// records, or positions that moved, although it was asked for none.
    waiting: VecDeque<Event>,
    /// What runs for the first batch.
    attempt: Option<Preparation>,
    /// After a failure, no attempt before this.
    retry_at: Option<Instant>,
    trouble: Option<(Instant, String)>,
}

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// This may go on now.
    Event(Event),
    /// An attempt has failed, and another will follow.
    Retrying,
    /// It is no use.
    Failed(Error),
}

impl Preparing {
    pub(crate) fn new(chain: Chain, backoff: BackoffConfig) -> Self {
        Self {
            chain,
            backoff: Backoff::new(backoff),
            waiting: VecDeque::new(),
            attempt: None,
            retry_at: None,
            trouble: None,
        }
    }

    /// Hands an event back that may go on at once, and keeps one that has to wait.
    pub(crate) fn admit(&mut self, event: Event) -> Option<Event> {
        if let Event::Revoked(ids) | Event::Lost(ids) = &event {
            self.forget(ids);
        }
        let waits = match &event {
            Event::Records(_) | Event::End if self.is_waiting() => true,
            Event::Records(batch) => {
                self.attempt = self.chain.prepare(batch);
                self.attempt.is_some()
            }
            _ => false,
        };
        if !waits {
            return Some(event);
        }
        self.waiting.push_back(event);
        None
    }

    /// Takes out what waits of partitions that go: nobody wants it, and what it needs may never be had.
    fn forget(&mut self, ids: &[PartitionId]) {
        let mut changed = false;
        self.waiting.retain_mut(|event| {
            let Event::Records(batch) = event else { return true };
            changed |= batch.runs().iter().any(|run| ids.contains(&run.id));
            batch.retain_live(|id| !ids.contains(&id));
            // A run that is dead stays, as an empty one.
            batch.runs().iter().any(|run| !run.offsets.is_empty())
        });
        if !changed {
            return;
        }
        // What is left may need less, or nothing.
        (self.attempt, self.retry_at) = (None, None);
        if self.waiting.is_empty() {
            self.backoff.reset();
            self.trouble = None;
        }
    }

    /// Whether records wait: until they have gone, no others are wanted.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Since when preparing fails, and why.
    pub(crate) fn trouble(&self) -> Option<&(Instant, String)> {
        self.trouble.as_ref()
    }

    /// Waits until the first that waits may go on, or for news of it; for ever if nothing waits.
    ///
    /// # Cancel safety
    /// Safe to drop: what has begun is kept and goes on with the next call.
    pub(crate) async fn next(&mut self) -> Prepared {
        if self.waiting.is_empty() {
            return pending().await;
        }
        if let Some(at) = self.retry_at {
            sleep_until(at).await;
            self.retry_at = None;
        }
        if self.attempt.is_none()
            && let Some(Event::Records(batch)) = self.waiting.front()
        {
            self.attempt = self.chain.prepare(batch);
        }
        let result = match &mut self.attempt {
            Some(attempt) => attempt.await,
            None => Ok(()),
        };
        self.attempt = None;
        match result {
            Ok(()) => {
                self.backoff.reset();
                self.trouble = None;
                self.waiting.pop_front().map_or(Prepared::Retrying, Prepared::Event)
            }
            Err(error) if error.class() == Class::Retriable => {
                self.failed(&error);
                Prepared::Retrying
            }
            Err(error) => Prepared::Failed(error),
        }
    }

    fn failed(&mut self, error: &Error) {
        let (now, wait) = (Instant::now(), self.backoff.next_wait(error.retry_after()));
        let since = self.trouble.take().map_or(now, |(since, _)| since);
        self.trouble = Some((since, error.report()));
        self.retry_at = Some(after(now, wait));
    }
}

/// Prepares one batch for a dry run, with as many attempts as fit before the deadline.
pub(super) async fn prepare(
    chain: &Chain,
    batch: &Batch,
    backoff: BackoffConfig,
    deadline: Instant,
) -> Result<(), Error> {
    let mut backoff = Backoff::new(backoff);
    let begun = Instant::now();
    while let Some(attempt) = chain.prepare(batch) {
        let error = match timeout_at(deadline, attempt).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.class() == Class::Retriable => error,
            Ok(Err(error)) => return Err(error),
            Err(late) => Error::retriable("prepare the records", late),
        };
        let again = after(Instant::now(), backoff.next_wait(error.retry_after()));
        if again >= deadline {
            return Err(error.exhausted(backoff.attempts(), begun.elapsed()));
        }
        sleep_until(again).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
