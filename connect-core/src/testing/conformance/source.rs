//! The suite for sources.
//!
//! The harness holds a store (a topic, a file) and builds sources on it, all for the same group or bookmark. Each check
//! gets a harness of its own, with an empty store.

mod checks;
mod reader;

use super::Report;
use crate::{Error, Source};
use async_trait::async_trait;
pub use checks::{
    a_commit_survives_and_is_answered, a_crash_repeats_what_was_not_committed,
    a_dead_assignment_cannot_commit, a_dropped_call_loses_nothing, a_second_member_gets_its_share,
    held_partitions_are_silent, notes_come_back_until_they_are_erased, records_come_once_and_in_order,
    without_room_nothing_is_read,
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
    /// How long the suite waits for an event: 10 s on tokio's clock.
    pub patience: Duration,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { notes: true, groups: false, patience: Duration::from_secs(10) }
    }
}

macro_rules! run {
    ($make:expr, $($check:ident),+ $(,)?) => {{
        let mut report = Report::default();
        $(report.run(stringify!($check), $check(&$make())).await;)+
        report
    }};
}

/// Runs every check on a harness of its own. Waits on tokio's clock: for a source without I/O pause it.
///
/// # Cancel safety
/// Safe to drop; what was appended and committed stays.
pub async fn run_all<H: SourceHarness>(make: impl Fn() -> H + Send + Sync) -> Report {
    run!(
        make,
        records_come_once_and_in_order,
        a_dropped_call_loses_nothing,
        without_room_nothing_is_read,
        a_commit_survives_and_is_answered,
        notes_come_back_until_they_are_erased,
        a_crash_repeats_what_was_not_committed,
        a_dead_assignment_cannot_commit,
        held_partitions_are_silent,
        a_second_member_gets_its_share,
    )
}

#[cfg(test)]
mod tests;
