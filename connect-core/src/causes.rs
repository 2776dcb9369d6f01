//! Causes of failures, each told at once and then rarely.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Between the first two times that a cause is told; it doubles up to [`EVERY_MAX`].
const EVERY: Duration = Duration::from_secs(30);
/// The longest time between two.
const EVERY_MAX: Duration = Duration::from_secs(600);
/// A cause that was not seen for this long is over: the next time it is news again.
const OVER: Duration = Duration::from_secs(120);
/// Causes that are told apart. More at a time are one text with a number in it that changes.
const APART_MAX: usize = 16;

/// Decides which failures are worth a line in the log: one per cause, however many tasks meet it, and another now and then
/// as long as it lasts.
///
/// Causes are equal if their texts are. One belongs to a pipeline, or to what else fails as a whole.
#[derive(Debug, Default)]
pub(crate) struct Causes(Mutex<Vec<Cause>>);

#[derive(Debug)]
struct Cause {
    text: String,
    told: Instant,
    seen: Instant,
    every: Duration,
    kept_back: u64,
}

impl Causes {
    /// Whether this cause is to be told now; then how often it was kept back since the last time.
    pub(crate) fn tell(&self, text: &str, now: Instant) -> Option<u64> {
        let mut causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        causes.retain(|cause| now - cause.seen < OVER.max(cause.every));
        if let Some(cause) = causes.iter_mut().find(|cause| cause.text == text) {
            return cause.again(now);
        }
        if causes.len() == APART_MAX {
            return None;
        }
        causes.push(Cause { text: text.to_owned(), told: now, seen: now, every: EVERY, kept_back: 0 });
        Some(0)
    }
}

impl Cause {
    fn again(&mut self, now: Instant) -> Option<u64> {
        self.seen = now;
        if now - self.told < self.every {
            self.kept_back += 1;
            return None;
        }
        (self.told, self.every) = (now, (self.every * 2).min(EVERY_MAX));
        Some(std::mem::take(&mut self.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_at_once_and_then_rarely() {
        let (causes, start) = (Causes::default(), Instant::now());
        let seconds = |s| start + Duration::from_secs(s);
        let told: Vec<u64> = (0..1_000).filter(|&s| causes.tell("refused", seconds(s)).is_some()).collect();
        assert_eq!(told, [0, 30, 90, 210, 450, 930]);
        assert_eq!(causes.tell("another", seconds(1_000)), Some(0));
        assert_eq!(causes.tell("refused", seconds(1_530)), Some(69), "those kept back are counted");
    }

    #[test]
    fn a_cause_that_was_over_is_news() {
        let (causes, start) = (Causes::default(), Instant::now());
        assert_eq!(causes.tell("refused", start), Some(0));
        assert_eq!(causes.tell("refused", start + Duration::from_secs(10)), None);
        assert_eq!(causes.tell("refused", start + Duration::from_secs(10) + OVER), Some(0));
    }

    #[test]
    fn a_text_that_never_repeats_is_no_flood() {
        let (causes, now) = (Causes::default(), Instant::now());
        let told = (0..1_000).filter(|n| causes.tell(&format!("attempt {n}"), now).is_some()).count();
        assert_eq!(told, APART_MAX);
    }
}
