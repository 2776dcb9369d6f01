//! Giving partitions up, and getting them back.

use super::{
    Found, SinkHarness,
    driver::{Books, Driver, RELEASED, compare_all, messages},
};
use crate::testing::conformance::{
    Check, Verdict,
    report::{Broken, ensure},
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
