//! The checks.

use super::{
    SourceHarness,
    reader::{ROOM, Reader, failed},
};
use crate::{
    Commit, PartitionId, Source,
    testing::conformance::{
        Check, Verdict,
        report::{Broken, ensure},
    },
};
use bytes::Bytes;
use futures_util::FutureExt;
use std::time::Duration;

pub(super) const ANSWERED: &str = "commits are answered in order by Committed";
const DURABLE: &str = "a commit is durable when it was answered by Ok";

/// Lengths around which buffers are cut.
const LENGTHS: [usize; 14] =
    [1, 99, 100, 101, 127, 128, 255, 256, 1_000, 4_096, 8_193, 65_535, 65_537, 200_000];
/// Times after which a call is dropped.
const DROPPED_AFTER_MS: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 34];

pub(super) fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("value {n}")).collect()
}

pub(super) fn same(read: &[String], expected: &[String]) -> Result<(), Broken> {
    ensure(read == expected, "each record is yielded once, in order", || format!("it read {read:?}"))
}

/// Commits `offset` for the partition that was read, and waits for the answer.
async fn commit<H: SourceHarness>(
    reader: &mut Reader<'_, H>,
    offset: i64,
    note: Option<&'static [u8]>,
) -> Result<(), Broken> {
    let id = reader.read_from().map(|(id, _)| id);
    let id = id.ok_or_else(|| Broken::new("a source yields all that is appended", "nothing was read"))?;
    let commit = Commit { id, offset, note: note.map(Bytes::from_static) };
    let answers = reader.committed.len();
    reader.source.commit(vec![commit.clone()]);
    reader.until(ANSWERED, |reader| reader.committed.len() > answers).await?;
    let answer = &reader.committed[answers];
    ensure(*answer == (vec![commit], true), ANSWERED, || format!("the answer was {answer:?}"))
}

/// All records appended are yielded once and in order, those appended later too.
///
/// # Errors
/// The rule that was broken.
pub async fn records_come_once_and_in_order<H: SourceHarness>(harness: &H) -> Check {
    harness.append(&values(0..20)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_read(20).await?;
    harness.append(&values(20..30)).await;
    reader.until_read(30).await?;
    reader.until_quiet(ROOM).await?;
    same(&reader.values, &values(0..30))?;
    reader.source.close().await.map_err(|error| failed(&error))?;
    Ok(Verdict::Passed)
}

/// Values of any length are yielded whole.
///
/// # Errors
/// The rule that was broken.
pub async fn values_come_whole<H: SourceHarness>(harness: &H) -> Check {
    let long: Vec<String> = LENGTHS
        .iter()
        .map(|&length| "0123456789abcdef".repeat(length / 16 + 1)[..length].to_owned())
        .collect();
    harness.append(&long).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_read(long.len()).await?;
    for (read, appended) in reader.values.iter().zip(&long) {
        ensure(read == appended, "a source yields values as they are", || {
            format!("{} bytes came of a value of {}", read.len(), appended.len())
        })?;
    }
    Ok(Verdict::Passed)
}

/// `next` that is dropped at any moment loses nothing: at its first poll, and after waits of many lengths, so that a
/// source which takes a record between two waits is caught as well.
///
/// # Errors
/// The rule that was broken.
pub async fn a_dropped_call_loses_nothing<H: SourceHarness>(harness: &H) -> Check {
    let mut reader = Reader::open(harness).await?;
    for round in 0..10 {
        harness.append(&values(round * 3..round * 3 + 3)).await;
        for wait in DROPPED_AFTER_MS {
            if let Some(event) = reader.source.next(ROOM).now_or_never() {
                reader.hear(event.map_err(|error| failed(&error))?)?;
            }
            tokio::task::yield_now().await;
            reader.step(ROOM, Duration::from_millis(wait)).await?;
        }
    }
    reader.until_read(30).await?;
    same(&reader.values, &values(0..30))?;
    Ok(Verdict::Passed)
}

/// Without room no records are yielded, while events still are.
///
/// # Errors
/// The rule that was broken.
pub async fn without_room_nothing_is_read<H: SourceHarness>(harness: &H) -> Check {
    harness.append(&values(0..5)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_quiet(0).await?;
    ensure(reader.values.is_empty(), "at zero a source returns no records", || {
        format!("{:?}", reader.values)
    })?;
    let assigned = reader.parts.len();
    ensure(assigned > 0, "at zero a source goes on serving events", || "nothing was assigned".to_owned())?;
    reader.until_read(5).await?;
    Ok(Verdict::Passed)
}

/// A commit is answered by `Ok`, and the next source starts there.
///
/// # Errors
/// The rule that was broken.
pub async fn a_commit_survives_and_is_answered<H: SourceHarness>(harness: &H) -> Check {
    harness.append(&values(0..6)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_read(6).await?;
    let end = reader.read_from().map_or(0, |(_, next)| next);
    commit(&mut reader, end, None).await?;
    harness.append(&values(6..8)).await;
    reader.source.close().await.map_err(|error| failed(&error))?;
    drop(reader);
    let mut reader = Reader::open(harness).await?;
    reader.until_read(2).await?;
    ensure(reader.values == values(6..8), DURABLE, || format!("the next one read {:?}", reader.values))?;
    Ok(Verdict::Passed)
}

/// A note comes back with the offset, and a commit without one erases it.
///
/// # Errors
/// The rule that was broken.
pub async fn notes_come_back_until_they_are_erased<H: SourceHarness>(harness: &H) -> Check {
    if !harness.capabilities().notes {
        return Ok(Verdict::NotApplicable("the source does not store notes"));
    }
    harness.append(&values(0..3)).await;
    for (write, expected) in [(Some(&b"note"[..]), None), (None, Some(&b"note"[..])), (None, None)] {
        let mut reader = Reader::open(harness).await?;
        reader.until_read(3).await?;
        let (id, _) = reader.read_from().unwrap_or((PartitionId::new(0, 0), 0));
        let (first, found) = reader.parts.get(&id).map_or((0, None), |(it, _)| (it.offset, it.note.clone()));
        ensure(found.as_deref() == expected, "a commit without a note erases the one that stands", || {
            format!("{found:?} stood instead of {expected:?}")
        })?;
        commit(&mut reader, first, write).await?;
        reader.source.close().await.map_err(|error| failed(&error))?;
    }
    Ok(Verdict::Passed)
}

/// What was read and not committed is read again after a crash.
///
/// # Errors
/// The rule that was broken.
pub async fn a_crash_repeats_what_was_not_committed<H: SourceHarness>(harness: &H) -> Check {
    harness.append(&values(0..4)).await;
    for _ in 0..2 {
        let mut reader = Reader::open(harness).await?;
        reader.until_read(4).await?;
        ensure(reader.values == values(0..4), "a source never moves a position by itself", || {
            format!("it read {:?}", reader.values)
        })?;
    }
    Ok(Verdict::Passed)
}

/// A commit for an assignment that has ended, or never was, moves nothing.
///
/// # Errors
/// The rule that was broken.
pub async fn a_dead_assignment_cannot_commit<H: SourceHarness>(harness: &H) -> Check {
    harness.append(&values(0..4)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_read(4).await?;
    let (id, _) = reader.read_from().unwrap_or((PartitionId::new(0, 0), 0));
    let slot = u32::try_from(id.slot()).unwrap_or(0);
    reader.source.commit(vec![Commit { id: PartitionId::new(slot, u32::MAX), offset: 4, note: None }]);
    reader.until_quiet(ROOM).await?;
    reader.source.close().await.map_err(|error| failed(&error))?;
    drop(reader);
    let mut reader = Reader::open(harness).await?;
    reader.until_read(4).await?;
    same(&reader.values, &values(0..4))?;
    Ok(Verdict::Passed)
}

/// A held partition yields nothing until it is let go, and then everything.
///
/// # Errors
/// The rule that was broken.
pub async fn held_partitions_are_silent<H: SourceHarness>(harness: &H) -> Check {
    harness.append(&values(0..2)).await;
    let mut reader = Reader::open(harness).await?;
    reader.until_read(2).await?;
    let ids: Vec<PartitionId> = reader.parts.keys().copied().collect();
    reader.source.hold(&ids, true);
    reader.until_quiet(ROOM).await?;
    harness.append(&values(2..6)).await;
    reader.until_quiet(ROOM).await?;
    ensure(reader.values.len() == 2, "hold stops reading single partitions", || {
        format!("{:?}", reader.values)
    })?;
    reader.source.hold(&ids, false);
    reader.until_read(6).await?;
    same(&reader.values, &values(0..6))?;
    Ok(Verdict::Passed)
}
