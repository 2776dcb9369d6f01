//! Records of every shape.

use super::{
    EmptyValues, SinkHarness, Tombstones,
    driver::{Books, Driver, compare_all, message, messages},
};
use crate::testing::{
    Message,
    conformance::{
        Check, Verdict,
        report::{Broken, ensure},
    },
};

/// Lengths around which buffers are cut.
const LENGTHS: [usize; 12] = [99, 100, 101, 128, 255, 256, 1_000, 4_096, 8_193, 65_535, 65_537, 200_000];

/// Puts these records into partition 0, settles, and compares what is found and what was rejected.
async fn round<H: SinkHarness>(
    harness: &H,
    put: Vec<(i32, i64, Message)>,
    stored: &[i64],
    rejected: &[i64],
) -> Result<(), Broken> {
    let mut driver = Driver::start(harness, Books::default(), &[0]).await?;
    let mut expected = put.clone();
    expected.retain(|(_, offset, _)| stored.contains(offset));
    driver.put(put)?;
    driver.settle().await?;
    let poison: Vec<i64> = driver.seen.rejected.iter().map(|(_, offset)| *offset).collect();
    ensure(poison == rejected, "poison is a verdict about a row, and about no other", || {
        format!("offsets {poison:?} were rejected instead of {rejected:?}")
    })?;
    compare_all(&harness.read_back().await, &expected, harness.capabilities().verbatim, true)
}

/// A batch without records only moves the position; a value of zero bytes is a value.
///
/// # Errors
/// The rule that was broken.
pub async fn empty_batches_and_values_are_legal<H: SinkHarness>(harness: &H) -> Check {
    let mut driver = Driver::start(harness, Books::default(), &[1]).await?;
    driver.put_position(1, 5)?;
    driver.settle().await?;
    driver.until_quiet().await?;
    driver.hard_stop();
    let empty = vec![(0, 0, message(0, 0)), (0, 1, Message::new("").key("empty")), (0, 2, message(0, 2))];
    let (stored, rejected): (&[i64], &[i64]) = match harness.capabilities().empty_values {
        EmptyValues::Stored => (&[0, 1, 2], &[]),
        EmptyValues::Rejected => (&[0, 2], &[1]),
    };
    let compared = round(harness, empty, stored, rejected).await;
    compared.map_err(|broken| broken.unless_declared("empty_values"))?;
    Ok(Verdict::Passed)
}

/// A record without value is stored, deletes, is ignored or is poison, as declared.
///
/// # Errors
/// The rule that was broken.
pub async fn tombstones_follow_the_policy<H: SinkHarness>(harness: &H) -> Check {
    let put = vec![(0, 0, message(0, 0)), (0, 1, Message::tombstone("key-0-0")), (0, 2, message(0, 2))];
    let (stored, rejected): (&[i64], &[i64]) = match harness.capabilities().tombstones {
        Tombstones::Stored => (&[0, 1, 2], &[]),
        Tombstones::Delete => (&[2], &[]),
        Tombstones::Ignored => (&[0, 2], &[]),
        Tombstones::Rejected => (&[0, 2], &[1]),
    };
    let compared = round(harness, put, stored, rejected).await;
    compared.map_err(|broken| broken.unless_declared("tombstones"))?;
    Ok(Verdict::Passed)
}

/// Keys and headers that are not UTF-8, a null key, and headers of one name do no harm.
///
/// # Errors
/// The rule that was broken.
pub async fn bytes_need_not_be_text<H: SinkHarness>(harness: &H) -> Check {
    let mut binary = message(0, 0).key(vec![0xff, 0xfe, 0]).header("same", vec![0x80]).header("same", "two");
    binary.headers.push(("null".to_owned(), None));
    let keyless = Message { key: None, ..message(0, 1) };
    round(harness, vec![(0, 0, binary), (0, 1, keyless), (0, 2, message(0, 2))], &[0, 1, 2], &[]).await?;
    Ok(Verdict::Passed)
}

/// Values of any length below the limit arrive whole.
///
/// # Errors
/// The rule that was broken.
pub async fn values_arrive_whole<H: SinkHarness>(harness: &H) -> Check {
    let limit = harness.capabilities().max_record_bytes.unwrap_or(usize::MAX);
    let lengths = LENGTHS.into_iter().filter(|&length| length <= limit);
    let put: Vec<_> = (0..).zip(lengths).map(|(offset, length)| sized(offset, length)).collect();
    let stored: Vec<i64> = put.iter().map(|(_, offset, _)| *offset).collect();
    round(harness, put, &stored, &[]).await?;
    Ok(Verdict::Passed)
}

/// A record above the limit is poison; one at the limit and its neighbours are delivered.
///
/// # Errors
/// The rule that was broken.
pub async fn large_records_are_poison<H: SinkHarness>(harness: &H) -> Check {
    let Some(limit) = harness.capabilities().max_record_bytes else {
        return Ok(Verdict::NotApplicable("the sink has no limit for a record"));
    };
    let mut put = messages(0, 0..1);
    put.extend([sized(1, limit), sized(2, limit + 1)]);
    put.extend(messages(0, 3..4));
    round(harness, put, &[0, 1, 3], &[2]).await?;
    Ok(Verdict::Passed)
}

/// A record whose value has so many bytes, or the few more that it takes to name its origin.
fn sized(offset: i64, bytes: usize) -> (i32, i64, Message) {
    let head = format!(r#"{{"partition":0,"offset":{offset},"text":""#);
    let filler = "x".repeat(bytes.saturating_sub(head.len() + 2));
    (0, offset, Message::new(format!("{head}{filler}\"}}")).key("large"))
}
