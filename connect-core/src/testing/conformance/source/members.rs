//! Several members of a group.

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
use tokio::time::Instant;

const SHARED: &str = "partitions are given up in good order: Revoked, the last commit, release";
const BACK: &str = "a partition that comes back is read, whatever was held before";
const ALONE: &str = "the source does not share partitions";
/// Longer than sources wait for a release before they say `Lost`, in patiences.
const LOST_WITHIN: u32 = 5;

/// A second member gets partitions, after the first has released them; a commit before the release is seen.
///
/// # Errors
/// The rule that was broken.
pub async fn a_second_member_gets_its_share<H: SourceHarness>(harness: &H) -> Check {
    if !harness.capabilities().groups {
        return Ok(Verdict::NotApplicable(ALONE));
    }
    let mut first = Reader::open(harness).await?;
    first.until(SHARED, |reader| reader.parts.len() >= 2).await?;
    let mut second = Reader::open(harness).await?;
    let deadline = Instant::now() + harness.capabilities().patience;
    // An eager group takes everything away from the first member before either gets its share.
    while (second.parts.is_empty() || first.parts.is_empty()) && Instant::now() < deadline {
        both(&mut first, &mut second).await?;
        let revoked = std::mem::take(&mut first.revoked);
        for id in &revoked {
            let Some((_, next)) = first.parts.get(id) else { continue };
            let note = Some(Bytes::from_static(b"moved"));
            first.source.commit(vec![Commit { id: *id, offset: *next, note }]);
        }
        release(&mut first, &revoked);
    }
    let shared = !second.parts.is_empty() && !first.parts.is_empty();
    ensure(shared, SHARED, || format!("{} and {} partitions", first.parts.len(), second.parts.len()))?;
    let seen = second.parts.values().all(|(it, _)| it.note.as_deref() == Some(b"moved"));
    ensure(seen || !harness.capabilities().notes, "the newcomer sees the last commit", || {
        format!("it was assigned {:?}", second.parts.values().map(|(it, _)| it).collect::<Vec<_>>())
    })?;
    Ok(Verdict::Passed)
}

/// A partition that was held, released to another member and comes back is read: holds end with their assignment.
///
/// # Errors
/// The rule that was broken.
pub async fn a_held_partition_that_was_released_is_read_when_it_comes_back<H: SourceHarness>(
    harness: &H,
) -> Check {
    comes_back(harness, true).await
}

/// A partition that was held, taken away because it was not released in time, and comes back is read.
///
/// # Errors
/// The rule that was broken.
pub async fn a_held_partition_that_was_lost_is_read_when_it_comes_back<H: SourceHarness>(
    harness: &H,
) -> Check {
    comes_back(harness, false).await
}

async fn comes_back<H: SourceHarness>(harness: &H, releases: bool) -> Check {
    if !harness.capabilities().groups {
        return Ok(Verdict::NotApplicable(ALONE));
    }
    let mut first = Reader::open(harness).await?;
    first.until(SHARED, |reader| reader.parts.len() >= 2).await?;
    let all: Vec<PartitionId> = first.parts.keys().copied().collect();
    first.source.hold(&all, true);
    let mut second = Reader::open(harness).await?;
    let deadline = Instant::now() + harness.capabilities().patience * LOST_WITHIN;
    while second.parts.is_empty() && Instant::now() < deadline {
        both(&mut first, &mut second).await?;
        if releases {
            let revoked = std::mem::take(&mut first.revoked);
            release(&mut first, &revoked);
        }
    }
    ensure(!second.parts.is_empty(), SHARED, || "the second member got no partition".to_owned())?;
    second.source.close().await.map_err(|error| failed(&error))?;
    drop(second);
    let new = |reader: &Reader<'_, H>| reader.parts.keys().filter(|id| !all.contains(id)).count();
    while Instant::now() < deadline && (new(&first) == 0 || first.parts.len() < all.len()) {
        first.step(ROOM, first.patience() / 10).await?;
        let revoked = std::mem::take(&mut first.revoked);
        release(&mut first, &revoked);
    }
    ensure(new(&first) > 0, SHARED, || "nothing came back from the member that left".to_owned())?;
    harness.append_to_each("back").await;
    let read = |reader: &Reader<'_, H>| {
        let mut back = reader.parts.iter().filter(|(id, _)| !all.contains(id));
        back.all(|(_, (assigned, next))| *next > assigned.offset)
    };
    first.until(BACK, read).await?;
    Ok(Verdict::Passed)
}

/// Serves both: a group moves on only with all its members.
async fn both<H: SourceHarness>(first: &mut Reader<'_, H>, second: &mut Reader<'_, H>) -> Result<(), Broken> {
    let wait = first.patience() / 100;
    first.step(ROOM, wait).await?;
    second.step(ROOM, wait).await?;
    Ok(())
}

/// Gives up what was revoked.
fn release<H: SourceHarness>(reader: &mut Reader<'_, H>, ids: &[PartitionId]) {
    if !ids.is_empty() {
        reader.source.release(ids);
        ids.iter().for_each(|id| drop(reader.parts.remove(id)));
    }
}
