//! What happened to records, counted once.

/// Records by fate. `read = delivered + filtered + dead_lettered + skipped + abandoned + in_flight` at every moment;
/// `in_flight` is counted on its own, not by subtraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Handed over by the source.
    pub read: u64,
    /// Payload bytes and rows handed over by the source.
    pub read_bytes: u64,
    /// Durable at the target.
    pub delivered: u64,
    /// Dropped because a transform said so.
    pub filtered: u64,
    /// Durable in the dead letter queue.
    pub dead_lettered: u64,
    /// Dropped because the policy for poison says so.
    pub skipped: u64,
    /// Handed back unresolved by a revoke, a loss or a restart: somebody reads them again.
    pub abandoned: u64,
    /// Read and not resolved.
    pub in_flight: u64,
    /// Offsets that the store had dropped before they were read (`on.data.loss=continue`).
    pub lost: u64,
    /// Commits that were acknowledged, per partition.
    pub commits: u64,
    /// Commits that failed, per partition; tried again.
    pub commit_failures: u64,
    /// Transient failures that the sink or the dead letter queue reported.
    pub retries: u64,
    /// Partitions that came.
    pub assigned: u64,
    /// Partitions given up in good order.
    pub revoked: u64,
    /// Partitions lost without a question.
    pub partitions_lost: u64,
}

impl Counts {
    /// Whether every record read is accounted for.
    #[must_use]
    pub fn reconcile(&self) -> bool {
        let resolved = self.delivered + self.filtered + self.dead_lettered + self.skipped;
        self.read == resolved + self.abandoned + self.in_flight
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            read_bytes: self.read_bytes + other.read_bytes,
            delivered: self.delivered + other.delivered,
            filtered: self.filtered + other.filtered,
            dead_lettered: self.dead_lettered + other.dead_lettered,
            skipped: self.skipped + other.skipped,
            abandoned: self.abandoned + other.abandoned,
            in_flight: self.in_flight + other.in_flight,
            lost: self.lost + other.lost,
            commits: self.commits + other.commits,
            commit_failures: self.commit_failures + other.commit_failures,
            retries: self.retries + other.retries,
            assigned: self.assigned + other.assigned,
            revoked: self.revoked + other.revoked,
            partitions_lost: self.partitions_lost + other.partitions_lost,
        }
    }
}
