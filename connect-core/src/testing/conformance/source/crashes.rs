//! Crashes and faults at every boundary.

use super::{
    SourceHarness,
    checks::{ANSWERED, same, values},
    reader::{ROOM, Reader, failed},
};
use crate::{
    Class, Commit, Source,
    testing::conformance::{
        Check, Verdict,
        report::{Broken, ensure},
    },
};
use std::ops::RangeInclusive;
use tokio::time::{Instant, timeout};

/// Lives of a source that ends without `close`; each hears one event more than the one before.
const LIVES: usize = 8;
const EACH: usize = 3;

/// A source that is dropped after each number of events, with a commit that was answered, one that was not, or none, loses
/// nothing: the next one starts where the last answered commit says, or where a later one says that was on its way.
///
/// # Errors
/// The rule that was broken.
pub async fn a_crash_at_any_event_loses_nothing<H: SourceHarness>(harness: &H) -> Check {
    // Which value may come first.
    let mut first = 0..=0;
    for life in 0..LIVES {
        harness.append(&values(life * EACH..(life + 1) * EACH)).await;
        let mut reader = Reader::open(harness).await?;
        for _ in 0..=life {
            reader.news(ROOM).await?;
        }
        first = match life % 3 {
            0 => commit(&mut reader, first, true).await?,
            1 => commit(&mut reader, first, false).await?,
            _ => {
                run_from(&reader.values, &first)?;
                first
            }
        };
    }
    let all = (LIVES + 1) * EACH;
    harness.append(&values(LIVES * EACH..all)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until(READ, |reader| reader.values.last() == values(0..all).last()).await?;
    run_from(&reader.values, &first)?;
    Ok(Verdict::Passed)
}

const READ: &str = "a source yields all that is appended";
const START: &str =
    "a source starts at the last commit that was answered by Ok, or at a later one that was sent";

/// The index of the first value that was read, which has to be in `allowed`, and of the one behind the last.
fn run_from(read: &[String], allowed: &RangeInclusive<usize>) -> Result<(usize, usize), Broken> {
    let index = |value: &String| value.strip_prefix("value ").and_then(|number| number.parse().ok());
    let Some(from) = read.first().and_then(index) else { return Ok((*allowed.start(), *allowed.start())) };
    ensure(allowed.contains(&from), START, || format!("it began at value {from}, allowed is {allowed:?}"))?;
    same(read, &values(from..from + read.len()))?;
    Ok((from, from + read.len()))
}

/// Commits what was read, and tells with which value the next source may start.
async fn commit<H: SourceHarness>(
    reader: &mut Reader<'_, H>,
    allowed: RangeInclusive<usize>,
    waits: bool,
) -> Result<RangeInclusive<usize>, Broken> {
    let (from, next) = run_from(&reader.values, &allowed)?;
    let Some((id, offset)) = reader.read_from().filter(|_| next > from) else { return Ok(allowed) };
    let answers = reader.committed.len();
    reader.source.commit(vec![Commit { id, offset, note: None }]);
    if !waits {
        return Ok(*allowed.start().min(&from)..=next);
    }
    reader.until(ANSWERED, |reader| reader.committed.len() > answers).await?;
    // What was read meanwhile lies behind the commit.
    run_from(&reader.values, &allowed)?;
    Ok(next..=next)
}

/// While the store fails the source waits for it, or says that it is a fault that passes and is started again; no
/// record is lost, and none comes twice within one life.
///
/// # Errors
/// The rule that was broken.
pub async fn a_store_that_fails_for_a_while_loses_nothing<H: SourceHarness>(harness: &H) -> Check {
    const PASSES: &str = "a fault of the store that passes is sat out, or is a retriable error";
    if !harness.capabilities().faults {
        return Ok(Verdict::NotApplicable("the harness cannot make the store fail"));
    }
    harness.append(&values(0..5)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_read(5).await?;
    let end = reader.read_from().map_or(0, |(_, next)| next);
    let (id, _) = reader.read_from().ok_or_else(|| Broken::new(READ, "nothing was read"))?;
    harness.fail_next(3).await;
    reader.source.commit(vec![Commit { id, offset: end, note: None }]);
    harness.append(&values(5..10)).await;
    let patience = reader.patience();
    let deadline = Instant::now() + patience * 5;
    let mut restarted = false;
    while reader.values.last() != values(0..10).last() {
        ensure(Instant::now() < deadline, READ, || format!("it read {:?}", reader.values))?;
        match timeout(patience / 10, reader.source.next(ROOM)).await {
            Err(_) => {}
            Ok(Ok(event)) => drop(reader.hear(event)?),
            Ok(Err(error)) => {
                ensure(error.class() == Class::Retriable, PASSES, || format!("it returned {error:?}"))?;
                restarted = true;
                drop(reader);
                reader = reopened(harness, deadline).await?;
            }
        }
    }
    let from = if restarted { 0..=10 } else { 0..=0 };
    run_from(&reader.values, &from)?;
    Ok(Verdict::Passed)
}

/// A new source, as soon as the store lets it open.
async fn reopened<H: SourceHarness>(harness: &H, deadline: Instant) -> Result<Reader<'_, H>, Broken> {
    loop {
        let mut source = harness.build().await.map_err(|error| failed(&error))?;
        match source.open().await {
            Ok(()) => return Ok(Reader::new(harness, source)),
            Err(error) if error.class() == Class::Retriable && Instant::now() < deadline => {
                tokio::time::sleep(harness.capabilities().patience / 100).await;
            }
            Err(error) => return Err(failed(&error)),
        }
    }
}
