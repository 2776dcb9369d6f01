//! Who is to blame for a failure: the rows, or the target.
//!
//! A target that refuses every row alike says nothing about rows. So a row is blamed on circumstantial evidence only if
//! it stood alone and other rows of its partition, which go to the same place, got an answer since its first failure.

use crate::PartitionId;
use std::collections::HashMap;

/// So many attempts in a row without an answer, then a request is halved.
pub(super) const DOUBTS_BEFORE_HALVING: u32 = 3;
/// So many attempts of a row alone without an answer, while others get theirs, then the row is poison.
pub(super) const DOUBTS_ALONE: u32 = 5;
/// So many rows are refused alone one after the other, then requests are not halved at once any more: the target, not a
/// row, is in trouble.
const REFUSED_ALONE_MAX: u32 = 8;
/// So many suspects are sent alone at once; if they all prove guilty, a second refusal together with others is believed
/// from then on. Bounds what a topic full of bad records costs.
pub(super) const GUILTY_MAX: usize = 16;

/// What is known about the target besides the failures.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// Answers so far.
    answer: u64,
    /// The last answer that settled a row of the partition.
    passed: HashMap<PartitionId, u64>,
    /// Rows refused alone since a row was settled.
    refused_alone: u32,
    /// Suspects that were refused again alone since one was accepted.
    guilty: usize,
}

impl Doubt {
    /// An answer came, or its time is over.
    pub(super) fn answered(&mut self) {
        self.answer += 1;
    }

    /// The number of the answer that is being looked at.
    pub(super) fn answer(&self) -> u64 {
        self.answer
    }

    /// Rows of these partitions were settled by this answer. `suspects`: suspects were accepted.
    pub(super) fn passed(&mut self, ids: impl Iterator<Item = PartitionId>, suspects: bool) {
        self.refused_alone = 0;
        if suspects {
            self.guilty = 0;
        }
        self.passed.extend(ids.map(|id| (id, self.answer)));
    }

    /// Whether a row of the partition was settled by this answer or a later one.
    pub(super) fn has_passed_since(&self, id: PartitionId, answer: u64) -> bool {
        self.passed.get(&id).is_some_and(|&passed| passed >= answer)
    }

    /// A row was refused alone, and nobody can say that it is to blame.
    pub(super) fn refused_alone(&mut self) {
        self.refused_alone = self.refused_alone.saturating_add(1);
    }

    /// Whether rows are refused one by one, without exception.
    pub(super) fn is_refused_alike(&self) -> bool {
        self.refused_alone >= REFUSED_ALONE_MAX
    }

    /// A suspect was refused again, alone.
    pub(super) fn guilty(&mut self) {
        self.guilty = self.guilty.saturating_add(1);
    }

    /// Whether suspects are believed to be guilty without being sent alone.
    pub(super) fn suspects_are_guilty(&self) -> bool {
        self.guilty >= GUILTY_MAX
    }

    /// The partition is gone.
    pub(super) fn forget(&mut self, id: PartitionId) {
        self.passed.remove(&id);
    }
}
