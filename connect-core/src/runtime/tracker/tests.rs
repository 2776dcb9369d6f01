use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn load(records: u64) -> Load {
    Load { records, bytes: records * 10 }
}

fn read(tracker: &mut Tracker, offsets: &[i64], end: i64) {
    let range = offsets.first().copied().unwrap_or(end)..end;
    tracker.read(range, load(offsets.len() as u64), Instant::now(), || offsets.into()).expect("offsets grow");
}

#[tokio::test]
async fn the_watermark_stops_at_the_first_unresolved_record() {
    let mut tracker = Tracker::new(10);
    read(&mut tracker, &[10, 11, 12], 13);
    read(&mut tracker, &[13, 14], 15);
    assert_eq!(tracker.resolve_run(&(13..15)), Ok(2));
    assert_eq!(tracker.watermark(), 10);
    tracker.resolve(11).expect("in flight");
    assert_eq!(tracker.watermark(), 10);
    tracker.resolve(10).expect("in flight");
    assert_eq!(tracker.watermark(), 12);
    tracker.resolve(12).expect("in flight");
    assert_eq!((tracker.watermark(), tracker.in_flight(), tracker.uncommitted()), (15, 0, load(5)));
    tracker.committed(15);
    assert_eq!(tracker.uncommitted(), Load::default());
}

#[tokio::test]
async fn what_is_resolved_counts_until_it_is_committed() {
    let mut tracker = Tracker::new(0);
    for run in 0..2_000 {
        read(&mut tracker, &[run], run + 1);
        tracker.resolve(run).expect("in flight");
    }
    assert_eq!((tracker.in_flight(), tracker.uncommitted()), (0, load(2_000)));
    assert!(tracker.settled.len() < 10, "single records share entries: {}", tracker.settled.len());
    tracker.committed(1_000);
    let left = tracker.uncommitted().records;
    assert!((1_000..1_000 + SETTLED_RECORDS_MIN).contains(&left), "{left}");
    tracker.committed(2_000);
    assert_eq!((tracker.uncommitted(), tracker.settled.len()), (Load::default(), 0));
}

#[tokio::test]
async fn holes_in_the_log_are_not_gaps() {
    let mut tracker = Tracker::new(0);
    read(&mut tracker, &[3, 7], 20);
    assert_eq!(tracker.watermark(), 3);
    tracker.resolve(3).expect("in flight");
    assert_eq!(tracker.watermark(), 7);
    assert_eq!(tracker.resolve(5), Err(Untrue::Unknown(5)));
    tracker.resolve(7).expect("in flight");
    assert_eq!(tracker.watermark(), 20);
    read(&mut tracker, &[], 30);
    assert_eq!(tracker.watermark(), 30);
}

#[tokio::test]
async fn a_held_record_stops_the_watermark_until_its_letter_is_written() {
    let mut tracker = Tracker::new(0);
    read(&mut tracker, &[0, 1, 2, 3], 4);
    tracker.hold(1).expect("in flight");
    assert_eq!(tracker.resolve_below(4), Ok(3));
    assert_eq!((tracker.watermark(), tracker.in_flight()), (1, 1));
    tracker.resolve(1).expect("held");
    assert_eq!((tracker.watermark(), tracker.in_flight()), (4, 0));
}

#[tokio::test]
async fn a_family_is_resolved_once_with_the_numbers_that_failed() {
    let mut tracker = Tracker::new(0);
    read(&mut tracker, &[0], 1);
    tracker.fan(0, 3);
    assert_eq!(tracker.child(0, 2, false), Ok(None));
    assert_eq!(tracker.child(0, 0, true), Ok(None));
    assert_eq!(tracker.child(0, 1, true), Ok(Some(Fan { remaining: 0, failed: vec![2] })));
    assert_eq!(tracker.child(0, 1, true), Err(Untrue::Unknown(0)));
}

#[tokio::test]
async fn reports_that_cannot_be_true_are_refused() {
    let mut tracker = Tracker::new(5);
    read(&mut tracker, &[5, 6], 7);
    tracker.resolve(6).expect("in flight");
    assert_eq!(tracker.resolve(6), Err(Untrue::Twice(6)));
    assert_eq!(tracker.resolve(4), Err(Untrue::Unknown(4)));
    assert_eq!(tracker.resolve_run(&(5..7)), Err(Untrue::Twice(5)));
    assert_eq!(tracker.resolve_below(8), Err(Untrue::Ahead(8)));
    let again = tracker.read(6..7, load(1), Instant::now(), || [6].into());
    assert_eq!(again, Err(Untrue::Backwards(6)));
}

#[derive(Clone, Debug)]
enum Step {
    /// Gaps between the offsets read, and how far the position runs past the last.
    Read(Vec<u8>, u8),
    Resolve(prop::sample::Index),
    ResolveRun(prop::sample::Index),
    Below(prop::sample::Index),
    Hold(prop::sample::Index),
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let gaps = prop::collection::vec(prop_oneof![4 => Just(0_u8), 1 => 0_u8..3], 0..80);
    prop::collection::vec(
        prop_oneof![
            2 => (gaps, prop_oneof![3 => Just(0_u8), 1 => 0_u8..5]).prop_map(|(gaps, past)| Step::Read(gaps, past)),
            6 => index().prop_map(Step::Resolve),
            1 => index().prop_map(Step::ResolveRun),
            1 => index().prop_map(Step::Below),
            1 => index().prop_map(Step::Hold),
            2 => Just(Step::Commit),
        ],
        1..60,
    )
}

/// The same partition the obvious way: every record by itself.
#[derive(Default)]
struct Model {
    records: BTreeMap<i64, State>,
    position: i64,
    committed: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unresolved,
    Held,
    Resolved,
}

impl Model {
    fn watermark(&self) -> i64 {
        let open = self.records.iter().find(|(_, state)| **state != State::Resolved);
        open.map_or(self.position, |(offset, _)| *offset)
    }

    fn in_flight(&self) -> u64 {
        self.records.values().filter(|state| **state != State::Resolved).count() as u64
    }

    fn uncommitted(&self) -> u64 {
        self.records.range(self.committed..).count() as u64
    }

    fn pick(&self, index: prop::sample::Index) -> Option<i64> {
        let known: Vec<i64> = self.records.keys().copied().collect();
        (!known.is_empty()).then(|| known[index.index(known.len())])
    }
}

fn play(tracker: &mut Tracker, model: &mut Model, runs: &mut Vec<Range<i64>>, step: Step) {
    match step {
        Step::Read(gaps, past) => {
            let mut offsets = Vec::new();
            let mut next = model.position;
            for gap in gaps {
                offsets.push(next + i64::from(gap));
                next += i64::from(gap) + 1;
            }
            let end = next + i64::from(past);
            read(tracker, &offsets, end);
            if let Some(first) = offsets.first() {
                runs.push(*first..end);
            }
            model.records.extend(offsets.into_iter().map(|offset| (offset, State::Unresolved)));
            model.position = end;
        }
        Step::Resolve(index) => {
            let Some(offset) = model.pick(index) else { return };
            let was = model.records.insert(offset, State::Resolved);
            assert_eq!(tracker.resolve(offset).is_ok(), was != Some(State::Resolved), "offset {offset}");
        }
        Step::ResolveRun(index) => {
            if runs.is_empty() {
                return;
            }
            let run = runs[index.index(runs.len())].clone();
            let untouched = model.records.range(run.clone()).all(|(_, state)| *state == State::Unresolved);
            if untouched {
                let count = model.records.range(run.clone()).count() as u64;
                assert_eq!(tracker.resolve_run(&run), Ok(count));
                model.records.range_mut(run).for_each(|(_, state)| *state = State::Resolved);
            }
        }
        Step::Below(index) => {
            let Some(offset) = model.pick(index) else { return };
            let below = model.records.range_mut(..offset).filter(|(_, state)| **state == State::Unresolved);
            let count = below.map(|(_, state)| *state = State::Resolved).count() as u64;
            assert_eq!(tracker.resolve_below(offset), Ok(count));
        }
        Step::Commit => {
            model.committed = model.watermark();
            tracker.committed(model.committed);
        }
        Step::Hold(index) => {
            let Some(offset) = model.pick(index) else { return };
            let was = model.records[&offset];
            assert_eq!(tracker.hold(offset).is_ok(), was == State::Unresolved);
            if was == State::Unresolved {
                model.records.insert(offset, State::Held);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_agrees_with_the_obvious_model(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _entered = runtime.enter();
        let (mut tracker, mut model, mut runs) = (Tracker::new(0), Model::default(), Vec::new());
        for step in steps {
            play(&mut tracker, &mut model, &mut runs, step);
            prop_assert_eq!(tracker.watermark(), model.watermark());
            prop_assert_eq!(tracker.in_flight(), model.in_flight());
            prop_assert_eq!(tracker.position(), model.position);
            // A run has fewer than 80 records here: one that is resolved in part counts whole, and so do neighbours.
            let more = tracker.uncommitted().records - model.uncommitted();
            prop_assert!(more < 80 + SETTLED_RECORDS_MIN, "{more} more than a restart repeats");
        }
    }
}
