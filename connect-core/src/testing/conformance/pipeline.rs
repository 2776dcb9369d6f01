//! Faults at every boundary of a pipeline: nothing is lost, little is repeated, the books reconcile.
//!
//! Takes the same harness as the [suite for sinks](super::sink): the sink is run behind a
//! [`MemoryLog`](crate::testing::MemoryLog), a transform and a dead letter queue, and each boundary in turn fails by
//! an error, by a panic, by a hard stop and by a crash, after some successes. Boundaries are the methods of source,
//! transform, sink and dead letter queue, and three places within each job of the sink: before it begins, where it first
//! waits, and after it has ended. In the middle of every run another member of the group takes a partition and gives it
//! back.

mod read;
mod run;

use super::{
    Check, Report, Verdict,
    sink::{Fault, SinkHarness},
};
use crate::{
    Class,
    testing::{Faults, How, Point},
};
use futures_util::{StreamExt, stream};
use run::Scenario;

/// Checks that run side by side, each on a target of its own.
const AT_ONCE: usize = 8;

/// The boundaries, and how often each is passed before it fails.
const BOUNDARIES: [(Point, [usize; 3]); 18] = [
    (Point::SourceOpen, [0, 0, 0]),
    (Point::Next, [0, 2, 9]),
    (Point::Commit, [0, 1, 2]),
    (Point::Release, [0, 0, 0]),
    (Point::Transform, [0, 5, 40]),
    (Point::SinkOpen, [0, 0, 0]),
    (Point::Assigned, [0, 0, 0]),
    (Point::Put, [0, 2, 7]),
    (Point::Job, [0, 1, 4]),
    (Point::Waiting, [0, 1, 4]),
    (Point::Written, [0, 1, 4]),
    (Point::Done, [0, 1, 4]),
    (Point::Timer, [0, 0, 1]),
    (Point::Noted, [0, 1, 2]),
    (Point::Flush, [0, 0, 1]),
    (Point::Revoke, [0, 0, 1]),
    (Point::Close, [0, 0, 0]),
    (Point::Letters, [0, 2, 5]),
];

const HOWS: [How; 5] =
    [How::Error(Class::Retriable), How::Error(Class::Fatal), How::Panic, How::HardStop, How::Crash];

/// How the target fails in the middle of a run.
const TARGETS: [(&str, Fault); 2] =
    [("the target is busy", Fault::Busy(None)), ("the target's answer is lost", Fault::AnswerLost)];

/// Runs every fault on a harness of its own, and then the target's own faults, if the harness can make them. Waits on
/// tokio's clock: for a sink without I/O pause it.
///
/// A fault at a boundary that this sink never comes to ([`Point::Noted`] for a sink without notes) is reported as not
/// applicable.
///
/// # Cancel safety
/// Safe to drop; the pipeline that runs stops in the background.
pub async fn run_all<H: SinkHarness>(make: impl Fn() -> H + Send + Sync) -> Report {
    run(&make, |_, successes| {
        let mut successes = successes.to_vec();
        successes.dedup();
        successes
    })
    .await
}

/// As [`run_all`], but each boundary fails in each way after one number of successes, and not after three: a third of the
/// time, for sinks whose targets take some. The numbers change with the way.
///
/// # Cancel safety
/// Safe to drop; the pipeline that runs stops in the background.
pub async fn run_some<H: SinkHarness>(make: impl Fn() -> H + Send + Sync) -> Report {
    run(&make, |number, successes| vec![successes[number % successes.len()]]).await
}

async fn run<H: SinkHarness>(
    make: &(impl Fn() -> H + Send + Sync),
    choose: impl Fn(usize, [usize; 3]) -> Vec<usize> + Send + Sync,
) -> Report {
    let mut faults = Vec::new();
    for (row, (point, successes)) in BOUNDARIES.into_iter().enumerate() {
        for (column, how) in HOWS.into_iter().enumerate() {
            faults.extend(choose(row + column, successes).into_iter().map(|after| (point, how, after)));
        }
    }
    // Most of the time goes into waiting.
    let reports = stream::iter(faults).map(|(point, how, after)| async move {
        let mut report = Report::default();
        let name = format!("{how:?} at {point:?} after {after}");
        report.run(&name, fault_at_a_boundary(&make(), point, after, how)).await;
        report
    });
    let mut report = reports.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().sum::<Report>();
    for (name, how) in TARGETS {
        report.run(name, the_target_fails(&make(), how)).await;
    }
    report
}

/// One fault at one boundary.
///
/// # Errors
/// The rule that was broken.
pub async fn fault_at_a_boundary<H: SinkHarness>(harness: &H, point: Point, after: usize, how: How) -> Check {
    // A commit and a release cannot return errors, and what a job returns only its sink understands: the errors of its
    // target are the harness's business.
    let silent =
        matches!(point, Point::Commit | Point::Release | Point::Job | Point::Waiting | Point::Written);
    if silent && matches!(how, How::Error(_)) {
        return Ok(Verdict::NotApplicable("nothing returns an error there"));
    }
    let faults = Faults::after(point, after, how);
    Scenario::new(harness, faults.clone()).run().await?;
    if faults.fired().is_empty() {
        return Ok(Verdict::NotApplicable("the pipeline never came to this boundary so often"));
    }
    Ok(Verdict::Passed)
}

/// The target fails three requests in a row in the middle of a run.
///
/// # Errors
/// The rule that was broken.
pub async fn the_target_fails<H: SinkHarness>(harness: &H, how: Fault) -> Check {
    if !harness.capabilities().faults {
        return Ok(Verdict::NotApplicable("the harness cannot make the target fail"));
    }
    Scenario::new(harness, Faults::none()).with_failing_target(how).run().await?;
    Ok(Verdict::Passed)
}

#[cfg(test)]
mod tests;
