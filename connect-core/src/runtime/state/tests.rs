use super::*;
use crate::{BatchBuilder, Chain, Entry, Event, Outcome, Progress, Transform, runtime::options::Poison};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A state with its action log: everything that a driver would do, but no sink and no source.
struct Bench {
    state: State,
    now: Instant,
    chain: Chain,
    /// Batches that the sink would hold.
    put: Vec<Batch>,
    letters: Vec<Letter>,
    log: Vec<String>,
    finished: Option<Result<(), Error>>,
}

const ID: PartitionId = PartitionId::new(0, 1);
/// The demand to end the range of [`ID`].
const CUT: &str = "flush Uncommitted(PartitionId { slot: 0, epoch: 1 })";

impl Bench {
    fn new(delivery: Delivery, poison: Poison) -> Self {
        let options = Options { poison, ..Options::default() };
        let task =
            Task { pipeline: "p".into(), number: 0, of: 1, restarts: 0, transforms: None, preview: false };
        let now = Instant::now();
        Self {
            state: State::new(task, options, delivery, now),
            now,
            chain: Chain::default(),
            put: Vec::new(),
            letters: Vec::new(),
            log: Vec::new(),
            finished: None,
        }
    }

    fn assigned(self, offset: i64) -> Self {
        self.assigned_with(offset, None)
    }

    fn assigned_with(mut self, offset: i64, note: Option<&'static str>) -> Self {
        let (topic, note) = ("t".into(), note.map(|note| note.as_bytes().into()));
        let assigned = Assigned { id: ID, topic, partition: 0, offset, note, partitions: None };
        self.source(Event::Assigned(vec![assigned]));
        self
    }

    fn source(&mut self, event: Event) {
        self.state.on_source(event, self.now);
        self.settle();
    }

    fn sink(&mut self, progress: Progress) {
        self.state.on_sink(progress, self.now);
        self.settle();
    }

    fn records(&mut self, offsets: &[i64]) {
        let mut builder = BatchBuilder::new();
        for &offset in offsets {
            let entry = Entry { offset, value: Some(b"x"), ..Entry::default() };
            builder.push(ID, &"t".into(), 0, entry, []);
        }
        self.source(Event::Records(builder.finish()));
    }

    /// The sink delivers the batch that it was handed last.
    fn deliver(&mut self) {
        let batch = self.put.pop().expect("a batch");
        self.sink(Progress::Done(batch, Outcome::delivered()));
    }

    /// Lets the interval pass, and answers the commit that it brings.
    fn interval(&mut self) {
        self.now += Duration::from_secs(6);
        self.state.tick(self.now);
        self.settle();
    }

    fn answer(&mut self, offset: i64, note: Option<&'static str>, result: Result<(), Error>) {
        let note = note.map(|note| note.as_bytes().into());
        self.source(Event::Committed(vec![Commit { id: ID, offset, note }], result));
    }

    fn settle(&mut self) {
        while let Some(action) = self.state.next_action(self.now) {
            let entry = match action {
                Action::Transform(batch) => {
                    self.state.transformed(self.chain.apply(batch, 0));
                    continue;
                }
                Action::Put(batch) => {
                    let entry = format!("put {}", batch.len());
                    self.put.push(batch);
                    entry
                }
                Action::WriteLetters(letters) => {
                    let entry = format!("letters {}", letters.len());
                    self.letters.extend(letters);
                    entry
                }
                Action::Commit(commits) => {
                    let one = |c: &Commit| match &c.note {
                        Some(note) => format!("{}+{}", c.offset, String::from_utf8_lossy(note)),
                        None => c.offset.to_string(),
                    };
                    format!("commit {}", commits.iter().map(one).collect::<Vec<_>>().join(","))
                }
                Action::Assigned(_) => "assigned".into(),
                Action::Noted(_) => "noted".into(),
                Action::Flush(why) => format!("flush {why:?}"),
                Action::Revoke(_) => "revoke".into(),
                Action::Lost(_) => "lost".into(),
                Action::Release(_) => "release".into(),
                Action::Hold(ID, held) => format!("hold {held}"),
                Action::Hold(id, held) => format!("hold {held} of {}", id.slot()),
                Action::Finish(result) => {
                    self.finished = Some(result);
                    "finish".into()
                }
            };
            self.log.push(entry);
        }
        assert!(self.state.counts.reconcile(), "{:?}", self.state.counts);
    }

    fn expect(&mut self, log: &[&str]) {
        assert_eq!(std::mem::take(&mut self.log), log);
    }
}

fn poison() -> Error {
    Error::poison("index", "bad")
}

fn verdicts(refused: &[usize], of: usize) -> Outcome {
    (0..of).map(|row| if refused.contains(&row) { Err(poison()) } else { Ok(()) }).collect()
}

#[tokio::test]
async fn the_watermark_is_committed_on_the_interval_and_never_past_an_unreported_record() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(10);
    bench.records(&[10, 11]);
    bench.records(&[12]);
    let second = bench.put.pop().expect("two batches");
    bench.sink(Progress::Done(second, Outcome::delivered()));
    bench.interval();
    bench.expect(&["assigned", "put 2", "put 1"]);
    let first = bench.put.pop().expect("one batch");
    bench.sink(Progress::Done(first, Outcome::delivered()));
    bench.interval();
    bench.expect(&["commit 13"]);
    bench.interval();
    bench.expect(&[]);
    bench.answer(13, None, Ok(()));
    assert_eq!((bench.state.counts.delivered, bench.state.counts.in_flight), (3, 0));
}

#[tokio::test]
async fn a_failed_commit_is_made_again_after_a_pause() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.records(&[0]);
    bench.deliver();
    bench.interval();
    bench.answer(1, None, Err(Error::retriable("commit", "ILLEGAL_GENERATION")));
    bench.expect(&["assigned", "put 1", "commit 1"]);
    bench.now += Duration::from_millis(600);
    bench.state.tick(bench.now);
    bench.settle();
    bench.expect(&["commit 1"]);
}

#[tokio::test]
async fn a_dead_letter_is_durable_before_the_offset_moves_past_it() {
    let mut bench = Bench::new(Delivery::Rows, Poison::DeadLetter).assigned(0);
    bench.records(&[0, 1, 2]);
    let batch = bench.put.pop().expect("a batch");
    bench.sink(Progress::Done(batch, verdicts(&[1], 3)));
    bench.interval();
    bench.expect(&["assigned", "put 3", "letters 1", "commit 1"]);
    bench.answer(1, None, Ok(()));
    bench.state.on_posted(Posted::Written(ID, 1), bench.now);
    bench.interval();
    bench.expect(&["commit 3"]);
    assert_eq!((bench.state.counts.delivered, bench.state.counts.dead_lettered), (2, 1));
}

#[tokio::test]
async fn poison_fails_the_task_or_is_skipped_as_the_policy_says() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.records(&[0, 1]);
    let batch = bench.put.pop().expect("a batch");
    bench.sink(Progress::Done(batch, verdicts(&[1], 2)));
    let error = bench.finished.expect("finished").expect_err("failed").report();
    assert_eq!(
        error,
        "failed to process a record (errors.tolerance=none) (t-0 at offset 1): failed to index: bad"
    );
    assert_eq!(bench.state.counts.abandoned, 1);

    let mut bench = Bench::new(Delivery::Rows, Poison::Skip).assigned(0);
    bench.records(&[0, 1]);
    let batch = bench.put.pop().expect("a batch");
    bench.sink(Progress::Done(batch, verdicts(&[1], 2)));
    bench.interval();
    bench.expect(&["assigned", "put 2", "commit 2"]);
    assert_eq!((bench.state.counts.skipped, bench.state.counts.delivered), (1, 1));
}

#[tokio::test]
async fn a_row_without_a_verdict_fails_the_task_instead_of_counting_as_delivered() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Skip).assigned(0);
    bench.records(&[0, 1]);
    let batch = bench.put.pop().expect("a batch");
    bench.sink(Progress::Done(batch, verdicts(&[], 1)));
    assert!(bench.finished.is_some_and(|result| result.is_err()));
    assert_eq!(bench.state.counts.delivered, 0);
}

#[tokio::test]
async fn a_range_is_noted_then_ended() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::DeadLetter).assigned(0);
    bench.records(&[0, 1, 2]);
    bench.interval();
    bench.expect(&["assigned", "put 3"]);
    bench.sink(Progress::Note(ID, "n".into()));
    bench.expect(&["commit 0+n"]);
    bench.answer(0, Some("n"), Ok(()));
    bench.expect(&["noted"]);
    bench.interval();
    bench.expect(&[]);
    bench.sink(Progress::Durable(ID, 2));
    bench.interval();
    bench.expect(&["commit 2"]);
    assert_eq!((bench.state.counts.delivered, bench.state.counts.in_flight), (2, 1));
}

#[tokio::test]
async fn while_a_note_stands_a_filtered_head_moves_nothing() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned(0);
    struct DropAll;
    impl Transform for DropAll {
        fn apply(&self, _: crate::Record<'_>, _: &mut crate::Output) -> Result<(), Error> {
            Ok(())
        }
    }
    bench.chain = Chain::new(vec![Arc::new(DropAll)]);
    bench.records(&[0, 1]);
    bench.sink(Progress::Note(ID, "n".into()));
    bench.answer(0, Some("n"), Ok(()));
    bench.interval();
    bench.expect(&["assigned", "put 0", "commit 0+n", "noted"]);
    assert_eq!(bench.state.counts.filtered, 2);
}

#[tokio::test]
async fn a_rejected_record_keeps_its_range_from_ending_until_its_letter_is_written() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::DeadLetter).assigned(0);
    bench.records(&[0, 1, 2]);
    let rejected = bench.put[0].get(1).expect("three rows").detach();
    bench.sink(Progress::Rejected(rejected, poison()));
    bench.sink(Progress::Note(ID, "n".into()));
    bench.answer(0, Some("n"), Ok(()));
    bench.sink(Progress::Durable(ID, 3));
    bench.interval();
    bench.expect(&["assigned", "put 3", "letters 1", "commit 0+n", "noted"]);
    bench.state.on_posted(Posted::Written(ID, 1), bench.now);
    bench.interval();
    bench.expect(&["commit 3"]);
}

/// Each record becomes three.
struct Triple;

impl Transform for Triple {
    fn apply(&self, record: crate::Record<'_>, out: &mut crate::Output) -> Result<(), Error> {
        for part in [b"a", b"b", b"c"] {
            out.derive(record).value(Some(part)).emit();
        }
        Ok(())
    }
}

#[tokio::test]
async fn an_origin_is_resolved_once_with_its_worst_child_and_dead_lettered_once_as_read() {
    let mut bench = Bench::new(Delivery::Rows, Poison::DeadLetter).assigned(0);
    bench.chain = Chain::new(vec![Arc::new(Triple)]);
    bench.records(&[0, 1]);
    let batch = bench.put.pop().expect("a batch");
    bench.sink(Progress::Done(batch, verdicts(&[1, 2], 6)));
    bench.expect(&["assigned", "put 6", "letters 1"]);
    let letter = bench.letters.pop().expect("one letter");
    assert_eq!(letter.failed, [1, 2]);
    let read = letter.record.iter().next().expect("one record").original();
    assert_eq!(read.value(), Some(&b"x"[..]));
    assert_eq!((bench.state.counts.delivered, bench.state.counts.in_flight), (1, 1));
}

#[tokio::test]
async fn a_family_in_a_range_is_complete_when_the_range_is_durable() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Skip).assigned(0);
    bench.chain = Chain::new(vec![Arc::new(Triple)]);
    bench.records(&[0, 1]);
    let rejected = bench.put[0].get(4).expect("six rows").detach();
    bench.sink(Progress::Rejected(rejected, poison()));
    assert_eq!(bench.state.counts.skipped, 0);
    bench.sink(Progress::Durable(ID, 2));
    assert_eq!((bench.state.counts.delivered, bench.state.counts.skipped), (1, 1));
    bench.interval();
    bench.expect(&["assigned", "put 6", "commit 2"]);
}

#[tokio::test]
async fn a_revoke_is_answered_after_the_last_commit() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.records(&[0]);
    bench.source(Event::Revoked(vec![ID]));
    bench.expect(&["assigned", "put 1", "revoke"]);
    bench.deliver();
    bench.sink(Progress::Released(vec![ID]));
    bench.expect(&["commit 1"]);
    bench.answer(1, None, Ok(()));
    bench.expect(&["release"]);
    assert_eq!(bench.state.partitions().count(), 0);
}

#[tokio::test]
async fn records_of_a_partition_that_is_leaving_are_neither_read_nor_taken_for_a_hole() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.source(Event::Revoked(vec![ID]));
    bench.records(&[0, 1]);
    assert_eq!(bench.state.counts.read, 0);
    bench.sink(Progress::Released(vec![ID]));
    bench.expect(&["assigned", "revoke", "release"]);
}

#[tokio::test]
async fn what_a_former_owner_has_in_flight_can_neither_commit_nor_count() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.records(&[0, 1]);
    bench.source(Event::Lost(vec![ID]));
    bench.deliver();
    bench.interval();
    bench.expect(&["assigned", "put 2", "lost"]);
    assert_eq!((bench.state.counts.abandoned, bench.state.counts.delivered), (2, 0));
}

#[tokio::test]
async fn a_stop_finishes_once_all_is_delivered_and_committed() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.records(&[0]);
    bench.state.stop();
    bench.settle();
    bench.expect(&["assigned", "put 1", "flush Now", "revoke"]);
    bench.deliver();
    bench.expect(&["commit 1"]);
    bench.sink(Progress::Released(vec![ID]));
    bench.answer(1, None, Ok(()));
    bench.expect(&["finish"]);
    assert!(bench.finished.is_some_and(|result| result.is_ok()));
}

#[tokio::test]
async fn a_partition_with_too_much_uncommitted_is_held_and_its_range_cut() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned(0);
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1, 2, 3]);
    bench.expect(&["assigned", "hold true", "put 4", CUT]);
    bench.sink(Progress::Durable(ID, 4));
    bench.interval();
    bench.answer(4, None, Ok(()));
    bench.expect(&["commit 4", "hold false"]);
}

#[tokio::test]
async fn a_range_that_a_note_stands_for_is_read_to_its_end_whatever_it_weighs() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned_with(0, Some("to 6"));
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1, 2, 3]);
    bench.records(&[4, 5]);
    // A sink that rebuilds has no use for the demand, one that ignores the note and does not say so has.
    bench.expect(&["assigned", "put 4", CUT, "put 2", CUT]);
    bench.sink(Progress::Durable(ID, 6));
    bench.interval();
    bench.answer(6, None, Ok(()));
    bench.records(&[6, 7, 8, 9]);
    bench.expect(&["commit 6", "hold true", "put 4", CUT]);
}

#[tokio::test]
async fn a_foreign_note_does_not_switch_the_bound_off() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned_with(0, Some("to 6"));
    bench.state.options.max_uncommitted_records = 3;
    bench.sink(Progress::Foreign(ID));
    bench.records(&[0, 1, 2, 3]);
    bench.expect(&["assigned", "hold true", "put 4", CUT]);
    // Said late: from the next records on.
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned_with(0, Some("to 6"));
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1, 2, 3]);
    bench.sink(Progress::Foreign(ID));
    bench.records(&[4]);
    bench.expect(&["assigned", "put 4", CUT, "hold true", "put 1", CUT]);
    // A sink by rows rebuilds nothing.
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned_with(0, Some("to 6"));
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1, 2, 3]);
    bench.expect(&["assigned", "hold true", "put 4", CUT]);
}

#[tokio::test]
async fn once_a_rebuilt_range_is_durable_the_bound_holds_again_though_nothing_is_committed() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::DeadLetter).assigned_with(0, Some("to 2"));
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1]);
    let rejected = bench.put[0].get(0).expect("two rows").detach();
    bench.sink(Progress::Rejected(rejected, poison()));
    bench.sink(Progress::Durable(ID, 2));
    // The letter is not written: nothing can be committed, and the reading must end.
    bench.records(&[2, 3]);
    bench.expect(&["assigned", "put 2", "letters 1", "hold true", "put 2", CUT]);
}

#[tokio::test]
async fn what_was_on_its_way_when_a_partition_was_held_is_cut_too() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned(0);
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1, 2, 3]);
    bench.records(&[4, 5]);
    bench.expect(&["assigned", "hold true", "put 4", CUT, "put 2"]);
    bench.sink(Progress::Durable(ID, 4));
    bench.interval();
    bench.answer(4, None, Ok(()));
    // Two records are more than half of three: nobody but the runtime would end their range.
    bench.expect(&["commit 4", CUT]);
    bench.sink(Progress::Durable(ID, 6));
    bench.interval();
    bench.answer(6, None, Ok(()));
    bench.expect(&["commit 6", "hold false"]);
}

#[tokio::test]
async fn what_is_delivered_counts_until_it_is_committed_and_holds_while_commits_fail() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.state.options.max_uncommitted_records = 4;
    bench.records(&[0, 1]);
    bench.deliver();
    bench.expect(&["assigned", "put 2"]);
    // More than half: no interval is waited for.
    bench.records(&[2]);
    bench.expect(&["put 1", "commit 2"]);
    bench.answer(2, None, Err(Error::retriable("commit", "COORDINATOR_NOT_AVAILABLE")));
    bench.records(&[3, 4]);
    for batch in std::mem::take(&mut bench.put) {
        bench.sink(Progress::Done(batch, Outcome::delivered()));
    }
    bench.expect(&["hold true", "put 2", CUT]);
    assert_eq!((bench.state.counts.delivered, bench.state.counts.in_flight), (5, 0));
    bench.now += Duration::from_millis(600);
    bench.state.tick(bench.now);
    bench.settle();
    bench.expect(&["commit 5"]);
    bench.answer(5, None, Ok(()));
    bench.expect(&["hold false"]);
}

#[tokio::test]
async fn while_a_partition_is_held_each_request_that_ends_brings_a_commit() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1]);
    bench.records(&[2, 3]);
    bench.expect(&["assigned", "put 2", "hold true", "put 2", CUT]);
    let second = bench.put.pop().expect("two batches");
    let first = bench.put.pop().expect("one batch");
    bench.sink(Progress::Done(first, Outcome::delivered()));
    bench.expect(&["commit 2"]);
    bench.sink(Progress::Done(second, Outcome::delivered()));
    bench.answer(2, None, Ok(()));
    // Two are more than half of three, and have come while the commit was on its way.
    bench.expect(&[CUT, "commit 4"]);
    bench.answer(4, None, Ok(()));
    bench.expect(&["hold false"]);
}

#[tokio::test]
async fn ranges_that_are_held_are_noted_and_ended_without_an_interval() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned(0);
    bench.state.options.max_uncommitted_records = 3;
    bench.records(&[0, 1, 2, 3]);
    bench.expect(&["assigned", "hold true", "put 4", CUT]);
    bench.sink(Progress::Note(ID, "a".into()));
    bench.answer(0, Some("a"), Ok(()));
    // Read before the hold was heard of: the next range, noted by the commit that ends the first.
    bench.records(&[4, 5]);
    bench.expect(&["commit 0+a", "noted", "put 2"]);
    bench.sink(Progress::Durable(ID, 4));
    bench.expect(&["commit 4"]);
    bench.sink(Progress::Note(ID, "b".into()));
    bench.answer(4, None, Ok(()));
    bench.expect(&[CUT, "commit 4+b"]);
    bench.answer(4, Some("b"), Ok(()));
    bench.sink(Progress::Durable(ID, 6));
    bench.expect(&["noted", "commit 6"]);
    bench.answer(6, None, Ok(()));
    bench.expect(&["hold false"]);
}

#[tokio::test]
async fn what_the_source_sits_out_is_shown_until_it_is_over() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    let down = |reason: &str| Event::Trouble(Some(Error::retriable("reach the cluster", reason.to_owned())));
    bench.source(down("no broker answers"));
    let (since, why) = bench.state.trouble.clone().expect("trouble");
    assert!(why.contains("no broker answers"), "{why}");
    bench.source(down("still none"));
    assert_eq!(bench.state.trouble.clone().map(|(first, _)| first), Some(since));
    bench.records(&[0]);
    assert!(bench.state.trouble.is_some(), "records that were read before say nothing");
    bench.source(Event::Trouble(None));
    assert!(bench.state.trouble.is_none());
}

#[tokio::test]
async fn a_full_budget_asks_the_sink_once_until_something_moves() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.records(&[0]);
    bench.state.full(1);
    bench.state.full(0);
    bench.state.full(0);
    bench.settle();
    bench.expect(&["assigned", "put 1", "flush Pressure"]);
    bench.deliver();
    bench.state.full(0);
    bench.settle();
    bench.expect(&["flush Pressure"]);
}

#[tokio::test]
async fn a_budget_that_is_full_again_asks_again_though_nothing_was_reported() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned(0);
    bench.records(&[0]);
    bench.state.full(0);
    bench.settle();
    bench.state.has_room();
    bench.records(&[1]);
    bench.state.full(0);
    bench.settle();
    bench.expect(&["assigned", "put 1", "flush Pressure", "put 1", "flush Pressure"]);
}

#[tokio::test]
async fn a_budget_that_stays_full_asks_again_after_a_while() {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned(0);
    bench.records(&[0]);
    bench.state.full(0);
    bench.state.tick(bench.now);
    bench.state.full(0);
    bench.settle();
    bench.expect(&["assigned", "put 1", "flush Pressure", "flush Pressure"]);
}

/// Two partitions, of which the first came with a note; the budget is full, and the sink was asked for bytes.
fn starving() -> Bench {
    let mut bench = Bench::new(Delivery::Ranges, Poison::Fail).assigned_with(0, Some("a"));
    bench.source(Event::Assigned(vec![assigned(OTHER)]));
    bench.records(&[0]);
    bench.state.full(0);
    bench.settle();
    bench.expect(&["assigned", "assigned", "put 1", "flush Pressure"]);
    bench
}

const OTHER: PartitionId = PartitionId::new(1, 1);

fn assigned(id: PartitionId) -> Assigned {
    let partition = i32::try_from(id.slot()).unwrap();
    Assigned { id, topic: "t".into(), partition, offset: 0, note: None, partitions: None }
}

#[tokio::test]
async fn a_rebuild_that_fills_the_budget_is_read_beyond_it_alone_and_by_single_batches() {
    let mut bench = starving();
    bench.sink(Progress::Starved(ID));
    bench.expect(&["hold true of 1"]);
    assert!(!bench.state.full(0), "a batch is on its way");
    assert_eq!(bench.state.beyond(), crate::BATCH_BYTES_MAX);
    bench.records(&[1]);
    assert_eq!(bench.state.beyond(), 0);
    assert!(bench.state.full(0));
    bench.settle();
    bench.expect(&["put 1", "flush Pressure"]);
    bench.sink(Progress::Starved(ID));
    assert_eq!(bench.state.beyond(), crate::BATCH_BYTES_MAX);
    assert!(bench.state.has_room() && bench.state.beyond() == 0 && !bench.state.has_room());
    bench.settle();
    bench.expect(&["hold false of 1"]);
}

#[tokio::test]
async fn who_is_read_beyond_the_budget_holds_up_nobody_once_it_is_gone() {
    for gone in [Event::Lost(vec![ID]), Event::Revoked(vec![ID])] {
        let mut bench = starving();
        bench.sink(Progress::Starved(ID));
        bench.source(gone);
        assert!(bench.state.full(0) && bench.state.beyond() == 0);
        bench.settle();
        assert_eq!(bench.log.last().map(String::as_str), Some("hold false of 1"));
    }
    let mut bench = starving();
    bench.sink(Progress::Starved(ID));
    bench.source(Event::Assigned(vec![assigned(PartitionId::new(2, 1))]));
    bench.expect(&["hold true of 1", "hold false of 1", "assigned"]);
}

#[tokio::test]
async fn only_a_rebuild_is_read_beyond_the_budget() {
    let mut bench = starving();
    bench.sink(Progress::Starved(OTHER));
    bench.sink(Progress::Starved(PartitionId::new(7, 1)));
    bench.sink(Progress::Foreign(ID));
    bench.sink(Progress::Starved(ID));
    bench.expect(&[]);
    assert_eq!(bench.state.beyond(), 0);
}

#[tokio::test]
async fn at_full_speed_bytes_bring_a_commit_before_the_interval_does() {
    let mut bench = Bench::new(Delivery::Rows, Poison::Fail).assigned(0);
    bench.state.options.budget_bytes = 4 * 3 * (1 + size_of::<crate::record::Row>());
    bench.records(&[0, 1]);
    bench.deliver();
    bench.expect(&["assigned", "put 2"]);
    bench.records(&[2]);
    bench.expect(&["put 1", "commit 2"]);
}
