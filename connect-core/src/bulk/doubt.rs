//! Evidence about the cause of a failure: the rows, or the target.
//!
//! A target that refuses every row alike says nothing about rows. So a row is blamed on circumstantial evidence only if
//! it stood alone and other rows of its partition, which go to the same place, were accepted since its first failure.

use crate::PartitionId;
use std::collections::HashMap;

/// Attempts in a row without an answer after which a request is halved.
pub(super) const DOUBTS_BEFORE_HALVING: u32 = 3;
/// Attempts without an answer after which a row that is sent alone is poison, if other rows get their answers.
pub(super) const DOUBTS_ALONE: u32 = 5;
/// Rows refused alone one after the other after which requests are no longer halved at once: the target, not a
/// row, is in trouble.
const REFUSED_ALONE_MAX: u32 = 8;
/// Suspects that are sent alone at a time. If as many in a row prove guilty, a second refusal together with others is
/// believed from then on. Bounds the cost of a topic full of bad records.
pub(super) const GUILTY_MAX: usize = 16;

/// Evidence about the target besides the failures.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// Answers so far.
    answer: u64,
    /// The last answer by which a row of the partition was accepted.
    passed: HashMap<PartitionId, u64>,
    /// Rows refused alone since a row was accepted.
    refused_alone: u32,
    /// Suspects that were refused again alone since one was accepted.
    guilty: usize,
}

impl Doubt {
    /// Counts an answer, or one that did not come in time.
    pub(super) fn answered(&mut self) {
        self.answer += 1;
    }

    /// The number of the answer that is being looked at.
    pub(super) fn answer(&self) -> u64 {
        self.answer
    }

    /// Records that this answer accepted rows of these partitions. `suspects`: they were suspects.
    pub(super) fn passed(&mut self, ids: impl Iterator<Item = PartitionId>, suspects: bool) {
        self.refused_alone = 0;
        if suspects {
            self.guilty = 0;
        }
        self.passed.extend(ids.map(|id| (id, self.answer)));
    }

    /// Whether a row of the partition was accepted by this answer or a later one.
    pub(super) fn has_passed_since(&self, id: PartitionId, answer: u64) -> bool {
        self.passed.get(&id).is_some_and(|&passed| passed >= answer)
    }

    /// Counts a row that was refused alone without evidence against it.
    pub(super) fn refused_alone(&mut self) {
        self.refused_alone = self.refused_alone.saturating_add(1);
    }

    /// Whether rows are refused one by one, without exception.
    pub(super) fn is_refused_alike(&self) -> bool {
        self.refused_alone >= REFUSED_ALONE_MAX
    }

    /// Counts a suspect that was refused again, alone.
    pub(super) fn guilty(&mut self) {
        self.guilty = self.guilty.saturating_add(1);
    }

    /// Whether suspects are believed to be guilty without being sent alone.
    pub(super) fn suspects_are_guilty(&self) -> bool {
        self.guilty >= GUILTY_MAX
    }

    /// Forgets a partition that is gone.
    pub(super) fn forget(&mut self, id: PartitionId) {
        self.passed.remove(&id);
    }
}
