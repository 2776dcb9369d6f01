//! Requests that wait for their next attempt.

use super::{config::Size, request::Request};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Requests in order of the time at which they are due.
#[derive(Debug, Default)]
pub(super) struct Retries {
    waiting: BTreeMap<(Instant, u64), Request>,
    next: u64,
}

impl Retries {
    pub(super) fn push(&mut self, due: Instant, request: Request) {
        self.waiting.insert((due, self.next), request);
        self.next += 1;
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// The oldest request that is due, joined with others that are, as far as they fit.
    pub(super) fn pop_due(&mut self, now: Instant, max: Size, row_overhead: usize) -> Option<Request> {
        let mut request = self.pop_if(now, |_| true)?;
        if request.alone {
            return Some(request);
        }
        let mut size = request.size(row_overhead);
        while let Some(other) =
            self.pop_if(now, |other| !other.alone && size.plus(other.size(row_overhead)).fits(max))
        {
            size = size.plus(other.size(row_overhead));
            request.join(other);
        }
        Some(request)
    }

    fn pop_if(&mut self, now: Instant, wanted: impl Fn(&Request) -> bool) -> Option<Request> {
        let entry = self.waiting.first_entry()?;
        (entry.key().0 <= now && wanted(entry.get())).then(|| entry.remove())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Makes all of them due.
    pub(super) fn hurry(&mut self, now: Instant) {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting =
            waiting.into_iter().map(|((due, number), request)| ((due.min(now), number), request)).collect();
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.waiting.values()
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Request) -> bool) {
        self.waiting.retain(|_, request| keep(request));
    }
}
