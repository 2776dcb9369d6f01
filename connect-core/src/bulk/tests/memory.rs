use super::*;
use crate::{BatchBuilder, Entry, bulk::state::State, resident};

/// 200,000 short records of 50 partitions in turns, into requests of ten.
#[test]
#[ignore = "run by the test below, which gives it a process of its own"]
fn small_requests() {
    let config = BulkConfig { batch_records: 10, ..BulkConfig::default() };
    let (budget, mut builder) = (Budget::new(1 << 30), BatchBuilder::new());
    let mut state = State::new(Arc::new(Target::default()), config);
    let (topic, before) = (Arc::from("topic"), resident::bytes());
    for batch in 0..100 {
        for offset in 0..2_000 {
            let partition = u32::try_from(offset % 50).unwrap();
            let entry =
                Entry { offset: batch * 2_000 + offset, value: Some(&[b'v'; 20]), ..Entry::default() };
            builder.push(PartitionId::new(partition, 1), &topic, partition.cast_signed(), entry, []);
        }
        let mut batch = builder.finish();
        batch.hold(budget.charge(batch.bytes()));
        state.put(batch, Instant::now(), &budget);
    }
    let taken = resident::bytes() - before;
    assert!(taken < budget.held() * 5 / 4, "{taken} bytes taken, {} charged", budget.held());
}

#[test]
fn small_requests_take_about_what_is_charged() {
    resident::alone("bulk::tests::memory::small_requests");
}
