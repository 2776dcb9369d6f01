//! Giving partitions up, and getting them back.

use super::{
    Found, SinkHarness,
    driver::{Books, Driver, RELEASED, compare_all, messages},
};
use crate::{
    Delivery,
    testing::{
        Message,
        conformance::{
            Check, Verdict,
            report::{Broken, ensure},
        },
    },
};

/// A revoke is answered; after the answer nothing of the partition surfaces any more, neither in reports nor at the
/// target. What is lost is forgotten, and a partition that comes back starts afresh.
///
/// # Errors
/// The rule that was broken.
pub async fn revoked_partitions_leave_nothing_behind<H: SinkHarness>(harness: &H) -> Check {
    let capabilities = harness.capabilities();
    let mut driver = Driver::start(harness, Books::default(), &[0, 1, 2, 3]).await?;
    for partition in [0, 1, 2] {
        driver.put(messages(partition, 0..4))?;
    }
    // One that has work, and one that has none.
    driver.revoke(1).await?;
    driver.revoke(3).await?;
    let at_release = of(harness, 1).await;
    driver.lose(2);
    driver.put(messages(0, 4..6))?;
    driver.settle().await?;
    driver.until_quiet().await?;
    let later = of(harness, 1).await;
    ensure(later == at_release, RELEASED, || format!("partition 1 grew from {at_release:?} to {later:?}"))?;
    comes_back(harness, &mut driver).await?;
    let expected = [messages(0, 0..6), messages(1, 0..6), messages(2, 0..6)].concat();
    // What was lost may have been written and not reported.
    let once = capabilities.idempotent_by_offset;
    compare_all(&harness.read_back().await, &expected, capabilities.verbatim, once)?;
    Ok(Verdict::Passed)
}

/// Partitions that are lost, or revoked and released, take no bytes of the budget any more.
///
/// # Errors
/// The rule that was broken.
pub async fn what_is_lost_gives_its_bytes_back<H: SinkHarness>(harness: &H) -> Check {
    const BACK: &str = "these partitions are gone: drop all that belongs to them";
    let mut driver = Driver::start(harness, Books::default(), &[0, 1, 2]).await?;
    for partition in [0, 1, 2] {
        driver.put(messages(partition, 0..4))?;
    }
    driver.until_quiet().await?;
    driver.put([messages(0, 4..8), messages(1, 4..8), messages(2, 4..8)].concat())?;
    driver.revoke(0).await?;
    driver.lose(1);
    driver.lose(2);
    driver.until_quiet().await?;
    let held = driver.held();
    ensure(held == 0, BACK, || format!("{held} bytes are held of partitions that are gone"))?;
    Ok(Verdict::Passed)
}

/// A second writer that makes the same range with other records, such as a copy of the pipeline or one of a topic that was
/// created again, replaces nothing: it stops with an error, or writes beside.
///
/// # Errors
/// The rule that was broken.
pub async fn objects_are_never_overwritten<H: SinkHarness>(harness: &H) -> Check {
    const CREATE_ONLY: &str = "it completes its objects create-only";
    let mut first = Driver::start(harness, Books::default(), &[0]).await?;
    if first.delivery() == Delivery::Rows {
        return Ok(Verdict::NotApplicable("the sink makes no objects of ranges"));
    }
    first.put(messages(0, 0..4))?;
    first.settle().await?;
    let written = of(harness, 0).await;
    first.hard_stop();
    let mut second = Driver::start(harness, Books::default(), &[0]).await?;
    let other = |(partition, offset, message): (i32, i64, Message)| {
        let value = message.value.map(|value| [&value[..], b" "].concat());
        (partition, offset, Message { value: value.map(Into::into), ..message })
    };
    // Whether it is refused, and when, is the sink's business.
    if second.put(messages(0, 0..4).into_iter().map(other).collect()).is_ok() && second.flush().is_ok() {
        while matches!(second.step(harness.capabilities().patience / 10).await, Ok(true)) {}
    }
    second.hard_stop();
    let left = of(harness, 0).await;
    let missing = written.iter().find(|found| !left.contains(found));
    ensure(missing.is_none(), CREATE_ONLY, || format!("a second writer replaced {missing:?}"))?;
    Ok(Verdict::Passed)
}

async fn comes_back<H: SinkHarness>(harness: &H, driver: &mut Driver<'_, H>) -> Result<(), Broken> {
    driver.assign(&[1, 2])?;
    for partition in [1, 2] {
        driver.put(messages(partition, driver.offset(partition)..6))?;
    }
    driver.settle().await?;
    let found = of(harness, 2).await;
    ensure(found.iter().any(|found| found.offset == 5), "a partition that comes back is served again", || {
        format!("partition 2 has {found:?}")
    })
}

async fn of<H: SinkHarness>(harness: &H, partition: i32) -> Vec<Found> {
    let mut found = harness.read_back().await;
    found.retain(|found| found.partition == partition);
    found.sort();
    found
}
