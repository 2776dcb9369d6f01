//! Delivering, reporting, order, time, closing.

use super::{
    Found, SinkHarness,
    driver::{Books, CLOSES, Driver, UNCOMMITTED, compare_all, message, messages},
};
use crate::{
    Sink,
    testing::conformance::{
        Check, Verdict,
        report::{Broken, ensure},
    },
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Two partitions, interleaved, over three batches.
async fn deliver<'h, H: SinkHarness>(harness: &'h H, strict: bool) -> Result<Driver<'h, H>, Broken> {
    let mut driver = Driver::start(harness, Books::default(), &[0, 1]).await?;
    driver.strict = strict;
    for first in [0, 4, 8] {
        let mixed = (first..first + 4).flat_map(|offset| [0, 1].map(|p| (p, offset, message(p, offset))));
        driver.put(mixed.collect())?;
    }
    Ok(driver)
}

async fn compare<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let expected = [messages(0, 0..12), messages(1, 0..12)].concat();
    compare_all(&harness.read_back().await, &expected, harness.capabilities().verbatim, true)
}

/// Every record of mixed batches can be read at the target after a flush, once and as it was.
///
/// # Errors
/// The rule that was broken.
pub async fn everything_is_readable_after_a_flush<H: SinkHarness>(harness: &H) -> Check {
    let mut driver = deliver(harness, false).await?;
    driver.settle().await?;
    compare(harness).await?;
    driver.close().await?;
    Ok(Verdict::Passed)
}

/// Whatever is reported stands at the target already; objects of a range appear only after its note was committed.
///
/// # Errors
/// The rule that was broken.
pub async fn nothing_is_reported_early<H: SinkHarness>(harness: &H) -> Check {
    let mut driver = deliver(harness, true).await?;
    driver.settle().await?;
    Ok(Verdict::Passed)
}

/// Each record is reported once, and nothing that was not put.
///
/// # Errors
/// The rule that was broken.
pub async fn each_record_is_reported_once<H: SinkHarness>(harness: &H) -> Check {
    let mut driver = deliver(harness, false).await?;
    driver.settle().await?;
    driver.until_quiet().await?;
    // A second round: what was left over from the first would show now.
    driver.put(messages(0, 12..16))?;
    driver.settle().await?;
    driver.flush()?;
    driver.until_quiet().await?;
    Ok(Verdict::Passed)
}

/// A sink that nobody flushes reports everything in the end, by a timer of its own if need be.
///
/// # Errors
/// The rule that was broken.
pub async fn quiet_sinks_report_by_themselves<H: SinkHarness>(harness: &H) -> Check {
    if !harness.capabilities().reports_when_quiet {
        return Ok(Verdict::NotApplicable("the sink reports only when it is flushed"));
    }
    let mut driver = deliver(harness, false).await?;
    let reported = driver.until_reported().await;
    reported.map_err(|broken| broken.unless_declared("reports_when_quiet"))?;
    compare(harness).await?;
    Ok(Verdict::Passed)
}

/// A flush makes the sink report at once what a timer of its own would have it report later. Where the timer takes no
/// time that can be told from the flush's, nothing can be said.
///
/// # Errors
/// The rule that was broken.
pub async fn a_flush_does_not_wait_for_the_timer<H: SinkHarness>(harness: &H) -> Check {
    const HURRY: &str = "flush with Now: finish all there is";
    /// A target may take its time once, but not each time.
    const TRIES: i64 = 3;
    if !harness.capabilities().reports_when_quiet {
        return Ok(Verdict::NotApplicable("the sink reports only when it is flushed"));
    }
    let mut driver = Driver::start(harness, Books::default(), &[0]).await?;
    let (mut by_timer, mut by_flush) = (Duration::ZERO, Duration::MAX);
    for round in 0..TRIES {
        let begun = Instant::now();
        driver.put(messages(0, round * 2..round * 2 + 1))?;
        driver.until_reported().await?;
        by_timer = by_timer.max(begun.elapsed());
        let begun = Instant::now();
        driver.put(messages(0, round * 2 + 1..round * 2 + 2))?;
        driver.settle().await?;
        by_flush = by_flush.min(begun.elapsed());
    }
    // Less than that is the target's, not the timer's.
    let tells = by_timer >= Duration::from_millis(20);
    ensure(!tells || by_flush < by_timer * 9 / 10, HURRY, || {
        format!("with a flush a report takes {by_flush:?}, without one {by_timer:?}")
    })?;
    Ok(Verdict::Passed)
}

/// Told that a partition has too much uncommitted, the sink reports what was put of it, and the position behind that,
/// without waiting for more: nothing more comes until it has.
///
/// # Errors
/// The rule that was broken.
pub async fn too_much_uncommitted_ends_the_range<H: SinkHarness>(harness: &H) -> Check {
    let mut driver = Driver::start(harness, Books::default(), &[0, 1]).await?;
    driver.put([messages(0, 0..4), messages(1, 0..4)].concat())?;
    driver.put_position(0, 7)?;
    driver.flush_uncommitted(0)?;
    let patience = harness.capabilities().patience;
    while driver.offset(0) < 7 {
        let (more, offset) = (driver.step(patience).await?, driver.offset(0));
        ensure(more, UNCOMMITTED, || format!("{patience:?} later, of 7 only {offset} can be committed"))?;
    }
    Ok(Verdict::Passed)
}

/// The target shows the records of a partition in order of offset.
///
/// # Errors
/// The rule that was broken.
pub async fn order_within_a_partition_is_kept<H: SinkHarness>(harness: &H) -> Check {
    if !harness.capabilities().ordered {
        return Ok(Verdict::NotApplicable("the target has no order"));
    }
    let mut driver = deliver(harness, false).await?;
    driver.settle().await?;
    let found = harness.read_back().await;
    for partition in [0, 1] {
        let of_it = |found: &&Found| found.partition == partition;
        let offsets: Vec<i64> = found.iter().filter(of_it).map(|found| found.offset).collect();
        let kept = ensure(offsets.is_sorted(), "the order of a partition is kept", || {
            format!("partition {partition} reads {offsets:?}")
        });
        kept.map_err(|broken| broken.unless_declared("ordered"))?;
    }
    Ok(Verdict::Passed)
}

/// Closing without opening, twice, and with work in flight neither panics nor hangs.
///
/// # Errors
/// The rule that was broken.
pub async fn close_does_no_harm<H: SinkHarness>(harness: &H) -> Check {
    let patience = harness.capabilities().patience;
    let refused = |error: crate::Error| Broken::new("a harness builds its sink", format!("{error:?}"));
    let mut sink = harness.build().await.map_err(refused)?;
    for _ in 0..2 {
        let ended = timeout(patience, sink.close()).await;
        ensure(ended.is_ok(), CLOSES, || "without open it hangs".to_owned())?;
    }
    if harness.capabilities().faults {
        harness.fail_next(1, super::Fault::Busy(None)).await;
    }
    let mut driver = deliver(harness, false).await?;
    driver.flush()?;
    driver.close().await?;
    Ok(Verdict::Passed)
}
