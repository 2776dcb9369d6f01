use super::*;
use crate::{Record, resident};

/// Batches of one record each.
fn trickle(builder: &mut BatchBuilder, batches: i64) -> impl Iterator<Item = Batch> {
    let topic = Arc::from("topic");
    let one = move |offset| {
        let entry = Entry { offset, value: Some(b"value"), ..Entry::default() };
        builder.push(PartitionId::new(0, 1), &topic, 0, entry, []);
        builder.finish()
    };
    (0..batches).map(one)
}

#[test]
fn batches_of_few_records_take_no_arena_along() {
    let mut builder = BatchBuilder::new();
    let held: Vec<_> = trickle(&mut builder, 100).collect();
    assert!(held.iter().all(|batch| batch.get(0).and_then(Record::value) == Some(b"value")));
    let pool = Arc::clone(&builder.pool);
    drop((builder, held));
    assert_eq!(pool.0.lock().unwrap().len(), 0, "the arena was the builder's all the time");
}

#[test]
fn what_a_batch_takes_besides_its_payload_is_counted() {
    let mut joined = Batch::default();
    for batch in trickle(&mut BatchBuilder::new(), 100) {
        joined.append(batch);
    }
    let each = b"value".len() + size_of::<Row>() + size_of::<Run>() + size_of::<Bytes>();
    assert!(joined.bytes() >= 100 * each, "{} bytes", joined.bytes());
}

#[test]
#[ignore = "run by the test below, which gives it a process of its own"]
fn a_trickle() {
    let before = resident::bytes();
    let mut joined = Batch::default();
    for batch in trickle(&mut BatchBuilder::new(), 50_000) {
        joined.append(batch);
    }
    let taken = resident::bytes() - before;
    assert!(taken < 2 * joined.bytes(), "{taken} bytes taken, {} counted", joined.bytes());
}

#[test]
fn a_trickle_takes_about_what_is_counted() {
    resident::alone("builder::tests::a_trickle");
}
