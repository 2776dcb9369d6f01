//! What the reader thread and the task hand each other.
//!
//! One lock per batch, none per record. Data waits in at most [`BATCHES_MAX`] batches, and its bytes are taken off the
//! room that the task has: of records of many megabytes, none is read ahead that has no room. Events are few by nature
//! (one per partition or commit), and the last word on ends replaces the one before.

use super::errors;
use crate::{Commit, Error, Event, PartitionId};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::Thread,
};
use tokio::sync::Notify;

/// Batches that wait for the task: one being taken and one ready, so that neither side waits for the other.
const BATCHES_MAX: usize = 2;

/// What the task wants of the reader thread, in order.
#[derive(Debug)]
pub(super) enum Command {
    /// See [`Source::commit`](crate::Source::commit).
    Commit(Vec<Commit>),
    /// See [`Source::release`](crate::Source::release).
    Release(Vec<PartitionId>),
    /// See [`Source::hold`](crate::Source::hold).
    Hold(Vec<PartitionId>, bool),
}

/// What the reader thread finds at the beginning of a turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Commands in order.
    pub(super) commands: Vec<Command>,
    /// Bytes that the task takes beside what waits for it; zero: read nothing.
    pub(super) room: usize,
    /// The task wants the thread to end.
    pub(super) stop: bool,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    data: VecDeque<Event>,
    /// Bytes of the batches among them.
    waiting: usize,
    commands: Vec<Command>,
    failure: Option<Error>,
    stop: bool,
    ended: bool,
}

/// The place where both sides meet.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    news: Notify,
    room: AtomicUsize,
    reader: OnceLock<Thread>,
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whom to wake. Called once, by the reader thread.
    pub(super) fn enlist(&self, reader: Thread) {
        self.reader.get_or_init(|| reader);
    }

    fn wake_reader(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    // ---- the reader's side

    /// Commands, and whether to read.
    pub(super) fn turn(&self) -> Turn {
        let mut state = self.state();
        let full = state.data.len() >= BATCHES_MAX;
        Turn {
            commands: std::mem::take(&mut state.commands),
            room: if full { 0 } else { self.room.load(Ordering::Relaxed).saturating_sub(state.waiting) },
            stop: state.stop,
        }
    }

    /// Delivers something that goes before all records that were not taken yet.
    pub(super) fn tell(&self, event: Event) {
        let mut state = self.state();
        if matches!(event, Event::Ends(_)) {
            state.events.retain(|event| !matches!(event, Event::Ends(_)));
        }
        state.events.push_back(event);
        drop(state);
        self.news.notify_one();
    }

    /// Delivers records, or something that has its place between records.
    pub(super) fn deliver(&self, event: Event) {
        let mut state = self.state();
        state.waiting += bytes(&event);
        state.data.push_back(event);
        drop(state);
        self.news.notify_one();
    }

    /// Delivers the reason why the thread ends. The first one counts.
    pub(super) fn fail(&self, error: Error) {
        self.state().failure.get_or_insert(error);
        self.news.notify_one();
    }

    /// The thread has ended.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.news.notify_waiters();
        self.news.notify_one();
    }

    // ---- the task's side

    /// Waits for what comes next: events, then data if there is `room`, then the failure.
    ///
    /// # Cancel safety
    /// Safe: what is taken is returned without another await.
    pub(super) async fn next(&self, room: usize) -> Result<Event, Error> {
        let before = self.room.swap(room, Ordering::Relaxed);
        if before == 0 && room > 0 {
            self.wake_reader();
        }
        loop {
            if let Some(event) = self.try_next(room > 0) {
                return event;
            }
            self.news.notified().await;
        }
    }

    fn try_next(&self, data: bool) -> Option<Result<Event, Error>> {
        let mut state = self.state();
        if let Some(event) = state.events.pop_front() {
            return Some(Ok(event));
        }
        if data && let Some(event) = state.data.pop_front() {
            let taken = bytes(&event);
            state.waiting -= taken;
            // The task says anew what room it has when it comes again.
            self.room.store(self.room.load(Ordering::Relaxed).saturating_sub(taken), Ordering::Relaxed);
            drop(state);
            self.wake_reader();
            return Some(Ok(event));
        }
        match state.failure.take() {
            Some(error) => Some(Err(error)),
            None => state.ended.then(|| Err(errors::ended())),
        }
    }

    /// Gives the thread something to do.
    pub(super) fn command(&self, command: Command) {
        self.state().commands.push(command);
        self.wake_reader();
    }

    /// Asks the thread to end.
    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.wake_reader();
    }

    /// Waits until the thread has ended.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn ended(&self) {
        while !self.state().ended {
            self.news.notified().await;
        }
    }
}

fn bytes(event: &Event) -> usize {
    if let Event::Records(batch) = event { batch.bytes() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, testing::batch_at};

    fn is_ends(event: &Result<Event, Error>) -> bool {
        matches!(event, Ok(Event::Ends(_)))
    }

    #[tokio::test]
    async fn events_come_before_records_and_records_only_with_room() {
        let mailbox = Mailbox::default();
        mailbox.deliver(Event::Records(Batch::default()));
        mailbox.tell(Event::Ends(Vec::new()));
        assert!(is_ends(&mailbox.next(1).await));
        mailbox.tell(Event::Ends(Vec::new()));
        assert!(is_ends(&mailbox.next(0).await));
        assert!(mailbox.try_next(false).is_none(), "no room");
        assert!(matches!(mailbox.next(1).await, Ok(Event::Records(_))));
    }

    #[tokio::test]
    async fn the_reader_reads_at_most_two_batches_ahead_and_nothing_without_room() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.turn().room, 0);
        mailbox.tell(Event::Ends(Vec::new()));
        drop(mailbox.next(77).await);
        assert_eq!(mailbox.turn().room, 77);
        mailbox.deliver(Event::Records(Batch::default()));
        assert_eq!(mailbox.turn().room, 77);
        mailbox.deliver(Event::Records(Batch::default()));
        assert_eq!(mailbox.turn().room, 0);
    }

    #[tokio::test]
    async fn batches_that_wait_or_were_just_taken_leave_no_room_for_their_bytes() {
        let mailbox = Mailbox::default();
        let batch = batch_at("t", 0, 0, ["x".repeat(1_000)]);
        let (bytes, room) = (batch.bytes(), batch.bytes() + 10);
        mailbox.tell(Event::Ends(Vec::new()));
        drop(mailbox.next(room).await);
        assert_eq!(mailbox.turn().room, room);
        mailbox.deliver(Event::Records(batch));
        assert_eq!(mailbox.turn().room, room - bytes);
        assert!(matches!(mailbox.next(room).await, Ok(Event::Records(_))));
        assert_eq!(mailbox.turn().room, room - bytes, "not yet charged, but gone");
        assert!(futures_util::FutureExt::now_or_never(mailbox.next(7)).is_none());
        assert_eq!(mailbox.turn().room, 7);
    }

    #[tokio::test]
    async fn a_failure_comes_after_what_was_read_before_it() {
        let mailbox = Mailbox::default();
        mailbox.deliver(Event::Records(Batch::default()));
        mailbox.fail(Error::fatal("read", "first"));
        mailbox.fail(Error::fatal("read", "second"));
        mailbox.end();
        assert!(matches!(mailbox.next(1).await, Ok(Event::Records(_))));
        let report = mailbox.next(1).await.expect_err("the failure").report();
        assert_eq!(report, "failed to read: first");
        mailbox.next(1).await.expect_err("the thread has ended");
        mailbox.ended().await;
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let mailbox = Mailbox::default();
        assert!(futures_util::FutureExt::now_or_never(mailbox.next(1)).is_none());
        mailbox.tell(Event::Ends(Vec::new()));
        assert!(is_ends(&mailbox.next(1).await));
    }

    #[test]
    fn only_the_last_word_on_ends_is_kept() {
        let mailbox = Mailbox::default();
        for end in 0..3 {
            mailbox.tell(Event::Ends(vec![(PartitionId::new(0, 1), end)]));
        }
        assert!(matches!(mailbox.try_next(false), Some(Ok(Event::Ends(ends))) if ends[0].1 == 2));
        assert!(mailbox.try_next(false).is_none());
    }
}
