//! Faults at every boundary of a pipeline: nothing is lost, little is repeated, the books reconcile.
//!
//! Takes the same harness as the [suite for sinks](super::sink): the sink is run behind a
//! [`MemoryLog`](crate::testing::MemoryLog), a transform and a dead letter queue, and each boundary in turn fails by
//! an error, by a panic and by a hard stop, after some successes.

mod run;

use super::{
    Check, Report, Verdict,
    sink::{Fault, SinkHarness},
};
use crate::{
    Class,
    testing::{Faults, How, Point},
};
use run::Scenario;

/// The boundaries, and how often each is passed before it fails.
const BOUNDARIES: [(Point, [usize; 3]); 12] = [
    (Point::SourceOpen, [0, 0, 0]),
    (Point::Next, [0, 2, 9]),
    (Point::Commit, [0, 1, 2]),
    (Point::Transform, [0, 5, 40]),
    (Point::SinkOpen, [0, 0, 0]),
    (Point::Assigned, [0, 0, 0]),
    (Point::Put, [0, 2, 7]),
    (Point::Done, [0, 1, 4]),
    (Point::Timer, [0, 0, 1]),
    (Point::Noted, [0, 1, 2]),
    (Point::Flush, [0, 0, 1]),
    (Point::Letters, [0, 2, 5]),
];

const HOWS: [How; 4] = [How::Error(Class::Retriable), How::Error(Class::Fatal), How::Panic, How::HardStop];

/// Runs every fault on a harness of its own, and then the target's own faults, if the harness can make them. Waits on
/// tokio's clock: for a sink without I/O pause it.
///
/// A fault at a boundary that this sink never comes to ([`Point::Noted`] for a sink without notes) is reported as not
/// applicable.
///
/// # Cancel safety
/// Safe to drop; the pipeline that runs stops in the background.
pub async fn run_all<H: SinkHarness>(make: impl Fn() -> H + Send + Sync) -> Report {
    let mut report = Report::default();
    for (point, successes) in BOUNDARIES {
        for how in HOWS {
            let mut successes = successes.to_vec();
            successes.dedup();
            for after in successes {
                let name = format!("{how:?} at {point:?} after {after}");
                report.run(&name, fault_at_a_boundary(&make(), point, after, how)).await;
            }
        }
    }
    report.run("the target is busy", the_target_fails(&make(), Fault::Busy(None))).await;
    report.run("the target's answer is lost", the_target_fails(&make(), Fault::AnswerLost)).await;
    report
}

/// One fault at one boundary.
///
/// # Errors
/// The rule that was broken.
pub async fn fault_at_a_boundary<H: SinkHarness>(harness: &H, point: Point, after: usize, how: How) -> Check {
    // A commit and a release cannot return errors.
    if point == Point::Commit && matches!(how, How::Error(_)) {
        return Ok(Verdict::NotApplicable("commit returns no error"));
    }
    let faults = Faults::after(point, after, how);
    Scenario::new(harness, faults.clone()).run().await?;
    if faults.fired().is_empty() {
        return Ok(Verdict::NotApplicable("the pipeline never came to this boundary so often"));
    }
    Ok(Verdict::Passed)
}

/// The target fails three requests in a row.
///
/// # Errors
/// The rule that was broken.
pub async fn the_target_fails<H: SinkHarness>(harness: &H, how: Fault) -> Check {
    if !harness.capabilities().faults {
        return Ok(Verdict::NotApplicable("the harness cannot make the target fail"));
    }
    harness.fail_next(3, how).await;
    Scenario::new(harness, Faults::none()).run().await?;
    Ok(Verdict::Passed)
}

#[cfg(test)]
mod tests;
