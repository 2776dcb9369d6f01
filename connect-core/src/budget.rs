//! The byte budget: one bound for everything a pipeline holds.
//!
//! What is bounded are bytes *held*, not records unresolved: a batch is charged until it is dropped, and a sink
//! charges its own bodies and parts to the same budget. The budget never refuses: a charge may overshoot by one
//! batch or one body, and reading stops until there is room again. So nothing can deadlock on it, but for a range that
//! has to be read to an end that was fixed before: one such range is read beyond the limit (see `Progress::Starved`).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// A shared count of bytes held against a limit. Cloning gives another handle on the same count.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    limit: usize,
    held: AtomicUsize,
    peak: AtomicUsize,
    freed: Notify,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            held: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// Takes `bytes` and gives them back when the permit is dropped. Never fails and never waits.
    pub fn charge(&self, bytes: usize) -> Permit {
        self.take(bytes);
        Permit { budget: self.clone(), bytes }
    }

    fn take(&self, bytes: usize) {
        let held = self.0.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.0.peak.fetch_max(held, Ordering::Relaxed);
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// The most bytes ever held at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Bytes that may still be taken before the limit; zero when it is reached.
    #[must_use]
    pub fn room(&self) -> usize {
        self.0.limit.saturating_sub(self.held())
    }

    /// Waits until bytes are given back.
    ///
    /// # Cancel safety
    /// Safe to drop; one wake-up is kept for the next caller.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {})", self.held(), self.limit())
    }
}

/// Bytes taken from a [`Budget`], given back on drop.
#[must_use = "the bytes are given back when the permit is dropped"]
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
    bytes: usize,
}

impl Permit {
    /// Bytes that this permit holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// One of `bytes` on the same budget.
    pub(crate) fn another(&self, bytes: usize) -> Self {
        self.budget.charge(bytes)
    }

    /// Changes what is held to `bytes`: for a buffer that grew or was handed on.
    pub fn resize(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.take(bytes - self.bytes);
        } else {
            self.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    fn give_back(&self, bytes: usize) {
        let before = self.budget.0.held.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "a budget gives back only what was taken");
        // Readers wait only while the budget is full: waking them for every batch would cost a system call each.
        if bytes > 0 && before >= self.budget.0.limit {
            self.budget.0.freed.notify_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_when_the_permit_is_dropped_or_shrunk() {
        let budget = Budget::new(100);
        let mut first = budget.charge(60);
        let second = budget.charge(70);
        assert_eq!((budget.held(), budget.room(), budget.peak()), (130, 0, 130));
        first.resize(10);
        drop(second);
        assert_eq!((budget.held(), budget.room()), (10, 90));
        first.resize(40);
        assert_eq!(budget.held(), 40);
        drop(first);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_budget_is_gone_with_its_last_permit_however_often_that_grew() {
        let budget = Budget::new(100);
        let shared = Arc::downgrade(&budget.0);
        let mut permit = budget.charge(0);
        (1..10).for_each(|bytes| permit.resize(bytes));
        assert_eq!((budget.held(), budget.peak(), shared.strong_count()), (9, 9, 2));
        drop((budget, permit));
        assert!(shared.upgrade().is_none());
    }

    #[tokio::test]
    async fn a_waiter_wakes_when_a_full_budget_gets_room() {
        let budget = Budget::new(10);
        let permit = budget.charge(10);
        let waiter = budget.freed();
        drop(permit);
        waiter.await;
    }
}
