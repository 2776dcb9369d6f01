//! Which node is asked next: in turns, and one that failed rests.

use std::time::Duration;
use tokio::time::Instant;

/// The first rest of a node; it doubles up to [`REST_MAX`].
const REST: Duration = Duration::from_secs(1);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(60);

/// The state of the nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    next: usize,
}

#[derive(Clone, Debug)]
struct Node {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Nodes {
    pub(crate) fn new(count: usize) -> Self {
        Self { nodes: vec![Node { failures: 0, rests_until: None }; count], next: 0 }
    }

    /// The next node that does not rest; if all do, the one whose rest ends first.
    pub(crate) fn pick(&mut self, now: Instant) -> usize {
        let count = self.nodes.len();
        let in_turn = |step: usize| (self.next + step) % count;
        let rest = |&node: &usize| self.nodes[node].rests_until.filter(|&until| until > now);
        let node = (0..count).map(in_turn).min_by_key(rest).unwrap_or(0);
        self.next = (node + 1) % count;
        node
    }

    pub(crate) fn answered(&mut self, node: usize) {
        self.nodes[node] = Node { failures: 0, rests_until: None };
    }

    pub(crate) fn failed(&mut self, node: usize, now: Instant) {
        let node = &mut self.nodes[node];
        let rest = REST.saturating_mul(1 << node.failures.min(16)).min(REST_MAX);
        node.failures += 1;
        node.rests_until = Some(now + rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_taken_in_turns_and_a_failing_one_rests() {
        let now = Instant::now();
        let mut nodes = Nodes::new(3);
        let picks = |nodes: &mut Nodes, after: u64| -> Vec<usize> {
            (0..4).map(|_| nodes.pick(now + Duration::from_secs(after))).collect()
        };
        assert_eq!(picks(&mut nodes, 0), [0, 1, 2, 0]);
        nodes.failed(1, now);
        assert_eq!(picks(&mut nodes, 0), [2, 0, 2, 0]);
        assert_eq!(picks(&mut nodes, 2), [1, 2, 0, 1]);
        nodes.failed(1, now + Duration::from_secs(2));
        assert_eq!(picks(&mut nodes, 3), [2, 0, 2, 0], "the second rest is longer");
        nodes.answered(1);
        assert_eq!(picks(&mut nodes, 3), [1, 2, 0, 1]);
        nodes.failed(0, now + Duration::from_secs(30));
        nodes.failed(1, now);
        nodes.failed(2, now + Duration::from_secs(10));
        assert_eq!(nodes.pick(now), 1, "all rest: the one that ends first");
    }
}
