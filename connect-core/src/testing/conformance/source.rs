//! The suite for sources.
//!
//! The harness holds a store (a topic, a file) and builds sources on it, all for the same group or bookmark. Each check
//! gets a harness of its own, with an empty store.

mod checks;
mod crashes;
mod members;
mod reader;

use super::Report;
use crate::{Error, Source};
use async_trait::async_trait;
pub use checks::{
    a_commit_survives_and_is_answered, a_crash_repeats_what_was_not_committed,
    a_dead_assignment_cannot_commit, a_dropped_call_loses_nothing, held_partitions_are_silent,
    notes_come_back_until_they_are_erased, records_come_once_and_in_order, values_come_whole,
    without_room_nothing_is_read,
};
pub use crashes::{a_crash_at_any_event_loses_nothing, a_store_that_fails_for_a_while_loses_nothing};
pub use members::{
    a_held_partition_that_was_lost_is_read_when_it_comes_back,
    a_held_partition_that_was_released_is_read_when_it_comes_back, a_second_member_gets_its_share,
};
use std::time::Duration;

/// A source under test and its store.
#[async_trait]
pub trait SourceHarness: Send + Sync {
    /// The source.
    type Source: Source;

    /// A fresh source on the same store, for the same group. Not opened: the suite does that.
    ///
    /// # Errors
    /// What keeps the source from being built; the check fails with it.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn build(&self) -> Result<Self::Source, Error>;

    /// Appends records with these values, all to one partition, in order.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn append(&self, values: &[String]);

    /// Appends a record with this value to each partition. Called only if [`Capabilities::groups`] is set, which says that
    /// it is overridden where the store has several partitions.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn append_to_each(&self, value: &str) {
        self.append(&[value.to_owned()]).await;
    }

    /// The next `n` calls on the store fail: it is away, busy, or answers with an error that passes. Called only if
    /// [`Capabilities::faults`] is set, which says that it is overridden.
    ///
    /// # Cancel safety
    /// Never dropped before it is done.
    async fn fail_next(&self, n: usize) {
        let _ = n;
    }

    /// Where this source differs from others.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

/// What a source can do. The default is one member with partitions of its own, which stores notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Stores notes beside offsets.
    pub notes: bool,
    /// Two sources of the group at once share the partitions, of which there are at least two.
    pub groups: bool,
    /// [`SourceHarness::fail_next`] works.
    pub faults: bool,
    /// How long the suite waits for an event: 10 s on tokio's clock.
    pub patience: Duration,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { notes: true, groups: false, faults: false, patience: Duration::from_secs(10) }
    }
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

/// Runs every check on a harness of its own. Waits on tokio's clock: for a source without I/O pause it. A check that
/// takes longer than thirty times the patience has failed, and so has one whose source emits a hundred thousand events.
///
/// # Cancel safety
/// Safe to drop; what was appended and committed stays.
pub async fn run_all<H: SourceHarness>(make: impl Fn() -> H + Send + Sync) -> Report {
    run!(
        make,
        records_come_once_and_in_order,
        values_come_whole,
        a_dropped_call_loses_nothing,
        without_room_nothing_is_read,
        a_commit_survives_and_is_answered,
        notes_come_back_until_they_are_erased,
        a_crash_repeats_what_was_not_committed,
        a_crash_at_any_event_loses_nothing,
        a_store_that_fails_for_a_while_loses_nothing,
        a_dead_assignment_cannot_commit,
        held_partitions_are_silent,
        a_second_member_gets_its_share,
        a_held_partition_that_was_released_is_read_when_it_comes_back,
        a_held_partition_that_was_lost_is_read_when_it_comes_back,
    )
}

#[cfg(test)]
mod tests;
