//! Whatever the target answers, each row ends once, only failed rows are sent again, and order keys hold.

use super::*;
use crate::Flush;
use proptest::prelude::*;

fn script() -> impl Strategy<Value = (Duration, Script)> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Ok),
        2 => Just(Verdict::Busy),
        1 => Just(Verdict::Doubted),
        1 => Just(Verdict::Bad),
    ];
    let script = prop_oneof![
        2 => Just(Script::Deliver),
        4 => prop::collection::vec(verdict, 1..8).prop_map(Script::Rows),
        1 => (0_usize..6).prop_map(Script::Answer),
        2 => Just(Script::Fail(Class::Retriable)),
        2 => Just(Script::Fail(Class::Poison)),
        1 => Just(Script::Hang),
    ];
    ((0_u64..400).prop_map(Duration::from_millis), script)
}

/// Batches as (partition, key) per row; `None` as key: no order.
fn batches() -> impl Strategy<Value = Vec<Vec<(u32, Option<u8>)>>> {
    let row = (0_u32..3, prop::option::weighted(0.8, 0_u8..6));
    prop::collection::vec(prop::collection::vec(row, 1..12), 1..12)
}

#[derive(Clone, Debug)]
struct Case {
    batches: Vec<Vec<(u32, Option<u8>)>>,
    script: Vec<(Duration, Script)>,
    ordered: bool,
    in_flight_max: usize,
    batch_records: usize,
    pauses_ms: Vec<u64>,
    lost: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let plan = (any::<bool>(), 1_usize..5, 1_usize..20, prop::collection::vec(0_u64..300, 12), any::<bool>());
    (batches(), prop::collection::vec(script(), 0..40), plan).prop_map(
        |(batches, script, (ordered, in_flight_max, batch_records, pauses_ms, lost))| Case {
            batches,
            script,
            ordered,
            in_flight_max,
            batch_records,
            pauses_ms,
            lost,
        },
    )
}

async fn run(case: Case) {
    let target = Target { ordered: case.ordered, ..Target::default() };
    target.seen().script = case.script.into();
    let config = BulkConfig {
        in_flight_max: case.in_flight_max,
        batch_records: case.batch_records,
        request_timeout: Duration::from_secs(2),
        ..BulkConfig::default()
    };
    let mut bench = Bench::new(&target, config);
    let (mut offsets, mut arrivals): ([i64; 3], HashMap<u8, Vec<RowId>>) = ([0; 3], HashMap::new());
    let mut expected = HashSet::new();
    for (batch, pause) in case.batches.iter().zip(&case.pauses_ms) {
        let mut sorted = batch.clone();
        sorted.sort_by_key(|(slot, _)| *slot);
        let texts: Vec<Option<String>> =
            sorted.iter().map(|(_, key)| key.map(|key| key.to_string())).collect();
        let mut rows = Vec::new();
        for ((slot, key), text) in sorted.iter().zip(&texts) {
            let offset = offsets[*slot as usize];
            offsets[*slot as usize] += 1;
            expected.insert((*slot as usize, offset));
            if let Some(key) = key {
                arrivals.entry(*key).or_default().push((*slot as usize, offset));
            }
            rows.push((*slot, offset, text.as_deref()));
        }
        bench.put(&rows);
        bench.run_for(Duration::from_millis(*pause)).await.unwrap();
    }
    if case.lost {
        bench.driven.lost(&[id(2)]);
    }
    bench.driven.flush(Flush::Now).unwrap();
    bench.driven.revoke(&[id(0), id(1)]).unwrap();
    bench.run_for(Duration::from_secs(86_400)).await.unwrap();
    check(&bench, &expected, case.lost);
    if case.ordered {
        check_order(&target, &arrivals);
    }
}

fn check(bench: &Bench, expected: &HashSet<RowId>, lost: bool) {
    bench.assert_clean();
    let seen = bench.target.seen();
    for row in expected {
        let fates = bench.settled.get(row).map(Vec::as_slice).unwrap_or_default();
        if lost && row.0 == 2 {
            assert!(fates.len() <= 1, "{row:?} was reported {} times", fates.len());
        } else {
            let told = seen.final_verdicts.get(row).copied();
            let fate = told.or_else(|| seen.failed_alone.contains(row).then_some(false));
            assert_eq!(Some(fates), fate.as_ref().map(std::slice::from_ref), "the fate of {row:?}");
        }
    }
    let mut released = bench.released.clone();
    released.sort_unstable();
    assert_eq!(released, [id(0), id(1)]);
}

/// Rows of a key never overlapped (the target looks at that), and the last attempt of each came in order of arrival.
fn check_order(target: &Target, arrivals: &HashMap<u8, Vec<RowId>>) {
    let seen = target.seen();
    for (key, rows) in arrivals {
        let wanted: HashMap<&RowId, usize> = rows.iter().zip(0..).collect();
        let sent = seen.requests.iter().flat_map(|(_, rows)| rows).filter_map(|row| wanted.get(row));
        assert!(sent.is_sorted(), "rows of key {key} were sent out of order");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn each_row_ends_once_and_only_failed_rows_are_sent_again(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(case));
    }
}
