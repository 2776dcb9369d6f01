//! Waiting until told: what tests use where others sleep.

use tokio::sync::watch;

/// A gate that starts closed and holds whoever waits at it until it is opened, once and for all.
///
/// Cloning gives another handle on the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    open: bool,
    arrived: usize,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    /// Lets everybody through, those who come later too.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Whether the gate is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.borrow().open
    }

    /// Passes the gate once it is open.
    ///
    /// # Cancel safety
    /// Safe to drop; who gave up still counts as [`arrived`](Self::arrived).
    pub async fn pass(&self) {
        self.0.send_modify(|state| state.arrived += 1);
        self.until(|state| state.open).await;
    }

    /// Waits until `n` have come to the gate, passed or not: the moment at which a test may act.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn arrived(&self, n: usize) {
        self.until(|state| state.arrived >= n).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        let mut states = self.0.subscribe();
        states.wait_for(condition).await.expect("this handle keeps the channel open");
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
