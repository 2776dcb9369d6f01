//! Waiting between attempts: exponential, jittered, honouring what the server asked for.

use std::time::Duration;
use tokio::time::Instant;

/// So long is for ever, as Tokio has it.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// `wait` from `now` on. `Duration::MAX`, which is how people write "never", is more than an `Instant` takes: adding it
/// would panic.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.min(FAR)
}

/// How long to wait between attempts.
///
/// The wait doubles from `initial` to `max` and is drawn evenly from its upper half, so that clients that failed
/// together do not come back together. A server's `Retry-After` is honoured up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffConfig {
    /// Before the first repetition. Default 100 ms, as Kafka's `retry.backoff.ms`.
    pub initial: Duration,
    /// The longest wait. Default 60 s, as Connect's `errors.retry.delay.max.ms`.
    pub max: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { initial: Duration::from_millis(100), max: Duration::from_secs(60) }
    }
}

/// The state of one sequence of attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: BackoffConfig,
    rng: fastrand::Rng,
    attempts: u32,
}

impl Backoff {
    /// A fresh sequence.
    #[must_use]
    pub fn new(config: BackoffConfig) -> Self {
        Self::with_rng(config, fastrand::Rng::new())
    }

    /// A fresh sequence with a generator of the caller's: exact in tests.
    #[must_use]
    pub fn with_rng(config: BackoffConfig, rng: fastrand::Rng) -> Self {
        Self { config, rng, attempts: 0 }
    }

    /// The next wait. `retry_after`: what the server asked for; it counts as a lower bound, up to `max`.
    pub fn next_wait(&mut self, retry_after: Option<Duration>) -> Duration {
        let doubled =
            self.config.initial.saturating_mul(1_u32.checked_shl(self.attempts.min(31)).unwrap_or(u32::MAX));
        self.attempts = self.attempts.saturating_add(1);
        let ceiling = doubled.min(self.config.max);
        let wait = ceiling.mul_f64(0.5 + self.rng.f64() / 2.0);
        wait.max(retry_after.unwrap_or_default()).min(self.config.max)
    }

    /// Attempts that failed since the last success.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// After a success the next wait is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_stay_in_the_upper_half() {
        let config = BackoffConfig { initial: Duration::from_millis(100), max: Duration::from_millis(450) };
        let mut backoff = Backoff::with_rng(config, fastrand::Rng::with_seed(7));
        for ceiling in [100, 200, 400, 450, 450] {
            let wait = backoff.next_wait(None);
            let (low, high) = (Duration::from_millis(ceiling / 2), Duration::from_millis(ceiling));
            assert!(low <= wait && wait <= high, "{wait:?} outside {low:?}..={high:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait(None) <= Duration::from_millis(100));
    }

    #[test]
    fn a_servers_wish_is_honoured_up_to_the_maximum() {
        let config = BackoffConfig { initial: Duration::from_millis(1), max: Duration::from_secs(2) };
        let mut backoff = Backoff::new(config);
        assert_eq!(backoff.next_wait(Some(Duration::from_secs(1))), Duration::from_secs(1));
        assert_eq!(backoff.next_wait(Some(Duration::from_secs(90))), Duration::from_secs(2));
    }
}
