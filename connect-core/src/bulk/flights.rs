//! Requests in flight, and how many there may be.

use super::{config::Size, request::Request};
use crate::Batch;
use std::{collections::HashMap, sync::Arc};

/// Names a request while it is in flight. Later ones are larger.
pub(super) type FlightId = u64;

/// A request whose answer is awaited. Its job holds the other reference to the rows.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: Arc<Batch>,
    pub(super) trouble: Option<super::request::Trouble>,
    pub(super) alone: bool,
    pub(super) suspects: bool,
    pub(super) size: Size,
}

/// All requests in flight.
#[derive(Debug)]
pub(super) struct Flights {
    flying: HashMap<FlightId, Flight>,
    bytes: usize,
    next: FlightId,
    limit: Limit,
}

impl Flights {
    pub(super) fn new(max: usize) -> Self {
        Self { flying: HashMap::new(), bytes: 0, next: 0, limit: Limit::new(max) }
    }

    /// Whether one more of up to `request` bytes may start where all may take `bodies` bytes: bytes first, requests
    /// second. One always may.
    pub(super) fn have_room(&self, request: usize, bodies: usize) -> bool {
        self.flying.is_empty() || (self.bytes + request <= bodies && self.flying.len() < self.limit.current)
    }

    /// Estimated bytes of the bodies in flight.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flying.is_empty()
    }

    pub(super) fn start(&mut self, request: Request, size: Size) -> (FlightId, Arc<Batch>) {
        let id = self.next;
        self.next += 1;
        self.bytes += size.bytes;
        let batch = Arc::new(request.batch);
        let (trouble, alone, suspects) = (request.trouble, request.alone, request.suspects);
        self.flying.insert(id, Flight { batch: Arc::clone(&batch), trouble, alone, suspects, size });
        (id, batch)
    }

    /// The request behind an answer.
    pub(super) fn land(&mut self, id: FlightId) -> Option<Request> {
        let flight = self.flying.remove(&id)?;
        self.bytes -= flight.size.bytes;
        let Flight { batch, trouble, alone, suspects, .. } = flight;
        let batch = Arc::into_inner(batch).expect("a job drops its share of the rows before it ends");
        Some(Request { batch, trouble, alone, suspects })
    }

    pub(super) fn succeeded(&mut self) {
        self.limit.raise();
    }

    /// The target is overloaded or away. True for the first sign of it among requests that were in flight together.
    pub(super) fn overloaded(&mut self, id: FlightId) -> bool {
        self.limit.lower(id, self.next)
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.flying.values().map(|flight| &*flight.batch)
    }
}

/// How many requests may be in flight: one more per round of successes, half after an overload, never below one.
#[derive(Debug)]
struct Limit {
    max: usize,
    current: usize,
    successes: usize,
    /// Requests before this one were sent under an older limit: their failures are no news.
    since: FlightId,
}

impl Limit {
    fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { max, current: max, successes: 0, since: 0 }
    }

    fn raise(&mut self) {
        self.successes += 1;
        if self.successes >= self.current {
            self.successes = 0;
            self.current = (self.current + 1).min(self.max);
        }
    }

    fn lower(&mut self, id: FlightId, next: FlightId) -> bool {
        if id < self.since {
            return false;
        }
        (self.since, self.successes) = (next, 0);
        self.current = (self.current / 2).max(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_halved_once_per_round_and_grows_by_one_per_round() {
        let mut limit = Limit::new(8);
        assert!(limit.lower(3, 8));
        assert_eq!(limit.current, 4);
        assert!(!limit.lower(5, 9), "request 5 was sent before the limit was lowered");
        assert_eq!(limit.current, 4);
        for _ in 0..4 {
            limit.raise();
        }
        assert_eq!(limit.current, 5);
        for id in 10..20 {
            limit.lower(id, id + 1);
        }
        assert_eq!(limit.current, 1, "one request may always fly");
        for _ in 0..100 {
            limit.raise();
        }
        assert_eq!(limit.current, 8, "never above the maximum");
    }
}
