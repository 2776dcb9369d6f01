use super::*;
use crate::{
    Commit, Event, PartitionId,
    testing::{MemoryLog, MemorySource},
};

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
}

struct Harness(MemoryLog, Flaw);

struct Flawed {
    inner: MemorySource,
    flaw: Flaw,
    last: Option<PartitionId>,
}

#[async_trait]
impl Source for Flawed {
    async fn open(&mut self) -> Result<(), Error> {
        self.inner.open().await
    }

    async fn next(&mut self, room: usize) -> Result<Event, Error> {
        let room = if self.flaw == Flaw::IgnoresRoom { 1 << 20 } else { room };
        let event = self.inner.next(room).await?;
        if self.flaw == Flaw::LosesOnDrop {
            tokio::task::yield_now().await; // dropped here, the event is gone
        }
        match &event {
            Event::Committed(..) if self.flaw == Flaw::NeverAnswers => return self.inner.next(room).await,
            Event::Records(batch) if self.flaw == Flaw::CommitsByItself => {
                let commit = |run: &crate::Run| Commit { id: run.id, offset: run.offsets.end, note: None };
                self.inner.commit(batch.runs().iter().map(commit).collect());
            }
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
        Ok(Flawed { inner: self.0.source("group", &["topic"]), flaw: self.1, last: None })
    }

    async fn append(&self, values: &[String]) {
        self.0.append_all("topic", 0, values.iter().cloned());
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { groups: true, ..Capabilities::default() }
    }
}

fn make(flaw: Flaw) -> Harness {
    let log = MemoryLog::new();
    log.topic("topic", 2);
    Harness(log, flaw)
}

#[tokio::test(start_paused = true)]
async fn the_memory_source_keeps_the_contract() {
    let report = run_all(|| make(Flaw::None)).await;
    report.assert_passed();
    assert!(report.not_applicable().is_empty());
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
    ];
    for (flaw, check) in cases {
        let report = run_all(|| make(flaw)).await;
        assert!(report.failed().contains(&check), "{check} found nothing\n{report}");
    }
}
