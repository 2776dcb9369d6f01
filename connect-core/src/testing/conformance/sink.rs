//! The suite for sinks.
//!
//! ```
//! use connect_core::{Error, testing::conformance::sink::{self, Capabilities, Fault, Found, SinkHarness}};
//! use connect_core::testing::{Recording, RecordingSink};
//!
//! struct Harness(Recording);
//!
//! #[async_trait::async_trait]
//! impl SinkHarness for Harness {
//!     type Sink = RecordingSink;
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities::default() // what a plain sink does; say where yours differs
//!     }
//!     async fn build(&self) -> Result<RecordingSink, Error> {
//!         Ok(self.0.sink()) // a fresh sink on the same target
//!     }
//!     async fn read_back(&self) -> Vec<Found> {
//!         self.0.rows().iter().map(|row| Found::new(row.partition, row.offset, row.message.value.clone())).collect()
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?.block_on(async {
//! sink::run_all(|| Harness(Recording::new())).await.assert_passed();
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod basics;
mod driver;
mod failure;
mod handover;
mod harness;
mod records;
mod wrapper;

use super::Report;
pub use basics::{
    a_flush_does_not_wait_for_the_timer, close_does_no_harm, each_record_is_reported_once,
    everything_is_readable_after_a_flush, nothing_is_reported_early, order_within_a_partition_is_kept,
    quiet_sinks_report_by_themselves, too_much_uncommitted_ends_the_range,
};
pub use failure::{
    a_hard_stop_loses_nothing, faults_are_retried, redelivery_does_not_duplicate,
    rows_without_an_answer_are_not_delivered, secrets_stay_secret,
};
pub use handover::{
    objects_are_never_overwritten, revoked_partitions_leave_nothing_behind, what_is_lost_gives_its_bytes_back,
};
pub use harness::{Capabilities, EmptyValues, Fault, Found, SinkHarness, Tombstones};
pub use records::{
    bytes_need_not_be_text, empty_batches_and_values_are_legal, large_records_are_poison,
    tombstones_follow_the_policy, values_arrive_whole,
};
pub use wrapper::Counting;
use wrapper::InWrapper;

/// Runs every check on a harness of its own, first on the sink, then on the sink within a wrapper that forwards all
/// calls ([`Counting`]).
///
/// Waits on tokio's clock: for a sink without I/O pause it, and the suite takes no time. A check that takes longer than
/// thirty times the patience has failed.
///
/// # Cancel safety
/// Safe to drop; what was written stays at the target.
pub async fn run_all<H: SinkHarness>(make: impl Fn() -> H + Send + Sync) -> Report {
    let mut report = run_list(&make).await;
    report.append("in a wrapper", run_list(&|| InWrapper(make())).await);
    report
}

macro_rules! run {
    ($make:expr, $($check:ident),+ $(,)?) => {{
        let mut report = Report::default();
        $({
            let harness = $make();
            let patience = harness.capabilities().patience;
            report.run_within(patience, stringify!($check), $check(&harness)).await;
        })+
        report
    }};
}

async fn run_list<H: SinkHarness>(make: &(impl Fn() -> H + Send + Sync)) -> Report {
    run!(
        make,
        everything_is_readable_after_a_flush,
        nothing_is_reported_early,
        each_record_is_reported_once,
        empty_batches_and_values_are_legal,
        tombstones_follow_the_policy,
        bytes_need_not_be_text,
        values_arrive_whole,
        large_records_are_poison,
        faults_are_retried,
        rows_without_an_answer_are_not_delivered,
        redelivery_does_not_duplicate,
        quiet_sinks_report_by_themselves,
        a_flush_does_not_wait_for_the_timer,
        too_much_uncommitted_ends_the_range,
        revoked_partitions_leave_nothing_behind,
        what_is_lost_gives_its_bytes_back,
        objects_are_never_overwritten,
        order_within_a_partition_is_kept,
        close_does_no_harm,
        secrets_stay_secret,
        a_hard_stop_loses_nothing,
    )
}

#[cfg(test)]
mod tests;
