//! Faults of the target, crashes, and what errors may say.

use super::{
    Fault, SinkHarness,
    driver::{Books, Driver, compare_all, messages},
};
use crate::{
    Class,
    testing::conformance::{
        Check, Verdict,
        report::{Broken, ensure},
    },
};
use std::time::Duration;

/// What a busy target asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A target that is busy is asked again, after the time that it names, and meanwhile the status says so; an answer
/// that is lost makes no record disappear.
///
/// # Errors
/// The rule that was broken.
pub async fn faults_are_retried<H: SinkHarness>(harness: &H) -> Check {
    const SAID: &str = "something transient failed and is tried again by the sink: Retrying says so";
    let capabilities = harness.capabilities();
    if !capabilities.faults {
        return Ok(Verdict::NotApplicable("the harness cannot make the target fail"));
    }
    let wait = capabilities.retry_after.then_some(RETRY_AFTER);
    harness.fail_next(1, Fault::Busy(wait)).await;
    let mut driver = Driver::start(harness, Books::default(), &[0, 1]).await?;
    driver.put(messages(0, 0..5))?;
    driver.settle().await?;
    let said = |error: &crate::Error| error.class() == Class::Retriable && error.retry_after() >= wait;
    let retrying = &driver.seen.retrying;
    ensure(retrying.iter().any(said), SAID, || {
        format!("the target was busy and the sink said {retrying:?}")
    })?;
    compare_all(&harness.read_back().await, &messages(0, 0..5), capabilities.verbatim, true)?;
    harness.fail_next(1, Fault::AnswerLost).await;
    driver.put(messages(1, 0..5))?;
    driver.settle().await?;
    let expected = [messages(0, 0..5), messages(1, 0..5)].concat();
    let once = capabilities.idempotent_by_offset;
    compare_all(&harness.read_back().await, &expected, capabilities.verbatim, once)?;
    Ok(Verdict::Passed)
}

/// An answer that speaks of fewer rows than were sent delivers these and no others: a row without an answer is sent again.
///
/// # Errors
/// The rule that was broken.
pub async fn rows_without_an_answer_are_not_delivered<H: SinkHarness>(harness: &H) -> Check {
    let capabilities = harness.capabilities();
    if !capabilities.answers_per_row {
        return Ok(Verdict::NotApplicable("the target does not answer per row"));
    }
    let mut driver = Driver::start(harness, Books::default(), &[0]).await?;
    driver.strict = true;
    for first in [0, 8] {
        harness.fail_next(1, Fault::HalfAnswered).await;
        driver.put(messages(0, first..first + 8))?;
        driver.settle().await?;
    }
    let once = capabilities.idempotent_by_offset;
    compare_all(&harness.read_back().await, &messages(0, 0..16), capabilities.verbatim, once)?;
    Ok(Verdict::Passed)
}

/// A crash after delivery and before the commit makes no duplicates.
///
/// # Errors
/// The rule that was broken.
pub async fn redelivery_does_not_duplicate<H: SinkHarness>(harness: &H) -> Check {
    let capabilities = harness.capabilities();
    if !capabilities.idempotent_by_offset {
        return Ok(Verdict::NotApplicable("the target cannot tell a record that comes again"));
    }
    let mut driver = Driver::start(harness, Books::default(), &[0]).await?;
    driver.never_commits = true;
    driver.put(messages(0, 0..6))?;
    driver.settle().await?;
    let books = driver.hard_stop();
    let mut driver = Driver::start(harness, books, &[0]).await?;
    driver.put(messages(0, 0..4))?;
    driver.put(messages(0, 4..9))?;
    driver.settle().await?;
    compare_all(&harness.read_back().await, &messages(0, 0..9), capabilities.verbatim, true)?;
    Ok(Verdict::Passed)
}

/// A sink that is dropped in the middle of its jobs loses nothing: a new one on the same target goes on from what was
/// reported. Stopped after each number of reports in turn.
///
/// # Errors
/// The rule that was broken.
pub async fn a_hard_stop_loses_nothing<H: SinkHarness>(harness: &H) -> Check {
    const STOPS: i32 = 6;
    let capabilities = harness.capabilities();
    let mut expected = Vec::new();
    for stop in 0..STOPS {
        let mut driver = Driver::start(harness, Books::default(), &[stop]).await?;
        for first in [0, 3, 6] {
            driver.put(messages(stop, first..first + 3))?;
        }
        driver.flush()?;
        for _ in 0..stop {
            driver.step(capabilities.patience / 10).await?;
        }
        let books = driver.hard_stop();
        let from = books.offset(stop);
        let mut driver = Driver::start(harness, books, &[stop]).await?;
        driver.put(messages(stop, from..10))?;
        driver.settle().await?;
        driver.hard_stop();
        expected.extend(messages(stop, 0..10));
        let once = capabilities.idempotent_by_offset;
        compare_all(&harness.read_back().await, &expected, capabilities.verbatim, once).map_err(
            |broken| Broken { seen: format!("stopped after {stop} reports, {}", broken.seen), ..broken },
        )?;
    }
    Ok(Verdict::Passed)
}

/// Secrets appear neither in `Debug` nor in errors.
///
/// # Errors
/// The rule that was broken.
pub async fn secrets_stay_secret<H: SinkHarness>(harness: &H) -> Check {
    let secrets = harness.secrets();
    if secrets.is_empty() {
        return Ok(Verdict::NotApplicable("the sink has no secrets"));
    }
    let mut texts = harness.exposed();
    if harness.capabilities().faults {
        harness.fail_next(1, Fault::Busy(None)).await;
    }
    let mut driver = Driver::start(harness, Books::default(), &[0]).await?;
    driver.put(messages(0, 0..3))?;
    driver.settle().await?;
    texts.append(&mut driver.seen.errors);
    let leak = texts.iter().find(|text| secrets.iter().any(|secret| text.contains(secret)));
    ensure(leak.is_none(), "secrets are never in Debug, errors or logs", || {
        // The text itself stays out of the report: it has the secret in it.
        format!("one of {} texts has a secret in it", texts.len())
    })?;
    Ok(Verdict::Passed)
}
