//! Who is to blame: rows only if there is evidence.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn config() -> BulkConfig {
    BulkConfig { linger: Duration::from_millis(50), request_timeout: 2 * SECOND, ..BulkConfig::default() }
}

fn all(rows: &[RowId], verdict: impl Fn(i64) -> Verdict) -> Option<Script> {
    Some(Script::Rows(rows.iter().map(|(_, offset)| verdict(*offset)).collect()))
}

#[tokio::test(start_paused = true)]
async fn a_row_that_lost_a_race_is_sent_again_before_it_is_poison() {
    // Refused in company of the first row only, as the loser of a race for a new mapping is.
    let target = Target::ruled(|rows| {
        let raced = rows.len() > 3;
        all(rows, move |offset| if raced && offset % 4 == 1 { Verdict::Doubted } else { Verdict::Ok })
    });
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 12);
    bench.run().await.unwrap();
    assert_eq!(target.offsets(), [(0..12).collect::<Vec<_>>(), vec![1, 5, 9]]);
    assert_eq!(bench.offsets(), ((0..12).collect(), vec![]));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_suspect_is_poison_when_it_is_refused_alone_while_others_get_through() {
    let target =
        Target::ruled(|rows| all(rows, |offset| if offset < 2 { Verdict::Doubted } else { Verdict::Ok }));
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 5);
    bench.run().await.unwrap();
    assert_eq!(target.offsets(), [vec![0, 1, 2, 3, 4], vec![0, 1], vec![0], vec![1]]);
    assert_eq!(bench.offsets(), (vec![2, 3, 4], vec![0, 1]));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn suspects_that_are_refused_like_every_other_row_wait_for_the_target() {
    // Until somebody mends the index; then all are taken.
    let mended = Arc::new(Mutex::new(false));
    let state = Arc::clone(&mended);
    let target = Target::ruled(move |rows| {
        let verdict = if *state.lock().unwrap() { Verdict::Ok } else { Verdict::Doubted };
        all(rows, |_| verdict)
    });
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 100);
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), (vec![], vec![]), "no verdict");
    let requests = target.offsets();
    assert!(requests.len() < 100 && requests.iter().all(|rows| rows.len() == 100), "they stay together");
    *mended.lock().unwrap() = true;
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), ((0..100).collect(), vec![]));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_topic_full_of_suspects_costs_few_requests_of_one_row() {
    let target = Target::ruled(|rows| {
        all(rows, |offset| if offset % 50 == 0 { Verdict::Ok } else { Verdict::Doubted })
    });
    let mut bench = Bench::new(&target, BulkConfig { batch_records: 100, in_flight_max: 1, ..config() });
    bench.put_range(0, 2_000);
    bench.run().await.unwrap();
    let (good, bad): (Vec<i64>, Vec<i64>) = (0..2_000).partition(|offset| offset % 50 == 0);
    assert_eq!(bench.offsets(), (good, bad));
    let requests = target.offsets();
    // Sixteen wait to be sent alone at once. Others take the places of those that were, until sixteen proved guilty.
    let alone = requests.iter().filter(|rows| rows.len() == 1).count();
    assert!((16..=32).contains(&alone), "{alone} of {}", requests.len());
    // Twenty requests, each of them once more, and what of them was left while the sixteen were tried.
    assert!(requests.len() - alone <= 100, "{}", requests.len());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_the_same_way_for_every_row_is_no_verdict_about_rows() {
    let mended = Arc::new(Mutex::new(false));
    let state = Arc::clone(&mended);
    let target = Target::ruled(move |_| {
        Some(if *state.lock().unwrap() { Script::Deliver } else { Script::Fail(Class::Poison) })
    });
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 100);
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), (vec![], vec![]), "no verdict");
    assert!(target.offsets().len() < 1_000, "{}", target.offsets().len());
    *mended.lock().unwrap() = true;
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), ((0..100).collect(), vec![]));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_refused_in_every_request_do_not_keep_the_others_back() {
    let target =
        Target::ruled(|rows| rows.iter().any(|row| row.1 % 10 < 3).then_some(Script::Fail(Class::Poison)));
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 100);
    bench.run().await.unwrap();
    let (good, bad): (Vec<i64>, Vec<i64>) = (0..100).partition(|offset| offset % 10 >= 3);
    assert_eq!(bench.offsets(), (good, bad));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_answered_is_halved_until_the_row_to_blame_stands_alone() {
    let target = Target::ruled(|rows| rows.iter().any(|row| row.1 == 20).then_some(Script::Hang));
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 50);
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), ((0..50).filter(|&offset| offset != 20).collect(), vec![20]));
    let requests = target.offsets();
    assert_eq!(requests.iter().filter(|rows| rows.len() == 50).count(), 3);
    assert_eq!(requests.iter().filter(|rows| **rows == [20]).count(), 5);
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_target_that_answers_nobody_makes_no_row_poison() {
    let mended = Arc::new(Mutex::new(false));
    let state = Arc::clone(&mended);
    let target = Target::ruled(move |_| (!*state.lock().unwrap()).then_some(Script::Hang));
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 20);
    for _ in 0..5 {
        bench.run().await.unwrap();
    }
    assert_eq!(bench.offsets(), (vec![], vec![]), "no verdict");
    *mended.lock().unwrap() = true;
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), ((0..20).collect(), vec![]));
    bench.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_slow_target_gets_smaller_requests() {
    let target = Target::ruled(|rows| (rows.len() > 10).then_some(Script::Hang));
    let mut bench = Bench::new(&target, config());
    bench.put_range(0, 50);
    bench.run().await.unwrap();
    assert_eq!(bench.offsets(), ((0..50).collect(), vec![]));
    bench.assert_clean();
}
