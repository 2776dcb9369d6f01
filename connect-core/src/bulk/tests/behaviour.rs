use super::*;
use crate::Flush;

const SECOND: Duration = Duration::from_secs(1);

fn config() -> BulkConfig {
    BulkConfig { linger: Duration::from_millis(50), ..BulkConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn batches_are_joined_until_a_request_is_full_and_the_rest_lingers() {
    let target = Target::default();
    let mut bench = Bench::new(&target, BulkConfig { batch_records: 250, ..config() });
    let start = Instant::now();
    for batch in 0..3 {
        bench.put_range(batch * 100, (batch + 1) * 100);
    }
    bench.run().await.unwrap();
    assert_eq!(target.offsets(), [(0..200).collect::<Vec<_>>(), (200..300).collect()]);
    assert_eq!(target.times(), [start, start + Duration::from_millis(50)], "full ones go at once");
    assert_eq!(bench.reports, [(200, true), (100, true)], "whole batches stay whole");
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_request_is_full_when_another_batch_like_the_last_would_not_fit() {
    let target = Target::default();
    let mut bench = Bench::new(&target, BulkConfig { batch_records: 250, ..config() });
    let start = Instant::now();
    bench.put_range(0, 100);
    bench.put_range(100, 200);
    bench.run().await.unwrap();
    assert_eq!(target.times(), [start], "a third one would make it 300");
    let later = Instant::now();
    bench.put_range(200, 300);
    bench.put_range(300, 350);
    bench.run().await.unwrap();
    assert_eq!(target.times(), [start, later + Duration::from_millis(50)], "50 more would make it 200");
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_larger_than_a_request_is_cut() {
    let target = Target::default();
    let mut bench = Bench::new(&target, BulkConfig { batch_records: 4, batch_bytes: 40, ..config() });
    bench.put_range(0, 10);
    bench.run().await.unwrap();
    // {"offset":0} has 12 bytes: three of them fit in 40.
    assert_eq!(target.offsets(), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8], vec![9]]);
    assert_eq!(bench.offsets().0, (0..10).collect::<Vec<_>>());
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_flush_sends_what_lingers() {
    for why in [Flush::Now, Flush::Pressure, Flush::Uncommitted(id(0))] {
        let target = Target::default();
        let mut bench = Bench::new(&target, BulkConfig { linger: 3_600 * SECOND, ..config() });
        let start = Instant::now();
        bench.put_range(0, 3);
        bench.driven.flush(why).unwrap();
        bench.run_for(SECOND).await.unwrap();
        assert_eq!(target.times(), [start]);
        bench.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn only_failed_and_unanswered_rows_are_sent_again() {
    use Verdict::{Bad, Busy, Ok};
    let target = Target::scripted([Script::Rows(vec![Ok, Busy, Bad, Ok, Busy]), Script::Answer(1)]);
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 5);
    bench.run().await.unwrap();
    assert_eq!(target.offsets(), [vec![0, 1, 2, 3, 4], vec![1, 4], vec![4]]);
    assert_eq!(bench.offsets(), (vec![0, 1, 3, 4], vec![2]));
    assert_eq!(bench.retrying, 2);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_is_sent_again_for_ever_with_growing_waits() {
    let target = Target::scripted(vec![Script::Fail(Class::Retriable); 30]);
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 5);
    bench.run_for(4 * 3_600 * SECOND).await.unwrap();
    let times = target.times();
    assert_eq!(times.len(), 31);
    let wait = |n: usize| times[n] - times[n - 1];
    assert!(wait(1) < SECOND && wait(30) >= 30 * SECOND, "{:?}, {:?}", wait(1), wait(30));
    assert_eq!(bench.offsets().0.len(), 5);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn retries_end_the_task_when_a_limit_is_set() {
    let target = Target::scripted(vec![Script::Fail(Class::Retriable); 1_000]);
    let mut bench = Bench::new(&target, BulkConfig { retry_timeout: Some(10 * SECOND), ..config() });
    bench.put_range(0, 5);
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    assert!(error.to_string().contains("attempts in 10"), "{error}");
    assert!(bench.settled.is_empty(), "no verdict: the offsets stay");
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_halved_until_one_row_stands_alone() {
    /// Refuses requests that hold offset 37.
    struct Refusing(Target);
    #[async_trait]
    impl Bulk for Refusing {
        async fn write(&self, batch: &Batch) -> Result<Outcome, Error> {
            let bad = batch.iter().any(|record| record.origin().offset == 37);
            self.0.seen().script =
                bad.then_some((Duration::ZERO, Script::Fail(Class::Poison))).into_iter().collect();
            self.0.write(batch).await
        }
    }
    let target = Target::default();
    let sink = BulkSink::new(Refusing(target.clone()), BulkConfig { in_flight_max: 1, ..config() });
    let budget = Budget::new(MIB);
    let mut driven = Driven::new(sink, budget.clone());
    driven.assigned(&[assigned(0)]).unwrap();
    driven.put(range(0, 100, &budget)).unwrap();
    let mut fates = HashMap::new();
    while let Ok(progress) = timeout(SECOND, driven.progress()).await {
        let Progress::Done(batch, outcome) = progress.unwrap() else { panic!("only verdicts") };
        let rows = outcome.into_rows();
        for (row, record) in batch.iter().enumerate() {
            let fate = rows.as_ref().is_none_or(|rows| rows[row].is_ok());
            assert_eq!(fates.insert(record.origin().offset, fate), None, "reported once");
        }
    }
    let poison: Vec<_> = fates.iter().filter(|(_, fate)| !**fate).collect();
    assert_eq!((fates.len(), poison), (100, vec![(&37, &false)]));
    assert!(target.seen().requests.len() <= 15, "two requests per halving");
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_stops_and_what_was_delivered_is_still_told() {
    let target = Target::scripted([Script::Rows(vec![Verdict::Ok, Verdict::Broken])]);
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 2);
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), (vec![0], vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_target_hears_of_partitions_that_come_and_go() {
    let target = Target::scripted([Script::Deliver]);
    let mut driven = Driven::new(BulkSink::new(target.clone(), config()), Budget::new(MIB)).redelivery(7);
    driven.assigned(&[assigned(0), assigned(1), assigned(2)]).unwrap();
    assert_eq!(target.seen().assigned, [(id(0), 7), (id(1), 7), (id(2), 7)]);
    driven.put(range(0, 1, &Budget::new(MIB))).unwrap();
    driven.lost(&[id(2)]);
    driven.revoke(&[id(0), id(1)]).unwrap();
    assert_eq!(target.seen().unassigned, [id(2), id(1)], "a row of the other one is in flight");
    while !matches!(driven.progress().await.unwrap(), Progress::Released(ids) if ids == [id(0)]) {}
    assert_eq!(target.seen().unassigned, [id(2), id(1), id(0)]);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_given_up_and_sent_again() {
    let target = Target::scripted([Script::Hang]);
    let mut bench = Bench::new(&target, BulkConfig { request_timeout: 5 * SECOND, ..config() });
    let start = Instant::now();
    bench.put_range(0, 2);
    bench.run().await.unwrap();
    assert_eq!(target.offsets(), [vec![0, 1], vec![0, 1]]);
    assert!(target.times()[1] >= start + 5 * SECOND);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_limited_and_halved_by_an_overload() {
    let mut target = Target::scripted(vec![Script::Fail(Class::Retriable); 4]);
    target.delay = SECOND;
    let config = BulkConfig { batch_records: 10, in_flight_max: 4, ..config() };
    let mut bench = Bench::new(&target, config);
    for batch in 0..20 {
        bench.put_range(batch * 10, batch * 10 + 10);
    }
    assert_eq!(bench.driven.jobs(), 4, "not more than allowed");
    bench.run_for(Duration::from_millis(500)).await.unwrap();
    assert_eq!(bench.driven.jobs(), 2, "half after four requests of one round failed");
    bench.run().await.unwrap();
    assert_eq!(target.seen().flying_max, 4);
    assert_eq!(bench.offsets().0.len(), 200);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn bytes_limit_requests_in_flight_before_their_number_does() {
    let target = Target { delay: SECOND, ..Target::default() };
    let config = BulkConfig { in_flight_max: 50, ..config() };
    let mut bench = Bench::with_budget(&target, config, Budget::new(2_400));
    // A request holds at most an eighth, 300 bytes: 20 rows of 14 bytes. A fifth one might pass the half.
    let elsewhere = Budget::new(usize::MAX);
    for batch in 5..30 {
        bench.driven.put(range(batch * 20, batch * 20 + 20, &elsewhere)).unwrap();
    }
    assert_eq!(bench.driven.jobs(), 4);
    assert_eq!(bench.budget.peak(), 1_200, "as much as bodies may take is set aside, not more");
    bench.run().await.unwrap();
    assert_eq!(bench.offsets().0.len(), 500);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn bodies_do_not_pass_a_budget_that_batches_have_filled() {
    let target = Target { delay: SECOND, ..Target::default() };
    let config = BulkConfig { in_flight_max: 50, ..config() };
    let mut bench = Bench::with_budget(&target, config, Budget::new(2_400));
    for batch in 5..30 {
        bench.put_range(batch * 20, batch * 20 + 20);
    }
    assert!(bench.budget.held() > 10 * 2_400);
    assert_eq!(bench.driven.jobs(), 1, "one may always go, or nothing would ever move");
    bench.run().await.unwrap();
    assert_eq!(bench.offsets().0.len(), 500);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_sent_while_the_target_is_away() {
    let target = Target::scripted(vec![Script::Fail(Class::Retriable); 12]);
    let mut bench = Bench::new(&target, BulkConfig { batch_records: 10, in_flight_max: 4, ..config() });
    for batch in 0..40 {
        bench.put_range(batch * 10, batch * 10 + 10);
    }
    bench.run_for(2 * SECOND).await.unwrap();
    // Four of the first round, then one or two at a time, further and further apart.
    assert!(target.seen().requests.len() < 12, "{}", target.seen().requests.len());
    bench.run().await.unwrap();
    assert_eq!(bench.offsets().0.len(), 400);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_retried_row_does_not_keep_its_whole_batch_in_memory() {
    use Verdict::{Busy, Ok};
    let mut rows = vec![Ok; 999];
    rows.push(Busy);
    let target = Target::scripted([Script::Rows(rows), Script::Fail(Class::Retriable)]);
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 1_000);
    let set_aside = config().bodies_max(bench.budget.limit());
    let held = bench.budget.held() - set_aside;
    bench.run_for(Duration::from_millis(100)).await.unwrap();
    assert_eq!(bench.offsets().0.len(), 999);
    let kept = bench.budget.held() - set_aside;
    assert!((50..1_000).contains(&kept), "{kept} of {held} are held");
    bench.run().await.unwrap();
    assert_eq!(bench.offsets().0.len(), 1_000);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn rows_with_equal_keys_wait_for_each_other_in_order() {
    use Verdict::{Busy, Ok};
    let mut target = Target::scripted([Script::Rows(vec![Busy, Ok])]);
    target.ordered = true;
    let mut bench = Bench::new(&target, config());
    bench.put(&[(0, 0, Some("a")), (0, 1, Some("b")), (0, 2, Some("a")), (0, 3, None)]);
    bench.put(&[(0, 4, Some("a")), (0, 5, Some("b"))]);
    bench.run().await.unwrap();
    let requests = target.offsets();
    assert_eq!(requests[0], [0, 1, 3]);
    let order_of = |wanted: [i64; 3]| {
        let all: Vec<i64> = requests.iter().flatten().copied().filter(|o| wanted.contains(o)).collect();
        all
    };
    assert_eq!(order_of([0, 2, 4]), [0, 0, 2, 4], "row 0 was sent twice, then its followers");
    assert_eq!(bench.offsets().0, [0, 1, 2, 3, 4, 5]);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn partitions_are_released_when_nothing_of_them_is_left() {
    use Verdict::{Busy, Ok};
    let target = Target::scripted([Script::Rows(vec![Ok, Busy])]);
    let mut bench = Bench::new(&target, BulkConfig { linger: 3_600 * SECOND, ..config() });
    bench.put(&[(0, 0, None), (1, 0, None)]);
    bench.driven.revoke(&[id(0), id(1), id(2)]).unwrap();
    bench.run_for(Duration::from_millis(5)).await.unwrap();
    assert_eq!(bench.released, [id(2)], "the others are in flight");
    bench.run_for(Duration::from_millis(10)).await.unwrap();
    assert_eq!(bench.released, [id(2), id(0)], "a row of partition 1 is sent again");
    bench.run().await.unwrap();
    assert_eq!(bench.released, [id(2), id(0), id(1)]);
    assert_eq!(bench.settled.len(), 2);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_revoke_makes_one_attempt_at_once() {
    let target = Target::scripted(vec![Script::Fail(Class::Retriable); 8]);
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 2);
    bench.run_for(8 * SECOND).await.unwrap();
    let (before, now) = (target.times().len(), Instant::now());
    bench.driven.revoke(&[id(0)]).unwrap();
    bench.run_for(Duration::from_millis(1)).await.unwrap();
    assert_eq!(target.times().get(before), Some(&now));
}

#[tokio::test(start_paused = true)]
async fn rows_of_lost_partitions_are_dropped_and_others_go_on() {
    let mut target = Target::scripted([Script::FailAfter(Class::Retriable, SECOND)]);
    target.ordered = true;
    let mut bench = Bench::new(&target, BulkConfig { in_flight_max: 1, ..config() });
    bench.put(&[(0, 0, Some("a")), (1, 0, Some("b")), (1, 1, Some("a")), (0, 1, Some("b"))]);
    bench.driven.flush(Flush::Now).unwrap();
    bench.put(&[(0, 2, Some("c")), (1, 2, Some("c"))]);
    bench.run_for(SECOND / 2).await.unwrap();
    bench.driven.lost(&[id(0)]);
    bench.run().await.unwrap();
    let mut rows: Vec<_> = bench.settled.keys().copied().collect();
    rows.sort_unstable();
    assert_eq!(rows, [(1, 0), (1, 1), (1, 2)], "parked rows of the living are admitted");
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_left_of_a_refused_request_after_a_loss_is_not_poison() {
    let target = Target::scripted([Script::FailAfter(Class::Poison, SECOND)]);
    let mut bench = Bench::new(&target, config());
    bench.put(&[(0, 0, None), (1, 0, None), (0, 1, None)]);
    bench.run_for(SECOND / 2).await.unwrap();
    bench.driven.lost(&[id(0)]);
    bench.run().await.unwrap();
    assert_eq!(bench.settled, HashMap::from([((1, 0), vec![true])]));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_comes_back_at_once() {
    let target = Target::default();
    let mut bench = Bench::new(&target, config());
    let mut builder = BatchBuilder::new();
    builder.position(id(0), &"topic".into(), 0, 7);
    bench.driven.put(builder.finish()).unwrap();
    let report = bench.driven.progress().await.unwrap();
    assert!(matches!(report, Progress::Done(batch, _) if batch.runs()[0].offsets.end == 7));
    assert_eq!(target.offsets(), Vec::<Vec<i64>>::new());
}
