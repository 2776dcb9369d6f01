//! Waiting until told: what tests use where others sleep.

use tokio::sync::watch;

/// A gate that starts closed and holds whoever waits at it, until it is opened once and for all or lets a few pass.
///
/// Cloning gives another handle on the same gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    open: bool,
    tickets: usize,
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

    /// Lets `n` more through, in no particular order among those who wait already.
    pub fn admit(&self, n: usize) {
        self.0.send_modify(|state| state.tickets += n);
    }

    /// Whether the gate is open for all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.borrow().open
    }

    /// Passes the gate once it is open or has a place left.
    ///
    /// # Cancel safety
    /// Safe to drop: no place is lost, but who gave up still counts as [`arrived`](Self::arrived).
    pub async fn pass(&self) {
        self.0.send_modify(|state| state.arrived += 1);
        loop {
            self.until(|state| state.open || state.tickets > 0).await;
            let mut passed = false;
            self.0.send_if_modified(|state| {
                passed = state.open || state.tickets > 0;
                let takes_a_ticket = passed && !state.open;
                state.tickets -= usize::from(takes_a_ticket);
                takes_a_ticket
            });
            if passed {
                return;
            }
        }
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
        // The sender lives in `self`, so waiting ends only by the condition.
        let _ = states.wait_for(condition).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
