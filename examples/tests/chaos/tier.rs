//! How long and how large a run is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Whether `CONNECT_TIER=2` asks for the minutes-long forms.
pub(crate) fn full() -> bool {
    match std::env::var("CONNECT_TIER").as_deref() {
        Ok("2") => true,
        Ok("1") | Err(_) => false,
        Ok(other) => panic!("CONNECT_TIER is {other}: say 1 or 2"),
    }
}

/// The value for this tier.
pub(crate) fn pick<T>(short: T, long: T) -> T {
    if full() { long } else { short }
}

/// The moments of this run, printed so that they can be repeated.
pub(crate) fn seed(test: &str) -> fastrand::Rng {
    let seed = match std::env::var("CHAOS_SEED") {
        Ok(text) => text.parse().expect("CHAOS_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64,
    };
    say(test, &format!("CHAOS_SEED={seed}"));
    fastrand::Rng::with_seed(seed)
}

/// A line of a run's story; `--nocapture` shows it, and so does a failure.
pub(crate) fn say(test: &str, what: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    println!("[{:>7.2}] {test}: {what}", (now.as_millis() % 10_000_000) as f64 / 1000.0);
}
