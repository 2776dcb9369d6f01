use super::*;
use crate::{
    Commit, Event, PartitionId,
    testing::{MemoryLog, MemorySource, conformance::cut},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::time::{Instant, sleep, timeout_at};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    LosesOnDrop,
    IgnoresRoom,
    NeverAnswers,
    ForgetsNotes,
    CommitsByItself,
    IgnoresHold,
    Repeats,
    LosesOnDropBetweenWaits,
    CutsValues,
    ChattersWithoutEnd,
    ChattersNowAndThen,
    HoldsForEver,
    FailsForGood,
    /// No flaw, but what `a_store_that_fails_for_a_while_loses_nothing` allows.
    Restarts,
    HangsInOpen,
}

struct Harness {
    log: MemoryLog,
    flaw: Flaw,
    /// Calls that fail from now on.
    failing: Arc<AtomicUsize>,
}

struct Flawed {
    inner: MemorySource,
    flaw: Flaw,
    last: Option<PartitionId>,
    failing: Arc<AtomicUsize>,
    /// Partitions by slot, which stay held whatever becomes of their assignment.
    held: BTreeSet<usize>,
    chatter_at: Instant,
}

impl Flawed {
    /// Holds anew what was held in an earlier assignment.
    fn hold_again(&mut self, event: &Event) {
        let Event::Assigned(assigned) = event else { return };
        let again = assigned.iter().map(|it| it.id).filter(|id| self.held.contains(&id.slot()));
        self.inner.hold(&again.collect::<Vec<_>>(), true);
    }
}

#[async_trait]
impl Source for Flawed {
    async fn open(&mut self) -> Result<(), Error> {
        if self.flaw == Flaw::HangsInOpen {
            std::future::pending::<()>().await;
        }
        self.inner.open().await
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        let room = if self.flaw == Flaw::IgnoresRoom { 1 << 20 } else { room };
        if self.failing.load(Relaxed) > 0 {
            self.failing.fetch_sub(1, Relaxed);
            return match self.flaw {
                Flaw::FailsForGood => Err(Error::fatal("read the store", "it is away")),
                Flaw::Restarts => Err(Error::retriable("read the store", "it is away")),
                _ => Ok(Event::Trouble(Some(Error::retriable("read the store", "it is away")))),
            };
        }
        match self.flaw {
            Flaw::ChattersWithoutEnd => return Ok(Event::Ends(Vec::new())),
            Flaw::ChattersNowAndThen => {
                let event = timeout_at(self.chatter_at, self.inner.next(room)).await;
                return event.unwrap_or_else(|_| {
                    self.chatter_at = Instant::now() + Duration::from_millis(300);
                    Ok(Event::Ends(Vec::new()))
                });
            }
            // The first wait is over before anything is taken.
            Flaw::LosesOnDropBetweenWaits => sleep(Duration::from_millis(4)).await,
            _ => {}
        }
        let event = self.inner.next(room).await?;
        if self.flaw == Flaw::LosesOnDropBetweenWaits {
            sleep(Duration::from_millis(4)).await;
        }
        if self.flaw == Flaw::LosesOnDrop {
            tokio::task::yield_now().await; // dropped here, the event is gone
        }
        match &event {
            Event::Committed(..) if self.flaw == Flaw::NeverAnswers => return self.inner.next(room).await,
            Event::Records(batch) if self.flaw == Flaw::CommitsByItself => {
                let commit = |run: &crate::Run| Commit { id: run.id, offset: run.offsets.end, note: None };
                self.inner.commit(batch.runs().iter().map(commit).collect());
            }
            Event::Records(batch) if self.flaw == Flaw::CutsValues => return Ok(Event::Records(cut(batch))),
            Event::Assigned(_) if self.flaw == Flaw::HoldsForEver => self.hold_again(&event),
            Event::Records(batch) if self.flaw == Flaw::Repeats && self.last.is_none() => {
                self.last = Some(batch.runs()[0].id);
                let mut twice = batch.subset(&(0..).take(batch.len()).collect::<Vec<_>>());
                twice.append(batch.subset(&[0]));
                return Ok(Event::Records(twice));
            }
            _ => {}
        }
        Ok(event)
    }

    fn commit(&mut self, mut commits: Vec<Commit>) {
        if self.flaw == Flaw::ForgetsNotes {
            commits.iter_mut().for_each(|commit| commit.note = None);
        }
        self.inner.commit(commits);
    }

    fn release(&mut self, ids: &[PartitionId]) {
        self.inner.release(ids);
    }

    fn hold(&mut self, ids: &[PartitionId], held: bool) {
        if held && self.flaw == Flaw::HoldsForEver {
            self.held.extend(ids.iter().map(|id| id.slot()));
        }
        if self.flaw != Flaw::IgnoresHold {
            self.inner.hold(ids, held);
        }
    }

    async fn close(&mut self) -> Result<(), Error> {
        self.inner.close().await
    }
}

#[async_trait]
impl SourceHarness for Harness {
    type Source = Flawed;

    async fn build(&self) -> Result<Flawed, Error> {
        Ok(Flawed {
            inner: self.log.source("group", &["topic"]),
            flaw: self.flaw,
            last: None,
            failing: Arc::clone(&self.failing),
            held: BTreeSet::new(),
            chatter_at: Instant::now(),
        })
    }

    async fn append(&self, values: &[String]) {
        self.log.append_all("topic", 0, values.iter().cloned());
    }

    async fn append_to_each(&self, value: &str) {
        (0..2).for_each(|partition| self.log.append_all("topic", partition, [value.to_owned()]));
    }

    async fn fail_next(&self, n: usize) {
        self.failing.store(n, Relaxed);
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { groups: true, faults: true, ..Capabilities::default() }
    }
}

fn make(flaw: Flaw) -> Harness {
    let log = MemoryLog::new();
    log.topic("topic", 2);
    Harness { log, flaw, failing: Arc::default() }
}

#[tokio::test(start_paused = true)]
async fn the_memory_source_keeps_the_contract() {
    for flaw in [Flaw::None, Flaw::Restarts] {
        let report = run_all(|| make(flaw)).await;
        report.assert_passed();
        assert!(report.not_applicable().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_may_say_where_partitions_end_as_often_as_it_likes() {
    run_all(|| make(Flaw::ChattersNowAndThen)).await.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn each_flaw_is_found_by_the_check_that_is_about_it() {
    let cases = [
        (Flaw::LosesOnDrop, "a_dropped_call_loses_nothing"),
        (Flaw::IgnoresRoom, "without_room_nothing_is_read"),
        (Flaw::NeverAnswers, "a_commit_survives_and_is_answered"),
        (Flaw::ForgetsNotes, "notes_come_back_until_they_are_erased"),
        (Flaw::CommitsByItself, "a_crash_repeats_what_was_not_committed"),
        (Flaw::IgnoresHold, "held_partitions_are_silent"),
        (Flaw::Repeats, "records_come_once_and_in_order"),
        (Flaw::LosesOnDropBetweenWaits, "a_dropped_call_loses_nothing"),
        (Flaw::CutsValues, "values_come_whole"),
        (Flaw::ChattersWithoutEnd, "without_room_nothing_is_read"),
        (Flaw::CommitsByItself, "a_crash_at_any_event_loses_nothing"),
        (Flaw::HoldsForEver, "a_held_partition_that_was_released_is_read_when_it_comes_back"),
        (Flaw::HoldsForEver, "a_held_partition_that_was_lost_is_read_when_it_comes_back"),
        (Flaw::FailsForGood, "a_store_that_fails_for_a_while_loses_nothing"),
        (Flaw::HangsInOpen, "records_come_once_and_in_order"),
    ];
    for (flaw, check) in cases {
        let report = run_all(|| make(flaw)).await;
        assert!(report.failed().contains(&check), "{check} found nothing\n{report}");
    }
}
